"""What comes back: kept first, tied to its notice, counted once, and believed only when it is authenticated."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest
from standardwebhooks import Webhook

from notifier.domain.answer import Answer
from notifier.domain.epp import Measure
from notifier.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from notifier.rehearsal import Rehearsal
from notifier.sandbox.mail_back import dsn
from notifier.services import inbound, responses, review, tasks
from notifier.services.responses import Recorded, respond
from tests.services.stages import HOOK, MAIL, PIR, RITA, ROBOT, SAM, VERISIGN, Stage, until


@pytest.fixture
async def told(stage: Stage) -> tuple[Stage, str, str]:
    """A registry told by mail that says nothing of itself: stage, case id, notice id."""
    stage.r.sandbox.desk.party_behaviours |= {"verisign": "silent", "pir": "silent"}
    case_id = await stage.notified()
    return stage, case_id, str((await stage.notice(case_id))["id"])


@pytest.fixture
async def hooked(stage: Stage) -> tuple[Stage, str, str]:
    """The same for a registry told by webhook."""
    stage.r.sandbox.desk.party_behaviours |= {"verisign": "silent", "pir": "silent"}
    case_id = await stage.notified(HOOK)
    return stage, case_id, str((await stage.notice(case_id))["id"])


Told = tuple[Stage, str, str]


# --- by the API ---------------------------------------------------------------------------------------------------


async def test_an_answer_is_recorded_once(told: Told) -> None:
    stage, case_id, notice_id = told
    answer = Answer("declined", reason="declined_nexus", comment="no US customers")
    first = await respond(stage.ctx, VERISIGN, notice_id, answer)
    again = await respond(stage.ctx, VERISIGN, notice_id, answer)
    assert again == Recorded(first.response_id, notice_id, "declined", None, True)
    assert await stage.count("response") == 1
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["outcome_actor"]) == ("resolved", "declined_nexus", "none")
    assert (case["response"], (await stage.notice(case_id))["response"]) == ("declined", "declined")


async def test_a_claim_is_made_once(told: Told) -> None:
    stage, case_id, notice_id = told
    at = await stage.r.clock.now()
    answer = Answer("action_taken", Measure.HOLD, "registry", effective_at=at)
    first = await respond(stage.ctx, VERISIGN, notice_id, answer)
    again = await respond(stage.ctx, VERISIGN, notice_id, answer)
    assert first.claim_id is not None
    assert (again.claim_id, again.repeated) == (first.claim_id, True)
    assert await stage.count("claim") == 1
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["observed"]) == ("notified", None, "pending"), "a word is no proof"


BAD = [
    Answer("declined"),
    Answer("declined", reason="we do not like it"),
    Answer("action_taken"),
    Answer("action_taken", Measure.HOLD, "somebody"),
    Answer("bounce"),
    Answer("human"),
    Answer(""),
]


@pytest.mark.parametrize("answer", BAD, ids=[f"{a.kind}-{n}" for n, a in enumerate(BAD)])
async def test_an_answer_outside_the_contract_is_invalid(told: Told, answer: Answer) -> None:
    stage, case_id, notice_id = told
    with pytest.raises(Invalid):
        await respond(stage.ctx, VERISIGN, notice_id, answer)
    assert (await stage.count("response"), await stage.state(case_id)) == (0, "notified")


async def test_a_foreign_notice_does_not_exist(told: Told) -> None:
    stage, _, notice_id = told
    for wrong in (notice_id, "00000000-0000-7000-8000-000000000000", "x", ""):
        with pytest.raises(NotFound) as raised:
            await respond(stage.ctx, PIR, wrong, Answer("acknowledged"))
        assert raised.value.code == "not_found"
    assert await stage.count("response") == 0


@pytest.mark.parametrize("who", [SAM, RITA, ROBOT])
async def test_only_a_registry_answers(told: Told, who: Any) -> None:
    stage, _, notice_id = told
    with pytest.raises(Forbidden):
        await respond(stage.ctx, who, notice_id, Answer("acknowledged"))


async def test_what_has_not_left_cannot_be_answered(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    with pytest.raises(Conflict):
        await respond(stage.ctx, VERISIGN, str((await stage.notice(case_id))["id"]), Answer("acknowledged"))


async def test_a_question_stops_the_recipients_clock(told: Told) -> None:
    stage, case_id, notice_id = told
    await respond(stage.ctx, VERISIGN, notice_id, Answer("needs_info", comment="which pages? \x00 \ud800"))
    assert (await stage.case(case_id))["response"] == "needs_info"
    await stage.pass_time(days=60)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"]) == ("notified", None), "we owe the answer, so this is not their silence"


async def test_an_acknowledgement_does_not_stop_the_clock(told: Told) -> None:
    stage, case_id, notice_id = told
    await respond(stage.ctx, VERISIGN, notice_id, Answer("acknowledged"))
    await stage.pass_time(days=60)
    assert (await stage.case(case_id))["outcome"] == "no_response"


async def test_a_late_answer_is_kept_and_does_not_rewrite_the_outcome(told: Told) -> None:
    stage, case_id, notice_id = told
    await respond(stage.ctx, VERISIGN, notice_id, Answer("declined", reason="declined_nexus"))
    await respond(stage.ctx, VERISIGN, notice_id, Answer("declined", reason="declined_collateral"))
    case = await stage.case(case_id)
    assert (case["outcome"], await stage.count("response")) == ("declined_nexus", 2)


async def test_ten_answers_at_once_are_all_kept(told: Told) -> None:
    stage, case_id, notice_id = told
    said = [Answer("acknowledged", comment=f"agent {n}") for n in range(10)]
    got = await asyncio.gather(*(respond(stage.ctx, VERISIGN, notice_id, a) for a in said))
    assert len({g.response_id for g in got}) == 10
    assert await stage.state(case_id) == "notified"


# --- by webhook ---------------------------------------------------------------------------------------------------


def signed(stage: Stage, body: str, key: str = "msg_1", registry: str = "pir") -> dict[str, str]:
    """Headers as Standard Webhooks wants them, signed with the registry's own secret."""
    secret = stage.r.house.settings.secret(f"hook_{registry}")
    assert secret is not None
    at = datetime.now(UTC)
    return {
        "Webhook-Id": key,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(key, at, body),
        "user-agent": "registry \udce9",
    }


