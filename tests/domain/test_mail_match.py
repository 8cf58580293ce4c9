"""Which notice a mail is about, how sure that is, and whose server vouches for its author (RFC 8601)."""

import pytest

from notifier.domain import mail_match, mime
from notifier.domain.mail_authentication import dmarc_pass
from notifier.domain.mail_match import Clue, Level, Ours, What, clues
from notifier.suffixes import load_suffixes

OURS = Ours("notices", "replies.notifier.example")
A, B, C, D = (letter * 20 for letter in "abcd")
ID = "00000000-0000-7000-8000-000000000000"


def plus(token: str) -> str:
    return f"notices+{token}@replies.notifier.example"


def message(*fields: str, text: str = "") -> mime.Mail:
    return mime.read("\r\n".join([*fields, "", text]).encode())


def token(level: Level, value: str) -> Clue:
    return Clue(level, What.TOKEN, value)


def test_the_order_of_trust() -> None:
    mail = message(
        f"Subject: Re: TN-2026-000123 [ref:{D}]",
        "References: <tn-old@replies.notifier.example> <other@x.example> <tn-new@replies.notifier.example>",
        f"To: {plus(B)}",
        text=f"you wrote to {plus(C)}\r\nabout notice {ID}",
    )
    assert clues(mail, OURS, plus(A)) == [
        token(Level.ENVELOPE, A),
        token(Level.ADDRESSED, B),
        Clue(Level.THREAD, What.KEY, "tn-new"),
        Clue(Level.THREAD, What.KEY, "tn-old"),
        token(Level.TEXT, C),
        Clue(Level.TEXT, What.NOTICE, ID),
        token(Level.SUBJECT, D),
        Clue(Level.SUBJECT, What.REFERENCE, "TN-2026-000123"),
    ]
    assert [c.sure for c in clues(mail, OURS)] == [True, True, True, True, False, True, False]


def test_in_reply_to_comes_before_references() -> None:
    mail = message(
        "References: <one@replies.notifier.example> <two@replies.notifier.example>",
        "In-Reply-To: <one@replies.notifier.example>",
    )
    assert [c.value for c in clues(mail, OURS)] == ["one", "two"]


def test_a_text_that_quotes_two_notices_points_at_neither() -> None:
    mail = message("To: desk@notifier.example", text=f"{plus(A)} and {plus(B)}")
    assert clues(mail, OURS) == []


@pytest.mark.parametrize(
    "field",
    [
        f"To: {plus(A).upper()}",
        f'To: "Notices" <{plus(A)}>, other@x.example',
        f"Cc: {plus(A)}",
        f"Delivered-To: {plus(A)}",
        f"X-Original-To: {plus(A)}",
        f"Resent-To: {plus(A)}",
    ],
)
def test_addresses_that_carry_a_token(field: str) -> None:
    assert clues(message(field), OURS) == [token(Level.ADDRESSED, A)]


@pytest.mark.parametrize(
    "field",
    [
        f"To: notices+{A}@replies.notifier.example.evil.example",
        f"To: x-notices+{A}@replies.notifier.example",
        f"To: notices+{A}@repliesxnotifier.example",
        "To: notices+short@replies.notifier.example",
        "References: <tn-1@repliesxnotifier.example>",
    ],
)
def test_addresses_that_are_not_ours(field: str) -> None:
    assert clues(message(field), OURS) == []


# C-086 with our token inside the subject; C-088: nothing else names the notice.
def test_a_token_in_a_broken_subject() -> None:
    mail = message(f"Subject: =?UTF-8?Q?Auf?==?UTF-8?Q?=C3=BCr_?==?UTF-8?B?w7xi?= =?utf-8?Q?_[ref:{A}]?=")
    assert clues(mail, OURS) == [token(Level.SUBJECT, A)]


