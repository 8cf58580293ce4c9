"""What takes back what was asked for does to a case: withdrawal, cure, appeal, lapse, the end of an event. Pure;
`Case.apply` asks here."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.case_state import OPEN
from notifier.domain.case_state import CaseState as S
from notifier.domain.events import (
    AppealClosed,
    AppealOpened,
    BackSeen,
    CuredLater,
    EventOver,
    Fact,
    FoundWrong,
    HoldLapsed,
    Lapsed,
    Overturned,
    Released,
    Withdrawn,
)
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.errors import Conflict

if TYPE_CHECKING:
    from notifier.domain.case import Case, Step


def _withdrawn(case: "Case", event: Withdrawn, now: datetime) -> "Step":
    case._must_be(*OPEN)
    return case._to(
        S.WITHDRAWN,
        now,
        Fact("case.withdrawn", {"reason": event.reason, "ground": event.ground}),
        stop=True,
        closed_at=now,
        outcome=case.outcome or _WITHDRAWN[event.ground],
        outcome_actor=case.outcome_actor or "notifier",
        undo="requested" if event.told else case.undo,
        review_by=None,
        aftermath="lifted_cured" if case.outcome and event.told and event.ground == "cured" else case.aftermath,
    )


def _cured_later(case: "Case", event: CuredLater, now: datetime) -> "Step":
    """An open case ends by it, but for one whose host did what it was asked: that is what it is watched for."""
    detail = {"observation": event.observation_id, "told": list(event.told), "enforced": event.enforced}
    undo = case._undo_after(asked=event.to_undo)
    if event.removed:
        case._must_be(S.RESOLVED)
        aftermath = "lifted_cured" if event.enforced else case.aftermath
        return case._stay(Fact("case.others_released", detail), undo=undo, aftermath=aftermath, review_by=None)
    case._must_be(*OPEN, S.CLOSED)
    changes: dict[str, Any] = {
        "undo": undo,
        "review_by": None,
        "aftermath": "lifted_cured" if event.enforced or case.outcome is not None else case.aftermath,
        "outcome": case.outcome or event.outcome,
        "outcome_actor": case.outcome_actor or event.actor,
    }
    fact = Fact("case.cured", detail)
    if case.state is S.CLOSED:
        return case._stay(fact, **changes)
    return case._to(S.WITHDRAWN, now, fact, stop=True, closed_at=now, **changes)


def _appeal_opened(case: "Case", event: AppealOpened, now: datetime) -> "Step":
    if case.appeal_open:
        raise Conflict("an appeal is heard already")
    fact = Fact("case.appeal_opened", {"appeal": event.appeal_id})
    timers = tuple(Timer(JobKind.APPEAL_DUE, event.appeal_id, due) for due in event.dues)
    return case._stay(fact, timers=timers, stop=(JobKind.REMIND,), appeal_open=True)


def _appeal_closed(case: "Case", event: AppealClosed, now: datetime) -> "Step":
    """What stood still goes on: what waits to leave is looked at anew, and a clock that ran out is asked about."""
    if not case.appeal_open:
        raise Conflict("no appeal is heard")
    fact = Fact("case.appeal_closed", {"appeal": event.appeal_id, "outcome": event.outcome})
    jobs = (Job(JobKind.DISPATCH, case.id, case.priority),) if case.state is S.APPROVED else ()
    timers = (Timer(JobKind.CLOCK_ENDED, case.id, now),) if case.state is S.NOTIFIED else ()
    return case._stay(fact, jobs=jobs, timers=timers, appeal_open=False)


def _overturned(case: "Case", event: Overturned, now: datetime) -> "Step":
    ground = "cured" if event.cured else "error"
    said = {"appeal": event.appeal_id, "outcome": event.outcome, "cause": event.cause, "ground": ground}
    fact = Fact("case.overturned", said)
    aftermath = "lifted_cured" if event.cured else "lifted_wrong"
    error = "withdrawn_cured" if event.cured else "withdrawn_error"
    return _lifted(case, fact, now, event.told, event.looks, aftermath, error, appeal_open=False)


def _lapsed(case: "Case", event: Lapsed, now: datetime) -> "Step":
    fact = Fact("case.lift_asked", {"appeal": event.appeal_id, "ground": "lapsed"})
    return _lifted(case, fact, now, event.told, event.looks, "lifted_lapsed", "withdrawn")


def _hold_lapsed(case: "Case", event: HoldLapsed, now: datetime) -> "Step":
    case._must_hold()
    fact = Fact("case.hold_lapsed", {"ground": "lapsed"})
    return _lifted(case, fact, now, event.told, event.looks, "lifted_lapsed", "withdrawn")


def _back_seen(case: "Case", event: BackSeen, now: datetime) -> "Step":
    if case.undo not in ("requested", "claimed"):
        raise Conflict("no undo is asked for")
    fact = Fact("case.restored", {"observation": event.observation_id})
    return case._stay(fact, undo="verified", observed=event.observed)


def _event_over(case: "Case", event: EventOver, now: datetime) -> "Step":
    """What was asked for because of an event ends with it, in whatever state the case is; an open one ends too."""
    fact = Fact("case.event_over", {"event": event.event, "told": event.told, "ground": "event_over"})
    timers = tuple(Timer(JobKind.SEE_RELEASE, case.id, at) for at in event.looks)
    undo = case._undo_after(asked=event.told)
    review_by = None if event.last else case.review_by
    if case.state not in OPEN or not event.last:
        return case._stay(fact, timers=timers, undo=undo, review_by=review_by)
    # What was claimed and not seen yet has no outcome: the event is no reason to know one.
    silent = ("no_response", "none") if event.told else ("withdrawn", "notifier")
    outcome, actor = (None, None) if case.response == "action_claimed" else silent
    return case._to(
        S.WITHDRAWN,
        now,
        fact,
        stop=True,
        timers=timers,
        closed_at=now,
        outcome=case.outcome or outcome,
        outcome_actor=case.outcome_actor or actor,
        undo=undo,
        review_by=review_by,
    )


def _released(case: "Case", event: Released, now: datetime) -> "Step":
    if case.undo == "none":
        raise Conflict("no undo is asked for")
    fact = Fact("case.released", {"observation": event.observation_id, "in_time": event.in_time})
    seen = "released_on_time" if event.in_time else "reinstated"
    wrong = (case.aftermath or "").startswith("lifted_")
    aftermath = case.aftermath if wrong else seen
    return case._stay(fact, undo="verified", observed=event.observed, aftermath=aftermath)


def _found_wrong(case: "Case", event: FoundWrong, now: datetime) -> "Step":
    if case.state in OPEN:
        raise Conflict("the case is still open; withdraw it")
    fact = Fact("case.found_wrong", {"approval": event.approval_id, "by": event.by})
    return case._stay(fact, aftermath="lifted_wrong")


def _lifted(
    case: "Case",
    fact: Fact,
    now: datetime,
    told: bool,
    looks: tuple[datetime, ...],
    aftermath: str,
    outcome: str,
    **changes: Any,
) -> "Step":
    """Everything that was asked for is taken back, whatever became of the case; only an open one ends by it."""
    changes |= {
        "aftermath": aftermath,
        "outcome": case.outcome or outcome,
        "outcome_actor": case.outcome_actor or "notifier",
        "undo": case._undo_after(asked=told),
        "review_by": None,
    }
    timers = tuple(Timer(JobKind.LOOK_BACK, case.id, at) for at in looks)
    if case.state in OPEN:
        return case._to(S.WITHDRAWN, now, fact, stop=True, timers=timers, closed_at=now, **changes)
    return case._stay(fact, timers=timers, **changes)


_WITHDRAWN = {"error": "withdrawn_error", "cured": "withdrawn_cured", "other": "withdrawn"}
STEPS: Mapping[type, Callable[["Case", Any, datetime], "Step"]] = {
    Withdrawn: _withdrawn,
    CuredLater: _cured_later,
    AppealOpened: _appeal_opened,
    AppealClosed: _appeal_closed,
    Overturned: _overturned,
    Lapsed: _lapsed,
    HoldLapsed: _hold_lapsed,
    BackSeen: _back_seen,
    EventOver: _event_over,
    Released: _released,
    FoundWrong: _found_wrong,
}
