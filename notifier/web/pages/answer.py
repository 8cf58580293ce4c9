"""The page behind a notice's link: what is asked, and an answer by button. Opening it does nothing."""

import json
from collections.abc import Mapping

from aiohttp import web

from notifier.domain.answer import ACTORS, Answer
from notifier.domain.epp import Measure
from notifier.errors import Mendable, NotFound
from notifier.services import answering
from notifier.services.answering import Asked
from notifier.services.context import Context
from notifier.web.bodies import AnswerIn
from notifier.web.pages import POLICY, Pages, form
from notifier.web.routes import parsed

PATH = "/answer/{notice_id:[0-9a-fA-F-]{36}}/{secret:[a-z2-7]{26}}"
_MAX_BYTES = 100_000
FIELDS = ("kind", "measure", "actor", "effective_at", "comment", "domain")
_PICKED = len("2026-03-09T14:30")  # what a date picker gives: no zone, and the label says that it is UTC


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
            given = await form.read(request, FIELDS, _MAX_BYTES)
            await answering.answer(ctx, *_link(request), answer_of(given))
        except Mendable as error:
            return _page(pages, asked, error.http_status, given, error.detail)
        raise web.HTTPSeeOther(request.path)  # a reload sends nothing again

    app.router.add_get(PATH, show)
    app.router.add_post(PATH, take)


def _link(request: web.Request) -> tuple[str, str]:
    return request.match_info["notice_id"].lower(), request.match_info["secret"]


def answer_of(given: Mapping[str, str]) -> Answer:
    """The form as an answer. Raises Invalid with each wrong field."""
    if len(at := given.get("effective_at", "")) == _PICKED:
        given = {**given, "effective_at": f"{at}:00Z"}
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
        given={name: (given or {}).get(name, "") for name in FIELDS},
        fault=fault,
    )
    return _hidden(page)


def _hidden(page: web.Response) -> web.Response:
    """No search engine keeps what lies behind a link."""
    page.headers["X-Robots-Tag"] = "noindex, nofollow"
    return page
