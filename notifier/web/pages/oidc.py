"""Signing in by an identity provider: out to it, and back."""

from aiohttp import web

from notifier.errors import NotFound, NotifierError
from notifier.services import identities
from notifier.services.context import Context
from notifier.services.identities import Begun
from notifier.web.pages import Pages
from notifier.web.pages.desk import Page, Visit, go, own_path
from notifier.web.pages.sign_in import agent_of, entered, private
from notifier.web.routes import source

CALLBACK = "/sign-in/oidc/callback"
_COOKIE = "tn_oidc"
_UNDER = "/sign-in/oidc"  # where the browser shows the cookie
_LONGEST = 4_000


def add_routes(app: web.Application, ctx: Context, pages: Pages) -> None:
    """Serve what must be reachable before anybody has signed in."""

    async def out(request: web.Request) -> web.StreamResponse:
        return await _away(request, None)

    async def out_invited(request: web.Request) -> web.StreamResponse:
        return await _away(request, request.match_info["secret"])

    async def _away(request: web.Request, invitation: str | None) -> web.StreamResponse:
        back = own_path(request.query.get("back", "")) if invitation is None else "/desk"
        try:
            begun = await identities.begin(ctx, back, invitation=invitation)
        except NotifierError as error:
            return _refused(error)
        raise _sent(ctx, begun)

    async def back(request: web.Request) -> web.StreamResponse:
        given = {name: request.query.get(name) for name in ("state", "code", "iss")}
        try:
            if any(value is not None and len(value) > _LONGEST for value in given.values()):
                raise NotFound("there is nothing under this address")
            came = await identities.came_back(
                ctx,
                given["state"] or "",
                request.cookies.get(_COOKIE, ""),
                given["code"] if "error" not in request.query else None,
                given["iss"],
                source(request, ctx.settings),
                agent_of(request),
            )
        except NotifierError as error:
            response = _refused(error)
            response.del_cookie(_COOKIE, path=_UNDER)
            return response
        there = go(came.back, "identity_tied") if came.secret is None else entered(ctx, came.secret, came.back)
        there.del_cookie(_COOKIE, path=_UNDER)
        raise there

    def _refused(error: NotifierError) -> web.Response:
        shown = pages.page("oidc_refused", error.http_status, why=error.detail, provider=identities.offered(ctx))
        return private(shown)

    app.router.add_get(_UNDER, out)
    app.router.add_get("/welcome/{secret:[A-Za-z0-9_-]{32}}/oidc", out_invited)
    app.router.add_get(CALLBACK, back)


def _sent(ctx: Context, begun: Begun) -> web.HTTPSeeOther:
    there = web.HTTPSeeOther(begun.address)
    there.headers["Referrer-Policy"] = "no-referrer"
    there.headers["Cache-Control"] = "no-store"
    _keep(ctx, there, begun)
    return there


def _keep(ctx: Context, response: web.StreamResponse, begun: Begun) -> None:
    """The browser's own proof that the try is its own. Lax: the way back comes from another site."""
    response.set_cookie(
        _COOKIE,
        begun.state,
        path=_UNDER,
        httponly=True,
        samesite="Lax",
        secure=ctx.settings.public_url.startswith("https:"),
        max_age=int(identities.TRY_FOR.total_seconds()),
    )


async def tie(visit: Visit) -> web.StreamResponse:
    """Tie an identity to the person who is signed in: a page with the way out, since our forms lead to no other site."""
    await visit.form(())
    begun = await identities.begin(visit.ctx, "/account", visit=visit.visitor)
    response = await visit.page("oidc_tie", 200, address=begun.address, provider=identities.offered(visit.ctx))
    _keep(visit.ctx, response, begun)
    return response


async def untie(visit: Visit) -> web.StreamResponse:
    await visit.form(())
    await identities.untie(visit.ctx, visit.visitor)
    raise go("/account", "identity_untied")


PAGES = [Page("POST", "/account/oidc", tie), Page("POST", "/account/oidc/end", untie)]
