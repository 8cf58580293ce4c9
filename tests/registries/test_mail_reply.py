"""What came back by mail. Shapes follow RFC 3464, RFC 3834, RFC 8098 and mail as real systems send it."""

from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.adapter import Inbound, Response
from notifier.domain.epp import Measure
from notifier.rendering import Renderer
from notifier.resources import folder
from registries import mail_message, mail_reply
from tests.registries.channels import IDENTITY
from tests.registries.sample_facts import TOKEN, T, facts

NOTICE = Renderer(folder("templates")).notice(facts())
SENT = mail_message.build(NOTICE, "notice.1", identity=IDENTITY, recipient="abuse@registry.example")
PLUS = f"notices+{TOKEN}@replies.notifier.example"
OURS = "<notice.1@replies.notifier.example>"


def mail(text: str = "Thank you.", **headers: str) -> bytes:
    """A reply to PLUS; header names are given with underscores; an empty value leaves a header out."""
    message = EmailMessage(policy=SMTP)
    named = {"From": "Desk <desk@registry.example>", "To": PLUS, "Subject": "Re: a notice"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    for name, value in named.items():
        if value:
            message[name] = value
    message.set_content(text)
    return message.as_bytes()


def read(body: bytes, *, authenticated: bool = False, **headers: str) -> Response | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return mail_reply.parse(Inbound("mail", named, body, T, authenticated), IDENTITY)


def must(response: Response | None) -> Response:
    assert response is not None
    return response


def report(*blocks: str, to: str = PLUS, original: str = f"Message-ID: {OURS}\n") -> bytes:
    """A delivery status notification with one block for each recipient."""
    per_recipient = "\n\n".join(blocks)
    return f"""From: Mail Delivery System <MAILER-DAEMON@mx.example>
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Something about your message.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

{per_recipient}

--b
Content-Type: text/rfc822-headers

{original}
--b--
""".encode()


def block(action: str, status: str = "5.1.1") -> str:
    return (
        f"Final-Recipient: rfc822; abuse@registry.example\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: smtp; 550 {status} no such user"
    )


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("failed", "bounce"),
        ("Failed (mailbox gone)", "bounce"),
        ("delayed", "delayed"),
        ("expanded", "auto_reply"),
        ("delivered", "receipt"),
        ("relayed", "receipt"),
    ],
)
def test_only_failed_is_a_bounce(action: str, kind: str) -> None:
    response = must(read(report(block(action))))
    assert response.kind == kind
    assert response.notice_token == TOKEN
    assert response.extra["action"] == action.split(" ")[0].lower()
    assert response.extra["status"] == "5.1.1"
    assert response.reason == "smtp; 550 5.1.1 no such user"


def test_one_failure_among_several_recipients_is_a_bounce() -> None:
    assert must(read(report(block("relayed"), block("failed"), block("delayed")))).kind == "bounce"


def test_a_report_without_action_is_no_bounce() -> None:
    assert must(read(report("Final-Recipient: rfc822; a@b.example"))).kind == "auto_reply"


def test_a_report_to_another_address_is_known_by_the_original_it_returns() -> None:
    response = must(read(report(block("failed"), to="desk@notifier.example")))
    assert response.kind == "bounce"
    assert response.notice_token is None
    assert response.extra["keys"] == ("notice.1",)
    whole = SENT.decode().split("\r\n\r\n")[0].replace("\r\n", "\n")
    response = must(read(report(block("failed"), to="desk@notifier.example", original=whole)))
    assert response.notice_token == TOKEN


def test_a_read_receipt_is_a_receipt() -> None:
    body = f"""From: desk@registry.example
To: {PLUS}
Subject: Read
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification; boundary="b"

--b
Content-Type: text/plain

Your message was displayed.
--b
Content-Type: message/disposition-notification

Disposition: manual-action/MDN-sent-manually; displayed
--b--
"""
    assert must(read(body.encode())).kind == "receipt"


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; owner-email=x"},
        {"Auto_Submitted": "AUTO-NOTIFIED"},
        {"X_Autoreply": "yes"},
        {"X_Autorespond": "on leave"},
        {"Precedence": "bulk"},
        {"Precedence": "auto_reply"},
        {"Precedence": "Junk"},
        {"Return_Path": "<>"},
    ],
)
def test_automatic_mail(headers: dict[str, str]) -> None:
    response = must(read(mail("I am out of office.\n\nACK", **headers), authenticated=True))
    assert response.kind == "auto_reply"
    assert response.notice_token == TOKEN


