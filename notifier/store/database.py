"""The pool and the one way to write: a transaction that saves a case's step whole (row, jobs, timers, audit entry)."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, TypeAlias

import asyncpg

from notifier.clock import Clock, SystemClock
from notifier.domain.audit import Entry
from notifier.domain.case import Case, Step
from notifier.domain.events import Detail
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.store import audit as audit_store
from notifier.store import cases as case_store
from notifier.store import news, queue
from notifier.store.cases import Origin
from notifier.store.ids import new_id

Connection: TypeAlias = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

APP_ROLE = "notifier_app"

# A unique index refused the row; the transaction is void.
AlreadyThere = asyncpg.UniqueViolationError


def storable(text: str) -> str:
    """Text that Postgres takes, also inside jsonb: NUL and lone surrogates are spelled out."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


# Of Postgres' own types, whose numbers are the same in every database; none of ours is below this number.
_FIRST_OWN_TYPE = 16_384  # FirstNormalObjectId, access/transam.h
_TYPES: dict[tuple[int, int], list[asyncpg.Record]] = {}


class _Session(asyncpg.Connection):  # type: ignore[misc]
    """A connection that is given back as it is, where asyncpg asks the server to reset it each time: nothing of ours outlives
    its transaction but a session lock, and `locks` gives that back or ends the connection.

    What Postgres' own array types hold is asked once in a process, where asyncpg asks on each connection, eleven
    milliseconds for each type.
    """

    def get_reset_query(self) -> str:
        return ""

    async def _introspect_types(self, typeoids: Iterable[int], timeout: float | None) -> Any:
        version, asked = self.get_server_version().major, SimpleNamespace(name="nothing")
        rows: list[asyncpg.Record] = []
        for oid in typeoids:
            if (found := _TYPES.get((version, oid))) is None:
                found, asked = await super()._introspect_types([oid], timeout)
                if oid < _FIRST_OWN_TYPE:
                    _TYPES[version, oid] = found
            rows += found
        return rows, asked  # asyncpg wants the name of the statement that it asked with


async def _prepare(con: asyncpg.Connection) -> None:
    await con.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    await con.execute(f"set role {APP_ROLE}")


class Tx:
    """One open transaction. `now` is business time, read once; `actor` and `via` go into every audit entry."""

    def __init__(self, con: Connection, now: datetime, actor: str, via: str) -> None:
        self.con, self.now, self.actor, self.via = con, now, actor, via

    async def audit(self, tag: str, subject: str, detail: Detail, case_id: str | None = None) -> None:
        """An entry that changes no case row."""
        await audit_store.append(
            self.con, Entry(self.now, self.actor, self.via, tag, subject, case_id, None, dict(detail))
        )

    async def open(self, step: Step, origin: Origin) -> Case:
        """A case's first row, with what belongs to it. Raises UniqueViolationError when its target has an open one."""
        first = await case_store.insert(self.con, step.case, origin)
        return await self._rest(step, {"assessment": first.id, "assessment_sha256": first.digest})

    async def save(self, step: Step) -> Case:
        """Row, audit entry, timers and jobs of one step, together."""
        await case_store.write(self.con, step.case)
        return await self._rest(step)

    async def _rest(self, step: Step, more: Detail | None = None) -> Case:
        case = step.case
        await audit_store.append(
            self.con,
            Entry(
                self.now,
                self.actor,
                self.via,
                step.fact.tag,
                case.reference,
                case.id,
                case.rev,
                {**step.fact.detail, **(more or {}), "row": case_store.row_digest(case)},
            ),
        )
        await news.decided(self.con, case, step.fact, self.actor, self.now)
        if step.stop_timers:
            await self.con.execute(
                "update timer set cancelled_at = $3 where case_id = $1 and kind = any($2) "
                "and fired_at is null and cancelled_at is null",
                case.id,
                [str(kind) for kind in step.stop_timers],
                self.now,
            )
        for timer in step.timers:
            await self.add_timer(case.id, timer)
        await queue.enqueue(self.con, step.jobs)
        return case

    async def add_timer(self, case_id: str, timer: Timer) -> None:
        """Plan a job; once, when the very same is planned already. The case is locked, so nobody plans beside us."""
        await self.con.execute(
            "insert into timer (id, case_id, kind, ref, due_at) select $1, $2, $3, $4, $5 where not exists "
            "(select 1 from timer where (case_id, kind, ref, due_at) = ($2, $3, $4, $5) "
            "and fired_at is null and cancelled_at is null)",
            new_id(),
            case_id,
            str(timer.kind),
            timer.ref,
            timer.due_at,
        )

    async def planned(self, case_id: str, kind: JobKind, ref: str | None = None) -> list[datetime]:
        """When a case's jobs of this kind are due, the soonest first; for one `ref`, or for any. The case is locked."""
        rows = await self.con.fetch(
            "select due_at from timer where case_id = $1 and kind = $2 and ref = coalesce($3, ref) "
            "and fired_at is null and cancelled_at is null order by due_at",
            case_id,
            str(kind),
            ref,
        )
        return [row["due_at"] for row in rows]

    async def plan(self, timer: Timer) -> None:
        """Plan a job that belongs to no case."""
        await self.con.execute(
            "insert into timer (id, kind, ref, due_at) values ($1, $2, $3, $4)",
            new_id(),
            str(timer.kind),
            timer.ref,
            timer.due_at,
        )

    async def enqueue(self, *jobs: Job) -> None:
        """Queue jobs in this transaction."""
        await queue.enqueue(self.con, jobs)


