"""Live events past a backlog: from the approval to the registry's server, while 100,000 ordinary jobs wait."""

import asyncio
import json
import math
import time
from collections.abc import Sequence

from notifier.store.database import Database
from tests.acceptance.live import ON_DUTY, fresh_stream
from tests.bench.measure import Line
from tests.bench.sending import quiet, until
from tests.bench.stage import Daemon
from tests.bench.urgent import fill

_BACKLOG = 100_000
_BATCHES, _AT_ONCE = (
    5,
    12,
)  # so many wait for their approval at a time, each with its look kept warm; a sixth without backlog


async def live(daemon: Daemon, agreement: str) -> Line:
    """Fifty with the backlog, and ten without it in between; each is one person's, and the next waits for its end."""
    db = await Database.connect(daemon.dsn, size=2)
    behind: list[float] = []
    alone: list[float] = []
    try:
        for admin in ("ada", "boris"):
            await daemon.call("POST", f"/agreements/{agreement}/arm", admin)
        for batch in range(_BATCHES):
            cases = await _ready(daemon, db, [f"live-{batch}-{n}.com" for n in range(_AT_ONCE)])
            for place, case_id in enumerate(cases):
                took, backlog = (alone, 0) if place % 6 == 5 else (behind, _BACKLOG)
                await fill(db, max(0, backlog - await _ordinary(db)))
                took.append(await _one(daemon, db, case_id))
                if backlog and await _ordinary(db) < backlog / 2:
                    raise RuntimeError("the backlog was gone before the notice: nothing was measured")
                await db.pool.execute("delete from queue.pgqueuer where status = 'queued' and priority = 0")
        waited = await db.fetchval("select count(*) from notice where waited_for_look")
    finally:
        await db.close()
    told = (
        f"from approval to recorded acceptance, {len(behind)} approvals: p50 {_at(behind, 0.5)}, p95 {_at(behind, 0.95)}, "
        f"longest {_at(behind, 1)} with {_BACKLOG:,} jobs waiting; p50 {_at(alone, 0.5)}, p95 {_at(alone, 0.95)} with "
        f"none ({len(alone)}); {waited} of {len(behind) + len(alone)} waited for a look"
    )
    ours, bare = (1 / sorted(s)[len(s) // 2] for s in (behind, alone))
    return Line(
        "approvals of a live event past a backlog", ours, "the same with an empty queue", bare, ours / bare, told
    )


async def _ready(daemon: Daemon, db: Database, names: Sequence[str]) -> list[str]:
    """Cases in review whose first looks are over."""
    cases = []
    for name in names:
        said = await daemon.post("/reports", "sam", json.dumps(fresh_stream(name)).encode(), "application/json")
        if said["state"] != "in_review":
            raise RuntimeError(f"{name}: {said['findings']}")
        cases.append(str(said["case_id"]))
    await quiet(db)
    return cases


async def _one(daemon: Daemon, db: Database, case_id: str) -> float:
    """Seconds from the approval, as its reviewer sends it, to the acceptance on record."""
    young = "select exists (select from warm_look where case_id = $1 and at > now() - interval '40 seconds')"

    async def warm() -> bool:
        return bool(await db.fetchval(young, case_id))

    await until(warm)
    shown = await daemon.call("GET", f"/cases/{case_id}/preview", ON_DUTY)
    began = time.perf_counter()
    approval = asyncio.create_task(
        daemon.call("POST", f"/cases/{case_id}/approve", ON_DUTY, {"digest": shown["digest"]})
    )

    async def sent() -> bool:
        return bool(
            await db.fetchval("select exists (select from notice where case_id = $1 and state = 'sent')", case_id)
        )

    await until(sent)
    seconds = time.perf_counter() - began
    await approval
    return seconds


async def _ordinary(db: Database) -> int:
    return int(await db.fetchval("select count(*) from queue.pgqueuer where status = 'queued' and priority = 0"))


def _at(seconds: Sequence[float], share: float) -> str:
    return f"{sorted(seconds)[math.ceil(share * len(seconds)) - 1] * 1000:.0f} ms"
