"""From approval to the recipient: the look right before, intent before act, and every way an attempt can end."""

import asyncio
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from itertools import pairwise
from typing import Any

import pytest

from notifier.domain.answer import Answer
from notifier.domain.epp import Measure
from notifier.errors import Conflict, Invalid, NotFound
from notifier.sandbox.dns_server import DnsFault
from notifier.sandbox.rdap_server import RdapFault
from notifier.sandbox.world import Act
from notifier.services import dispatch, review, sending, tasks
from notifier.services.responses import respond
from tests.services.stages import HOOK, MAIL, RITA, ROLF, SAM, VERISIGN, Stage, row

# --- the look right before ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [RdapFault.BROKEN, RdapFault.HTML, RdapFault.RATE_LIMITED, RdapFault.FORBIDDEN])
async def test_what_the_registry_does_not_tell_is_waited_for(stage: Stage, fault: RdapFault) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    stage.r.sandbox.rdap.faults[MAIL] = fault
    await stage.pass_time(hours=1)
    assert (await stage.state(case_id), stage.received()) == ("approved", [])
    del stage.r.sandbox.rdap.faults[MAIL]
    await stage.pass_time(minutes=10)
    assert (await stage.state(case_id), len(stage.received())) == ("notified", 1)


@pytest.mark.parametrize("fault", [DnsFault.SERVFAIL, DnsFault.REFUSED, DnsFault.EMPTY])
async def test_what_the_zone_does_not_tell_is_waited_for(stage: Stage, fault: DnsFault) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    stage.r.sandbox.dns.faults[MAIL] = fault
    await stage.pass_time(minutes=40)
    assert (await stage.state(case_id), stage.received()) == ("approved", [])
    del stage.r.sandbox.dns.faults[MAIL]
    await stage.pass_time(minutes=10)
    assert (await stage.state(case_id), len(stage.received())) == ("notified", 1)


@pytest.mark.slow
async def test_a_timeout_changes_nothing(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    stage.r.sandbox.rdap.faults[MAIL] = RdapFault.TIMEOUT
    stage.r.sandbox.dns.faults[MAIL] = DnsFault.TIMEOUT
    await stage.pass_time(minutes=31)
    case = await stage.case(case_id)
    assert (case["state"], case["already_down"], stage.received()) == ("approved", False, [])


async def test_a_name_registered_anew_supersedes_the_case(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    stage.r.sandbox.world.do(Act.REREGISTER, MAIL, await stage.r.clock.now(), "registrant")
    await stage.pass_time(minutes=30)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], stage.received()) == ("superseded", "superseded_epoch", [])
    assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]
    again = await stage.submit(row(), SAM)
    assert str((await stage.case(str(again.case_id)))["previous_case"]) == case_id


async def test_a_transfer_in_the_window_voids_the_approval(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    stage.r.sandbox.world.do(Act.TRANSFER, MAIL, await stage.r.clock.now(), "registrant")
    await stage.pass_time(minutes=30)
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"], stage.received()) == ("in_review", "registration changed", [])
    assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]
    text = (await stage.preview(case_id)).drafts[0].content.text
    found = stage.r.sandbox.world.find(MAIL)
    assert found is not None
    assert found.registrar.iana_id in text, "the next preview speaks of the new registrar"


