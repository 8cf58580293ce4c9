"""The API side: `POST /desk/{party}/reports` opens a ticket, `GET .../reports/{ticket}` tells how it stands.

It answers nobody of itself: who wants to know has to ask.
"""

import itertools
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from notifier.clock import Clock
from notifier.domain.answer import ACTORS, DECLINE_REASONS
from notifier.domain.epp import Measure
from notifier.sandbox.answers import Answer, Answerer
from notifier.sandbox.ask import from_webhook
from notifier.sandbox.config import Party, SandboxConfig
from notifier.sandbox.desk import Desk
from notifier.sandbox.inbox import AfterAcceptance, Inbox, Received, TurnedAway
from notifier.sandbox.script import Door

RETRY_AFTER = 2
_KEY = "Idempotency-Key"
_NEW = "new"
_WORDS: Mapping[str, str] = {"acknowledged": "open", "needs_info": "question"}


def _word(answer: Answer) -> str:
    """The desk's own word for what it says."""
    if answer.kind == "declined":
        return f"closed: {answer.reason}"
    if answer.kind == "action_taken":
        return f"done: {answer.measure} by {answer.actor}"
    return _WORDS[answer.kind]


def terms(desk: str, token: str) -> dict[str, Any]:
    """`[address]` of an agreement with this desk, which is at `desk`; `token` names the secret."""
    states: dict[str, Any] = {_NEW: False, **{word: kind for kind, word in _WORDS.items()}}
    for reason in DECLINE_REASONS:
        states[f"closed: {reason}"] = {"kind": "declined", "reason": reason}
    for measure in Measure:
        for actor in ACTORS:
            states[f"done: {measure} by {actor}"] = {"kind": "action_taken", "measure": str(measure), "actor": actor}
    return {
        "url": f"{desk}/reports",
        "token": token,
        "idempotency_header": _KEY,
        "files": "not taken",
        "fields": {
            "data.notice_id": "notice_id",
            "data.purpose": "purpose",
            "data.domain": "domain",
            "data.measure": "measure",
            "data.subject": "subject",
            "data.text": "text",
            "data.xarf": "xarf",
        },
        "accepted": {"status": [201], "reference": "ticket.id"},
        "poll": {
            "url": f"{desk}/reports/{{reference}}",
            "state": "ticket.state",
            "states": states,
            "comment": "ticket.words",
            "effective_at": "ticket.done_at",
        },
    }


class ApiRegistry:
    """The desks. A key that was accepted before gets the same ticket. `asked`: the tickets asked about, in order.

    `busy`: how many of the next questions are put off (429).
    """

    def __init__(self, config: SandboxConfig, desk: Desk, inbox: Inbox, clock: Clock, answerer: Answerer) -> None:
        self._parties = {p.id: p for p in config.parties if p.channel == "api"}
        self._desk, self._inbox, self._clock, self._answerer = desk, inbox, clock, answerer
        self._numbers = itertools.count(1)
        self._tickets: dict[str, tuple[str, str]] = {}  # ticket -> party, notice
        self._by_key: dict[tuple[str, str], str] = {}
        self.asked: list[str] = []
        self.busy = 0
        self.after_acceptance = AfterAcceptance()

    def add_routes(self, app: web.Application) -> None:
        """Put the desks into an application."""
        app.router.add_post("/desk/{party}/reports", self._take)
        app.router.add_get("/desk/{party}/reports/{ticket}", self._tell)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        party = self._party(request)
        raw, key = await request.read(), request.headers.get(_KEY, "")
        try:
            body = json.loads(raw)
        except ValueError:
            return self._turn_away(party, key, 400, "the body is not JSON")
        ask = from_webhook(body if isinstance(body, dict) else {}, key, party.words, raw)
        if not ask.notice_id or not key:
            return self._turn_away(party, key, 400, "data.notice_id or the key is missing")
        match self._desk.door(party, ask):
            case Door.BOUNCE:
                return self._turn_away(party, key, 410, "this desk is gone")
            case Door.THROTTLE:
                return self._turn_away(party, key, 429, "slow down", {"Retry-After": str(RETRY_AFTER)})
        now = await self._clock.now()
        self._inbox.keep(Received("api", party.id, key, now, "", ask, raw))
        ticket = self._by_key.get((party.id, key))
        if ticket is None:
            ticket = self._by_key[party.id, key] = f"D-{next(self._numbers):06}"
            self._tickets[ticket] = (party.id, ask.notice_id)
            self._desk.take(party, ask, now)
        if not await self.after_acceptance.answers():
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the acceptance is not told")
        return web.json_response({"ticket": {"id": ticket, "state": _NEW}}, status=201)

    async def _tell(self, request: web.Request) -> web.Response:
        party, ticket = self._party(request), request.match_info["ticket"]
        known = self._tickets.get(ticket)
        if known is None or known[0] != party.id:
            raise web.HTTPNotFound(text="no such ticket")
        self.asked.append(ticket)
        if self.busy:
            self.busy -= 1
            return web.json_response({"error": "slow down"}, status=429)
        said = self._answerer.said.get(known)
        state: dict[str, Any] = {"id": ticket, "state": _NEW if said is None else _word(said)}
        if said is not None and said.comment:
            state["words"] = said.comment
        if said is not None and said.effective_at is not None:
            state["done_at"] = said.effective_at.isoformat()
        return web.json_response({"ticket": state})

    def _party(self, request: web.Request) -> Party:
        party = self._parties.get(request.match_info["party"])
        if party is None:
            raise web.HTTPNotFound(text="no such desk")
        if request.headers.get("Authorization") != f"Bearer {party.secret}":
            raise web.HTTPUnauthorized(text="the token is wrong")
        return party

    def _turn_away(
        self, party: Party, key: str, code: int, why: str, headers: dict[str, str] | None = None
    ) -> web.Response:
        self._inbox.turned_away.append(TurnedAway("api", party.id, key, code, why))
        return web.json_response({"error": why}, status=code, headers=headers)
