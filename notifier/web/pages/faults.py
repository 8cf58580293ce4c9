"""Failures as pages that say what to do, for whoever asked for a page; programs get a problem document."""

import json
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from notifier.web import errors
from notifier.web.api import BASE
from notifier.web.pages import Pages

_TITLES = {
    401: "Please sign in",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not that way",
    409: "Somebody was faster, or it changed",
    413: "Too large",
    422: "Please check what you wrote",
    429: "Too many tries",
    503: "Not now",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def page_faults(pages: Pages) -> Callable[..., Awaitable[web.StreamResponse]]:
    """The middleware: a problem document that was about to leave becomes its page."""

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        wants_page = "text/html" in request.headers.get("Accept", "") and not request.path.startswith(BASE)
        if not wants_page or response.content_type != errors.MEDIA_TYPE or not isinstance(response, web.Response):
            return response
        ids = structlog.contextvars.get_contextvars()
        shown = pages.page(
            "fault",
            response.status,
            title=_TITLES.get(response.status, "Something went wrong"),
            why=_sentence(json.loads(response.text or "{}")["detail"]),
            request_id=ids.get("request_id") if response.status >= 500 else None,
        )
        for name in ("Allow", "Retry-After"):
            if name in response.headers:
                shown.headers[name] = response.headers[name]
        return shown

    return around


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
