"""Numbers that can be defended: by cohort or by period, as they stood at an instant, each with the cases behind it."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import MAXYEAR, UTC, datetime
from typing import Any, Literal, get_args

from notifier.domain import figures, numbers
from notifier.domain.definitions import VERSION
from notifier.domain.figures import CohortFigures, PeriodFigures
from notifier.domain.history import History, fold, units
from notifier.domain.period import MICRO, month_after
from notifier.domain.survival import LogRank
from notifier.errors import Invalid, NotFound
from notifier.services import counted, grants, small_numbers
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.counted import CountedPage
from notifier.store import transitions
from notifier.store.database import Connection
from notifier.store.transitions import Scope

Basis = Literal["cohort", "period"]
By = Literal["month", "registry", "program", "outcome", "actor"]

BASES: tuple[str, ...] = get_args(Basis)
BYS: tuple[str, ...] = get_args(By)
_MONTHS = 600
# Each holds a connection, for a minute where there are many cases, and the rest of the house needs some, too.
_AT_ONCE = asyncio.Semaphore(2)

WHOLE = "all"  # the slice of everything
COMPARED = ("month", "registry", "program")  # what is known at the end cannot explain how long it took
UNITS = {"cohort": "domain-epoch", "period": "case"}


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. `start` up to, not including, `end`: of a cohort the opening, of a period everything.

    `as_of`: as it stood then; None: now.
    """

    program: str | None = None
    registry: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    by: By | None = None
    basis: Basis = "cohort"
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """Figures of one part, or of the whole. One of the two, as the basis says."""

    key: str
    cohort: CohortFigures | None
    period: PeriodFigures | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """The answer, with what it takes to get it again.

    `query` has every default filled in. `cases` and `case_list`: how many cases stand behind it, and the SHA-256 of
    their sorted ids, one a line; None for figures that were added up beforehand. `programs`: the digest of each program's
    rules now. `reports`: that came in about these cases so far, where they were asked for; no figure rests on them, and
    they are not of `as_of`. `suppress_below`: smaller numbers are KEPT_BACK, and so are those that would tell them; 0:
    none is.
    """

    query: Query
    as_of: datetime
    simulated: bool
    unit: str
    definitions: str
    whole: Slice
    slices: Sequence[Slice]
    comparisons: Mapping[str, LogRank]
    cases: int
    case_list: str | None
    programs: Mapping[str, str]
    reports: int | None = None
    suppress_below: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """A unit or case that figures are made of. `domain` is None where the reader may not see names."""

    unit: History
    references: Sequence[str]
    domain: str | None


async def statistics(ctx: Context, who: Principal, query: Query, *, reports: bool = False) -> Statistics:
    """Figures in the reader's reach; with `reports` also how many came in about their cases.

    Raises NotFound for a program outside of it, Invalid for a time to come.
    """
    read = await _read(ctx, who, query)
    # Many cases take seconds, and others wait for the loop.
    found, units = await asyncio.to_thread(_computed, ctx, read)
    if not reports or read.below:
        return found
    ids = [case_id for unit in units for case_id in unit.case_ids]
    async with ctx.db.pool.acquire() as con:
        told = await transitions.reports(con, ids)
    return replace(found, reports=sum(told.values()))


async def bounds_in_reach(ctx: Context, who: Principal) -> Mapping[str, int]:
    """By program whose figures the principal may ask for, the bound below which numbers are kept back; 0: none is."""
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        programs = await grants.programs_seen(ctx, con, who, now)
        return await grants.suppressed(ctx, con, who, sorted(programs), now)


async def with_units(ctx: Context, who: Principal, query: Query) -> tuple[Statistics, Sequence[History]]:
    """A cohort's statistics, and its units themselves, for tables of another shape.

    Raises Invalid where small numbers are kept back from the reader.
    """
    read = await _read(ctx, who, query)
    small_numbers.refuse(read.below, "reports and what stands behind a number")
    return await asyncio.to_thread(_computed, ctx, read)


async def listed(ctx: Context, who: Principal, query: Query) -> tuple[Statistics, Sequence[Listed]]:
    """Statistics, and all that they are made of: units of a cohort, or every case of a period's programs.

    Raises Invalid where small numbers are kept back from the reader.
    """
    read = await _read(ctx, who, query)
    small_numbers.refuse(read.below, "the cases behind a number")
    found, units = await asyncio.to_thread(_computed, ctx, read)
    async with ctx.db.pool.acquire() as con:
        known = await transitions.references(con, [case_id for unit in units for case_id in unit.case_ids])
    return found, [
        Listed(
            unit,
            [known[case_id][0] for case_id in unit.case_ids],
            unit.target if read.names[unit.program] else None,
        )
        for unit in units
    ]


