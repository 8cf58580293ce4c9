"""Every way in ends in the store, once: the mailbox with the real lock and a crash, LMTP, and the pipe."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from notifier import bootstrap, outside
from notifier.net.imap_watch import ImapWatch, Pauses
from notifier.net.mailbox import MAX_BYTES, Arrived, Mailbox
from notifier.rehearsal import free_port
from notifier.store.alone import MAILBOX_LOCK, alone
from notifier.store.audit import FAILURES
from tests.mail.dovecot import PASSWORD, USER, Dovecot
from tests.mail.test_imap import OURS, QUICK, letter, loopback, until
from tests.services.conftest import open_stage  # noqa: F401 - a fixture
from tests.services.stages import Stage

TO = "notices+abcdefghij0123456789@replies.notifier.example"


@pytest.fixture
async def stage(open_stage) -> AsyncIterator[Stage]:  # type: ignore[no-untyped-def]  # noqa: F811
    async with open_stage() as opened:
        yield opened


# --- the mailbox --------------------------------------------------------------------------------------------------


def watch_of(stage: Stage, dovecot: Dovecot, pauses: Pauses = QUICK) -> ImapWatch:
    """As the daemon builds it from its settings."""
    house = stage.r.house
    settings = replace(
        house.settings,
        imap_host="localhost",
        imap_port=dovecot.tls_port,
        imap_user=USER,
        imap_ca_file=dovecot.folder / "cert.pem",
        secrets={**house.settings.secrets, "imap_password": PASSWORD},
    )
    made = bootstrap.mail_watch(replace(house, settings=settings), pauses)
    assert made is not None
    return made


@asynccontextmanager
async def running(*watches: ImapWatch) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(watch.run(stop)) for watch in watches]
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks)


async def test_two_processes_watch_in_turn(stage: Stage, dovecot: Dovecot) -> None:
    one, two = watch_of(stage, dovecot), watch_of(stage, dovecot)
    async with running(one, two):
        await until(lambda: one.rounds + two.rounds > 0)
        await asyncio.sleep(0.5)
        assert sorted([one.rounds > 0, two.rounds > 0]) == [False, True]
        dovecot.deliver(letter(1, to=TO))
        await until(lambda: len(dovecot.in_folder("Done")) == 1)
    await stage.r.quiet()
    row = await stage.ctx.db.fetchrow("select * from inbound")
    assert row is not None
    assert (row["body"], row["recipient"], row["fate"]) == (letter(1, to=TO), TO, "unmatched")


async def test_the_lock_goes_with_its_connection(stage: Stage, database_url: str) -> None:
    db = stage.ctx.db
    async with alone(db, MAILBOX_LOCK) as held:
        assert held is not None
        await held()
        async with alone(db, MAILBOX_LOCK) as second:
            assert second is None
        other = await asyncpg.connect(database_url)
        await other.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = $1", MAILBOX_LOCK
        )
        await other.close()
        await asyncio.sleep(0.3)  # until the client has heard of it
        with pytest.raises(FAILURES):
            await held()
    async with alone(db, MAILBOX_LOCK) as again:
        assert again is not None


async def test_a_crash_between_store_and_move_does_not_make_it_twice(stage: Stage, dovecot: Dovecot) -> None:
    """The first watch stores and dies before it could mark; the next one finds the message where it was."""
    store, died = bootstrap.mail_taker(stage.ctx), asyncio.Event()

    async def take_and_die(arrived: Arrived) -> str:
        await store(arrived)
        died.set()
        await asyncio.sleep(3600)
        return ""

    dovecot.deliver(letter(1, to=TO))
    account = outside.imap_account(
        replace(
            stage.r.house.settings,
            imap_host="localhost",
            imap_port=dovecot.tls_port,
            imap_user=USER,
            imap_ca_file=dovecot.folder / "cert.pem",
            secrets={"imap_password": PASSWORD},
        )
    )
    assert account is not None
    first = ImapWatch(account, take_and_die, OURS, lambda: alone(stage.ctx.db, MAILBOX_LOCK), loopback, QUICK)
    task = asyncio.create_task(first.run(asyncio.Event()))
    async with asyncio.timeout(20):
        await died.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await stage.count("inbound"), dovecot.in_folder()) == (1, [letter(1, to=TO)])
    async with running(watch_of(stage, dovecot)):
        await until(lambda: len(dovecot.in_folder("Done")) == 1)
    assert (await stage.count("inbound"), dovecot.in_folder()) == (1, [])


# --- LMTP ---------------------------------------------------------------------------------------------------------


class Talk:
    """A client of LMTP, line by line, so that the protocol itself is seen."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def line(self) -> str:
        async with asyncio.timeout(10):
            return (await self._reader.readline()).decode().strip()

    async def answer(self) -> str:
        """The last line of an answer."""
        while (said := await self.line())[3:4] == "-":
            pass
        return said

    async def say(self, text: str) -> str:
        self._writer.write(text.encode() + b"\r\n")
        await self._writer.drain()
        return await self.answer()

    async def send(self, body: bytes) -> None:
        self._writer.write(body + b"\r\n.\r\n")
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class Taking:
    def __init__(self) -> None:
        self.taken: list[Arrived] = []

    async def __call__(self, arrived: Arrived) -> str:
        if "fails" in arrived.recipient:
            raise ConnectionRefusedError("the database is away")
        self.taken.append(arrived)
        return "id"


