"""What a notice gives as its reasons: the evidence that counts, never more, and the same whenever it is asked."""

from datetime import timedelta

import pytest

from notifier.domain import grounds
from tests.domain.drafts import (
    CALENDARS,
    EVENT,
    NOW,
    PROGRAMS,
    TARGET,
    Draft,
    ago,
    capture,
    good,
    letter,
    licence,
    order,
    point,
    sample,
    stream,
)


def told(program: str, draft: Draft) -> str:
    return "\n".join(grounds.grounds(PROGRAMS[program], draft.facts()))


def test_an_order_is_told_whole() -> None:
    draft = good("authority-order")
    draft.change(
        "court_order", reasons="Whole films.", redress="Appeal in 14 days.", report_effect_to="clerk", standing="final"
    )
    draft.evidence.append(order(reference="26-cv-2", domains=["other.example"]))
    said = told("authority-order", draft)
    for words in (
        "Order 26-cv-1 of District Court, 2026-07-01, US-CA (final).",
        "It rests on: 17 U.S.C. 502.",
        "It orders: The registry shall hold the name.",
        "Whole films.",
        "Appeal in 14 days.",
        "To be told what was done: clerk",
        f"sha256 {'d' * 64}.",
    ):
        assert words in said
    assert "26-cv-2" not in said


def test_a_stream_and_its_event_are_told_with_their_times() -> None:
    draft = good("live-event")
    draft.evidence.append(stream(url="https://other.example/"))
    said = told("live-event", draft)
    assert "Event final-2026, Final: from 2026-07-20 11:00:00 UTC to 2026-07-20 13:00:00 UTC." in said
    assert "released at 2026-07-20 13:30:00 UTC at the latest" in said
    assert (
        "3 moments of it, from 2026-07-20 11:52:40 UTC to 2026-07-20 11:56:40 UTC, 97 to 97 % alike, 40 s behind"
        in said
    )
    assert "other.example" not in said


def test_limbs_and_registers_are_told() -> None:
    draft = good("pharmacy")
    draft.swap(
        "capture",
        capture("/buy", limb="unapproved_drug", offers="Ultrum"),
        capture("/x", limb="unlicensed", finding="lawful"),
    )
    draft.evidence.append(licence("unverified", source="NABP"))
    assert told("pharmacy", draft).splitlines() == [
        f"unapproved drug, Ultrum: seen at https://www.{TARGET}/buy on 2026-07-20 07:00:00 UTC from residential-us.",
        "Ohio Board of Pharmacy (US-OH): unlicensed, read on 2026-07-18 12:00:00 UTC.",
    ]


def test_what_is_older_than_the_registration_is_no_ground() -> None:
    draft = good("pharmacy")
    draft.registered_at = NOW
    assert told("pharmacy", draft) == ""


def test_the_threshold_counts_what_both_reviewers_found() -> None:
    draft = good("piracy")
    items = [
        {**item, "second_label": "unclear" if i < 4 else "infringing"} for i, item in enumerate(sample(24, 24)["items"])
    ]
    draft.swap("sample", {**sample(), "items": items})
    result = grounds.threshold(PROGRAMS["piracy"], draft.facts())
    assert result is not None
    assert (result.pages, result.infringing) == (24, 20)
    assert grounds.threshold(PROGRAMS["opioids"], draft.facts()) is None


# The event is released 90 minutes from NOW; the program's validity is 6 hours, that of piracy 30 days.
@pytest.mark.parametrize(
    ("program", "window", "expected"),
    [
        ("live-event", "final-2026", EVENT.ends + timedelta(minutes=30)),
        ("live-event", "final-2027", NOW + timedelta(hours=6)),
        ("piracy", "final-2026", NOW + timedelta(days=30)),
    ],
)
def test_a_notice_lapses_with_its_event(program: str, window: str, expected: object) -> None:
    draft = good(program)
    draft.window = window
    assert grounds.lapses(PROGRAMS[program], draft.facts(), NOW) == expected


def test_moments_are_sorted_and_the_delay_is_their_mean() -> None:
    draft = good("live-event")
    draft.swap("stream_match", stream(points=[point(2, 50, 95), point(8, 30), point(5, 40, 91)]))
    assert "91 to 97 % alike, 40 s behind the feed" in told("live-event", draft)
    assert ago(minutes=8)[:16].replace("T", " ") in told("live-event", draft)


def test_a_letter_is_told_once_with_the_instant_its_window_ends() -> None:
    draft = good("opioids")
    draft.evidence.append(letter(response="pending", assessed_at=None, assessed_by=None))
    (paper,) = grounds.papers(PROGRAMS["opioids"], draft.facts(), CALENDARS)
    assert (paper.number, paper.due_on, paper.response) == (
        "MARCS-CMS 634444",
        "2026-07-09 04:00 UTC, 15 working days (us-federal)",
        "none",
    )


def test_each_order_is_told_once() -> None:
    draft = good("authority-order")
    draft.evidence += [order(standing="final"), order(reference="26-cv-2")]
    found = grounds.papers(PROGRAMS["authority-order"], draft.facts(), CALENDARS)
    assert [paper.number for paper in found] == ["26-cv-1", "26-cv-2"]