async def cases(
    ctx: Context, who: Principal, query: Query, cell: str, *, limit: int = 50, cursor: str | None = None
) -> CountedPage:
    """What a number counts. `cell` is the slice and the figure, such as `all/funnel/verified`.

    Raises Invalid for a cell that no answer to the query has, or a cursor of another query.
    """
    as_of, offset = counted.begin(query.as_of, limit, cursor)
    read = await _read(ctx, who, replace(query, as_of=as_of))
    small_numbers.refuse(read.below, "the cases behind a number")
    found = await asyncio.to_thread(_behind, read, cell)
    end = offset + limit
    return await counted.of_units(ctx, read.as_of, read.names, cell, len(found), found[offset:end], end)


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Read:
    """What was recorded until `as_of`. `names`: programs in reach, each with whether domain names are shown.

    `below`: smaller numbers are kept back from the reader.
    """

    query: Query
    as_of: datetime
    names: Mapping[str, bool]
    histories: Sequence[History]
    below: int


async def asked_about(ctx: Context, con: Connection, who: Principal, query: Query, now: datetime) -> Mapping[str, bool]:
    """The programs that a question is about, each with whether domain names are shown.

    Raises NotFound for a program outside the reader's reach, Invalid for a time that ends before it begins.
    """
    if query.start is not None and query.end is not None and query.end < query.start:
        raise Invalid("to: lies before from")
    if query.basis == "period" and query.end is None and query.start is not None and query.start > (query.as_of or now):
        raise Invalid("from: lies behind the instant that is asked about; a period has begun by then")
    names = await grants.programs_seen(ctx, con, who, now)
    if query.program is None:
        return names
    if query.program not in names:
        raise NotFound(f"no program {query.program!r}", code="unknown_program")
    return {query.program: names[query.program]}


async def closed_instant(con: Connection, query: Query, now: datetime) -> datetime:
    """The instant that is asked about, or now. From here on nothing is recorded at or before it.

    Not in a transaction. Raises Invalid for a time to come.
    """
    newest = await transitions.newest_instant(con, now)
    as_of = query.as_of or newest
    if as_of > newest:
        raise Invalid("as_of: lies in the future")
    async with con.transaction():
        await transitions.hold_horizon(con, as_of)
    return as_of


async def _read(ctx: Context, who: Principal, query: Query) -> _Read:
    """Raises Invalid for more cases than are read at once."""
    now = await ctx.db.clock.now()
    async with _AT_ONCE, ctx.db.pool.acquire() as con:
        names = await asked_about(ctx, con, who, query, now)
        below = await grants.suppress_below(ctx, con, who, names, now)
        if below:
            query = small_numbers.narrowed(query, names, now)
        as_of = await closed_instant(con, query, now)
        async with con.transaction(isolation="repeatable_read", readonly=True):
            opened = (query.start, query.end) if query.basis == "cohort" else (None, None)
            scope = Scope(as_of, sorted(names), query.registry, opened)
            if await scope.more_than(con, most := ctx.settings.cases_at_once):
                raise Invalid(
                    f"this reads more than {most:,} cases, which are too many at once (`cases_at_once`); ask with "
                    "`quick=true`, or for one program, one registry or a shorter time of opening",
                    code="too_many_cases",
                )
            found = await folded(con, scope)
    return _Read(replace(query, as_of=as_of), as_of, names, found, below)


async def folded(con: Connection, scope: Scope) -> list[History]:
    """The history of each case. In a transaction."""
    found: list[History] = []
    async for cases in scope.changes(con):
        found += await asyncio.to_thread(lambda cases=cases: list(map(fold, cases)))  # type: ignore[misc]
    return found


# --- slices ---------------------------------------------------------------------------------------------------------


def _in_scope(read: _Read) -> list[History]:
    """Units of the cohort, or every case, as the basis is."""
    query = read.query
    if query.basis == "period":
        return sorted(read.histories, key=lambda h: (h.opened, h.case_ids))
    return [
        unit
        for unit in units(read.histories)
        if (query.start is None or unit.opened >= query.start) and (query.end is None or unit.opened < query.end)
    ]


def window(query: Query, as_of: datetime, first: datetime | None) -> tuple[datetime, datetime]:
    """The period: without bounds, from the first opening, if there is one, until all that is known."""
    end = query.end or as_of + MICRO
    return query.start or min(first or end, end), end


