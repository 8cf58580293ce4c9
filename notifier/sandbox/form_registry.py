"""The web form side: `GET /form/{party}` is a page for people, its POST answers with a ticket number."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from html import escape

from aiohttp import web

from notifier.clock import Clock
from notifier.sandbox.ask import from_form
from notifier.sandbox.config import Party, SandboxConfig
from notifier.sandbox.desk import Desk
from notifier.sandbox.inbox import AfterAcceptance, Inbox, Received, TurnedAway
from notifier.sandbox.script import Door

RETRY_AFTER = 2
# The form's labels, and what of ours belongs there (the channel `webform`).
LABELS: Mapping[str, str] = {
    "Domain name": "domain",
    "Requested action": "measure_word",
    "Example address": "url",
    "Your reference": "case_ref",
    "Organisation": "organisation",
    "E-mail": "contact",
    "Description": "text",
}
_NAMES = {label: f"field_{number}" for number, label in enumerate(LABELS, 1)}  # as a form has them: they say nothing
_OPTIONAL = frozenset({"Example address", "Your reference"})
_LONG = frozenset({"Description"})


class FormRegistry:
    """The forms. It knows nobody and no keys: what is filed twice is two tickets."""

    def __init__(self, config: SandboxConfig, desk: Desk, inbox: Inbox, clock: Clock) -> None:
        self._parties = {p.id: p for p in config.parties if p.channel == "webform"}
        self._desk, self._inbox, self._clock = desk, inbox, clock
        self._tickets = itertools.count(1)
        self.after_acceptance = AfterAcceptance()

    def add_routes(self, app: web.Application) -> None:
        """Put the pages into an application."""
        app.router.add_get("/form/{party}", self._show)
        app.router.add_post("/form/{party}", self._file)

    async def _show(self, request: web.Request) -> web.Response:
        party = self._party(request)
        return _page(f"<h1>Report abuse to {escape(party.id)}</h1><form method='post'>{_inputs()}</form>")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        party, sent = self._party(request), await request.post()
        given = {label: value for label, name in _NAMES.items() if isinstance(value := sent.get(name), str)}
        missing = [label for label in LABELS if label not in _OPTIONAL and not given.get(label, "").strip()]
        if missing:
            return self._turn_away(party, 422, f"please fill in: {', '.join(missing)}")
        ask = from_form({LABELS[label]: value for label, value in given.items()}, party.words)
        if not ask.notice_id:
            return self._turn_away(party, 422, "the description names no notice")
        match self._desk.door(party, ask):
            case Door.BOUNCE:
                return self._turn_away(party, 410, "this form is gone")
            case Door.THROTTLE:
                return self._turn_away(party, 429, "too many reports; wait a moment")
        now, ticket = await self._clock.now(), f"SBX-{next(self._tickets):06}"
        ask = replace(ask, key=ticket)
        self._inbox.keep(Received("webform", party.id, ticket, now, "", ask, ask.raw))
        self._desk.take(party, ask, now)
        if not await self.after_acceptance.answers():
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the acceptance is not told")
        return _page(f"<h1>Thank you</h1><p>Your ticket number is <strong id='ticket'>{ticket}</strong>.</p>")

    def _party(self, request: web.Request) -> Party:
        party = self._parties.get(request.match_info["party"])
        if party is None:
            raise web.HTTPNotFound(text="no such party")
        return party

    def _turn_away(self, party: Party, code: int, why: str) -> web.Response:
        self._inbox.turn_away(TurnedAway("webform", party.id, "", code, why))
        headers = {"Retry-After": str(RETRY_AFTER)} if code == 429 else None
        return _page(f"<h1>Not taken</h1><p>{escape(why)}</p>", code, headers)


def _inputs() -> str:
    rows = []
    for label, name in _NAMES.items():
        needed = "" if label in _OPTIONAL else " required"
        field = f"<textarea id='{name}' name='{name}'{needed}></textarea>" if label in _LONG else ""
        field = field or f"<input id='{name}' name='{name}'{needed}>"
        rows.append(f"<p><label for='{name}'>{escape(label)}</label> {field}</p>")
    return "".join(rows) + "<button>Send</button>"


def _page(body: str, code: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    text = f"<!doctype html><html lang='en'><title>Abuse desk (simulated)</title><body>{body}</body></html>"
    return web.Response(text=text, content_type="text/html", status=code, headers=headers)
