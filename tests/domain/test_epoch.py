"""Which registration is meant: expected values from RFC 5730 (a ROID names one object) and RFC 9083 (its events)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.epoch import Epoch
from notifier.errors import Invalid

BORN = datetime(2020, 3, 1, tzinfo=UTC)
LATER = datetime(2026, 3, 1, tzinfo=UTC)
ONE = Epoch("D1-EX", BORN)

HANDLES = st.none() | st.text(min_size=1, max_size=20).filter(lambda t: t != "-")
MOMENTS = st.none() | st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]))
EPOCHS = st.builds(Epoch, HANDLES, MOMENTS)


@pytest.mark.parametrize(
    ("seen", "another", "another_after_purge"),
    [
        (ONE, False, False),
        (Epoch("D2-EX", BORN), True, True),
        (Epoch("D2-EX"), True, True),
        (Epoch("D1-EX", LATER), True, True),  # some registries' handle is the name itself
        (Epoch(None, LATER), True, True),
        (Epoch("D1-EX", BORN - timedelta(days=1)), False, False),  # a corrected date is no new registration
        (Epoch("D1-EX"), False, True),
        (Epoch(None, BORN), False, False),
        (Epoch(), False, True),
    ],
)
def test_succession(seen: Epoch, another: bool, another_after_purge: bool) -> None:
    assert ONE.succeeded_by(seen) is another
    assert ONE.succeeded_by(seen, purged=True) is another_after_purge


@given(EPOCHS, EPOCHS)
def test_nothing_known_is_held_against_nobody(one: Epoch, other: Epoch) -> None:
    assert not Epoch().succeeded_by(other)
    assert not other.succeeded_by(Epoch())
    assert not one.succeeded_by(one)
    completed = one.completed_by(other)
    assert (completed.handle or one.handle) == completed.handle
    assert not one.succeeded_by(completed)


@given(EPOCHS)
def test_written_and_read(epoch: Epoch) -> None:
    read = Epoch.read(str(epoch))
    assert (read.handle, read.registered_at) == (epoch.handle, epoch.registered_at)


@pytest.mark.parametrize("text", ["", "D1-EX", "D1-EX@", "D1-EX@soon"])
def test_another_text_is_no_epoch(text: str) -> None:
    with pytest.raises(Invalid):
        Epoch.read(text)
