"""Registered live events, and the report after one."""

from notifier.services import event_reports
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.web.routes import Reply, Route
from notifier.web.schemas import EventPath
from notifier.web.views.events import EventOut, EventReport, Events

_STAFF = [Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR, Role.ADMIN]


async def list_events(ctx: Context, who: Principal) -> Reply:
    """The events of your programs, in the order in which they begin, with your cases about each."""
    return Reply(200, Events(items=[EventOut.standing(e) for e in await event_reports.events(ctx, who)]))


async def get_event(ctx: Context, who: Principal, path: EventPath) -> Reply:
    """One event and everything that was asked for because of it: how fast it left, whether the name was given back in
    time, and what the second look said."""
    return Reply(200, EventReport.made(await event_reports.report(ctx, who, path.event_id)))


ROUTES = [
    Route("GET", "/events", list_events, "List live events", {200: Events}, roles=_STAFF),
    Route("GET", "/events/{event_id}", get_event, "Report on a live event", {200: EventReport}, roles=_STAFF),
]
