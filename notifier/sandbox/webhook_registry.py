"""The webhook side: `POST /hook/{party}` takes Standard Webhooks deliveries (spec 1.0.0)."""

import asyncio
import json
from typing import NoReturn

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from notifier.clock import Clock
from notifier.sandbox.ask import Ask, from_webhook
from notifier.sandbox.config import Party, SandboxConfig
from notifier.sandbox.desk import Desk
from notifier.sandbox.faults import Faults, Point
from notifier.sandbox.inbox import AfterAcceptance, Inbox, Received, TurnedAway
from notifier.sandbox.script import Door

RETRY_AFTER = 2
TEST = "test.ping"  # the event that asks nothing


class WebhookRegistry:
    """Endpoints of the webhook parties.

    A webhook-id that was accepted before is answered alike and changes nothing.
    """

    def __init__(self, config: SandboxConfig, desk: Desk, inbox: Inbox, clock: Clock, faults: Faults) -> None:
        self._parties = {p.id: p for p in config.parties if p.channel == "webhook"}
        self._desk, self._inbox, self._clock, self._faults = desk, inbox, clock, faults
        self._seen: set[tuple[str, str]] = set()
        self.after_acceptance = AfterAcceptance()

    def add_routes(self, app: web.Application) -> None:
        """Put the endpoint into an application."""
        app.router.add_post("/hook/{party}", self._deliver)

    def remember(self, party: str, key: str) -> None:
        """It was accepted in an earlier life."""
        self._seen.add((party, key))

    async def _deliver(self, request: web.Request) -> web.StreamResponse:
        party = self._parties.get(request.match_info["party"])
        if party is None:
            raise web.HTTPNotFound(text="no such party")
        key, meets = request.headers.get("webhook-id", ""), self._faults.meets
        if meets(Point.HTTP_HEADERS):
            self._cut(request, Point.HTTP_HEADERS, party, key)
        raw = await request.read()
        try:
            # The signature covers the bytes as sent, so it is checked before anything is read from them.
            payload = Webhook(party.secret).verify(raw, dict(request.headers))
        except json.JSONDecodeError:
            return self._turn_away(party, key, 400, "the body is not JSON")
        except (WebhookVerificationError, ValueError) as error:
            return self._turn_away(party, key, 401, str(error))
        if not isinstance(payload, dict):
            return self._turn_away(party, key, 400, "the body is not a JSON object")
        ask = from_webhook(payload, key, party.words, raw)
        if not ask.notice_id and payload.get("type") != TEST:
            return self._turn_away(party, key, 400, "data.notice_id is missing")
        match self._desk.door(party, ask):
            case Door.BOUNCE:
                return self._turn_away(party, key, 410, "this endpoint is gone")
            case Door.THROTTLE:
                return self._turn_away(party, key, 429, "slow down", {"Retry-After": str(RETRY_AFTER)})
        if meets(Point.HTTP_BODY):
            self._cut(request, Point.HTTP_BODY, party, key, ask)
        for point, code in ((Point.HTTP_410, 410), (Point.HTTP_429, 429), (Point.HTTP_503, 503)):
            if meets(point):
                later = {"Retry-After": str(RETRY_AFTER)} if code != 410 else None
                return self._turn_away(party, key, code, "not this time", later, ask, point)
        now = await self._clock.now()
        after = next((p for p in (Point.HTTP_ANSWER, Point.HTTP_500, Point.HTTP_SLOW) if meets(p)), None)
        code = 500 if after is Point.HTTP_500 else 202
        self._inbox.keep(Received("webhook", party.id, key, now, "", ask, raw), after or "", code)
        if (party.id, key) not in self._seen:
            self._seen.add((party.id, key))
            self._desk.take(party, ask, now)
        if after is Point.HTTP_SLOW:
            await asyncio.sleep(self._faults.slow_s)
        if after is Point.HTTP_ANSWER or not await self.after_acceptance.answers():
            self._hang_up(request)
        if after is Point.HTTP_500:
            raise web.HTTPInternalServerError(text="it was taken all the same")
        return web.json_response({"received": ask.notice_id, "reference": f"SBX-{key}"}, status=202)

    def _cut(self, request: web.Request, where: Point, party: Party, key: str, ask: Ask | None = None) -> NoReturn:
        self._inbox.cut("webhook", where, party.id, key, ask)
        self._hang_up(request)

    def _hang_up(self, request: web.Request) -> NoReturn:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("what became of it is not told")

    def _turn_away(
        self,
        party: Party,
        key: str,
        code: int,
        why: str,
        headers: dict[str, str] | None = None,
        ask: Ask | None = None,
        where: str = "",
    ) -> web.Response:
        self._inbox.turn_away(TurnedAway("webhook", party.id, key, code, why), ask, where)
        return web.json_response({"error": why}, status=code, headers=headers)
