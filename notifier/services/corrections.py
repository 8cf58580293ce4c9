"""The correction ledger: what was done to names and had to be lifted, why, and for how long. Public, and nameless."""

from notifier.services.access import Scope
from notifier.services.context import Context
from notifier.services.paging import Page, Query, read_page

_SELECT = (
    "select k.id, k.program, k.measure, k.cause, k.corrected_at, k.held_since, k.restored_at, k.hosts, "
    "extract(epoch from k.restored_at - k.held_since)::bigint as held_seconds from correction k"
)


async def corrections(ctx: Context, *, limit: int = 50, cursor: str | None = None) -> Page:
    """Newest first."""
    return await read_page(ctx, Query(Scope("true", ())), _SELECT, "k.corrected_at", "k.id", limit, cursor)
