"""The table of alarms, and what its sentences hold."""

from datetime import UTC, datetime
from typing import get_type_hints

import pytest

from notifier.domain import outcome, readings
from notifier.domain.alarms import ALARMS, drop_forecast, sentence
from notifier.domain.safety import one_letter_apart
from notifier.services import (
    attending,
    curing,
    hearing,
    holds,
    ladder,
    lifting,
    releasing,
    responses,
    undoing,
    watching,
)


def test_every_alarm_of_the_code_is_in_the_table() -> None:
    domain = [
        *(outcome.EPOCH_CHANGED, outcome.INCONSISTENT, outcome.CONTRADICTORY_STATUSES, outcome.HOLD_AFTER_WITHDRAWAL),
        *(outcome.CLAIM_CONTRADICTED, readings.WRONG_VERB, readings.LEAKY_HOLD, readings.HOLD_RESIDUAL_GLUE),
        *(readings.REGISTRAR_CHANGED, readings.NAME_SUSPENDED, readings.NAMESERVERS_CHANGED, readings.DELETION_SEEN),
        readings.CONTRADICTED_CLOAKED,
    ]
    services = [
        attending.OVERDUE,
        ladder.ANSWER_OWED,
        responses.WRONG_NAME,
        responses.OTHER_MEASURE,
        curing.CURE_RELAPSED,
    ]
    undone = [
        undoing.UNANSWERED,
        responses.UNDO_UNDELIVERABLE,
        lifting.NOT_RESTORED,
        hearing.UNANSWERED,
        hearing.OVERDUE,
        holds.LAPSING,
        releasing.HELD_PAST_EVENT,
    ]
    assert sorted([*domain, *services, *undone, watching.NEIGHBOUR_CHANGED]) == sorted(ALARMS)


@pytest.mark.parametrize("kind", ALARMS)
def test_a_sentence_names_the_name_and_is_whole(kind: str) -> None:
    text = sentence(kind, "pills.example", expires_at=datetime(2027, 5, 1, tzinfo=UTC))
    assert "pills.example" in text
    assert text.endswith(".")
    assert "{" not in text


def test_a_drop_is_forecast_by_the_grace_of_generic_top_level_domains() -> None:
    """30 days of redemption and 5 of pending delete after the expiry: 1 May, 31 May, 5 June."""
    text = drop_forecast(datetime(2027, 5, 1, 12, tzinfo=UTC))
    assert "expires on 2027-05-01" in text
    assert "from 2027-06-05 on" in text
    assert drop_forecast(None) == "When its registration expires is not known."


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("zoom.us", "zoom.us", False),
        ("zoom.us", "zom.us", True),
        ("zoom.us", "zooom.us", True),
        ("zoom.us", "zaom.us", True),
        ("zoom.us", "zoom.uk", True),
        ("zoom.us", "ozom.us", True),
        ("zoom.us", "oom.uk", False),
        ("zoom.us", "pills.us", False),
    ],
)
def test_one_letter_apart(one: str, other: str, near: bool) -> None:
    assert one_letter_apart(one, other) is one_letter_apart(other, one) is near


def test_what_is_told_holds_no_words_of_others() -> None:
    assert set(get_type_hints(sentence)) == {"kind", "name", "expires_at", "return"}
