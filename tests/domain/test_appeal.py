"""Appeals: their table of states against the contract, who may hear one, and when its clocks run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain import appeal as a
from notifier.domain.appeal import Appeal, AppealState, Cause, Clocks, Outcome, Proof
from notifier.errors import Conflict, Forbidden

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CLOCKS = Clocks(NOW + timedelta(days=1), NOW + timedelta(days=14))
# design.md 3, "appeal.state", written out by hand.
CONTRACT = {
    "filed": {"in_review", "upheld", "overturned", "partial", "withdrawn"},
    "in_review": {"upheld", "overturned", "partial", "withdrawn"},
    "upheld": set(),
    "overturned": set(),
    "partial": set(),
    "withdrawn": set(),
}
EVENTS = [
    a.Proven("s", Proof.DNS, CLOCKS),
    a.Taken("rolf", CLOCKS),
    a.Decided("rolf", Outcome.UPHELD, "0" * 64),
    a.Decided("rolf", Outcome.OVERTURNED, "0" * 64, Cause.WRONG_NAME),
    a.Decided("rolf", Outcome.PARTIAL, "0" * 64, Cause.DISPROPORTIONATE),
    a.TakenBack("s"),
]


def an_appeal(state: AppealState = AppealState.FILED, **changes: object) -> Appeal:
    made = Appeal("0190-appeal", "0190-case", "0190-notice", state, NOW, frozenset({"rita", "sam"}))
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_words_are_the_contracts() -> None:
    assert {str(state): {str(to) for to in after} for state, after in a.TRANSITIONS.items()} == CONTRACT


@pytest.mark.parametrize("state", list(AppealState))
@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_every_event_moves_by_the_table(state: AppealState, event: a.Event) -> None:
    try:
        step = an_appeal(state).apply(event, NOW)
    except Conflict:
        assert not isinstance(event, a.Proven) or str(state) not in ("filed", "in_review")
        return
    assert step.fact.tag.startswith("appeal.")
    assert step.appeal.state is state or str(step.appeal.state) in CONTRACT[str(state)]
    assert (step.appeal.decided_at is None) == step.appeal.is_open


@pytest.mark.parametrize("who", ["rita", "sam"])
def test_who_had_a_part_in_it_does_not_hear_it(who: str) -> None:
    for event in (a.Taken(who, CLOCKS), a.Decided(who, Outcome.UPHELD, "0" * 64)):
        with pytest.raises(Forbidden) as refused:
            an_appeal().apply(event, NOW)
        assert refused.value.code == "four_eyes"


def test_one_person_has_it() -> None:
    taken = an_appeal().apply(a.Taken("rolf", CLOCKS), NOW).appeal
    assert (taken.state, taken.taken_by, taken.taken_at) == (AppealState.IN_REVIEW, "rolf", NOW)
    with pytest.raises(Conflict, match="rolf"):
        taken.apply(a.Taken("roberta", CLOCKS), NOW)


def test_the_clocks_begin_with_the_proof_or_with_a_person_and_only_once() -> None:
    assert not an_appeal().counts, "anybody can write a name into a form"
    proven = an_appeal().apply(a.Proven("s", Proof.NOTICE, CLOCKS), NOW).appeal
    assert (proven.counts, proven.clocks, proven.proven_at) == (True, CLOCKS, NOW)
    later = Clocks(NOW + timedelta(days=9), NOW + timedelta(days=30))
    again = proven.apply(a.Proven("t", Proof.DNS, later), NOW + timedelta(days=5)).appeal
    assert (again.clocks, again.proven_at) == (CLOCKS, NOW)
    assert proven.apply(a.Taken("rolf", later), NOW).appeal.clocks == CLOCKS
    assert an_appeal().apply(a.Taken("rolf", later), NOW).appeal.clocks == later


def test_a_decision_that_stands_corrects_nothing() -> None:
    with pytest.raises(Conflict):
        an_appeal().apply(a.Decided("rolf", Outcome.UPHELD, "0" * 64, Cause.CURED), NOW)


def test_the_log_gets_digests_and_no_words() -> None:
    fact = an_appeal().apply(a.Decided("rolf", Outcome.PARTIAL, "f" * 64, Cause.OTHER), NOW).fact
    assert fact.detail == {"outcome": "partial", "reasons": "f" * 64, "cause": "other"}
