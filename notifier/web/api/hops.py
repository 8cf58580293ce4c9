"""Names that may follow others: links for people to decide, clusters, and the list that registries may read."""

from collections.abc import AsyncIterator

from notifier.services import clusters, hopping_list, hops
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.web.bodies import HopReason
from notifier.web.routes import Download, Reply, Route
from notifier.web.schemas import ClusterPath, ClusterQuery, HopPath, HoppingListQuery, HopQuery
from notifier.web.views.hops import ClusterOut, Clusters, HopOut, HopPage, HoppingListOut

_DECIDE = [Role.REVIEWER]


async def list_hops(ctx: Context, who: Principal, query: HopQuery) -> Reply:
    """Links in your programs, newest first, each with what links the two names and how strong that is."""
    page = await hops.hops(
        ctx,
        who,
        state=query.state,
        program=query.program,
        case_id=query.case_id,
        limit=query.limit,
        cursor=query.cursor,
    )
    return Reply(200, HopPage(items=[HopOut.told(row) for row in page.items], next_cursor=page.next_cursor))


async def get_hop(ctx: Context, who: Principal, path: HopPath) -> Reply:
    """One link, and what people said of it."""
    return Reply(200, HopOut.shown(await hops.show(ctx, who, path.hop_id)))


async def accept_hop(ctx: Context, who: Principal, path: HopPath, body: HopReason) -> Reply:
    """Accept a link: the name gets a case of its own, which has nothing of the one before.

    Where the link has cautions, a second person must agree.
    """
    return Reply(200, HopOut.shown(await hops.accept(ctx, who, path.hop_id, body.reason)))


async def dismiss_hop(ctx: Context, who: Principal, path: HopPath, body: HopReason) -> Reply:
    """Dismiss a link, or take an accepted one back. The name is not proposed again."""
    return Reply(200, HopOut.shown(await hops.dismiss(ctx, who, path.hop_id, body.reason)))


async def list_clusters(ctx: Context, who: Principal, query: ClusterQuery) -> Reply:
    """Names of one actor, by accepted links."""
    found = await clusters.clusters(ctx, who, program=query.program)
    return Reply(200, Clusters(items=[ClusterOut.shown(one) for one in found]))


async def get_cluster(ctx: Context, who: Principal, path: ClusterPath) -> Reply:
    """One cluster, by the id of any of its links."""
    return Reply(200, ClusterOut.shown(await clusters.cluster(ctx, who, path.cluster_id)))


async def get_hopping_list(ctx: Context, who: Principal, query: HoppingListQuery) -> Reply:
    """The hopping list: with a registry's token names under its own endings, where a program shares them with it."""
    page = await hopping_list.entries(ctx, who, program=query.program, limit=query.limit, cursor=query.cursor)
    return Reply(200, HoppingListOut.shown(page))


async def get_hopping_list_csv(ctx: Context, who: Principal, query: ClusterQuery) -> Download:
    """The whole hopping list as CSV. Each export is logged."""
    text = (await hopping_list.exported_csv(ctx, who, program=query.program)).encode()
    return Download("hopping-list.csv", _once(text), len(text))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


ROUTES = [
    Route("GET", "/hops", list_hops, "List links between names", {200: HopPage}, roles=hops.SEE),
    Route("GET", "/hops/{hop_id}", get_hop, "Show a link", {200: HopOut}, roles=hops.SEE),
    Route(
        "POST",
        "/hops/{hop_id}/accept",
        accept_hop,
        "Accept a link",
        {200: HopOut},
        roles=_DECIDE,
        problems=[409],
    ),
    Route("POST", "/hops/{hop_id}/dismiss", dismiss_hop, "Dismiss a link", {200: HopOut}, roles=_DECIDE),
    Route("GET", "/clusters", list_clusters, "List clusters", {200: Clusters}, roles=hops.SEE, problems=[404]),
    Route("GET", "/clusters/{cluster_id}", get_cluster, "Show a cluster", {200: ClusterOut}, roles=hops.SEE),
    Route(
        "GET",
        "/hopping-list",
        get_hopping_list,
        "The hopping list",
        {200: HoppingListOut},
        roles=hopping_list.READ,
        problems=[404],
    ),
    Route(
        "GET",
        "/hopping-list/csv",
        get_hopping_list_csv,
        "The hopping list as CSV",
        {200: Download},
        roles=hopping_list.READ,
        problems=[404],
    ),
]
