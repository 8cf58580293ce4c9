"""The pages for whoever is affected: a form to appeal, and what came of it. Whole without a script."""

import json
from collections.abc import Mapping

from aiohttp import web

from notifier.errors import NotFound, NotifierError
from notifier.services import appealing
from notifier.services.appealing import Invited
from notifier.services.context import Context
from notifier.web.api.appeals import MAX_BYTES, read_filing
from notifier.web.pages import POLICY, Pages, form
from notifier.web.routes import source

_LINK = "/appeal/{notice_id:[0-9a-fA-F-]{36}}/{secret:[a-z2-7]{26}}"
_STATUS = "/appeal/status/{secret:[0-9a-f]{32}}"
_FIELDS = ("domain", "reference", "grounds", "contact", "evidence")
_POLICY = f"{POLICY}; form-action 'self'"


def add_routes(app: web.Application, ctx: Context, pages: Pages) -> None:
    """Serve the form, by itself and behind a notice's link, and the status behind a secret."""

    async def show(_: web.Request) -> web.Response:
        return _form(pages, None, {})

    async def take(request: web.Request) -> web.Response:
        return await _take(ctx, pages, request, None, "")

    async def show_invited(request: web.Request) -> web.Response:
        try:
            return _form(pages, await appealing.invited(ctx, *_link(request)), {})
        except NotFound as error:
            return _hidden(pages.page("no_link", 404, why=error.detail))

    async def take_invited(request: web.Request) -> web.Response:
        try:
            known = await appealing.invited(ctx, *_link(request))
        except NotFound as error:
            return _hidden(pages.page("no_link", 404, why=error.detail))
        return await _take(ctx, pages, request, known, request.path)

    async def show_status(request: web.Request) -> web.Response:
        return await _status(ctx, pages, request.match_info["secret"])

    async def act(request: web.Request) -> web.Response:
        secret = request.match_info["secret"]
        try:
            given = await form.read(request, ("act",), 1_000)
            if given.get("act") == "withdraw":
                await appealing.take_back(ctx, secret)
            else:
                await appealing.check(ctx, secret)
        except NotifierError as error:
            if error.http_status >= 500:
                raise
            return await _status(ctx, pages, secret, error)
        raise web.HTTPSeeOther(f"{request.path}?asked=1")  # a reload asks nothing again

    app.router.add_get("/appeal", show)
    app.router.add_post("/appeal", take)
    app.router.add_get(_LINK, show_invited)
    app.router.add_post(_LINK, take_invited)
    app.router.add_get(_STATUS, show_status)
    app.router.add_post(_STATUS, act)


async def _take(ctx: Context, pages: Pages, request: web.Request, known: Invited | None, link: str) -> web.Response:
    given: dict[str, str] = {}
    try:
        given = await form.read(request, _FIELDS, MAX_BYTES)
        told = {name: value for name, value in given.items() if value and name != "evidence"}
        if known is not None:
            told |= {"domain": known.domain, "reference": link}
        lines = [line.strip() for line in given.get("evidence", "").split("\n") if line.strip()]
        said = await read_filing(ctx, json.dumps({**told, "evidence": lines}).encode())
        secret = await appealing.file(ctx, said, source(request, ctx.settings), via="page")
    except NotifierError as error:
        if error.http_status >= 500:
            raise
        return _form(pages, known, given, error)
    raise web.HTTPSeeOther(f"/appeal/status/{secret}")


def _link(request: web.Request) -> tuple[str, str]:
    return request.match_info["notice_id"].lower(), request.match_info["secret"]


def _form(
    pages: Pages, known: Invited | None, given: Mapping[str, str], fault: NotifierError | None = None
) -> web.Response:
    page = pages.page(
        "appeal",
        fault.http_status if fault else 200,
        policy=_POLICY,
        known=known,
        given={name: given.get(name, "") for name in _FIELDS},
        fault=fault.detail if fault else "",
    )
    return _hidden(page) if known else page


async def _status(ctx: Context, pages: Pages, secret: str, fault: NotifierError | None = None) -> web.Response:
    try:
        found = await appealing.status(ctx, secret)
    except NotFound as error:
        return _hidden(pages.page("no_link", 404, why=error.detail))
    page = pages.page(
        "appeal_status",
        fault.http_status if fault else 200,
        policy=_POLICY,
        found=found,
        contact=ctx.settings.contact,
        fault=fault.detail if fault else "",
    )
    return _hidden(page)


def _hidden(page: web.Response) -> web.Response:
    """No search engine keeps what lies behind a link."""
    page.headers["X-Robots-Tag"] = "noindex, nofollow"
    return page
