"""The Wilson interval, against published values and its own laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.measures import wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (11, 12, 64.6, 98.5),  # the first year of MPA referrals to Donuts
        (0, 10, 0.0, 27.8),
        (10, 10, 72.2, 100.0),
        (15, 20, 53.1, 88.8),
        (81, 263, 25.5, 36.6),  # Newcombe 1998, table I
        (1, 29, 0.6, 17.2),  # Newcombe 1998, table I
    ],
)
def test_known_intervals_in_percent(successes: int, n: int, low: float, high: float) -> None:
    interval = wilson(successes, n, 0.95)
    assert [round(100 * end, 1) for end in interval] == [low, high]


def test_nothing_observed_says_nothing() -> None:
    assert wilson(0, 0, 0.95) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("successes", "n", "confidence"), [(2, 1, 0.95), (-1, 3, 0.95), (1, 2, 0), (1, 2, 1), (0, -1, 0.9)]
)
def test_what_is_no_proportion_is_refused(successes: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson(successes, n, confidence)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_it_holds_the_share_mirrors_and_widens_with_confidence(pair: tuple[int, int], confidence: float) -> None:
    successes, n = pair
    low, high = wilson(successes, n, confidence)
    assert 0 <= low <= successes / n + 1e-12
    assert successes / n - 1e-12 <= high <= 1
    mirrored = wilson(n - successes, n, confidence)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)
    wider = wilson(successes, n, (1 + confidence) / 2)
    assert wider[0] <= low + 1e-12
    assert wider[1] >= high - 1e-12
