"""Figures from what was added up beforehand: of now, and as they stood. What this cannot answer, the histories do."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from notifier.domain import figures, lengths, rollup
from notifier.domain.definitions import VERSION
from notifier.domain.figures import PeriodFigures
from notifier.domain.history import Change, History, fold, units
from notifier.domain.lengths import Row, Times
from notifier.domain.period import midnight, month_after
from notifier.domain.rollup import Added, Group, Sums
from notifier.domain.survival import LogRank
from notifier.services import counted, grants, rolling, statistics, stretching
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.counted import CountedPage
from notifier.services.statistics import COMPARED, UNITS, WHOLE, Query, Slice, Statistics
from notifier.store import rollups, stretches, sums, transitions
from notifier.store.database import Connection
from notifier.store.sums import Asked, Counts, Range

_MICRO = timedelta(microseconds=1)
_LITTLE, _TRIES, _PAUSE_S = 500, 8, 0.03

T = TypeVar("T")


async def summed(ctx: Context, who: Principal, query: Query) -> Statistics:
    """The answer to a question of whole months (UTC), quickly: of now, or as of an instant after the first stretch.

    Counts are exact; times are within a sixteenth, and exact where few had them. `case_list` is None. Without an instant,
    everything that was known at the answer's `as_of` is in it, and how many reports came in. A question of parts of months,
    or of who may not see small numbers, is answered by `statistics`, and raises as that does.
    """
    months = _whole_months(query)
    found = None
    if months is not None:
        find = _now if query.as_of is None else _as_of
        found = await find(ctx, who, query, months, lambda asked: _answer(ctx, asked))
    if found is not None:
        return found
    return await statistics.statistics(ctx, who, query, reports=query.as_of is None and query.basis == "cohort")


async def cases(
    ctx: Context, who: Principal, query: Query, cell: str, *, limit: int = 50, cursor: str | None = None
) -> CountedPage:
    """What a number counts, as `statistics.cases` has it and raises: of whole months from the few histories that a page
    needs."""
    months = _whole_months(query)
    if months is not None:
        as_of, offset = counted.begin(query.as_of, limit, cursor)
        asked = replace(query, as_of=as_of)
        found = await _as_of(ctx, who, asked, months, lambda stood: _counted(stood, cell, offset, limit))
        if found is not None:
            return await counted.of_units(ctx, found.as_of, found.names, cell, found.n, found.page, offset + limit)
    return await statistics.cases(ctx, who, query, cell, limit=limit, cursor=cursor)


async def registries(ctx: Context, who: Principal, more: Iterable[str] = ()) -> list[str]:
    """Registries to choose from: those of the cases in the reader's reach, and `more`.

    All that are configured where there are no cases, or where it would tell a small number that there is one.
    """
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        programs = await grants.programs_seen(ctx, con, who, now)
        below = await grants.suppress_below(ctx, con, who, programs, now)
        found = set() if below or not (await rollups.state(con)).whole else await sums.registries(con, sorted(programs))
    return sorted(found | (set(more) & set(ctx.catalog.registries)) if found else ctx.catalog.registries)


async def _now(
    ctx: Context, who: Principal, query: Query, months: Range, answer: "Callable[[_Asked], Awaitable[T]]"
) -> T | None:
    """None: not all of it is added up yet, or small numbers are kept back."""
    now = await _caught_up(ctx)
    async with ctx.db.pool.acquire() as con, con.transaction(isolation="repeatable_read", readonly=True):
        programs = await statistics.asked_about(ctx, con, who, query, now)
        below = await grants.suppress_below(ctx, con, who, programs, now)
        state = await rollups.state(con)
        if below or not state.whole or state.definitions != VERSION:
            return None
        as_of = now if state.behind is None else min(now, state.behind - _MICRO)
        return await answer(_Asked(con, replace(query, as_of=as_of), programs, months, now))


async def _as_of(
    ctx: Context, who: Principal, query: Query, months: Range, answer: "Callable[[_Asked], Awaitable[T]]"
) -> T | None:
    """None: no stretch ends near it, or small numbers are kept back."""
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        programs = await statistics.asked_about(ctx, con, who, query, now)
        if await grants.suppress_below(ctx, con, who, programs, now):
            return None
        at = await statistics.closed_instant(con, query, now)
        async with con.transaction(isolation="repeatable_read", readonly=True):
            end = await stretches.nearest(con, at)
            if end is None or (await rollups.state(con)).definitions != VERSION:
                return None
            (more,) = await stretching.between(con, min(end, at), [max(end, at)])
            stood = _Stood(await stretches.up_to(con, end), more, 1 if end <= at else -1)
            return await answer(_Asked(con, replace(query, as_of=at), programs, months, at, stood))


async def _caught_up(ctx: Context) -> datetime:
    """Add up the little that waits, so that who did something sees it. The instant behind which whatever comes is recorded."""
    async with ctx.db.pool.acquire() as con:
        now = await transitions.newest_instant(con, await ctx.db.clock.now())
        async with con.transaction():
            await transitions.hold_horizon(con, now)
    for _ in range(_TRIES):
        async with ctx.db.pool.acquire() as con:
            state = await rollups.state(con)
        if state.waiting > _LITTLE or (state.whole and not state.waiting):
            break
        if not await rolling.roll(ctx):  # another process is at it
            await asyncio.sleep(_PAUSE_S)
    return now


def _whole_months(query: Query) -> Range | None:
    """The months that are asked about; None where a bound is not the first instant of one."""
    start = sums.FIRST if query.start is None else _first_day(query.start)
    end = sums.LAST if query.end is None else _first_day(query.end)
    return Range(start, end) if start is not None and end is not None else None


def _first_day(at: datetime) -> date | None:
    return at.astimezone(UTC).date() if at == midnight(at).replace(day=1) else None


@dataclass(frozen=True, slots=True)
class _Stood:
    """Stretches whose sum is what was known at the end of the last, and how much more, or with `sign` less, it was then."""

    stretches: Sequence[tuple[int, datetime]]
    added: Added
    sign: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question of whole months, over one view of the tables. `programs`: and whether names are shown.

    `now`: the instant up to which what runs has run. `stood` None: of now.
    """

    con: Connection
    query: Query
    programs: Mapping[str, bool]
    months: Range
    now: datetime
    stood: _Stood | None = None

    def _of(self, months: Range, by: str | None) -> Asked:
        told = self.stood.stretches if self.stood else None
        return Asked(sorted(self.programs), self.query.registry, months, by, told)

    def _more(self, asked: Asked) -> Iterator[tuple[str, Sums, int]]:
        """What is to be added to the stretches, with its part and its sign; nothing of now."""
        if self.stood:
            for group, more in self.stood.added.groups.items():
                if (part := asked.part_of(group)) is not None:
                    yield part, more, self.stood.sign

    async def counts(self, by: str | None = None) -> Counts:
        """Of units, by when they were opened."""
        asked = self._of(self.months, by)
        return self._and_more(await sums.counts(self.con, asked), asked, lambda more: more.counts)

    async def happened(self, by: str | None = None) -> dict[str, dict[str, Counter[str]]]:
        """By part and month, what happened to cases, whenever they were opened."""
        asked = self._of(Range(), by)
        found = self._and_more(await sums.happened(self.con, asked), asked, lambda more: more.happened)
        return {part: rollup.by_month(of) for part, of in found.items()}

    def _and_more(self, found: Counts, asked: Asked, which: Callable[[Sums], Counter[str]]) -> Counts:
        for part, more, sign in self._more(asked):
            of = found.setdefault(part, Counter())
            for cell, n in which(more).items():
                of[cell] += sign * n
        return {
            part: Counter({cell: n for cell, n in of.items() if n}) for part, of in found.items() if any(of.values())
        }

    async def times(self, by: str | None = None) -> dict[str, Times]:
        asked = self._of(self.months, by)
        rows = await sums.times(self.con, asked, self.now)
        if self.stood is None:
            return lengths.read(rows, self.now, rollup.ages(self.now))
        for part, more, sign in self._more(asked):
            rows += [
                Row(part, spent.key, spent.how, [spent.at], [sign * some.n], [sign * some.micros])
                for spent, some in more.times.items()
            ]
        return lengths.read(rows, self.now)

    async def groups(self, cell: str) -> Counter[Group]:
        """How many units of each group a cell of a cohort counts; as it stood."""
        asked = self._of(self.months, None)
        return self._with_more(await sums.of_cell(self.con, asked, cell), asked, lambda more: more.of_cell(cell))

    async def groups_of(self, cell: str, months: Range) -> Counter[Group]:
        """To how many cases of each group it happened in these months; as it stood."""
        asked = self._of(Range(), None)
        found = await sums.of_happened(self.con, asked, cell, months)
        return self._with_more(found, asked, lambda more: more.happened_in(cell, months.start, months.end))

    def _with_more(self, found: Counter[Group], asked: Asked, which: Callable[[Sums], int]) -> Counter[Group]:
        assert self.stood is not None
        for group, more in self.stood.added.groups.items():
            if asked.part_of(group) is not None:
                found[group] += self.stood.sign * which(more)
        return Counter({group: n for group, n in found.items() if n})


