"""What a question is about: the nearest whole years, months and days, and the parts of days beside them, each with its sign."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from notifier.domain.period import begin_of, midnight, month_after
from notifier.services.statistics import Query
from notifier.store import sums
from notifier.store.sums import Range


@dataclass(frozen=True, slots=True)
class Edge:
    """What lies between a bound of the question and the nearest midnight, from `start` to before `end`.

    With `sign` 1 the question has it beside its whole days; with -1 they have it, and the question has not.
    """

    start: datetime
    end: datetime
    sign: int
    bound: datetime


BEGIN, END = begin_of(sums.FIRST), begin_of(sums.LAST)  # of a period without a bound


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is asked about. Of a cohort, the whole `years` (UTC) that are nearest, and the `months` that these lack (1), or have
    too many (-1); `whole`: the months that they are together; `days`: those that the months lack, or have too many.
    `window`: of a period, from when until when. `edges`: parts of days."""

    years: Range = field(default_factory=Range)
    months: Sequence[tuple[Range, int]] = ()
    whole: Range = field(default_factory=Range)
    days: Sequence[tuple[Range, int]] = ()
    edges: Sequence[Edge] = ()
    window: tuple[datetime, datetime] = (BEGIN, END)


def bounds_of(query: Query) -> Bounds:
    start, end = (min(bound.astimezone(UTC), END) if bound else None for bound in (query.start, query.end))
    if query.basis == "period":
        window = (start or BEGIN, end or END)
        # Of what happened before a bound.
        edges = [edge for bound in dict.fromkeys(window) for edge in _between(bound, midnight_near(bound), -1)]
        return Bounds(edges=edges, window=window)
    years, whole = [sums.FIRST, sums.LAST], [sums.FIRST, sums.LAST]
    months, days, edges = list[Edge](), list[Edge](), list[Edge]()
    for side, bound, sign in ((0, start, 1), (1, end, -1)):
        if bound is not None and bound < END:
            first = midnight(bound).replace(day=1)
            day, month = midnight_near(bound), _nearest(bound, first, month_after(first))
            year = _nearest(month, first.replace(month=1), first.replace(year=first.year + 1, month=1))
            edges += _between(bound, day, sign)
            days += _between(day, month, sign)
            months += _between(month, year, sign)
            years[side], whole[side] = year.date(), month.date()
        elif bound is not None:  # the calendar ends
            years[side] = whole[side] = sums.LAST
    return Bounds(Range(*years), _ranges(months), Range(*whole), _ranges(days), edges)


def _ranges(found: Iterable[Edge]) -> list[tuple[Range, int]]:
    return [(Range(of.start.date(), of.end.date()), of.sign) for of in found]


def midnight_near(at: datetime) -> datetime:
    """The nearest one (UTC); the earlier of two as near."""
    return _nearest(at, midnight(at), midnight(at) + timedelta(days=1))


def _nearest(at: datetime, before: datetime, after: datetime) -> datetime:
    return before if at - before <= after - at else after


def _between(at: datetime, other: datetime, sign: int) -> list[Edge]:
    """What lies from one to the other, with this sign, or where the other is earlier, the opposite one."""
    if at == other:
        return []
    return [Edge(at, other, sign, at) if at < other else Edge(other, at, -sign, at)]
