"""From approval to the recipient: the re-check right before, intent before act, and what came of the attempt.

A crash between the recipient's acceptance and our record leaves an attempt `started`. Taken up again it is sent once
more only by a channel that is idempotent under the same key; otherwise it is `uncertain` and a person decides.
"""

from dataclasses import replace
from datetime import timedelta

import structlog

from notifier.adapter import Deferred, Receipt, RefusedForGood, RegistryAdapter, RenderedNotice, Uncertain
from notifier.domain.case import Case, CaseState
from notifier.domain.events import (
    ApprovalVoided,
    Dispatched,
    EpochChanged,
    Job,
    JobKind,
    TargetObserved,
    Timer,
    WentStale,
)
from notifier.domain.notice import Notice, NoticeState, Purpose
from notifier.domain.outcome import Look
from notifier.services import agreements, drafting, evaluation, outcomes
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.services.looking import look, same_object
from notifier.services.responses import undeliverable
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Tx
from notifier.store.ids import new_id

log = structlog.get_logger(__name__)

_LOOK_AGAIN = timedelta(minutes=5)
_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=4)
_UNDO = frozenset({Purpose.WITHDRAWAL, Purpose.RESTORE})


async def check(ctx: Context, case_id: str) -> None:
    """The first look at a target: binds the registration epoch. Asked again later when it told nothing."""
    case = await _read(ctx, case_id)
    if case is None or case.state not in _BEFORE_SENDING:
        return
    seen = await look(ctx, case.target)
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        if locked is None or locked.state not in _BEFORE_SENDING:
            return
        await _note_look(ctx, tx, locked, seen, "check")


_BEFORE_SENDING = frozenset({CaseState.RECEIVED, CaseState.NEEDS_EVIDENCE, CaseState.IN_REVIEW, CaseState.APPROVED})


async def _note_look(ctx: Context, tx: Tx, case: Case, seen: Look, purpose: str) -> tuple[Case, str]:
    """Record a look; a new registration object supersedes the case; an unknown answer asks again, and decides nothing."""
    observation_id = new_id()
    await notice_store.insert_observation(tx.con, observation_id, case.id, purpose, seen.to_json(), tx.now)
    epoch = seen.registration.epoch
    if case.epoch and epoch and epoch != case.epoch:
        await cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
        return await tx.save(case.apply(EpochChanged(case.epoch, epoch), tx.now)), observation_id
    # Before sending, half a look must not replace the whole one that the approved notice speaks of.
    half = purpose == "baseline" and seen.delegation.answer == "inconclusive"
    if seen.registration.answer == "inconclusive" or half:
        await tx.audit("target.not_observed", case.reference, {"observation": observation_id}, case.id)
        if purpose == "check":
            await tx.add_timer(case.id, Timer(JobKind.CHECK, case.id, tx.now + _again(seen)))
        return case, observation_id
    event = TargetObserved(observation_id, epoch, already_down(seen), seen.to_json())
    return await tx.save(case.apply(event, tx.now)), observation_id


def already_down(seen: Look) -> bool | None:
    """Whether the name was out of the zone when we looked; None when the zone's servers told nothing."""
    return {"absent": True, "delegated": False, "residual": True}.get(seen.delegation.answer)


def _again(seen: Look) -> timedelta:
    asked = seen.registration.retry_after
    return max(_LOOK_AGAIN, timedelta(seconds=asked)) if asked else _LOOK_AGAIN


async def dispatch(ctx: Context, case_id: str) -> None:
    """The window is over: look once more, hold everything against what was approved, and only then let it go."""
    case = await _read(ctx, case_id)
    if case is None or case.state is not CaseState.APPROVED or case.agreement is None:
        return
    if not await agreements.is_armed(ctx, case.agreement):
        log.info("dispatch.unarmed", case=case.reference, agreement=case.agreement)
        return  # arming queues this job again
    async with ctx.db.pool.acquire() as con:
        urls = await outcomes.sample_urls(con, case_id)
    seen = await look(ctx, case.target, urls)  # with the pages, so that a later cure can be told from an earlier one
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        if locked is None or locked.state is not CaseState.APPROVED or locked.agreement is None:
            return
        if await tx.con.fetchval(
            "select exists (select 1 from timer where case_id = $1 and kind = $2 and due_at > $3 "
            "and fired_at is null and cancelled_at is null)",
            case_id,
            str(JobKind.DISPATCH),
            tx.now,
        ):
            return  # approved anew in the meantime: its own window is still open
        await _dispatch_locked(ctx, tx, locked, seen)


