"""Notices by mail, through one relay, to one mailbox.

Channel address: `to` (a mailbox; without it the notice's own address is used), optional `cc` (may only repeat
`to`), `host`, `port` (the recipient's own gateway instead of our relay, without our credentials), `starttls`
(how its connection is protected; without `host`, how ours is, if that is stricter), `auto_submitted`, `dkim` and
`smime` (see `mail_signing`). What each failure means stands in `smtp_session`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import idna

from notifier.adapter import (
    AgreementChannel,
    Attachment,
    Capabilities,
    Deferred,
    Deps,
    Inbound,
    Message,
    Problem,
    Receipt,
    RefusedForGood,
    Relay,
    RenderedNotice,
    Response,
    StartTls,
)
from notifier.clock import SystemClock
from notifier.domain.hostile import one_line
from notifier.errors import Invalid
from registries import mail_message, mail_reply, mail_signing
from registries.attempt import in_one_attempt, known_keys, vet
from registries.smtp_session import MailServer

_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
KEYS = frozenset({"to", "cc", "host", "port", "starttls", "auto_submitted", "dkim", "smime"})
_STRICTNESS: Mapping[StartTls, int] = {
    StartTls.NONE: 0,
    StartTls.OPPORTUNISTIC: 1,
    StartTls.REQUIRED: 2,
    StartTls.IMPLICIT: 2,
}


class SmtpAdapter:
    """One recipient's mailbox."""

    def __init__(self, channel: AgreementChannel, deps: Deps) -> None:
        self._channel, self._deps = channel, deps
        self._to = _only_recipient(channel)
        self._server = MailServer(_relay(channel, deps), deps)
        self._dkim = mail_signing.dkim_of(channel, deps.identity.mail_from)
        self._smime = mail_signing.smime_of(channel)
        self.capabilities = Capabilities(
            measures=frozenset(channel.measures) or Capabilities().measures,
            tells=bool(self._to),
            pings=bool(self._to),
        )

    async def check(self) -> list[Problem]:
        """Signs a text with each key, then connects, greets, secures, signs in and leaves. Nothing is sent."""
        problems = []
        try:
            if self._dkim is not None:
                self._dkim.sign(f"From: {self._deps.identity.mail_from}\r\n\r\n".encode(), self._deps)
            if self._smime is not None:
                self._smime.sign(b"", self._deps, await SystemClock().now())
                if not self._smime.speaks_for(self._deps.identity.mail_from, self._deps):
                    problems.append(
                        Problem("the S/MIME certificate names another sender", self._deps.identity.mail_from)
                    )
        except Deferred as failure:
            problems.append(Problem(failure.reason, "a key and certificate that can sign"))
        return problems + await self._server.check()

    async def send(self, notice: RenderedNotice, key: str) -> Receipt:
        return await self.deliver(notice, key)

    async def withdraw(self, receipt: Receipt, notice: RenderedNotice, key: str) -> Receipt:
        return await self.deliver(notice, key, parents=(receipt.key,))

    async def poll(self, receipt: Receipt) -> Response | None:
        """Mail cannot be asked."""
        return None

    def parse_reply(self, message: Inbound) -> Response | None:
        return mail_reply.parse(message, self._deps.identity)

    async def tell(self, subject: str, text: str, key: str, at: datetime) -> Receipt:
        """Plain words to the channel's own mailbox, under our own name as the envelope's sender."""
        if not self._to:
            raise RefusedForGood("the channel names no mailbox")
        identity = self._deps.identity
        message = mail_message.words(
            subject,
            text,
            key,
            identity=identity,
            name=self._channel.recipient_name,
            recipient=ascii_mailbox(self._to),
            at=at,
        )
        if self._dkim is not None:
            message = self._dkim.sign(message, self._deps)
        recipient = ascii_mailbox(self._to)
        return await in_one_attempt(
            lambda: self._server.transmit(identity.mail_from, recipient, message, key), self._deps.waits.pause
        )

    async def ping(self, ping: Message) -> Receipt:
        """The test's plain words."""
        return await self.tell(ping.subject, ping.text, ping.key, ping.at)

    async def deliver(
        self,
        notice: RenderedNotice,
        key: str,
        *,
        parents: Sequence[str] = (),
        enclosed: Sequence[Attachment] = (),
    ) -> Receipt:
        """Send it in its thread. `enclosed`: what the channel adds to the notice's own files. Failures as for `send`."""
        vet(notice, self._channel, self._to)
        try:
            recipient = ascii_mailbox(notice.recipient_address)
        except Invalid as fault:
            raise RefusedForGood(fault.detail) from fault
        now = await SystemClock().now()  # a certificate's validity belongs to the network, also in simulated time
        smime = self._smime
        message = mail_message.build(
            notice,
            key,
            identity=self._deps.identity,
            recipient=recipient,
            parents=tuple(filter(None, (notice.thread_key, *parents))),
            auto_submitted=bool(self._channel.address.get("auto_submitted", False)),
            enclosed=enclosed,
            sign=None if smime is None else lambda entity: smime.sign(entity, self._deps, now),
        )
        if self._dkim is not None:
            message = self._dkim.sign(message, self._deps)
        if len(message) > self.capabilities.max_bytes:
            raise RefusedForGood(f"the message has {len(message)} octets, over {self.capabilities.max_bytes}")
        sender = mail_message.reply_address(notice.reply_token, self._deps.identity)
        return await in_one_attempt(
            lambda: self._server.transmit(sender, recipient, message, key), self._deps.waits.pause
        )


