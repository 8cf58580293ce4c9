"""What a mail may move: nothing by a machine, at most an acknowledgement by a person whom our own server vouches for."""

from collections.abc import AsyncIterator
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest

from notifier import rehearsal
from notifier.domain.answer import Answer
from notifier.errors import Invalid
from notifier.services import inbound, mail_reading, tasks
from notifier.services.responses import respond
from tests.services.conftest import Opens
from tests.services.stages import MAIL, RITA, VERISIGN, Stage

OUR_ID = "mx.notifier.example"
DESK = "desk@verisign.sandbox.test"
RECIPIENT = "notices@verisign.sandbox.test"
BARE = "notices@replies.notifier.example"
Told = tuple[Stage, str, dict[str, Any]]


@pytest.fixture(params=[None])
async def told(
    request: pytest.FixtureRequest, open_stage: Opens, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Told]:
    """A registry told by mail that says nothing of itself; the parameter is our server's name, or None."""
    settings_of = rehearsal._settings
    monkeypatch.setattr(rehearsal, "_settings", lambda *a: replace(settings_of(*a), authserv_id=request.param))
    async with open_stage() as stage:
        stage.r.sandbox.desk.party_behaviours |= {"verisign": "silent", "pir": "silent"}
        case_id = await stage.notified()
        yield stage, case_id, await stage.notice(case_id)


vouching = pytest.mark.parametrize("told", [OUR_ID], indirect=True)


def letter(to: str, text: str = "We look into it.", sender: str = DESK, **fields: str) -> bytes:
    message = EmailMessage()
    named = {"From": sender, "To": to, "Subject": "Re: your notice"}
    named |= {name.replace("_", "-"): value for name, value in fields.items()}
    for name, value in named.items():
        message[name] = value
    message.set_content(text)
    return message.as_bytes()


def vouched(domain: str = "verisign.sandbox.test", result: str = "pass") -> dict[str, str]:
    return {"Authentication_Results": f"{OUR_ID}; dmarc={result} header.from={domain}"}


async def take(stage: Stage, body: bytes, to: str = BARE, sender: str = DESK, **more: Any) -> dict[str, Any]:
    """A mail arrives, and is read; its row."""
    lines = {"return-path": f"<{sender}>", "delivered-to": to}
    inbound_id = await inbound.receive_mail(stage.ctx, to, lines, body, **more)
    await stage.r.quiet()
    row = await stage.ctx.db.fetchrow("select * from inbound where id = $1", inbound_id)
    assert row is not None
    assert row["body"] == body, "the original is kept"
    return dict(row)


async def answers(stage: Stage) -> list[str]:
    return [r["kind"] for r in await stage.ctx.db.fetch("select kind from response")]


# --- which notice -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["envelope", "to", "thread", "text", "quoted message-id", "subject"])
async def test_a_token_or_our_message_id_ties_a_mail(told: Told, where: str) -> None:
    stage, _, notice = told
    plus, key = stage.reply_to(notice), f"<{notice['send_key']}@replies.notifier.example>"
    body, to, by = {
        "envelope": (letter(BARE), plus, "token in envelope"),
        "to": (letter(f"Desk <{plus}>"), BARE, "token in addressed"),
        "thread": (letter(BARE, In_Reply_To=key), BARE, "key in thread"),
        "text": (letter(BARE, f"> Reply-To: {plus}\nWe do."), BARE, "token in text"),
        "quoted message-id": (letter(BARE, f"> Message-ID: {key}\nWe do."), BARE, "key in text"),
        "subject": (letter(BARE, Subject=f"Re: x [ref:{notice['reply_token']}]"), BARE, "token in subject"),
    }[where]
    row = await take(stage, body, to)
    assert (row["fate"], row["class"], row["notice_id"], row["matched_by"]) == ("linked", "human", notice["id"], by)
    assert (await stage.task_kinds(), await answers(stage)) == (["confirm_answer"], [])


