"""The end of a live event: everyone told is asked to restore at that moment, by the daemon alone, and the name is looked at
until it is back.

What was told holds, whatever the event's file says later: a later end is another request, which a person approves. An
earlier end releases earlier, since asking for less waits for nobody.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.epp import Measure
from notifier.domain.events import EventOver, Released, WentStale
from notifier.domain.jobs import URGENT, Job, JobKind, Timer
from notifier.domain.look import Look
from notifier.domain.notice import ASKING, LIVE, Notice, Purpose
from notifier.domain.rules import InEventWindow
from notifier.domain.undoing import Standing, standing, still_shows
from notifier.services import binding, outcomes, recalling
from notifier.services.access import DAEMON
from notifier.services.alarming import raise_alarm
from notifier.services.context import Context
from notifier.services.looking import look
from notifier.store import appeals, observations
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx
from notifier.store.ids import new_id

HELD_PAST_EVENT = "held_past_event"  # the alarm
_DAILY, _WATCHED = timedelta(days=1), timedelta(days=180)


def ends(ctx: Context, notice: Notice) -> datetime:
    """When what a notice asks for is over: as it was told, or earlier if the event ends earlier by now."""
    if notice.hold_until is None:
        raise LookupError(f"notice {notice.id} asks for nothing until an instant")
    event = ctx.catalog.events.get(notice.event or "")
    return notice.hold_until if event is None else min(notice.hold_until, event.ends)


async def take_up(ctx: Context) -> None:
    """When the daemon starts: an event that ends earlier than was told has another moment. What is overdue fires itself."""
    rows = await ctx.db.fetch(
        "select distinct case_id, event from notice n where hold_until is not null and state = any($1) "
        "and not exists (select from notice u where u.supersedes = n.id and u.purpose in ('withdrawal', 'restore') "
        "and u.state <> 'cancelled')",
        [str(state) for state in LIVE],
    )
    for row in rows:
        event = ctx.catalog.events.get(row["event"])
        async with ctx.db.transaction(DAEMON) as tx:
            case = await case_store.lock(tx.con, str(row["case_id"]))
            if case is None:
                continue
            told = [n.hold_until for n in await notice_store.held(tx.con, case.id) if n.hold_until is not None]
            if event is not None and told and event.ends < min(told):
                await tx.add_timer(case.id, Timer(JobKind.EVENT_OVER, case.id, event.ends))


async def over(ctx: Context, case_id: str) -> None:
    """The event is over: what has not left never will, and everyone told is asked to restore. Nobody is waited for."""
    async with ctx.db.transaction(DAEMON) as tx:
        case = await case_store.lock(tx.con, case_id)
        if case is None or (case.state is CaseState.SUPERSEDED and case.merged_into is None):
            return  # registered anew: what was asked for was about the registration before
        held = await notice_store.held(tx.con, case_id)
        due = [n for n in held if ends(ctx, n) <= tx.now]
        later = [n for n in held if n not in due]
        if due:
            await _over(ctx, tx, case, due, last=not any(n.purpose in ASKING for n in later))
        for at in sorted({ends(ctx, n) for n in later}):
            await tx.add_timer(case_id, Timer(JobKind.EVENT_OVER, case_id, at))


async def _over(ctx: Context, tx: Tx, case: Case, due: Sequence[Notice], *, last: bool) -> None:
    until = max(ends(ctx, n) for n in due)
    reason = (
        f"the event was over at {until:%Y-%m-%d %H:%M:%S} UTC, and what we asked for was asked for until then. "
        "If nothing was done, nothing is to be undone"
    )
    ids = {n.id for n in due}
    waiting = [n for n in await recalling.not_left(tx.con, case.id) if n.id in ids]
    await binding.cancel_queued(tx, waiting, reason)
    live = [n for n in await notice_store.of_case(tx.con, case.id, *LIVE) if n.id in ids and n.purpose in ASKING]
    told = [n for n in live if not await notice_store.is_undone(tx.con, n.id)]
    await binding.take_back(ctx, tx, case, told, reason, DAEMON, purpose=Purpose.RESTORE)
    if not told:
        if case.state is CaseState.APPROVED:
            rule = ctx.program(case.program).rule(InEventWindow)
            await tx.save(case.apply(WentStale((rule.id if rule else "event",)), tx.now))
        elif case.state is CaseState.NOTIFIED and waiting and last:
            await tx.save(case.apply(EventOver(due[-1].event or "", False, True, ()), tx.now))
        return
    held = [n for n in told if n.measure == Measure.HOLD]
    looks = _looks(ctx, case, held, until, tx.now) if held else ()
    await tx.save(case.apply(EventOver(told[-1].event or "", True, last, looks), tx.now))
    if held:  # the first look is now: a registry may have done it by itself
        await tx.enqueue(Job(JobKind.SEE_RELEASE, case.id, URGENT))


def _looks(ctx: Context, case: Case, held: Sequence[Notice], until: datetime, now: datetime) -> tuple[datetime, ...]:
    """As dense as after a claim, and exactly when the name must be back."""
    planned = {until + offset for offset in ctx.program(case.program).windows.watch}
    planned |= {n.release_by for n in held if n.release_by is not None}
    return tuple(sorted(at for at in planned if at > now))


# --- until it is back ---------------------------------------------------------------------------------------------


async def see_release(ctx: Context, case_id: str) -> None:
    """Look whether what was held for an event is back; one that is not when it must be alarms until somebody takes it."""
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, case_id)
        held = await _held(con, case_id)
    if case is None or not held or _is_back(case):
        return
    seen = None if case.embargo else await look(ctx, case.target)
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        if locked is None or _is_back(locked):
            return
        if seen is None or locked.embargo:  # nobody looks now
            await _again(tx, locked, tx.now + _DAILY)
            return
        observation = new_id()
        await observations.insert(tx.con, observation, case_id, "look", seen.to_json(), seen.at)
        await _judge(ctx, tx, locked, held, observation)


async def _judge(ctx: Context, tx: Tx, case: Case, held: Sequence[Notice], observation: str) -> None:
    gap = ctx.program(case.program).windows.verify_gap
    found = [await _standing(ctx, tx.con, n, gap) for n in held]
    if not any(was for was, _ in found):
        await _once_more(ctx, tx, case, held, gap, found)
        return  # nobody ever saw it held, and nobody says that it was: there is nothing to be released
    release_by = min(n.release_by for n in held if n.release_by is not None)
    if all(now.settled for was, now in found if was):
        back = max(now.free_since or tx.now for was, now in found if was)
        observed = await outcomes.release(tx.con, case.id)
        await appeals.restored(tx.con, case.id, back)
        await tx.save(case.apply(Released(observation, back <= release_by, observed), tx.now))
        return
    if tx.now >= release_by and not all(now.shown is False for was, now in found if was):
        what = f"{case.target.registrable} was to be held until an event ended, and is not seen back: call whoever was asked"
        await raise_alarm(tx, HELD_PAST_EVENT, what, case, case.reference, seen_at=tx.now)
    await _once_more(ctx, tx, case, held, gap, found)


async def _once_more(
    ctx: Context, tx: Tx, case: Case, held: Sequence[Notice], gap: timedelta, found: Sequence[tuple[bool, Standing]]
) -> None:
    """What looks free is looked at again after the gap; what does not, at the planned moments and then once a day."""
    until = max(ends(ctx, n) for n in held)
    if tx.now >= until + _WATCHED:
        return
    if any(was and now.shown is False for was, now in found):
        await _again(tx, case, tx.now + gap)
    elif any(was for was, _ in found):
        await _again(tx, case, tx.now + _DAILY)


async def _again(tx: Tx, case: Case, at: datetime) -> None:
    """Look again then, unless it is looked at sooner anyway."""
    if not any(sooner <= at for sooner in await tx.planned(case.id, JobKind.SEE_RELEASE)):
        await tx.add_timer(case.id, Timer(JobKind.SEE_RELEASE, case.id, at))


async def _held(con: Connection, case_id: str) -> list[Notice]:
    """What was to take the name out of the zone until an event ended, and reached somebody."""
    found = await notice_store.of_case(con, case_id, *LIVE)
    return [n for n in found if n.hold_until is not None and n.purpose in ASKING and n.measure == Measure.HOLD]


def _is_back(case: Case) -> bool:
    """Whether it was seen back already."""
    return case.undo == "verified" and case.aftermath not in (None, "standing", "relapsed")


async def _standing(ctx: Context, con: Connection, notice: Notice, gap: timedelta) -> tuple[bool, Standing]:
    """(whether it was ever seen or said to be held, what the looks since the end of the event say of it)."""
    sent, until = notice.sent_at or notice.drafted_at, ends(ctx, notice)
    baseline = await observations.baseline(con, notice.case_id, sent)
    rows = await con.fetch(
        "select look from observation where case_id = $1 and at > $2 order by at desc, id desc limit 500",
        notice.case_id,
        sent,
    )
    looks = [Look.from_json(row["look"]) for row in reversed(rows)]
    shown = any(still_shows(Measure.HOLD, notice.party, baseline, one) for one in looks)
    claimed = shown or await notice_store.is_enforced(con, notice.id)
    since = [one for one in looks if one.at >= until]
    return claimed, standing(Measure.HOLD, notice.party, baseline, since, gap)
