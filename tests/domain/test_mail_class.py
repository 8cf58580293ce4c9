"""What a mail is, by the cases that broke others (cases.md E) and by the standards that each sign comes from."""

import pytest

from notifier.domain import mail_class, mime
from notifier.domain.mail_class import CHALLENGE, SIGNS, MailClass
from notifier.domain.mail_match import Ours

OURS = Ours("notices", "replies.notifier.example")
PLUS = "notices+abcdefghij0123456789@replies.notifier.example"
SUBJECT = "Suspension of pills.example: request [ref:abcdefghij0123456789]"


def mail(*fields: str, text: str = "Thank you.", sender: str = "Desk <desk@registry.example>") -> mime.Mail:
    """A mail to our reply address; a Subject of `fields` stands before the usual one."""
    lines = [*fields, f"From: {sender}", f"To: {PLUS}"]
    if not any(f.lower().startswith("subject:") for f in fields):
        lines.append(f"Subject: Re: {SUBJECT}")
    return mime.read("\r\n".join([*lines, "", text]).encode())


def kind(*fields: str, text: str = "Thank you.", sender: str = "Desk <desk@registry.example>") -> str:
    return mail_class.classify(
        mail(*fields, text=text, sender=sender), OURS, frozenset({"notices@notifier.example"})
    ).kind


def report(report_type: str, second: str) -> mime.Mail:
    body = f"--b\n\nHuman words.\n--b\n{second}\n--b--\n"
    return mail(
        "MIME-Version: 1.0", f'Content-Type: multipart/report; report-type={report_type}; boundary="b"', text=body
    )


def dsn(action: str) -> mime.Mail:
    block = (
        f"Final-Recipient: rfc822; a@registry.example\nAction: {action}\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 full"
    )
    return report(
        "delivery-status", f"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n{block}\n"
    )


# C-077: out of office as Exchange, Gmail, Outlook, vacation(1) and ticket systems send it.
AUTOMATIC = {
    "Exchange": [
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        f"Subject: Automatic reply: {SUBJECT}",
    ],
    "Gmail": [
        "Auto-Submitted: auto-replied",
        "Precedence: bulk",
        "X-Autoreply: yes",
        f"Subject: Out of Office Re: {SUBJECT}",
    ],
    "vacation(1)": ["Precedence: bulk", "Subject: away from my mail"],
    "Sieve": ["Auto-Submitted: auto-replied (vacation)", f"Subject: Auto: {SUBJECT}"],
    "null return path": ["Return-Path: <>"],
    "qmail autoresponder": ["Precedence: junk", "Delivered-To: Autoresponder"],
    "X-Autorespond": ["X-Autorespond: on leave"],
    "Exchange, German": ["Subject: Automatische Antwort: Abuse"],
    "Outlook, German": ["Subject: Abwesenheitsnotiz: Abuse"],
    "French": ["Subject: =?utf-8?Q?R=C3=A9ponse_automatique_:_Abuse?="],
    "Chinese": ["Subject: =?utf-8?B?6Ieq5Yqo5Zue5aSNOiBhYnVzZQ==?="],
    "no marks but the subject": ["Subject: Out of Office: Abuse"],
}


@pytest.mark.parametrize("fields", AUTOMATIC.values(), ids=AUTOMATIC)
def test_automatic_replies(fields: list[str]) -> None:
    assert kind(*fields, text="I am away until Monday.") == "auto_reply"


# C-079 and its like: what looks automatic and is a person's.
HUMAN = {
    "plain": [],
    "X-Auto-Response-Suppress": ["X-Auto-Response-Suppress: All"],
    "with Auto-Submitted no": ["X-Auto-Response-Suppress: DR, OOF, AutoReply", "Auto-Submitted: no"],
    "a comment in Auto-Submitted": ["Auto-Submitted: no (a person)"],
    "a list": ["Precedence: list", "List-Id: <abuse.registry.example>"],
    "an answer to an automatic reply": [f"Subject: Re: Automatic reply: {SUBJECT}"],
    "a person in a ticket system": ["X-RT-Ticket: registry #1234", f"Subject: [registry #1234] Re: {SUBJECT}"],
    "a ticket's number": [f"Subject: [Ticket#20261125] Re: {SUBJECT}"],
    "a case": [f"Subject: RE: case 12345 {SUBJECT}"],
}


@pytest.mark.parametrize("fields", HUMAN.values(), ids=HUMAN)
def test_people_s_mail(fields: list[str]) -> None:
    assert kind(*fields, text="The name was suspended.") == "human"


@pytest.mark.parametrize(
    "text",
    [
        "User unknown is what your mail said; delivery failed. We will not act.",
        "Our customer's mailbox is full, please wait.",
        "Please confirm your message in writing.",
    ],
)
def test_a_person_may_use_a_machine_s_words(text: str) -> None:
    assert kind(text=text) == "human"


# C-080: bounces without structure, texts of alaveteli#3252.
@pytest.mark.parametrize("sender", ["MAILER-DAEMON@mx.example", "Mail Delivery <postmaster@mx.example>"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mailbox full -- Quota exceeded", "bounce"),
        ("User unknown", "bounce"),
        ("550 5.1.1 <abuse@registry.example>: no such user here", "bounce"),
        ("Delivery is delayed, and will be retried. Could not be delivered yet: undeliverable for now.", "delayed"),
    ],
)
def test_bounces_in_plain_words(sender: str, text: str, expected: str) -> None:
    assert (
        kind("Subject: Returned mail" if expected == "bounce" else "Subject: hello", text=text, sender=sender)
        == expected
    )


