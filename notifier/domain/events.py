"""What can happen to a case. `Case.apply` says what each event does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from notifier.domain.ladder import Rung
from notifier.domain.outcome import Verdict
from notifier.domain.safety import Safety, Target

Detail = Mapping[str, Any]


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
    """Evidence came after the report; its supplier may not approve. `files` are digests of what came with it."""

    evidence_ids: tuple[str, ...]
    by: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportsArrived:
    """Reports and evidence came over from another case, by a merge or because they did not belong there."""

    from_case: str
    report_ids: tuple[str, ...]
    evidence_ids: tuple[str, ...]
    parties: frozenset[str]
    by: str
    reason: str
    merged: bool = False


@dataclass(frozen=True, slots=True)
class ReportsLeft:
    """Reports that do not belong went to another case with their evidence. `parties`: who is left."""

    to_case: str
    report_ids: tuple[str, ...]
    evidence_ids: tuple[str, ...]
    parties: frozenset[str]
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class MergedInto:
    """The case is the same matter as another, which goes on with its reports and evidence. `told`: notices that stand."""

    case_id: str
    reference: str
    report_ids: tuple[str, ...]
    evidence_ids: tuple[str, ...]
    told: tuple[str, ...]
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class UndoAsked:
    """The case that this one was merged into was withdrawn, and so is what this one had asked for."""

    reason: str


@dataclass(frozen=True, slots=True)
class UndoNeedless:
    """What was to be undone never left, so nobody was told and nobody has to be told otherwise."""

    notice_id: str


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The program's rules were evaluated over all evidence.

    `second_reasons`: what a second person must weigh. `program_digest`: of the rules that were asked.
    """

    sufficient: bool
    failed: tuple[str, ...]
    unknown: tuple[str, ...]
    second_reasons: tuple[str, ...] = ()
    program_digest: str | None = None


@dataclass(frozen=True, slots=True)
class TargetObserved:
    """Registry RDAP and the parent zone were asked about the target. `epoch` None: not known (no RDAP)."""

    observation_id: str
    epoch: str | None
    already_down: bool | None
    registration: Detail


@dataclass(frozen=True, slots=True)
class Assessed:
    """The safety of the target was looked into again. `target`: the case is about this host from now on.

    `news`: names of signals that weigh more than in what was known before. `digest` is of the whole assessment.
    """

    assessment_id: str
    safety: Safety
    why: str
    target: Target | None = None
    news: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Assigned:
    """Somebody looks after the case; None: nobody."""

    to: str | None


@dataclass(frozen=True, slots=True)
class Approved:
    """A person who took no part in the report approved exactly what `digest` names. `note`: the stated reason.

    `people`: how many must at least approve. `until`: when what is asked for is over, and asked to be restored.
    """

    by: str
    digest: str
    shown_digest: str
    notice_ids: tuple[str, ...]
    cancel_window: timedelta
    note: str = ""
    people: int = 1
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """`ground`: substance, clerical, out_of_scope or duplicate; what it says of the reporters goes into the ledger."""

    by: str
    reason: str
    ground: str = "substance"


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
    """The window is over and the re-check passed: the notices may go. `remind_at`: when an unanswered one is repeated."""

    baseline_id: str
    notice_ids: tuple[str, ...]
    clock_ends: datetime
    remind_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """An authenticated answer of a recipient; `claim_id` when it claims an act.

    `current`: it is of the party that is asked now, whose clock runs; `first`: nothing was heard of that party before.
    `last`: nobody comes after it on the ladder. `owed_at`: when what it asks for is overdue. `undoes`: it answers a
    notice that took something back.
    """

    notice_id: str
    response: str
    claim_id: str | None = None
    reason: str | None = None
    first_look: datetime | None = None
    claim_deadline: datetime | None = None
    current: bool = True
    first: bool = False
    last: bool = True
    owed_at: datetime | None = None
    undoes: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """What stands to be reviewed: who looks after it where nobody does, when they are warned, and when it lapses."""

    owner: str | None
    warn_at: datetime
    review_by: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """Looks were held against a claim. `final`: its deadline has passed or the verdict can stand; `last`: nobody else's
    turn is on, or comes after it. `hold`: the name is under a measure that we asked for, also after this; None: it is not.
    `reopens`: a relapse reopens the case; not where another open case is about the name already.
    """

    claim_id: str
    verdict: Verdict
    observed: str
    outcome: str | None
    actor: str | None
    final: bool
    why: str
    next_look: datetime | None
    undoes: bool = False
    last: bool = True
    hold: Held | None = None
    reopens: bool = True


@dataclass(frozen=True, slots=True)
class ClockEnded:
    """The recipient's time is over. No further step on the ladder: silence is the outcome."""

    notice_id: str


@dataclass(frozen=True, slots=True)
class StepChosen:
    """Nothing was asked yet under this step, and another one is right now. `rung` None: there is nobody to ask."""

    rung: Rung | None
    why: str


@dataclass(frozen=True, slots=True)
class StepPassed:
    """A person goes on without the party that would be asked now."""

    rung: Rung | None
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """The party that was asked gave nothing (`why`: silence, declined or not_done): the next one's turn.

    A person approves it afresh, with evidence as fresh as at the first.
    """

    notice_id: str
    why: str
    rung: Rung


