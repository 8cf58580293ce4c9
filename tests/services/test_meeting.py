"""Where ladder, mail, hand-carried notices, amendments and agreements in life meet: nothing of one undoes the other."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from notifier.domain.answer import Answer
from notifier.domain.rule import Recipient
from notifier.errors import Conflict
from notifier.rehearsal import rehearsal
from notifier.sandbox.world import HOSTS, Act
from notifier.services import agreements, answering, deconfliction, inbound, joining, responses, review, stepping, tasks
from notifier.services.access import Principal, Role
from notifier.services.attending import Filing
from notifier.services.deconfliction import EntryIn
from notifier.services.links import secret_of
from tests.services.conftest import Opens
from tests.services.stages import MAIL, RITA, ROLF, Stage, row
from tests.services.test_channels import use
from tests.services.test_deconfliction import DORA
from tests.services.test_ladder import LADDER, capture_again, everybody, opened
from tests.services.test_mail_reading import report

DUE = "timer where case_id = $1 and kind = 'case.clock_ended' and fired_at is null and cancelled_at is null"
FORM = {"form": "http://127.0.0.1:9/form", "fields": {"Name": "domain", "Tell us all": "text"}, "within": "4h"}
QUESTION = Answer("needs_info", comment="Which pages?")


@pytest.fixture
async def stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage(LADDER) as opened:
        everybody(opened, "silent", "host", "registrar", "registry")
        yield opened


def desk(notice: dict[str, Any]) -> Principal:
    """Somebody at the notice's own recipient."""
    return Principal(f"desk of {notice['registry']}", "person", Role.REGISTRY, registry=notice["registry"])


async def says(stage: Stage, notice: dict[str, Any], answer: Answer) -> None:
    await responses.respond(stage.ctx, desk(notice), str(notice["id"]), answer)
    await stage.r.quiet()


async def at_host(stage: Stage) -> str:
    """A case whose host was asked."""
    case_id = await opened(stage)
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    return case_id


async def at_registry(stage: Stage) -> str:
    """A case whose registry was asked, for the reporter asked the others in vain."""
    case_id = await opened(stage, row())
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    return case_id


async def at_registrar(stage: Stage) -> str:
    """A case whose host was silent, and whose registrar was asked."""
    case_id = await at_host(stage)
    await stage.pass_time(hours=73)
    await capture_again(stage, case_id)
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    case = await stage.case(case_id)
    assert (case["state"], case["step"]) == ("notified", "registrar")
    return case_id


async def amending(stage: Stage, case_id: str, hours: float = 1) -> None:
    """The registry asks, we answer, and the amended notice is approved by another."""
    await stage.pass_time(hours=hours)
    await says(stage, await stage.notice(case_id), QUESTION)
    await stepping.amend(stage.ctx, RITA, case_id, "The order page and its checkout.")
    if await stage.state(case_id) == "needs_evidence":
        await capture_again(stage, case_id)
    await stage.approve(case_id, ROLF)


async def told_failed(stage: Stage, notice: dict[str, Any]) -> None:
    """A delivery report says that the notice did not arrive."""
    to = stage.reply_to(notice)
    lines = {"return-path": "<>", "delivered-to": to}
    await inbound.receive_mail(stage.ctx, to, lines, report(to, "failed"))
    await stage.r.quiet()


# --- an earlier step's notice -------------------------------------------------------------------------------------


async def test_a_bounce_of_an_earlier_steps_notice_leaves_the_present_turn_alone(stage: Stage) -> None:
    case_id = await at_registrar(stage)
    first = (await stage.notices(case_id))[0]
    await told_failed(stage, first)
    case = await stage.case(case_id)
    assert (case["state"], case["step"]) == ("notified", "registrar")
    assert (await stage.notices(case_id))[0]["state"] == "bounced"
    assert await stage.count(DUE, case_id) == 1
    assert "no_contact" in await stage.task_kinds()


