"""The hopping list: names under a registry's own endings that follow names of the same actor, for its own review.

A program shares it only where its file says so, and with whom. It asks for nothing and names nobody: no reporter, no
staff, no registrant, no name of another registry. Who was told of a name that no longer belongs there is told that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.domain.hopping import WORDS, Kind
from notifier.domain.table_rows import Cell, csv_text
from notifier.errors import NotFound
from notifier.services import access, hops
from notifier.services.access import Principal, Role, Scope
from notifier.services.context import Context
from notifier.services.paging import MAX_PAGE, Query, read_page
from notifier.store import hops as store

READ = (Role.REGISTRY, *hops.SEE)
COLUMNS = ("name", "program", "state", "first_seen_at", "listed_at", "linked_by", "removed_at", "removed_why")
_REMOVED_AT = f"case when ({store.GONE}) is not null then coalesce(h.retracted_at, s.closed_at, s.state_since) end"
_WHOLE = (
    f"select h.id, h.name, h.program, h.first_seen_at, h.decided_at, h.links, ({store.GONE}) as gone, "
    f"{_REMOVED_AT} as removed_at from {hops.FROM}"
)
_WAS_TOLD = (
    f"(({store.GONE}) is null or exists (select from hop_reading r where r.registry = {{}} and r.program = h.program "
    f"and r.at >= h.decided_at and r.at <= {_REMOVED_AT}))"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One name. `removed_at`: it is a tombstone, and says nothing of what it once was linked by."""

    name: str
    program: str
    first_seen_at: datetime | None
    listed_at: datetime
    linked_by: Sequence[str]
    removed_at: datetime | None
    removed_why: str

    @property
    def state(self) -> str:
        return "listed" if self.removed_at is None else "removed"


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries, newest first, and the cursor of the next page."""

    as_of: datetime
    simulated: bool
    items: Sequence[Entry]
    next_cursor: str | None


async def entries(
    ctx: Context,
    who: Principal,
    *,
    program: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    via: str = "api",
) -> EntryPage:
    """A page of the list: a registry's token sees names under its own endings, in the programs that share with it; staff
    see all of their own programs. Raises NotFound for a program that is not shared with the reader.
    """
    access.require(who, *READ)
    programs = _programs(ctx, who)
    if program is not None:
        if program not in programs:
            raise NotFound(f"no hopping list of {program!r}", code="unknown_program")
        programs = [program]
    query = Query(
        Scope(f"h.program = any($1) and h.state in ('accepted', 'retracted') and {store.UNHELD}", (programs,))
    )
    if who.role is Role.REGISTRY:
        query.where("h.registry = {}", who.registry)
        query.where(_WAS_TOLD, who.registry)
    page = await read_page(ctx, query, _WHOLE, "h.decided_at", "h.id", limit, cursor)
    async with ctx.db.transaction(who.id, via) as tx:
        if who.role is Role.REGISTRY and who.registry is not None:
            await store.note_reading(tx.con, who.registry, programs, tx.now)
        return EntryPage(tx.now, ctx.settings.simulated, [_entry(row) for row in page.items], page.next_cursor)


async def exported_csv(ctx: Context, who: Principal, *, program: str | None = None, via: str = "api") -> str:
    """The whole list as CSV that no spreadsheet runs. Who took it away is in the log."""
    found: list[Entry] = []
    cursor: str | None = None
    while True:
        page = await entries(ctx, who, program=program, limit=MAX_PAGE, cursor=cursor, via=via)
        found += page.items
        if (cursor := page.next_cursor) is None:
            break
    async with ctx.db.transaction(who.id, via) as tx:
        await tx.audit("hopping_list.exported", program or "all", {"names": len(found)})
    return csv_text(COLUMNS, (_row(entry) for entry in found))


def _programs(ctx: Context, who: Principal) -> list[str]:
    if who.role is not Role.REGISTRY:
        return hops.programs_of(ctx, who)
    shared = [p.id for p in ctx.catalog.programs.values() if who.registry in p.hops_to]
    return sorted(p for p in shared if who.programs is None or p in who.programs)


def _entry(row: Mapping[str, Any]) -> Entry:
    gone = row["removed_at"] is not None
    kinds = [Kind(one["kind"]) for one in row["links"]["shared"] if one["strength"] > 0]
    return Entry(
        row["name"],
        row["program"],
        None if gone else row["first_seen_at"],
        row["decided_at"],
        [] if gone else [WORDS[kind] for kind in dict.fromkeys(kinds)],
        row["removed_at"],
        row["gone"] or "",
    )


def _row(entry: Entry) -> dict[str, Cell]:
    return {
        "name": entry.name,
        "program": entry.program,
        "state": entry.state,
        "first_seen_at": entry.first_seen_at.isoformat() if entry.first_seen_at else None,
        "listed_at": entry.listed_at.isoformat(),
        "linked_by": "; ".join(entry.linked_by),
        "removed_at": entry.removed_at.isoformat() if entry.removed_at else None,
        "removed_why": entry.removed_why,
    }
