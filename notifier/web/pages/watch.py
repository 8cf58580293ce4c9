"""What is held and until when, what came undone, and names that may follow others, for people to decide about."""

from typing import Any, get_args

from aiohttp import web

from notifier.errors import Mendable, NotFound, NotifierError
from notifier.services import clusters, held, hopping_list, hops
from notifier.services.access import Role
from notifier.services.hops import HopState
from notifier.web.pages.desk import Page, Visit, go
from notifier.web.routes import Download, send_file

AT = "/desk/watch"
_HOPS = f"{AT}/hops"
_HOP = _HOPS + "/{hop_id:[0-9a-fA-F-]{36}}"
_SEE, _DECIDE = [Role.REVIEWER, Role.ADMIN], [Role.REVIEWER]
_CLUSTERS = 50


async def show_held(visit: Visit) -> web.StreamResponse:
    """What stands at our request, the one that lapses first at the head."""
    asked = visit.asked("mine", "cursor")
    page = await held.held(visit.ctx, visit.who, mine="mine" in asked, cursor=asked.get("cursor"))
    return await visit.page("watch", items=page.items, next_cursor=page.next_cursor, mine="mine" in asked)


async def show_relapsed(visit: Visit) -> web.StreamResponse:
    """What we saw done and later found undone."""
    page = await held.relapsed(visit.ctx, visit.who, cursor=visit.asked("cursor").get("cursor"))
    return await visit.page("watch_relapsed", items=page.items, next_cursor=page.next_cursor)


async def show_hops(visit: Visit) -> web.StreamResponse:
    """Links between names: those that wait for a decision, or others by the address."""
    asked = visit.asked("state", "cursor")
    state: Any = asked.get("state", "proposed")
    if state not in get_args(HopState):
        raise NotFound("there is no such state of a link")
    page = await hops.hops(visit.ctx, visit.who, state=state, cursor=asked.get("cursor"))
    return await visit.page(
        "watch_hops", items=page.items, next_cursor=page.next_cursor, chosen=state, states=get_args(HopState)
    )


async def show_hop(visit: Visit) -> web.StreamResponse:
    return await _hop(visit)


async def _hop(visit: Visit, fault: NotifierError | None = None, reason: str = "") -> web.Response:
    found = await hops.show(visit.ctx, visit.who, visit.request.match_info["hop_id"])
    return await visit.page(
        "watch_hop",
        fault.http_status if fault else 200,
        hop=found.row,
        decisions=found.decisions,
        may_decide=visit.who.role is Role.REVIEWER,
        reason=reason,
        fault=fault.detail if fault else "",
    )


async def decide(visit: Visit) -> web.StreamResponse:
    """Accept a link, dismiss it, or take it back."""
    given, hop_id = await visit.form(("decision", "reason")), visit.request.match_info["hop_id"]
    verb = hops.accept if given.get("decision") == "accept" else hops.dismiss
    try:
        await verb(visit.ctx, visit.who, hop_id, given.get("reason", ""), via="page")
    except NotFound:
        raise
    except Mendable as error:
        return await _hop(visit, error, given.get("reason", ""))
    raise go(f"{_HOPS}/{hop_id}", "hop_decided")


async def show_clusters(visit: Visit) -> web.StreamResponse:
    """Names of one actor, the largest clusters first."""
    found = await clusters.clusters(visit.ctx, visit.who)
    return await visit.page("watch_clusters", clusters=found[:_CLUSTERS], more=max(0, len(found) - _CLUSTERS))


async def show_list(visit: Visit) -> web.StreamResponse:
    """The hopping list as the registries that share in it read it."""
    page = await hopping_list.entries(visit.ctx, visit.who, cursor=visit.asked("cursor").get("cursor"), via="page")
    return await visit.page("watch_list", items=page.items, next_cursor=page.next_cursor)


async def take_list(visit: Visit) -> web.StreamResponse:
    """The whole list as CSV; who took it away is in the log."""
    await visit.form(())
    text = (await hopping_list.exported_csv(visit.ctx, visit.who, via="page")).encode()

    async def once() -> Any:
        yield text

    return await send_file(visit.request, Download("hopping-list.csv", once(), len(text)))


PAGES = [
    Page("GET", AT, show_held, _SEE),
    Page("GET", f"{AT}/relapsed", show_relapsed, _SEE),
    Page("GET", _HOPS, show_hops, _SEE),
    Page("GET", _HOP, show_hop, _SEE),
    Page("POST", _HOP, decide, _DECIDE),
    Page("GET", f"{AT}/clusters", show_clusters, _SEE),
    Page("GET", f"{AT}/hopping-list", show_list, _SEE),
    Page("POST", f"{AT}/hopping-list/csv", take_list, _SEE),
]
