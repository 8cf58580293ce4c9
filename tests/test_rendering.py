"""Notices: what they say, what they never say, and that hostile data stays data."""

import json
import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
import rfc8785
import xarf as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from notifier.domain.epp import Measure
from notifier.domain.xarf import Item, Work
from notifier.errors import Invalid
from notifier.notice_facts import NoticeFacts
from notifier.rendering import (
    MAX_SUBJECT,
    PURPOSES,
    Ask,
    Law,
    NamedDomain,
    Recipient,
    Renderer,
    Signal,
    Statement,
    content_digest,
)
from notifier.resources import folder
from tests.registries.sample_facts import TOKEN, T, facts

RENDERER = Renderer(folder("templates"))
PROGRAMS = ("opioids", "pharmacy", "piracy", "live-event", "authority-order")
ASKING = sorted(PURPOSES - {"withdrawal", "restore"})
# The measures of the contract; none of the others' words may stand where one of them is asked for.
WORDS = {"lock", "hold", "delete", "redirect", "content_removal", "restore"}
# RFC 5731 §2.3 and RFC 3915 §3.1, as a registry would set them.
EPP = {
    Measure.LOCK: "serverTransferProhibited, serverUpdateProhibited, serverDeleteProhibited",
    Measure.HOLD: "serverHold",
    Measure.DELETE: "redemptionPeriod",
    Measure.REDIRECT: "none",
    Measure.CONTENT_REMOVAL: "none",
}


def undoing(purpose: str, measure: Measure, **changes: Any) -> NoticeFacts:
    """Facts for `purpose`: the measure itself, or its undoing."""
    if purpose in ASKING:
        return facts(purpose=purpose, ask=Ask(measure, measure.value), **changes)
    return facts(purpose=purpose, ask=Ask(Measure.RESTORE, "restore", measure), **changes)


def structured(text: str) -> dict[str, str]:
    """The structured block as a machine would read it."""
    block = text.split("\n--- structured ---\n")
    assert len(block) == 2
    return dict(line.split(": ", 1) for line in block[1].splitlines())


class Tags(HTMLParser):
    """Counts tags and keeps the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_structured_block_has_its_fixed_lines() -> None:
    text = RENDERER.notice(facts()).text
    assert (
        """
