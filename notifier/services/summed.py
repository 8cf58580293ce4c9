"""Figures from what was added up beforehand: of now, and as they stood. What this cannot answer, the histories do."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import NamedTuple

from notifier.domain import lengths, rollup
from notifier.domain.definitions import VERSION
from notifier.domain.figures import CohortFigures
from notifier.domain.lengths import Times
from notifier.domain.numbers import CASES
from notifier.domain.period import begin_of
from notifier.domain.public_figures import Figures
from notifier.domain.rollup import Happened
from notifier.domain.survival import LogRank
from notifier.services import bounds, grants, small_numbers, standing, statistics
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.standing import Standing
from notifier.services.statistics import COMPARED, UNITS, WHOLE, Query, Slice, Statistics
from notifier.store import rollups, sums


async def summed(ctx: Context, who: Principal, query: Query) -> Statistics:
    """The answer to a question, quickly: of now, or as of an instant after the first stretch. A part of a day takes longer,
    since the histories of what was opened in it, or happened in it, or in the rest of the day, are read.

    Counts are exact; times are within a sixteenth, and exact where few had them. `case_list` is None. Without an instant,
    everything that was known at the answer's `as_of` is in it, and how many reports came in; whoever may not see small
    numbers is told what was known at the last midnight. What was not added up is answered by `statistics`, and it raises as
    that does.
    """
    find = standing.now if query.as_of is None else standing.as_of
    if (found := await find(ctx, who, query, lambda asked: _answer(ctx, asked), keeps_back=True)) is not None:
        return found
    return await statistics.statistics(ctx, who, query, reports=query.as_of is None and query.basis == "cohort")


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


async def _answer(ctx: Context, asked: Standing) -> Statistics:
    if asked.query.basis == "period":
        return await _period(ctx, asked)
    by = asked.query.by
    whole, parts = await _cohorts(asked, by)
    slices: list[Slice] = []
    comparisons: Mapping[str, LogRank] = {}
    if by is not None:
        slices = [Slice(key, part.figures, None) for key, part in parts.items()]
        if by in COMPARED and len(parts) > 1:
            comparisons = lengths.compared([part.times for part in parts.values()])
    found = _statistics(ctx, asked, Slice(WHOLE, whole.figures, None), slices, whole.counts[CASES])
    if asked.below:
        return await asyncio.to_thread(small_numbers.kept_back, found, await asked.numbers(), asked.below)
    return replace(
        found, comparisons=comparisons, reports=None if asked.stretches is not None else whole.counts[rollup.REPORTS]
    )


class _Cohort(NamedTuple):
    counts: Counter[str]
    times: Times

    @property
    def figures(self) -> CohortFigures:
        return rollup.cohort(self.counts, self.times)


async def _cohorts(asked: Standing, by: str | None) -> tuple[_Cohort, dict[str, _Cohort]]:
    """The whole, and each part in which there is anything, in the order of their names."""
    counts, (times_of, times) = await asked.counts(by), await asked.times(by)
    parts = sorted(part for part, cells in counts.items() if cells.get(rollup.UNITS))
    return _Cohort(_sum(counts.values()), times), {
        part: _Cohort(counts[part], times_of.get(part, Times())) for part in parts
    }


async def _period(ctx: Context, asked: Standing) -> Statistics:
    """A period without a beginning begins with the month in which the first case was opened."""
    query, (begin, until) = asked.query, asked.bounds.window
    by = None if query.by == "month" else query.by
    parts = await asked.happened(by)
    opened = [month for of in parts.values() for month, cells in of.months.items() if cells[rollup.FIRST_OPENED]]
    first = begin_of(date.fromisoformat(f"{min(opened)}-01")) if opened else None
    start, end = statistics.window(query, asked.now, first)

    def before(at: datetime, of: Iterable[Happened] = parts.values()) -> Counter[str]:
        return _sum(one.before(at) for one in of)

    slices: list[Slice] = []
    if query.by == "month":
        for key, begins, ends in statistics.months(start, end):
            both = before(begins), before(asked.end_of(begins))
            slices.append(Slice(key, None, rollup.period(begins, ends, *both)))
    elif by is not None:
        slices = [
            Slice(part, None, rollup.period(start, end, before(begin, [of]), before(until, [of])))
            for part, of in sorted(parts.items())
            if of.months
        ]
    whole = Slice(WHOLE, None, rollup.period(start, end, before(begin), before(until)))
    asked = replace(asked, query=replace(query, start=start, end=end))
    return _statistics(ctx, asked, whole, slices, before(bounds.END)[rollup.FIRST_OPENED])


async def public(ctx: Context, who: Principal, query: Query) -> Figures | None:
    """All that was opened, as the public reads it, as of an instant; None: no stretch ends near it."""
    return await standing.as_of(ctx, who, query, _public)


async def _public(asked: Standing) -> Figures:
    (whole, quarters), (_, registries) = await _cohorts(asked, "quarter"), await _cohorts(asked, "registry")
    by_quarter, by_registry = ({key: part.figures for key, part in of.items()} for of in (quarters, registries))
    return Figures(whole.figures, by_quarter, by_registry, await asked.numbers(), exact=False)


def _sum(found: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for cells in found:
        total.update(cells)
    return total


def _statistics(ctx: Context, asked: Standing, whole: Slice, slices: Sequence[Slice], cases: int) -> Statistics:
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