async def _dispatch_locked(ctx: Context, tx: Tx, case: Case, seen: Look) -> None:
    unknown = seen.registration.answer == "inconclusive" or seen.delegation.answer == "inconclusive"
    known = Look.from_json(case.registration) if case.registration else None
    case, baseline_id = await _note_look(ctx, tx, case, seen, "baseline")
    if case.state is not CaseState.APPROVED:
        return
    queued = await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED)
    if unknown:  # fail closed: it waits, and is looked at again
        await tx.add_timer(case.id, Timer(JobKind.DISPATCH, case.id, tx.now + _again(seen)))
        return
    verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
    void: str | None = None
    if known is None or not same_object(known, seen):
        void = "registration changed"
    elif case.already_down:
        void = "already down"
    elif not verdict.sufficient:
        failed = tuple(f.rule for f in verdict.findings if f.result != "pass")
        await cancel_queued(tx, queued)
        await tx.save(case.apply(WentStale(failed), tx.now))
        return
    else:
        drafts = await drafting.draft(ctx, tx.con, replace(case, registration=known.to_json()))
        if drafting.digest_of(drafts) != case.approved_digest:
            void = "digest changed"
    if void:
        await cancel_queued(tx, queued)
        await tx.save(case.apply(ApprovalVoided(void), tx.now))
        return
    clock_ends = agreements.answer_due(ctx, case.agreement or "", tx.now)
    event = Dispatched(baseline_id, tuple(n.id for n in queued), clock_ends)
    await tx.save(case.apply(event, tx.now))


async def cancel_queued(tx: Tx, queued: list[Notice]) -> None:
    """Notices that have not left never will."""
    for notice in queued:
        await notice_store.save(tx.con, notice.apply("cancelled", tx.now))
        await tx.audit("notice.cancelled", notice.id, {}, notice.case_id)


# --- sending ------------------------------------------------------------------------------------------------------


async def send(ctx: Context, notice_id: str) -> None:
    """One attempt: tx A records the intent, the adapter acts, tx B records what came of it."""
    started = await _start(ctx, notice_id)
    if started is None:
        return
    notice, attempt, adapter = started
    content = drafting.thaw(await ctx.db.fetchval("select content from notice where id = $1", notice_id))
    try:
        receipt = await _call(ctx, adapter, notice, content)
    except Deferred as deferred:
        await _deferred(ctx, notice, attempt, deferred)
    except RefusedForGood as refused:
        async with ctx.db.transaction(DAEMON) as tx:
            await _lock_case(tx, notice)
            await notice_store.finish_attempt(tx.con, notice.id, attempt, tx.now, "refused", detail=refused.reason)
            current = await notice_store.get(tx.con, notice.id) or notice
            event = "refused" if current.state is NoticeState.SENDING else "bounced"
            await undeliverable(tx, current, refused.reason, event)
    except Uncertain as uncertain:
        await _lost_sight(ctx, notice, attempt, uncertain.reason)
    else:
        async with ctx.db.transaction(DAEMON) as tx:
            await _lock_case(tx, notice)
            current = await notice_store.get(tx.con, notice.id) or notice
            await notice_store.finish_attempt(
                tx.con, notice.id, attempt, tx.now, "accepted", receipt.reference, receipt.detail
            )
            if current.state in (NoticeState.SENDING, NoticeState.UNCERTAIN):
                await notice_store.save(tx.con, current.apply("accepted", tx.now))
                await notice_store.end_uncertain(tx.con, notice.id, DAEMON, tx.now, "the acceptance came after all")
            await tx.audit(
                "notice.sent",
                notice.id,
                {
                    "attempt": attempt,
                    "digest": notice.digest,
                    "reference": receipt.reference,
                    "key": notice.send_key,
                },
                notice.case_id,
            )


async def _start(ctx: Context, notice_id: str) -> tuple[Notice, int, RegistryAdapter] | None:
    async with ctx.db.transaction(DAEMON) as tx:
        notice = await notice_store.get(tx.con, notice_id)
        if notice is None:
            return None
        case = await _lock_case(tx, notice)
        notice = await notice_store.get(tx.con, notice_id)
        if notice is None or notice.state not in (NoticeState.QUEUED, NoticeState.SENDING):
            return None
        if case.state is not CaseState.NOTIFIED and notice.purpose not in _UNDO:
            return None  # withdrawn or superseded since
        adapter = ctx.adapters.get(notice.agreement)
        if adapter is None or not await agreements.is_armed(ctx, notice.agreement, tx.con):
            return None  # disarmed since; arming queues it again
        if notice.state is NoticeState.SENDING and not adapter.capabilities.idempotent:
            await _to_person(tx, notice, "the daemon stopped between sending and recording")
            return None
        attempt = await notice_store.start_attempt(tx.con, notice_id, tx.now)
        started = notice.apply("send_started", tx.now)
        await notice_store.save(tx.con, started)
        await tx.audit("notice.send_started", notice.id, {"attempt": attempt, "key": notice.send_key}, case.id)
    return started, attempt, adapter


