"""The mail side: one SMTP server for all parties, told apart by recipient address."""

import asyncio
from collections.abc import Iterable

from aiosmtpd.smtp import SMTP, Envelope, Session

from notifier.clock import Clock
from notifier.sandbox.ask import Ask, from_mail
from notifier.sandbox.config import Party
from notifier.sandbox.desk import Desk
from notifier.sandbox.inbox import AfterAcceptance, Inbox, Received, TurnedAway
from notifier.sandbox.mail_back import HOST
from notifier.sandbox.script import Door

MAX_BYTES = 32 * 1024 * 1024


class SmtpRegistry:
    """A mail server on 127.0.0.1 that keeps what it accepts, with the envelope.

    A party whose own behaviour is `bounce` refuses at RCPT. A behaviour of the name is known only once the
    message was read, so it shows in the reply to the final dot: 550 or 451, and nothing is accepted (RFC
    5321 §4.2.5).
    """

    def __init__(self, parties: Iterable[Party], desk: Desk, inbox: Inbox, clock: Clock) -> None:
        self._parties = {p.address.lower(): p for p in parties if p.channel == "smtp"}
        self._desk, self._inbox, self._clock = desk, inbox, clock
        self._server: asyncio.Server | None = None
        self._open: set[_Conversation] = set()
        self.after_acceptance = AfterAcceptance()
        self.port = 0

    async def start(self, port: int = 0) -> None:
        """Listen; `port` holds the number afterwards."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Conversation(self, self._open), "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and close every conversation."""
        self.after_acceptance.release()
        if self._server is not None:
            self._server.close()
            for conversation in tuple(self._open):
                conversation.hang_up()
            await self._server.wait_closed()
            self._server = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        party = self._parties.get(address.lower())
        if party is None:
            self._inbox.turned_away.append(TurnedAway("smtp", "", "", 550, address))
            return f"550 5.1.1 <{address}>: no such mailbox here"
        if self._desk.party_behaviours.get(party.id) == "bounce":
            self._inbox.turned_away.append(TurnedAway("smtp", party.id, "", 550, address))
            return f"550 5.1.1 <{address}>: mailbox unavailable"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        raw = envelope.content
        if not isinstance(raw, bytes):
            return "554 5.6.0 the message could not be read"
        sender = (envelope.mail_from or "").removeprefix("<>")  # aiosmtpd names the null return path so.
        asks = [
            (party, from_mail(raw, sender, party.words))
            for address in dict.fromkeys(envelope.rcpt_tos)
            for party in (self._parties[address.lower()],)
        ]
        for party, ask in asks:
            match self._desk.door(party, ask):
                case Door.BOUNCE:
                    return self._turn_away(party, ask, 550, "5.1.1 mailbox unavailable")
                case Door.THROTTLE:
                    return self._turn_away(party, ask, 451, "4.7.1 greylisted, try again")
        now = await self._clock.now()
        for party, ask in asks:
            self._inbox.keep(Received("smtp", party.id, ask.key, now, sender, ask, raw))
            self._desk.take(party, ask, now)
        if not await self.after_acceptance.answers():
            raise ConnectionResetError("the acceptance is not told")
        return f"250 2.0.0 queued as SBX{len(self._inbox.received):06d}"

    def _turn_away(self, party: Party, ask: Ask, code: int, why: str) -> str:
        self._inbox.turned_away.append(TurnedAway("smtp", party.id, ask.key, code, why))
        return f"{code} {why}"


class _Conversation(SMTP):
    """One client's connection, known to the server so that it can be ended."""

    def __init__(self, registry: SmtpRegistry, conversations: "set[_Conversation]") -> None:
        super().__init__(registry, hostname=HOST, data_size_limit=MAX_BYTES, enable_SMTPUTF8=True)
        self._conversations = conversations

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._conversations.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._conversations.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """End the connection at once."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
