"""Whoever may stop an agreement stops it at once and for good; two different admins let it go on."""

import asyncio

import pytest

from notifier import bootstrap
from notifier.errors import Conflict, Forbidden, Invalid, NotFound
from notifier.rehearsal import overlay_of
from notifier.services import agreements, review, sending, suspending
from notifier.services.access import Principal, Role
from notifier.store import agreements as store
from notifier.store.agreements import Scope
from notifier.store.ids import new_id
from tests.services.stages import ADA, BORIS, HOOK, MAIL, PIR, PLAN, RITA, SAM, VERISIGN, Stage, until
from tests.services.test_attempts import AGREEMENT, under_way

EVERYTHING, REQUESTS = Scope.EVERYTHING, Scope.REQUESTS


async def stop(stage: Stage, domain: str, scope: Scope = REQUESTS, who: Principal = ADA) -> None:
    await suspending.suspend(stage.ctx, who, AGREEMENT[domain], scope, "they changed their desk")


async def go_on(stage: Stage, domain: str, *admins: Principal, note: str = "") -> None:
    for admin in admins or (ADA, BORIS):
        await suspending.resume(stage.ctx, admin, AGREEMENT[domain], note)
    await stage.r.quiet()


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_what_was_approved_waits_and_is_taken_up(stage: Stage, domain: str, scope: Scope) -> None:
    case_id = await stage.case_in_review(domain)
    await stop(stage, domain, scope)
    preview = await stage.preview(case_id)
    assert preview.armed
    assert any("suspended" in caution for caution in preview.cautions)
    await stage.approve(case_id)
    await stage.pass_time(days=1)
    assert (await stage.state(case_id), stage.received()) == ("approved", [])
    await go_on(stage, domain, ADA)
    assert stage.received() == [], "one admin alone resumes nothing"
    await go_on(stage, domain, BORIS)
    assert [d.ask.domain for d in stage.received()] == [domain]
    assert await stage.state(case_id) == "notified"


@pytest.mark.parametrize(("scope", "arrives"), [(REQUESTS, 2), (EVERYTHING, 1)])
@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_a_withdrawal_leaves_unless_everything_is_stopped(
    stage: Stage, domain: str, scope: Scope, arrives: int
) -> None:
    stage.r.sandbox.desk.behaviours[domain] = "silent"
    case_id = await stage.notified(domain)
    await stop(stage, domain, scope)
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error")
    await stage.pass_time(hours=1)
    assert len(stage.received()) == arrives
    await go_on(stage, domain)
    assert len(stage.received()) == 2
    assert [n["state"] for n in await stage.notices(case_id)] == ["sent", "sent"]


