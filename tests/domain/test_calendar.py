"""Working days by hand-counted examples, the shipped calendars by published dates, zones across a clock change."""

import tomllib
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.calendar import Calendar, Wait, parse_calendar
from notifier.errors import Invalid
from notifier.resources import folder


def load(calendar_id: str) -> Calendar:
    path = folder("config") / "calendars" / f"{calendar_id}.toml"
    calendar, faults = parse_calendar(tomllib.loads(path.read_text()))
    assert calendar is not None, faults
    assert calendar.id == calendar_id
    return calendar


US, UK, PLAIN = load("us-federal"), load("england-wales"), load("utc-weekdays")


def days(calendar: Calendar, year: int) -> list[str]:
    return sorted(day.isoformat()[5:] for day in calendar.holidays if day.year == year)


# As the Office of Personnel Management and GOV.UK publish them.
@pytest.mark.parametrize(
    ("calendar", "year", "expected"),
    [
        (US, 2020, "01-01 01-20 02-17 05-25 07-03 09-07 10-12 11-11 11-26 12-25"),
        (US, 2021, "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31"),
        (US, 2022, "01-17 02-21 05-30 06-20 07-04 09-05 10-10 11-11 11-24 12-26"),
        (US, 2026, "01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25"),
        (UK, 2020, "01-01 04-10 04-13 05-08 05-25 08-31 12-25 12-28"),
        (UK, 2022, "01-03 04-15 04-18 05-02 06-02 06-03 08-29 09-19 12-26 12-27"),
        (UK, 2023, "01-02 04-07 04-10 05-01 05-08 05-29 08-28 12-25 12-26"),
        (UK, 2026, "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28"),
        (PLAIN, 2026, ""),
    ],
)
def test_shipped_days_off(calendar: Calendar, year: int, expected: str) -> None:
    assert days(calendar, year) == expected.split()


@pytest.mark.parametrize("calendar", [US, UK, PLAIN], ids=lambda calendar: calendar.id)
def test_shipped_days_off_are_no_weekend_and_covered(calendar: Calendar) -> None:
    assert all(day.weekday() < 5 for day in calendar.holidays)
    first, last = calendar.covers
    assert (first, last.year >= 2032) == (date(2018, 1, 1), True)


@pytest.mark.parametrize(
    ("calendar", "start", "n", "expected"),
    [
        (PLAIN, "2026-06-12", 1, "2026-06-15"),  # Friday to Monday
        (PLAIN, "2026-06-13", 1, "2026-06-15"),  # a start on Saturday is not counted either
        (US, "2026-06-18", 1, "2026-06-22"),  # Juneteenth is a Friday
        (US, "2026-06-15", 15, "2026-07-08"),  # over 19 June and 3 July
        (PLAIN, "2026-06-15", 15, "2026-07-06"),
        (US, "2022-08-16", 10, "2022-08-30"),
        (US, "2022-08-16", 15, "2022-09-07"),  # over Labor Day
        (US, "2026-12-24", 5, "2027-01-04"),  # over Christmas and New Year
        (UK, "2026-04-02", 1, "2026-04-07"),  # over Easter
        (UK, "2026-12-24", 2, "2026-12-30"),  # 25th, weekend, substitute 28th
    ],
)
def test_the_nth_working_day(calendar: Calendar, start: str, n: int, expected: str) -> None:
    assert calendar.add_working_days(date.fromisoformat(start), n) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("calendar", "start", "n", "expected"),
    [
        (US, "2026-06-15", 15, "2026-07-09T04:00:00+00:00"),  # midnight in New York in summer
        (US, "2026-11-10", 1, "2026-11-13T05:00:00+00:00"),  # Veterans Day off; midnight in winter
        (US, "2026-03-05", 1, "2026-03-07T05:00:00+00:00"),  # Friday before clocks go forward
        (US, "2026-03-06", 1, "2026-03-10T04:00:00+00:00"),  # Monday after
        (UK, "2026-06-15", 1, "2026-06-16T23:00:00+00:00"),
        (PLAIN, "2026-06-15", 1, "2026-06-17T00:00:00+00:00"),
    ],
)
def test_a_deadline_is_the_end_of_the_day_in_its_zone(calendar: Calendar, start: str, n: int, expected: str) -> None:
    deadline = calendar.deadline(date.fromisoformat(start), n)
    assert deadline.tzinfo is UTC
    assert deadline.isoformat() == expected


@pytest.mark.parametrize(("start", "n"), [("2017-12-29", 1), ("2033-01-03", 1), ("2032-12-20", 10), ("2032-12-30", 1)])
def test_outside_its_years_a_calendar_refuses_to_count(start: str, n: int) -> None:
    with pytest.raises(Invalid) as caught:
        US.deadline(date.fromisoformat(start), n)
    assert caught.value.code == "calendar_exhausted"


@pytest.mark.parametrize("n", [0, -1])
def test_no_working_days_cannot_be_counted(n: int) -> None:
    with pytest.raises(Invalid):
        US.add_working_days(date(2026, 6, 15), n)


@given(st.dates(date(2018, 1, 1), date(2030, 1, 1)), st.integers(1, 60), st.sampled_from([US, UK, PLAIN]))
def test_exactly_n_working_days_lie_after_the_start(start: date, n: int, calendar: Calendar) -> None:
    end = calendar.add_working_days(start, n)
    span = [start + timedelta(days=i) for i in range(1, (end - start).days + 1)]
    assert sum(calendar.is_working_day(day) for day in span) == n
    assert calendar.is_working_day(end)
    assert calendar.deadline(start, n) > datetime.combine(end, datetime.min.time(), UTC)