@pytest.mark.parametrize("clue", ["case reference", "notice id", "sender and name"])
async def test_what_anybody_may_know_only_proposes(told: Told, clue: str) -> None:
    stage, case_id, notice = told
    reference = (await stage.case(case_id))["reference"]
    body = {
        "case reference": letter(BARE, Subject=f"your case {reference}"),
        "notice id": letter(BARE, f"about {notice['id']}: done"),
        "sender and name": letter(BARE, f"We looked at {MAIL}.", RECIPIENT),
    }[clue]
    row = await take(stage, body)
    assert (row["fate"], row["class"], row["notice_id"], row["proposed"]) == (
        "unmatched",
        "unmatched",
        None,
        notice["id"],
    )
    (task,) = await stage.tasks()
    assert (task["kind"], str(notice["id"]) in task["detail"]) == ("unmatched_mail", True)
    assert await stage.state(case_id) == "notified"


async def test_a_person_ties_what_was_only_proposed(told: Told) -> None:
    stage, case_id, notice = told
    row = await take(stage, letter(BARE, f"about {notice['id']}: done"))
    task = str((await stage.tasks())[0]["id"])
    for wrong in (None, "x", "00000000-0000-7000-8000-000000000000"):
        with pytest.raises(Invalid):
            await tasks.resolve(stage.ctx, RITA, task, "tied", notice_id=wrong)
    await tasks.resolve(stage.ctx, RITA, task, "tied", "it is theirs", notice_id=str(notice["id"]))
    (confirm,) = await stage.tasks()
    assert (confirm["kind"], confirm["notice_id"], confirm["inbound_id"]) == ("confirm_answer", notice["id"], row["id"])
    tied = await stage.ctx.db.fetchrow("select fate, notice_id, matched_by from inbound")
    assert tied is not None
    assert tuple(tied) == ("linked", notice["id"], "person")
    assert (await answers(stage), await stage.state(case_id)) == ([], "notified")
    said = Answer("declined", reason="declined_nexus")
    await tasks.resolve(stage.ctx, RITA, str(confirm["id"]), "confirmed", "called back", said)
    assert (await stage.case(case_id))["outcome"] == "declined_nexus"


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        (f"We looked at {MAIL}.", "somebody@elsewhere.example"),
        ("We looked at it.", RECIPIENT),
        (f"We looked at not-{MAIL}.", RECIPIENT),
        (f"We looked at {MAIL}.evil.example", RECIPIENT),
    ],
)
async def test_nothing_is_proposed_without_both_sender_and_name(told: Told, text: str, sender: str) -> None:
    stage, _, _ = told
    row = await take(stage, letter(BARE, text, sender))
    assert (row["fate"], row["proposed"]) == ("unmatched", None)
    assert await stage.task_kinds() == ["unmatched_mail"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("we took pills.example down", True),
        ("pills.example.", True),
        ("(pills.example)", True),
        ("http://pills.example/x", True),
        ("pills.example.com", False),
        ("my-pills.example", False),
        ("x.pills.example", False),
        ("pills.examples", False),
        ("x.pills.example pills.example", True),
        ("", False),
    ],
)
def test_a_name_is_named_exactly(text: str, named: bool) -> None:
    assert mail_reading.mentions(text, "pills.example") is named


async def test_an_unknown_token_gives_way_to_the_next_clue(told: Told) -> None:
    stage, _, notice = told
    body = letter("notices+aaaaaaaaaaaaaaaaaaaa@replies.notifier.example", f"> {stage.reply_to(notice)}")
    row = await take(stage, body, "notices+bbbbbbbbbbbbbbbbbbbb@replies.notifier.example")
    assert (row["fate"], row["matched_by"]) == ("linked", "token in text")


# --- who wrote ----------------------------------------------------------------------------------------------------


# C-089: forwarded inside the registry, a colleague answers; and spoofed or foreign senders.
@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        (DESK, "human"),
        ("colleague@verisign.sandbox.test", "human"),
        ("somebody@elsewhere.example", "third_party"),
        ("desk@verisign.sandbox.test.evil.example", "third_party"),
        ("desk@verisign.sandbox.test, somebody@elsewhere.example", "third_party"),
        ('"desk@verisign.sandbox.test" <somebody@elsewhere.example>', "third_party"),
    ],
)
async def test_whose_mail_it_is(told: Told, sender: str, expected: str) -> None:
    stage, case_id, notice = told
    row = await take(stage, letter(stage.reply_to(notice), "ACK", sender), stage.reply_to(notice))
    assert (row["fate"], row["class"]) == ("linked", expected)
    (task,) = await stage.tasks()
    assert (task["kind"], task["inbound_id"]) == ("confirm_answer", row["id"])
    assert ("is not at its recipient" in task["detail"]) == (expected == "third_party")
    assert (await answers(stage), await stage.state(case_id)) == ([], "notified")


