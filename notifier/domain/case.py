"""The case: one target, one program, our work on it. `Case.apply` is the only way its state changes.

A case's `rev` grows by one with every applied event, and the step carries exactly one audit fact for that rev,
so that row and log can be held against each other. Ids of new rows arrive inside the event.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from notifier.domain.epp import Measure
from notifier.domain.events import (
    Answered,
    ApprovalVoided,
    Approved,
    Assigned,
    ClockEnded,
    Detail,
    Dispatched,
    EpochChanged,
    Evaluated,
    Event,
    EvidenceAdded,
    EvidenceRequested,
    Fact,
    Job,
    JobKind,
    Judged,
    NoticeUndeliverable,
    Rejected,
    ReportJoined,
    TargetObserved,
    Timer,
    WatchEnded,
    WentStale,
    Withdrawn,
)
from notifier.domain.outcome import Verdict
from notifier.domain.safety import Safety, Target
from notifier.errors import Conflict, Forbidden


class CaseState(StrEnum):
    """Our work on a case. What the recipient did is told by responses, claims and verdicts, not here."""

    RECEIVED = "received"
    NEEDS_EVIDENCE = "needs_evidence"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    NOTIFIED = "notified"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


S = CaseState

OPEN = frozenset({S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW, S.APPROVED, S.NOTIFIED, S.RESOLVED})
# Where an answer still counts: a withdrawn case stops asking, not watching, and one under review keeps its claims.
HEARD = frozenset({S.IN_REVIEW, S.APPROVED, S.NOTIFIED, S.RESOLVED, S.WITHDRAWN})

TRANSITIONS: Mapping[CaseState, frozenset[CaseState]] = {
    S.RECEIVED: frozenset({S.NEEDS_EVIDENCE, S.IN_REVIEW, S.REJECTED, S.WITHDRAWN, S.SUPERSEDED}),
    S.NEEDS_EVIDENCE: frozenset({S.IN_REVIEW, S.WITHDRAWN, S.SUPERSEDED}),
    S.IN_REVIEW: frozenset({S.NEEDS_EVIDENCE, S.APPROVED, S.REJECTED, S.WITHDRAWN, S.SUPERSEDED}),
    S.APPROVED: frozenset({S.NOTIFIED, S.IN_REVIEW, S.NEEDS_EVIDENCE, S.WITHDRAWN, S.SUPERSEDED}),
    S.NOTIFIED: frozenset({S.IN_REVIEW, S.RESOLVED, S.WITHDRAWN, S.SUPERSEDED}),
    S.RESOLVED: frozenset({S.IN_REVIEW, S.CLOSED, S.WITHDRAWN, S.SUPERSEDED}),
    S.CLOSED: frozenset({S.IN_REVIEW}),
    S.REJECTED: frozenset(),
    S.WITHDRAWN: frozenset(),
    S.SUPERSEDED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a case: the new case, its audit fact, and the work that follows. Saved whole or not at all."""

    case: "Case"
    fact: Fact
    jobs: tuple[Job, ...] = ()
    timers: tuple[Timer, ...] = ()
    stop_timers: tuple[JobKind, ...] = ()


PROVEN = frozenset({Verdict.VERIFIED, Verdict.VERIFIED_DNS_ONLY})

# Responses from least to most decided; the case shows the furthest.
_RESPONSES = ("none", "received", "acknowledged", "needs_info", "declined", "action_claimed")
# Worst first: a case shows its worst standing verdict.
_WORST = (
    Verdict.CONTRADICTED,
    Verdict.RELAPSED,
    Verdict.PARTIAL,
    Verdict.PENDING,
    Verdict.UNVERIFIABLE,
    Verdict.VERIFIED_DNS_ONLY,
    Verdict.VERIFIED,
)


def summarise(verdicts: Iterable[Verdict]) -> str:
    """The worst standing verdict of a case's claims; `released` if only released ones, `not_checked` if none."""
    seen = set(verdicts)
    for verdict in _WORST:
        if verdict in seen:
            return str(verdict)
    return str(Verdict.RELEASED) if seen else "not_checked"


