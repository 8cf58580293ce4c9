"""What a number that was added up beforehand counts: the few histories that a page needs."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from notifier.domain import figures, rollup
from notifier.domain.history import History, units
from notifier.domain.period import MICRO, begin_of, month_after
from notifier.domain.rollup import Group
from notifier.services import bounds, counted, standing, statistics
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.counted import CountedPage
from notifier.services.standing import Standing
from notifier.services.statistics import WHOLE, By, Query
from notifier.store.sums import Range
from notifier.store.transitions import Scope


async def cases(
    ctx: Context, who: Principal, query: Query, cell: str, *, limit: int = 50, cursor: str | None = None
) -> CountedPage:
    """What a number counts, as `statistics.cases` has it and raises: from the few histories that a page needs."""
    as_of, offset = counted.begin(query.as_of, limit, cursor)
    asked = replace(query, as_of=as_of)
    found = await standing.as_of(ctx, who, asked, lambda stood: _counted(stood, cell, offset, limit))
    if found is not None:
        return await counted.of_units(ctx, found.as_of, found.names, cell, found.n, found.page, offset + limit)
    return await statistics.cases(ctx, who, query, cell, limit=limit, cursor=cursor)


@dataclass(frozen=True, slots=True)
class _Page:
    """Of the `n` that a number counts as of an instant, some; and what `Standing` says of names."""

    as_of: datetime
    names: Mapping[str, bool]
    n: int
    page: Sequence[History]


async def _counted(asked: Standing, cell: str, offset: int, limit: int) -> _Page:
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
        start = begin_of(month)
        end = month_after(start)
        histories = await statistics.folded(asked.con, Scope(asked.now, [program], registry, (start, end)))
        found = await asyncio.to_thread(counted_of, histories, start, end)
        page += found[max(0, offset - passed + n) :]
    return _Page(asked.now, asked.programs, n_of.total(), page[:limit])


_Listed = Counter[tuple[date, str, str]]  # of a month of opening, a program and a registry
# What is counted of the cases of one, in the order of the list.
_Found = Callable[[Sequence[History], datetime, datetime], list[History]]


def _in_slice(asked: Standing, key: str, found: Mapping[Group, int]) -> _Listed:
    by = asked.query.by
    of = asked.of(Range(), by)
    told: _Listed = Counter()
    for group, n in found.items():
        if key == WHOLE or (by is not None and of.part_of(group) == key):
            told[group.opened.replace(day=1), group.program, group.registry] += n
    return Counter({listed: n for listed, n in told.items() if n})


def _is_in(by: By | None, key: str, unit: History) -> bool:
    return key == WHOLE or (by is not None and statistics.key_of(by, unit) == key)


async def _in_cohort(asked: Standing, key: str, figure: str) -> tuple[_Listed, _Found]:
    known = figure in figures.ALWAYS or figure.partition("/")[0] in _SOMETIMES
    n_of = _in_slice(asked, key, await asked.groups(figure)) if known else Counter()
    if not n_of:
        other = figures.shown_with(figure)
        if other is None or not (
            (key == WHOLE and figure in figures.ALWAYS) or _in_slice(asked, key, await asked.groups(other))
        ):
            raise statistics.no_such_cell(f"{key}/{figure}")
    query, by = asked.query, asked.query.by

    def counted_of(cases: Sequence[History], start: datetime, end: datetime) -> list[History]:
        start, end = max(start, query.start or start), min(end, query.end or end)
        found = [unit for unit in units(cases) if start <= unit.opened < end]
        mine = [unit for unit in found if _is_in(by, key, unit)]
        return figures.cohort_cells(sorted(mine, key=statistics.listing))[figure]

    return n_of, counted_of


_SOMETIMES = {"outcome", "claim", "party", "work"}  # cells that are there only where something is in them


async def _in_period(asked: Standing, key: str, figure: str) -> tuple[_Listed, _Found]:
    if figure not in rollup.COUNTED:
        raise statistics.no_such_cell(f"{key}/{figure}")
    by, window, part = asked.query.by, asked.bounds.window, key
    if by == "month" and key != WHOLE:
        window, part = await _month_of(asked, key), WHOLE
    n_of: _Listed = Counter()
    for cell, often in rollup.COUNTED[figure].items():
        for bound, sign in zip(window, often, strict=True):
            if sign:
                for of, n in _in_slice(asked, part, await asked.groups_before(cell, bound)).items():
                    n_of[of] += sign * n
    n_of = Counter({of: n for of, n in n_of.items() if n})
    if not n_of and part != WHOLE:
        known = await asked.groups_before(rollup.FIRST_OPENED, bounds.END)
        if not _in_slice(asked, part, known):
            raise statistics.no_such_cell(f"{key}/{figure}")
    begins, ends = window[0], asked.now + MICRO if window[1] == bounds.END else window[1]

    def counted_of(cases: Sequence[History], start: datetime, end: datetime) -> list[History]:
        found = [case for case in cases if start <= case.opened < end]
        mine = [case for case in found if _is_in(by, part, case)]
        return figures.period_cells(sorted(mine, key=statistics.listing), begins, ends)[figure]

    return n_of, counted_of


async def _month_of(asked: Standing, key: str) -> tuple[datetime, datetime]:
    """Begin and end of a month of the answer to a period by month. Raises Invalid where it is none."""
    opened = await asked.groups_before(rollup.FIRST_OPENED, bounds.END)
    first = min((begin_of(group.opened) for group in opened), default=None)
    for month, begins, _ in statistics.months(*statistics.window(asked.query, asked.now, first)):
        if month == key:
            return begins, asked.end_of(begins)
    raise statistics.no_such_cell(key)
