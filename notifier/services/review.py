"""What people decide about a case: see exactly what would go, then approve, reject, ask for more, cancel, withdraw.

Asking for more needs a person; asking for less never waits for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from notifier.domain.case import Case, Step
from notifier.domain.case_state import BEFORE_SENDING, CaseState
from notifier.domain.events import (
    ApprovalVoided,
    Approved,
    Assigned,
    EvidenceAdded,
    EvidenceRequested,
    Rejected,
    WatchEnded,
)
from notifier.domain.evidence import Evidence
from notifier.domain.jobs import URGENT, Job, JobKind
from notifier.domain.notice import ASKING, LIVE, NoticeState
from notifier.domain.policy import Verdict
from notifier.domain.safety import Safety
from notifier.errors import Conflict, Forbidden, NotFound
from notifier.services import (
    access,
    agreements,
    binding,
    dispatch,
    drafting,
    evaluation,
    intake,
    judging,
    keeping,
    letters,
    second_look,
    slots,
    withdrawing,
)
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.keeping import Kept
from notifier.store import assessments, contacts
from notifier.store import captures as capture_store
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.agreements import Suspension
from notifier.store.assessments import Stored
from notifier.store.contacts import Exchange
from notifier.store.database import Connection, Tx, storable
from notifier.store.ids import as_uuid, new_id

_ASKED = "the recipient was asked already and that request stands; withdraw it before asking anew"


@dataclass(frozen=True, slots=True)
class Preview:
    """The notices that approval would send, and the digest that approval must name. `blockers`: why it cannot.

    `said`: what the parties before were asked and said.
    """

    case: Case
    digest: str
    drafts: Sequence[drafting.Draft]
    verdict: Verdict
    armed: bool
    blockers: tuple[str, ...]
    cautions: tuple[str, ...]
    said: Sequence[Exchange] = ()


async def preview(ctx: Context, who: Principal, case_id: str) -> Preview:
    """What a reviewer must have read. Reads only."""
    access.require(who, Role.REVIEWER)
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        case = await visible(ctx, con, who, case_id)
        drafts = await drafting.draft(ctx, con, case)
        asked = await _asked_already(con, case, drafts)
        verdict = await evaluation.evaluate_case(ctx, con, case, now)
        known = await assessments.latest(con, case.id)
        said = await contacts.exchanges(con, case.id)
        armed = case.agreement is not None and await agreements.is_armed(ctx, case.agreement, con)
        stopped = await agreements.suspended(ctx, case.agreement, con) if case.agreement else None
    return Preview(
        case,
        drafting.digest_of(drafts, case),
        drafts,
        verdict,
        armed,
        _blockers(case, drafts, asked),
        (*_cautions(case, drafts, armed, stopped, known), *_duty(ctx, who, case, drafts)),
        said,
    )


async def _asked_already(con: Connection, case: Case, drafts: Sequence[drafting.Draft]) -> bool:
    """Whether a recipient of these drafts has a request of this case that still stands, and is not the one amended."""
    recipients = {d.notice.agreement for d in drafts}
    amended = {before.id for d in drafts for before in await notice_store.before(con, d.notice)}
    family = [case.id, *(await case_store.merged_into(con, case.id))]
    live = [n for one in family for n in await notice_store.of_case(con, one, *LIVE)]
    return any(n.agreement in recipients and n.purpose in ASKING and n.id not in amended for n in live)


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


def _cautions(
    case: Case, drafts: Sequence[drafting.Draft], armed: bool, stopped: Suspension | None, known: Stored | None
) -> tuple[str, ...]:
    found = [
        f"the address of the {d.recipient.party} was given by a person: {d.recipient.source}"
        for d in drafts
        if d.recipient.path == "given"
    ]
    if known is not None and known.safety is not Safety.CLEAR:
        found.append(f"{known.safety}: {known.why}")
    if (known is None or not known.measured) and not case.embargo:  # a standing caution would tell; release measures
        found.append(
            "how much hangs on the name was not measured yet; what is worse than known will void this approval"
        )
    if case.registration is None:
        found.append("the registry has not been asked about the name yet; what it says will void this approval")
    elif case.epoch is None:
        found.append("the registry names no registration, so this approval holds for whoever has the name")
    if not armed:
        found.append("the agreement is not armed: after approval the notice waits")
    if stopped is not None:
        found.append(f"the agreement is suspended: after approval the notice waits ({stopped.reason})")
    if case.approvals_needed > len(case.approvers) + 1:
        found.append("a second person must approve; each states a reason")
    found += [f"to be weighed, with a stated reason: {reason}" for reason in case.second_reasons]
    return tuple(found)


def _duty(ctx: Context, who: Principal, case: Case, drafts: Sequence[drafting.Draft]) -> tuple[str, ...]:
    alone = _may_be_alone(ctx, who, drafts)
    if alone is None or case.approvals_needed > 1:  # what two must weigh is said by itself, whoever is on duty
        return ()
    if alone:
        return ("you are on duty: it leaves at once with your approval, and another person looks at that within a day",)
    return ("you are not on duty for its event: a second person must approve; each states a reason",)


async def approve(ctx: Context, who: Principal, case_id: str, digest: str, note: str = "", *, via: str = "api") -> Case:
    """Approve exactly what `digest` names. Raises Forbidden (four eyes) or Conflict (the preview has changed)."""
    if await _judged_anew(ctx, who, case_id, via):
        raise Conflict("the program's rules changed; read the preview again", code="program_changed")
    async with ctx.db.transaction(who.id, via) as tx:
        case = await lock_for_review(ctx, tx, who, case_id)
        if case.already_down:
            raise Conflict("the name is out of the zone already; there is nothing to ask for", code="already_down")
        drafts = await drafting.draft(ctx, tx.con, case)
        if await _asked_already(tx.con, case, drafts):
            raise Conflict(_ASKED, code="already_asked")
        verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
        program = ctx.program(case.program)
        if case.state is CaseState.IN_REVIEW and not evaluation.may_be_reviewed(program, verdict):
            raise Conflict(f"rules do not pass any more: {', '.join(verdict.blocking)}", code="not_sufficient")
        alone = _may_be_alone(ctx, who, drafts)
        event = Approved(
            by=who.id,
            digest=digest,
            shown_digest=drafting.digest_of(drafts, case),
            notice_ids=tuple(d.notice.id for d in drafts),
            cancel_window=program.windows.cancel_window,
            note=note,
            people=2 if alone is False else 1,
            until=min((d.notice.hold_until for d in drafts if d.notice.hold_until), default=None),
        )
        case = await tx.save(case.apply(event, tx.now))
        approval_id = new_id()
        await tx.con.execute(
            "insert into approval (id, case_id, rev, digest, epoch, program_digest, principal, note, at, capture_mark) "
            "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            approval_id,
            case.id,
            case.rev,
            digest,
            case.epoch,
            case.program_digest,
            who.id,
            storable(note),
            tx.now,
            await capture_store.mark(tx.con, case.id),
        )
        if case.state is CaseState.APPROVED:
            for item in drafts:
                await drafting.queue(tx, item, who.id)
                if ctx.stamper is not None:
                    await tx.enqueue(Job(JobKind.STAMP, item.notice.id))
            if alone and len(case.approvers) == 1:
                await second_look.ask(tx, case, drafts[0].notice, approval_id, who.id)
    if case.state is CaseState.APPROVED and not program.windows.cancel_window:
        # The job that stands in the queue does the same; who can do it without asking anybody need not wait for its turn.
        return await dispatch.at_once(ctx, case)
    return case


def _may_be_alone(ctx: Context, who: Principal, drafts: Sequence[drafting.Draft]) -> bool | None:
    """Whether this person is on duty for the live event that the notices are about; None when they are about none."""
    events = [ctx.catalog.events.get(d.notice.event) for d in drafts if d.notice.event is not None]
    return all(event is not None and event.is_on_duty(who.id) for event in events) if events else None


async def _judged_anew(ctx: Context, who: Principal, case_id: str, via: str) -> bool:
    """Whether the case was last judged under other rules than today's; then it is judged under these."""
    async with ctx.db.transaction(who.id, via) as tx:
        case = await lock_for_review(ctx, tx, who, case_id)
        if case.state is not CaseState.IN_REVIEW or ctx.program(case.program).digest == case.program_digest:
            return False
        await judging.judge_again(ctx, tx, case)
        return True


