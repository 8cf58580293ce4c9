"""Moments of the day at which a recipient wants to hear from us, in its own zone. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from notifier.domain.calendar import Calendar
from notifier.errors import Invalid

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_SATURDAY = 5
_FAR = 60  # days; no run of days off is longer


@dataclass(frozen=True, slots=True)
class Moments:
    """`at`: wall times in the IANA zone `zone`, on every day, or on the working days of `calendar`.

    A time that a clock change leaves out is the next one that exists; one that it repeats is used at its first.
    """

    at: tuple[time, ...]
    zone: str
    calendar: str = ""

    def after(self, now: datetime, calendars: Mapping[str, Calendar]) -> datetime:
        """The first moment after aware `now`, UTC."""
        today = self._today(now)
        for ahead in range(-1, _FAR):
            for moment in self._of(today + ahead * _DAY, calendars):
                if moment > now:
                    return moment
        raise Invalid(f"no working day of {self.calendar} lies within {_FAR} days")

    def latest(self, now: datetime, calendars: Mapping[str, Calendar]) -> datetime:
        """The last moment at or before aware `now`, UTC."""
        today = self._today(now)
        for back in range(-1, _FAR):
            for moment in reversed(list(self._of(today - back * _DAY, calendars))):
                if moment <= now:
                    return moment
        raise Invalid(f"no working day of {self.calendar} lies within {_FAR} days")

    def _today(self, now: datetime) -> date:
        return now.astimezone(ZoneInfo(self.zone)).date()

    def _of(self, day: date, calendars: Mapping[str, Calendar]) -> Iterator[datetime]:
        """The moments of one local day, in order."""
        if self._is_used(day, calendars):
            yield from sorted({self._instant(day, at) for at in self.at})

    def _is_used(self, day: date, calendars: Mapping[str, Calendar]) -> bool:
        if not self.calendar:
            return True
        try:
            return calendars[self.calendar].is_working_day(day)
        except (
            Invalid,
            KeyError,
        ):  # beyond the years it lists: a mail on a holiday harms nobody, and none at all would
            return day.weekday() < _SATURDAY

    def _instant(self, day: date, at: time) -> datetime:
        zone = ZoneInfo(self.zone)
        wall = datetime.combine(day, at)
        while True:
            found = wall.replace(tzinfo=zone).astimezone(UTC)  # fold 0: of a time that is there twice, the first
            if found.astimezone(zone).replace(tzinfo=None) == wall:
                return found
            wall = wall.replace(second=0) + _MINUTE
