"""Agreements in life: armed by two different admins after their channel was checked. Unarmed, nothing is sent."""

from dataclasses import dataclass
from datetime import datetime

from notifier.adapter import Problem
from notifier.catalog import Agreement
from notifier.domain.events import Job, JobKind
from notifier.errors import Conflict, Forbidden, NotFound
from notifier.services import access
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.store.database import Connection, Tx
from notifier.store.ids import new_id

_NEEDED = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agreement stands. `armed_by`: who armed it as its digest is today."""

    id: str
    program: str
    registry: str
    recipient: str
    adapter: str | None
    armed: bool
    armed_by: tuple[str, ...]
    basis: str


async def is_armed(ctx: Context, agreement_id: str, con: Connection | None = None) -> bool:
    """Armed by two different people as the agreement stands today. A changed agreement is unarmed by that alone.

    `con`: the caller's connection when it holds one; a second one taken meanwhile could starve the pool.
    """
    return len(await _armed_by(ctx, agreement_id, con)) >= _NEEDED


async def _armed_by(ctx: Context, agreement_id: str, con: Connection | None = None) -> tuple[str, ...]:
    agreement = ctx.catalog.agreements.get(agreement_id)
    if agreement is None or agreement_id not in ctx.adapters:
        return ()
    rows = await (con or ctx.db.pool).fetch(
        "select distinct principal from arming where agreement = $1 and digest = $2 and disarmed_at is null order by 1",
        agreement_id,
        agreement.digest,
    )
    return tuple(row["principal"] for row in rows)


async def standings(ctx: Context) -> list[Standing]:
    """Every agreement of the catalog and how it stands."""
    return [await standing(ctx, agreement_id) for agreement_id in sorted(ctx.catalog.agreements)]


async def standing(ctx: Context, agreement_id: str) -> Standing:
    agreement = _get(ctx, agreement_id)
    armed_by = await _armed_by(ctx, agreement_id)
    return Standing(
        agreement.id,
        agreement.program,
        agreement.registry,
        agreement.recipient_name,
        agreement.adapter,
        len(armed_by) >= _NEEDED,
        armed_by,
        agreement.basis,
    )


async def check(ctx: Context, agreement_id: str) -> list[Problem]:
    """Whether the channel can be reached; sends nothing."""
    adapter = ctx.adapters.get(_get(ctx, agreement_id).id)
    if adapter is None:
        return [Problem("no channel", "an adapter and its address in the agreement's file")]
    return await adapter.check()


async def arm(ctx: Context, who: Principal, agreement_id: str, *, via: str = "api") -> Standing:
    """One admin arms; with the second, different one notices may leave, and those that wait are taken up."""
    access.require(who, Role.ADMIN)
    access.require_person(who)
    agreement = _get(ctx, agreement_id)
    if problems := await check(ctx, agreement_id):
        found = "; ".join(f"{p.what}, expected {p.expected}" for p in problems)
        raise Conflict(f"the channel is not ready: {found}", code="channel_not_ready")
    if who.id in await _armed_by(ctx, agreement_id):
        raise Forbidden("you armed it already; the second must be another admin", code="four_eyes")
    async with ctx.db.transaction(who.id, via) as tx:
        await tx.con.execute("select pg_advisory_xact_lock(hashtext($1))", agreement_id)  # two arm one after the other
        await tx.con.execute(
            "insert into arming (id, agreement, digest, principal, at) values ($1, $2, $3, $4, $5)",
            new_id(),
            agreement_id,
            agreement.digest,
            who.id,
            tx.now,
        )
        await tx.audit("agreement.armed", agreement_id, {"digest": agreement.digest})
        if len(await _armed_by(ctx, agreement_id, tx.con)) == _NEEDED:
            await _take_up(tx, agreement_id)
    return await standing(ctx, agreement_id)


async def _take_up(tx: Tx, agreement_id: str) -> None:
    """Queue what waited for this agreement to be armed; once, by whoever armed it last."""
    waiting = await tx.con.fetch("select id from cases where agreement = $1 and state = 'approved'", agreement_id)
    queued = await tx.con.fetch(
        "select n.id from notice n join cases c on c.id = n.case_id where n.agreement = $1 "
        "and (c.state = 'notified' or n.purpose in ('withdrawal', 'restore')) and (n.state = 'queued' or "
        # Waiting to be sent once more under its key; one that is being sent right now has an attempt `started`.
        "n.state = 'sending' and (select a.result from attempt a where a.notice_id = n.id order by a.n desc limit 1) "
        "= 'uncertain')",
        agreement_id,
    )
    await tx.enqueue(
        *(Job(JobKind.DISPATCH, str(row["id"])) for row in waiting),
        *(Job(JobKind.SEND, str(row["id"])) for row in queued),
    )


async def disarm(ctx: Context, who: Principal, agreement_id: str, *, via: str = "api") -> Standing:
    """One admin is enough to stop: what has not left does not leave."""
    access.require(who, Role.ADMIN)
    _get(ctx, agreement_id)
    async with ctx.db.transaction(who.id, via) as tx:
        await tx.con.execute(
            "update arming set disarmed_at = $2 where agreement = $1 and disarmed_at is null",
            agreement_id,
            tx.now,
        )
        await tx.audit("agreement.disarmed", agreement_id, {})
    return await standing(ctx, agreement_id)


def answer_due(ctx: Context, agreement_id: str, start: datetime) -> datetime:
    """When the recipient's time to decide is over, by the agreement's own clock and calendar."""
    agreement = ctx.agreement(agreement_id)
    return agreement.decide.due(start, ctx.catalog.calendars)


def _get(ctx: Context, agreement_id: str) -> Agreement:
    agreement = ctx.catalog.agreements.get(agreement_id)
    if agreement is None:
        raise NotFound(f"no agreement {agreement_id!r}")
    return agreement
