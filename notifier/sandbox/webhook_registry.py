"""The webhook side: `POST /hook/{party}` takes Standard Webhooks deliveries (spec 1.0.0)."""

import json

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from notifier.clock import Clock
from notifier.sandbox.ask import from_webhook
from notifier.sandbox.config import Party, SandboxConfig
from notifier.sandbox.desk import Desk
from notifier.sandbox.inbox import AfterAcceptance, Inbox, Received, TurnedAway
from notifier.sandbox.script import Door

RETRY_AFTER = 2


class WebhookRegistry:
    """Endpoints of the webhook parties.

    A webhook-id that was accepted before is answered alike and changes nothing.
    """

    def __init__(self, config: SandboxConfig, desk: Desk, inbox: Inbox, clock: Clock) -> None:
        self._parties = {p.id: p for p in config.parties if p.channel == "webhook"}
        self._desk, self._inbox, self._clock = desk, inbox, clock
        self._seen: set[tuple[str, str]] = set()
        self.after_acceptance = AfterAcceptance()

    def add_routes(self, app: web.Application) -> None:
        """Put the endpoint into an application."""
        app.router.add_post("/hook/{party}", self._deliver)

    async def _deliver(self, request: web.Request) -> web.StreamResponse:
        party = self._parties.get(request.match_info["party"])
        if party is None:
            raise web.HTTPNotFound(text="no such party")
        raw, key = await request.read(), request.headers.get("webhook-id", "")
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
        if not ask.notice_id:
            return self._turn_away(party, key, 400, "data.notice_id is missing")
        match self._desk.door(party, ask):
            case Door.BOUNCE:
                return self._turn_away(party, key, 410, "this endpoint is gone")
            case Door.THROTTLE:
                return self._turn_away(party, key, 429, "slow down", {"Retry-After": str(RETRY_AFTER)})
        now = await self._clock.now()
        self._inbox.keep(Received("webhook", party.id, key, now, "", ask, raw))
        if (party.id, key) not in self._seen:
            self._seen.add((party.id, key))
            self._desk.take(party, ask, now)
        if not await self.after_acceptance.answers():
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the acceptance is not told")
        return web.json_response({"received": ask.notice_id, "reference": f"SBX-{key}"}, status=202)

    def _turn_away(
        self, party: Party, key: str, code: int, why: str, headers: dict[str, str] | None = None
    ) -> web.Response:
        self._inbox.turned_away.append(TurnedAway("webhook", party.id, key, code, why))
        return web.json_response({"error": why}, status=code, headers=headers)
