"""What the simulated parties received and what they sent back, kept for tests, the demo and the control
endpoint."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from notifier.sandbox.ask import Ask
from notifier.sandbox.ledger import Ledger, Result


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery that was accepted.

    `key`: Message-ID or webhook-id; `at` in clock time; `sender` of the envelope.
    """

    channel: str
    party: str
    key: str
    at: datetime
    sender: str
    ask: Ask
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """One delivery that was not accepted: the reply code and why."""

    channel: str
    party: str
    key: str
    code: int
    why: str


@dataclass(frozen=True, slots=True)
class Sent:
    """One answer that went back, or failed to: the last reply code, None when nobody answered, and how
    often it was tried."""

    party: str
    notice_id: str
    kind: str
    at: datetime
    code: int | None
    tries: int
    detail: str

    @property
    def accepted(self) -> bool:
        """Whether the other side took it (HTTP 2xx or SMTP 250)."""
        return self.code is not None and 200 <= self.code < 300


class Inbox:
    """Deliveries in order of arrival, with counts of accepted ones by key and by notice id; each is in the ledger first."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self._ledger = ledger or Ledger(None)
        self.received: list[Received] = []
        self.turned_away: list[TurnedAway] = []
        self.sent: list[Sent] = []
        self.by_key: Counter[str] = Counter()
        self.by_notice: Counter[str] = Counter()
        self._news = asyncio.Event()

    def keep(self, delivery: Received, where: str = "", code: int = 0) -> None:
        """Keep an accepted delivery. `where`: what becomes of the answer, if anything."""
        self._write(delivery.channel, "accepted", delivery.party, delivery.key, delivery.ask, code, where, delivery.raw)
        self.received.append(delivery)
        self.by_key[delivery.key] += 1
        self.by_notice[delivery.ask.notice_id] += 1
        self._tell()

    def turn_away(self, turned: TurnedAway, ask: Ask | None = None, where: str = "") -> None:
        """Keep what was not accepted: put off by a 4yz of SMTP (RFC 5321 §4.2.1), 429 or 503, refused by any other code."""
        later = turned.code in (429, 503) or (turned.channel == "smtp" and 400 <= turned.code < 500)
        result: Result = "deferred" if later else "refused"
        self._write(turned.channel, result, turned.party, turned.key, ask, turned.code, where, b"")
        self.turned_away.append(turned)

    def cut(self, channel: str, where: str, party: str = "", key: str = "", ask: Ask | None = None) -> None:
        """Keep that a delivery was cut short before anything was accepted."""
        self._write(channel, "cut", party, key, ask, 0, where, b"")

    def _write(
        self, channel: str, result: Result, party: str, key: str, ask: Ask | None, code: int, where: str, raw: bytes
    ) -> None:
        about = (
            {
                "notice": ask.notice_id,
                "domain": ask.domain,
                "measure": str(ask.measure or ""),
                "purpose": ask.purpose,
            }
            if ask
            else {}
        )
        digest = hashlib.sha256(raw).hexdigest() if raw else ""
        self._ledger.write(channel, result, party=party, key=key, code=code, where=where, sha256=digest, **about)

    def keep_sent(self, sent: Sent) -> None:
        """Keep what became of an answer."""
        self.sent.append(sent)
        self._tell()

    async def until(self, enough: Callable[["Inbox"], bool]) -> None:
        """Wait until enough was received or sent; set a timeout around it."""
        while not enough(self):
            await self._news.wait()

    def _tell(self) -> None:
        """Wake whoever waits, and begin anew for the next news."""
        self._news.set()
        self._news = asyncio.Event()


class AfterAcceptance:
    """What happens to the answer of a delivery that was just accepted and kept: it goes out, is dropped, or
    stalls.

    A dropped one closes the connection without a reply; a stalled one waits for `release()` and then closes.
    """

    def __init__(self) -> None:
        self._drops = self._stalls = 0
        self._released = asyncio.Event()

    def drop(self, times: int = 1) -> None:
        """Close the connection without an answer for the next deliveries."""
        self._drops += times

    def stall(self, times: int = 1) -> None:
        """Say nothing for the next deliveries until `release()`."""
        self._stalls += times
        self._released.clear()

    def release(self) -> None:
        """Let every stalled delivery go."""
        self._stalls = 0
        self._released.set()

    async def answers(self) -> bool:
        """True when the reply may go out, False when the connection is to be closed without one."""
        if self._drops:
            self._drops -= 1
            return False
        if self._stalls:
            self._stalls -= 1
            await self._released.wait()
            return False
        return True
