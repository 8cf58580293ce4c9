"""Databases that go from one test to the next, emptied between them, each with a pool whose connections know our statements.

To make a database, to connect to it, and to prepare each statement anew on each connection took half of what a test with a
house costs. House, sandbox and folders are each test's own; what a test finds in its database is what the migrations left.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg

from notifier import rehearsal
from notifier.store.audit import FAILURES
from notifier.store.database import Database

_MOST = 50  # tests, then a new one: rows that were deleted take room until they are swept
_PATIENCE_S = 20.0
_REVISION = "public.alembic_version"
# A test that changes the schema itself keeps its database for itself. Rows of a catalog have the transaction that wrote them.
_CATALOGS = ("class", "attribute", "attrdef", "constraint", "index", "proc", "trigger", "policy", "namespace", "type")
_SCHEMA = "select " + ", ".join(
    f"(select count(*) || ' ' || max(xmin::text::bigint) from pg_{name}) as of_{name}" for name in _CATALOGS
)
_OTHERS = (
    "select count(*) from pg_stat_activity "
    "where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
)
_HELD = "select count(*) from pg_locks where locktype = 'advisory' and database = $1"
_USED = (
    "select format('%I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace "
    "where nspname in ('public', 'queue') and relkind = 'r' and pg_relation_size(c.oid) > 0"
)


def with_database(dsn: str, name: str) -> str:
    """The same server, another database."""
    parts = urlsplit(dsn)
    return f"{parts.scheme}://{parts.netloc}/{name}" + (f"?{parts.query}" if parts.query else "")


@asynccontextmanager
async def made(server_dsn: str, source: str) -> AsyncIterator[str]:
    """DSN of a new database, which is gone when the block ends."""
    name = f"test_{uuid.uuid4().hex}"
    con = await asyncpg.connect(server_dsn)
    try:
        await con.execute(f"create database {name} {source}")
        try:
            yield with_database(server_dsn, name)
        finally:
            await con.execute(f"drop database {name} with (force)")
    finally:
        await con.close()


class Lent:
    """One database, its sweeper's connection, and the pool of the houses that it had."""

    def __init__(self, dsn: str, con: asyncpg.Connection) -> None:
        self.dsn, self._con, self._tests = dsn, con, 0
        self._pool: asyncpg.Pool | None = None

    async def begin(self) -> None:
        """See how it is when nobody had it."""
        await self._con.execute("set session_replication_role = replica")  # no trigger, no order among the tables
        self._oid = await self._con.fetchval("select oid from pg_database where datname = current_database()")
        assert await self._used() == {_REVISION}, "what migrations put in must be put in again"
        self._schema = await self._standing()

    async def database(self) -> Database:
        """For one house: the kept pool, and nothing else that another house had."""
        if self._pool is None:
            self._pool = (await Database.connect(self.dsn, size=rehearsal.CONNECTIONS)).pool
        return Database(self._pool)

    async def emptied(self) -> bool:
        """Whether it is as it was at first; not when a test did what only a new database makes good."""
        self._tests += 1
        if self._tests >= _MOST or (self._pool is not None and self._pool.is_closing()):
            return False
        until = time.monotonic() + _PATIENCE_S  # as closing a pool waits for what was not given back
        while self._pool is not None and self._pool.get_idle_size() < self._pool.get_size():
            assert time.monotonic() < until, "a connection was never given back to the pool"
            await asyncio.sleep(0.01)
        if not await self._alone() or await self._con.fetchval(_HELD, self._oid):
            return False
        if await self._standing() != self._schema:
            return False
        used = sorted(await self._used() - {_REVISION})
        emptied = [f"delete from {table}" for table in used]
        await self._con.execute("; ".join([*emptied, "select setval(seqrelid, seqstart, false) from pg_sequence"]))
        if used:
            # So that rows stand in the order in which they come, as in a new database, and in nobody's place.
            await self._con.execute(f"vacuum {', '.join(used)}")
        return True

    async def _used(self) -> set[str]:
        return {row[0] for row in await self._con.fetch(_USED)}

    async def _alone(self) -> bool:
        """Whether nobody is connected but our pool; one that is leaving has a moment."""
        for _ in range(20):
            others = await self._con.fetchval(_OTHERS)
            if others <= (self._pool.get_size() if self._pool is not None else 0):
                return True
            await asyncio.sleep(0.01)
        return False

    def end(self) -> None:
        if self._pool is not None:
            self._pool.terminate()

    async def _standing(self) -> str:
        return str(tuple(await self._con.fetchrow(_SCHEMA) or ()))


_LENT: dict[str, Lent] = {}


async def database_of(dsn: str) -> Database | None:
    """For a house over a database that is lent; None for any other."""
    return await _LENT[dsn].database() if dsn in _LENT else None


class Lending:
    """Lends each database to one test, or to one file of tests, at a time."""

    def __init__(self, server_dsn: str, template: str) -> None:
        self._server_dsn, self._source = server_dsn, f"template {template} strategy file_copy"
        self._free: list[tuple[Lent, AsyncExitStack]] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[str]:
        lent, ending = self._free.pop() if self._free else await self._made()
        again = False
        try:
            yield lent.dsn
            with suppress(*FAILURES):  # a test may end our connection too
                again = await lent.emptied()
        finally:
            if again:
                self._free.append((lent, ending))
            else:
                await ending.aclose()

    async def close(self) -> None:
        for _, ending in self._free:
            await ending.aclose()

    async def _made(self) -> tuple[Lent, AsyncExitStack]:
        async with AsyncExitStack() as stack:
            dsn = await stack.enter_async_context(made(self._server_dsn, self._source))
            con = await asyncpg.connect(dsn)
            stack.push_async_callback(con.close)
            lent = _LENT[dsn] = Lent(dsn, con)
            stack.callback(_LENT.pop, dsn)
            stack.callback(lent.end)
            await lent.begin()
            return lent, stack.pop_all()
