"""A name is back when it was seen back for longer than resolvers remember that it was not there."""

from datetime import UTC, datetime, timedelta

from notifier.domain.lifting import back_since
from notifier.domain.look import Delegation, DelegationAnswer, Look, Registration

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
GAP = timedelta(minutes=15)


def seen(minutes: int, answer: DelegationAnswer, *statuses: str) -> Look:
    return Look(START + timedelta(minutes=minutes), Registration("found", statuses), Delegation(answer))


HELD = seen(0, "absent", "server hold")


def test_two_looks_further_apart_than_the_gap() -> None:
    looks = [seen(5, "absent", "server hold"), seen(10, "delegated"), seen(24, "delegated")]
    assert back_since(HELD, looks, GAP) is None
    assert back_since(HELD, [*looks, seen(25, "delegated")], GAP) == START + timedelta(minutes=10)


def test_what_told_nothing_changes_nothing_and_a_relapse_begins_anew() -> None:
    silent = [seen(10, "delegated"), seen(20, "inconclusive"), seen(30, "delegated")]
    assert back_since(HELD, silent, GAP) == START + timedelta(minutes=10)
    gone = [seen(10, "delegated"), seen(20, "absent", "server hold"), seen(30, "delegated")]
    assert back_since(HELD, gone, GAP) is None


def test_delegated_and_still_held_is_not_back() -> None:
    assert back_since(HELD, [seen(10, "delegated", "server hold"), seen(60, "delegated", "server hold")], GAP) is None


def test_one_look_or_none_is_not_enough() -> None:
    assert back_since(HELD, [], timedelta(0)) is None
    assert back_since(HELD, [seen(10, "delegated")], timedelta(0)) is None
