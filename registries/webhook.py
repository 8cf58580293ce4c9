"""Notices by signed HTTP POST (Standard Webhooks 1.0.0). The id is the key, so a repeat is recognised.

Channel address: `url`, `secret` (the name of a secret; its value is one or more `whsec_...`, separated by
blanks while a key is rotated, the newest first), and, for a recipient that wants RFC 9421 too,
`message_signature` (see `http_signature`). To rotate: put the new key before the old one, tell the recipient, and
drop the old one when it has changed over. Meanwhile we sign with both, and take answers signed with either.

| answer | meaning |
| --- | --- |
| 2xx | accepted |
| 429, 502, 503, 504, 408, 425 | Deferred, with Retry-After if given |
| 3xx (never followed), 410 and other 4xx | RefusedForGood |
| other 5xx, or the connection lost once it stood | Uncertain |
| no connection, TLS failure | tried again, then Deferred |
"""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import Webhook

from notifier.adapter import (
    AgreementChannel,
    Capabilities,
    Deferred,
    Deps,
    Inbound,
    Message,
    Problem,
    Receipt,
    RefusedForGood,
    RenderedNotice,
    Response,
    Signing,
    Uncertain,
)
from notifier.clock import SystemClock
from notifier.domain.answer import KINDS
from notifier.domain.epp import Measure
from notifier.domain.hostile import one_line
from notifier.errors import Invalid, Unauthenticated
from registries import http_signature
from registries.attempt import in_one_attempt, known_keys, vet
from registries.http_post import Answered, ask, reachable
from registries.mail_message import key_id

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_TOLERANCE = 300  # seconds, as the reference libraries have it
_LATER = frozenset({408, 425, 429, 502, 503, 504})
KEYS = frozenset({"url", "secret", "message_signature"})


class WebhookAdapter:
    """One recipient's endpoint."""

    def __init__(self, channel: AgreementChannel, deps: Deps) -> None:
        self._channel, self._deps = channel, deps
        self._url, self._secret = str(channel.address.get("url", "")), str(channel.address.get("secret", ""))
        if not self._url.startswith(("https://", "http://")):
            raise Invalid(f"{channel.id}: address.url: expected an http(s) URL")
        if not self._secret:
            raise Invalid(f"{channel.id}: address.secret: expected the name of a secret")
        self._message_signature = http_signature.of(channel)
        self.capabilities = Capabilities(
            measures=frozenset(channel.measures) or Capabilities().measures, idempotent=True, pings=True, signs=True
        )

    async def check(self) -> list[Problem]:
        """The secrets can sign, and the endpoint answers an OPTIONS request. No notice is sent."""
        try:
            self._signers()
            if self._message_signature is not None:
                self._message_signature.key(self._deps)
        except Deferred as failure:
            return [Problem(failure.reason, "a secret that can sign")]
        return await reachable(self._deps, self._url)

    async def send(self, notice: RenderedNotice, key: str) -> Receipt:
        vet(notice, self._channel, self._url)
        body = json.dumps(payload(notice), ensure_ascii=False, separators=(",", ":"))
        if len(body.encode()) > self.capabilities.max_bytes:
            raise RefusedForGood(f"the payload is over {self.capabilities.max_bytes} octets")
        return await in_one_attempt(lambda: self._post(body, key), self._deps.waits.pause)

    async def withdraw(self, receipt: Receipt, notice: RenderedNotice, key: str) -> Receipt:
        """The payload names case and thread; the receiver joins it to the first notice by these."""
        return await self.send(notice, key)

    async def poll(self, receipt: Receipt) -> Response | None:
        """The recipient calls us."""
        return None

    def parse_reply(self, message: Inbound) -> Response | None:
        """As `answer_of`."""
        return answer_of(message)

    async def post(self, event: Mapping[str, Any], key: str) -> Receipt:
        """Post an event that is no notice. Failures as for `send`."""
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        return await in_one_attempt(lambda: self._post(body, key), self._deps.waits.pause)

    async def ping(self, ping: Message) -> Receipt:
        """The test's event, signed as a notice is."""
        return await self.post(ping.event, ping.key)

    def signing(self) -> Signing:
        extra = self._message_signature
        return Signing(
            "Standard Webhooks",
            (*HEADERS, *(http_signature.HEADERS if extra else ())),
            "HMAC-SHA256 over webhook-id, webhook-timestamp and the body as it came, joined by dots",
            _TOLERANCE,
            () if extra is None else ((f"RFC 9421, {extra.algorithm}", extra.keyid),),
        )

    def example(self, what: RenderedNotice | Message) -> Mapping[str, Any]:
        return what.event if isinstance(what, Message) else payload(what)

    async def _post(self, body: str, key: str) -> Receipt:
        # A signature's freshness belongs to the network: real time, also when business time is simulated.
        now, webhook_id = await SystemClock().now(), key_id(key)
        signed = " ".join(signer.sign(webhook_id, now, body) for signer in self._signers())
        stamps = zip(HEADERS, (webhook_id, str(int(now.timestamp())), signed), strict=True)
        headers = {"content-type": "application/json", **dict(stamps)}
        if self._message_signature is not None:
            headers |= self._message_signature.sign("POST", self._url, headers, body.encode(), self._deps, now)
        answer = await ask(self._deps, "POST", self._url, headers, body.encode())
        said = f"HTTP {answer.status}"
        if 200 <= answer.status < 300:
            return Receipt(accepted=True, reference=_reference(answer), detail=said, key=key)
        if answer.status in _LATER:
            raise await answer.later()
        if answer.status >= 500:
            raise Uncertain(said)
        raise RefusedForGood(said)

    def _signers(self) -> list[Webhook]:
        signers = [_signer(secret) for secret in (self._deps.secret(self._secret) or "").split()]
        if not signers:
            raise Deferred(f"the secret {self._secret} is not set")
        if None in signers:
            raise Deferred(f"the secret {self._secret} is not a whsec_ key of 24 to 64 bytes")
        return [signer for signer in signers if signer is not None]


