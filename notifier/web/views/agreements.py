"""Views of agreements: how each stands, and what was done with it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from notifier.services.access import Principal, Role
from notifier.services.agreements import Standing
from notifier.services.pinging import Tested
from notifier.store.agreements import Checked, Scope, Suspension
from notifier.store.channels import Change, ChangeState
from notifier.web.views.base import STAFF, View


class SuspensionOut(View):
    """Somebody stopped it. `requests` lets withdrawals leave, `everything` does not."""

    scope: Scope
    since: datetime
    by_recipient: bool = Field(description="The recipient asked us to stop.")
    reason: str | None = Field(description="Shown to staff, and to the recipient that gave it.")
    by: str | None = Field(description="Shown to staff.")
    resume_asked_by: str | None = Field(description="The first of the two admins it takes to go on; shown to staff.")

    @classmethod
    def shown(cls, who: Principal, stands: Suspension) -> "SuspensionOut":
        staff = who.role in STAFF
        own = who.role is Role.REGISTRY and stands.by_recipient
        return cls(
            scope=stands.scope,
            since=stands.at,
            by_recipient=stands.by_recipient,
            reason=stands.reason if staff or own else None,
            by=stands.by if staff else None,
            resume_asked_by=stands.lift_asked_by if staff else None,
        )


class FaultOut(View):
    """What is wrong with a channel and what is expected."""

    what: str
    expected: str


class CheckOut(View):
    """Whether a channel can be reached; nothing was sent."""

    ready: bool
    problems: list[FaultOut]


class TestOut(View):
    """What became of a test. Nobody says of any that it was read; `accepted` is what the other side's machine said."""

    at: datetime
    adapter: str
    result: Literal["accepted", "later", "refused", "uncertain"] = Field(
        description="later: nothing was taken now. uncertain: it may have arrived, or not."
    )
    digest: str = Field(description="Of the agreement, as it was tested.")
    said: str | None = Field(description="What the other side said; for mail our own server's words, shown to staff.")

    @classmethod
    def shown(cls, who: Principal, made: Tested) -> "TestOut":
        theirs = made.said_by_them or who.role in STAFF
        return cls(
            at=made.at,
            adapter=made.adapter,
            result=made.result,
            digest=made.digest,
            said=made.said if theirs else None,
        )


class LastCheckOut(View):
    """The newest look at the channel."""

    at: datetime
    ready: bool
    present: bool = Field(description="Of the agreement as it stands today; a change makes it another.")
    by: str | None = Field(description="Shown to staff.")
    problems: list[FaultOut] | None = Field(description="Shown to staff.")

    @classmethod
    def shown(cls, who: Principal, checked: Checked, digest: str) -> "LastCheckOut":
        staff = who.role in STAFF
        return cls(
            at=checked.at,
            ready=checked.passed,
            present=checked.digest == digest,
            by=checked.by if staff else None,
            problems=[FaultOut.of(p) for p in checked.problems] if staff else None,
        )


class AgreementOut(View):
    """An agreement and whether notices may leave under it: armed, and not suspended."""

    id: str
    program: str
    registry: str
    recipient: str
    adapter: str | None
    digest: str = Field(description="Of its file and of a channel that was changed; what is armed and checked is this.")
    armed: bool
    armed_by: list[str] | None = Field(description="Shown to staff.")
    suspended: SuspensionOut | None = Field(description="The widest suspension that stands.")
    last_check: LastCheckOut | None
    channel_version: int = Field(description="0: the channel of the agreement's file.")
    overruled_version: int | None = Field(
        description="A version that took effect before the file's own channel was changed; the file stands."
    )
    pending_version: int | None = Field(description="A change that is proposed or approved, and not in effect.")
    basis: str

    @classmethod
    def shown(cls, who: Principal, standing: Standing) -> "AgreementOut":
        return cls(
            id=standing.id,
            program=standing.program,
            registry=standing.registry,
            recipient=standing.recipient,
            adapter=standing.adapter,
            digest=standing.digest,
            armed=standing.armed,
            armed_by=list(standing.armed_by) if who.role in STAFF else None,
            suspended=SuspensionOut.shown(who, standing.suspended) if standing.suspended else None,
            last_check=LastCheckOut.shown(who, standing.checked, standing.digest) if standing.checked else None,
            channel_version=standing.channel_version,
            overruled_version=standing.overruled,
            pending_version=standing.pending.version if standing.pending else None,
            basis=standing.basis,
        )


class Agreements(View):
    items: list[AgreementOut]


class ChangeOut(View):
    """A change of channel that was proposed, and what became of it. Names of staff are shown to staff."""

    version: int
    adapter: str
    address: dict[str, Any]
    state: ChangeState
    by_recipient: bool
    proposed_by: str | None
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    note: str | None
    checked_at: datetime | None
    old_dead: str | None = Field(description="Why the old channel counts as dead, so that nobody waited for it.")
    told_old_at: datetime | None
    effective_from: datetime | None = Field(description="24 hours after the old address was told.")
    ended_by: str | None
    ended_at: datetime | None
    reason: str

    @classmethod
    def shown(cls, who: Principal, change: Change) -> "ChangeOut":
        whole = cls.of(change)
        if who.role in STAFF:
            return whole
        own = change.proposed_by if change.by_recipient else None
        private = {"approved_by": None, "note": None, "old_dead": None, "ended_by": None}
        return whole.model_copy(update={**private, "proposed_by": own})


class ChangePage(View):
    items: list[ChangeOut]


class ActOut(View):
    """One thing that was done with an agreement. `id` is that of its entry in the audit log."""

    id: int
    at: datetime
    act: str = Field(description="armed, disarmed, suspended, resume_asked, resumed, checked and so on.")
    actor: str | None = Field(description="Null for a recipient who may not know who of the staff it was.")
    via: str
    digest: str | None = Field(description="The agreement's, where the act was about it as it stood.")
    detail: dict[str, Any]


class ActPage(View):
    items: list[ActOut]
    next_cursor: str | None