def test_a_postmaster_may_be_a_person() -> None:
    assert kind(text="We look into it.", sender="postmaster@registry.example") == "human"
    assert kind("Return-Path: <>", text="We look into it.", sender="postmaster@registry.example") == "auto_reply"
    assert kind(text="Welcome.", sender="MAILER-DAEMON@registry.example") == "auto_reply"


def test_an_old_format_is_known_by_flufl_bounce() -> None:
    """qmail writes no word of failure that we know by itself in this one, and says who it was."""
    text = (
        "Hi. This is the qmail-send program at mx.example.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n<abuse@registry.example>:\nSorry.\n"
    )
    assert kind("Subject: notice", "Return-Path: <>", text=text, sender="daemon@mx.example") == "bounce"


# C-082: five reports, one for each action.
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("failed", "bounce"),
        ("delayed", "delayed"),
        ("delivered", "receipt"),
        ("relayed", "receipt"),
        ("expanded", "auto_reply"),
        ("exploded", "auto_reply"),
    ],
)
def test_delivery_reports(action: str, expected: str) -> None:
    classed = mail_class.classify(dsn(action), OURS)
    assert classed.kind == expected
    if action != "exploded":
        assert classed.delivery is not None
        assert (classed.delivery.action, classed.delivery.status, classed.why) == (action, "5.2.2", "smtp; 552 full")


def test_other_reports() -> None:
    read = report(
        "disposition-notification", "Content-Type: message/disposition-notification\n\nDisposition: x; displayed\n"
    )
    assert mail_class.classify(read, OURS).kind is MailClass.RECEIPT
    spam = report("feedback-report", "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n")
    classed = mail_class.classify(spam, OURS)
    assert (classed.kind, "RFC 5965" in next(s.source for s in SIGNS if s.reason == classed.reason)) == (
        "auto_reply",
        True,
    )
    assert mail_class.classify(report("tlsrpt", "\n{}"), OURS).kind is MailClass.AUTO_REPLY


@pytest.mark.parametrize(
    ("fields", "ticket"),
    [
        (["Auto-Submitted: auto-replied", "Subject: [Ticket#2026112510001234] we have it"], "2026112510001234"),
        (["Auto-Submitted: auto-generated", f"Subject: Incident INC0012345 opened {SUBJECT}"], "INC0012345"),
        (["Subject: [Request received] Ticket 48213"], "48213"),
        (["Subject: Thank you for your report (case 99821)"], "99821"),
    ],
)
def test_ticket_receipts(fields: list[str], ticket: str) -> None:
    classed = mail_class.classify(mail(*fields, text="A ticket was opened."), OURS)
    assert (classed.kind, classed.ticket) == ("receipt", ticket)


def test_our_own_marks_are_no_ticket() -> None:
    classed = mail_class.classify(
        mail("Auto-Submitted: auto-replied", f"Subject: Re: case TN-2026-000123 {SUBJECT}"), OURS
    )
    assert (classed.kind, classed.ticket) == ("auto_reply", None)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (["X-TMDA-Fingerprint: abc"], "x"),
        (["Auto-Submitted: auto-replied"], "Please confirm that you are a human; click the link."),
        (["Precedence: bulk"], "Your message is being held until you confirm it."),
    ],
)
def test_challenges(fields: list[str], text: str) -> None:
    classed = mail_class.classify(mail(*fields, text=text), OURS)
    assert (classed.kind, classed.reason) == ("auto_reply", CHALLENGE)


# C-091: our own notice, sent back by a gateway that rewrote From.
@pytest.mark.parametrize(
    ("fields", "sender", "expected"),
    [
        (["Message-ID: <tn-1@replies.notifier.example>"], "gateway@registry.example", "auto_reply"),
        ([], "notices@notifier.example", "auto_reply"),
        (["Sender: notices@notifier.example"], "gateway@registry.example", "auto_reply"),
        (["Resent-From: notices+abcdefghij@replies.notifier.example"], "gateway@registry.example", "auto_reply"),
        # Compared as parsed addresses: a name that is only like ours is not ours.
        ([], "notices@notifierxexample", "human"),
        ([], "x-notices@notifier.example", "human"),
        (["Message-ID: <tn-1@repliesxnotifier.example>"], "desk@registry.example", "human"),
        (["In-Reply-To: <tn-1@replies.notifier.example>"], "desk@registry.example", "human"),
    ],
)
def test_our_own_mail_come_back(fields: list[str], sender: str, expected: str) -> None:
    assert kind(*fields, sender=sender) == expected


# C-085: charsets that nobody knows, and a Korean registrar's answer.
def test_an_answer_in_korean() -> None:
    fields = [
        "Content-Type: text/plain; charset=ks_c_5601-1987",
        "Content-Transfer-Encoding: base64",
        "Subject: =?ks_c_5601-1987?B?yLi9xQ==?=",
    ]
    classed = mail_class.classify(mail(*fields, text="vsiz58fPvLy/5A=="), OURS)
    assert (classed.kind, classed.text) == ("human", "안녕하세요")


def test_each_sign_says_what_it_is() -> None:
    assert SIGNS[-1].kind is MailClass.HUMAN
    assert all(sign.reason and (sign.source or sign is SIGNS[-1]) for sign in SIGNS)
    assert {sign.kind for sign in SIGNS} == {
        MailClass.BOUNCE,
        MailClass.DELAYED,
        MailClass.AUTO_REPLY,
        MailClass.RECEIPT,
        MailClass.HUMAN,
    }
