"""PORT: how we talk to a recipient. Adapters in `registries/` implement it, services alone use it.

Only three failures leave an adapter. `Deferred`: nothing was accepted, try again. `RefusedForGood`: not
accepted, for good. `Uncertain`: it may have been accepted; re-sent by us only if the adapter is idempotent
under the same key.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from notifier.clock import Clock
from notifier.domain.epp import Measure

if TYPE_CHECKING:
    from aiohttp import ClientSession


class Deferred(Exception):
    """Nothing was accepted. `retry_after` in seconds if the recipient named a time, else None."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.retry_after = reason, retry_after


class RefusedForGood(Exception):
    """The recipient will not take this notice on this channel (550, 410, 4xx other than 429)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Uncertain(Exception):
    """The connection was lost after the final dot or the whole body: it may have been accepted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can do. `attended`: a person does the sending. `tells`: it carries plain words too
    (`TellingAdapter`). `pings`: it can be tested without a notice (`PingingAdapter`). `signs`: what it posts is signed
    (`SigningAdapter`). `max_bytes`: largest whole message."""

    measures: frozenset[Measure] = frozenset(Measure)
    idempotent: bool = False
    polls: bool = False
    withdraws: bool = True
    attended: bool = False
    tells: bool = False
    pings: bool = False
    signs: bool = False
    max_bytes: int = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a notice; `sha256` is lower-case hex of `content`."""

    filename: str
    media_type: str
    content: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class RenderedNotice:
    """A complete notice. An adapter may add an envelope and may not change any of this.

    `notice_id` and `reply_token` are ours; `digest` is sha256 hex over the RFC 8785 form of all but itself.
    `issued_at` is the notice's own date, the same on every retry. `thread_key` is the send key of the first
    notice of the thread (reminders, amendments, withdrawals), empty when this is the first. `until`: what it asks for is
    over then, and asked to be restored; None when it is asked for without an end.
    """

    notice_id: str
    case_ref: str
    version: int
    purpose: str
    agreement_id: str
    recipient_name: str
    recipient_address: str
    domain: str
    measure: Measure
    measure_word: str
    subject: str
    text: str
    html: str
    xarf: bytes
    attachments: Sequence[Attachment]
    reply_token: str
    digest: str
    issued_at: datetime
    thread_key: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Words that are no notice, to people of our own house or as a recipient's test: by mail `subject` and `text`, by
    webhook `event`. `key` as for a notice."""

    subject: str
    text: str
    event: Mapping[str, Any]
    key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Signing:
    """How a recipient verifies what is posted to it. `keys`: (what a key is for, its id) where a key has one."""

    standard: str
    headers: Sequence[str]
    signed: str
    tolerance_s: int
    keys: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the recipient's system said when it took the notice. `reference` is its own id if it gave one."""

    accepted: bool
    reference: str
    detail: str
    key: str
    delivered: bool = False


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message from outside, raw. `headers` have lower-case names; `authenticated` is set by the receiver.

    For mail, `body` is the whole RFC 5322 message, and `headers` holds what the delivery added (return-path,
    delivered-to); it may be empty. For HTTP, `body` is the request's body.
    """

    channel: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    authenticated: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `kind`: acknowledged, needs_info, declined, action_taken; or, by mail only, bounce,
    auto_reply, receipt, human.

    `actor` is who the answerer says acted: registry, registrar or host; `domain` the name that it wrote back.
    """

    kind: str
    notice_token: str | None = None
    notice_id: str | None = None
    measure: Measure | None = None
    actor: str | None = None
    reason: str | None = None
    effective_at: datetime | None = None
    comment: str = ""
    domain: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding of `check()`: what is wrong and what is expected."""

    what: str
    expected: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are to recipients: From is `mail_from`, answers go to `reply_mailbox`+TOKEN@`reply_domain`."""

    organisation: str
    mail_from: str
    reply_domain: str
    reply_mailbox: str = "notices"


