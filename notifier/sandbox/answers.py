"""How the simulated parties answer: a signed webhook, a call of the notices API, or a mail; always over the
network. An API's party says nothing until it is asked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import aiosmtplib
from standardwebhooks import Webhook
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt, wait_exponential

from notifier.domain.epp import Measure
from notifier.sandbox.ask import Ask
from notifier.sandbox.config import Party, loopback
from notifier.sandbox.inbox import Inbox, Sent
from notifier.sandbox.mail_back import HOST, auto_reply, dsn

TRIES = 4
TIMEOUT = aiohttp.ClientTimeout(total=15)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's content.

    `kind`: acknowledged, needs_info, declined or action_taken; `effective_at` in clock time.
    """

    kind: str
    measure: Measure | None = None
    actor: str | None = None
    reason: str | None = None
    effective_at: datetime | None = None
    comment: str | None = None

    def fields(self) -> Mapping[str, str]:
        """The fields that are set, JSON-able."""
        at = self.effective_at.isoformat() if self.effective_at is not None else None
        named = {"kind": self.kind, "measure": self.measure, "actor": self.actor, "reason": self.reason}
        named |= {"effective_at": at, "comment": self.comment}
        return {name: str(value) for name, value in named.items() if value is not None}


class _TryAgain(Exception):
    """The other side is there and asks for another try (429, 502, 503, 504)."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Answerer:
    """Sends answers and keeps what became of each in the inbox; it never raises for what the network does.

    `notifier_url` is the base URL without a trailing path, `inbound_smtp` host and port of the sender's
    mail server. Both may be set later, through `connect`.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._url: str | None = None
        self._smtp: tuple[str, int] | None = None
        self._tokens: dict[str, str] = {}
        self.said: dict[tuple[str, str], Answer] = {}  # by party and notice: what waits to be asked for
        self._session: aiohttp.ClientSession | None = None

    def connect(self, notifier_url: str | None = None, inbound_smtp: tuple[str, int] | None = None) -> None:
        """Set where answers go; raises Invalid for anything but a loopback address."""
        if notifier_url is not None:
            loopback(urlsplit(notifier_url).hostname or "")
            self._url = notifier_url.rstrip("/")
        if inbound_smtp is not None:
            self._smtp = (loopback(inbound_smtp[0]), inbound_smtp[1])

    def set_token(self, party: str, token: str) -> None:
        """Give a mail party the bearer token it answers with."""
        self._tokens[party] = token

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def answer(self, party: Party, ask: Ask, answer: Answer, now: datetime) -> Sent:
        """Answer a notice on the way the party's channel has."""
        if party.channel == "api":
            self.said[party.id, ask.notice_id] = answer
            return self._keep(party, ask, answer.kind, now, None, 0, "it waits to be asked for")
        if self._url is None:
            return self._keep(party, ask, answer.kind, now, None, 0, "no address of the notifier is known")
        number = hashlib.sha256(f"{party.id}\0{ask.notice_id}\0{answer.kind}".encode()).hexdigest()[:32]
        if party.channel != "smtp":  # whoever has a form answers by webhook
            url = f"{self._url}/api/v1/inbound/{quote(party.recipient, safe='')}"
            data = {"notice_id": ask.notice_id, **answer.fields()}
            body = {"type": "notice.response", "timestamp": now.isoformat(), "data": data}
            return await self._post(party, ask, answer, now, url, body, f"msg_{number}")
        url = f"{self._url}/api/v1/notices/{quote(ask.notice_id, safe='')}/responses"
        return await self._post(party, ask, answer, now, url, answer.fields(), number)

    async def bounce(self, party: Party, ask: Ask, now: datetime) -> Sent:
        """Send a delivery status notification to the notice's envelope sender; none to a null one (RFC 5321
        §4.5.5)."""
        body = dsn(ask, party.address, now) if ask.reply_to else None
        return await self._mail(party, ask, "dsn", body, now)

    async def auto_reply(self, party: Party, ask: Ask, now: datetime) -> Sent:
        """Send an automatic reply to the notice's envelope sender, where RFC 3834 allows one."""
        return await self._mail(party, ask, "auto_reply", auto_reply(ask, party.address, now), now)

    async def _post(
        self,
        party: Party,
        ask: Ask,
        answer: Answer,
        now: datetime,
        url: str,
        body: Mapping[str, Any],
        key: str,
    ) -> Sent:
        raw = json.dumps(body, ensure_ascii=False)
        tries, code, detail = 0, None, ""
        try:
            async for attempt in _retrying():
                with attempt:
                    tries = attempt.retry_state.attempt_number
                    headers = self._headers(party, key, raw)
                    async with self._http().post(
                        url, data=raw.encode(), headers=headers, allow_redirects=False
                    ) as reply:
                        code, detail = reply.status, (await reply.text(errors="replace"))[:500]
                        if code in (429, 502, 503, 504):
                            raise _TryAgain(code, detail)
        except RetryError as failure:
            error = failure.last_attempt.exception()
            code, detail = (error.code if isinstance(error, _TryAgain) else None), repr(error)
        except aiohttp.ClientError as error:
            code, detail = None, repr(error)
        return self._keep(party, ask, answer.kind, now, code, tries, detail)

    def _headers(self, party: Party, key: str, raw: str) -> Mapping[str, str]:
        headers = {"Content-Type": "application/json"}
        if party.channel == "smtp":
            token = self._tokens.get(party.id, party.token)
            return headers | {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        # Standard Webhooks: the timestamp is that of the attempt in real time, the id is the same in every
        # attempt.
        at = datetime.now(UTC)
        signature = Webhook(party.secret).sign(key, at, raw)
        sent = {
            "webhook-id": key,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }
        return headers | sent

    async def _mail(self, party: Party, ask: Ask, kind: str, body: bytes | None, now: datetime) -> Sent:
        if body is None:
            return self._keep(party, ask, kind, now, None, 0, "no automatic mail may be sent to this one")
        if self._smtp is None:
            return self._keep(party, ask, kind, now, None, 0, "no mail server of the notifier is known")
        host, port = self._smtp
        code, detail = None, ""
        # Both kinds go out with a null return path, so that they cannot loop (RFC 3834 §3.3, RFC 5321
        # §4.5.5).
        mail = aiosmtplib.SMTP(
            hostname=host, port=port, start_tls=False, use_tls=False, local_hostname=HOST, timeout=15
        )
        try:
            async with mail:
                _, detail = await mail.sendmail("", [ask.reply_to], body)
                code = 250
        except aiosmtplib.SMTPRecipientsRefused as refused:
            code, detail = refused.recipients[0].code, refused.recipients[0].message
        except aiosmtplib.SMTPResponseException as refused:
            code, detail = refused.code, refused.message
        except (aiosmtplib.SMTPException, OSError) as error:
            detail = repr(error)
        return self._keep(party, ask, kind, now, code, 1, detail)

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=TIMEOUT, trust_env=False, connector=aiohttp.TCPConnector(limit=8)
            )
        return self._session

    def _keep(
        self, party: Party, ask: Ask, kind: str, now: datetime, code: int | None, tries: int, detail: str
    ) -> Sent:
        sent = Sent(party.id, ask.notice_id, kind, now, code, tries, detail)
        self._inbox.keep_sent(sent)
        return sent


def _retrying() -> AsyncRetrying:
    return AsyncRetrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(multiplier=0.1, max=1),
        retry=retry_if_exception_type((aiohttp.ClientConnectionError, TimeoutError, _TryAgain)),
    )
