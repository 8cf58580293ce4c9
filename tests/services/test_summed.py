"""Figures that were added up beforehand, against the same question answered from the histories."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any

import asyncpg
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from notifier.domain.figures import CohortFigures
from notifier.domain.period import Flow, midnight
from notifier.errors import Forbidden, Invalid, NotFound
from notifier.services import bounds, review, rolling, statistics
from notifier.services.bounds import Bounds, Edge, bounds_of
from notifier.services.statistics import BASES, BYS, Query, Slice, Statistics
from notifier.services.summed import summed
from notifier.store import rollups, transitions
from notifier.store.sums import Range
from tests.services.stages import ADA, RITA, SAM, Stage
from tests.services.test_joining import opened
from tests.services.test_statistics import EVA, told

__all__ = ["told"]

_MONTH = datetime(2026, 11, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


async def added_up(stage: Stage) -> None:
    """The daemon does it too; whoever is first."""
    async with asyncio.timeout(30):
        while True:
            await rolling.roll(stage.ctx)
            async with stage.ctx.db.pool.acquire() as con:
                state = await rollups.state(con)
            if state.whole and not state.waiting:
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def nobody_adds_up(stage: Stage) -> AsyncIterator[None]:
    """The daemon may just be at it, so until it is over."""
    async with stage.ctx.db.pool.acquire() as con, con.transaction():
        async with asyncio.timeout(30):
            while not await con.fetchval("select pg_try_advisory_xact_lock($1)", rollups.ADDING):
                await asyncio.sleep(0.01)
        yield


def _counts(found: CohortFigures | None) -> Any:
    """Everything but where exactly a curve steps."""
    assert found is not None
    times = {key: (t.curve.n, t.curve.events, t.curve.censored, t.few) for key, t in found.times.items()}
    return replace(found, times={}), times


def same(quick: Statistics, exact: Statistics) -> None:
    assert quick.case_list is None
    assert (quick.cases, quick.unit, quick.programs) == (exact.cases, exact.unit, exact.programs)
    assert [part.key for part in quick.slices] == [part.key for part in exact.slices]
    pairs: list[tuple[Slice, Slice]] = list(
        zip((quick.whole, *quick.slices), (exact.whole, *exact.slices), strict=True)
    )
    for ours, theirs in pairs:
        if theirs.cohort is not None:
            assert _counts(ours.cohort) == _counts(theirs.cohort), ours.key
        else:
            assert ours.period is not None
            assert theirs.period is not None
            assert (ours.period.flow, ours.period.acts) == (theirs.period.flow, theirs.period.acts), ours.key
    # Whose groups can be told apart may differ where a bin holds times that do.
    assert set(quick.comparisons) == set(exact.comparisons)


def lasted(found: Statistics) -> list[float]:
    """How long all of them took together, of each slice and time: bins stand at the mean of what is in them."""
    parts = [part.cohort for part in (found.whole, *found.slices) if part.cohort is not None]
    curves = [time.curve for part in parts for time in part.times.values()]
    return [sum(p.time * (p.events + p.censored) for p in curve.points) for curve in curves]


async def _same_of_all(stage: Stage, **more: Any) -> None:
    for basis in BASES:
        for by in (None, *BYS):
            query = Query(basis=basis, by=by, **more)  # type: ignore[arg-type]
            same(await summed(stage.ctx, RITA, query), await statistics.statistics(stage.ctx, RITA, query))


async def test_the_same_is_said_by_both(told: Stage) -> None:
    await added_up(told)
    await _same_of_all(told)
    await _same_of_all(told, registry="pir")
    await _same_of_all(told, program="opioids", start=_MONTH)
    await _same_of_all(told, start=_MONTH, end=datetime(2026, 12, 1, tzinfo=UTC))


async def test_by_hand(told: Stage) -> None:
    await added_up(told)
    found = await summed(told.ctx, RITA, Query())
    cohort = found.whole.cohort
    assert cohort is not None
    assert (cohort.units, cohort.funnel["sent"].n, cohort.funnel["verified"].n, found.reports) == (4, 2, 1, 4)
    verified = cohort.times["verified"].curve
    assert next(p.time for p in verified.points if p.events) == 4 * 3600 + 5 * 60
    assert found.case_list is None
    period = await summed(told.ctx, RITA, Query(basis="period"))
    assert period.whole.period is not None
    assert period.whole.period.flow == Flow(0, 4, 1, 3)
    nothing = await summed(told.ctx, RITA, Query(end=_MONTH))
    assert (nothing.cases, nothing.whole.cohort and nothing.whole.cohort.units) == (0, 0)


async def test_what_comes_later_moves_the_figures_and_what_is_over_leaves_them(told: Stage) -> None:
    await added_up(told)
    await told.pass_time(days=40)
    case_id = await opened(told, "later-shop.com")
    await review.withdraw(told.ctx, RITA, case_id, "ours", "error")
    await added_up(told)
    await _same_of_all(told)
    await _same_of_all(told, start=datetime(2026, 12, 1, tzinfo=UTC))
    assert not await told.ctx.db.fetchval("select count(*) from rollup_count where 0 >= any(n) or n = '{}'")
    packed = [row["n"] for row in await told.ctx.db.pool.fetch("select n from rollup_time")]
    assert packed
    assert all(len(n) and (np.frombuffer(n, "<i8") > 0).all() for n in packed)


async def test_other_definitions_add_everything_up_anew(told: Stage) -> None:
    await added_up(told)
    before = await summed(told.ctx, RITA, Query())
    await told.ctx.db.pool.execute("update rollup_state set definitions = '0'")
    async with nobody_adds_up(told):
        behind = await summed(told.ctx, RITA, Query())
    assert behind.case_list is not None  # answered from the histories
    await added_up(told)
    again = await summed(told.ctx, RITA, Query())
    assert again.case_list is None
    assert (_counts(again.whole.cohort), again.cases) == (_counts(before.whole.cohort), before.cases)


async def test_parts_of_months_are_the_whole_less_the_rest_of_them(told: Stage) -> None:
    await added_up(told)
    opened_at = [
        row["at"] for row in await told.ctx.db.pool.fetch("select at from transition where tag = 'case.opened'")
    ]
    days = {midnight(at) + timedelta(days=n) for at in opened_at for n in (0, 1)}
    bounds = sorted(
        {*opened_at, *(at + timedelta(microseconds=1) for at in opened_at), *days, _MONTH + timedelta(days=17, hours=3)}
    )
    asked = [(by, *one) for by in (None, "registry", "outcome") for at in bounds for one in ((at, None), (None, at))]
    asked += [("month", *pair) for pair in combinations(bounds, 2)]

    async def asks() -> None:
        for by, start, end in asked:
            query = Query(start=start, end=end, by=by)  # type: ignore[arg-type]
            found, exact = (
                await summed(told.ctx, RITA, query),
                await statistics.statistics(told.ctx, RITA, query, reports=True),
            )
            same(found, exact)
            assert found.reports == exact.reports
            assert lasted(found) == pytest.approx(lasted(exact), abs=1)  # what runs was computed a moment before

    await asks()
    assert len(bounds) > 6
    await told.pass_time(days=130)  # now what still runs is read by weeks
    await added_up(told)
    await asks()


async def test_a_period_between_any_two_instants(told: Stage, database_url: str) -> None:
    """Right before, and behind, whatever happened or was written down, which was some time later."""
    con = await asyncpg.connect(database_url)
    await con.execute("set session_replication_role = replica")
    await con.execute("update transition set at = at - interval '90 minutes' where tag ~ '^(answer|outcome)'")
    await con.execute("delete from rollup_state")  # added up anew
    for row in await con.fetch("select case_id, program, at, told_at from transition where at <> told_at"):
        for at in (row["at"], row["told_at"]):
            assert str(row["case_id"]) in await transitions.told_of(con, [row["program"]], at, at + _TICK)
    await con.close()
    await added_up(told)
    rows = await told.ctx.db.pool.fetch("select at from transition union select told_at from transition")
    first = await told.ctx.db.fetchval("select min(at) from transition where tag = 'case.opened'")
    bounds = sorted({at + timedelta(microseconds=n) for (at,) in rows for n in (0, 1) if at >= first})
    now = await told.r.clock.now()
    asked = [(start, end) for start, end in combinations([None, *bounds], 2) if start is None or start < now]
    asked += [(at, at) for at in bounds if at < now]
    for n, (start, end) in enumerate(asked):
        query = Query(basis="period", start=start, end=end, by=(None, "month", "registry", "outcome")[n % 4])  # type: ignore[arg-type]
        same(await summed(told.ctx, RITA, query), await statistics.statistics(told.ctx, RITA, query))
    assert len(bounds) > 10


def test_the_nearest_years_months_and_days_by_hand() -> None:
    def at(month: int, day: int, hour: int = 0) -> datetime:
        return datetime(2026, month, day, hour, tzinfo=UTC)

    def part(start: datetime, end: datetime, sign: int) -> tuple[Range, int]:
        return Range(start.date(), end.date()), sign

    def of(start: datetime | None, end: datetime | None) -> Bounds:
        return bounds_of(Query(start=start, end=end))

    new_year, next_year = at(1, 1), datetime(2027, 1, 1, tzinfo=UTC)
    none, year = Range(new_year.date(), new_year.date()), Range(new_year.date(), next_year.date())
    # March is January to March less January and February.
    months = [part(new_year, at(3, 1), -1), part(new_year, at(4, 1), 1)]
    assert of(at(3, 1), at(4, 1)) == Bounds(none, months, Range(date(2026, 3, 1), date(2026, 4, 1)), [], [])
    assert of(at(3, 4), None) == Bounds(
        Range(date(2026, 1, 1)),
        [part(new_year, at(3, 1), -1)],
        Range(date(2026, 3, 1)),
        [part(at(3, 1), at(3, 4), -1)],
        [],
    )
    assert of(at(9, 24), None) == Bounds(
        Range(date(2027, 1, 1)),
        [part(at(10, 1), next_year, 1)],
        Range(date(2026, 10, 1)),
        [part(at(9, 24), at(10, 1), 1)],
        [],
    )
    months, spring = (
        [part(new_year, at(4, 1), -1), part(new_year, at(6, 1), 1)],
        Range(at(4, 1).date(), at(6, 1).date()),
    )
    assert of(at(3, 24), at(6, 9)) == Bounds(
        none, months, spring, [part(at(3, 24), at(4, 1), 1), part(at(6, 1), at(6, 9), 1)], []
    )
    assert of(at(3, 24), at(10, 28)) == Bounds(
        year,
        [part(new_year, at(4, 1), -1), part(at(11, 1), next_year, -1)],
        Range(at(4, 1).date(), at(11, 1).date()),
        [part(at(3, 24), at(4, 1), 1), part(at(10, 28), at(11, 1), -1)],
        [],
    )
    # Within a day, the nearest midnight: of five hours, those are read; of twenty, the four that are too many.
    late, early = at(3, 24, 20), at(6, 9, 5)
    assert of(late, early) == Bounds(
        none,
        months,
        spring,
        [part(at(3, 25), at(4, 1), 1), part(at(6, 1), at(6, 9), 1)],
        [Edge(late, at(3, 25), 1, late), Edge(at(6, 9), early, 1, early)],
    )
    late, early = at(3, 31, 20), at(6, 1, 5)
    edges = [Edge(late, at(4, 1), 1, late), Edge(at(6, 1), early, 1, early)]
    assert of(late, early) == Bounds(none, months, spring, [], edges)
    early, late = at(4, 1, 5), at(5, 31, 20)
    edges = [Edge(at(4, 1), early, -1, early), Edge(late, at(6, 1), -1, late)]
    assert of(early, late) == Bounds(none, months, spring, [], edges)
    assert of(None, datetime(9999, 12, 15, tzinfo=UTC)) == Bounds(Range(), [], Range(), [], [])
    # Of a period, what happened before each bound: five hours more than before that day, four less than before the next.
    assert bounds_of(Query(basis="period", start=early, end=late)) == Bounds(
        edges=[Edge(at(4, 1), early, 1, early), Edge(late, at(6, 1), -1, late)], window=(early, late)
    )
    whole = bounds_of(Query(basis="period", start=at(3, 3)))
    assert whole == Bounds(edges=[], window=(at(3, 3), bounds.END))


_INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 6, 1), timezones=st.just(UTC))
_BOUNDS = st.none() | _INSTANTS | _INSTANTS.map(midnight) | _INSTANTS.map(lambda at: midnight(at).replace(day=1))


@given(_BOUNDS, _BOUNDS, _INSTANTS)
def test_years_months_days_and_edges_are_together_what_is_asked(start: Any, end: Any, at: datetime) -> None:
    """Whatever is opened is in them once, or not at all; no more than half a year, half a month and half a day are read."""
    assume(start is None or end is None or start <= end)
    found = bounds_of(Query(start=start, end=end))
    day, asked = at.date(), int((start is None or start <= at) and (end is None or at < end))

    def within(*ranges: tuple[Range, int]) -> int:
        return sum(sign for days, sign in ranges if days.start <= day < days.end)

    beside = within(*found.days) + sum(edge.sign for edge in found.edges if edge.start <= at < edge.end)
    assert within((found.whole, 1)) + beside == within((found.years, 1), *found.months) + beside == asked
    assert all(months.end - months.start <= timedelta(days=184) for months, _ in found.months)
    assert all(days.end - days.start <= timedelta(days=16) for days, _ in found.days)
    assert all(edge.end - edge.start <= timedelta(hours=12) for edge in found.edges)


async def test_before_the_first_stretch_it_is_computed(told: Stage) -> None:
    await added_up(told)
    query = Query(as_of=await told.r.clock.now())
    found = await summed(told.ctx, RITA, query)
    assert found.case_list == (await statistics.statistics(told.ctx, RITA, query)).case_list is not None


async def test_nobody_sees_more_than_otherwise(told: Stage) -> None:
    await added_up(told)
    assert (await summed(told.ctx, EVA, Query())).cases == 0
    with pytest.raises(NotFound):
        await summed(told.ctx, EVA, Query(program="opioids"))
    with pytest.raises(Invalid, match="before from"):
        await summed(told.ctx, RITA, Query(start=_MONTH, end=datetime(2026, 10, 1, tzinfo=UTC)))
    with pytest.raises(Forbidden):
        await summed(told.ctx, SAM, Query())
    quick, exact = await summed(told.ctx, ADA, Query()), await statistics.statistics(told.ctx, ADA, Query())
    assert (quick.cases, quick.programs) == (exact.cases, exact.programs)


async def test_what_waits_is_told(told: Stage) -> None:
    """Lag shows: the answer is as of the oldest move that is not added up yet."""
    await added_up(told)
    async with nobody_adds_up(told):
        then = await told.r.clock.now()
        await opened(told, "waiting-shop.com")
        await told.pass_time(hours=3)
        assert await rolling.roll(told.ctx) == 0
        found = await summed(told.ctx, RITA, Query())
        assert (found.as_of, found.cases) == (then - timedelta(microseconds=1), 4)
    await added_up(told)
    found = await summed(told.ctx, RITA, Query())
    assert (found.as_of >= await told.r.clock.now(), found.cases) == (True, 5)


async def test_who_did_something_sees_it_and_each_number_has_its_cases(told: Stage) -> None:
    await opened(told, "just-now-shop.com")
    found = await summed(told.ctx, RITA, Query())
    await opened(told, "after-that-shop.com")
    behind = await statistics.cases(told.ctx, RITA, Query(as_of=found.as_of), "all/funnel/opened")
    assert (found.cases, behind.n) == (5, 5)
