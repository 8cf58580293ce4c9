"""Pages behind a sign-in: who looks at them, and that a form comes from a page of ours.

A page is declared once: its method, path, act and the roles that it is for. What a principal may see and do is decided
in the services all the same; the roles here spare people pages that would only refuse them.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from aiohttp import web

from notifier.errors import Forbidden, NotFound, Unauthenticated
from notifier.services import sign_in
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.sign_in import Visitor
from notifier.web.pages import POLICY, Pages, form
from notifier.web.pages.said import SAID

COOKIE = "tn_session"
SECOND_STEP = "/account/second-step"
# Reachable before the second step is set up.
_BEFORE_SECOND_STEP = frozenset({SECOND_STEP, "/sign-out"})
_MAX_BYTES = 200_000

ALL = tuple(Role)


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at a page: the request, who is behind it, and what a page needs to answer."""

    ctx: Context
    pages: Pages
    request: web.Request
    visitor: Visitor

    @property
    def who(self) -> Principal:
        return self.visitor.who

    async def form(self, fields: Collection[str], max_bytes: int = _MAX_BYTES) -> dict[str, str]:
        """The page's own form. Raises Invalid, TooLarge."""
        return await form.read(self.request, fields, max_bytes)

    async def form_with_list(
        self, fields: Collection[str], listed: str, most: int, max_bytes: int = _MAX_BYTES
    ) -> tuple[dict[str, str], list[str]]:
        """The same, with the values of the field that comes as often as boxes are ticked."""
        return await form.read_with_list(self.request, fields, listed, most, max_bytes)

    def asked(self, *names: str) -> dict[str, str]:
        """The named parameters of the address that are there and not empty; of one that came twice, the last."""
        query = self.request.query
        return {name: query.getall(name)[-1].strip() for name in names if query.get(name, "").strip()}

    async def page(self, template: str, status: int = 200, /, **shown: object) -> web.Response:
        """One of our pages, with its navigation; never kept by anything in between."""
        now = await self.ctx.db.clock.now()
        response = self.pages.page(
            template,
            status,
            policy=f"{POLICY}; connect-src 'self'; form-action 'self'",
            visitor=self.visitor,
            who=self.who,
            path=self.request.path,
            query=self.request.query,
            now=now,
            **shown,
        )
        response.headers["Referrer-Policy"] = "same-origin"  # with no-referrer a form's Origin would be null
        return response


Act: TypeAlias = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Page:
    """One page or form. `roles`: whom it is for."""

    method: str
    path: str
    act: Act
    roles: Sequence[Role] = ALL


def go(path: str, said: str = "") -> web.HTTPSeeOther:
    """To another page of ours after a form, so that a reload sends nothing again. `said`: a key of SAID, told there."""
    if said and said not in SAID:
        raise KeyError(said)
    return web.HTTPSeeOther(f"{path}{'&' if '?' in path else '?'}said={said}" if said else path)


def add_pages(app: web.Application, ctx: Context, pages: Pages, declared: Sequence[Page]) -> None:
    """Serve the declared pages, each to whom it is for."""
    for page in declared:
        app.router.add_route(page.method, page.path, _guarded(ctx, pages, page))
        if page.method == "GET":
            app.router.add_route("HEAD", page.path, _guarded(ctx, pages, page))


def _guarded(ctx: Context, pages: Pages, page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            require_own_origin(ctx, request)
        try:
            visitor = await sign_in.visitor(ctx, request.cookies.get(COOKIE, ""))
        except Unauthenticated:
            back = quote(request.path_qs if request.method in ("GET", "HEAD") else "/desk", safe="/")
            raise web.HTTPSeeOther(f"/sign-in?back={back}") from None
        if visitor.owes_second_step and request.path not in _BEFORE_SECOND_STEP:
            raise web.HTTPSeeOther(SECOND_STEP)
        if visitor.who.role not in page.roles:
            raise NotFound("there is nothing under this address for your role")
        return await page.act(Visit(ctx, pages, request, visitor))

    return answer


def require_own_origin(ctx: Context, request: web.Request) -> None:
    """Raises Forbidden for a form that another site sends in our user's name (Fetch Standard, Origin and Sec-Fetch-Site)."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None and site != "same-origin":
        raise Forbidden("this form came from another site; open the page here and send it again", code="foreign_form")
    ours = {urlsplit(ctx.settings.public_url).netloc, request.host}
    if origin is None and site == "same-origin":
        return
    if origin is None or urlsplit(origin).netloc not in ours:
        raise Forbidden("this form came from another site; open the page here and send it again", code="foreign_form")


def own_path(given: str) -> str:
    """A path of ours to go on to; the desk for anything that is not one."""
    parts = urlsplit(given)
    plain = given.startswith("/") and not given.startswith(("//", "/\\")) and not parts.netloc and given.isprintable()
    return given if plain and "\\" not in given else "/desk"
