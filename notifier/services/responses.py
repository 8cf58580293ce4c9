"""Answers of recipients: recorded once, held against what was asked, and the case moved by them."""

from dataclasses import dataclass, replace

import structlog

from notifier.domain.answer import Answer, check
from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.events import Answered, NoticeUndeliverable
from notifier.domain.names import parse
from notifier.domain.notice import TOLD, TRANSITIONS, UNDO, Notice, NoticeState, Purpose
from notifier.domain.program import Program
from notifier.errors import Conflict, NotFound, Refused
from notifier.services import access, arriving, ladder, recalling, turns
from notifier.services.access import Principal, Role
from notifier.services.alarming import raise_alarm
from notifier.services.context import Context
from notifier.store import cases as case_store
from notifier.store import contacts
from notifier.store import notices as notice_store
from notifier.store.database import Tx, storable
from notifier.store.ids import as_uuid, new_id

log = structlog.get_logger(__name__)

WRONG_NAME, OTHER_MEASURE = "wrong_name", "other_measure"  # alarms about what is written back
UNDO_UNDELIVERABLE = "undo_undeliverable"  # the alarm about a name that may stay held in error
# An answer may be here before the adapter has told us that the notice was accepted.
_ARRIVED_ONLY_NOW = {NoticeState.UNCERTAIN, NoticeState.SENDING}
ANSWERABLE = TOLD | _ARRIVED_ONLY_NOW | {NoticeState.BOUNCED, NoticeState.SUPERSEDED}
_PROJECTION = {"action_taken": "action_claimed"}


@dataclass(frozen=True, slots=True)
class Recorded:
    """`repeated`: the very same answer was recorded before, and nothing was done again."""

    response_id: str
    notice_id: str
    kind: str
    claim_id: str | None
    repeated: bool


async def respond(ctx: Context, who: Principal, notice_id: str, answer: Answer, *, via: str = "api") -> Recorded:
    """Record a registry's answer to its own notice. Raises NotFound, Invalid, Conflict or Forbidden."""
    access.require(who, Role.REGISTRY)
    if as_uuid(notice_id) is None:
        raise NotFound(f"no notice {notice_id!r}")
    async with ctx.db.transaction(who.id, via) as tx:
        notice = await lock_notice(tx, notice_id, registry=who.registry)
        return await record(ctx, tx, notice, answer)


