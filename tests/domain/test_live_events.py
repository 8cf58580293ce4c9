"""Registered events: instants that no zone and no clock change moves, and every fault named by its key."""

import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.domain.live_events import LiveEvent, parse_events

ROW: dict[str, Any] = {
    "id": "final-2026",
    "title": "Final",
    "starts": datetime(2026, 7, 19, 19, 0, tzinfo=UTC),
    "ends": datetime(2026, 7, 19, 21, 30, tzinfo=UTC),
    "margin": "30min",
    "organisations": ["league"],
    "feed": "feed-1",
}


def parsed(*rows: dict[str, Any], **root: Any) -> tuple[tuple[LiveEvent, ...], list[tuple[str, str, str]]]:
    return parse_events({"program": "live-event", "events": list(rows), **root})


def test_a_sound_event() -> None:
    (event,), faults = parsed(ROW)
    assert faults == []
    assert (event.id, event.program, event.organisations) == ("final-2026", "live-event", frozenset({"league"}))
    assert event.released == datetime(2026, 7, 19, 22, 0, tzinfo=UTC)


# 2:30 in the night of 25 October 2026 happens twice in Madrid: an offset says which.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-25T02:30:00+02:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-10-25T02:30:00+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("2026-10-25T02:30:00Z", datetime(2026, 10, 25, 2, 30, tzinfo=UTC)),
    ],
)
def test_an_offset_tells_the_two_hours_of_a_clock_change_apart(text: str, expected: datetime) -> None:
    row = tomllib.loads(f"starts = {text}") | {"ends": expected + timedelta(hours=1)}
    (event,), _ = parsed({**ROW, **row})
    assert event.starts == expected
    assert event.starts.tzinfo is UTC


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo", "Etc/UTC"])
def test_the_machine_s_zone_does_not_matter(zone: str) -> None:
    code = (
        "import tomllib; from notifier.domain.live_events import parse_events; from pathlib import Path;"
        "from notifier.resources import folder;"
        "e = parse_events(tomllib.loads((folder('config') / 'events/sample.toml').read_text()))[0][0];"
        "print(e.starts.isoformat(), e.released.isoformat())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TZ": zone}, capture_output=True, check=True, text=True
    )
    assert said.stdout.split() == ["2026-11-02T13:00:00+00:00", "2026-11-02T16:00:00+00:00"]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"id": "Final 2026"}, "events[0].id"),
        ({"id": 7}, "events[0].id"),
        ({"title": " "}, "events[0].title"),
        ({"starts": datetime(2026, 7, 19, 19, 0)}, "events[0].starts"),  # no zone
        ({"starts": "2026-07-19T19:00:00Z"}, "events[0].starts"),
        ({"ends": datetime(2026, 7, 19, 19, 0, tzinfo=UTC)}, "events[0].ends"),  # ends as it starts
        ({"margin": "3d"}, "events[0].margin"),
        ({"margin": "25h"}, "events[0].margin"),
        ({"organisations": []}, "events[0].organisations"),
        ({"organisations": ["a", "a"]}, "events[0].organisations"),
        ({"feed": None}, "events[0].feed"),
        ({"channel": "x"}, "events[0].channel"),
    ],
)
def test_a_fault_names_its_key(change: dict[str, Any], key: str) -> None:
    events, faults = parsed({**ROW, **change})
    assert events == ()
    assert [fault[0] for fault in faults] == [key]
    assert all(what and expected for _, what, expected in faults)


def test_faults_of_the_file() -> None:
    assert {fault[0] for fault in parse_events({})[1]} == {"program", "events"}
    assert {fault[0] for fault in parsed(ROW, year=2026)[1]} == {"year"}
    assert {fault[0] for fault in parsed(ROW, ROW)[1]} == {"events[1].id"}
    assert {fault[0] for fault in parse_events({"program": "p", "events": "all"})[1]} == {"events"}


def test_who_is_on_duty_may_approve_alone_and_without_a_rota_nobody_may() -> None:
    (event,), faults = parsed({**ROW, "on_duty": ["Rita Reviewer"]})
    assert faults == []
    assert (event.is_on_duty("Rita Reviewer"), event.is_on_duty("Rolf Reviewer")) == (True, False)
    (no_rota,), _ = parsed(ROW)
    assert not no_rota.is_on_duty("Rita Reviewer")


@pytest.mark.parametrize("rota", [[], ["Rita", "Rita"], "Rita", [""], [7]])
def test_a_rota_names_people_each_once(rota: object) -> None:
    events, faults = parsed({**ROW, "on_duty": rota})
    assert (events, [key for key, _, _ in faults]) == ((), ["events[0].on_duty"])
