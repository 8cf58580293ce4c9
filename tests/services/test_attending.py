"""Notices that a person carries: one task, the same guards as any send, and what the person says decides."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest

from notifier.domain.answer import Answer
from notifier.errors import Conflict, Forbidden, Invalid, NotFound
from notifier.sandbox.world import Act
from notifier.services import (
    agreements,
    attending,
    deconfliction,
    files,
    joining,
    keeping,
    reading,
    responses,
    review,
    sending,
    tasks,
)
from notifier.services.access import Principal, Role
from notifier.services.attending import Carrying, Filing
from notifier.services.deconfliction import EntryIn
from notifier.services.keeping import Kept
from notifier.services.tasks import Shown
from notifier.store import paces
from tests.services.stages import ADA, HOOK, MAIL, PIR, RITA, ROBOT, ROLF, Stage
from tests.services.test_channels import use
from tests.services.test_deconfliction import DORA

FORM = "http://127.0.0.1:9/form"
FIELDS = {"Name": "domain", "What you want": "measure_word", "Kind": {"text": "pharmacy"}, "Tell us all": "text"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
AGREEMENT = "opioids.pir"


def by_form(stage: Stage, **changes: Any) -> None:
    """PIR takes notices by a form alone."""
    use(stage, AGREEMENT, "webform", {"form": FORM, "fields": FIELDS, "within": "4h"} | changes)


async def in_hand(stage: Stage, **changes: Any) -> str:
    """A case whose notice waits for somebody to carry it; its id."""
    by_form(stage, **changes)
    stage.r.sandbox.desk.behaviours[HOOK] = "silent"
    return await stage.notified(HOOK)


async def the_task(stage: Stage) -> dict[str, Any]:
    (found,) = [task for task in await stage.tasks() if task["kind"] == "webform"]
    return found


async def taken(stage: Stage, who: Principal = RITA) -> str:
    """The open task's id, once `who` has taken it."""
    task_id = str((await the_task(stage))["id"])
    await tasks.take(stage.ctx, who, "task", task_id)
    return task_id


async def carrying(stage: Stage, task_id: str, who: Principal = RITA) -> Carrying:
    shown: Shown = await tasks.show(stage.ctx, who, task_id)
    assert shown.carrying is not None
    return shown.carrying


async def resolve(stage: Stage, task_id: str, word: str, note: str = "", who: Principal = RITA, **filing: Any) -> None:
    await tasks.resolve(stage.ctx, who, task_id, word, note, filing=Filing(**filing))
    await stage.r.quiet()


async def kept(stage: Stage, content: bytes = PNG, name: str = "receipt.png") -> Kept:
    async with keeping.arriving(stage.ctx) as file:
        await file.write(content)
        return await keeping.take(stage.ctx, file, name, "")


async def states(stage: Stage, case_id: str) -> list[str]:
    return [f"{n['purpose']} {n['state']}" for n in await stage.notices(case_id)]


async def clock_ends(stage: Stage, case_id: str) -> datetime:
    found: datetime = await stage.ctx.db.fetchval(
        "select max(due_at) from timer where case_id = $1 and kind = 'case.clock_ended' and fired_at is null "
        "and cancelled_at is null",
        case_id,
    )
    return found


# --- one task -----------------------------------------------------------------------------------------------------


async def test_a_notice_becomes_one_task_with_a_due_time(stage: Stage) -> None:
    case_id = await in_hand(stage)
    notice, task = await stage.notice(case_id), await the_task(stage)
    assert (notice["state"], await stage.attempts(notice["id"])) == ("sending", ["started"])
    assert (task["notice_id"], task["taken_by"]) == (notice["id"], None)
    assert task["due_at"] == task["opened_at"] + timedelta(hours=4)
    assert HOOK in task["detail"]
    assert FORM in task["detail"]
    assert stage.received() == []


async def test_a_repeated_job_opens_no_second_task_and_takes_the_open_one_for_no_crash(stage: Stage) -> None:
    case_id = await in_hand(stage)
    notice = await stage.notice(case_id)
    for _ in range(3):
        await sending.send(stage.ctx, str(notice["id"]))
    await stage.pass_time(days=2)
    await sending.send(stage.ctx, str(notice["id"]))
    assert ((await stage.notice(case_id))["state"], await stage.attempts(notice["id"])) == ("sending", ["started"])
    assert await stage.task_kinds() == ["webform"]


