"""What reporters learn of their cases, each decision once."""

from notifier.services import news
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.web.routes import Reply, Route
from notifier.web.schemas import NewsQuery
from notifier.web.views.news import NewsPage

_READERS = [Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR, Role.ADMIN]


async def get_news(ctx: Context, who: Principal, query: NewsQuery) -> Reply:
    """Decisions on cases that your organisation reported to, oldest first: one item for each case and decision."""
    feed = await news.feed(ctx, who, query.since, limit=query.limit)
    return Reply(200, NewsPage.of(feed))


ROUTES = [Route("GET", "/news", get_news, "What was decided", {200: NewsPage}, roles=_READERS)]
