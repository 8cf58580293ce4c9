"""An appeal against a decision of ours: heard by somebody who had no part in it, within a time, with reasons.

A statement comes from outside and is kept whatever it says; an appeal is our work on it, about one decision and for one
party. One is open for both at a time: whatever else is filed is one more statement to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from notifier.domain.events import Fact
from notifier.errors import Conflict, Forbidden


class AppealState(StrEnum):
    FILED = "filed"
    IN_REVIEW = "in_review"
    UPHELD = "upheld"
    OVERTURNED = "overturned"
    PARTIAL = "partial"
    WITHDRAWN = "withdrawn"


class Outcome(StrEnum):
    """Of the decision that was appealed against: it stands, it falls, or it went too far."""

    UPHELD = "upheld"
    OVERTURNED = "overturned"
    PARTIAL = "partial"


class Cause(StrEnum):
    """Why it was lifted. All but `cured` are our mistake."""

    WRONG_NAME = "wrong_name"
    WRONG_FACTS = "wrong_facts"
    LAWFUL = "lawful"
    COMPROMISED = "compromised"
    DISPROPORTIONATE = "disproportionate"
    CURED = "cured"
    OTHER = "other"


class Proof(StrEnum):
    """How somebody showed that the name is theirs: the secret of the registrant's notice, or a record in its zone."""

    NOTICE = "notice"
    DNS = "dns"


A = AppealState

TRANSITIONS: Mapping[AppealState, frozenset[AppealState]] = {
    A.FILED: frozenset({A.IN_REVIEW, A.UPHELD, A.OVERTURNED, A.PARTIAL, A.WITHDRAWN}),
    A.IN_REVIEW: frozenset({A.UPHELD, A.OVERTURNED, A.PARTIAL, A.WITHDRAWN}),
    A.UPHELD: frozenset(),
    A.OVERTURNED: frozenset(),
    A.PARTIAL: frozenset(),
    A.WITHDRAWN: frozenset(),
}
OPEN = frozenset({A.FILED, A.IN_REVIEW})
DECIDED = frozenset({A.UPHELD, A.OVERTURNED, A.PARTIAL})
LIFTS = frozenset({Outcome.OVERTURNED, Outcome.PARTIAL})


@dataclass(frozen=True, slots=True)
class Clocks:
    """When the appeal must be acknowledged, and when decided; UTC."""

    acknowledge_due: datetime
    decide_due: datetime


@dataclass(frozen=True, slots=True)
class Proven:
    """Control of the name was shown in one of its statements."""

    statement_id: str
    proof: Proof
    clocks: Clocks


@dataclass(frozen=True, slots=True)
class Taken:
    """A person takes it up. Where control was not shown, the clocks begin with that."""

    by: str
    clocks: Clocks


@dataclass(frozen=True, slots=True)
class Decided:
    by: str
    outcome: Outcome
    reasons_sha256: str
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Whoever filed it, and had shown control, does not go on with it."""

    statement_id: str


Event = Proven | Taken | Decided | TakenBack


@dataclass(frozen=True, slots=True)
class Step:
    appeal: "Appeal"
    fact: Fact


@dataclass(frozen=True, slots=True)
class Appeal:
    """One appeal against the decision behind `notice_id`. `barred`: principals with a part in it, who may not hear it.

    `clocks` None: control was not shown, and nobody took it up; until then nothing stands still for it.
    """

    id: str
    case_id: str
    notice_id: str
    state: AppealState
    filed_at: datetime
    barred: frozenset[str] = frozenset()
    proven_at: datetime | None = None
    taken_by: str | None = None
    taken_at: datetime | None = None
    clocks: Clocks | None = None
    decided_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def counts(self) -> bool:
        """Whether the case stands still for it."""
        return self.is_open and self.clocks is not None

    def apply(self, event: Event, now: datetime) -> Step:
        """The appeal after `event` and its audit fact. Raises Conflict, and Forbidden (`four_eyes`)."""
        if not self.is_open:
            raise Conflict(f"the appeal is {self.state}", code="appeal_over")
        match event:
            case Proven():
                fact = Fact("appeal.proven", {"statement": event.statement_id, "by": str(event.proof)})
                return Step(
                    replace(self, proven_at=self.proven_at or now, clocks=self.clocks or event.clocks),
                    fact,
                )
            case Taken():
                self._not_barred(event.by)
                if self.taken_by is not None:
                    raise Conflict(f"{self.taken_by} has it already")
                return Step(
                    replace(self._to(A.IN_REVIEW), taken_by=event.by, taken_at=now, clocks=self.clocks or event.clocks),
                    Fact("appeal.taken", {"proven": self.proven_at is not None}),
                )
            case Decided():
                self._not_barred(event.by)
                lifts = event.outcome in LIFTS
                if not lifts and event.cause is not None:
                    raise Conflict("a decision that stands has no cause to correct")
                detail = {"outcome": str(event.outcome), "reasons": event.reasons_sha256}
                if event.cause is not None:
                    detail["cause"] = str(event.cause)
                return Step(
                    replace(self._to(AppealState(event.outcome)), decided_at=now), Fact("appeal.decided", detail)
                )
            case TakenBack():
                return Step(
                    replace(self._to(A.WITHDRAWN), decided_at=now),
                    Fact("appeal.withdrawn", {"statement": event.statement_id}),
                )

    def _not_barred(self, who: str) -> None:
        if who in self.barred:
            raise Forbidden(
                "you had a part in what is appealed against; another person hears the appeal", code="four_eyes"
            )

    def _to(self, state: AppealState) -> "Appeal":
        if state not in TRANSITIONS[self.state]:
            raise Conflict(f"an appeal cannot go from {self.state} to {state}")
        return replace(self, state=state)