class StartTls(StrEnum):
    """TLS on an SMTP connection. `required`: STARTTLS, verified, or nothing is sent. `implicit`: the same from the
    first octet (RFC 8314 §3.3, port 465). `opportunistic`: when offered, and unverified (RFC 7435). `none`: never,
    for a relay on the same machine."""

    REQUIRED = "required"
    IMPLICIT = "implicit"
    OPPORTUNISTIC = "opportunistic"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Relay:
    """The SMTP server that takes our mail; `password` is the name of a secret, never the secret."""

    host: str
    port: int = 587
    starttls: StartTls = StartTls.REQUIRED
    username: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds of real time. `final` is the wait for the answer after the final dot (RFC 5321 §4.5.3.2.6)."""

    connect: float = 10.0
    reply: float = 20.0
    final: float = 600.0
    pause: float = 1.0  # before the second try inside one attempt; doubled before the third


@dataclass(frozen=True, slots=True)
class Deps:
    """What an adapter gets from outside. `session` makes a guarded HTTP session that keeps the egress rule;
    `check_connect` says whether an IP address may be reached; `secret` gives a secret by name, or None."""

    identity: Identity
    clock: Clock
    session: Callable[[], "ClientSession"]
    check_connect: Callable[[str], bool]
    secret: Callable[[str], str | None]
    relay: Relay | None = None
    waits: Waits = field(default_factory=Waits)


@dataclass(frozen=True, slots=True)
class AgreementChannel:
    """One agreement's channel. `address` is the adapter's own mapping (see each adapter). `measures` has the
    recipient's word for each agreed measure; empty when nothing is agreed (a host, a registrar)."""

    id: str
    adapter: str
    address: Mapping[str, Any]
    recipient_name: str
    measures: Mapping[Measure, str] = field(default_factory=dict)


class RegistryAdapter(Protocol):
    """One recipient's channel, built from one agreement's data by `build(agreement, deps)`."""

    capabilities: Capabilities

    async def check(self) -> list[Problem]:
        """Reachability and credentials; sends nothing."""
        ...

    async def send(self, notice: RenderedNotice, key: str) -> Receipt:
        """Send once; `key` is stable over retries. Raises Deferred, RefusedForGood, Uncertain, no other."""
        ...

    async def poll(self, receipt: Receipt) -> Response | None:
        """Ask for an answer where the channel can be asked; None when there is none. Raises Deferred when it could not
        be asked, or said what nobody here understands."""
        ...

    def parse_reply(self, message: Inbound) -> Response | None:
        """Pure. None when the message is not an answer this channel knows."""
        ...

    async def withdraw(self, receipt: Receipt, notice: RenderedNotice, key: str) -> Receipt:
        """Send a withdrawal or restore notice in the same thread. Failures as for `send`."""
        ...


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a recipient's form: its own label, and exactly what goes into it. `name` says which of ours it is."""

    label: str
    name: str
    value: str


class TellingAdapter(RegistryAdapter, Protocol):
    """One whose `capabilities.tells` is true: it can say something to the recipient that is no notice."""

    async def tell(self, subject: str, text: str, key: str, at: datetime) -> Receipt:
        """Send plain words once, dated `at`; `key` is stable over retries. Failures as for `send`."""
        ...


class PingingAdapter(RegistryAdapter, Protocol):
    """One whose `capabilities.pings` is true: it can show that the channel works, and ask nothing of anybody."""

    async def ping(self, ping: Message) -> Receipt:
        """Send the test once. Failures as for `send`. One that has a harmless call of its own makes that instead."""
        ...


class SigningAdapter(RegistryAdapter, Protocol):
    """One whose `capabilities.signs` is true."""

    def signing(self) -> Signing:
        """How what it posts is verified. Pure."""
        ...

    def example(self, what: RenderedNotice | Message) -> Mapping[str, Any]:
        """The body that it would post. Pure."""
        ...


class AttendedAdapter(RegistryAdapter, Protocol):
    """One whose `capabilities.attended` is true: a person carries the notice, and `send` refuses.

    `place`: where that person goes, a form's address or a postal one. `within`: how soon it is to be done.
    """

    place: str
    within: timedelta

    def fields(self, notice: RenderedNotice) -> Sequence[FormField]:
        """What is copied where, in the form's order; none for a letter. Pure; raises as `material`."""
        ...

    def material(self, notice: RenderedNotice) -> Sequence[Attachment]:
        """What that person needs in hand. Pure; raises RefusedForGood for a notice that must not leave this way."""
        ...
