"""Evidence models: what they refuse, how they read times, and digests that do not move."""

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from notifier.domain.evidence import Capture, content, digest, parse_evidence

SHA = "0123456789abcdef" * 4
AT = "2026-07-20T10:00:00Z"
LETTER: dict[str, Any] = {
    "kind": "warning_letter",
    "reference": "MARCS-CMS 634444",
    "issued_on": "2022-08-16",
    "recipient": "Tramadol network",
    "domains": ["evil.example"],
    "response_due": {"working_days": 15, "calendar": "us-federal"},
    "statutes": ["21 U.S.C. 331(a)"],
    "response": "none",
}
ITEMS: dict[str, dict[str, Any]] = {
    "capture": {"kind": "capture", "url": "https://evil.example/a", "captured_at": AT, "vantage": "us", "sha256": SHA},
    "screenshot": {
        "kind": "screenshot",
        "url": "https://evil.example/a",
        "captured_at": AT,
        "sha256": SHA,
        "media_type": "image/png",
    },
    "sample": {
        "kind": "sample",
        "seed": "7",
        "method": "random",
        "items": [{"url": "https://evil.example/1", "label": "infringing"}],
    },
    "rdap_snapshot": {
        "kind": "rdap_snapshot",
        "domain": "evil.example",
        "server": "https://rdap.example/domain/evil.example",
        "queried_at": AT,
        "statuses": ["client transfer prohibited"],
    },
    "dns_snapshot": {
        "kind": "dns_snapshot",
        "domain": "evil.example",
        "server": "a.nic.example",
        "queried_at": AT,
        "rrtype": "NS",
        "rcode": "NOERROR",
    },
    "test_purchase": {
        "kind": "test_purchase",
        "url": "https://evil.example/pay",
        "ordered_at": AT,
        "product": "tramadol",
        "paid": False,
        "result": "reached_payment",
    },
    "licence_check": {
        "kind": "licence_check",
        "source": "State board",
        "checked_at": AT,
        "result": "unlicensed",
        "jurisdiction": "US-OH",
    },
    "rights_statement": {
        "kind": "rights_statement",
        "right_holder": "Studio A",
        "works": ["Film"],
        "authorised_by": "Counsel",
    },
    "warning_letter": LETTER,
    "prior_contact": {
        "kind": "prior_contact",
        "party": "host",
        "address": "abuse@host.example",
        "contacted_at": AT,
        "response": "none",
        "summary": "No answer.",
    },
    "court_order": {
        "kind": "court_order",
        "issuer": "Court",
        "reference": "1/26",
        "issued_on": "2026-01-05",
        "jurisdiction": "US",
        "provisions": ["17 U.S.C. 502"],
        "orders": "Hold the name.",
    },
    "letter_cited": {"kind": "letter_cited", "reference": "MARCS-CMS 634444"},
    "lawful_use": {"kind": "lawful_use", "ground": "promotional_supply", "summary": "The label sent the song."},
    "stream_match": {
        "kind": "stream_match",
        "url": "https://evil.example/live",
        "event": "final-2026",
        "feed": "feed-1",
        "method": "perceptual hash",
        "vantage": "residential-es",
        "points": [{"stream_at": AT, "feed_at": AT, "similarity": 97}],
        "sha256": SHA,
    },
    "case_law": {
        "kind": "case_law",
        "court": "Court",
        "reference": "1/10",
        "decided_on": "2010-05-10",
        "jurisdiction": "ES",
        "held": "lawful",
        "summary": "Linking was lawful.",
    },
}


def faults(data: Any) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        parse_evidence(data)
    return {".".join(str(part) for part in error["loc"][1:]) for error in caught.value.errors()}


@pytest.mark.parametrize("kind", ITEMS)
def test_the_smallest_item_of_each_kind_survives_a_round_trip(kind: str) -> None:
    item = parse_evidence(ITEMS[kind])
    assert item.kind == kind
    again = parse_evidence(content(item))
    assert again == item
    assert digest(again) == digest(item)
    assert parse_evidence(item.model_dump(mode="json")) == item


@pytest.mark.parametrize("kind", ITEMS)
def test_each_required_field_is_missed_by_name_and_an_unknown_one_is_refused(kind: str) -> None:
    data = ITEMS[kind]
    optional = {"domains", "statuses"}
    for key in data.keys() - {"kind"} - optional:
        assert faults({k: v for k, v in data.items() if k != key}) == {key}
    assert faults({**data, "colour": "red"}) == {"colour"}


