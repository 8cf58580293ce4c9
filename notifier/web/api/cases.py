"""Cases: what they are, what they hold, and what happened to them."""

from notifier.services import case_reading, reading
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.reading import CaseFilter
from notifier.web.routes import Reply, Route
from notifier.web.schemas import CasePath, CaseQuery
from notifier.web.views.base import STAFF
from notifier.web.views.cases import (
    CaseDetail,
    CaseOut,
    CasePage,
    CaseParts,
    ObservationOut,
    Observations,
    Timeline,
    case_row,
    entry,
)

_READERS = [Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR, Role.ADMIN]


async def list_cases(ctx: Context, who: Principal, query: CaseQuery) -> Reply:
    """Cases in your scope, newest first."""
    wanted = CaseFilter(**query.model_dump(exclude={"limit", "cursor"}))
    page = await reading.cases(ctx, who, wanted, limit=query.limit, cursor=query.cursor)
    return Reply(
        200, CasePage(items=[CaseOut.of(case_row(who, row)) for row in page.items], next_cursor=page.next_cursor)
    )


async def get_case(ctx: Context, who: Principal, path: CasePath) -> Reply:
    """One case; staff see with it what it holds, and whoever reported it what it lacks."""
    row = await reading.case(ctx, who, path.case_id)
    parts = CaseParts.of(await reading.case_parts(ctx, who, path.case_id)) if who.role in STAFF else None
    wanted = await case_reading.wanted(ctx, who, path.case_id)
    return Reply(200, CaseDetail.of({**case_row(who, row), "parts": parts, "wanted": wanted}))


async def get_timeline(ctx: Context, who: Principal, path: CasePath) -> Reply:
    """Every step of a case, oldest first."""
    rows = await reading.timeline(ctx, who, path.case_id)
    return Reply(200, Timeline(items=[entry(who, row) for row in rows]))


async def get_observations(ctx: Context, who: Principal, path: CasePath) -> Reply:
    """Every look at the target: what the registry's RDAP and the parent zone's servers said."""
    rows = await reading.observations(ctx, who, path.case_id)
    return Reply(200, Observations(items=[ObservationOut.of(row) for row in rows]))


ROUTES = [
    Route("GET", "/cases", list_cases, "List cases", {200: CasePage}, roles=_READERS),
    Route("GET", "/cases/{case_id}", get_case, "Show a case", {200: CaseDetail}, roles=_READERS),
    Route("GET", "/cases/{case_id}/timeline", get_timeline, "What happened to a case", {200: Timeline}, roles=_READERS),
    Route(
        "GET",
        "/cases/{case_id}/observations",
        get_observations,
        "What was observed",
        {200: Observations},
        roles=_READERS,
    ),
]