--- structured ---
Notice: 0b5c2c1e-8d6f-4c52-9a0c-2f2f6c3a7d11
Case: TN-2026-000123
Version: 1
Domain: pills-now.example
Requested action: hold
EPP status: serverHold
Reply token: k7q2mzb4x9d3
"""
        in text
    )


@pytest.mark.parametrize("purpose", ASKING)
@pytest.mark.parametrize("measure", sorted(EPP))
def test_only_its_own_word_stands_where_an_action_is_asked(measure: Measure, purpose: str) -> None:
    notice = RENDERER.notice(facts(purpose=purpose, ask=Ask(measure, measure.value)))
    asked = re.findall(r"^(?:Requested action|Your word for it): (.*)$", notice.text, re.MULTILINE)
    assert asked == [measure.value] * 3
    for line in (*asked, notice.subject):
        assert {word for word in WORDS if re.search(rf"\b{word}\b", line)} == {measure.value}
    assert structured(notice.text)["EPP status"] == EPP[measure]
    html = re.findall(r"Requested action</th><td><strong>([^<]*)<", notice.html)
    assert html == [measure.value]


def test_a_lock_says_that_the_name_goes_on_working() -> None:
    text = RENDERER.notice(facts(ask=Ask(Measure.LOCK, "registry lock"))).text
    assert "We are NOT requesting that the name stops resolving" in text
    assert "serverHold" not in text
    assert not re.search(r"\bhold\b", text)


@pytest.mark.parametrize("word", ["hold", "Server Hold", "suspension", "Delete", "take-down", "removal"])
def test_a_lock_under_a_stronger_word_is_refused(word: str) -> None:
    with pytest.raises(Invalid):
        RENDERER.notice(facts(ask=Ask(Measure.LOCK, word)))


def test_a_registry_may_call_a_hold_lock() -> None:
    notice = RENDERER.notice(facts(ask=Ask(Measure.HOLD, "lock")))
    assert "Requested action: hold\nYour word for it: lock\n" in notice.text
    assert structured(notice.text)["Requested action"] == "hold"


@pytest.mark.parametrize("measure", sorted(EPP))
def test_every_request_says_what_is_not_requested_and_asks_for_an_echo(measure: Measure) -> None:
    notice = RENDERER.notice(facts(ask=Ask(measure, measure.value)))
    for body in (notice.text, notice.html):
        assert "We are NOT requesting " in body
        assert f"pills-now.example / {measure.value}" in body


def test_a_registrar_is_asked_for_the_client_status() -> None:
    registrar = Recipient("opioids.registrar", "registrar", "Registrar One", "abuse@registrar.example")
    assert structured(RENDERER.notice(facts(recipient=registrar)).text)["EPP status"] == "clientHold"


@pytest.mark.parametrize("purpose", ["withdrawal", "restore"])
def test_an_undoing_never_reads_as_a_request(purpose: str) -> None:
    notice = RENDERER.notice(undoing(purpose, Measure.HOLD))
    block = structured(notice.text)
    assert block["Requested action"] == "restore"
    assert block["EPP status"] == "without serverHold"
    assert not re.search(r"\bhold\b", notice.subject)
    assert "lapses on" not in notice.text


def test_who_removed_pages_is_not_asked_to_put_them_back() -> None:
    """What is undone is more than was asked for; the pages are gone, and nobody wants them back."""
    told = undoing("withdrawal", Measure.CONTENT_REMOVAL)
    kept = RENDERER.notice(replace(told, ask=replace(told.ask, keeps=True)))
    for body in (kept.text, kept.html):
        assert "What was removed stays removed." in body
        assert "No answer is needed." in body
        assert "please undo it" not in body
    assert structured(kept.text)["Put back"] == "nothing"
    assert "Put back" not in structured(RENDERER.notice(told).text)


@pytest.mark.parametrize(
    ("purpose", "ask"),
    [("withdrawal", Ask(Measure.HOLD, "hold")), ("request", Ask(Measure.RESTORE, "restore", Measure.HOLD))],
)
def test_purpose_and_measure_must_agree(purpose: str, ask: Ask) -> None:
    with pytest.raises(Invalid):
        RENDERER.notice(facts(purpose=purpose, ask=ask))


@pytest.mark.parametrize("purpose", ["registrant", "note", "../base/request"])
def test_a_purpose_without_template_is_refused(purpose: str) -> None:
    with pytest.raises(Invalid):
        RENDERER.notice(facts(purpose=purpose))


@pytest.mark.parametrize("token", ["", "short", "UPPERCASE123", "with space 12", "a" * 65, "plus+plus+plus"])
def test_a_token_that_an_address_would_not_carry_is_refused(token: str) -> None:
    with pytest.raises(Invalid):
        RENDERER.notice(facts(reply_token=token))


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("purpose", sorted(PURPOSES))
def test_every_program_has_every_purpose(program: str, purpose: str) -> None:
    notice = RENDERER.notice(undoing(purpose, Measure.HOLD, program=program, category=program, templates=program))
    assert notice.subject.endswith(f"[ref:{TOKEN}]")
    assert reference.parse(json.loads(notice.xarf)).errors == []
    assert rfc8785.dumps(json.loads(notice.xarf)) == notice.xarf
    opening = {"request": "ask you", "reminder": "Reminder", "escalation": "told first", "amendment": "Correction"}
    assert opening.get(purpose, "undo") in notice.text.splitlines()[0]


def test_each_purpose_has_its_own_subject() -> None:
    subjects = {RENDERER.notice(undoing(purpose, Measure.HOLD)).subject for purpose in PURPOSES}
    assert len(subjects) == len(PURPOSES)


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_notice_claims_dns_abuse(program: str) -> None:
    text = RENDERER.notice(facts(program=program, templates=program)).text
    assert "not " in text[: text.index("DNS Abuse")].splitlines()[-1]


@pytest.mark.parametrize("program", ["live-event", "authority-order"])
def test_the_grounds_of_a_program_stand_in_text_and_page(program: str) -> None:
    notice = RENDERER.notice(
        facts(program=program, templates=program, grounds=("It orders: hold the name.", "see https://evil.example/x"))
    )
    assert "Grounds:\n  - It orders: hold the name.\n  - see hxxps://evil[.]example/x\n" in notice.text
    assert "It orders: hold the name." in Tags(notice.html).text
    own = {"live-event": "only while the event runs", "authority-order": "We pass the order on and are not its author"}
    assert own[program] in notice.text
    assert own[program] in Tags(notice.html).text


def test_everything_that_a_notice_must_hold_is_there() -> None:
    notice = RENDERER.notice(facts())
    page = Tags(notice.html)
    for said in (
        "Case TN-2026-000123, notice version 1, 2026-11-25 14:30 UTC",
        "profile version 3",
        "desk@notifier.example",
        "p i l l s - n o w . e x a m p l e",
        "D123-EX",
        "Registrar One (IANA ID 9999)",
        "2024-02-29 00:00 UTC",
        "2027-02-28 00:00 UTC",
        "RDAP told us at 2026-11-25 14:30 UTC",
        "hxxps://pills-now[.]example/tramadol?x=1",
        "21 U.S.C. 331(d): introduces an unapproved new drug",
        "18 of 20 pages",
        "warning letter 634444, issued 2022-08-16, answer due 2022-09-07; answer: none",
        "registrar Registrar One at abuse@registrar.example; answer: no answer",
        "popular: no (source: rank list of 2026-11-01)",
        "Ultrum (tramadol, opioid): no approved application",
        "seen from: Ohio, desktop; sha256: " + "a" * 64,
        "good faith, by A. Reviewer",
        "DECLINED(reason)",
        "https://notifier.example/appeals",
        "lapses on 2026-12-25 14:30 UTC",
        "pills-later.example",
        "Your name was reported.",
    ):
        assert said in notice.text, said
        if not said.startswith("Case "):
            assert said in page.text, said


def test_what_was_not_observed_is_said_to_be_so() -> None:
    text = RENDERER.notice(facts(domain=NamedDomain("pills-now.example", "pills-now.example"))).text
    for field in ("Registry handle", "Registered", "Expires", "Statuses"):
        assert f"{field}: not observed\n" in text
    assert "Registrar: not observed (IANA ID not observed)" in text
    assert "RDAP told us" not in text
    asked = RENDERER.notice(facts(domain=NamedDomain("pills-now.example", "pills-now.example", T))).text
    assert "Asked at 2026-11-25 14:30 UTC; the registry's RDAP told us nothing of it." in asked


def test_an_idn_stands_in_both_forms_with_its_characters() -> None:
    notice = RENDERER.notice(facts(domain=NamedDomain("xn--ggle-55da.com", "gооgle.com", T)))
    for body in (notice.text, notice.html):
        assert "xn--ggle-55da.com" in body
        assert "gооgle.com" in body
        assert "U+043E CYRILLIC SMALL LETTER O" in body
    assert structured(notice.text)["Domain"] == "xn--ggle-55da.com"
    assert "domain" not in json.loads(notice.xarf)


def test_a_simulation_says_so_first() -> None:
    notice = RENDERER.notice(facts(simulated=True))
    assert notice.text.startswith("SIMULATION")
    assert "SIMULATION" in notice.html
    assert "SIMULATION" not in RENDERER.notice(facts()).text


def test_the_reply_words_of_our_own_text_are_no_answer() -> None:
    """A mail client that quotes without marks must not turn our list of words into an answer."""
    words = re.compile(r"\s*(ACK|NEED_INFO|DECLINED|ACTION|REFERRED_REGISTRAR)\s*(\([^)]*\))?\s*")
    assert not [line for line in RENDERER.notice(facts()).text.splitlines() if words.fullmatch(line)]


def test_a_missing_fact_is_an_error_not_a_gap(tmp_path: Any) -> None:
    base = tmp_path / "notices" / "base"
    base.mkdir(parents=True)
    for form in ("txt", "html", "subject"):
        (base / f"request.{form}").write_text("{{ domain.nonesuch }}")
    with pytest.raises(UndefinedError):
        Renderer(tmp_path).notice(facts())


def test_a_template_that_ends_in_a_newline_gives_a_subject_without(tmp_path: Any) -> None:
    assert "\n" not in RENDERER.notice(facts()).subject


def test_a_long_subject_is_cut_and_keeps_its_reference() -> None:
    name = ("a" * 60 + ".") * 5 + "example"
    subject = RENDERER.notice(facts(domain=NamedDomain(name, name))).subject
    assert len(subject) <= MAX_SUBJECT
    assert subject.endswith(f"… [ref:{TOKEN}]")


def test_the_same_facts_give_the_same_bytes() -> None:
    assert RENDERER.notice(facts()) == Renderer(folder("templates")).notice(facts())


def test_a_time_in_another_zone_is_the_same_time() -> None:
    later = datetime.fromisoformat("2026-11-25T16:30:00+02:00")
    assert RENDERER.notice(facts(issued_at=later)).text == RENDERER.notice(facts()).text
    assert RENDERER.notice(facts(issued_at=later)).digest == RENDERER.notice(facts()).digest


@pytest.mark.parametrize("name", [field.name for field in fields(RENDERER.notice(facts())) if field.name != "digest"])
def test_the_digest_covers_every_field(name: str) -> None:
    notice = RENDERER.notice(facts())
    value = getattr(notice, name)
    other: Any
    match value:
        case Measure():
            other = Measure.DELETE
        case int():
            other = value + 1
        case str():
            other = value + "x"
        case bytes():
            other = value + b" "
        case datetime() | None:
            other = datetime(2020, 1, 1, tzinfo=UTC)
        case _:
            other = (*value, *value)
    assert content_digest(replace(notice, **{name: other})) != notice.digest
    assert content_digest(notice) == notice.digest


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "{{ 7 * 7 }}",
            "{% for x in y %}",
            "\r\nRequested action: delete",
            "\n--- structured ---\nDomain: innocent.example",
            "<b onclick=x>",
            "https://evil.example",
            "\u202e",
            "\ud800",
            "\n.\n",
        ]
    ),
)


@settings(deadline=None, max_examples=60)
@given(text=HOSTILE)
def test_hostile_text_adds_no_line_tag_link_or_template(text: str) -> None:
    plain, given_ = RENDERER.notice(hostile("x")), RENDERER.notice(hostile(text))
    assert structured(given_.text) == structured(plain.text)
    assert Tags(given_.html).tags == Tags(plain.html).tags
    assert Tags(given_.html).attributes == Tags(plain.html).attributes
    assert re.findall(r"^\S.*?:", given_.text.split("WHY")[0], re.MULTILINE)
    for body in (given_.text, given_.html, given_.subject):
        assert "evil.example" not in body
        assert "\u202e" not in body
        assert "\r" not in body
        body.encode()
    if "7 * 7" in text:
        assert "{{ 7 * 7 }}" in given_.text
        assert "49" not in given_.text


def hostile(text: str) -> NoticeFacts:
    return facts(
        description=text,
        program_name=text,
        urls=(text,),
        works=(Work(text, text, text),),
        grounds=(text,),
        laws=(Law(text, text),),
        collateral=(Signal(text, text, text),),
        proportionality=text + "y",
        evidence=(Item(text, T, text + "y", text, "a" * 64),),
        statements=(Statement(text, text, text + "y", T),),
        associated=(text,),
        registrant_text=text + "y",
        confidentiality=text + "y",
        ask=Ask(Measure.HOLD, text, why_not_less=text + "y"),
        recipient=Recipient("opioids.sandbox", text, text, "abuse@registry.example"),
        domain=NamedDomain("pills-now.example", "pills-now.example", T, text, text, text, T, T, (text,)),
    )


# --- what the registrant is told ----------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", sorted(PURPOSES))
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_registrant_is_told_what_who_and_how_to_contest(program: str, purpose: str) -> None:
    made = RENDERER.notice(undoing(purpose, Measure.HOLD, registrant_text="", templates=program))
    for shown in (made.text, made.html):
        assert "desk@notifier.example" in shown, "the contact is ours, and can be written to as it stands"
        told = shown.partition("THE REGISTRANT" if shown is made.text else "The registrant</h2>")[2]
        assert "TN-" in told
        if purpose in ASKING:
            for words in ("You", "was reported", "one thing: hold", "It costs nothing", "did not decide"):
                assert words in told, words
        else:
            assert "taken that request back" in told


def test_a_recipients_name_cannot_forge_a_line_of_what_the_registrant_is_told() -> None:
    forged = replace(facts().recipient, name="R\n\nWrite to evil@evil.com https://evil.com/")
    made = RENDERER.notice(facts(registrant_text="", recipient=forged))
    assert "https://evil.com" not in made.text + made.html
    assert not re.search(r"^\W*Write to evil", made.text, re.MULTILINE)
