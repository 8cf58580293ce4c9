"""What a look says of an undo: by the table of statuses and sides (RFC 5731 §2.3, RFC 3915 §3.1), row by row."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.epp import Measure
from notifier.domain.look import Content, Delegation, Look, Registration
from notifier.domain.rule import Recipient
from notifier.domain.undoing import standing, still_shows

T0 = datetime(2026, 11, 2, 12, tzinfo=UTC)
REGISTRY, REGISTRAR, HOST = Recipient.REGISTRY, Recipient.REGISTRAR, Recipient.HOST


def seen(
    *statuses: str,
    zone: str = "delegated",
    rdap: str = "found",
    servers: tuple[str, ...] = ("ns1.example",),
    content: str | None = None,
    minutes: int = 0,
) -> Look:
    return Look(
        T0 + timedelta(minutes=minutes),
        Registration(rdap, statuses),  # type: ignore[arg-type]
        Delegation(zone, servers),  # type: ignore[arg-type]
        None if content is None else Content(content),  # type: ignore[arg-type]
    )


CLEAN = seen("active")


@pytest.mark.parametrize(
    ("measure", "party", "look", "expected"),
    [
        (Measure.HOLD, REGISTRY, seen("server hold", zone="absent"), True),
        (Measure.HOLD, REGISTRY, seen("serverHold"), True),  # EPP spelling, and a zone that lags
        (Measure.HOLD, REGISTRY, seen("active"), False),
        (Measure.HOLD, REGISTRY, seen("active", zone="absent"), True),  # dark, and nothing says why
        (Measure.HOLD, REGISTRY, seen("client hold", zone="absent"), False),  # the registrar's own
        (Measure.HOLD, REGISTRAR, seen("client hold", zone="absent"), True),
        (Measure.HOLD, REGISTRAR, seen("server hold", zone="absent"), False),
        (Measure.HOLD, REGISTRY, seen(rdap="inconclusive"), None),
        (Measure.HOLD, REGISTRY, seen("active", zone="inconclusive"), None),
        (Measure.HOLD, REGISTRY, seen(rdap="no_rdap"), False),
        (Measure.HOLD, REGISTRY, seen(rdap="no_rdap", zone="absent"), True),
        (Measure.HOLD, REGISTRY, seen("pendingDelete", "redemptionPeriod", zone="absent"), True),
        (Measure.DELETE, REGISTRY, seen(rdap="absent", zone="absent"), True),
        (Measure.DELETE, REGISTRAR, seen("redemptionPeriod", zone="absent"), True),
        (Measure.LOCK, REGISTRY, seen("server update prohibited"), True),
        (Measure.LOCK, REGISTRY, seen("client update prohibited"), False),
        (Measure.LOCK, REGISTRAR, seen("client update prohibited"), True),
        (Measure.LOCK, REGISTRY, seen(rdap="no_rdap"), None),  # a lock shows in RDAP alone
        (Measure.LOCK, REGISTRY, seen("server hold", zone="absent"), True),  # the wrong verb stands
        (Measure.REDIRECT, REGISTRY, seen(servers=("ns1.seized.example",)), True),
        (Measure.REDIRECT, REGISTRY, seen(), False),
        (Measure.REDIRECT, REGISTRY, seen(zone="inconclusive"), None),
        (Measure.CONTENT_REMOVAL, HOST, seen(content="served"), False),
        (Measure.CONTENT_REMOVAL, HOST, seen(content="gone"), True),
        (Measure.CONTENT_REMOVAL, HOST, seen(), None),
    ],
)
def test_what_one_look_shows(measure: Measure, party: Recipient, look: Look, expected: bool | None) -> None:
    assert still_shows(measure, party, CLEAN, look) is expected


def test_what_stood_before_we_asked_is_not_owed() -> None:
    before = seen("server transfer prohibited", "server update prohibited", "server delete prohibited")
    assert still_shows(Measure.LOCK, REGISTRY, before, before) is False


def test_two_looks_in_a_row_settle_it_and_one_that_cannot_tell_does_not_count() -> None:
    gap = timedelta(minutes=4)
    held, free = seen("server hold", zone="absent"), seen("active", minutes=10)
    blind, again = seen(rdap="inconclusive", minutes=12), seen("active", minutes=14)

    def of(*looks: Look) -> tuple[bool | None, bool]:
        found = standing(Measure.HOLD, REGISTRY, CLEAN, looks, gap)
        return found.shown, found.settled

    assert of() == (None, False)
    assert of(blind) == (None, False)
    assert of(held) == (True, False)
    assert of(held, free) == (False, False)
    assert of(held, free, blind) == (False, False)
    assert of(held, free, blind, again) == (False, True)
    assert of(free, again, seen("server hold", zone="absent", minutes=20)) == (True, False)
