"""Where our work on a case may stand, which ways lead from there, and what each stop leaves running. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from notifier.domain.jobs import JobKind


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

NO_APPROVAL: Mapping[str, Any] = {"approvers": (), "approved_digest": None}
NEXT_STEP = 5  # what somebody was asked in vain comes before what nobody was asked yet
RECIPIENT_CLOCK = (JobKind.CLOCK_ENDED, JobKind.REMIND, JobKind.ANSWER_OWED)
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
ALL_WORK = tuple(kind for kind in JobKind if kind not in _OUTLIVES)
