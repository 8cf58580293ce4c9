"""Answers: stored first, classed, tied to their notice. Only an authenticated answer changes a case."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from notifier.adapter import Inbound, Response
from notifier.domain.case import HEARD, Case, CaseState
from notifier.domain.epp import Measure
from notifier.domain.events import Answered, Job, JobKind, NoticeUndeliverable
from notifier.domain.notice import TOLD, TRANSITIONS, Notice, NoticeState
from notifier.domain.program import Program
from notifier.errors import Conflict, Invalid, NotFound, Unauthenticated
from notifier.services import access
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Tx, storable
from notifier.store.ids import as_uuid, new_id

KINDS = ("acknowledged", "needs_info", "declined", "action_taken")
ACTORS = ("registry", "registrar", "host", "registrant")
DECLINE_REASONS = (
    "declined_nexus",
    "declined_insufficient",
    "declined_out_of_scope",
    "declined_court_order_required",
    "declined_collateral",
    "declined_compromised",
    "declined_other",
)
# An answer may be here before the adapter has told us that the notice was accepted.
_ARRIVED_ONLY_NOW = {NoticeState.UNCERTAIN, NoticeState.SENDING}
_ANSWERABLE = TOLD | _ARRIVED_ONLY_NOW | {NoticeState.BOUNCED, NoticeState.SUPERSEDED}
_PROJECTION = {"action_taken": "action_claimed"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recipient says of one notice. `reason` is one of DECLINE_REASONS when it declines."""

    kind: str
    measure: Measure | None = None
    actor: str | None = None
    reason: str | None = None
    effective_at: datetime | None = None
    comment: str = ""


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
        notice = await _lock_notice(tx, notice_id, registry=who.registry)
        return await record(ctx, tx, notice, answer)


async def record(ctx: Context, tx: Tx, notice: Notice, answer: Answer, inbound_id: str | None = None) -> Recorded:
    """Write an authenticated answer in the caller's transaction; the case is locked already."""
    _check(answer)
    answer = replace(answer, comment=storable(answer.comment), reason=answer.reason and storable(answer.reason))
    if notice.state not in _ANSWERABLE:
        raise Conflict(f"the notice is {notice.state}: it has not reached you, so it cannot be answered")
    earlier = await tx.con.fetchrow(
        "select r.id, c.id as claim from response r left join claim c on c.response_id = r.id where r.notice_id = $1 "
        "and (r.kind, coalesce(r.measure, ''), coalesce(r.actor, ''), coalesce(r.reason, ''), r.comment) = ($2, $3, $4, $5, $6) "
        "and r.effective_at is not distinct from $7 and r.principal = $8",
        notice.id,
        answer.kind,
        answer.measure or "",
        answer.actor or "",
        answer.reason or "",
        answer.comment,
        answer.effective_at,
        tx.actor,
    )
    if earlier:
        claim = str(earlier["claim"]) if earlier["claim"] else None
        return Recorded(str(earlier["id"]), notice.id, answer.kind, claim, True)

    case = await _case(tx, notice)
    response_id = await _insert_response(tx, notice, answer, inbound_id)
    if notice.state in _ARRIVED_ONLY_NOW:  # whoever answers has received it
        notice = notice.apply("accepted", tx.now)
        await notice_store.end_uncertain(tx.con, notice.id, tx.actor, tx.now, "arrived: it was answered")
        await tx.audit("notice.settled", notice.id, {"by": "answer", "response": response_id}, case.id)
    await notice_store.save(tx.con, _answered(notice, answer.kind))

    claim_id = None
    event = Answered(notice.id, _PROJECTION.get(answer.kind, answer.kind), reason=answer.reason)
    if answer.kind == "action_taken":
        claim_id, event = await _claim(ctx.program(case.program), tx, case, notice, answer, response_id)
    if case.state in HEARD:
        await tx.save(case.apply(event, tx.now))
        if answer.kind == "needs_info":  # the recipient's clock stands, and ours runs
            what = f"the recipient asks for more: {answer.comment or 'it does not say what'}"
            await notice_store.open_task(tx.con, "escalation", what, tx.now, case_id=case.id, notice_id=notice.id)
    else:  # recorded and shown; a case that has ended, or is under review again, is not moved by it
        await tx.audit("answer.received_late", notice.id, {"response": response_id, "kind": answer.kind}, case.id)
    return Recorded(response_id, notice.id, answer.kind, claim_id, False)


