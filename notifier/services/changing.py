"""A change of an agreement's channel: proposed, approved by another, told to the old address, in effect a day later.

To approve is not to arm: the changed agreement has another digest, which two admins arm before anything leaves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from notifier.catalog import Agreement, channel_faults
from notifier.domain.jobs import Job, JobKind
from notifier.errors import Conflict, Forbidden, Invalid, NotFound
from notifier.services import access, agreements, channels, telling
from notifier.services.access import Principal, Role
from notifier.services.channels import Channel
from notifier.services.context import Context
from notifier.store import agreements as agreement_store
from notifier.store import channels as store
from notifier.store.channels import OPEN, Change, ChangeState
from notifier.store.database import storable
from notifier.store.ids import new_id

_DEAD_AFTER = 3  # attempts in a row that the old channel refused or gave back
_MAX_SHOWN = 200
_DEAD = frozenset({"refused", "bounced"})


async def versions(ctx: Context, who: Principal, agreement_id: str) -> Sequence[Change]:
    """The changes that were proposed, newest first; a registry sees those of its own agreement."""
    agreements.in_reach(ctx, who, agreement_id, Role.ADMIN, Role.AUDITOR, Role.REGISTRY)
    async with ctx.db.pool.acquire() as con:
        return await store.of_agreement(con, agreement_id, _MAX_SHOWN)


async def stands(ctx: Context, who: Principal, agreement_id: str) -> tuple[Agreement, frozenset[str]]:
    """The agreement with the channel that stands, for its own recipient and for admins, and which of the address's texts
    are names of secrets; their values stay where they are."""
    agreements.in_reach(ctx, who, agreement_id, Role.ADMIN, Role.REGISTRY)
    async with ctx.db.pool.acquire() as con:
        there = await agreements.channel(ctx, con, agreement_id)
    named = (text for text in channels.texts(there.agreement.address) if ctx.settings.secret(text) is not None)
    return there.agreement, frozenset(named)


async def propose(
    ctx: Context, who: Principal, agreement_id: str, adapter: str, address: Mapping[str, Any], *, via: str = "api"
) -> Change:
    """Propose another channel, by an admin or by the recipient itself. Nobody is reached.

    Raises Invalid with what the adapter cannot use, Conflict (code change_pending) while another is open.
    """
    filed = agreements.in_reach(ctx, who, agreement_id, Role.ADMIN, Role.REGISTRY)
    recipient = who.role is Role.REGISTRY
    if not recipient:
        access.require_person(who)
    if filed.for_anybody:
        raise Invalid("it is for whoever is found, at the address that is found; make an agreement for the one party")
    _check_address(ctx, filed, adapter, address)
    async with ctx.db.transaction(who.id, via) as tx:
        await agreement_store.hold(tx.con, agreement_id)
        there = await agreements.channel(ctx, tx.con, agreement_id)
        if recipient:
            _check_secrets(ctx, there.agreement, address)
        if await store.pending(tx.con, agreement_id) is not None:
            raise Conflict("another change of this channel is under way; refuse it first", code="change_pending")
        version = await store.next_version(tx.con, agreement_id)
        made = filed.with_channel(adapter, address, version)
        if made.channel_digest == there.agreement.channel_digest:
            raise Invalid("address: it is the channel that stands already")
        change = Change(
            new_id(),
            agreement_id,
            version,
            adapter,
            dict(address),
            made.channel_digest,
            filed.channel_digest,
            ChangeState.PROPOSED,
            who.id,
            recipient,
            tx.now,
        )
        await store.insert(tx.con, change)
        await telling.tell_log(tx, "agreement.channel_proposed", change, made, by_recipient=recipient)
    return change


async def approve(
    ctx: Context, who: Principal, agreement_id: str, version: int, note: str = "", *, via: str = "api"
) -> Change:
    """Approve a change that somebody else proposed, after its channel was checked. Then the old address is told.

    A recipient's proposal needs a note: who of them confirmed it by call-back. Where the old channel is dead nobody
    waits for it. Raises Forbidden (four eyes), Conflict (not open, overtaken, or the new channel is not ready).
    """
    filed = agreements.in_reach(ctx, who, agreement_id, Role.ADMIN)
    access.require_person(who)
    async with ctx.db.pool.acquire() as con:
        change = await _find(con, agreement_id, version)
        old = await agreements.channel(ctx, con, agreement_id)
    _may_approve(change, filed, who, note)
    made = filed.with_channel(change.adapter, change.address, change.version)
    checked = await agreements.check_channel(ctx, Channel(made, channels.built(ctx, made), version), who.id, via)
    agreements.must_pass(checked)
    dead = await _why_dead(ctx, old)
    async with ctx.db.transaction(who.id, via) as tx:
        await agreement_store.hold(tx.con, agreement_id)
        locked = await store.lock(tx.con, change.id)
        there = await agreements.channel(ctx, tx.con, agreement_id)
        if locked is None or there.agreement.digest != old.agreement.digest:
            raise Conflict("the channel was changed meanwhile; look at the proposal again")
        _may_approve(locked, filed, who, note)
        approved = replace(
            locked,
            state=ChangeState.APPROVED,
            approved_by=who.id,
            approved_at=tx.now,
            note=storable(note),
            checked_at=checked.at,
            old_dead=storable(dead) if dead else None,
        )
        await store.save(tx.con, approved)
        more = {"check": checked.id} | ({"old_dead": approved.old_dead} if dead else {})
        await telling.tell_log(tx, "agreement.channel_approved", approved, made, more)
        if not dead:
            await tx.enqueue(Job(JobKind.TELL_OLD, approved.id))
            return approved
        if old.agreement.channel is not None:
            why = f"{agreement_id}: the old channel is dead, so the change stands at once; tell the recipient otherwise"
            await store.open_task(tx.con, new_id(), why, tx.now, approved.id)
        return await telling.take_effect(tx, approved, made)


def _may_approve(change: Change, filed: Agreement, who: Principal, note: str) -> None:
    if change.state is not ChangeState.PROPOSED:
        raise Conflict(f"the change is {change.state}", code="change_not_open")
    if change.proposed_by == who.id:
        raise Forbidden("you proposed it; another admin must approve", code="four_eyes")
    if change.by_recipient and not note.strip():
        raise Invalid("note: call the recipient back by a number you know, and say who of them confirmed it")
    if change.base_digest != filed.channel_digest:
        raise Conflict("the agreement's file was changed since; refuse this and propose anew", code="change_overtaken")


async def refuse(
    ctx: Context, who: Principal, agreement_id: str, version: int, reason: str, *, via: str = "api"
) -> Change:
    """Refuse a change that has not taken effect: any admin, or the recipient. Who proposed it withdraws it."""
    agreements.in_reach(ctx, who, agreement_id, Role.ADMIN, Role.REGISTRY)
    if not reason.strip():
        raise Invalid("reason: say why; it is kept for ever")
    async with ctx.db.transaction(who.id, via) as tx:
        await agreement_store.hold(tx.con, agreement_id)
        found = await _find(tx.con, agreement_id, version)
        locked = await store.lock(tx.con, found.id)
        if locked is None or locked.state not in OPEN:
            raise Conflict(f"the change is {found.state}", code="change_not_open")
        own = locked.proposed_by == who.id
        state = ChangeState.WITHDRAWN if own else ChangeState.REFUSED
        tag = f"agreement.channel_{state}"
        return await telling.end(
            tx, locked, state, tag, who.id, storable(reason), by_recipient=who.role is Role.REGISTRY
        )


async def _why_dead(ctx: Context, old: Channel) -> str | None:
    """Why nobody can be told by the old channel; None when it is alive. Nothing is sent."""
    if old.agreement.channel is None:
        return "there was none"
    if old.adapter is None:
        return "it cannot be built any more"
    async with ctx.db.pool.acquire() as con:
        digest = old.agreement.channel_digest
        results = await store.last_results(con, old.agreement.id, digest, _DEAD_AFTER)
    if len(results) == _DEAD_AFTER and _DEAD.issuperset(results):
        return f"the last {_DEAD_AFTER} attempts by it: {', '.join(results)}"
    if problems := await old.adapter.check():
        return "its check fails: " + "; ".join(problem.what for problem in problems)
    return None


# --- parts --------------------------------------------------------------------------------------------------------


async def _find(con: Any, agreement_id: str, version: int) -> Change:
    found = await store.find(con, agreement_id, version)
    if found is None:
        raise NotFound(f"no version {version} of the channel of {agreement_id}")
    return found


def _check_address(ctx: Context, filed: Agreement, adapter: str, address: Mapping[str, Any]) -> None:
    """Raises Invalid with what to do. The adapter is built, and nobody is reached."""
    if any(text != storable(text) for text in channels.texts(address)):
        raise Invalid("address: a text holds what cannot be stored")
    try:
        made = filed.with_channel(adapter, address, 1)
        if faults := channel_faults(filed.id, adapter, address):
            raise Invalid("; ".join(f"{f.key}: {f.what}, expected {f.expected}" for f in faults))
        channels.built(ctx, made)
    except Invalid as fault:
        raise Invalid(fault.detail.removeprefix(f"{filed.id}: ")) from fault
    except (TypeError, ValueError, LookupError, AttributeError) as fault:
        raise Invalid(f"address: {adapter} cannot use it ({type(fault).__name__})") from fault


def _check_secrets(ctx: Context, stands: Agreement, address: Mapping[str, Any]) -> None:
    """A recipient may keep the secrets that its channel names, and name no other of ours: it would learn them."""
    known = frozenset(channels.texts(stands.address))
    for text in channels.texts(address):
        if text not in known and ctx.settings.secret(text) is not None:
            raise Invalid("address: it names a secret that is not this channel's; ask us to propose it")
