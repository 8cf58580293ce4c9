"""The end of a registration, phase by phase (RFC 3915 §3.1), and when the next is to be seen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.lifecycle import Phase, drops_on, next_look, phase_of, tells
from notifier.domain.look import Delegation, Look, Registration

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
UP = Look(NOW, Registration("found", ("active",), handle="D1-EX"), Delegation("delegated"))


def with_(*statuses: str, zone: str = "absent") -> Look:
    found = Registration("found", statuses, handle="D1-EX")
    return replace(UP, registration=found, delegation=Delegation(zone))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("look", "phase"),
    [
        (UP, None),
        (with_("server hold"), None),
        (with_("redemptionPeriod", "pendingDelete"), Phase.REDEMPTION),
        (with_("redemption period"), Phase.REDEMPTION),
        (with_("pending delete"), Phase.PENDING_DELETE),
        (with_("pending delete", zone="inconclusive"), Phase.PENDING_DELETE),
        (Look(NOW, Registration("absent"), Delegation("absent")), Phase.PURGED),
    ],
)
def test_what_a_look_shows(look: Look, phase: Phase | None) -> None:
    assert (tells(look), phase_of(look)) == (True, phase)


@pytest.mark.parametrize(
    ("registration", "zone"),
    [
        ("absent", "delegated"),
        ("absent", "inconclusive"),
        ("inconclusive", "absent"),
        ("no_rdap", "absent"),
        ("absent", "residual"),
    ],
)
def test_what_only_one_side_says_tells_nothing(registration: str, zone: str) -> None:
    assert not tells(Look(NOW, Registration(registration), Delegation(zone)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("phase", "days", "next_days"),
    [
        (Phase.REDEMPTION, 0, 30),
        (Phase.REDEMPTION, 30, 31),  # longer than usual: looked at every day from then on
        (Phase.PENDING_DELETE, 0, 5),
        (Phase.PENDING_DELETE, 5, 6),
        (Phase.PURGED, 0, 1),
        (Phase.PURGED, 29, 30),
        (Phase.PURGED, 30, 37),
        (Phase.PURGED, 179, 186),
        (Phase.PURGED, 180, None),
        (None, 3, None),
    ],
)
def test_when_it_should_be_a_step_further(phase: Phase | None, days: int, next_days: int | None) -> None:
    due = next_look(phase, NOW, NOW + days * DAY)
    assert due == (None if next_days is None else NOW + next_days * DAY)


def test_a_name_that_nobody_renews_is_anybodys_35_days_later() -> None:
    assert drops_on(datetime(2026, 6, 1, tzinfo=UTC)) == datetime(2026, 7, 6, tzinfo=UTC)
    assert drops_on(None) is None