@pytest.mark.parametrize("kind", ITEMS)
def test_every_field_is_described_for_the_api_page(kind: str) -> None:
    for name, info in type(parse_evidence(ITEMS[kind])).model_fields.items():
        assert info.description or name == "kind", name


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError):
        parse_evidence({"kind": "rumour"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sha256": SHA.upper()}, "sha256"),
        ({"sha256": SHA[:-1]}, "sha256"),
        ({"sha256": SHA + "\n"}, "sha256"),
        ({"url": "hxxps://evil.example/"}, "url"),
        ({"url": "evil.example/a"}, "url"),
        ({"url": "ftp://evil.example/"}, "url"),
        ({"url": "https:///a"}, "url"),
        ({"url": "http://paypal.com@evil.example/"}, "url"),
        ({"url": "http://evil.example\\@good.example/"}, "url"),
        ({"url": "https://evil.example/a b"}, "url"),
        ({"url": "https://evil.example/\t"}, "url"),
        ({"url": "https://evil.example/" + "ü" * 4100}, "url"),  # 8,221 bytes, 4,121 characters
        ({"vantage": "us\x00"}, "vantage"),
        ({"vantage": "us\r\nBcc: x"}, "vantage"),
        ({"vantage": "\x1b[31mus"}, "vantage"),
        ({"vantage": "\u0085"}, "vantage"),
        ({"vantage": "  "}, "vantage"),
        ({"vantage": "ü" * 501}, "vantage"),
        ({"text_excerpt": "a\x00b"}, "text_excerpt"),
        ({"text_excerpt": "ü" * 10_001}, "text_excerpt"),
        ({"text_excerpt": "\ud800"}, "text_excerpt"),
        ({"http_status": "200"}, "http_status"),
        ({"http_status": 99}, "http_status"),
        ({"http_status": True}, "http_status"),
        ({"finding": "bad"}, "finding"),
        ({"shows": ["a_smile"]}, "shows.0"),
        ({"shows": ["checkout"] * 21}, "shows"),
        ({"captured_at": "2026-07-20"}, "captured_at"),
        ({"captured_at": 1784541600}, "captured_at"),
        ({"captured_at": "1784541600"}, "captured_at"),
        ({"captured_at": "0000-00-00 00:00:00"}, "captured_at"),
        ({"captured_at": "2026-02-30T00:00:00Z"}, "captured_at"),
        ({"captured_at": "0001-01-01T00:00:00+14:00"}, "captured_at"),
        ({"captured_at": "9999-12-31T23:59:59-12:00"}, "captured_at"),
        ({"captured_at": None}, "captured_at"),
    ],
)
def test_a_capture_with_a_wrong_field_is_refused_by_name(change: dict[str, Any], field: str) -> None:
    assert faults({**ITEMS["capture"], **change}) == {field}


def test_texts_at_their_limit_and_ordinary_line_breaks_are_kept() -> None:
    item = parse_evidence({**ITEMS["capture"], "vantage": "ü" * 500, "text_excerpt": "Ohne Rezept\r\n\tKein Arzt"})
    assert isinstance(item, Capture)
    assert (len(item.vantage), item.text_excerpt) == (500, "Ohne Rezept\r\n\tKein Arzt")


