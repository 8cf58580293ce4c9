"""`kill -9` in the middle of a capture: what is half-written counts nowhere, the case goes on, and each WARC is whole."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from warcio.archiveiterator import ArchiveIterator

from notifier.clock import SystemClock
from notifier.rehearsal import Cast, overlay_of
from notifier.sandbox.app import Sandbox
from notifier.sandbox.config import Party, SandboxConfig
from notifier.store.blobs import FolderBlobs, checked
from notifier.store.embedded import running_dsn

from .daemons import Daemon, fresh_report, quick_config
from .overlays import overlay_toml

AGREEMENT = "piracy.identity-digital"
ADDRESS = "notices@party.example"
# As long as a page is kept, and of little use to gzip: a file that takes a moment to write.
PAGE = "<!doctype html><title>Films</title><p>" + " ".join(f"film-{n * 7919 % 1_000_003:x}" for n in range(20_000))


class Site:
    """The reported pages; while the gate is shut nobody is answered."""

    def __init__(self) -> None:
        self.gate, self.asked, self.port = asyncio.Event(), 0, 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._page)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.gate.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        self.asked += 1
        await self.gate.wait()
        return web.Response(text=PAGE, content_type="text/html")


class Stage:
    def __init__(self, daemon: Daemon, site: Site) -> None:
        self.daemon, self.site, self.tokens = daemon, site, dict[str, str]()

    @property
    def blobs(self) -> Path:
        return self.daemon.state / "blobs"

    async def submit(self, domain: str) -> str:
        status, body = await self.daemon.call("POST", "/reports", self.tokens["sam"], fresh_report("piracy", domain))
        assert (status, body.get("state")) == (201, "in_review"), body
        return str(body["case_id"])

    async def again(self) -> None:
        await self.daemon.kill()
        await self.daemon.start()

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        dsn = running_dsn(self.daemon.state)
        assert dsn is not None
        con = await asyncpg.connect(dsn)
        try:
            return list(await con.fetch(query, *args))
        finally:
            await con.close()

    async def count(self, query: str, *args: Any) -> int:
        return int((await self.fetch(f"select count(*) as n from {query}", *args))[0]["n"])


async def until(condition: Callable[[], Awaitable[Any]], pause: float = 0.1) -> None:
    async with asyncio.timeout(90):
        while not await condition():
            await asyncio.sleep(pause)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    party = Party("identity-digital", "identity-digital", "smtp", ADDRESS, behaviour="silent")
    sandbox, site = Sandbox(SandboxConfig((party,), register_all=True), SystemClock()), Site()
    await sandbox.start()
    await site.start()
    where = {**sandbox.where(), "site": ("127.0.0.1", site.port)}
    overlay = tmp_path / "overlay.toml"
    overlay.write_text(overlay_toml(overlay_of([Cast("identity-digital", [AGREEMENT], "smtp", ADDRESS)], where)))
    daemon = Daemon(
        tmp_path,
        {
            "NOTIFIER_CONFIG_FOLDER": str(quick_config(tmp_path)),
            "NOTIFIER_CATALOG_OVERLAY": str(overlay),
            "NOTIFIER_EGRESS": "loopback",
        },
    )
    made = Stage(daemon, site)
    try:
        await daemon.start()
        made.tokens = await daemon.tokens(sam="submitter", rita="reviewer")
        yield made
    finally:
        await daemon.kill()
        await site.stop()
        await sandbox.stop()


async def killed_while_visiting(stage: Stage) -> str:
    stage.site.gate.clear()
    before = stage.site.asked
    case_id = await stage.submit("visited.live")

    async def asked() -> bool:
        return stage.site.asked > before + 1

    await until(asked)
    await stage.again()
    stage.site.gate.set()
    return case_id


async def killed_while_storing(stage: Stage) -> str:
    case_id = await stage.submit("stored.live")

    async def writing() -> bool:
        return any((stage.blobs / "arriving").glob("*.part"))

    await until(writing, 0.001)
    await stage.again()
    return case_id


async def killed_while_recording(stage: Stage) -> str:
    """The files are in the store, and the transaction that would name them waits for a row that we hold."""
    stage.site.gate.clear()
    before, stored = stage.site.asked, len(list(stage.blobs.glob("??/??/*")))
    case_id = await stage.submit("recorded.live")

    async def asked() -> bool:
        return stage.site.asked > before

    async def waits() -> bool:
        kept = len(list(stage.blobs.glob("??/??/*"))) > stored
        return kept and await stage.count("pg_stat_activity where wait_event_type = 'Lock'") > 0

    await until(asked)
    con = await asyncpg.connect(running_dsn(stage.daemon.state))
    holding = con.transaction()
    await holding.start()
    await con.execute("select from cases where id = $1 for update", case_id)
    stage.site.gate.set()
    await until(waits)
    await stage.again()  # its Postgres ends with it, and so does our transaction
    con.terminate()
    return case_id


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_nothing_half_written_counts(stage: Stage) -> None:
    cases = [await act(stage) for act in (killed_while_visiting, killed_while_storing, killed_while_recording)]
    pages = min(3, len(fresh_report("piracy")["urls"]))

    async def captured() -> bool:
        return await stage.count("cases where registration is not null") == len(cases)

    await until(captured)
    for case_id in cases:
        rows = await stage.fetch("select url, warc_sha256, visits from capture where case_id = $1", case_id)
        assert len(rows) == len({row["url"] for row in rows}) == pages, "each page once, as if nothing had been"
        for row in rows:
            warc = b"".join([p async for p in checked(FolderBlobs(stage.blobs), row["warc_sha256"])])
            records = ArchiveIterator(io.BytesIO(warc), check_digests="raise")
            bodies = [r.content_stream().read() for r in records if r.rec_type == "response"]
            assert len(bodies) >= 6
            assert all(PAGE.encode().startswith(body) and len(body) > 100_000 for body in bodies)
        status, shown = await stage.daemon.call("GET", f"/cases/{case_id}/preview", stage.tokens["rita"])
        assert status == 200, shown
    assert await stage.count("queue.pgqueuer where status not in ('queued', 'picked')") == 0
    code, out, err = await stage.daemon.run("audit", "verify")
    assert code == 0, out + err
