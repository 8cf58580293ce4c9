"""How fast a recipient is written to; every number below is worked out by hand."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.pace import OPENS_AT, Pace, Standing, Wait, admit, answered, failed, fresh

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PACE = Pace(per_hour=60, burst=2, at_once=2, per_day=5)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_burst_then_one_a_minute() -> None:
    standing = fresh(PACE, NOW)
    for _ in range(2):
        found = admit(PACE, standing, 0, NOW, undo=False)
        assert isinstance(found, Standing)
        standing = found
    assert admit(PACE, standing, 0, NOW, undo=False) == Wait(after(60), "rate")
    assert admit(PACE, standing, 0, after(45), undo=False) == Wait(after(60), "rate")
    assert isinstance(admit(PACE, standing, 0, after(60), undo=False), Standing)


def test_only_so_many_at_once() -> None:
    assert admit(PACE, fresh(PACE, NOW), 2, NOW, undo=False) == Wait(after(5), "busy")
    assert isinstance(admit(PACE, fresh(PACE, NOW), 1, NOW, undo=False), Standing)


def test_a_storm_waits_for_the_next_day() -> None:
    standing = Standing(2.0, NOW, day=date(2026, 11, 25), day_count=5)
    assert admit(PACE, standing, 0, NOW, undo=False) == Wait(datetime(2026, 11, 26, tzinfo=UTC), "storm")
    tomorrow = admit(PACE, standing, 0, datetime(2026, 11, 26, tzinfo=UTC), undo=False)
    assert isinstance(tomorrow, Standing)
    assert (tomorrow.day, tomorrow.day_count) == (date(2026, 11, 26), 1)


def test_asking_for_less_waits_for_the_channel_alone() -> None:
    standing = Standing(-3.0, NOW, day=date(2026, 11, 25), day_count=5)
    found = admit(PACE, standing, 9, NOW, undo=True)
    assert isinstance(found, Standing)
    assert (found.tokens, found.day_count) == (-4.0, 5)
    broken = Standing(2.0, NOW, failures=OPENS_AT, open_until=after(60))
    assert admit(PACE, broken, 0, NOW, undo=True) == Wait(after(60), "breaker")


@pytest.mark.parametrize(("failures", "minutes"), [(4, 0), (5, 1), (6, 2), (7, 4), (10, 32), (11, 60), (50, 60)])
def test_the_breaker_opens_at_the_fifth_failure_and_doubles(failures: int, minutes: int) -> None:
    standing = fresh(PACE, NOW)
    for _ in range(failures):
        standing = failed(standing, NOW)
    assert standing.open_until == (NOW + timedelta(minutes=minutes) if minutes else None)


def test_one_tries_whether_it_is_back() -> None:
    standing = fresh(PACE, NOW)
    for _ in range(5):
        standing = failed(standing, NOW)
    assert admit(PACE, standing, 0, after(59), undo=False) == Wait(after(60), "breaker")
    probing = admit(PACE, standing, 0, after(60), undo=False)
    assert isinstance(probing, Standing)
    assert admit(PACE, probing, 1, after(60), undo=False) == Wait(after(65), "breaker")
    assert isinstance(admit(PACE, answered(probing), 1, after(60), undo=False), Standing)


def test_a_clock_that_goes_back_gives_no_tokens() -> None:
    standing = Standing(0.0, NOW)
    assert isinstance(admit(PACE, standing, 0, after(-3600), undo=False), Wait)


@given(st.lists(st.integers(0, 400), max_size=200))
def test_no_hour_has_more_than_the_burst_and_the_rate(gaps: list[int]) -> None:
    pace, now, sent = Pace(per_hour=60, burst=5, at_once=9, per_day=10**6), NOW, []
    standing = fresh(pace, now)
    for gap in gaps:
        now += timedelta(seconds=gap)
        found = admit(pace, standing, 0, now, undo=False)
        if isinstance(found, Standing):
            standing = found
            sent.append(now)
        else:
            assert found.until > now
    for start in sent:
        assert sum(start <= at < start + timedelta(hours=1) for at in sent) <= 65


def test_what_is_urgent_overdraws_by_a_tenth_and_the_others_wait_for_that() -> None:
    pace, empty = Pace(per_hour=60, burst=20), Standing(0.0, NOW)
    first = admit(pace, empty, 0, NOW, undo=False, urgent=True)
    assert isinstance(first, Standing)
    second = admit(pace, first, 0, NOW, undo=False, urgent=True)
    assert isinstance(second, Standing)
    third = admit(pace, second, 0, NOW, undo=False, urgent=True)
    assert third == Wait(NOW + timedelta(minutes=1), "rate")
    assert admit(pace, second, 0, NOW, undo=False) == Wait(NOW + timedelta(minutes=3), "rate")