def ascii_mailbox(address: str) -> str:
    """The mailbox with its domain in A-labels. Raises Invalid; SMTPUTF8 (RFC 6531) is not spoken."""
    local, _, domain = address.rpartition("@")
    try:
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as fault:
        raise Invalid(f"recipient address {one_line(address, 100)!r}: {fault}") from fault
    mailbox = f"{local}@{ascii_domain}"
    if _MAILBOX.fullmatch(mailbox) is None:
        raise Invalid(f"recipient address {one_line(address, 100)!r} is not a mailbox")
    return mailbox


def _only_recipient(channel: AgreementChannel) -> str:
    """The channel's mailbox, after the same one by another spelling or role was folded into it."""
    listed: dict[str, str] = {}
    for key in ("to", "cc"):
        value = channel.address.get(key, ())
        for address in (value,) if isinstance(value, str) else value:
            listed.setdefault(ascii_mailbox(str(address).strip()).casefold(), str(address).strip())
    if len(listed) > 1:
        raise Invalid(f"{channel.id}: address: one notice has one recipient; make an agreement for each")
    return next(iter(listed.values()), "")


def _relay(channel: AgreementChannel, deps: Deps) -> Relay | None:
    """Our relay, or the recipient's own gateway; ours keeps its credentials to itself."""
    address, host = channel.address, channel.address.get("host")
    try:
        policy = StartTls(address.get("starttls", StartTls.REQUIRED))
    except ValueError as fault:
        # DANE (RFC 7672) needs a validating resolver, which we do not have; the same safety comes by `required`.
        said = f"{address['starttls']!r} is not supported here; one of {', '.join(StartTls)}"
        raise Invalid(f"{channel.id}: address.starttls: {said}") from fault
    if host is None:
        if "port" in address:
            raise Invalid(f"{channel.id}: address.port: expected a host beside it")
        if deps.relay is None or "starttls" not in address:
            return deps.relay
        wanted, given = _STRICTNESS[policy], _STRICTNESS[deps.relay.starttls]
        if wanted < given or (wanted > given and policy is StartTls.IMPLICIT):
            raise Invalid(f"{channel.id}: address.starttls: our relay has {deps.relay.starttls}")
        return replace(deps.relay, starttls=policy) if wanted > given else deps.relay
    try:
        return Relay(str(host), int(address.get("port", 25)), policy)
    except ValueError as fault:
        raise Invalid(f"{channel.id}: address.port: {fault}") from fault


def build(channel: AgreementChannel, deps: Deps) -> SmtpAdapter:
    """The adapter for one agreement. Raises Invalid when the address mapping cannot be used."""
    known_keys(channel, KEYS)
    return SmtpAdapter(channel, deps)
