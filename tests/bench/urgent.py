"""Urgent notices past a backlog: from the arming that lets one go to its recorded acceptance, with and without 100,000
ordinary jobs in the queue."""

import json
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable

from notifier.store.database import Database
from tests.bench.intake import names
from tests.bench.measure import Line, Rounds, alternate
from tests.bench.sample import Sample
from tests.bench.sending import approve, quiet, sent, until
from tests.bench.stage import AGREEMENT, Daemon

_BACKLOG = 100_000
_ROUNDS = 5
_SAMPLE = Sample()


async def urgent(daemon: Daemon) -> Line:
    """One notice a round, so that what is measured is its latency; as rates, like every other line."""
    db = await Database.connect(daemon.dsn, size=2)
    try:
        await _round(daemon, db, "urgent-warm", backlog=0)
        took: dict[int, list[float]] = {0: [], _BACKLOG: []}

        def rate(kind: str, backlog: int) -> Callable[[int], Awaitable[float]]:
            async def one(number: int) -> float:
                took[backlog].append(await _round(daemon, db, f"{kind}-{number}", backlog=backlog))
                return 1 / took[backlog][-1]

            return one

        measured: Rounds = await alternate(rate("passing", _BACKLOG), rate("alone", 0), _ROUNDS)
    finally:
        await db.close()
    behind, alone = statistics.median(took[_BACKLOG]), statistics.median(took[0])
    limit = f"latency {behind * 1000:.0f} ms with {_BACKLOG:,} jobs waiting, {alone * 1000:.0f} ms with none"
    return measured.line("urgent notices past a backlog", "the same with an empty queue", limit)


async def _round(daemon: Daemon, db: Database, kind: str, *, backlog: int) -> float:
    """Seconds from the arming to the acceptance."""
    (name,) = names(kind, 0, 1)
    report = {**json.loads(_SAMPLE.about(name)), "priority": "urgent"}
    await daemon.post("/reports", "sam", json.dumps(report).encode(), "application/json")
    await quiet(db)
    await approve(daemon, db)
    await quiet(db)
    await daemon.call("POST", f"/agreements/{AGREEMENT}/arm", "ada")
    before = await sent(db)
    await fill(db, backlog)
    began = time.perf_counter()
    await daemon.call("POST", f"/agreements/{AGREEMENT}/arm", "boris")

    async def arrived() -> bool:
        return await sent(db) > before

    await until(arrived)
    seconds = time.perf_counter() - began
    left = await db.fetchval("select count(*) from queue.pgqueuer where status = 'queued' and priority = 0")
    if left < backlog / 2:
        raise RuntimeError("the backlog was gone before the urgent notice: nothing was measured")
    await db.pool.execute("delete from queue.pgqueuer where status = 'queued' and priority = 0")
    await daemon.call("POST", f"/agreements/{AGREEMENT}/disarm", "ada")
    await quiet(db)
    return seconds


async def fill(db: Database, count: int) -> None:
    """Ordinary jobs, put straight into the queue's table; each asks for a notice that is not there."""
    rows = [(0, "queued", "notice.send", str(uuid.uuid4()).encode()) for _ in range(count)]
    async with db.pool.acquire() as con:
        await con.copy_records_to_table(
            "pgqueuer", schema_name="queue", records=rows, columns=["priority", "status", "entrypoint", "payload"]
        )
