"""Figures from what was added up beforehand: of now, and as they stood. What this cannot answer, the histories do."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from notifier.domain import figures, rollup
from notifier.domain.definitions import VERSION
from notifier.domain.history import Change, History, fold, units
from notifier.domain.period import midnight, month_after
from notifier.domain.rollup import NONE, Added, Group, Sums
from notifier.domain.survival import LogRank
from notifier.services import counted, grants, rolling, statistics, stretching
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.counted import CountedPage
from notifier.services.statistics import COMPARED, UNITS, WHOLE, Query, Slice, Statistics
from notifier.store import rollups, stretches, sums, transitions
from notifier.store.database import Connection
from notifier.store.sums import Asked, Counts, Range, Times

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
    """What a number counts, as `statistics.cases` has it and raises: of a cohort of whole months from the few histories that
    a page needs."""
    months = _whole_months(query)
    if months is not None and query.basis == "cohort":
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
            more = await stretching.between(con, min(end, at), max(end, at))
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

    async def counts(self, by: str | None = None, months: Range | None = None) -> Counts:
        asked = self._of(months or self.months, by)
        found = await sums.counts(self.con, asked)
        for part, more, sign in self._more(asked):
            of = found.setdefault(part, Counter())
            for cell, n in more.counts.items():
                of[cell] += sign * n
        return {
            part: Counter({cell: n for cell, n in of.items() if n}) for part, of in found.items() if any(of.values())
        }

    async def times(self, by: str | None = None) -> Times:
        asked = self._of(self.months, by)
        found = await sums.times(self.con, asked, self.now)
        for part, more, sign in self._more(asked):
            of = found.setdefault(part, {})
            for spent, some in more.times.items():
                n, micros = of.get(spent, NONE)
                of[spent] = n + sign * some.n, micros + sign * some.micros
        return found

    async def groups(self, cell: str) -> dict[Group, int]:
        """How many each group has of a cell; as it stood."""
        assert self.stood is not None
        asked = self._of(self.months, None)
        found = await sums.of_cell(self.con, asked, cell)
        for group, more in self.stood.added.groups.items():
            if asked.part_of(group) is not None:
                found[group] += self.stood.sign * more.of_cell(cell)
        return {group: n for group, n in found.items() if n}


async def _answer(ctx: Context, asked: _Asked) -> Statistics:
    if asked.query.basis == "period":
        return await _period(ctx, asked)
    counts, times = (await asked.counts()).get("", Counter()), (await asked.times()).get("", {})
    slices: list[Slice] = []
    comparisons: Mapping[str, LogRank] = {}
    if asked.query.by is not None:
        counts_of, times_of = await asked.counts(asked.query.by), await asked.times(asked.query.by)
        parts = sorted(part for part, cells in counts_of.items() if cells.get(rollup.UNITS))
        lengths_of = {part: rollup.durations(times_of.get(part, {}), asked.now) for part in parts}
        slices = [Slice(part, rollup.cohort(counts_of[part], lengths_of[part]), None) for part in parts]
        if asked.query.by in COMPARED and len(parts) > 1:
            comparisons = figures.compared_by([rollup.aligned(lengths_of[part]) for part in parts])
    whole = Slice(WHOLE, rollup.cohort(counts, rollup.durations(times, asked.now)), None)
    found = _statistics(ctx, asked, whole, slices, counts[rollup.CASES])
    return replace(found, comparisons=comparisons, reports=None if asked.stood else counts[rollup.REPORTS])


async def _period(ctx: Context, asked: _Asked) -> Statistics:
    """A period without a beginning begins with the month in which the first case was opened."""
    query, earlier = asked.query, Range(sums.FIRST, asked.months.start)
    months = await asked.counts("month", Range())
    opened = [month for month, cells in months.items() if cells.get(rollup.FIRST_OPENED)]
    end = query.end or asked.now + _MICRO
    start = query.start or min(end, datetime.fromisoformat(f"{min(opened)}-01T00:00:00+00:00") if opened else end)
    before, within = await asked.counts(query.by, earlier), await asked.counts(query.by)
    slices: list[Slice] = []
    if query.by == "month":
        standing = _sum(before)
        for key, since, until in statistics.months(start, end):
            slices.append(Slice(key, None, rollup.period(since, until, standing, within.get(key, {}))))
            standing.update(within.get(key, {}))
    elif query.by is not None:
        slices = [
            Slice(part, None, rollup.period(start, end, before.get(part, {}), within.get(part, {})))
            for part in sorted({*before, *within})
        ]
    whole = Slice(WHOLE, None, rollup.period(start, end, _sum(before), _sum(within)))
    asked = replace(asked, query=replace(query, start=start, end=end))
    return _statistics(ctx, asked, whole, slices, _sum(months).get(rollup.FIRST_OPENED, 0))


def _sum(parts: Counts) -> Counter[str]:
    total: Counter[str] = Counter()
    for cells in parts.values():
        total.update(cells)
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
    by = asked.query.by
    known = figure in figures.ALWAYS or figure.partition("/")[0] in _SOMETIMES

    def in_slice(found: Mapping[Group, int]) -> Counter[tuple[date, str, str]]:
        of = asked._of(asked.months, by)
        told: Counter[tuple[date, str, str]] = Counter()
        for group, n in found.items():
            if key == WHOLE or (by is not None and of.part_of(group) == key):
                told[group.month, group.program, group.registry] += n
        return told

    n_of = in_slice(await asked.groups(figure)) if known else Counter()
    if not n_of:
        other = figures.shown_with(figure)
        if other is None or not ((key == WHOLE and figure in figures.ALWAYS) or in_slice(await asked.groups(other))):
            raise statistics.no_such_cell(cell)
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
        found = await asyncio.to_thread(_units, list(changes.values()), start, end)
        mine = [unit for unit in found if key == WHOLE or (by is not None and statistics.key_of(by, unit) == key)]
        page += figures.cohort_cells(sorted(mine, key=statistics.listing))[figure][max(0, offset - passed + n) :]
    return _Page(asked.now, asked.programs, n_of.total(), page[:limit])


_SOMETIMES = {"outcome", "claim", "party", "work"}  # cells that are there only where something is in them


def _units(cases: Sequence[Sequence[Change]], start: datetime, end: datetime) -> list[History]:
    return [unit for unit in units(fold(changes) for changes in cases) if start <= unit.opened < end]