async def test_a_bounce_of_a_reminder_takes_nothing_from_the_request(stage: Stage) -> None:
    case_id = await at_host(stage)
    await stage.pass_time(hours=25)
    _, reminder = await stage.notices(case_id)
    assert reminder["purpose"] == "reminder"
    await told_failed(stage, reminder)
    assert await stage.state(case_id) == "notified"
    assert await stage.count(DUE, case_id) == 1
    assert (await stage.notices(case_id))[0]["state"] == "sent"


async def test_a_false_claim_of_an_earlier_party_ends_nobody_elses_turn(stage: Stage) -> None:
    case_id = await at_registrar(stage)
    first = (await stage.notices(case_id))[0]
    await says(stage, first, Answer("action_taken", measure="content_removal", actor="host"))
    await stage.pass_time(hours=30)
    verdict = await stage.ctx.db.fetchval("select verdict from claim where case_id = $1", case_id)
    case = await stage.case(case_id)
    assert (verdict, case["state"], case["step"]) == ("contradicted", "notified", "registrar")
    assert await stage.count(DUE, case_id) == 1


async def test_a_late_act_of_an_earlier_party_is_credited_to_it(stage: Stage) -> None:
    case_id = await at_registrar(stage)
    first = (await stage.notices(case_id))[0]
    stage.r.sandbox.world.do(Act.REMOVE_CONTENT, MAIL, await stage.r.clock.now(), "host")
    await says(stage, first, Answer("action_taken", measure="content_removal", actor="host"))
    await stage.pass_time(hours=50)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["outcome_actor"]) == ("resolved", "host_removed", "host")


# --- what is true of pages that went away -------------------------------------------------------------------------


async def test_pages_gone_after_somebody_was_asked_are_no_cure_before_the_referral(stage: Stage) -> None:
    """The host was asked and may have done it, and is told that no more is asked."""
    case_id = await at_host(stage)
    stage.r.sandbox.world.do(Act.REMOVE_CONTENT, MAIL, await stage.r.clock.now(), "host")
    await stage.pass_time(hours=73)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"]) == ("withdrawn", "withdrawn_cured")
    assert "second_look" not in await stage.task_kinds()
    assert (await stage.notices(case_id))[-1]["purpose"] == "withdrawal"


async def test_a_reminder_that_finds_the_pages_gone_is_dropped_and_the_clock_goes_on(stage: Stage) -> None:
    case_id = await at_host(stage)
    stage.r.sandbox.world.do(Act.REMOVE_CONTENT, MAIL, await stage.r.clock.now(), "host")
    await stage.pass_time(hours=26)
    assert [(n["purpose"], n["state"]) for n in await stage.notices(case_id)] == [
        ("request", "sent"),
        ("reminder", "cancelled"),
    ]
    assert await stage.state(case_id) == "notified"
    assert await stage.count(DUE, case_id) == 1
    assert "second_look" not in await stage.task_kinds(), "whether that is a cure is looked for by itself"


async def test_what_a_look_for_a_reminder_saw_is_no_state_before_the_request(stage: Stage) -> None:
    """The host acts, says so two days later, and is credited: its pages stood when it was asked."""
    case_id = await at_host(stage)
    stage.r.sandbox.world.do(Act.REMOVE_CONTENT, MAIL, await stage.r.clock.now(), "host")
    await stage.pass_time(hours=30)
    first = (await stage.notices(case_id))[0]
    await says(stage, first, Answer("action_taken", measure="content_removal", actor="host"))
    await stage.pass_time(hours=50)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["outcome_actor"]) == ("resolved", "host_removed", "host")


# --- reminders ----------------------------------------------------------------------------------------------------


async def held(stage: Stage) -> str:
    """Nothing leaves for the name until this is released."""
    entry = EntryIn(MAIL, "An Authority", "R-1")
    return str((await deconfliction.add(stage.ctx, DORA, entry)).entry["id"])


async def reminder_waits(stage: Stage) -> tuple[str, str]:
    """A case whose reminder is queued and held back; the case's id, and what holds it."""
    case_id = await at_host(stage)
    entry = await held(stage)
    await stage.pass_time(hours=25)
    assert [(n["purpose"], n["state"]) for n in await stage.notices(case_id)] == [
        ("request", "sent"),
        ("reminder", "queued"),
    ]
    return case_id, entry


