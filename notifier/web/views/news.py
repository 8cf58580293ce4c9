"""Views of news: what was decided about the cases that an organisation reported to."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from notifier.web.views.base import View


class NewsReport(View):
    """One's own report that the case holds."""

    report_id: UUID = Field(validation_alias="id")
    external_id: str | None


class NewsItem(View):
    """One decision on one case."""

    id: UUID
    case_id: UUID
    reference: str
    program: str
    domain: str = Field(validation_alias="target")
    decision: Literal["accepted", "rejected", "sent", "outcome", "withdrawn", "closed", "superseded"] = Field(
        validation_alias="kind"
    )
    at: datetime
    detail: dict[str, Any] = Field(description="The reason, the outcome as observed, or the case that goes on.")
    reports: list[NewsReport] = Field(description="Your organisation's reports in the case.")


class NewsPage(View):
    """Decisions, oldest first."""

    items: list[NewsItem]
    position: str = Field(description="`since` of the next request, also when there is nothing new.")
    more: bool = Field(description="There are more behind `position` already.")
