"""What begins when a notice is known to have arrived: it takes another's place, an undo has its clocks, and a recipient
that can be asked is asked for its answer.
"""

from datetime import datetime, timedelta

import structlog

from notifier.domain.jobs import JobKind, Timer
from notifier.domain.notice import TOLD, UNDO, Notice
from notifier.errors import Invalid
from notifier.services import channels, curing, hop_watch, ladder, watching
from notifier.services.channels import Channel
from notifier.services.context import Context
from notifier.store import notices as notice_store
from notifier.store import polls
from notifier.store.database import Tx

log = structlog.get_logger(__name__)

_ACKNOWLEDGE, _DECIDE = timedelta(days=1), timedelta(days=3)


async def arrived(ctx: Context, tx: Tx, notice: Notice) -> None:
    """Plan what follows, once, however often it is said that it arrived. The case is locked.

    Nothing follows from one that bounced or was replaced before its acceptance was told.
    """
    if notice.state not in TOLD:
        return
    await ladder.takes_the_place(tx, notice)
    await watching.plan(ctx, tx, notice)
    await hop_watch.begin(ctx, tx, notice)
    await curing.plan(ctx, tx, notice)
    if notice.purpose in UNDO and not await _repeats(tx, notice):
        for at in sorted(set(undo_clocks(ctx, notice))):
            await tx.add_timer(notice.case_id, Timer(JobKind.UNDO_CLOCK, notice.id, at))
    there = await went_by(ctx, tx, notice)
    if there is None or there.adapter is None or not there.adapter.capabilities.polls:
        return
    wait = there.agreement.polling.first
    if await polls.begin(tx.con, notice.id, wait, tx.now + wait):
        await tx.add_timer(notice.case_id, Timer(JobKind.POLL, notice.id, tx.now + wait))


def undo_clocks(ctx: Context, undo: Notice) -> tuple[datetime, datetime]:
    """(when an unanswered undo is repeated, when its recipient is held to it), counted from when it was sent.

    An acceptance is recorded whatever becomes of clocks: without an agreement or a calendar there are others.
    """
    start = undo.sent_at or undo.drafted_at
    agreement = ctx.catalog.agreements.get(undo.agreement)
    try:
        if agreement is not None:
            calendars = ctx.catalog.calendars
            decide = agreement.decide.due(start, calendars)
            return min(agreement.acknowledge.due(start, calendars), decide), decide
    except Invalid:
        log.warning("undo.no_clock", agreement=undo.agreement)
    return start + _ACKNOWLEDGE, start + _DECIDE


async def _repeats(tx: Tx, undo: Notice) -> bool:
    before = await notice_store.get(tx.con, undo.supersedes) if undo.supersedes else None
    return before is not None and before.purpose in UNDO


async def went_by(ctx: Context, tx: Tx, notice: Notice) -> Channel | None:
    """The channel that it went by, for as long as that one is heard; None afterwards."""
    meant = await notice_store.channel_of(tx.con, notice.id)
    for there in await channels.hearing(ctx, tx.con, tx.now):
        agreement = there.agreement
        if agreement.id != notice.agreement:
            continue
        # What was queued before channels were kept is taken for the file's.
        if agreement.channel_digest == meant or (meant is None and there.version == channels.FILED):
            return there
    return None
