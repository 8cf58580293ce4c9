"""Figures as they stood, from stretches of what became known, against the same question answered from the histories."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from notifier.domain import numbers, public_figures
from notifier.domain.figures import KEPT_BACK
from notifier.domain.period import midnight
from notifier.domain.table_rows import cohort_rows, period_rows
from notifier.domain.transparency import Transparency
from notifier.errors import Invalid
from notifier.services import grants, review, standing, statistics, stretching, summed, summed_cases
from notifier.services.access import Principal, Role
from notifier.services.counted import CountedPage
from notifier.services.standing import Standing
from notifier.services.statistics import BASES, BYS, Query
from notifier.store import stretches
from tests.services.stages import ADA, RITA, Stage
from tests.services.test_joining import opened
from tests.services.test_statistics import EVA, tell
from tests.services.test_summed import added_up, lasted, nobody_adds_up, same

_TICK = timedelta(microseconds=1)


async def SCRIPT(stage: Stage) -> None:
    """In two months: what `tell` tells, a name that comes back, one that was our error, and all of it is added up."""
    await review.reject(stage.ctx, RITA, await opened(stage, "twice-shop.com"), "no")
    await tell(stage)
    gone = await opened(stage, "gone-shop.com")
    await stage.pass_time(hours=1)
    await opened(stage, "stays-shop.com")
    await stage.pass_time(days=29)
    await review.withdraw(stage.ctx, RITA, gone, "ours", "error")  # until then both waited since the same day
    await opened(stage, "twice-shop.com")
    await review.withdraw(stage.ctx, RITA, await opened(stage, "later-shop.com"), "ours", "error")
    await opened(stage, "later-shop.com")
    await grants.give(stage.ctx, ADA, "opioids", "university", await stage.r.clock.now() + timedelta(days=30))
    await stage.pass_time(days=1)
    await added_up(stage)


async def _written(stage: Stage, size: int) -> int:
    for table in ("stretch", "stretch_count", "stretch_time", "stretch_number"):
        await stage.ctx.db.pool.execute(f"delete from {table}")
    n = 0
    while done := await stretching.stretch(stage.ctx, size, 1 + n % 4):
        n += done
    return n


async def _instants(stage: Stage) -> list[datetime]:
    rows = await stage.ctx.db.pool.fetch("select distinct recorded_at from transition order by 1")
    return [row["recorded_at"] for row in rows]


@pytest.mark.parametrize("size", [1, 15])
async def test_as_of_any_instant_the_same_is_said_by_both(
    still: Stage, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one transition each, two are one of the level above; of fifteen, some instants lie nearer the end of theirs."""
    monkeypatch.setattr(stretches, "JOINED", 2)
    n = await _written(still, size)
    first = await still.ctx.db.fetchval("select min(until) from stretch")
    levels = await still.ctx.db.pool.fetch("select count(*) as n from stretch group by level order by level")
    assert [row["n"] for row in levels] == [one for one in (n, n // 2, n // 4, n // 8, n // 16) if one]
    assert len(levels) >= (3 if size == 1 else 2)
    instants = [at + more for at in await _instants(still) for more in (-_TICK, timedelta())]
    for n, at in enumerate(instants):
        queries = [Query(basis=basis, as_of=at, by=by) for basis in BASES for by in (None, *BYS)]  # type: ignore[arg-type]
        for query in queries if size == 15 else [queries[n % len(queries)]]:
            exact = await statistics.statistics(still.ctx, RITA, query)
            found = await summed.summed(still.ctx, RITA, query)
            if at < first:
                assert found == exact
            else:
                same(found, exact)
                assert found.as_of == at
                assert lasted(found) == pytest.approx(lasted(exact), abs=1e-3)
    same(
        await summed.summed(still.ctx, RITA, asked := Query("opioids", "pir", as_of=instants[-1], by="actor")),
        await statistics.statistics(still.ctx, RITA, asked),
    )


@pytest.mark.parametrize("size", [1, 15])
async def test_which_units_a_number_counts_is_the_same_by_both(
    still: Stage, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretches, "JOINED", 2)
    await _written(still, size)
    first = await still.ctx.db.fetchval("select min(until) from stretch")
    for at in [at for at in await _instants(still) if at >= first]:
        query = Query(as_of=at)
        _, units = await statistics.with_units(still.ctx, RITA, query)
        exact = numbers.counted(units)
        assert await standing.as_of(still.ctx, RITA, query, Standing.numbers) == exact, at
        assert await standing.as_of(still.ctx, RITA, replace(query, program="authority-order"), Standing.numbers) == {}
    # By hand: what a number counts is told by the sum of what each of its units is told by.
    cells = [cells for part, cells in exact.items() if part.registry == "verisign"]
    alone = {number for of in cells for cell, number in of.items() if cell == "funnel/verified"}
    assert len(alone) == 1
    assert {cell for of in cells for cell, number in of.items() if number in alone} >= {
        "funnel/verified", "share/success", "outcome/registry_hold/registry", "time/verified/events", "time/relapse/n",
    }  # fmt: skip


async def test_whoever_sees_no_small_numbers_is_told_the_same_by_both(
    still: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is three, so that something is told; of more cases than are read at once, too."""
    program = still.ctx.program("opioids")
    told_of = replace(program, transparency=replace(program.transparency, suppress_below=3))
    monkeypatch.setitem(still.ctx.catalog.programs, "opioids", told_of)  # type: ignore[arg-type]
    await _written(still, 6)
    now = await still.r.clock.now()
    days = sorted({day for at in await _instants(still) if (day := midnight(at) + _DAY) <= now})
    kept = told = 0
    for day, by in product(days, (None, "month", "registry")):
        query = Query("opioids", as_of=day, by=by)  # type: ignore[arg-type]
        exact, found = await statistics.statistics(still.ctx, EVA, query), await summed.summed(still.ctx, EVA, query)
        assert found.suppress_below == 3
        assert found.comparisons == {}
        same(found, exact)
        (counts,) = (of.cohort.funnel["opened"].n for of in [found.whole] if of.cohort)
        kept, told = kept + (counts == KEPT_BACK), told + (counts != KEPT_BACK)
    assert min(kept, told) > 0, "some days tell it, and some do not"
    few = replace(still.ctx, settings=replace(still.ctx.settings, cases_at_once=1))
    assert await summed.summed(few, EVA, query) == found
    assert (await summed.summed(few, EVA, replace(query, as_of=None))).as_of == midnight(await still.r.clock.now())
    for cell in ("all/funnel/opened", "all/funnel/verified", "verisign/funnel/sent"):
        with pytest.raises(Invalid, match="the cases behind a number are not told"):
            await summed_cases.cases(still.ctx, EVA, replace(query, by="registry"), cell)
    for wrong in (replace(query, registry="pir"), replace(query, as_of=day + _TICK), Query("opioids", basis="period")):
        with pytest.raises(Invalid) as fault:
            await summed.summed(few, EVA, wrong)
        assert fault.value.code == "suppressed"


async def test_the_public_reads_the_same_of_more_cases_than_are_read_at_once(
    still: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _written(still, 6)
    told_of = Transparency(public=True, delay_days=7, suppress_below=2, registries=True)
    program = replace(still.ctx.program("opioids"), transparency=told_of)
    monkeypatch.setitem(still.ctx.catalog.programs, "opioids", program)  # type: ignore[arg-type]
    who = Principal("daemon", "service", Role.AUDITOR, programs=frozenset({"opioids"}))
    for at in (await _instants(still))[::5]:
        day = midnight(at)
        query = Query("opioids", as_of=day)
        _, units = await statistics.with_units(still.ctx, who, query)
        found = await summed.public(still.ctx, who, query)
        exact = public_figures.of_units(units, day)
        if found is not None:
            assert public_figures.shown(found, day, told_of) == public_figures.shown(exact, day, told_of)
    assert found is not None
    assert (len(found.quarters), len(found.registries)) == (1, 2)


async def test_what_happened_stands_where_the_histories_have_it(still: Stage) -> None:
    await _written(still, 15)
    at = (await _instants(still))[-2]
    query = Query(as_of=at, by="registry")
    found, exact = await summed.summed(still.ctx, RITA, query), await statistics.statistics(still.ctx, RITA, query)
    pairs = list(zip((found.whole, *found.slices), (exact.whole, *exact.slices), strict=True))
    assert len(pairs) > 2
    for ours, theirs in pairs:
        assert ours.cohort is not None
        assert theirs.cohort is not None
        for key, time in ours.cohort.times.items():  # few are alike, so what happened stands where it is
            happened = [(p.time, p.events) for p in time.curve.points if p.events]
            assert happened == [(p.time, p.events) for p in theirs.cohort.times[key].curve.points if p.events], key


async def _all(stage: Stage, cases: Any, query: Query, cell: str, limit: int) -> tuple[int, list[Sequence[str]]]:
    found: list[Sequence[str]] = []
    cursor: str | None = None
    while True:
        page: CountedPage = await cases(stage.ctx, RITA, query, cell, limit=limit, cursor=cursor)
        found += [one.case_ids for one in page.items]
        if (cursor := page.next_cursor) is None:
            return page.n, found


async def test_each_number_has_the_same_cases(still: Stage) -> None:
    for size in (3, 15):
        await _written(still, size)
        at = (await _instants(still))[-2]
        for by in (None, *BYS) if size == 15 else ("registry",):
            query = Query(as_of=at, by=by)  # type: ignore[arg-type]
            exact = await statistics.statistics(still.ctx, RITA, query)
            for part in (exact.whole, *exact.slices):
                assert part.cohort is not None
                cells = [row.cell for row in cohort_rows(part.key, part.cohort)]
                cells += [
                    cell.removesuffix("n") + more
                    for cell in cells
                    if "/time/" in cell
                    for more in ("events", "censored")
                ]
                for cell in (*cells, f"{part.key}/judged"):
                    ours = await _all(still, summed_cases.cases, query, cell, 2)
                    assert ours == await _all(still, statistics.cases, query, cell, 100), cell
        for wrong in (
            "all/units",
            "all/funnel/none",
            "nowhere/funnel/opened",
            "all/time/x",
            "all/flow/opened",
            "all",
            "",
        ):
            with pytest.raises(Invalid, match="in no answer"):
                await summed_cases.cases(still.ctx, RITA, Query(as_of=at), wrong)


async def test_parts_of_months_as_they_stood(still: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """From just behind the first opening, to just before the last one, days on which a name was reported twice, days that
    many months lack, and a part of a day on which a name that was reported twice was, with cases read one by one."""
    monkeypatch.setattr(standing, "_BATCH", 1)
    await _written(still, 6)
    rows = await still.ctx.db.pool.fetch("select at from transition where tag = 'case.opened' order by at")
    first, *_, last = [row["at"] for row in rows]
    asked = (
        (first + _TICK, None),
        (None, last),
        (first + _TICK, last),
        (_DECEMBER, _DECEMBER + timedelta(days=5)),
        (midnight(first), midnight(last)),
        (midnight(first) + _DAY, midnight(last) + _DAY),
        (last, last + _TICK),
    )
    # The last instants are nearer this end of a stretch and that: what became known between is added, or taken away.
    instants = (await _instants(still))[-5:]
    for n, (at, (start, end)) in enumerate(product(instants, asked)):
        for by in (None, "month", "actor"):
            query = Query(as_of=at, by=by, start=start, end=end)  # type: ignore[arg-type]
            found, exact = (
                await summed.summed(still.ctx, RITA, query),
                await statistics.statistics(still.ctx, RITA, query),
            )
            same(found, exact)
            assert lasted(found) == pytest.approx(lasted(exact), abs=1e-3)
            for part in (exact.whole, *exact.slices) if n % 4 == 0 else ():  # each of the seven once or twice
                for row in cohort_rows(part.key, part.cohort) if part.cohort else ():
                    ours = await _all(still, summed_cases.cases, query, row.cell, 3)
                    assert ours == await _all(still, statistics.cases, query, row.cell, 100), (by, row.cell)


_DAY = timedelta(days=1)
_NOVEMBER, _DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
_DAYS = {"start": datetime(2026, 11, 3, tzinfo=UTC), "end": datetime(2026, 12, 2, tzinfo=UTC)}
_PERIODS: tuple[dict[str, Any], ...] = (
    {},
    {"start": _DECEMBER},
    {"end": _DECEMBER},
    {"start": _NOVEMBER, "end": _DECEMBER},
    {"registry": "pir"},
    _DAYS,
    {"start": datetime(2026, 11, 2, 18, 30, tzinfo=UTC), "end": datetime(2026, 12, 1, 20, 30, tzinfo=UTC)},
)


@pytest.mark.parametrize("more", _PERIODS)
async def test_a_period_is_told_as_the_histories_tell_it(still: Stage, more: dict[str, Any]) -> None:
    await _written(still, 6)
    first = await still.ctx.db.fetchval("select min(until) from stretch")
    begun = [at for at in await _instants(still) if at >= max(first, more.get("start", first))]
    for at in (None, *begun):
        for by in (None, *BYS):
            query = Query(as_of=at, by=by, basis="period", **more)  # type: ignore[arg-type]
            same(await summed.summed(still.ctx, RITA, query), await statistics.statistics(still.ctx, RITA, query))


@pytest.mark.parametrize("more", _PERIODS)
async def test_each_number_of_a_period_has_the_same_cases(still: Stage, more: dict[str, Any]) -> None:
    await _written(still, 15)
    read = 0
    for at in (await _instants(still))[-1 if more.get("start") == _DECEMBER else -2 :]:
        for by in (None, *BYS):
            query = Query(as_of=at, by=by, basis="period", **more)  # type: ignore[arg-type]
            exact = await summed.summed(still.ctx, RITA, query)
            for part in (exact.whole, *exact.slices):
                assert part.period is not None
                for row in period_rows(part.key, part.period):
                    ours = await _all(still, summed_cases.cases, query, row.cell, 2)
                    assert ours == await _all(still, statistics.cases, query, row.cell, 100), (by, row.cell)
                    assert len(ours[1]) == ours[0] == row.n
                    read += row.n
            for wrong in (
                "all/flow/opened",
                "nowhere/flow/opened_in",
                "2026-09/flow/opened_in",
                "all/funnel/opened",
                "",
            ):
                with pytest.raises(Invalid, match="in no answer"):
                    await summed_cases.cases(still.ctx, RITA, query, wrong)
    assert read > 20


@pytest.mark.parametrize("ask", [summed.summed, statistics.statistics])
async def test_a_period_that_has_not_begun_is_none(still: Stage, ask: Any) -> None:
    at = (await _instants(still))[-1]
    for as_of in (at, None):
        with pytest.raises(Invalid, match="from: lies behind"):
            await ask(still.ctx, RITA, Query(basis="period", as_of=as_of, start=datetime(2027, 5, 1, tzinfo=UTC)))


async def test_far_behind_what_is_written_the_histories_are_read(still: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await _written(still, 10**6)
    assert await stretching.stretch(still.ctx, 6, 1) == 1
    at = await still.r.clock.now()
    end = await still.ctx.db.fetchval("select max(until) from stretch")
    behind = await still.ctx.db.fetchval("select count(*) from transition where recorded_at > $1", end)
    assert behind > 1
    for far, written in ((behind, True), (behind - 1, False)):
        monkeypatch.setattr(stretches, "FAR", far)
        found = await summed.summed(still.ctx, RITA, Query(as_of=at))
        assert (found.case_list is None) == written


async def test_a_stretch_ends_where_it_ends_whenever_it_is_written(stage: Stage) -> None:
    ends = "select level, until from stretch order by until, level"
    await added_up(stage)
    await opened(stage, "first-shop.com")
    await _written(stage, 3)
    early = await stage.ctx.db.pool.fetch(ends)
    await stage.pass_time(days=1)
    await tell(stage)
    while await stretching.stretch(stage.ctx, 3):
        pass
    now_and_then = await stage.ctx.db.pool.fetch(ends)
    await _written(stage, 3)
    assert await stage.ctx.db.pool.fetch(ends) == now_and_then
    assert now_and_then[: len(early)] == early
    assert len(now_and_then) > len(early) + 3
    # With the third transition, and all that was recorded in its instant.
    recorded = [
        row["recorded_at"] for row in await stage.ctx.db.pool.fetch("select recorded_at from transition order by 1")
    ]
    for end in (row["until"] for row in now_and_then if row["level"] == 0):
        assert end == recorded[2]
        recorded = [at for at in recorded if at > end]
    assert len(recorded) < 3


async def test_nothing_is_recorded_in_a_stretch_that_is_written_and_other_definitions_are_written_anew(
    stage: Stage,
) -> None:
    """Who writes while the clock stands is recorded behind the end of the stretch."""
    await added_up(stage)
    await opened(stage, "first-shop.com")
    await _written(stage, 1)
    until = await stage.ctx.db.fetchval("select max(until) from stretch")
    assert until == await stage.r.clock.now()
    later = await opened(stage, "same-instant-shop.com")
    assert await stage.ctx.db.fetchval("select min(recorded_at) from transition where case_id = $1", later) > until
    assert (await summed.summed(stage.ctx, RITA, Query(as_of=until))).case_list is None
    await stage.ctx.db.pool.execute("update rollup_state set definitions = '0'")
    async with nobody_adds_up(stage):
        assert not await stretching.stretch(stage.ctx, 1)
        assert (await summed.summed(stage.ctx, RITA, Query(as_of=until))).case_list is not None  # from the histories
    await added_up(stage)
    for table in ("stretch", "stretch_count", "stretch_time", "stretch_number"):
        assert not await stage.ctx.db.fetchval(f"select count(*) from {table}"), table
    assert await _written(stage, 1)


async def test_nobody_sees_more_than_otherwise(still: Stage) -> None:
    await _written(still, 6)
    at, stranger = await still.r.clock.now(), replace(EVA, organisation="institute")
    assert (await summed.summed(still.ctx, stranger, Query(as_of=at))).cases == 0
    assert (await summed_cases.cases(still.ctx, stranger, Query(as_of=at), "all/funnel/opened")).n == 0
    with pytest.raises(Invalid, match="future"):
        await summed.summed(still.ctx, RITA, Query(as_of=at + timedelta(days=900)))
    with pytest.raises(Invalid, match="limit"):
        await summed_cases.cases(still.ctx, RITA, Query(as_of=at), "all/funnel/opened", limit=0)
