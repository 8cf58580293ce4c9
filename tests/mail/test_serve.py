"""The daemon as its users run it, with a real mailbox: a mail is stored, and SIGTERM ends the wait at once."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import asyncpg
import pytest

from tests.acceptance.daemons import Daemon
from tests.mail.dovecot import PASSWORD, USER, Dovecot
from tests.mail.test_imap import TO, letter, until


def settings_for(dovecot: Dovecot, database_url: str) -> dict[str, str]:
    return {
        "NOTIFIER_DATABASE_URL": database_url,
        "NOTIFIER_EGRESS": "loopback",
        "NOTIFIER_REPLY_DOMAIN": "replies.notifier.example",
        "NOTIFIER_IMAP_HOST": "localhost",
        "NOTIFIER_IMAP_PORT": str(dovecot.tls_port),
        "NOTIFIER_IMAP_CA_FILE": str(dovecot.folder / "cert.pem"),
        "NOTIFIER_IMAP_USER": USER,
        "NOTIFIER_SECRET_IMAP_PASSWORD": PASSWORD,
    }


@pytest.fixture
async def daemon(dovecot: Dovecot, database_url: str, tmp_path: Path) -> AsyncIterator[Daemon]:
    made = Daemon(tmp_path, settings_for(dovecot, database_url))
    yield made
    if made.process is not None:
        await made.kill()


async def test_a_worker_watches_the_mailbox(daemon: Daemon, dovecot: Dovecot, database_url: str) -> None:
    await daemon.start()
    dovecot.deliver(letter(1))
    await until(lambda: dovecot.in_folder("Done") == [letter(1)])
    con = await asyncpg.connect(database_url)
    try:
        async with asyncio.timeout(20):
            while (row := await con.fetchrow("select recipient, fate from inbound where read_at is not null")) is None:
                await asyncio.sleep(0.05)
    finally:
        await con.close()
    assert tuple(row) == (TO, "unmatched")
    code, out, err = await daemon.run("check-config", "--online")
    assert (code, "imap" in out) == (0, False), (out, err)
    began = monotonic()
    assert await daemon.kill(signal.SIGTERM) == 0
    assert monotonic() - began < 15
    assert PASSWORD not in (daemon.state.parent / "serve.log").read_text()


async def test_what_is_wrong_with_the_mailbox_is_said(daemon: Daemon, dovecot: Dovecot) -> None:
    daemon.environ["NOTIFIER_SECRET_IMAP_PASSWORD"] = "wrong"
    code, out, _ = await daemon.run("check-config", "--online")
    assert code == 1
    assert "imap_host: AUTHENTICATE" in out
