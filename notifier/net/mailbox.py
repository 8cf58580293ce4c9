"""Where answers by mail arrive: a listener for our own reply addresses, behind the organisation's mail server.

It speaks SMTP, or LMTP (RFC 2033) so that a server hands over each recipient by itself. A message is taken with 250 only
after it was stored; until then the other side keeps it and tries again.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from notifier.domain.mail_match import Ours

log = structlog.get_logger(__name__)

MAX_BYTES = 10 * 1024 * 1024
KEPT_BYTES = 256 * 1024  # of what is larger, where it cannot be sent back: its headers and first words
_MAX_RECIPIENTS = 20
_LATER = "451 4.3.0 not stored, try again later"
UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that arrived. `envelope`: what the delivery told (return-path, delivered-to). `whole_size`: its size in
    bytes where `body` is only its beginning, else None."""

    recipient: str
    envelope: Mapping[str, str]
    body: bytes
    whole_size: int | None = None


Take = Callable[[Arrived], Awaitable[str]]


class _BoundedData:
    """DATA that holds no more than MAX_BYTES: aiosmtpd keeps a line that never ends, and refuses lines that people's
    mailers send (RFC 5322 §2.1.1 is often not kept)."""

    line_length_limit = 64 * 1024

    async def smtp_DATA(self: Any, arg: str) -> None:
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 need RCPT first")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        await self.push("354 end with <CR><LF>.<CR><LF>")
        content = await _content(self._reader)
        handler: Mailbox = self.event_handler
        envelope: Envelope = self.envelope
        if content is None:
            said = [f"552 5.3.4 larger than {MAX_BYTES} bytes"] * len(envelope.rcpt_tos)
        else:
            said = await handler.deliver(envelope.mail_from or "", envelope.rcpt_tos, content)
        self._set_post_data_state()
        await self.push(self.answer(said))


class _Smtp(_BoundedData, SMTP):
    @staticmethod
    def answer(said: list[str]) -> str:
        """One answer for all: it is stored for every recipient, or the sender keeps it."""
        return next((line for line in said if not line.startswith("2")), said[0])


class _Lmtp(_BoundedData, LMTP):
    @staticmethod
    def answer(said: list[str]) -> str:
        """One answer for each recipient, in the order of the RCPTs (RFC 2033 §4.2)."""
        return "\r\n".join(said)


class Mailbox:
    """Takes mail for `mailbox+TOKEN@domain` and nothing else: no relay for anybody."""

    def __init__(self, take: Take, mailbox: str, domain: str) -> None:
        self._take, self._ours, self._domain = take, Ours(mailbox, domain), domain.lower()
        self._servers: list[asyncio.Server] = []
        self.port = self.lmtp_port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen for SMTP. Raises OSError when the address cannot be had."""
        server = await asyncio.get_running_loop().create_server(lambda: self._protocol(_Smtp), host, port)
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]

    async def start_lmtp(self, place: str) -> None:
        """Listen for LMTP at `HOST:PORT` or `unix:/PATH`. Raises OSError when it cannot be had."""
        loop = asyncio.get_running_loop()
        if place.startswith(UNIX):
            path = place.removeprefix(UNIX)
            server: asyncio.Server = await loop.create_unix_server(lambda: self._protocol(_Lmtp), path)
            # Like a port on loopback: who may reach it is for the folder to say, and our user is not the mail server's.
            os.chmod(path, 0o666)  # noqa: S103
        else:
            host, _, port = place.rpartition(":")
            server = await loop.create_server(lambda: self._protocol(_Lmtp), host.strip("[]"), int(port))
            self.lmtp_port = server.sockets[0].getsockname()[1]
        self._servers.append(server)

    def _protocol(self, kind: type[SMTP]) -> SMTP:
        return kind(self, hostname=self._domain, data_size_limit=MAX_BYTES, enable_SMTPUTF8=True, ident="mail")

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
            await server.wait_closed()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        if not self._ours.holds(address):
            return "550 5.1.1 no such mailbox here"
        if len(envelope.rcpt_tos) >= _MAX_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def deliver(self, sender: str, recipients: list[str], body: bytes) -> list[str]:
        """Store it for each recipient; an answer for each, in their order."""
        said: dict[str, str] = {}
        for address in (a.lower() for a in recipients):
            if address in said:
                continue
            lines = {"return-path": f"<{sender.strip('<>')}>", "delivered-to": address}
            try:
                await self._take(Arrived(address, lines, body))
                said[address] = "250 2.6.0 stored"
            except Exception as error:  # the sender keeps the message; nothing is lost by saying "later"
                log.warning("mailbox.deferred", error=repr(error))
                said[address] = _LATER
        return [said[a.lower()] for a in recipients]


async def _content(reader: asyncio.StreamReader) -> bytes | None:
    """Everything up to the dot, without dot-stuffing (RFC 5321 §4.5.2); None when it was too large, and read to its end."""
    kept, over, at_start = bytearray(), False, True
    while True:
        try:
            piece, whole = await reader.readuntil(b"\r\n"), True
        except asyncio.LimitOverrunError as long:  # a long line comes in pieces
            piece, whole = await reader.read(long.consumed), False
        if at_start and piece == b".\r\n":
            return None if over else bytes(kept)
        if at_start and piece.startswith(b"."):
            piece = piece[1:]
        at_start = whole
        over = over or len(kept) + len(piece) > MAX_BYTES
        if over:
            kept.clear()
        else:
            kept += piece