# --- what a person may acknowledge --------------------------------------------------------------------------------


@vouching
async def test_a_vouched_person_acknowledges(told: Told) -> None:
    stage, case_id, notice = told
    row = await take(stage, letter(stage.reply_to(notice), "ACK", **vouched()), stage.reply_to(notice))
    assert (row["class"], await answers(stage), await stage.tasks()) == ("human", ["acknowledged"], [])
    case = await stage.case(case_id)
    assert (case["state"], case["response"], (await stage.notice(case_id))["response"]) == (
        "notified",
        "acknowledged",
        "acknowledged",
    )
    said = await stage.ctx.db.fetchrow("select principal, via, inbound_id from response")
    assert said is not None
    assert tuple(said) == (f"mail:{row['id']}", "mail", row["id"])


@vouching
@pytest.mark.parametrize(
    "text", ["DECLINED(declined_nexus)", "ACTION(hold)", "NEED_INFO", "We have suspended the name."]
)
async def test_anything_more_waits_for_a_person(told: Told, text: str) -> None:
    stage, case_id, notice = told
    await take(stage, letter(stage.reply_to(notice), text, **vouched()), stage.reply_to(notice))
    assert (await answers(stage), await stage.task_kinds()) == (["acknowledged"], ["confirm_answer"])
    assert (await stage.state(case_id), await stage.count("claim")) == ("notified", 0)


@vouching
@pytest.mark.parametrize(
    "why", ["no result", "failed", "another server's", "another domain's", "third party", "no token", "automatic"]
)
async def test_who_is_not_vouched_for_acknowledges_nothing(told: Told, why: str) -> None:
    stage, case_id, notice = told
    to = plus = stage.reply_to(notice)
    fields, sender = vouched(), DESK
    match why:
        case "no result":
            fields = {}
        case "failed":
            fields = vouched(result="fail")
        case "another server's":
            fields = {"Authentication_Results": vouched()["Authentication_Results"].replace(OUR_ID, "mx.evil.example")}
        case "another domain's":
            fields = vouched("elsewhere.example")
        case "third party":
            fields, sender = vouched("elsewhere.example"), "somebody@elsewhere.example"
        case "no token":  # our Message-ID ties it, and is in too many hands
            to, fields = BARE, fields | {"In_Reply_To": f"<{notice['send_key']}@replies.notifier.example>"}
        case "automatic":
            fields |= {"Auto_Submitted": "auto-replied"}
    row = await take(stage, letter(to, "ACK", sender, **fields), to)
    assert (row["fate"], plus != "") == ("linked", True)
    assert (await answers(stage), await stage.state(case_id)) == ([], "notified")
    assert await stage.task_kinds() == ([] if why == "automatic" else ["confirm_answer"])


async def test_without_the_setting_nothing_is_acknowledged(told: Told) -> None:
    stage, _, notice = told
    await take(stage, letter(stage.reply_to(notice), "ACK", **vouched()), stage.reply_to(notice))
    assert (await answers(stage), await stage.task_kinds()) == ([], ["confirm_answer"])


@vouching
async def test_an_acknowledgement_takes_nothing_back(told: Told) -> None:
    stage, case_id, notice = told
    await respond(stage.ctx, VERISIGN, str(notice["id"]), Answer("needs_info", comment="which pages?"))
    await take(stage, letter(stage.reply_to(notice), "ACK", **vouched()), stage.reply_to(notice))
    assert (await answers(stage), (await stage.notice(case_id))["response"]) == (["needs_info"], "needs_info")


# --- machines -----------------------------------------------------------------------------------------------------


