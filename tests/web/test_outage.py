"""Postgres stops in the middle: callers are told to come again, and the same report then becomes one case."""

import json
from pathlib import Path

import aiohttp
from aiohttp import web

from notifier import bootstrap
from notifier.services import access
from notifier.settings import Settings
from notifier.store.embedded import EmbeddedPostgres
from notifier.web.app import make_app
from tests.services.stages import MAIL, row

REPORT = json.dumps(row(MAIL, external_id="outage-1")).encode()


async def never_ready() -> dict[str, bool]:
    return {"database": False, "queue": True}


async def test_an_outage_is_told_and_loses_nothing(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, fsync=False)
    dsn = await server.start()
    try:
        async with bootstrap.house(Settings(state_dir=tmp_path, egress="loopback"), dsn) as house:
            token = await access.add_token(house.ctx.db, "Sam Submitter", "submitter", by="test")
            runner = web.AppRunner(make_app(house.ctx, ready=never_ready), access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            headers = {"Authorization": f"Bearer {token.token}", "Content-Type": "application/json"}
            async with aiohttp.ClientSession(base_url=url, headers=headers) as session:
                await server.stop()
                for _ in range(3):
                    async with session.post("/api/v1/reports", data=REPORT) as answer:
                        told = await answer.json(content_type=None)
                        assert (answer.status, told["code"]) == (503, "unavailable"), told
                        assert int(answer.headers["Retry-After"]) > 0
                async with session.get("/healthz") as answer:
                    assert answer.status == 200
                async with session.get("/readyz") as answer:
                    told = await answer.json(content_type=None)
                    assert (answer.status, told["checks"]) == (503, {"database": False, "queue": True})
                async with session.get("/metrics") as answer:
                    assert "notifier_database_up 0.0" in await answer.text()
                await server.start()
                answers = []
                for _ in range(2):
                    async with session.post("/api/v1/reports", data=REPORT) as answer:
                        answers.append((answer.status, (await answer.json())["report_id"]))
                assert [status for status, _ in answers] == [201, 200]
                assert len({report_id for _, report_id in answers}) == 1
            await runner.cleanup()
            assert await house.ctx.db.fetchval("select count(*) from report") == 1
    finally:
        await server.stop()