async def record(ctx: Context, tx: Tx, notice: Notice, answer: Answer, inbound_id: str | None = None) -> Recorded:
    """Write an authenticated answer in the caller's transaction; the case is locked already."""
    check(answer)
    answer = replace(
        answer,
        comment=storable(answer.comment),
        reason=answer.reason and storable(answer.reason),
        domain=answer.domain and storable(answer.domain),
    )
    if notice.state not in ANSWERABLE:
        raise Conflict(f"the notice is {notice.state}: it has not reached you, so it cannot be answered")
    notice = await repeated(tx, notice)
    earlier = await tx.con.fetchrow(
        "select r.id, c.id as claim from response r left join claim c on c.response_id = r.id where r.notice_id = $1 "
        "and (r.kind, coalesce(r.measure, ''), coalesce(r.actor, ''), coalesce(r.reason, ''), r.comment) = ($2, $3, $4, $5, $6) "
        "and r.effective_at is not distinct from $7 and r.principal = $8 and r.domain is not distinct from $9",
        notice.id,
        answer.kind,
        answer.measure or "",
        answer.actor or "",
        answer.reason or "",
        answer.comment,
        answer.effective_at,
        tx.actor,
        answer.domain,
    )
    if earlier:
        claim = str(earlier["claim"]) if earlier["claim"] else None
        return Recorded(str(earlier["id"]), notice.id, answer.kind, claim, True)

    case = await _case(tx, notice)
    current = ladder.is_current(case, notice)
    response_id = await _insert_response(tx, notice, answer, inbound_id)
    if answer.domain is not None and not _same_name(ctx, answer.domain, notice.domain):
        await _another_name(tx, case, notice, answer, response_id)
        return Recorded(response_id, notice.id, answer.kind, None, False)
    if notice.state in _ARRIVED_ONLY_NOW:  # whoever answers has received it
        notice = notice.apply("accepted", tx.now)
        await notice_store.end_uncertain(tx.con, notice.id, tx.actor, tx.now, "arrived: it was answered")
        await recalling.answered(tx, notice)
        await arriving.arrived(ctx, tx, notice)
        await tx.audit("notice.settled", notice.id, {"by": "answer", "response": response_id}, case.id)
    first = notice.response in ("none", "received")
    await notice_store.save(tx.con, _answered(notice, answer.kind))

    claim_id = None
    event = Answered(notice.id, _PROJECTION.get(answer.kind, answer.kind), reason=answer.reason)
    if answer.kind == "action_taken":
        claim_id, event = await _claim(ctx.program(case.program), tx, case, notice, answer, response_id)
        await _compare(tx, case, notice, answer, claim_id)
    moves = current and case.state is CaseState.NOTIFIED
    declined, asks = moves and answer.kind == "declined", moves and answer.kind == "needs_info"
    rung = await turns.next_rung(ctx, tx, case, over=True) if declined else None
    owed = ctx.agreement(notice.agreement).acknowledge.due(tx.now, ctx.catalog.calendars) if asks else None
    undoes = notice.purpose in UNDO
    event = replace(event, current=current, first=first, last=rung is None, owed_at=owed, undoes=undoes)
    if current:
        await recalling.drop_reminders(tx, case.id, "its recipient has answered")
    if case.hears:
        case = await tx.save(case.apply(event, tx.now))
        if rung is not None:
            await ladder.escalate(ctx, tx, case, notice.id, "declined")
        if answer.kind == "needs_info":  # the recipient's clock stands, and ours runs
            what = (
                f"the recipient asks for more: {answer.comment or 'it does not say what'}; answer it with an amendment"
            )
            await notice_store.open_task(tx.con, "escalation", what, tx.now, case_id=case.id, notice_id=notice.id)
    else:  # recorded and shown; a case that has ended, or is under review again, is not moved by it
        await tx.audit("answer.received_late", notice.id, {"response": response_id, "kind": answer.kind}, case.id)
    return Recorded(response_id, notice.id, answer.kind, claim_id, False)


async def repeated(tx: Tx, notice: Notice) -> Notice:
    """The notice that this one repeats, which its answers are to; itself when it repeats none."""
    before = await notice_store.get(tx.con, notice.supersedes) if notice.supersedes else None
    if before is None or not (notice.purpose is Purpose.REMINDER or {notice.purpose, before.purpose} <= UNDO):
        return notice
    return before


# --- what is written back -----------------------------------------------------------------------------------------


def _same_name(ctx: Context, written: str, noticed: str) -> bool:
    try:
        return parse(written, ctx.catalog.suffixes).host == noticed
    except Refused:
        return False


async def _another_name(tx: Tx, case: Case, notice: Notice, answer: Answer, response_id: str) -> None:
    """The answer is about another name than the notice: kept, and it moves nothing. Somebody must call at once."""
    what = f"the recipient writes of {answer.domain}, and was asked about {notice.domain}: call it at once"
    await raise_alarm(tx, WRONG_NAME, what, case, notice.id, more={"response": response_id})
    await notice_store.open_task(tx.con, "confirm_answer", what, tx.now, case_id=case.id, notice_id=notice.id)


async def _compare(tx: Tx, case: Case, notice: Notice, answer: Answer, claim_id: str) -> None:
    """What is said to be done against what was asked for: told at once, before anything was observed."""
    if answer.measure is None or answer.measure == notice.measure:
        return
    what = f"{notice.measure} was asked for {notice.domain}, and the recipient says that it did {answer.measure}"
    await raise_alarm(tx, OTHER_MEASURE, what, case, claim_id, claim_id=claim_id)


async def _claim(
    program: Program, tx: Tx, case: Case, notice: Notice, answer: Answer, response_id: str
) -> tuple[str, Answered]:
    claim_id, deadline = new_id(), tx.now + program.windows.claim_deadline
    await tx.con.execute(
        "insert into claim (id, case_id, notice_id, response_id, measure, actor, effective_at, claimed_at, deadline) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        claim_id,
        case.id,
        notice.id,
        response_id,
        str(answer.measure),
        answer.actor,
        answer.effective_at,
        tx.now,
        deadline,
    )
    first_look = tx.now + program.windows.watch[0]
    event = Answered(notice.id, "action_claimed", claim_id=claim_id, first_look=first_look, claim_deadline=deadline)
    return claim_id, event


