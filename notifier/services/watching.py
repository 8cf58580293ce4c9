"""Looks that no claim asks for: whether a name that was to be locked went down, and whether one that we gave back is up.

The recipient may do the wrong thing and say nothing, or nothing and say nothing.
"""

from datetime import datetime, timedelta

from notifier.domain.alarms import ALARMS
from notifier.domain.case import Case
from notifier.domain.epp import DELETED, HOLD, LOCK, Measure
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.look import Look
from notifier.domain.notice import ASKING, LIVE, TOLD, UNDO, Notice
from notifier.domain.outcome import HOLD_AFTER_WITHDRAWAL
from notifier.domain.readings import WRONG_VERB, is_dark, went_dark
from notifier.domain.safety import is_protected, one_letter_apart
from notifier.services import slots
from notifier.services.access import DAEMON
from notifier.services.alarming import raise_alarm
from notifier.services.context import Context
from notifier.services.looking import look
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store import observations
from notifier.store.database import Tx
from notifier.store.ids import new_id

NEIGHBOUR_CHANGED = ALARMS["neighbour_changed"].kind

_AFTER_A_LOCK = tuple(timedelta(minutes=m) for m in (5, 60, 360)) + tuple(timedelta(days=d) for d in range(1, 31))
_DAILY = timedelta(days=1)
_GIVEN_BACK = timedelta(days=14)  # a hold may come back by itself: a registry's own job sets it again


async def plan(ctx: Context, tx: Tx, notice: Notice) -> None:
    """A notice was accepted: the next look that does not wait for anybody's answer, if it needs any."""
    due = _next(ctx, notice, tx.now, tx.now)
    if due is not None:
        await tx.add_timer(notice.case_id, Timer(JobKind.WATCH, notice.id, due))


def _next(ctx: Context, notice: Notice, sent_at: datetime, now: datetime) -> datetime | None:
    if notice.purpose in UNDO:
        first = sent_at + timedelta(hours=ctx.settings.held_alarm_hours)
        if now < first:
            return first
        return now + _DAILY if now - sent_at < _GIVEN_BACK else None
    if notice.purpose in ASKING and notice.measure == Measure.LOCK:
        return min((sent_at + wait for wait in _AFTER_A_LOCK if sent_at + wait > now), default=None)
    return None


async def watch(ctx: Context, notice_id: str) -> None:
    """Look at a notice's name, without any claim, and tell of harm. What cannot be seen tells nothing."""
    async with ctx.db.pool.acquire() as con:
        notice = await notice_store.get(con, notice_id)
        case = await case_store.get(con, notice.case_id) if notice is not None else None
    if notice is None or case is None or notice.state not in TOLD:
        return
    if case.embargo:  # nobody looks while an authority asks for that; afterwards it is looked at once more
        async with ctx.db.transaction(DAEMON) as tx:
            if await case_store.lock(tx.con, case.id) is not None:
                await tx.add_timer(case.id, Timer(JobKind.WATCH, notice_id, tx.now + _DAILY))
        return
    routine = notice.sent_at is not None and await ctx.db.clock.now() > notice.sent_at + _DAILY
    if not await slots.turn(ctx, case, notice_id, JobKind.WATCH, routine=routine):
        return
    seen = await look(ctx, case.target, panel=notice.purpose in UNDO, charged=True)
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case.id)
        notice = await notice_store.get(tx.con, notice_id)
        if locked is None or notice is None or notice.state not in TOLD:
            return
        if notice.purpose not in UNDO and await notice_store.is_undone(tx.con, notice.id):
            return
        before = await _before(tx, notice)
        if before is None or seen.registration.succeeds(before.registration):
            return
        observation = new_id()
        await observations.insert(tx.con, observation, locked.id, "look", seen.to_json(), seen.at)
        kind = HOLD_AFTER_WITHDRAWAL if notice.purpose in UNDO else WRONG_VERB
        down = went_dark(seen, before)
        if down:
            await raise_alarm(
                tx, kind, _why(seen), locked, notice.id, seen_at=seen.at, expires_at=seen.registration.expires_at
            )
        due = _next(ctx, notice, notice.sent_at or tx.now, tx.now)
        if due is None and down and notice.purpose in UNDO:
            due = tx.now + _DAILY
        if due is not None:
            await tx.add_timer(locked.id, Timer(JobKind.WATCH, notice.id, due))


def _why(seen: Look) -> str:
    statuses = sorted(seen.registration.canonical_statuses & (HOLD | DELETED))
    zone = {"absent": "denies the name", "residual": "keeps only records below it", "delegated": "delegates the name"}
    return (
        f"RDAP says {', '.join(statuses) or 'no hold'}, the parent zone {zone.get(seen.delegation.answer, 'is silent')}"
    )


async def _before(tx: Tx, notice: Notice) -> Look | None:
    """The look just before anybody was asked, for an undo as well."""
    first = notice.supersedes or notice.id
    asked_at = await tx.con.fetchval("select sent_at from notice where id = $1", first)
    return await observations.baseline(tx.con, notice.case_id, asked_at)


# --- names that nobody asked about --------------------------------------------------------------------------------


async def compare(ctx: Context, tx: Tx, case: Case, seen: Look, observation_id: str) -> None:
    """A name that nobody asked about changed since the look before, and it is protected or a letter from a noticed one.

    Its registry may have acted on the wrong name. Call it with the case locked, after the look was recorded.
    """
    if seen.registration.answer != "found" and not is_dark(seen):
        return
    stored = await tx.con.fetchval(
        "select look from observation where case_id = $1 and id <> $2 and look->'registration'->>'answer' = 'found' "
        "and look->'delegation'->>'answer' <> 'inconclusive' order by at desc, id desc limit 1",
        case.id,
        observation_id,
    )
    if stored is None:
        return
    before = Look.from_json(stored)
    if seen.registration.succeeds(before.registration):
        return
    gained = seen.registration.canonical_statuses - before.registration.canonical_statuses
    marks = sorted(gained & (HOLD | DELETED | LOCK))
    if not marks and not went_dark(seen, before):
        return
    name = case.target.registrable
    asked = await tx.con.fetch(
        "select distinct n.domain, n.domain = $1 or c.registrable = $1 as same from notice n join cases c on c.id = n.case_id "
        "where n.state = any($2) and n.purpose = any($3) and abs(length(n.domain) - length($1)) <= 1",
        name,
        [str(state) for state in LIVE],
        [str(purpose) for purpose in ASKING],
    )
    if any(row["same"] for row in asked):
        return
    near = any(one_letter_apart(name, row["domain"]) for row in asked)
    if near or is_protected(name, ctx.catalog.lists):
        what = f"new since {before.at:%Y-%m-%d %H:%M} UTC: {', '.join(marks) or 'no delegation'}; {_why(seen)}"
        await raise_alarm(tx, NEIGHBOUR_CHANGED, what, case, case.reference, seen_at=seen.at)