async def released(stage: Stage, entry: str) -> None:
    await deconfliction.release(stage.ctx, DORA, entry, "over")
    await stage.r.quiet()


async def test_a_reminder_that_waited_does_not_follow_an_answer(stage: Stage) -> None:
    case_id, entry = await reminder_waits(stage)
    await says(stage, (await stage.notices(case_id))[0], Answer("acknowledged"))
    await released(stage, entry)
    assert (await stage.notices(case_id))[1]["state"] == "cancelled"


async def test_a_reminder_that_waited_does_not_leave_with_the_amended_notice(stage: Stage) -> None:
    case_id, entry = await reminder_waits(stage)
    await says(stage, (await stage.notices(case_id))[0], QUESTION)
    await stepping.amend(stage.ctx, RITA, case_id, "The order page.")
    await released(stage, entry)
    if await stage.state(case_id) == "needs_evidence":
        await capture_again(stage, case_id)
    await stage.approve(case_id, ROLF)
    await stage.pass_time(minutes=31)
    assert [(n["purpose"], n["state"]) for n in await stage.notices(case_id)] == [
        ("request", "superseded"),
        ("reminder", "cancelled"),
        ("amendment", "sent"),
    ]


async def test_a_reminder_that_waits_does_not_stop_a_case_that_gets_another_report(stage: Stage) -> None:
    """Its request has left and stands, so that nothing is there to stop."""
    case_id, _ = await reminder_waits(stage)
    other = await stage.case_in_review("globalpills.org")
    await joining.merge(stage.ctx, ROLF, other, case_id, "one shop under two names")
    assert await stage.state(case_id) == "notified"
    assert await stage.count(DUE, case_id) == 1


async def test_the_same_answer_to_a_reminder_counts_once(stage: Stage) -> None:
    case_id = await at_host(stage)
    await stage.pass_time(hours=25)
    request, reminder = await stage.notices(case_id)
    done = Answer("action_taken", measure="content_removal", actor="host")
    for _ in range(3):
        await says(stage, reminder, done)
    assert await stage.count("claim where case_id = $1", case_id) == 1
    await says(stage, request, done)
    assert await stage.count("claim where case_id = $1", case_id) == 1


async def test_a_reminders_link_gives_no_more_answers_than_any_other(stage: Stage) -> None:
    case_id = await at_host(stage)
    await stage.pass_time(hours=25)
    reminder = (await stage.notices(case_id))[1]
    secret = secret_of(stage.ctx.reply_key, str(reminder["id"]))
    for n in range(10):
        await answering.answer(stage.ctx, str(reminder["id"]), secret, Answer("acknowledged", comment=f"no. {n}"))
    with pytest.raises(Conflict, match="answers already"):
        await answering.answer(stage.ctx, str(reminder["id"]), secret, Answer("acknowledged", comment="one more"))
    assert (await answering.shown(stage.ctx, str(reminder["id"]), secret)).said != ()


# --- questions and amended notices --------------------------------------------------------------------------------


async def test_an_acknowledgement_does_not_take_a_question_back(stage: Stage) -> None:
    case_id = await at_registry(stage)
    notice = await stage.notice(case_id)
    await says(stage, notice, QUESTION)
    await says(stage, notice, Answer("acknowledged"))
    assert (await stage.notice(case_id))["response"] == "needs_info"
    await stage.pass_time(days=3)
    assert await stage.alarms() == ["answer_owed"]
    case = await stepping.amend(stage.ctx, RITA, case_id, "The order page.")
    assert case.amendment is not None


async def test_a_question_is_answered_once(stage: Stage) -> None:
    case_id = await at_registry(stage)
    await amending(stage, case_id)
    await stage.pass_time(minutes=31)
    assert [n["state"] for n in await stage.notices(case_id)] == ["superseded", "sent"]
    with pytest.raises(Conflict, match="no recipient waits"):
        await stepping.amend(stage.ctx, RITA, case_id, "once more")
    assert await stage.state(case_id) == "notified"


