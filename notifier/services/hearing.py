"""Appeals as staff hear them: taken up by somebody who had no part in the decision, decided with reasons, in time.

Silence is no answer: what was enforced and challenged, and not decided upon in time, is asked to be lifted.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from notifier.domain.appeal import LIFTS, Appeal, Cause, Clocks, Decided, Outcome, Step, Taken
from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.events import AppealClosed, AppealOpened
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.domain.notice import TOLD, UNDO, NoticeState
from notifier.domain.outcome import Verdict
from notifier.errors import Invalid, NotFound
from notifier.services import access, ladder, lifting
from notifier.services.access import DAEMON, Principal, Role
from notifier.services.context import Context
from notifier.services.paging import Page, Query, read_page
from notifier.store import appeals as store
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx, storable
from notifier.store.ids import as_uuid

UNANSWERED, OVERDUE = "appeal_unanswered", "appeal_overdue"  # alarms
_SEE = (Role.REVIEWER, Role.AUDITOR, Role.ADMIN)
_DAILY = timedelta(days=1)
_WITHOUT_CALENDAR = (timedelta(days=1), timedelta(days=14))
_SHORTEST_NAME = 3
_COLUMNS = (
    "a.id, a.case_id, a.notice_id, a.state, a.filed_at, a.proven_at, a.taken_by, a.taken_at, a.acknowledge_due, "
    "a.decide_due, a.decided_at, c.reference, c.program, c.target, c.measure, c.undo, c.aftermath, d.outcome, d.cause, "
    "d.reasons, d.by as decided_by, (select count(*) from appeal_part p where p.appeal_id = a.id) as statements"
)
_FROM = "appeal a join cases c on c.id = a.case_id left join appeal_decision d on d.appeal_id = a.id"


@dataclass(frozen=True, slots=True)
class Shown:
    """One appeal whole. `statements` are as they came: hostile until shown escaped. `barred`: who may not hear it."""

    row: Mapping[str, Any]
    statements: Sequence[Mapping[str, Any]]
    barred: Sequence[str]


async def appeals(
    ctx: Context,
    who: Principal,
    *,
    state: str | None = None,
    open_only: bool | None = None,
    overdue: bool | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Appeals against decisions in scope, newest first."""
    access.require(who, *_SEE)
    query = Query(access.case_scope(who, ctx.owned_by(who.organisation)))
    if state is not None:
        query.where("a.state = {}", state)
    if open_only is not None:
        query.where(("" if open_only else "not ") + "(a.state = any({}))", ["filed", "in_review"])
    if overdue is not None:
        now = await ctx.db.clock.now()
        query.where(("" if overdue else "not ") + "coalesce(a.decided_at is null and a.decide_due <= {}, false)", now)
    return await read_page(ctx, query, f"select {_COLUMNS} from {_FROM}", "a.filed_at", "a.id", limit, cursor)


async def show(ctx: Context, who: Principal, appeal_id: str) -> Shown:
    """One appeal with its statements, for those who may hear appeals. Raises NotFound, Forbidden."""
    access.require(who, Role.REVIEWER)
    async with ctx.db.pool.acquire() as con:
        await _case_of(ctx, con, who, appeal_id)
        row = await con.fetchrow(f"select {_COLUMNS} from {_FROM} where a.id = $1", appeal_id)
        statements = await con.fetch(
            "select s.id, s.given, s.reference, s.grounds, s.contact, s.evidence, s.via, s.filed_at, p.late, "
            "f.proof, f.at as proven_at from appeal_part p join appeal_statement s on s.id = p.statement_id "
            "left join appeal_proof f on f.statement_id = s.id where p.appeal_id = $1 order by s.filed_at, s.id",
            appeal_id,
        )
        appeal = await con.fetchrow("select * from appeal where id = $1", appeal_id)
        barred = sorted((await store.read(con, appeal)).barred) if appeal else []
    return Shown(dict(row), [dict(one) for one in statements], barred)