def _check(answer: Answer) -> None:
    if answer.kind not in KINDS:
        raise Invalid(f"kind is one of {', '.join(KINDS)}")
    if answer.kind == "action_taken" and answer.measure is None:
        raise Invalid(f"action_taken names its measure: one of {', '.join(Measure)}")
    if answer.kind == "declined" and answer.reason not in DECLINE_REASONS:
        raise Invalid(f"declined names its reason: one of {', '.join(DECLINE_REASONS)}")
    if answer.actor is not None and answer.actor not in ACTORS:
        raise Invalid(f"actor is one of {', '.join(ACTORS)}")


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
        "received_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
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
    )
    await tx.con.execute("update notice set responded_at = coalesce(responded_at, $2) where id = $1", notice.id, tx.now)
    return response_id


def _answered(notice: Notice, kind: str) -> Notice:
    return replace(notice, response=_PROJECTION.get(kind, kind))


async def _lock_notice(tx: Tx, notice_id: str, registry: str | None = None) -> Notice:
    """The notice, with its case locked first: everybody locks in that order."""
    row = await tx.con.fetchrow("select case_id, registry from notice where id = $1", notice_id)
    if row is None or (registry is not None and row["registry"] != registry):
        raise NotFound(f"no notice {notice_id!r}")
    await tx.con.execute("select 1 from cases where id = $1 for update", row["case_id"])
    notice = await notice_store.get(tx.con, notice_id)
    if notice is None:
        raise NotFound(f"no notice {notice_id!r}")
    return notice


async def _case(tx: Tx, notice: Notice) -> Case:
    case = await case_store.lock(tx.con, notice.case_id)
    if case is None:
        raise NotFound(f"no case of notice {notice.id!r}")
    return case


# --- what arrives from outside ------------------------------------------------------------------------------------


async def receive_webhook(ctx: Context, recipient: str, headers: Mapping[str, str], body: bytes) -> str:
    """Store a signed webhook, then read it in a job. Raises Unauthenticated; a replay is taken and does nothing twice."""
    headers = {name.lower(): storable(value) for name, value in headers.items()}
    if not ctx.verify_webhook(recipient, headers, body):
        raise Unauthenticated(
            "the signature does not fit (Standard Webhooks); nothing was stored", code="bad_signature"
        )
    return await _store(ctx, "webhook", recipient, headers, body, headers["webhook-id"], authenticated=True)


async def receive_mail(ctx: Context, recipient: str, headers: Mapping[str, str], body: bytes) -> str:
    """Store a mail as it came. Unauthenticated: it may tell of a bounce, and what a person wrote waits for a person."""
    headers = {name.lower(): storable(value) for name, value in headers.items()}
    key = hashlib.sha256(body).hexdigest()
    return await _store(ctx, "mail", storable(recipient), headers, body, key, authenticated=False)


async def _store(
    ctx: Context,
    channel: str,
    recipient: str,
    headers: Mapping[str, str],
    body: bytes,
    key: str,
    *,
    authenticated: bool,
) -> str:
    inbound_id = new_id()
    # A mail's recipient holds its reply token, which is no business of the log's readers.
    actor = f"registry:{recipient}" if authenticated else channel
    async with ctx.db.transaction(actor, channel) as tx:
        stored = await tx.con.fetchval(
            "insert into inbound (id, channel, recipient, headers, body, authenticated, message_key, received_at) "
            "values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning id",
            inbound_id,
            channel,
            recipient,
            headers,
            body,
            authenticated,
            key,
            tx.now,
        )
        if stored is None:
            return str(
                await tx.con.fetchval(
                    "select id from inbound where channel = $1 and recipient = $2 and message_key = $3",
                    channel,
                    recipient,
                    key,
                )
            )
        await tx.audit("inbound.received", inbound_id, {"channel": channel, "sha256": hashlib.sha256(body).hexdigest()})
        await tx.enqueue(Job(JobKind.READ_INBOUND, inbound_id))
    return inbound_id


