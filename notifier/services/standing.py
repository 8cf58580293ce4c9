"""What was added up beforehand, as a question finds it: of now, or as it stood at an instant."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import NamedTuple, TypeVar

from notifier.domain import lengths, rollup
from notifier.domain.definitions import VERSION
from notifier.domain.history import Change, fold
from notifier.domain.lengths import Row, Rows, Times
from notifier.domain.period import MICRO, midnight, month_after
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
        return await answer(Standing(con, replace(query, as_of=known), programs, bounds.whole, until, None, more))


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
            return await answer(Standing(con, replace(query, as_of=at), programs, bounds.whole, at, told, more))


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
    """Units opened from `start` to before `end`: with `sign` 1 they are in a question beside its whole months, or -1 not."""

    start: datetime
    end: datetime
    sign: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is asked about: the whole months (UTC) of a cohort that are nearest, and what they lack or have too many; or the
    days of a period."""

    whole: Range
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
    if start is not None and end is not None and _month(start) == _month(end):
        return Bounds(Range(_month(start).date(), _month(start).date()), [Edge(start, end, 1)])
    first, before = _nearest(start, sums.FIRST, -1)
    last, behind = _nearest(end, sums.LAST, 1)
    return Bounds(Range(first, last), [*before, *behind])


def _nearest(bound: datetime | None, without: date, earlier: int) -> tuple[date, list[Edge]]:
    """The nearest first day of a month, and what lies between; `earlier`: the sign of what does where the day is earlier."""
    if bound is None:
        return without, []
    first = _month(bound)
    if first.date() >= sums.LAST:  # the calendar ends
        return sums.LAST, []
    if bound == first:
        return first.date(), []
    following = month_after(first)
    if bound - first <= following - bound:
        return first.date(), [Edge(first, bound, earlier)]
    return following.date(), [Edge(bound, following, -earlier)]


def _month(at: datetime) -> datetime:
    return midnight(at).replace(day=1)


class More(NamedTuple):
    """What is to be added, or with `sign` -1 to be taken away. `beside`: whatever the months of a question are."""

    added: Added
    sign: int
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A question over one view of the tables. `programs`: and whether names are shown. `within`: as `Bounds.whole` has it.

    `now`: the instant up to which what runs has run. `stretches`: level and end of those whose sum was known at the end of
    the last; None: of now. `more`: what is to be added to that.
    """

    con: Connection
    query: Query
    programs: Mapping[str, bool]
    within: Range
    now: datetime
    stretches: Sequence[tuple[int, datetime]] | None
    more: Sequence[More]

    def of(self, months: Range, by: str | None) -> Asked:
        return Asked(sorted(self.programs), self.query.registry, months, by, self.stretches)

    def days_of(self, begins: datetime) -> Range:
        """What is asked about of the month in which an instant is, from it on."""
        return Range(begins.date(), min(month_after(begins).date(), self.within.end))

    def _more(self, asked: Asked) -> Iterator[tuple[str, Group, Sums, int]]:
        """What is to be added of what is asked, with its part and its sign."""
        for more in self.more:
            of = replace(asked, months=Range()) if more.beside else asked
            for group, found in more.added.groups.items():
                if (part := of.part_of(group)) is not None:
                    yield part, group, found, more.sign

    async def counts(self, by: str | None = None) -> Counts:
        """Of units, by when they were opened."""
        asked = self.of(self.within, by)
        return self._and_more(await sums.counts(self.con, asked), asked, lambda more: more.counts)

    async def happened(self, by: str | None = None) -> Mapping[str, Happened]:
        """By part, what happened to cases, whenever opened: before either end of what is asked about, or before any month."""
        asked = self.of(Range(), by)
        days = self._and_more(await sums.happened(self.con, asked), asked, lambda more: rollup.in_months(more.happened))
        found = {part: Happened(cells) for part, cells in days.items()}
        for day in (self.within.start, self.within.end):
            if day.day != 1:
                told = await sums.happened_in_month(self.con, asked, day)
                told = self._and_more(told, asked, lambda more, day=day: more.happened_in_month(day))  # type: ignore[misc]
                for part, of in found.items():
                    of.know(day, told.get(part, Counter()))
        return found

    def _and_more(self, found: Counts, asked: Asked, which: Callable[[Sums], Counter[str]]) -> Counts:
        for part, _, more, sign in self._more(asked):
            of = found.setdefault(part, Counter())
            for cell, n in which(more).items():
                of[cell] += sign * n
        return {
            part: Counter({cell: n for cell, n in of.items() if n}) for part, of in found.items() if any(of.values())
        }

    async def times(self, by: str | None = None) -> tuple[Mapping[str, Times], Times]:
        """By part, and of the whole."""
        asked = self.of(self.within, by)
        rows = await sums.times(self.con, asked, self.now)
        more = [
            Row(part, kept.key, kept.how, [kept.at], [sign * n], [sign * micros])
            for part, _, found, sign in self._more(asked)
            for spent, some in found.times.items()
            for kept, (n, micros) in (rollup.grains(spent, some) if self.stretches is None else [(spent, some)])
        ]
        rows = rows.and_more(Rows.of(more)) if more else rows
        return lengths.read(rows, self.now, rollup.ages(self.now) if self.stretches is None else lengths.ANY_DAY)

    async def groups(self, cell: str) -> Counter[Group]:
        """How many units of each group a cell of a cohort counts; as it stood."""
        asked = self.of(self.within, None)
        return self._with_more(await sums.of_cell(self.con, asked, cell), asked, lambda more: more.of_cell(cell))

    async def groups_before(self, cell: str, day: date) -> Counter[Group]:
        """To how many cases of each group it happened before the day; as it stood."""
        asked = self.of(Range(), None)
        found = await sums.of_happened(self.con, asked, cell, day)
        return self._with_more(found, asked, lambda more: more.happened_before(cell, day))

    def _with_more(self, found: Counter[Group], asked: Asked, which: Callable[[Sums], int]) -> Counter[Group]:
        for _, group, more, sign in self._more(asked):
            found[group] += sign * which(more)
        return Counter({group: n for group, n in found.items() if n})
