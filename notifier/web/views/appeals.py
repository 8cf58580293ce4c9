"""Views of appeals. What whoever filed reads has no field for a person of ours, or for anybody who reported."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from notifier.domain.appeal import DECIDED, AppealState, Cause, Outcome, Proof
from notifier.services.appealing import Status
from notifier.services.hearing import Shown
from notifier.web.views.base import View


class AppealFiled(View):
    """What was filed is kept. The answer is the same whatever we hold about the name."""

    status_url: str = Field(description="Where its status is read. Whoever has this address can read it.")
    page_url: str = Field(description="The same as a page.")


class ControlOut(View):
    """The TXT record that shows that the name is yours."""

    type: str = "TXT"
    name: str | None = Field(description="Null: no name can be read in what was given.")
    value: str


class DecisionOut(View):
    """A decision of ours about the name, and what came of the appeal against it."""

    reference: str
    program: str
    domain: str
    measure: str = Field(description="What we asked for.")
    asked_of: str
    asked_at: datetime | None
    state: AppealState
    filed_at: datetime
    acknowledged_at: datetime | None
    decide_by: datetime | None
    outcome: Outcome | None
    reasons: str | None
    decided_at: datetime | None
    undo: str = Field(description="none, requested, claimed, verified (seen by us), refused.")
    statement: dict[str, Any] | None = Field(
        description="Why we asked in the first place, in the field names of the DSA's statements of reasons."
    )
    statement_text: str


class ReasonsOut(View):
    """A statement of reasons."""

    statement: dict[str, Any] = Field(description="In the field names of the DSA's statements of reasons.")
    text: str


class AppealStatus(View):
    """What whoever filed may know by now."""

    state: AppealState
    domain: str
    filed_at: datetime
    proven: Proof | None = Field(description="How control of the name was shown; until then nothing is told.")
    control: ControlOut
    decisions: list[DecisionOut]

    @classmethod
    def shown(cls, found: Status) -> Self:
        states = [one.state for one in found.decisions]
        still_open = [state for state in states if state not in DECIDED and state is not AppealState.WITHDRAWN]
        return cls(
            state=(still_open or states or [AppealState.FILED])[-1],
            domain=found.domain,
            filed_at=found.filed_at,
            proven=found.proven,
            control=ControlOut(name=found.record_name, value=found.record_value),
            decisions=[DecisionOut.of(one) for one in found.decisions],
        )


class AppealOut(View):
    """An appeal as staff see it."""

    id: UUID
    case_id: UUID
    reference: str
    domain: str = Field(validation_alias="target")
    program: str
    notice_id: UUID = Field(description="The request that is appealed against.")
    measure: str
    state: AppealState
    filed_at: datetime
    proven_at: datetime | None = Field(description="When control of the name was shown; null: it was not.")
    taken_by: str | None
    taken_at: datetime | None
    acknowledge_due: datetime | None = Field(description="Null: no clock runs yet.")
    decide_due: datetime | None
    decided_at: datetime | None
    decided_by: str | None
    outcome: Outcome | None
    corrected_cause: Cause | None = Field(validation_alias="cause")
    reasons: str | None
    undo: str
    aftermath: str | None
    statements: int


class StatementOut(View):
    """What was filed, as it came."""

    id: UUID
    domain: str = Field(validation_alias="given")
    reference: str | None
    grounds: str
    contact: str
    evidence: list[dict[str, Any]]
    via: str
    filed_at: datetime
    late: bool = Field(description="It came after the decision.")
    proof: Proof | None
    proven_at: datetime | None


class AppealDetail(View):
    """One appeal whole."""

    appeal: AppealOut
    statements: list[StatementOut]
    barred: list[str] = Field(description="Who had a part in the decision, and may not hear the appeal.")

    @classmethod
    def shown(cls, found: Shown) -> Self:
        return cls(
            appeal=AppealOut.of(found.row),
            statements=[StatementOut.of(one) for one in found.statements],
            barred=list(found.barred),
        )


class AppealPage(View):
    items: list[AppealOut]
    next_cursor: str | None


class CorrectionOut(View):
    """Something that was put right. It names nobody, and no domain."""

    id: UUID
    program: str
    measure: str
    cause: str = Field(
        description="A cause of an appeal's decision; `unanswered`: we did not stand up for it in time; "
        "`unsupported`: nobody brought fresh evidence for it; `withdrawn`: we found our own error."
    )
    corrected_at: datetime
    held_since: datetime | None = Field(description="First seen out of the zone or held; null: it never was.")
    restored_at: datetime | None = Field(description="Seen back; null: not yet, or nothing was to be seen.")
    held_seconds: int | None
    hosts: int | None = Field(description="Host names below it, where they were measured.")


class CorrectionPage(View):
    items: list[CorrectionOut]
    next_cursor: str | None