async def test_a_question_by_the_old_notice_is_answered_by_an_amendment_of_the_new_one(stage: Stage) -> None:
    """Its recipient may answer to the first mail for ever; what stands is the amended one."""
    case_id = await at_registry(stage)
    await amending(stage, case_id)
    await stage.pass_time(minutes=31)
    first, second = await stage.notices(case_id)
    await says(stage, first, Answer("needs_info", comment="And who are you?"))
    assert await stage.count(DUE, case_id) == 0
    await stepping.amend(stage.ctx, RITA, case_id, "The Sample Notifier.")
    if await stage.state(case_id) == "needs_evidence":
        await capture_again(stage, case_id)
    await stage.approve(case_id, ROLF)
    await stage.pass_time(minutes=31)
    notices = await stage.notices(case_id)
    assert [n["state"] for n in notices] == ["superseded", "superseded", "sent"]
    assert notices[2]["supersedes"] == second["id"]


async def test_an_amended_notice_that_waits_for_long_has_its_clock_all_the_same(stage: Stage) -> None:
    case_id = await at_registry(stage)
    stage.r.sandbox.desk.behaviours[MAIL] = "throttle_then_obey"
    await amending(stage, case_id)
    await stage.pass_time(minutes=30)
    entry = await held(stage)
    amended = await stage.notice(case_id)
    assert (amended["purpose"], amended["state"]) == ("amendment", "queued")
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    await stage.pass_time(days=30)
    assert await stage.state(case_id) == "notified"
    assert await stage.count(DUE, case_id) == 1
    await released(stage, entry)


async def test_an_amended_notice_that_is_stopped_is_still_our_answer(stage: Stage) -> None:
    case_id = await at_registry(stage)
    stage.r.sandbox.desk.behaviours[MAIL] = "throttle_then_obey"
    await amending(stage, case_id)
    await stage.pass_time(minutes=30)
    other = await stage.case_in_review("globalpills.org")
    await joining.merge(stage.ctx, ROLF, other, case_id, "one shop under two names")
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    assert await stage.state(case_id) == "in_review"
    await stage.r.quiet()
    shown = await stage.preview(case_id)
    assert [d.notice.purpose for d in shown.drafts] == ["amendment"]
    assert shown.blockers == ()
    await stage.approve(case_id, Principal("Third Reviewer", "person", Role.REVIEWER))
    await stage.pass_time(minutes=31)
    assert [(n["purpose"], n["state"]) for n in await stage.notices(case_id)] == [
        ("request", "superseded"),
        ("amendment", "cancelled"),
        ("amendment", "sent"),
    ]


async def test_an_amended_notice_that_came_back_leaves_the_first_standing(stage: Stage) -> None:
    """Who got the first is asked again, and is told when all is withdrawn."""
    case_id = await at_registry(stage)
    await amending(stage, case_id)
    await stage.pass_time(minutes=31)
    await told_failed(stage, await stage.notice(case_id))
    assert [n["state"] for n in await stage.notices(case_id)] == ["sent", "bounced"]
    assert await stage.state(case_id) == "in_review"
    assert [d.notice.purpose for d in (await stage.preview(case_id)).drafts] == ["amendment"]
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.r.quiet()
    last = await stage.notice(case_id)
    assert (last["purpose"], last["state"]) == ("withdrawal", "sent")
    assert (await stage.case(case_id))["undo"] == "requested"


async def test_an_amended_notice_that_comes_back_while_the_next_is_reviewed_holds_nothing_up(stage: Stage) -> None:
    case_id = await at_registry(stage)
    await amending(stage, case_id)
    await stage.pass_time(minutes=31)
    first, second = await stage.notices(case_id)
    await says(stage, first, Answer("needs_info", comment="And who are you?"))
    await stepping.amend(stage.ctx, RITA, case_id, "The Sample Notifier.")
    await told_failed(stage, second)
    assert [n["state"] for n in await stage.notices(case_id)] == ["sent", "bounced"]
    if await stage.state(case_id) == "needs_evidence":
        await capture_again(stage, case_id)
    await stage.approve(case_id, ROLF)
    await stage.pass_time(minutes=31)
    assert [n["state"] for n in await stage.notices(case_id)] == ["superseded", "bounced", "sent"]