async def _answer(ctx: Context, asked: _Asked) -> Statistics:
    if asked.query.basis == "period":
        return await _period(ctx, asked)
    counts, times = (await asked.counts()).get("", Counter()), (await asked.times()).get("", Times())
    slices: list[Slice] = []
    comparisons: Mapping[str, LogRank] = {}
    if asked.query.by is not None:
        counts_of, times_of = await asked.counts(asked.query.by), await asked.times(asked.query.by)
        parts = sorted(part for part, cells in counts_of.items() if cells.get(rollup.UNITS))
        slices = [Slice(part, rollup.cohort(counts_of[part], times_of.get(part, Times())), None) for part in parts]
        if asked.query.by in COMPARED and len(parts) > 1:
            comparisons = lengths.compared([times_of.get(part, Times()) for part in parts])
    whole = Slice(WHOLE, rollup.cohort(counts, times), None)
    found = _statistics(ctx, asked, whole, slices, counts[rollup.CASES])
    return replace(found, comparisons=comparisons, reports=None if asked.stood else counts[rollup.REPORTS])


async def _period(ctx: Context, asked: _Asked) -> Statistics:
    """A period without a beginning begins with the month in which the first case was opened."""
    query, since, until = asked.query, *(f"{bound:%Y-%m}" for bound in (asked.months.start, asked.months.end))
    by = None if query.by == "month" else query.by
    parts = await asked.happened(by)
    months = _sum_of(parts.values())
    opened = [month for month, cells in months.items() if cells[rollup.FIRST_OPENED]]
    end = query.end or asked.now + _MICRO
    start = query.start or min(end, datetime.fromisoformat(f"{min(opened)}-01T00:00:00+00:00") if opened else end)

    def figures_of(of: Mapping[str, Counter[str]]) -> PeriodFigures:
        before = _sum(cells for month, cells in of.items() if month < since)
        return rollup.period(start, end, before, _sum(cells for month, cells in of.items() if since <= month < until))

    slices: list[Slice] = []
    if query.by == "month":
        standing = _sum(cells for month, cells in months.items() if month < since)
        for key, begins, ends in statistics.months(start, end):
            within = months.get(key, Counter())
            slices.append(Slice(key, None, rollup.period(begins, ends, standing, within)))
            standing.update(within)
    elif by is not None:
        slices = [Slice(part, None, figures_of(of)) for part, of in sorted(parts.items()) if min(of) < until]
    asked = replace(asked, query=replace(query, start=start, end=end))
    cases = sum(cells[rollup.FIRST_OPENED] for cells in months.values())
    return _statistics(ctx, asked, Slice(WHOLE, None, figures_of(months)), slices, cases)


