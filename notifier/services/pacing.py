"""The pace of one recipient, over all processes: whether it may be written to now, and what each attempt tells of it."""

from datetime import timedelta

from notifier.domain import pace
from notifier.domain.case import Case
from notifier.domain.jobs import URGENT, JobKind, Timer
from notifier.domain.notice import UNDO, Notice
from notifier.services.context import Context
from notifier.store import notices as notice_store
from notifier.store import paces
from notifier.store.database import Tx


async def admitted(ctx: Context, tx: Tx, notice: Notice, case: Case) -> bool:
    """Whether the recipient may be written to now; else it is tried later, each notice at a moment of its own."""
    allowed = ctx.agreement(notice.agreement).pace
    standing = await paces.lock(tx.con, notice.agreement, pace.fresh(allowed, tx.now))
    running = await paces.running(tx.con, notice.agreement, notice.id)
    found = pace.admit(allowed, standing, running, tx.now, undo=notice.purpose in UNDO, urgent=case.priority >= URGENT)
    if isinstance(found, pace.Wait):
        await tx.add_timer(
            case.id, Timer(JobKind.SEND, notice.id, found.until + _apart(notice.id, found.until - tx.now))
        )
        if found.why == "storm" and await paces.storm_is_news(tx.con, notice.agreement, tx.now.date()):
            what = (
                f"more than {allowed.per_day} requests in a day for {notice.agreement}: is that right? "
                "The rest leaves tomorrow; disarm the agreement to stop it"
            )
            await notice_store.open_task(tx.con, "second_look", what, tx.now, case_id=case.id, notice_id=notice.id)
            await tx.audit("agreement.storm", notice.agreement, {"per_day": allowed.per_day})
        return False
    await paces.save(tx.con, notice.agreement, found)
    return True


def _apart(notice_id: str, wait: timedelta) -> timedelta:
    """Up to a tenth of the wait, by the notice's own id: those who waited together do not come back together."""
    share = int(notice_id[-4:], 16) / 0xFFFF
    return timedelta(seconds=wait.total_seconds() * share / 10)


async def reached(ctx: Context, tx: Tx, notice: Notice, *, answered: bool) -> None:
    """What an attempt tells of the channel."""
    allowed = ctx.agreement(notice.agreement).pace
    standing = await paces.lock(tx.con, notice.agreement, pace.fresh(allowed, tx.now))
    after = pace.answered(standing) if answered else pace.failed(standing, tx.now)
    if after != standing:
        await paces.save(tx.con, notice.agreement, after)
    if (after.open_until is None) != (standing.open_until is None):
        await tx.audit("agreement.resting" if after.open_until else "agreement.reached", notice.agreement, {})
