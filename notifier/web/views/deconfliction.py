"""Views of the deconfliction list, for those with the permission alone."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from notifier.domain.case_state import CaseState
from notifier.domain.notice import NoticeState, Purpose
from notifier.services.deconfliction import Listed
from notifier.web.views.base import View


class DeconflictionOut(View):
    """A name that an authority investigates."""

    id: UUID
    pattern: str
    authority: str
    reference: str
    note: str
    organisation: str = Field(description="Whose entry it is; empty: of the house.")
    added_by: str
    added_at: datetime
    until: datetime | None
    released_at: datetime | None
    released_by: str | None
    release_note: str | None
    waiting: int = Field(description="Cases that wait for it now.")


class HeldNotice(View):
    """A notice of a case that waits."""

    id: UUID
    registry: str
    purpose: Purpose
    state: NoticeState = Field(description="queued: it waits; sending or later: it left before the entry was added.")
    sent_at: datetime | None


class HeldCase(View):
    """A case that waits, or waited."""

    case_id: UUID = Field(validation_alias="id")
    reference: str
    program: str
    domain: str = Field(validation_alias="target")
    state: CaseState
    since: datetime
    ended_at: datetime | None
    notices: list[HeldNotice]


class EntryDetail(DeconflictionOut):
    """An entry with its cases."""

    cases: list[HeldCase] = Field(description="At most 1,000, oldest hold first.")

    @classmethod
    def shown(cls, listed: Listed) -> Self:
        return cls.of({**listed.entry, "cases": listed.held})


class DeconflictionPage(View):
    items: list[DeconflictionOut]
    next_cursor: str | None
