"""What stands at our request, by when it lapses, and what came undone: lists for whoever looks after them."""

from notifier.services import access
from notifier.services.access import Principal, Role, Scope
from notifier.services.context import Context
from notifier.services.paging import Page, Query, read_page

_SEE = (Role.REVIEWER, Role.AUDITOR, Role.ADMIN)
_HELD = (
    "select c.id, c.reference, c.program, c.target, c.measure, c.state, c.outcome, c.aftermath, c.assignee, c.review_by, "
    "c.phase, c.phase_since, c.observed from cases c"
)
_RELAPSED = (
    "select k.id, k.case_id, k.measure, k.credited, k.verified_at, k.relapsed_at, c.reference, c.program, c.target, c.state, "
    "c.assignee from claim k join cases c on c.id = k.case_id"
)


async def held(ctx: Context, who: Principal, *, mine: bool = False, limit: int = 50, cursor: str | None = None) -> Page:
    """Cases with something that stands, the one that lapses first at the head. `mine`: which the principal looks after."""
    query = _query(ctx, who)
    query.where("c.review_by is not null")
    if mine:
        query.where("c.assignee = {}", who.id)
    return await read_page(ctx, query, _HELD, "c.review_by", "c.id", limit, cursor, ascending=True)


async def relapsed(ctx: Context, who: Principal, *, limit: int = 50, cursor: str | None = None) -> Page:
    """Acts that our looks proved and then found undone, newest first."""
    query = _query(ctx, who)
    query.where("k.relapsed_at is not null")
    return await read_page(ctx, query, _RELAPSED, "k.relapsed_at", "k.id", limit, cursor)


def _query(ctx: Context, who: Principal) -> Query:
    access.require(who, *_SEE)
    scope = access.case_scope(who, ctx.owned_by(who.organisation))
    return Query(Scope(scope.condition, scope.args))
