"""The accuracy ledger: who was how often right, and which organisations are on probation under a program's bound.

Probation follows from the counts each time a case is judged; nobody sets or lifts it, so it ends when they recover.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from notifier.domain.accuracy import Accuracy, Counts, accuracy, on_probation
from notifier.domain.program import Program
from notifier.errors import Invalid, NotFound
from notifier.services import access, counted, grants
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.counted import CountedPage
from notifier.store import accuracy as store
from notifier.store.database import Connection, Tx

_SUBSTANTIVE = ("accepted", "rejected", "out_of_scope", "error", "overturned")
# What a number of the ledger can be asked for; `decided` is what accuracy is of.
FATES: Mapping[str, Sequence[str]] = {
    **{fate: (fate,) for fate in (*_SUBSTANTIVE, "clerical")},
    "decided": _SUBSTANTIVE,
}
_EVER = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Line:
    """One organisation or reviewer in one program. `probation` None: the program sets no bound."""

    name: str
    program: str
    counts: Counts
    accuracy: Accuracy
    probation: bool | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """`reviewers` None: not for this reader's eyes."""

    as_of: datetime
    since: datetime | None
    organisations: Sequence[Line]
    reviewers: Sequence[Line] | None


async def ledger(
    ctx: Context, who: Principal, *, program: str | None = None, since: datetime | None = None, reviewers: bool = True
) -> Ledger:
    """Counts of what was decided since, in the programs that the reader's organisation owns.

    Evaluators see organisations, and no reviewer; without `reviewers` nobody does, which is quicker. Raises NotFound for a
    program outside the scope.
    """
    access.require(who, Role.REVIEWER, Role.EVALUATOR, Role.ADMIN)
    owned = [p for p in ctx.owned_by(who.organisation) if who.programs is None or p in who.programs]
    if program is not None:
        if program not in owned:
            raise NotFound(f"no program {program!r}", code="unknown_program")
        owned = [program]
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con, con.transaction(isolation="repeatable_read", readonly=True):
        ours = await store.of_organisations(con, owned, since or _EVER)
        told = reviewers and who.role is not Role.EVALUATOR
        people = {} if not told else await store.of_reviewers(con, owned, since or _EVER)
        below = {(name, one) for one in owned for name in await _below(con, ctx.program(one), now, None)}
    bound = {one: ctx.program(one).accuracy for one in owned}
    organisations = [
        Line(name, one, counts, accuracy(counts), None if bound[one] is None else (name, one) in below)
        for (name, one), counts in sorted(ours.items())
    ]
    judged = [
        # A reviewer who rejects is not wrong by that: only what they let through and was taken back is held against them.
        Line(name, one, counts, accuracy(replace(counts, rejected=0, out_of_scope=0)))
        for (name, one), counts in sorted(people.items())
    ]
    return Ledger(now, since, organisations, judged if told else None)


async def cases(
    ctx: Context,
    who: Principal,
    program: str,
    organisation: str,
    fate: str,
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> CountedPage:
    """The cases behind a number of the ledger: of one organisation in one program, by what became of them.

    Raises NotFound for a program outside the scope, Invalid for a fate that is none of FATES.
    """
    access.require(who, Role.REVIEWER, Role.EVALUATOR, Role.ADMIN)
    if fate not in FATES:
        raise Invalid(f"fate is one of {', '.join(FATES)}")
    if program not in ctx.owned_by(who.organisation) or (who.programs is not None and program not in who.programs):
        raise NotFound(f"no program {program!r}", code="unknown_program")
    at, offset = counted.begin(None, limit, cursor)
    as_of = at or await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        named = (await grants.programs_seen(ctx, con, who, as_of)).get(program, False)
        n, rows = await store.behind(con, program, _EVER, organisation, FATES[fate], limit, offset)
        return await counted.of_rows(ctx, con, as_of, {program: named}, fate, n, rows, offset + limit)


async def is_on_probation(ctx: Context, tx: Tx, program_id: str, organisation: str) -> bool:
    """Whether an organisation's accuracy is below the program's bound now."""
    return bool(await _below(tx.con, ctx.program(program_id), tx.now, [organisation]))


async def reasons(ctx: Context, tx: Tx, case_id: str, program: Program) -> tuple[str, ...]:
    """A sentence for each organisation on probation among the case's reporters. The numbers are in the ledger:
    in here they would change with every other case, and void approvals."""
    if program.accuracy is None:
        return ()
    rows = await tx.con.fetch(
        "select distinct organisation from report where case_id = $1 and code is null order by 1", case_id
    )
    below = await _below(tx.con, program, tx.now, [row["organisation"] for row in rows])
    return tuple(
        f"reports of {name or 'the house itself'} are on probation: too few of its cases held up "
        f"(bound {program.accuracy.minimum:.0%}); they are not taken as urgent"
        for name in below
    )


async def _below(con: Connection, program: Program, now: datetime, only: Sequence[str] | None) -> list[str]:
    bound = program.accuracy
    if bound is None:
        return []
    counted = await store.of_organisations(con, [program.id], now - bound.window, only)
    return sorted(name for (name, _), counts in counted.items() if on_probation(counts, bound))
