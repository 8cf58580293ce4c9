"""What a name adds to the figures of now, so that they need no histories: counts, and how long things took.

Lengths are kept in bins, each with how many are in it and how much they are above its edge. A bin stands at the mean of
what is in it: one alone is exact, and many are within a sixteenth. What still runs is kept by the day it began, and by the
month for what began long ago; days are read in such bins too, the wider the longer ago.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from notifier.domain import figures
from notifier.domain.definitions import TIMES
from notifier.domain.figures import ACTS, CohortFigures, PeriodFigures
from notifier.domain.history import History, units
from notifier.domain.period import midnight
from notifier.domain.survival import Duration

UNITS, CASES, REPORTS = "units", "cases", "reports"  # of a cohort
FIRST_OPENED, OPENED, CLOSED = "flow/first_opened", "flow/opened", "flow/closed"  # by when it happened

_MICRO = timedelta(microseconds=1)
_SECOND = 1_000_000
_DAY = 24 * 3600 * _SECOND
_EXACT, _STEPS = 32, 16  # seconds up to 32 have a bin each, longer ones sixteen to an octave


class Group(NamedTuple):
    """Whom a number is of. `registry`: empty for none. `month`: its first day, of a cohort or of when it happened.

    `outcome` and `actor`: what became of it, or both empty, whatever became of it.
    """

    program: str
    registry: str
    month: date
    outcome: str
    actor: str


class Length(NamedTuple):
    """Of a time: `bin` of its seconds, and whether it happened then."""

    key: str
    happened: bool
    bin: int


class Running(NamedTuple):
    """Of a time that still runs: the day (UTC) on which it began; `coarse`: the month, and `day` its first."""

    key: str
    day: date
    coarse: bool


@dataclass(slots=True)
class Some:
    """How many, and the microseconds by which they are together above the edge of their bin, or the start of their day or
    month."""

    n: int = 0
    micros: int = 0

    def add(self, n: int, micros: int) -> None:
        self.n += n
        self.micros += micros


@dataclass(slots=True)
class Sums:
    """Numbers of one group."""

    counts: Counter[str] = field(default_factory=Counter)
    lengths: dict[Length, Some] = field(default_factory=dict)
    running: dict[Running, Some] = field(default_factory=dict)


@dataclass(slots=True)
class Added:
    """Numbers to be added; negative ones take away."""

    groups: dict[Group, Sums] = field(default_factory=dict)

    def add(self, histories: Sequence[History], reports: Mapping[str, int], sign: int = 1) -> None:
        """Every case of a name, as far as they are known; `reports`: by case, how many came in about it."""
        for unit in units(histories):
            self._cohort(unit, reports, sign)
        for history in histories:
            self._period(history, sign)

    def _cohort(self, unit: History, reports: Mapping[str, int], sign: int) -> None:
        cells = {UNITS: sign, CASES: sign * len(unit.case_ids)}
        for cell in figures.cells_of(unit):
            cells[cell] = cells.get(cell, 0) + sign
        if told := sum(reports.get(case_id, 0) for case_id in unit.case_ids):
            cells[REPORTS] = sign * told
        times = [(key, lasted) for key in TIMES if (lasted := figures.span(unit, key)) is not None]
        ended = [_ended(key, one.happened, one.begun, one.until) for key, one in times if one.until is not None]
        running = [kept for key, one in times if one.until is None for kept in _running(key, one.begun)]
        for sums in self._of(unit, unit.opened):
            for cell, n in cells.items():
                sums.counts[cell] += n
            for length, micros in ended:
                sums.lengths.setdefault(length, Some()).add(sign, sign * micros)
            for since, micros in running:
                sums.running.setdefault(since, Some()).add(sign, sign * micros)

    def _period(self, history: History, sign: int) -> None:
        self._happened(history, FIRST_OPENED, history.opened, sign)
        for spell in history.spells:
            self._happened(history, OPENED, spell.opened, sign)
            self._happened(history, CLOSED, spell.closed, sign)
        for key, name in ACTS.items():
            self._happened(history, f"act/{key}", getattr(history, name), sign)

    def _happened(self, history: History, cell: str, at: datetime | None, sign: int) -> None:
        if at is not None:
            for sums in self._of(history, at):
                sums.counts[cell] += sign

    def _of(self, history: History, at: datetime) -> Iterator[Sums]:
        month = at.astimezone(UTC).date().replace(day=1)
        for outcome, actor in (("", ""), figures.outcome_of(history)):
            group = Group(history.program, history.registry or "", month, outcome, actor)
            if (sums := self.groups.get(group)) is None:  # `setdefault` would make one in vain each time
                sums = self.groups[group] = Sums()
            yield sums


def _ended(key: str, happened: bool, begun: datetime, until: datetime) -> tuple[Length, int]:
    micros = max(0, (until - begun) // _MICRO)
    of = bin_of(micros // _SECOND)
    return Length(key, happened, of), micros - edge(of) * _SECOND


def _running(key: str, begun: datetime) -> Iterator[tuple[Running, int]]:
    day = midnight(begun)
    for start, coarse in ((day, False), (day.replace(day=1), True)):
        yield Running(key, start.date(), coarse), (begun - start) // _MICRO


def bin_of(seconds: int) -> int:
    """The bin of a length in whole seconds, 0 or more."""
    if seconds < _EXACT:
        return seconds
    octave = seconds.bit_length() - _STEPS.bit_length()
    return octave * _STEPS + (seconds >> octave)


def edge(of: int) -> int:
    """Seconds at which a bin begins."""
    if of < _EXACT:
        return of
    octave = of // _STEPS - 1
    return (of - octave * _STEPS) << octave


def ended(happened: bool, of: int, some: Some) -> Duration:
    """What is in a bin, at its mean."""
    return Duration((edge(of) * _SECOND + some.micros / some.n) / _SECOND, happened, some.n)


def running(some: Some, days: int, now: datetime) -> Duration:
    """What still runs, since the mean of when it began. `days`: how long before the day of `now`, of all of it together."""
    since = (now - midnight(now)) // _MICRO + (days * _DAY - some.micros) / some.n
    return Duration(max(0.0, since / _SECOND), False, some.n)


def aligned(lengths: Mapping[str, Iterable[Duration]]) -> dict[str, list[Duration]]:
    """Each at the edge of its bin, so that groups that are compared meet at the same times."""
    return {
        key: [Duration(float(edge(bin_of(int(length)))), happened, n) for length, happened, n in found]
        for key, found in lengths.items()
    }


def cohort(counts: Mapping[str, int], lengths: Mapping[str, Iterable[Duration]]) -> CohortFigures:
    """The figures of a cohort from what was added, of all groups in question together."""
    return figures.cohort_of(counts.get(UNITS, 0), counts.get(CASES, 0), counts, lengths)


def period(start: datetime, end: datetime, before: Mapping[str, int], counts: Mapping[str, int]) -> PeriodFigures:
    """The figures of a period from what happened in it, and before it."""
    standing = before.get(OPENED, 0) - before.get(CLOSED, 0)
    came, went = counts.get(OPENED, 0), counts.get(CLOSED, 0)
    flow = {"opened_before": standing, "opened_in": came, "closed_in": went, "open_at_end": standing + came - went}
    return figures.period_of(start, end, {**counts, **{f"flow/{key}": n for key, n in flow.items()}})
