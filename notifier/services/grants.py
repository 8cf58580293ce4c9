"""Whose numbers an evaluator or auditor of another organisation may see: given by a program's owner, for a time."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from notifier.errors import Conflict, Invalid, NotFound
from notifier.services import access
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.store import grants as store
from notifier.store.database import AlreadyThere, Connection, Tx
from notifier.store.ids import as_uuid, new_id

_LONGEST = timedelta(days=3 * 366)


async def give(
    ctx: Context,
    who: Principal,
    program_id: str,
    organisation: str,
    until: datetime,
    *,
    names_shown: bool = False,
    small_numbers: bool = False,
    via: str = "api",
) -> Mapping[str, Any]:
    """Let an organisation see a program's numbers until then; with `names_shown` also the domain names behind them, with
    `small_numbers` also those that the program keeps back.

    Raises NotFound for a program that is not the admin's, Invalid for a time that is over or years away, or for names of
    what is kept back, Conflict while a grant to that organisation stands.
    """
    owner = _owned(ctx, who, program_id)
    if names_shown and not small_numbers and ctx.program(program_id).transparency.suppress_below:
        raise Invalid("names_shown: the program keeps small numbers back, so names need `small_numbers` too")
    organisation = organisation.strip()
    if not organisation or organisation == owner:
        raise Invalid("organisation: another organisation than the program's owner")
    async with ctx.db.transaction(who.id, via) as tx:
        if not tx.now < until <= tx.now + _LONGEST:
            raise Invalid("until: a time to come, at most three years away")
        await store.end_past(tx.con, program_id, organisation, who.id, tx.now)
        row = {
            "id": new_id(),
            "program": program_id,
            "owner": owner,
            "organisation": organisation,
            "names_shown": names_shown,
            "small_numbers": small_numbers,
            "until": until,
            "given_by": who.id,
            "given_at": tx.now,
        }
        try:
            await store.insert(tx.con, row)
        except AlreadyThere as there:
            raise Conflict("a grant to that organisation stands; end it before another is given") from there
        await _told(tx, "grant.given", row)
    return {**row, "ended_by": None, "ended_at": None}


async def end(ctx: Context, who: Principal, grant_id: str, *, via: str = "api") -> Mapping[str, Any]:
    """End a grant at once. Ending one that has ended changes nothing. Raises NotFound for one of another owner."""
    access.require(who, Role.ADMIN)
    async with ctx.db.transaction(who.id, via) as tx:
        row = await store.lock(tx.con, grant_id) if as_uuid(grant_id) else None
        if row is None or row["program"] not in _programs(ctx, who):
            raise NotFound(f"no grant {grant_id!r}")
        if row["ended_at"] is None:
            await store.end(tx.con, grant_id, who.id, tx.now)
            row = {**row, "ended_by": who.id, "ended_at": tx.now}
            await _told(tx, "grant.ended", row)
    return row


async def of_program(ctx: Context, who: Principal, program_id: str) -> Sequence[Mapping[str, Any]]:
    """Every grant of a program of the admin's, newest first."""
    _owned(ctx, who, program_id)
    async with ctx.db.pool.acquire() as con:
        return await store.of_programs(con, [program_id])


async def programs_seen(ctx: Context, con: Connection, who: Principal, at: datetime) -> Mapping[str, bool]:
    """Programs whose numbers the principal may see, each with whether it may see domain names."""
    granted = await store.standing(con, who.organisation, at) if who.organisation else {}
    known = {program: names for program, names in granted.items() if program in ctx.catalog.programs}
    return access.programs_counted(who, ctx.owned_by(who.organisation), known)


async def suppress_below(ctx: Context, con: Connection, who: Principal, programs: Collection[str], at: datetime) -> int:
    """The bound below which numbers of these programs are kept back from the principal; 0: none is."""
    return max((await suppressed(ctx, con, who, programs, at)).values(), default=0)


async def suppressed(
    ctx: Context, con: Connection, who: Principal, programs: Collection[str], at: datetime
) -> Mapping[str, int]:
    """That bound of each of these programs: none for staff of its owner, nor for whom a grant says so."""
    owned = ctx.owned_by(who.organisation)
    foreign = [program for program in programs if program not in owned]
    whole = await store.whole(con, who.organisation, at) if foreign else frozenset[str]()
    kept = {one for one in foreign if one not in whole}
    return {one: ctx.program(one).transparency.suppress_below if one in kept else 0 for one in programs}


def _owned(ctx: Context, who: Principal, program_id: str) -> str:
    access.require(who, Role.ADMIN)
    if program_id not in _programs(ctx, who):
        raise NotFound(f"no program {program_id!r}", code="unknown_program")
    return ctx.program(program_id).owner


def _programs(ctx: Context, who: Principal) -> list[str]:
    return [p for p in ctx.owned_by(who.organisation) if who.programs is None or p in who.programs]


async def _told(tx: Tx, tag: str, row: Mapping[str, Any]) -> None:
    detail = {
        "program": row["program"],
        "organisation": row["organisation"],
        "names_shown": row["names_shown"],
        "small_numbers": row["small_numbers"],
        "until": row["until"].isoformat(),
    }
    await tx.audit(tag, str(row["id"]), detail)
