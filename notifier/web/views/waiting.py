"""Views of what waits for a person."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from notifier.services.tasks import Shown
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
    due_at: datetime | None = None
    taken_by: str | None
    taken_at: datetime | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None


class FormFieldOut(View):
    """What is copied where."""

    label: str = Field(description="The form's own label.")
    value: str = Field(description="Exactly what goes there.")


class MaterialOut(View):
    """A file to carry; it is under `/tasks/{task_id}/files/{sha256}`."""

    filename: str
    media_type: str
    sha256: str
    size: int


class CarryingOut(View):
    """A notice that a person carries. Fields and files are shown to whoever has the task, while the notice may leave."""

    place: str = Field(description="Where to: a form's address, or a postal one.")
    recipient: str
    domain: str
    measure: str
    purpose: str
    digest: str = Field(description="SHA-256 of the notice that was approved.")
    fields: list[FormFieldOut] = Field(description="In the form's order; empty for a letter.")
    files: list[MaterialOut]
    why_not: str | None = Field(description="Why there is nothing to copy at this moment.")


class TaskDetail(TaskOut):
    """One task whole."""

    carrying: CarryingOut | None = Field(description="For tasks of kind `webform`.")

    @classmethod
    def shown(cls, found: Shown) -> "TaskDetail":
        carrying = None
        if (c := found.carrying) is not None:
            files = [
                MaterialOut(filename=f.filename, media_type=f.media_type, sha256=f.sha256, size=len(f.content))
                for f in c.files
            ]
            carrying = CarryingOut(
                place=c.place,
                recipient=c.recipient,
                domain=c.domain,
                measure=c.measure,
                purpose=c.purpose,
                digest=c.digest,
                fields=[FormFieldOut(label=f.label, value=f.value) for f in c.fields],
                files=files,
                why_not=c.why_not,
            )
        return cls.model_validate({**found.row, "carrying": carrying})


class AlarmOut(View):
    """Something that went wrong outside, such as a hold that was lifted."""

    id: UUID
    kind: str
    case_id: UUID | None = None
    reference: str | None = None
    domain: str | None = Field(default=None, validation_alias="target")
    program: str | None = None
    claim_id: UUID | None = None
    sentence: str = Field(description="What a person is told by mail or webhook.")
    detail: str
    raised_at: datetime
    told_at: datetime | None = Field(
        default=None, description="When it left by mail or webhook; null: nobody was told."
    )
    taken_by: str | None
    taken_at: datetime | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None
    close_reason: str | None = Field(default=None, description="Why whoever closed it said that it is over.")


class TaskPage(View):
    items: list[TaskOut]
    next_cursor: str | None


class AlarmPage(View):
    items: list[AlarmOut]
    next_cursor: str | None