async def test_a_case_that_owes_an_answer_is_not_merged_away(stage: Stage) -> None:
    case_id = await at_registry(stage)
    other = await stage.case_in_review("globalpills.org")
    await says(stage, await stage.notice(case_id), QUESTION)
    with pytest.raises(Conflict) as raised:
        await joining.merge(stage.ctx, ROLF, case_id, other, "one shop under two names")
    assert raised.value.code == "question_open"
    await stepping.amend(stage.ctx, RITA, case_id, "The order page.")
    with pytest.raises(Conflict):
        await joining.merge(stage.ctx, ROLF, case_id, other, "one shop under two names")
    await joining.merge(stage.ctx, ROLF, other, case_id, "one shop under two names")


# --- taking back --------------------------------------------------------------------------------------------------


async def test_what_was_called_back_once_can_be_asked_and_withdrawn_later(stage: Stage) -> None:
    """The withdrawal that was not needed keeps its row; the one that is has its own."""
    use(stage, "opioids.verisign", "webform", FORM)
    case_id = await at_registry(stage)
    task = next(t for t in await stage.tasks() if t["kind"] == "webform")
    await tasks.take(stage.ctx, RITA, "task", str(task["id"]))
    stage.r.sandbox.world.do(Act.REMOVE_CONTENT, MAIL, await stage.r.clock.now(), "host")
    await stage.pass_time(hours=2)
    with pytest.raises(Conflict):
        await tasks.take(stage.ctx, RITA, "task", str(task["id"]))
    assert (await stage.notices(case_id))[0]["state"] == "sending"
    await tasks.resolve(stage.ctx, RITA, str(task["id"]), "not_filed", "I was told to stop")
    stage.r.sandbox.world.do(Act.RESTORE, MAIL, await stage.r.clock.now(), "host")
    await stage.r.quiet()
    assert {n["state"] for n in await stage.notices(case_id)} == {"cancelled"}
    await capture_again(stage, case_id)
    await stage.approve(case_id, ROLF)
    await stage.pass_time(minutes=31)
    task = next(t for t in await stage.tasks() if t["kind"] == "webform")
    await tasks.take(stage.ctx, RITA, "task", str(task["id"]))
    await tasks.resolve(stage.ctx, RITA, str(task["id"]), "filed", filing=Filing(reference="T-1"))
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.r.quiet()
    assert (await stage.notice(case_id))["purpose"] == "withdrawal"


async def test_what_a_merged_case_asked_for_is_withdrawn_and_not_rejected(stage: Stage) -> None:
    loser = await at_registry(stage)
    winner = await stage.case_in_review("globalpills.org")
    await joining.merge(stage.ctx, ROLF, loser, winner, "one shop under two names")
    with pytest.raises(Conflict, match="withdraw"):
        await review.reject(stage.ctx, RITA, winner, "we do not go on")


async def test_a_claim_on_what_was_withdrawn_is_no_claim_to_have_undone_it(stage: Stage) -> None:
    case_id = await at_registry(stage)
    first = await stage.notice(case_id)
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.r.quiet()
    await says(stage, first, Answer("action_taken", measure="hold", actor="registry"))
    assert (await stage.case(case_id))["undo"] == "requested"
    undo = await stage.notice(case_id)
    await says(stage, undo, Answer("action_taken", measure="restore", actor="registry"))
    assert (await stage.case(case_id))["undo"] == "claimed"


# --- contacts -----------------------------------------------------------------------------------------------------


async def test_another_address_for_a_party_that_was_not_reached_is_used(stage: Stage) -> None:
    case_id = await at_host(stage)
    await told_failed(stage, await stage.notice(case_id))
    assert await stage.state(case_id) == "in_review"
    address = HOSTS[2].abuse_email
    case = await stepping.give_contact(stage.ctx, ROLF, case_id, Recipient.HOST, address, "their imprint")
    assert case.step == "host"
    (draft,) = (await stage.preview(case_id)).drafts
    assert draft.content.recipient_address == address


