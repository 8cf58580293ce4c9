"""Captures as staff see them."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Field

from notifier.services.captures import Near
from notifier.store.captures import Captured
from notifier.web.views.base import View


class StepOut(View):
    """One request of a visitor and its answer."""

    url: str
    address: str
    status: int


class WayOut(View):
    """One visitor's way to the page. `status` null: nobody answered, and `ended` says how."""

    visitor: str
    looks_like: str
    user_agent: str | None
    referrer: str | None
    language: str | None
    steps: list[StepOut]
    ended: str
    status: int | None
    site: str = Field(description="Registrable name, or host, at which the way ended.")
    words: int
    alike: float | None = Field(description="Share of the text that the first visitor was shown too, 0 to 1.")


class NearOut(View):
    """Another case with a page that says much the same."""

    case_id: UUID
    reference: str
    similarity: float


class CaptureOut(View):
    """One page at one time, as several visitors saw it. It is hostile text: show addresses defanged."""

    id: UUID
    url: str
    at: datetime
    visits: list[WayOut]
    cloaking: bool | None = Field(description="Null: too few visitors could be compared.")
    differences: list[str]
    search_only: bool = Field(description="Visitors from a search are shown what a first visitor is not.")
    unrelated: bool = Field(description="The site's front page has nothing in common with this one.")
    parked: bool | None
    title: str
    words: int
    warc_sha256: str
    picture: Literal["off", "made", "unavailable", "failed"]
    picture_why: str
    picture_sha256: str | None
    near: list[NearOut]


class Captures(View):
    """Every capture of a case, newest first."""

    items: list[CaptureOut]

    @classmethod
    def of_rows(cls, rows: Sequence[tuple[Captured, Sequence[Near]]]) -> Self:
        """The view of captures with their near duplicates."""
        return cls(items=[CaptureOut.of({**asdict(row), "near": near}) for row, near in rows])
