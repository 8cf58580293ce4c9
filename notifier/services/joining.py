"""Reports in the right case: two cases that are one matter become one, and a report that does not belong moves on.

Nothing is lost on the way: each report and each evidence item belongs to exactly one case before and after, what was
approved without them is void, and what was sent stays where it was sent from and is found from the case that goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from notifier.domain.case import Case
from notifier.domain.case_state import BEFORE_SENDING, OPEN, CaseState
from notifier.domain.events import MergedInto, ReportsArrived, ReportsLeft, SendingStopped
from notifier.domain.jobs import Job, JobKind
from notifier.domain.names import parse
from notifier.domain.notice import ASKING, LIVE, Notice
from notifier.domain.safety import Assessment, Safety, assess
from notifier.errors import Conflict, NotFound, Refused
from notifier.services import access, binding, deconfliction, evaluation, judging, news, opening, recalling, review
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.opening import Opening
from notifier.store import cases as case_store
from notifier.store import contacts
from notifier.store import files as file_store
from notifier.store import notices as notice_store
from notifier.store.database import Tx, storable
from notifier.store.ids import as_uuid


@dataclass(frozen=True, slots=True)
class Parted:
    """Both cases as they are after reports went from one to the other."""

    source: Case
    other: Case


# --- merge --------------------------------------------------------------------------------------------------------


async def merge(ctx: Context, who: Principal, case_id: str, into: str, reason: str = "", *, via: str = "api") -> Parted:
    """End a case as a duplicate of another, which goes on with its reports and evidence. Merged already: no change.

    Raises Conflict: other program, no reason given for another name, an ended case, or both have written to one
    recipient (`already_asked`).
    """
    reason = storable(reason.strip())
    async with ctx.db.transaction(who.id, via) as tx:
        await deconfliction.guard(tx)
        loser, winner = await _lock_both(ctx, tx, who, case_id, into)
        if loser.merged_into == winner.id:
            return Parted(loser, winner)
        await _may_merge(tx, loser, winner, reason)
        return await _merge(ctx, tx, loser, winner, who.id, reason)


async def _may_merge(tx: Tx, loser: Case, winner: Case, reason: str) -> None:
    if loser.id == winner.id:
        raise Conflict("a case cannot be merged into itself")
    if loser.program != winner.program:
        raise Conflict(f"one case is of {loser.program}, the other of {winner.program}", code="other_program")
    for case in (loser, winner):
        if case.state not in OPEN:
            raise Conflict(f"{case.reference} is {case.state}; only open cases can be merged")
    if not _one_name(loser.target.name, winner.target.name) and not reason:
        raise Conflict(
            f"{loser.target.name} and {winner.target.name} are different names; say why they are one matter",
            code="reason_required",
        )
    if loser.amendment is not None or await contacts.question(tx.con, loser.id, loser.agreement or ""):
        raise Conflict(
            f"a recipient waits for our answer in {loser.reference}; answer it first, or merge the other case into it",
            code="question_open",
        )
    asked = {n.agreement for n in await _asked(tx, loser)} & {n.agreement for n in await _asked(tx, winner)}
    if asked:
        raise Conflict("both cases have written to the same recipient; withdraw one first", code="already_asked")


def _one_name(one: str, other: str) -> bool:
    """Whether two targets are one name, or one a host of the other. Two sites of a platform are neither."""
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


async def _asked(tx: Tx, case: Case) -> list[Notice]:
    """Requests that stand, of the case and of those that were merged into it."""
    family = [case.id, *(await case_store.merged_into(tx.con, case.id))]
    live = [n for one in family for n in await notice_store.of_case(tx.con, one, *LIVE)]
    return [n for n in live if n.purpose in ASKING]


async def _merge(ctx: Context, tx: Tx, loser: Case, winner: Case, by: str, reason: str) -> Parted:
    reports = await _ids(tx, "update report set case_id = $2 where case_id = $1 returning id", loser.id, winner.id)
    # What one supplier gave to both cases, with no report, is in the winner already; its other copy stays behind.
    evidence = await _ids(
        tx,
        "update evidence e set case_id = $2 where case_id = $1 and (report_id is not null or not exists (select from "
        "evidence w where w.case_id = $2 and w.report_id is null and w.sha256 = e.sha256 and w.supplied_by = e.supplied_by)) "
        "returning id",
        loser.id,
        winner.id,
    )
    await file_store.copy_all(tx.con, loser.id, winner.id)  # those that no item names
    loser = await _nothing_leaves(tx, loser)
    winner = await _nothing_leaves(tx, winner)
    told = tuple(n.id for n in await notice_store.of_case(tx.con, loser.id, *LIVE))
    await tx.con.execute(
        "update task set resolved_by = $2, resolved_at = $3, resolution = $4 "
        "where case_id = $1 and notice_id is null and inbound_id is null and resolved_at is null",
        loser.id,
        by,
        tx.now,
        f"merged into {winner.reference}",
    )
    await deconfliction.inherit(tx, loser.id, winner.id)
    parties = loser.involved
    loser = await tx.save(
        loser.apply(MergedInto(winner.id, winner.reference, reports, evidence, told, by, reason), tx.now)
    )
    arrived = ReportsArrived(loser.id, reports, evidence, parties, by, reason, merged=True)
    winner = await tx.save(winner.apply(arrived, tx.now))
    await news.catch_up(tx, winner.id)
    await tx.enqueue(Job(JobKind.CAPTURE, winner.id))
    return Parted(loser, await _judged(ctx, tx, winner.id))


# --- detach -------------------------------------------------------------------------------------------------------


async def detach(
    ctx: Context,
    tx: Tx,
    case: Case,
    report_ids: Sequence[str],
    assessment: Assessment,
    *,
    by: str,
    reason: str,
    evidence_ids: Sequence[str] = (),
) -> Parted:
    """Move reports with their evidence to the open case of `assessment.target`, or to a new one; both are judged anew.

    The case is locked by the caller, best after `deconfliction.guard`. `evidence_ids`: items without a report that go
    with them. Raises NotFound for what is not the case's, Conflict when nothing would be left in it (`last_report`) or
    the target is its own (`same_target`).
    """
    if assessment.target.name == case.target.name:
        raise Conflict(
            f"the report is about {case.target.name}, as the case is; name the `domain` it is about, or the case it "
            "goes `into`",
            code="same_target",
        )
    other = await case_store.lock_open(tx.con, case.program, assessment.target.name)
    return await _part(ctx, tx, case, other, report_ids, evidence_ids, assessment, by, reason)


async def detach_reports(
    ctx: Context,
    who: Principal,
    case_id: str,
    report_ids: Sequence[str],
    reason: str,
    *,
    into: str | None = None,
    domain: str | None = None,
    evidence_ids: Sequence[str] = (),
    via: str = "api",
) -> Parted:
    """A person takes reports out of a case that they do not belong to: `into` another open case of the program, or to
    the case of `domain`, or of the name that the first report itself gives. Done already: no change.

    Raises NotFound, Conflict, and Refused when that name may not be a case.
    """
    reason = storable(reason.strip())
    async with ctx.db.transaction(who.id, via) as tx:
        await deconfliction.guard(tx)
        if into is not None:
            case, other = await _lock_both(ctx, tx, who, case_id, into)
            if await _all_in(tx, report_ids, other.id):
                return Parted(case, other)
            if case.id == other.id or other.program != case.program:
                raise Conflict("the other case must be another one of the same program", code="other_program")
            return await _part(ctx, tx, case, other, report_ids, evidence_ids, None, who.id, reason)
        case = await _lock(ctx, tx, who, case_id)
        assessment = await _assessed(ctx, tx, case, report_ids, domain)
        there = await case_store.lock_open(tx.con, case.program, assessment.target.name)
        if there is not None and there.id != case.id and await _all_in(tx, report_ids, there.id):
            return Parted(case, there)
        return await detach(ctx, tx, case, report_ids, assessment, by=who.id, reason=reason, evidence_ids=evidence_ids)


async def _part(
    ctx: Context,
    tx: Tx,
    case: Case,
    other: Case | None,
    report_ids: Sequence[str],
    evidence_ids: Sequence[str],
    assessment: Assessment | None,
    by: str,
    reason: str,
) -> Parted:
    going = [r for r in report_ids if as_uuid(r) is not None]
    rows = await tx.con.fetch(
        "select id, principal, organisation, body->>'priority' as priority, id = any($2) as goes from report "
        "where case_id = $1 order by received_at, id for update",
        case.id,
        going,
    )
    leaving = [dict(row) for row in rows if row["goes"]]
    if not going or len(leaving) != len(set(report_ids)):
        raise NotFound("the case has no such report")
    if len(leaving) == len(rows):
        raise Conflict("nothing would be left of the case; merge or withdraw it instead", code="last_report")
    for one in (case, other):
        if one is not None and one.state not in OPEN:
            raise Conflict(f"{one.reference} is {one.state}; reports move between open cases")
    opened = other is None
    if other is None:
        if assessment is None:
            raise LookupError("a new case needs an assessment")
        other = await _open(ctx, tx, case, leaving, assessment)
    reports = await _ids(
        tx, "update report set case_id = $2 where case_id = $1 and id = any($3) returning id", case.id, other.id, going
    )
    evidence = await _ids(
        tx,
        "update evidence e set case_id = $2 where case_id = $1 and (report_id = any($3) or (id = any($4) and not exists "
        "(select from evidence w where w.case_id = $2 and w.report_id is null and w.sha256 = e.sha256 "
        "and w.supplied_by = e.supplied_by))) returning id",
        case.id,
        other.id,
        going,
        await _loose(tx, case, evidence_ids),
    )
    case = await _nothing_leaves(tx, case)
    if not opened:
        other = await _nothing_leaves(tx, other)
    stays = (await _read(tx, case.id)).involved
    arrives = (await _read(tx, other.id)).involved
    case = await tx.save(case.apply(ReportsLeft(other.id, reports, evidence, stays, by, reason), tx.now))
    other = await tx.save(other.apply(ReportsArrived(case.id, reports, evidence, arrives, by, reason), tx.now))
    await news.catch_up(tx, other.id)
    await tx.enqueue(Job(JobKind.CAPTURE, other.id))
    return Parted(await _judged(ctx, tx, case.id), await _judged(ctx, tx, other.id))


async def _open(ctx: Context, tx: Tx, case: Case, leaving: Sequence[Mapping[str, Any]], assessment: Assessment) -> Case:
    first = leaving[0]
    name = parse(assessment.target.host, ctx.catalog.suffixes)
    return await opening.open_case(
        ctx,
        tx,
        Opening(
            program=case.program,
            assessment=assessment.dated(tx.now),
            suffix_version=name.suffix_version,
            warnings=name.warnings,
            organisation=first["organisation"],
            by=first["principal"],
            report_id=str(first["id"]),
            urgent=any(row["priority"] == "urgent" for row in leaving),
            previous_case=case.id,
        ),
    )


async def _loose(tx: Tx, case: Case, evidence_ids: Sequence[str]) -> list[str]:
    """Evidence of the case that came with no report. Raises NotFound for any other."""
    found = await tx.con.fetch(
        "select id from evidence where case_id = $1 and report_id is null and id = any($2)",
        case.id,
        [e for e in evidence_ids if as_uuid(e) is not None],
    )
    if len(found) != len(set(evidence_ids)):
        raise NotFound("the case has no such evidence, or it came with a report and goes where that goes")
    return [str(row["id"]) for row in found]


async def _assessed(ctx: Context, tx: Tx, case: Case, report_ids: Sequence[str], domain: str | None) -> Assessment:
    """From lists, for the name that a person gave, or that the first report gave when it came in."""
    spelling = domain
    if spelling is None:
        ids = [r for r in report_ids if as_uuid(r) is not None]
        spelling = await tx.con.fetchval(
            "select domain from report where id = any($1) and code is null order by received_at, id limit 1", ids
        )
    if spelling is None:
        raise NotFound("the case has no such report")
    found = assess(parse(spelling, ctx.catalog.suffixes), ctx.catalog.lists)
    if found.safety is Safety.REFUSE:
        raise Refused(f"the target is protected: {found.why}", code="protected")
    return found


# --- what both have in common -------------------------------------------------------------------------------------


async def _judged(ctx: Context, tx: Tx, case_id: str) -> Case:
    """The case judged over what it holds now. Was it asked for on more than that, a person must look."""
    case = await _read(tx, case_id)
    verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
    case = await judging.judge(ctx, tx, case, verdict)
    if case.state not in BEFORE_SENDING and not verdict.sufficient:
        why = f"what it asked for no longer passes: {', '.join(verdict.blocking)}; withdraw it, or add what is missing"
        await notice_store.open_task(tx.con, "second_look", why, tx.now, case_id=case.id)
    return replace(case, embargo=(await _read(tx, case_id)).embargo)


async def _nothing_leaves(tx: Tx, case: Case) -> Case:
    """What was approved and has not left yet never will: what it rests on has changed."""
    unsent, why = await recalling.not_left(tx.con, case.id), "its reports changed before it left"
    await binding.cancel_queued(tx, unsent, why)
    asking = tuple(n.id for n in unsent if n.purpose in ASKING)
    if case.state is CaseState.NOTIFIED and asking:
        amendment = await contacts.amendment_of(tx.con, asking[-1])
        return await tx.save(case.apply(SendingStopped(asking, why, amendment), tx.now))
    return case


async def _ids(tx: Tx, query: str, *args: object) -> tuple[str, ...]:
    return tuple(sorted(str(row["id"]) for row in await tx.con.fetch(query, *args)))


async def _all_in(tx: Tx, report_ids: Sequence[str], case_id: str) -> bool:
    ids = [r for r in report_ids if as_uuid(r) is not None]
    count = await tx.con.fetchval("select count(*) from report where id = any($1) and case_id = $2", ids, case_id)
    return bool(ids) and count == len(set(report_ids))


async def _read(tx: Tx, case_id: str) -> Case:
    case = await case_store.get(tx.con, case_id)
    if case is None:
        raise NotFound(f"no case {case_id!r}")
    return case


async def _lock(ctx: Context, tx: Tx, who: Principal, case_id: str) -> Case:
    access.require(who, Role.REVIEWER)
    access.require_person(who)
    await review.visible(ctx, tx.con, who, case_id)
    case = await case_store.lock(tx.con, case_id)
    if case is None:
        raise NotFound(f"no case {case_id!r}")
    access.require_program(who, case.program, ctx.program(case.program).owner)
    return case


async def _lock_both(ctx: Context, tx: Tx, who: Principal, one: str, other: str) -> tuple[Case, Case]:
    """Both, locked in the order of their ids, so that two people who merge crosswise do not wait for each other."""
    locked = {case_id: await _lock(ctx, tx, who, case_id) for case_id in sorted({one.lower(), other.lower()})}
    return locked[one.lower()], locked[other.lower()]
