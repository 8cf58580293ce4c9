"""Ties the life of a child process to ours, and finds what an earlier life left behind.

A daemon may end by `kill -9`; its server must not stay. On Linux the kernel sends the signal
(PR_SET_PDEATHSIG); elsewhere a small child of ours waits for the end of a pipe that only we hold open.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from notifier.errors import Unavailable

_PR_SET_PDEATHSIG = 1
_LINUX = sys.platform.startswith("linux")
# Postgres' names for its kinds of shutdown, and how many seconds each is given.
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT
ENDINGS = ((FAST, 20.0), (IMMEDIATE, 5.0), (signal.SIGKILL, 5.0))
_GUARDIAN = "import os, sys; sys.stdin.buffer.read(); os.kill(int(sys.argv[1]), int(sys.argv[2]))"


def end_with_parent(ending: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` that has the kernel send `ending` when we die; None where the kernel cannot.

    The kernel watches the thread that forks, not the process: call from a thread that lives as long.
    """
    if not _LINUX:
        return None
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork: the child must not take locks
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(ending))
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


def guardian(pid: int, ending: signal.Signals) -> subprocess.Popen[bytes]:
    """A child that sends `ending` to `pid` when we are gone; `dismiss` it before that process ends."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", "-c", _GUARDIAN, str(pid), str(int(ending))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def needs_guardian() -> bool:
    """Whether this platform needs the pipe instead of the kernel's own signal."""
    return not _LINUX


def dismiss(child: subprocess.Popen[bytes]) -> None:
    """End a guardian without letting it act: it must be gone before its pipe closes."""
    child.kill()
    child.wait()
    if child.stdin is not None:
        child.stdin.close()


def servers_on(data: Path) -> list[int]:
    """Process ids of every Postgres process that works on `data`, the postmaster or one of its children.

    `postmaster.pid` alone proves nothing: after a reboot its number may belong to any process. A Postgres
    process keeps its data folder as working folder, and that is what is looked at. Zombies have none, so they
    do not count.
    """
    if not data.is_dir():
        return []
    if not _LINUX:
        return _named_in_pid_file(data)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                program = os.readlink(entry / "exe").removesuffix(" (deleted)")
                if Path(program).name == "postgres" and (entry / "cwd").samefile(data):
                    found.append(int(entry.name))
    return found


async def end_servers_on(data: Path) -> None:
    """End every Postgres process on `data`: in order if its postmaster lives, else at once."""
    for ending, patience in ENDINGS:
        found = servers_on(data)
        if not found:
            return
        if ending == FAST:
            # A child takes SIGINT as "cancel the query", so only the postmaster gets it.
            found = [pid for pid in found if pid == recorded_pid(data)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, ending)
        if found and await until(lambda: not servers_on(data), patience):
            return
    raise Unavailable(f"a Postgres server on {data} does not end: processes {servers_on(data)}")


async def until(reached: Callable[[], bool], patience: float) -> bool:
    """Wait until `reached()`, looking often; False when `patience` seconds went by first."""
    deadline = time.monotonic() + patience
    while not reached():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def recorded_pid(data: Path) -> int | None:
    """The number in `postmaster.pid`, whoever has it by now; None when there is no such file."""
    try:
        return int((data / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def says_ready(data: Path) -> bool:
    """Whether the postmaster wrote that it accepts connections (line 8 of `postmaster.pid`)."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def _named_in_pid_file(data: Path) -> list[int]:
    pid = recorded_pid(data)
    if pid is None:
        return []
    listing = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return [pid] if "postgres" in listing.stdout and str(data) in listing.stdout else []
