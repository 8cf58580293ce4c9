"""What was added up beforehand, as a question finds it: of now, or as it stood at an instant."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

from notifier.domain import lengths, rollup
from notifier.domain.definitions import VERSION
from notifier.domain.history import Change, fold
from notifier.domain.lengths import Row, Rows, Times
from notifier.domain.period import MICRO, begin_of, midnight, month_after
from notifier.domain.rollup import Added, Group, Happened, Sums
from notifier.services import grants, rolling, statistics, stretching
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.statistics import Query
from notifier.store import rollups, stretches, sums, transitions
from notifier.store.database import Connection
from notifier.store.sums import Asked, Counts, Range

_LITTLE, _TRIES, _PAUSE_S, _BATCH = 500, 8, 0.03, 4_000

T = TypeVar("T")


async def now(
    ctx: Context, who: Principal, query: Query, bounds: "Bounds", answer: "Callable[[Standing], Awaitable[T]]"
) -> T | None:
    """None: not all of it is added up yet, or small numbers are kept back."""
    until = await _caught_up(ctx)
    async with ctx.db.pool.acquire() as con, con.transaction(isolation="repeatable_read", readonly=True):
        programs = await statistics.asked_about(ctx, con, who, query, until)
        below = await grants.suppress_below(ctx, con, who, programs, until)
        state = await rollups.state(con)
        if below or not state.whole or state.definitions != VERSION:
            return None
        known = until if state.behind is None else min(until, state.behind - MICRO)
        more = [await _beside(con, query, programs, edge, _of_now) for edge in bounds.edges]
        return await answer(Standing(con, replace(query, as_of=known), programs, bounds, until, None, more))


async def as_of(
    ctx: Context, who: Principal, query: Query, bounds: "Bounds", answer: "Callable[[Standing], Awaitable[T]]"
) -> T | None:
    """None: no stretch ends near it, or small numbers are kept back."""
    clock = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        programs = await statistics.asked_about(ctx, con, who, query, clock)
        if await grants.suppress_below(ctx, con, who, programs, clock):
            return None
        at = await statistics.closed_instant(con, query, clock)
        async with con.transaction(isolation="repeatable_read", readonly=True):
            end = await stretches.nearest(con, at)
            if end is None or (await rollups.state(con)).definitions != VERSION:
                return None
            (added,) = await stretching.between(con, min(end, at), [max(end, at)])
            more = [More(added, 1 if end <= at else -1)]
            more += [await _beside(con, query, programs, edge, partial(_as_it_stood, at=at)) for edge in bounds.edges]
            told = await stretches.up_to(con, end)
            return await answer(Standing(con, replace(query, as_of=at), programs, bounds, at, told, more))


# By program and target: the changes of each case that are known, and how many reports came in about it.
_Said = Mapping[tuple[str, str], tuple[Sequence[Sequence[Change]], Mapping[str, int]]]


async def _beside(
    con: Connection,
    query: Query,
    programs: Iterable[str],
    edge: "Edge",
    read: Callable[[Connection, Sequence[str]], Awaitable[_Said]],
) -> "More":
    """Of what was opened there, so many cases at a time."""
    ids = await transitions.opened(con, sorted(programs), query.registry, edge.start, edge.end)
    added, seen = Added(), set[tuple[str, str]]()
    for at in range(0, len(ids), _BATCH):
        said = await read(con, ids[at : at + _BATCH])
        fresh = [of for name, of in said.items() if name not in seen]
        seen.update(said)
        await asyncio.to_thread(_add, added, fresh, edge)
    return More(added, edge.sign, beside=True)


def _add(added: Added, names: Iterable[tuple[Sequence[Sequence[Change]], Mapping[str, int]]], edge: "Edge") -> None:
    for cases, reports in names:
        added.add_units([fold(changes) for changes in cases if changes], reports, edge.start, edge.end)


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


@dataclass(frozen=True, slots=True)
class Edge:
    """Units opened from `start` to before `end`: with `sign` 1 they are in a question beside its whole days, or -1 not."""

    start: datetime
    end: datetime
    sign: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is asked about. Of a cohort, the whole months (UTC) that are nearest; the whole days that these lack (1), or have
    too many (-1); and what is opened between a bound and the nearest midnight. Of a period, its days."""

    whole: Range
    days: Sequence[tuple[Range, int]] = ()
    edges: Sequence[Edge] = ()


def bounds_of(query: Query) -> Bounds | None:
    """None: a bound of a period lies within a day (UTC)."""
    start, end = query.start, query.end
    if query.basis == "period":
        if any(bound is not None and bound != midnight(bound) for bound in (start, end)):
            return None
        return Bounds(
            Range(
                start.astimezone(UTC).date() if start else sums.FIRST, end.astimezone(UTC).date() if end else sums.LAST
            )
        )
    whole, days, edges = [sums.FIRST, sums.LAST], list[Edge](), list[Edge]()
    for side, bound, sign in ((0, start, 1), (1, end, -1)):
        if bound is None:
            continue
        if bound >= begin_of(sums.LAST):  # the calendar ends
            whole[side] = sums.LAST
            continue
        day = _nearest(bound, midnight(bound), midnight(bound) + timedelta(days=1))
        first = midnight(bound).replace(day=1)
        month = _nearest(day, first, month_after(first))
        whole[side] = month.date()
        edges += _between(bound, day, sign)
        days += _between(day, month, sign)
    return Bounds(Range(*whole), [(Range(of.start.date(), of.end.date()), of.sign) for of in days], edges)


