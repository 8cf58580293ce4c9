"""Working days. A calendar knows only the years whose holidays it lists; outside them it refuses to count."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from notifier.errors import Invalid

Fault = tuple[str, str, str]
_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """`holidays`: days off beside Saturday and Sunday. `covers`: first and last day known."""

    id: str
    timezone: str
    holidays: frozenset[date]
    covers: tuple[date, date]

    def is_working_day(self, day: date) -> bool:
        """Raises Invalid (`calendar_exhausted`) for a day outside `covers`."""
        first, last = self.covers
        if not first <= day <= last:
            raise Invalid(
                f"calendar {self.id} lists holidays from {first} to {last} only, and {day} is outside",
                code="calendar_exhausted",
            )
        return day.weekday() < _SATURDAY and day not in self.holidays

    def add_working_days(self, start: date, n: int) -> date:
        """The nth working day after `start`, which is not counted. Raises Invalid as above, or when n < 1."""
        if n < 1:
            raise Invalid(f"{n} working days cannot be counted; give 1 or more")
        self.is_working_day(start)
        day = start
        while n:
            day += _DAY
            n -= self.is_working_day(day)
        return day

    def deadline(self, start: date, n: int) -> datetime:
        """The instant, in UTC, when the nth working day after `start` is over in the calendar's zone.

        A deadline has passed from this instant on and not one minute before. Raises Invalid as above.
        """
        morning_after = self.add_working_days(start, n) + _DAY
        return datetime.combine(morning_after, time(), ZoneInfo(self.timezone)).astimezone(UTC)

    def local_day(self, moment: datetime) -> date:
        """The day it is in the calendar's zone at an aware `moment`."""
        return moment.astimezone(ZoneInfo(self.timezone)).date()


@dataclass(frozen=True, slots=True)
class Wait:
    """How long something may take: either a fixed `length`, or working days of a calendar."""

    length: timedelta = timedelta()
    working_days: int = 0
    calendar: str = ""

    def ends(self, start: datetime, calendars: Mapping[str, Calendar]) -> datetime:
        """When a wait begun at aware `start` is over, UTC. Raises Invalid: calendar unknown or exhausted."""
        if not self.working_days:
            return start.astimezone(UTC) + self.length
        calendar = calendars.get(self.calendar)
        if calendar is None:
            raise Invalid(f"there is no calendar {self.calendar!r}", code="unknown_calendar")
        return calendar.deadline(calendar.local_day(start), self.working_days)


def parse_calendar(data: Mapping[str, Any]) -> tuple[Calendar | None, list[Fault]]:
    """A calendar from decoded TOML: `id, name, timezone, source, covers = [first, last], holidays = [days]`.

    Every fault is listed as (key, what, expected); the calendar is None if there is any.
    """
    faults: list[Fault] = []
    texts: dict[str, str] = {}
    for key in ("id", "name", "timezone", "source"):
        value = data.get(key)
        if isinstance(value, str) and value.strip():
            texts[key] = value
        else:
            faults.append((key, f"is {value!r}", "a text"))
    faults += [(key, "is not known here", "no such key") for key in data.keys() - _KEYS]
    if "timezone" in texts:
        try:
            ZoneInfo(texts["timezone"])
        except (KeyError, ValueError, OSError):  # not found; path-like; a folder such as Europe
            faults.append(("timezone", f"is {texts['timezone']!r}", "an IANA zone such as Europe/London"))
    covers = _days(data, "covers", faults)
    if len(covers) != 2 or covers[0] >= covers[1]:
        faults.append(("covers", f"is {data.get('covers')!r}", "the first and the last day, in this order"))
    holidays = _days(data, "holidays", faults)
    if len(set(holidays)) != len(holidays):
        faults.append(("holidays", "lists a day twice", "each day once"))
    weekend = [str(day) for day in holidays if day.weekday() >= _SATURDAY]
    if weekend:  # it changes nothing, and the observed day was most likely meant
        faults.append(("holidays", f"lists {', '.join(weekend[:3])}, on a weekend", "the day on which it is observed"))
    if len(covers) == 2 and any(not covers[0] <= day <= covers[1] for day in holidays):
        faults.append(("holidays", "lists a day outside `covers`", "days inside"))
    if faults:
        return None, faults
    return Calendar(texts["id"], texts["timezone"], frozenset(holidays), (covers[0], covers[1])), []


_KEYS = {"id", "name", "timezone", "source", "covers", "holidays"}


def _days(data: Mapping[str, Any], key: str, faults: list[Fault]) -> list[date]:
    value = data.get(key)
    if not isinstance(value, list) or any(type(day) is not date for day in value):
        faults.append((key, f"is {value!r:.60}", "a list of TOML days such as 2026-12-25"))
        return []
    return value
