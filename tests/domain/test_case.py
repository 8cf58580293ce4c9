"""The case's table of states against the contract, four eyes, and that every step tells what it did."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain import case_state as c
from notifier.domain import events as e
from notifier.domain.case import STEPS, Case
from notifier.domain.case_state import CaseState
from notifier.domain.epp import Measure
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.ladder import Rung
from notifier.domain.outcome import Verdict, summarise
from notifier.domain.rule import Recipient
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


ONE_HOST = Target("a.shop.example", Scope.HOST, "shop.example", "a.shop.example", None, "example", "a.shop.example")


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


def approved(by: str = "reviewer", digest: str = "d1", shown: str = "d1", note: str = "compared it") -> e.Approved:
    return e.Approved(by, digest, shown, ("n1",), WINDOW, note)


def assessed(safety: Safety, target: Target | None = None, news: tuple[str, ...] = ()) -> e.Assessed:
    return e.Assessed("a", safety, "measured", target, news)


def judged(
    verdict: Verdict,
    *,
    final: bool = True,
    outcome: str | None = "registry_hold",
    hold: e.Held | None = None,
    reopens: bool = True,
) -> e.Judged:
    return e.Judged(
        "claim", verdict, str(verdict), outcome, "registry", final, "seen", None, hold=hold, reopens=reopens
    )


HELD = e.Held("reviewer", NOW + timedelta(days=20), NOW + timedelta(days=30))


def test_the_table_is_the_contract() -> None:
    assert {str(s): {str(t) for t in to} for s, to in c.TRANSITIONS.items()} == CONTRACT


CURED_LATER = e.CuredLater("o", ("n1",), enforced=False, to_undo=True, outcome="withdrawn_cured", actor="registrant")

RUNG = Rung(Recipient.REGISTRY, "piracy.radix", Measure.HOLD)
EVENTS: list[e.Event] = [
    e.ReportJoined("r", "other"),
    e.ReportsArrived("0190-other", ("r",), ("e",), frozenset({"other"}), "reviewer", "same matter", merged=True),
    e.ReportsArrived("0190-other", ("r",), ("e",), frozenset({"other"}), "reviewer", "belongs here"),
    e.ReportsLeft("0190-other", ("r",), ("e",), frozenset({"submitter"}), "reviewer", "does not belong"),
    e.MergedInto("0190-other", "TN-2026-000002", ("r",), ("e",), ("n1",), "reviewer", "same matter"),
    e.UndoAsked("withdrawn"),
    e.EvidenceAdded(("e",), "other"),
    e.Evaluated(True, (), ()),
    e.Evaluated(False, ("rule",), ()),
    e.TargetObserved("o", "D1-EX@2020-01-01T00:00:00+00:00", False, {}),
    assessed(Safety.CLEAR),
    assessed(Safety.SECOND_REVIEW),
    assessed(Safety.REROUTE, ONE_HOST),
    assessed(Safety.REFUSE, ONE_HOST),
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
    e.SendingStopped(("n1",), "already down"),
    e.Cured("o"),
    CURED_LATER,
    replace(CURED_LATER, removed=True, enforced=True),
    e.CameBack("o"),
    e.WatchEnded(),
    e.Withdrawn("reviewer", "wrong name"),
    e.EpochChanged("a", "b"),
    e.AppealOpened("a", (NOW,)),
    e.AppealClosed("a", "upheld"),
    e.Overturned("a", "overturned", "wrong_name", cured=False, told=True, looks=(NOW,)),
    e.Overturned("a", "partial", "cured", cured=True, told=False, looks=()),
    e.Lapsed("a", told=True, looks=(NOW,)),
    e.BackSeen("o", "released"),
    judged(Verdict.VERIFIED, hold=HELD),
    judged(Verdict.RELAPSED, reopens=False),
    e.HoldKept("other", "the shop still sells", ("e",), HELD),
    e.HoldPutOff(HELD),
    e.HoldLapsed(told=True, looks=(NOW,)),
    e.PhaseSeen("redemption", "o", NOW),
    e.PhaseSeen("purged", "o", NOW),
    e.PhaseSeen(None, "o", None),
    e.EventOver("final", True, True, (NOW,)),
    e.EventOver("final", False, False, ()),
    e.Released("o", True, "released"),
    e.FoundWrong("a", "other"),
    e.UndoNeedless("n"),
    e.StepChosen(RUNG, "nobody was asked yet"),
    e.StepChosen(None, "nobody can be asked"),
    e.StepPassed(RUNG, "reviewer", "it has no contact"),
    e.Escalated("n", "silence", RUNG),
    e.ContactGiven("k", "registrar", "other", "a" * 64),
    e.AmendmentBegun("m", "n", "other", "b" * 64),
]


def test_a_case_knows_what_each_event_does() -> None:
    assert set(STEPS) == set(get_args(e.Event)) == {type(event) for event in EVENTS}


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


@pytest.mark.parametrize("why", [{"safety": Safety.SECOND_REVIEW}, {"second_reasons": ("lawful elsewhere",)}])
def test_where_two_must_agree_each_states_a_reason(why: dict[str, object]) -> None:
    case = a_case(**why)
    for note in ("", " \n\t"):
        with pytest.raises(Conflict) as refused:
            case.apply(approved(note=note), NOW)
        assert refused.value.code == "reason_required"
    first = case.apply(approved(by="one"), NOW).case
    with pytest.raises(Conflict) as refused:
        first.apply(approved(by="two", note=""), NOW)
    assert refused.value.code == "reason_required"
    assert a_case().apply(approved(note=""), NOW).case.state is CaseState.APPROVED


def test_what_is_worse_than_what_was_approved_voids_the_approval() -> None:
    case = a_case().apply(approved(), NOW).case
    same = case.apply(assessed(Safety.CLEAR), NOW)
    assert (same.case.state, same.case.approvers, same.stop_timers) == (CaseState.APPROVED, ("reviewer",), ())
    step = case.apply(assessed(Safety.SECOND_REVIEW), NOW)
    assert (step.case.state, step.case.approvers, step.case.review_reason) == (CaseState.IN_REVIEW, (), "safety")
    assert JobKind.DISPATCH in step.stop_timers
    assert step.fact.tag == "target.assessed"
    assert (step.fact.detail["was"], step.fact.detail["safety"]) == ("clear", "second_review")


def test_news_of_the_same_weight_void_an_approval_and_better_news_do_not() -> None:
    two = a_case(safety=Safety.SECOND_REVIEW)
    case = two.apply(approved(by="one"), NOW).case.apply(approved(by="two"), NOW).case
    assert case.apply(assessed(Safety.SECOND_REVIEW), NOW).case.state is CaseState.APPROVED
    assert case.apply(assessed(Safety.CLEAR), NOW).case.state is CaseState.APPROVED
    assert case.apply(assessed(Safety.SECOND_REVIEW, news=("host_names",)), NOW).case.state is CaseState.IN_REVIEW
    half = two.apply(approved(by="one"), NOW).case
    assert half.apply(assessed(Safety.SECOND_REVIEW, news=("host_names",)), NOW).case.approvers == ()
    assert half.apply(assessed(Safety.SECOND_REVIEW), NOW).case.approvers == ("one",)


def test_a_rerouted_case_is_about_one_host_and_has_nobody_to_ask_by_agreement() -> None:
    step = a_case().apply(assessed(Safety.REROUTE, ONE_HOST), NOW)
    case = step.case
    assert (case.target, case.agreement, case.safety) == (ONE_HOST, None, Safety.REROUTE)
    assert case.step is Recipient.HOST
    assert case.can_ask, "its host may still be asked"
    assert (step.fact.detail["target"], step.fact.detail["scope"]) == ("a.shop.example", "host")
    with pytest.raises(Conflict):  # a reroute of a whole name would leave a registry step
        a_case().apply(assessed(Safety.REROUTE), NOW)
    with pytest.raises(Conflict):  # asking for more needs a person
        case.apply(assessed(Safety.CLEAR, a_case().target), NOW)
    assert case.apply(assessed(Safety.REROUTE), NOW).case.target == ONE_HOST


@pytest.mark.parametrize("state", ["notified", "resolved", "closed", "withdrawn"])
def test_what_has_left_is_not_assessed_any_more(state: str) -> None:
    with pytest.raises(Conflict):
        a_case(CaseState(state)).apply(assessed(Safety.REROUTE, ONE_HOST), NOW)


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
    assert set(a_case(CaseState(state)).apply(event, NOW).stop_timers) == set(JobKind) - {
        JobKind.RELEASE,
        JobKind.STAMP,
        JobKind.TASK_OVERDUE,  # whoever has a notice in hand still owes word of it
        JobKind.POLL,  # each question sees for itself whether it is still one
        JobKind.UNDO_CLOCK,  # an undo is owed in every state
        JobKind.APPEAL_DUE,  # an answer to whoever appealed is owed whatever became of the case
        JobKind.LOOK_BACK,
        JobKind.HOLD_REVIEW,  # what is kept from somebody lapses in every state
        JobKind.LIFECYCLE,  # a registration runs out whatever we do
        JobKind.CURE,  # a cure is owed to whoever was told, and one may come back
        JobKind.EVENT_OVER,  # what was told until an instant ends then, also under a case that is over
        JobKind.SEE_RELEASE,
    }


def test_an_undo_of_what_never_left_is_needless_and_of_nothing_else() -> None:
    withdrawn = a_case(CaseState.NOTIFIED).apply(e.Withdrawn("r", "error", told=True), NOW).case
    step = withdrawn.apply(e.UndoNeedless("n1"), NOW)
    assert (withdrawn.undo, step.case.undo, step.case.state) == ("requested", "none", CaseState.WITHDRAWN)
    with pytest.raises(Conflict):
        step.case.apply(e.UndoNeedless("n1"), NOW)


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
    assert {JobKind.CLOCK_ENDED, JobKind.REMIND} <= set(step.stop_timers)


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


MERGED = e.MergedInto("0190-other", "TN-2026-000002", ("r",), ("e",), ("n1",), "reviewer", "same matter")


def test_a_merged_case_ends_as_a_duplicate_and_still_hears_who_was_asked() -> None:
    step = a_case(CaseState.NOTIFIED).apply(MERGED, NOW)
    merged = step.case
    assert (merged.state, merged.outcome, merged.merged_into) == (CaseState.SUPERSEDED, "duplicate", "0190-other")
    assert JobKind.OBSERVE not in step.stop_timers
    assert {JobKind.DISPATCH, JobKind.CLOCK_ENDED} <= set(step.stop_timers)
    answered = merged.apply(e.Answered("n1", "action_claimed", "claim", None, NOW, NOW), NOW).case
    assert (answered.state, answered.response) == (CaseState.SUPERSEDED, "action_claimed")
    undone = merged.apply(e.UndoAsked("withdrawn"), NOW).case
    assert undone.undo == "requested"
    with pytest.raises(Conflict):
        undone.apply(e.UndoAsked("withdrawn"), NOW)
    with pytest.raises(Conflict):
        a_case(CaseState.SUPERSEDED).apply(e.Answered("n1", "acknowledged"), NOW)


@pytest.mark.parametrize(
    "event",
    [
        e.ReportsArrived("0190-other", ("r",), (), frozenset({"reviewer"}), "rolf", "same matter", merged=True),
        e.ReportsLeft("0190-other", ("r",), (), frozenset({"reviewer"}), "rolf", "does not belong"),
    ],
)
def test_reports_that_come_or_go_void_what_was_approved(event: e.Event) -> None:
    approved_case = a_case(CaseState.APPROVED, approvers=("reviewer",), approved_digest="d1")
    step = approved_case.apply(event, NOW)
    assert (step.case.state, step.case.approvers, step.case.approved_digest) == (CaseState.IN_REVIEW, (), None)
    assert JobKind.DISPATCH in step.stop_timers
    assert "reviewer" in step.case.involved, "who is a party now may not approve"
    first = a_case(safety=Safety.SECOND_REVIEW, approvers=("one",), approved_digest="d1")
    assert first.apply(event, NOW).case.approvers == ()


def test_who_left_with_their_report_is_no_party_any_more() -> None:
    left = e.ReportsLeft("0190-other", ("r",), (), frozenset({"tim"}), "rolf", "does not belong")
    assert a_case(involved=frozenset({"submitter", "tim"})).apply(left, NOW).case.involved == {"tim"}


def test_an_embargoed_case_is_never_dispatched() -> None:
    with pytest.raises(Conflict):
        a_case(CaseState.APPROVED, embargo=True).apply(e.Dispatched("o", ("n1",), NOW), NOW)


# --- appeals ------------------------------------------------------------------------------------------------------

OVERTURNED = e.Overturned("a", "overturned", "wrong_name", cured=False, told=True, looks=(NOW,))


def appealed(state: CaseState, **changes: object) -> Case:
    return a_case(state, **changes).apply(e.AppealOpened("a", (NOW, NOW + WINDOW)), NOW).case


def test_while_an_appeal_is_heard_nothing_more_is_asked_for() -> None:
    step = a_case(CaseState.NOTIFIED).apply(e.AppealOpened("a", (NOW, NOW + WINDOW)), NOW)
    assert step.timers == (Timer(JobKind.APPEAL_DUE, "a", NOW), Timer(JobKind.APPEAL_DUE, "a", NOW + WINDOW))
    assert JobKind.REMIND in step.stop_timers
    for state, event in (
        (CaseState.NOTIFIED, e.Escalated("n1", "silence", RUNG)),
        (CaseState.IN_REVIEW, approved()),
        (CaseState.APPROVED, e.Dispatched("o", ("n1",), NOW)),
    ):
        with pytest.raises(Conflict, match="appeal"):
            appealed(state).apply(event, NOW)
    heard = appealed(CaseState.NOTIFIED).apply(e.Answered("n1", "acknowledged"), NOW).case
    assert heard.response == "acknowledged", "an answer still counts"
    with pytest.raises(Conflict):
        appealed(CaseState.NOTIFIED).apply(e.AppealOpened("b", ()), NOW)


def test_what_stood_still_goes_on_when_the_decision_stands() -> None:
    waiting = appealed(CaseState.NOTIFIED).apply(e.AppealClosed("a", "upheld"), NOW)
    assert waiting.timers == (Timer(JobKind.CLOCK_ENDED, "0190-case", NOW),)
    leaving = appealed(CaseState.APPROVED).apply(e.AppealClosed("a", "upheld"), NOW)
    assert [job.kind for job in leaving.jobs] == [JobKind.DISPATCH]
    assert not leaving.case.appeal_open


@pytest.mark.parametrize("state", ["in_review", "approved", "notified", "resolved"])
def test_an_overturn_ends_an_open_case_and_asks_for_everything_back(state: str) -> None:
    step = appealed(CaseState(state), outcome="registry_hold", outcome_actor="registry").apply(OVERTURNED, NOW)
    case = step.case
    assert (case.state, case.undo, case.aftermath, case.appeal_open) == (
        CaseState.WITHDRAWN,
        "requested",
        "lifted_wrong",
        False,
    )
    assert (case.outcome, case.outcome_actor) == ("registry_hold", "registry"), "the first outcome is never overwritten"
    assert Timer(JobKind.LOOK_BACK, "0190-case", NOW) in step.timers
    assert JobKind.LOOK_BACK not in step.stop_timers


@pytest.mark.parametrize("state", ["closed", "withdrawn", "superseded", "rejected"])
def test_an_overturn_of_an_ended_case_leaves_it_ended(state: str) -> None:
    case = appealed(CaseState(state)).apply(OVERTURNED, NOW).case
    assert (case.state, case.undo, case.aftermath) == (CaseState(state), "requested", "lifted_wrong")
    if state != "rejected":
        assert case.hears or state == "superseded"


def test_a_cure_and_a_lapse_are_no_mistakes_of_the_report() -> None:
    cured = e.Overturned("a", "overturned", "cured", cured=True, told=True, looks=())
    assert appealed(CaseState.RESOLVED).apply(cured, NOW).case.aftermath == "lifted_cured"
    lapsed = appealed(CaseState.RESOLVED).apply(e.Lapsed("a", told=True, looks=()), NOW).case
    assert (lapsed.aftermath, lapsed.undo, lapsed.appeal_open) == ("lifted_lapsed", "requested", True)
    assert lapsed.apply(OVERTURNED, NOW).case.aftermath == "lifted_wrong", "a late decision still says what it was"


def test_a_name_is_back_once_and_only_where_it_was_asked_for() -> None:
    lifted = appealed(CaseState.RESOLVED).apply(OVERTURNED, NOW).case
    back = lifted.apply(e.BackSeen("o", "released"), NOW).case
    assert back.undo == "verified"
    for case in (back, a_case(CaseState.RESOLVED)):
        with pytest.raises(Conflict):
            case.apply(e.BackSeen("o", "released"), NOW)


# --- rules and what must be weighed -------------------------------------------------------------------------------


def evaluated(*reasons: str, sufficient: bool = True, rules: str = "d") -> e.Evaluated:
    return e.Evaluated(sufficient, (), (), reasons, rules)


def test_what_must_be_weighed_asks_for_two_people() -> None:
    case = a_case().apply(evaluated("a court found it lawful"), NOW).case
    assert (case.approvals_needed, case.second_reasons) == (2, ("a court found it lawful",))
    first = case.apply(approved("r1"), NOW).case
    assert first.state is CaseState.IN_REVIEW
    assert first.apply(approved("r2"), NOW).case.state is CaseState.APPROVED


@pytest.mark.parametrize("news", [evaluated("a", "b"), evaluated("a", rules="e")], ids=["a new reason", "other rules"])
def test_a_first_approval_does_not_outlive_what_it_had_not_seen(news: e.Evaluated) -> None:
    case = a_case().apply(evaluated("a"), NOW).case.apply(approved("r1"), NOW).case
    assert case.approvers == ("r1",)
    assert case.apply(evaluated("a"), NOW).case.approvers == ("r1",)
    again = case.apply(news, NOW).case
    assert (again.state, again.approvers, again.approved_digest) == (CaseState.IN_REVIEW, (), None)


@pytest.mark.parametrize("state", [CaseState.RECEIVED, CaseState.NEEDS_EVIDENCE, CaseState.IN_REVIEW])
def test_an_evaluation_says_under_which_rules(state: CaseState) -> None:
    step = a_case(state).apply(evaluated(rules="e"), NOW)
    assert step.fact.detail["program_digest"] == step.case.program_digest == "e"
    assert step.case.apply(approved(), NOW).fact.detail["program_digest"] == "e"
    assert step.case.apply(e.Rejected("r", "no"), NOW).fact.detail["program_digest"] == "e"


def test_an_approved_case_keeps_the_rules_it_was_approved_under() -> None:
    case = a_case().apply(approved(), NOW).case
    assert case.apply(evaluated("a", rules="e"), NOW).case.program_digest == "d"


def test_no_entry_tells_the_words_of_what_is_weighed() -> None:
    step = a_case().apply(evaluated("a court found it lawful"), NOW)
    assert "lawful" not in str(step.fact.detail)
    assert step.fact.detail["to_weigh"] == 1


def held_case(state: CaseState = CaseState.RESOLVED, **changes: object) -> Case:
    case = a_case(CaseState.NOTIFIED).apply(judged(Verdict.VERIFIED, hold=HELD), NOW).case
    return replace(case, state=state, **changes)  # type: ignore[arg-type]


def test_what_is_seen_held_has_an_owner_and_a_date() -> None:
    step = a_case(CaseState.NOTIFIED).apply(judged(Verdict.VERIFIED, hold=HELD), NOW)
    assert (step.case.assignee, step.case.review_by) == ("reviewer", HELD.review_by)
    reviews = [timer.due_at for timer in step.timers if timer.kind is JobKind.HOLD_REVIEW]
    assert reviews == [HELD.warn_at, HELD.review_by]
    mine = a_case(CaseState.NOTIFIED, assignee="somebody").apply(judged(Verdict.VERIFIED, hold=HELD), NOW).case
    assert mine.assignee == "somebody"
    later = e.Held("other", NOW + timedelta(days=90), NOW + timedelta(days=99))
    assert step.case.apply(judged(Verdict.VERIFIED, hold=later), NOW).case.review_by == HELD.review_by, (
        "no silent extension"
    )


def test_a_date_ends_with_what_it_is_about() -> None:
    for event in (
        judged(Verdict.RELAPSED),
        judged(Verdict.UNVERIFIABLE, outcome="expired_lapsed"),
        e.Withdrawn("reviewer", "error", told=True),
        e.PhaseSeen("purged", "o", NOW),
        e.EpochChanged("a", "b"),
        e.HoldLapsed(told=True, looks=()),
        e.EventOver("final", True, True, ()),
        CURED_LATER,
        e.Overturned("a", "overturned", "wrong_name", cured=False, told=True, looks=()),
    ):
        assert held_case().apply(event, NOW).case.review_by is None, event


@pytest.mark.parametrize("state", [CaseState.RESOLVED, CaseState.CLOSED])
def test_a_hold_is_kept_by_a_person_who_did_not_supply_the_evidence(state: CaseState) -> None:
    kept = e.HoldKept("reviewer", "it still sells", ("e1",), e.Held(None, NOW, NOW + timedelta(days=60)))
    step = held_case(state).apply(kept, NOW)
    assert (step.case.review_by, step.case.state) == (NOW + timedelta(days=60), state)
    assert step.stop_timers == (JobKind.HOLD_REVIEW,)
    with pytest.raises(Forbidden):
        held_case(state).apply(replace(kept, by="submitter"), NOW)
    with pytest.raises(Conflict) as refused:
        held_case(state).apply(replace(kept, evidence_ids=()), NOW)
    assert refused.value.code == "evidence_required"
    with pytest.raises(Conflict) as refused:
        a_case(state).apply(kept, NOW)
    assert refused.value.code == "not_held"


@pytest.mark.parametrize(("state", "after"), [(CaseState.RESOLVED, "withdrawn"), (CaseState.CLOSED, "closed")])
def test_a_hold_that_lapses_is_taken_back_whatever_became_of_the_case(state: CaseState, after: str) -> None:
    case = held_case(state).apply(e.HoldLapsed(told=True, looks=(NOW,)), NOW).case
    assert (str(case.state), case.aftermath, case.undo, case.outcome) == (
        after,
        "lifted_lapsed",
        "requested",
        "registry_hold",
    )
    back = case.apply(judged(Verdict.RELAPSED), NOW).case
    assert (str(back.state), back.aftermath, back.reopened_count) == (after, "lifted_lapsed", 0), "we asked for that"


def test_a_relapse_opens_a_closed_case_unless_another_has_the_name() -> None:
    closed = held_case(CaseState.CLOSED, closed_at=NOW)
    step = closed.apply(judged(Verdict.RELAPSED), NOW)
    assert (step.case.state, step.case.review_reason, step.case.closed_at) == (CaseState.IN_REVIEW, "relapse", None)
    assert (step.case.reopened_count, step.case.aftermath) == (1, "relapsed")
    assert [job.kind for job in step.jobs] == [JobKind.CHECK]
    other = closed.apply(judged(Verdict.RELAPSED, reopens=False), NOW).case
    assert (other.state, other.aftermath, other.reopened_count) == (CaseState.CLOSED, "relapsed", 0)


def test_another_registration_supersedes_what_is_open_and_is_told_of_what_is_closed() -> None:
    for state, after, aftermath in (
        (CaseState.NOTIFIED, "superseded", None),
        (CaseState.RESOLVED, "superseded", "reregistered"),
        (CaseState.CLOSED, "closed", "reregistered"),
    ):
        resolved_at = None if state is CaseState.NOTIFIED else NOW
        case = a_case(state, resolved_at=resolved_at, outcome=None).apply(e.EpochChanged("a", "b"), NOW).case
        assert (str(case.state), case.aftermath) == (after, aftermath)


def test_what_stands_at_the_end_of_the_watch_is_said_and_keeps_its_owner() -> None:
    closed = held_case().apply(e.WatchEnded(), NOW).case
    assert (closed.state, closed.aftermath, closed.review_by) == (CaseState.CLOSED, "standing", HELD.review_by)
    assert closed.apply(e.Assigned("another"), NOW).case.assignee == "another"
    with pytest.raises(Conflict) as refused:
        closed.apply(e.Assigned(None), NOW)
    assert refused.value.code == "owner_required"


# --- cured after somebody was asked -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "enforced", "ends"),
    [
        (None, False, ("withdrawn_cured", "registrant", None)),
        (None, True, ("withdrawn_cured", "registrant", "lifted_cured")),
        ("registry_lock", True, ("registry_lock", "registry", "lifted_cured")),
        ("no_response", False, ("no_response", "registry", "lifted_cured")),
    ],
)
def test_a_cure_after_the_request_ends_the_case_and_what_was_observed_stands(
    outcome: str | None, enforced: bool, ends: tuple[str, str, str | None]
) -> None:
    before = replace(a_case(CaseState.RESOLVED), outcome=outcome, outcome_actor=outcome and "registry")
    after = before.apply(replace(CURED_LATER, enforced=enforced), NOW).case
    assert (after.outcome, after.outcome_actor, after.aftermath) == ends
    assert (after.state, after.undo, after.closed_at, after.cured) == (CaseState.WITHDRAWN, "requested", NOW, True)


def test_a_host_that_did_what_it_was_asked_goes_on_being_watched() -> None:
    before = replace(a_case(CaseState.RESOLVED), outcome="host_removed", outcome_actor="host")
    step = before.apply(replace(CURED_LATER, removed=True), NOW)
    assert (step.case.state, step.case.outcome, step.case.aftermath) == (CaseState.RESOLVED, "host_removed", None)
    assert (step.case.undo, step.fact.tag, step.stop_timers) == ("requested", "case.others_released", ())


def test_where_nothing_can_be_undone_no_undo_is_waited_for() -> None:
    after = a_case(CaseState.NOTIFIED).apply(replace(CURED_LATER, to_undo=False), NOW).case
    assert (after.state, after.undo) == (CaseState.WITHDRAWN, "none")


def test_what_came_back_after_a_cure_asks_for_nothing() -> None:
    cured = a_case(CaseState.NOTIFIED).apply(CURED_LATER, NOW).case
    step = cured.apply(e.CameBack("o"), NOW)
    assert (step.case.state, step.case.aftermath, step.jobs, step.timers) == (CaseState.WITHDRAWN, "relapsed", (), ())
    with pytest.raises(Conflict):
        a_case(CaseState.RESOLVED).apply(e.CameBack("o"), NOW)


def test_the_looks_for_a_cure_outlive_every_end_of_our_work() -> None:
    stopped = a_case(CaseState.NOTIFIED).apply(e.Withdrawn("reviewer", "wrong name"), NOW).stop_timers
    assert JobKind.CURE not in stopped
    assert JobKind.CLOCK_ENDED in stopped


@pytest.mark.parametrize(("ground", "aftermath"), [("cured", "lifted_cured"), ("error", None), ("other", None)])
def test_what_a_person_withdraws_as_cured_is_known_as_that_beside_its_outcome(
    ground: str, aftermath: str | None
) -> None:
    before = replace(a_case(CaseState.RESOLVED), outcome="no_response", outcome_actor="none")
    after = before.apply(e.Withdrawn("r", "the pages are gone", told=True, ground=ground), NOW).case
    assert (after.outcome, after.aftermath) == ("no_response", aftermath)


# --- held for a live event -------------------------------------------------------------------------------------

UNTIL = NOW + timedelta(hours=1)


def test_without_a_window_it_leaves_at_once_and_its_end_is_planned_with_it() -> None:
    event = replace(approved(), cancel_window=timedelta(), until=UNTIL)
    step = a_case().apply(event, NOW)
    assert [(j.kind, j.priority) for j in step.jobs] == [(JobKind.DISPATCH, 10)]
    assert [(t.kind, t.due_at) for t in step.timers] == [(JobKind.EVENT_OVER, UNTIL)]
    assert step.case.priority == 10
    with pytest.raises(Conflict) as raised:
        a_case().apply(event, UNTIL)
    assert raised.value.code == "event_over"


def test_who_is_not_on_duty_needs_a_second_person() -> None:
    first = a_case().apply(replace(approved(), people=2), NOW).case
    assert first.state is CaseState.IN_REVIEW
    assert first.apply(replace(approved(by="other"), people=2), NOW).case.state is CaseState.APPROVED


@pytest.mark.parametrize(
    ("state", "after", "outcome"),
    [
        ("notified", "withdrawn", "no_response"),
        ("approved", "withdrawn", "no_response"),
        ("closed", "closed", None),
        ("withdrawn", "withdrawn", None),
    ],
)
def test_the_end_of_an_event_ends_what_is_open_and_asks_for_the_undo_of_everything_told(
    state: str, after: str, outcome: str | None
) -> None:
    looks = (UNTIL + timedelta(minutes=1),)
    step = a_case(CaseState(state)).apply(e.EventOver("final", True, True, looks), UNTIL)
    assert (str(step.case.state), step.case.undo, step.case.outcome) == (after, "requested", outcome)
    assert [(t.kind, t.due_at) for t in step.timers if t.kind is JobKind.SEE_RELEASE] == [
        (JobKind.SEE_RELEASE, looks[0])
    ]


def test_what_was_claimed_and_not_seen_at_the_end_has_no_outcome() -> None:
    case = a_case(CaseState.NOTIFIED, response="action_claimed")
    assert case.apply(e.EventOver("final", True, True, ()), UNTIL).case.outcome is None


def test_a_name_that_is_back_says_when_and_never_that_a_wrong_hold_was_right() -> None:
    over = a_case(CaseState.NOTIFIED).apply(e.EventOver("final", True, True, ()), UNTIL).case
    assert over.apply(e.Released("o", True, "released"), UNTIL).case.aftermath == "released_on_time"
    assert over.apply(e.Released("o", False, "released"), UNTIL).case.aftermath == "reinstated"
    wrong = over.apply(e.FoundWrong("a", "other"), UNTIL).case
    assert wrong.apply(e.Released("o", True, "released"), UNTIL).case.aftermath == "lifted_wrong"
    with pytest.raises(Conflict):
        a_case(CaseState.NOTIFIED).apply(e.Released("o", True, "released"), UNTIL)
    with pytest.raises(Conflict):
        a_case(CaseState.NOTIFIED).apply(e.FoundWrong("a", "other"), UNTIL)
