"""What is urgent passes a backlog, in the queue, among the timers, and at the recipient's pace."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifier import bootstrap
from notifier.bootstrap import House
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.services import intake
from notifier.services.access import Principal, Role
from notifier.settings import Settings
from notifier.store.database import Database, SimulatedClock
from notifier.worker import ticker
from notifier.worker.runner import Runner
from tests.services.stages import until

START = datetime(2026, 11, 2, 14, tzinfo=UTC)
SAM = Principal("s", "person", Role.SUBMITTER)
BACKLOG = 20_000
AT_ONCE = 20


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url)
    yield opened
    await opened.close()


async def fill(db: Database, count: int, *kinds: JobKind) -> None:
    """A backlog of ordinary jobs, put straight into the queue's table."""
    rows = [(0, "queued", str(kinds[n % len(kinds)]), str(uuid.uuid4()).encode()) for n in range(count)]
    async with db.pool.acquire() as con:
        await con.copy_records_to_table(
            "pgqueuer", schema_name="queue", records=rows, columns=["priority", "status", "entrypoint", "payload"]
        )


@pytest.mark.parametrize("kinds", [(JobKind.SEND,), (JobKind.CHECK, JobKind.OBSERVE, JobKind.SEND, JobKind.POLL)])
async def test_an_urgent_job_waits_for_those_under_way_and_for_no_other(
    db: Database, kinds: tuple[JobKind, ...]
) -> None:
    begun, ordinary, urgent_at = 0, asyncio.Event(), list[int]()

    async def act(ref: str) -> None:
        nonlocal begun
        begun += 1
        if ref.startswith("urgent"):
            urgent_at.append(begun)
        if begun >= 200:
            ordinary.set()
        await asyncio.sleep(0.005)

    await fill(db, BACKLOG, *kinds)
    stop, runner = asyncio.Event(), Runner(db, dict.fromkeys(kinds, act), concurrency=AT_ONCE)
    task = asyncio.create_task(runner.run(stop))
    waited = []
    await asyncio.wait_for(ordinary.wait(), 60)
    for n in range(10):
        queued, seen = begun, len(urgent_at)  # before it is there: it may be over before the transaction's end is told
        async with db.transaction("test") as tx:
            await tx.enqueue(Job(JobKind.SEND, f"urgent-{n}", 10))
        await until(lambda seen=seen: _longer(urgent_at, seen))  # type: ignore[misc]
        waited.append(urgent_at[-1] - queued)
    stop.set()
    await asyncio.wait_for(task, 30)
    # What was taken already is done first: a batch for each free place, whatever lies behind.
    assert max(waited) <= 4 * AT_ONCE, waited
    assert await db.fetchval("select count(*) from queue.pgqueuer") > BACKLOG / 2, "there was a backlog all the while"


async def _longer(found: list[int], than: int) -> bool:
    return len(found) > than


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """A house whose daemon does not run, over a clock that stands still."""
    settings = Settings(state_dir=tmp_path, egress="loopback")
    async with bootstrap.opened(database_url, 2) as db:
        await bootstrap.simulated_clock(db, START)
    async with bootstrap.house(settings, database_url) as opened:
        yield opened


async def opened(house: House, name: str, priority: str) -> str:
    report = f'{{"program": "piracy", "domain": "{name}", "summary": "A shop.", "priority": "{priority}"}}'
    said = await intake.submit(house.ctx, SAM, report.encode())
    assert said.case_id is not None, said
    return said.case_id


async def test_a_timer_of_an_urgent_case_passes_those_that_were_due_long_before(house: House) -> None:
    db = house.ctx.db
    urgent = await opened(house, "urgent-films.com", "urgent")
    slow = await opened(house, "shop-of-films.com", "normal")
    await db.pool.execute("delete from queue.pgqueuer")
    await db.pool.execute("delete from timer")
    rows = [(uuid.uuid4(), uuid.UUID(slow), "case.check", uuid.UUID(slow), START) for _ in range(5_000)]
    async with db.pool.acquire() as con:
        await con.copy_records_to_table("timer", records=rows, columns=["id", "case_id", "kind", "ref", "due_at"])
    async with db.transaction("test") as tx:
        await tx.add_timer(urgent, Timer(JobKind.DISPATCH, urgent, START + timedelta(minutes=1)))
    clock = db.clock
    assert isinstance(clock, SimulatedClock)
    await clock.advance(START + timedelta(minutes=1))
    assert await ticker.fire_due(db) == 501
    first = await db.fetchrow("select entrypoint, priority from queue.pgqueuer order by priority desc, id limit 1")
    assert first is not None
    assert (first["entrypoint"], first["priority"]) == ("case.dispatch", 10)
