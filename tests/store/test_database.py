"""The pool's connections: what they need to know of Postgres' own types is asked once in a process."""

from datetime import UTC, datetime
from uuid import uuid4

from notifier.store.database import Database

_ARRAYS = "select $1::uuid[] as ids, $2::interval[] as spans, $3::date[] as days, $4::queue.pgqueuer_status[] as states"


async def test_the_second_connection_asks_nothing_of_types_that_every_database_has(database_url: str) -> None:
    asked: list[str] = []
    one, day = uuid4(), datetime(2026, 1, 1, tzinfo=UTC).date()
    for _ in range(2):
        db = await Database.connect(database_url, size=1)
        async with db.pool.acquire() as con:
            con.add_query_logger(lambda record: asked.append(record.query))
            found = await con.fetchrow(_ARRAYS, [one], [], [day], ["picked"])
        assert tuple(found) == ([one], [], [day], ["picked"])
        first, asked = asked, []
        await db.close()
    types = [query for query in first if "typeinfo" in query]
    assert len(types) == 1  # of the enumeration, whose number another database gives to another