async def test_a_name_that_went_down_meanwhile_is_not_asked_for(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    stage.r.sandbox.world.do(Act.HOLD, MAIL, await stage.r.clock.now(), "registry")
    await stage.pass_time(minutes=30)
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"], stage.received()) == ("in_review", "already down", [])
    with pytest.raises(Conflict):
        await stage.approve(case_id)


async def test_evidence_grown_old_at_sending_needs_evidence(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.pass_time(hours=68.5)  # the newest capture is of 10:40, and may be 72 h old
    await stage.approve(case_id)
    stage.r.sandbox.rdap.faults[MAIL] = RdapFault.BROKEN
    await stage.pass_time(hours=1)
    del stage.r.sandbox.rdap.faults[MAIL]
    await stage.pass_time(minutes=10)
    assert (await stage.state(case_id), stage.received()) == ("needs_evidence", [])
    assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]


async def test_an_approval_before_the_first_look_is_void(stage: Stage) -> None:
    """Nothing that the registry said was in what was approved."""
    stage.r.sandbox.rdap.faults[MAIL] = RdapFault.BROKEN
    case_id = await stage.case_in_review()
    preview = await stage.preview(case_id)
    assert any("not been asked" in caution for caution in preview.cautions)
    await stage.approve(case_id)
    del stage.r.sandbox.rdap.faults[MAIL]
    await stage.pass_time(hours=1)
    assert (await stage.state(case_id), stage.received()) == ("in_review", [])


# --- deferred and refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("domain", "code"), [(MAIL, 451), (HOOK, 429)])
async def test_a_deferred_notice_is_sent_later_once(stage: Stage, domain: str, code: int) -> None:
    stage.r.sandbox.desk.behaviours[domain] = "throttle_then_obey"
    case_id = await stage.notified(domain)
    assert [t.code for t in stage.r.sandbox.inbox.turned_away] == [code]
    notice = await stage.notice(case_id)
    assert (notice["state"], await stage.state(case_id), stage.received()) == ("queued", "notified", [])
    await stage.pass_time(hours=1)
    notice = await stage.notice(case_id)
    assert notice["state"] == "sent"
    assert await stage.attempts(notice["id"]) == ["deferred", "accepted"]
    assert stage.r.sandbox.inbox.by_notice == {str(notice["id"]): 1}


async def test_a_recipient_that_is_away_is_tried_again_ever_more_rarely(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    port = stage.r.sandbox.smtp.port
    await stage.r.sandbox.smtp.stop()
    await stage.pass_time(minutes=30)
    notice = await stage.notice(case_id)
    assert await stage.attempts(notice["id"]) == ["deferred"]
    await stage.pass_time(minutes=3)  # not two steps of the clock: others may have something planned between
    starts = await stage.ctx.db.fetch("select started_at from attempt where notice_id = $1 order by n", notice["id"])
    gaps = [b["started_at"] - a["started_at"] for a, b in pairwise(starts)]
    assert gaps == [timedelta(minutes=1), timedelta(minutes=2)]
    await stage.r.sandbox.smtp.start(port)
    await stage.pass_time(minutes=4)
    assert (await stage.notice(case_id))["state"] == "sent"
    assert set(stage.r.sandbox.inbox.by_key.values()) == {1}


@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_a_notice_refused_for_good_is_a_persons_task(stage: Stage, domain: str) -> None:
    stage.r.sandbox.desk.behaviours[domain] = "bounce"
    case_id = await stage.notified(domain)
    assert (await stage.notice(case_id))["state"] == "bounced"
    assert [(t["kind"], str(t["case_id"])) for t in await stage.tasks()] == [("no_contact", case_id)]
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"], case["outcome"]) == ("in_review", "undeliverable", None)
    await stage.pass_time(days=40)
    assert stage.received() == []
    assert (await stage.case(case_id))["outcome"] is None, "what never arrived is not the recipient's silence"


async def test_after_a_refusal_a_new_approval_is_a_new_version(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "bounce"
    case_id = await stage.notified()
    stage.r.sandbox.desk.behaviours[MAIL] = "obey"
    await stage.approve(case_id, ROLF)
    await stage.pass_time(minutes=30)
    first, second = await stage.notices(case_id)
    assert [(n["state"], n["version"]) for n in (first, second)] == [("bounced", 1), ("sent", 2)]
    assert first["send_key"] != second["send_key"]


# --- uncertain ----------------------------------------------------------------------------------------------------


async def uncertain_by_mail(stage: Stage) -> tuple[str, dict[str, Any]]:
    stage.r.sandbox.smtp.after_acceptance.drop(1)
    case_id = await stage.notified()
    return case_id, await stage.notice(case_id)


async def test_a_mail_that_may_have_arrived_is_not_sent_again_by_itself(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id, notice = await uncertain_by_mail(stage)
    assert (notice["state"], await stage.attempts(notice["id"])) == ("uncertain", ["uncertain"])
    assert [(t["kind"], t["notice_id"]) for t in await stage.tasks()] == [("uncertain", notice["id"])]
    await stage.pass_time(days=30)
    assert len(stage.received()) == 1
    assert (await stage.notice(case_id))["state"] == "uncertain"
    assert (await stage.case(case_id))["outcome"] is None, "nobody knows whether they were silent"


async def test_a_person_says_it_arrived(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id, _ = await uncertain_by_mail(stage)
    task = (await stage.tasks())[0]
    await tasks.take(stage.ctx, RITA, "task", str(task["id"]))
    await tasks.resolve(stage.ctx, RITA, str(task["id"]), "arrived", "they told us by phone \x00")
    assert ((await stage.notice(case_id))["state"], await stage.tasks()) == ("sent", [])
    await stage.pass_time(days=30)
    assert len(stage.received()) == 1


async def test_a_person_says_it_did_not_arrive(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id, notice = await uncertain_by_mail(stage)
    task = str((await stage.tasks())[0]["id"])
    await tasks.resolve(stage.ctx, RITA, task, "not_arrived")
    await stage.r.quiet()
    assert (await stage.notice(case_id))["state"] == "sent"
    first, second = (message_from_bytes(d.raw, policy=default)["Message-ID"].strip() for d in stage.received())
    assert first == second, "the recipient can tell that it is the same message"
    assert await stage.attempts(notice["id"]) == ["uncertain", "accepted"]
    with pytest.raises(Conflict):
        await tasks.resolve(stage.ctx, RITA, task, "arrived")


async def test_only_the_words_of_its_kind_end_a_task(stage: Stage) -> None:
    await uncertain_by_mail(stage)
    task = str((await stage.tasks())[0]["id"])
    with pytest.raises(Invalid):
        await tasks.resolve(stage.ctx, RITA, task, "done")
    with pytest.raises(NotFound):
        await tasks.resolve(stage.ctx, RITA, "no-id", "arrived")
    await tasks.take(stage.ctx, RITA, "task", task)
    with pytest.raises(Conflict):
        await tasks.take(stage.ctx, ROLF, "task", task)


async def test_an_answer_settles_it(stage: Stage) -> None:
    case_id, notice = await uncertain_by_mail(stage)
    await stage.pass_time(hours=1)  # the sandbox did receive it, and acknowledges
    stands = await stage.notice(case_id)
    assert (stands["state"], stands["response"]) == ("sent", "acknowledged")
    assert "notice.settled" in await stage.tags(case_id)
    assert await stage.attempts(notice["id"]) == ["uncertain"]
    assert await stage.tasks() == [], "nobody is asked what is known now"


async def test_a_webhook_that_may_have_arrived_is_sent_again_under_its_id(stage: Stage) -> None:
    stage.r.sandbox.webhook.after_acceptance.drop(1)
    case_id = await stage.notified(HOOK)
    notice = await stage.notice(case_id)
    assert (notice["state"], await stage.tasks()) == ("sending", [])
    await stage.pass_time(minutes=2)
    assert (await stage.notice(case_id))["state"] == "sent"
    assert await stage.attempts(notice["id"]) == ["uncertain", "accepted"]
    assert list(stage.r.sandbox.inbox.by_key.values()) == [2]
    await stage.pass_time(hours=6)
    answers = [s for s in stage.r.sandbox.inbox.sent if s.notice_id == str(notice["id"])]
    assert [s.kind for s in answers] == ["acknowledged", "action_taken"], "one notice to the receiver"


async def test_withdrawn_between_two_tries_it_is_not_tried_again(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["pir"] = "silent"
    stage.r.sandbox.webhook.after_acceptance.drop(1)
    case_id = await stage.notified(HOOK)
    await review.withdraw(stage.ctx, RITA, case_id, "the shop closed")
    await stage.pass_time(hours=1)
    assert [d.ask.purpose for d in stage.received()] == ["request", "withdrawal"]
    assert sorted(n["state"] for n in await stage.notices(case_id)) == ["sent", "uncertain"]


# --- at the same time ---------------------------------------------------------------------------------------------


async def test_an_answer_before_the_acceptance_is_told_counts(stage: Stage) -> None:
    """The receiver may act within its own handler, before its 250 reaches us."""
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    stage.r.sandbox.smtp.after_acceptance.stall(1)
    await stage.r.clock.advance(await stage.r.clock.now() + timedelta(minutes=30))
    async with asyncio.timeout(20):
        await stage.r.sandbox.inbox.until(lambda inbox: len(inbox.received) == 1)
    notice = await stage.notice(case_id)
    assert notice["state"] == "sending"
    said = await respond(stage.ctx, VERISIGN, str(notice["id"]), Answer("acknowledged"))
    assert said.kind == "acknowledged"
    stage.r.sandbox.smtp.after_acceptance.release()  # and now the connection is lost without a 250
    await stage.r.quiet()
    notice = await stage.notice(case_id)
    assert (notice["state"], notice["response"], await stage.tasks()) == ("sent", "acknowledged", [])
    await stage.pass_time(days=1)
    assert len(stage.received()) == 1


async def test_one_job_twice_sends_once(stage: Stage) -> None:
    case_id = await stage.notified()
    notice = await stage.notice(case_id)
    await asyncio.gather(*(sending.send(stage.ctx, str(notice["id"])) for _ in range(5)))
    await asyncio.gather(*(dispatch.dispatch(stage.ctx, case_id) for _ in range(5)))
    assert len(stage.received()) == 1
    assert await stage.attempts(notice["id"]) == ["accepted"]


async def test_an_attempt_that_nobody_finished_is_uncertain_by_mail(stage: Stage) -> None:
    """The daemon was killed between the intent and the record; its job is taken up again."""
    case_id = await stage.notified()
    notice = await stage.notice(case_id)
    await stage.ctx.db.pool.execute("update attempt set result = 'started', finished_at = null")
    await stage.ctx.db.pool.execute("update notice set state = 'sending', sent_at = null")
    await sending.send(stage.ctx, str(notice["id"]))
    assert ((await stage.notice(case_id))["state"], len(stage.received())) == ("uncertain", 1)
    assert await stage.task_kinds() == ["uncertain"]


async def test_an_attempt_that_nobody_finished_is_sent_again_by_webhook(stage: Stage) -> None:
    case_id = await stage.notified(HOOK)
    notice = await stage.notice(case_id)
    await stage.ctx.db.pool.execute("update attempt set result = 'started', finished_at = null")
    await stage.ctx.db.pool.execute("update notice set state = 'sending', sent_at = null")
    await sending.send(stage.ctx, str(notice["id"]))
    assert (await stage.notice(case_id))["state"] == "sent"
    assert (len(stage.received()), list(stage.r.sandbox.inbox.by_key.values())) == (2, [2])


async def test_many_notices_at_once_do_not_starve_the_pool(stage: Stage) -> None:
    samples = [f"shop-{n}.com" for n in range(24)]
    ids = []
    for name in samples:
        report = row()
        report["evidence"] = [
            {k: [name] if k == "domains" else v.replace(MAIL, name) if isinstance(v, str) else v for k, v in i.items()}
            for i in report["evidence"]
        ]
        said = await stage.submit({**report, "domain": name, "urls": [f"https://{name}/page-1"]})
        assert said.state == "in_review", said
        ids.append(str(said.case_id))
    await stage.r.quiet()
    for case_id in ids:
        await stage.approve(case_id)
    await stage.pass_time(hours=5)
    assert sorted(d.ask.domain for d in stage.received()) == sorted(samples)
    assert {d.ask.measure for d in stage.received()} == {Measure.HOLD}
    assert set(stage.r.sandbox.inbox.by_key.values()) == {1}