def event(notice_id: str, kind: str, **data: Any) -> str:
    return json.dumps({"type": "notice.response", "data": {"notice_id": notice_id, "kind": kind, **data}})


async def post(stage: Stage, body: str, key: str = "msg_1", registry: str = "pir") -> str:
    stored = await inbound.receive_webhook(stage.ctx, registry, signed(stage, body, key, registry), body.encode())
    await stage.r.quiet()
    return stored


async def test_a_signed_answer_counts(hooked: Told) -> None:
    stage, case_id, notice_id = hooked
    await post(stage, event(notice_id, "declined", reason="declined_insufficient"))
    assert (await stage.case(case_id))["outcome"] == "declined_insufficient"
    entry = await stage.ctx.db.fetchrow("select actor, via from audit_entry where tag = 'answer.received'")
    assert entry is not None
    assert tuple(entry) == ("registry:pir", "webhook")


async def test_a_replay_changes_nothing(hooked: Told) -> None:
    stage, _, notice_id = hooked
    body = event(notice_id, "acknowledged")
    assert await post(stage, body) == await post(stage, body)
    await post(stage, body, "msg_2")
    assert (await stage.count("inbound"), await stage.count("response")) == (2, 1)


@pytest.mark.parametrize("break_it", ["body", "signature", "stamp", "missing", "other registry"])
async def test_an_unsigned_answer_is_not_even_kept(hooked: Told, break_it: str) -> None:
    stage, case_id, notice_id = hooked
    body = event(notice_id, "declined", reason="declined_nexus")
    headers, registry = signed(stage, body), "pir"
    match break_it:
        case "body":
            body = body.replace("declined_nexus", "declined_other")
        case "signature":
            headers["webhook-signature"] = "v1,AAAA"
        case "stamp":
            headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) - 600)
        case "missing":
            headers = {}
        case "other registry":
            registry = "verisign"
    with pytest.raises(Unauthenticated):
        await inbound.receive_webhook(stage.ctx, registry, headers, body.encode())
    assert (await stage.count("inbound"), await stage.state(case_id)) == (0, "notified")


