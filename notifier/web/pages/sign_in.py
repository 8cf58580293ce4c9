"""Sign-in, sign-out, and the link by which somebody sets their password."""

from aiohttp import web

from notifier.errors import Mendable, NotFound, NotifierError
from notifier.services import credentials, identities, sign_in
from notifier.services.context import Context
from notifier.web.pages import POLICY, Pages, form
from notifier.web.pages.desk import COOKIE, Page, Visit, own_path, require_own_origin
from notifier.web.routes import source

_MAX_BYTES = 10_000
_LINK = "/welcome/{secret:[A-Za-z0-9_-]{32}}"


def add_routes(app: web.Application, ctx: Context, pages: Pages) -> None:
    """Serve what must be reachable before anybody has signed in."""

    async def show(request: web.Request) -> web.Response:
        return _sign_in(ctx, pages, request.query.get("back", ""))

    async def take(request: web.Request) -> web.Response:
        require_own_origin(ctx, request)
        given = await form.read(request, ("name", "password", "code", "back"), _MAX_BYTES)
        name, password, back = (given.get(field, "") for field in ("name", "password", "back"))
        try:
            secret = await sign_in.sign_in(
                ctx, name, password, given.get("code", ""), source(request, ctx.settings), agent_of(request)
            )
        except Mendable as error:
            return _sign_in(ctx, pages, back, error, name)
        raise entered(ctx, secret, own_path(back))

    async def show_welcome(request: web.Request) -> web.Response:
        try:
            return _welcome(ctx, pages, request.path, (await sign_in.invited(ctx, request.match_info["secret"])).name)
        except NotFound as error:
            return private(pages.page("no_invitation", 404, why=error.detail))

    async def take_welcome(request: web.Request) -> web.Response:
        require_own_origin(ctx, request)
        secret, name = request.match_info["secret"], None
        given = await form.read(request, ("name", "password", "again"), _MAX_BYTES)
        try:
            name = (await sign_in.invited(ctx, secret)).name
            if given.get("password") != given.get("again"):
                return _welcome(ctx, pages, request.path, name, "the two passwords differ", given.get("name", ""))
            begun = await sign_in.accept(
                ctx,
                secret,
                given.get("name", ""),
                given.get("password", ""),
                source(request, ctx.settings),
                agent_of(request),
            )
        except NotFound as error:
            return private(pages.page("no_invitation", 404, why=error.detail))
        except Mendable as error:
            return _welcome(ctx, pages, request.path, name, error.detail, given.get("name", ""))
        raise entered(ctx, begun, "/desk")

    app.router.add_get("/sign-in", show)
    app.router.add_post("/sign-in", take)
    app.router.add_get(_LINK, show_welcome)
    app.router.add_post(_LINK, take_welcome)


async def _sign_out(visit: Visit) -> web.StreamResponse:
    await sign_in.sign_out(visit.ctx, visit.visitor)
    away = web.HTTPSeeOther("/sign-in")
    away.del_cookie(COOKIE, path="/")
    raise away


PAGES = [Page("POST", "/sign-out", _sign_out)]


def entered(ctx: Context, secret: str, to: str) -> web.HTTPSeeOther:
    """Lax, so that a link in a mail finds its reader signed in; forms are held against their origin."""
    there = web.HTTPSeeOther(to)
    there.set_cookie(
        COOKIE,
        secret,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=ctx.settings.public_url.startswith("https:"),
        max_age=int(sign_in.SESSION_FOR.total_seconds()),
    )
    return there


def agent_of(request: web.Request) -> str:
    """What the browser calls itself."""
    return request.headers.get("User-Agent", "")


def _sign_in(ctx: Context, pages: Pages, back: str, fault: NotifierError | None = None, name: str = "") -> web.Response:
    shown = pages.page(
        "sign_in",
        fault.http_status if fault else 200,
        policy=f"{POLICY}; form-action 'self'",
        back=own_path(back) if back else "",
        name=name,
        fault=fault.detail if fault else "",
        provider=identities.offered(ctx),
    )
    return private(shown)


def _welcome(ctx: Context, pages: Pages, link: str, name: str | None, fault: str = "", given: str = "") -> web.Response:
    shown = pages.page(
        "welcome",
        422 if fault else 200,
        policy=f"{POLICY}; form-action 'self'",
        name=name,
        given=given,
        fault=fault,
        link=link,
        least=credentials.PASSWORD_MIN,
        provider=identities.offered(ctx),
    )
    return private(shown)


def private(page: web.Response) -> web.Response:
    """The page, found by no search engine and named to no other site."""
    page.headers["X-Robots-Tag"] = "noindex, nofollow"
    page.headers["Referrer-Policy"] = "same-origin"
    return page
