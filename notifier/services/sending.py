"""One attempt to send a notice: the last look, intent before act, and what came of it.

A crash between the recipient's acceptance and our record leaves an attempt `started`. Taken up again it is sent once
more only by a channel that is idempotent under the same key; otherwise it is `uncertain` and a person decides. From then on
a refusal or a "later" tells of the repeat alone: the notice may have arrived before, and only an acceptance or a person
ends that doubt. What a person carries is handed over instead (`attending`), and stays under way until that person says
what came of it.
"""

from datetime import timedelta
from typing import cast

import structlog

from notifier.adapter import (
    AttendedAdapter,
    Deferred,
    Receipt,
    RefusedForGood,
    RegistryAdapter,
    RenderedNotice,
    Uncertain,
)
from notifier.domain.case import Case
from notifier.domain.jobs import URGENT, Job, JobKind, Timer
from notifier.domain.notice import UNDO, Notice, NoticeState
from notifier.errors import Conflict
from notifier.services import (
    agreements,
    arriving,
    attending,
    batching,
    channels,
    drafting,
    moving,
    pacing,
    recalling,
    rechecking,
    releasing,
)
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.services.responses import doubtful, undeliverable
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Tx

log = structlog.get_logger(__name__)

_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=4)
_TELL_AFTER = 12  # tries put off, a day by the waits above; then a person is told, and again with every twelfth
_SURE_AFTER = 8  # tries under one key of which none was confirmed, two hours; then a person is asked
# An attempt that began longer ago is no longer under way: its process died.
_UNDER_WAY = timedelta(minutes=20)


async def send(ctx: Context, notice_id: str) -> None:
    """One attempt: tx A records the intent, the adapter acts, tx B records what came of it."""
    if await batching.held(ctx, notice_id) or not await rechecking.still_right(ctx, notice_id):
        return
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
            await pacing.reached(ctx, tx, notice, answered=True)
            current = await notice_store.get(tx.con, notice.id) or notice
            if current.state is NoticeState.SENDING and await notice_store.may_have_arrived(tx.con, notice.id):
                await doubtful(
                    tx, current, f"an earlier attempt was never answered, and this one was: {refused.reason}"
                )
                return
            event = "refused" if current.state is NoticeState.SENDING else "bounced"
            await undeliverable(tx, current, refused.reason, event)
    except Uncertain as uncertain:
        await _lost_sight(ctx, adapter, notice, attempt, uncertain.reason)
    else:
        async with ctx.db.transaction(DAEMON) as tx:
            await _lock_case(tx, notice)
            current = await notice_store.get(tx.con, notice.id) or notice
            await notice_store.finish_attempt(
                tx.con, notice.id, attempt, tx.now, "accepted", receipt.reference, receipt.detail
            )
            await pacing.reached(ctx, tx, notice, answered=True)
            if current.state in (NoticeState.SENDING, NoticeState.UNCERTAIN):
                current = current.apply("accepted", tx.now)
                await notice_store.save(tx.con, current)
                await notice_store.end_uncertain(tx.con, notice.id, DAEMON, tx.now, "the acceptance came after all")
            await arriving.arrived(ctx, tx, current)
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
        if case.embargo:
            return None  # its release queues it again
        if case.appeal_open and notice.purpose not in UNDO:
            return None  # and so does the end of the appeal
        if notice.hold_until is not None and tx.now >= releasing.ends(ctx, notice):
            return None  # its event is over: what ends it then cancels this
        stopped = await notice_store.latest_attempt(tx.con, notice.id) if notice.state is NoticeState.SENDING else None
        carried = stopped is not None and stopped["attended"]
        if carried and not await recalling.waits(tx.con, notice):
            return None  # a person carries it, and says what came of it
        may_leave = await agreements.may_leave(ctx, tx.con, notice.agreement, undo=notice.purpose in UNDO)
        there = await channels.of(ctx, tx.con, notice.agreement)
        meant = await notice_store.channel_of(tx.con, notice.id)
        asks = rechecking.asks(case, notice)
        if there is not None and asks and channels.moved(meant, there):
            await moving.stop(ctx, tx, case, notice, there, stopped)
            return None
        if carried:
            return None  # it waits for somebody to take it
        adapter = there.adapter if there is not None else None
        if not asks or adapter is None or not may_leave:
            # Withdrawn, superseded, disarmed or suspended since; arming and resuming take up what is known to wait.
            # Whether an attempt that nobody finished arrived must be asked of a person all the same.
            if stopped is not None and (stopped["result"] == "started" or not asks):
                await doubtful(tx, notice, "the daemon stopped between sending and recording")
            return None
        if stopped is not None and not adapter.capabilities.idempotent:
            await doubtful(tx, notice, "the daemon stopped between sending and recording")
            return None
        # Whoever made them is dead; as attempts under way they would hold a place, and each wait for the other's.
        await notice_store.give_up_attempts(tx.con, notice_id, tx.now)
        if notice.purpose in UNDO and (in_hand := await _under_way(tx, notice)) is not None:
            if not in_hand:  # who carries the first one queues this one, saying what came of it
                await tx.add_timer(case.id, Timer(JobKind.SEND, notice.id, tx.now + _FIRST_WAIT))
            return None
        if not await pacing.admitted(ctx, tx, notice, case):
            return None
        if adapter.capabilities.attended:
            await attending.hand_over(tx, case, notice, cast(AttendedAdapter, adapter))
            return None
        attempt = await notice_store.start_attempt(tx.con, notice_id, tx.now)
        started = notice.apply("send_started", tx.now)
        await notice_store.save(tx.con, started)
        await tx.audit("notice.send_started", notice.id, {"attempt": attempt, "key": notice.send_key}, case.id)
    return started, attempt, adapter


