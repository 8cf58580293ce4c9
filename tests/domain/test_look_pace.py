"""The line at an RDAP server: no hour holds more looks than agreed, nobody waits for ever, and names spread themselves."""

import heapq
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.look_pace import Later, LookPace, admit, charged, fresh, paused, share_of, spread
from notifier.domain.program_reading import looks_of

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# domain.md 5.5: 1, 5, 15, 60 min; 6, 24 h; then daily to 30 d, weekly to 180 d.
WATCH = looks_of(
    ["1min", "5min", "15min", "1h", "6h", "1d", {"every": "1d", "until": "30d"}, {"every": "7d", "until": "180d"}]
)
assert WATCH is not None


def refs(n: int) -> list[str]:
    """Ids as ours are: the time in front (UUIDv7), chance behind."""
    chance = random.Random(n)
    return [str(UUID(int=(0x0190_0000_0000_7000 << 64) | 2**63 | chance.getrandbits(62))) for _ in range(n)]


def busiest_hour(times: list[datetime]) -> int:
    """The most looks in any half-open hour, by two pointers."""
    times, most, first = sorted(times), 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= HOUR:
            first += 1
        most = max(most, last - first + 1)
    return most


def served(pace: LookPace, due: list[datetime], asked: frozenset[int] = frozenset()) -> list[datetime]:
    """When each look is taken, in the order of a clock; `asked` ones wait for nobody."""
    line, taken = fresh(NOW), {}
    turns: dict[int, datetime] = {}
    waiting = [(at, n) for n, at in enumerate(due)]
    heapq.heapify(waiting)
    while waiting:
        now, n = heapq.heappop(waiting)
        if n in asked:
            line, later = charged(pace, line, now), None
        else:
            line, later = admit(pace, line, now, turns.get(n))
        if later is None:
            taken[n] = now
            continue
        assert later.at > now
        turns[n] = later.at
        heapq.heappush(waiting, (later.at, n))
    return [taken[n] for n in range(len(due))]


@given(
    st.integers(1, 400),
    st.lists(st.integers(0, 3 * 3600), min_size=1, max_size=300),
)
def test_no_hour_holds_more_than_agreed_and_everybody_gets_a_turn(per_hour: int, seconds: list[int]) -> None:
    due = [NOW + timedelta(seconds=s) for s in seconds]
    taken = served(LookPace(per_hour), due)
    assert busiest_hour(taken) <= per_hour
    assert all(at >= wanted for at, wanted in zip(taken, due, strict=True))
    # Nobody waits longer than it takes to serve all of them from the last due one on.
    assert max(taken) <= max(due) + LookPace(per_hour).apart * (len(due) + 1)


@given(
    st.integers(20, 400),
    st.lists(st.tuples(st.integers(0, 7200), st.booleans()), min_size=1, max_size=200),
)
def test_what_somebody_waits_for_goes_at_once_and_the_line_pays(per_hour: int, looks: list[tuple[int, bool]]) -> None:
    due = [NOW + timedelta(seconds=s) for s, _ in looks]
    asked = frozenset(n for n, (_, urgent) in enumerate(looks) if urgent)
    taken = served(LookPace(per_hour), due, asked)
    assert all(taken[n] == due[n] for n in asked)
    most_asked = busiest_hour([taken[n] for n in asked])
    assert busiest_hour(taken) <= max(per_hour, most_asked + per_hour)
    if len(asked) <= LookPace(per_hour).at_once:  # as long as they alone are within the rate, all are
        assert busiest_hour(taken) <= per_hour + len(asked)


def test_a_hundred_thousand_names_that_were_acted_on_at_once_stay_within_the_rate() -> None:
    """Daily looks at 100,000 names are 4,167 an hour on average, if they are spread. A day of them, at 5,000 an hour."""
    moments = [NOW + spread(WATCH[:8], ref)[6] for ref in refs(100_000)]
    hours = Counter((at - NOW) // HOUR for at in moments)
    assert len(hours) == 24
    assert max(hours.values()) < 4_600, "even before anybody stands in line"
    taken = served(LookPace(5_000), moments)
    assert busiest_hour(taken) <= 5_000
    assert max(at - wanted for at, wanted in zip(taken, moments, strict=True)) < HOUR


def test_names_that_all_come_due_in_one_second_stand_in_line() -> None:
    due = [NOW + timedelta(milliseconds=n % 1000) for n in range(10_000)]
    taken = served(LookPace(360), due)
    assert busiest_hour(taken) <= 360
    assert timedelta(hours=27) < max(taken) - NOW < timedelta(hours=29)  # 10,000 / 360 = 27.8 h


def test_a_server_that_asked_to_be_left_alone_is_left_alone() -> None:
    pace, until = LookPace(3_600), NOW + timedelta(seconds=120)
    line = paused(fresh(NOW), until)
    line, later = admit(pace, line, NOW, None)
    assert later == Later(until)
    line, second = admit(pace, line, NOW, None)
    assert second == Later(until + pace.apart)
    assert paused(line, NOW).paused_until == until, "what it asked first stands"
    assert admit(pace, line, until, until)[1] is None


@pytest.mark.parametrize(("per_hour", "at_once"), [(1, 1), (59, 1), (3_600, 60), (999_999, 16_666)])
def test_a_minutes_worth_goes_at_once(per_hour: int, at_once: int) -> None:
    pace, line = LookPace(per_hour), fresh(NOW)
    gone = 0
    while True:
        line, later = admit(pace, line, NOW, None)
        if later is not None:
            break
        gone += 1
    assert gone == at_once


@given(st.uuids(version=4))
def test_the_looks_of_one_name_keep_their_order_and_their_limits(claim: UUID) -> None:
    moved = spread(WATCH, str(claim))
    assert len(moved) == len(WATCH)
    assert moved == sorted(set(moved))
    assert moved[:6] == list(WATCH[:6]), "dense looks keep their minute"
    assert moved[-1] == timedelta(days=180), "the last one keeps its day"
    assert all(before < at <= planned for before, at, planned in zip(WATCH[5:], moved[6:], WATCH[6:], strict=False))
    assert {b - a for a, b in pairwise(moved[6:35])} == {DAY}
    assert spread(WATCH, str(claim)) == moved


def test_shares_are_even() -> None:
    tenths = Counter(int(share_of(ref) * 10) for ref in refs(10_000))
    assert set(tenths) == set(range(10))
    assert max(tenths.values()) < 1_150
