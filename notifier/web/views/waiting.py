"""Views of what waits for a person."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from notifier.web.views.base import View


class TaskOut(View):
    """Something that waits for a person."""

    id: UUID
    kind: str
    case_id: UUID | None = None
    reference: str | None = None
    domain: str | None = Field(default=None, validation_alias="target")
    program: str | None = None
    notice_id: UUID | None = None
    inbound_id: UUID | None = None
    detail: str
    opened_at: datetime
    taken_by: str | None
    taken_at: datetime | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None


class AlarmOut(View):
    """Something that went wrong outside, such as a hold that was lifted."""

    id: UUID
    kind: str
    case_id: UUID | None = None
    reference: str | None = None
    domain: str | None = Field(default=None, validation_alias="target")
    program: str | None = None
    claim_id: UUID | None = None
    detail: str
    raised_at: datetime
    taken_by: str | None
    taken_at: datetime | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None


class TaskPage(View):
    items: list[TaskOut]
    next_cursor: str | None


class AlarmPage(View):
    items: list[AlarmOut]
    next_cursor: str | None
