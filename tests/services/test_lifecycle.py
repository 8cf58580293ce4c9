"""A registration runs out whatever was asked for: redemption, pending delete, purge, and whoever has the name next."""

from datetime import timedelta

import pytest

from notifier.domain.answer import Answer
from notifier.domain.epp import Measure
from notifier.sandbox.world import Act
from notifier.services import outcomes, review
from notifier.services.responses import respond
from tests.services.stages import MAIL, RITA, VERISIGN, Stage
from tests.services.test_appeals import held


async def happens(stage: Stage, act: Act, by: str = "registry") -> None:
    stage.r.sandbox.world.do(act, MAIL, await stage.r.clock.now(), by)


async def phases(stage: Stage, case_id: str) -> list[str | None]:
    rows = await stage.ctx.db.fetch(
        "select body::json->'detail'->>'phase' as phase from audit_entry "
        "where case_id = $1 and tag = 'registration.phase_seen' order by id",
        case_id,
    )
    return [row["phase"] for row in rows]


async def test_a_deleted_name_is_followed_till_somebody_has_it_anew(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id = await stage.notified()
    notice_id = str((await stage.notice(case_id))["id"])
    await happens(stage, Act.DELETE)
    await respond(stage.ctx, VERISIGN, notice_id, Answer("action_taken", Measure.DELETE, "registry"))
    await stage.pass_time(minutes=5)
    case = await stage.case(case_id)
    assert (case["outcome"], case["phase"], await phases(stage, case_id)) == (
        "registry_delete",
        "redemption",
        ["redemption"],
    )
    planned = await stage.ctx.db.fetchval("select due_at from timer where kind = 'case.lifecycle' and fired_at is null")
    assert planned == case["phase_since"] + timedelta(days=30)
    await review.close(stage.ctx, RITA, case_id)  # and after the watch
    await happens(stage, Act.PURGE)
    await stage.r.advance_to(planned + timedelta(days=1))
    case = await stage.case(case_id)
    assert (case["aftermath"], case["phase"], case["review_by"]) == ("dropped", "purged", None)
    await happens(stage, Act.REREGISTER, "somebody else")
    await stage.pass_time(days=2)
    case = await stage.case(case_id)
    assert (case["state"], case["aftermath"], case["outcome"]) == ("closed", "reregistered", "registry_delete")
    assert (await stage.alarms()).count("epoch_changed") == 1
    assert (await stage.notice(case_id))["state"] == "superseded"
    await stage.pass_time(days=30)
    assert len(stage.received(MAIL)) == 1, "nothing of it leaves about a stranger's name"


@pytest.mark.parametrize("measure", [Measure.DELETE, Measure.HOLD])
async def test_what_was_proven_stays_so_whichever_look_meets_the_next_registrant_first(
    stage: Stage, measure: Measure
) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id = await stage.notified()
    notice_id = str((await stage.notice(case_id))["id"])
    await happens(stage, Act.DELETE if measure is Measure.DELETE else Act.HOLD)
    done = await respond(stage.ctx, VERISIGN, notice_id, Answer("action_taken", measure, "registry"))
    await stage.pass_time(minutes=5)
    assert (await stage.ctx.db.fetchval("select verdict from claim")) == "verified"
    await happens(stage, Act.PURGE)
    await happens(stage, Act.REREGISTER, "somebody else")
    await outcomes.observe(stage.ctx, str(done.claim_id))
    claim = await stage.ctx.db.fetchrow("select verdict, outcome, parent_effective_at from claim")
    assert (claim["verdict"], claim["outcome"]) == ("verified", f"registry_{measure}")
    assert claim["parent_effective_at"] is not None
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["aftermath"]) == ("superseded", f"registry_{measure}", "reregistered")
    assert (await stage.alarms()).count("epoch_changed") == 1


async def test_a_held_name_that_is_registered_anew_ends_the_case(stage: Stage) -> None:
    case_id = await held(stage)
    await happens(stage, Act.PURGE)
    await stage.pass_time(days=3)
    case = await stage.case(case_id)
    assert (case["state"], case["aftermath"], case["review_by"]) == ("resolved", "dropped", None)
    assert (case["outcome"], case["observed"]) == ("registry_hold", "unverifiable")
    await happens(stage, Act.REREGISTER, "somebody else")
    await stage.pass_time(days=2)
    case = await stage.case(case_id)
    assert (case["state"], case["aftermath"]) == ("superseded", "reregistered")
    assert (await stage.alarms()).count("epoch_changed") == 1, "told once, whichever look finds it"


async def test_a_name_that_ran_out_is_nobodys_credit(stage: Stage) -> None:
    """It was purged before two looks could have seen the hold."""
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id = await stage.notified()
    notice_id = str((await stage.notice(case_id))["id"])
    await happens(stage, Act.PURGE)
    await respond(stage.ctx, VERISIGN, notice_id, Answer("action_taken", Measure.HOLD, "registry"))
    await stage.pass_time(days=2)
    case = await stage.case(case_id)
    assert (case["outcome"], case["outcome_actor"], case["review_by"]) == ("expired_lapsed", "none", None)
