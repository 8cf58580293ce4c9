"""Statistics of a scripted house: figures by hand, the cases behind them, as-of, and who may see what."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.domain.answer import Answer
from notifier.domain.period import Flow
from notifier.errors import Conflict, Forbidden, Invalid, NotFound
from notifier.services import grants, review, statistics
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.responses import respond
from notifier.services.statistics import Query
from notifier.store import transitions
from tests.services.stages import ADA, HOOK, MAIL, PIR, RITA, SAM, STALE, VERISIGN, Stage, row
from tests.services.test_joining import opened
from tests.services.test_outcomes import claimed

EVA = Principal("Eva Evaluator", "person", Role.EVALUATOR, organisation="university")
OTTO = Principal("Otto Auditor", "person", Role.AUDITOR)


async def tell(stage: Stage) -> None:
    """A verified hold, a decline, a rejected case, and one that lacks evidence."""
    await claimed(stage, "obey")
    await stage.pass_time(minutes=5)
    stage.r.sandbox.desk.party_behaviours["pir"] = "silent"
    declined = await stage.notified(HOOK)
    await stage.pass_time(hours=6)
    notice = str((await stage.notice(declined))["id"])
    await respond(stage.ctx, PIR, notice, Answer("declined", reason="declined_nexus"))
    await review.reject(stage.ctx, RITA, await opened(stage, "rejected-shop.com"), "no")
    await stage.submit(row(STALE))
    await stage.r.quiet()


@pytest.fixture
async def told(stage: Stage) -> Stage:
    await tell(stage)
    return stage


async def test_figures_by_hand_and_the_cases_behind_each(told: Stage) -> None:
    found = await statistics.statistics(told.ctx, RITA, Query())
    figures = found.whole.cohort
    assert figures is not None
    assert (found.unit, found.simulated, found.query.basis, found.cases) == ("domain-epoch", True, "cohort", 4)
    assert {stage: (s.n, s.of) for stage, s in figures.funnel.items()} == {
        "opened": (4, 4), "approved": (2, 4), "sent": (2, 2), "received": (2, 2), "answered": (2, 2),
        "claimed": (1, 2), "verified": (1, 1),
    }  # fmt: skip
    assert sorted((o.outcome, o.actor, o.share.n) for o in figures.outcomes) == [
        ("declined_nexus", "none", 1), ("open", "none", 1), ("registry_hold", "registry", 1), ("rejected", "none", 1),
    ]  # fmt: skip
    assert [(c.party, c.measure, c.verdict, c.n) for c in figures.claims] == [("registry", "hold", "verified", 1)]
    assert next(p.time for p in figures.times["notice"].curve.points if p.events) == 30 * 60  # the cancel window
    verified = figures.times["verified"].curve
    assert next(p.time for p in verified.points if p.events) == 4 * 3600 + 5 * 60  # the sandbox's pace, two looks
    assert (figures.times["acknowledgement"].curve.n, figures.times["acknowledgement"].curve.events) == (2, 2)
    behind = await statistics.cases(told.ctx, RITA, Query(), "all/funnel/verified")
    assert [(i.domain, len(i.case_ids), len(i.references)) for i in behind.items] == [(MAIL, 1, 1)]
    assert behind.n == 1
    for stage, share in figures.funnel.items():
        assert (await statistics.cases(told.ctx, RITA, Query(), f"all/funnel/{stage}")).n == share.n
    with pytest.raises(Invalid, match="in no answer"):
        await statistics.cases(told.ctx, RITA, Query(), "all/funnel/none")
    with pytest.raises(Invalid, match="in no answer"):
        await statistics.cases(told.ctx, RITA, Query(), "verisign/funnel/opened")


async def test_slices_add_up_and_are_compared(told: Stage) -> None:
    for by in ("month", "registry", "program", "outcome", "actor"):
        found = await statistics.statistics(told.ctx, RITA, Query(by=by))  # type: ignore[arg-type]
        parts = [s.cohort for s in found.slices if s.cohort]
        assert sum(p.units for p in parts) == 4, by
        assert sum(p.funnel["verified"].n for p in parts) == 1
        for part in found.slices:
            page = await statistics.cases(told.ctx, RITA, Query(by=by), f"{part.key}/funnel/opened")  # type: ignore[arg-type]
            assert part.cohort is not None
            assert page.n == part.cohort.units
        period = await statistics.statistics(told.ctx, RITA, Query(by=by, basis="period"))  # type: ignore[arg-type]
        assert period.whole.period is not None
        assert period.whole.period.flow == Flow(0, 4, 1, 3)
        if by != "month":
            flows = [s.period.flow for s in period.slices if s.period]
            assert sum(flows[1:], flows[0]) == period.whole.period.flow
    by_registry = await statistics.statistics(told.ctx, RITA, Query(by="registry"))
    assert ([s.key for s in by_registry.slices], by_registry.comparisons["verified"].df) == (["pir", "verisign"], 1)
    assert (await statistics.statistics(told.ctx, RITA, Query(by="outcome"))).comparisons == {}


async def test_what_stood_then_is_answered_the_same_for_ever(told: Stage) -> None:
    then = await told.r.clock.now()
    before = await statistics.statistics(told.ctx, RITA, Query(by="registry"))
    assert before.as_of == then
    await told.pass_time(days=2)
    late = await opened(told, "later-shop.com")
    await review.withdraw(told.ctx, RITA, late, "ours", "error")
    after = await statistics.statistics(told.ctx, RITA, Query(by="registry"))
    again = await statistics.statistics(told.ctx, RITA, Query(by="registry", as_of=then))
    assert (again.whole, again.slices, again.case_list) == (before.whole, before.slices, before.case_list)
    assert (after.cases, after.case_list != before.case_list) == (5, True)
    long_ago = await statistics.statistics(told.ctx, RITA, Query(as_of=datetime(2026, 1, 1, tzinfo=UTC)))
    assert (long_ago.cases, long_ago.whole.cohort and long_ago.whole.cohort.funnel["opened"].n) == (0, 0)
    with pytest.raises(Invalid, match="future"):
        await statistics.statistics(told.ctx, RITA, Query(as_of=then + timedelta(days=900)))


async def test_a_window_takes_each_name_whole(stage: Stage) -> None:
    """A name that is reported again in its registration is one unit, of the time at which it was first reported."""
    await review.reject(stage.ctx, RITA, await opened(stage, "twice-shop.com"), "no")
    await stage.pass_time(days=1)
    between = await stage.r.clock.now()
    await stage.pass_time(days=1)
    await opened(stage, "twice-shop.com")
    await opened(stage, "once-shop.com")
    earlier = await statistics.statistics(stage.ctx, RITA, Query(end=between))
    later = await statistics.statistics(stage.ctx, RITA, Query(start=between))
    assert (earlier.cases, earlier.whole.cohort and earlier.whole.cohort.units) == (2, 1)
    assert (later.cases, later.whole.cohort and later.whole.cohort.units) == (1, 1)
    seen = await statistics.cases(stage.ctx, RITA, Query(end=between), "all/funnel/opened")
    assert [(one.domain, len(one.case_ids)) for one in seen.items] == [("twice-shop.com", 2)]


async def test_what_is_done_while_the_clock_stands_is_seen_by_the_next_question(told: Stage) -> None:
    before = await statistics.statistics(told.ctx, RITA, Query())
    await opened(told, "same-instant-shop.com")
    assert await told.r.clock.now() == before.as_of
    after = await statistics.statistics(told.ctx, RITA, Query())
    again = await statistics.statistics(told.ctx, RITA, Query(as_of=before.as_of))
    assert (after.cases, again.cases) == (before.cases + 1, before.cases)


async def test_cohort_bounds_and_filters(told: Stage) -> None:
    first = (await told.ctx.db.fetchval("select min(opened_at) from cases")) + timedelta(microseconds=1)
    assert (await statistics.statistics(told.ctx, RITA, Query(end=first))).cases == 1
    assert (await statistics.statistics(told.ctx, RITA, Query(start=first))).cases == 3
    assert (await statistics.statistics(told.ctx, RITA, Query(registry="pir"))).cases == 1
    assert (await statistics.statistics(told.ctx, RITA, Query(program="piracy"))).cases == 0
    with pytest.raises(Invalid, match="before from"):
        await statistics.statistics(told.ctx, RITA, Query(start=first, end=first - timedelta(days=1)))
    ever = datetime(9999, 12, 31, tzinfo=UTC)
    with pytest.raises(Invalid, match="600 months"):
        await statistics.statistics(told.ctx, RITA, Query(end=ever, by="month", basis="period"))
    period = await statistics.statistics(told.ctx, RITA, Query(start=first, basis="period"))
    assert period.whole.period is not None
    assert (period.whole.period.flow.opened_before, period.whole.period.flow.opened_in) == (1, 3)


async def test_many_cases_are_read_some_at_a_time(told: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    query = Query(as_of=await told.r.clock.now(), by="registry")
    whole = await statistics.statistics(told.ctx, RITA, query)
    for rows in (1, 2, 7):
        monkeypatch.setattr(transitions, "_ROWS", rows)
        assert await statistics.statistics(told.ctx, RITA, query) == whole


async def test_no_more_cases_are_read_at_once_than_the_machine_can_hold(told: Stage) -> None:
    """Whoever asks is told what to ask instead; what was added up beforehand needs none of them."""

    def at_most(n: int) -> Context:
        return replace(told.ctx, settings=replace(told.ctx.settings, cases_at_once=n))

    whole = await statistics.statistics(at_most(4), RITA, Query())
    assert whole.cases == 4
    asks: list[Callable[[Context], Awaitable[Any]]] = [
        lambda ctx: statistics.statistics(ctx, RITA, Query()),
        lambda ctx: statistics.statistics(ctx, RITA, Query(basis="period", start=datetime(2026, 11, 1, tzinfo=UTC))),
        lambda ctx: statistics.with_units(ctx, RITA, Query()),
        lambda ctx: statistics.listed(ctx, RITA, Query()),
        lambda ctx: statistics.cases(ctx, RITA, Query(), "all/funnel/opened"),
    ]
    for ask in asks:
        await ask(at_most(4))
        with pytest.raises(Invalid, match="more than 3 cases") as refused:
            await ask(at_most(3))
        assert refused.value.code == "too_many_cases"
    few = await statistics.statistics(at_most(3), RITA, Query(registry="pir"))
    assert 0 < few.cases < 4


async def test_pages_are_of_one_instant(told: Stage) -> None:
    first = await statistics.cases(told.ctx, RITA, Query(), "all/funnel/opened", limit=3)
    assert (len(first.items), first.n) == (3, 4)
    assert first.next_cursor is not None
    await told.pass_time(hours=1)
    await opened(told, "between-shop.com")
    second = await statistics.cases(told.ctx, RITA, Query(), "all/funnel/opened", limit=3, cursor=first.next_cursor)
    assert (len(second.items), second.n, second.as_of, second.next_cursor) == (1, 4, first.as_of, None)
    for wrong in ("x", "1", "1.2.3", "99999999999999999999999.1", "-5.-5"):
        with pytest.raises(Invalid):
            await statistics.cases(told.ctx, RITA, Query(), "all/funnel/opened", cursor=wrong)


async def test_a_grant_shows_numbers_and_names_only_if_it_says_so(told: Stage) -> None:
    ctx, now = told.ctx, await told.r.clock.now()
    with pytest.raises(NotFound):
        await statistics.statistics(ctx, EVA, Query(program="opioids"))
    assert (await statistics.statistics(ctx, EVA, Query())).cases == 0
    given = await grants.give(ctx, ADA, "opioids", "university", now + timedelta(days=30), small_numbers=True)
    assert (await statistics.statistics(ctx, EVA, Query(program="opioids"))).cases == 4
    page = await statistics.cases(ctx, EVA, Query(), "all/funnel/verified")
    assert [(i.domain, len(i.references)) for i in page.items] == [(None, 1)]
    with pytest.raises(Conflict):
        await grants.give(
            ctx, ADA, "opioids", "university", now + timedelta(days=30), names_shown=True, small_numbers=True
        )
    await grants.end(ctx, ADA, str(given["id"]))
    ended = await grants.end(ctx, ADA, str(given["id"]))
    assert (ended["ended_by"], ended["ended_at"]) == (ADA.id, now)
    with pytest.raises(NotFound):
        await statistics.statistics(ctx, EVA, Query(program="opioids"))
    await grants.give(ctx, ADA, "opioids", "university", now + timedelta(days=1), names_shown=True, small_numbers=True)
    page = await statistics.cases(ctx, EVA, Query(), "all/funnel/verified")
    assert [i.domain for i in page.items] == [MAIL]
    await told.pass_time(days=1)
    with pytest.raises(NotFound):
        await statistics.statistics(ctx, EVA, Query(program="opioids"))
    await grants.give(ctx, ADA, "opioids", "university", now + timedelta(days=9))  # one that is over stands in no way
    tags = await ctx.db.fetch("select tag from audit_entry where tag like 'grant.%' order by id")
    assert [r["tag"] for r in tags] == ["grant.given", "grant.ended", "grant.given", "grant.given"]
    assert len(await grants.of_program(ctx, ADA, "opioids")) == 3


async def test_who_may_give_and_see(told: Stage) -> None:
    ctx, until = told.ctx, await told.r.clock.now() + timedelta(days=30)
    for who in (SAM, VERISIGN):
        with pytest.raises(Forbidden):
            await statistics.statistics(ctx, who, Query())
    for who in (OTTO, ADA):
        assert (await statistics.statistics(ctx, who, Query())).cases == 4
    foreign = replace(ADA, organisation="mpa")
    with pytest.raises(NotFound):
        await grants.give(ctx, foreign, "opioids", "university", until)
    given = await grants.give(ctx, ADA, "opioids", "university", until, small_numbers=True)
    with pytest.raises(NotFound):
        await grants.end(ctx, foreign, str(given["id"]))
    for who in (RITA, EVA, OTTO):
        with pytest.raises(Forbidden):
            await grants.give(ctx, who, "opioids", "elsewhere", until)
    for wrong in (until + timedelta(days=2000), until - timedelta(days=31)):
        with pytest.raises(Invalid, match="until"):
            await grants.give(ctx, ADA, "opioids", "elsewhere", wrong)
    with pytest.raises(Invalid, match="organisation"):
        await grants.give(ctx, ADA, "opioids", "fda", until)
    reviewer = replace(RITA, organisation="university")  # a grant is for those who evaluate
    assert (await statistics.statistics(ctx, reviewer, Query())).cases == 0
    auditor = replace(OTTO, organisation="university")
    assert (await statistics.statistics(ctx, auditor, Query())).cases == 4
    narrow = replace(EVA, programs=frozenset({"piracy"}))
    assert (await statistics.statistics(ctx, narrow, Query())).cases == 0