def report(to: str, action: str) -> bytes:
    return f"""From: MAILER-DAEMON@mx.example
To: {to}
Subject: Delivery report
Auto-Submitted: auto-replied
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b

About your message.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {RECIPIENT}
Action: {action}
Status: 4.4.1
--b--
""".encode()


# C-077, C-082, C-094: what a machine says moves no case; a failure ends the notice alone.
@pytest.mark.parametrize(
    ("action", "expected", "notice_is", "case_is"),
    [
        ("failed", "bounce", "bounced", "in_review"),
        ("delayed", "delayed", "sent", "notified"),
        ("delivered", "receipt", "delivered", "notified"),
        ("relayed", "receipt", "sent", "notified"),
        ("expanded", "auto_reply", "sent", "notified"),
    ],
)
async def test_reports(told: Told, action: str, expected: str, notice_is: str, case_is: str) -> None:
    stage, case_id, notice = told
    before = await stage.case(case_id)
    row = await take(stage, report(stage.reply_to(notice), action), stage.reply_to(notice), "")
    assert (row["fate"], row["class"], row["notice_id"]) == ("linked", expected, notice["id"])
    assert ((await stage.notice(case_id))["state"], await stage.state(case_id)) == (notice_is, case_is)
    if case_is == "notified":
        assert (await stage.case(case_id), await stage.tasks(), await answers(stage)) == (before, [], [])


async def test_a_delivery_report_without_the_token_delivers_nothing(told: Told) -> None:
    stage, case_id, notice = told
    key = f"Message-ID: <{notice['send_key']}@replies.notifier.example>"
    body = report(BARE, "delivered").replace(
        b"--b--", f"--b\nContent-Type: text/rfc822-headers\n\n{key}\n--b--".encode()
    )
    row = await take(stage, body, sender="")
    assert (row["fate"], row["class"], (await stage.notice(case_id))["state"]) == ("linked", "receipt", "sent")


@pytest.mark.parametrize("fields", [{"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"X_Autoreply": "yes"}])
async def test_an_automatic_reply_leaves_the_case_alone(told: Told, fields: dict[str, str]) -> None:
    stage, case_id, notice = told
    before, left = await stage.case(case_id), len(stage.received())
    row = await take(stage, letter(stage.reply_to(notice), "ACK\nACTION(hold)", **fields), stage.reply_to(notice))
    assert row["class"] == "auto_reply"
    assert (await stage.case(case_id), await stage.tasks(), await answers(stage)) == (before, [], [])
    assert len(stage.received()) == left, "C-095: nothing is ever answered by itself"


async def test_a_challenge_needs_a_person(told: Told) -> None:
    stage, case_id, notice = told
    body = letter(stage.reply_to(notice), "Please confirm you are a human.", Auto_Submitted="auto-replied")
    await take(stage, body, stage.reply_to(notice))
    assert (await stage.task_kinds(), await stage.state(case_id)) == (["no_contact"], "notified")


# --- what is over a bound -----------------------------------------------------------------------------------------


async def test_what_is_over_a_bound_is_kept_apart(told: Told) -> None:
    stage, case_id, notice = told
    body = b"Content-Type: message/rfc822\n\n" * 5_000 + b"ACTION(hold)"
    row = await take(stage, body, stage.reply_to(notice))
    assert (row["fate"], row["class"], row["notice_id"]) == ("quarantined", "quarantined", None)
    assert "deeper than 20" in row["why"]
    (task,) = await stage.tasks()
    assert (task["kind"], task["inbound_id"]) == ("unmatched_mail", row["id"])
    assert (await answers(stage), await stage.state(case_id)) == ([], "notified")


async def test_a_beginning_is_kept_apart(told: Told) -> None:
    stage, _, notice = told
    to = stage.reply_to(notice)
    rows = [await take(stage, letter(to, "ACK"), to, whole_size=size) for size in (20_000_000, 30_000_000, 20_000_000)]
    assert [r["fate"] for r in rows] == ["quarantined"] * 3
    assert "20000000 bytes" in rows[0]["why"]
    assert rows[0]["id"] == rows[2]["id"] != rows[1]["id"], "another size is another message"