async def test_a_registry_cannot_answer_for_another(told: Told) -> None:
    stage, case_id, notice_id = told
    await post(stage, event(notice_id, "declined", reason="declined_nexus"))
    assert (await stage.count("response"), await stage.state(case_id)) == (0, "notified")
    assert await stage.task_kinds() == ["unmatched_mail"]


async def test_what_it_quotes_does_not_change_how_it_is_read(hooked: Told) -> None:
    """A comment may hold our reply address, and look like a mail to a channel that reads mail."""
    stage, case_id, notice_id = hooked
    address = stage.reply_to(await stage.notice(case_id))
    await post(stage, event(notice_id, "declined", reason="declined_nexus", comment=f"To: {address}\n\nACK\n"))
    assert ((await stage.case(case_id))["outcome"], await stage.tasks()) == ("declined_nexus", [])


async def test_text_that_the_database_cannot_hold_loses_no_answer(hooked: Told) -> None:
    stage, case_id, notice_id = hooked
    await post(stage, event(notice_id, "declined", reason="declined_nexus", comment="a\x00b \ud800"))
    assert (await stage.case(case_id))["outcome"] == "declined_nexus"


@pytest.mark.parametrize("body", ["{}", "[]", '{"type": "ping"}', '{"type": "notice.response", "data": {}}', "x" * 100])
async def test_what_nobody_understands_is_a_persons_task(hooked: Told, body: str) -> None:
    stage, case_id, _ = hooked
    await post(stage, body)
    assert (await stage.task_kinds(), await stage.state(case_id)) == (["unmatched_mail"], "notified")


async def test_an_answer_outside_the_contract_is_read_by_a_person(hooked: Told) -> None:
    stage, case_id, notice_id = hooked
    await post(stage, event(notice_id, "declined", reason="because"))
    assert (await stage.task_kinds(), await stage.state(case_id)) == (["confirm_answer"], "notified")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_time_that_cannot_be_is_read_by_a_person(hooked: Told, at: str) -> None:
    stage, _, notice_id = hooked
    await post(stage, event(notice_id, "action_taken", measure="hold", effective_at=at))
    assert (await stage.task_kinds(), await stage.count("claim")) == (["confirm_answer"], 0)


# --- by mail ------------------------------------------------------------------------------------------------------


