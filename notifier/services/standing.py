"""What was added up beforehand, as a question finds it: of now, or as it stood at an instant."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import NamedTuple, TypeVar

from notifier.domain import lengths, rollup
from notifier.domain.definitions import VERSION
from notifier.domain.history import Change, fold
from notifier.domain.lengths import Row, Rows, Times
from notifier.domain.numbers import NONE, Number, Part
from notifier.domain.period import MICRO, midnight, month_after
from notifier.domain.rollup import Added, Group, Happened, Sums
from notifier.services import grants, rolling, small_numbers, statistics, stretching
from notifier.services.access import Principal
from notifier.services.bounds import Bounds, Edge, bounds_of, midnight_near
from notifier.services.context import Context
from notifier.services.statistics import Query
from notifier.store import rollups, stretches, sums, transitions
from notifier.store.database import Connection
from notifier.store.sums import Asked, Counts, Range

_LITTLE, _TRIES, _PAUSE_S, _BATCH = 500, 8, 0.03, 4_000

T = TypeVar("T")
Answer = Callable[["Standing"], Awaitable[T]]


async def now(ctx: Context, who: Principal, query: Query, answer: "Answer[T]", *, keeps_back: bool = False) -> T | None:
    """None: not all of it is added up yet. Where small numbers are kept back, as of the last midnight, as `as_of` has it."""
    bounds, until = bounds_of(query), await _caught_up(ctx)
    async with ctx.db.pool.acquire() as con, con.transaction(isolation="repeatable_read", readonly=True):
        programs = await statistics.asked_about(ctx, con, who, query, until)
        if not await grants.suppress_below(ctx, con, who, programs, until):
            state = await rollups.state(con)
            if not state.whole or state.definitions != VERSION:
                return None
            known = until if state.behind is None else min(until, state.behind - MICRO)
            more = [await _beside(con, query, programs, edge, _of_now) for edge in bounds.edges]
            return await answer(Standing(con, replace(query, as_of=known), programs, bounds, until, None, more))
    return await as_of(ctx, who, query, answer, keeps_back=keeps_back)


async def as_of(
    ctx: Context, who: Principal, query: Query, answer: "Answer[T]", *, keeps_back: bool = False
) -> T | None:
    """None: no stretch ends near it, or small numbers are kept back, and nobody says that `answer` `keeps_back` what is below
    `Standing.below`. Raises Invalid for a question that may not be asked then."""
    bounds, clock = bounds_of(query), await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        programs = await statistics.asked_about(ctx, con, who, query, clock)
        if below := await grants.suppress_below(ctx, con, who, programs, clock):
            if not keeps_back:
                return None
            query = small_numbers.narrowed(query, programs, clock)
        at = await statistics.closed_instant(con, query, clock)
        async with con.transaction(isolation="repeatable_read", readonly=True):
            end = await stretches.nearest(con, at)
            if end is None or (await rollups.state(con)).definitions != VERSION:
                return None
            (added,) = await stretching.between(con, min(end, at), [max(end, at)])
            more = [More(added, 1 if end <= at else -1)]
            more += [await _beside(con, query, programs, edge, partial(_as_it_stood, at=at)) for edge in bounds.edges]
            told = await stretches.up_to(con, end)
            return await answer(Standing(con, replace(query, as_of=at), programs, bounds, at, told, more, below))


# By program and target: the changes of each case that are known, and how many reports came in about it.
_Said = Mapping[tuple[str, str], tuple[Sequence[Sequence[Change]], Mapping[str, int]]]


async def _beside(
    con: Connection,
    query: Query,
    programs: Iterable[str],
    edge: Edge,
    read: Callable[[Connection, Sequence[str]], Awaitable[_Said]],
) -> "More":
    """Of what was opened there, or of a period, of what happened there; so many cases at a time."""
    if query.basis == "cohort":
        ids = await transitions.opened(con, sorted(programs), query.registry, edge.start, edge.end)
    else:
        ids = await transitions.told_of(con, sorted(programs), edge.start, edge.end)
    added, seen = Added(), set[tuple[str, str]]()
    for at in range(0, len(ids), _BATCH):
        said = await read(con, ids[at : at + _BATCH])
        fresh = [of for name, of in said.items() if name not in seen]
        seen.update(said)
        await asyncio.to_thread(_add, added, fresh, query.basis, edge)
    return More(added, edge.sign, edge.bound)


def _add(
    added: Added,
    names: Iterable[tuple[Sequence[Sequence[Change]], Mapping[str, int]]],
    basis: statistics.Basis,
    edge: Edge,
) -> None:
    for cases, reports in names:
        histories = [fold(changes) for changes in cases if changes]
        if basis == "cohort":
            added.add_units(histories, reports, edge.start, edge.end)
        else:
            added.add_happened(histories, edge.start, edge.end)


async def _of_now(con: Connection, case_ids: Sequence[str]) -> _Said:
    """What is in the figures."""
    return {
        key: (
            [[one.change for one in of if one.entry in name.entries] for of in name.changes.values()],
            name.reports_before,
        )
        for key, name in (await rollups.names_of(con, case_ids)).items()
    }


async def _as_it_stood(con: Connection, case_ids: Sequence[str], at: datetime) -> _Said:
    return {
        key: ([[one.change for one in of if one.recorded_at <= at] for of in name.values()], {})
        for key, name in (await transitions.of_names(con, case_ids)).items()
    }


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


class More(NamedTuple):
    """What is to be added, or with `sign` -1 to be taken away. `beside`: a bound of the question; whatever its months and days
    are, this is added to them."""

    added: Added
    sign: int
    beside: datetime | None = None


_Piece = tuple[str, Group, Sums, int]  # the part, and the sign


@dataclass(frozen=True, slots=True)
class Standing:
    """A question over one view of the tables. `programs`: and whether names are shown.

    `now`: the instant up to which what runs has run. `stretches`: level and end of those whose sum was known at the end of
    the last; None: of now. `more`: what is to be added to that. `below`: smaller numbers are kept back from the reader.
    """

    con: Connection
    query: Query
    programs: Mapping[str, bool]
    bounds: Bounds
    now: datetime
    stretches: Sequence[tuple[int, datetime]] | None
    more: Sequence[More]
    below: int = 0

    def of(self, opened: Range, by: str | None, basis: str = sums.COHORT) -> Asked:
        return Asked(sorted(self.programs), self.query.registry, opened, by, self.stretches, basis)

    def end_of(self, begins: datetime) -> datetime:
        """Of the month in which an instant is, as far as it is asked about."""
        return min(month_after(begins), self.bounds.window[1])

    def _cohort(self, by: str | None) -> list[tuple[Asked, int]]:
        """Its years, and the months and days that these lack or have too many, each with its sign."""
        asked = self.bounds
        days = [(self.of(days, by, sums.COHORT_DAYS), sign) for days, sign in asked.days]
        if by == "month" or self.stretches is not None:  # which have no years
            return [(self.of(asked.whole, by), 1), *days]
        months = [(self.of(months, by), sign) for months, sign in asked.months]
        return [(self.of(asked.years, by, sums.COHORT_YEARS), 1), *months, *days]

    def _more(self, asked: Asked, bounds: Container[datetime | None] = (None,)) -> Iterator[_Piece]:
        """What is to be added of what is asked: to its months and days, or at one of the bounds."""
        for more in self.more:
            if more.beside in bounds:
                for group, found in (more.added.days if asked.basis == sums.COHORT_DAYS else more.added.groups).items():
                    if (part := asked.part_of(group)) is not None:
                        yield part, group, found, more.sign

    def _edges(self, by: str | None) -> Iterator[_Piece]:
        """Of a cohort, what it has of days, or these have too many."""
        return self._more(self.of(Range(), by), {edge.bound for edge in self.bounds.edges})

    async def counts(self, by: str | None = None) -> Counts:
        """Of units, by when they were opened."""
        found: Counts = {}
        for asked, sign in self._cohort(by):
            told = _and_more(await sums.counts(self.con, asked), self._more(asked), _counts_of)
            for part, cells in told.items():
                _add_to(found.setdefault(part, Counter()), cells, sign)
        _and_more(found, self._edges(by), _counts_of)
        return {part: there for part, of in found.items() if (there := _there(of))}

    async def happened(self, by: str | None = None) -> Mapping[str, Happened]:
        """By part, what happened to cases, whenever opened: before either end of what is asked about, or before any month."""
        asked = self.of(Range(), by)
        months = _and_more(await sums.happened(self.con, asked), self._more(asked), _in_months)
        found = {part: Happened(_there(cells)) for part, cells in months.items()}
        for bound in self.bounds.window:
            if bound != midnight(bound).replace(day=1):
                day = midnight_near(bound).date()
                told = await sums.happened_in_month(self.con, asked, day) if day.day != 1 else {}
                _and_more(told, self._more(asked), partial(Sums.happened_in_month, day=day))
                _and_more(told, self._more(asked, {bound}), lambda more: more.happened)
                for part, of in found.items():
                    of.know(bound, day, told.get(part, Counter()))
        return found

    async def times(self, by: str | None = None) -> tuple[Mapping[str, Times], Times]:
        """By part, and of the whole."""
        found = self._rows(self._edges(by))
        for asked, sign in self._cohort(by):
            rows = await sums.times(self.con, asked, self.now)
            found = found.and_more(rows.and_more(self._rows(self._more(asked))).signed(sign))
        return lengths.read(found, self.now, rollup.ages(self.now) if self.stretches is None else lengths.ANY_DAY)

    async def numbers(self) -> dict[Part, dict[str, Number]]:
        """How many, and which, each month and registry has of everything; as it stood."""
        found = await sums.numbers(self.con, self.of(Range(), None))
        for more in self.more:
            for part, tally in (more.added.parts or {}).items():
                if part.program in self.programs:
                    cells = found.setdefault(part, {})
                    for cell, number in tally.numbers().items():
                        had = cells.pop(cell, NONE)
                        if (has := had + number if more.sign > 0 else had - number) != NONE:
                            cells[cell] = has
        return {part: cells for part, cells in found.items() if cells}

    def _rows(self, found: Iterable[_Piece]) -> Rows:
        rows = Rows.of(
            [
                Row(part, spent.key, spent.how, [spent.at], [sign * n], [sign * micros])
                for part, _, more, sign in found
                for spent, (n, micros) in more.times.items()
            ]
        )
        return rows.in_grains() if self.stretches is None else rows

    async def groups(self, cell: str) -> Counter[Group]:
        """How many units of each group a cell of a cohort counts; as it stood."""
        found: Counter[Group] = Counter()
        for asked, sign in self._cohort(None):
            _add_to(found, await sums.of_cell(self.con, asked, cell), sign)
            _with_more(found, self._more(asked), partial(Sums.of_cell, cell=cell), sign)
        return _with_more(found, self._edges(None), partial(Sums.of_cell, cell=cell))

    async def groups_before(self, cell: str, at: datetime) -> Counter[Group]:
        """To how many cases of each group it happened before a month, or a bound of what is asked about; as it stood."""
        asked, day = self.of(Range(), None), midnight_near(at).date()
        found = await sums.of_happened(self.con, asked, cell, day)
        _with_more(found, self._more(asked), partial(Sums.happened_before, cell=cell, day=day))
        return _with_more(found, self._more(asked, {at}), partial(Sums.happened_before, cell=cell, day=sums.LAST))


def _counts_of(more: Sums) -> Mapping[str, int]:
    return more.counts


def _in_months(more: Sums) -> Mapping[str, int]:
    return rollup.in_months(more.happened)


def _and_more(found: Counts, more: Iterable[_Piece], which: Callable[[Sums], Mapping[str, int]]) -> Counts:
    """The same, with what is to be added to each part."""
    for part, _, sums_of, sign in more:
        _add_to(found.setdefault(part, Counter()), which(sums_of), sign)
    return found


def _with_more(
    found: Counter[Group], more: Iterable[_Piece], which: Callable[[Sums], int], of: int = 1
) -> Counter[Group]:
    """The same, with what is to be added to each group, so many times."""
    for _, group, sums_of, sign in more:
        found[group] += of * sign * which(sums_of)
    return found


def _add_to(found: Counter[T], more: Mapping[T, int], sign: int) -> None:
    for cell, n in more.items():
        found[cell] += sign * n


def _there(found: Counter[str]) -> Counter[str]:
    return Counter({cell: n for cell, n in found.items() if n})
