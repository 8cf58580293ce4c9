"""Domain names that a program shows the public: of ended cases alone, where a look of the last days found the name as it
was left. Whatever speaks against one takes it off at once, and for good.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from notifier.domain.case import Case
from notifier.domain.look import Look
from notifier.domain.program import Program
from notifier.services import binding, deconfliction
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.services.looking import look, unsure
from notifier.store import cases as case_store
from notifier.store import publications as store
from notifier.store.database import Connection, Tx

LOOKS_A_DAY: Final = 200  # for each program; registries answer others too
FRESH: Final = timedelta(days=7)  # a name that nobody has looked at for longer is not shown


@dataclass(frozen=True, slots=True)
class Shown:
    """One name, and the day from which on it is shown."""

    name: str
    outcome: str
    ended_on: date
    listed_on: date


@dataclass(frozen=True, slots=True)
class Batch:
    """What came to the list on a day. `gone`: how many of it went again; `updated`: when it last changed."""

    on: date
    names: Sequence[Shown]
    gone: int
    updated: date


async def shown(ctx: Context, con: Connection, program: Program, now: datetime) -> list[Shown]:
    """The names that may be read now, whatever the list says."""
    if program.transparency.names == "none":
        return []
    rows = await store.standing(con, program.id, program.transparency.as_of(now))
    investigated = await _investigated(con, rows, now)
    return [
        Shown(row["name"], row["outcome"], row["ended_on"], row["listed_on"])
        for row in rows
        if row["fits"] and row["seen_at"] > now - FRESH and row["name"] not in investigated
    ]


async def batches(con: Connection, program: Program, names: Sequence[Shown]) -> list[Batch]:
    """These names by the day on which they came, newest first; a day of which none is left is told as such."""
    found = []
    for row in await store.batches(con, program.id) if program.transparency.names != "none" else ():
        on, mine = row["listed_on"], [one for one in names if one.listed_on == row["listed_on"]]
        found.append(Batch(on, mine, row["gone"], max(on, row["changed_on"] or on)))
    return found


async def refresh(ctx: Context, program: Program) -> None:
    """Look at what is shown and at what may be, and take off what must go. Once a day."""
    now = await ctx.db.clock.now()
    before = program.transparency.as_of(now)
    async with ctx.db.pool.acquire() as con:
        rows = await store.standing(con, program.id, before)
        investigated = await _investigated(con, rows, now)
        gone = [str(row["case_id"]) for row in rows if not row["fits"] or row["name"] in investigated]
    for case_id in gone:
        await _take_off(ctx, case_id)
    async with ctx.db.pool.acquire() as con:
        waiting = await store.to_look_at(con, program.id, before, LOOKS_A_DAY)
    for case_id in waiting:
        await _look_at(ctx, case_id, now)


async def _look_at(ctx: Context, case_id: str, now: datetime) -> None:
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, case_id)
        if case is None or await deconfliction.is_listed(con, case.target, now):
            return
    seen = await look(ctx, case.target)
    stands = as_it_was_left(case, seen)
    if stands is False:
        await _take_off(ctx, case_id)
    elif stands:
        async with ctx.db.transaction(DAEMON) as tx:
            await store.list_name(tx.con, case_id, tx.now.date(), seen.at)


def as_it_was_left(case: Case, seen: Look) -> bool | None:
    """Whether the name is out of the zone, and in the hands that it was in when somebody was asked; None: nobody knows."""
    if unsure(seen) or case.registration is None:
        return None
    known, found = Look.from_json(case.registration).registration, seen.registration
    same = (known.handle, known.registered_at, known.registrar_name, known.registrar_iana_id, known.registrant_key) == (
        found.handle,
        found.registered_at,
        found.registrar_name,
        found.registrar_iana_id,
        found.registrant_key,
    )
    return found.answer == "found" and same and not binding.succeeded(case, seen) and bool(binding.already_down(seen))


async def _take_off(ctx: Context, case_id: str) -> None:
    async with ctx.db.transaction(DAEMON) as tx:
        await _removed(tx, case_id)


async def _removed(tx: Tx, case_id: str) -> None:
    if await store.remove_name(tx.con, case_id, tx.now.date()):
        await tx.audit("transparency.name_removed", case_id, {})


async def _investigated(con: Connection, rows: Sequence[Mapping[str, Any]], now: datetime) -> frozenset[str]:
    return await deconfliction.listed_of(con, [case_store.target_of(row) for row in rows], now)
