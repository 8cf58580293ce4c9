"""Evidence, approval and notices bind to one registration, up to the moment in which a notice leaves."""

from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import asyncpg
import pytest

from notifier.errors import Conflict
from notifier.sandbox.rdap_server import RdapFault
from notifier.sandbox.world import Act
from notifier.services import agreements
from tests.services.stages import ADA, BORIS, HOOK, MAIL, ROLF, SAM, Stage, row

AGREEMENT = "opioids.verisign"


async def waiting(stage: Stage, *, hours: float = 3) -> str:
    """A dispatched case whose notice was turned away once, and then held by a disarmed agreement; the case's id."""
    stage.r.sandbox.desk.behaviours[MAIL] = "throttle_then_obey"
    case_id = await stage.notified()
    assert (await stage.state(case_id), (await stage.notice(case_id))["state"]) == ("notified", "queued")
    await agreements.disarm(stage.ctx, ADA, AGREEMENT)
    await stage.pass_time(hours=hours)
    return case_id


async def armed_again(stage: Stage, **span: float) -> None:
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, AGREEMENT)
    await stage.pass_time(**span)


async def test_approval_and_notice_say_which_registration(stage: Stage) -> None:
    case_id = await stage.notified()
    case = await stage.case(case_id)
    found = stage.r.sandbox.world.find(MAIL)
    assert found is not None
    assert case["epoch"] == f"{found.handle}@{found.registered_at.isoformat()}"
    approvals = await stage.ctx.db.fetch("select epoch from approval where case_id = $1", case_id)
    assert [a["epoch"] for a in approvals] == [n["epoch"] for n in await stage.notices(case_id)] == [case["epoch"]]


async def test_a_notice_that_waited_is_looked_at_again(stage: Stage) -> None:
    case_id = await waiting(stage)
    await armed_again(stage, minutes=5)
    assert (await stage.notice(case_id))["state"] == "sent"
    looks = await stage.ctx.db.fetch("select at from observation where purpose = 'baseline' order by at")
    sent_at = (await stage.notice(case_id))["sent_at"]
    assert len(looks) > 1
    assert sent_at - looks[-1]["at"] <= timedelta(minutes=60), "recheck_max_age of the program"


@pytest.mark.parametrize(
    ("act", "by", "state", "reason"),
    [
        (Act.REREGISTER, "registrant", "superseded", None),
        (Act.TRANSFER, "registrant", "in_review", "registration changed"),
        (Act.HOLD, "registry", "in_review", "already down"),
        (Act.REMOVE_CONTENT, "host", "in_review", "pages gone"),
    ],
)
async def test_a_notice_that_waited_never_leaves_when_something_changed(
    stage: Stage, act: Act, by: str, state: str, reason: str | None
) -> None:
    case_id = await waiting(stage)
    stage.r.sandbox.world.do(act, MAIL, await stage.r.clock.now(), by)
    await armed_again(stage, hours=1)
    case = await stage.case(case_id)
    assert (case["state"], stage.received()) == (state, [])
    if reason:
        assert case["review_reason"] == reason
    assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]


async def test_a_notice_that_waited_past_its_evidence_goes_back(stage: Stage) -> None:
    case_id = await waiting(stage, hours=71)
    await armed_again(stage, hours=1)
    assert (await stage.state(case_id), stage.received()) == ("needs_evidence", [])


async def test_what_is_not_told_at_the_last_look_is_waited_for(stage: Stage) -> None:
    case_id = await waiting(stage)
    stage.r.sandbox.rdap.faults[MAIL] = RdapFault.BROKEN
    await armed_again(stage, hours=1)
    assert (await stage.state(case_id), stage.received()) == ("notified", [])
    del stage.r.sandbox.rdap.faults[MAIL]
    await stage.pass_time(minutes=20)
    assert len(stage.received()) == 1


async def test_who_was_asked_about_the_old_registration_is_told_that_it_is_void(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "lie"
    case_id = await stage.notified()
    await stage.pass_time(seconds=30)
    stage.r.sandbox.world.do(Act.REREGISTER, MAIL, await stage.r.clock.now(), "registrant")
    await stage.pass_time(hours=30)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"]) == ("superseded", "superseded_epoch")
    first, second = stage.received(MAIL)
    text = message_from_bytes(second.raw, policy=default).get_body(("plain",)).get_content()
    assert "registered anew" in text
    assert (await stage.notices(case_id))[-1]["purpose"] == "withdrawal"
    assert first.ask.domain == second.ask.domain == MAIL
    await stage.pass_time(days=30)
    assert len(stage.received(MAIL)) == 2, "told once"
    again = await stage.submit(row(), SAM)
    assert again.case_id != case_id
    assert str((await stage.case(str(again.case_id)))["previous_case"]) == case_id


async def test_a_purged_name_that_comes_back_is_another(stage: Stage) -> None:
    """Registry and zone knew no such name in between."""
    case_id = await stage.case_in_review()
    stage.r.sandbox.world.do(Act.PURGE, MAIL, await stage.r.clock.now(), "registry")
    await stage.approve(case_id)
    await stage.pass_time(hours=1)
    assert await stage.state(case_id) == "in_review"
    stage.r.sandbox.world.do(Act.REREGISTER, MAIL, await stage.r.clock.now(), "somebody else")
    with pytest.raises(Conflict):
        await stage.approve(case_id, ROLF)


async def test_pages_gone_twice_a_day_apart_end_the_case(stage: Stage) -> None:
    case_id = await stage.case_in_review(HOOK)
    await stage.approve(case_id)
    stage.r.sandbox.world.do(Act.REMOVE_CONTENT, HOOK, await stage.r.clock.now(), "host")
    await stage.pass_time(minutes=30)
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"]) == ("in_review", "pages gone")
    await stage.pass_time(hours=23)
    assert await stage.state(case_id) == "in_review", "one look is no cure"
    await stage.pass_time(hours=2)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["outcome_actor"]) == (
        "withdrawn",
        "cured_before_referral",
        "registrant",
    )
    assert stage.received() == []


async def test_pages_that_come_back_are_no_cure(stage: Stage) -> None:
    case_id = await stage.case_in_review(HOOK)
    await stage.approve(case_id)
    stage.r.sandbox.world.do(Act.REMOVE_CONTENT, HOOK, await stage.r.clock.now(), "host")
    await stage.pass_time(minutes=30)
    stage.r.sandbox.world.do(Act.RESTORE, HOOK, await stage.r.clock.now(), "host")
    await stage.pass_time(days=3)
    assert await stage.state(case_id) == "in_review"


@pytest.mark.parametrize(
    "change", ["epoch = 'D9-EX@-'", "domain = 'other.example'"], ids=["another registration", "another name"]
)
async def test_the_database_itself_refuses_a_notice_about_another(stage: Stage, change: str) -> None:
    case_id = await waiting(stage, hours=0)
    notice = await stage.notice(case_id)
    await stage.ctx.db.pool.execute(f"update notice set {change} where id = $1", notice["id"])
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await stage.ctx.db.pool.execute("update notice set state = 'sending' where id = $1", notice["id"])
    await stage.ctx.db.pool.execute(
        "update notice set epoch = $2, domain = $3 where id = $1", notice["id"], notice["epoch"], notice["domain"]
    )
