"""Views of reports and batches."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from notifier.domain.case_state import CaseState
from notifier.domain.safety import Safety
from notifier.web.views.base import FindingOut, View


class SubmittedOut(View):
    """What became of one report."""

    report_id: UUID | None
    case_id: UUID | None
    reference: str | None = Field(description="The case's reference, for people.")
    domain: str | None = Field(description="The target as an A-label.")
    host: str | None
    registrable: str | None
    private_suffix: str | None
    registry: str | None = Field(description="Who operates the top-level domain.")
    state: CaseState | None
    safety: Safety | None
    findings: list[FindingOut]
    warnings: list[str]
    duplicate_of: str | None = Field(description="Reference of the open case that the report joined.")
    known: bool = Field(description="These ids are from an earlier submission.")


class RowOut(SubmittedOut):
    """One row of a batch."""

    row: int = Field(description="Counted from 1, the header not.")
    input: str
    code: str | None = Field(description="Refusal code; null when accepted.")
    detail: str | None = Field(description="Why it was refused, and what would be right.")


class BatchOut(View):
    """What became of a batch."""

    accepted: int
    duplicates: int = Field(description="Accepted rows that joined an open case or were known.")
    refused: int
    ignored_columns: list[str]
    read_as: dict[str, str]
    results: list[RowOut]


class ReportOut(View):
    """One report as it was taken or refused."""

    report_id: UUID = Field(validation_alias="id")
    case_id: UUID | None
    reference: str | None
    state: CaseState | None = Field(description="State of its case.")
    program: str
    external_id: str | None
    code: str | None = Field(description="Refusal code; null when accepted.")
    detail: str | None
    domain: str | None
    urls: list[str]
    duplicate: bool
    received_at: datetime
    submitter: str | None = Field(default=None, validation_alias="principal", description="Shown to staff.")
