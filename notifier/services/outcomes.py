"""What became of it: a claim is held against our own looks until it is verified, refuted, or past its deadline."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.epp import Measure
from notifier.domain.events import ClockEnded, Judged, WatchEnded
from notifier.domain.jobs import URGENT, JobKind, Timer
from notifier.domain.lifecycle import Phase, drops_on
from notifier.domain.look_pace import spread
from notifier.domain.notice import TOLD
from notifier.domain.outcome import PROVEN, Claim, Judgement, Look, Verdict, judge, summarise
from notifier.domain.program import Program
from notifier.services import binding, holds, ladder, lifecycle, pages, slots, turns, watching
from notifier.services.access import DAEMON
from notifier.services.alarming import raise_alarm
from notifier.services.context import Context
from notifier.services.looking import look
from notifier.store import appeals, contacts, observations
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx
from notifier.store.ids import new_id

_ON_CONTENT = {Measure.CONTENT_REMOVAL}
_DAILY = timedelta(days=1)
# What was seen done, whole or in part, may come undone; what was seen undone at our request, be done again.
_WATCHED = PROVEN | {Verdict.PARTIAL, Verdict.RELEASED}
_RELEASED_FROM = PROVEN | {Verdict.PARTIAL, Verdict.RELAPSED}


async def observe(ctx: Context, claim_id: str) -> None:
    """Look once more for one claim, judge it over every look so far, and plan the next look."""
    row = await ctx.db.fetchrow("select case_id, measure, verdict from claim where id = $1", claim_id)
    if row is None:
        return
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, str(row["case_id"]))
        of_pages = case is not None and row["measure"] in _ON_CONTENT and not case.embargo
        sample = await pages.reported(con, case) if case is not None and of_pages else None
    if case is None or not case.watched:
        return
    # Of what was seen done nobody waits for one more look, unless the matter is urgent.
    routine = Verdict(row["verdict"]) in PROVEN and case.priority < URGENT
    if not await slots.turn(ctx, case, claim_id, JobKind.OBSERVE, routine=routine):
        return
    seen = await look(ctx, case.target, sample, panel=True, charged=True)
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case.id)
        if locked is None or not locked.watched:
            return
        observation = new_id()
        await observations.insert(tx.con, observation, locked.id, "look", seen.to_json(), seen.at, claim_id)
        await watching.compare(ctx, tx, locked, seen, observation)
        await _judge(ctx, tx, locked, claim_id, seen)
        judged = await case_store.get(tx.con, case.id)
        if judged is not None:
            await lifecycle.note(ctx, tx, judged, seen, observation)


async def _judge(ctx: Context, tx: Tx, case: Case, claim_id: str, seen: Look) -> None:
    program = ctx.program(case.program)
    row = await tx.con.fetchrow(
        "select c.*, n.measure as requested, n.queued_at, coalesce(n.sent_at, c.claimed_at) as asked_at, n.approved_by "
        "from claim c "
        "join notice n on n.id = c.notice_id where c.id = $1",
        claim_id,
    )
    if row is None:
        return
    before_this, succeeded = Verdict(row["verdict"]), binding.succeeded(case, seen)
    if succeeded and before_this is not Verdict.PENDING:
        return  # what was seen of the earlier registration stands; the next one ends the case
    requested = Measure(row["requested"])
    before = row["queued_at"] if requested is Measure.RESTORE else row["asked_at"]
    baseline = await _baseline(tx.con, case.id, requested, before)
    if baseline is None:
        raise LookupError(f"claim {claim_id} has no baseline: nothing was sent for it")
    looks = await _looks(tx.con, case.id, claim_id)
    claim = Claim(Measure(row["measure"]), row["actor"], row["claimed_at"], row["effective_at"])
    windows = program.windows
    found = judge(
        requested,
        claim,
        baseline,
        looks,
        verify_gap=windows.cure_gap if claim.measure in _ON_CONTENT else windows.verify_gap,
        deadline=row["deadline"],
        now=tx.now,
    )
    if found.verdict is Verdict.RELAPSED and succeeded:  # after a purge nobody else says so
        why = "the name was purged, and what is there now is another registration"
        found = replace(found, verdict=Verdict.UNVERIFIABLE, outcome="superseded_epoch", actor="none", why=why)
    if row["verdict"] == Verdict.RELEASED:  # seen undone because we asked for it, which is no relapse
        found = replace(found, verdict=Verdict.RELEASED, why=row["why"])
    expires_at = next((e for e in (look.registration.expires_at for look in reversed(looks)) if e is not None), None)
    await tx.con.execute(
        "update claim set verdict = $2, outcome = $3, credited = $4, alarms = $5, why = $6, judged_at = $7, "
        "parent_effective_at = $8, user_effective_at = $9, will_drop_on = $10, "
        "verified_at = coalesce(verified_at, case when $2 = any($11::text[]) then $7::timestamptz end), "
        "relapsed_at = case when $2 <> 'relapsed' then null else coalesce(relapsed_at, $7::timestamptz) end where id = $1",
        claim_id,
        str(found.verdict),
        found.outcome,
        found.actor,
        list(found.alarms),
        found.why,
        tx.now,
        found.effect.parent_at,
        found.effect.user_at,
        drops_on(expires_at),
        [str(verdict) for verdict in PROVEN],
    )
    for cause in found.causes:
        await raise_alarm(
            tx, cause.kind, found.why, case, claim_id, claim_id=claim_id, seen_at=cause.seen_at, expires_at=expires_at
        )
    if requested is Measure.RESTORE and found.verdict in PROVEN:
        await release(tx.con, case.id)
        await appeals.restored(tx.con, case.id, tx.now)
    standing = await _standing(tx.con, case.id)
    final = _is_final(found, row["deadline"], tx.now)
    next_look = _next_look(program, found.verdict, final, row["claimed_at"], row["deadline"], tx.now, claim_id)
    if found.verdict is Verdict.RELAPSED and seen.registration.answer == "inconclusive":
        next_look = tx.now + _DAILY  # how it came undone is still to be seen, as under another registrar
    if case.state is CaseState.CLOSED:  # the watch is over, and a look that somebody asked for does not begin it anew
        next_look = None
    over = case.undo != "none" or case.phase == Phase.PURGED or case.aftermath == "reregistered"
    stands = not over and holds.held(standing)
    hold = holds.begun(program, row["approved_by"], tx.now) if stands else None
    news = found.verdict != row["verdict"] or (hold is None) != (case.review_by is None)
    if news or (final and case.state is CaseState.NOTIFIED):
        notice = await notice_store.get(tx.con, str(row["notice_id"]))
        # What was asked anew after a relapse is answered anew.
        followed = notice is not None and await notice_store.is_followed(tx.con, notice.id)
        current = notice is not None and ladder.is_current(case, notice) and not followed
        # Of an earlier party only an act that was seen ends the turn of who is asked now; that it undid something, never.
        ends = current or (found.verdict in PROVEN and requested is not Measure.RESTORE)
        # A claim that was not done is no end while somebody else can be asked.
        refuted = final and current and found.verdict is Verdict.CONTRADICTED and case.state is CaseState.NOTIFIED
        rung = await turns.next_rung(ctx, tx, case, over=True) if refuted else None
        event = Judged(
            claim_id,
            found.verdict,
            _summary(standing),
            found.outcome,
            found.actor,
            final,
            found.why,
            next_look,
            undoes=requested is Measure.RESTORE,
            last=ends and rung is None,
            hold=hold,
            reopens=await _no_other(tx.con, case),
        )
        was_held = case.review_by is not None
        case = await tx.save(case.apply(event, tx.now))
        if was_held and case.review_by is None:
            await holds.ended(tx, case)
        if rung is not None:
            await ladder.escalate(ctx, tx, case, str(row["notice_id"]), "not_done")
    elif next_look:  # nothing new was seen, so nothing is said; only the next look is planned
        await tx.add_timer(case.id, Timer(JobKind.OBSERVE, claim_id, next_look))
    elif case.state is CaseState.RESOLVED and found.verdict in _WATCHED:
        await tx.save(case.apply(WatchEnded(), tx.now))


async def release(con: Connection, case_id: str) -> str:
    """An undo was seen: nothing that was done at our request stands any more. What the case's claims come to now."""
    await con.execute(
        "update claim set verdict = $2, why = $3 where case_id = $1 and measure <> 'restore' and verdict = any($4)",
        case_id,
        str(Verdict.RELEASED),
        "it was taken back, and the name was seen as it was before",
        [str(verdict) for verdict in _RELEASED_FROM],
    )
    return _summary(await _standing(con, case_id))


