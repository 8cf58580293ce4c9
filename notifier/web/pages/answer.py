"""The page behind a notice's link: what is asked, and an answer by button. Opening it does nothing."""

import json

from aiohttp import web

from notifier.domain.answer import ACTORS, Answer
from notifier.domain.epp import Measure
from notifier.errors import NotFound, NotifierError
from notifier.services import answering
from notifier.services.answering import Asked
from notifier.services.context import Context
from notifier.web.bodies import AnswerIn
from notifier.web.pages import POLICY, Pages, form
from notifier.web.routes import parsed

PATH = "/answer/{notice_id:[0-9a-fA-F-]{36}}/{secret:[a-z2-7]{26}}"
_MAX_BYTES = 100_000
_FIELDS = ("kind", "measure", "actor", "effective_at", "comment", "domain")


def add_routes(app: web.Application, ctx: Context, pages: Pages) -> None:
    """Serve the page and take its form."""

    async def show(request: web.Request) -> web.Response:
        try:
            return _page(pages, await answering.shown(ctx, *_link(request)))
        except NotFound as error:
            return _hidden(pages.page("no_link", 404, why=error.detail))

    async def take(request: web.Request) -> web.Response:
        try:
            asked = await answering.shown(ctx, *_link(request))
        except NotFound as error:
            return _hidden(pages.page("no_link", 404, why=error.detail))
        given: dict[str, str] = {}
        try:
            given = await form.read(request, _FIELDS, _MAX_BYTES)
            await answering.answer(ctx, *_link(request), _answer(given))
        except NotifierError as error:
            if error.http_status >= 500:
                raise
            return _page(pages, asked, error.http_status, given, error.detail)
        raise web.HTTPSeeOther(request.path)  # a reload sends nothing again

    app.router.add_get(PATH, show)
    app.router.add_post(PATH, take)


def _link(request: web.Request) -> tuple[str, str]:
    return request.match_info["notice_id"].lower(), request.match_info["secret"]


def _answer(given: dict[str, str]) -> Answer:
    return parsed(AnswerIn, json.dumps({k: v for k, v in given.items() if v}).encode()).answer()


def _page(
    pages: Pages, asked: Asked, status: int = 200, given: dict[str, str] | None = None, fault: str = ""
) -> web.Response:
    page = pages.page(
        "answer",
        status,
        policy=f"{POLICY}; form-action 'self'",
        asked=asked,
        measures=list(Measure),
        actors=ACTORS,
        given={name: (given or {}).get(name, "") for name in _FIELDS},
        fault=fault,
    )
    return _hidden(page)


def _hidden(page: web.Response) -> web.Response:
    """No search engine keeps what lies behind a link."""
    page.headers["X-Robots-Tag"] = "noindex, nofollow"
    return page
