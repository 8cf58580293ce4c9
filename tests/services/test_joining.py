"""Reports in the right case: later ones join and re-evaluate, cases merge, reports move, and nothing is lost."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from notifier.domain import blast
from notifier.domain.answer import Answer
from notifier.domain.jobs import JobKind
from notifier.domain.names import parse
from notifier.domain.safety import Safety, assess
from notifier.errors import Conflict, Forbidden, NotFound, NotifierError, Refused
from notifier.sandbox.world import Act
from notifier.services import joining, responses, review
from notifier.services.access import Principal, Role
from notifier.store import cases as case_store
from tests.services.stages import (
    HOOK,
    MAIL,
    RITA,
    ROBOT,
    ROLF,
    SAM,
    SHARED,
    TIM,
    VERISIGN,
    Stage,
    row,
    samples,
)

AT_TIMS = Principal("Tim Submitter", "person", Role.SUBMITTER, organisation="tims")
CLAIM = Answer("action_taken", "hold", "registry")
SAMPLES = samples()


def about(name: str, of: str = MAIL, /, **changes: Any) -> dict[str, Any]:
    """The report on `of` with everything in it about another name."""
    return dict(json.loads(json.dumps(row(of, **changes)).replace(of, name)))


async def holds(stage: Stage, case_id: str) -> tuple[int, int]:
    """How many reports and evidence items a case holds."""
    return (
        await stage.count("report where case_id = $1", case_id),
        await stage.count("evidence where case_id = $1", case_id),
    )


async def opened(stage: Stage, name: str, who: Principal = SAM) -> str:
    said = await stage.submit(about(name), who)
    assert said.case_id is not None, said
    await stage.r.quiet()
    return said.case_id


# --- a later report -----------------------------------------------------------------------------------------------


async def test_a_later_report_brings_what_was_missing(stage: Stage) -> None:
    bare = row(evidence=[])
    said = await stage.submit(bare)
    assert (said.state, said.case_id is not None) == ("needs_evidence", True)
    later = await stage.submit(row(), TIM)
    assert (later.case_id, later.state, later.duplicate_of) == (said.case_id, "in_review", said.reference)


async def test_a_later_report_that_changes_nothing_leaves_the_approval(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    later = await stage.submit(row(), SAM)
    assert later.state == "approved"
    assert [n["state"] for n in await stage.notices(case_id)] == ["queued"]


async def test_a_later_report_that_changes_what_was_approved_voids_it(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    later = await stage.submit(row(), TIM)  # another organisation's evidence: the notice would say so
    assert later.state == "in_review"
    assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]
    assert "approval.voided" in await stage.tags(case_id)


async def test_who_approved_and_then_reports_voids_the_approval(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await stage.submit(row(), Principal(RITA.id, "person", Role.SUBMITTER))
    assert await stage.state(case_id) == "in_review"


@pytest.mark.parametrize("answer", [None, CLAIM])
async def test_a_later_report_joins_what_was_sent(stage: Stage, answer: Answer | None) -> None:
    case_id = await stage.notified()
    if answer:
        stage.r.sandbox.world.do(Act.HOLD, MAIL, await stage.r.clock.now(), "registry")
        await responses.respond(stage.ctx, VERISIGN, str((await stage.notice(case_id))["id"]), answer)
        await stage.pass_time(hours=3)
    state = await stage.state(case_id)
    assert state == ("resolved" if answer else "notified")
    later = await stage.submit(row(), TIM)
    assert (later.case_id, later.state) == (case_id, state)
    assert (await holds(stage, case_id))[0] == 2
    assert (await stage.tags(case_id))[-1] == "case.evaluated"


@pytest.mark.parametrize("ending", ["rejected", "withdrawn", "superseded"])
async def test_after_the_end_a_report_opens_a_linked_case(stage: Stage, ending: str) -> None:
    case_id = await stage.case_in_review()
    if ending == "rejected":
        await review.reject(stage.ctx, RITA, case_id, "no")
    elif ending == "withdrawn":
        await review.withdraw(stage.ctx, RITA, case_id, "no")
    else:
        stage.r.sandbox.world.do(Act.REREGISTER, MAIL, await stage.r.clock.now(), "registrant")
        await review.observe_now(stage.ctx, RITA, case_id)
        await stage.r.quiet()
    assert await stage.state(case_id) == ending
    later = await stage.submit(row(), TIM)
    assert later.case_id is not None
    assert later.case_id != case_id
    assert str((await stage.case(later.case_id))["previous_case"]) == case_id


async def test_what_one_supplier_gives_twice_counts_once_and_is_kept_twice(stage: Stage) -> None:
    first = await stage.submit(row())
    assert first.case_id
    await stage.r.quiet()
    before = await holds(stage, first.case_id)
    shown = (await stage.preview(first.case_id)).verdict
    await stage.submit(row())
    assert await holds(stage, first.case_id) == (2, 2 * before[1])
    assert (await stage.preview(first.case_id)).verdict == shown


# --- merge --------------------------------------------------------------------------------------------------------


async def test_merged_cases_are_one_and_nothing_is_lost(stage: Stage) -> None:
    winner = await stage.case_in_review()
    loser = await opened(stage, "second-name-pharma.com", AT_TIMS)
    had = [await holds(stage, winner), await holds(stage, loser)]
    await stage.approve(winner)
    done = await joining.merge(stage.ctx, ROLF, loser, winner, "one shop under two names")
    assert (done.source.state, done.source.outcome, done.source.merged_into) == ("superseded", "duplicate", winner)
    assert (done.other.state, done.other.approvers, done.other.involved) == (
        "in_review",
        (),
        {SAM.id, AT_TIMS.id},
    )
    assert await holds(stage, winner) == (had[0][0] + had[1][0], had[0][1] + had[1][1])
    assert await holds(stage, loser) == (0, 0)
    assert [n["state"] for n in await stage.notices(winner)] == ["cancelled"]
    assert (await stage.tags(loser))[-1] == "case.merged_into"
    assert "case.merged" in await stage.tags(winner)
    await stage.r.quiet()
    rev = (await stage.case(winner))["rev"]
    again = await joining.merge(stage.ctx, ROLF, loser, winner, "once more")
    assert (again.source.rev, again.other.rev) == (done.source.rev, rev), "a repetition changes nothing"


async def test_what_may_not_be_merged(stage: Stage) -> None:
    one = await stage.case_in_review()
    other = await opened(stage, "second-name-pharma.com")
    with pytest.raises(Conflict) as no_reason:
        await joining.merge(stage.ctx, ROLF, other, one)
    assert no_reason.value.code == "reason_required"
    with pytest.raises(Conflict):
        await joining.merge(stage.ctx, ROLF, one, one, "itself")
    with pytest.raises(NotFound):
        await joining.merge(stage.ctx, ROLF, one, "0190ffff-0000-7000-8000-000000000000", "no such")
    for who, code in ((SAM, "forbidden"), (ROBOT, "person_required")):
        with pytest.raises(Forbidden) as refused:
            await joining.merge(stage.ctx, who, other, one, "same")
        assert refused.value.code == code
    await review.reject(stage.ctx, RITA, other, "no")
    with pytest.raises(Conflict):
        await joining.merge(stage.ctx, ROLF, other, one, "an ended one")
    piracy = next(s for s in SAMPLES if s["program"] == "piracy")
    third = await stage.submit({**piracy, "external_id": None})
    assert third.case_id
    with pytest.raises(Conflict) as program:
        await joining.merge(stage.ctx, ROLF, third.case_id, one, "other program")
    assert program.value.code == "other_program"


async def test_two_that_wrote_to_one_recipient_stay_two(stage: Stage) -> None:
    one = await stage.notified()
    other = await opened(stage, "second-name-pharma.com")
    await stage.approve(other)
    await stage.pass_time(minutes=30)
    assert await stage.state(other) == "notified"
    with pytest.raises(Conflict) as refused:
        await joining.merge(stage.ctx, ROLF, other, one, "one shop")
    assert refused.value.code == "already_asked"


async def test_what_a_merged_case_had_sent_stays_linked_and_is_undone_with_the_other(stage: Stage) -> None:
    loser = await stage.notified()
    winner = await opened(stage, "second-name-pharma.com")
    await joining.merge(stage.ctx, ROLF, loser, winner, "one shop")
    notice = (await stage.notices(loser))[0]
    assert (notice["state"], str(notice["case_id"])) == ("sent", loser)
    # The recipient was asked already, so the case that goes on may not ask again.
    shown = await stage.preview(winner)
    assert any("asked already" in why for why in shown.blockers)
    answered = await responses.respond(stage.ctx, VERISIGN, str(notice["id"]), CLAIM)
    assert answered.claim_id is not None
    stage.r.sandbox.world.do(Act.HOLD, MAIL, await stage.r.clock.now(), "registry")
    await stage.pass_time(hours=3)
    assert (await stage.case(loser))["observed"] == "verified"
    await review.withdraw(stage.ctx, RITA, winner, "we were wrong", "error")
    await stage.pass_time(minutes=1)
    undo = (await stage.notices(loser))[-1]
    assert (undo["purpose"], undo["state"]) == ("withdrawal", "sent")
    assert (await stage.case(loser))["undo"] == "requested"


async def test_a_host_of_the_name_is_one_matter_with_it(stage: Stage) -> None:
    winner = await stage.case_in_review()
    said = await stage.submit(row(), AT_TIMS)
    host = f"shop.{MAIL}"
    async with stage.ctx.db.transaction("daemon") as tx:
        case = await case_store.lock(tx.con, winner)
        assert case is not None
        assert said.report_id
        found = assess(parse(MAIL, stage.ctx.catalog.suffixes), stage.ctx.catalog.lists)
        about_host = replace(found, safety=Safety.REROUTE, target=blast.narrowed(case.target, host, host))
        parted = await joining.detach(
            stage.ctx, tx, case, [said.report_id], about_host, by="daemon", reason="it is shared"
        )
    assert (parted.other.target.name, parted.other.target.scope, parted.other.agreement) == (host, "host", None)
    await stage.r.quiet()
    await joining.merge(stage.ctx, ROLF, parted.other.id, winner)  # no reason is needed
    async with stage.ctx.db.pool.acquire() as con:
        assert await case_store.goes_on(con, "opioids", host) == winner
        assert await case_store.goes_on(con, "opioids", f"other.{MAIL}") is None


async def test_two_sites_of_a_platform_are_two_matters(stage: Stage) -> None:
    one = await opened(stage, SHARED)
    other = await opened(stage, "another-shop.blogspot.com")
    with pytest.raises(Conflict) as refused:
        await joining.merge(stage.ctx, ROLF, one, other)
    assert refused.value.code == "reason_required"
    await joining.merge(stage.ctx, ROLF, one, other, "one shop on two blogs")
    async with stage.ctx.db.pool.acquire() as con:
        assert await case_store.goes_on(con, "opioids", SHARED) is None


async def test_another_name_that_was_merged_opens_its_own_case_again(stage: Stage) -> None:
    """What a person joined by hand is still two names to whoever reports next."""
    winner = await stage.case_in_review()
    loser = await opened(stage, "second-name-pharma.com")
    await joining.merge(stage.ctx, ROLF, loser, winner, "one shop")
    later = await stage.submit(about("second-name-pharma.com"), TIM)
    assert later.case_id not in (winner, loser)
    assert later.case_id
    assert str((await stage.case(later.case_id))["previous_case"]) == loser


# --- detach -------------------------------------------------------------------------------------------------------


async def reports_of(stage: Stage, case_id: str) -> list[str]:
    rows = await stage.ctx.db.fetch("select id from report where case_id = $1 order by received_at, id", case_id)
    return [str(r["id"]) for r in rows]


async def test_a_merge_in_error_is_undone_by_detaching(stage: Stage) -> None:
    winner = await stage.case_in_review()
    loser = await opened(stage, "second-name-pharma.com", AT_TIMS)
    had = [await holds(stage, winner), await holds(stage, loser)]
    moved = await reports_of(stage, loser)
    await joining.merge(stage.ctx, ROLF, loser, winner, "one shop")
    await stage.approve(winner)
    done = await joining.detach_reports(stage.ctx, ROLF, winner, moved, "two shops after all")
    new = done.other.id
    assert new not in (winner, loser)
    assert (done.source.state, done.source.involved) == ("in_review", {SAM.id})
    assert (done.other.target.name, done.other.previous_case) == ("second-name-pharma.com", winner)
    assert [await holds(stage, winner), await holds(stage, new)] == had
    assert done.other.state == "in_review"
    assert (await stage.case(new))["organisation"] == "tims"
    await stage.r.quiet()
    rev = (await stage.case(new))["rev"]
    again = await joining.detach_reports(stage.ctx, ROLF, winner, moved, "once more")
    assert (again.other.id, again.other.rev) == (new, rev), "a repetition changes nothing"


async def test_a_report_moves_to_the_case_that_is_named(stage: Stage) -> None:
    one, other = await stage.case_in_review(), await opened(stage, "second-name-pharma.com", TIM)
    stray = await stage.submit(row(), AT_TIMS)
    assert stray.report_id
    done = await joining.detach_reports(stage.ctx, ROLF, one, [stray.report_id], "typed the wrong name", into=other)
    assert (done.other.id, done.other.involved) == (other, {TIM.id, AT_TIMS.id})
    row_ = await stage.ctx.db.fetchrow("select case_id from report where id = $1", stray.report_id)
    assert row_ is not None
    assert str(row_["case_id"]) == other
    await stage.r.quiet()
    rev = (await stage.case(other))["rev"]
    again = await joining.detach_reports(stage.ctx, ROLF, one, [stray.report_id], "again", into=other)
    assert again.other.rev == rev


async def test_a_report_about_another_name_gets_its_own_case(stage: Stage) -> None:
    one = await stage.case_in_review()
    stray = await stage.submit(row(), AT_TIMS)
    assert stray.report_id
    with pytest.raises(Conflict) as same:
        await joining.detach_reports(stage.ctx, ROLF, one, [stray.report_id], "does not belong")
    assert same.value.code == "same_target"
    with pytest.raises(Refused) as protected:
        await joining.detach_reports(stage.ctx, ROLF, one, [stray.report_id], "x", domain="verisign.com")
    assert protected.value.code == "protected"
    done = await joining.detach_reports(stage.ctx, ROLF, one, [stray.report_id], "a typing error", domain=SHARED)
    assert (done.other.target.name, done.other.agreement) == (SHARED, None)
    assert done.other.safety == "reroute"


async def test_what_may_not_be_detached(stage: Stage) -> None:
    one, other = await stage.case_in_review(), await opened(stage, "second-name-pharma.com")
    [only] = await reports_of(stage, one)
    [foreign] = await reports_of(stage, other)
    with pytest.raises(Conflict) as last:
        await joining.detach_reports(stage.ctx, ROLF, one, [only], "all of it", into=other)
    assert last.value.code == "last_report"
    for ids in ([foreign], ["nonsense"], [only, foreign]):
        with pytest.raises(NotFound):
            await joining.detach_reports(stage.ctx, ROLF, one, ids, "not its own", domain=HOOK)
    with pytest.raises(Forbidden):
        await joining.detach_reports(stage.ctx, SAM, one, [only], "x", into=other)


async def test_what_was_asked_for_on_a_report_that_left_waits_for_a_person(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    await stage.submit({**row(evidence=[])}, TIM)
    [first, _] = await reports_of(stage, case_id)
    done = await joining.detach_reports(stage.ctx, ROLF, case_id, [first], "not about this", domain=HOOK)
    assert done.source.state == "notified"
    assert await stage.task_kinds() == ["second_look"]
    assert (await stage.notice(case_id))["state"] == "sent"


# --- at the same time ---------------------------------------------------------------------------------------------


async def tried(*acts: Any) -> list[Any]:
    done = await asyncio.gather(*acts, return_exceptions=True)
    for result in done:
        if isinstance(result, BaseException) and not isinstance(result, NotifierError):
            assert type(result).__name__ == "DeadlockDetectedError", result
    return done


async def test_merging_crosswise_ends_one_of_them(stage: Stage) -> None:
    for n in range(5):
        a, b = await opened(stage, f"cross-a{n}-pharma.com"), await opened(stage, f"cross-b{n}-pharma.com")
        await tried(
            joining.merge(stage.ctx, ROLF, a, b, "one"),
            joining.merge(stage.ctx, RITA, b, a, "one"),
            joining.merge(stage.ctx, ROLF, a, b, "one"),
        )
        states = sorted([await stage.state(a), await stage.state(b)])
        assert states == ["in_review", "superseded"]
        totals = [await holds(stage, a), await holds(stage, b)]
        assert sorted(t[0] for t in totals) == [0, 2]


async def test_approving_while_a_case_is_merged_sends_nothing_of_what_was_not_seen(stage: Stage) -> None:
    for n in range(5):
        winner = await opened(stage, f"race-a{n}-pharma.com")
        loser = await opened(stage, f"race-b{n}-pharma.com", TIM)
        digest = (await stage.preview(winner)).digest
        await tried(
            review.approve(stage.ctx, RITA, winner, digest),
            joining.merge(stage.ctx, ROLF, loser, winner, "one"),
            stage.submit(about(f"race-b{n}-pharma.com"), SAM),
        )
        case = await stage.case(winner)
        queued = [x for x in await stage.notices(winner) if x["state"] == "queued"]
        assert (case["state"], queued) == ("in_review", []), "whichever came first, the approval did not see it all"
    await stage.r.quiet()
    pending = await stage.count(
        "timer where kind = $1 and fired_at is null and cancelled_at is null", str(JobKind.DISPATCH)
    )
    assert pending == 0
