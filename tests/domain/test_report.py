"""The report as it comes in: what it needs, what it keeps as given, limits in bytes, and the mark that is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from notifier.domain.report import ReportIn, mentions_csam

BASE: dict[str, Any] = {"program": "piracy", "domain": "evil.example", "summary": "Streams films."}


def types(data: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        ReportIn.model_validate(data)
    return {".".join(map(str, error["loc"])): error["type"] for error in caught.value.errors()}


def test_the_smallest_report_and_what_it_leaves_unknown() -> None:
    report = ReportIn.model_validate(BASE)
    assert (report.urls, report.works, report.evidence, report.priority) == ([], [], [], "normal")
    assert report.statements.good_faith is None
    assert report.statements.laws == []


@pytest.mark.parametrize("given", [{}, {"domain": None}, {"domain": ""}, {"domain": "  ", "urls": []}])
def test_a_report_points_somewhere(given: dict[str, Any]) -> None:
    data = {key: value for key, value in BASE.items() if key != "domain"}
    assert types({**data, **given}) == {"": "no_host"}
    assert ReportIn.model_validate({**data, **given, "urls": ["http://evil.example/"]}).domain is None


@pytest.mark.parametrize("raw", [" http://evil.example", "http://evil.example\t/", "hxxp://evil[.]example/x", "faß.de"])
def test_the_raw_target_is_kept_as_given(raw: str) -> None:
    report = ReportIn.model_validate({**BASE, "domain": raw, "urls": [raw]})
    assert (report.domain, report.urls) == (raw, [raw])


def test_a_repeated_url_counts_once_in_its_first_place() -> None:
    assert ReportIn.model_validate({**BASE, "urls": ["b", "a", "b"]}).urls == ["b", "a"]


@pytest.mark.parametrize(
    ("change", "field", "kind"),
    [
        ({"domain": "evil\x00.example"}, "domain", "control_character"),
        ({"domain": "\ud800"}, "domain", "string_unicode"),
        ({"urls": ["https://evil.example/" + "ü" * 4_086]}, "urls.0", "too_large"),  # 8,193 bytes
        ({"urls": ["u"] * 1_001}, "urls", "too_long"),
        ({"urls": [""]}, "urls.0", "string_too_short"),
        ({"summary": " "}, "summary", "string_too_short"),
        ({"summary": "ü" * 10_001}, "summary", "too_large"),
        ({"program": ""}, "program", "string_too_short"),
        ({"priority": "asap"}, "priority", "literal_error"),
        ({"statements": {"good_faith": "yes"}}, "statements.good_faith", "bool_type"),
        ({"statements": {"promise": True}}, "statements.promise", "extra_forbidden"),
        ({"works": [{"title": "F", "kind": "opera", "right_holder": "A"}]}, "works.0.kind", "literal_error"),
        ({"evidence": [{"kind": "rumour"}]}, "evidence.0", "union_tag_invalid"),
        ({"colour": "red"}, "colour", "extra_forbidden"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str, kind: str) -> None:
    assert types({**BASE, **change}) == {field: kind}


def test_a_url_of_8192_bytes_is_kept() -> None:
    url = "https://evil.example/" + "ü" * 4_085 + "a"
    assert len(url.encode()) == 8_192
    assert ReportIn.model_validate({**BASE, "urls": [url]}).urls == [url]


def test_an_event_is_named_by_its_id_alone() -> None:
    for given in ("final-2026", {"event": "final-2026"}):
        window = ReportIn.model_validate({**BASE, "event_window": given}).event_window
        assert window is not None
        assert (window.event, window.starts, window.ends) == ("final-2026", None, None)
        again = ReportIn.model_validate({**BASE, "event_window": window.model_dump(mode="json", by_alias=True)})
        assert again.event_window == window


@pytest.mark.parametrize(
    "window",
    [{}, {"from": "2026-07-20T18:00:00Z"}, {"event": "x", "to": "2026-07-20T18:00:00Z"}, {"event": ""}, "", 7],
)
def test_half_an_event_window_is_refused(window: object) -> None:
    with pytest.raises(ValidationError):
        ReportIn.model_validate({**BASE, "event_window": window})


def test_a_time_with_and_one_without_a_zone_are_compared_in_utc() -> None:
    window = {"from": "2026-07-20T18:00:00", "to": "2026-07-20T20:00:00+01:00"}
    read = ReportIn.model_validate({**BASE, "event_window": window}).event_window
    assert read is not None
    assert (read.ends, read.tz_assumed) == (datetime(2026, 7, 20, 19, 0, tzinfo=UTC), True)
    late = {"from": "2026-07-20T19:30:00", "to": "2026-07-20T20:00:00+01:00"}
    assert types({**BASE, "event_window": late}) == {"event_window": "event_window"}


def test_an_event_window_is_read_in_utc_and_must_be_in_order() -> None:
    window = {"from": "2026-07-20T20:00:00+02:00", "to": "2026-07-20 20:00"}
    report = ReportIn.model_validate({**BASE, "event_window": window})
    assert report.event_window is not None
    assert report.event_window.starts == datetime(2026, 7, 20, 18, 0, tzinfo=UTC)
    assert report.event_window.ends == datetime(2026, 7, 20, 20, 0, tzinfo=UTC)
    assert report.event_window.tz_assumed
    assert ReportIn.model_validate_json(report.model_dump_json(by_alias=True)) == report
    same_instant = {"from": "2026-07-20T20:00:00+02:00", "to": "2026-07-20 18:00"}
    assert types({**BASE, "event_window": same_instant}) == {"event_window": "event_window"}


def test_the_time_of_a_review_without_a_zone_is_marked() -> None:
    review = {"reviewer": "A", "at": "2026-07-20 10:00:00"}
    report = ReportIn.model_validate({**BASE, "statements": {"human_review": review}})
    assert report.statements.human_review is not None
    assert report.statements.human_review.tz_assumed
    assert report.statements.human_review.at == datetime(2026, 7, 20, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"content_flags": ["csam"]}, True),
        ({"content_flags": ["violence", " CSAM "]}, True),
        ({"category": "child-sexual-abuse-material"}, True),
        ({"category": "Child Sexual Abuse"}, True),
        ({"category": "csem"}, True),
        ({"category": "piracy", "content_flags": ["streaming"]}, False),
        ({"summary": "The site holds no csam; we checked."}, False),
        ({"domain": "csam.example"}, False),
        ({"statements": {"no_csam": True}}, False),
        ({}, False),
    ],
)
def test_only_an_explicit_mark_of_csam_counts(change: dict[str, Any], expected: bool) -> None:
    data = {**BASE, **change}
    assert mentions_csam(data) is expected
    assert mentions_csam(ReportIn.model_validate(data)) is expected


@pytest.mark.parametrize(
    "raw", [{"content_flags": "csam"}, {"content_flags": [3, "csam"]}, {"category": "csam", "urls": 3}]
)
def test_a_mark_is_found_in_a_report_too_broken_to_validate(raw: dict[str, Any]) -> None:
    assert mentions_csam(raw)


def test_a_mark_is_not_found_in_shapes_that_are_none() -> None:
    assert not mentions_csam({"content_flags": {"csam": True}, "category": ["csam"]})


def test_every_field_is_described_for_the_api_page() -> None:
    for name, info in ReportIn.model_fields.items():
        assert info.description, name
