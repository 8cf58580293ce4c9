"""Our own people, as far as a rehearsal needs them: a mailbox and an endpoint that alarms come to."""

import json
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

MAILBOX = "alarms@notifier.example"


class Staff:
    """`mails` and `posts` in order of arrival, the latter only if their signature holds.

    `away` counts deliveries, by either way, that are put off before one is taken.
    """

    def __init__(self, secret: str = "") -> None:
        self._secret = secret
        self.mails: list[bytes] = []
        self.posts: list[dict[str, Any]] = []
        self.away = 0

    def at_home(self) -> bool:
        """Whether the next delivery is taken."""
        if self.away:
            self.away -= 1
            return False
        return True

    def add_routes(self, app: web.Application) -> None:
        """Put the endpoint into an application."""
        app.router.add_post("/staff/alarms", self._take)

    async def _take(self, request: web.Request) -> web.Response:
        if not self.at_home():
            raise web.HTTPServiceUnavailable(text="not now")
        body = await request.text()
        try:
            Webhook(self._secret).verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            raise web.HTTPUnauthorized(text="the signature does not hold") from error
        self.posts.append(json.loads(body))
        return web.json_response({})
