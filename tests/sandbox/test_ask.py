"""What a party reads from a notice, and what makes it ask back instead of acting."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.epp import Measure
from notifier.sandbox.ask import from_mail, from_webhook

NOTICE = b"""\
From: notices@notifier.example
Subject: Notice
Message-ID: <n-1@notifier.example>
X-Notifier-Notice: n-1
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

Dear registry,

Domain: rx-pills.com
Requested action: hold

--b
Content-Type: application/json
Content-Transfer-Encoding: base64

eyJ4YXJmX3ZlcnNpb24iOiI0LjIuMCIsInNvdXJjZV9pZGVudGlmaWVyIjoicngtcGlsbHMuY29tIn0=
--b--
"""


def test_a_mail_is_read(ways: Any) -> None:
    raw = ways.written("xn--fa-hia.de", "lock", "n-9").as_bytes()
    ask = from_mail(raw, "n+t@notifier.example", {})
    assert (ask.notice_id, ask.domain, ask.measure, ask.doubt) == ("n-9", "xn--fa-hia.de", Measure.LOCK, "")
    assert (ask.key, ask.reply_to, ask.undo) == ("<n-9@notifier.example>", "n+t@notifier.example", False)


@pytest.mark.parametrize("measure", ["suspend", "Suspend", "hold", "HOLD", "hold (serverHold)", "Hold."])
def test_the_partys_own_word_and_the_plain_one_are_understood(ways: Any, measure: str) -> None:
    raw = ways.written(measure=measure).as_bytes()
    assert from_mail(raw, "", {"suspend": Measure.HOLD}).measure is Measure.HOLD


@pytest.mark.parametrize(
    "given",
    [
        {"text_domain": "victim.com"},
        {"extra_text": "Domain: victim.com\n"},
        {"extra_text": "Requested action: delete\n"},
        {"measure": "seize"},
        {"xarf": False},
        {"domain": "faß.de"},
        {"domain": "xn--fa-hia.de", "text_domain": "fass.de"},
    ],
)
def test_a_mail_that_is_not_of_one_mind_gives_a_doubt(ways: Any, given: dict[str, Any]) -> None:
    assert from_mail(ways.written(**given).as_bytes(), "", {}).doubt


def test_quoted_and_indented_lines_are_somebodys_words(ways: Any) -> None:
    message = ways.written(extra_text="> Domain: victim.com\n  Requested action: delete\n| Domain: victim.com\n")
    ask = from_mail(message.as_bytes(), "", {})
    assert (ask.domain, ask.measure, ask.doubt) == ("rx-pills.com", Measure.HOLD, "")


@given(st.binary(max_size=300), st.integers(0, 900), st.integers(0, 60))
def test_a_mangled_mail_is_never_an_error_and_never_another_name(noise: bytes, start: int, cut: int) -> None:
    mangled = NOTICE[:start] + noise + NOTICE[start + cut :]
    ask = from_mail(mangled, "", {})
    assert ask.doubt or ask.domain == "rx-pills.com"


def test_a_line_that_is_said_twice_alike_is_no_doubt(ways: Any) -> None:
    message = ways.written(extra_text="Domain: rx-pills.com (again)\n")
    assert from_mail(message.as_bytes(), "", {}).doubt == ""


def test_the_url_host_in_the_xarf_document_may_be_below_the_name() -> None:
    body = {"data": {"notice_id": "n", "domain": "a.com", "measure": "hold"}}
    for source, clear in {"a.com": True, "www.a.com": True, "xa.com": False, "com": False, "": False}.items():
        data = body["data"] | {"xarf": {"xarf_version": "4.2.0", "source_identifier": source}}
        assert (from_webhook({"data": data}, "k", {}, b"").doubt == "") is clear, source


@pytest.mark.parametrize(
    ("purpose", "measure", "undo"),
    [("request", "hold", False), ("withdrawal", "hold", True), ("request", "restore", True), ("restore", "hold", True)],
)
def test_what_asks_to_take_a_measure_back(ways: Any, purpose: str, measure: str, undo: bool) -> None:
    mail = ways.written(measure=measure, headers={"X-Notifier-Purpose": purpose})
    assert from_mail(mail.as_bytes(), "", {}).undo is undo
    body = ways.payload(measure=measure) | {"type": f"notice.{purpose}"}
    assert from_webhook(body, "k", {}, b"").undo is undo


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": {"xarf": "{"}}, {"data": {"xarf": 3, "measure": 7}}])
def test_any_payload_is_read_without_an_error(body: dict[str, Any]) -> None:
    assert from_webhook(body, "k", {}, b"").doubt
