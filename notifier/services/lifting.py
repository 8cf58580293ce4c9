"""What was wrong is taken back at once, from everyone told, and the name is looked at until it is back."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from notifier.domain.appeal import Appeal, Cause, Outcome
from notifier.domain.case import Case
from notifier.domain.events import BackSeen, Lapsed, Overturned
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.lifting import back_since
from notifier.domain.look import Look
from notifier.domain.notice import LIVE
from notifier.services import binding, outcomes, recalling, slots
from notifier.services.access import DAEMON
from notifier.services.alarming import raise_alarm
from notifier.services.context import Context
from notifier.services.looking import look
from notifier.store import appeals as store
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store import observations
from notifier.store.database import Connection, Tx
from notifier.store.ids import new_id

NOT_RESTORED = "not_restored"  # the alarm about a name that is not back in time
LAPSE = "unanswered"  # the cause of a correction that nobody decided
_OVERTURNED = "an appeal of the registrant was heard, and the request was found to be wrong or to go too far"
_CURED = "the cause of the request is gone, as an appeal of the registrant showed"
_LAPSED = "the registrant challenged the measure, and we did not answer in time"
# RFC 2308 section 5: one to three hours is a sensible limit for what resolvers remember; more than a day is not.
_REMEMBERED, _MOST_REMEMBERED = timedelta(hours=3), timedelta(days=1)
_BACK_WITHIN = timedelta(hours=48)  # zone, caches and all
_WATCHED = timedelta(days=180)
_DAILY = timedelta(days=1)


async def overturn(ctx: Context, tx: Tx, case: Case, appeal: Appeal, outcome: Outcome, cause: Cause, by: str) -> Case:
    """The decision fell: nothing of it leaves any more, and everyone told is told that it is void, or to restore."""
    cured = cause is Cause.CURED
    told = await take_everything_back(ctx, tx, case, _CURED if cured else _OVERTURNED, by, cured=cured)
    await store.insert_correction(tx.con, case.id, appeal.id, case.program, str(case.measure), str(cause), tx.now)
    looks = (tx.now + ctx.program(case.program).windows.watch[0],) if told or case.undo != "none" else ()
    event = Overturned(appeal.id, str(outcome), str(cause), cured, told, looks)
    return await tx.save(case.apply(event, tx.now))


async def lapse(ctx: Context, tx: Tx, case: Case, appeal: Appeal) -> Case:
    """Nobody stood up for what was enforced: it is to be undone, and no person is waited for."""
    told = await take_everything_back(ctx, tx, case, _LAPSED, DAEMON)
    await store.insert_correction(tx.con, case.id, appeal.id, case.program, str(case.measure), LAPSE, tx.now)
    looks = (tx.now + ctx.program(case.program).windows.watch[0],)
    return await tx.save(case.apply(Lapsed(appeal.id, told, looks), tx.now))


async def take_everything_back(ctx: Context, tx: Tx, case: Case, reason: str, by: str, *, cured: bool = False) -> bool:
    """Whether anybody had been told of what is taken back."""
    linked = await binding.linked(tx, case)
    await binding.cancel_queued(tx, await recalling.not_left(tx.con, case.id), reason)
    live = await notice_store.of_case(tx.con, case.id, *LIVE)
    await binding.take_back(ctx, tx, case, live, reason, by, restore=True, cured=cured)
    await binding.take_back_linked(ctx, tx, linked, reason, by, restore=True, cured=cured)
    return bool(live)


async def is_enforced(con: Connection, case_id: str) -> bool:
    """Whether something was done to the name at our request, as far as its recipients say or we saw."""
    found: bool = await con.fetchval(
        "with recursive family (id) as (select $1::uuid union select m.id from cases m join family f on m.merged_into = f.id) "
        "select exists (select from claim where case_id in (select id from family) and measure <> 'restore' and verdict "
        "not in ('contradicted', 'released')) or coalesce((select o.look->'delegation'->>'answer' in ('absent', 'residual') "
        "from observation o where o.case_id = $1 and o.look->'delegation'->>'answer' <> 'inconclusive' "
        "order by o.at desc limit 1), false)",
        case_id,
    )
    return found


# --- until it is back ---------------------------------------------------------------------------------------------


async def look_back(ctx: Context, case_id: str) -> None:
    """Look whether the name is back, whether or not anybody says that it is; a name that is not in time alarms."""
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, case_id)
        asked_at = await store.corrected_at(con, case_id)
    if case is None or asked_at is None or case.undo not in ("requested", "claimed", "verified"):
        return
    if not await slots.turn(ctx, case, case_id, JobKind.LOOK_BACK, routine=False):
        return
    seen = await look(ctx, case.target, charged=True)
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        if locked is None:
            return
        observation_id = new_id()
        await observations.insert(tx.con, observation_id, case_id, "look", seen.to_json(), seen.at)
        before, since = await _looks(tx.con, case_id, asked_at, seen)
        gap = max(ctx.program(case.program).windows.verify_gap, _remembered([before, *since]))
        if (back := back_since(before, since, gap)) is not None:
            await store.restored(tx.con, case_id, back)
            await tx.con.execute(
                "update alarm set closed_by = $3, closed_at = $4 where case_id = $1 and kind = $2 and closed_at is null",
                case_id,
                NOT_RESTORED,
                DAEMON,
                tx.now,
            )
            if locked.undo != "verified":
                observed = await outcomes.release(tx.con, case_id)
                await tx.save(locked.apply(BackSeen(observation_id, observed), tx.now))
            return
        if tx.now >= asked_at + _BACK_WITHIN:
            await alarm(tx, NOT_RESTORED, f"{case.target.name}: we asked to restore it, and it is not back", case_id)
        due = _next(ctx.program(case.program).windows.watch, asked_at, tx.now)
        if due is not None and not await tx.planned(case_id, JobKind.LOOK_BACK):
            await tx.add_timer(case_id, Timer(JobKind.LOOK_BACK, case_id, due))


def _next(watch: Sequence[timedelta], asked_at: datetime, now: datetime) -> datetime | None:
    """As dense as after a claim, then daily; None when the watch is over, and the alarm stays."""
    if now >= asked_at + _WATCHED:
        return None
    return min([at for offset in watch if (at := asked_at + offset) > now] + [now + _DAILY])


async def _looks(con: Connection, case_id: str, asked_at: datetime, seen: Look) -> tuple[Look, list[Look]]:
    """The last look before the undo was asked for that told anything, and those after it; the first of them, if none."""
    rows = await con.fetch(
        "select look, at > $2 as after from observation where case_id = $1 and (at > $2 or id = (select id from observation "
        "where case_id = $1 and at <= $2 and look->'delegation'->>'answer' <> 'inconclusive' order by at desc, id desc limit 1)) "
        "order by at, id",
        case_id,
        asked_at,
    )
    since = [Look.from_json(row["look"]) for row in rows if row["after"]]
    before = [Look.from_json(row["look"]) for row in rows if not row["after"]]
    return (before or since or [seen])[0], since or [seen]


def _remembered(looks: Sequence[Look]) -> timedelta:
    """How long resolvers may still say that there is no such name, by the parent's own word; three hours without it."""
    told = [seconds for look in looks if (seconds := look.delegation.negative_ttl) is not None]
    return min(timedelta(seconds=max(told)), _MOST_REMEMBERED) if told else _REMEMBERED


async def alarm(tx: Tx, kind: str, what: str, case_id: str) -> None:
    """Raise an alarm of a case, once while it is open, and anew a day after it was closed."""
    case = await case_store.get(tx.con, case_id)
    if case is not None:
        await raise_alarm(tx, kind, what, case, case_id, seen_at=tx.now)
