"""What admins begin with: how the house is, and what needs somebody."""

from aiohttp import web

from notifier.services import health
from notifier.services.access import Role
from notifier.web.pages.desk import Page, Visit

ADMIN = [Role.ADMIN]


async def show(visit: Visit) -> web.StreamResponse:
    """The whole health on one page; what needs somebody first."""
    found = await health.overview(visit.ctx, visit.who)
    return await visit.page("admin", health=found, shown=health.SHOWN, most_unsealed=health.MOST_UNSEALED)


PAGES = [Page("GET", "/admin", show, ADMIN)]
