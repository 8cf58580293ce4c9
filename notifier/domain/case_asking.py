"""What asking, being answered and going on to the next party do to a case. Pure; `Case.apply` asks here."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.case_state import NEXT_STEP, NO_APPROVAL, RECIPIENT_CLOCK
from notifier.domain.case_state import CaseState as S
from notifier.domain.events import (
    AmendmentBegun,
    Answered,
    ClockEnded,
    Dispatched,
    Escalated,
    Fact,
    NoticeUndeliverable,
    SendingStopped,
    StepChosen,
    StepPassed,
)
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.domain.ladder import Rung
from notifier.errors import Conflict

if TYPE_CHECKING:
    from notifier.domain.case import Case, Step


def _dispatched(case: "Case", event: Dispatched, now: datetime) -> "Step":
    case._must_be(S.APPROVED)
    if case.embargo:
        raise Conflict("the case waits")
    case._nobody_appeals()
    fact = Fact(
        "case.dispatched",
        {"baseline": event.baseline_id, "notices": list(event.notice_ids), "step": str(case.step)},
    )
    remind = [(notice, event.remind_at) for notice in event.notice_ids if event.remind_at]
    return case._to(
        S.NOTIFIED,
        now,
        fact,
        jobs=tuple(Job(JobKind.SEND, notice, case.priority) for notice in event.notice_ids),
        timers=(
            Timer(JobKind.CLOCK_ENDED, case.id, event.clock_ends),
            *(Timer(JobKind.REMIND, notice, at) for notice, at in remind),
        ),
        notified_at=case.notified_at or now,
        amendment=None,
    )


def _answered(case: "Case", event: Answered, now: datetime) -> "Step":
    case._must_hear()
    detail = {
        "notice": event.notice_id,
        "response": event.response,
        "claim": event.claim_id,
        "reason": event.reason,
    }
    fact = Fact("answer.received", detail)
    response = event.response
    if not event.current:  # the case shows what the party says that was asked last, if it says anything
        response = event.response if case.response == "none" else case.response
    elif not event.first:
        response = max(case.response, event.response, key=_RESPONSES.index)
    if event.response == "declined" and event.current and event.last and case.state is S.NOTIFIED:
        return case._resolve(now, fact, event.reason or "declined_other", "none", response="declined")
    if event.claim_id and event.first_look and event.claim_deadline:
        looks = (
            Timer(JobKind.OBSERVE, event.claim_id, event.first_look),
            Timer(JobKind.OBSERVE, event.claim_id, event.claim_deadline),
        )
        # A claimed act ends the wait for an answer; from here the claim's own deadline counts.
        undo = "claimed" if event.undoes and case.undo == "requested" else case.undo
        stop = RECIPIENT_CLOCK if event.current else ()
        return case._stay(fact, timers=looks, stop=stop, response=response, observed="pending", undo=undo)
    if not event.current:
        return case._stay(fact, response=response)
    # Whoever answered is not reminded; and when we owe the answer, the recipient's clock does not run.
    halted = RECIPIENT_CLOCK if event.response == "needs_info" else (JobKind.REMIND,)
    owed = (Timer(JobKind.ANSWER_OWED, event.notice_id, event.owed_at),) if event.owed_at else ()
    return case._stay(fact, stop=halted, timers=owed, response=response)


def _clock_ended(case: "Case", event: ClockEnded, now: datetime) -> "Step":
    case._must_be(S.NOTIFIED)
    fact = Fact("case.clock_ended", {"notice": event.notice_id})
    return case._resolve(now, fact, "no_response", "none")


def _step_chosen(case: "Case", event: StepChosen, now: datetime) -> "Step":
    case._must_be(S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW)
    return _turn(case, Fact("step.chosen", {"why": event.why}), event.rung)


def _step_passed(case: "Case", event: StepPassed, now: datetime) -> "Step":
    case._must_be(S.NEEDS_EVIDENCE, S.IN_REVIEW)
    fact = Fact("step.passed", {"was": str(case.step), "reason": event.reason})
    return _turn(case, fact, event.rung, passed=(*case.passed, case.step))


def _escalated(case: "Case", event: Escalated, now: datetime) -> "Step":
    case._must_be(S.NOTIFIED)
    case._nobody_appeals()
    rung = event.rung
    fact = Fact(
        "case.escalated",
        {"notice": event.notice_id, "why": event.why, "was": str(case.step), "step": str(rung.step)},
    )
    return case._to(
        S.IN_REVIEW,
        now,
        fact,
        stop=RECIPIENT_CLOCK,
        jobs=(Job(JobKind.CHECK, case.id, max(case.priority, NEXT_STEP)),),
        review_reason="escalation",
        priority=max(case.priority, NEXT_STEP),
        passed=(*case.passed, case.step),
        step=rung.step,
        agreement=rung.agreement,
        measure=rung.measure,
        amendment=None,
        **NO_APPROVAL,
    )


def _amendment_begun(case: "Case", event: AmendmentBegun, now: datetime) -> "Step":
    case._must_be(S.NOTIFIED)
    said = {"amendment": event.amendment_id, "notice": event.notice_id, "sha256": event.sha256}
    fact = Fact("notice.amendment_begun", said)
    return replace(case, involved=case.involved | {event.by})._to(
        S.IN_REVIEW,
        now,
        fact,
        stop=RECIPIENT_CLOCK,
        review_reason="amendment",
        amendment=event.amendment_id,
        jobs=(Job(JobKind.CHECK, case.id, case.priority),),
        **NO_APPROVAL,
    )


def _notice_undeliverable(case: "Case", event: NoticeUndeliverable, now: datetime) -> "Step":
    case._must_be(S.NOTIFIED)
    fact = Fact("notice.undeliverable", {"notice": event.notice_id, "why": event.why})
    changes = {"review_reason": "undeliverable", "amendment": event.amendment, **NO_APPROVAL}
    return case._to(S.IN_REVIEW, now, fact, stop=True, **changes)


def _sending_stopped(case: "Case", event: SendingStopped, now: datetime) -> "Step":
    case._must_be(S.NOTIFIED)
    fact = Fact("case.sending_stopped", {"notices": list(event.notice_ids), "why": event.why})
    changes = {"review_reason": event.why, "amendment": event.amendment, **NO_APPROVAL}
    return case._to(S.IN_REVIEW, now, fact, stop=True, **changes)


def _turn(case: "Case", fact: Fact, rung: Rung | None, **changes: Any) -> "Step":
    """Somebody else is asked, or nobody can be: what was approved by a first of two was about another party."""
    told = {**fact.detail, "step": str(rung.step) if rung else None}
    changes |= {"agreement": rung.agreement if rung else None, "amendment": None}
    if rung:
        changes |= {"step": rung.step, "measure": rung.measure}
    return case._stay(Fact(fact.tag, told), **changes, **NO_APPROVAL)


# Responses from least to most decided; the case shows the furthest.
_RESPONSES = ("none", "received", "acknowledged", "needs_info", "declined", "action_claimed")
STEPS: Mapping[type, Callable[["Case", Any, datetime], "Step"]] = {
    Dispatched: _dispatched,
    Answered: _answered,
    ClockEnded: _clock_ended,
    StepChosen: _step_chosen,
    StepPassed: _step_passed,
    Escalated: _escalated,
    AmendmentBegun: _amendment_begun,
    NoticeUndeliverable: _notice_undeliverable,
    SendingStopped: _sending_stopped,
}