@pytest.fixture(params=["unix", "tcp"])
async def lmtp(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Talk, Taking]]:
    taking = Taking()
    mailbox = Mailbox(taking, "notices", "replies.notifier.example")
    if request.param == "unix":
        await mailbox.start_lmtp(f"unix:{tmp_path / 'l'}")
        talk = Talk(*await asyncio.open_unix_connection(str(tmp_path / "l")))
    else:
        await mailbox.start_lmtp(f"127.0.0.1:{free_port()}")
        talk = Talk(*await asyncio.open_connection("127.0.0.1", mailbox.lmtp_port))
    assert (await talk.answer()).startswith("220 ")
    yield talk, taking
    talk.close()
    await mailbox.stop()


ONE, TWO, BAD = (f"notices+{name}@replies.notifier.example" for name in ("one0000000", "two0000000", "fails00000"))


async def test_each_recipient_has_an_answer_of_its_own(lmtp: tuple[Talk, Taking]) -> None:
    talk, taking = lmtp
    assert (await talk.say("LHLO mx.example")).startswith("250 ")
    assert (await talk.say("MAIL FROM:<>")).startswith("250 ")
    for address in (ONE, BAD, TWO):
        assert (await talk.say(f"RCPT TO:<{address}>")).startswith("250 ")
    assert (await talk.say("RCPT TO:<somebody@replies.notifier.example>")).startswith("550 ")
    assert (await talk.say("DATA")).startswith("354 ")
    await talk.send(b"Subject: x\r\n\r\n..stuffed\r\n" + b"y" * 200_000)
    # RFC 2033 §4.2: in the order of the RCPTs that were taken, and none for the one that was not.
    assert [(await talk.line())[:3] for _ in range(3)] == ["250", "451", "250"]
    assert [a.recipient for a in taking.taken] == [ONE, TWO]
    assert taking.taken[0].body == b"Subject: x\r\n\r\n.stuffed\r\n" + b"y" * 200_000 + b"\r\n"
    assert taking.taken[0].envelope == {"return-path": "<>", "delivered-to": ONE}
    assert (await talk.say("QUIT")).startswith("221 ")


async def test_what_is_too_large_is_refused_for_each(lmtp: tuple[Talk, Taking]) -> None:
    talk, taking = lmtp
    await talk.say("LHLO mx.example")
    await talk.say("MAIL FROM:<a@b.example>")
    await talk.say(f"RCPT TO:<{ONE}>")
    await talk.say(f"RCPT TO:<{TWO}>")
    await talk.say("DATA")
    await talk.send(b"x" * (MAX_BYTES + 1))  # one line without an end
    assert [(await talk.line())[:9] for _ in range(2)] == ["552 5.3.4"] * 2
    assert taking.taken == []
    await talk.say("MAIL FROM:<a@b.example>")
    await talk.say(f"RCPT TO:<{ONE}>")
    await talk.say("DATA")
    await talk.send(b"small")
    assert (await talk.line())[:3] == "250"


async def test_lmtp_is_not_smtp(lmtp: tuple[Talk, Taking]) -> None:
    talk, _ = lmtp
    assert (await talk.say("EHLO mx.example")).startswith("500 ")
    assert (await talk.say("HELO mx.example")).startswith("500 ")


# --- the pipe -----------------------------------------------------------------------------------------------------


async def deliver(database: str, folder: Path, body: bytes, *args: str, **environ: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "notifier.cli.main",
        "inbound",
        "deliver",
        *args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("NOTIFIER_")},
            "NOTIFIER_STATE_DIR": str(folder / "state"),
            "NOTIFIER_DATABASE_URL": database,
            "NOTIFIER_REPLY_DOMAIN": "replies.notifier.example",
            **environ,
        },
    )
    _, said = await asyncio.wait_for(process.communicate(body), 60)
    return process.returncode or 0, said.decode()


async def test_the_pipe_stores_once(database_url: str, tmp_path: Path) -> None:
    for args, environ in (((), {"ORIGINAL_RECIPIENT": TO, "SENDER": ""}), (("--recipient", TO, "--sender", ""), {})):
        code, said = await deliver(database_url, tmp_path, letter(1, to="x@y.example"), *args, **environ)
        assert code == 0, said
    con = await asyncpg.connect(database_url)
    rows = await con.fetch("select * from inbound")
    await con.close()
    assert len(rows) == 1
    assert (rows[0]["recipient"], rows[0]["body"]) == (TO, letter(1, to="x@y.example"))
    assert json.loads(rows[0]["headers"]) == {"delivered-to": TO, "return-path": "<>"}


@pytest.mark.parametrize("body", [b"", b"\n\n"])
async def test_nothing_can_never_be_stored(database_url: str, tmp_path: Path, body: bytes) -> None:
    assert (await deliver(database_url, tmp_path, body))[0] == os.EX_DATAERR == 65


async def test_what_is_for_somebody_else_can_never_be_stored(database_url: str, tmp_path: Path) -> None:
    assert (await deliver(database_url, tmp_path, letter(1), "--recipient", "sales@replies.notifier.example"))[0] == 65


async def test_without_a_database_the_mail_stays_with_its_server(tmp_path: Path) -> None:
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    assert (await deliver(away, tmp_path, letter(1)))[0] == os.EX_TEMPFAIL == 75