async def _under_way(tx: Tx, undo: Notice) -> bool | None:
    """Whether a person carries at this moment what is to be undone; None when it is not under way.

    Read in the wrong order, the request would stand.
    """
    first = await tx.con.fetchval("select supersedes from notice where id = $1", undo.id)
    latest = await notice_store.latest_attempt(tx.con, str(first)) if first else None
    if latest is None or latest["finished_at"] is not None:
        return None
    carried = bool(latest["attended"])
    return carried if carried or latest["started_at"] > tx.now - _UNDER_WAY else None


async def _call(ctx: Context, adapter: RegistryAdapter, notice: Notice, content: RenderedNotice) -> Receipt:
    """What the channel says. Whatever else it raises than the three failures it owes us tells nothing of arrival."""
    receipt = await _first_receipt(ctx, notice) if notice.purpose in UNDO else None
    try:
        if receipt is None:
            return await adapter.send(content, notice.send_key)
        return await adapter.withdraw(receipt, content, notice.send_key)
    except (Deferred, RefusedForGood, Uncertain):
        raise
    except Exception as error:
        log.exception("channel.failed", notice=notice.id)
        raise Uncertain(f"the channel failed: {type(error).__name__}") from error


async def _first_receipt(ctx: Context, notice: Notice) -> Receipt:
    """What is known of how the notice that this one undoes arrived."""
    first = await ctx.db.fetchrow(
        "select a.reference, a.detail, n.send_key, n.channel = u.channel or (n.channel is null and not exists "
        "(select from channel_version v where v.agreement = n.agreement and v.state = 'effective')) as same "
        # What repeats an undo still undoes the first notice.
        "from notice u left join notice r on r.id = u.supersedes and r.purpose = u.purpose "
        "join notice n on n.id = coalesce(r.supersedes, u.supersedes) join attempt a on a.notice_id = n.id "
        "where u.id = $1 and a.result in ('accepted', 'started', 'uncertain') "
        "order by a.n desc limit 1",
        notice.id,
    )
    key = first["send_key"] if first else notice.send_key
    # Another channel's reference names nothing here, or something else.
    reference = first["reference"] if first and first["same"] else None
    return Receipt(True, reference or "", "", key)