def test_a_wait_counts_hours_or_the_calendars_days() -> None:
    calendars = {"us-federal": US}
    start = datetime(2026, 6, 18, 2, 30, tzinfo=UTC)  # still Wednesday the 17th in New York
    assert Wait(length=timedelta(hours=72)).ends(start, {}) == datetime(2026, 6, 21, 2, 30, tzinfo=UTC)
    ends = Wait(working_days=1, calendar="us-federal").ends(start, calendars)
    assert ends == datetime(2026, 6, 19, 4, 0, tzinfo=UTC)
    with pytest.raises(Invalid) as caught:
        Wait(working_days=1, calendar="mars").ends(start, calendars)
    assert caught.value.code == "unknown_calendar"


GOOD: dict[str, Any] = {
    "id": "x",
    "name": "X",
    "timezone": "Europe/London",
    "source": "law",
    "covers": [date(2026, 1, 1), date(2026, 12, 31)],
    "holidays": [date(2026, 12, 25)],
}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"id": ""}, "id"),
        ({"name": 3}, "name"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"timezone": "../etc"}, "timezone"),
        ({"timezone": "Europe"}, "timezone"),
        ({"covers": [date(2026, 1, 1)]}, "covers"),
        ({"covers": [date(2026, 12, 31), date(2026, 1, 1)]}, "covers"),
        ({"covers": [datetime(2026, 1, 1), datetime(2026, 2, 1)]}, "covers"),
        ({"holidays": ["2026-12-25"]}, "holidays"),
        ({"holidays": [date(2026, 12, 25)] * 2}, "holidays"),
        ({"holidays": [date(2027, 1, 1)]}, "holidays"),
        ({"holidays": [date(2026, 12, 26)]}, "holidays"),  # a Saturday
        ({"holiday": []}, "holiday"),
    ],
)
def test_a_fault_in_a_calendar_names_its_key(change: dict[str, Any], key: str) -> None:
    assert parse_calendar(GOOD)[1] == []
    calendar, faults = parse_calendar({**GOOD, **change})
    assert calendar is None
    assert key in {fault[0] for fault in faults}


def test_all_faults_of_a_calendar_come_at_once() -> None:
    calendar, faults = parse_calendar({})
    assert calendar is None
    assert {fault[0] for fault in faults} == set(GOOD)


# --- every shipped year from the rules that make it ---------------------------------------------------------------


def nth(year: int, month: int, weekday: int, n: int) -> date:
    """The nth weekday (Monday 0) of a month; n = -1: its last."""
    if n > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - weekday) % 7)


def observed(day: date) -> date:
    """5 U.S.C. 6103(b): Friday for a Saturday, Monday (Executive Order 11582) for a Sunday."""
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


def us_federal(year: int) -> set[date]:
    """5 U.S.C. 6103(a). Inauguration Day, subsection (c), is for the area of the District of Columbia only."""
    fixed = [date(year, 1, 1), date(year + 1, 1, 1), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    fixed += [date(year, 6, 19)] if year >= 2021 else []
    moving = [nth(year, 1, 0, 3), nth(year, 2, 0, 3), nth(year, 5, 0, -1), nth(year, 9, 0, 1), nth(year, 10, 0, 2)]
    return {day for day in [*map(observed, fixed), *moving, nth(year, 11, 3, 4)] if day.year == year}


def easter(year: int) -> date:
    """Anonymous Gregorian computus (Meeus, Astronomical Algorithms, ch. 8)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (a + 11 * h) // 319
    r = (32 + 2 * e + 2 * i - k - h + m) % 7
    month = (h - m + r + 90) // 25
    return date(year, month, (h - m + r + month + 19) % 32)


def england_wales(year: int) -> set[date]:
    """Banking and Financial Dealings Act 1971; a substitute is the next weekday that is not one already."""
    found = {easter(year) - timedelta(days=2), easter(year) + timedelta(days=1)}
    found |= {nth(year, 5, 0, 1), nth(year, 5, 0, -1), nth(year, 8, 0, -1)}
    for day in (date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)):
        while day.weekday() >= 5 or day in found:
            day += timedelta(days=1)
        found.add(day)
    return found


# What was proclaimed for one year: (added, taken away).
PROCLAIMED = {
    2020: ({date(2020, 5, 8)}, {date(2020, 5, 4)}),
    2022: ({date(2022, 6, 2), date(2022, 6, 3), date(2022, 9, 19)}, {date(2022, 5, 30)}),
    2023: ({date(2023, 5, 8)}, set[date]()),
}


@pytest.mark.parametrize("year", range(2018, 2033))
def test_every_shipped_year_follows_its_rules(year: int) -> None:
    assert {day for day in US.holidays if day.year == year} == us_federal(year)
    more, less = PROCLAIMED.get(year, (set(), set()))
    assert {day for day in UK.holidays if day.year == year} == (england_wales(year) | more) - less


# Thanksgiving and Veterans Day 2026, and the two clock changes, by hand.
@pytest.mark.parametrize(
    ("start", "n", "expected"),
    [
        ("2026-11-03", 15, "2026-11-26T05:00:00+00:00"),  # ends Wednesday the 25th: Veterans Day was off
        ("2026-11-04", 15, "2026-11-28T05:00:00+00:00"),  # over Thanksgiving: Friday the 27th
        ("2026-10-30", 1, "2026-11-03T05:00:00+00:00"),  # winter time began on Sunday the 1st
        ("2026-10-29", 1, "2026-10-31T04:00:00+00:00"),  # still summer time
    ],
)
def test_deadlines_over_holidays_and_clock_changes(start: str, n: int, expected: str) -> None:
    assert US.deadline(date.fromisoformat(start), n).isoformat() == expected
