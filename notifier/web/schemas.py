"""What callers ask for: path, query and header models, and what all that is sent is made of. Bounded, without NUL, and
nothing unknown is taken."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from notifier.domain.appeal import AppealState
from notifier.domain.case_state import CaseState
from notifier.domain.fields import Instant
from notifier.domain.notice import NoticeState
from notifier.services.hops import HopState
from notifier.services.paging import MAX_PAGE
from notifier.services.report_data import Form, Kind
from notifier.services.statistics import Basis, By

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

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Sent(BaseModel):
    """Base of bodies: no value is read as another type, and an unknown field is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


# --- paths --------------------------------------------------------------------------------------------------------


class ReportPath(_Asked):
    report_id: RowId = Field(description="Id of the report.")


class CasePath(_Asked):
    case_id: RowId = Field(description="Id of the case.")


class FilePath(CasePath):
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the file, hex."
    )


class CapturePath(CasePath):
    capture_id: RowId = Field(description="Id of the capture.")


class NoticePath(_Asked):
    notice_id: RowId = Field(description="Id of the notice.")


class TaskPath(_Asked):
    task_id: RowId = Field(description="Id of the task.")


class TaskFilePath(TaskPath):
    sha256: Hex256 = Field(description="SHA-256 of the file, hex.")


class AlarmPath(_Asked):
    alarm_id: RowId = Field(description="Id of the alarm.")


class RecipientPath(_Asked):
    recipient: Slug = Field(description="Id of the registry that sends.")


class ProgramPath(_Asked):
    program_id: Slug = Field(description="Id of the program, such as opioids.")


class EventPath(_Asked):
    event_id: Slug = Field(description="Id of the event, as its file has it.")


class EntryPath(_Asked):
    entry_id: RowId = Field(description="Id of the entry.")


class AppealPath(_Asked):
    appeal_id: RowId = Field(description="Id of the appeal.")


class SecretPath(_Asked):
    secret: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] = Field(
        description="The secret of what was filed."
    )


class RegistryPath(_Asked):
    registry_id: Slug = Field(description="Id of the registry.")


class GrantPath(_Asked):
    grant_id: RowId = Field(description="Id of the grant.")


class HopPath(_Asked):
    hop_id: RowId = Field(description="Id of the link.")


class ClusterPath(_Asked):
    cluster_id: RowId = Field(description="Id of any accepted link of the cluster.")


class AgreementPath(_Asked):
    agreement_id: Slug = Field(description="Id of the agreement: program and registry, joined by a dot.")


class ChannelPath(AgreementPath):
    version: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,8}$")] = Field(
        description="Version of the channel."
    )


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
    held: bool | None = Field(default=None, description="Whether something that we asked for stands, to be reviewed.")


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


class DeconflictionQuery(Paged):
    standing: bool | None = Field(
        default=None, description="Only entries that hold cases now, or only those that do not."
    )


class NewsQuery(_Asked):
    since: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}\.[0-9]{1,19}$")] | None = Field(
        default=None, description="`position` of the answer before; without it, from the beginning."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = Field(default=50, description="Largest number of items.")


class AccuracyQuery(_Asked):
    program: Slug | None = Field(default=None, description="Program id; without it, every program in your scope.")
    since: Moment | None = Field(default=None, description="Decided at or after this time.")


class StatisticsFilter(_Asked):
    program: Slug | None = Field(default=None, description="Program id; without it, every program in your reach.")
    registry: Slug | None = Field(default=None, description="Who operates the name's top-level domain.")
    start: Moment | None = Field(default=None, alias="from", description="Opened, or of a period done, at or after it.")
    end: Moment | None = Field(default=None, alias="to", description="Before this time.")
    by: By | None = Field(default=None, description="What to slice by.")
    basis: Basis = Field(default="cohort", description="cohort: by opening; period: by when it was done.")
    as_of: Moment | None = Field(default=None, description="As it stood then; without it, now.")


class StatisticsQuery(StatisticsFilter):
    curves: bool = Field(default=False, description="Whether to give the points of each curve.")
    quick: bool = Field(
        default=False,
        description="Whether figures may come from what was added up beforehand: counts exact, times within a sixteenth, "
        "no list of cases.",
    )


class ReportQuery(_Asked):
    kind: Kind = Field(description="What it tells of; docs/measures.md has each.")
    program: Slug = Field(description="Program id.")
    form: Form = Field(default=Form.JSON, description="pdf and parquet need a package that may not be installed.")
    year: Annotated[int, Field(ge=2000, le=9998)] | None = Field(
        default=None, description="Of yearly, and of no other."
    )
    start: Moment | None = Field(
        default=None, alias="from", description="Of a pilot when it began; else counted from here."
    )
    end: Moment | None = Field(default=None, alias="to", description="Before this time.")
    registry: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,60}(,[a-z0-9-]{1,60}){0,99}$")] | None = Field(
        default=None, description="Of a scorecard whose; of a pilot who took part, with commas between."
    )


class CountedQuery(StatisticsFilter):
    cell: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._/-]{0,299}$")] = Field(
        description="`cell` of a number in the answer to the same query."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = Field(default=50, description="Largest number of items.")
    cursor: Cursor | None = Field(default=None, description="`next_cursor` of the page before.")


class KeyHeader(_Asked):
    idempotency_key: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")] | None = Field(
        default=None,
        alias="Idempotency-Key",
        description="The same key with the same body again answers with the first ids.",
    )


class AppealQuery(Paged):
    state: AppealState | None = Field(default=None, description="Only appeals in this state.")
    open: bool | None = Field(default=None, description="Only those that are open, or only those that are over.")
    overdue: bool | None = Field(
        default=None, description="Only those whose time to decide is over, or only the others."
    )


class CorrectionQuery(Paged):
    pass


class ClusterQuery(_Asked):
    program: Slug | None = Field(default=None, description="Program id; without it, every program in your reach.")


class HoppingListQuery(Paged):
    program: Slug | None = Field(default=None, description="Program id; without it, every program in your reach.")


class HopQuery(HoppingListQuery):
    state: HopState | None = Field(default=None, description="Only links in this state.")
    case_id: RowId | None = Field(default=None, description="Only links from or to this case.")