async def read_inbound(ctx: Context, inbound_id: str) -> None:
    """Class a stored message and apply what it says. Idempotent: a message that was read is left alone."""
    row = await ctx.db.fetchrow("select * from inbound where id = $1", inbound_id)
    if row is None or row["read_at"] is not None:
        return
    message = Inbound(row["channel"], row["headers"], row["body"], row["received_at"], row["authenticated"])
    read = _parse(ctx, message, row["recipient"])
    actor = f"registry:{row['recipient']}" if row["authenticated"] else f"mail:{inbound_id}"
    async with ctx.db.transaction(actor, row["channel"]) as tx:
        locked = await tx.con.fetchval("select read_at is null from inbound where id = $1 for update", inbound_id)
        if not locked:
            return
        notice = await _notice_of(tx, read, row["recipient"] if row["authenticated"] else None)
        await tx.con.execute(
            "update inbound set read_at = $2, class = $3, notice_id = $4 where id = $1",
            inbound_id,
            tx.now,
            read.kind if read else "unknown",
            notice.id if notice else None,
        )
        if read is None or notice is None:
            await notice_store.open_task(
                tx.con,
                "unmatched_mail",
                "a message that no notice answers to; read it and tie it",
                tx.now,
                inbound_id=inbound_id,
            )
            await tx.audit("inbound.unmatched", inbound_id, {})
        else:
            await _apply_read(ctx, tx, notice, read, message, inbound_id)


def _parse(ctx: Context, message: Inbound, recipient: str) -> Response | None:
    """What one of our channels reads in it. What a registry signed is for that registry's own channels alone."""
    for agreement_id, adapter in ctx.adapters.items():
        agreement = ctx.agreement(agreement_id)
        if message.authenticated and (agreement.registry, agreement.adapter) != (recipient, message.channel):
            continue
        read = adapter.parse_reply(message)
        if read is not None:
            return read
    return None


async def _notice_of(tx: Tx, read: Response | None, registry: str | None) -> Notice | None:
    if read is None:
        return None
    notice_id = read.notice_id if read.notice_id and as_uuid(read.notice_id) else None
    if read.notice_token and notice_id is None:
        found = await tx.con.fetchval("select id from notice where reply_token = $1", read.notice_token)
        notice_id = str(found) if found else None
    if notice_id is None and (sent_keys := read.extra.get("keys")):  # a bounce may quote only our Message-ID
        found = await tx.con.fetch("select id from notice where send_key = any($1)", list(sent_keys))
        notice_id = str(found[0]["id"]) if len(found) == 1 else None
    if notice_id is None:
        return None
    try:
        return await _lock_notice(tx, notice_id, registry)
    except NotFound:
        return None


async def _apply_read(ctx: Context, tx: Tx, notice: Notice, read: Response, message: Inbound, inbound_id: str) -> None:
    detail: dict[str, Any] = {"notice": notice.id, "class": read.kind}
    if read.kind == "bounce" and _may_bounce(ctx, notice, read):
        await undeliverable(tx, notice, read.reason or "a delivery failure report came back", "bounced")
    elif read.kind in ("auto_reply", "receipt"):  # a machine's word: kept, and nothing moves
        await tx.audit("inbound.automatic", inbound_id, detail, notice.case_id)
    elif not message.authenticated:
        await notice_store.open_task(
            tx.con,
            "confirm_answer",
            "somebody answered by mail; confirm with the registry by call-back before it counts",
            tx.now,
            case_id=notice.case_id,
            notice_id=notice.id,
            inbound_id=inbound_id,
        )
        await tx.audit("inbound.needs_confirmation", inbound_id, detail, notice.case_id)
    else:
        answer = Answer(read.kind, read.measure, read.actor, read.reason, read.effective_at, read.comment)
        try:
            await record(ctx, tx, notice, answer, inbound_id)
        except (Invalid, Conflict) as error:  # authenticated, and still not understood: a person reads it
            await notice_store.open_task(
                tx.con,
                "confirm_answer",
                error.detail,
                tx.now,
                case_id=notice.case_id,
                notice_id=notice.id,
                inbound_id=inbound_id,
            )


def _may_bounce(ctx: Context, notice: Notice, read: Response) -> bool:
    """Nobody signs a delivery report. It counts for a notice that went by mail, that nobody has answered, and only
    under the reply token, which the recipient's mail system alone has seen; anything less waits for a person."""
    by_mail = ctx.agreement(notice.agreement).adapter == "smtp"
    return by_mail and notice.response == "none" and read.notice_token == notice.reply_token


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
    case = await _case(tx, notice)
    if case.state is CaseState.NOTIFIED:
        await tx.save(case.apply(NoticeUndeliverable(notice.id, why), tx.now))
    else:
        await tx.audit("notice.bounced", notice.id, {"why": why}, case.id)
    await notice_store.open_task(
        tx.con,
        "no_contact",
        f"the notice did not arrive: {why}",
        tx.now,
        case_id=case.id,
        notice_id=notice.id,
    )
