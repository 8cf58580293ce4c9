"""One process at a time: a session lock of Postgres, which ends with its connection."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from notifier.store.audit import FAILURES
from notifier.store.database import Database

MAILBOX_LOCK = 726_014  # the sealer has 726_012, the deconfliction list 726_013


@asynccontextmanager
async def alone(db: Database, lock: int) -> AsyncIterator[Callable[[], Awaitable[None]] | None]:
    """None where another process has the lock. Else a call that raises when the lock's connection is lost.

    Never waits. Holds a connection of the pool until the block ends.
    """
    async with db.pool.acquire() as con:
        if not await con.fetchval("select pg_try_advisory_lock($1)", lock):
            yield None
            return

        async def still() -> None:
            await con.fetchval("select 1")

        try:
            yield still
        finally:
            with suppress(*FAILURES):  # a lost connection has given the lock back by itself
                await con.execute("select pg_advisory_unlock($1)", lock)
