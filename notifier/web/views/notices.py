"""Views of notices and answers. A registry learns nothing of staff or attempts, and nobody sees a reply token."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from notifier.adapter import RenderedNotice
from notifier.domain.epp import Measure
from notifier.domain.notice import NoticeState, Purpose
from notifier.domain.rule import Recipient
from notifier.services import drafting, links
from notifier.services.access import Principal, Role
from notifier.web.views.base import STAFF, View


class NoticeOut(View):
    """A notice in a list."""

    id: UUID
    case_id: UUID | None = Field(description="Shown to staff.")
    reference: str
    program: str
    registry: str = Field(description="The recipient: a registry, or a registrar or host as `party` says.")
    party: Recipient
    purpose: Purpose
    version: int
    state: NoticeState
    measure: Measure
    domain: str
    digest: str
    drafted_at: datetime
    sent_at: datetime | None
    response: str
    responded_at: datetime | None
    supersedes: UUID | None
    event: str | None = Field(description="The live event because of which it asks.")
    hold_until: datetime | None = Field(description="Then what it asks for is over, and asked to be restored.")
    release_by: datetime | None = Field(description="Then the name must be back.")


class NoticePage(View):
    items: list[NoticeOut]
    next_cursor: str | None


class AttachmentOut(View):
    """A file that goes with a notice."""

    filename: str
    media_type: str
    sha256: str


class ContentOut(View):
    """Exactly what a recipient gets."""

    recipient_name: str
    recipient_address: str
    measure_word: str = Field(description="The recipient's own word for the measure.")
    subject: str
    text: str
    html: str
    xarf: dict[str, Any] | None
    attachments: list[AttachmentOut]


def content(rendered: RenderedNotice, *, to_recipient: bool = False) -> dict[str, Any]:
    """The fields of ContentOut. The secret of the notice's link is for its recipient alone."""
    seen = (lambda text: text) if to_recipient else links.masked
    return {
        "recipient_name": rendered.recipient_name,
        "recipient_address": rendered.recipient_address,
        "measure_word": rendered.measure_word,
        "subject": rendered.subject,
        "text": seen(rendered.text),
        "html": seen(rendered.html),
        "xarf": json.loads(rendered.xarf) if rendered.xarf else None,
        "attachments": rendered.attachments,
    }


class ResponseOut(View):
    """An answer of the recipient."""

    id: UUID
    kind: str
    measure: Measure | None
    actor: str | None
    reason: str | None
    effective_at: datetime | None
    comment: str
    domain: str | None
    received_at: datetime


class AttemptOut(View):
    """One attempt to send, for staff."""

    n: int
    started_at: datetime
    finished_at: datetime | None
    result: str
    reference: str | None
    detail: str | None
    attended: bool = Field(description="A person carries it: `started` until that person says what came of it.")
    receipt: str | None = Field(description="SHA-256 of the file that shows its arrival; the case holds it.")


class NoticeDetail(NoticeOut):
    """One notice with its content and answers."""

    content: ContentOut
    responses: list[ResponseOut]
    attempts: list[AttemptOut] | None = Field(description="Shown to staff.")


def notice_row(who: Principal, row: Mapping[str, Any]) -> dict[str, Any]:
    """A notice's row without what only staff may see."""
    return dict(row) if who.role in STAFF else {**row, "case_id": None, "attempts": None}


def notice_detail(who: Principal, row: Mapping[str, Any]) -> NoticeDetail:
    return NoticeDetail.of(
        {
            **notice_row(who, row),
            "content": content(drafting.thaw(row["content"]), to_recipient=who.role is Role.REGISTRY),
        }
    )


class RecordedOut(View):
    """An answer as recorded."""

    response_id: UUID
    notice_id: UUID
    kind: str
    claim_id: UUID | None
    repeated: bool = Field(description="The very same answer was recorded before.")


class DraftOut(ContentOut):
    """A notice that approval would send."""

    id: UUID
    purpose: Purpose
    version: int
    agreement: str
    registry: str
    party: Recipient
    path: str = Field(description="How the address is known: `agreement`, `given`, or where a look-up's answer has it.")
    source: str = Field(description="Who gave the address.")
    measure: Measure
    domain: str
    digest: str


class InboundOut(View):
    """A message that was stored; it is read in a moment."""

    inbound_id: UUID
