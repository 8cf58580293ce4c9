"""The host's side: sample content for every delegated name, told apart by the Host header."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from aiohttp import web

from notifier.sandbox.world import Content, World


@dataclass(frozen=True, slots=True)
class Cloak:
    """Content is shown only to a visitor whose user agent or referrer holds one of these words; all others
    get 410, or a page of this `decoy` text."""

    user_agents: tuple[str, ...] = ()
    referrers: tuple[str, ...] = ()
    decoy: str | None = None

    def shows(self, request: web.Request) -> bool:
        """Whether this visitor is shown the content."""
        return _holds(request.headers.get("User-Agent", ""), self.user_agents) or _holds(
            request.headers.get("Referer", ""), self.referrers
        )


class SiteServer:
    """200 with a sample page while the name is delegated and the content stands, 410 after removal, 404 for
    any other host.

    `cloaks` (A-label to cloak), `pages` (A-label to path to text, of which "*" is any other path), `heads` (A-label to
    markup in the head of its pages), `icons` (A-label to the bytes of its /favicon.ico) and `moved` (A-label to where its
    pages redirect) may be changed while it runs.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.cloaks: dict[str, Cloak] = {}
        self.pages: dict[str, Mapping[str, str]] = {}
        self.heads: dict[str, str] = {}
        self.icons: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}

    def application(self) -> web.Application:
        """The whole site as one application."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._page)
        return app

    async def _page(self, request: web.Request) -> web.Response:
        host = request.host.rpartition(":")[0] or request.host
        found = self._world.find(host)
        if found is None or not found.delegated:
            raise web.HTTPNotFound(text="no such host here")
        cloak = self.cloaks.get(found.a_label)
        hidden = cloak is not None and not cloak.shows(request)
        if cloak is not None and hidden and cloak.decoy is not None:
            return _page_of(cloak.decoy)
        if found.content is Content.REMOVED or hidden:
            raise web.HTTPGone(text="this content was removed")
        if found.a_label in self.moved:
            raise web.HTTPFound(self.moved[found.a_label])
        if request.path == "/favicon.ico" and found.a_label in self.icons:
            return web.Response(body=self.icons[found.a_label], content_type="image/x-icon")
        pages = self.pages.get(found.a_label, {})
        text = pages.get(request.path, pages.get("*"))
        if text is None:
            text = f"Sample content of the simulated site {found.a_label}, path {request.path}. {_wares(found.a_label)}"
        return _page_of(text, self.heads.get(found.a_label, ""))


def _page_of(text: str, head: str = "") -> web.Response:
    page = f"<!doctype html><html><title>Sample</title>{head}<body><p>{escape(text)}</p></body></html>"
    return web.Response(text=page, content_type="text/html")


_WORDS = (
    *("order", "now", "without", "waiting", "from", "our", "catalogue", "of", "many", "titles", "and", "tablets"),
    *("shipped", "to", "every", "door", "this", "week"),
)


def _wares(name: str) -> str:
    """Sixty words that are the same on every page of a site and differ from site to site."""
    return " ".join(random.Random(name).choices(_WORDS, k=60))  # noqa: S311 - no secret


def _holds(text: str, words: Iterable[str]) -> bool:
    return any(word.lower() in text.lower() for word in words)