def _summary(standing: Sequence[tuple[Measure, Verdict]]) -> str:
    """An undo that was seen is no act that stands."""
    undone = {(Measure.RESTORE, verdict) for verdict in PROVEN}
    return summarise(Verdict.RELEASED if each in undone else each[1] for each in standing)


async def _standing(con: Connection, case_id: str) -> list[tuple[Measure, Verdict]]:
    """What is claimed and what we see of it, without what came undone and was asked for anew."""
    rows = await con.fetch(
        "select c.measure, c.verdict from claim c join notice n on n.id = c.notice_id "
        "where c.case_id = $1 and not (c.verdict = 'relapsed' and n.state = 'superseded')",
        case_id,
    )
    return [(Measure(row["measure"]), Verdict(row["verdict"])) for row in rows]


async def _no_other(con: Connection, case: Case) -> bool:
    """Whether no open case is about the name already; there, what is found undone is told by its own notice."""
    there = await case_store.lock_open(con, case.program, case.target.name)
    return there is None or there.id == case.id


def _is_final(found: Judgement, deadline: datetime, now: datetime) -> bool:
    """Whether the case may rest on this. Before the deadline only proof, harm, or a state that stood before may."""
    if found.verdict in PROVEN or found.verdict in (Verdict.CONTRADICTED, Verdict.RELEASED):
        return True
    if found.verdict is Verdict.UNVERIFIABLE and found.outcome is not None:
        return True
    return found.verdict is not Verdict.PENDING and now >= deadline


