"""Open before and opened in make closed in and open at end, whatever happened."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.period import Flow, Spell, flow

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(n: int) -> datetime:
    return START + timedelta(days=n)


def test_by_hand() -> None:
    spells = [
        Spell(day(-9), day(-1)),  # over before
        Spell(day(-9), day(0)),  # closed in the first instant
        Spell(day(-9), None),
        Spell(day(3), day(3)),  # came and went at once
        Spell(day(5), day(31)),  # closed in the first instant after
        Spell(day(31), None),  # came after
    ]
    assert flow(spells, day(0), day(31)) == Flow(2, 2, 2, 2)
    assert flow(spells, day(0), day(0)) == Flow(0, 0, 0, 0) + Flow(2, 0, 0, 2)


def test_what_does_not_balance_cannot_be_said() -> None:
    with pytest.raises(ValueError, match="balance"):
        Flow(1, 1, 1, 0)
    with pytest.raises(ValueError, match="before it begins"):
        flow([], day(1), day(0))
    with pytest.raises(ValueError, match="before it begins"):
        flow([Spell(day(1), day(0))], day(0), day(9))


spans = st.tuples(st.integers(-40, 80), st.none() | st.integers(0, 60)).map(
    lambda pair: Spell(day(pair[0]), None if pair[1] is None else day(pair[0] + pair[1]))
)


@given(st.lists(spans, max_size=30), st.integers(-30, 60), st.integers(0, 30), st.integers(0, 30))
def test_periods_in_a_row_hand_over(spells: list[Spell], start: int, length: int, more: int) -> None:
    first = flow(spells, day(start), day(start + length))
    second = flow(spells, day(start + length), day(start + length + more))
    whole = flow(spells, day(start), day(start + length + more))
    assert first.open_at_end == second.opened_before
    assert whole.opened_in == first.opened_in + second.opened_in
    assert whole.closed_in == first.closed_in + second.closed_in
    assert (whole.opened_before, whole.open_at_end) == (first.opened_before, second.open_at_end)


@given(st.lists(spans, max_size=30), st.lists(spans, max_size=30))
def test_slices_add_up(some: list[Spell], others: list[Spell]) -> None:
    assert flow(some + others, day(0), day(30)) == flow(some, day(0), day(30)) + flow(others, day(0), day(30))