def _sum(found: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for cells in found:
        total.update(cells)
    return total


def _sum_of(parts: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, Counter[str]]:
    """By month, over all parts."""
    total: dict[str, Counter[str]] = {}
    for of in parts:
        for month, cells in of.items():
            total.setdefault(month, Counter()).update(cells)
    return total


def _statistics(ctx: Context, asked: _Asked, whole: Slice, slices: Sequence[Slice], cases: int) -> Statistics:
    return Statistics(
        query=asked.query,
        as_of=asked.query.as_of or asked.now,
        simulated=ctx.settings.simulated,
        unit=UNITS[asked.query.basis],
        definitions=VERSION,
        whole=whole,
        slices=slices,
        comparisons={},
        cases=cases,
        case_list=None,
        programs={program: ctx.program(program).digest for program in sorted(asked.programs)},
    )


# --- what a number counts -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Page:
    """Of the `n` that a number counts as of an instant, some; and what `_Asked` says of names."""

    as_of: datetime
    names: Mapping[str, bool]
    n: int
    page: Sequence[History]


async def _counted(asked: _Asked, cell: str, offset: int, limit: int) -> _Page:
    """Of the groups that have it, only those that reach into the page are read."""
    key, _, figure = cell.partition("/")
    find = _in_cohort if asked.query.basis == "cohort" else _in_period
    n_of, counted_of = await find(asked, key, figure)
    page: list[History] = []
    passed = 0
    for month, program, registry in sorted(n_of):
        n, passed = n_of[month, program, registry], passed + n_of[month, program, registry]
        if passed <= offset:
            continue
        if passed - n >= offset + limit:
            break
        start = datetime(month.year, month.month, 1, tzinfo=UTC)
        end = month_after(start)
        changes = await transitions.changes(asked.con, asked.now, [program], registry, (start, end))
        found = await asyncio.to_thread(counted_of, list(changes.values()), start, end)
        page += found[max(0, offset - passed + n) :]
    return _Page(asked.now, asked.programs, n_of.total(), page[:limit])


_Listed = Counter[tuple[date, str, str]]  # of a month of opening, a program and a registry
# What is counted of the cases of one, in the order of the list.
_Found = Callable[[Sequence[Sequence[Change]], datetime, datetime], list[History]]


def _in_slice(asked: _Asked, key: str, found: Mapping[Group, int]) -> _Listed:
    by = asked.query.by
    of = asked._of(Range(), by)
    told: _Listed = Counter()
    for group, n in found.items():
        if key == WHOLE or (by is not None and of.part_of(group) == key):
            told[group.month, group.program, group.registry] += n
    return told


async def _in_cohort(asked: _Asked, key: str, figure: str) -> tuple[_Listed, _Found]:
    known = figure in figures.ALWAYS or figure.partition("/")[0] in _SOMETIMES
    n_of = _in_slice(asked, key, await asked.groups(figure)) if known else Counter()
    if not n_of:
        other = figures.shown_with(figure)
        if other is None or not (
            (key == WHOLE and figure in figures.ALWAYS) or _in_slice(asked, key, await asked.groups(other))
        ):
            raise statistics.no_such_cell(f"{key}/{figure}")
    by = asked.query.by

    def counted_of(cases: Sequence[Sequence[Change]], start: datetime, end: datetime) -> list[History]:
        found = [unit for unit in units(fold(changes) for changes in cases) if start <= unit.opened < end]
        mine = [unit for unit in found if key == WHOLE or (by is not None and statistics.key_of(by, unit) == key)]
        return figures.cohort_cells(sorted(mine, key=statistics.listing))[figure]

    return n_of, counted_of


_SOMETIMES = {"outcome", "claim", "party", "work"}  # cells that are there only where something is in them


async def _in_period(asked: _Asked, key: str, figure: str) -> tuple[_Listed, _Found]:
    if figure not in rollup.COUNTED_IN:
        raise statistics.no_such_cell(f"{key}/{figure}")
    by, months, part = asked.query.by, asked.months, key
    if by == "month" and key != WHOLE:
        months, part = await _month_of(asked, key), WHOLE
    spans = {rollup.BEFORE: Range(sums.FIRST, months.start), rollup.UNTIL: Range(sums.FIRST, months.end)}
    n_of: _Listed = Counter()
    for cell, sign in rollup.COUNTED_IN[figure].items():
        found = await asked.groups_of(cell, spans.get(rollup.MONTHS_OF.get(figure, rollup.WITHIN), months))
        for group, n in _in_slice(asked, part, found).items():
            n_of[group] += sign * n
    n_of = +n_of
    if not n_of and part != WHOLE:
        known = await asked.groups_of(rollup.FIRST_OPENED, Range(sums.FIRST, months.end))
        if not _in_slice(asked, part, known):
            raise statistics.no_such_cell(f"{key}/{figure}")
    since = datetime(months.start.year, months.start.month, 1, tzinfo=UTC)
    until = (
        asked.now + _MICRO if months.end == sums.LAST else datetime(months.end.year, months.end.month, 1, tzinfo=UTC)
    )

    def counted_of(cases: Sequence[Sequence[Change]], start: datetime, end: datetime) -> list[History]:
        found = [case for case in map(fold, cases) if start <= case.opened < end]
        mine = [case for case in found if part == WHOLE or (by is not None and statistics.key_of(by, case) == part)]
        return figures.period_cells(sorted(mine, key=statistics.listing), since, until)[figure]

    return n_of, counted_of


async def _month_of(asked: _Asked, key: str) -> Range:
    """A month of the answer to a period by month. Raises Invalid where it is none."""
    query, opened = asked.query, await asked.groups_of(rollup.FIRST_OPENED, Range())
    end = query.end or asked.now + _MICRO
    first = min((group.month for group in opened), default=None)
    start = query.start or (datetime(first.year, first.month, 1, tzinfo=UTC) if first else end)
    for month, begins, _ in statistics.months(start, end):
        if month == key:
            return Range(begins.date(), month_after(begins).date())
    raise statistics.no_such_cell(key)
