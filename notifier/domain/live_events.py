"""Live events that were registered ahead: when each runs, and which organisations may report about it.

Instants carry their zone, so an event neither moves with a clock change nor with the machine it is read on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

Fault = tuple[str, str, str]

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_MARGIN = re.compile(r"(\d{1,4}) ?(min|h)\Z")
_KEYS = frozenset({"id", "title", "starts", "ends", "margin", "organisations", "feed", "on_duty"})
_MAX_MARGIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Hold:
    """What a notice asks for because of an event: until its end, and back when its margin is over."""

    event: str
    until: datetime
    release_by: datetime


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event. `starts` and `ends` are UTC: what is held because of it is asked to be restored at the end, and must be
    back `margin` later.

    `organisations` may report about it; `feed` is the official feed that streams are held against. `on_duty`: who may
    approve alone while it runs; empty: nobody may.
    """

    id: str
    program: str
    title: str
    starts: datetime
    ends: datetime
    margin: timedelta
    organisations: frozenset[str]
    feed: str
    on_duty: frozenset[str] = frozenset()

    @property
    def released(self) -> datetime:
        """When everything that was asked for because of it must be undone, UTC."""
        return self.ends + self.margin

    @property
    def hold(self) -> Hold:
        """As it would be asked for now."""
        return Hold(self.id, self.ends, self.released)

    def is_on_duty(self, person: str) -> bool:
        """Whether this person may approve alone, with a second look afterwards."""
        return person in self.on_duty


def parse_events(data: Mapping[str, Any]) -> tuple[tuple[LiveEvent, ...], list[Fault]]:
    """Events from decoded TOML: `program`, and `[[events]]` each with id, title, starts, ends, margin, organisations, feed.

    Every fault is listed as (key, what, expected); a faulty event is left out.
    """
    faults: list[Fault] = [
        (key, "is not known here", "program and [[events]]") for key in sorted(data.keys() - {"program", "events"})
    ]
    program = data.get("program")
    if not isinstance(program, str) or not program.strip():
        faults.append(("program", f"is {program!r:.60}" if "program" in data else "is missing", "the id of a program"))
        program = ""
    rows = data.get("events")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        faults.append(("events", "is missing" if rows is None else f"is {rows!r:.60}", "one or more tables [[events]]"))
        rows = []
    found: list[LiveEvent] = []
    for place, row in enumerate(rows):
        event = _event(row, program, f"events[{place}].", faults)
        if event is not None and any(event.id == other.id for other in found):
            faults.append((f"events[{place}].id", f"{event.id} stands twice", "each id once"))
        elif event is not None:
            found.append(event)
    return tuple(found), faults


def _event(row: Mapping[str, Any], program: str, path: str, faults: list[Fault]) -> LiveEvent | None:
    before = len(faults)

    def wrong(key: str, expected: str) -> None:
        what = f"is {row[key]!r:.60}" if key in row else "is missing"
        faults.append((f"{path}{key}", what, expected))

    for key in ("title", "feed"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            wrong(key, "a text")
    if not isinstance(row.get("id"), str) or not _ID.match(row["id"]):
        wrong("id", "lower-case letters, digits and hyphens")
    for key in ("starts", "ends"):
        if not isinstance(row.get(key), datetime) or row[key].tzinfo is None:
            wrong(key, "a TOML date-time with its zone, such as 2026-11-02T18:00:00Z or 2026-11-02T19:00:00+01:00")
    margin = parse_margin(row.get("margin"))
    if margin is None:
        wrong("margin", "up to 24h, such as 30min")
    named, on_duty = row.get("organisations"), row.get("on_duty", [])
    if not named or not _names(named):
        wrong("organisations", "a list of organisations, each once")
    if not _names(on_duty) or ("on_duty" in row and not on_duty):
        wrong("on_duty", "a list of people as `notifier user` has them, each once, or no such key")
    faults += [(f"{path}{key}", "is not known here", ", ".join(sorted(_KEYS))) for key in sorted(row.keys() - _KEYS)]
    if len(faults) == before and row["starts"] >= row["ends"]:
        wrong("ends", "an instant after `starts`")
    if len(faults) > before or margin is None or not isinstance(named, list):
        return None
    return LiveEvent(
        id=row["id"],
        program=program,
        title=row["title"].strip(),
        starts=row["starts"].astimezone(UTC),
        ends=row["ends"].astimezone(UTC),
        margin=margin,
        organisations=frozenset(named),
        feed=row["feed"].strip(),
        on_duty=frozenset(on_duty),
    )


def _names(value: object) -> bool:
    """Whether it is a list of texts, each once."""
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        return False
    return len(set(value)) == len(value)


def parse_margin(value: object) -> timedelta | None:
    """`30min` or `2h`, up to a day; None for anything else."""
    match = _MARGIN.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    span = timedelta(**{{"min": "minutes", "h": "hours"}[match[2]]: int(match[1])})
    return span if span <= _MAX_MARGIN else None