@pytest.mark.parametrize(
    ("text", "utc", "assumed"),
    [
        ("2026-07-20T10:00:00Z", "2026-07-20T10:00:00+00:00", False),
        ("2026-07-20t10:00:00z", "2026-07-20T10:00:00+00:00", False),
        ("2026-07-20T10:00:00-07:00", "2026-07-20T17:00:00+00:00", False),
        ("2026-07-20T10:00:00.123456+05:30", "2026-07-20T04:30:00.123456+00:00", False),
        ("2025-03-09 02:30:00", "2025-03-09T02:30:00+00:00", True),  # a time New York never had that day
        ("2026-07-20T10:00", "2026-07-20T10:00:00+00:00", True),
    ],
)
def test_times_come_out_in_utc_and_an_assumed_zone_is_recorded(text: str, utc: str, assumed: bool) -> None:
    item = parse_evidence({**ITEMS["capture"], "captured_at": text})
    assert isinstance(item, Capture)
    assert item.captured_at == datetime.fromisoformat(utc)
    assert item.captured_at.tzinfo is UTC
    assert item.tz_assumed is assumed
    assert parse_evidence(content(item)).model_dump() == item.model_dump()


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Tokyo"])
def test_the_machines_zone_changes_nothing(zone: str) -> None:
    script = (
        "import json, sys; from notifier.domain.evidence import parse_evidence, digest;"
        "print(digest(parse_evidence(json.loads(sys.argv[1]))))"
    )
    data = {**ITEMS["capture"], "captured_at": "2025-03-09 02:30:00"}
    argument = repr(data).replace("'", '"')
    done = subprocess.run(
        [sys.executable, "-c", script, argument],
        env={**os.environ, "TZ": zone, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest(parse_evidence(data))


@given(st.datetimes(datetime(1990, 1, 2), datetime(2100, 12, 30)), st.integers(-14 * 60, 14 * 60))
def test_the_same_instant_has_one_digest_whatever_its_offset(moment: datetime, minutes: int) -> None:
    utc = moment.replace(tzinfo=UTC)
    local = utc.astimezone(timezone(timedelta(minutes=minutes)))
    one = parse_evidence({**ITEMS["capture"], "captured_at": utc.isoformat()})
    two = parse_evidence({**ITEMS["capture"], "captured_at": local.isoformat()})
    assert digest(one) == digest(two)


@pytest.mark.parametrize("at", ["1990-01-01T00:00:00+23:59", "2100-12-31T23:59:59-23:59"])
def test_a_time_outside_the_years_in_utc_is_refused(at: str) -> None:
    """It is stored in UTC, and what was taken must be readable again."""
    with pytest.raises(ValueError, match="1990 to 2100"):
        parse_evidence({**ITEMS["capture"], "captured_at": at})


def test_a_digest_is_the_hash_of_the_canonical_form() -> None:
    text = (
        '{"captured_at":"2026-07-20T10:00:00Z","kind":"capture","sha256":"' + SHA + '",'
        '"url":"https://evil.example/a","vantage":"us"}'
    )
    assert digest(parse_evidence(ITEMS["capture"])) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("key", ["vantage", "url", "sha256", "captured_at"])
def test_a_digest_moves_with_every_field(key: str) -> None:
    changed = {
        "vantage": "gb",
        "url": "https://evil.example/b",
        "sha256": "f" * 64,
        "captured_at": "2026-07-20T10:00:01Z",
    }
    assert digest(parse_evidence({**ITEMS["capture"], key: changed[key]})) != digest(parse_evidence(ITEMS["capture"]))


def test_an_explicit_default_is_the_same_evidence() -> None:
    spelled = {**ITEMS["capture"], "shows": [], "finding": None, "tz_assumed": False}
    assert digest(parse_evidence(spelled)) == digest(parse_evidence(ITEMS["capture"]))


def test_a_payment_needs_an_authority() -> None:
    paid = {**ITEMS["test_purchase"], "paid": True}
    with pytest.raises(ValidationError, match="who allowed it"):
        parse_evidence(paid)
    assert parse_evidence({**paid, "authority": "State board, undercover order"})
    assert faults({**ITEMS["test_purchase"], "paid": "false"}) == {"paid"}


def test_a_letter_is_not_received_before_it_is_issued() -> None:
    with pytest.raises(ValidationError, match="before it is issued"):
        parse_evidence({**LETTER, "received_on": "2022-08-15"})
    assert parse_evidence({**LETTER, "received_on": "2022-08-16"})


@pytest.mark.parametrize("days", [0, 121, "15", True])
def test_working_days_of_a_letter_are_bounded(days: object) -> None:
    due = {"working_days": days, "calendar": "us-federal"}
    assert faults({**LETTER, "response_due": due}) == {"response_due.working_days"}


@pytest.mark.parametrize("day", ["2022-08-16T00:00:00Z", "16.08.2022", 20220816, "1922-08-16", ""])
def test_a_letters_day_is_a_calendar_day(day: object) -> None:
    assert faults({**LETTER, "issued_on": day}) == {"issued_on"}


def test_lists_are_bounded() -> None:
    page = ITEMS["sample"]["items"][0]
    assert faults({**ITEMS["sample"], "items": []}) == {"items"}
    assert faults({**ITEMS["sample"], "items": [page] * 2_001}) == {"items"}
    assert faults({**LETTER, "domains": ["a.example"] * 1_001}) == {"domains"}


def test_an_item_cannot_be_changed() -> None:
    item = parse_evidence(ITEMS["capture"])
    with pytest.raises(ValidationError):
        item.vantage = "gb"  # type: ignore[union-attr, misc]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(ITEMS)), st.data())
def test_any_json_in_any_field_is_accepted_or_refused_and_nothing_else(kind: str, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(ITEMS[kind])))
    try:
        item = parse_evidence({**ITEMS[kind], key: data.draw(JSON)})
    except ValidationError:
        return
    assert parse_evidence(content(item)) == item
