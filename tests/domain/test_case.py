"""The case's table of states against the contract, four eyes, and that every step tells what it did."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain import case as c
from notifier.domain import events as e
from notifier.domain.case import Case, CaseState, summarise
from notifier.domain.epp import Measure
from notifier.domain.events import JobKind, Timer
from notifier.domain.outcome import Verdict
from notifier.domain.safety import Safety, Scope, Target
from notifier.errors import Conflict, Forbidden

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=30)

# design.md 3, "case.state and its transitions", written out by hand; `*` marks "any state before closed".
CONTRACT = {
    "received": {"needs_evidence", "in_review", "rejected", "withdrawn", "superseded"},
    "needs_evidence": {"in_review", "withdrawn", "superseded"},
    "in_review": {"needs_evidence", "approved", "rejected", "withdrawn", "superseded"},
    "approved": {"notified", "in_review", "needs_evidence", "withdrawn", "superseded"},
    "notified": {"in_review", "resolved", "withdrawn", "superseded"},
    "resolved": {"in_review", "closed", "withdrawn", "superseded"},
    "closed": {"in_review"},
    "rejected": set(),
    "withdrawn": set(),
    "superseded": set(),
}


def a_case(state: CaseState = CaseState.IN_REVIEW, **changes: object) -> Case:
    target = Target("shop.example", Scope.DOMAIN, "shop.example", "shop.example", None, "example", "shop.example")
    case = Case(
        id="0190-case",
        reference="TN-2026-000001",
        program="piracy",
        program_digest="d",
        target=target,
        safety=Safety.CLEAR,
        state=state,
        rev=4,
        opened_at=NOW,
        state_since=NOW,
        measure=Measure.HOLD,
        agreement="piracy.radix",
        involved=frozenset({"submitter"}),
    )
    return replace(case, **changes)  # type: ignore[arg-type]


def approved(by: str = "reviewer", digest: str = "d1", shown: str = "d1") -> e.Approved:
    return e.Approved(by, digest, shown, ("n1",), WINDOW)


def judged(verdict: Verdict, *, final: bool = True, outcome: str | None = "registry_hold") -> e.Judged:
    return e.Judged("claim", verdict, str(verdict), outcome, "registry", final, "seen", None)


def test_the_table_is_the_contract() -> None:
    assert {str(s): {str(t) for t in to} for s, to in c.TRANSITIONS.items()} == CONTRACT


EVENTS: list[e.Event] = [
    e.ReportJoined("r", "other"),
    e.EvidenceAdded(("e",), "other"),
    e.Evaluated(True, (), ()),
    e.Evaluated(False, ("rule",), ()),
    e.TargetObserved("o", "epoch", False, {}),
    e.Assigned("somebody"),
    approved(),
    e.Rejected("reviewer", "no"),
    e.EvidenceRequested("reviewer", "more"),
    e.ApprovalVoided("digest changed"),
    e.WentStale(("fresh",)),
    e.Dispatched("o", ("n1",), NOW),
    e.Answered("n1", "acknowledged"),
    e.Answered("n1", "declined", reason="declined_nexus"),
    e.Answered("n1", "action_claimed", "claim", None, NOW, NOW),
    judged(Verdict.VERIFIED),
    judged(Verdict.RELAPSED),
    judged(Verdict.PENDING, final=False, outcome=None),
    e.ClockEnded("n1"),
    e.NoticeUndeliverable("n1", "550"),
    e.WatchEnded(),
    e.Withdrawn("reviewer", "wrong name"),
    e.EpochChanged("a", "b"),
]


@pytest.mark.parametrize("state", list(CaseState))
@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_every_event_in_every_state_moves_by_the_table_or_changes_nothing(state: CaseState, event: e.Event) -> None:
    case = a_case(state)
    try:
        step = case.apply(event, NOW)
    except (Conflict, Forbidden):
        return
    assert step.case.rev == case.rev + 1
    assert "." in step.fact.tag
    if step.case.state is not state:
        assert str(step.case.state) in CONTRACT[str(state)]
        assert (step.fact.detail["from"], step.fact.detail["to"]) == (str(state), str(step.case.state))


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_no_history_leaves_the_table_or_skips_a_rev(events: list[e.Event]) -> None:
    case = a_case(CaseState.RECEIVED)
    for event in events:
        try:
            step = case.apply(event, NOW)
        except (Conflict, Forbidden):
            continue
        assert step.case.rev == case.rev + 1
        assert step.case.state is case.state or str(step.case.state) in CONTRACT[str(case.state)]
        if case.outcome is not None:
            assert step.case.outcome == case.outcome, "an outcome is never overwritten"
        case = step.case


def test_the_submitter_cannot_approve() -> None:
    with pytest.raises(Forbidden) as refused:
        a_case().apply(approved(by="submitter"), NOW)
    assert refused.value.code == "four_eyes"


def test_an_approval_names_what_was_shown() -> None:
    with pytest.raises(Conflict) as refused:
        a_case().apply(approved(digest="d1", shown="d2"), NOW)
    assert refused.value.code == "digest_changed"


def test_nobody_to_write_to_is_no_approval() -> None:
    with pytest.raises(Conflict) as refused:
        a_case().apply(e.Approved("reviewer", "d1", "d1", (), WINDOW), NOW)
    assert refused.value.code == "no_recipient"


def test_approval_opens_the_cancel_window() -> None:
    step = a_case().apply(approved(), NOW)
    assert step.case.state is CaseState.APPROVED
    assert step.timers == (Timer(JobKind.DISPATCH, "0190-case", NOW + WINDOW),)


def test_second_review_takes_two_people_over_the_same_digest() -> None:
    case = a_case(safety=Safety.SECOND_REVIEW)
    first = case.apply(approved(by="one"), NOW).case
    assert (first.state, first.approvers) == (CaseState.IN_REVIEW, ("one",))
    with pytest.raises(Forbidden):
        first.apply(approved(by="one"), NOW)
    assert first.apply(approved(by="two"), NOW).case.state is CaseState.APPROVED
    # Another digest is another question: the first approval does not count for it.
    anew = first.apply(approved(by="two", digest="d2", shown="d2"), NOW).case
    assert (anew.state, anew.approvers) == (CaseState.IN_REVIEW, ("two",))


def test_an_approver_who_becomes_a_party_voids_the_approval() -> None:
    case = a_case().apply(approved(by="reviewer"), NOW).case
    step = case.apply(e.ReportJoined("r2", "reviewer"), NOW)
    assert step.case.state is CaseState.IN_REVIEW
    assert JobKind.DISPATCH in step.stop_timers
    with pytest.raises(Forbidden):
        step.case.apply(approved(by="reviewer"), NOW)


def test_evidence_after_approval_voids_it() -> None:
    case = a_case().apply(approved(), NOW).case
    assert case.apply(e.EvidenceAdded(("e",), "other"), NOW).case.state is CaseState.IN_REVIEW


@pytest.mark.parametrize("event", [e.Withdrawn("r", "error"), e.EpochChanged("a", "b")])
@pytest.mark.parametrize("state", ["received", "needs_evidence", "in_review", "approved", "notified", "resolved"])
def test_withdrawal_and_epoch_change_stop_every_timer(event: e.Event, state: str) -> None:
    assert set(a_case(CaseState(state)).apply(event, NOW).stop_timers) == set(JobKind)


def test_a_decline_is_an_end_and_no_error() -> None:
    step = a_case(CaseState.NOTIFIED).apply(e.Answered("n1", "declined", reason="declined_nexus"), NOW)
    assert (step.case.state, step.case.outcome, step.case.outcome_actor) == (
        CaseState.RESOLVED,
        "declined_nexus",
        "none",
    )


def test_a_claim_alone_resolves_nothing() -> None:
    event = e.Answered("n1", "action_claimed", "claim", None, NOW + WINDOW, NOW + timedelta(days=1))
    step = a_case(CaseState.NOTIFIED).apply(event, NOW)
    assert (step.case.state, step.case.observed, step.case.outcome) == (CaseState.NOTIFIED, "pending", None)
    assert [timer.kind for timer in step.timers] == [JobKind.OBSERVE, JobKind.OBSERVE]


def test_needs_info_stops_the_recipients_clock() -> None:
    step = a_case(CaseState.NOTIFIED).apply(e.Answered("n1", "needs_info"), NOW)
    assert step.stop_timers == (JobKind.CLOCK_ENDED,)


def test_relapse_reopens_and_keeps_the_outcome() -> None:
    case = a_case(CaseState.NOTIFIED).apply(judged(Verdict.VERIFIED), NOW).case
    again = case.apply(judged(Verdict.RELAPSED), NOW).case
    assert (again.state, again.outcome, again.aftermath, again.reopened_count) == (
        CaseState.IN_REVIEW,
        "registry_hold",
        "relapsed",
        1,
    )


# design.md 3: contradicted > relapsed > partial > pending > unverifiable > verified_dns_only > verified.
ORDER = ["contradicted", "relapsed", "partial", "pending", "unverifiable", "verified_dns_only", "verified"]


@pytest.mark.parametrize("i", range(len(ORDER)))
def test_a_case_shows_its_worst_standing_verdict(i: int) -> None:
    assert summarise(Verdict(v) for v in ORDER[i:]) == ORDER[i]


def test_no_standing_claim() -> None:
    assert summarise([]) == "not_checked"
    assert summarise([Verdict.RELEASED]) == "released"


@pytest.mark.parametrize(
    ("verdict", "outcome"), [(Verdict.CONTRADICTED, "claimed_not_done"), (Verdict.UNVERIFIABLE, None)]
)
def test_what_nobody_could_see_has_no_outcome(verdict: Verdict, outcome: str | None) -> None:
    case = a_case(CaseState.NOTIFIED).apply(judged(verdict, outcome=None), NOW).case
    assert (case.state, case.observed, case.outcome) == (CaseState.RESOLVED, str(verdict), outcome)
