"""What is seen of an act afterwards, and of the registration, does to a case. Pure; `Case.apply` asks here."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.case_state import HEARD, NEXT_STEP, NO_APPROVAL, OPEN
from notifier.domain.case_state import CaseState as S
from notifier.domain.events import (
    CameBack,
    EpochChanged,
    Fact,
    Held,
    HoldKept,
    HoldPutOff,
    Judged,
    PhaseSeen,
    WatchEnded,
)
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.domain.lifecycle import Phase
from notifier.domain.outcome import PROVEN, Verdict
from notifier.errors import Conflict, Forbidden

if TYPE_CHECKING:
    from notifier.domain.case import Case, Step


def _judged(case: "Case", event: Judged, now: datetime) -> "Step":
    if not case.watched:
        case._must_be(*HEARD)
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
    if event.hold is not None and case.undo == "none":
        held = {}
        if case.review_by is None:
            timers += _reviews(case, event.hold)
            held = {"review_by": event.hold.review_by, "assignee": case.assignee or event.hold.owner}
    # A name that is back because we asked for that is no relapse.
    if event.verdict is Verdict.RELAPSED and case.undo == "none" and case.state in (S.RESOLVED, S.CLOSED):
        fact = Fact("outcome.relapsed", detail)
        found: dict[str, Any] = {"observed": event.observed, "aftermath": "relapsed", **held}
        if case.state is S.CLOSED and not event.reopens:
            return case._stay(fact, timers=timers, **found)
        priority = max(case.priority, NEXT_STEP)
        return case._to(
            S.IN_REVIEW,
            now,
            fact,
            jobs=(Job(JobKind.CHECK, case.id, priority),),
            timers=timers,
            stop=(JobKind.ERASE,),
            review_reason="relapse",
            priority=priority,
            reopened_count=case.reopened_count + 1,
            closed_at=None,
            amendment=None,
            **found,
            **NO_APPROVAL,
        )
    if case.state is S.NOTIFIED and event.final and event.last:
        # Harm done instead of the act is still the act not done; what could not be seen has no outcome at all.
        refuted = "claimed_not_done" if event.verdict is Verdict.CONTRADICTED else None
        outcome, actor = event.outcome or refuted, event.actor or "none"
        if case.reopened_count and event.verdict in PROVEN:
            held["aftermath"] = "standing"
        return case._resolve(now, fact, outcome, actor, observed=event.observed, timers=timers, **held)
    undo = "verified" if event.undoes and event.verdict in PROVEN else case.undo
    return case._stay(fact, timers=timers, observed=event.observed, undo=undo, **held)


def _watch_ended(case: "Case", event: WatchEnded, now: datetime) -> "Step":
    case._must_be(S.RESOLVED)
    stands = "standing" if case.review_by else None
    return case._to(
        S.CLOSED,
        now,
        Fact("case.closed"),
        stop=True,
        closed_at=now,
        aftermath=case.aftermath or stands,
    )


def _hold_kept(case: "Case", event: HoldKept, now: datetime) -> "Step":
    case._must_hold()
    if event.by in case.involved:
        raise Forbidden("you submitted a report or evidence of this case; another person keeps it", code="four_eyes")
    if not event.evidence_ids:
        raise Conflict("nothing new carries what is held; bring evidence first", code="evidence_required")
    said = {"evidence": list(event.evidence_ids), "reason": event.reason, "until": event.held.review_by.isoformat()}
    timers, until = _reviews(case, event.held), event.held.review_by
    stop = (JobKind.HOLD_REVIEW,)
    return case._stay(Fact("case.hold_kept", said), timers=timers, stop=stop, review_by=until)


def _hold_put_off(case: "Case", event: HoldPutOff, now: datetime) -> "Step":
    case._must_hold()
    until = event.held.review_by
    timers = _reviews(case, event.held)
    return case._stay(Fact("case.hold_put_off", {"until": until.isoformat()}), timers=timers, review_by=until)


def _phase_seen(case: "Case", event: PhaseSeen, now: datetime) -> "Step":
    """A name that is gone is held by nobody, whoever may have it next."""
    fact = Fact(
        "registration.phase_seen", {"phase": event.phase, "was": case.phase, "observation": event.observation_id}
    )
    timers = (Timer(JobKind.LIFECYCLE, case.id, event.next_look),) if event.next_look else ()
    changes: dict[str, Any] = {"phase": event.phase, "phase_since": now if event.phase else None}
    if event.phase == Phase.PURGED:
        changes["review_by"] = None
        if case.outcome is not None and case.undo == "none":
            changes["aftermath"] = "dropped"
    return case._stay(fact, timers=timers, stop=(JobKind.LIFECYCLE,), **changes)


def _epoch_changed(case: "Case", event: EpochChanged, now: datetime) -> "Step":
    """Whoever has the name now was never reported: what was asked for ends, and what came of it is told apart."""
    case._must_be(*OPEN, S.CLOSED)
    told = {"was": event.was, "now": event.now}
    changes: dict[str, Any] = {"review_by": None, "phase": None, "phase_since": None}
    if case.resolved_at is not None:
        changes["aftermath"] = "reregistered"
    if case.state is S.CLOSED:
        return case._stay(Fact("case.reregistered", told), stop=True, **changes)
    return case._to(
        S.SUPERSEDED,
        now,
        Fact("case.superseded", told),
        stop=True,
        closed_at=now,
        outcome=case.outcome or "superseded_epoch",
        outcome_actor=case.outcome_actor or "none",
        **changes,
    )


def _came_back(case: "Case", event: CameBack, now: datetime) -> "Step":
    case._must_be(S.WITHDRAWN, S.CLOSED)
    return case._stay(Fact("case.came_back", {"observation": event.observation_id}), aftermath="relapsed")


def _reviews(case: "Case", held: Held) -> tuple[Timer, ...]:
    return tuple(Timer(JobKind.HOLD_REVIEW, case.id, at) for at in (held.warn_at, held.review_by))


STEPS: Mapping[type, Callable[["Case", Any, datetime], "Step"]] = {
    Judged: _judged,
    WatchEnded: _watch_ended,
    HoldKept: _hold_kept,
    HoldPutOff: _hold_put_off,
    PhaseSeen: _phase_seen,
    EpochChanged: _epoch_changed,
    CameBack: _came_back,
}
