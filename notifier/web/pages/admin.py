"""What admins begin with: how the house is, and what needs somebody."""

from aiohttp import web

from notifier.services import health
from notifier.services.access import Role
from notifier.web.pages.desk import Page, Visit

ADMIN = [Role.ADMIN]


async def show(visit: Visit) -> web.StreamResponse:
    """The whole health on one page; what needs somebody first."""
    return await visit.page("admin", 200, health=await health.overview(visit.ctx, visit.who), shown=health.SHOWN)


PAGES = [Page("GET", "/admin", show, ADMIN)]