def _window(read: _Read, found: Sequence[History]) -> tuple[datetime, datetime]:
    return window(read.query, read.as_of, min((history.opened for history in found), default=None))


def key_of(by: By, unit: History) -> str:
    """The slice that a unit is in."""
    match by:
        case "month":
            return f"{unit.opened:%Y-%m}"
        case "registry":
            return unit.registry or "none"
        case "program":
            return unit.program
        case "outcome":
            return figures.outcome_of(unit)[0]
        case "actor":
            return figures.outcome_of(unit)[1]


def _parts(read: _Read, found: Sequence[History]) -> dict[str, Sequence[History]]:
    """The slices' histories, by key."""
    if read.query.by is None:
        return {}
    parts: dict[str, list[History]] = {}
    for unit in found:
        parts.setdefault(key_of(read.query.by, unit), []).append(unit)
    return dict(sorted(parts.items()))


def months(start: datetime, end: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    """The calendar months (UTC) of a period, the first and last of them cut where it begins and ends.

    Raises Invalid for more of them than anybody reads.
    """
    at = start.astimezone(UTC)
    if (end.year - at.year) * 12 + end.month - at.month > _MONTHS or end.year >= MAXYEAR:
        raise Invalid(f"by month: a period of at most {_MONTHS} months")
    while at < end:
        following = month_after(at)
        yield f"{at:%Y-%m}", at, min(following, end)
        at = following


def _periods(read: _Read, found: Sequence[History]) -> list[tuple[str, Sequence[History], datetime, datetime]]:
    """Key, cases and bounds of each slice of a period; a month holds every case, and each its own time."""
    start, end = _window(read, found)
    if read.query.by == "month":
        return [(key, found, since, until) for key, since, until in months(start, end)]
    return [(key, part, start, end) for key, part in _parts(read, found).items()]


def _computed(ctx: Context, read: _Read) -> tuple[Statistics, Sequence[History]]:
    """The answer, and the units or cases that it is made of."""
    found = _in_scope(read)
    query, comparisons = read.query, {}
    if query.basis == "period":
        start, end = _window(read, found)
        query = replace(query, start=start, end=end)
        whole = Slice(WHOLE, None, figures.period(found, start, end))
        slices = [Slice(key, None, figures.period(part, *bounds)) for key, part, *bounds in _periods(read, found)]
    else:
        parts = _parts(read, found)
        whole = Slice(WHOLE, figures.cohort(found, read.as_of), None)
        slices = [Slice(key, figures.cohort(part, read.as_of), None) for key, part in parts.items()]
        if query.by in COMPARED and len(parts) > 1:
            comparisons = dict(figures.compared(list(parts.values()), read.as_of))
    ids = sorted(case_id for history in found for case_id in history.case_ids)
    made = Statistics(
        query=query,
        as_of=read.as_of,
        simulated=ctx.settings.simulated,
        unit=UNITS[query.basis],
        definitions=VERSION,
        whole=whole,
        slices=slices,
        comparisons=comparisons,
        cases=len(ids),
        case_list=hashlib.sha256("".join(f"{case_id}\n" for case_id in ids).encode()).hexdigest(),
        programs={program: ctx.program(program).digest for program in sorted(read.names)},
    )
    return (small_numbers.kept_back(made, numbers.counted(found), read.below) if read.below else made), found


def _behind(read: _Read, cell: str) -> list[History]:
    found = _in_scope(read)
    key, _, figure = cell.partition("/")
    if read.query.basis == "period":
        whole: list[Any] = [(WHOLE, found, *_window(read, found))]
        slices = {name: (part, *bounds) for name, part, *bounds in [*whole, *_periods(read, found)]}
        cells = figures.period_cells(*slices[key]) if key in slices else {}
    else:
        parts = {WHOLE: found, **_parts(read, found)}
        cells = figures.cohort_cells(parts[key]) if key in parts else {}
    if figure not in cells:
        raise no_such_cell(cell)
    return sorted(cells[figure], key=listing)


def listing(unit: History) -> tuple[Any, ...]:
    """The order in which units and cases are listed: by month, program and registry, so that a page needs few of them."""
    return f"{unit.opened:%Y-%m}", unit.program, unit.registry or "", unit.opened, unit.case_ids


def no_such_cell(cell: str) -> Invalid:
    return Invalid(f"cell: {cell!r} is in no answer to this query; cells look like all/funnel/verified")