async def _call(ctx: Context, adapter: RegistryAdapter, notice: Notice, content: RenderedNotice) -> Receipt:
    if notice.purpose not in _UNDO:
        return await adapter.send(content, notice.send_key)
    first = await ctx.db.fetchrow(
        "select a.reference, a.detail, n.send_key from notice n join attempt a on a.notice_id = n.id "
        "where n.id = (select supersedes from notice where id = $1) and a.result in ('accepted', 'started', 'uncertain') "
        "order by a.n desc limit 1",
        notice.id,
    )
    key = first["send_key"] if first else notice.send_key
    receipt = Receipt(True, (first and first["reference"]) or "", "", key)
    return await adapter.withdraw(receipt, content, notice.send_key)


async def _deferred(ctx: Context, notice: Notice, attempt: int, deferred: Deferred) -> None:
    async with ctx.db.transaction(DAEMON) as tx:
        await _lock_case(tx, notice)
        await notice_store.finish_attempt(tx.con, notice.id, attempt, tx.now, "deferred", detail=deferred.reason)
        current = await notice_store.get(tx.con, notice.id) or notice
        if current.state is not NoticeState.SENDING:
            return  # answered or withdrawn while we tried
        await notice_store.save(tx.con, current.apply("deferred", tx.now))
        wait = min(_FIRST_WAIT * 2 ** min(attempt - 1, 10), _LONGEST_WAIT)
        if deferred.retry_after is not None:
            wait = max(wait, timedelta(seconds=deferred.retry_after))
        await tx.add_timer(notice.case_id, Timer(JobKind.SEND, notice.id, tx.now + wait))
        await tx.audit(
            "notice.deferred",
            notice.id,
            {"attempt": attempt, "again_at": (tx.now + wait).isoformat()},
            notice.case_id,
        )


async def _lost_sight(ctx: Context, notice: Notice, attempt: int, why: str) -> None:
    adapter = ctx.adapters[notice.agreement]
    async with ctx.db.transaction(DAEMON) as tx:
        await _lock_case(tx, notice)
        await notice_store.finish_attempt(tx.con, notice.id, attempt, tx.now, "uncertain", detail=why)
        current = await notice_store.get(tx.con, notice.id) or notice
        if current.state is not NoticeState.SENDING:
            return  # answered or withdrawn while we tried
        if adapter.capabilities.idempotent:  # the same key cannot act twice
            await tx.add_timer(notice.case_id, Timer(JobKind.SEND, notice.id, tx.now + _FIRST_WAIT))
            await tx.audit("notice.send_again", notice.id, {"attempt": attempt}, notice.case_id)
        else:
            await _to_person(tx, current, why)


async def _to_person(tx: Tx, notice: Notice, why: str) -> None:
    await notice_store.save(tx.con, notice.apply("lost_sight", tx.now))
    await tx.con.execute(
        "update attempt set result = 'uncertain', finished_at = $2 where notice_id = $1 and result = 'started'",
        notice.id,
        tx.now,
    )
    await notice_store.open_task(
        tx.con,
        "uncertain",
        f"it may have arrived, or not: {why}; ask the recipient, then say sent or not sent",
        tx.now,
        case_id=notice.case_id,
        notice_id=notice.id,
    )
    await tx.audit("notice.uncertain", notice.id, {"key": notice.send_key}, notice.case_id)


async def settle(tx: Tx, notice: Notice, *, arrived: bool) -> None:
    """A person found out whether an uncertain notice arrived: then it was sent, or it is queued under the same key."""
    await notice_store.save(tx.con, notice.apply("accepted" if arrived else "queued", tx.now))
    await tx.audit("notice.settled", notice.id, {"arrived": arrived}, notice.case_id)
    if not arrived:
        await tx.enqueue(Job(JobKind.SEND, notice.id))


async def _read(ctx: Context, case_id: str) -> Case | None:
    async with ctx.db.pool.acquire() as con:
        return await case_store.get(con, case_id)


async def _lock_case(tx: Tx, notice: Notice) -> Case:
    case = await case_store.lock(tx.con, notice.case_id)
    if case is None:
        raise LookupError(f"notice {notice.id} has no case")
    return case
