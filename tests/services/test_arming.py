"""Unarmed, nothing leaves. Two different admins let it go, one of them is enough to stop it."""

import pytest

from notifier.errors import Conflict, Forbidden, NotFound
from notifier.services import agreements
from notifier.services.access import Principal, Role
from tests.services.conftest import Opens
from tests.services.stages import ADA, BORIS, HOOK, MAIL, RITA, Stage, row


async def test_an_approved_notice_of_an_unarmed_agreement_waits(unarmed_stage: Stage) -> None:
    stage = unarmed_stage
    case_id = await stage.case_in_review()
    preview = await stage.preview(case_id)
    assert not preview.armed
    assert any("not armed" in caution for caution in preview.cautions)
    await stage.approve(case_id)
    await stage.pass_time(days=1)
    assert (await stage.state(case_id), stage.received()) == ("approved", [])
    assert [n["state"] for n in await stage.notices(case_id)] == ["queued"]


@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_the_second_admin_lets_it_go(unarmed_stage: Stage, domain: str) -> None:
    stage = unarmed_stage
    case_id = await stage.case_in_review(domain)
    await stage.approve(case_id)
    await stage.pass_time(hours=1)
    agreement = (await stage.case(case_id))["agreement"]
    assert not (await agreements.arm(stage.ctx, ADA, agreement)).armed
    await stage.pass_time(hours=1)
    assert stage.received() == [], "one admin alone arms nothing"
    stands = await agreements.arm(stage.ctx, BORIS, agreement)
    assert (stands.armed, stands.armed_by) == (True, (ADA.id, BORIS.id))
    await stage.r.quiet()
    assert [d.ask.domain for d in stage.received()] == [domain]
    assert await stage.state(case_id) == "notified"


async def test_arming_does_not_shorten_the_window(unarmed_stage: Stage) -> None:
    stage = unarmed_stage
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, "opioids.verisign")
    await stage.pass_time(minutes=29)
    assert (await stage.state(case_id), stage.received()) == ("approved", [])
    await stage.pass_time(minutes=1)
    assert len(stage.received()) == 1


async def test_the_same_admin_twice_is_one_admin(unarmed_stage: Stage) -> None:
    stage = unarmed_stage
    await agreements.arm(stage.ctx, ADA, "opioids.verisign")
    again = Principal(ADA.id, "person", Role.ADMIN, organisation="fda")
    with pytest.raises(Forbidden) as raised:
        await agreements.arm(stage.ctx, again, "opioids.verisign")
    assert raised.value.code == "four_eyes"
    assert not (await agreements.standing(stage.ctx, "opioids.verisign")).armed


@pytest.mark.parametrize("who", [RITA, Principal("robot", "service", Role.ADMIN)], ids=["reviewer", "service"])
async def test_only_an_admin_in_person_arms(unarmed_stage: Stage, who: Principal) -> None:
    with pytest.raises(Forbidden):
        await agreements.arm(unarmed_stage.ctx, who, "opioids.verisign")


async def test_without_a_channel_there_is_nothing_to_arm(unarmed_stage: Stage) -> None:
    with pytest.raises(Conflict) as raised:
        await agreements.arm(unarmed_stage.ctx, ADA, "piracy.radix")
    assert raised.value.code == "channel_not_ready"
    with pytest.raises(NotFound):
        await agreements.arm(unarmed_stage.ctx, ADA, "piracy.nobody")


async def test_a_channel_that_does_not_answer_is_not_armed(unarmed_stage: Stage) -> None:
    stage = unarmed_stage
    await stage.r.sandbox.smtp.stop()
    with pytest.raises(Conflict) as raised:
        await agreements.arm(stage.ctx, ADA, "opioids.verisign")
    assert raised.value.code == "channel_not_ready"


async def test_one_admin_stops_what_has_not_left(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    assert not (await agreements.disarm(stage.ctx, ADA, "opioids.verisign")).armed
    await stage.pass_time(days=1)
    assert (await stage.state(case_id), stage.received()) == ("approved", [])
    await agreements.arm(stage.ctx, ADA, "opioids.verisign")
    await stage.r.quiet()
    assert stage.received() == [], "after a stop it takes two again"
    await agreements.arm(stage.ctx, BORIS, "opioids.verisign")
    await stage.r.quiet()
    assert len(stage.received()) == 1


@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_disarmed_between_two_tries_it_waits_for_two_admins(stage: Stage, domain: str) -> None:
    """Deferred by mail, uncertain by webhook: either would be tried again."""
    if domain == MAIL:
        stage.r.sandbox.desk.behaviours[MAIL] = "throttle_then_obey"
        expected = 1
    else:
        stage.r.sandbox.desk.behaviours[HOOK] = "silent"
        stage.r.sandbox.webhook.after_acceptance.drop(1)
        expected = 2  # the same webhook-id twice is one notice to the receiver
    case_id = await stage.notified(domain)
    notice = await stage.notice(case_id)
    before = len(stage.received())
    await agreements.disarm(stage.ctx, ADA, notice["agreement"])
    await stage.pass_time(days=1)
    assert len(stage.received()) == before
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, notice["agreement"])
    await stage.r.quiet()
    assert len(stage.received()) == expected
    assert (await stage.notice(case_id))["state"] == "sent"
    assert set(stage.r.sandbox.inbox.by_key.values()) == {expected}


async def test_a_changed_agreement_is_unarmed_by_that_alone(open_stage: Opens) -> None:
    async with open_stage() as stage:
        await stage.ctx.db.pool.execute("update arming set digest = 'of another text'")
        case_id = await stage.case_in_review()
        await stage.approve(case_id)
        await stage.pass_time(hours=2)
        assert (await stage.state(case_id), stage.received()) == ("approved", [])


async def test_old_evidence_does_not_leave_when_it_is_armed_late(unarmed_stage: Stage) -> None:
    stage = unarmed_stage
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await stage.pass_time(days=5)
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, "opioids.verisign")
    await stage.r.quiet()
    assert (await stage.state(case_id), stage.received()) == ("needs_evidence", [])
    assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]


async def test_arming_is_told_in_the_log(stage: Stage) -> None:
    await agreements.disarm(stage.ctx, ADA, "opioids.pir")
    told = await stage.ctx.db.fetch("select actor, tag from audit_entry where subject = 'opioids.pir' order by id")
    assert [(e["actor"], e["tag"]) for e in told] == [
        (ADA.id, "agreement.checked"),
        (ADA.id, "agreement.armed"),
        (BORIS.id, "agreement.armed"),
        (ADA.id, "agreement.disarmed"),
    ]
    assert (await stage.submit(row(HOOK))).state == "in_review"
