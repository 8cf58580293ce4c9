"""The notice: one message to one recipient, and the table of its states. What was sent never changes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from notifier.domain.rule import Recipient
from notifier.errors import Conflict


class NoticeState(StrEnum):
    DRAFT = "draft"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    UNCERTAIN = "uncertain"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class Purpose(StrEnum):
    REQUEST = "request"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    AMENDMENT = "amendment"
    WITHDRAWAL = "withdrawal"
    RESTORE = "restore"
    REGISTRANT = "registrant"
    REASONS = "reasons"


# What puts a question to a recipient; a reminder repeats one, and the rest takes back or tells.
ASKING = frozenset({Purpose.REQUEST, Purpose.ESCALATION, Purpose.AMENDMENT})
UNDO = frozenset({Purpose.WITHDRAWAL, Purpose.RESTORE})

N = NoticeState

# (state, event) -> next state. An event that is not listed for a state is a Conflict.
TRANSITIONS: Mapping[tuple[NoticeState, str], NoticeState] = {
    (N.DRAFT, "queued"): N.QUEUED,
    (N.DRAFT, "cancelled"): N.CANCELLED,
    (N.QUEUED, "send_started"): N.SENDING,
    (N.QUEUED, "cancelled"): N.CANCELLED,
    (N.SENDING, "accepted"): N.SENT,
    (N.SENDING, "deferred"): N.QUEUED,
    (N.SENDING, "refused"): N.BOUNCED,
    (N.SENDING, "lost_sight"): N.UNCERTAIN,
    (N.SENDING, "cancelled"): N.CANCELLED,  # a person was to carry it and had not, or says that they did not
    (N.SENDING, "send_started"): N.SENDING,  # re-claimed under the same key, idempotent channels only
    (N.UNCERTAIN, "accepted"): N.SENT,  # a person or a later delivery report settled it
    (N.UNCERTAIN, "queued"): N.QUEUED,  # a person decided that it never arrived
    (N.UNCERTAIN, "bounced"): N.BOUNCED,
    (N.UNCERTAIN, "cancelled"): N.CANCELLED,
    (N.SENT, "delivered"): N.DELIVERED,
    (N.SENT, "bounced"): N.BOUNCED,
    (N.SENT, "superseded"): N.SUPERSEDED,
    (N.DELIVERED, "bounced"): N.BOUNCED,
    (N.DELIVERED, "superseded"): N.SUPERSEDED,
    (N.SUPERSEDED, "reinstated"): N.SENT,  # what took its place came back
}

LIVE = frozenset({N.SENT, N.DELIVERED, N.UNCERTAIN, N.SENDING})
TOLD = frozenset({N.SENT, N.DELIVERED})


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice's row: its identity, its frozen content's digest, where it stands. `send_key` is stable over retries,
    `epoch` the registration that it is about (None: the registry told of none). `supersedes` is the notice that it takes
    back, repeats or amends. `event`: the live event that it asks for something because of, until `hold_until`; the name
    must be back at `release_by`.
    """

    id: str
    case_id: str
    agreement: str
    purpose: Purpose
    version: int
    state: NoticeState
    measure: str
    domain: str
    digest: str
    send_key: str
    reply_token: str
    approved_by: str | None
    drafted_at: datetime
    epoch: str | None
    sent_at: datetime | None = None
    response: str = "none"
    party: Recipient = Recipient.REGISTRY
    supersedes: str | None = None
    event: str | None = None
    hold_until: datetime | None = None
    release_by: datetime | None = None

    def apply(self, event: str, now: datetime) -> "Notice":
        """The notice after `event`. Raises Conflict when the table has no such move."""
        state = TRANSITIONS.get((self.state, event))
        if state is None:
            raise Conflict(f"a notice that is {self.state} cannot be {event.replace('_', ' ')}")
        sent_at = now if event == "accepted" else self.sent_at
        return replace(self, state=state, sent_at=sent_at)
