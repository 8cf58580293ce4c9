"""The outermost layer of every request: its id, one log line, its metrics, and the headers every answer carries."""

import re
import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from notifier.services.context import Context
from notifier.web.errors import is_unavailable
from notifier.web.metrics import Metrics

SIMULATED = "X-Simulated-Time"
REQUEST_ID = "X-Request-Id"

_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PROCESS_ONLY = frozenset({"/healthz", "/metrics"})  # these must answer while the database does not

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Server": "trusted-notifier",
}

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def edge(ctx: Context, metrics: Metrics, new_id: Callable[[], str]) -> Callable[..., Awaitable[web.StreamResponse]]:
    """The middleware, for one application."""

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get(REQUEST_ID, "")
        request_id = given if _SANE_ID.match(given) else new_id()
        ids = {"request_id": request_id}
        if case_id := request.match_info.get("case_id"):
            ids["case_id"] = case_id[:64]
        with structlog.contextvars.bound_contextvars(**ids):
            began = time.perf_counter()
            response = await handler(request)
            seconds = time.perf_counter() - began
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            response.headers[REQUEST_ID] = request_id
            if ctx.settings.simulated and request.path not in _PROCESS_ONLY:
                response.headers[SIMULATED] = await _simulated_time(ctx)
            # The route's template, never the address: an address may hold a secret, a query too.
            resource = request.match_info.route.resource
            route = resource.canonical if resource else "unmatched"
            method = request.method if request.method in _METHODS else "other"
            metrics.seen(route, method, response.status, seconds)
            log.info("http.request", method=method, route=route, code=response.status, ms=round(seconds * 1000, 1))
            return response

    return around


async def _simulated_time(ctx: Context) -> str:
    try:
        return (await ctx.db.clock.now()).isoformat()
    except Exception as error:
        if not is_unavailable(error):
            raise
        return "unknown"
