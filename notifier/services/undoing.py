"""The clocks of a withdrawal: repeated once when nobody answers, and an alarm while a name is held that nobody wants held.

Whoever did nothing is owed nothing and alarms nobody. Whoever said that it acted, or whose act our looks still show, is
held to the undo until a restore was seen: by a claim that was verified, or by two looks of our own that agree.
"""

from datetime import datetime, timedelta

from notifier.domain.case import Case
from notifier.domain.epp import Measure
from notifier.domain.hostile import one_line
from notifier.domain.jobs import URGENT, Job, JobKind, Timer
from notifier.domain.notice import TOLD, UNDO, Notice
from notifier.domain.outcome import PROVEN, Look
from notifier.domain.undoing import Standing, standing
from notifier.services import arriving, drafting, pages, slots
from notifier.services.access import DAEMON
from notifier.services.alarming import raise_alarm
from notifier.services.context import Context
from notifier.services.looking import look
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store import observations
from notifier.store.database import Connection, Tx, storable
from notifier.store.ids import new_id

UNANSWERED = "undo_unanswered"  # the alarm
_DAILY = timedelta(days=1)


async def undo_clock(ctx: Context, notice_id: str) -> None:
    """Look what became of an undo at its clocks, and once a day for as long as it is owed."""
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        undo = await notice_store.get(con, notice_id)
        case = await case_store.get(con, undo.case_id) if undo is not None else None
        if undo is None or case is None or not _runs(undo):
            return
        sample = await pages.reported(con, case)
    seen = None
    if now >= arriving.undo_clocks(ctx, undo)[1] and not case.embargo:
        if not await slots.turn(ctx, case, notice_id, JobKind.UNDO_CLOCK, routine=False):
            return
        first = await _undone(ctx, undo)
        seen = await look(ctx, case.target, sample if first.measure == Measure.CONTENT_REMOVAL else None, charged=True)
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case.id)
        undo = await notice_store.get(tx.con, notice_id)
        if locked is None or undo is None or not _runs(undo):
            return
        if locked.cured and (await _first(tx.con, undo)).measure == Measure.CONTENT_REMOVAL:
            return  # the pages are gone, and nobody wants them back
        if locked.embargo:  # nothing leaves, and nobody looks
            await _again(tx, locked, undo, tx.now + _DAILY)
            return
        acknowledge, decide = arriving.undo_clocks(ctx, undo)
        if acknowledge <= tx.now and undo.response in ("none", "received"):
            await _repeat(ctx, tx, locked, undo)
        if seen is not None and decide <= tx.now:
            await observations.insert(tx.con, new_id(), locked.id, "look", seen.to_json(), seen.at)
            await _held_to_it(ctx, tx, locked, undo)


def _runs(undo: Notice) -> bool:
    return undo.purpose in UNDO and undo.state in TOLD and undo.sent_at is not None


async def _undone(ctx: Context, undo: Notice) -> Notice:
    async with ctx.db.pool.acquire() as con:
        return await _first(con, undo)


async def _first(con: Connection, undo: Notice) -> Notice:
    """The notice that is taken back."""
    first = await notice_store.get(con, undo.supersedes) if undo.supersedes else None
    if first is None:
        raise LookupError(f"notice {undo.id} takes nothing back")
    return first


async def _repeat(ctx: Context, tx: Tx, case: Case, undo: Notice) -> None:
    """Once, in its thread: nothing in it is new, and asking for less waits for nobody."""
    if await notice_store.is_undone(tx.con, undo.id):  # a notice that takes the undo's place is its repetition
        return
    item = await drafting.draft_undo_again(ctx, tx.con, case, undo, tx.now)
    await drafting.queue(tx, item, DAEMON)
    await tx.enqueue(Job(JobKind.SEND, item.notice.id, URGENT))


async def _held_to_it(ctx: Context, tx: Tx, case: Case, undo: Notice) -> None:
    if await _restored(tx.con, undo):
        return
    first = await _first(tx.con, undo)
    gap = ctx.program(case.program).windows.verify_gap
    found = await _standing(tx.con, undo, first, gap)
    claimed = await _claimed(tx.con, first)
    if found.settled or (found.shown is False and not claimed):
        return
    if found.shown is False:  # it looks undone: one more look says so for good
        await _again(tx, case, undo, tx.now + gap)
        return
    if found.shown or claimed:
        after = await _tell(
            tx, case, undo, first, "our looks still show it" if found.shown else "it said that it did it"
        )
        await _again(tx, case, undo, after)
        return
    await _again(tx, case, undo, tx.now + _DAILY)


async def _restored(con: Connection, undo: Notice) -> bool:
    return bool(
        await con.fetchval(
            "select exists (select from claim where notice_id = $1 and measure = $2 and verdict = any($3))",
            undo.id,
            str(Measure.RESTORE),
            [str(verdict) for verdict in PROVEN],
        )
    )


async def _claimed(con: Connection, first: Notice) -> bool:
    """Whether the party that it went to ever said that it acted on this name, asked by whatever notice of ours."""
    return bool(
        await con.fetchval(
            "select exists (select from claim k join notice n on n.id = k.notice_id join notice f on f.id = $1 "
            "where n.case_id = f.case_id and (n.agreement, n.registry, n.domain) = (f.agreement, f.registry, f.domain) "
            "and k.measure <> $2)",
            first.id,
            str(Measure.RESTORE),
        )
    )


async def _standing(con: Connection, undo: Notice, first: Notice, gap: timedelta) -> Standing:
    """By the looks since it was sent; by those before only where none of these can tell."""
    baseline = await observations.baseline(con, undo.case_id, first.sent_at or undo.drafted_at)
    rows = await con.fetch(
        "select at, look from observation where case_id = $1 and ($2::timestamptz is null or at > $2) "
        "order by at desc, id desc limit 100",
        undo.case_id,
        first.sent_at,
    )
    looks = [Look.from_json(row["look"]) for row in reversed(rows)]
    measure, sent = Measure(first.measure), undo.sent_at or undo.drafted_at
    since = standing(measure, first.party, baseline, [seen for seen in looks if seen.at >= sent], gap)
    if since.shown is not None:
        return since
    earlier = standing(measure, first.party, baseline, looks, gap)
    return Standing(earlier.shown or None, settled=False)  # what it did not show then, it may show by now


async def _tell(tx: Tx, case: Case, undo: Notice, first: Notice, why: str) -> datetime:
    """One open alarm; a day after somebody closed it, it is raised anew. When to look again."""
    closed: datetime | None = await tx.con.fetchval(
        "select max(closed_at) from alarm where kind = $1 and notice_id = $2", UNANSWERED, undo.id
    )
    if closed is not None and closed + _DAILY > tx.now:
        return closed + _DAILY
    name = await tx.con.fetchval("select content->>'recipient_name' from notice where id = $1", undo.id)
    days = (tx.now - (undo.sent_at or tx.now)).days
    what = (
        f"{one_line(name, 200)} ({first.party}) was told {days} days ago that our request about {undo.domain} is "
        f"withdrawn, and no undo of {first.measure} was seen: {why}. Call it"
    )
    await raise_alarm(tx, UNANSWERED, storable(what), case, undo.id, notice_id=undo.id)
    return tx.now + _DAILY


async def _again(tx: Tx, case: Case, undo: Notice, at: datetime) -> None:
    """Look again then, unless another look is planned already."""
    if not await tx.planned(case.id, JobKind.UNDO_CLOCK, undo.id):
        await tx.add_timer(case.id, Timer(JobKind.UNDO_CLOCK, undo.id, at))