async def reject(
    ctx: Context, who: Principal, case_id: str, reason: str, ground: str = "substance", *, via: str = "api"
) -> Case:
    """Reject a case under review. `ground`: substance, clerical, out_of_scope or duplicate, for the accuracy ledger."""
    async with ctx.db.transaction(who.id, via) as tx:
        case = await lock_for_review(ctx, tx, who, case_id)
        return await tx.save(await rejecting(tx, case, who, storable(reason), ground))


async def rejecting(tx: Tx, case: Case, who: Principal, reason: str, ground: str = "substance") -> Step:
    """The step that rejects it, not saved. Raises Conflict, also where parties were asked already."""
    if await binding.somebody_asked(tx, case):
        raise Conflict("parties were asked already: withdraw the case, and each of them is told", code="already_told")
    return case.apply(Rejected(who.id, reason, ground), tx.now)


async def request_evidence(ctx: Context, who: Principal, case_id: str, reason: str, *, via: str = "api") -> Case:
    async with ctx.db.transaction(who.id, via) as tx:
        case = await lock_for_review(ctx, tx, who, case_id)
        return await tx.save(case.apply(EvidenceRequested(who.id, storable(reason)), tx.now))


async def assign(ctx: Context, who: Principal, case_id: str, to: str | None, *, via: str = "api") -> Case:
    async with ctx.db.transaction(who.id, via) as tx:
        case = await lock_for_review(ctx, tx, who, case_id)
        return await tx.save(case.apply(Assigned(to), tx.now))


