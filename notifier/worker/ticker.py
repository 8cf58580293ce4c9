"""Moves due timers into the queue, each in the transaction that marks it fired."""

import asyncio
import contextlib
from datetime import datetime

import structlog

from notifier.domain.jobs import Job, JobKind
from notifier.store import queue
from notifier.store.database import Database

log = structlog.get_logger(__name__)

_GRAIN_S = 0.25
_AT_ONCE = 500
_ANY = "select exists (select from timer where due_at <= $1 and fired_at is null and cancelled_at is null)"
_FIRE = (
    "update timer t set fired_at = $1 from (select t.id, coalesce(c.priority, 0) as priority from {among} "
    "where t.due_at <= $1 and t.fired_at is null and t.cancelled_at is null "
    "order by t.due_at limit $2 for update of t skip locked) due where t.id = due.id "
    "returning t.kind, t.ref, due.priority"
)
_ALL = "timer t left join cases c on c.id = t.case_id"
_OF_URGENT_CASES = "timer t join cases c on c.id = t.case_id and c.priority >= 10"


async def fire_due(db: Database) -> int:
    """Fire every timer that is due by business time; the number fired. Several tickers do not disturb each other."""
    now = await db.clock.now()
    # Mostly nothing is, and one look is less than a transaction.
    if not await db.fetchval(_ANY, now):
        return 0
    async with db.pool.acquire() as con, con.transaction():
        rows = await con.fetch(_FIRE.format(among=_ALL), now, _AT_ONCE)
        if len(rows) == _AT_ONCE:  # a backlog: what is urgent does not wait for its turn in it
            rows += await con.fetch(_FIRE.format(among=_OF_URGENT_CASES), now, _AT_ONCE)
        await queue.enqueue(con, [Job(JobKind(r["kind"]), str(r["ref"]), r["priority"]) for r in rows])
    return len(rows)


async def next_due(db: Database) -> datetime | None:
    """When the next waiting timer is due."""
    due: datetime | None = await db.fetchval(
        "select min(due_at) from timer where fired_at is null and cancelled_at is null"
    )
    return due


async def run(db: Database, stop: asyncio.Event) -> None:
    """Fire due timers until `stop`; a database that is away is tried again."""
    while not stop.is_set():
        try:
            fired = await fire_due(db)
        except Exception as error:  # the daemon outlives its database
            log.warning("ticker.failed", error=repr(error))
            fired = 0
        if fired < _AT_ONCE:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _GRAIN_S)
