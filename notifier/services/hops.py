"""What people decide about names that may follow one another: see what links them, accept, dismiss, take back.

Accepting opens a case of the name's own, which has nothing of the one before and needs its own evidence and review. It
asks nothing of anybody.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from notifier.domain.case import Case
from notifier.errors import Conflict, Forbidden, Invalid, NotFound
from notifier.services import access, deconfliction, intake
from notifier.services.access import Principal, Role, Scope
from notifier.services.context import Context
from notifier.services.paging import Page, Query, read_page
from notifier.store import hops as store
from notifier.store.database import AlreadyThere, Connection, Tx, storable
from notifier.store.ids import as_uuid

SEE = (Role.REVIEWER, Role.AUDITOR, Role.ADMIN)
HopState = Literal["proposed", "accepted", "dismissed", "retracted"]
_SUMMARY = "Opened for review by a person, since signals link this name to another. What counts is its own evidence."
COLUMNS = (
    "h.id, h.program, h.case_id, c.reference, c.registrable as before, h.name, h.tld, h.registry, h.found_by, h.links, "
    "h.cautions, h.first_seen_at, h.proposed_at, h.state, h.first_accepted_by, h.successor_case, h.decided_at, "
    f"h.retracted_at, s.reference as successor_reference, s.state as successor_state, ({store.GONE}) as gone"
)
FROM = "hop h join cases c on c.id = h.case_id left join cases s on s.id = h.successor_case"


@dataclass(frozen=True, slots=True)
class Shown:
    """A link with everything that people said of it, oldest first."""

    row: Mapping[str, Any]
    decisions: Sequence[Mapping[str, Any]]


def programs_of(ctx: Context, who: Principal) -> list[str]:
    """Programs that the principal's organisation owns, within its token's reach: links tell of every case in one."""
    return [p for p in ctx.owned_by(who.organisation) if who.programs is None or p in who.programs]


async def hops(
    ctx: Context,
    who: Principal,
    *,
    state: HopState | None = None,
    program: str | None = None,
    case_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Links in the programs of the principal's organisation, newest first."""
    access.require(who, *SEE)
    query = Query(Scope("h.program = any($1)", (programs_of(ctx, who),)))
    if state is not None:
        query.where("h.state = {}", state)
    if program is not None:
        query.where("h.program = {}", program)
    if case_id is not None:
        query.where("{} in (h.case_id, h.successor_case)", case_id)
    return await read_page(ctx, query, f"select {COLUMNS} from {FROM}", "h.proposed_at", "h.id", limit, cursor)


async def show(ctx: Context, who: Principal, hop_id: str) -> Shown:
    """One link. Raises NotFound, the same for one of a foreign program."""
    access.require(who, *SEE)
    async with ctx.db.pool.acquire() as con:
        return await _shown(ctx, con, who, hop_id)


async def accept(ctx: Context, who: Principal, hop_id: str, reason: str, *, via: str = "api") -> Shown:
    """Say that the name follows: it gets a case of its own, or keeps the one it has. Accepted already: no change.

    Where the link has cautions, a second person must agree first. Raises Forbidden (`four_eyes`), Conflict, and Refused
    when the name may not be a case.
    """
    try:
        return await _accept(ctx, who, hop_id, reason, via)
    except AlreadyThere:  # its case opened beside us
        return await _accept(ctx, who, hop_id, reason, via)


async def _accept(ctx: Context, who: Principal, hop_id: str, reason: str, via: str) -> Shown:
    reason = _said(reason)
    async with ctx.db.transaction(who.id, via) as tx:
        await deconfliction.guard(tx)
        row = await _lock(ctx, tx, who, hop_id)
        if row["state"] == "accepted":
            return await _shown(ctx, tx.con, who, hop_id)
        if row["state"] != "proposed":
            raise Conflict(f"the link was {row['state']}; that is remembered. Report the name if it must be acted on")
        if (gone := (await _shown(ctx, tx.con, who, hop_id)).row["gone"]) is not None:
            raise Conflict(f"the name's own case is no case any more: {gone}")
        if row["cautions"] and row["first_accepted_by"] is None:
            await store.decide(tx.con, hop_id, "first_accepted", reason, who.id, tx.now, {"first_accepted_by": who.id})
            await tx.audit("hop.first_accepted", hop_id, {"hop": hop_id}, str(row["case_id"]))
            return await _shown(ctx, tx.con, who, hop_id)
        if row["first_accepted_by"] == who.id:
            raise Forbidden("you agreed already; a second look needs another person", code="four_eyes")
        successor = str(row["successor_case"] or (await _opened(ctx, tx, who, row, via)).id)
        changes = {"state": "accepted", "successor_case": successor, "decided_at": tx.now}
        await store.decide(tx.con, hop_id, "accepted", reason, who.id, tx.now, changes)
        told = {"hop": hop_id, "case": successor, "first_seen_at": row["first_seen_at"].isoformat()}
        await tx.audit("hop.accepted", hop_id, told, str(row["case_id"]))
        return await _shown(ctx, tx.con, who, hop_id)


async def _opened(ctx: Context, tx: Tx, who: Principal, row: Mapping[str, Any], via: str) -> Case:
    raw = json.dumps({"program": row["program"], "domain": row["name"], "summary": _SUMMARY}).encode()
    return await intake.open_after(ctx, tx, who, raw, str(row["case_id"]), via)


async def dismiss(ctx: Context, who: Principal, hop_id: str, reason: str, *, via: str = "api") -> Shown:
    """Say that the name does not follow; its name is not proposed again in the program. One that was accepted is taken
    back, and leaves every list. Dismissed already: no change. Its case, if it has one, stays as it is."""
    reason = _said(reason)
    async with ctx.db.transaction(who.id, via) as tx:
        row = await _lock(ctx, tx, who, hop_id)
        if row["state"] == "proposed":
            changes = {"state": "dismissed", "decided_at": tx.now}
            await store.decide(tx.con, hop_id, "dismissed", reason, who.id, tx.now, changes)
            await tx.audit("hop.dismissed", hop_id, {"hop": hop_id}, str(row["case_id"]))
        elif row["state"] == "accepted":
            changes = {"state": "retracted", "retracted_at": tx.now}
            await store.decide(tx.con, hop_id, "retracted", reason, who.id, tx.now, changes)
            await tx.audit("hop.retracted", hop_id, {"hop": hop_id}, str(row["case_id"]))
        return await _shown(ctx, tx.con, who, hop_id)


def _said(reason: str) -> str:
    reason = storable(reason.strip())
    if not reason:
        raise Invalid("reason: say why")
    return reason


async def _lock(ctx: Context, tx: Tx, who: Principal, hop_id: str) -> Mapping[str, Any]:
    """A link, locked for a person who may decide about it."""
    access.require(who, Role.REVIEWER)
    access.require_person(who)
    row = await store.lock(tx.con, hop_id) if as_uuid(hop_id) else None
    if row is None or row["program"] not in programs_of(ctx, who):
        raise NotFound(f"no link {hop_id!r}")
    return row


async def _shown(ctx: Context, con: Connection, who: Principal, hop_id: str) -> Shown:
    row = None
    if as_uuid(hop_id):
        row = await con.fetchrow(
            f"select {COLUMNS} from {FROM} where h.id = $1 and h.program = any($2)", hop_id, programs_of(ctx, who)
        )
    if row is None:
        raise NotFound(f"no link {hop_id!r}")
    return Shown(dict(row), await store.decisions(con, hop_id))
