"""Before, during and after: bounds, differences by a published example, and where names went."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain import pilot
from notifier.domain.figures import share_of
from notifier.domain.history import History
from notifier.domain.period import Spell
from notifier.domain.pilot import Difference, Successor
from notifier.domain.survival import Duration, kaplan_meier

BEGUN, OVER = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)
DAY = 86_400.0


def unit(name: str, opened: datetime, registry: str | None) -> History:
    return History((name,), "p", registry, name, None, "received", opened, (Spell(opened, None),), {})


def test_phases_are_of_one_length_and_touch() -> None:
    before, during, after = pilot.phases(BEGUN, OVER)
    assert (before.start, before.end) == (datetime(2026, 1, 30, tzinfo=UTC), BEGUN)
    assert (during.start, during.end, during.days) == (BEGUN, OVER, 30)
    assert (after.start, after.end) == (OVER, datetime(2026, 4, 30, tzinfo=UTC))
    for end in (BEGUN, BEGUN - timedelta(seconds=1)):
        with pytest.raises(ValueError, match="ends after"):
            pilot.phases(BEGUN, end)


def test_each_unit_is_in_the_phase_in_which_it_was_opened() -> None:
    micro = timedelta(microseconds=1)
    units = [
        unit("long-ago", BEGUN - timedelta(days=31), "a"),
        unit("just-before", BEGUN - micro, "a"),
        unit("first", BEGUN, "a"),
        unit("last", OVER - micro, "b"),
        unit("after", OVER, None),
        unit("much-later", OVER + timedelta(days=30), "a"),
    ]
    parts = pilot.split(units, pilot.phases(BEGUN, OVER), ["a"])
    assert {key: [u.target for u in found] for key, found in parts.items()} == {
        "before/pilot": ["just-before"],
        "before/comparison": [],
        "during/pilot": ["first"],
        "during/comparison": ["last"],
        "after/pilot": [],
        "after/comparison": ["after"],
    }
    where = [
        Successor("first", "a", "com", OVER),
        Successor("first", "b", "org", OVER),
        Successor("last", None, "ac", OVER),
        Successor("long-ago", "a", "com", OVER),
    ]
    went = pilot.displaced(parts, where, ["a"])
    assert (went["during/pilot"], went["during/comparison"]) == ({"comparison": 1, "pilot": 1}, {"elsewhere": 1})
    assert went["before/pilot"] == {}


def test_a_difference_as_newcombe_published_it() -> None:
    """Newcombe (1998), Statistics in Medicine 17, example (a), method 10: 56 of 70 less 48 of 80 is 0.2000."""
    found = pilot.difference(share_of(56, 70), share_of(48, 80))
    assert found.value == pytest.approx(0.2)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    back = pilot.difference(share_of(48, 80), share_of(56, 70))
    assert (round(back.low, 4), round(back.high, 4)) == (-0.3339, -0.0524)
    assert pilot.difference(share_of(0, 0), share_of(1, 2)) == Difference(None, -1.0, 1.0)


def test_beyond_what_the_others_did() -> None:
    """By hand: 0.3 less 0.1; the limits are sqrt(0.1^2 + 0.2^2) below and sqrt(0.2^2 + 0.1^2) above."""
    found = pilot.beyond(Difference(0.3, 0.2, 0.5), Difference(0.1, 0.0, 0.3))
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.2 - 0.05**0.5), pytest.approx(0.2 + 0.05**0.5))
    assert pilot.beyond(found, Difference(None, -1, 1)).value is None


def test_had_by_a_day_needs_somebody_who_was_followed_until_then() -> None:
    four = [Duration(10 * DAY, True), Duration(20 * DAY, True), Duration(40 * DAY, True), Duration(40 * DAY, False)]
    assert pilot.had_by(kaplan_meier(four)) == pytest.approx(0.5)
    young = [Duration(10 * DAY, True), Duration(12 * DAY, False)]
    assert pilot.had_by(kaplan_meier(young)) is None
    assert pilot.had_by(kaplan_meier([Duration(10 * DAY, True)])) == 1.0
    assert pilot.had_by(kaplan_meier([])) is None