def letter(to: str, text: str, **headers: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "desk@verisign.sandbox.test", to, "Re: your notice"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


async def test_what_a_person_wrote_waits_for_a_person(told: Told) -> None:
    stage, case_id, notice_id = told
    to = stage.reply_to(await stage.notice(case_id))
    await stage.mail(to, letter(to, "DECLINED(declined_nexus)\n"))
    assert (await stage.count("response"), await stage.state(case_id)) == (0, "notified")
    (task,) = await stage.tasks()
    assert (task["kind"], str(task["notice_id"])) == ("confirm_answer", notice_id)
    with pytest.raises(Invalid):
        await tasks.resolve(stage.ctx, RITA, str(task["id"]), "confirmed")
    answer = Answer("declined", reason="declined_nexus")
    await tasks.resolve(stage.ctx, RITA, str(task["id"]), "confirmed", "called back", answer)
    case = await stage.case(case_id)
    assert (case["outcome"], await stage.tasks()) == ("declined_nexus", [])
    assert await stage.ctx.db.fetchval("select principal from response") == RITA.id


async def test_what_was_not_confirmed_changes_nothing(told: Told) -> None:
    stage, case_id, _ = told
    to = stage.reply_to(await stage.notice(case_id))
    await stage.mail(to, letter(to, "ACTION(hold)\n"))
    await tasks.resolve(stage.ctx, RITA, str((await stage.tasks())[0]["id"]), "not_confirmed", "nobody there knew")
    assert (await stage.count("response"), await stage.count("claim"), await stage.state(case_id)) == (0, 0, "notified")


async def test_a_second_letter_is_a_task_of_its_own(told: Told) -> None:
    stage, case_id, _ = told
    to = stage.reply_to(await stage.notice(case_id))
    await stage.mail(to, letter(to, "thank you, we look into it\n"))
    await stage.mail(to, letter(to, "ACTION(hold)\n"))
    assert await stage.task_kinds() == ["confirm_answer"] * 2
    assert {t["inbound_id"] for t in await stage.tasks()} == {
        r["id"] for r in await stage.ctx.db.fetch("select id from inbound")
    }


async def test_an_automatic_reply_changes_nothing(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "auto_reply_then_obey"
    case_id = await stage.notified()
    before = await stage.case(case_id)
    await stage.pass_time(minutes=5)
    assert (await stage.case(case_id), await stage.tasks()) == (before, [])
    assert [r["class"] for r in await stage.ctx.db.fetch("select class from inbound")] == ["auto_reply"]
    await stage.pass_time(days=1)
    assert (await stage.case(case_id))["outcome"] == "registry_hold"


async def test_a_delivery_failure_is_a_bounce(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "dsn_bounce"
    case_id = await stage.notified()
    assert (await stage.notice(case_id))["state"] == "sent"
    await stage.pass_time(minutes=5)
    case = await stage.case(case_id)
    assert ((await stage.notice(case_id))["state"], case["state"]) == ("bounced", "in_review")
    assert (await stage.task_kinds(), case["review_reason"]) == (["no_contact"], "undeliverable")


def bounce_of(r: Rehearsal, sent: Any) -> bytes:
    return dsn(sent.ask, "notices@verisign.sandbox.test", sent.at)


async def test_a_failure_told_twice_is_one_bounce(told: Told) -> None:
    stage, case_id, _ = told
    to, body = stage.reply_to(await stage.notice(case_id)), bounce_of(stage.r, stage.received()[0])
    await stage.mail(to, body, "")
    await stage.mail(to, body, "")
    await stage.mail(to, body.replace(b"Date:", b"X-Again: yes\r\nDate:", 1), "")
    assert (await stage.count("inbound"), await stage.task_kinds()) == (2, ["no_contact"])
    assert (await stage.tags(case_id)).count("notice.undeliverable") == 1


async def test_a_failure_told_before_the_acceptance_is_a_bounce(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    stage.r.sandbox.smtp.after_acceptance.stall(1)
    await stage.r.clock.advance(await stage.r.clock.now() + timedelta(minutes=30))
    async with asyncio.timeout(20):
        await stage.r.sandbox.inbox.until(lambda inbox: len(inbox.received) == 1)
    notice = await stage.notice(case_id)
    await inbound.receive_mail(stage.ctx, stage.reply_to(notice), {}, bounce_of(stage.r, stage.received()[0]))

    async def told() -> bool:
        return bool((await stage.notice(case_id))["state"] != "sending")

    await until(told)
    stage.r.sandbox.smtp.after_acceptance.release()
    await stage.r.quiet()
    assert ((await stage.notice(case_id))["state"], await stage.state(case_id)) == ("bounced", "in_review")
    assert await stage.task_kinds() == ["no_contact"]


async def test_a_failure_of_what_never_left_moves_nothing(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    notice = await stage.notice(case_id)
    await review.cancel(stage.ctx, RITA, case_id, "wrong name?")
    forged = letter(
        stage.reply_to(notice), "Your mail could not be delivered: no such user", Auto_Submitted="auto-replied"
    )
    forged = forged.replace(b"desk@verisign.sandbox.test", b"MAILER-DAEMON@verisign.sandbox.test", 1)
    await stage.mail(stage.reply_to(notice), forged, "")
    assert (await stage.notice(case_id))["state"] == "cancelled"
    assert (await stage.state(case_id), await stage.tasks()) == ("in_review", [])
    assert [r["class"] for r in await stage.ctx.db.fetch("select class from inbound")] == ["bounce"]


async def test_a_mail_that_no_notice_answers_to_is_a_persons_task(told: Told) -> None:
    stage, case_id, _ = told
    settings = stage.r.house.settings
    for token in ("abcdefghijklmnopqrstuvwxyz", ""):
        to = f"{settings.identity.reply_mailbox}{'+' + token if token else ''}@{settings.reply_domain}"
        await stage.mail(to, letter(to, f"hello {token}"))
    assert await stage.task_kinds() == ["unmatched_mail", "unmatched_mail"]
    assert await stage.state(case_id) == "notified"


async def test_we_are_no_relay(told: Told) -> None:
    stage, _, _ = told
    for to in ("somebody@example.org", f"sales@{stage.r.house.settings.reply_domain}"):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await stage.mail(to, letter(to, "hello"))
    assert await stage.count("inbound") == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00", b"\xff" * 200, b"Content-Type: multipart/mixed\r\n\r\n--\r\n", b"From: \xed\xa0\x80\r\n\r\nx\x00"],
)
async def test_a_mail_of_any_bytes_is_kept(told: Told, body: bytes) -> None:
    stage, case_id, _ = told
    to = stage.reply_to(await stage.notice(case_id))
    await inbound.receive_mail(stage.ctx, to, {"return-path": "<x\udcff\x00@y>", "delivered-to": to}, body)
    await stage.r.quiet()
    assert (await stage.count("inbound where read_at is not null"), await stage.state(case_id)) == (1, "notified")


async def test_a_reply_token_stands_in_no_log(told: Told) -> None:
    stage, case_id, _ = told
    notice = await stage.notice(case_id)
    to = stage.reply_to(notice)
    await stage.mail(to, letter(to, "hello"))
    assert await stage.count("audit_entry where body like $1", f"%{notice['reply_token']}%") == 0


@pytest.mark.parametrize("why", ["no token", "answered already"])
async def test_an_unsigned_failure_report_that_could_be_forged_waits_for_a_person(told: Told, why: str) -> None:
    stage, case_id, _ = told
    notice = await stage.notice(case_id)
    body, to = bounce_of(stage.r, stage.received()[0]), stage.reply_to(notice)
    if why == "no token":
        token = notice["reply_token"]
        body, to = body.replace(token.encode(), b"x" * len(token)), to.replace(token, "a" * len(token))
    else:
        await responses.respond(stage.ctx, VERISIGN, str(notice["id"]), Answer("acknowledged"))
    await inbound.receive_mail(stage.ctx, to, {}, body)
    await stage.r.quiet()
    assert ((await stage.notice(case_id))["state"], await stage.state(case_id)) == ("sent", "notified")
    assert set(await stage.task_kinds()) & {"confirm_answer", "unmatched_mail"}


# --- what is written back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written", [MAIL, MAIL.upper(), f"{MAIL}.", f"http://{MAIL}/", f"hxxp://{MAIL.replace('.', '[.]')}"]
)
async def test_the_name_may_be_written_back_in_any_spelling(told: Told, written: str) -> None:
    stage, _, notice_id = told
    done = await respond(stage.ctx, VERISIGN, notice_id, Answer("action_taken", Measure.HOLD, domain=written))
    assert done.claim_id is not None
    assert await stage.alarms() == []


@pytest.mark.parametrize(
    "written", ["cheap-pharrna.com", "sub.cheap-pharma.com", "com", "", "cheap-pharma.org", "\u0440ay.com"]
)
@pytest.mark.parametrize("kind", ["action_taken", "acknowledged", "declined"])
async def test_another_name_alarms_at_once_and_moves_nothing(told: Told, written: str, kind: str) -> None:
    stage, case_id, notice_id = told
    before = await stage.case(case_id)
    answer = Answer(
        kind,
        Measure.HOLD if kind == "action_taken" else None,
        reason="declined_nexus" if kind == "declined" else None,
        domain=written,
    )
    done = await respond(stage.ctx, VERISIGN, notice_id, answer)
    assert (done.claim_id, await stage.alarms(), await stage.task_kinds()) == (None, ["wrong_name"], ["confirm_answer"])
    assert await stage.case(case_id) == before
    assert (await stage.notice(case_id))["response"] == "none"
    (task,) = await stage.tasks()
    assert MAIL in task["detail"]
    again = await respond(stage.ctx, VERISIGN, notice_id, answer)
    assert (again.repeated, await stage.count("task")) == (True, 1)


@pytest.mark.parametrize("did", [m for m in Measure if m is not Measure.HOLD])
async def test_another_measure_alarms_before_anything_is_seen(told: Told, did: Measure) -> None:
    stage, case_id, notice_id = told
    done = await respond(stage.ctx, VERISIGN, notice_id, Answer("action_taken", did))
    alarm = await stage.ctx.db.fetchrow("select * from alarm")
    assert alarm is not None
    assert (alarm["kind"], str(alarm["claim_id"]), str(alarm["case_id"])) == ("other_measure", done.claim_id, case_id)
    assert alarm["detail"] == f"hold was asked for {MAIL}, and the recipient says that it did {did}"
    assert "alarm.raised" in await stage.tags(case_id)
