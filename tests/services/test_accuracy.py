"""The accuracy ledger, and what probation does to an organisation's cases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.domain.accuracy import AccuracyBound
from notifier.errors import Conflict, Forbidden, NotFound
from notifier.services import accuracy, intake, joining, review, rolling
from notifier.services.access import Principal, Role
from notifier.services.accuracy import Line
from notifier.services.context import Context
from notifier.store import accuracy as store
from tests.services.stages import MAIL, RITA, ROLF, SAM, VERISIGN, Stage, raw
from tests.services.test_joining import AT_TIMS, about, opened

EVER = datetime(2000, 1, 1, tzinfo=UTC)
EVA = Principal("Eva Evaluator", "person", Role.EVALUATOR)


@pytest.fixture
async def bound(stage: Stage) -> Context:
    """The stage's house, with a bound in the opioids program: half of at least three."""
    catalog = stage.ctx.catalog
    opioids = replace(catalog.programs["opioids"], accuracy=AccuracyBound(0.5, timedelta(days=90), 3))
    object.__setattr__(catalog, "programs", {**catalog.programs, "opioids": opioids})  # its workers read it too
    return stage.ctx


async def line(stage: Stage, name: str, **options: Any) -> Line:
    found = await accuracy.ledger(stage.ctx, RITA, **options)
    return next(x for x in found.organisations if x.name == name and x.program == "opioids")


async def test_each_fate_is_counted_once(stage: Stage) -> None:
    accepted = await opened(stage, "fate-accepted.com", AT_TIMS)
    await stage.submit(about("fate-accepted.com"), AT_TIMS)  # two reports are one case
    await stage.approve(accepted)
    for ground in ("substance", "clerical", "out_of_scope", "duplicate"):
        await review.reject(
            stage.ctx, RITA, await opened(stage, f"fate-{ground.replace('_', '-')}.com", AT_TIMS), "no", ground
        )
    wrong = await opened(stage, "fate-wrong.com", AT_TIMS)
    await stage.approve(wrong, ROLF)
    await review.withdraw(stage.ctx, RITA, wrong, "another shop", "error")
    cured = await opened(stage, "fate-cured.com", AT_TIMS)
    await review.withdraw(stage.ctx, RITA, cured, "gone", "cured")
    merged = await opened(stage, "fate-merged.com", AT_TIMS)
    await joining.merge(stage.ctx, ROLF, merged, accepted, "one shop")
    await stage.submit({"program": "opioids", "domain": "1.2.3.4", "summary": "s"}, AT_TIMS)

    counts = (await line(stage, "tims")).counts
    assert (counts.accepted, counts.rejected, counts.out_of_scope, counts.error) == (1, 1, 1, 1)
    assert (counts.clerical, counts.duplicate, counts.refused, counts.overturned) == (1, 2, 1, 0)
    found = (await line(stage, "tims")).accuracy
    assert (found.right, found.n) == (1, 4)
    assert (await line(stage, "tims")).probation is None
    people = {x.name: x for x in (await accuracy.ledger(stage.ctx, RITA)).reviewers or ()}
    assert (people[RITA.id].counts.accepted, people[RITA.id].counts.rejected) == (1, 1)
    assert (people[RITA.id].accuracy.right, people[RITA.id].accuracy.n) == (1, 1)
    assert (people[ROLF.id].accuracy.right, people[ROLF.id].accuracy.n) == (0, 1)
    later = await stage.r.clock.now() + timedelta(seconds=1)
    assert (await accuracy.ledger(stage.ctx, RITA, since=later)).organisations == []


