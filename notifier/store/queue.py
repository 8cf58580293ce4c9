"""The queue: pgqueuer in its own schema. It holds only what may run now; longer waits are rows in `timer`."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

# pgqueuer reads its schema from the environment once, when it is imported.
os.environ["PGQUEUER_SCHEMA"] = "queue"

import asyncpg
from pgqueuer import AsyncpgPoolDriver, QueueManager, RetryRequested
from pgqueuer.models import Job as QueuedJob
from pgqueuer.models import TracebackRecord
from pgqueuer.queries import Queries
from pgqueuer.types import JOB_STATUS

from notifier.domain.jobs import Job

__all__ = ["LOST", "QueuedJob", "RetryRequested", "backlog", "enqueue", "serving"]

# The database or the way to it failed, not the job: lost or refused connections, a restart, a deadlock's victim.
LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
)


class Listening(AsyncpgPoolDriver):
    """pgqueuer's driver, which gives its listener's connection back to the pool also when that cannot be reset.

    pgqueuer 1.6 keeps it then: each server that went away costs the pool a connection, and its end waits for ever.
    """

    async def __aexit__(self, *said: object) -> None:
        held = self._listener_connection
        try:
            await super().__aexit__(*said)
        except LOST:
            if held is not None:
                held.terminate()
                await self._pool.release(held)
            raise


@dataclass
class Installed(Queries):
    """pgqueuer's queries. `ended`: jobs that were done here, and whose rows go up to a tenth of a second later, in a batch.

    Whether its tables are there is asked of the catalog itself: the views of `information_schema` that pgqueuer 1.6 asks at
    each start take some thirty milliseconds for each of eleven questions.
    """

    ended: set[int] = field(default_factory=set)

    async def log_jobs(self, job_status: list[tuple[QueuedJob, JOB_STATUS, TracebackRecord | None]]) -> None:
        await super().log_jobs(job_status)
        self.ended.difference_update(job.id for job, _, _ in job_status)

    async def has_table(self, table: str) -> bool:
        return bool(await self.driver.fetch("select where to_regclass('queue.' || $1) is not null", table))

    async def table_has_column(self, table: str, column: str) -> bool:
        query = "select from pg_attribute where attrelid = to_regclass('queue.' || $1) and attname = $2 and not attisdropped"
        return bool(await self.driver.fetch(query, table, column))


def serving(pool: asyncpg.Pool, ended: set[int]) -> QueueManager:
    """The queue's worker over this pool, without entry points. pgqueuer's schedules are not served: ours are timers."""
    return QueueManager(Installed(Listening(pool), ended=ended))


async def enqueue(con: "asyncpg.Connection | asyncpg.pool.PoolConnectionProxy", jobs: Sequence[Job]) -> None:
    """Queue jobs in the caller's transaction. Handlers are idempotent, so nothing is deduplicated here."""
    if jobs:
        await Queries.from_asyncpg_connection(con).enqueue(
            [str(job.kind) for job in jobs],
            [job.ref.encode() for job in jobs],
            [job.priority for job in jobs],
        )


async def backlog(pool: asyncpg.Pool) -> dict[str, int]:
    """Jobs that wait, run, or were held after failing, by their state in the queue."""
    rows = await pool.fetch("select status::text as state, count(*) as n from queue.pgqueuer group by 1")
    return {row["state"]: row["n"] for row in rows}


async def runnable(pool: asyncpg.Pool, ended: Collection[int] = ()) -> int:
    """How many jobs wait or run now; those held after failing are not counted, nor those that are known to have `ended`."""
    count: int = await pool.fetchval(
        "select count(*) from queue.pgqueuer where status in ('queued', 'picked') and id <> all($1::bigint[])",
        list(ended),
    )
    return count
