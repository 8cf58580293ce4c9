"""What is particular to letters: the notice's exact text on paper, the same bytes each time, and who carries them."""

import hashlib
import sys
import time
from dataclasses import replace
from datetime import timedelta, timezone
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from notifier.adapter import AgreementChannel, Receipt, RefusedForGood, RenderedNotice
from notifier.domain.epp import Measure
from notifier.errors import Invalid
from notifier.rendering import Ask, Recipient, Renderer, content_digest
from notifier.resources import folder
from registries import authority
from registries.letter import PAPERS, drawn, letter
from tests.registries.channels import IDENTITY, LETTER, deps
from tests.registries.sample_facts import T, facts
from tests.registries.servers import SmtpServer

RENDERER = Renderer(folder("templates"))
KEY = "notice.1"
POSTAL = ["Office of Example", "1 Main Street", "Exampletown 12345"]
BY_MAIL = {"delivery": "mail", "to": "abuse@registry.example", "postal": POSTAL}
BY_POST = {"delivery": "post", "postal": POSTAL}


def adapter(port: int, address: dict[str, Any]) -> authority.AuthorityAdapter:
    return authority.build(AgreementChannel("opioids.sandbox", "authority", address, "Sandbox"), deps(port))


def notice(address: str = "abuse@registry.example", **changes: Any) -> RenderedNotice:
    return RENDERER.notice(facts(recipient=Recipient("opioids.sandbox", "registry", "Sandbox", address), **changes))


def pages(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(pdf)).pages]


def bare(text: str) -> str:
    """Text without what wrapping may add: blanks, and the mark before each line of others' words."""
    return "".join(char for char in text if not char.isspace() and char != "|")


def body(pdf: bytes) -> str:
    """The pages without their feet."""
    return bare("".join(page.split("SHA-256 of the notice:")[0] for page in pages(pdf)))


@pytest.mark.parametrize("paper", sorted(PAPERS))
def test_the_whole_text_stands_in_the_letter(paper: str) -> None:
    made = notice(description="Größe – “quoted”\n" + "long words here " * 400)
    sent = letter(made, IDENTITY, POSTAL, paper)
    assert bare(made.text) in body(sent.content)
    for part in (*POSTAL, made.subject, "25 November 2026", "Example Notifier", made.attachments[0].sha256):
        assert bare(part) in body(sent.content)
    read = pages(sent.content)
    assert len(read) > 2
    for number, page in enumerate(read, 1):
        assert made.digest in page
        assert f"page {number} of {len(read)}" in page
    assert hashlib.sha256(sent.content).hexdigest() == sent.sha256


def test_nothing_runs_over_the_edge_of_the_page() -> None:
    made = notice(description="W" * 5000)
    for paper, (width, height) in PAPERS.items():
        for page in PdfReader(BytesIO(letter(made, IDENTITY, POSTAL, paper).content)).pages:
            places: list[tuple[float, float, int]] = []

            def seen(text: str, cm: Any, tm: Any, font: Any, size: float, at: list[Any] = places) -> None:
                if text.strip():
                    at.append((tm[4], tm[5], len(text.strip("\n"))))

            page.extract_text(visitor_text=seen)
            assert places
            assert all(x + length * 9 * 0.6 <= width - 50 and 50 <= y <= height - 50 for x, y, length in places)


def test_the_same_notice_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = notice()
    first = letter(made, IDENTITY, POSTAL)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        elsewhere = replace(made, issued_at=made.issued_at.astimezone(timezone(timedelta(hours=-11))))
        assert letter(elsewhere, IDENTITY, POSTAL).content == first.content
    finally:
        monkeypatch.undo()
        time.tzset()
    told = PdfReader(BytesIO(first.content)).metadata
    assert told is not None
    assert told.creation_date == T
    assert told.modification_date == T
    assert (told.author, told.title) == ("Example Notifier", made.subject)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("xn--fa-hia.example", "xn--fa-hia.example (faß.example)"),
        ("xn--80ak6aa92e.example", r"xn--80ak6aa92e.example (\u{430}\u{440}\u{440}\u{4CF}\u{435}.example)"),
        ("plain.example", "plain.example"),
    ],
)
def test_a_name_stands_in_a_labels_and_in_unicode_as_far_as_the_font_goes(name: str, shown: str) -> None:
    sent = letter(replace(notice(), domain=name), IDENTITY)
    assert bare(f"Domain name: {shown} Answers to:") in body(sent.content)
    assert (bare("written as \\u{code point}") in body(sent.content)) == ("\\u" in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe – “x” €", "Größe – “x” €"),
        ("日本", r"\u{65E5}\u{672C}"),
        ("a\u202eb\x00c\u00ad", r"a\u{202E}b\u{0}c\u{AD}"),
        (r"\u{430}", r"\u{5C}u{430}"),
    ],
)
def test_what_the_font_lacks_is_spelled(text: str, shown: str) -> None:
    assert drawn(text) == shown


async def test_by_mail_it_goes_beside_the_notice_s_own_text_and_files() -> None:
    made = notice()
    undo = notice(purpose="withdrawal", ask=Ask(Measure.RESTORE, "restore", Measure.HOLD))
    async with SmtpServer(ours={LETTER}) as server:
        one = adapter(server.port, BY_MAIL)
        assert not one.capabilities.attended
        receipt = await one.send(made, KEY)
        await one.withdraw(receipt, undo, "second.1")
    first, second = server.got
    assert content_digest(first.as_notice(made)) == made.digest
    assert first.envelope["enclosed"] == one.material(made)
    assert bare(made.text) in body(first.envelope["enclosed"][0].content)
    assert second.envelope["message"]["In-Reply-To"] == first.key


async def test_by_post_a_person_carries_it_and_nothing_leaves_from_here() -> None:
    one = adapter(1, BY_POST)
    assert one.capabilities.attended
    made = notice(", ".join(POSTAL))
    (sent,) = one.material(made)
    assert bare("".join(POSTAL)) in body(sent.content)
    with pytest.raises(RefusedForGood, match="a person posts"):
        await one.send(made, KEY)
    with pytest.raises(RefusedForGood, match="a person posts"):
        await one.withdraw(Receipt(True, "", "", KEY), made, KEY)
    with pytest.raises(RefusedForGood, match="approve the notice again"):
        one.material(notice("2 Main Street"))
    assert await one.check() == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({}, "delivery"),
        ({"delivery": "fax", "postal": POSTAL}, "delivery"),
        ({"delivery": "post"}, "postal"),
        ({"delivery": "post", "postal": "1 Main Street"}, "postal"),
        ({"delivery": "post", "postal": ["a\nb"]}, "postal"),
        (BY_POST | {"paper": "a5"}, "paper"),
        (BY_POST | {"to": "abuse@registry.example"}, "address.to: is not known"),
        (BY_MAIL | {"starttls": "dane"}, "starttls"),
        (BY_MAIL | {"url": "https://x.example"}, "address.url: is not known"),
    ],
)
def test_an_address_that_cannot_be_used_is_named_at_once(address: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        adapter(1, address)


def test_without_its_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reportlab", None)
    with pytest.raises(Invalid, match=r"trusted-notifier\[letter\]"):
        adapter(1, BY_MAIL)
