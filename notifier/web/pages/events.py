"""Live events: what runs and what comes, what is asked for because of each, and what is still held when it is over."""

from datetime import timedelta

from aiohttp import web

from notifier.services import event_reports
from notifier.services.access import Role
from notifier.web.pages.desk import Page, Visit

AT = "/desk/events"
_SEE = [Role.SUBMITTER, Role.REVIEWER, Role.ADMIN]
_SHOWN = 200
_RECENT = timedelta(days=30)


async def show_all(visit: Visit) -> web.StreamResponse:
    """The console: now, next, and lately over."""
    now = await visit.ctx.db.clock.now()
    found = await event_reports.events(visit.ctx, visit.who)
    lately = [one for one in found if one.state == "over" and one.event.released > now - _RECENT]
    return await visit.page(
        "events",
        running=[one for one in found if one.state == "running"],
        coming=[one for one in found if one.state == "registered"],
        over=list(reversed(lately)),
        older=list(reversed([one for one in found if one.state == "over" and one not in lately]))[:_SHOWN],
    )


async def show(visit: Visit) -> web.StreamResponse:
    """One event and everything that was asked for because of it."""
    found = await event_reports.report(visit.ctx, visit.who, visit.request.match_info["event_id"])
    now = await visit.ctx.db.clock.now()
    late = [n for n in found.notices if n["sent_at"] and n["release_by"] <= now and n["seen_back_at"] is None]
    still = [n for n in late if n["held_past_event"]]
    return await visit.page(
        "event",
        one=found.standing,
        sums=found.sums,
        p50=found.seconds_p50,
        p95=found.seconds_p95,
        notices=found.notices[:_SHOWN],
        more=max(0, len(found.notices) - _SHOWN),
        still=still[:_SHOWN],
    )


PAGES = [
    Page("GET", AT, show_all, _SEE),
    Page("GET", AT + "/{event_id:[a-z0-9-]{1,63}}", show, _SEE),
]
