"""What a name adds to the figures, so that they need no histories: counts, and how long things took.

Lengths are kept in bins, each with how many are in it and how much they are above its edge. A bin stands at the mean of
what is in it: one alone is exact, and many are within a sixteenth. What still runs is kept by the day on which it began, and
the longer ago that is, the more days are read as one: never more than a sixteenth of their age.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import accumulate
from operator import add as plus
from typing import NamedTuple

from notifier.domain import figures
from notifier.domain.definitions import TIMES
from notifier.domain.figures import ACTS, CohortFigures, PeriodFigures, TimeTo
from notifier.domain.history import History, units
from notifier.domain.numbers import CASES, Part, Tally
from notifier.domain.period import MICRO, midnight

UNITS, REPORTS = "units", "reports"  # of a cohort
FIRST_OPENED, OPENED, CLOSED = "flow/first_opened", "flow/opened", "flow/closed"  # of a period

# What each number of a period counts: how often what happened before it, and before its end, is in it.
COUNTED: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "flow/opened_before": {OPENED: (1, 0), CLOSED: (-1, 0)},
    "flow/opened_in": {OPENED: (-1, 1)},
    "flow/closed_in": {CLOSED: (-1, 1)},
    "flow/open_at_end": {OPENED: (0, 1), CLOSED: (0, -1)},
    **{f"act/{key}": {f"act/{key}": (-1, 1)} for key in ACTS},
}

# How a time stands: it happened, we stopped waiting, or it runs since a day (or since one of so many days, for `GRAINS`).
HAPPENED, STOPPED, DAY, WEEK, FOUR_WEEKS = "happened", "stopped", "day", "week", "four_weeks"
GRAINS = {DAY: 1, WEEK: 7, FOUR_WEEKS: 28}

# What the cells `time/KEY/...` count.
HOWS = {"n": (HAPPENED, STOPPED, DAY), "events": (HAPPENED,), "censored": (STOPPED, DAY)}
_CELLS = {
    (key, how): [f"time/{key}/{part}" for part, hows in HOWS.items() if how in hows]
    for key in TIMES
    for how in HOWS["n"]
}

_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))

SECOND = 1_000_000
DAY_LONG = 24 * 3600 * SECOND
EXACT, STEPS = 32, 16  # seconds (and days) up to 32 have a bin each, longer ones sixteen to an octave


class Group(NamedTuple):
    """Whom a number is of. `registry`: empty for none. `opened`: the first day of the month in which it was, or the day.

    `outcome` and `actor`: what became of it.
    """

    program: str
    registry: str
    opened: date
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


@dataclass(slots=True)
class Sums:
    """Numbers of one group: of its units, and what happened to its cases on which day (`CELL@YYYY-MM-DD`)."""

    counts: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    times: dict[Spent, Some] = field(default_factory=dict)

    def put(self, spent: Spent, n: int, micros: int) -> None:
        before = self.times.get(spent)
        self.times[spent] = Some(n, micros) if before is None else Some(before[0] + n, before[1] + micros)

    def of_cell(self, cell: str) -> int:
        """How many a cell of `figures.cohort_cells` counts."""
        if not cell.startswith("time/"):
            return self.counts[cell]
        _, key, part = cell.split("/")
        return sum(some.n for spent, some in self.times.items() if spent.key == key and spent.how in HOWS[part])

    def happened_before(self, cell: str, day: date) -> int:
        """To how many it happened before the day."""
        low, high = f"{cell}@", on_day(cell, day)
        return sum(n for one, n in self.happened.items() if low < one < high)

    def happened_in_month(self, day: date) -> Counter[str]:
        """What happened in the month of the day, before the day."""
        low, high = on_day("", day.replace(day=1))[1:], on_day("", day)[1:]
        return Counter({cell: n for cell, n in self.happened.items() if low <= cell[-10:] < high})


class _Unit(NamedTuple):
    """Where a unit counts, and its times with the microseconds by which each is above its edge."""

    group: Group
    case_ids: tuple[str, ...]
    reports: int
    cells: Sequence[str]
    times: Sequence[tuple[Spent, int]]


class Told(NamedTuple):
    """What a name adds, told once: it is added here, and may be taken away there. `cases`: by group, what happened to each."""

    units: Sequence[_Unit]
    cases: Sequence[tuple[Group, Sequence[str]]]


def told_by(histories: Sequence[History], reports: Mapping[str, int]) -> Told:
    """By every case of a name, as far as they are known; `reports`: by case, how many came in about it."""
    return Told([_unit(unit, reports) for unit in units(histories)], [_happened(history) for history in histories])


def _unit(unit: History, reports: Mapping[str, int]) -> _Unit:
    return _Unit(
        _group(unit),
        unit.case_ids,
        sum(reports.get(case_id, 0) for case_id in unit.case_ids),
        figures.cells_of(unit),
        [_spent(*span) for span in figures.spans(unit)],
    )


def _happened(history: History, start: datetime = _EVER[0], end: datetime = _EVER[1]) -> tuple[Group, Sequence[str]]:
    happened: list[tuple[str, datetime | None]] = [(FIRST_OPENED, history.opened)]
    for spell in history.spells:
        happened += [(OPENED, spell.opened), (CLOSED, spell.closed)]
    happened += [(f"act/{key}", getattr(history, name)) for key, name in ACTS.items()]
    return _by_month(_group(history)), [
        on_day(cell, at) for cell, at in happened if at is not None and start <= at < end
    ]


@dataclass(slots=True)
class Added:
    """Numbers to be added; negative ones take away. `groups`: by the month of opening; `days`: of units, by the day of it.
    `parts`: which units each number counts; None: it is not asked for."""

    groups: dict[Group, Sums] = field(default_factory=dict)
    days: dict[Group, Sums] = field(default_factory=dict)
    parts: dict[Part, Tally] | None = None

    def add(self, told: Told, sign: int = 1) -> None:
        """What a name adds; -1 takes it away."""
        for unit in told.units:
            self._add_unit(unit, sign)
        for group, happened in told.cases:
            self._add_case(group, happened, sign)

    def add_units(
        self, histories: Sequence[History], reports: Mapping[str, int], start: datetime, end: datetime
    ) -> None:
        """Of the cases of a name, those units that were opened from `start` to before `end`."""
        for unit in units(histories):
            if start <= unit.opened < end:
                self._add_unit(_unit(unit, reports), 1)

    def add_happened(self, histories: Sequence[History], start: datetime, end: datetime) -> None:
        """What happened to cases from `start` to before `end`."""
        for history in histories:
            self._add_case(*_happened(history, start, end), 1)

    def _add_unit(self, unit: _Unit, sign: int) -> None:
        month = _by_month(unit.group)
        if self.parts is not None:
            cells = [*unit.cells, *(cell for spent, _ in unit.times for cell in _CELLS[spent.key, spent.how])]
            part = Part(month.program, month.registry, month.opened)
            self.parts.setdefault(part, Tally()).add(unit.case_ids, cells, sign)
        for sums in (_of(self.groups, month), _of(self.days, unit.group)):
            counts = sums.counts
            counts[UNITS] += sign
            counts[CASES] += sign * len(unit.case_ids)
            for cell in unit.cells:
                counts[cell] += sign
            if unit.reports:
                counts[REPORTS] += sign * unit.reports
            for spent, micros in unit.times:
                sums.put(spent, sign, sign * micros)

    def _add_case(self, group: Group, happened: Sequence[str], sign: int) -> None:
        counts = _of(self.groups, group).happened
        for cell in happened:
            counts[cell] += sign


def _of(groups: dict[Group, Sums], group: Group) -> Sums:
    if (sums := groups.get(group)) is None:  # `setdefault` would make one in vain each time
        sums = groups[group] = Sums()
    return sums


def _group(history: History) -> Group:
    day = history.opened.astimezone(UTC).date()
    return Group(history.program, history.registry or "", day, *figures.outcome_of(history))


def _by_month(group: Group) -> Group:
    return group._replace(opened=group.opened.replace(day=1))


def on_day(cell: str, at: date) -> str:
    """What happened on a day (UTC)."""
    at = at.astimezone(UTC) if isinstance(at, datetime) else at
    return f"{cell}@{at.year:04}-{at.month:02}-{at.day:02}"


def in_months(happened: Mapping[str, int]) -> Counter[str]:
    """The same by month: `CELL@YYYY-MM`."""
    found: Counter[str] = Counter()
    for cell, n in happened.items():
        found[cell[:-3]] += n
    return found


def _spent(key: str, begun: datetime, until: datetime | None, happened: bool) -> tuple[Spent, int]:
    """How a time stands, and by how many microseconds it is above its edge."""
    if until is None:
        day = midnight(begun)
        return Spent(key, DAY, day.toordinal()), (begun - day) // MICRO
    micros = max(0, (until - begun) // MICRO)
    of = bin_of(micros // SECOND)
    return Spent(key, HAPPENED if happened else STOPPED, of), micros - edge(of) * SECOND


def bin_of(seconds: int) -> int:
    """The bin of a length in whole seconds, 0 or more."""
    if seconds < EXACT:
        return seconds
    octave = seconds.bit_length() - STEPS.bit_length()
    return octave * STEPS + (seconds >> octave)


def edge(of: int) -> int:
    """Seconds at which a bin begins."""
    if of < EXACT:
        return of
    octave = of // STEPS - 1
    return (of - octave * STEPS) << octave


# --- what still runs ------------------------------------------------------------------------------------------------


def grains(spent: Spent, some: Some) -> Iterable[tuple[Spent, Some]]:
    """What began on a day, also as of its week and of its four weeks; anything else as it is."""
    if spent.how != DAY:
        return [(spent, some)]
    return [
        (
            Spent(spent.key, how, spent.at - spent.at % days),
            Some(some.n, some.micros + some.n * (spent.at % days) * DAY_LONG),
        )
        for how, days in GRAINS.items()
    ]


def ages(now: datetime) -> Mapping[str, tuple[int, int]]:
    """From which to which ordinal, not including it, each of `GRAINS` is read: so many days are a sixteenth of their age."""
    today = now.astimezone(UTC).toordinal()
    weeks, fours = (today + 1 - STEPS * days for days in (GRAINS[WEEK], GRAINS[FOUR_WEEKS]))
    fours -= fours % GRAINS[FOUR_WEEKS]
    weeks -= weeks % GRAINS[WEEK]
    return {FOUR_WEEKS: (0, fours), WEEK: (fours, weeks), DAY: (weeks, date.max.toordinal())}


# --- figures --------------------------------------------------------------------------------------------------------


def cohort(counts: Mapping[str, int], times: Mapping[str, TimeTo]) -> CohortFigures:
    """The figures of a cohort from what was added, of all groups in question together."""
    return figures.cohort_of(counts.get(UNITS, 0), counts.get(CASES, 0), counts, times)


def period(start: datetime, end: datetime, before: Mapping[str, int], until: Mapping[str, int]) -> PeriodFigures:
    """The figures of a period from what happened before it, and before its end."""
    counts = {
        figure: sum(early * before.get(cell, 0) + late * until.get(cell, 0) for cell, (early, late) in cells.items())
        for figure, cells in COUNTED.items()
    }
    return figures.period_of(start, end, counts)


class Happened:
    """What happened to the cases of a part, by month; and before some instants within a month."""

    def __init__(self, cells: Mapping[str, int]) -> None:
        months: dict[str, Counter[str]] = {}
        for cell, n in cells.items():
            of, _, month = cell.rpartition("@")
            months.setdefault(month, Counter())[of] += n
        self.months = dict(sorted(months.items()))
        self._names = list(self.months)
        self._sums = list(accumulate(self.months.values(), plus, initial=Counter[str]()))
        self._known: dict[datetime, Counter[str]] = {}

    def know(self, at: datetime, day: date, cells: Mapping[str, int]) -> None:
        """What happened before an instant, and not before the month of the day (`CELL@YYYY-MM-DD`)."""
        found = Counter(self._before(day))
        for cell, n in cells.items():
            found[cell.rpartition("@")[0]] += n
        self._known[at] = found

    def before(self, at: datetime) -> Counter[str]:
        """Before the beginning of a month, or an instant that is known."""
        return self._known[at] if at in self._known else self._before(at)

    def _before(self, day: date) -> Counter[str]:
        return self._sums[bisect_left(self._names, day.isoformat()[:7])]
