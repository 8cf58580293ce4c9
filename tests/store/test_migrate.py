"""Migrations on a real server: from nothing, again, by several at once; and what the app role may do."""

import asyncio
import os
import sys
import urllib.parse

import asyncpg
import pytest

from notifier.errors import Unavailable
from notifier.store.migrate import is_current, migrate
from tests.conftest import with_database

_MIGRATE = "import asyncio, sys; from notifier.store.migrate import migrate; asyncio.run(migrate(sys.argv[1]))"


async def test_a_new_database_is_brought_up_and_stays_as_it_is(empty_database_url: str) -> None:
    assert not await is_current(empty_database_url)
    await migrate(empty_database_url)
    assert await is_current(empty_database_url)
    await migrate(empty_database_url)
    assert await is_current(empty_database_url)


async def test_an_unknown_revision_is_not_current(database_url: str) -> None:
    con = await asyncpg.connect(database_url)
    await con.execute("update alembic_version set version_num = '9999'")
    await con.close()
    assert not await is_current(database_url)


async def test_four_processes_at_once(empty_database_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _MIGRATE, empty_database_url, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(4)
    ]
    ends = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0, 0], b"\n".join(error for _, error in ends)
    assert await is_current(empty_database_url)


async def test_four_tasks_at_once(empty_database_url: str) -> None:
    await asyncio.gather(*(migrate(empty_database_url) for _ in range(4)))
    assert await is_current(empty_database_url)


async def test_a_failing_revision_leaves_nothing_half_done(empty_database_url: str) -> None:
    con = await asyncpg.connect(empty_database_url)
    await con.execute("create schema queue; create table queue.pgqueuer_log (x int)")  # in the way of 0001
    with pytest.raises(Exception, match="pgqueuer_log"):
        await migrate(empty_database_url)
    assert await con.fetchval("select to_regclass('queue.pgqueuer')") is None
    await con.execute("drop schema queue cascade")
    await con.close()
    await migrate(empty_database_url)
    assert await is_current(empty_database_url)


async def test_an_owner_who_is_no_superuser(server_dsn: str) -> None:
    """A hosted database gives an ordinary role that may create roles and owns its database."""
    con = await asyncpg.connect(server_dsn)
    name = f"owner_{os.getpid()}"
    try:
        await con.execute(f"create role {name} login createrole password 'x'")
        if await con.fetchval("select exists (select from pg_roles where rolname = 'notifier_app')"):
            # Another migration of this server made the role first: its maker must let others use it.
            await con.execute(f"grant notifier_app to {name} with admin true")
        await con.execute(f"create database {name} owner {name}")
        host = urllib.parse.urlsplit(server_dsn)
        dsn = f"postgresql://{name}:x@{host.netloc.rpartition('@')[2]}/{name}?{host.query}"
        await migrate(dsn)
        owner = await asyncpg.connect(dsn)
        await owner.execute("set role notifier_app")
        assert await owner.fetchval("select current_user::text") == "notifier_app"
        await owner.close()
    finally:
        await con.execute(f"drop database if exists {name}")
        await con.execute(f"drop role if exists {name}")
        await con.close()


async def test_the_app_role_writes_rows_and_cannot_change_the_schema(database_url: str) -> None:
    con = await asyncpg.connect(database_url)
    await con.execute("create table later (id bigserial primary key, x int)")  # as a later revision would
    await con.execute("create function later_twice(x int) returns int language sql return x * 2")
    await con.execute("set role notifier_app")
    await con.execute("insert into later (x) values (1); update later set x = later_twice(x); delete from later")
    await con.execute(
        "insert into queue.pgqueuer (priority, status, entrypoint) values (0, 'queued', 'a'); "
        "update queue.pgqueuer set priority = 1; delete from queue.pgqueuer"
    )
    assert await con.fetchval("select count(*) from alembic_version") == 1
    for forbidden in (
        "create table mine (x int)",
        "create table queue.mine (x int)",
        "drop table later",
        "truncate later",
        "alter table queue.pgqueuer add column y int",
        "update alembic_version set version_num = '0000'",
        "create role another",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await con.execute(forbidden)
    await con.close()


async def test_pooled_connections_keep_the_role(database_url: str) -> None:
    """A pool resets a connection between uses; the role that `init` set must survive that."""
    async with asyncpg.create_pool(
        database_url, min_size=1, max_size=1, init=lambda con: con.execute("set role notifier_app")
    ) as pool:
        users = [await pool.fetchval("select current_user::text") for _ in range(3)]
    assert users == ["notifier_app"] * 3


async def test_the_queue_schema_is_what_the_installed_pgqueuer_wants(database_url: str) -> None:
    name = urllib.parse.urlsplit(database_url)
    query = dict(urllib.parse.parse_qsl(name.query))
    verify = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "pgqueuer", "verify", "--expect", "present"),
        env={
            **os.environ,
            "PGQUEUER_SCHEMA": "queue",
            "PGHOST": query.get("host", name.hostname or ""),
            "PGPORT": query.get("port", str(name.port or 5432)),
            "PGUSER": query.get("user", name.username or ""),
            "PGPASSWORD": name.password or "",
            "PGDATABASE": name.path.lstrip("/"),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await verify.communicate()
    assert verify.returncode == 0, output.decode()


async def test_a_server_that_refuses_us_is_named_with_where_to_look(server_dsn: str) -> None:
    with pytest.raises(Unavailable, match=r"no_such_database.*look at database_url"):
        await migrate(with_database(server_dsn, "no_such_database"))