def _next_look(
    program: Program,
    verdict: Verdict,
    final: bool,
    claimed_at: datetime,
    deadline: datetime,
    now: datetime,
    claim_id: str,
) -> datetime | None:
    """The next planned look: dense after a claim, spread over the watch once it is proven, daily while it is unknown."""
    if final and verdict not in _WATCHED:
        return None
    watch = spread(program.windows.watch, claim_id) if final else program.windows.watch
    planned = [claimed_at + offset for offset in watch]
    if not final:
        planned.append(deadline)
    later = [at for at in planned if at > now]
    if later:
        return min(later)
    return None if final else now + _DAILY


async def _baseline(con: Connection, case_id: str, requested: Measure, before: datetime) -> Look | None:
    """The look taken just before the notice left, and none before a later one; for an undo, whatever was seen last
    before it was asked for."""
    return await observations.baseline(con, case_id, before, any_look=requested is Measure.RESTORE)


async def _looks(con: Connection, case_id: str, claim_id: str) -> list[Look]:
    rows = await con.fetch(
        "select look from observation where case_id = $1 and claim_id = $2 order by at, id", case_id, claim_id
    )
    return [Look.from_json(row["look"]) for row in rows]


async def clock_ended(ctx: Context, case_id: str) -> None:
    """The recipient's time is over. What never reached it cannot be its silence, and what came late has its whole time."""
    async with ctx.db.transaction(DAEMON) as tx:
        case = await case_store.lock(tx.con, case_id)
        if case is None or case.state is not CaseState.NOTIFIED or case.appeal_open:
            return  # the end of an appeal asks again
        asked = await ladder.asking(tx, case)
        told = [n for n in asked if n.state in TOLD]
        if await contacts.question(tx.con, case_id, case.agreement or ""):
            return  # asked while this job waited: the clock stands till we have answered
        if told and told[-1].response == "action_claimed":
            return  # the claim's own deadline counts
        if not told or told[-1].id != asked[-1].id:  # the amended notice has not arrived yet
            await tx.add_timer(case_id, Timer(JobKind.CLOCK_ENDED, case_id, tx.now + _DAILY))
            return
        due = await ladder.answer_due(ctx, tx.con, told[-1], told[-1].sent_at or tx.now)
        if due > tx.now:
            await tx.add_timer(case_id, Timer(JobKind.CLOCK_ENDED, case_id, due))
            return
        if not await ladder.escalate(ctx, tx, case, told[-1].id, "silence"):
            await tx.save(case.apply(ClockEnded(told[-1].id), tx.now))