def payload(notice: RenderedNotice) -> dict[str, Any]:
    """The event that is posted; it holds every field that the digest covers."""
    return {
        "type": f"notice.{notice.purpose}",
        "timestamp": notice.issued_at.astimezone(UTC).isoformat(),
        "data": {
            "notice_id": notice.notice_id,
            "case_ref": notice.case_ref,
            "version": notice.version,
            "purpose": notice.purpose,
            "agreement_id": notice.agreement_id,
            "recipient_name": notice.recipient_name,
            "recipient_address": notice.recipient_address,
            "domain": notice.domain,
            "measure": notice.measure.value,
            "measure_word": notice.measure_word,
            "subject": notice.subject,
            "text": notice.text,
            "html": notice.html,
            "xarf": json.loads(notice.xarf),
            "reply_token": notice.reply_token,
            "digest": notice.digest,
            "thread_key": notice.thread_key,
            "until": notice.until.astimezone(UTC).isoformat() if notice.until else None,
            "attachments": [
                {
                    "filename": file.filename,
                    "media_type": file.media_type,
                    "sha256": file.sha256,
                    "content": base64.b64encode(file.content).decode("ascii"),
                }
                for file in notice.attachments
            ],
        },
    }


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> None:
    """Raise Unauthenticated unless one of `secrets` (`whsec_...`) signed these bytes within five minutes.

    Several secrets, and several signatures in the header, are how a key is rotated.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        webhook_id, stamp = given["webhook-id"], given["webhook-timestamp"]
        signatures = given["webhook-signature"].split()
        seconds, text = int(stamp), body.decode()
        signed_at = datetime.fromtimestamp(seconds, UTC)
    except (KeyError, ValueError, OverflowError, OSError) as fault:
        raise Unauthenticated("webhook headers are missing or cannot be read") from fault
    if abs(now.timestamp() - seconds) > _TOLERANCE:
        raise Unauthenticated("webhook-timestamp is more than five minutes off")
    for signer in filter(None, map(_signer, secrets)):
        right = signer.sign(webhook_id, signed_at, text).encode()
        if any(hmac.compare_digest(right, signature.encode()) for signature in signatures):
            return
    raise Unauthenticated("no signature matches")


def _signer(secret: str) -> Webhook | None:
    """A signer for `whsec_` and 24 to 64 bytes in base64; None for anything else (the library is more lenient)."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return None
    return Webhook(key) if secret.startswith("whsec_") and 24 <= len(key) <= 64 else None


def _reference(answer: Answered) -> str:
    """The recipient's own id, if its answer is JSON with `id` or `reference`; else empty."""
    said = answer.json()
    return one_line(str(said.get("id") or said.get("reference") or ""), 200) if isinstance(said, dict) else ""


def _text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    return None if value is None else str(value)


def answer_of(message: Inbound) -> Response | None:
    """A `notice.response` event, already verified by the receiver; None for anything else."""
    try:
        event = json.loads(message.body)
        if event["type"] != "notice.response" or event["data"]["kind"] not in KINDS:
            return None
        data = event["data"]
        effective = data.get("effective_at")
        effective_at = datetime.fromisoformat(effective) if effective else None
        if effective_at is not None and effective_at.tzinfo is None:
            return None
        return Response(
            kind=data["kind"],
            notice_token=_text(data, "reply_token"),
            notice_id=_text(data, "notice_id"),
            measure=Measure(data["measure"]) if data.get("measure") else None,
            actor=_text(data, "actor"),
            reason=_text(data, "reason"),
            effective_at=effective_at,
            comment=_text(data, "comment") or "",
            domain=_text(data, "domain"),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def build(channel: AgreementChannel, deps: Deps) -> WebhookAdapter:
    """The adapter for one agreement. Raises Invalid when the address mapping cannot be used."""
    known_keys(channel, KEYS)
    return WebhookAdapter(channel, deps)
