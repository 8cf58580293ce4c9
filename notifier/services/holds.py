"""What stands at our request: each hold has an owner and a review-by date, and lapses without fresh evidence.

Keeping a name from its registrant is asking for more, so a person who did not supply the evidence keeps it. Letting it go
waits for nobody; only the warning before it is given whole, also when we were late with it ourselves.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from notifier.domain.case import Case
from notifier.domain.epp import Measure
from notifier.domain.events import Held, HoldKept, HoldLapsed, HoldPutOff
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.outcome import PROVEN, Verdict
from notifier.domain.policy import FindingResult
from notifier.domain.program import Program
from notifier.domain.rules import Fresh, HumanReviewed, NotAlreadyDown, NotSignalled
from notifier.errors import Conflict
from notifier.services import evaluation, lifting, review, slots
from notifier.services.access import DAEMON, Principal
from notifier.services.alarming import raise_alarm
from notifier.services.context import Context
from notifier.store import appeals as appeal_store
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx, storable

TASK = "hold_review"
LAPSING = "hold_lapsing"  # the alarm
UNSUPPORTED = "unsupported"  # the cause of a correction
_REASON = "no fresh evidence supports the measure any more, so it lapses"
_KEEP_FROM = frozenset({Measure.LOCK, Measure.HOLD, Measure.DELETE, Measure.REDIRECT})
_STANDS = PROVEN | {Verdict.PARTIAL}
_STANDING = ([str(m) for m in _KEEP_FROM], [str(v) for v in _STANDS])
# A held name is down, and its pages are served to nobody who asks for it by name: neither speaks against the hold. And
# whoever keeps it is the person who reviews it.
_OURS, _OF_PAGES = (NotAlreadyDown, NotSignalled, HumanReviewed), (Fresh,)
_NO_EVIDENCE_OF_CONDUCT = "prior_contact"


def held(standing: Iterable[tuple[Measure, Verdict]]) -> bool:
    """Whether something of what is claimed and seen keeps the name from its registrant, whole or in part."""
    return any(measure in _KEEP_FROM and verdict in _STANDS for measure, verdict in standing)


def begun(program: Program, owner: str | None, now: datetime) -> Held:
    """The terms of a hold that begins, or is kept, now."""
    until = now + program.windows.refresh
    return Held(owner, until - program.windows.refresh_warning, until)


async def review_due(ctx: Context, case_id: str) -> None:
    """A hold comes near its date: its owner is warned, and the name is looked at; at the date it lapses."""
    async with ctx.db.transaction(DAEMON) as tx:
        case = await case_store.lock(tx.con, case_id)
        if case is None or case.review_by is None:
            return
        warning = ctx.program(case.program).windows.refresh_warning
        if tx.now < case.review_by - warning:
            return  # it was kept
        if case.embargo:  # nothing leaves, and nobody may notice that nothing does
            await tx.add_timer(case.id, Timer(JobKind.HOLD_REVIEW, case.id, max(tx.now, case.review_by) + warning / 10))
            return
        warned_at = await _warned(tx, case)
        if tx.now < case.review_by:
            return
        until = warned_at + warning
        if tx.now < until - warning / 10:  # we were not there in time, and that is not its owner's fault
            await tx.con.execute(
                "update task set due_at = $4 where case_id = $1 and kind = $2 and due_at = $3",
                case.id,
                TASK,
                case.review_by,
                until,
            )
            await tx.save(case.apply(HoldPutOff(Held(None, until, until)), tx.now))
            return
        await _lapse(ctx, tx, case)


async def _warned(tx: Tx, case: Case) -> datetime:
    """Warn whoever looks after it, once for each date; when that was."""
    warned: datetime | None = await tx.con.fetchval(
        "select min(opened_at) from task where case_id = $1 and kind = $2 and due_at = $3",
        case.id,
        TASK,
        case.review_by,
    )
    if warned is not None:
        return warned
    what = (
        f"{case.target.name} is held at our request and lapses on {case.review_by:%Y-%m-%d %H:%M} UTC: bring fresh evidence, "
        "and somebody else keeps it (POST /cases/ID/keep)"
    )
    await notice_store.open_task(tx.con, TASK, what, tx.now, case_id=case.id, due_at=case.review_by)
    await raise_alarm(tx, LAPSING, f"{what}; it is {case.assignee or 'nobody'}'s", case, case.reference, seen_at=tx.now)
    # Whether it still stands is seen before anybody works for it.
    await slots.ask(tx, case.id)
    return tx.now


async def _lapse(ctx: Context, tx: Tx, case: Case) -> None:
    told = await lifting.take_everything_back(ctx, tx, case, _REASON, DAEMON)
    await appeal_store.insert_correction(tx.con, case.id, None, case.program, str(case.measure), UNSUPPORTED, tx.now)
    looks = (tx.now + ctx.program(case.program).windows.watch[0],)
    await _done(tx, case, "lapsed")
    await tx.save(case.apply(HoldLapsed(told, looks), tx.now))


async def keep(ctx: Context, who: Principal, case_id: str, reason: str, *, via: str = "api") -> Case:
    """Keep what is held for one more term, on evidence that came since the last one. Raises Conflict: `not_held`,
    `evidence_required`, `not_sufficient`; Forbidden (`four_eyes`)."""
    async with ctx.db.transaction(who.id, via) as tx:
        case = await review.lock_for_review(ctx, tx, who, case_id)
        program = ctx.program(case.program)
        verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
        locked = await tx.con.fetchval(
            "select bool_and(measure = 'lock') from claim where case_id = $1 and measure = any($2) and verdict = any($3)",
            case.id,
            *_STANDING,
        )
        spared = {rule.id for rule in program.rules if isinstance(rule, _OURS if locked else _OURS + _OF_PAGES)}
        failed = [f.rule for f in verdict.findings if f.result is not FindingResult.PASS and f.rule not in spared]
        # What merged cases had asked for rests on the evidence of the one that goes on.
        merged = [await case_store.lock(tx.con, one) for one in await case_store.merged_into(tx.con, case.id)]
        held_there = [one for one in merged if one is not None and one.review_by is not None]
        kept = held_there if held_there and case.review_by is None else [case, *held_there]
        term_began = min((one.review_by for one in kept if one.review_by), default=tx.now) - program.windows.refresh
        event = HoldKept(
            who.id, storable(reason), await _fresh(tx.con, case.id, term_began), begun(program, None, tx.now)
        )
        steps = [replace(one, involved=one.involved | case.involved).apply(event, tx.now) for one in kept]
        if failed:
            raise Conflict(f"rules do not pass any more: {', '.join(failed)}", code="not_sufficient")
        for one, step in zip(kept, steps, strict=True):
            await _done(tx, one, "kept")
            await tx.save(step)
        return steps[0].case if steps[0].case.id == case.id else case


async def _fresh(con: Connection, case_id: str, since: datetime) -> tuple[str, ...]:
    """Evidence of conduct that came since then, and is not older by its own date."""
    rows = await con.fetch(
        "select id from evidence where case_id = $1 and kind <> $3 and least(received_at, (body->>'captured_at')::timestamptz, "
        "(body->>'checked_at')::timestamptz, (body->>'ordered_at')::timestamptz) > $2 order by received_at, id",
        case_id,
        since,
        _NO_EVIDENCE_OF_CONDUCT,
    )
    return tuple(str(row["id"]) for row in rows)


async def ended(tx: Tx, case: Case) -> None:
    """Nothing is held any more, as we see: nobody needs to bring evidence for it."""
    await _done(tx, case, "nothing is held any more")


async def _done(tx: Tx, case: Case, resolution: str) -> None:
    """The warning has done its work."""
    await tx.con.execute(
        "update task set resolved_by = $3, resolved_at = $4, resolution = $5 "
        "where case_id = $1 and kind = $2 and resolved_at is null",
        case.id,
        TASK,
        tx.actor,
        tx.now,
        resolution,
    )
    await tx.con.execute(
        "update alarm set closed_by = $3, closed_at = $4 where case_id = $1 and kind = $2 and closed_at is null",
        case.id,
        LAPSING,
        tx.actor,
        tx.now,
    )
