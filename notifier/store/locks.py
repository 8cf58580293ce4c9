"""A session lock of Postgres, for what only one process may do at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from notifier.store.database import Connection


@asynccontextmanager
async def session_lock(con: "Connection", lock: int) -> AsyncIterator[bool]:
    """Whether this session has the lock, until the block ends. Never waits. A connection that ends gives it back by itself."""
    held = bool(await con.fetchval("select pg_try_advisory_lock($1)", lock))
    try:
        yield held
    finally:
        if held:
            given_back = False
            try:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                    await con.execute("select pg_advisory_unlock($1)", lock)
                    given_back = True
            finally:
                if not given_back:  # also when cancelled: whoever gets this connection next must not have the lock
                    with suppress(asyncpg.InterfaceError):  # one that the pool has given up already
                        con.terminate()
