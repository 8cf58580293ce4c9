"""The pages for whoever is affected: a form to appeal, and what came of it. Whole without a script."""

import json
from collections.abc import Mapping

from aiohttp import web

from notifier.errors import Mendable, NotFound, NotifierError
from notifier.services import appealing
from notifier.services.appealing import Invited
from notifier.services.context import Context
from notifier.translations import translated
from notifier.web.api.appeals import MAX_BYTES, read_filing
from notifier.web.pages import POLICY, Pages, form, language
from notifier.web.pages.language import Language
from notifier.web.routes import source

_LINK = "/appeal/{notice_id:[0-9a-fA-F-]{36}}/{secret:[a-z2-7]{26}}"
_STATUS = "/appeal/status/{secret:[0-9a-f]{32}}"
_FIELDS = ("domain", "reference", "grounds", "contact", "evidence")
_POLICY = f"{POLICY}; form-action 'self'"
# What is wrong with a form, for people who read no field names.
_FAULTS: Mapping[str, str] = {
    "grounds": "Please write what is wrong, in at most 20,000 letters.",
    "contact": "Please write how we can reach you.",
    "domain": "Please write your name on the web, such as shop.com.",
    "evidence": "Please put each page or paper on a line of its own, and not too many of them.",
    "reference": "Please write our number alone, or leave it empty.",
    "too_large": "That is too long. Please write less.",
    "rate_limited": "We got too many forms just now. Please wait a while and try again.",
    "csam_refused": "We do not take such pictures or films, and we kept nothing of it. Please tell the police.",
    "appeal_over": "There is nothing left that you could take back.",
    "unreadable": "We could not read the form. Please open this page again and send it once more.",
}


def add_routes(app: web.Application, ctx: Context, pages: Pages) -> None:
    """Serve the form, by itself and behind a notice's link, and the status behind a secret."""

    async def show(request: web.Request) -> web.Response:
        return _form(pages, language.of(request), None, {})

    async def take(request: web.Request) -> web.Response:
        return await _take(ctx, pages, request, None, "")

    async def show_invited(request: web.Request) -> web.Response:
        speaks = language.of(request)
        try:
            return _form(pages, speaks, await appealing.invited(ctx, *_link(request), speaks.code), {})
        except NotFound:
            return _nothing(pages, speaks)

    async def take_invited(request: web.Request) -> web.Response:
        speaks = language.of(request)
        try:
            known = await appealing.invited(ctx, *_link(request), speaks.code)
        except NotFound:
            return _nothing(pages, speaks)
        return await _take(ctx, pages, request, known, request.path)

    async def show_status(request: web.Request) -> web.Response:
        return await _status(ctx, pages, request)

    async def act(request: web.Request) -> web.Response:
        secret = request.match_info["secret"]
        try:
            given = await form.read(request, ("act",), 1_000)
            if given.get("act") == "withdraw":
                await appealing.take_back(ctx, secret)
            else:
                await appealing.check(ctx, secret)
        except Mendable as error:
            return await _status(ctx, pages, request, error)
        # A reload asks nothing again.
        raise web.HTTPSeeOther(language.of(request).follow(f"{request.path}?asked=1"))

    app.router.add_get("/appeal", show)
    app.router.add_post("/appeal", take)
    app.router.add_get(_LINK, show_invited)
    app.router.add_post(_LINK, take_invited)
    app.router.add_get(_STATUS, show_status)
    app.router.add_post(_STATUS, act)


async def _take(ctx: Context, pages: Pages, request: web.Request, known: Invited | None, link: str) -> web.Response:
    given: dict[str, str] = {}
    speaks = language.of(request)
    try:
        given = await form.read(request, _FIELDS, MAX_BYTES)
        told = {name: value for name, value in given.items() if value and name != "evidence"}
        if known is not None:
            told |= {"domain": known.domain, "reference": link}
        lines = [line.strip() for line in given.get("evidence", "").split("\n") if line.strip()]
        said = await read_filing(ctx, json.dumps({**told, "evidence": lines}).encode())
        secret = await appealing.file(ctx, said, source(request, ctx.settings), via="page")
    except Mendable as error:
        return _form(pages, speaks, known, given, error)
    raise web.HTTPSeeOther(speaks.follow(f"/appeal/status/{secret}"))


def _link(request: web.Request) -> tuple[str, str]:
    return request.match_info["notice_id"].lower(), request.match_info["secret"]


def _form(
    pages: Pages,
    speaks: Language,
    known: Invited | None,
    given: Mapping[str, str],
    fault: NotifierError | None = None,
) -> web.Response:
    page = pages.page(
        "appeal",
        fault.http_status if fault else 200,
        policy=_POLICY,
        known=known,
        given={name: given.get(name, "") for name in _FIELDS},
        fault=told_of(fault, speaks) if fault else "",
        **speaks.shown,
    )
    return speaks.mark(_hidden(page) if known else page)


async def _status(ctx: Context, pages: Pages, request: web.Request, fault: NotifierError | None = None) -> web.Response:
    speaks = language.of(request)
    try:
        found = await appealing.status(ctx, request.match_info["secret"], speaks.code)
    except NotFound:
        return _nothing(pages, speaks)
    page = pages.page(
        "appeal_status",
        fault.http_status if fault else 200,
        policy=_POLICY,
        found=found,
        contact=ctx.settings.contact,
        fault=told_of(fault, speaks) if fault else "",
        **speaks.shown,
    )
    return speaks.mark(_hidden(page))


def _nothing(pages: Pages, speaks: Language) -> web.Response:
    return speaks.mark(_hidden(pages.page("no_appeal", 404, **speaks.shown)))


def told_of(fault: NotifierError, speaks: Language) -> str:
    """What to do about a fault, in the reader's language."""
    named = [str(one["at"]).partition(".")[0] for one in fault.extra.get("errors", ())]
    told = [_FAULTS[name] for name in dict.fromkeys([*named, fault.code]) if name in _FAULTS]
    return " ".join(translated(speaks.code, text) for text in told or [_FAULTS["unreadable"]])


def _hidden(page: web.Response) -> web.Response:
    """No search engine keeps what lies behind a link."""
    page.headers["X-Robots-Tag"] = "noindex, nofollow"
    return page
