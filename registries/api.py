"""Notices to a desk's own JSON API, as the agreement declares it; no code for one desk.

Channel address: see `api_terms` and docs/adding.md. The token is a secret, named by `token`, and goes to one host only.

| answer | meaning |
| --- | --- |
| 2xx that fits `accepted`, or a status of `accepted.repeated` | accepted |
| 2xx that `refused_where` names; 4xx; 301, 307, 308 (never followed) | RefusedForGood |
| 408, 425, 429, 503 | Deferred, with Retry-After if given |
| any other 2xx, 302, 303, 5xx, 409 where there is a key, or the connection lost once it stood | Uncertain |
| no connection, TLS failure | tried again, then Deferred |
"""

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import quote

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
    Uncertain,
)
from notifier.domain.hostile import one_line
from registries import api_fields, api_terms
from registries.api_terms import State, Terms
from registries.attempt import in_one_attempt, vet
from registries.http_post import Answered, ask, reachable
from registries.mail_message import key_id

_LATER = frozenset({408, 425, 429, 503})
_PERHAPS = frozenset({302, 303})  # after a POST these often mean "done, look there" (RFC 9110 §15.4.3, §15.4.4)
_CONFLICT = 409
_LONGEST_REFERENCE = 200
_TOKEN = re.compile(r"[\x21-\x7e]+")