async def take(ctx: Context, who: Principal, appeal_id: str, *, via: str = "api") -> Mapping[str, Any]:
    """Take an appeal up: that is the first word, and from here the case stands still for it in any case.

    Raises NotFound, Forbidden (`four_eyes`), Conflict.
    """
    async with ctx.db.transaction(who.id, via) as tx:
        case, appeal = await _lock(ctx, tx, who, appeal_id)
        step = appeal.apply(Taken(who.id, clocks(ctx, case, tx.now)), tx.now)
        await save(tx, step)
        await stand_still(tx, case, step.appeal)
        return await _row(tx.con, appeal_id)


async def decide(
    ctx: Context,
    who: Principal,
    appeal_id: str,
    outcome: Outcome,
    reasons: str,
    cause: Cause | None = None,
    *,
    via: str = "api",
) -> Mapping[str, Any]:
    """Decide, with reasons that whoever appealed reads. What falls is taken back at once from everyone told.

    Raises NotFound, Forbidden (`four_eyes`), Conflict, and Invalid for reasons that name somebody of ours.
    """
    reasons = storable(reasons).strip()
    if not reasons:
        raise Invalid("reasons: say why, in words that whoever appealed understands")
    if outcome in LIFTS:
        cause = cause or Cause.OTHER
    async with ctx.db.transaction(who.id, via) as tx:
        case, appeal = await _lock(ctx, tx, who, appeal_id)
        digest = hashlib.sha256(reasons.encode()).hexdigest()
        step = appeal.apply(Decided(who.id, outcome, digest, cause), tx.now)
        await _names_nobody(tx.con, reasons, appeal.barred | {who.id})
        await store.insert_decision(
            tx.con, appeal.id, str(outcome), str(cause) if cause else None, reasons, who.id, tx.now
        )
        await save(tx, step)
        if outcome in LIFTS and cause is not None:
            await lifting.overturn(ctx, tx, case, appeal, outcome, cause, who.id)
        else:
            await stands(ctx, tx, case, step.appeal)
        await _close_alarms(tx, case)
        return await _row(tx.con, appeal_id)


async def _names_nobody(con: Connection, reasons: str, people: frozenset[str]) -> None:
    """What a registrant reads never says who reported, approved or decided."""
    organisations = await con.fetch(
        "select distinct organisation as name from principal where id = any($1)", list(people)
    )
    names = {*people, *(row["name"] for row in organisations)}
    said = reasons.casefold()
    if any(len(name) >= _SHORTEST_NAME and name.casefold() in said for name in names):
        raise Invalid(
            "reasons: they name somebody who reported or decided; the registrant reads them", code="names_staff"
        )


async def _close_alarms(tx: Tx, case: Case) -> None:
    await tx.con.execute(
        "update alarm set closed_by = $3, closed_at = $4 where case_id = $1 and kind = any($2) and closed_at is null",
        case.id,
        [UNANSWERED, OVERDUE],
        tx.actor,
        tx.now,
    )


# --- clocks -------------------------------------------------------------------------------------------------------


def clocks(ctx: Context, case: Case, now: datetime) -> Clocks:
    """When we must have answered, by the program's calendar; in days where that is exhausted, so that none is lost."""
    program, calendars = ctx.program(case.program), ctx.catalog.calendars
    try:
        return Clocks(program.acknowledge_appeal.ends(now, calendars), program.decide_appeal.ends(now, calendars))
    except Invalid:
        first, last = _WITHOUT_CALENDAR
        return Clocks(now + first, now + last)


async def stand_still(tx: Tx, case: Case, appeal: Appeal) -> None:
    """From now on the case asks for nothing more, and its clocks run against us."""
    if case.appeal_open or appeal.clocks is None:
        return
    dues = (appeal.clocks.acknowledge_due, appeal.clocks.decide_due)
    await tx.save(case.apply(AppealOpened(appeal.id, dues), tx.now))


