"""What a statement is about, and whether whoever filed it runs the name: both by jobs, the same for every name.

The record is asked for also where an authority's hold keeps us away from a name's servers: whoever filed asked for this
very look, and a record that is never looked for would tell.
"""

import asyncio
from datetime import timedelta

from notifier.domain.appeal import Appeal, AppealState, Proof, Proven
from notifier.domain.case import Case
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.domain.names import parse
from notifier.domain.safety import Safety, assess
from notifier.errors import Invalid, Refused
from notifier.services import appealing, hearing
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.store import appeals as store
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.appeals import Statement
from notifier.store.database import Tx
from notifier.store.ids import new_id

_PROVED_WITHIN = timedelta(days=30)
_LONGEST_WAIT = timedelta(days=1)
LATE = "appeal"  # the task about what came after a decision


async def prove(ctx: Context, statement_id: str) -> None:
    """Look for the record of a statement, once; and again later, less and less often, for a month."""
    async with ctx.db.pool.acquire() as con:
        made = await store.statement(con, statement_id)
        if made is None or made.name is None or await store.proof_of(con, statement_id):
            return
    shown = await _shows(ctx, made)
    async with ctx.db.transaction(DAEMON) as tx:
        if shown:
            if await store.prove(tx.con, statement_id, Proof.DNS, tx.now):
                await tx.audit("appeal.control_shown", statement_id, {"by": str(Proof.DNS)})
            await tx.enqueue(Job(JobKind.APPEAL_MATCH, statement_id))
            return
        await _again(tx, made)


async def _shows(ctx: Context, made: Statement) -> bool:
    name = made.name or ""
    try:
        zone = parse(name, ctx.catalog.suffixes).registrable
        registration, delegation = await asyncio.gather(ctx.rdap.domain(zone), ctx.dns.delegation(zone))
    except (Refused, Invalid):
        return False
    # A name that is held is not delegated, and its holder can still be heard: the registry says who serves it.
    delegated = delegation.answer == "delegated"
    hosts = delegation.nameservers if delegated else registration.nameservers
    if not hosts:
        return False
    return await ctx.control.shows(name, zone, hosts, appealing.record_value(ctx, made.id))


async def _again(tx: Tx, made: Statement) -> None:
    if tx.now >= made.filed_at + _PROVED_WITHIN:
        return
    planned = await tx.con.fetchval(
        "select exists (select from timer where kind = $1 and ref = $2 and fired_at is null and cancelled_at is null)",
        str(JobKind.APPEAL_PROVE),
        made.id,
    )
    if not planned:
        wait = min(max(tx.now - made.filed_at, appealing.FIRST_PROOF), _LONGEST_WAIT)
        await tx.plan(Timer(JobKind.APPEAL_PROVE, made.id, tx.now + wait))


async def match(ctx: Context, statement_id: str) -> None:
    """Tie a statement to the decisions that it is about, each once; where control was shown, their cases stand still."""
    async with ctx.db.pool.acquire() as con:
        made = await store.statement(con, statement_id)
        if made is None:
            return
        if made.notice_id is not None:
            found = await store.decision_behind(con, made.notice_id)
        elif made.name is not None:
            found = await store.decisions_about(con, made.name, below=_holds_all_below(ctx, made.name))
        else:
            found = []
        about: dict[str, str] = {}
        for case_id, notice_id in found:
            about.setdefault(await store.goes_on_in(con, case_id), notice_id)
    for case_id, notice_id in sorted(about.items()):
        async with ctx.db.transaction(DAEMON) as tx:
            case = await case_store.lock(tx.con, case_id)
            if case is not None:
                await _tie(ctx, tx, case, notice_id, made)


def _holds_all_below(ctx: Context, name: str) -> bool:
    """Whether the holder of a name is the holder of every host of it: not so where strangers share it."""
    try:
        return assess(parse(name, ctx.catalog.suffixes), ctx.catalog.lists).safety is not Safety.REROUTE
    except Refused:
        return False


async def _tie(ctx: Context, tx: Tx, case: Case, notice_id: str, made: Statement) -> None:
    proof = await store.proof_of(tx.con, made.id)
    before = await store.tied(tx.con, case.id, made.id)
    appeal = await store.open_of(tx.con, case.id)
    if appeal is None:
        heard = await store.heard_before(tx.con, case.id, notice_id, proven=proof is not None)
        if heard is not None:
            if before is None:
                await _late(tx, case, heard, made)
            return
        # A stranger's appeal that was decided takes nothing from whoever shows control now; their own ends for good.
        if before is not None and (not proof or await store.ended_for_good(tx.con, before)):
            return
        appeal = Appeal(new_id(), case.id, notice_id, AppealState.FILED, tx.now)
        await store.insert(tx.con, appeal)
        await tx.audit("appeal.opened", appeal.id, {"notice": notice_id}, case.id)
    if await store.add_part(tx.con, appeal.id, made.id, tx.now, late=False):
        await tx.audit("appeal.statement_added", appeal.id, {"statement": made.id}, case.id)
    if proof and appeal.proven_at is None:
        step = appeal.apply(Proven(made.id, proof, hearing.clocks(ctx, case, tx.now)), tx.now)
        await hearing.save(tx, step)
        await hearing.stand_still(tx, case, step.appeal)


async def _late(tx: Tx, case: Case, appeal_id: str, made: Statement) -> None:
    """What comes after the decision is not heard anew by itself, or a case could be stopped for ever; a person reads it."""
    await store.add_part(tx.con, appeal_id, made.id, tx.now, late=True)
    await tx.audit("appeal.statement_added", appeal_id, {"statement": made.id, "late": True}, case.id)
    what = "a statement came in after its appeal was decided: read it, and say whether it changes anything"
    await notice_store.open_task(tx.con, LATE, what, tx.now, case_id=case.id)
