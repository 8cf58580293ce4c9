"""The mail side: one SMTP server for all parties, told apart by recipient address."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NoReturn

from aiosmtpd.smtp import SMTP, Envelope, Session

from notifier.clock import Clock
from notifier.sandbox.ask import Ask, from_mail
from notifier.sandbox.config import Party
from notifier.sandbox.desk import Desk
from notifier.sandbox.faults import Faults, Point
from notifier.sandbox.inbox import AfterAcceptance, Inbox, Received, TurnedAway
from notifier.sandbox.mail_back import HOST
from notifier.sandbox.script import Door
from notifier.sandbox.staff import MAILBOX, Staff

MAX_BYTES = 32 * 1024 * 1024
_SHUT_S = 0.5
_A_PART = 2_000  # octets of a message after which it is cut


class SmtpRegistry:
    """A mail server on 127.0.0.1 that keeps what it accepts, with the envelope.

    A party whose own behaviour is `bounce` refuses at RCPT. A behaviour of the name is known only once the
    message was read, so it shows in the reply to the final dot: 550 or 451, and nothing is accepted (RFC
    5321 §4.2.5).
    """

    def __init__(
        self,
        parties: Iterable[Party],
        desk: Desk,
        inbox: Inbox,
        clock: Clock,
        faults: Faults,
        staff: Staff | None = None,
    ) -> None:
        self._staff = staff
        self._parties = {p.address.lower(): p for p in parties if p.channel == "smtp"}
        self._desk, self._inbox, self._clock, self.faults = desk, inbox, clock, faults
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
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
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            for conversation in tuple(self._open):
                conversation.hang_up()
            await self._server.wait_closed()
            self._server = None

    def shut(self) -> None:
        """Listen to nobody for a moment; conversations go on."""
        if self._server is not None and (self._opening is None or self._opening.done()):
            self.cut(Point.SMTP_SHUT)
            self._server.close()
            self._opening = asyncio.create_task(self._open_again())

    async def _open_again(self) -> None:
        await asyncio.sleep(_SHUT_S)
        await self.start(self.port)

    def cut(self, where: Point, recipients: Sequence[str] = (), ask: Ask | None = None) -> None:
        """Note that a conversation ends here without a word, with nothing accepted."""
        party = next((self._parties[each.lower()].id for each in recipients), "")
        self._inbox.cut("smtp", where, party, ask.key if ask else "", ask)

    def note_421(self) -> None:
        """Note that nobody was let in."""
        self._inbox.turn_away(TurnedAway("smtp", "", "", 421, "too busy"), where=Point.SMTP_GREETING)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        if self.faults.meets(Point.SMTP_EHLO):
            self.cut(Point.SMTP_EHLO)
            _hang_up(server)
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._staff is not None and address.lower() == MAILBOX:
            if envelope.rcpt_tos or not self._staff.at_home():
                return "451 4.3.2 not now"
            envelope.rcpt_tos.append(MAILBOX)
            return "250 2.1.5 OK"
        party = self._parties.get(address.lower())
        if party is None:
            self._inbox.turn_away(TurnedAway("smtp", "", "", 550, address))
            return f"550 5.1.1 <{address}>: no such mailbox here"
        if self._desk.party_behaviours.get(party.id) == "bounce":
            self._inbox.turn_away(TurnedAway("smtp", party.id, "", 550, address))
            return f"550 5.1.1 <{address}>: mailbox unavailable"
        if self.faults.meets(Point.SMTP_RCPT):
            self.cut(Point.SMTP_RCPT, [address])
            _hang_up(server)
        for point, code, said in (
            (Point.SMTP_RCPT_451, 451, "4.7.1 greylisted, try again"),
            (Point.SMTP_RCPT_550, 550, "5.1.1 mailbox unavailable"),
        ):
            if self.faults.meets(point):
                self._inbox.turn_away(TurnedAway("smtp", party.id, "", code, address), where=point)
                return f"{code} {said}"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        raw = envelope.content
        if not isinstance(raw, bytes):
            return "554 5.6.0 the message could not be read"
        if self._staff is not None and envelope.rcpt_tos == [MAILBOX]:
            self._staff.mails.append(raw)
            return "250 2.0.0 read"
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
            if self.faults.meets(Point.SMTP_DOT):
                self.cut(Point.SMTP_DOT, envelope.rcpt_tos, ask)
                _hang_up(server)
            for point, code, said in _AFTER_THE_DOT:
                if self.faults.meets(point):
                    return self._turn_away(party, ask, code, said, point)
        now = await self._clock.now()
        after = next((p for p in (Point.SMTP_ANSWER, Point.SMTP_SLOW) if self.faults.meets(p)), None)
        for party, ask in asks:
            self._inbox.keep(Received("smtp", party.id, ask.key, now, sender, ask, raw), after or "", 250)
            self._desk.take(party, ask, now)
        if after is Point.SMTP_SLOW:
            await asyncio.sleep(self.faults.slow_s)
        if after is Point.SMTP_ANSWER or not await self.after_acceptance.answers():
            _hang_up(server)
        return f"250 2.0.0 queued as SBX{len(self._inbox.received):06d}"

    def _turn_away(self, party: Party, ask: Ask, code: int, why: str, where: str = "") -> str:
        self._inbox.turn_away(TurnedAway("smtp", party.id, ask.key, code, why), ask, where)
        return f"{code} {why}"


_AFTER_THE_DOT = (
    (Point.SMTP_DOT_421, 421, "4.3.2 shutting down"),
    (Point.SMTP_DOT_451, 451, "4.3.0 try again"),
    (Point.SMTP_DOT_550, 550, "5.7.1 not accepted here"),
)


def _hang_up(server: SMTP) -> NoReturn:
    if isinstance(server, _Conversation):
        server.hang_up()
    raise ConnectionResetError("what became of it is not told")


class _Conversation(SMTP):
    """One client's connection, known to the server so that it can be ended."""

    def __init__(self, registry: SmtpRegistry, conversations: "set[_Conversation]") -> None:
        super().__init__(registry, hostname=HOST, data_size_limit=MAX_BYTES, enable_SMTPUTF8=True)
        self._registry, self._conversations = registry, conversations
        self._left: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._conversations.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._conversations.discard(self)
        super().connection_lost(error)

    # aiosmtpd has no hook before its greeting, and none within DATA.
    async def _handle_client(self) -> None:
        meets = self._registry.faults.meets
        if meets(Point.SMTP_SHUT):
            self._registry.shut()
        elif meets(Point.SMTP_CONNECT):
            self._registry.cut(Point.SMTP_CONNECT)
            self.hang_up()
            return
        elif meets(Point.SMTP_GREETING):
            self._registry.note_421()
            await self.push("421 4.3.2 too busy")
            if self.transport is not None:
                self.transport.close()
            return
        await super()._handle_client()

    async def smtp_DATA(self, arg: str) -> None:
        if self.envelope is not None and self.envelope.rcpt_tos and self._registry.faults.meets(Point.SMTP_DATA):
            self._registry.cut(Point.SMTP_DATA, self.envelope.rcpt_tos)
            self._left = _A_PART
        await super().smtp_DATA(arg)

    def data_received(self, data: bytes) -> None:
        if self._left is None:
            super().data_received(data)
            return
        super().data_received(data[: self._left])
        self._left -= min(len(data), self._left)
        if not self._left:
            self.hang_up()

    def hang_up(self) -> None:
        """End the connection at once."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