async def _deferred(ctx: Context, notice: Notice, attempt: int, deferred: Deferred) -> None:
    async with ctx.db.transaction(DAEMON) as tx:
        case = await _lock_case(tx, notice)
        await notice_store.finish_attempt(tx.con, notice.id, attempt, tx.now, "deferred", detail=deferred.reason)
        await pacing.reached(ctx, tx, notice, answered=deferred.retry_after is not None)
        current = await notice_store.get(tx.con, notice.id) or notice
        if current.state is not NoticeState.SENDING:
            return  # answered or withdrawn while we tried
        if await notice_store.may_have_arrived(tx.con, notice.id):
            # It stays `sending`: one that waits in the queue counts as one that nobody has.
            if not rechecking.asks(case, current):
                await doubtful(
                    tx, current, f"an earlier attempt was never answered, and this one was: {deferred.reason}"
                )
                return
        else:
            current = current.apply("deferred", tx.now)
            if not rechecking.asks(case, current):
                await notice_store.save(tx.con, current.apply("cancelled", tx.now))
                await tx.audit("notice.cancelled", notice.id, {}, notice.case_id)
                return
            await notice_store.save(tx.con, current)
        wait = _later(attempt)
        if deferred.retry_after is not None:
            wait = max(wait, timedelta(seconds=deferred.retry_after))
        await tx.add_timer(notice.case_id, Timer(JobKind.SEND, notice.id, tx.now + wait))
        if attempt % _TELL_AFTER == 0:
            why = f"the recipient puts the notice off, {attempt} times so far: {deferred.reason}"
            await notice_store.open_task(tx.con, "no_contact", why, tx.now, case_id=notice.case_id, notice_id=notice.id)
        await tx.audit(
            "notice.deferred",
            notice.id,
            {"attempt": attempt, "again_at": (tx.now + wait).isoformat()},
            notice.case_id,
        )


def _later(attempt: int) -> timedelta:
    """How long to wait after so many attempts: twice as long each time."""
    return min(_FIRST_WAIT * (1 << min(attempt - 1, 10)), _LONGEST_WAIT)


async def _lost_sight(ctx: Context, adapter: RegistryAdapter, notice: Notice, attempt: int, why: str) -> None:
    async with ctx.db.transaction(DAEMON) as tx:
        await _lock_case(tx, notice)
        await notice_store.finish_attempt(tx.con, notice.id, attempt, tx.now, "uncertain", detail=why)
        await pacing.reached(ctx, tx, notice, answered=False)
        current = await notice_store.get(tx.con, notice.id) or notice
        if current.state is not NoticeState.SENDING:
            return  # answered or withdrawn while we tried
        if adapter.capabilities.idempotent and attempt % _SURE_AFTER:  # the same key cannot act twice
            wait = _later(attempt % _SURE_AFTER)
            await tx.add_timer(notice.case_id, Timer(JobKind.SEND, notice.id, tx.now + wait))
            await tx.audit("notice.send_again", notice.id, {"attempt": attempt}, notice.case_id)
        else:
            await doubtful(tx, current, why)


async def settle(ctx: Context, tx: Tx, notice: Notice, *, arrived: bool) -> None:
    """A person found out whether an uncertain notice arrived: then it was sent, or it is queued under the same key.

    What the case does not ask for any more is not sent again. Raises Conflict (`under_way`) while an attempt whose end
    nobody saw may still be at it: its process may live, and what is sent beside it would be sent twice.
    """
    case = await _lock_case(tx, notice)
    latest = None if arrived else await notice_store.latest_attempt(tx.con, notice.id)
    if latest is not None and latest["detail"] is None and latest["started_at"] > tx.now - _UNDER_WAY:
        over = latest["started_at"] + _UNDER_WAY
        raise Conflict(f"an attempt may still be under way; say so again after {over:%H:%M} UTC", code="under_way")
    again = not arrived and rechecking.asks(case, notice)
    event = "accepted" if arrived else "queued" if again else "cancelled"
    notice = notice.apply(event, tx.now)
    await notice_store.save(tx.con, notice)
    if arrived:
        await arriving.arrived(ctx, tx, notice)
    await tx.audit("notice.settled", notice.id, {"arrived": arrived}, notice.case_id)
    if again:
        priority = URGENT if notice.purpose in UNDO else case.priority
        await tx.enqueue(Job(JobKind.SEND, notice.id, priority))


async def _lock_case(tx: Tx, notice: Notice) -> Case:
    case = await case_store.lock(tx.con, notice.case_id)
    if case is None:
        raise LookupError(f"notice {notice.id} has no case")
    return case
