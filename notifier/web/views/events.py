"""Views of registered live events."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from notifier.domain.epp import Measure
from notifier.domain.notice import NoticeState
from notifier.domain.rule import Recipient
from notifier.services.event_reports import Report, Standing
from notifier.web.views.base import View


class EventOut(View):
    """A registered event as it stands."""

    id: str
    program: str
    title: str
    state: str = Field(description="registered, running or over.")
    starts: datetime
    ends: datetime = Field(description="Then everyone told is asked to restore.")
    release_by: datetime = Field(description="Then names must be back.")
    organisations: list[str] = Field(description="Who may report about it.")
    on_duty: list[str] | None = Field(
        description="Who may approve alone; empty: nobody. Shown to staff of the program's owner."
    )
    cases: dict[str, int] = Field(description="Your cases about it, by state.")

    @classmethod
    def standing(cls, found: Standing) -> "EventOut":
        e = found.event
        return cls(
            id=e.id,
            program=e.program,
            title=e.title,
            state=found.state,
            starts=e.starts,
            ends=e.ends,
            release_by=e.released,
            organisations=sorted(e.organisations),
            on_duty=list(found.on_duty) if found.on_duty is not None else None,
            cases=dict(found.cases),
        )


class EventNotice(View):
    """One notice because of an event, and what became of it."""

    case_id: UUID
    reference: str
    domain: str = Field(validation_alias="target")
    case_state: str
    outcome: str | None
    aftermath: str | None
    notice_id: UUID
    party: Recipient
    measure: Measure
    state: NoticeState
    approved_at: datetime
    sent_at: datetime | None
    hold_until: datetime
    release_by: datetime
    waited_for_look: bool = Field(description="No look was young enough, so it waited for one.")
    restore_sent_at: datetime | None
    seen_back_at: datetime | None = Field(description="When two looks agreed that the name was back.")
    held_past_event: bool
    approved_alone: bool
    second_look: str | None = Field(description="right or wrong; null: not asked for, or nobody has looked yet.")


class Events(View):
    items: list[EventOut]


class EventReport(EventOut):
    """An event whole: what was asked for because of it, how fast, and whether it was given back."""

    sums: dict[str, int]
    seconds_p50: float | None = Field(description="From approval to acceptance.")
    seconds_p95: float | None
    notices: list[EventNotice]

    @classmethod
    def made(cls, found: Report) -> "EventReport":
        return cls(
            **dict(EventOut.standing(found.standing)),
            sums=dict(found.sums),
            seconds_p50=found.seconds_p50,
            seconds_p95=found.seconds_p95,
            notices=[EventNotice.of(row) for row in found.notices],
        )