def _nearest(at: datetime, before: datetime, after: datetime) -> datetime:
    return before if at - before <= after - at else after


def _between(at: datetime, other: datetime, sign: int) -> list[Edge]:
    """What lies from one to the other, with this sign, or where the other is earlier, the opposite one."""
    if at == other:
        return []
    return [Edge(at, other, sign) if at < other else Edge(other, at, -sign)]


class More(NamedTuple):
    """What is to be added, or with `sign` -1 to be taken away. `beside`: whatever the months and days of a question are."""

    added: Added
    sign: int
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A question over one view of the tables. `programs`: and whether names are shown.

    `now`: the instant up to which what runs has run. `stretches`: level and end of those whose sum was known at the end of
    the last; None: of now. `more`: what is to be added to that.
    """

    con: Connection
    query: Query
    programs: Mapping[str, bool]
    bounds: Bounds
    now: datetime
    stretches: Sequence[tuple[int, datetime]] | None
    more: Sequence[More]

    @property
    def within(self) -> Range:
        """The days of a period."""
        return self.bounds.whole

    def of(self, opened: Range, by: str | None) -> Asked:
        return Asked(sorted(self.programs), self.query.registry, opened, by, self.stretches)

    def days_of(self, begins: datetime) -> Range:
        """What is asked about of the month in which an instant is, from it on."""
        return Range(begins.date(), min(month_after(begins).date(), self.within.end))

    def _cohort(self, by: str | None) -> list[tuple[Asked, int]]:
        """Its months, and the days that these lack or have too many, each with its sign."""
        days = [(replace(self.of(days, by), days=True), sign) for days, sign in self.bounds.days]
        return [(self.of(self.bounds.whole, by), 1), *days]

    def _more(self, asked: Asked) -> Iterator[tuple[str, Group, Sums, int]]:
        """What is to be added of what is asked, with its part and its sign."""
        for more in self.more:
            if more.beside and asked.days:
                continue  # it is added once, to the months
            of = replace(asked, opened=Range()) if more.beside else asked
            for group, found in (more.added.days if asked.days else more.added.groups).items():
                if (part := of.part_of(group)) is not None:
                    yield part, group, found, more.sign

    async def counts(self, by: str | None = None) -> Counts:
        """Of units, by when they were opened."""
        found: Counts = {}
        for asked, sign in self._cohort(by):
            told = self._and_more(await sums.counts(self.con, asked), asked, lambda more: more.counts)
            for part, cells in told.items():
                _add_to(found.setdefault(part, Counter()), cells, sign)
        return {part: there for part, of in found.items() if (there := _there(of))}

    async def happened(self, by: str | None = None) -> Mapping[str, Happened]:
        """By part, what happened to cases, whenever opened: before either end of what is asked about, or before any month."""
        asked = self.of(Range(), by)
        days = self._and_more(await sums.happened(self.con, asked), asked, lambda more: rollup.in_months(more.happened))
        found = {part: Happened(_there(cells)) for part, cells in days.items()}
        for day in (self.within.start, self.within.end):
            if day.day != 1:
                told = await sums.happened_in_month(self.con, asked, day)
                told = self._and_more(told, asked, lambda more, day=day: more.happened_in_month(day))  # type: ignore[misc]
                for part, of in found.items():
                    of.know(day, told.get(part, Counter()))
        return found

    def _and_more(self, found: Counts, asked: Asked, which: Callable[[Sums], Counter[str]]) -> Counts:
        for part, _, more, sign in self._more(asked):
            _add_to(found.setdefault(part, Counter()), which(more), sign)
        return found

    async def times(self, by: str | None = None) -> tuple[Mapping[str, Times], Times]:
        """By part, and of the whole."""
        found = Rows.of([])
        for asked, sign in self._cohort(by):
            more = Rows.of(
                [
                    Row(part, kept.key, kept.how, [kept.at], [of * n], [of * micros])
                    for part, _, added, of in self._more(asked)
                    for kept, (n, micros) in added.times.items()
                ]
            )
            rows = (await sums.times(self.con, asked, self.now)).and_more(
                more if self.stretches is not None else more.in_grains()
            )
            found = found.and_more(rows.signed(sign))
        return lengths.read(found, self.now, rollup.ages(self.now) if self.stretches is None else lengths.ANY_DAY)

    async def groups(self, cell: str) -> Counter[Group]:
        """How many units of each group a cell of a cohort counts; as it stood."""
        found: Counter[Group] = Counter()
        for asked, sign in self._cohort(None):
            told = self._with_more(await sums.of_cell(self.con, asked, cell), asked, lambda more: more.of_cell(cell))
            _add_to(found, told, sign)
        return found

    async def groups_before(self, cell: str, day: date) -> Counter[Group]:
        """To how many cases of each group it happened before the day; as it stood."""
        asked = self.of(Range(), None)
        found = await sums.of_happened(self.con, asked, cell, day)
        return self._with_more(found, asked, lambda more: more.happened_before(cell, day))

    def _with_more(self, found: Counter[Group], asked: Asked, which: Callable[[Sums], int]) -> Counter[Group]:
        for _, group, more, sign in self._more(asked):
            found[group] += sign * which(more)
        return Counter({group: n for group, n in found.items() if n})


def _add_to(found: Counter[T], more: Mapping[T, int], sign: int) -> None:
    for cell, n in more.items():
        found[cell] += sign * n


def _there(found: Counter[str]) -> Counter[str]:
    return Counter({cell: n for cell, n in found.items() if n})
