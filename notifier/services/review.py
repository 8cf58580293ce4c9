"""What people decide about a case: see exactly what would go, then approve, reject, ask for more, cancel, withdraw.

Asking for more needs a person; asking for less never waits for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from notifier.domain.case import Case, CaseState
from notifier.domain.events import (
    ApprovalVoided,
    Approved,
    Assigned,
    EvidenceAdded,
    EvidenceRequested,
    Job,
    JobKind,
    Rejected,
    WatchEnded,
    Withdrawn,
)
from notifier.domain.evidence import Evidence
from notifier.domain.notice import LIVE, NoticeState, Purpose
from notifier.domain.policy import Verdict
from notifier.errors import Conflict, NotFound
from notifier.services import access, agreements, dispatch, drafting, evaluation, intake
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx, storable
from notifier.store.ids import as_uuid, new_id

_UNDO = {Purpose.WITHDRAWAL, Purpose.RESTORE}
_ASKED = "the recipient was asked already and that request stands; withdraw it before asking anew"


@dataclass(frozen=True, slots=True)
class Preview:
    """The notices that approval would send, and the digest that approval must name. `blockers`: why it cannot."""

    case: Case
    digest: str
    drafts: Sequence[drafting.Draft]
    verdict: Verdict
    armed: bool
    blockers: tuple[str, ...]
    cautions: tuple[str, ...]


async def preview(ctx: Context, who: Principal, case_id: str) -> Preview:
    """What a reviewer must have read. Reads only."""
    access.require(who, Role.REVIEWER)
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        case = await visible(ctx, con, who, case_id)
        drafts = await drafting.draft(ctx, con, case)
        asked = await _asked_already(con, case, drafts)
        verdict = await evaluation.evaluate_case(ctx, con, case, now)
    armed = case.agreement is not None and await agreements.is_armed(ctx, case.agreement)
    return Preview(
        case, drafting.digest_of(drafts), drafts, verdict, armed, _blockers(case, drafts, asked), _cautions(case, armed)
    )


async def _asked_already(con: Connection, case: Case, drafts: Sequence[drafting.Draft]) -> bool:
    """Whether a recipient of these drafts has a request of this case that still stands."""
    recipients = {d.notice.agreement for d in drafts}
    live = await notice_store.of_case(con, case.id, *LIVE)
    return any(n.agreement in recipients and n.purpose not in _UNDO for n in live)


def _blockers(case: Case, drafts: Sequence[drafting.Draft], asked: bool) -> tuple[str, ...]:
    found = []
    if asked:
        found.append(_ASKED)
    if case.state is not CaseState.IN_REVIEW:
        found.append(f"the case is {case.state}")
    if not drafts:
        found.append("no recipient can be written to; see the case's tasks")
    if case.already_down:
        found.append("the name is out of the zone already")
    return tuple(found)


def _cautions(case: Case, armed: bool) -> tuple[str, ...]:
    found = []
    if case.registration is None:
        found.append("the registry has not been asked about the name yet; what it says will void this approval")
    if not armed:
        found.append("the agreement is not armed: after approval the notice waits")
    if case.approvals_needed > len(case.approvers) + 1:
        found.append("a second person must approve")
    return tuple(found)


async def approve(ctx: Context, who: Principal, case_id: str, digest: str, note: str = "", *, via: str = "api") -> Case:
    """Approve exactly what `digest` names. Raises Forbidden (four eyes) or Conflict (the preview has changed)."""
    async with ctx.db.transaction(who.id, via) as tx:
        case = await _lock_for_review(ctx, tx, who, case_id)
        if case.already_down:
            raise Conflict("the name is out of the zone already; there is nothing to ask for", code="already_down")
        drafts = await drafting.draft(ctx, tx.con, case)
        if await _asked_already(tx.con, case, drafts):
            raise Conflict(_ASKED, code="already_asked")
        verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
        program = ctx.program(case.program)
        if case.state is CaseState.IN_REVIEW and not evaluation.may_be_reviewed(program, verdict):
            raise Conflict(f"rules do not pass any more: {', '.join(verdict.blocking)}", code="not_sufficient")
        event = Approved(
            by=who.id,
            digest=digest,
            shown_digest=drafting.digest_of(drafts),
            notice_ids=tuple(d.notice.id for d in drafts),
            cancel_window=program.windows.cancel_window,
        )
        case = await tx.save(case.apply(event, tx.now))
        await tx.con.execute(
            "insert into approval (id, case_id, rev, digest, principal, note, at) values ($1, $2, $3, $4, $5, $6, $7)",
            new_id(),
            case.id,
            case.rev,
            digest,
            who.id,
            storable(note),
            tx.now,
        )
        if case.state is CaseState.APPROVED:
            for item in drafts:
                await queue_notice(tx, item, who.id)
    return case


async def queue_notice(tx: Tx, item: drafting.Draft, approved_by: str) -> None:
    """Freeze a draft as a queued notice."""
    notice = replace(item.notice, approved_by=approved_by)
    await notice_store.insert(tx.con, notice, item.registry, drafting.freeze(item.content), tx.now)
    await tx.audit(
        "notice.queued",
        notice.id,
        {"digest": notice.digest, "purpose": str(notice.purpose), "agreement": notice.agreement},
        notice.case_id,
    )


async def reject(ctx: Context, who: Principal, case_id: str, reason: str, *, via: str = "api") -> Case:
    async with ctx.db.transaction(who.id, via) as tx:
        case = await _lock_for_review(ctx, tx, who, case_id)
        return await tx.save(case.apply(Rejected(who.id, storable(reason)), tx.now))


async def request_evidence(ctx: Context, who: Principal, case_id: str, reason: str, *, via: str = "api") -> Case:
    async with ctx.db.transaction(who.id, via) as tx:
        case = await _lock_for_review(ctx, tx, who, case_id)
        return await tx.save(case.apply(EvidenceRequested(who.id, storable(reason)), tx.now))


async def assign(ctx: Context, who: Principal, case_id: str, to: str | None, *, via: str = "api") -> Case:
    async with ctx.db.transaction(who.id, via) as tx:
        case = await _lock_for_review(ctx, tx, who, case_id)
        return await tx.save(case.apply(Assigned(to), tx.now))


async def cancel(ctx: Context, who: Principal, case_id: str, reason: str, *, via: str = "api") -> Case:
    """Within the window, or while the notice still waits: back to review, and nothing leaves."""
    async with ctx.db.transaction(who.id, via) as tx:
        case = await _lock_for_review(ctx, tx, who, case_id)
        await dispatch.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
        return await tx.save(case.apply(ApprovalVoided(f"cancelled: {storable(reason)}"), tx.now))


async def close(ctx: Context, who: Principal, case_id: str, *, via: str = "api") -> Case:
    """End the watch over a resolved case."""
    async with ctx.db.transaction(who.id, via) as tx:
        case = await _lock_for_review(ctx, tx, who, case_id)
        return await tx.save(case.apply(WatchEnded(), tx.now))


async def withdraw(ctx: Context, who: Principal, case_id: str, reason: str, *, via: str = "api") -> Case:
    """Take the case back: what has not left never leaves, and everyone told is told at once that it is withdrawn.

    A submitter may withdraw while nothing has left; afterwards it takes a reviewer.
    """
    access.require(who, Role.SUBMITTER, Role.REVIEWER)
    reason = storable(reason)
    async with ctx.db.transaction(who.id, via) as tx:
        case = await _lock(ctx, tx, who, case_id)
        live = await notice_store.of_case(tx.con, case.id, *LIVE)
        if live:
            access.require(who, Role.REVIEWER)
            access.require_person(who)
        step = case.apply(Withdrawn(who.id, reason, told=bool(live)), tx.now)
        await dispatch.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
        for notice in live:
            if notice.state is NoticeState.SENDING:  # it may have arrived, and is not tried again
                await notice_store.save(tx.con, notice.apply("lost_sight", tx.now))
                await tx.audit("notice.uncertain", notice.id, {"key": notice.send_key}, case.id)
            if notice.purpose in _UNDO:
                continue
            undo = await drafting.draft_undo(ctx, tx.con, case, notice, reason, tx.now)
            await queue_notice(tx, undo, who.id)
            await tx.con.execute("update notice set supersedes = $2 where id = $1", undo.notice.id, notice.id)
            await tx.enqueue(Job(JobKind.SEND, undo.notice.id, intake.URGENT))
        return await tx.save(step)


async def add_evidence(
    ctx: Context, who: Principal, case_id: str, items: Sequence[Evidence], *, via: str = "api"
) -> tuple[Case, Verdict]:
    """More evidence for an open case, and the new findings. Its supplier may not approve the case."""
    access.require(who, Role.SUBMITTER, Role.REVIEWER)
    async with ctx.db.transaction(who.id, via) as tx:
        case = await _lock(ctx, tx, who, case_id)
        ids = await intake.insert_evidence(tx, case.id, None, who, items)
        if case.state is CaseState.APPROVED:
            await dispatch.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
        case = await tx.save(case.apply(EvidenceAdded(tuple(ids), who.id), tx.now))
        verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
        return await intake.judge(ctx, tx, case, verdict), verdict


async def observe_now(ctx: Context, who: Principal, case_id: str, *, via: str = "api") -> Case:
    """Ask for a look at the target now, ahead of the schedule."""
    async with ctx.db.transaction(who.id, via) as tx:
        case = await _lock_for_review(ctx, tx, who, case_id)
        claims = await tx.con.fetch("select id from claim where case_id = $1", case.id)
        jobs = [Job(JobKind.OBSERVE, str(row["id"])) for row in claims] or [Job(JobKind.CHECK, case.id)]
        await tx.enqueue(*jobs)
        await tx.audit("case.look_asked", case.reference, {}, case.id)
    return case


# --- what may be touched ------------------------------------------------------------------------------------------


async def visible(ctx: Context, con: Any, who: Principal, case_id: str) -> Case:
    """The case if the principal may see it. Raises NotFound, the same for a foreign case as for none."""
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=2)
    if as_uuid(case_id) is None or not await con.fetchval(
        f"select exists (select 1 from cases c where c.id = $1 and {scope.condition})",
        case_id,
        *scope.args,
    ):
        raise NotFound(f"no case {case_id!r}")
    case = await case_store.get(con, case_id)
    if case is None:
        raise NotFound(f"no case {case_id!r}")
    return case


async def _lock(ctx: Context, tx: Tx, who: Principal, case_id: str) -> Case:
    await visible(ctx, tx.con, who, case_id)
    case = await case_store.lock(tx.con, case_id)
    if case is None:
        raise NotFound(f"no case {case_id!r}")
    return case


async def _lock_for_review(ctx: Context, tx: Tx, who: Principal, case_id: str) -> Case:
    access.require(who, Role.REVIEWER)  # before the case is looked for: the role's answer is the same for all
    access.require_person(who)
    case = await _lock(ctx, tx, who, case_id)
    access.require_program(who, case.program, ctx.program(case.program).owner)
    return case