def test_a_null_return_path_may_come_from_the_delivery() -> None:
    assert must(read(mail(), return_path="<>")).kind == "auto_reply"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Auto_Response_Suppress": "All"},
        {"X_Auto_Response_Suppress": "DR, OOF, AutoReply", "Auto_Submitted": "no"},
        {"Precedence": "normal"},
        {"Return_Path": "<desk@registry.example>"},
    ],
)
def test_people_s_mail(headers: dict[str, str]) -> None:
    response = must(read(mail("We look at it.", **headers)))
    assert response.kind == "human"
    assert response.comment == "We look at it."


@pytest.mark.parametrize(
    ("subject", "ticket"),
    [
        ("[Ticket#2026112510001234] we have it", "2026112510001234"),
        ("Incident INC0012345 opened", "INC0012345"),
        ("Case ID: 99821", "99821"),
    ],
)
def test_a_ticket_s_acknowledgement_is_a_receipt_not_an_answer(subject: str, ticket: str) -> None:
    response = must(read(mail(Subject=subject, Auto_Submitted="auto-replied")))
    assert (response.kind, response.extra["ticket"]) == ("receipt", ticket)


def test_our_own_subject_is_no_ticket() -> None:
    response = must(read(mail(Subject=f"Automatic reply: {NOTICE.subject}", Auto_Submitted="auto-replied")))
    assert response.kind == "auto_reply"
    assert "ticket" not in response.extra


@pytest.mark.parametrize("sender", ["MAILER-DAEMON@mx.example", "Mail <postmaster@mx.example>"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("User unknown", "bounce"),
        ("Mailbox full -- Quota exceeded", "bounce"),
        ("Your message could not be delivered.", "bounce"),
        ("Delivery delayed. It will be retried for 5 days. Could not be delivered yet.", "delayed"),
    ],
)
def test_plain_words_from_a_mail_system(sender: str, text: str, kind: str) -> None:
    assert must(read(mail(text, From=sender, Subject="about your mail"))).kind == kind


def test_the_same_words_from_a_person_are_a_person_s() -> None:
    assert must(read(mail("The user unknown to us is not our customer. No such mailbox."))).kind == "human"


# ---- whose mail it is


@pytest.mark.parametrize(
    "headers",
    [
        {"To": PLUS.upper()},
        {"To": f'"Notices" <{PLUS}>, other@x.example'},
        {"To": "desk@notifier.example", "Delivered_To": PLUS},
        {"To": "desk@notifier.example", "Cc": PLUS},
        {"To": "desk@notifier.example", "Subject": f"Re: {NOTICE.subject}"},
        {"To": "desk@notifier.example", "Subject": f"AW: [REF:{TOKEN.upper()}] x"},
    ],
)
def test_the_token_is_found(headers: dict[str, str]) -> None:
    assert must(read(mail(**headers))).notice_token == TOKEN


def test_the_delivery_may_tell_the_token() -> None:
    assert must(read(mail(To="desk@notifier.example"), delivered_to=PLUS)).notice_token == TOKEN


def test_threading_headers_name_our_message() -> None:
    headers = {"To": "desk@notifier.example", "References": f"<x@y.example> {OURS}"}
    response = must(read(mail(**headers)))
    assert response.extra["keys"] == ("notice.1",)


def test_a_key_that_was_sent_is_the_key_that_comes_back() -> None:
    for key in ("plain-key_1.2", "odd key \r\n", "k" * 300):
        sent = mail_message.message_id(key, IDENTITY)
        assert must(read(mail(In_Reply_To=sent))).extra["keys"] == (mail_message.key_id(key),)


@pytest.mark.parametrize(
    "headers",
    [
        {"To": "desk@notifier.example"},
        {"To": f"notices+{TOKEN}@replies.notifier.example.evil.example"},
        {"To": f"x-notices+{TOKEN}@replies.notifier.example"},
        {"To": f"notices+{TOKEN}@repliesxnotifier.example"},
        {"To": "desk@notifier.example", "References": "<notice.1@repliesxnotifier.example>"},
    ],
)
def test_mail_that_names_no_notice_of_ours_is_left_unmatched(headers: dict[str, str]) -> None:
    assert read(mail("About pills-now.example", **headers)) is None