async def test_counts_that_are_added_up_are_those_of_the_decisions(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after they are added up, over a case that is decided twice and one that is reported again."""
    counted: list[datetime] = []

    async def same() -> None:
        now = await stage.r.clock.now()
        counted.append(now)
        midnights = [at.replace(hour=0, minute=0, second=0, microsecond=0) for at in counted]
        for since in (EVER, *counted, *midnights, now + timedelta(seconds=1)):
            for only in (None, ["tims"], ["nobody"]):
                async with stage.ctx.db.pool.acquire() as con:
                    quick = await store.of_organisations(con, ["opioids"], since, only)
                    with monkeypatch.context() as patch:
                        patch.setattr(store, "_FEW_WAIT", -1)
                        assert quick == await store.of_organisations(con, ["opioids"], since, only), (since, only)

    async def both() -> None:
        await same()
        while await rolling.roll(stage.ctx):
            pass
        await same()

    first = await opened(stage, "added-one.com", AT_TIMS)
    await both()
    await stage.approve(first, ROLF)
    await both()
    await stage.submit(about("added-one.com"), SAM)  # another organisation reports it too
    await both()
    await stage.pass_time(hours=13)
    await both()
    await review.withdraw(stage.ctx, RITA, first, "another shop", "error")
    await review.reject(stage.ctx, RITA, await opened(stage, "added-two.com", AT_TIMS), "no")
    await both()
    kept = await stage.notified(MAIL)
    await stage.pass_time(hours=30)
    await both()
    async with stage.ctx.db.pool.acquire() as con:
        found = await store.of_organisations(con, ["opioids"], EVER)
        assert (found["tims", "opioids"].error, found["tims", "opioids"].rejected) == (1, 1)
        assert await con.fetchval("select count(*) from ledger_of") == 3
    assert await stage.state(kept) in ("resolved", "closed")


async def test_who_sees_the_ledger(stage: Stage) -> None:
    await review.reject(stage.ctx, RITA, await opened(stage, "seen-shop.com", AT_TIMS), "no")
    seen = await accuracy.ledger(stage.ctx, EVA)
    assert ([x.name for x in seen.organisations], seen.reviewers) == (["tims"], None)
    foreign = Principal("Fay Foreign", "person", Role.REVIEWER, organisation="elsewhere")
    assert (await accuracy.ledger(stage.ctx, foreign)).organisations == []
    with pytest.raises(NotFound):
        await accuracy.ledger(stage.ctx, foreign, program="opioids")
    for who in (SAM, VERISIGN, Principal("Otto", "person", Role.AUDITOR)):
        with pytest.raises(Forbidden):
            await accuracy.ledger(stage.ctx, who)


async def test_probation_asks_for_a_second_look_and_ends_when_it_recovers(stage: Stage, bound: Context) -> None:
    for n in range(5):
        await review.reject(bound, RITA, await opened(stage, f"wrong-{n}-shop.com", AT_TIMS), "no")
    assert (await line(stage, "tims")).probation is True
    said = await intake.submit(bound, AT_TIMS, raw(about("probation-shop.com", priority="urgent")))
    assert said.case_id
    await stage.r.quiet()
    case = await stage.case(said.case_id)
    assert case["priority"] == 0
    assert any("probation" in reason for reason in case["second_reasons"]), case["second_reasons"]
    shown = await stage.preview(said.case_id)
    assert shown.case.approvals_needed == 2
    with pytest.raises(Conflict) as no_reason:
        await review.approve(bound, RITA, said.case_id, shown.digest)
    assert no_reason.value.code == "reason_required"
    free = await intake.submit(bound, SAM, raw(about("other-org-shop.com", priority="urgent")))
    assert free.case_id
    assert (await stage.case(free.case_id))["priority"] > 0

    await stage.pass_time(days=91)  # what was wrong lies outside the window
    assert (await line(stage, "tims")).probation is False
    after = await intake.submit(bound, AT_TIMS, raw(about("recovered-shop.com", priority="urgent", evidence=[])))
    assert after.case_id
    recovered = await stage.case(after.case_id)
    assert (recovered["priority"] > 0, [r for r in recovered["second_reasons"] if "probation" in r]) == (True, [])


async def test_a_first_approval_does_not_outlive_a_probation_that_begins(stage: Stage, bound: Context) -> None:
    case_id = await opened(stage, "approved-before-shop.com", AT_TIMS)
    await stage.approve(case_id)
    assert await stage.state(case_id) == "approved"
    for n in range(8):
        await review.reject(bound, RITA, await opened(stage, f"wrong-{n}-shop.com", AT_TIMS), "no")
    await stage.pass_time(minutes=30)
    assert (await stage.state(case_id), stage.received("approved-before-shop.com")) == ("in_review", [])
