"""Timers of business time: due ones become jobs once, whoever ticks; the others wait."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifier import bootstrap
from notifier.bootstrap import House
from notifier.domain.jobs import URGENT, JobKind, Timer
from notifier.services import intake
from notifier.services.access import Principal, Role
from notifier.settings import Settings
from notifier.store import queue
from notifier.store.database import SimulatedClock
from notifier.worker import ticker
from tests.services.stages import until

START = datetime(2026, 11, 2, 14, tzinfo=UTC)
REPORT = b'{"program": "piracy", "domain": "shop-of-films.com", "summary": "A shop.", "priority": "urgent"}'


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """A house whose daemon does not run, over a clock that stands still."""
    settings = Settings(state_dir=tmp_path, egress="loopback")
    async with bootstrap.opened(database_url, 2) as db:
        await bootstrap.simulated_clock(db, START)
    async with bootstrap.house(settings, database_url) as opened:
        yield opened


@pytest.fixture
async def case_id(house: House) -> str:
    """An urgent case; what its opening put into the queue is taken out."""
    said = await intake.submit(house.ctx, Principal("s", "person", Role.SUBMITTER), REPORT)
    assert said.case_id is not None, said
    await house.ctx.db.pool.execute("delete from queue.pgqueuer")
    return said.case_id


async def plan(house: House, case_id: str, *minutes: float) -> None:
    async with house.ctx.db.transaction("test") as tx:
        for m in minutes:
            await tx.add_timer(case_id, Timer(JobKind.CHECK, case_id, START + timedelta(minutes=m)))


def clock(house: House) -> SimulatedClock:
    assert isinstance(house.ctx.db.clock, SimulatedClock)
    return house.ctx.db.clock


async def test_only_what_is_due_fires_and_only_once(house: House, case_id: str) -> None:
    db = house.ctx.db
    await plan(house, case_id, 1, 2, 5)
    assert (await ticker.fire_due(db), await queue.runnable(db.pool)) == (0, 0)
    assert await ticker.next_due(db) == START + timedelta(minutes=1)
    await clock(house).advance(START + timedelta(minutes=2))
    assert await ticker.fire_due(db) == 2, "a timer fires at its time, not after it"
    assert (await ticker.fire_due(db), await queue.runnable(db.pool)) == (0, 2)
    assert await ticker.next_due(db) == START + timedelta(minutes=5)
    await clock(house).advance(START + timedelta(days=9))
    assert (await ticker.fire_due(db), await ticker.next_due(db)) == (1, None)


async def test_a_fired_timer_is_its_job(house: House, case_id: str) -> None:
    await plan(house, case_id, 1)
    await clock(house).advance(START + timedelta(minutes=1))
    await ticker.fire_due(house.ctx.db)
    row = await house.ctx.db.fetchrow("select entrypoint, payload, priority from queue.pgqueuer")
    assert row is not None
    assert tuple(row) == ("case.check", case_id.encode(), URGENT)


async def test_what_is_planned_twice_fires_once(house: House, case_id: str) -> None:
    await plan(house, case_id, 1, 1)
    await plan(house, case_id, 1)
    await clock(house).advance(START + timedelta(minutes=1))
    assert await ticker.fire_due(house.ctx.db) == 1
    await plan(house, case_id, 1)
    assert await ticker.fire_due(house.ctx.db) == 1, "what has fired may be planned again"


async def test_many_tickers_fire_each_timer_once(house: House, case_id: str) -> None:
    db = house.ctx.db
    await plan(house, case_id, *range(1, 201))
    await clock(house).advance(START + timedelta(days=1))
    fired = await asyncio.gather(*(ticker.fire_due(db) for _ in range(8)))
    assert (sum(fired), await queue.runnable(db.pool)) == (200, 200)


async def test_a_cancelled_timer_does_not_fire(house: House, case_id: str) -> None:
    db = house.ctx.db
    await plan(house, case_id, 1)
    await db.pool.execute("update timer set cancelled_at = $1", START)
    await clock(house).advance(START + timedelta(days=1))
    assert (await ticker.next_due(db), await ticker.fire_due(db), await queue.runnable(db.pool)) == (None, 0, 0)


async def test_it_ticks_until_it_is_told_to_stop(house: House, case_id: str) -> None:
    db, stop = house.ctx.db, asyncio.Event()
    await plan(house, case_id, 1)
    task = asyncio.create_task(ticker.run(db, stop))
    await clock(house).advance(START + timedelta(minutes=1))
    await until(lambda: queue.runnable(db.pool))
    stop.set()
    async with asyncio.timeout(5):
        await task
