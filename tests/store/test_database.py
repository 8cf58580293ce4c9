"""The pool's connections: what they need to know of Postgres' own types is asked once in a process."""

from datetime import date
from uuid import uuid4

from notifier.store.database import Database

_ARRAYS = "select $1::uuid[] as ids, $2::interval[] as spans, $3::date[] as days, $4::queue.pgqueuer_status[] as states"


async def test_the_second_connection_asks_nothing_of_types_that_every_database_has(database_url: str) -> None:
    await _asked(database_url)
    types = [query for query in await _asked(database_url) if "typeinfo" in query]
    assert len(types) == 1  # of the enumeration, whose number another database gives to another


async def _asked(dsn: str) -> list[str]:
    """What a new connection asks the server on the way to an answer."""
    asked: list[str] = []
    one, day = uuid4(), date(2026, 1, 1)
    db = await Database.connect(dsn, size=1)
    async with db.pool.acquire() as con:
        con.add_query_logger(lambda record: asked.append(record.query))
        assert tuple(await con.fetchrow(_ARRAYS, [one], [], [day], ["picked"])) == ([one], [], [day], ["picked"])
    await db.close()
    return asked
