"""A session lock goes when its block ends, however it ends; a connection of the pool takes nothing along to the next."""

import asyncio

import pytest

from notifier.store.alone import alone
from notifier.store.database import Database
from notifier.store.locks import session_lock

LOCK = 1234


async def free(db: Database) -> bool:
    """Whether another session could have the lock now."""
    async with db.pool.acquire() as con:
        async with session_lock(con, LOCK) as held:
            return held


async def soon_free(db: Database) -> None:
    """A connection that was cut gives its lock back when the server hears of it, a moment later."""
    async with asyncio.timeout(20):
        while not await free(db):
            await asyncio.sleep(0.01)


@pytest.fixture
async def other(database_url: str) -> Database:
    return await Database.connect(database_url, size=2)


async def test_one_at_a_time(database_url: str, other: Database) -> None:
    db = await Database.connect(database_url, size=1)
    async with db.pool.acquire() as con, session_lock(con, LOCK) as held:
        assert held
        assert not await free(other)
    assert await free(other)
    async with alone(db, LOCK) as still:
        assert still is not None
        await still()
        async with alone(other, LOCK) as second:
            assert second is None
        assert not await free(other)
    assert await free(other)
    await db.close()
    await other.close()


async def test_an_error_and_a_lost_connection_give_it_back(database_url: str, other: Database) -> None:
    db = await Database.connect(database_url, size=1)
    with pytest.raises(RuntimeError):
        async with alone(db, LOCK):
            raise RuntimeError
    assert await free(other)
    async with db.pool.acquire() as con, session_lock(con, LOCK):
        con.terminate()
    await soon_free(other)
    assert await db.fetchval("select 1") == 1
    await db.close()
    await other.close()


async def test_whoever_is_cancelled_while_giving_it_back_does_not_keep_it(database_url: str, other: Database) -> None:
    """The unlock waits behind nothing, so the cancellation is put in at the moment in which it is sent."""
    db = await Database.connect(database_url, size=1)

    async def work() -> None:
        async with db.pool.acquire() as con, session_lock(con, LOCK):
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())
    await soon_free(other)
    assert await db.fetchval("select 1") == 1
    await db.close()
    await other.close()