async def cancel(ctx: Context, who: Principal, case_id: str, reason: str, *, via: str = "api") -> Case:
    """Within the window, or while the notice still waits: back to review, and nothing leaves."""
    async with ctx.db.transaction(who.id, via) as tx:
        case = await lock_for_review(ctx, tx, who, case_id)
        await binding.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
        return await tx.save(case.apply(ApprovalVoided(f"cancelled: {storable(reason)}"), tx.now))


async def close(ctx: Context, who: Principal, case_id: str, *, via: str = "api") -> Case:
    """End the watch over a resolved case."""
    async with ctx.db.transaction(who.id, via) as tx:
        case = await lock_for_review(ctx, tx, who, case_id)
        return await tx.save(case.apply(WatchEnded(), tx.now))


async def withdraw(
    ctx: Context, who: Principal, case_id: str, reason: str, ground: str = "other", *, via: str = "api"
) -> Case:
    """Take the case back: what has not left never leaves, and everyone told is told at once that it is withdrawn.

    A submitter may withdraw what nobody else reported, while nothing has left; else it takes a reviewer. `ground`:
    error, cured or other.
    What cases that were merged into this one had asked for is taken back with it.
    """
    access.require(who, Role.SUBMITTER, Role.REVIEWER)
    reason = storable(reason)
    async with ctx.db.transaction(who.id, via) as tx:
        case = await _lock(ctx, tx, who, case_id)
        await may_withdraw(ctx, tx, who, case)
        return await withdrawing.withdraw(ctx, tx, case, who.id, reason, ground)


async def may_withdraw(ctx: Context, tx: Tx, who: Principal, case: Case) -> int:
    """How many notices it takes back that somebody has or may have. Raises Forbidden, NotFound."""
    access.require(who, Role.SUBMITTER, Role.REVIEWER)
    access.require_program(who, case.program, ctx.program(case.program).owner)
    await _only_its_own(tx, who, case)
    told = len(await notice_store.of_case(tx.con, case.id, *LIVE))
    told += sum(len(live) for _, live in await binding.linked(tx, case))
    if told:
        access.require(who, Role.REVIEWER)
        access.require_person(who)
    return told


async def _only_its_own(tx: Tx, who: Principal, case: Case) -> None:
    """What others reported too is not a submitter's to end: their reports would go with it."""
    if who.role is Role.SUBMITTER and await tx.con.fetchval(
        f"select exists (select from report r where r.case_id = $1 and not {access.own_report(2, 3)})",
        case.id,
        who.id,
        who.organisation,
    ):
        raise Forbidden("others reported it too; a reviewer withdraws it", code="others_reported")


async def add_evidence(
    ctx: Context,
    who: Principal,
    case_id: str,
    items: Sequence[Evidence],
    files: Sequence[Kept] = (),
    *,
    via: str = "api",
) -> tuple[Case, Verdict]:
    """More evidence for an open case, and the new findings. Its supplier may not approve the case.

    `files` are in the store already; an item names its file by digest, and a file that none names is kept beside them.
    """
    access.require(who, Role.SUBMITTER, Role.REVIEWER)
    async with ctx.db.transaction(who.id, via) as tx:
        case = await _lock(ctx, tx, who, case_id)
        ids = await intake.insert_evidence(tx, case.id, None, who, items)
        for file in files:
            await keeping.keep(ctx, tx, case.id, file, who.id)
        if case.state is CaseState.APPROVED:
            await binding.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
        case = await tx.save(case.apply(EvidenceAdded(tuple(ids), who.id, tuple(f.blob.sha256 for f in files)), tx.now))
        case = await letters.settle(tx, case, items)
        verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
        return await judging.judge(ctx, tx, case, verdict), verdict


async def observe_now(ctx: Context, who: Principal, case_id: str, *, via: str = "api") -> Case:
    """Ask for a look at the target now, ahead of the schedule."""
    async with ctx.db.transaction(who.id, via) as tx:
        case = await lock_for_review(ctx, tx, who, case_id)
        claimed = await slots.ask(tx, case.id)
        if not claimed or case.state in BEFORE_SENDING:
            await tx.enqueue(Job(JobKind.CHECK, case.id, max(case.priority, URGENT)))
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


async def lock_for_review(ctx: Context, tx: Tx, who: Principal, case_id: str) -> Case:
    """The case, locked for a person who may decide about it. Raises Forbidden, NotFound."""
    access.require(who, Role.REVIEWER)  # before the case is looked for: the role's answer is the same for all
    access.require_person(who)
    case = await _lock(ctx, tx, who, case_id)
    may_decide(ctx, who, case)
    return case


def may_decide(ctx: Context, who: Principal, case: Case) -> None:
    """Raises Forbidden or NotFound for who may see the case and not decide about it."""
    access.require(who, Role.REVIEWER)
    access.require_person(who)
    access.require_program(who, case.program, ctx.program(case.program).owner)
