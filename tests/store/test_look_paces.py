"""The line at a server over several connections: what two processes take together is within the rate."""

import asyncio
from datetime import UTC, datetime, timedelta

from notifier.domain import look_pace
from notifier.domain.look_pace import LookPace
from notifier.store import look_paces
from notifier.store.database import Database
from notifier.store.ids import new_id
from notifier.store.migrate import migrate
from tests.domain.test_look_pace import busiest_hour

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PACE = LookPace(120)  # two at once, then one in 3600 / 119 s


async def test_two_processes_stand_in_one_line(database_url: str) -> None:
    await migrate(database_url)
    processes = [await Database.connect(database_url, size=2) for _ in range(2)]
    try:
        taken: list[datetime] = []

        async def drain(db: Database, refs: list[str]) -> None:
            """Every look as a daemon takes it: due at once, and again whenever its turn is."""
            waiting = [(NOW, ref) for ref in refs]
            while waiting:
                waiting.sort()
                now, ref = waiting.pop(0)
                async with db.pool.acquire() as con, con.transaction():
                    line = await look_paces.lock(con, "rdap.example", look_pace.fresh(NOW))
                    turn, _ = await look_paces.turn(con, ref)
                    line, later = look_pace.admit(PACE, line, now, turn)
                    await look_paces.save(con, "rdap.example", line)
                    if later is None:
                        await look_paces.take(con, ref)
                        taken.append(now)
                    else:
                        await look_paces.give(con, ref, later.at)
                        waiting.append((later.at, ref))
                await asyncio.sleep(0)

        await asyncio.gather(*(drain(db, [new_id() for _ in range(150)]) for db in processes))
        assert len(taken) == 300
        assert busiest_hour(taken) <= 120
        assert max(taken) - NOW > timedelta(hours=2)
        async with processes[0].pool.acquire() as con:
            assert await con.fetchval("select count(*) from look_turn") == 0
    finally:
        for db in processes:
            await db.close()


async def test_that_a_person_asked_stays_until_the_look_is_taken(database_url: str) -> None:
    await migrate(database_url)
    db, ref = await Database.connect(database_url, size=1), new_id()
    try:
        async with db.pool.acquire() as con:
            assert await look_paces.turn(con, ref) == (None, False)
            await look_paces.give(con, ref, NOW, asked=True)
            await look_paces.give(con, ref, NOW + timedelta(hours=1))
            assert await look_paces.turn(con, ref) == (NOW + timedelta(hours=1), True)
            await look_paces.take(con, ref)
            assert await look_paces.turn(con, ref) == (None, False)
    finally:
        await db.close()
