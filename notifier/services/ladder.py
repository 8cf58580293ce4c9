"""The ladder while it is climbed: the clock of each turn, the reminder in it, and whose turn is next when it is over.

Asking the next party is asking for more, so it takes a person, who sees what the one before said. A recipient that asks
for more has its clock stopped, and ours runs.
"""

from collections.abc import Sequence
from datetime import datetime

from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.events import Escalated
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.domain.notice import ASKING, LIVE, TOLD, Notice, NoticeState, Purpose
from notifier.domain.recipient import Nobody
from notifier.services import agreements, channels, drafting, judging, recalling, recipients, turns
from notifier.services.access import DAEMON
from notifier.services.alarming import raise_alarm
from notifier.services.context import Context
from notifier.store import cases as case_store
from notifier.store import contacts
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx

ANSWER_OWED = "answer_owed"  # the alarm about a question that we have not answered


def is_current(case: Case, notice: Notice) -> bool:
    """Whether the notice asks the party whose turn it is; a merged case still holds its last one to its clock."""
    return notice.purpose in ASKING and notice.agreement == case.agreement


async def asking(tx: Tx, case: Case) -> list[Notice]:
    """What asks the party whose turn it is and stands, or is on its way; the newest last."""
    found = await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED, *LIVE)
    return [notice for notice in found if is_current(case, notice)]


async def answer_due(ctx: Context, con: Connection, notice: Notice, start: datetime) -> datetime:
    """When the recipient's time is over: its agreement's, or of an amended notice what was left of it."""
    left = await contacts.remaining(con, notice.id) if notice.purpose is Purpose.AMENDMENT else None
    return agreements.answer_due(ctx, notice.agreement, start) if left is None else start + left


async def clocks(
    ctx: Context, con: Connection, queued: Sequence[Notice], now: datetime
) -> tuple[datetime | None, datetime]:
    """(when an unanswered notice is repeated, when the recipient's time is over), for what leaves now."""
    notice = next(n for n in queued if n.purpose in ASKING)
    agreement = ctx.agreement(notice.agreement)
    ends = await answer_due(ctx, con, notice, now)
    repeat = agreement.acknowledge.due(now, ctx.catalog.calendars) if agreement.reminders else None
    return (repeat if repeat is not None and repeat < ends else None), ends


async def escalate(ctx: Context, tx: Tx, case: Case, notice_id: str, why: str) -> bool:
    """Give the turn to the next party, if there is one and the case still waits for this one; not while an appeal is heard."""
    if case.state is not CaseState.NOTIFIED or case.appeal_open:
        return False
    rung = await turns.next_rung(ctx, tx, case, over=True)
    if rung is None:
        return False
    await recalling.drop_reminders(tx, case.id, "it is another party's turn")
    case = await tx.save(case.apply(Escalated(notice_id, why, rung), tx.now))
    await judging.judge_again(ctx, tx, case)
    return True


async def takes_the_place(tx: Tx, notice: Notice) -> None:
    """An amended notice that arrived stands for those before it, and not a moment earlier."""
    for before in await notice_store.before(tx.con, notice):
        if before.state in TOLD:
            await notice_store.save(tx.con, before.apply("superseded", tx.now))
            await tx.audit("notice.superseded", before.id, {"by": notice.id}, notice.case_id)


async def gives_the_place_back(tx: Tx, notice: Notice) -> None:
    """An amended notice came back, so it never took the place of the one before it: what arrived last stands."""
    arrived = (n for n in await notice_store.before(tx.con, notice) if n.state in (*TOLD, NoticeState.SUPERSEDED))
    last = next(arrived, None)
    if last is not None and last.state is NoticeState.SUPERSEDED:
        await notice_store.save(tx.con, last.apply("reinstated", tx.now))
        await tx.audit("notice.reinstated", last.id, {"by": notice.id}, notice.case_id)


async def seek_contact(ctx: Context, tx: Tx, case: Case) -> None:
    """A turn whose party cannot be reached waits for a person, who is told why; found meanwhile, nobody is asked."""
    if case.state not in (CaseState.NEEDS_EVIDENCE, CaseState.IN_REVIEW) or case.agreement is None:
        return
    found = await recipients.contact(ctx, tx.con, case, ctx.agreement(case.agreement))
    if isinstance(found, Nobody):
        await notice_store.open_task(
            tx.con,
            "no_contact",
            f"the {case.step} cannot be written to: {found.why}. Give a contact, or go on without",
            tx.now,
            case_id=case.id,
        )
        return
    await tx.con.execute(
        "update task set resolved_by = $2, resolved_at = $3, resolution = 'a contact was found' "
        "where case_id = $1 and kind = 'no_contact' and notice_id is null and resolved_at is null",
        case.id,
        DAEMON,
        tx.now,
    )


async def remind(ctx: Context, notice_id: str) -> None:
    """Repeat a request that nobody answered, once, in its thread; what is not there yet is not repeated."""
    async with ctx.db.transaction(DAEMON) as tx:
        case, notice = await _both(tx, notice_id)
        if case is None or notice is None or case.state is not CaseState.NOTIFIED or not is_current(case, notice):
            return
        if case.appeal_open:
            return
        if notice.response not in ("none", "received") or not await _to_be_repeated(ctx, tx, notice):
            return
        item = await drafting.draft_reminder(ctx, tx.con, case, notice, tx.now)
        await drafting.queue(tx, item, notice.approved_by or DAEMON)
        await tx.enqueue(Job(JobKind.SEND, item.notice.id, case.priority))


async def _to_be_repeated(ctx: Context, tx: Tx, notice: Notice) -> bool:
    """Whether its time to acknowledge is over; what left late, or has not left yet, is looked at again then."""
    there = await channels.of(ctx, tx.con, notice.agreement)
    if there is None or (there.agreement.daily is not None and there.adapter and there.adapter.capabilities.tells):
        return False  # what is open is listed once a day instead
    calendars = ctx.catalog.calendars
    if notice.state in (NoticeState.QUEUED, NoticeState.SENDING):
        later = there.agreement.acknowledge.due(tx.now, calendars)
        await tx.add_timer(notice.case_id, Timer(JobKind.REMIND, notice.id, later))
        return False
    if notice.state not in TOLD or notice.sent_at is None:
        return False
    due = there.agreement.acknowledge.due(notice.sent_at, calendars)
    if due >= await answer_due(ctx, tx.con, notice, notice.sent_at):
        return False
    if due > tx.now:
        await tx.add_timer(notice.case_id, Timer(JobKind.REMIND, notice.id, due))
        return False
    return True


async def answer_owed(ctx: Context, notice_id: str) -> None:
    """The recipient asked for more, and we took longer to answer than we give it for a first word."""
    async with ctx.db.transaction(DAEMON) as tx:
        case, notice = await _both(tx, notice_id)
        if case is None or notice is None or case.state is not CaseState.NOTIFIED or notice.response != "needs_info":
            return
        what = (
            f"{notice.domain}: the recipient asked for more and still waits for our answer; its clock stands till then"
        )
        await raise_alarm(tx, ANSWER_OWED, what, case, notice.id)


async def _both(tx: Tx, notice_id: str) -> tuple[Case | None, Notice | None]:
    """The case, locked, and then its notice."""
    case_id = await tx.con.fetchval("select case_id from notice where id = $1", notice_id)
    case = await case_store.lock(tx.con, str(case_id)) if case_id else None
    return case, await notice_store.get(tx.con, notice_id)
