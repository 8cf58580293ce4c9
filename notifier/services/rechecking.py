"""The last look before a request leaves: one that waited for hours may be about another registration by now."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from notifier.domain.blast import Surveyed
from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.events import SendingStopped
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.notice import UNDO, Notice, NoticeState, Purpose
from notifier.domain.outcome import Look
from notifier.domain.rule import Recipient
from notifier.services import assessing, binding, capturing, evaluation, judging, pages, recalling, warming
from notifier.services.access import DAEMON
from notifier.services.capturing import Taken
from notifier.services.context import Context
from notifier.services.looking import look, unsure, what_changed
from notifier.store import cases as case_store
from notifier.store import contacts
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx

_UNSENT = (NoticeState.QUEUED, NoticeState.SENDING)


async def still_right(ctx: Context, notice_id: str) -> bool:
    """Whether a request may leave as far as its target is concerned; looks anew when the last look is too old.

    False: it waits, or never leaves, and why is recorded. Undo notices always may.
    """
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        found = await _unsent(con, notice_id)
        if found is None:
            return True  # nothing to hold back: who sends it sees that
        notice, case = found
        if case.embargo:
            return False
        if await looked_lately(ctx, con, case, now):
            return True
        urls = await pages.reported(con, case)
        due = await capturing.due(ctx, con, case, anew=True)
    seen, around, taken = await asyncio.gather(
        look(ctx, case.target, urls, hosting=case.step is Recipient.HOST, mail=case.step is not Recipient.REGISTRY),
        assessing.survey(ctx, case, unknown_too=False),
        capturing.take(ctx, case, due),
    )
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, notice.case_id)
        found = await _unsent(tx.con, notice_id)
        if locked is None or found is None:
            return True
        if warming.is_kept(ctx.program(locked.program)):
            await notice_store.waited(tx.con, [notice_id])
        if not binding.succeeded(locked, seen) and await assessing.must_wait(ctx, tx, locked, around):
            await tx.add_timer(locked.id, Timer(JobKind.SEND, notice_id, tx.now + warming.again(ctx, locked, seen)))
            return False
        if locked.embargo:
            return False
        await capturing.record(ctx, tx, locked, taken)
        return await _hold_against(ctx, tx, locked, found[0], seen, around, taken)


def asks(case: Case, notice: Notice) -> bool:
    """Whether the case still asks this recipient for what the notice says. To undo is always asked for."""
    return notice.purpose in UNDO or (case.state is CaseState.NOTIFIED and case.agreement == notice.agreement)


async def looked_lately(ctx: Context, con: Connection, case: Case, now: datetime) -> bool:
    """Whether the last look that told anything still holds, and the rules are those that the case was judged by."""
    looked_at = await con.fetchval(
        "select max(at) from observation where case_id = $1 and purpose <> 'look' "
        "and look->'registration'->>'answer' <> 'inconclusive' and look->'delegation'->>'answer' <> 'inconclusive' "
        "and look->'hosting'->>'answer' is distinct from 'inconclusive'",
        case.id,
    )
    program = ctx.program(case.program)
    fresh = looked_at is not None and now - looked_at <= program.windows.recheck_max_age
    return fresh and program.digest == case.program_digest


async def _unsent(con: Connection, notice_id: str) -> tuple[Notice, Case] | None:
    notice = await notice_store.get(con, notice_id)
    if notice is None or notice.purpose in UNDO or notice.state not in _UNSENT:
        return None
    case = await case_store.get(con, notice.case_id)
    return (notice, case) if case is not None and case.state is CaseState.NOTIFIED else None


async def _hold_against(
    ctx: Context, tx: Tx, case: Case, notice: Notice, seen: Look, around: Surveyed | None, taken: Sequence[Taken]
) -> bool:
    known = Look.from_json(case.registration) if case.registration else None
    case, _ = await binding.note_look(ctx, tx, case, seen, "baseline")
    if case.state is not CaseState.NOTIFIED:
        return False  # registered anew
    if unsure(seen):
        await tx.add_timer(case.id, Timer(JobKind.SEND, notice.id, tx.now + warming.again(ctx, case, seen)))
        return False
    verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
    why = "registration changed" if known is None else what_changed(known, seen, case.step)
    if why is None and case.already_down:
        why = "already down"
    if why is None and seen.content is not None and seen.content.answer == "gone":
        why = binding.PAGES_GONE
    if why is None and (pages.changed(seen) or await capturing.replaced(tx.con, case, taken)):
        why = binding.PAGES_REPLACED
    outdated = why is None and await judging.outdated(ctx, tx, case, verdict)
    if outdated:
        why = outdated
    why = why or await assessing.objection(ctx, tx, case, around, seen)
    if why is None:
        return True
    if notice.purpose is Purpose.REMINDER:
        await _drop(tx, case, why)
        return False
    if notice.state is NoticeState.SENDING:  # an attempt was made, or a person has it: it may have arrived
        await binding.take_back(ctx, tx, case, [notice], why, DAEMON)
    else:
        await binding.cancel_queued(tx, [notice])
    amendment = await contacts.amendment_of(tx.con, notice.id)
    case = await tx.save(case.apply(SendingStopped((notice.id,), why, amendment), tx.now))
    if why == binding.PAGES_GONE:
        await binding.look_for_cure(ctx, tx, case)
    if outdated:
        case = await judging.judge(ctx, tx, case, verdict)
    await assessing.weigh_in(ctx, tx, case, around, seen)
    return False


async def _drop(tx: Tx, case: Case, why: str) -> None:
    """What a look shows keeps the reminder here, and no more: its request has left and stands, and so does its clock."""
    await recalling.drop_reminders(tx, case.id, why)
    if why == binding.PAGES_GONE:  # whether it is a cure is looked for without a person
        return
    what = f"the reminder was not sent: {why}; what was asked before still stands. Withdraw it, or wait for its answer"
    await notice_store.open_task(tx.con, "second_look", what, tx.now, case_id=case.id)
