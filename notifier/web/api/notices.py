"""Notices and the answers to them."""

from notifier.services import reading, responses
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.web.bodies import AnswerIn
from notifier.web.routes import Reply, Route
from notifier.web.schemas import NoticePath, NoticeQuery
from notifier.web.views.notices import NoticeDetail, NoticeOut, NoticePage, RecordedOut, notice_detail, notice_row

_READERS = [Role.SUBMITTER, Role.REVIEWER, Role.REGISTRY, Role.AUDITOR, Role.ADMIN]


async def list_notices(ctx: Context, who: Principal, query: NoticeQuery) -> Reply:
    """Notices in your scope, newest first. A registry's token sees those that were sent to it."""
    page = await reading.notices(ctx, who, state=query.state, since=query.since, limit=query.limit, cursor=query.cursor)
    shown = [NoticeOut.of(notice_row(who, row)) for row in page.items]
    return Reply(200, NoticePage(items=shown, next_cursor=page.next_cursor))


async def get_notice(ctx: Context, who: Principal, path: NoticePath) -> Reply:
    """One notice with its exact content and the answers to it."""
    return Reply(200, notice_detail(who, await reading.notice(ctx, who, path.notice_id)))


async def respond(ctx: Context, who: Principal, path: NoticePath, body: AnswerIn) -> Reply:
    """A registry's answer to its own notice. The same answer again changes nothing and is answered 200."""
    done = await responses.respond(ctx, who, path.notice_id, body.answer())
    return Reply(200 if done.repeated else 201, RecordedOut.of(done))


ROUTES = [
    Route("GET", "/notices", list_notices, "List notices", {200: NoticePage}, roles=_READERS),
    Route("GET", "/notices/{notice_id}", get_notice, "Show a notice", {200: NoticeDetail}, roles=_READERS),
    Route(
        "POST",
        "/notices/{notice_id}/responses",
        respond,
        "Answer a notice",
        {201: RecordedOut, 200: RecordedOut},
        roles=[Role.REGISTRY],
        problems=[409],
    ),
]
