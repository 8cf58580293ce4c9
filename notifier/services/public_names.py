"""Domain names that a program shows the public: of ended cases alone, where a look of the last days found the name as it
was left.

Whoever reads the list again and again must not learn from it that somebody looks into a name. So another case, an alarm,
a hold or an authority that investigates keeps a name from coming to the list, which is decided once a day, and never
takes off what stands there: it says nothing new by staying. What takes it off, at once and for good, is known outside
or protects its registrant: an appeal, a mistake, what was given back, a name that is back or has somebody new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

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


async def batches(con: Connection, program: Program, now: datetime) -> list[Batch]:
    """The names that may be read now, by the day on which they came, newest first; a day of which none is left is told as
    such."""
    if program.transparency.names == "none":
        return []
    found = []
    for row in await store.by_day(con, program.id, program.transparency.as_of(now), now - FRESH):
        on = row["listed_on"]
        names = [Shown(n["name"], n["outcome"], date.fromisoformat(n["ended_on"]), on) for n in row["names"]]
        found.append(Batch(on, names, row["gone"], max(on, row["changed_on"] or on)))
    return found


async def refresh(ctx: Context, program: Program) -> None:
    """Take off what must go, and look at what is shown and at what may be. Once a day.

    Three looks of four are for names on the list, so that these stay fresh; what one side does not need the other has.
    """
    before = program.transparency.as_of(await ctx.db.clock.now())
    async with ctx.db.pool.acquire() as con:
        gone = await store.fallen(con, program.id, before)
    for case_id in gone:
        await _take_off(ctx, case_id)
    async with ctx.db.pool.acquire() as con:
        listed = await store.to_look_at(con, program.id, before, LOOKS_A_DAY, listed=True)
        waiting = await store.to_look_at(con, program.id, before, LOOKS_A_DAY, listed=False)
    again = listed[: max(LOOKS_A_DAY * 3 // 4, LOOKS_A_DAY - len(waiting))]
    for case_id in [*again, *waiting[: LOOKS_A_DAY - len(again)]]:
        await _look_at(ctx, case_id, before)


async def _look_at(ctx: Context, case_id: str, ended_before: datetime) -> None:
    """A name that is investigated is looked at as any other, so that it does not grow old on the list."""
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, case_id)
    if case is None:
        return
    seen = await look(ctx, case.target)
    stands = as_it_was_left(case, seen)
    async with ctx.db.transaction(DAEMON) as tx:
        await deconfliction.guard(tx)
        await store.note_look(tx.con, case_id, tx.now)
        if stands is False:
            await _removed(tx, case_id)
        if not stands or await store.saw_again(tx.con, case_id, seen.at):
            return
        if not await deconfliction.is_listed(tx.con, case.target, tx.now):
            await store.list_name(tx.con, case_id, ended_before, tx.now.date(), seen.at)


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
