"""What can happen to a case, and the work that a step may ask for. `Case.apply` says what each event does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from notifier.domain.outcome import Verdict

Detail = Mapping[str, Any]


class JobKind(StrEnum):
    """The work a step may ask for; the queue and the timers use the same names."""

    CHECK = "case.check"
    DISPATCH = "case.dispatch"
    OBSERVE = "case.observe"
    CLOCK_ENDED = "case.clock_ended"
    SEND = "notice.send"
    READ_INBOUND = "inbound.read"


@dataclass(frozen=True, slots=True)
class Job:
    """Do `kind` for `ref` now."""

    kind: JobKind
    ref: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Timer:
    """Do `kind` for `ref` at `due_at` of business time."""

    kind: JobKind
    ref: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Fact:
    """What an audit entry will say: a tag `subject.verb_past` and ids and digests, never personal data."""

    tag: str
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportJoined:
    """A report was tied to the case. One more party that may not approve it."""

    report_id: str
    by: str


@dataclass(frozen=True, slots=True)
class EvidenceAdded:
    """Evidence came after the report; its supplier may not approve."""

    evidence_ids: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The program's rules were evaluated over all evidence."""

    sufficient: bool
    failed: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TargetObserved:
    """Registry RDAP and the parent zone were asked about the target. `epoch` None: not known (no RDAP)."""

    observation_id: str
    epoch: str | None
    already_down: bool | None
    registration: Detail


@dataclass(frozen=True, slots=True)
class Assigned:
    """Somebody looks after the case; None: nobody."""

    to: str | None


@dataclass(frozen=True, slots=True)
class Approved:
    """A person who took no part in the report approved exactly what `digest` names."""

    by: str
    digest: str
    shown_digest: str
    notice_ids: tuple[str, ...]
    cancel_window: timedelta


@dataclass(frozen=True, slots=True)
class Rejected:
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class EvidenceRequested:
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ApprovalVoided:
    """The approved content changed, somebody cancelled in the window, or a party to the approval joined the case."""

    why: str


@dataclass(frozen=True, slots=True)
class WentStale:
    """Evidence grew too old between approval and sending."""

    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The window is over and the re-check passed: the notices may go."""

    baseline_id: str
    notice_ids: tuple[str, ...]
    clock_ends: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """An authenticated answer of a recipient; `claim_id` when it claims an act."""

    notice_id: str
    response: str
    claim_id: str | None = None
    reason: str | None = None
    first_look: datetime | None = None
    claim_deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """Looks were held against a claim. `final`: its deadline has passed or the verdict can stand."""

    claim_id: str
    verdict: Verdict
    observed: str
    outcome: str | None
    actor: str | None
    final: bool
    why: str
    next_look: datetime | None
    undoes: bool = False


@dataclass(frozen=True, slots=True)
class ClockEnded:
    """The recipient's time is over. No further step on the ladder: silence is the outcome."""

    notice_id: str


@dataclass(frozen=True, slots=True)
class NoticeUndeliverable:
    """No way to the recipient: refused for good, bounced. A person finds another way."""

    notice_id: str
    why: str


@dataclass(frozen=True, slots=True)
class WatchEnded:
    pass


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """`told`: somebody was written to, so the withdrawal is to be undone by them too."""

    by: str
    reason: str
    told: bool = False


@dataclass(frozen=True, slots=True)
class EpochChanged:
    """The registration object is another one than the evidence speaks of."""

    was: str
    now: str


Event = (
    ReportJoined
    | EvidenceAdded
    | Evaluated
    | TargetObserved
    | Assigned
    | Approved
    | Rejected
    | EvidenceRequested
    | ApprovalVoided
    | WentStale
    | Dispatched
    | Answered
    | Judged
    | ClockEnded
    | NoticeUndeliverable
    | WatchEnded
    | Withdrawn
    | EpochChanged
)
