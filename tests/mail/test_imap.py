"""The watch over a mailbox, against a real Dovecot: IDLE, restarts, new UIDs, and a store that fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from notifier.domain.mail_match import Ours
from notifier.net.imap import Account, ImapError, ImapSession
from notifier.net.imap_watch import Held, ImapWatch, Pauses
from notifier.net.mailbox import KEPT_BYTES, MAX_BYTES, Arrived
from notifier.net.safe_http import Egress, allowed
from tests.mail.dovecot import PASSWORD, USER, Dovecot

OURS = Ours("notices", "replies.notifier.example")
TOKEN = "abcdefghij0123456789"
TO = f"notices+{TOKEN}@replies.notifier.example"
QUICK = Pauses(idle=60, first=0.1, longest=0.3, standby=0.1)


def loopback(ip: str) -> bool:
    return allowed(ip, Egress.LOOPBACK)


def letter(n: int, *, to: str = TO, extra: str = "", text: str = "hello") -> bytes:
    return f"Return-Path: <desk@registry.example>\r\nDelivered-To: {to}\r\n{extra}From: desk@registry.example\r\n\
To: notices@replies.notifier.example\r\nSubject: number {n}\r\n\r\n{text}\r\n".encode()


class Store:
    """Keeps what it takes; `failing` makes it refuse, as a database that is away."""

    def __init__(self) -> None:
        self.taken: list[Arrived] = []
        self.failing: Callable[[Arrived], bool] = lambda _: False
        self.refused = 0

    async def take(self, arrived: Arrived) -> str:
        if self.failing(arrived):
            self.refused += 1
            raise ConnectionRefusedError("the database is away")
        self.taken.append(arrived)
        return "id"

    async def until(self, n: int, seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while len(self.taken) < n:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def nobody_else() -> AsyncIterator[Held | None]:
    async def still() -> None:
        return

    yield still


def account_of(dovecot: Dovecot) -> Account:
    return Account("localhost", dovecot.tls_port, USER, PASSWORD, "implicit", ca_file=str(dovecot.folder / "cert.pem"))


@asynccontextmanager
async def watching(
    account: Account,
    store: Store,
    pauses: Pauses = QUICK,
    alone: Callable[[], AbstractAsyncContextManager[Held | None]] = nobody_else,
) -> AsyncIterator[ImapWatch]:
    stop = asyncio.Event()
    watch = ImapWatch(account, store.take, OURS, alone, loopback, pauses)
    task = asyncio.create_task(watch.run(stop))
    try:
        yield watch
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await task


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def test_what_waits_is_stored_and_then_moved(dovecot: Dovecot) -> None:
    store = Store()
    bodies = [letter(n) for n in range(3)]
    for body in bodies:
        dovecot.deliver(body)
    async with watching(account_of(dovecot), store):
        await store.until(3)
        await until(lambda: len(dovecot.in_folder("Done")) == 3)
    assert sorted(a.body for a in store.taken) == bodies
    assert {a.recipient for a in store.taken} == {TO}
    assert store.taken[0].envelope == {"return-path": "<desk@registry.example>", "delivered-to": TO}
    assert (dovecot.in_folder(), sorted(dovecot.in_folder("Done"))) == ([], bodies)


async def test_idle_wakes_at_once(dovecot: Dovecot) -> None:
    store = Store()
    async with watching(account_of(dovecot), store, replace(QUICK, idle=600)) as watch:
        for n in range(3):
            await until(lambda n=n: watch.rounds > n)
            await asyncio.sleep(0.3)  # it waits by now
            dovecot.deliver(letter(n))
            await store.until(n + 1, 10)
    assert len(store.taken) == 3


async def test_the_wait_is_begun_again_before_the_server_ends_it(dovecot: Dovecot) -> None:
    store = Store()
    async with watching(account_of(dovecot), store, replace(QUICK, idle=0.2)) as watch:
        await until(lambda: watch.rounds >= 4)
        dovecot.deliver(letter(1))
        await store.until(1)


@pytest.mark.parametrize("forget", [False, True], ids=["same UIDs", "new UIDVALIDITY"])
async def test_a_restart_is_survived(dovecot: Dovecot, forget: bool) -> None:
    store = Store()
    async with watching(account_of(dovecot), store) as watch:
        await until(lambda: watch.rounds > 0)
        dovecot.deliver(letter(1))
        await store.until(1)
        await until(lambda: len(dovecot.in_folder("Done")) == 1)
        dovecot.stop()
        if forget:
            dovecot.forget_uids()
        dovecot.deliver(letter(2))
        await asyncio.sleep(0.5)
        await dovecot.start()
        await store.until(2)
        await until(lambda: len(dovecot.in_folder("Done")) == 2)
    assert [a.body for a in store.taken] == [letter(1), letter(2)]


async def test_what_could_not_be_stored_stays_where_it_is(dovecot: Dovecot) -> None:
    store = Store()
    store.failing = lambda _: True
    dovecot.deliver(letter(1))
    async with watching(account_of(dovecot), store):
        await until(lambda: store.refused >= 3)
        assert dovecot.in_folder("Done") == []
        store.failing = lambda _: False
        await store.until(1)
        await until(lambda: len(dovecot.in_folder("Done")) == 1)


async def test_one_that_cannot_be_stored_holds_up_no_other(dovecot: Dovecot) -> None:
    store = Store()
    store.failing = lambda arrived: b"number 1" in arrived.body
    for n in range(4):
        dovecot.deliver(letter(n))
    async with watching(account_of(dovecot), store):
        await store.until(3)
        await until(lambda: store.refused >= 2)
    assert {a.body for a in store.taken} == {letter(0), letter(2), letter(3)}
    assert dovecot.in_folder() == [letter(1)]


async def test_a_large_one_is_kept_in_its_beginning(dovecot: Dovecot) -> None:
    store = Store()
    body = letter(1, text="x" * 70 + "\r\n" + ("y" * 998 + "\r\n") * (MAX_BYTES // 1000 + 1))
    dovecot.deliver(body)
    async with watching(account_of(dovecot), store):
        await store.until(1)
        await until(lambda: len(dovecot.in_folder("Done")) == 1)
    (arrived,) = store.taken
    assert (arrived.recipient, arrived.whole_size) == (TO, len(body))
    assert arrived.body == body[:KEPT_BYTES]


async def test_a_server_without_move_and_idle_is_marked_and_asked(dovecot: Dovecot) -> None:
    dovecot.stop()
    dovecot.configure("imap_capability = IMAP4rev1 LITERAL+ UIDPLUS")
    await dovecot.start()
    store = Store()
    dovecot.deliver(letter(1))
    async with watching(account_of(dovecot), store, replace(QUICK, idle=0.2)) as watch:
        await store.until(1)
        dovecot.deliver(letter(2))
        await store.until(2)
        await until(lambda: watch.rounds > 5)
    async with watching(account_of(dovecot), store, replace(QUICK, idle=0.2)) as again:
        await until(lambda: again.rounds > 2)
    assert [a.body for a in store.taken] == [letter(1), letter(2)], "each once, by its mark"
    assert sorted(dovecot.in_folder()) == [letter(1), letter(2)]


@pytest.mark.parametrize("tls", ["starttls", "none", "implicit"])
async def test_each_way_to_connect(dovecot: Dovecot, tls: str) -> None:
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    session = await ImapSession.open(replace(account_of(dovecot), port=port, tls=tls), loopback)  # type: ignore[arg-type]
    assert session.uid_validity > 0
    assert session.keywords
    assert {"IDLE", "MOVE"} <= session.capabilities
    await session.close()


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"folder": "nowhere"}, {"ca_file": None}])
async def test_what_is_wrong_is_said(dovecot: Dovecot, change: dict[str, str]) -> None:
    with pytest.raises((ImapError, OSError)):
        await ImapSession.open(replace(account_of(dovecot), **change), loopback)


async def test_no_address_outside_the_egress_rule(dovecot: Dovecot) -> None:
    with pytest.raises(OSError, match="egress"):
        await ImapSession.open(account_of(dovecot), lambda ip: allowed(ip, Egress.PUBLIC))


async def test_one_process_at_a_time(dovecot: Dovecot) -> None:
    store, other, lock = Store(), Store(), asyncio.Lock()

    @asynccontextmanager
    async def alone() -> AsyncIterator[Held | None]:
        if lock.locked():
            yield None
            return
        async with lock, nobody_else() as held:
            yield held

    async with watching(account_of(dovecot), other, alone=alone):
        async with watching(account_of(dovecot), store, alone=alone) as first:
            del first
            dovecot.deliver(letter(1))
            await until(lambda: len(store.taken) + len(other.taken) == 1)
        assert len(store.taken) + len(other.taken) == 1
