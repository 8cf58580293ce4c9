"""The times of an agreement: the recipient's clocks, how fast and when it is written to, how often it is asked."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from notifier.catalog.model import AnswerClock
from notifier.catalog.reading import Table
from notifier.domain.calendar import Calendar
from notifier.domain.moments import Moments
from notifier.domain.pace import Pace
from notifier.domain.polling import Polling
from notifier.domain.program import parse_duration, parse_wait

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z")


def read_clock(table: Table, calendars: Mapping[str, Calendar]) -> AnswerClock | None:
    """One clock, or None and its faults."""
    wait = table.get("within", parse_wait, "a duration such as 72h, or {working_days, calendar}")
    commitment = table.get("commitment", lambda v: v if v in ("none", "agreed") else None, "one of none, agreed")
    table.nothing_else()
    if wait is not None and wait.working_days and wait.calendar not in calendars:
        table.fault("within", f"there is no calendar {wait.calendar}", f"one of {', '.join(sorted(calendars))}")
    return None if wait is None or commitment is None else AnswerClock(wait, commitment)


def read_pace(table: Table) -> Pace:
    """How fast the recipient wants to be written to; what is not said is as everywhere."""
    if "pace" not in table.data:
        return Pace()
    found, usual = table.table("pace"), asdict(Pace())
    read = {key: found.get(key, _a_count, "a whole number from 1 to 1000000", usual[key]) for key in usual}
    found.nothing_else()
    return Pace(**{key: value or usual[key] for key, value in read.items()})


def read_polling(table: Table) -> Polling:
    """How often a recipient that can be asked is asked; what is not said is as everywhere."""
    usual = Polling()
    if "poll" not in table.data:
        return usual
    found, expected = table.table("poll"), "a duration of a minute at least, such as 1h"
    first = found.get("first", _a_wait, expected, usual.first) or usual.first
    longest = found.get("longest", _a_wait, expected, max(usual.longest, first)) or usual.longest
    found.nothing_else()
    if longest < first:
        found.fault("longest", "is shorter than first", "a duration that is not")
    return Polling(first, longest)


def read_batch(table: Table, calendars: Mapping[str, Calendar]) -> Moments | None:
    """When requests leave; None: at once."""
    return _moments(table, "batch", _times, 'a list of times of day such as ["09:00", "15:00"], each once', calendars)


def read_daily(table: Table, calendars: Mapping[str, Calendar]) -> Moments | None:
    """When the recipient gets a list of what is open; None: never."""
    return _moments(table, "digest", _one_time, 'a time of day such as "08:00"', calendars)


def _moments(
    table: Table,
    key: str,
    read: Callable[[Any], tuple[time, ...] | None],
    expected: str,
    calendars: Mapping[str, Calendar],
) -> Moments | None:
    if key not in table.data:
        return None
    found = table.table(key)
    at = found.get("at", read, expected)
    zone = found.get("zone", _a_zone, "an IANA zone such as America/New_York")
    days = found.get("days", lambda v: v if v in ("working", "all") else None, "one of working, all", "all")
    calendar = found.text("calendar") if days == "working" or "calendar" in found.data else ""
    found.nothing_else()
    if calendar and days != "working":
        found.fault("calendar", "is given beside every day", 'days = "working" with it')
    elif calendar and calendar not in calendars:
        found.fault("calendar", f"there is no calendar {calendar}", f"one of {', '.join(sorted(calendars))}")
    return None if at is None or zone is None else Moments(at, zone, calendar)


def _a_time(value: Any) -> time | None:
    match = _TIME.match(value) if isinstance(value, str) else None
    return time(int(match[1]), int(match[2])) if match else None


def _one_time(value: Any) -> tuple[time, ...] | None:
    at = _a_time(value)
    return None if at is None else (at,)


def _times(value: Any) -> tuple[time, ...] | None:
    found = [at for item in value if (at := _a_time(item)) is not None] if isinstance(value, list) else []
    whole = bool(found) and len(found) == len(value) == len(set(found))
    return tuple(sorted(found)) if whole else None


def _a_zone(value: Any) -> str | None:
    try:
        return ZoneInfo(value).key if isinstance(value, str) else None
    except (KeyError, ValueError, OSError):  # not found; path-like; a folder such as Europe
        return None


def _a_count(value: Any) -> int | None:
    return value if type(value) is int and 1 <= value <= 1_000_000 else None


def _a_wait(value: Any) -> timedelta | None:
    span = parse_duration(value)
    return span if span is not None and span.total_seconds() >= 60 else None
