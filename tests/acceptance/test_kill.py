"""`kill -9` at each point of a notice's way out: nothing is lost, and nobody is written to twice."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from notifier.clock import SystemClock
from notifier.rehearsal import Cast, overlay_of
from notifier.sandbox.app import Sandbox
from notifier.sandbox.config import Party, SandboxConfig
from notifier.store.embedded import running_dsn

from .daemons import Daemon, fresh_report, quick_config
from .overlays import overlay_toml

SECRET = "whsec_" + "dGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQtdGVzdA=="
DOMAIN = "kill-test-site-{}.live"  # under Identity Digital, as is the piracy program's agreement
AGREEMENT = "piracy.identity-digital"


class Stage:
    """A daemon and the sandbox it writes to, over one channel. It outlives each test, as do its cases: a test has a name of
    its own, `domain`."""

    def __init__(self, channel: str, daemon: Daemon, sandbox: Sandbox) -> None:
        self.channel, self.daemon, self.sandbox = channel, daemon, sandbox
        self.tokens: dict[str, str] = {}
        self.domain = ""
        self._numbers = itertools.count(1)

    @property
    def door(self) -> Any:
        return self.sandbox.smtp if self.channel == "smtp" else self.sandbox.webhook

    async def open(self) -> None:
        await self.daemon.start()
        self.tokens = await self.daemon.tokens(sam="submitter", rita="reviewer", ada="admin", bob="admin")
        for admin in ("ada", "bob"):
            status, body = await self.daemon.call("POST", f"/agreements/{AGREEMENT}/arm", self.tokens[admin])
            assert status == 200, body

    def another(self) -> None:
        self.domain = DOMAIN.format(next(self._numbers))

    async def submit(self) -> str:
        report = fresh_report("piracy", self.domain)
        status, body = await self.daemon.call("POST", "/reports", self.tokens["sam"], report)
        assert (status, body.get("state")) == (201, "in_review"), body
        return str(body["case_id"])

    async def approve(self, case_id: str) -> None:
        await self.until(lambda: self.value("select registration is not null from cases where id = $1", case_id))
        status, shown = await self.daemon.call("GET", f"/cases/{case_id}/preview", self.tokens["rita"])
        assert status == 200, shown
        status, body = await self.daemon.call(
            "POST", f"/cases/{case_id}/approve", self.tokens["rita"], {"digest": shown["digest"]}
        )
        assert status == 200, body

    async def value(self, query: str, *args: Any) -> Any:
        dsn = running_dsn(self.daemon.state)
        if dsn is None:
            return None
        con = await asyncpg.connect(dsn)
        try:
            return await con.fetchval(query, *args)
        finally:
            await con.close()

    async def until(self, condition: Callable[[], Awaitable[Any]], timeout_s: float = 40.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not await condition():
                await asyncio.sleep(0.1)

    async def has(self, *states: str) -> bool:
        query = "select state from notice where purpose = 'request' and domain = $1"
        return await self.value(query, self.domain) in states

    def copies(self) -> int:
        """How many notices the recipient has: messages by mail, distinct webhook ids."""
        came = self.sandbox.inbox.received
        received = [item for item in came if (item.channel, item.ask.domain) == (self.channel, self.domain)]
        return len(received) if self.channel == "smtp" else len({item.key for item in received})


@pytest.fixture(scope="module", params=["smtp", "webhook"])
async def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    channel, tmp_path = request.param, tmp_path_factory.mktemp("kill")
    cast = Cast("identity-digital", [AGREEMENT], channel, "notices@party.example")
    party = Party("identity-digital", "identity-digital", channel, "notices@party.example", SECRET, behaviour="silent")
    sandbox = Sandbox(SandboxConfig((party,), register_all=True), SystemClock())
    await sandbox.start()
    overlay = tmp_path / "overlay.toml"
    overlay.write_text(overlay_toml(overlay_of([cast], sandbox.where())))
    daemon = Daemon(
        tmp_path,
        {
            "NOTIFIER_CONFIG_FOLDER": str(quick_config(tmp_path)),
            "NOTIFIER_CATALOG_OVERLAY": str(overlay),
            "NOTIFIER_EGRESS": "loopback",
            "NOTIFIER_REPLY_DOMAIN": "replies.notifier.example",
            "NOTIFIER_MAIL_FROM": "notices@notifier.example",
            "NOTIFIER_SECRET_HOOK_IDENTITY_DIGITAL": SECRET,
        },
    )
    made = Stage(channel, daemon, sandbox)
    try:
        await made.open()
        yield made
    finally:
        if daemon.process and daemon.process.returncode is None:
            await daemon.kill()
        sandbox.smtp.after_acceptance.release()
        sandbox.webhook.after_acceptance.release()
        await sandbox.stop()


@pytest.fixture
async def stage(opened: Stage) -> Stage:
    """A daemon that runs, and a name that nobody reported."""
    if opened.daemon.process is None or opened.daemon.process.returncode is not None:
        await opened.daemon.start()  # a test before this one failed with it down
    opened.door.after_acceptance.release()
    opened.another()
    return opened


async def test_after_the_report_was_taken(stage: Stage) -> None:
    case_id = await stage.submit()
    await stage.daemon.kill()
    await stage.daemon.start()
    status, body = await stage.daemon.call("GET", f"/cases/{case_id}", stage.tokens["rita"])
    assert (status, body["state"]) == (200, "in_review")
    await stage.approve(case_id)
    await stage.until(lambda: stage.has("sent"))
    assert stage.copies() == 1


async def test_after_approval_before_sending(stage: Stage) -> None:
    case_id = await stage.submit()
    await stage.approve(case_id)
    await stage.daemon.kill()  # the dispatch job or its timer is all that is left of it
    await stage.daemon.start()
    await stage.until(lambda: stage.has("sent", "uncertain"))
    assert stage.copies() <= 1


async def test_between_acceptance_and_record(stage: Stage) -> None:
    """The recipient has the notice, we do not know it: one logical notice, whatever the channel."""
    stage.door.after_acceptance.stall(1)
    case_id = await stage.submit()
    await stage.approve(case_id)

    async def arrived() -> bool:
        return stage.copies() == 1

    await stage.until(arrived)
    await stage.daemon.kill()
    await stage.daemon.start()
    if stage.channel == "smtp":  # a second mail would be a second notice, so a person decides
        await stage.until(lambda: stage.has("uncertain"))
        open_tasks = "select count(*) from task where kind = 'uncertain' and resolved_at is null"
        assert await stage.value(f"{open_tasks} and case_id = $1", case_id) == await stage.value(open_tasks) == 1
    else:  # the same webhook-id again is the same notice
        await stage.until(lambda: stage.has("sent"))
    assert stage.copies() == 1


async def test_after_the_record(stage: Stage) -> None:
    case_id = await stage.submit()
    await stage.approve(case_id)
    await stage.until(lambda: stage.has("sent"))
    await stage.daemon.kill()
    await stage.daemon.start()
    await asyncio.sleep(3)  # longer than the queue's poll: whatever would be sent again has been by now
    assert stage.copies() == 1
    code, out, err = await stage.daemon.run("audit", "verify")
    assert code == 0, out + err