# ---- what a person says


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ACK", {"kind": "acknowledged"}),
        ("NEED_INFO", {"kind": "needs_info"}),
        ("DECLINED(no nexus)", {"kind": "declined", "reason": "no nexus"}),
        ("DECLINED", {"kind": "declined", "reason": None}),
        ("ACTION(hold, 2026-11-25 15:00 UTC)", {"kind": "action_taken", "measure": Measure.HOLD}),
        ("  ACTION ( Lock ) ", {"kind": "action_taken", "measure": Measure.LOCK}),
        ("ACTION(froze it)", {"kind": "action_taken", "measure": None}),
        ("REFERRED_REGISTRAR", {"kind": "acknowledged", "actor": "registrar"}),
    ],
)
def test_an_authenticated_answer_in_one_line(line: str, expected: dict[str, Any]) -> None:
    text = f"Hello,\n{line}\nBest\n> ACK\n> DECLINED(quoted)"
    response = must(read(mail(text), authenticated=True))
    for name, value in expected.items():
        assert getattr(response, name) == value
    unproven = must(read(mail(text)))
    assert unproven.kind == "human"
    assert unproven.extra["answer"] == expected["kind"]


def test_the_time_of_an_action_is_utc_unless_it_says_otherwise() -> None:
    for said in ("2026-11-25 15:00 UTC", "2026-11-25T15:00", "2026-11-25T16:00:00+01:00"):
        response = must(read(mail(f"ACTION(hold, {said})"), authenticated=True))
        assert response.effective_at is not None
        assert response.effective_at.isoformat() in ("2026-11-25T15:00:00+00:00", "2026-11-25T16:00:00+01:00")
    assert must(read(mail("ACTION(hold, this morning)"), authenticated=True)).effective_at is None


@pytest.mark.parametrize("text", ["ACK\nDECLINED(x)", "I will ACK this later", "> ACK", "ack"])
def test_words_that_are_no_answer(text: str) -> None:
    response = must(read(mail(text), authenticated=True))
    assert response.kind == "human"
    assert "answer" not in response.extra


def test_our_notice_quoted_without_marks_is_no_answer() -> None:
    response = must(read(mail("See below.\n\n-----Original Message-----\n" + NOTICE.text), authenticated=True))
    assert response.kind == "human"
    assert "answer" not in response.extra


# ---- odd mail


@pytest.mark.parametrize("charset", ["ks_c_5601-1987", "unicode", "x-unknown", "utf-7", "iso-8859-1"])
def test_any_charset_label_is_survived(charset: str) -> None:
    body = (
        f"From: desk@registry.example\nTo: {PLUS}\nSubject: =?{charset}?Q?=C3=BC?=\nMIME-Version: 1.0\n"
        f'Content-Type: text/plain; charset="{charset}"\n\nHello \xfc\n'
    ).encode("latin-1")
    response = must(read(body))
    assert response.kind == "human"
    assert response.comment.startswith("Hello ")


def test_a_subject_split_inside_a_character() -> None:
    # "ü" is C3 BC in UTF-8; the token follows in the second encoded word.
    subject = f"=?utf-8?Q?Gr=C3?=\n =?utf-8?Q?=BC=C3=9Fe_[ref:{TOKEN}]?="
    body = f"From: d@registry.example\nTo: desk@notifier.example\nSubject: {subject}\n\nx\n".encode()
    assert must(read(body)).notice_token == TOKEN


def test_control_characters_do_not_reach_the_comment() -> None:
    body = f"From: d@registry.example\nTo: {PLUS}\n\nHello\x1b[31m\x00\u202e\n".encode()
    assert must(read(body)).comment == "Hello[31m[U+202E]"


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(noise: bytes) -> None:
    read(noise)
    read(f"To: {PLUS}\n".encode() + noise)
    read(mail()[:-20] + noise)
    read(report(block("failed")) + noise)


@given(st.integers(min_value=0, max_value=len(report(block("failed"))) - 1), st.binary(min_size=1, max_size=4))
def test_a_damaged_report_is_survived(at: int, noise: bytes) -> None:
    whole = report(block("failed"))
    read(whole[:at] + noise + whole[at + len(noise) :])