@dataclass(frozen=True, slots=True)
class Case:
    """One open case for one target and program. Times are UTC; `involved` are principals who may not approve."""

    id: str
    reference: str
    program: str
    program_digest: str
    target: Target
    safety: Safety
    state: CaseState
    rev: int
    opened_at: datetime
    state_since: datetime
    measure: Measure
    agreement: str | None
    involved: frozenset[str] = frozenset()
    priority: int = 0
    review_reason: str | None = None
    review_since: datetime | None = None
    epoch: str | None = None
    already_down: bool | None = None
    registration: Detail | None = None
    assignee: str | None = None
    approved_digest: str | None = None
    approvers: tuple[str, ...] = ()
    notified_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    response: str = "none"
    observed: str = "not_checked"
    outcome: str | None = None
    outcome_actor: str | None = None
    aftermath: str | None = None
    undo: str = "none"
    reopened_count: int = 0
    previous_case: str | None = None

    @staticmethod
    def open(case: "Case", report_id: str) -> Step:
        """A new case from its first report: rev 1, state `received`; the target is looked at at once."""
        fact = Fact(
            "case.opened",
            {
                "report": report_id,
                "program": case.program,
                "program_digest": case.program_digest,
                "target": case.target.name,
                "scope": str(case.target.scope),
                "safety": str(case.safety),
                "measure": str(case.measure),
            },
        )
        return Step(case, fact, jobs=(Job(JobKind.CHECK, case.id, case.priority),))

    @property
    def can_have_registry_step(self) -> bool:
        """Only a whole registered domain may be put to a registry (design: `scope`)."""
        return self.target.scope == "domain" and self.safety in (Safety.CLEAR, Safety.SECOND_REVIEW)

    @property
    def approvals_needed(self) -> int:
        return 2 if self.safety is Safety.SECOND_REVIEW else 1

    # --- the one way to change -----------------------------------------------------------------------------------

    def apply(self, event: Event, now: datetime) -> Step:
        """The next case, its audit fact and what must follow. Raises Conflict or Forbidden; nothing changes then."""
        match event:
            case ReportJoined():
                return self._joined(event, now)
            case EvidenceAdded():
                return self._evidence_added(event, now)
            case Evaluated():
                return self._evaluated(event, now)
            case TargetObserved():
                return self._target_observed(event, now)
            case Assigned():
                self._must_be(*OPEN)
                return self._stay(Fact("case.assigned", {"to": event.to}), assignee=event.to)
            case Approved():
                return self._approved(event, now)
            case Rejected():
                self._must_be(S.IN_REVIEW, S.RECEIVED)
                return self._to(S.REJECTED, now, Fact("case.rejected", {"reason": event.reason}), stop=True)
            case EvidenceRequested():
                self._must_be(S.IN_REVIEW)
                return self._to(
                    S.NEEDS_EVIDENCE,
                    now,
                    Fact("case.evidence_requested", {"reason": event.reason}),
                    review_reason="evidence_requested",
                )
            case ApprovalVoided():
                self._must_be(S.APPROVED)
                return self._void(now, event.why)
            case WentStale():
                self._must_be(S.APPROVED)
                fact = Fact("case.went_stale", {"failed": list(event.failed)})
                return self._to(S.NEEDS_EVIDENCE, now, fact, stop=True, **_NO_APPROVAL)
            case Dispatched():
                return self._dispatched(event, now)
            case Answered():
                return self._answered(event, now)
            case Judged():
                return self._judged(event, now)
            case ClockEnded():
                self._must_be(S.NOTIFIED)
                fact = Fact("case.clock_ended", {"notice": event.notice_id})
                return self._resolve(now, fact, "no_response", "none")
            case NoticeUndeliverable():
                self._must_be(S.NOTIFIED)
                fact = Fact("notice.undeliverable", {"notice": event.notice_id, "why": event.why})
                return self._to(S.IN_REVIEW, now, fact, stop=True, review_reason="undeliverable", **_NO_APPROVAL)
            case WatchEnded():
                self._must_be(S.RESOLVED)
                return self._to(S.CLOSED, now, Fact("case.closed"), stop=True, closed_at=now)
            case Withdrawn():
                self._must_be(*OPEN)
                return self._to(
                    S.WITHDRAWN,
                    now,
                    Fact("case.withdrawn", {"reason": event.reason}),
                    stop=True,
                    closed_at=now,
                    outcome=self.outcome or "withdrawn",
                    outcome_actor=self.outcome_actor or "notifier",
                    undo="requested" if event.told else self.undo,
                )
            case EpochChanged():
                self._must_be(*OPEN)
                fact = Fact("case.superseded", {"was": event.was, "now": event.now})
                return self._to(
                    S.SUPERSEDED,
                    now,
                    fact,
                    stop=True,
                    closed_at=now,
                    outcome=self.outcome or "superseded_epoch",
                    outcome_actor=self.outcome_actor or "none",
                )

    # --- what each event does ------------------------------------------------------------------------------------

    def _joined(self, event: ReportJoined, now: datetime) -> Step:
        self._must_be(*OPEN)
        involved = self.involved | {event.by}
        detail: dict[str, Any] = {"report": event.report_id}
        if self.state is S.APPROVED and event.by in self.approvers:
            return replace(self, involved=involved)._void(now, "approver became a party", detail)
        return self._stay(Fact("report.joined", detail), involved=involved)

    def _evidence_added(self, event: EvidenceAdded, now: datetime) -> Step:
        self._must_be(*OPEN)
        involved = self.involved | {event.by}
        detail: dict[str, Any] = {"evidence": list(event.evidence_ids)}
        if self.state is S.APPROVED:  # what was approved is no longer what is known
            return replace(self, involved=involved)._void(now, "evidence added", detail)
        return self._stay(Fact("evidence.added", detail), involved=involved)

    def _evaluated(self, event: Evaluated, now: datetime) -> Step:
        fact = Fact(
            "case.evaluated",
            {"sufficient": event.sufficient, "failed": list(event.failed), "unknown": list(event.unknown)},
        )
        if self.state not in (S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW):
            return self._stay(fact)
        if event.sufficient:
            if self.state is S.IN_REVIEW:
                return self._stay(fact)
            return self._to(S.IN_REVIEW, now, fact, review_reason=self.review_reason or "first_look")
        if self.state is S.NEEDS_EVIDENCE:
            return self._stay(fact)
        return self._to(S.NEEDS_EVIDENCE, now, fact, review_reason=None, **_NO_APPROVAL)

    def _target_observed(self, event: TargetObserved, now: datetime) -> Step:
        self._must_be(*OPEN)
        fact = Fact(
            "target.observed",
            {
                "observation": event.observation_id,
                "epoch": event.epoch,
                "already_down": event.already_down,
            },
        )
        return self._stay(
            fact,
            epoch=self.epoch or event.epoch,
            already_down=event.already_down,
            registration=event.registration,
        )

    def _approved(self, event: Approved, now: datetime) -> Step:
        self._must_be(S.IN_REVIEW)
        if event.by in self.involved:
            raise Forbidden(
                "you submitted a report or evidence of this case; another person must approve",
                code="four_eyes",
            )
        if event.by in self.approvers:
            raise Forbidden("you approved already; a second review needs another person", code="four_eyes")
        if event.digest != event.shown_digest:
            raise Conflict("what would be sent has changed; read the preview again", code="digest_changed")
        if not event.notice_ids:
            raise Conflict("no recipient can be written to; see the case's tasks", code="no_recipient")
        earlier = self.approvers if self.approved_digest == event.digest else ()
        approvers = (*earlier, event.by)
        detail = {"digest": event.digest, "approver": event.by, "notices": list(event.notice_ids)}
        if len(approvers) < self.approvals_needed:
            fact = Fact("case.first_approved", detail)
            return self._stay(fact, approvers=approvers, approved_digest=event.digest)
        due = now + event.cancel_window
        return self._to(
            S.APPROVED,
            now,
            Fact("case.approved", {**detail, "leaves_not_before": due.isoformat()}),
            timers=(Timer(JobKind.DISPATCH, self.id, due),),
            approvers=approvers,
            approved_digest=event.digest,
            review_reason=None,
        )

    def _dispatched(self, event: Dispatched, now: datetime) -> Step:
        self._must_be(S.APPROVED)
        fact = Fact("case.dispatched", {"baseline": event.baseline_id, "notices": list(event.notice_ids)})
        return self._to(
            S.NOTIFIED,
            now,
            fact,
            jobs=tuple(Job(JobKind.SEND, notice, self.priority) for notice in event.notice_ids),
            timers=(Timer(JobKind.CLOCK_ENDED, self.id, event.clock_ends),),
            notified_at=self.notified_at or now,
        )

    def _answered(self, event: Answered, now: datetime) -> Step:
        self._must_be(*HEARD)
        detail = {
            "notice": event.notice_id,
            "response": event.response,
            "claim": event.claim_id,
            "reason": event.reason,
        }
        fact = Fact("answer.received", detail)
        response = max(self.response, event.response, key=_RESPONSES.index)
        if event.response == "declined" and self.state is S.NOTIFIED:
            return self._resolve(now, fact, event.reason or "declined_other", "none", response="declined")
        if event.claim_id and event.first_look and event.claim_deadline:
            looks = (
                Timer(JobKind.OBSERVE, event.claim_id, event.first_look),
                Timer(JobKind.OBSERVE, event.claim_id, event.claim_deadline),
            )
            # A claimed act ends the wait for an answer; from here the claim's own deadline counts.
            undo = "claimed" if self.state is S.WITHDRAWN else self.undo
            return self._stay(fact, timers=looks, stop=_ANSWER_CLOCK, response=response, observed="pending", undo=undo)
        # We owe the answer now, so the recipient's clock does not run.
        stop = _ANSWER_CLOCK if event.response == "needs_info" else ()
        return self._stay(fact, stop=stop, response=response)

    def _judged(self, event: Judged, now: datetime) -> Step:
        self._must_be(*HEARD)
        detail = {
            "claim": event.claim_id,
            "verdict": str(event.verdict),
            "outcome": event.outcome,
            "actor": event.actor,
            "why": event.why,
        }
        fact = Fact("outcome.observed", detail)
        timers = (Timer(JobKind.OBSERVE, event.claim_id, event.next_look),) if event.next_look else ()
        if event.verdict is Verdict.RELAPSED and self.state is S.RESOLVED:
            return self._to(
                S.IN_REVIEW,
                now,
                Fact("outcome.relapsed", detail),
                observed=event.observed,
                aftermath="relapsed",
                review_reason="relapse",
                reopened_count=self.reopened_count + 1,
                **_NO_APPROVAL,
            )
        if self.state is S.NOTIFIED and event.final:
            # Harm done instead of the act is still the act not done; what could not be seen has no outcome at all.
            refuted = "claimed_not_done" if event.verdict is Verdict.CONTRADICTED else None
            outcome, actor = event.outcome or refuted, event.actor or "none"
            return self._resolve(now, fact, outcome, actor, observed=event.observed, timers=timers)
        undo = "verified" if event.undoes and event.verdict in PROVEN else self.undo
        return self._stay(fact, timers=timers, observed=event.observed, undo=undo)

    # --- small moves ---------------------------------------------------------------------------------------------

    def _void(self, now: datetime, why: str, detail: Detail | None = None) -> Step:
        fact = Fact("approval.voided", {"why": why, "digest": self.approved_digest, **(detail or {})})
        return self._to(S.IN_REVIEW, now, fact, stop=True, review_reason=why, **_NO_APPROVAL)

    def _resolve(self, now: datetime, fact: Fact, outcome: str | None, actor: str, **changes: Any) -> Step:
        """`outcome` is set when the case first resolves and never overwritten; None when nobody could tell."""
        first = self.outcome is None
        return self._to(
            S.RESOLVED,
            now,
            fact,
            stop=_ANSWER_CLOCK,
            resolved_at=self.resolved_at or now,
            outcome=outcome if first else self.outcome,
            outcome_actor=actor if first else self.outcome_actor,
            **changes,
        )

    def _must_be(self, *states: CaseState) -> None:
        if self.state not in states:
            allowed = ", ".join(sorted(states))
            raise Conflict(f"the case is {self.state}; this is possible only when it is {allowed}")

    def _to(
        self,
        state: CaseState,
        now: datetime,
        fact: Fact,
        *,
        jobs: tuple[Job, ...] = (),
        timers: tuple[Timer, ...] = (),
        stop: bool | tuple[JobKind, ...] = (),
        **changes: Any,
    ) -> Step:
        if state not in TRANSITIONS[self.state]:
            raise Conflict(f"a case cannot go from {self.state} to {state}")
        fact = Fact(fact.tag, {**fact.detail, "from": str(self.state), "to": str(state)})
        if state is S.IN_REVIEW:
            changes["review_since"] = now
        return self._stay(fact, jobs=jobs, timers=timers, stop=stop, state=state, state_since=now, **changes)

    def _stay(
        self,
        fact: Fact,
        *,
        jobs: tuple[Job, ...] = (),
        timers: tuple[Timer, ...] = (),
        stop: bool | tuple[JobKind, ...] = (),
        **changes: Any,
    ) -> Step:
        stopped = tuple(JobKind) if stop is True else () if stop is False else stop
        return Step(replace(self, rev=self.rev + 1, **changes), fact, jobs, timers, stopped)


_NO_APPROVAL: Mapping[str, Any] = {"approvers": (), "approved_digest": None}
_ANSWER_CLOCK = (JobKind.CLOCK_ENDED,)
