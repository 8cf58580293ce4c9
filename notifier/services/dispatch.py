"""From approval to the queue of what may leave: the first look, the re-check at the end of the window, and the baseline.

Everything that was approved is held against what is seen now: the registration, the zone, the pages, the evidence's
age, and the very bytes of the notice.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from notifier.domain.blast import Surveyed
from notifier.domain.case import Case
from notifier.domain.case_state import BEFORE_SENDING, CaseState
from notifier.domain.cure import Reported
from notifier.domain.events import ApprovalVoided, Cured, Dispatched, WentStale
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.notice import ASKING, NoticeState
from notifier.domain.outcome import Look
from notifier.domain.rule import Recipient
from notifier.services import (
    agreements,
    assessing,
    binding,
    capturing,
    curing,
    drafting,
    evaluation,
    judging,
    ladder,
    letters,
    moving,
    pages,
    recipients,
    signs,
    warming,
)
from notifier.services.access import DAEMON
from notifier.services.binding import note_look
from notifier.services.capturing import Taken
from notifier.services.context import Context
from notifier.services.looking import look, unsure, what_changed
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Tx

log = structlog.get_logger(__name__)


async def check(ctx: Context, case_id: str) -> None:
    """A look before anybody is asked: binds the registration epoch, and later tells whether the pages are gone for good.

    Asked again later when it told nothing.
    """
    case = await _read(ctx, case_id)
    if case is None or case.state not in BEFORE_SENDING:
        return
    urls: Reported | None = None
    async with ctx.db.pool.acquire() as con:
        if case.review_reason == binding.PAGES_GONE and not case.embargo:
            urls = await pages.reported(con, case)
        due = await capturing.due(ctx, con, case)
    seen, around, taken = await asyncio.gather(
        look(ctx, case.target, urls, hosting=recipients.seeks_host(ctx, case), mail=recipients.seeks_mail(ctx, case)),
        assessing.survey(ctx, case),
        capturing.take(ctx, case, due),
    )
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        if locked is None or locked.state not in BEFORE_SENDING:
            return
        if not locked.embargo:
            await capturing.record(ctx, tx, locked, taken)
        locked, observation_id = await note_look(ctx, tx, locked, seen, "check")
        await signs.keep_look(ctx, tx, locked)
        locked = await assessing.weigh_in(ctx, tx, locked, around, seen)
        joined = await letters.join(tx, locked)
        locked = await judging.judge_again(ctx, tx, joined, came_in=joined.rev != locked.rev)
        await ladder.seek_contact(ctx, tx, locked)
        if urls and locked.state in BEFORE_SENDING and seen.content and seen.content.answer in ("gone", "inconclusive"):
            await _gone(ctx, tx, locked, observation_id)


async def dispatch(ctx: Context, case_id: str) -> None:
    """The window is over: look once more, hold everything against what was approved, and only then let it go."""
    case = await _read(ctx, case_id)
    if case is None or case.state is not CaseState.APPROVED or case.agreement is None or case.embargo:
        return
    if case.appeal_open:
        return  # its end queues this job again
    if await moving.void_approval(ctx, case):
        return
    if not await agreements.is_armed(ctx, case.agreement) or await agreements.suspended(ctx, case.agreement):
        log.info("dispatch.stopped", case=case.reference, agreement=case.agreement)
        return  # arming and resuming queue this job again
    async with ctx.db.pool.acquire() as con:
        warm = await warming.ready(ctx, con, case)
        urls = await pages.reported(con, case)
        due = await capturing.due(ctx, con, case, anew=True)
    around: Surveyed | None = None
    taken: Sequence[Taken] = ()
    if warm is not None:
        seen = warm
    else:  # with the pages, so that a later cure can be told from an earlier one
        seen, around, taken = await asyncio.gather(
            look(ctx, case.target, urls, hosting=case.step is Recipient.HOST, mail=case.step is not Recipient.REGISTRY),
            assessing.survey(ctx, case, unknown_too=False),
            capturing.take(ctx, case, due),
        )
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        if locked is None or locked.state is not CaseState.APPROVED or locked.agreement is None or locked.embargo:
            return
        if locked.appeal_open:
            return
        if any(at > tx.now for at in await tx.planned(case_id, JobKind.DISPATCH)):
            return  # approved anew in the meantime: its own window is still open
        if not await agreements.may_leave(ctx, tx.con, locked.agreement, undo=False):
            return  # stopped while we looked
        await capturing.record(ctx, tx, locked, taken)
        if warm is None and warming.is_kept(ctx.program(locked.program)):
            queued = await notice_store.of_case(tx.con, case_id, NoticeState.QUEUED)
            await notice_store.waited(tx.con, [n.id for n in queued if n.purpose in ASKING])
        await _dispatch_locked(ctx, tx, locked, seen, around, taken)


async def at_once(ctx: Context, case: Case) -> Case:
    """Let an approved case go by the look that was kept for it; without one it waits for its job. The case afterwards."""
    try:
        async with ctx.db.pool.acquire() as con:
            if await warming.ready(ctx, con, case) is None:
                return case
        await dispatch(ctx, case.id)
        return await _read(ctx, case.id) or case
    except Exception as error:  # the approval stands, and its job lets it go
        log.warning("dispatch.left_to_its_job", case=case.reference, error=repr(error))
        return case


async def _dispatch_locked(
    ctx: Context, tx: Tx, case: Case, seen: Look, around: Surveyed | None, taken: Sequence[Taken]
) -> None:
    unknown = unsure(seen)
    if not binding.succeeded(case, seen) and await assessing.must_wait(ctx, tx, case, around):
        await tx.audit("target.not_measured", case.reference, {}, case.id)
        await tx.add_timer(case.id, Timer(JobKind.DISPATCH, case.id, tx.now + warming.again(ctx, case, seen)))
        return
    known = Look.from_json(case.registration) if case.registration else None
    case, baseline_id = await note_look(ctx, tx, case, seen, "baseline")
    if case.state is not CaseState.APPROVED:
        return
    queued = [n for n in await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED) if n.purpose in ASKING]
    if unknown:  # fail closed: it waits, and is looked at again
        await tx.add_timer(case.id, Timer(JobKind.DISPATCH, case.id, tx.now + warming.again(ctx, case, seen)))
        return
    case = await assessing.weigh_in(ctx, tx, case, around, seen)
    if case.state is not CaseState.APPROVED:  # it is worse than what was approved
        await judging.judge_again(ctx, tx, case)
        return
    verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
    void: str | None = None
    changed = "registration changed" if known is None else what_changed(known, seen, case.step)
    if await judging.unsettled(ctx, tx, case, verdict):
        await judging.judge(ctx, tx, case, verdict)
        return
    if known is None or changed:
        void = changed
    elif case.already_down:
        void = "already down"
    elif seen.content is not None and seen.content.answer == "gone":
        await _gone(ctx, tx, case, baseline_id)
        return
    elif pages.changed(seen) or await capturing.replaced(tx.con, case, taken):
        void = binding.PAGES_REPLACED
    elif not verdict.sufficient:
        failed = tuple(f.rule for f in verdict.findings if f.result != "pass")
        await binding.cancel_queued(tx, queued)
        await tx.save(case.apply(WentStale(failed), tx.now))
        return
    else:
        drafts = await drafting.draft(ctx, tx.con, replace(case, registration=known.to_json()))
        if drafting.digest_of(drafts, case) != case.approved_digest:
            void = "digest changed"
    if void:
        await binding.cancel_queued(tx, queued)
        await tx.save(case.apply(ApprovalVoided(void), tx.now))
        return
    remind_at, clock_ends = await ladder.clocks(ctx, tx.con, queued, tx.now)
    event = Dispatched(baseline_id, tuple(n.id for n in queued), clock_ends, remind_at)
    await tx.save(case.apply(event, tx.now))


async def _gone(ctx: Context, tx: Tx, case: Case, observation_id: str) -> None:
    """The reported pages answer nobody: twice, a day apart, the case is over; until then they are looked at again.

    Whoever was asked before is told then that no more is asked.
    """
    await binding.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
    if await binding.cured(ctx, tx, case):
        if not await binding.somebody_asked(tx, case):
            await tx.save(case.apply(Cured(observation_id), tx.now))
            return
        if await curing.end(ctx, tx, case, observation_id):
            return
    if case.state is CaseState.APPROVED:
        case = await tx.save(case.apply(ApprovalVoided(binding.PAGES_GONE), tx.now))
    await binding.look_for_cure(ctx, tx, case)


async def _read(ctx: Context, case_id: str) -> Case | None:
    async with ctx.db.pool.acquire() as con:
        return await case_store.get(con, case_id)
