"""Who was how often right."""

from notifier.services import accuracy
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.web.routes import Reply, Route
from notifier.web.schemas import AccuracyQuery
from notifier.web.views.accuracy import LedgerOut


async def get_accuracy(ctx: Context, who: Principal, query: AccuracyQuery) -> Reply:
    """The accuracy ledger of notifier organisations and, for staff, of reviewers, with counts and intervals."""
    return Reply(200, LedgerOut.shown(await accuracy.ledger(ctx, who, program=query.program, since=query.since)))


ROUTES = [
    Route(
        "GET",
        "/accuracy",
        get_accuracy,
        "Accuracy of notifiers and reviewers",
        {200: LedgerOut},
        roles=[Role.REVIEWER, Role.EVALUATOR, Role.ADMIN],
        problems=[404],
    )
]
