"""One process at a time: a session lock of Postgres, which ends with its connection."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from notifier.store.database import Database
from notifier.store.locks import session_lock

MAILBOX_LOCK = 726_014  # the sealer has 726_012, the deconfliction list 726_013


@asynccontextmanager
async def alone(db: Database, lock: int) -> AsyncIterator[Callable[[], Awaitable[None]] | None]:
    """None where another process has the lock. Else a call that raises when the lock's connection is lost.

    Never waits. Holds a connection of the pool until the block ends.
    """
    async with db.pool.acquire() as con:

        async def still() -> None:
            await con.fetchval("select 1")

        async with session_lock(con, lock) as held:
            yield still if held else None
