"""What findings, looks and people's decisions do to a case before anybody is asked. Pure; `Case.apply` asks here."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.case_state import NO_APPROVAL, OPEN
from notifier.domain.case_state import CaseState as S
from notifier.domain.epoch import Epoch
from notifier.domain.events import (
    ApprovalVoided,
    Approved,
    Assessed,
    Assigned,
    ContactGiven,
    Cured,
    Evaluated,
    EvidenceRequested,
    Fact,
    Rejected,
    TargetObserved,
    WentStale,
)
from notifier.domain.jobs import URGENT, Job, JobKind, Timer
from notifier.domain.ladder import askable
from notifier.domain.rule import Recipient
from notifier.domain.safety import Safety, Scope, worse
from notifier.errors import Conflict, Forbidden

if TYPE_CHECKING:
    from notifier.domain.case import Case, Step


def _evaluated(case: "Case", event: Evaluated, now: datetime) -> "Step":
    fact = Fact(
        "case.evaluated",
        {
            "sufficient": event.sufficient,
            "failed": list(event.failed),
            "unknown": list(event.unknown),
            "program_digest": event.program_digest or case.program_digest,
            "to_weigh": len(event.second_reasons),
        },
    )
    if case.state not in (S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW):
        return case._stay(fact)
    judged: dict[str, Any] = {
        "second_reasons": event.second_reasons,
        "program_digest": event.program_digest or case.program_digest,
    }
    if any(getattr(case, name) != value for name, value in judged.items()):
        judged |= NO_APPROVAL  # who approved first had not seen this
    if event.sufficient:
        if case.state is S.IN_REVIEW:
            return case._stay(fact, **judged)
        asked = "relapse" if case.aftermath == "relapsed" else "escalation" if case.passed else "first_look"
        why = case.review_reason or asked
        return case._to(S.IN_REVIEW, now, fact, review_reason=why, **judged)
    if case.state is S.NEEDS_EVIDENCE:
        return case._stay(fact, **judged)
    return case._to(S.NEEDS_EVIDENCE, now, fact, review_reason=None, **(judged | dict(NO_APPROVAL)))


def _target_observed(case: "Case", event: TargetObserved, now: datetime) -> "Step":
    case._must_be(*OPEN)
    fact = Fact(
        "target.observed",
        {
            "observation": event.observation_id,
            "epoch": event.epoch,
            "already_down": event.already_down,
        },
    )
    return case._stay(
        fact,
        epoch=_bound(case, event.epoch),
        already_down=event.already_down,
        registration=event.registration,
    )


def _assessed(case: "Case", event: Assessed, now: datetime) -> "Step":
    """What is worse than what was approved voids the approval; of what is rerouted only the host is asked."""
    case._must_be(S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW, S.APPROVED)
    target = event.target or case.target
    rerouted = event.safety in (Safety.REROUTE, Safety.REFUSE)
    if rerouted and target.scope is Scope.DOMAIN:
        raise Conflict("what is rerouted is about one host, never about the whole name")
    if case.target.scope is not Scope.DOMAIN and target.scope is Scope.DOMAIN:
        raise Conflict("a case about one host never becomes one about the whole name by itself")
    detail: dict[str, Any] = {
        "assessment": event.assessment_id,
        "sha256": event.digest,
        "safety": str(event.safety),
        "was": str(case.safety),
        "why": event.why,
        "news": list(event.news),
    }
    changes: dict[str, Any] = {"safety": event.safety}
    if target != case.target:
        detail["target"], detail["scope"] = target.name, str(target.scope)
        changes["target"] = target
    if not askable(case.step, target, event.safety):
        changes |= {"agreement": None, "step": Recipient.HOST}
    unseen = bool(event.news) or worse(event.safety, case.safety) or target != case.target
    if unseen:  # who approved had not seen this
        changes |= NO_APPROVAL
    fact = Fact("target.assessed", detail)
    if unseen and case.state is S.APPROVED:
        detail["digest"] = case.approved_digest
        return case._to(S.IN_REVIEW, now, fact, stop=True, review_reason="safety", **changes)
    return case._stay(fact, **changes)


def _assigned(case: "Case", event: Assigned, now: datetime) -> "Step":
    case._must_be(*OPEN, *((S.CLOSED,) if case.review_by else ()))
    if event.to is None and case.review_by is not None:
        raise Conflict("what is held has somebody who looks after it; name another", code="owner_required")
    return case._stay(Fact("case.assigned", {"to": event.to}), assignee=event.to)


def _contact_given(case: "Case", event: ContactGiven, now: datetime) -> "Step":
    case._must_be(S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW)
    said = {"contact": event.contact_id, "party": event.party, "sha256": event.sha256}
    fact = Fact("contact.given", said)
    return replace(case, involved=case.involved | {event.by})._stay(fact, **NO_APPROVAL)


def _approved(case: "Case", event: Approved, now: datetime) -> "Step":
    case._must_be(S.IN_REVIEW)
    case._nobody_appeals()
    if event.by in case.involved:
        raise Forbidden(
            "you submitted a report or evidence of this case; another person must approve",
            code="four_eyes",
        )
    if event.by in case.approvers:
        raise Forbidden("you approved already; a second review needs another person", code="four_eyes")
    if event.digest != event.shown_digest:
        raise Conflict("what would be sent has changed; read the preview again", code="digest_changed")
    if not event.notice_ids:
        raise Conflict("no recipient can be written to; see the case's tasks", code="no_recipient")
    if event.until is not None and event.until <= now:
        raise Conflict("the event was over; whatever comes after it is reported anew", code="event_over")
    needed = max(event.people, case.approvals_needed)
    if needed > 1 and not event.note.strip():
        raise Conflict("two people must approve this, each with a stated reason (note)", code="reason_required")
    earlier = case.approvers if case.approved_digest == event.digest else ()
    approvers = (*earlier, event.by)
    detail = {
        "digest": event.digest,
        "approver": event.by,
        "notices": list(event.notice_ids),
        "program_digest": case.program_digest,
    }
    if len(approvers) < needed:
        fact = Fact("case.first_approved", detail)
        return case._stay(fact, approvers=approvers, approved_digest=event.digest)
    due = now + event.cancel_window
    fact = Fact("case.approved", {**detail, "leaves_not_before": due.isoformat()})
    over = (Timer(JobKind.EVENT_OVER, case.id, event.until),) if event.until else ()
    changes: dict[str, Any] = {"approvers": approvers, "approved_digest": event.digest, "review_reason": None}
    if event.cancel_window:
        return case._to(S.APPROVED, now, fact, timers=(*over, Timer(JobKind.DISPATCH, case.id, due)), **changes)
    # Nobody waits for a window, so nothing that waits may come before it.
    changes["priority"] = max(case.priority, URGENT)
    return case._to(S.APPROVED, now, fact, jobs=(Job(JobKind.DISPATCH, case.id, URGENT),), timers=over, **changes)


def _rejected(case: "Case", event: Rejected, now: datetime) -> "Step":
    case._must_be(S.IN_REVIEW, S.RECEIVED)
    fact = Fact(
        "case.rejected",
        {"reason": event.reason, "ground": event.ground, "program_digest": case.program_digest},
    )
    return case._to(S.REJECTED, now, fact, stop=True)


def _evidence_requested(case: "Case", event: EvidenceRequested, now: datetime) -> "Step":
    case._must_be(S.IN_REVIEW)
    return case._to(
        S.NEEDS_EVIDENCE,
        now,
        Fact("case.evidence_requested", {"reason": event.reason}),
        review_reason="evidence_requested",
    )


def _approval_voided(case: "Case", event: ApprovalVoided, now: datetime) -> "Step":
    case._must_be(S.APPROVED)
    return case._void(now, event.why)


def _went_stale(case: "Case", event: WentStale, now: datetime) -> "Step":
    case._must_be(S.APPROVED)
    fact = Fact("case.went_stale", {"failed": list(event.failed)})
    return case._to(S.NEEDS_EVIDENCE, now, fact, stop=True, **NO_APPROVAL)


def _cured(case: "Case", event: Cured, now: datetime) -> "Step":
    case._must_be(S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW, S.APPROVED)
    return case._to(
        S.WITHDRAWN,
        now,
        Fact("case.cured", {"observation": event.observation_id}),
        stop=True,
        closed_at=now,
        outcome=case.outcome or "cured_before_referral",
        outcome_actor=case.outcome_actor or "registrant",
    )


def _bound(case: "Case", seen: str | None) -> str | None:
    """The registration that the case is bound to, with what a look told of it that was not known before."""
    if case.epoch is None or seen is None:
        return case.epoch or seen
    return str(Epoch.read(case.epoch).completed_by(Epoch.read(seen)))


STEPS: Mapping[type, Callable[["Case", Any, datetime], "Step"]] = {
    Evaluated: _evaluated,
    TargetObserved: _target_observed,
    Assessed: _assessed,
    Assigned: _assigned,
    ContactGiven: _contact_given,
    Approved: _approved,
    Rejected: _rejected,
    EvidenceRequested: _evidence_requested,
    ApprovalVoided: _approval_voided,
    WentStale: _went_stale,
    Cured: _cured,
}