class ApiAdapter:
    """One desk's API."""

    def __init__(self, channel: AgreementChannel, deps: Deps) -> None:
        self._channel, self._deps = channel, deps
        self._terms: Terms = api_terms.read(channel)
        self.capabilities = Capabilities(
            measures=frozenset(channel.measures) or Capabilities().measures,
            idempotent=self._terms.idempotency_header is not None,
            polls=self._terms.poll is not None,
            withdraws=self._terms.withdraw is not None or "purpose" in self._terms.fields.values(),
            pings=self._terms.check_url is not None,
            max_bytes=self._terms.max_bytes,
        )

    async def check(self) -> list[Problem]:
        """The token is there; `check_url` takes it, or without one `url` answers OPTIONS. No notice is sent."""
        terms = self._terms
        try:
            headers = self._headers()
        except Deferred as failure:
            return [Problem(failure.reason, "a token of printable ASCII")]
        if terms.check_url is None:
            return await reachable(self._deps, terms.url)
        try:
            answer = await ask(self._deps, "GET", terms.check_url, headers)
        except (Deferred, RefusedForGood, Uncertain) as failure:
            return [Problem(failure.reason, f"an answer from {terms.check_url}")]
        if 200 <= answer.status < 300:
            return []
        return [Problem(f"HTTP {answer.status} from {terms.check_url}", "a 2xx under our token")]

    async def ping(self, ping: Message) -> Receipt:
        """Our token at `check_url`: nothing is reported, since a report of a test would be a report."""
        if self._terms.check_url is None:
            raise RefusedForGood("the desk has no address for a look; a test would be a report")
        answer = await ask(self._deps, "GET", self._terms.check_url, self._headers())
        said = f"HTTP {answer.status}"
        if 200 <= answer.status < 300:
            return Receipt(accepted=True, reference="", detail=said, key=ping.key)
        if answer.status in _LATER:
            raise await answer.later()
        if answer.status >= 500:
            raise Uncertain(said)
        raise RefusedForGood(said)

    async def send(self, notice: RenderedNotice, key: str) -> Receipt:
        return await self._deliver(notice, key, self._terms.method, self._terms.url, "")

    async def withdraw(self, receipt: Receipt, notice: RenderedNotice, key: str) -> Receipt:
        """At the ticket's own address if the desk has one, else as a new report that says its purpose."""
        terms = self._terms
        if terms.withdraw is not None:
            if (url := _of_ticket(terms.withdraw.url, receipt.reference)) is None:
                raise RefusedForGood("the first notice has no ticket id by which it could be withdrawn")
            return await self._deliver(notice, key, terms.withdraw.method, url, receipt.reference)
        if not self.capabilities.withdraws:
            raise RefusedForGood("this API takes no withdrawal; tell the recipient by another way")
        return await self._deliver(notice, key, terms.method, terms.url, receipt.reference)

    async def poll(self, receipt: Receipt) -> Response | None:
        """The desk's state of our ticket. Raises Deferred when it could not be asked or understood."""
        terms = self._terms.poll
        url = None if terms is None else _of_ticket(terms.url, receipt.reference)
        if terms is None or url is None:
            return None
        try:
            answer = await ask(self._deps, "GET", url, self._headers())
        except (RefusedForGood, Uncertain) as failure:  # to ask changes nothing, so there is no doubt about it
            raise Deferred(failure.reason) from failure
        if answer.status in _LATER:
            raise await answer.later()
        document = answer.json() if answer.status == 200 else None
        said = api_fields.found(document, terms.state)
        word = said if isinstance(said, str) else json.dumps(said)
        state = terms.states.get(word)
        if state is None:
            raise Deferred(one_line(f"HTTP {answer.status}, and {terms.state} is {said!r}", 200))
        if not isinstance(state, State):
            return None
        return Response(
            kind=state.kind,
            measure=state.measure,
            actor=state.actor,
            reason=state.reason,
            effective_at=_instant(terms.effective_at and api_fields.found(document, terms.effective_at)),
            comment=_words(terms.comment and api_fields.found(document, terms.comment)),
            extra={"reference": receipt.reference, "state": word},
        )

    def parse_reply(self, message: Inbound) -> Response | None:
        """This desk is asked, or answers through our API."""
        return None

    async def _deliver(self, notice: RenderedNotice, key: str, method: str, url: str, first_reference: str) -> Receipt:
        terms = self._terms
        vet(notice, self._channel, terms.url)
        files = None if isinstance(terms.files, str) else (terms.files.list, terms.files.fields)
        known = api_fields.ours(notice, self._deps.identity, first_reference)
        document = api_fields.body(terms.fields, terms.constants, files, known, tuple(notice.attachments))
        content = json.dumps(document, separators=(",", ":")).encode("ascii")
        if len(content) > terms.max_bytes:
            raise RefusedForGood(f"the report has {len(content)} octets, over {terms.max_bytes}")
        headers = self._headers() | {"Content-Type": "application/json", "Accept": "application/json"}
        if terms.idempotency_header is not None:
            headers[terms.idempotency_header] = key_id(key)

        async def once() -> Receipt:
            return await self._receipt(await ask(self._deps, method, url, headers, content), key)

        return await in_one_attempt(once, self._deps.waits.pause)

    async def _receipt(self, answer: Answered, key: str) -> Receipt:
        said = f"HTTP {answer.status}"
        if 200 <= answer.status < 300:
            return self._accepted(answer, key)
        if answer.status in self._terms.accepted.repeated:
            path = self._terms.accepted.reference
            reference = _reference(answer.json(), path) if path else ""
            return Receipt(accepted=True, reference=reference, detail=f"{said}: taken before", key=key)
        if answer.status in _LATER:
            raise await answer.later()
        if answer.status == _CONFLICT and self.capabilities.idempotent:
            raise Uncertain(f"{said}: they know this key")
        if answer.status >= 500 or answer.status in _PERHAPS:
            raise Uncertain(said)
        raise RefusedForGood(said)

    def _accepted(self, answer: Answered, key: str) -> Receipt:
        terms, said, document = self._terms.accepted, f"HTTP {answer.status}", answer.json()
        if terms.status is not None and answer.status not in terms.status:
            raise Uncertain(f"{said}, which the agreement does not name")
        if terms.refused_where and api_fields.holds(document, terms.refused_where):
            raise RefusedForGood(f"{said}, and the answer refuses the report")
        if not api_fields.holds(document, terms.where):
            raise Uncertain(f"{said}, and the answer does not say that the report was accepted")
        reference = _reference(document, terms.reference) if terms.reference else ""
        if terms.reference and not reference:
            raise Uncertain(f"{said}, and the answer has no ticket id")
        return Receipt(accepted=True, reference=reference, detail=said, key=key)

    def _headers(self) -> dict[str, str]:
        """Our token and the constant headers. Raises Deferred without a token that a header can carry."""
        terms = self._terms
        token = self._deps.secret(terms.token)
        if not token:
            raise Deferred(f"the secret {terms.token} is not set")
        if _TOKEN.fullmatch(token) is None:
            raise Deferred(f"the secret {terms.token} cannot stand in a header")
        return {**terms.headers, terms.auth_header: terms.auth_prefix + token}


def _reference(document: Any, path: str) -> str:
    value = api_fields.found(document, path)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    return text if len(text) <= _LONGEST_REFERENCE and text.isprintable() else ""


def _of_ticket(template: str, reference: str) -> str | None:
    """The ticket's address; None without an id, or for one that would climb out of the path."""
    if not reference.strip("."):
        return None
    return template.replace("{reference}", quote(reference, safe=""))


def _instant(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    return at if at.tzinfo is not None else None


def _words(value: Any) -> str:
    return one_line(value, 2000) if isinstance(value, str) else ""


def build(channel: AgreementChannel, deps: Deps) -> ApiAdapter:
    """The adapter for one agreement. Raises Invalid with every fault of the address."""
    return ApiAdapter(channel, deps)
