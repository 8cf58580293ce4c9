"""Rounds that alternate between a bare limit and ours, their medians, and what each thing costs."""

import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 3

Rate = Callable[[int], Awaitable[float]]  # the round's number in, things a second out


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: medians of things a second, and the median of the rounds' own ratios."""

    what: str
    ours: float
    against: str
    bare: float
    ratio: float
    limit: str


@dataclass(frozen=True, slots=True)
class Rounds:
    """Rates of both sides by round."""

    ours: Sequence[float]
    bare: Sequence[float]

    def line(self, what: str, against: str, limit: str) -> Line:
        ratio = statistics.median(o / b for o, b in zip(self.ours, self.bare, strict=True))
        return Line(what, statistics.median(self.ours), against, statistics.median(self.bare), ratio, limit)


async def alternate(ours: Rate, bare: Rate, rounds: int = ROUNDS) -> Rounds:
    """Bare, ours, bare, ours: what slows the machine for a while slows both."""
    measured: list[tuple[float, float]] = []
    for number in range(rounds):
        limit = await bare(number)
        measured.append((await ours(number), limit))
    return Rounds([o for o, _ in measured], [b for _, b in measured])


class Costs:
    """CPU time by process, with its children. What is near 100 % of a core is the limit, for each here has one thread
    but Postgres. Milliseconds for each thing done stay much the same on a busy machine, which rates do not.

    `clients` is this process. Where /proc is missing (not Linux) that of the others is not known.
    """

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = roots
        self._spent = dict.fromkeys((*roots, "clients"), 0.0)
        self._taken = self._seconds = 0.0
        self._done = 0

    @contextmanager
    def of(self, count: int) -> Iterator[None]:
        """Around the doing of `count` things."""
        began, machine, before = time.perf_counter(), _machine_seconds(), self._now()
        yield
        spent = {name: seconds - before[name] for name, seconds in self._now().items()}
        self._seconds += time.perf_counter() - began
        self._taken += max(0.0, _machine_seconds() - machine - sum(spent.values()))
        self._done += count
        for name, seconds in spent.items():
            self._spent[name] += seconds

    def __str__(self) -> str:
        told = "; ".join(
            f"{name} {spent / self._done * 1000:.1f} ms each, {spent / self._seconds:.0%} of a core"
            for name, spent in sorted(self._spent.items(), key=lambda item: -item[1])
            if spent
        )
        taken = self._taken / self._seconds
        return told + (f"; others on this machine {taken:.0%}" if taken >= 0.1 else "")

    def _now(self) -> dict[str, float]:
        return {name: _cpu_seconds(pid) for name, pid in self._roots.items()} | {"clients": time.process_time()}


def _machine_seconds() -> float:
    """CPU time that the whole machine has spent on anything but idling and waiting for disks."""
    try:
        spent = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0.0
    return (sum(spent) - spent[3] - spent[4]) / os.sysconf("SC_CLK_TCK")


def _cpu_seconds(root: int) -> float:
    """User and system time of a process, its living children, and those it has waited for."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # The name in parentheses may hold spaces; fields count from behind it: state is 0, ppid 1, utime 11.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(entry.name) == root:
            total += sum(map(int, fields[11:15]))
        elif int(fields[1]) == root:
            total += sum(map(int, fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")