@dataclass(frozen=True, slots=True)
class ContactGiven:
    """A person says where a party of the case is reached; whoever says it may not approve it. `sha256`: of what they said."""

    contact_id: str
    party: str
    by: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class AmendmentBegun:
    """The recipient asked for more and somebody answers: the notice goes again, amended, after a fresh approval.

    `sha256`: of the answer.
    """

    amendment_id: str
    notice_id: str
    by: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class NoticeUndeliverable:
    """No way to the recipient: refused for good, bounced. A person finds another way.

    `amendment`: our answer that the notice carried, and that is still owed.
    """

    notice_id: str
    why: str
    amendment: str | None = None


@dataclass(frozen=True, slots=True)
class SendingStopped:
    """What had not left yet never will: the look right before sending showed something that nobody approved.

    `amendment`: our answer that was in it, and that is still owed.
    """

    notice_ids: tuple[str, ...]
    why: str
    amendment: str | None = None


@dataclass(frozen=True, slots=True)
class Cured:
    """Two looks, far enough apart, found none of the reported pages for any visitor, before anybody was asked."""

    observation_id: str


@dataclass(frozen=True, slots=True)
class CuredLater:
    """The same after somebody was asked: whoever has not done it itself is told that no more is asked.

    `told`: the notices that are taken back; `enforced`: something that was done is to be undone with them; `to_undo`: any of
    them asked for something that could be. `outcome`, `actor`: where the case has none yet. `removed`: the host did what it
    was asked, which goes on being watched.
    """

    observation_id: str
    told: tuple[str, ...]
    enforced: bool
    to_undo: bool
    outcome: str
    actor: str
    removed: bool = False


@dataclass(frozen=True, slots=True)
class CameBack:
    """What had ended because the pages were gone shows them again. Asking anew takes a person."""

    observation_id: str


@dataclass(frozen=True, slots=True)
class WatchEnded:
    pass


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """`told`: somebody was written to, so the withdrawal is to be undone by them too.

    `ground`: error (ours), cured, or other.
    """

    by: str
    reason: str
    told: bool = False
    ground: str = "other"


@dataclass(frozen=True, slots=True)
class AppealOpened:
    """Somebody who may be heard appeals: until that is decided nothing more is asked for. `dues`: when we must have
    said a first word, and when we must have decided."""

    appeal_id: str
    dues: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class AppealClosed:
    """The appeal is over, and the decision stands: the case goes on where it stood."""

    appeal_id: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Overturned:
    """The decision fell on appeal. `cured`: its cause was mended, else it was wrong. `told`: somebody is told to undo it.

    `looks`: when the name is looked at, until it is back.
    """

    appeal_id: str
    outcome: str
    cause: str
    cured: bool
    told: bool
    looks: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Lapsed:
    """Nobody stood up for an enforced measure in time after it was challenged. It is to be undone, without a person."""

    appeal_id: str
    told: bool
    looks: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class BackSeen:
    """Two looks, further apart than what resolvers remember, saw the name as it was before. `observed`: what the case's
    claims come to since."""

    observation_id: str
    observed: str


@dataclass(frozen=True, slots=True)
class HoldKept:
    """A person who did not supply it found that fresh evidence still carries what is held. `held`: until when now."""

    by: str
    reason: str
    evidence_ids: tuple[str, ...]
    held: Held


@dataclass(frozen=True, slots=True)
class HoldPutOff:
    """Whoever is to keep it was not told in time, through our own fault: it lapses once they had their whole warning."""

    held: Held


@dataclass(frozen=True, slots=True)
class HoldLapsed:
    """Nobody brought fresh evidence for what is held by its review-by date. It is to be undone, without a person."""

    told: bool
    looks: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class PhaseSeen:
    """The registration is on its way out, or came back: `phase` None. `next_look`: when it should be a step further."""

    phase: str | None
    observation_id: str
    next_look: datetime | None


@dataclass(frozen=True, slots=True)
class EventOver:
    """The live event that something was asked for because of is over. `told`: whoever was told is asked to restore.

    `last`: nothing of the case is asked for any longer. `looks`: when the name is looked at, until it is back.
    """

    event: str
    told: bool
    last: bool
    looks: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """A name that was held for an event is back, as two looks agree. `in_time`: within the event's margin.
    `observed`: what the case's claims come to since."""

    observation_id: str
    in_time: bool
    observed: str


@dataclass(frozen=True, slots=True)
class FoundWrong:
    """Whoever looked a second time found that it should not have been approved, and the case is over already."""

    approval_id: str
    by: str


@dataclass(frozen=True, slots=True)
class EpochChanged:
    """The registration object is another one than the evidence speaks of."""

    was: str
    now: str


Event = (
    ReportJoined
    | ReportsArrived
    | ReportsLeft
    | MergedInto
    | UndoAsked
    | UndoNeedless
    | EvidenceAdded
    | Evaluated
    | TargetObserved
    | Assessed
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
    | StepChosen
    | StepPassed
    | Escalated
    | ContactGiven
    | AmendmentBegun
    | NoticeUndeliverable
    | SendingStopped
    | Cured
    | CuredLater
    | CameBack
    | WatchEnded
    | Withdrawn
    | AppealOpened
    | AppealClosed
    | Overturned
    | Lapsed
    | BackSeen
    | HoldKept
    | HoldPutOff
    | HoldLapsed
    | PhaseSeen
    | EventOver
    | Released
    | FoundWrong
    | EpochChanged
)
