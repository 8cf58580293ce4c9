"""Whether notices may leave under an agreement: armed by two different admins after its channel was checked, and not
suspended. Unarmed, nothing is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.adapter import Problem
from notifier.catalog import Agreement
from notifier.domain.jobs import URGENT, Job, JobKind
from notifier.errors import Conflict, Forbidden, NotFound
from notifier.services import access, channels
from notifier.services.access import Principal, Role
from notifier.services.channels import Channel
from notifier.services.context import Context
from notifier.store import agreements as store
from notifier.store import channels as channel_store
from notifier.store.agreements import Checked, Scope, Suspension
from notifier.store.channels import Change
from notifier.store.database import Connection, Tx, storable
from notifier.store.ids import new_id

_SEE = (Role.SUBMITTER, Role.REVIEWER, Role.REGISTRY, Role.AUDITOR, Role.ADMIN)
FRESH = timedelta(hours=24)
_NEEDED = 2
_NO_CHANNEL = Problem("no channel", "an adapter and its address in the agreement's file")


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agreement stands. `armed_by`: who armed it as its digest is today. `suspended`: the widest that stands.

    `checked`: the newest look at the channel, perhaps of another digest. `channel_version` 0: the channel of the file;
    `overruled`: the version that the file's own channel, changed since, outweighs. `pending`: a change under way.
    """

    id: str
    program: str
    registry: str
    recipient: str
    adapter: str | None
    armed: bool
    armed_by: tuple[str, ...]
    basis: str
    digest: str
    suspended: Suspension | None
    checked: Checked | None
    channel_version: int
    overruled: int | None
    pending: Change | None


async def may_leave(ctx: Context, con: Connection, agreement_id: str, *, undo: bool) -> bool:
    """Whether a notice may leave now, and until the transaction of `con` ends: whoever stops it waits for that.

    `undo`: it asks for less than stands, which only a suspension of everything holds back.
    """
    await store.share(con, agreement_id)
    if not await is_armed(ctx, agreement_id, con):
        return False
    return not holds(await store.suspensions(con, agreement_id), undo=undo)


def holds(standing: Sequence[Suspension], *, undo: bool) -> bool:
    """Whether one of these suspensions keeps a notice here."""
    return any(one.scope is Scope.EVERYTHING or not undo for one in standing)


async def suspended(ctx: Context, agreement_id: str, con: Connection | None = None) -> Suspension | None:
    """The widest suspension that stands; None when there is none."""
    if con is not None:
        return next(iter(await store.suspensions(con, agreement_id)), None)
    async with ctx.db.pool.acquire() as own:
        return await suspended(ctx, agreement_id, own)


async def is_armed(ctx: Context, agreement_id: str, con: Connection | None = None) -> bool:
    """Armed by two different people as the agreement stands today. A changed agreement is unarmed by that alone.

    `con`: the caller's connection when it holds one; a second one taken meanwhile could starve the pool.
    """
    return len(await _armed_by(ctx, agreement_id, con)) >= _NEEDED


async def _armed_by(ctx: Context, agreement_id: str, con: Connection | None = None) -> tuple[str, ...]:
    if con is None:
        async with ctx.db.pool.acquire() as own:
            return await _armed_by(ctx, agreement_id, own)
    there = await channels.of(ctx, con, agreement_id)
    if there is None or there.adapter is None:
        return ()
    rows = await con.fetch(
        "select distinct principal from arming where agreement = $1 and digest = $2 and disarmed_at is null order by 1",
        agreement_id,
        there.agreement.digest,
    )
    return tuple(row["principal"] for row in rows)


async def standings(ctx: Context, who: Principal) -> list[Standing]:
    """Every agreement in the principal's reach and how it stands; a registry's are its own."""
    access.require(who, *_SEE)
    return [
        await standing(ctx, agreement.id)
        for _, agreement in sorted(ctx.catalog.agreements.items())
        if (who.programs is None or agreement.program in who.programs)
        and (who.role is not Role.REGISTRY or agreement.registry == who.registry)
    ]


async def standing(ctx: Context, agreement_id: str) -> Standing:
    async with ctx.db.pool.acquire() as con:
        there = await channel(ctx, con, agreement_id)
        pending = await channel_store.pending(con, agreement_id)
        armed_by = await _armed_by(ctx, agreement_id, con)
        stopped = await suspended(ctx, agreement_id, con)
        checked = await store.newest_check(con, agreement_id)
    agreement = there.agreement
    return Standing(
        agreement.id,
        agreement.program,
        agreement.registry,
        agreement.recipient_name,
        agreement.adapter,
        len(armed_by) >= _NEEDED,
        armed_by,
        agreement.basis,
        agreement.digest,
        stopped,
        checked,
        there.version,
        there.overruled,
        pending,
    )


async def check(ctx: Context, agreement_id: str, by: str, via: str = "api") -> list[Problem]:
    """Whether the channel can be reached; sends nothing. What it found is recorded with the agreement's digest."""
    return list((await _check(ctx, agreement_id, by, via)).problems)


async def _check(ctx: Context, agreement_id: str, by: str, via: str) -> Checked:
    async with ctx.db.pool.acquire() as con:
        there = await channel(ctx, con, agreement_id)
    return await check_channel(ctx, there, by, via)


