"""Where each role begins."""

from aiohttp import web

from notifier.web.pages.desk import Page, Visit, go
from notifier.web.pages.nav import home


async def show(visit: Visit) -> web.StreamResponse:
    raise go(home(visit.who.role))


PAGES = [Page("GET", "/desk", show)]
