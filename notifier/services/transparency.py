"""What the public reads of a program: made once a day for the last day that may be shown, and then only read.

No visitor makes figures be counted or names be looked at: one reads the newest document, and which names of the list may be
read now. What was made of a day stays as it was made; what is shown is the newest that was made under the terms that the
program's file has now, so that a program which takes something back does so at once.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import structlog

from notifier.domain import public_figures
from notifier.domain.definitions import VERSION
from notifier.domain.period import midnight
from notifier.domain.program import Program
from notifier.domain.public_figures import Figures
from notifier.domain.table_rows import told
from notifier.errors import Invalid, NotFound
from notifier.services import appeal_figures, public_names, statistics, summed
from notifier.services.access import DAEMON, Principal, Role
from notifier.services.context import Context
from notifier.services.public_names import Batch, Shown
from notifier.services.statistics import UNITS, Query
from notifier.store import appeal_counts
from notifier.store import publications as store

log = structlog.get_logger(__name__)

_TICK_S = 60.0


@dataclass(frozen=True, slots=True)
class Published:
    """A program and its newest document; None: none was made yet. `made_on`: the day on which it was."""

    program: Program
    document: Mapping[str, Any] | None
    made_on: date | None
    names: Sequence[Shown]
    batches: Sequence[Batch]


def programs(ctx: Context) -> list[Program]:
    """Those whose owner says that they are public."""
    return [program for _, program in sorted(ctx.catalog.programs.items()) if program.transparency.public]


async def days(ctx: Context) -> Mapping[str, date | None]:
    """By public program, the last day of which something is shown."""
    terms = {program.id: program.transparency.terms for program in programs(ctx)}
    async with ctx.db.pool.acquire() as con:
        found = await store.newest_days(con, terms)
    return {program_id: found.get(program_id) for program_id in terms}


def public(ctx: Context, program_id: str) -> Program:
    """Raises NotFound for a program that is not public, the same as for one that is not there."""
    program = next((one for one in programs(ctx) if one.id == program_id), None)
    if program is None:
        raise NotFound("no program of that name is public", code="unknown_program")
    return program


async def published(ctx: Context, program_id: str) -> Published:
    """What is shown of a program now. Raises NotFound for one that is not public, the same as for one that is not there."""
    program = public(ctx, program_id)
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        made = await store.newest(con, program.id, program.transparency.terms)
        if made is None:
            return Published(program, None, None, (), ())
        batches = await public_names.batches(con, program, now)
    names = [one for batch in batches for one in batch.names]
    return Published(program, made["document"], made["made_at"].date(), names, batches)


# --- making ---------------------------------------------------------------------------------------------------------


async def run(ctx: Context, stop: asyncio.Event) -> None:
    """Make what is due until `stop`, which waits for nothing here; the daemon outlives its database."""
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        making = asyncio.create_task(_make_all(ctx))
        await asyncio.wait({making, stopping}, return_when=asyncio.FIRST_COMPLETED)
        making.cancel()  # what is done is not undone by that, and what is half done was not begun
        await asyncio.gather(making, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _TICK_S)
    await stopping


async def _make_all(ctx: Context) -> None:
    for program in programs(ctx):
        try:
            await make(ctx, program)
        except Exception as error:
            log.warning("transparency.not_made", program=program.id, error=repr(error))


async def make(ctx: Context, program: Program) -> bool:
    """Make a program's document of the last day that may be shown; whether there is a new one.

    Of a day without a single case nothing is made.
    """
    told_of, now = program.transparency, await ctx.db.clock.now()
    as_of = told_of.as_of(now)
    day = (as_of - timedelta(days=1)).date()
    async with ctx.db.pool.acquire() as con:
        if not told_of.public or await store.is_made(con, program.id, day, told_of.terms):
            return False
        before = await store.newest(con, program.id, told_of.terms)
    document = await _document(ctx, program, as_of, now)
    if document is None:
        return False
    await public_names.refresh(ctx, program)
    earlier = before["document"]["quarters"] if before else []
    document["quarters"] = public_figures.since(document["quarters"], earlier, now.date().isoformat())
    async with ctx.db.transaction(DAEMON) as tx:
        if not await store.insert(tx.con, program.id, day, told_of.terms, tx.now, document):
            return False
        await tx.audit("transparency.published", program.id, {"day": day.isoformat(), "terms": told_of.terms})
    log.info("transparency.published", program=program.id, day=day.isoformat())
    return True


async def _document(ctx: Context, program: Program, as_of: datetime, now: datetime) -> dict[str, Any] | None:
    told_of = program.transparency
    who = Principal(DAEMON, "service", Role.AUDITOR, programs=frozenset({program.id}))
    found = await _figures(ctx, who, Query(program.id, as_of=as_of), as_of)
    if not found.whole.units:
        return None
    which = appeal_counts.Which([program.id], None, None, None, as_of, of_case=False)
    async with ctx.db.pool.acquire() as con:
        appeals = appeal_figures.told(await appeal_counts.by_outcome(con, which), told_of.suppress_below)
        corrections = await store.corrections(con, program.id, as_of)
    return {
        "program": program.id,
        "name": program.name,
        "owner": program.owner,
        "day": (as_of - timedelta(days=1)).date().isoformat(),
        "made_on": midnight(now).date().isoformat(),
        "delay_days": told_of.delay_days,
        "suppress_below": told_of.suppress_below,
        "definitions": VERSION,
        "unit": UNITS["cohort"],
        "times": "exact" if found.exact else "within a sixteenth",
        "simulated": ctx.settings.simulated,
        "rules": program.digest,
        **await asyncio.to_thread(public_figures.shown, found, as_of, told_of),
        "appeals": {
            "filed": told(appeals.filed),
            **{outcome: told(n) for outcome, n in appeals.by_outcome.items()},
        },
        "corrections": [_correction(row) for row in corrections],
    }


async def _figures(ctx: Context, who: Principal, query: Query, as_of: datetime) -> Figures:
    """From the histories, or where those are too many, from what was added up: then times are within a sixteenth."""
    try:
        _, units = await statistics.with_units(ctx, who, query)
    except Invalid as error:
        if error.code != "too_many_cases" or (found := await summed.public(ctx, who, query)) is None:
            raise
        return found
    return await asyncio.to_thread(public_figures.of_units, units, as_of)


def _correction(row: Mapping[str, Any]) -> dict[str, Any]:
    """One mistake, or what else had to be given back, to the day."""
    since, until = row["held_since"], row["restored_at"]
    return {
        "id": str(row["id"]),
        "on": row["corrected_at"].date().isoformat(),
        "measure": row["measure"],
        "cause": row["cause"],
        "back_on": until.date().isoformat() if until else None,
        "days_gone": (until.date() - since.date()).days + 1 if since and until else None,
        "was_gone": since is not None,
    }
