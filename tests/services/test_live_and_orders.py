"""Live events and orders on stage: what leaves, in what words, and that nothing leaves once the event is over."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from notifier import resources
from notifier.errors import Conflict
from notifier.services import agreements, review
from notifier.services.access import Principal, Role
from tests.services.stages import ADA, BORIS, RITA, Stage, agree

Json = dict[str, Any]
ENDS = datetime(2026, 11, 2, 15, 30, tzinfo=UTC)  # config/events/sample.toml


def sample(program: str) -> Json:
    lines = (resources.folder("config") / "samples" / "more.ndjson").read_text(encoding="utf-8").splitlines()
    return next(row for row in map(json.loads, lines) if row["program"] == program)


def text_of(stage: Stage) -> str:
    mail = message_from_bytes(stage.received()[0].raw, policy=default)
    part = next(p for p in mail.walk() if p.get_content_type() == "text/plain")
    return " ".join(str(part.get_content()).split())


async def moved(stage: Stage, report: Json, by: timedelta) -> Json:
    """The report as it would be made `by` later: every instant of its evidence moves along."""
    text = json.dumps(report)
    for hour in range(6, 15):
        for minute in range(60):
            for second in ("00", "40"):
                old = f"2026-11-02T{hour:02}:{minute:02}:{second}Z"
                if old in text:
                    text = text.replace(old, f"<{(datetime.fromisoformat(old) + by).isoformat()}>")
    return json.loads(text.replace("<", "").replace(">", ""))


async def test_an_order_goes_out_whole(stage: Stage) -> None:
    await agree(stage, "authority-order")
    said = await stage.submit(sample("authority-order"))
    assert said.state == "in_review", said.findings
    case_id = str(said.case_id)
    await stage.r.quiet()
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"]) == ("notified", None)
    text = text_of(stage)
    for words in (
        "Order SAMPLE-ORDER-202 of Sample District Court, 2026-10-20, US (final).",
        "It rests on: 17 U.S.C. 502.",
        "It orders: Sample: the registry is told to take the name out of the zone.",
        "How it can be reviewed: Sample: any party affected may apply to the court within 14 days.",
        "order of Sample District Court SAMPLE-ORDER-202, issued 2026-10-20",
        "We pass the order on and are not its author.",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"domains": ["other.com"]}, "order-names-target"),
        ({"expires_on": "2026-11-01"}, "order-in-force"),
        ({"standing": "stayed"}, "order-in-force"),
        ({"jurisdiction": "DE"}, "order-jurisdiction"),
    ],
)
async def test_an_order_that_does_not_hold_comes_to_no_review(stage: Stage, changes: Json, rule: str) -> None:
    report = sample("authority-order")
    report["evidence"][0].update(changes)
    said = await stage.submit(report)
    assert said.state == "needs_evidence"
    assert [f.rule for f in said.findings if f.result == "fail"] == [rule]


async def test_an_order_never_reaches_a_registry_about_a_shared_name(stage: Stage) -> None:
    await agree(stage, "authority-order")
    report = json.loads(
        json.dumps(sample("authority-order")).replace(sample("authority-order")["domain"], "a.blogspot.com")
    )
    said = await stage.submit(report)
    assert said.safety == "reroute"
    assert (await stage.case(str(said.case_id)))["agreement"] is None


async def test_a_stream_is_asked_about_while_the_event_runs(stage: Stage) -> None:
    await agree(stage, "live-event")
    said = await stage.submit(sample("live-event"))
    assert said.state == "in_review", [f for f in said.findings if f.result != "pass"]
    case_id = str(said.case_id)
    await stage.r.quiet()
    shown = await stage.preview(case_id)
    assert shown.verdict.sufficient, shown.verdict.blocking
    await stage.approve(case_id)
    await stage.r.quiet()  # its cancel window is none
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"]) == ("notified", None)
    text = text_of(stage)
    for words in (
        "Event sample-final-2026",
        "released at 2026-11-02 16:00:00 UTC at the latest",
        "40 s behind the feed",
        "This notice lapses on 2026-11-02 16:00 UTC",
        "only while the event runs",
        "Sample: 24 of 24 pages.",
    ):
        assert words in text


async def test_nothing_leaves_once_the_event_is_over(stage: Stage) -> None:
    await agree(stage, "live-event")
    await stage.r.advance_to(ENDS - timedelta(minutes=2))
    report = await moved(stage, sample("live-event"), timedelta(minutes=88))
    said = await stage.submit(report)
    assert said.state == "in_review", [f for f in said.findings if f.result != "pass"]
    case_id = str(said.case_id)
    await stage.r.quiet()
    await stage.r.advance_to(ENDS - timedelta(seconds=30))
    await agreements.disarm(stage.ctx, ADA, "live-event.verisign")  # approved in time, and it may not leave yet
    await stage.approve(case_id)
    await stage.pass_time(minutes=2)
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, "live-event.verisign")
    await stage.r.quiet()
    assert (await stage.state(case_id), stage.received()) == ("needs_evidence", [])
    assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]


async def test_nobody_approves_after_the_event(stage: Stage) -> None:
    await agree(stage, "live-event")
    await stage.r.advance_to(ENDS - timedelta(minutes=2))
    said = await stage.submit(await moved(stage, sample("live-event"), timedelta(minutes=88)))
    case_id = str(said.case_id)
    await stage.r.quiet()
    await stage.r.advance_to(ENDS)
    digest = (await stage.preview(case_id)).digest
    with pytest.raises(Conflict) as raised:
        await review.approve(stage.ctx, RITA, case_id, digest)
    assert raised.value.code == "not_sufficient"


async def test_before_the_event_a_case_waits_for_it(stage: Stage) -> None:
    report = sample("live-event")
    stage.ctx.catalog.events["sample-final-2026"] = replace(  # type: ignore[index]
        stage.ctx.catalog.events["sample-final-2026"], starts=datetime(2026, 11, 2, 14, 5, tzinfo=UTC)
    )
    for point in report["evidence"][0]["points"]:
        for key in point:
            if key.endswith("_at"):
                point[key] = (datetime.fromisoformat(point[key]) + timedelta(minutes=15)).isoformat()
    said = await stage.submit(report)
    assert said.state == "needs_evidence"
    window = next(f for f in said.findings if f.rule == "event-window")
    assert "opens at 2026-11-02 14:05 UTC" in window.why
    assert window.again_at == datetime(2026, 11, 2, 14, 5, tzinfo=UTC)


async def test_who_was_not_approved_before_and_who_comes_after_it_is_told_so(stage: Stage) -> None:
    report = sample("live-event")
    stranger = Principal("Stan Stranger", "person", Role.SUBMITTER, organisation="another-league")
    shared = json.loads(json.dumps(report).replace(report["domain"], "a.blogspot.com"))
    said = await stage.submit(report, stranger)
    (window,) = [f for f in said.findings if f.rule == "event-window"]
    assert (said.state, window.result) == ("needs_evidence", "fail")
    assert "another-league is not approved for sample-final-2026" in window.why
    rerouted = await stage.submit(shared)
    assert rerouted.safety == "reroute", "a platform is nobody's to hold"
    assert (await stage.case(str(rerouted.case_id)))["agreement"] is None
    await stage.r.advance_to(ENDS)
    late = json.loads(json.dumps(report).replace(report["domain"], "late-films.com"))
    (window,) = [f for f in (await stage.submit(late)).findings if f.rule == "event-window"]
    assert (window.result, window.why) == (
        "fail",
        "sample-final-2026 was over at 2026-11-02 15:30 UTC, and nothing is asked for after that",
    )
