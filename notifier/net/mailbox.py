"""Where answers by mail arrive: an SMTP listener for our own reply addresses, behind the organisation's mail server.

A message is taken with 250 only after it was stored; until then the other side keeps it and tries again.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

log = structlog.get_logger(__name__)

Take = Callable[[str, dict[str, str], bytes], Awaitable[str]]

_MAX_BYTES = 10 * 1024 * 1024
_MAX_RECIPIENTS = 20


class Mailbox:
    """Takes mail for `mailbox+TOKEN@domain` and nothing else: no relay for anybody."""

    def __init__(self, take: Take, mailbox: str, domain: str) -> None:
        self._take, self._mailbox, self._domain = take, mailbox.lower(), domain.lower()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError when the address cannot be had."""

        def protocol() -> SMTP:
            return SMTP(self, hostname=self._domain, data_size_limit=_MAX_BYTES, enable_SMTPUTF8=True, ident="mail")

        self._server = await asyncio.get_running_loop().create_server(protocol, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        local, _, domain = address.rpartition("@")
        if domain.lower() != self._domain or local.lower().partition("+")[0] != self._mailbox:
            return "550 5.1.1 no such mailbox here"
        if len(envelope.rcpt_tos) >= _MAX_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        body = envelope.original_content or b""
        try:
            for address in dict.fromkeys(a.lower() for a in envelope.rcpt_tos):
                envelope_lines = {"return-path": f"<{(envelope.mail_from or '').strip('<>')}>", "delivered-to": address}
                await self._take(address, envelope_lines, body)
        except Exception as error:  # the sender keeps the message; nothing is lost by saying "later"
            log.warning("mailbox.deferred", error=repr(error))
            return "451 4.3.0 not stored, try again later"
        return "250 2.6.0 stored"