async def test_what_is_put_off_is_not_tried_again_meanwhile(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "throttle_then_obey"
    case_id = await stage.notified()
    tried = await stage.attempts((await stage.notice(case_id))["id"])
    await stop(stage, MAIL)
    await stage.pass_time(days=1)
    assert await stage.attempts((await stage.notice(case_id))["id"]) == tried
    await go_on(stage, MAIL)
    assert len(stage.received()) == 1


async def test_what_a_dead_process_left_is_asked_about_all_the_same(stage: Stage) -> None:
    async with under_way(stage, HOOK) as (_, case_id, notice):
        await stop(stage, HOOK, EVERYTHING)
        await sending.send(stage.ctx, str(notice["id"]))
        assert ((await stage.notice(case_id))["state"], await stage.task_kinds()) == ("uncertain", ["uncertain"])


async def test_arming_does_not_end_a_suspension(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await stop(stage, MAIL)
    await agreements.disarm(stage.ctx, ADA, AGREEMENT[MAIL])
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, AGREEMENT[MAIL])
    await stage.pass_time(hours=1)
    stands = await agreements.standing(stage.ctx, AGREEMENT[MAIL])
    assert stands.armed
    assert stands.suspended is not None
    assert (await stage.state(case_id), stage.received()) == ("approved", [])


async def test_it_outlives_a_restart_and_a_change_of_the_file(stage: Stage) -> None:
    await stop(stage, MAIL)
    house = stage.r.house
    async with bootstrap.house(
        house.settings, house.dsn, overlay=overlay_of(PLAN.cast, stage.r.sandbox.where())
    ) as anew:
        found = await agreements.standing(anew.ctx, AGREEMENT[MAIL])
    assert found.suspended is not None
    assert found.suspended.reason == "they changed their desk"
    assert await stage.count("suspension where lifted_at is null and agreement = $1", AGREEMENT[MAIL]) == 1


async def test_one_admin_twice_is_one_admin(stage: Stage) -> None:
    await stop(stage, MAIL)
    await go_on(stage, MAIL, BORIS)
    with pytest.raises(Forbidden) as raised:
        await go_on(stage, MAIL, BORIS)
    assert raised.value.code == "four_eyes"
    await go_on(stage, MAIL, ADA)  # who stopped it is one of two like any other
    with pytest.raises(Conflict) as conflict:
        await go_on(stage, MAIL, ADA)
    assert conflict.value.code == "not_suspended"


async def test_what_is_stopped_between_the_two_needs_two_again(stage: Stage) -> None:
    await stop(stage, MAIL)
    await go_on(stage, MAIL, ADA)
    await stop(stage, MAIL, EVERYTHING, BORIS)
    await go_on(stage, MAIL, BORIS)
    stands = (await agreements.standing(stage.ctx, AGREEMENT[MAIL])).suspended
    assert stands is not None
    assert (stands.scope, stands.lift_asked_by) == (EVERYTHING, BORIS.id)
    await go_on(stage, MAIL, ADA)
    assert (await agreements.standing(stage.ctx, AGREEMENT[MAIL])).suspended is None


async def test_it_is_not_resumed_while_the_channel_does_not_answer(stage: Stage) -> None:
    await stop(stage, MAIL)
    await go_on(stage, MAIL, ADA)
    await stage.r.sandbox.smtp.stop()
    with pytest.raises(Conflict) as raised:
        await go_on(stage, MAIL, BORIS)
    assert raised.value.code == "channel_not_ready"
    assert (await agreements.standing(stage.ctx, AGREEMENT[MAIL])).suspended is not None


async def test_a_recipient_stops_what_is_asked_of_it(stage: Stage) -> None:
    await stop(stage, MAIL, REQUESTS, VERISIGN)
    stands = (await agreements.standing(stage.ctx, AGREEMENT[MAIL])).suspended
    assert stands is not None
    assert stands.by_recipient
    with pytest.raises(Invalid):
        await go_on(stage, MAIL, ADA)
    await go_on(stage, MAIL, note="Ms Example of the desk, by call-back")
    assert (await agreements.standing(stage.ctx, AGREEMENT[MAIL])).suspended is None


async def test_nobody_else_stops_or_resumes(stage: Stage) -> None:
    with pytest.raises(NotFound):
        await stop(stage, MAIL, REQUESTS, PIR)
    with pytest.raises(Forbidden):
        await stop(stage, MAIL, EVERYTHING, VERISIGN)
    for who in (SAM, RITA):
        with pytest.raises(Forbidden):
            await stop(stage, MAIL, REQUESTS, who)
    with pytest.raises(Invalid):
        await suspending.suspend(stage.ctx, ADA, AGREEMENT[MAIL], REQUESTS, " \n")
    await stop(stage, MAIL)
    with pytest.raises(Conflict):
        await stop(stage, MAIL)
    for who in (VERISIGN, RITA, Principal("robot", "service", Role.ADMIN)):
        with pytest.raises(Forbidden):
            await suspending.resume(stage.ctx, who, AGREEMENT[MAIL])


async def blocked(stage: Stage) -> int:
    return await stage.count("pg_locks where locktype = 'advisory' and not granted")


async def test_no_attempt_begins_after_a_stop_was_committed(stage: Stage) -> None:
    """The attempt comes to the lock while the stop is being written, and finds it when it is through."""
    stage.r.sandbox.desk.behaviours[MAIL] = "throttle_then_obey"
    notice = await stage.notice(await stage.notified())
    before = await stage.attempts(notice["id"])
    async with stage.ctx.db.transaction(ADA.id) as tx:
        await store.hold(tx.con, AGREEMENT[MAIL])
        attempt = asyncio.create_task(sending.send(stage.ctx, str(notice["id"])))
        await until(lambda: blocked(stage))
        made = store.Suspension(new_id(), REQUESTS, "they asked", ADA.id, False, tx.now, None)
        assert await store.insert_suspension(tx.con, AGREEMENT[MAIL], made)
    await attempt
    assert await stage.attempts(notice["id"]) == before


async def test_a_stop_waits_for_the_attempt_that_is_being_recorded(stage: Stage) -> None:
    async with stage.ctx.db.transaction("daemon") as tx:
        assert await agreements.may_leave(stage.ctx, tx.con, AGREEMENT[MAIL], undo=False)
        stopping = asyncio.create_task(stop(stage, MAIL))
        await until(lambda: blocked(stage))
        assert await agreements.suspended(stage.ctx, AGREEMENT[MAIL]) is None
        assert await agreements.may_leave(stage.ctx, tx.con, AGREEMENT[MAIL], undo=False)
    await stopping
    assert await agreements.suspended(stage.ctx, AGREEMENT[MAIL]) is not None
