"""The queue: pgqueuer in its own schema. It holds only what may run now; longer waits are rows in `timer`."""

import os
from collections.abc import Sequence

# pgqueuer reads its schema from the environment once, when it is imported.
os.environ["PGQUEUER_SCHEMA"] = "queue"

import asyncpg
from pgqueuer import AsyncpgPoolDriver, PgQueuer, RetryRequested
from pgqueuer.models import Job as QueuedJob
from pgqueuer.queries import Queries

from notifier.domain.jobs import Job

__all__ = ["LOST", "PgQueuer", "QueuedJob", "RetryRequested", "backlog", "enqueue", "serving"]

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


def serving(pool: asyncpg.Pool) -> PgQueuer:
    """The queue's worker over this pool, without entry points."""
    return PgQueuer(Listening(pool))


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


async def runnable(pool: asyncpg.Pool) -> int:
    """How many jobs wait or run now; those held after failing are not counted."""
    count: int = await pool.fetchval("select count(*) from queue.pgqueuer where status in ('queued', 'picked')")
    return count
