"""The embedded Postgres: one server for each state folder, started, watched and ended by the daemon.

The server listens on a unix socket only. STATE_DIR/postgres/ holds `data` (the cluster), `lock` (held while
someone runs the server) and `server.log`; STATE_DIR/postgres.json tells other programs where to connect.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import asyncpg
import structlog

from notifier.errors import Conflict, Unavailable
from notifier.store import lifeline
from notifier.store.binaries import Account, account_for, find_binaries, wheel_folder

_PORT = 5432  # only a part of the socket's file name; fixed, so that PGPORT in somebody's environment has no say
_SOCKET = f".s.PGSQL.{_PORT}"
_LONGEST_SOCKET_PATH = 103  # sun_path holds 104 bytes with its NUL on macOS and BSD, 108 on Linux
_SHORT, _SHORT_PARENT = "notifier-pg-", Path("/tmp")  # noqa: S108  (only for a folder that mkdtemp names)
_RESTARTS = 8  # so many in a row, and we say that it is hopeless
_STEADY = 60.0  # seconds of service after which earlier deaths no longer count
_LOG_LIMIT = 4_000_000  # bytes
_INITDB_PATIENCE = 120.0  # seconds; half a second is usual

_log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """A Postgres server over `state_dir`; it ends with this process, and is started again if it alone dies.

    Call from the thread that lives as long as the daemon: on Linux the server ends with the thread that
    started it. `fsync=False` is for tests: faster, and a crash of the machine loses data.
    """

    def __init__(self, state_dir: Path, *, fsync: bool = True) -> None:
        self._state = state_dir.resolve()
        self._home = self._state / "postgres"
        self._data = self._home / "data"
        self._fsync = fsync
        self._lock: int | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._guardian: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._sockets = self._data
        self._account: Account
        self._bin: Path
        self._stopping = False
        self.restarts = 0  # how often the server was started again since `start`

    async def start(self, *, patience: float = 2.0) -> str:
        """Start the server, make the cluster first if there is none, and return the superuser's DSN.

        Raises Conflict when another process still runs the server of this state folder after `patience`
        seconds (a killed one needs a moment to be gone; `running_dsn` tells where a living one's server is).
        Raises Unavailable with one sentence when this machine or folder cannot have a server. Starting has no
        deadline: after a crash of a large database, recovery takes as long as it takes.
        """
        wheel_folder()  # before anything is made
        self._lock = await self._take_lock(patience)
        self._stopping = False
        try:
            self._account = account_for(self._data)
            self._bin = await asyncio.to_thread(find_binaries, self._account)
            await self._clear_earlier_life()
            if not self._data.exists():
                await self._make_cluster()
            self._sockets = self._socket_folder()
            await self._launch()
            self._publish()
        except BaseException:
            await self._end()
            raise
        self._watch = asyncio.create_task(self._keep_running(), name="embedded-postgres")
        return self.dsn

    async def stop(self) -> None:
        """End the server, rolling back what is open (a fast shutdown), and give the state folder free."""
        self._stopping = True
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        await self._end()

    async def wait_exit(self) -> None:
        """Return once the server was stopped; raise Unavailable if it died and could not be started again."""
        if self._watch is not None:
            await asyncio.wait({self._watch})
            if not self._watch.cancelled():
                self._watch.result()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def dsn(self) -> str:
        """The superuser's DSN. It stays the same while the server is restarted underneath."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._sockets), safe='/')}&port={_PORT}"

    @property
    def postmaster_pid(self) -> int:
        """Process id of the server; it changes with a restart."""
        if self._server is None:
            raise Unavailable("the embedded Postgres is not running")
        return self._server.pid

    async def _take_lock(self, patience: float) -> int:
        lock = self._open_home()
        try:
            if await lifeline.until(lambda: _locked(lock), patience):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
        raise Conflict(f"another process runs the embedded Postgres of {self._state}")

    def _open_home(self) -> int:
        try:
            self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._home.mkdir(exist_ok=True, mode=0o700)
            return os.open(self._home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(
                f"the state folder {self._state} cannot be used ({error.strerror}); set NOTIFIER_STATE_DIR "
                "to a folder of your own, or NOTIFIER_DATABASE_URL to a database"
            ) from error

    async def _clear_earlier_life(self) -> None:
        """We hold the lock, so whoever still works on the data is an orphan, and any pid file is stale."""
        await lifeline.end_servers_on(self._data)
        for name in ("postmaster.pid", _SOCKET, f"{_SOCKET}.lock"):
            # Postgres would believe these files if any process of its account has that number by now.
            (self._data / name).unlink(missing_ok=True)
        for half_made in self._home.glob("initdb-*"):
            shutil.rmtree(half_made, ignore_errors=True)
        with contextlib.suppress(OSError, ValueError, KeyError):
            _remove_short_folder(Path(json.loads((self._state / "postgres.json").read_text())["sockets"]))

    async def _make_cluster(self) -> None:
        fresh = Path(tempfile.mkdtemp(prefix="initdb-", dir=self._home))
        self._give(fresh)
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--data-checksums", "--locale=C"]
        # The builtin provider sorts alike on every machine; libc and ICU do not.
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += [] if self._fsync else ["--no-sync"]
        maker = self._spawn(["initdb", "-D", self._name_for(fresh), *options], fresh, signal.SIGKILL)
        try:
            await lifeline.until(lambda: maker.poll() is not None, _INITDB_PATIENCE)
        finally:
            maker.kill()
            maker.wait()
        if maker.returncode != 0:
            raise Unavailable(f"the embedded Postgres could not be created: {self._last_words()}")
        os.rename(fresh, self._data)

    async def _launch(self) -> None:
        """Start the postmaster and return when it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": '"{}"'.format(self._name_for(self._sockets).replace('"', '""')),
            "unix_socket_permissions": "0700",
            "port": str(_PORT),
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "warning",
            "log_checkpoints": "off",
        }
        if not self._fsync:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        arguments = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        self._server = self._spawn(
            ["postgres", "-D", self._name_for(self._data), *arguments], self._data, lifeline.FAST
        )
        if lifeline.needs_guardian():
            self._guardian = lifeline.guardian(self._server.pid, lifeline.FAST)
        while True:
            if self._server.poll() is not None:
                raise Unavailable(f"the embedded Postgres did not start: {self._last_words()}")
            if lifeline.says_ready(self._data):
                try:
                    con = await asyncpg.connect(self.dsn, timeout=5)
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    _log.debug("embedded_postgres.not_yet")
                else:
                    await con.close()
                    return
            await asyncio.sleep(0.01)

    async def _keep_running(self) -> None:
        """Start the server again whenever it ends without being told to; give up when it never stays up."""
        failures, up_since = 0, time.monotonic()
        while not self._stopping:
            await asyncio.sleep(0.1)
            if self._server is not None and self._server.poll() is None:
                continue
            if time.monotonic() - up_since > _STEADY:
                failures = 0
            _log.error("embedded_postgres.died", returncode=self._server and self._server.returncode)
            while True:
                self._dismiss_guardian()
                # Children that have not yet noticed hold the shared memory.
                await lifeline.end_servers_on(self._data)
                try:
                    await self._launch()
                except Unavailable:
                    failures += 1
                    if failures >= _RESTARTS:
                        raise
                    await asyncio.sleep(min(0.2 * 2**failures, 10))
                else:
                    break
            failures += 1
            if failures >= _RESTARTS:
                raise Unavailable(f"the embedded Postgres keeps dying: {self._last_words()}")
            self.restarts += 1
            up_since = time.monotonic()
            _log.warning("embedded_postgres.restarted", pid=self.postmaster_pid, restarts=self.restarts)

    async def _end(self) -> None:
        self._dismiss_guardian()
        if self._server is not None:
            for ending, patience in lifeline.ENDINGS:
                if self._server.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        self._server.send_signal(ending)
                    await lifeline.until(lambda: self._server is None or self._server.poll() is not None, patience)
            self._server = None
        if self._lock is not None:
            (self._state / "postgres.json").unlink(missing_ok=True)
            _remove_short_folder(self._sockets)
            os.close(self._lock)
            self._lock = None

    def _spawn(self, command: list[str], cwd: Path, ending: signal.Signals) -> subprocess.Popen[bytes]:
        log = self._home / "server.log"
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
            try:
                return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # noqa: S603
                    [self._bin / command[0], *command[1:]],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=cwd,
                    env={"LC_ALL": "C", "PATH": os.defpath},  # no PG* variable of the caller has a say
                    preexec_fn=lifeline.end_with_parent(ending),
                    start_new_session=True,  # Ctrl-C reaches the daemon only, which ends the server in order
                    umask=0o077,
                    **self._account.popen_arguments(),
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise Unavailable(f"the embedded Postgres cannot be run: {error}") from error

    def _name_for(self, folder: Path) -> str:
        """How the server names its own working folder, or any other folder.

        As root the server runs as an account that may have no way down to the state folder (/root is 0700).
        Its working folder is set before the account is switched, and /proc/self/cwd leads there past every
        parent; so no folder of others is ever opened up.
        """
        if self._account.switched and folder.is_relative_to(self._home) and Path("/proc/self/cwd").exists():
            return "/proc/self/cwd"
        return str(folder)

    def _socket_folder(self) -> Path:
        # A comma separates hosts in a DSN.
        if len(os.fsencode(self._data / _SOCKET)) <= _LONGEST_SOCKET_PATH and "," not in str(self._data):
            return self._data
        short = Path(tempfile.mkdtemp(prefix=_SHORT, dir=_SHORT_PARENT))
        self._give(short)
        return short

    def _give(self, folder: Path) -> None:
        if self._account.switched:
            try:
                os.chown(folder, self._account.uid, self._account.gid)
            except OSError as error:
                raise Unavailable(
                    f"{folder.parent} does not let files change owner ({error.strerror}); set "
                    "NOTIFIER_STATE_DIR to a local folder, run as an ordinary user, or set "
                    "NOTIFIER_DATABASE_URL"
                ) from error

    def _publish(self) -> None:
        text = json.dumps({"dsn": self.dsn, "pid": os.getpid(), "sockets": str(self._sockets)})
        fresh = self._state / f".postgres.json.{os.getpid()}"
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.replace(self._state / "postgres.json")

    def _dismiss_guardian(self) -> None:
        if self._guardian is not None:
            lifeline.dismiss(self._guardian)
            self._guardian = None

    def _last_words(self) -> str:
        lines = (self._home / "server.log").read_text(errors="replace").splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"


def running_dsn(state_dir: Path) -> str | None:
    """The DSN of the server that some process runs for this state folder; None when none can be reached."""
    try:
        known = json.loads((state_dir / "postgres.json").read_text())
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(Path(known["sockets"]) / _SOCKET))
    except (OSError, ValueError, KeyError):
        return None
    return str(known["dsn"])


@contextlib.asynccontextmanager
async def joined_or_started(state_dir: Path, *, patience: float = 30.0) -> AsyncIterator[str]:
    """The DSN of this state folder's server: the one that runs already, or our own until the block ends.

    So `notifier token add` works beside a running `serve`, and without one. Raises Conflict when another
    process holds the state folder and its server does not answer within `patience` seconds.
    """
    deadline = time.monotonic() + patience
    async with contextlib.AsyncExitStack() as stack:
        while (dsn := running_dsn(state_dir)) is None:
            server = EmbeddedPostgres(state_dir)
            try:
                dsn = await server.start(patience=0)
            except Conflict:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                stack.push_async_callback(server.stop)
                break
        yield dsn


def _locked(lock: int) -> bool:
    """Take the lock if it is free. The kernel frees it when its holder is gone, however it went."""
    import fcntl  # there is none on Windows, where this module is still imported

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_short_folder(folder: Path) -> None:
    """Remove a socket folder that an EmbeddedPostgres made, and nothing else."""
    if folder.name.startswith(_SHORT) and folder.parent == _SHORT_PARENT and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