async def _insert_response(tx: Tx, notice: Notice, answer: Answer, inbound_id: str | None) -> str:
    response_id = new_id()
    await tx.con.execute(
        "insert into response (id, notice_id, inbound_id, kind, measure, actor, reason, effective_at, comment, principal, via, "
        "received_at, domain) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        response_id,
        notice.id,
        inbound_id,
        answer.kind,
        answer.measure,
        answer.actor,
        answer.reason,
        answer.effective_at,
        answer.comment,
        tx.actor,
        tx.via,
        tx.now,
        answer.domain,
    )
    await tx.con.execute("update notice set responded_at = coalesce(responded_at, $2) where id = $1", notice.id, tx.now)
    return response_id


def _answered(notice: Notice, kind: str) -> Notice:
    if kind == "acknowledged" and notice.response not in ("none", "received"):
        return notice  # it takes back nothing that was said before
    return replace(notice, response=_PROJECTION.get(kind, kind))


async def lock_notice(tx: Tx, notice_id: str, registry: str | None = None) -> Notice:
    """The notice, with its case locked first: everybody locks in that order."""
    row = await tx.con.fetchrow("select case_id, registry from notice where id = $1", notice_id)
    if row is None or (registry is not None and row["registry"] != registry):
        raise NotFound(f"no notice {notice_id!r}")
    await tx.con.execute("select 1 from cases where id = $1 for no key update", row["case_id"])
    notice = await notice_store.get(tx.con, notice_id)
    if notice is None:
        raise NotFound(f"no notice {notice_id!r}")
    return notice


async def _case(tx: Tx, notice: Notice) -> Case:
    case = await case_store.lock(tx.con, notice.case_id)
    if case is None:
        raise NotFound(f"no case of notice {notice.id!r}")
    return case


async def undeliverable(tx: Tx, notice: Notice, why: str, event: str) -> None:
    """The notice cannot reach its recipient on this channel; a person finds another way, nobody is guessed."""
    if notice.state is NoticeState.BOUNCED:
        return
    if (notice.state, event) == (NoticeState.SENDING, "bounced"):  # the report was faster than the acceptance
        notice = notice.apply("lost_sight", tx.now)
    if (notice.state, event) not in TRANSITIONS:  # of one that was replaced or never left: told, and nothing moves
        await tx.audit("notice.bounced_late", notice.id, {"why": why}, notice.case_id)
        return
    await notice_store.save(tx.con, notice.apply(event, tx.now))
    await ladder.gives_the_place_back(tx, notice)
    case = await _case(tx, notice)
    # A reminder, or what an earlier party was asked, takes nothing from the request that waits for its answer now.
    if case.state is CaseState.NOTIFIED and ladder.is_current(case, notice):
        amendment = await contacts.amendment_of(tx.con, notice.id)
        await tx.save(case.apply(NoticeUndeliverable(notice.id, why, amendment), tx.now))
    else:
        await tx.audit("notice.bounced", notice.id, {"why": why}, case.id)
    if notice.purpose in UNDO:
        what = f"the withdrawal about {notice.domain} did not arrive, and the name may stay held in error: {why}"
        await raise_alarm(tx, UNDO_UNDELIVERABLE, what, case, notice.id, notice_id=notice.id)
    await notice_store.open_task(
        tx.con,
        "no_contact",
        f"the notice did not arrive: {why}",
        tx.now,
        case_id=case.id,
        notice_id=notice.id,
    )


async def doubtful(tx: Tx, notice: Notice, why: str) -> None:
    """Nobody knows whether the notice arrived: a person asks the recipient."""
    await notice_store.save(tx.con, notice.apply("lost_sight", tx.now))
    await notice_store.give_up_attempts(tx.con, notice.id, tx.now)
    await notice_store.open_task(
        tx.con,
        "uncertain",
        f"it may have arrived, or not: {why}; ask the recipient, then say sent or not sent",
        tx.now,
        case_id=notice.case_id,
        notice_id=notice.id,
    )
    await tx.audit("notice.uncertain", notice.id, {"key": notice.send_key}, notice.case_id)
