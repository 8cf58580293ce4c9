"""What was made for one channel of an agreement never leaves by another."""

from dataclasses import replace
from typing import Any

from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.events import ApprovalVoided, SendingStopped
from notifier.domain.jobs import URGENT, Job, JobKind
from notifier.domain.notice import ASKING, Notice, NoticeState, Purpose
from notifier.rendering import content_digest
from notifier.services import binding, channels, drafting, recalling
from notifier.services.access import DAEMON
from notifier.services.channels import Channel
from notifier.services.context import Context
from notifier.services.responses import doubtful
from notifier.store import cases as case_store
from notifier.store import contacts
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx

CHANNEL_CHANGED = "channel changed"


async def void_approval(ctx: Context, case: Case) -> bool:
    """Whether an approved case was approved for another channel than stands; then it is reviewed anew."""
    async with ctx.db.pool.acquire() as con:
        if not await _moved(ctx, con, case):
            return False
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case.id)
        if locked is None or locked.state is not CaseState.APPROVED or not await _moved(ctx, tx.con, locked):
            return False
        await binding.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
        await tx.save(locked.apply(ApprovalVoided(CHANNEL_CHANGED), tx.now))
    return True


async def _moved(ctx: Context, con: Connection, case: Case) -> bool:
    for notice in await notice_store.of_case(con, case.id, NoticeState.QUEUED):
        if notice.purpose not in ASKING:
            continue
        there = await channels.of(ctx, con, notice.agreement)
        if there is not None and channels.moved(await notice_store.channel_of(con, notice.id), there):
            return True
    return False


async def stop(ctx: Context, tx: Tx, case: Case, notice: Notice, there: Channel, attempt: Any) -> None:
    """A notice that was about to leave by a channel that it was not made for. The case is locked.

    `attempt`: its newest one, None before the first. A request is reviewed anew, and taken back where it may have
    arrived; what repeats one that stands is dropped. A withdrawal, which asks for less and was approved for no address,
    goes to the one that stands.
    """
    if notice.purpose not in ASKING and await recalling.waits(tx.con, notice):
        notice, attempt = await recalling.put_back(tx, notice, CHANNEL_CHANGED), None
    if notice.purpose is Purpose.REMINDER and notice.state is NoticeState.QUEUED:
        await recalling.drop_reminders(tx, case.id, CHANNEL_CHANGED)
    elif notice.purpose in ASKING:
        if notice.state is NoticeState.SENDING:
            await binding.take_back(ctx, tx, case, [notice], CHANNEL_CHANGED, DAEMON)
        else:
            await binding.cancel_queued(tx, [notice])
        amendment = await contacts.amendment_of(tx.con, notice.id)
        await tx.save(case.apply(SendingStopped((notice.id,), CHANNEL_CHANGED, amendment), tx.now))
    elif notice.purpose is Purpose.REMINDER or (attempt is not None and attempt["result"] != "deferred"):
        await doubtful(tx, notice, "by the old channel")
    else:
        content = drafting.thaw(await notice_store.content(tx.con, notice.id))
        # Whoever was found is written to where it was found, by whatever way our mail goes.
        address = content.recipient_address if there.agreement.for_anybody else there.agreement.recipient_address
        bare = replace(content, recipient_address=address, digest="")
        anew = replace(bare, digest=content_digest(bare))
        channel = there.agreement.channel_digest
        await notice_store.readdress(tx.con, notice.id, drafting.freeze(anew), anew.digest, channel)
        detail = {"digest": anew.digest, "before": notice.digest, "channel": channel}
        await tx.audit("notice.readdressed", notice.id, detail, case.id)
        await tx.enqueue(Job(JobKind.SEND, notice.id, URGENT))
