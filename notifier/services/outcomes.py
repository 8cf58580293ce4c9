"""What became of it: a claim is held against our own looks until it is verified, refuted, or past its deadline."""

from datetime import datetime, timedelta

from notifier.domain.case import HEARD, PROVEN, Case, CaseState, summarise
from notifier.domain.epp import Measure
from notifier.domain.events import ClockEnded, JobKind, Judged, Timer, WatchEnded
from notifier.domain.notice import TOLD
from notifier.domain.outcome import Claim, Judgement, Look, Verdict, judge
from notifier.domain.program import Program
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.services.looking import look
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx
from notifier.store.ids import new_id

_ON_CONTENT = {Measure.CONTENT_REMOVAL}
_DAILY = timedelta(days=1)
_SAMPLE = 10


async def observe(ctx: Context, claim_id: str) -> None:
    """Look once more for one claim, judge it over every look so far, and plan the next look."""
    row = await ctx.db.fetchrow("select case_id, measure from claim where id = $1", claim_id)
    if row is None:
        return
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, str(row["case_id"]))
        urls = await sample_urls(con, str(row["case_id"])) if row["measure"] in _ON_CONTENT else []
    if case is None or case.state not in HEARD:
        return
    seen = await look(ctx, case.target, urls)
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case.id)
        if locked is None or locked.state not in HEARD:
            return
        await notice_store.insert_observation(tx.con, new_id(), locked.id, "look", seen.to_json(), seen.at, claim_id)
        await _judge(ctx, tx, locked, claim_id)


async def _judge(ctx: Context, tx: Tx, case: Case, claim_id: str) -> None:
    program = ctx.program(case.program)
    row = await tx.con.fetchrow(
        "select c.*, n.measure as requested, n.queued_at from claim c join notice n on n.id = c.notice_id where c.id = $1",
        claim_id,
    )
    if row is None:
        return
    requested = Measure(row["requested"])
    baseline = await _baseline(tx.con, case.id, requested, row["queued_at"])
    if baseline is None:
        raise LookupError(f"claim {claim_id} has no baseline: nothing was sent for it")
    looks = await _looks(tx.con, claim_id)
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
    await tx.con.execute(
        "update claim set verdict = $2, outcome = $3, credited = $4, alarms = $5, why = $6, judged_at = $7 where id = $1",
        claim_id,
        str(found.verdict),
        found.outcome,
        found.actor,
        list(found.alarms),
        found.why,
        tx.now,
    )
    for alarm in found.alarms:
        if await notice_store.raise_alarm(tx.con, alarm, found.why, tx.now, case.id, claim_id):
            await tx.audit("alarm.raised", claim_id, {"kind": alarm}, case.id)
    rows = await tx.con.fetch("select verdict from claim where case_id = $1", case.id)
    final = _is_final(found, row["deadline"], tx.now)
    next_look = _next_look(program, found.verdict, final, row["claimed_at"], row["deadline"], tx.now)
    if found.verdict != row["verdict"] or (final and case.state is CaseState.NOTIFIED):
        event = Judged(
            claim_id,
            found.verdict,
            summarise(Verdict(r["verdict"]) for r in rows),
            found.outcome,
            found.actor,
            final,
            found.why,
            next_look,
            undoes=requested is Measure.RESTORE,
        )
        await tx.save(case.apply(event, tx.now))
    elif next_look:  # nothing new was seen, so nothing is said; only the next look is planned
        await tx.add_timer(case.id, Timer(JobKind.OBSERVE, claim_id, next_look))
    elif case.state is CaseState.RESOLVED and found.verdict in PROVEN:
        await tx.save(case.apply(WatchEnded(), tx.now))


def _is_final(found: Judgement, deadline: datetime, now: datetime) -> bool:
    """Whether the case may rest on this. Before the deadline only proof, harm, or a state that stood before may."""
    if found.verdict in PROVEN or found.verdict is Verdict.CONTRADICTED:
        return True
    if found.verdict is Verdict.UNVERIFIABLE and found.outcome is not None:
        return True
    return found.verdict is not Verdict.PENDING and now >= deadline


def _next_look(
    program: Program, verdict: Verdict, final: bool, claimed_at: datetime, deadline: datetime, now: datetime
) -> datetime | None:
    """The next planned look: dense after a claim, spread over the watch once it is proven, daily while it is unknown."""
    if final and verdict not in PROVEN:
        return None

    planned = [claimed_at + offset for offset in program.windows.watch]
    if not final:
        planned.append(deadline)
    later = [at for at in planned if at > now]
    if later:
        return min(later)
    return None if final else now + _DAILY


async def sample_urls(con: Connection, case_id: str) -> list[str]:
    """The reported addresses, at most ten, oldest report first; the name's front page when none was given."""
    rows = await con.fetch(
        "select distinct on (url) url, received_at from report, unnest(urls) url where case_id = $1 and code is null",
        case_id,
    )
    urls = [row["url"] for row in sorted(rows, key=lambda r: (r["received_at"], r["url"]))][:_SAMPLE]
    if urls:
        return urls
    target = await con.fetchval("select target from cases where id = $1", case_id)
    return [f"http://{target}/"]


async def _baseline(con: Connection, case_id: str, requested: Measure, queued_at: datetime) -> Look | None:
    """The look taken just before the notice left; for an undo, whatever was seen last before it was asked for."""
    stored = await con.fetchval(
        "select look from observation where case_id = $1 and (purpose = 'baseline' or ($2 and at <= $3)) "
        "order by at desc limit 1",
        case_id,
        requested is Measure.RESTORE,
        queued_at,
    )
    return Look.from_json(stored) if stored else None


async def _looks(con: Connection, claim_id: str) -> list[Look]:
    rows = await con.fetch("select look from observation where claim_id = $1 order by at", claim_id)
    return [Look.from_json(row["look"]) for row in rows]


async def clock_ended(ctx: Context, case_id: str) -> None:
    """The recipient's time is over. What never reached it cannot be its silence."""
    async with ctx.db.transaction(DAEMON) as tx:
        case = await case_store.lock(tx.con, case_id)
        if case is None or case.state is not CaseState.NOTIFIED:
            return
        told = await notice_store.of_case(tx.con, case_id, *TOLD)
        if told and told[-1].response in ("needs_info", "action_claimed"):
            return  # answered while this job waited: the clock stands, or the claim's own deadline counts
        if not told:
            await tx.add_timer(case_id, Timer(JobKind.CLOCK_ENDED, case_id, tx.now + _DAILY))
            return
        await tx.save(case.apply(ClockEnded(told[-1].id), tx.now))