async def test_the_time_of_an_amended_notice_goes_on_from_what_was_left(stage: Stage) -> None:
    case_id = await at_registry(stage)
    await amending(stage, case_id, hours=24)
    await stage.pass_time(minutes=31)
    assert timedelta(0) < await stage.ctx.db.fetchval("select remaining from amendment where case_id = $1", case_id)


async def test_a_mail_that_came_back_counts_also_when_the_channel_is_another_since(stage: Stage) -> None:
    case_id = await at_registry(stage)
    use(stage, "opioids.verisign", "webform", FORM)
    await told_failed(stage, await stage.notice(case_id))
    assert (await stage.notice(case_id))["state"] == "bounced"
    assert await stage.state(case_id) == "in_review"


async def test_what_was_made_for_a_form_that_is_another_since_is_reviewed_anew(stage: Stage) -> None:
    """Nobody has taken it, and nobody could."""
    use(stage, "opioids.verisign", "webform", FORM)
    case_id = await at_registry(stage)
    assert (await stage.notice(case_id))["state"] == "sending"
    use(stage, "opioids.verisign", "webform", {**FORM, "form": "http://127.0.0.1:9/another"})
    async with stage.ctx.db.transaction("test") as tx:
        await agreements.take_up(tx, "opioids.verisign")
    await stage.r.quiet()
    assert (await stage.state(case_id), (await stage.notice(case_id))["state"]) == ("in_review", "cancelled")


async def test_a_withdrawal_that_nobody_has_taken_goes_by_the_channel_that_stands(stage: Stage) -> None:
    case_id = await at_registry(stage)
    known = stage.ctx.catalog.agreements["opioids.verisign"].address
    use(stage, "opioids.verisign", "webform", FORM)
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.r.quiet()
    assert (await stage.notice(case_id))["state"] == "sending"
    use(stage, "opioids.verisign", "smtp", dict(known))
    async with stage.ctx.db.transaction("test") as tx:
        await agreements.take_up(tx, "opioids.verisign")
    await stage.r.quiet()
    last = await stage.notice(case_id)
    assert (last["purpose"], last["state"]) == ("withdrawal", "sent")
    assert "webform" not in await stage.task_kinds()


# --- the log ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        "update contact set address = 'x@elsewhere.example'",
        "update contact set given_by = 'somebody else'",
        "delete from contact",
        "update amendment set answer = 'something else'",
        "update amendment set remaining = remaining + interval '1 day'",
        "delete from amendment",
        "update notice set registry = 'pir', recipient = jsonb_set(recipient, '{id}', '\"pir\"')",
        "update notice set agreement = 'opioids.pir'",
    ],
)
async def test_what_people_said_and_whom_a_notice_went_to_is_not_changed_unseen(
    tmp_path: Path, database_url: str, edit: str
) -> None:
    async with rehearsal(tmp_path, database_url, LADDER) as running:
        stage = Stage(running)
        everybody(stage, "silent", "host", "registrar", "registry")
        case_id = await opened(stage)
        await stepping.give_contact(stage.ctx, ROLF, case_id, Recipient.HOST, HOSTS[2].abuse_email, "their imprint")
        await stage.approve(case_id)
        await stage.pass_time(minutes=30)
        await says(stage, await stage.notice(case_id), QUESTION)
        await stepping.amend(stage.ctx, RITA, case_id, "The order page.")
        await stage.r.quiet()
        assert (await stage.audit()).faults == []
        table = edit.replace("delete from", "update").split()[1]
        if table != "notice":
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await stage.ctx.db.pool.execute(edit)
        con = await asyncpg.connect(database_url)
        await con.execute("set session_replication_role = replica")
        await con.execute(edit)
        await con.close()
        report = await stage.audit()
        assert report.exit_code == 1
        assert [fault for fault in report.faults if fault.startswith(f"{table} ")], report.faults
