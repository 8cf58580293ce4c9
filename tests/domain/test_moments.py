"""Moments of the day, held against the published clock changes of New York: 8 March and 1 November 2026, and of Samoa,
which had no 30 December 2011."""

from datetime import UTC, date, datetime, time

import pytest

from notifier.domain.calendar import Calendar
from notifier.domain.moments import Moments
from notifier.errors import Invalid

NY = "America/New_York"
CALENDARS = {"c": Calendar("c", NY, frozenset({date(2026, 11, 11)}), (date(2026, 1, 1), date(2026, 12, 31)))}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def moments(*times: str, zone: str = NY, calendar: str = "") -> Moments:
    return Moments(tuple(time.fromisoformat(t) for t in times), zone, calendar)


@pytest.mark.parametrize(
    ("now", "after", "latest"),
    [
        ("2026-11-02T13:59", "2026-11-02T14:00", "2026-11-01T20:00"),
        ("2026-11-02T14:00", "2026-11-02T20:00", "2026-11-02T14:00"),
        ("2026-11-02T23:00", "2026-11-03T14:00", "2026-11-02T20:00"),
        ("2026-10-30T23:00", "2026-10-31T13:00", "2026-10-30T19:00"),  # daylight saving time: four hours
    ],
)
def test_every_day(now: str, after: str, latest: str) -> None:
    found = moments("09:00", "15:00")
    assert (found.after(at(now), {}), found.latest(at(now), {})) == (at(after), at(latest))


@pytest.mark.parametrize(
    ("now", "after", "latest"),
    [
        ("2026-11-06T21:00", "2026-11-09T14:00", "2026-11-06T14:00"),  # Friday to Monday
        ("2026-11-10T21:00", "2026-11-12T14:00", "2026-11-10T14:00"),  # over Veterans Day
        ("2026-12-31T21:00", "2027-01-01T14:00", "2026-12-31T14:00"),  # beyond the calendar a weekday counts
        ("2027-01-01T21:00", "2027-01-04T14:00", "2027-01-01T14:00"),
    ],
)
def test_working_days(now: str, after: str, latest: str) -> None:
    found = moments("09:00", calendar="c")
    assert (found.after(at(now), CALENDARS), found.latest(at(now), CALENDARS)) == (at(after), at(latest))


def test_a_moment_that_does_not_exist_is_the_next_one_that_does() -> None:
    found = moments("02:30", "03:00")  # the clock goes from 02:00 to 03:00: both are 03:00, once
    assert found.after(at("2026-03-08T05:00"), {}) == at("2026-03-08T07:00")
    assert found.after(at("2026-03-08T07:00"), {}) == at("2026-03-09T06:30")
    assert moments("09:00", zone="Pacific/Apia").after(at("2011-12-29T20:00"), {}) == at("2011-12-30T10:00")


def test_a_moment_that_exists_twice_is_used_once() -> None:
    found = moments("01:30")  # 05:30 UTC in daylight saving time, 06:30 UTC after it
    assert found.after(at("2026-11-01T00:00"), {}) == at("2026-11-01T05:30")
    assert found.after(at("2026-11-01T05:30"), {}) == at("2026-11-02T06:30")
    assert found.latest(at("2026-11-01T06:30"), {}) == at("2026-11-01T05:30")


def test_a_calendar_without_a_working_day_is_no_endless_search() -> None:
    off = frozenset(date.fromordinal(n) for n in range(date(2026, 1, 1).toordinal(), date(2027, 1, 1).toordinal()))
    never = {"c": Calendar("c", NY, off, (date(2026, 1, 1), date(2026, 12, 31)))}
    with pytest.raises(Invalid):
        moments("09:00", calendar="c").after(at("2026-05-01T00:00"), never)
