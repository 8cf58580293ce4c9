"""The case: one target, one program, our work on it. `Case.apply` is the only way its state changes.

A case's `rev` grows by one with every applied event, and the step carries exactly one audit fact for that rev,
so that row and log can be held against each other. Ids of new rows arrive inside the event.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from notifier.domain import case_asking, case_reports, case_review, case_undoing, case_watch
from notifier.domain.case_state import (
    ALL_WORK,
    ENDED,
    HEARD,
    NO_APPROVAL,
    RECIPIENT_CLOCK,
    TRANSITIONS,
    CaseState,
)
from notifier.domain.epp import Measure
from notifier.domain.events import Detail, Event, Fact
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.domain.ladder import askable
from notifier.domain.rule import Recipient
from notifier.domain.safety import Safety, Target
from notifier.errors import Conflict


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a case: the new case, its audit fact, and the work that follows. Saved whole or not at all."""

    case: "Case"
    fact: Fact
    jobs: tuple[Job, ...] = ()
    timers: tuple[Timer, ...] = ()
    stop_timers: tuple[JobKind, ...] = ()


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
        asked = self.state is CaseState.NEEDS_EVIDENCE and self.notified_at is not None
        undone = self.state is CaseState.CLOSED and self.undo != "none"
        return self.state in HEARD or asked or undone or self.merged_into is not None

    @property
    def watched(self) -> bool:
        """Whether a look still tells something of the case: what was seen done may be undone after its watch, too."""
        return self.hears or self.state is CaseState.CLOSED

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
        return STEPS[type(event)](self, event, now)

    # --- what the rooms beside this one are made of --------------------------------------------------------------

    def _undo_after(self, *, asked: bool) -> str:
        """How far the undo is once somebody is `asked` for it: what is asked for, claimed or seen already stays so."""
        return "requested" if asked and self.undo in ("none", "refused") else self.undo

    def _nobody_appeals(self) -> None:
        if self.appeal_open:
            raise Conflict("an appeal is heard, and nothing more is asked for until it is decided", code="appeal_open")

    def _void(self, now: datetime, why: str, detail: Detail | None = None) -> Step:
        fact = Fact("approval.voided", {"why": why, "digest": self.approved_digest, **(detail or {})})
        return self._to(CaseState.IN_REVIEW, now, fact, stop=True, review_reason=why, **NO_APPROVAL)

    def _resolve(self, now: datetime, fact: Fact, outcome: str | None, actor: str, **changes: Any) -> Step:
        """`outcome` is set when the case first resolves and never overwritten; None when nobody could tell."""
        first = self.outcome is None
        return self._to(
            CaseState.RESOLVED,
            now,
            fact,
            stop=RECIPIENT_CLOCK,
            resolved_at=self.resolved_at or now,
            outcome=outcome if first else self.outcome,
            outcome_actor=actor if first else self.outcome_actor,
            **changes,
        )

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
        if state is CaseState.IN_REVIEW:
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
        stopped = ALL_WORK if stop is True else () if stop is False else stop
        return Step(replace(self, rev=self.rev + 1, **changes), fact, jobs, timers, stopped)


_FIRST_ASKED = timedelta(days=30)
STEPS: Mapping[type, Callable[[Case, Any, datetime], Step]] = {
    **case_reports.STEPS,
    **case_review.STEPS,
    **case_asking.STEPS,
    **case_watch.STEPS,
    **case_undoing.STEPS,
}
