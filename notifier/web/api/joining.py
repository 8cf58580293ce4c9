"""Cases that are one matter, and reports that belong to another."""

from notifier.services import joining
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.web.bodies import Detaching, Merging
from notifier.web.routes import Reply, Route
from notifier.web.schemas import CasePath
from notifier.web.views.cases import PartedOut


async def merge(ctx: Context, who: Principal, path: CasePath, body: Merging) -> Reply:
    """End a case as a duplicate of another open one, which goes on with its reports and evidence. What was sent stays."""
    return Reply(200, PartedOut.shown(await joining.merge(ctx, who, path.case_id, body.into, body.reason)))


async def detach(ctx: Context, who: Principal, path: CasePath, body: Detaching) -> Reply:
    """Move reports with their evidence to the case they belong to, or to a new one; both cases are judged anew."""
    parted = await joining.detach_reports(
        ctx,
        who,
        path.case_id,
        body.report_ids,
        body.reason,
        into=body.into,
        domain=body.domain,
        evidence_ids=body.evidence_ids,
    )
    return Reply(200, PartedOut.shown(parted))


ROUTES = [
    Route(
        "POST",
        "/cases/{case_id}/merge",
        merge,
        "Merge a case into another",
        {200: PartedOut},
        roles=[Role.REVIEWER],
        problems=[409],
    ),
    Route(
        "POST",
        "/cases/{case_id}/detach",
        detach,
        "Move reports to another case",
        {200: PartedOut},
        roles=[Role.REVIEWER],
        problems=[409, 422],
    ),
]
