"""What a name adds to the figures, so that they need no histories: counts, and how long things took.

Lengths are kept in bins, each with how many are in it and how much they are above its edge. A bin stands at the mean of
what is in it: one alone is exact, and many are within a sixteenth. What still runs is kept by the day on which it began, and
the longer ago that is, the more days are read as one: never more than a sixteenth of their age.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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

# How a time stands: it happened, we stopped waiting, or it runs since a day (or since one of so many days, for `GRAINS`).
HAPPENED, STOPPED, DAY, WEEK, FOUR_WEEKS = "happened", "stopped", "day", "week", "four_weeks"
GRAINS = {DAY: 1, WEEK: 7, FOUR_WEEKS: 28}

# What the cells `time/KEY/...` count.
HOWS = {"n": (HAPPENED, STOPPED, DAY), "events": (HAPPENED,), "censored": (STOPPED, DAY)}

_MICRO = timedelta(microseconds=1)
_SECOND = 1_000_000
_DAY = 24 * 3600 * _SECOND
_EXACT, _STEPS = 32, 16  # seconds (and days) up to 32 have a bin each, longer ones sixteen to an octave


class Group(NamedTuple):
    """Whom a number is of. `registry`: empty for none. `month`: its first day, of a cohort or of when it happened.

    `outcome` and `actor`: what became of it.
    """

    program: str
    registry: str
    month: date
    outcome: str
    actor: str


class Spent(NamedTuple):
    """Of a time: how it stands, and the bin of its seconds, or the ordinal of the day (UTC) on which it began."""

    key: str
    how: str
    at: int


class Some(NamedTuple):
    """How many, and the microseconds by which they are together above the edge of their bin, or the start of their day."""

    n: int
    micros: int

    def and_more(self, n: int, micros: int) -> "Some":
        return Some(self.n + n, self.micros + micros)


NONE = Some(0, 0)


@dataclass(slots=True)
class Sums:
    """Numbers of one group."""

    counts: Counter[str] = field(default_factory=Counter)
    times: dict[Spent, Some] = field(default_factory=dict)

    def put(self, spent: Spent, n: int, micros: int) -> None:
        self.times[spent] = self.times.get(spent, NONE).and_more(n, micros)

    def of_cell(self, cell: str) -> int:
        """How many a cell of `figures.cohort_cells` counts."""
        if not cell.startswith("time/"):
            return self.counts[cell]
        _, key, part = cell.split("/")
        return sum(some.n for spent, some in self.times.items() if spent.key == key and spent.how in HOWS[part])


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
        sums = self._of(unit, unit.opened, figures.outcome_of(unit))
        counts = sums.counts
        counts[UNITS] += sign
        counts[CASES] += sign * len(unit.case_ids)
        for cell in figures.cells_of(unit):
            counts[cell] += sign
        if told := sum(reports.get(case_id, 0) for case_id in unit.case_ids):
            counts[REPORTS] += sign * told
        for key in TIMES:
            if (lasted := figures.span(unit, key)) is not None:
                spent, micros = _spent(key, lasted)
                sums.put(spent, sign, sign * micros)

    def _period(self, history: History, sign: int) -> None:
        became = figures.outcome_of(history)
        happened: list[tuple[str, datetime | None]] = [(FIRST_OPENED, history.opened)]
        for spell in history.spells:
            happened += [(OPENED, spell.opened), (CLOSED, spell.closed)]
        happened += [(f"act/{key}", getattr(history, name)) for key, name in ACTS.items()]
        for cell, at in happened:
            if at is not None:
                self._of(history, at, became).counts[cell] += sign

    def _of(self, history: History, at: datetime, became: tuple[str, str]) -> Sums:
        month = at.astimezone(UTC).date().replace(day=1)
        group = Group(history.program, history.registry or "", month, *became)
        if (sums := self.groups.get(group)) is None:  # `setdefault` would make one in vain each time
            sums = self.groups[group] = Sums()
        return sums


def _spent(key: str, lasted: figures.Lasted) -> tuple[Spent, int]:
    """How a time stands, and by how many microseconds it is above its edge."""
    if lasted.until is None:
        day = midnight(lasted.begun)
        return Spent(key, DAY, day.toordinal()), (lasted.begun - day) // _MICRO
    micros = max(0, (lasted.until - lasted.begun) // _MICRO)
    of = bin_of(micros // _SECOND)
    return Spent(key, HAPPENED if lasted.happened else STOPPED, of), micros - edge(of) * _SECOND


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


# --- what still runs ------------------------------------------------------------------------------------------------


def grains(spent: Spent, some: Some) -> Iterable[tuple[Spent, Some]]:
    """What began on a day, also as of its week and of its four weeks; anything else as it is."""
    if spent.how != DAY:
        return [(spent, some)]
    return [
        (Spent(spent.key, how, spent.at - spent.at % days), some.and_more(0, some.n * (spent.at % days) * _DAY))
        for how, days in GRAINS.items()
    ]


def ages(now: datetime) -> Mapping[str, tuple[int, int]]:
    """From which to which ordinal, not including it, each of `GRAINS` is read: so many days are a sixteenth of their age."""
    today = now.astimezone(UTC).toordinal()
    weeks, fours = (today + 1 - _STEPS * days for days in (GRAINS[WEEK], GRAINS[FOUR_WEEKS]))
    fours -= fours % GRAINS[FOUR_WEEKS]
    weeks -= weeks % GRAINS[WEEK]
    return {FOUR_WEEKS: (0, fours), WEEK: (fours, weeks), DAY: (weeks, date.max.toordinal())}


def durations(times: Mapping[tuple[str, str, int], tuple[int, int]], now: datetime) -> dict[str, list[Duration]]:
    """By time, how long it took, or has taken until now; a day is read as a length is, in bins. Of `Spent` and `Some`."""
    found: dict[str, list[Duration]] = {}
    running: dict[tuple[str, str, int], tuple[int, int, int]] = {}
    now = now.astimezone(UTC)
    today = now.toordinal()
    for (key, how, at), (n, micros) in times.items():
        if not n:
            continue
        if how in GRAINS:
            age = today - at
            kept = (key, how, bin_of(max(0, age)) if how == DAY else at)  # weeks are a sixteenth already
            more, above, days = running.get(kept, _NONE)
            running[kept] = more + n, above + micros, days + n * age
        else:
            lasted = Duration((edge(at) * _SECOND + micros / n) / _SECOND, how == HAPPENED, n)
            found.setdefault(key, []).append(lasted)
    passed = (now - midnight(now)) // _MICRO  # of today
    for (key, _, _), (n, micros, days) in running.items():
        # Since the mean of when they began.
        since = max(0.0, (passed + (days * _DAY - micros) / n) / _SECOND)
        found.setdefault(key, []).append(Duration(since, False, n))
    return found


_NONE = (0, 0, 0)


# --- figures --------------------------------------------------------------------------------------------------------


def aligned(lengths: Mapping[str, Iterable[Duration]]) -> dict[str, list[Duration]]:
    """Each at the edge of its bin, so that groups that are compared meet at the same times."""
    return {
        key: [Duration(float(_at_edge(int(length))), happened, n) for length, happened, n in found]
        for key, found in lengths.items()
    }


def _at_edge(seconds: int) -> int:
    """`edge(bin_of(seconds))`, of very many."""
    octave = seconds.bit_length() - _EXACT.bit_length() + 1
    return seconds >> octave << octave if octave > 0 else seconds


def cohort(counts: Mapping[str, int], lengths: Mapping[str, Iterable[Duration]]) -> CohortFigures:
    """The figures of a cohort from what was added, of all groups in question together."""
    return figures.cohort_of(counts.get(UNITS, 0), counts.get(CASES, 0), counts, lengths)


def period(start: datetime, end: datetime, before: Mapping[str, int], counts: Mapping[str, int]) -> PeriodFigures:
    """The figures of a period from what happened in it, and before it."""
    standing = before.get(OPENED, 0) - before.get(CLOSED, 0)
    came, went = counts.get(OPENED, 0), counts.get(CLOSED, 0)
    flow = {"opened_before": standing, "opened_in": came, "closed_in": went, "open_at_end": standing + came - went}
    return figures.period_of(start, end, {**counts, **{f"flow/{key}": n for key, n in flow.items()}})