async def due(ctx: Context, appeal_id: str) -> None:
    """A clock of an appeal ran out: a person is told, and what is enforced is asked to be lifted without one."""
    async with ctx.db.transaction(DAEMON) as tx:
        case_id = await tx.con.fetchval("select case_id from appeal where id = $1", appeal_id)
        case = await case_store.lock(tx.con, str(case_id)) if case_id else None
        appeal = await store.lock(tx.con, appeal_id)
        if case is None or appeal is None or not appeal.counts or appeal.clocks is None:
            return
        if appeal.taken_by is None and tx.now >= appeal.clocks.acknowledge_due:
            what = f"{case.target.name}: an appeal waits for a first word"
            await lifting.alarm(tx, UNANSWERED, what, case.id)
        if tx.now < appeal.clocks.decide_due:
            return
        what = f"{case.target.name}: an appeal is not decided, and its time is over"
        await lifting.alarm(tx, OVERDUE, what, case.id)
        lapsed = await tx.con.fetchval(
            "select exists (select from correction where appeal_id = $1 and cause = $2)", appeal.id, lifting.LAPSE
        )
        if lapsed:
            return
        if await lifting.is_enforced(tx.con, case.id):
            await lifting.lapse(ctx, tx, case, appeal)
            await tx.audit("appeal.lapsed", appeal.id, {}, case.id)
        else:  # what is done later was challenged before
            await tx.add_timer(case.id, Timer(JobKind.APPEAL_DUE, appeal.id, tx.now + _DAILY))


# --- going on -----------------------------------------------------------------------------------------------------


async def save(tx: Tx, step: Step) -> None:
    """An appeal's row and its audit entry, together."""
    await store.save(tx.con, step.appeal)
    await tx.audit(step.fact.tag, step.appeal.id, step.fact.detail, step.appeal.case_id)


async def stands(ctx: Context, tx: Tx, case: Case, appeal: Appeal) -> None:
    """The appeal is over and the decision stands: what stood still for it goes on."""
    if not case.appeal_open:
        return
    case = await tx.save(case.apply(AppealClosed(appeal.id, str(appeal.state)), tx.now))
    unsent = await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED, NoticeState.SENDING)
    if case.state is not CaseState.APPROVED:
        await tx.enqueue(*(Job(JobKind.SEND, n.id, case.priority) for n in unsent if n.purpose not in UNDO))
    asked = [n for n in await notice_store.of_case(tx.con, case.id, *TOLD) if ladder.is_current(case, n)]
    if case.state is not CaseState.NOTIFIED or not asked:
        return
    refuted = await tx.con.fetchval(
        "select exists (select from claim where notice_id = $1 and verdict = $2)",
        asked[-1].id,
        str(Verdict.CONTRADICTED),
    )
    if asked[-1].response == "declined" or refuted:
        await ladder.escalate(ctx, tx, case, asked[-1].id, "not_done" if refuted else "declined")


# --- what may be touched ------------------------------------------------------------------------------------------


async def _case_of(ctx: Context, con: Connection, who: Principal, appeal_id: str) -> str:
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=2)
    row = None
    if as_uuid(appeal_id) is not None:
        row = await con.fetchrow(
            f"select a.case_id, c.program from appeal a join cases c on c.id = a.case_id where a.id = $1 and {scope.condition}",
            appeal_id,
            *scope.args,
        )
    if row is None:
        raise NotFound(f"no appeal {appeal_id!r}")
    return str(row["case_id"])


async def _lock(ctx: Context, tx: Tx, who: Principal, appeal_id: str) -> tuple[Case, Appeal]:
    access.require(who, Role.REVIEWER)
    access.require_person(who)
    case_id = await _case_of(ctx, tx.con, who, appeal_id)
    case = await case_store.lock(tx.con, case_id)
    appeal = await store.lock(tx.con, appeal_id)
    if case is None or appeal is None:
        raise NotFound(f"no appeal {appeal_id!r}")
    access.require_program(who, case.program, ctx.program(case.program).owner)
    return case, appeal


async def _row(con: Connection, appeal_id: str) -> Mapping[str, Any]:
    return dict(await con.fetchrow(f"select {_COLUMNS} from {_FROM} where a.id = $1", appeal_id))
