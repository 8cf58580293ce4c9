"""The queue's worker on a real server: every job once, none dropped, and the database may go away meanwhile."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
import pytest

from notifier.domain.jobs import Job, JobKind
from notifier.store import queue
from notifier.store.audit import FAILURES
from notifier.store.database import Database
from notifier.worker.runner import Handler, Runner
from tests.services.stages import until

K = JobKind


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url)
    yield opened
    await opened.close()


@asynccontextmanager
async def running(db: Database, handlers: Mapping[JobKind, Handler]) -> AsyncIterator[Runner]:
    """A runner that is told to stop at the end, and then has stopped."""
    stop, runner = asyncio.Event(), Runner(db, handlers)
    task = asyncio.create_task(runner.run(stop))
    try:
        yield runner
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await task


async def enqueue(db: Database, *jobs: Job) -> None:
    async with db.transaction("test") as tx:
        await tx.enqueue(*jobs)


async def until_quiet(db: Database) -> None:
    async def quiet() -> bool:
        return await queue.runnable(db.pool) == 0

    await until(quiet)


async def test_each_kind_goes_to_its_verb_with_its_ref(db: Database) -> None:
    got: list[tuple[JobKind, str]] = []

    def verb(kind: JobKind) -> Handler:
        async def act(ref: str) -> None:
            got.append((kind, ref))

        return act

    await enqueue(db, *(Job(kind, f"ref of {kind}") for kind in K))
    async with running(db, {kind: verb(kind) for kind in K}):
        await until_quiet(db)
    assert sorted(got) == sorted((kind, f"ref of {kind}") for kind in K)


async def test_what_is_done_is_forgotten_with_its_row_and_what_failed_counts_until_it_says_so(db: Database) -> None:
    async def act(ref: str) -> None:
        if ref == "bad":
            raise ValueError("no")

    async def only_what_failed() -> bool:
        return set(await queue.backlog(db.pool)) == {"failed"}

    async with running(db, {K.SEND: act}):
        await enqueue(db, *(Job(K.SEND, str(n)) for n in range(20)), Job(K.SEND, "bad"))
        while await queue.runnable(db.pool, db.ended):
            await asyncio.sleep(0)
        assert await db.fetchval("select status::text from queue.pgqueuer where payload = 'bad'") == "failed"
        await until(only_what_failed)
    assert db.ended == set()


async def test_two_runners_share_the_work(db: Database, database_url: str) -> None:
    done: Counter[str] = Counter()

    async def act(ref: str) -> None:
        await asyncio.sleep(0)
        done[ref] += 1

    await enqueue(db, *(Job(K.SEND, str(n)) for n in range(300)))
    other = await Database.connect(database_url)
    async with running(db, {K.SEND: act}), running(other, {K.SEND: act}):
        await until_quiet(db)
    await other.close()
    assert done == {str(n): 1 for n in range(300)}


async def test_a_job_of_a_rolled_back_transaction_never_was(db: Database) -> None:
    got: list[str] = []

    async def act(ref: str) -> None:
        got.append(ref)

    async def asks_and_fails() -> None:
        async with db.transaction("test") as tx:
            await tx.enqueue(Job(K.SEND, "never"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asks_and_fails()
    await enqueue(db, Job(K.SEND, "yes"))
    async with running(db, {K.SEND: act}):
        await until_quiet(db)
    assert got == ["yes"]


async def test_a_failed_job_is_held_and_stops_no_other(db: Database) -> None:
    got: list[str] = []

    async def act(ref: str) -> None:
        if ref == "bad":
            raise ValueError("this cannot be done")
        got.append(ref)

    await enqueue(db, Job(K.SEND, "bad"), Job(K.SEND, "one"), Job(K.SEND, "two"))
    async with running(db, {K.SEND: act}):
        await until_quiet(db)
    assert sorted(got) == ["one", "two"]
    assert await queue.backlog(db.pool) == {"failed": 1}


async def test_a_lost_connection_is_no_fault_of_the_job(db: Database, database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    tries = 0

    async def act(ref: str) -> None:
        nonlocal tries
        tries += 1
        async with db.transaction("test") as tx:
            if tries == 1:
                await owner.execute("select pg_terminate_backend($1)", tx.con.get_server_pid())
            await tx.con.execute("insert into setting (key, value) values ('done', $1)", ref)

    await enqueue(db, Job(K.SEND, "once"))
    async with running(db, {K.SEND: act}):
        await until_quiet(db)
    await owner.close()
    assert (tries, await queue.backlog(db.pool)) == (2, {})
    assert await db.fetchval("select value from setting where key = 'done'") == "once"


@pytest.mark.slow
async def test_a_database_that_was_away_is_served_again(db: Database, database_url: str) -> None:
    got, served = [], asyncio.Event()

    async def act(ref: str) -> None:
        got.append(ref)
        if ref == "after":
            served.set()

    owner = await asyncpg.connect(database_url)
    async with running(db, {K.SEND: act}):
        await enqueue(db, Job(K.SEND, "before"))
        await until_quiet(db)
        await owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> $1",
            owner.get_server_pid(),
        )
        async with asyncio.timeout(20):
            while True:
                try:
                    await enqueue(db, Job(K.SEND, "after"))
                    break
                except FAILURES:
                    await asyncio.sleep(0.05)
        async with asyncio.timeout(40):
            await served.wait()
    await owner.close()
    assert sorted(set(got)) == ["after", "before"]


async def test_a_stop_lets_what_runs_finish_and_leaves_the_rest(db: Database) -> None:
    began, may_end, ended = asyncio.Event(), asyncio.Event(), []

    async def act(ref: str) -> None:
        began.set()
        await may_end.wait()
        ended.append(ref)

    stop, runner = asyncio.Event(), Runner(db, {K.SEND: act})
    task = asyncio.create_task(runner.run(stop))
    await enqueue(db, Job(K.SEND, "running"))
    await began.wait()
    stop.set()
    await asyncio.sleep(0.1)
    assert (task.done(), runner.running) == (False, 1)
    may_end.set()
    async with asyncio.timeout(20):
        await task
    assert (ended, runner.running) == (["running"], 0)
    await enqueue(db, Job(K.SEND, "later"))
    assert (await queue.runnable(db.pool), ended) == (1, ["running"])


async def test_a_listener_that_cannot_be_reset_costs_the_pool_no_connection(database_url: str) -> None:
    pool = await asyncpg.create_pool(database_url, min_size=2, max_size=2)
    driver = queue.Listening(pool)

    async def ends_while_it_is_busy() -> None:
        async with driver:
            await driver.add_listener("any", print)
            assert driver._listener_connection is not None
            tasks.append(asyncio.create_task(driver._listener_connection.execute("select pg_sleep(60)")))
            await asyncio.sleep(0.05)

    tasks: list[asyncio.Task[str]] = []
    with pytest.raises(queue.LOST):
        await ends_while_it_is_busy()
    async with asyncio.timeout(5):
        await pool.close()
    await asyncio.wait(tasks)