async def test_two_jobs_at_once_make_one_task(stage: Stage) -> None:
    by_form(stage)
    case_id = await stage.case_in_review(HOOK)
    await stage.approve(case_id)
    notice = str((await stage.notice(case_id))["id"])
    passing = asyncio.create_task(stage.pass_time(minutes=30))
    while not passing.done():
        await asyncio.gather(*(sending.send(stage.ctx, notice) for _ in range(4)))
    await passing
    assert (await stage.task_kinds(), await stage.attempts(notice)) == (["webform"], ["started"])


async def test_a_crash_while_handing_over_leaves_nothing_and_the_next_job_hands_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hand-over is one transaction: cut anywhere, the notice still waits."""
    by_form(stage)
    case_id = await stage.case_in_review(HOOK)
    await stage.approve(case_id)

    async def cut(*_: Any, **__: Any) -> Any:
        raise ConnectionError("the process dies")

    with monkeypatch.context() as patched:
        patched.setattr(attending, "_words", cut)
        await stage.pass_time(minutes=30)
    notice = await stage.notice(case_id)
    assert (notice["state"], await stage.attempts(notice["id"]), await stage.tasks()) == ("queued", [], [])
    await stage.ctx.db.pool.execute("delete from queue.pgqueuer where status::text not in ('queued', 'picked')")
    await sending.send(stage.ctx, str(notice["id"]))
    assert await stage.task_kinds() == ["webform"]


async def test_a_text_that_does_not_fit_is_refused_and_goes_back_to_a_person(stage: Stage) -> None:
    case_id = await in_hand(stage, max_chars=500)
    notice = await stage.notice(case_id)
    assert (notice["state"], await stage.attempts(notice["id"])) == ("bounced", ["refused"])
    assert (await stage.state(case_id), await stage.task_kinds()) == ("in_review", ["no_contact"])


async def test_open_tasks_take_no_place_in_the_pace(stage: Stage) -> None:
    """A person needs hours: sixteen open tasks would else stop the rest."""
    await in_hand(stage)
    async with stage.ctx.db.transaction("test") as tx:
        assert await paces.running(tx.con, AGREEMENT, "0190ffff-0000-7000-8000-000000000000") == 0


# --- what is shown ------------------------------------------------------------------------------------------------


async def test_whoever_takes_it_gets_what_was_approved(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task_id = str((await the_task(stage))["id"])
    before = await carrying(stage, task_id)
    assert (before.place, before.fields, before.files) == (FORM, (), ())
    assert before.why_not is not None
    await taken(stage)
    shown, notice = await carrying(stage, task_id), await stage.notice(case_id)
    text = notice["content"]["text"]
    assert [(f.label, f.value) for f in shown.fields] == [
        ("Name", HOOK),
        ("What you want", "suspension"),
        ("Kind", "pharmacy"),
        ("Tell us all", text),
    ]
    by_name = {f.filename: f for f in shown.files}
    assert by_name["notice.txt"].content.decode() == text
    assert {"form.txt", "notice.txt", "xarf.json"} <= set(by_name)
    for file in shown.files:
        assert hashlib.sha256(file.content).hexdigest() == file.sha256
        assert (await tasks.material(stage.ctx, RITA, task_id, file.sha256)).content == file.content
    with pytest.raises(NotFound):
        await tasks.material(stage.ctx, RITA, task_id, "0" * 64)
    assert shown.digest == notice["digest"]


async def test_nobody_else_gets_it(stage: Stage) -> None:
    await in_hand(stage)
    task_id = await taken(stage)
    sha256 = (await carrying(stage, task_id)).files[0].sha256
    assert (await carrying(stage, task_id, ROLF)).fields == ()
    with pytest.raises(Conflict):
        await tasks.material(stage.ctx, ROLF, task_id, sha256)
    with pytest.raises(Conflict):
        await tasks.take(stage.ctx, ROLF, "task", task_id)
    with pytest.raises(Forbidden):
        await tasks.take(stage.ctx, ROBOT, "task", task_id)
    with pytest.raises(Forbidden):
        await tasks.show(stage.ctx, PIR, task_id)
    with pytest.raises(Forbidden):
        await tasks.resolve(stage.ctx, ROBOT, task_id, "filed", filing=Filing("R-1"))
    stranger = Principal("Tom", "person", Role.REVIEWER, "elsewhere")
    with pytest.raises(NotFound):
        await tasks.show(stage.ctx, stranger, task_id)


async def test_what_was_disarmed_since_is_not_handed_out(stage: Stage) -> None:
    await in_hand(stage)
    await agreements.disarm(stage.ctx, ADA, AGREEMENT)
    with pytest.raises(Conflict) as refused:
        await taken(stage)
    assert refused.value.code == "not_now"
    assert (await the_task(stage))["taken_by"] is None


async def test_what_is_old_is_looked_at_again_before_it_is_handed_out(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task_id = await taken(stage)
    await stage.pass_time(hours=2)
    assert "take the task again" in str((await carrying(stage, task_id)).why_not)
    looks = await stage.count("observation where case_id = $1", case_id)
    await taken(stage)
    assert await stage.count("observation where case_id = $1", case_id) == looks + 1
    assert (await carrying(stage, task_id)).why_not is None


async def test_a_name_registered_anew_is_taken_out_of_nobodys_hands(stage: Stage) -> None:
    case_id = await in_hand(stage)
    stage.r.sandbox.world.do(Act.TRANSFER, HOOK, await stage.r.clock.now(), "registrant")
    await stage.pass_time(hours=2)
    with pytest.raises(Conflict):
        await taken(stage)
    assert (await states(stage, case_id), await stage.attempts((await stage.notice(case_id))["id"])) == (
        ["request cancelled"],
        ["cancelled"],
    )
    assert await stage.state(case_id) == "in_review"
    assert "webform" not in await stage.task_kinds()


async def test_whoever_has_it_in_hand_is_told_that_the_name_was_registered_anew(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task_id = await taken(stage)
    stage.r.sandbox.world.do(Act.TRANSFER, HOOK, await stage.r.clock.now(), "registrant")
    await stage.pass_time(hours=2)
    with pytest.raises(Conflict):
        await tasks.take(stage.ctx, RITA, "task", task_id)
    assert await states(stage, case_id) == ["request sending", "withdrawal queued"]
    assert (await the_task(stage))["detail"].startswith("DO NOT FILE THIS ANY MORE")
    assert await stage.state(case_id) == "in_review"
    await resolve(stage, task_id, "filed", reference="T-1")
    assert await states(stage, case_id) == ["request sent", "withdrawal sending"]


async def test_its_recipient_does_not_see_what_nobody_has_taken(stage: Stage) -> None:
    await in_hand(stage)
    assert (await reading.notices(stage.ctx, PIR)).items == []
    await taken(stage)
    assert len((await reading.notices(stage.ctx, PIR)).items) == 1


# --- filed --------------------------------------------------------------------------------------------------------


async def test_filed_with_a_reference_is_sent_by_a_person(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task_id = await taken(stage)
    await stage.pass_time(minutes=20)
    filed_at = await stage.r.clock.now() - timedelta(minutes=5)
    await resolve(stage, task_id, "filed", reference="TICKET-7", filed_at=filed_at)
    notice = await stage.notice(case_id)
    assert (notice["state"], notice["sent_at"]) == ("sent", filed_at)
    attempt = await stage.ctx.db.fetchrow("select * from attempt where notice_id = $1", notice["id"])
    assert attempt is not None
    assert (attempt["result"], attempt["reference"], attempt["attended"]) == ("accepted", "TICKET-7", True)
    entry = await stage.ctx.db.fetchrow(
        "select actor, via, body from audit_entry where tag = 'notice.sent' and subject = $1", str(notice["id"])
    )
    assert entry is not None
    assert (entry["actor"], entry["via"]) == (RITA.id, "api")
    assert '"by":"person"' in entry["body"].replace(" ", "")
    assert await stage.tasks() == []


async def test_the_recipients_clock_starts_when_it_was_filed(stage: Stage) -> None:
    """Decided within 24 hours or days: whatever the agreement says counts from filing, not from the end of the window."""
    case_id = await in_hand(stage)
    first_end = await clock_ends(stage, case_id)
    task_id = await taken(stage)
    await stage.r.advance_to(first_end + timedelta(hours=3))
    assert await stage.state(case_id) == "notified"  # what was not filed is nobody's silence
    filed_at = await stage.r.clock.now()
    await resolve(stage, task_id, "filed", reference="T-1")
    due = agreements.answer_due(stage.ctx, AGREEMENT, filed_at)
    await stage.r.advance_to(due - timedelta(minutes=1))
    assert await stage.state(case_id) == "notified"
    await stage.r.advance_to(due + timedelta(days=1))
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["resolved_at"]) == ("resolved", "no_response", due)


async def test_a_receipt_is_kept_by_content_and_is_no_evidence(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task_id = await taken(stage)
    receipt = await kept(stage)
    await resolve(stage, task_id, "filed", receipt=receipt)
    notice = await stage.notice(case_id)
    sha256 = hashlib.sha256(PNG).hexdigest()
    assert await stage.ctx.db.fetchval("select receipt from attempt where notice_id = $1", notice["id"]) == sha256
    assert await stage.ctx.blobs.has(sha256)
    body = await stage.ctx.db.fetchval(
        "select body from audit_entry where tag = 'notice.sent' and subject = $1", str(notice["id"])
    )
    assert sha256 in body
    held, _ = await files.hand_out(stage.ctx, RITA, case_id, sha256)
    assert held.media_type == "image/png"
    assert sha256 not in (await files.manifest_of(stage.ctx, RITA, case_id)).body


@pytest.mark.parametrize("fault", ["nothing", "blank", "future", "too early", "text file"])
async def test_filed_needs_proof_and_a_time_that_can_be(stage: Stage, fault: str) -> None:
    case_id = await in_hand(stage)
    task_id, opened = await taken(stage), (await the_task(stage))["opened_at"]
    filing: dict[str, Any] = {
        "nothing": {},
        "blank": {"reference": " \u200b \n"[:1]},
        "future": {"reference": "T", "filed_at": await stage.r.clock.now() + timedelta(seconds=1)},
        "too early": {"reference": "T", "filed_at": opened - timedelta(seconds=1)},
        "text file": {},
    }[fault]
    if fault == "text file":
        filing = {"receipt": await kept(stage, b"it says thanks\n", "r.txt")}
    with pytest.raises(Invalid):
        await resolve(stage, task_id, "filed", **filing)
    assert ((await stage.notice(case_id))["state"], (await the_task(stage))["resolved_at"]) == ("sending", None)


async def test_an_answer_comes_before_the_person_says_so(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task_id = await taken(stage)
    await stage.pass_time(minutes=10)
    notice_id = str((await stage.notice(case_id))["id"])
    filed_at = await stage.r.clock.now() - timedelta(minutes=5)
    await responses.respond(stage.ctx, PIR, notice_id, Answer("acknowledged"))
    assert ((await stage.notice(case_id))["state"], await stage.task_kinds()) == ("sent", ["webform"])
    with pytest.raises(Conflict):
        await resolve(stage, task_id, "not_filed", "I did not")
    await resolve(stage, task_id, "filed", reference="T-2", filed_at=filed_at)
    notice = await stage.notice(case_id)
    assert (notice["state"], notice["sent_at"]) == ("sent", filed_at)
    assert await stage.attempts(notice_id) == ["accepted"]


async def test_what_is_answered_needs_nobody_to_carry_it(stage: Stage) -> None:
    case_id = await in_hand(stage)
    notice_id = str((await stage.notice(case_id))["id"])
    await responses.respond(stage.ctx, PIR, notice_id, Answer("acknowledged"))
    assert (await states(stage, case_id), await stage.tasks()) == (["request sent"], [])
    assert await stage.attempts(notice_id) == ["accepted"]


# --- not filed, unsure --------------------------------------------------------------------------------------------


async def test_not_filed_goes_back_to_a_person(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task_id = await taken(stage)
    with pytest.raises(Invalid):
        await resolve(stage, task_id, "not_filed")
    with pytest.raises(Conflict):
        await resolve(stage, task_id, "not_filed", "I did not see it there", ROLF)
    await resolve(stage, task_id, "not_filed", "the form is gone")
    assert await states(stage, case_id) == ["request bounced"]
    assert (await stage.state(case_id), await stage.task_kinds()) == ("in_review", ["no_contact"])
    assert "the form is gone" in (await stage.tasks())[0]["detail"]


async def test_unsure_is_asked_and_then_settled(stage: Stage) -> None:
    case_id = await in_hand(stage)
    await resolve(stage, await taken(stage), "unsure", "the page hung")
    notice = await stage.notice(case_id)
    assert (notice["state"], await stage.task_kinds()) == ("uncertain", ["uncertain"])
    assert await stage.attempts(notice["id"]) == ["uncertain"]
    await tasks.resolve(stage.ctx, RITA, str((await stage.tasks())[0]["id"]), "not_arrived")
    await stage.r.quiet()
    assert (await stage.task_kinds(), await stage.attempts(notice["id"])) == (["webform"], ["uncertain", "started"])


@pytest.mark.parametrize("word", ["done", "arrived", "confirmed"])
async def test_only_its_own_words_end_it(stage: Stage, word: str) -> None:
    await in_hand(stage)
    with pytest.raises(Invalid):
        await resolve(stage, await taken(stage), word, "n")


async def test_a_task_of_another_kind_takes_no_receipt(stage: Stage) -> None:
    case_id = await in_hand(stage)
    await resolve(stage, await taken(stage), "unsure", "the page hung")
    (task,) = await stage.tasks()
    with pytest.raises(Invalid):
        await resolve(stage, str(task["id"]), "arrived", reference="T-1")
    assert (await stage.notice(case_id))["state"] == "uncertain"


# --- withdrawn ----------------------------------------------------------------------------------------------------


async def test_withdrawn_before_anybody_took_it_nothing_leaves(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task = await the_task(stage)
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error")
    await stage.pass_time(hours=5)
    assert (await states(stage, case_id), await stage.tasks()) == (["request cancelled"], [])
    ended = await stage.ctx.db.fetchrow("select * from task where id = $1", task["id"])
    assert ended is not None
    assert ended["resolved_by"] == "daemon"
    assert "it was an error" in ended["resolution"]
    assert (await stage.case(case_id))["undo"] == "none"
    with pytest.raises(Conflict):
        await tasks.take(stage.ctx, RITA, "task", str(task["id"]))


async def test_withdrawn_after_it_was_taken_the_withdrawal_waits_for_word_of_it(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task_id = await taken(stage)
    await review.withdraw(stage.ctx, ROLF, case_id, "it was an error")
    await stage.pass_time(hours=3)
    task = await the_task(stage)
    assert task["detail"].startswith("DO NOT FILE THIS ANY MORE: it was an error.")
    assert "filed already" in task["detail"]
    assert await states(stage, case_id) == ["request sending", "withdrawal queued"]
    assert (await carrying(stage, task_id)).fields == ()
    await resolve(stage, task_id, "filed", reference="T-9")
    assert await states(stage, case_id) == ["request sent", "withdrawal sending"]
    undo = await the_task(stage)
    assert "T-9" in undo["detail"]
    assert undo["notice_id"] == (await stage.notice(case_id))["id"]
    await resolve(stage, await taken(stage), "filed", reference="T-10")
    assert (await states(stage, case_id), await stage.tasks()) == (["request sent", "withdrawal sent"], [])


async def test_withdrawn_and_not_filed_nobody_is_told_anything(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task_id = await taken(stage)
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error")
    assert (await stage.case(case_id))["undo"] == "requested"
    await resolve(stage, task_id, "not_filed", "I stopped in time")
    await stage.pass_time(hours=3)
    assert await states(stage, case_id) == ["request cancelled", "withdrawal cancelled"]
    assert ((await stage.case(case_id))["undo"], await stage.tasks()) == ("none", [])


async def test_withdrawn_and_unsure_the_withdrawal_goes(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task_id = await taken(stage)
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error")
    await resolve(stage, task_id, "unsure", "my connection broke")
    assert await states(stage, case_id) == ["request uncertain", "withdrawal sending"]
    assert await stage.task_kinds() == ["uncertain", "webform"]


async def test_a_withdrawal_of_what_was_filed_is_carried_too(stage: Stage) -> None:
    case_id = await in_hand(stage)
    await resolve(stage, await taken(stage), "filed", reference="T-1")
    await review.withdraw(stage.ctx, RITA, case_id, "cured", "cured")
    await stage.pass_time(minutes=1)
    assert await states(stage, case_id) == ["request sent", "withdrawal sending"]
    task_id = await taken(stage)
    assert (await carrying(stage, task_id)).purpose == "withdrawal"
    await resolve(stage, task_id, "not_filed", "the form takes no withdrawals")
    assert await states(stage, case_id) == ["request sent", "withdrawal bounced"]
    assert await stage.task_kinds() == ["no_contact"]


async def test_withdrawn_while_somebody_takes_it(stage: Stage) -> None:
    """Either nobody had it and nothing left, or somebody has it and is told; never a task that looks alive."""
    case_id = await in_hand(stage)
    task_id = str((await the_task(stage))["id"])
    took, _ = await asyncio.gather(
        tasks.take(stage.ctx, RITA, "task", task_id),
        review.withdraw(stage.ctx, ROLF, case_id, "it was an error"),
        return_exceptions=True,
    )
    await stage.r.quiet()
    if took is None:
        assert await states(stage, case_id) == ["request sending", "withdrawal queued"]
        assert (await the_task(stage))["detail"].startswith("DO NOT FILE")
    else:
        assert await states(stage, case_id) == ["request cancelled"]


# --- overdue ------------------------------------------------------------------------------------------------------


async def test_an_overdue_task_is_told_and_told_again_when_the_alarm_was_closed(stage: Stage) -> None:
    await in_hand(stage)
    await stage.pass_time(hours=3, minutes=59)
    assert await stage.alarms() == []
    await stage.pass_time(minutes=1)
    assert await stage.alarms() == ["task_overdue"]
    await stage.pass_time(days=1)
    assert await stage.alarms() == ["task_overdue"]
    alarm = str(await stage.ctx.db.fetchval("select id from alarm"))
    await tasks.close_alarm(stage.ctx, RITA, alarm)
    await stage.pass_time(days=1)
    assert await stage.alarms() == ["task_overdue", "task_overdue"]


async def test_what_is_withdrawn_and_still_in_hand_is_overdue_too(stage: Stage) -> None:
    case_id = await in_hand(stage)
    await taken(stage)
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error")
    await stage.pass_time(hours=5)
    assert await stage.alarms() == ["task_overdue"]


async def test_what_was_done_is_not_overdue(stage: Stage) -> None:
    await in_hand(stage)
    await resolve(stage, await taken(stage), "filed", reference="T-1")
    await stage.pass_time(days=1)
    assert await stage.alarms() == []


# --- letters ------------------------------------------------------------------------------------------------------


async def test_a_letter_is_posted_by_a_person(stage: Stage) -> None:
    postal = ["Office of Example", "1 Main Street", "Exampletown"]
    use(stage, "opioids.verisign", "authority", {"delivery": "post", "postal": postal, "within": "2d"})
    assert await agreements.check(stage.ctx, "opioids.verisign", "Ada Admin") == []
    case_id = await stage.notified(MAIL)
    task = await the_task(stage)
    assert task["due_at"] - task["opened_at"] == timedelta(days=2)
    task_id = await taken(stage)
    shown = await carrying(stage, task_id)
    assert (shown.place, shown.fields) == ("Office of Example, 1 Main Street, Exampletown", ())
    names = [file.filename for file in shown.files]
    assert names[0].startswith("letter-")
    assert "xarf.json" in names
    await resolve(stage, task_id, "filed", reference="RR 123 456 789 DE")
    assert (await stage.notice(case_id))["state"] == "sent"
    assert stage.received() == []


# --- other things that happen meanwhile ---------------------------------------------------------------------------


async def test_a_name_under_investigation_is_handed_to_nobody_and_nobody_learns_why(stage: Stage) -> None:
    case_id = await in_hand(stage)
    task_id = await taken(stage)
    entry = (await deconfliction.add(stage.ctx, DORA, EntryIn(HOOK, "Bureau", "OP-1"))).entry["id"]
    assert (await carrying(stage, task_id)).fields == ()
    with pytest.raises(Conflict) as held:
        await tasks.take(stage.ctx, RITA, "task", task_id)
    await deconfliction.release(stage.ctx, DORA, str(entry), "over")
    await agreements.disarm(stage.ctx, ADA, AGREEMENT)
    with pytest.raises(Conflict) as disarmed:
        await tasks.take(stage.ctx, RITA, "task", task_id)
    assert held.value.detail == disarmed.value.detail
    await stage.r.quiet()
    assert await stage.attempts((await stage.notice(case_id))["id"]) == ["started"]


@pytest.mark.parametrize("somebody", [False, True])
async def test_a_case_that_is_merged_away_keeps_nobody_waiting(stage: Stage, somebody: bool) -> None:
    """What nobody has taken has not left, and is cancelled; what somebody has is told by them."""
    loser = await in_hand(stage)
    task_id = str((await the_task(stage))["id"])
    if somebody:
        await taken(stage)
    winner = await stage.case_in_review(MAIL)
    await joining.merge(stage.ctx, ROLF, loser, winner, "one shop under two names")
    await stage.r.quiet()
    assert await states(stage, loser) == ["request sending" if somebody else "request cancelled"]
    if somebody:
        await resolve(stage, task_id, "filed", reference="T-1")
        assert await states(stage, loser) == ["request sent"]
    assert "webform" not in await stage.task_kinds()
