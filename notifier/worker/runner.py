"""Runs queued jobs: each kind is one service verb. Survives a database that goes away, and drains on a stop."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog
import tenacity

from notifier.domain.jobs import JobKind
from notifier.store import queue as job_queue
from notifier.store.database import Database
from notifier.store.queue import LOST, QueuedJob, RetryRequested

log = structlog.get_logger(__name__)

Handler = Callable[[str], Awaitable[None]]

_POLL = timedelta(seconds=2)
_HEARTBEAT = timedelta(seconds=10)
_BATCH = 10
_TRIES, _AGAIN = 8, timedelta(seconds=1)
# At once, over all processes: each goes on for minutes, and nothing that leaves may wait for it.
_FEW: Mapping[JobKind, int] = {JobKind.HOP_WATCH: 2, JobKind.UPLOAD: 2}


class Runner:
    """The queue's worker. `handlers` maps a job kind to a coroutine function that takes the job's ref.

    A handler may run twice for one job (a lost heartbeat), so each is idempotent. A failed job is held, never dropped.
    """

    def __init__(self, db: Database, handlers: Mapping[JobKind, Handler], *, concurrency: int = 20) -> None:
        self._db, self._handlers, self._concurrency = db, handlers, concurrency
        self.running = 0

    async def run(self, stop: asyncio.Event, *, drain_s: Callable[[], float | None] = lambda: 20.0) -> None:
        """Until `stop`; then running jobs finish. Past the drain deadline the process ends and heartbeats give them back;
        `drain_s` says then how long that is, None for as long as it takes."""
        retrying = tenacity.AsyncRetrying(
            wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=5),
            retry=tenacity.retry_if_exception_type(Exception),
            before_sleep=lambda state: log.warning("queue.restarting", error=repr(state.outcome)),
        )
        async for attempt in retrying:
            with attempt:
                await self._serve(stop, drain_s)

    async def _serve(self, stop: asyncio.Event, drain_s: Callable[[], float | None]) -> None:
        queue = job_queue.serving(self._db.pool, self._db.ended)
        for kind, handler in self._handlers.items():
            queue.entrypoint(str(kind), concurrency_limit=_FEW.get(kind, 0), on_failure="hold")(
                self._bind(kind, handler)
            )
        run = asyncio.create_task(
            queue.run(
                dequeue_timeout=_POLL,
                batch_size=_BATCH,
                max_concurrent_tasks=max(self._concurrency, 2 * _BATCH),
                heartbeat_timeout=_HEARTBEAT,
                # Not `shutdown_on_listener_failure`: pgqueuer 1.6 probes its listener before it listens, so the first
                # probe often fails of itself. A listener that is really lost costs one poll's wait.
            )
        )
        waiter = asyncio.create_task(stop.wait())
        await asyncio.wait({run, waiter}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if stop.is_set():
            queue.shutdown.set()
            done, _ = await asyncio.wait({run}, timeout=drain_s())
            if not done:
                os._exit(75)  # cancelling would delete the jobs; dying gives them back
            with contextlib.suppress(Exception):
                await run
            return
        await run
        raise RuntimeError("the queue's loop ended by itself")

    def _bind(self, kind: JobKind, handler: Handler) -> Callable[[QueuedJob], Awaitable[None]]:
        async def work(job: QueuedJob) -> None:
            ref = (job.payload or b"").decode()
            self.running += 1
            try:
                with structlog.contextvars.bound_contextvars(job=str(kind), ref=ref):
                    await handler(ref)
            except LOST as error:  # the job is as good as before; it is held only when that does not end
                if job.attempts >= _TRIES:
                    log.exception("job.failed", job=str(kind), ref=ref)
                    raise
                raise RetryRequested(_AGAIN * (job.attempts + 1), repr(error)) from error
            except Exception:
                log.exception("job.failed", job=str(kind), ref=ref)
                raise
            else:
                self._db.ended.add(job.id)
            finally:
                self.running -= 1

        return work
