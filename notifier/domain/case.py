"""The case: one target, one program, our work on it. `Case.apply` is the only way its state changes.

A case's `rev` grows by one with every applied event, and the step carries exactly one audit fact for that rev,
so that row and log can be held against each other. Ids of new rows arrive inside the event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from notifier.domain.epoch import Epoch
from notifier.domain.epp import Measure
from notifier.domain.events import (
    AmendmentBegun,
    Answered,
    AppealClosed,
    AppealOpened,
    ApprovalVoided,
    Approved,
    Assessed,
    Assigned,
    BackSeen,
    CameBack,
    ClockEnded,
    ContactGiven,
    Cured,
    CuredLater,
    Detail,
    Dispatched,
    EpochChanged,
    Escalated,
    Evaluated,
    Event,
    EventOver,
    EvidenceAdded,
    EvidenceRequested,
    Fact,
    FoundWrong,
    Held,
    HoldKept,
    HoldLapsed,
    HoldPutOff,
    Judged,
    Lapsed,
    MergedInto,
    NoticeUndeliverable,
    Overturned,
    PhaseSeen,
    Rejected,
    Released,
    ReportJoined,
    ReportsArrived,
    ReportsLeft,
    SendingStopped,
    StepChosen,
    StepPassed,
    TargetObserved,
    UndoAsked,
    UndoNeedless,
    WatchEnded,
    WentStale,
    Withdrawn,
)
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.domain.ladder import Rung, askable
from notifier.domain.outcome import PROVEN, Verdict
from notifier.domain.rule import Recipient
from notifier.domain.safety import Safety, Scope, Target, worse
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
ENDED = frozenset(S) - OPEN
BEFORE_SENDING = frozenset({S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW, S.APPROVED})
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


# Responses from least to most decided; the case shows the furthest.
_RESPONSES = ("none", "received", "acknowledged", "needs_info", "declined", "action_claimed")


@dataclass(frozen=True, slots=True)
class Case:
    """One open case for one target and program. Times are UTC; `involved` are principals who may not approve.

    `program_digest`: the rules that it was last judged under. `second_reasons`: sentences that a second person weighs.
    `step`: the party of the ladder whose turn it is, asked for `measure` under `agreement` (None: nobody can be asked);
    `passed`: those whose turn is over. `amendment`: the next notice answers the recipient's question.
    `embargo`: an authority asked that nothing leaves and nobody looks; told by the holds, never by a revision.
    `appeal_open`: an appeal is heard; what was asked stands, and nothing more is asked for.
    `review_by`: a name is held at our request, and by then fresh evidence must carry it or it lapses; `assignee` looks
    after it. `phase`: how far the registration is on its way out, and since when we saw that.
    """

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
    second_reasons: tuple[str, ...] = ()
    merged_into: str | None = None
    embargo: bool = False
    step: Recipient = Recipient.REGISTRY
    passed: tuple[Recipient, ...] = ()
    amendment: str | None = None
    appeal_open: bool = False
    review_by: datetime | None = None
    phase: str | None = None
    phase_since: datetime | None = None

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
                "step": str(case.step),
                "measure": str(case.measure),
            },
        )
        return Step(case, fact, jobs=(Job(JobKind.CHECK, case.id, case.priority),))

    @property
    def can_ask(self) -> bool:
        """Whether the party whose turn it is may be asked about this target at all."""
        return askable(self.step, self.target, self.safety)

    @property
    def hears(self) -> bool:
        """Whether an answer still moves the case: also one that was merged is still held to what it asked for, and one
        that lacks evidence for the next step still hears whom it asked before."""
        asked = self.state is S.NEEDS_EVIDENCE and self.notified_at is not None
        undone = self.state is S.CLOSED and self.undo != "none"
        return self.state in HEARD or asked or undone or self.merged_into is not None

    @property
    def watched(self) -> bool:
        """Whether a look still tells something of the case: what was seen done may be undone after its watch, too."""
        return self.hears or self.state is S.CLOSED

    @property
    def cured(self) -> bool:
        """Whether it was ended because its cause is gone, after somebody had been asked."""
        return self.outcome == "withdrawn_cured" or self.aftermath == "lifted_cured"

    @property
    def approvals_needed(self) -> int:
        return 2 if self.safety is Safety.SECOND_REVIEW or self.second_reasons else 1

    # --- the one way to change -----------------------------------------------------------------------------------

    def apply(self, event: Event, now: datetime) -> Step:
        """The next case, its audit fact and what must follow. Raises Conflict or Forbidden; nothing changes then."""
        match event:
            case ReportJoined():
                return self._joined(event, now)
            case EvidenceAdded():
                return self._evidence_added(event, now)
            case ReportsArrived():
                return self._reports_arrived(event, now)
            case ReportsLeft():
                return self._reports_left(event, now)
            case MergedInto():
                return self._merged_into(event, now)
            case UndoAsked():
                if self.merged_into is None or self.undo != "none":
                    raise Conflict("only what a merged case had asked for is taken back this way, and once")
                return self._stay(Fact("case.undo_asked", {"reason": event.reason}), undo="requested", review_by=None)
            case UndoNeedless():
                if self.undo != "requested":
                    raise Conflict("no undo is asked for")
                return self._stay(Fact("case.undo_needless", {"notice": event.notice_id}), undo="none")
            case Evaluated():
                return self._evaluated(event, now)
            case TargetObserved():
                return self._target_observed(event, now)
            case Assessed():
                return self._assessed(event, now)
            case Assigned():
                self._must_be(*OPEN, *((S.CLOSED,) if self.review_by else ()))
                if event.to is None and self.review_by is not None:
                    raise Conflict("what is held has somebody who looks after it; name another", code="owner_required")
                return self._stay(Fact("case.assigned", {"to": event.to}), assignee=event.to)
            case Approved():
                return self._approved(event, now)
            case Rejected():
                self._must_be(S.IN_REVIEW, S.RECEIVED)
                fact = Fact(
                    "case.rejected",
                    {"reason": event.reason, "ground": event.ground, "program_digest": self.program_digest},
                )
                return self._to(S.REJECTED, now, fact, stop=True)
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
            case StepChosen():
                self._must_be(S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW)
                return self._turn(Fact("step.chosen", {"why": event.why}), event.rung)
            case StepPassed():
                self._must_be(S.NEEDS_EVIDENCE, S.IN_REVIEW)
                fact = Fact("step.passed", {"was": str(self.step), "reason": event.reason})
                return self._turn(fact, event.rung, passed=(*self.passed, self.step))
            case Escalated():
                return self._escalated(event, now)
            case ContactGiven():
                self._must_be(S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW)
                said = {"contact": event.contact_id, "party": event.party, "sha256": event.sha256}
                fact = Fact("contact.given", said)
                return replace(self, involved=self.involved | {event.by})._stay(fact, **_NO_APPROVAL)
            case AmendmentBegun():
                self._must_be(S.NOTIFIED)
                said = {"amendment": event.amendment_id, "notice": event.notice_id, "sha256": event.sha256}
                fact = Fact("notice.amendment_begun", said)
                return replace(self, involved=self.involved | {event.by})._to(
                    S.IN_REVIEW,
                    now,
                    fact,
                    stop=_RECIPIENT_CLOCK,
                    review_reason="amendment",
                    amendment=event.amendment_id,
                    jobs=(Job(JobKind.CHECK, self.id, self.priority),),
                    **_NO_APPROVAL,
                )
            case NoticeUndeliverable():
                self._must_be(S.NOTIFIED)
                fact = Fact("notice.undeliverable", {"notice": event.notice_id, "why": event.why})
                changes = {"review_reason": "undeliverable", "amendment": event.amendment, **_NO_APPROVAL}
                return self._to(S.IN_REVIEW, now, fact, stop=True, **changes)
            case SendingStopped():
                self._must_be(S.NOTIFIED)
                fact = Fact("case.sending_stopped", {"notices": list(event.notice_ids), "why": event.why})
                changes = {"review_reason": event.why, "amendment": event.amendment, **_NO_APPROVAL}
                return self._to(S.IN_REVIEW, now, fact, stop=True, **changes)
            case Cured():
                self._must_be(S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW, S.APPROVED)
                return self._to(
                    S.WITHDRAWN,
                    now,
                    Fact("case.cured", {"observation": event.observation_id}),
                    stop=True,
                    closed_at=now,
                    outcome=self.outcome or "cured_before_referral",
                    outcome_actor=self.outcome_actor or "registrant",
                )
            case CuredLater():
                return self._cured_later(event, now)
            case CameBack():
                self._must_be(S.WITHDRAWN, S.CLOSED)
                return self._stay(Fact("case.came_back", {"observation": event.observation_id}), aftermath="relapsed")
            case WatchEnded():
                self._must_be(S.RESOLVED)
                stands = "standing" if self.review_by else None
                return self._to(
                    S.CLOSED,
                    now,
                    Fact("case.closed"),
                    stop=True,
                    closed_at=now,
                    aftermath=self.aftermath or stands,
                )
            case Withdrawn():
                self._must_be(*OPEN)
                return self._to(
                    S.WITHDRAWN,
                    now,
                    Fact("case.withdrawn", {"reason": event.reason, "ground": event.ground}),
                    stop=True,
                    closed_at=now,
                    outcome=self.outcome or _WITHDRAWN[event.ground],
                    outcome_actor=self.outcome_actor or "notifier",
                    undo="requested" if event.told else self.undo,
                    review_by=None,
                    aftermath="lifted_cured"
                    if self.outcome and event.told and event.ground == "cured"
                    else self.aftermath,
                )
            case AppealOpened():
                if self.appeal_open:
                    raise Conflict("an appeal is heard already")
                fact = Fact("case.appeal_opened", {"appeal": event.appeal_id})
                timers = tuple(Timer(JobKind.APPEAL_DUE, event.appeal_id, due) for due in event.dues)
                return self._stay(fact, timers=timers, stop=(JobKind.REMIND,), appeal_open=True)
            case AppealClosed():
                return self._appeal_closed(event, now)
            case Overturned():
                fact = Fact(
                    "case.overturned",
                    {"appeal": event.appeal_id, "outcome": event.outcome, "cause": event.cause, "ground": "appeal"},
                )
                aftermath = "lifted_cured" if event.cured else "lifted_wrong"
                error = "withdrawn_cured" if event.cured else "withdrawn_error"
                return self._lifted(fact, now, event.told, event.looks, aftermath, error, appeal_open=False)
            case Lapsed():
                fact = Fact("case.lift_asked", {"appeal": event.appeal_id, "ground": "lapsed"})
                return self._lifted(fact, now, event.told, event.looks, "lifted_lapsed", "withdrawn")
            case BackSeen():
                if self.undo not in ("requested", "claimed"):
                    raise Conflict("no undo is asked for")
                return self._stay(Fact("case.restored", {"observation": event.observation_id}), undo="verified")
            case HoldKept():
                return self._hold_kept(event)
            case HoldPutOff():
                self._must_hold()
                until = event.held.review_by
                timers = self._reviews(event.held)
                return self._stay(
                    Fact("case.hold_put_off", {"until": until.isoformat()}), timers=timers, review_by=until
                )
            case HoldLapsed():
                self._must_hold()
                fact = Fact("case.hold_lapsed", {"ground": "lapsed"})
                return self._lifted(fact, now, event.told, event.looks, "lifted_lapsed", "withdrawn")
            case PhaseSeen():
                return self._phase_seen(event, now)
            case EventOver():
                return self._event_over(event, now)
            case Released():
                if self.undo == "none":
                    raise Conflict("no undo is asked for")
                fact = Fact("case.released", {"observation": event.observation_id, "in_time": event.in_time})
                seen = "released_on_time" if event.in_time else "reinstated"
                wrong = (self.aftermath or "").startswith("lifted_")
                return self._stay(fact, undo="verified", aftermath=self.aftermath if wrong else seen)
            case FoundWrong():
                if self.state in OPEN:
                    raise Conflict("the case is still open; withdraw it")
                fact = Fact("case.found_wrong", {"approval": event.approval_id, "by": event.by})
                return self._stay(fact, aftermath="lifted_wrong")
            case EpochChanged():
                return self._epoch_changed(event, now)

    # --- what each event does ------------------------------------------------------------------------------------

    def _hold_kept(self, event: HoldKept) -> Step:
        self._must_hold()
        if event.by in self.involved:
            raise Forbidden(
                "you submitted a report or evidence of this case; another person keeps it", code="four_eyes"
            )
        if not event.evidence_ids:
            raise Conflict("nothing new carries what is held; bring evidence first", code="evidence_required")
        said = {"evidence": list(event.evidence_ids), "reason": event.reason, "until": event.held.review_by.isoformat()}
        timers, until = self._reviews(event.held), event.held.review_by
        stop = (JobKind.HOLD_REVIEW,)
        return self._stay(Fact("case.hold_kept", said), timers=timers, stop=stop, review_by=until)

    def _phase_seen(self, event: PhaseSeen, now: datetime) -> Step:
        """A name that is gone is held by nobody, whoever may have it next."""
        fact = Fact(
            "registration.phase_seen", {"phase": event.phase, "was": self.phase, "observation": event.observation_id}
        )
        timers = (Timer(JobKind.LIFECYCLE, self.id, event.next_look),) if event.next_look else ()
        changes: dict[str, Any] = {"phase": event.phase, "phase_since": now if event.phase else None}
        if event.phase == PURGED:
            changes["review_by"] = None
            if self.outcome is not None and self.undo == "none":
                changes["aftermath"] = "dropped"
        return self._stay(fact, timers=timers, stop=(JobKind.LIFECYCLE,), **changes)

    def _epoch_changed(self, event: EpochChanged, now: datetime) -> Step:
        """Whoever has the name now was never reported: what was asked for ends, and what came of it is told apart."""
        self._must_be(*OPEN, S.CLOSED)
        told = {"was": event.was, "now": event.now}
        changes: dict[str, Any] = {"review_by": None, "phase": None, "phase_since": None}
        if self.resolved_at is not None:
            changes["aftermath"] = "reregistered"
        if self.state is S.CLOSED:
            return self._stay(Fact("case.reregistered", told), stop=True, **changes)
        return self._to(
            S.SUPERSEDED,
            now,
            Fact("case.superseded", told),
            stop=True,
            closed_at=now,
            outcome=self.outcome or "superseded_epoch",
            outcome_actor=self.outcome_actor or "none",
            **changes,
        )

    def _joined(self, event: ReportJoined, now: datetime) -> Step:
        self._must_be(*OPEN)
        involved = self.involved | {event.by}
        detail: dict[str, Any] = {"report": event.report_id}
        if self.state is S.APPROVED and event.by in self.approvers:
            return replace(self, involved=involved)._void(now, "approver became a party", detail)
        return self._stay(Fact("report.joined", detail), involved=involved)

    def _evidence_added(self, event: EvidenceAdded, now: datetime) -> Step:
        self._must_be(*OPEN, *((S.CLOSED,) if self.review_by else ()))
        involved = self.involved | {event.by}
        detail: dict[str, Any] = {"evidence": list(event.evidence_ids), "files": list(event.files)}
        if self.state is S.APPROVED:  # what was approved is no longer what is known
            return replace(self, involved=involved)._void(now, "evidence added", detail)
        return self._stay(Fact("evidence.added", detail), involved=involved)

    def _reports_arrived(self, event: ReportsArrived, now: datetime) -> Step:
        self._must_be(*OPEN)
        detail: dict[str, Any] = {
            "from_case": event.from_case,
            "reports": list(event.report_ids),
            "evidence": list(event.evidence_ids),
            "reason": event.reason,
        }
        tag = "case.merged" if event.merged else "report.moved_in"
        involved = self.involved | event.parties
        return self._other_reports(now, Fact(tag, detail), "reports of another case came in", involved)

    def _reports_left(self, event: ReportsLeft, now: datetime) -> Step:
        self._must_be(*OPEN)
        detail: dict[str, Any] = {
            "into": event.to_case,
            "reports": list(event.report_ids),
            "evidence": list(event.evidence_ids),
            "reason": event.reason,
        }
        return self._other_reports(now, Fact("report.moved_out", detail), "a report did not belong here", event.parties)

    def _other_reports(self, now: datetime, fact: Fact, why: str, involved: frozenset[str]) -> Step:
        """What was approved is no longer what is known; nor is what a first of two approved."""
        case = replace(self, involved=involved)
        if self.state is S.APPROVED:
            told = Fact(fact.tag, {**fact.detail, "digest": self.approved_digest})
            return case._to(S.IN_REVIEW, now, told, stop=True, review_reason=why, **_NO_APPROVAL)
        return case._stay(fact, **(_NO_APPROVAL if self.state is S.IN_REVIEW else {}))

    def _merged_into(self, event: MergedInto, now: datetime) -> Step:
        self._must_be(*OPEN)
        if self.appeal_open:
            raise Conflict("an appeal is heard about it; decide that first", code="appeal_open")
        detail: dict[str, Any] = {
            "into": event.case_id,
            "reference": event.reference,
            "reports": list(event.report_ids),
            "evidence": list(event.evidence_ids),
            "told": list(event.told),
            "reason": event.reason,
        }
        # What was asked for is still watched: the looks go on, and so does the clock of what was not answered.
        stop = tuple(kind for kind in _ALL_WORK if kind is not JobKind.OBSERVE) if event.told else True
        return self._to(
            S.SUPERSEDED,
            now,
            Fact("case.merged_into", detail),
            stop=stop,
            closed_at=now,
            outcome=self.outcome or "duplicate",
            outcome_actor=self.outcome_actor or "none",
            merged_into=event.case_id,
            **_NO_APPROVAL,
        )

    def _evaluated(self, event: Evaluated, now: datetime) -> Step:
        fact = Fact(
            "case.evaluated",
            {
                "sufficient": event.sufficient,
                "failed": list(event.failed),
                "unknown": list(event.unknown),
                "program_digest": event.program_digest or self.program_digest,
                "to_weigh": len(event.second_reasons),
            },
        )
        if self.state not in (S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW):
            return self._stay(fact)
        judged: dict[str, Any] = {
            "second_reasons": event.second_reasons,
            "program_digest": event.program_digest or self.program_digest,
        }
        if any(getattr(self, name) != value for name, value in judged.items()):
            judged |= _NO_APPROVAL  # who approved first had not seen this
        if event.sufficient:
            if self.state is S.IN_REVIEW:
                return self._stay(fact, **judged)
            asked = "relapse" if self.aftermath == "relapsed" else "escalation" if self.passed else "first_look"
            why = self.review_reason or asked
            return self._to(S.IN_REVIEW, now, fact, review_reason=why, **judged)
        if self.state is S.NEEDS_EVIDENCE:
            return self._stay(fact, **judged)
        return self._to(S.NEEDS_EVIDENCE, now, fact, review_reason=None, **(judged | dict(_NO_APPROVAL)))

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
            epoch=self._bound(event.epoch),
            already_down=event.already_down,
            registration=event.registration,
        )

    def _assessed(self, event: Assessed, now: datetime) -> Step:
        """What is worse than what was approved voids the approval; of what is rerouted only the host is asked."""
        self._must_be(S.RECEIVED, S.NEEDS_EVIDENCE, S.IN_REVIEW, S.APPROVED)
        target = event.target or self.target
        rerouted = event.safety in (Safety.REROUTE, Safety.REFUSE)
        if rerouted and target.scope is Scope.DOMAIN:
            raise Conflict("what is rerouted is about one host, never about the whole name")
        if self.target.scope is not Scope.DOMAIN and target.scope is Scope.DOMAIN:
            raise Conflict("a case about one host never becomes one about the whole name by itself")
        detail: dict[str, Any] = {
            "assessment": event.assessment_id,
            "sha256": event.digest,
            "safety": str(event.safety),
            "was": str(self.safety),
            "why": event.why,
            "news": list(event.news),
        }
        changes: dict[str, Any] = {"safety": event.safety}
        if target != self.target:
            detail["target"], detail["scope"] = target.name, str(target.scope)
            changes["target"] = target
        if not askable(self.step, target, event.safety):
            changes |= {"agreement": None, "step": Recipient.HOST}
        unseen = bool(event.news) or worse(event.safety, self.safety) or target != self.target
        if unseen:  # who approved had not seen this
            changes |= _NO_APPROVAL
        fact = Fact("target.assessed", detail)
        if unseen and self.state is S.APPROVED:
            detail["digest"] = self.approved_digest
            return self._to(S.IN_REVIEW, now, fact, stop=True, review_reason="safety", **changes)
        return self._stay(fact, **changes)

    def _approved(self, event: Approved, now: datetime) -> Step:
        self._must_be(S.IN_REVIEW)
        self._nobody_appeals()
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
        if event.until is not None and event.until <= now:
            raise Conflict("the event was over; whatever comes after it is reported anew", code="event_over")
        needed = max(event.people, self.approvals_needed)
        if needed > 1 and not event.note.strip():
            raise Conflict("two people must approve this, each with a stated reason (note)", code="reason_required")
        earlier = self.approvers if self.approved_digest == event.digest else ()
        approvers = (*earlier, event.by)
        detail = {
            "digest": event.digest,
            "approver": event.by,
            "notices": list(event.notice_ids),
            "program_digest": self.program_digest,
        }
        if len(approvers) < needed:
            fact = Fact("case.first_approved", detail)
            return self._stay(fact, approvers=approvers, approved_digest=event.digest)
        due = now + event.cancel_window
        fact = Fact("case.approved", {**detail, "leaves_not_before": due.isoformat()})
        over = (Timer(JobKind.EVENT_OVER, self.id, event.until),) if event.until else ()
        changes: dict[str, Any] = {"approvers": approvers, "approved_digest": event.digest, "review_reason": None}
        if event.cancel_window:
            return self._to(S.APPROVED, now, fact, timers=(*over, Timer(JobKind.DISPATCH, self.id, due)), **changes)
        # Nobody waits for a window, so nothing that waits may come before it.
        changes["priority"] = max(self.priority, _AT_ONCE)
        return self._to(S.APPROVED, now, fact, jobs=(Job(JobKind.DISPATCH, self.id, _AT_ONCE),), timers=over, **changes)

    def _dispatched(self, event: Dispatched, now: datetime) -> Step:
        self._must_be(S.APPROVED)
        if self.embargo:
            raise Conflict("the case waits")
        self._nobody_appeals()
        fact = Fact(
            "case.dispatched",
            {"baseline": event.baseline_id, "notices": list(event.notice_ids), "step": str(self.step)},
        )
        remind = [(notice, event.remind_at) for notice in event.notice_ids if event.remind_at]
        return self._to(
            S.NOTIFIED,
            now,
            fact,
            jobs=tuple(Job(JobKind.SEND, notice, self.priority) for notice in event.notice_ids),
            timers=(
                Timer(JobKind.CLOCK_ENDED, self.id, event.clock_ends),
                *(Timer(JobKind.REMIND, notice, at) for notice, at in remind),
            ),
            notified_at=self.notified_at or now,
            amendment=None,
        )

    def _escalated(self, event: Escalated, now: datetime) -> Step:
        self._must_be(S.NOTIFIED)
        self._nobody_appeals()
        rung = event.rung
        fact = Fact(
            "case.escalated",
            {"notice": event.notice_id, "why": event.why, "was": str(self.step), "step": str(rung.step)},
        )
        return self._to(
            S.IN_REVIEW,
            now,
            fact,
            stop=_RECIPIENT_CLOCK,
            jobs=(Job(JobKind.CHECK, self.id, max(self.priority, _NEXT_STEP)),),
            review_reason="escalation",
            priority=max(self.priority, _NEXT_STEP),
            passed=(*self.passed, self.step),
            step=rung.step,
            agreement=rung.agreement,
            measure=rung.measure,
            amendment=None,
            **_NO_APPROVAL,
        )

    def _turn(self, fact: Fact, rung: Rung | None, **changes: Any) -> Step:
        """Somebody else is asked, or nobody can be: what was approved by a first of two was about another party."""
        told = {**fact.detail, "step": str(rung.step) if rung else None}
        changes |= {"agreement": rung.agreement if rung else None, "amendment": None}
        if rung:
            changes |= {"step": rung.step, "measure": rung.measure}
        return self._stay(Fact(fact.tag, told), **changes, **_NO_APPROVAL)

    def _answered(self, event: Answered, now: datetime) -> Step:
        self._must_hear()
        detail = {
            "notice": event.notice_id,
            "response": event.response,
            "claim": event.claim_id,
            "reason": event.reason,
        }
        fact = Fact("answer.received", detail)
        response = event.response
        if not event.current:  # the case shows what the party says that was asked last, if it says anything
            response = event.response if self.response == "none" else self.response
        elif not event.first:
            response = max(self.response, event.response, key=_RESPONSES.index)
        if event.response == "declined" and event.current and event.last and self.state is S.NOTIFIED:
            return self._resolve(now, fact, event.reason or "declined_other", "none", response="declined")
        if event.claim_id and event.first_look and event.claim_deadline:
            looks = (
                Timer(JobKind.OBSERVE, event.claim_id, event.first_look),
                Timer(JobKind.OBSERVE, event.claim_id, event.claim_deadline),
            )
            # A claimed act ends the wait for an answer; from here the claim's own deadline counts.
            undo = "claimed" if event.undoes and self.undo == "requested" else self.undo
            stop = _RECIPIENT_CLOCK if event.current else ()
            return self._stay(fact, timers=looks, stop=stop, response=response, observed="pending", undo=undo)
        if not event.current:
            return self._stay(fact, response=response)
        # Whoever answered is not reminded; and when we owe the answer, the recipient's clock does not run.
        halted = _RECIPIENT_CLOCK if event.response == "needs_info" else (JobKind.REMIND,)
        owed = (Timer(JobKind.ANSWER_OWED, event.notice_id, event.owed_at),) if event.owed_at else ()
        return self._stay(fact, stop=halted, timers=owed, response=response)

    def _judged(self, event: Judged, now: datetime) -> Step:
        if not self.watched:
            self._must_be(*HEARD)
        detail = {
            "claim": event.claim_id,
            "verdict": str(event.verdict),
            "outcome": event.outcome,
            "actor": event.actor,
            "why": event.why,
        }
        fact = Fact("outcome.observed", detail)
        timers: tuple[Timer, ...] = ()
        if event.next_look:
            timers = (Timer(JobKind.OBSERVE, event.claim_id, event.next_look),)
        held: dict[str, Any] = {"review_by": None}  # nothing is held, or it is to be undone in any case
        if event.hold is not None and self.undo == "none":
            held = {}
            if self.review_by is None:
                timers += self._reviews(event.hold)
                held = {"review_by": event.hold.review_by, "assignee": self.assignee or event.hold.owner}
        # A name that is back because we asked for that is no relapse.
        if event.verdict is Verdict.RELAPSED and self.undo == "none" and self.state in (S.RESOLVED, S.CLOSED):
            fact = Fact("outcome.relapsed", detail)
            found: dict[str, Any] = {"observed": event.observed, "aftermath": "relapsed", **held}
            if self.state is S.CLOSED and not event.reopens:
                return self._stay(fact, timers=timers, **found)
            priority = max(self.priority, _NEXT_STEP)
            return self._to(
                S.IN_REVIEW,
                now,
                fact,
                jobs=(Job(JobKind.CHECK, self.id, priority),),
                timers=timers,
                stop=(JobKind.ERASE,),
                review_reason="relapse",
                priority=priority,
                reopened_count=self.reopened_count + 1,
                closed_at=None,
                amendment=None,
                **found,
                **_NO_APPROVAL,
            )
        if self.state is S.NOTIFIED and event.final and event.last:
            # Harm done instead of the act is still the act not done; what could not be seen has no outcome at all.
            refuted = "claimed_not_done" if event.verdict is Verdict.CONTRADICTED else None
            outcome, actor = event.outcome or refuted, event.actor or "none"
            if self.reopened_count and event.verdict in PROVEN:
                held["aftermath"] = "standing"
            return self._resolve(now, fact, outcome, actor, observed=event.observed, timers=timers, **held)
        undo = "verified" if event.undoes and event.verdict in PROVEN else self.undo
        return self._stay(fact, timers=timers, observed=event.observed, undo=undo, **held)

    def _appeal_closed(self, event: AppealClosed, now: datetime) -> Step:
        """What stood still goes on: what waits to leave is looked at anew, and a clock that ran out is asked about."""
        if not self.appeal_open:
            raise Conflict("no appeal is heard")
        fact = Fact("case.appeal_closed", {"appeal": event.appeal_id, "outcome": event.outcome})
        jobs = (Job(JobKind.DISPATCH, self.id, self.priority),) if self.state is S.APPROVED else ()
        timers = (Timer(JobKind.CLOCK_ENDED, self.id, now),) if self.state is S.NOTIFIED else ()
        return self._stay(fact, jobs=jobs, timers=timers, appeal_open=False)

    def _event_over(self, event: EventOver, now: datetime) -> Step:
        """What was asked for because of an event ends with it, in whatever state the case is; an open one ends too."""
        fact = Fact("case.event_over", {"event": event.event, "told": event.told, "ground": "event_over"})
        timers = tuple(Timer(JobKind.SEE_RELEASE, self.id, at) for at in event.looks)
        undo = self._undo_after(asked=event.told)
        review_by = None if event.last else self.review_by
        if self.state not in OPEN or not event.last:
            return self._stay(fact, timers=timers, undo=undo, review_by=review_by)
        # What was claimed and not seen yet has no outcome: the event is no reason to know one.
        silent = ("no_response", "none") if event.told else ("withdrawn", "notifier")
        outcome, actor = (None, None) if self.response == "action_claimed" else silent
        return self._to(
            S.WITHDRAWN,
            now,
            fact,
            stop=True,
            timers=timers,
            closed_at=now,
            outcome=self.outcome or outcome,
            outcome_actor=self.outcome_actor or actor,
            undo=undo,
            review_by=review_by,
        )

    def _lifted(
        self,
        fact: Fact,
        now: datetime,
        told: bool,
        looks: tuple[datetime, ...],
        aftermath: str,
        outcome: str,
        **changes: Any,
    ) -> Step:
        """Everything that was asked for is taken back, whatever became of the case; only an open one ends by it."""
        changes |= {
            "aftermath": aftermath,
            "outcome": self.outcome or outcome,
            "outcome_actor": self.outcome_actor or "notifier",
            "undo": self._undo_after(asked=told),
            "review_by": None,
        }
        timers = tuple(Timer(JobKind.LOOK_BACK, self.id, at) for at in looks)
        if self.state in OPEN:
            return self._to(S.WITHDRAWN, now, fact, stop=True, timers=timers, closed_at=now, **changes)
        return self._stay(fact, timers=timers, **changes)

    def _cured_later(self, event: CuredLater, now: datetime) -> Step:
        """An open case ends by it, but for one whose host did what it was asked: that is what it is watched for."""
        detail = {"observation": event.observation_id, "told": list(event.told), "enforced": event.enforced}
        undo = self._undo_after(asked=event.to_undo)
        if event.removed:
            self._must_be(S.RESOLVED)
            aftermath = "lifted_cured" if event.enforced else self.aftermath
            return self._stay(Fact("case.others_released", detail), undo=undo, aftermath=aftermath, review_by=None)
        self._must_be(*OPEN, S.CLOSED)
        changes: dict[str, Any] = {
            "undo": undo,
            "review_by": None,
            "aftermath": "lifted_cured" if event.enforced or self.outcome is not None else self.aftermath,
            "outcome": self.outcome or event.outcome,
            "outcome_actor": self.outcome_actor or event.actor,
        }
        fact = Fact("case.cured", detail)
        if self.state is S.CLOSED:
            return self._stay(fact, **changes)
        return self._to(S.WITHDRAWN, now, fact, stop=True, closed_at=now, **changes)

    def _undo_after(self, *, asked: bool) -> str:
        """How far the undo is once somebody is `asked` for it: what is asked for, claimed or seen already stays so."""
        return "requested" if asked and self.undo in ("none", "refused") else self.undo

    def _nobody_appeals(self) -> None:
        if self.appeal_open:
            raise Conflict("an appeal is heard, and nothing more is asked for until it is decided", code="appeal_open")

    def _bound(self, seen: str | None) -> str | None:
        """The registration that the case is bound to, with what a look told of it that was not known before."""
        if self.epoch is None or seen is None:
            return self.epoch or seen
        return str(Epoch.read(self.epoch).completed_by(Epoch.read(seen)))

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
            stop=_RECIPIENT_CLOCK,
            resolved_at=self.resolved_at or now,
            outcome=outcome if first else self.outcome,
            outcome_actor=actor if first else self.outcome_actor,
            **changes,
        )

    def _reviews(self, held: Held) -> tuple[Timer, ...]:
        return tuple(Timer(JobKind.HOLD_REVIEW, self.id, at) for at in (held.warn_at, held.review_by))

    def _must_hold(self) -> None:
        if self.review_by is None:
            raise Conflict("nothing is held at our request, as far as we see", code="not_held")

    def _must_hear(self) -> None:
        if not self.hears:
            self._must_be(*HEARD)

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
        if state in ENDED:  # its files are kept for a while; how long is the program's to say
            timers = (*timers, Timer(JobKind.ERASE, self.id, now + _FIRST_ASKED))
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
        stopped = _ALL_WORK if stop is True else () if stop is False else stop
        return Step(replace(self, rev=self.rev + 1, **changes), fact, jobs, timers, stopped)


_NO_APPROVAL: Mapping[str, Any] = {"approvers": (), "approved_digest": None}
_FIRST_ASKED = timedelta(days=30)
_AT_ONCE = 10  # what leaves with its approval
_NEXT_STEP = 5  # what somebody was asked in vain comes before what nobody was asked yet
_RECIPIENT_CLOCK = (JobKind.CLOCK_ENDED, JobKind.REMIND, JobKind.ANSWER_OWED)
_WITHDRAWN = {"error": "withdrawn_error", "cured": "withdrawn_cured", "other": "withdrawn"}
PURGED = "purged"  # the last phase of a registration: registry and zone know no such name
# What the end of a hold needs, a stamp on what was approved, and the clock of what a person has in hand, is no work of
# ours on the case: it outlives every state. So do the asking of whoever was told and the looks for a cure, which see for
# themselves whether there is still a question, the clocks of what was taken back, and what we owe to whoever appealed, to
# whom something is given back, as everything that was held for an event is at its end, and to whom something is kept from;
# and a registration runs out by itself.
_OUTLIVES = (
    JobKind.RELEASE,
    JobKind.STAMP,
    JobKind.TASK_OVERDUE,
    JobKind.POLL,
    JobKind.UNDO_CLOCK,
    JobKind.APPEAL_DUE,
    JobKind.LOOK_BACK,
    JobKind.HOLD_REVIEW,
    JobKind.LIFECYCLE,
    JobKind.CURE,
    JobKind.EVENT_OVER,
    JobKind.SEE_RELEASE,
)
_ALL_WORK = tuple(kind for kind in JobKind if kind not in _OUTLIVES)