async def check_channel(ctx: Context, there: Channel, by: str, via: str) -> Checked:
    """Look whether this channel can be reached, and keep what was found with the digest that the agreement has by it."""
    agreement_id, digest = there.agreement.id, there.agreement.digest
    problems = [_NO_CHANNEL] if there.adapter is None else await there.adapter.check()
    async with ctx.db.transaction(by, via) as tx:
        told = tuple(Problem(storable(p.what), storable(p.expected)) for p in problems)
        made = Checked(new_id(), digest, tx.now, by, told)
        await store.insert_check(tx.con, agreement_id, made)
        detail = {"digest": made.digest, "check": made.id, "passed": made.passed, "problems": len(told)}
        await tx.audit("agreement.checked", agreement_id, detail)
    return made


async def require_ready(ctx: Context, by: str, agreement_id: str, via: str, *, fresh: timedelta = FRESH) -> str:
    """The digest under which the channel passed a check at most `fresh` ago; checked now when there is none.

    Raises Conflict (code channel_not_ready) with what the check found.
    """
    async with ctx.db.pool.acquire() as con:
        there = await channel(ctx, con, agreement_id)
        known = await store.newest_check(con, agreement_id, there.agreement.digest)
    now = await ctx.db.clock.now()
    if known is None or not known.passed or not timedelta(0) <= now - known.at < fresh:
        known = await check_channel(ctx, there, by, via)
    must_pass(known)
    return known.digest


def must_pass(known: Checked) -> None:
    """Raises Conflict (code channel_not_ready) with what a check found."""
    if known.problems:
        found = "; ".join(f"{p.what}, expected {p.expected}" for p in known.problems)
        raise Conflict(f"the channel is not ready: {found}", code="channel_not_ready")


async def arm(ctx: Context, who: Principal, agreement_id: str, *, via: str = "api") -> Standing:
    """One admin arms; with the second, different one notices may leave, and those that wait are taken up."""
    in_reach(ctx, who, agreement_id, Role.ADMIN)
    access.require_person(who)
    digest = await require_ready(ctx, who.id, agreement_id, via)
    async with ctx.db.transaction(who.id, via) as tx:
        await store.hold(tx.con, agreement_id)  # two arm one after the other
        if who.id in await _armed_by(ctx, agreement_id, tx.con):
            raise Forbidden("you armed it already; the second must be another admin", code="four_eyes")
        if (await channel(ctx, tx.con, agreement_id)).agreement.digest != digest:
            raise Conflict("the channel was changed meanwhile; look at the agreement again")
        await tx.con.execute(
            "insert into arming (id, agreement, digest, principal, at) values ($1, $2, $3, $4, $5)",
            new_id(),
            agreement_id,
            digest,
            who.id,
            tx.now,
        )
        await tx.audit("agreement.armed", agreement_id, {"digest": digest})
        if len(await _armed_by(ctx, agreement_id, tx.con)) == _NEEDED:
            await take_up(tx, agreement_id)
    return await standing(ctx, agreement_id)


async def take_up(tx: Tx, agreement_id: str) -> None:
    """Queue what waited for this agreement to be armed or resumed; once, by whoever came last."""
    waiting = await tx.con.fetch(
        "select id, priority from cases where agreement = $1 and state = 'approved'", agreement_id
    )
    queued = await tx.con.fetch(
        "select n.id, case when n.purpose in ('withdrawal', 'restore') then greatest(c.priority, $2) else c.priority end "
        "as priority from notice n join cases c on c.id = n.case_id where n.agreement = $1 "
        "and (c.state = 'notified' or n.purpose in ('withdrawal', 'restore')) and (n.state = 'queued' or "
        # Waiting to be sent once more under its key; one that is being sent right now has an attempt `started`.
        "n.state = 'sending' and (select a.result from attempt a where a.notice_id = n.id order by a.n desc limit 1) "
        "in ('uncertain', 'deferred') or n.state = 'sending' and exists (select from task t where t.notice_id = n.id "
        "and t.kind = 'webform' and t.resolved_at is null and t.taken_by is null))",
        agreement_id,
        URGENT,
    )
    await tx.enqueue(
        *(Job(JobKind.DISPATCH, str(row["id"]), row["priority"]) for row in waiting),
        *(Job(JobKind.SEND, str(row["id"]), row["priority"]) for row in queued),
    )


async def disarm(ctx: Context, who: Principal, agreement_id: str, *, via: str = "api") -> Standing:
    """One admin is enough to stop: what has not left does not leave."""
    in_reach(ctx, who, agreement_id, Role.ADMIN)
    async with ctx.db.transaction(who.id, via) as tx:
        await store.hold(tx.con, agreement_id)
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


async def channel(ctx: Context, con: Connection, agreement_id: str) -> Channel:
    """The channel that stands. Raises NotFound."""
    there = await channels.of(ctx, con, agreement_id)
    if there is None:
        raise NotFound(f"no agreement {agreement_id!r}")
    return there


def in_reach(ctx: Context, who: Principal, agreement_id: str, *roles: Role) -> Agreement:
    """The agreement, for one of `roles`: staff of its program's owner or of the house, or its own recipient.

    Raises Forbidden, and NotFound for a foreign one.
    """
    access.require(who, *roles)
    agreement = get(ctx, agreement_id)
    if who.role is Role.REGISTRY:
        foreign = agreement.registry != who.registry
    else:
        foreign = agreement.program not in ctx.owned_by(who.organisation)
    if foreign or (who.programs is not None and agreement.program not in who.programs):
        raise NotFound(f"no agreement {agreement_id!r}")
    return agreement


def get(ctx: Context, agreement_id: str) -> Agreement:
    """Raises NotFound."""
    agreement = ctx.catalog.agreements.get(agreement_id)
    if agreement is None:
        raise NotFound(f"no agreement {agreement_id!r}")
    return agreement
