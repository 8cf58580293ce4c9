"""Notices that leave together, at the moments that an agreement names. Each is still a message of its own."""

from datetime import timedelta

from notifier.domain.jobs import URGENT, JobKind, Timer
from notifier.domain.notice import NoticeState, Purpose
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.store import cases as case_store

# What we owe the recipient, an answer or an undo, waits for no batch.
_WAIT = frozenset({Purpose.REQUEST, Purpose.REMINDER, Purpose.ESCALATION})
# What was ready at a moment leaves from then on, at the agreed pace; what an hour did not suffice for waits for the next.
OPEN_FOR = timedelta(hours=1)


async def held(ctx: Context, notice_id: str) -> bool:
    """Whether a notice waits for its agreement's next moment, which is planned then."""
    row = await ctx.db.fetchrow(
        "select n.agreement, n.purpose, n.state, n.queued_at, n.case_id, c.priority, c.state as work, c.state_since "
        "from notice n join cases c on c.id = n.case_id where n.id = $1",
        notice_id,
    )
    agreement = ctx.catalog.agreements.get(row["agreement"]) if row else None
    if row is None or agreement is None or agreement.batch is None or row["purpose"] not in _WAIT:
        return False
    # What is `sending` may have arrived: to make sure of that, or to ask a person, is no new message.
    if row["state"] != NoticeState.QUEUED or row["work"] != "notified" or row["priority"] >= URGENT:
        return False
    now, calendars = await ctx.db.clock.now(), ctx.catalog.calendars
    opened = agreement.batch.latest(now, calendars)
    ready = max(row["queued_at"], row["state_since"])
    if ready <= opened and now < opened + OPEN_FOR:
        return False
    async with ctx.db.transaction(DAEMON) as tx:
        await case_store.lock(tx.con, str(row["case_id"]))
        leaves = agreement.batch.after(now, calendars)
        await tx.add_timer(str(row["case_id"]), Timer(JobKind.SEND, notice_id, leaves))
    return True
