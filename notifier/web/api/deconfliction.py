"""Names that an authority investigates. Only a token with the permission `deconflict` reaches anything here."""

from notifier.services import deconfliction
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.deconfliction import EntryIn
from notifier.web.bodies import Deconfliction, Release
from notifier.web.routes import Reply, Route
from notifier.web.schemas import DeconflictionQuery, EntryPath
from notifier.web.views.deconfliction import DeconflictionOut, DeconflictionPage, EntryDetail


async def list_deconfliction(ctx: Context, who: Principal, query: DeconflictionQuery) -> Reply:
    """Your organisation's entries, newest first. Needs the permission `deconflict`."""
    page = await deconfliction.entries(ctx, who, standing=query.standing, limit=query.limit, cursor=query.cursor)
    items = [DeconflictionOut.of(row) for row in page.items]
    return Reply(200, DeconflictionPage(items=items, next_cursor=page.next_cursor))


async def add_deconfliction(ctx: Context, who: Principal, body: Deconfliction) -> Reply:
    """Put a name on the list: its cases wait quietly. The answer names them, and what was sent for them before.

    Needs the permission `deconflict`.
    """
    listed = await deconfliction.add(ctx, who, EntryIn(**dict(body)))
    return Reply(200 if listed.known else 201, EntryDetail.shown(listed))


async def get_deconfliction(ctx: Context, who: Principal, path: EntryPath) -> Reply:
    """One entry and the cases that wait for it. Needs the permission `deconflict`."""
    return Reply(200, EntryDetail.shown(await deconfliction.entry(ctx, who, path.entry_id)))


async def release_deconfliction(ctx: Context, who: Principal, path: EntryPath, body: Release) -> Reply:
    """Take a name off the list: what waited for it is looked at and judged anew, and goes on.

    Needs the permission `deconflict`.
    """
    return Reply(200, EntryDetail.shown(await deconfliction.release(ctx, who, path.entry_id, body.note)))


ROUTES = [
    Route("GET", "/deconfliction", list_deconfliction, "List deconfliction entries", {200: DeconflictionPage}),
    Route(
        "POST",
        "/deconfliction",
        add_deconfliction,
        "Add a deconfliction entry",
        {201: EntryDetail, 200: EntryDetail},
        problems=[422],
    ),
    Route(
        "GET",
        "/deconfliction/{entry_id}",
        get_deconfliction,
        "Show a deconfliction entry",
        {200: EntryDetail},
    ),
    Route(
        "POST",
        "/deconfliction/{entry_id}/release",
        release_deconfliction,
        "Release a deconfliction entry",
        {200: EntryDetail},
    ),
]
