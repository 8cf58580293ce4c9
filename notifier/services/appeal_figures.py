"""How many appeals there were and what became of them, as of an instant, each number with the cases behind it.

They stand beside the statistics and not in them: those are made of what was done to cases, these of what was filed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from notifier.domain.figures import KEPT_BACK
from notifier.domain.small_numbers import TOTAL, parts_without
from notifier.errors import Invalid
from notifier.services import counted, grants, small_numbers
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.counted import CountedPage
from notifier.services.statistics import Query
from notifier.store import appeal_counts
from notifier.store.database import Connection

OUTCOMES: Final = ("open", "upheld", "overturned", "partial", "withdrawn")
MISTAKES: Final = ("overturned", "partial")
ALL: Final = "filed"
CELL: Final = "appeals/"


@dataclass(frozen=True, slots=True)
class Appeals:
    """`filed`: all of them; each stands in one of `by_outcome`. `upheld` is our decision, `overturned` the registrant.

    A small number is KEPT_BACK, where the program keeps such back from the reader.
    """

    filed: int
    by_outcome: Mapping[str, int]


async def counts(ctx: Context, who: Principal, query: Query, as_of: datetime) -> Appeals:
    """Appeals in the reader's reach, filed until `as_of`: of a cohort by the opening of their case, of a period by when
    they were filed."""
    async with ctx.db.pool.acquire() as con:
        which, _, below = await _which(ctx, con, who, query, as_of)
        found = await appeal_counts.by_outcome(con, which)
    return told(found, below)


def told(found: Mapping[str, int], below: int) -> Appeals:
    """These counts by outcome, without those that are small.

    What fell is told in any case: each is a correction, which everybody reads, so it could be counted there and subtracted.
    """
    wrong = {outcome: found.get(outcome, 0) for outcome in MISTAKES}
    kept = parts_without({outcome: found.get(outcome, 0) for outcome in OUTCOMES if outcome not in MISTAKES}, below)
    filed = KEPT_BACK if kept[TOTAL] == KEPT_BACK else kept[TOTAL] + sum(wrong.values())
    return Appeals(filed, {outcome: {**kept, **wrong}[outcome] for outcome in OUTCOMES})


async def cases(
    ctx: Context, who: Principal, query: Query, cell: str, *, limit: int = 50, cursor: str | None = None
) -> CountedPage:
    """The cases of the appeals that a number counts; `cell` is `appeals/filed` or `appeals/` and an outcome."""
    outcome = cell.removeprefix(CELL)
    if outcome not in (ALL, *OUTCOMES):
        raise Invalid(f"cell: {cell!r} is none; there are {', '.join(CELL + name for name in (ALL, *OUTCOMES))}")
    at, offset = counted.begin(query.as_of, limit, cursor)
    as_of = at or await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        which, names, below = await _which(ctx, con, who, query, as_of)
        small_numbers.refuse(below, "the cases behind a number")
        found = await appeal_counts.by_outcome(con, which)
        n = sum(found.values()) if outcome == ALL else found.get(outcome, 0)
        rows = await appeal_counts.behind(con, which, None if outcome == ALL else outcome, limit, offset)
        return await counted.of_rows(ctx, con, as_of, names, cell, n, rows, offset + limit)


async def _which(
    ctx: Context, con: Connection, who: Principal, query: Query, as_of: datetime
) -> tuple[appeal_counts.Which, Mapping[str, bool], int]:
    now = await ctx.db.clock.now()
    names = await grants.programs_seen(ctx, con, who, now)
    programs = [program for program in sorted(names) if query.program in (None, program)]
    below = await grants.suppress_below(ctx, con, who, programs, now)
    if below:
        query = small_numbers.narrowed(replace(query, as_of=as_of), programs, now)
    of_case = query.basis == "cohort"
    return appeal_counts.Which(programs, query.registry, query.start, query.end, as_of, of_case), names, below