class Database:
    """A pool whose connections act as the app role, and the clock that its transactions read.

    `ended`: jobs that were done in this process and that the queue has not taken off its list yet.
    """

    def __init__(self, pool: asyncpg.Pool, clock: Clock | None = None) -> None:
        self.pool = pool
        self.clock: Clock = clock or SystemClock()
        self.ended: set[int] = set()

    @classmethod
    async def connect(cls, dsn: str, clock: Clock | None = None, *, size: int = 8) -> "Database":
        """Open the pool. Raises OSError or asyncpg errors when the server cannot be reached."""
        # Our queries read few rows of large tables; compiling one takes longer than running it.
        pool = await asyncpg.create_pool(
            dsn, min_size=1, max_size=size, init=_prepare, connection_class=_Session, server_settings={"jit": "off"}
        )
        return cls(pool, clock)

    async def close(self) -> None:
        await self.pool.close()

    @asynccontextmanager
    async def transaction(self, actor: str, via: str = "daemon") -> AsyncIterator[Tx]:
        """READ COMMITTED. No network inside: everything asked of the outside is asked before."""
        now = await self.clock.now()
        async with self.pool.acquire() as con, con.transaction():
            yield Tx(con, now, actor, via)

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self.pool.fetch(query, *args)
        return rows

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        return await self.pool.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        return await self.pool.fetchval(query, *args)


class SimulatedClock:
    """Business time as one database row that every process and the sandbox read.

    It stands still until `advance`; after `run` it goes on at normal pace from where it stands.
    """

    def __init__(self, dsn_pool: asyncpg.Pool) -> None:
        self._pool = dsn_pool

    async def now(self) -> datetime:
        row = await self._pool.fetchrow("select stands_at, runs_since from simulated_clock")
        if row is None:
            raise RuntimeError("this database has no simulated clock")
        stands_at: datetime = row["stands_at"]
        if row["runs_since"] is None:
            return stands_at
        since: datetime = row["runs_since"]
        return stands_at + (datetime.now(UTC) - since)

    async def start_at(self, at: datetime) -> None:
        """Mark a new database as simulated."""
        await self._pool.execute("insert into simulated_clock (stands_at) values ($1) on conflict do nothing", at)

    async def advance(self, to: datetime) -> None:
        """Jump forward; never back."""
        await self._pool.execute("update simulated_clock set stands_at = greatest(stands_at, $1)", to)

    async def run(self) -> None:
        await self._pool.execute(
            "update simulated_clock set runs_since = $1 where runs_since is null", datetime.now(UTC)
        )


class DrivenClock(SimulatedClock):
    """The simulated clock in the one process that moves it: where it stands need not be read again and again."""

    def __init__(self, dsn_pool: asyncpg.Pool, stands_at: datetime | None) -> None:
        super().__init__(dsn_pool)
        self._stands_at = stands_at

    @classmethod
    async def of(cls, pool: asyncpg.Pool) -> "DrivenClock":
        """The clock of a database that is marked as simulated; one that runs already is read each time."""
        return cls(pool, await pool.fetchval("select stands_at from simulated_clock where runs_since is null"))

    async def now(self) -> datetime:
        return self._stands_at or await super().now()

    async def advance(self, to: datetime) -> None:
        await super().advance(to)
        self._stands_at = max(self._stands_at, to) if self._stands_at else None

    async def run(self) -> None:
        await super().run()
        self._stands_at = None


async def is_simulated(pool: asyncpg.Pool) -> bool:
    """Whether this database's business time is simulated."""
    return bool(await pool.fetchval("select exists (select 1 from simulated_clock)"))
