"""The end of a live event against `kill -9`: whoever was told is asked to restore exactly once, whatever died when."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from notifier.clock import SystemClock
from notifier.rehearsal import Cast, overlay_of
from notifier.sandbox.app import Sandbox
from notifier.sandbox.config import Channel, Party, SandboxConfig
from notifier.store.embedded import running_dsn
from tests.acceptance.daemons import Daemon
from tests.acceptance.live import AGREEMENT, NAME, ON_DUTY, ends_at, fresh_stream, live_config
from tests.acceptance.overlays import overlay_toml

SECRET = "whsec_" + "dGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQtdGVzdA=="
OVER = "select count(*) from audit_entry where tag = 'case.event_over'"
SETTLED = (
    "select (select count(*) from notice where purpose = 'restore' and state = 'sent') "
    "+ (select count(*) from task where kind = 'uncertain')"
)


class Stage:
    def __init__(self, daemon: Daemon, sandbox: Sandbox, config: Path) -> None:
        self.daemon, self.sandbox, self.config = daemon, sandbox, config

    async def told(self) -> None:
        """One name is asked to be held, approved by one person."""
        await self.daemon.start()
        roles = {"sam": "submitter", ON_DUTY: "reviewer", "ada": "admin", "bob": "admin"}
        tokens = await self.daemon.tokens(**roles)

        async def call(method: str, path: str, by: str, body: Any = None) -> Any:
            status, said = await self.daemon.call(method, path, tokens[by], body)
            assert status < 300, said
            return said

        for admin in ("ada", "bob"):
            await call("POST", f"/agreements/{AGREEMENT}/arm", admin)
        said = await call("POST", "/reports", "sam", fresh_stream())
        assert said["state"] == "in_review", said
        case_id = said["case_id"]
        await self.until("select count(*) from warm_look where look is not null")
        await self.until("select count(*) from cases where registration is not null")
        await self.until("select count(*) = 0 from queue.pgqueuer where status in ('queued', 'picked')")
        shown = await call("GET", f"/cases/{case_id}/preview", ON_DUTY)
        await call("POST", f"/cases/{case_id}/approve", ON_DUTY, {"digest": shown["digest"]})
        await self.until("select count(*) from notice where purpose = 'request' and state = 'sent'")

    async def until(self, query: str, timeout_s: float = 60.0) -> None:
        async with asyncio.timeout(timeout_s):
            while True:
                dsn = running_dsn(self.daemon.state)
                if dsn is not None:
                    con = await asyncpg.connect(dsn)
                    try:
                        if await con.fetchval(query):
                            return
                    finally:
                        await con.close()
                await asyncio.sleep(0.05)

    def restores(self) -> int:
        found = [d for d in self.sandbox.inbox.received if d.ask.domain == NAME and d.ask.purpose == "restore"]
        return len({d.key for d in found})


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    channel: Channel = "webhook"  # which recognises a repeat, so that nobody has to ask whether it arrived
    party = Party("verisign", "verisign", channel, "notices@party.example", SECRET, behaviour="silent")
    sandbox = Sandbox(SandboxConfig((party,), register_all=True), SystemClock())
    await sandbox.start()
    config, overlay = live_config(tmp_path), tmp_path / "overlay.toml"
    cast = Cast("verisign", [AGREEMENT], channel, "notices@party.example")
    overlay.write_text(overlay_toml(overlay_of([cast], sandbox.where())))
    daemon = Daemon(
        tmp_path,
        {
            "NOTIFIER_CONFIG_FOLDER": str(config),
            "NOTIFIER_CATALOG_OVERLAY": str(overlay),
            "NOTIFIER_EGRESS": "loopback",
            "NOTIFIER_REPLY_DOMAIN": "replies.notifier.example",
            "NOTIFIER_MAIL_FROM": "notices@notifier.example",
            "NOTIFIER_SECRET_HOOK_VERISIGN": SECRET,
        },
    )
    try:
        yield Stage(daemon, sandbox, config)
    finally:
        if daemon.process and daemon.process.returncode is None:
            await daemon.kill()
        await sandbox.stop()


async def test_nobody_runs_at_the_end_and_then_it_dies_between_the_end_and_the_restore(stage: Stage) -> None:
    await stage.told()
    await stage.daemon.kill()
    ends_at(stage.config, datetime.now(UTC) + timedelta(seconds=1))  # it ended earlier than was told
    await asyncio.sleep(1.5)
    assert stage.restores() == 0
    await stage.daemon.start()  # and at once it is over
    await stage.until(OVER)
    await stage.daemon.kill()
    await stage.daemon.start()
    await stage.until(SETTLED)
    await asyncio.sleep(3)  # longer than the queue's poll: whatever would be sent again has been by now
    assert stage.restores() == 1
