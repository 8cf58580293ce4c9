"""What callers send: path, query, header and body models. Bounded, without NUL, and nothing unknown is taken."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import JsonSchemaValue

from notifier.domain.case import CaseState
from notifier.domain.epp import Measure
from notifier.domain.evidence import Evidence
from notifier.domain.fields import Instant
from notifier.domain.notice import NoticeState
from notifier.domain.report import EVIDENCE_MAX
from notifier.services.reading import MAX_PAGE
from notifier.services.responses import Answer

_UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_MAX_ROW = 2**53 - 1  # the largest integer that every JSON reader keeps (RFC 8259 §6)


def _zoned(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("names no zone; write 2026-03-09T14:30:00Z")
    return value.astimezone(UTC)


RowId = Annotated[str, StringConstraints(pattern=_UUID)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Spelling = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,199}$")]
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
Hex256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# Its own validator reads the text, so strictness has nothing left to refuse.
Moment = Annotated[Instant, Field(strict=False), AfterValidator(_zoned)]
Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,300}$")]
Number = Annotated[int, Field(ge=0, le=_MAX_ROW)]


class _Asked(BaseModel):
    """Base of path, query and header models, whose values come as text."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Sent(BaseModel):
    """Base of bodies: no value is read as another type, and an unknown field is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


# --- paths --------------------------------------------------------------------------------------------------------


class ReportPath(_Asked):
    report_id: RowId = Field(description="Id of the report.")


class CasePath(_Asked):
    case_id: RowId = Field(description="Id of the case.")


class NoticePath(_Asked):
    notice_id: RowId = Field(description="Id of the notice.")


class TaskPath(_Asked):
    task_id: RowId = Field(description="Id of the task.")


class AlarmPath(_Asked):
    alarm_id: RowId = Field(description="Id of the alarm.")


class RecipientPath(_Asked):
    recipient: Slug = Field(description="Id of the registry that sends.")


class RegistryPath(_Asked):
    registry_id: Slug = Field(description="Id of the registry.")


class AgreementPath(_Asked):
    agreement_id: Slug = Field(description="Id of the agreement: program and registry, joined by a dot.")


# --- queries and headers ------------------------------------------------------------------------------------------


class Paged(_Asked):
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = Field(default=50, description="Largest number of items.")
    cursor: Cursor | None = Field(default=None, description="`next_cursor` of the page before.")


class CaseQuery(Paged):
    state: CaseState | None = Field(default=None, description="State of our work.")
    program: Slug | None = Field(default=None, description="Program id.")
    registry: Slug | None = Field(default=None, description="Registry id.")
    domain: Spelling | None = Field(default=None, description="Name in any spelling: target, registrable name or host.")
    outcome: Slug | None = Field(default=None, description="Outcome as first set.")
    assignee: Word | None = Field(default=None, description="Who looks after the case.")
    overdue: bool | None = Field(default=None, description="Whether a clock of the case has run out.")


class NoticeQuery(Paged):
    state: NoticeState | None = Field(default=None, description="State of the notice.")
    since: Moment | None = Field(default=None, description="Sent, or drafted if unsent, at or after this time.")


class WaitingQuery(Paged):
    open: bool = Field(default=True, description="Only what nobody has ended.")


class BatchQuery(_Asked):
    program: Slug | None = Field(default=None, description="Program of the rows that name none.")


class EntryQuery(_Asked):
    since_id: Number = Field(default=0, description="Entries with a larger id; the last id of the page before.")
    case_id: RowId | None = Field(default=None, description="Entries of one case.")
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = Field(default=50, description="Largest number of items.")


class InclusionQuery(_Asked):
    entry_id: Number = Field(description="Id of the entry.")
    size: Number | None = Field(default=None, description="Size of the checkpoint; without it the newest.")


class ConsistencyQuery(_Asked):
    old: Number = Field(description="Number of leaves of the older tree.")
    new: Number = Field(description="Number of leaves of the newer tree.")


class KeyHeader(_Asked):
    idempotency_key: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")] | None = Field(
        default=None,
        alias="Idempotency-Key",
        description="The same key with the same body again answers with the first ids.",
    )


# --- bodies -------------------------------------------------------------------------------------------------------


class Approval(_Sent):
    """Approves exactly the notices that `digest` names."""

    digest: Hex256 = Field(description="`digest` of the preview that was read.")
    note: Text = Field(default="", description="Kept with the approval.")


class Because(_Sent):
    """Why."""

    reason: Reason = Field(description="Kept for ever, and told to those it concerns.")


class Assignment(_Sent):
    """Who looks after the case."""

    assignee: Word | None = Field(description="A principal's id; null for nobody.")


class AnswerIn(_Sent):
    """What a recipient says of a notice. A claim is a claim until it is observed."""

    kind: Literal["acknowledged", "needs_info", "declined", "action_taken"] = Field(description="Kind of answer.")
    measure: Measure | None = Field(default=None, description="What was done; action_taken needs it.")
    actor: Literal["registry", "registrar", "host", "registrant"] | None = Field(
        default=None, description="Who did it, if known."
    )
    reason: (
        Literal[
            "declined_nexus",
            "declined_insufficient",
            "declined_out_of_scope",
            "declined_court_order_required",
            "declined_collateral",
            "declined_compromised",
            "declined_other",
        ]
        | None
    ) = Field(default=None, description="Why it was declined; declined needs it.")
    effective_at: Moment | None = Field(default=None, description="When it took effect, RFC 3339 with a zone.")
    comment: Text = Field(default="", description="In words.")

    def answer(self) -> Answer:
        """The same for the service."""
        return Answer(**dict(self))


class Resolution(_Sent):
    """How a task ended."""

    resolution: Literal["done", "arrived", "not_arrived", "confirmed", "not_confirmed"] = Field(
        description="uncertain: arrived or not_arrived; confirm_answer: confirmed or not_confirmed; else done."
    )
    note: Text = Field(default="", description="What came of it.")
    answer: AnswerIn | None = Field(default=None, description="What the recipient said by call-back, if confirmed.")


def _list_or_object(schema: JsonSchemaValue) -> None:
    """The page shows both forms that are taken."""
    items, named = schema["properties"]["evidence"], {k: v for k, v in schema.items() if k != "description"}
    text = schema.get("description", "")
    schema.clear()
    schema.update({"description": text, "anyOf": [items, named]})


class EvidenceIn(BaseModel):
    """More evidence: a JSON array of items, or an object with the array as `evidence`."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_list_or_object)

    evidence: list[Evidence] = Field(min_length=1, max_length=EVIDENCE_MAX, description="Evidence items.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        return {"evidence": data} if isinstance(data, list) else data
