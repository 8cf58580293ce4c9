"""Figures of now from what was added up beforehand; a question that this cannot answer is answered from the histories."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from notifier.domain import figures, rollup
from notifier.domain.definitions import VERSION
from notifier.domain.period import midnight
from notifier.domain.survival import Duration, LogRank
from notifier.services import grants, rolling, statistics
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.statistics import COMPARED, UNITS, WHOLE, Query, Slice, Statistics
from notifier.store import rollups, transitions
from notifier.store.database import Connection
from notifier.store.rollups import Asked, Range

_MICRO = timedelta(microseconds=1)
_LITTLE, _TRIES, _PAUSE_S = 500, 8, 0.03

_Counts = Mapping[str, int]


async def figures_of_now(ctx: Context, who: Principal, query: Query) -> Statistics:
    """The answer to a question that names no instant, quickly where it is of whole months (UTC).

    Counts are exact; times are within a sixteenth, and exact where few had them. Everything that was known at `as_of` is
    in it, and `case_list` is None. A question with an instant, or of parts of months, or of who may not see small numbers, is
    answered by `statistics`, and raises as that does.
    """
    months = _whole_months(query)
    if query.as_of is None and months is not None:
        now = await _caught_up(ctx)
        async with ctx.db.pool.acquire() as con, con.transaction(isolation="repeatable_read", readonly=True):
            programs = sorted(await statistics.asked_about(ctx, con, who, query, now))
            below = await grants.suppress_below(ctx, con, who, programs, now)
            state = await rollups.state(con)
            if not below and state.whole and state.definitions == VERSION:
                as_of = now if state.behind is None else min(now, state.behind - _MICRO)
                return await _answer(ctx, _Asked(con, replace(query, as_of=as_of), programs, months, now))
    return await statistics.statistics(ctx, who, query, reports=query.as_of is None and query.basis == "cohort")


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
    start = rollups.FIRST if query.start is None else _first_day(query.start)
    end = rollups.LAST if query.end is None else _first_day(query.end)
    return Range(start, end) if start is not None and end is not None else None


def _first_day(at: datetime) -> date | None:
    return at.astimezone(UTC).date() if at == midnight(at).replace(day=1) else None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question of whole months, over one view of the tables."""

    con: Connection
    query: Query
    programs: Sequence[str]
    months: Range
    now: datetime

    def _of(self, months: Range, by: str | None) -> Asked:
        return Asked(self.programs, self.query.registry, months, by)

    async def counts(self, by: str | None = None, months: Range | None = None) -> Mapping[str, _Counts]:
        return await rollups.counts(self.con, self._of(months or self.months, by))

    async def lengths(self, by: str | None = None) -> Mapping[str, Mapping[str, Sequence[Duration]]]:
        return await rollups.durations(self.con, self._of(self.months, by), self.now)


async def _answer(ctx: Context, asked: _Asked) -> Statistics:
    if asked.query.basis == "period":
        return await _period(ctx, asked)
    counts, lengths = (await asked.counts()).get("", {}), (await asked.lengths()).get("", {})
    slices: list[Slice] = []
    comparisons: Mapping[str, LogRank] = {}
    if asked.query.by is not None:
        counts_of, lengths_of = await asked.counts(asked.query.by), await asked.lengths(asked.query.by)
        parts = sorted(part for part, cells in counts_of.items() if cells.get(rollup.UNITS))
        slices = [Slice(part, rollup.cohort(counts_of[part], lengths_of.get(part, {})), None) for part in parts]
        if asked.query.by in COMPARED and len(parts) > 1:
            comparisons = figures.compared_by([rollup.aligned(lengths_of.get(part, {})) for part in parts])
    whole = Slice(WHOLE, rollup.cohort(counts, lengths), None)
    found = _statistics(ctx, asked, whole, slices, counts.get(rollup.CASES, 0))
    return replace(found, comparisons=comparisons, reports=counts.get(rollup.REPORTS, 0))


async def _period(ctx: Context, asked: _Asked) -> Statistics:
    """A period without a beginning begins with the month in which the first case was opened."""
    query, earlier = asked.query, Range(rollups.FIRST, asked.months.start)
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


def _sum(parts: Mapping[str, _Counts]) -> Counter[str]:
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
        programs={program: ctx.program(program).digest for program in asked.programs},
    )
