"""Answers that lie in a mailbox of ours: each is stored, and only then marked and moved; nothing is ever deleted.

The folder itself says what is still to do, so a crash, a lost connection or a new UIDVALIDITY loses nothing: what is
not marked is fetched again, and a message that was stored before is known by its hash. One process watches at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass

import structlog

from notifier.domain.mail_match import Ours, delivery_of
from notifier.net.imap import Account, ImapError, ImapSession
from notifier.net.mailbox import KEPT_BYTES, MAX_BYTES, Arrived, Take

log = structlog.get_logger(__name__)

KEYWORD = "NotifierStored"
_HOPELESS = 3
_DRAIN_S = 10.0
_HEAD = 1024 * 1024  # what the reading of headers is held to


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds of real time. `idle`: RFC 2177 asks for less than 29 minutes; address translators forget sooner."""

    idle: float = 10 * 60.0
    first: float = 2.0
    longest: float = 300.0
    standby: float = 15.0


# Yields None where another process has the lock; else how to make sure that it is still ours, which raises if not.
Held = Callable[[], Awaitable[None]]
Alone = Callable[[], AbstractAsyncContextManager[Held | None]]


class ImapWatch:
    """Watches one folder and hands each message over. `alone` is a lock over all processes."""

    def __init__(
        self,
        account: Account,
        take: Take,
        ours: Ours,
        alone: Alone,
        check_connect: Callable[[str], bool],
        pauses: Pauses | None = None,
    ) -> None:
        self._account, self._take, self._ours = account, take, ours
        self._alone, self._check_connect = alone, check_connect
        self._pauses = pauses or Pauses()
        self._pause = self._pauses.first
        self._stored: set[int] = set()  # stored in this UIDVALIDITY, and the mark failed
        self._left: set[int] = set()  # listed in the last round, and gone, unreadable or not stored
        self._validity = 0
        self.rounds = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. Whatever fails is tried again, each time after a longer pause."""
        while not stop.is_set():
            wait = self._pauses.standby
            try:
                async with self._alone() as held:
                    if held is not None:
                        await self._until_stopped(stop, held)
            except Exception as error:  # the server, the network or the database: none of them ends the watch
                log.warning("imap.lost", error=repr(error), again_in_s=self._pause)
                wait = self._pause
                self._pause = min(self._pause * 2, self._pauses.longest)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)

    async def _until_stopped(self, stop: asyncio.Event, held: Held) -> None:
        """Watch; a server that is slow in the middle of something does not hold up the end of the process."""
        watching, stopped = asyncio.create_task(self._watch(stop, held)), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({watching}, timeout=_DRAIN_S)
            if watching.done():
                watching.result()
        finally:
            for task in (watching, stopped):
                task.cancel()
            await asyncio.gather(watching, stopped, return_exceptions=True)

    async def _watch(self, stop: asyncio.Event, held: Held) -> None:
        session = await ImapSession.open(self._account, self._check_connect)
        try:
            if session.uid_validity != self._validity:  # UIDs of before name other messages now (RFC 3501 §2.3.1.1)
                self._stored.clear()
                self._left.clear()
                self._validity = session.uid_validity
            log.info("imap.watching", folder=self._account.folder, idle="IDLE" in session.capabilities)
            while not stop.is_set():
                await held()
                patience = self._pauses.idle
                if await self._round(session, stop):
                    self._pause = self._pauses.first
                else:  # new mail still wakes us; what failed is tried again after a pause that grows
                    patience, self._pause = min(self._pause, patience), min(self._pause * 2, self._pauses.longest)
                self.rounds += 1
                # What arrived since the round began is in the search, or was told beside it. What could not be read or
                # stored is looked at again after the wait, not at once.
                if not stop.is_set() and set(await session.waiting(KEYWORD)) <= self._left:
                    await session.idle(patience, stop)
        finally:
            await session.close()

    async def _round(self, session: ImapSession, stop: asyncio.Event) -> bool:
        """Everything that waits, once; whether all of it could be stored. One that cannot holds up none behind it."""
        before, self._left = self._left, set()
        in_a_row, whole = 0, True
        # What failed before comes last, so that it never stands in the way of what is new.
        for uid in sorted(await session.waiting(KEYWORD), key=lambda uid: (uid in before, uid)):
            if stop.is_set():
                break
            if in_a_row >= _HOPELESS:  # it is not the messages
                self._left.add(uid)
                continue
            if uid not in self._stored:
                try:
                    if not await self._store(session, uid):
                        self._left.add(uid)
                        continue
                except (ImapError, TimeoutError):
                    raise
                except Exception as error:
                    log.warning("imap.not_stored", uid=uid, error=repr(error))
                    self._left.add(uid)
                    in_a_row, whole = in_a_row + 1, False
                    continue
            in_a_row = 0
            self._stored.add(uid)
            await session.keep(uid, self._account.done_folder, KEYWORD)
            self._stored.discard(uid)
        return whole

    async def _store(self, session: ImapSession, uid: int) -> bool:
        size = await session.size(uid)
        if size is None:
            return False
        body = await session.fetch(uid, MAX_BYTES if size <= MAX_BYTES else KEPT_BYTES)
        if body is None:
            return False
        recipient, lines = delivery_of(body[:_HEAD], self._ours)
        whole = size if size > MAX_BYTES else None
        await self._take(Arrived(recipient, lines, body, whole))
        return True