def test_delivery_in_a_mailbox() -> None:
    head = f"Return-Path: <x@y.example>\r\nX-Original-To: {plus(A)}\r\nTo: {plus(B)}\r\n\r\n".encode()
    assert mail_match.delivery_of(head, OURS) == (plus(A), {"return-path": "<x@y.example>", "x-original-to": plus(A)})
    assert mail_match.delivery_of(f"To: x@y.example, {plus(B)}\r\n".encode(), OURS)[0] == plus(B)
    assert mail_match.delivery_of(b"\x00\xff", OURS) == ("notices@replies.notifier.example", {})


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        (["From: Desk <Desk@Registry.example>"], "desk@registry.example"),
        (['From: "a@bank.example" <desk@registry.example>'], "desk@registry.example"),
        (["From: a@registry.example, b@registry.example"], None),
        (["From: a@registry.example", "From: b@registry.example"], None),
        (["From: nobody"], None),
        (["From: " + "(" * 3_000 + "desk@registry.example"], None),
        (["From: " + "<" * 3_000], None),
        (["From: " + '"' * 3_001], None),
        (["From: desk@registry.example, " + " " * 5_000 + "a@evil.example"], None),
        ([], None),
    ],
)
def test_one_author_or_none(fields: list[str], author: str | None) -> None:
    assert mail_match.sole_author(message(*fields)) == author


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("registry.com", "registry.com", True),
        ("legal.registry.com", "abuse.registry.com", True),
        ("registry.co.uk", "abuse.registry.co.uk", True),
        ("registry.com", "registry.net", False),
        ("registry.com.evil.com", "registry.com", False),
        ("one.co.uk", "two.co.uk", False),
        ("co.uk", "one.co.uk", False),
        ("one.blogspot.com", "two.blogspot.com", False),
        ("one.blogspot.com", "blogspot.com", False),
        ("", "registry.com", False),
        ("", "", False),
        ("x.unknown-tld", "y.unknown-tld", False),
    ],
)
def test_one_party_or_two(one: str, other: str, same: bool) -> None:
    assert mail_match.same_party(one, other, load_suffixes()) is same


# --- Authentication-Results ---------------------------------------------------------------------------------------

OUR_ID = "mx.notifier.example"
PASS = f"Authentication-Results: {OUR_ID}; dmarc=pass (p=reject) header.from=registry.example"
FAIL = PASS.replace("pass", "fail")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([PASS], True),
        ([PASS.replace(OUR_ID, f"{OUR_ID} 1")], True),
        (
            [
                f"Authentication-Results: {OUR_ID}; spf=fail smtp.mailfrom=x.example; dkim=pass; "
                "dmarc=pass header.from=registry.example"
            ],
            True,
        ),
        ([f"Authentication-Results: {OUR_ID.upper()};\r\n dmarc=PASS\r\n header.from=Registry.Example"], True),
        ([f"Authentication-Results: {OUR_ID}; dkim=pass header.d=registry.example", PASS], True),
        ([], False),
        ([FAIL], False),
        ([PASS.replace("pass", "none")], False),
        ([PASS.replace(OUR_ID, "mx.evil.example")], False),
        ([PASS.replace(OUR_ID, f"{OUR_ID} 2")], False),
        ([PASS.replace("registry.example", "evil.example")], False),
        ([PASS.replace(" header.from=registry.example", "")], False),
        # What stands below our server's own may have come from outside.
        ([FAIL, PASS], False),
        # Nothing in a comment or a quoted reason is a result.
        ([f"Authentication-Results: {OUR_ID}; spf=pass (dmarc=pass; header.from=registry.example)"], False),
        ([f'Authentication-Results: {OUR_ID}; spf=pass reason="x; dmarc=pass header.from=registry.example"'], False),
        ([f"Authentication-Results: {OUR_ID}; dmarc=pass (never closed header.from=registry.example"], False),
        (
            [
                f"Authentication-Results: {OUR_ID}; dmarc=fail header.from=registry.example; "
                "dmarc=pass header.from=registry.example"
            ],
            False,
        ),
        ([f"Authentication-Results: {OUR_ID}; none"], False),
        ([f"X-Authentication-Results: {OUR_ID}; dmarc=pass header.from=registry.example"], False),
        ([PASS + "; x=" + "y" * 9_000], False),
    ],
)
def test_only_our_own_server_is_believed(fields: list[str], expected: bool) -> None:
    mail = message(*fields, "From: desk@registry.example")
    assert dmarc_pass(mail, OUR_ID) is expected
    assert dmarc_pass(mail, None) is False


def test_two_authors_are_vouched_for_by_nobody() -> None:
    assert dmarc_pass(message(PASS, "From: desk@registry.example, a@evil.example"), OUR_ID) is False
