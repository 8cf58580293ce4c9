"""An approved change of channel on its way: the old address is told, a day passes, and then the new channel stands."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import structlog

from notifier.adapter import Deferred, RefusedForGood, TellingAdapter, Uncertain
from notifier.catalog import Agreement
from notifier.domain.jobs import JobKind, Timer
from notifier.services import agreements
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.store import agreements as agreement_store
from notifier.store import channels as store
from notifier.store.channels import Change, ChangeState
from notifier.store.database import Tx, storable
from notifier.store.ids import new_id

log = structlog.get_logger(__name__)

WAIT = timedelta(hours=24)  # for the old address to object, from when it was told
_TELL_AGAIN = timedelta(minutes=15)


async def tell(ctx: Context, change_id: str) -> None:
    """Tell the old address, once; where it cannot be told by its channel, or nobody knows whether it was, a person does."""
    async with ctx.db.pool.acquire() as con:
        seen = await store.get(con, change_id)
    if seen is None or seen.agreement not in ctx.catalog.agreements:
        return
    async with ctx.db.transaction(DAEMON) as tx:
        may_leave = await agreements.may_leave(ctx, tx.con, seen.agreement, undo=True)
        change = await store.lock(tx.con, change_id)
        if change is None or change.state is not ChangeState.APPROVED or change.told_old_at is not None:
            return
        old = await agreements.channel(ctx, tx.con, change.agreement)
        if change.tell_started_at is not None:
            await _ask_to_tell(tx, change, "the daemon stopped while telling the old address; it may know, or not")
            return
        if old.adapter is None or not old.adapter.capabilities.tells:
            await _ask_to_tell(tx, change, "the old channel carries no free message")
            return
        if not may_leave:
            await _ask_to_tell(tx, change, "the agreement is not armed, or suspended, so nothing leaves by its channel")
            return
        await store.save(tx.con, replace(change, tell_started_at=tx.now))
    made = ctx.agreement(change.agreement).with_channel(change.adapter, change.address, change.version)
    now = await ctx.db.clock.now()
    subject, text = ctx.renderer.mail("channel_change", _facts(ctx, change, old.agreement, made, now))
    try:
        await cast(TellingAdapter, old.adapter).tell(subject, text, f"tn-channel-{change.id}", now)
    except Deferred as deferred:
        await _tell_later(ctx, change.id, deferred.reason)
    except RefusedForGood as refused:
        await _failed(ctx, change.id, f"the old address refuses: {refused.reason}")
    except Uncertain as uncertain:
        await _failed(ctx, change.id, f"it may know, or not: {uncertain.reason}")
    except Exception as error:  # whatever else it raises tells nothing of arrival
        log.exception("channel.failed", agreement=change.agreement)
        await _failed(ctx, change.id, f"it may know, or not: the channel failed ({type(error).__name__})")
    else:
        async with ctx.db.transaction(DAEMON) as tx:
            await _told(ctx, tx, change.id, "message")


def _facts(ctx: Context, change: Change, old: Agreement, made: Agreement, now: datetime) -> dict[str, Any]:
    def words(agreement: Agreement) -> str:
        return f"{agreement.adapter}, {agreement.recipient_address}"

    return {
        "recipient": old.recipient_name,
        "program": ctx.program(old.program).name,
        "agreement": old.id,
        "proposed_by": "you" if change.by_recipient else "us",
        "old": words(old),
        "new": words(made),
        "not_before": now + WAIT,
        "contact": ctx.settings.contact,
        "organisation": ctx.settings.organisation,
    }


async def _tell_later(ctx: Context, change_id: str, why: str) -> None:
    async with ctx.db.transaction(DAEMON) as tx:
        change = await store.lock(tx.con, change_id)
        if change is None or change.state is not ChangeState.APPROVED or change.approved_at is None:
            return
        await store.save(tx.con, replace(change, tell_started_at=None))  # nothing was accepted
        if tx.now - change.approved_at >= WAIT:
            await _ask_to_tell(tx, change, f"the old address could not be reached for a day: {why}")
        else:
            await tx.plan(Timer(JobKind.TELL_OLD, change.id, tx.now + _TELL_AGAIN))


async def _failed(ctx: Context, change_id: str, why: str) -> None:
    async with ctx.db.transaction(DAEMON) as tx:
        change = await store.lock(tx.con, change_id)
        if change is not None and change.state is ChangeState.APPROVED:
            await _ask_to_tell(tx, change, why)


async def _ask_to_tell(tx: Tx, change: Change, why: str) -> None:
    what = (
        f"{change.agreement}: tell the recipient, at its old address or by telephone, that its channel changes "
        f"(version {change.version}); the change waits for that. {why}"
    )
    await store.open_task(tx.con, new_id(), storable(what), tx.now, change.id)


async def told_by_person(ctx: Context, tx: Tx, change_id: str) -> None:
    """A person told the recipient; a change that is over, or stands already, is left as it is."""
    await _told(ctx, tx, change_id, "person")


async def _told(ctx: Context, tx: Tx, change_id: str, how: str) -> None:
    change = await store.lock(tx.con, change_id)
    if change is None or change.state is not ChangeState.APPROVED or change.told_old_at is not None:
        return
    told = replace(change, told_old_at=tx.now, effective_from=tx.now + WAIT)
    await store.save(tx.con, told)
    if how == "message":  # a job that ran twice may have asked a person meanwhile
        await store.end_task(tx.con, change.id, DAEMON, tx.now, "the old address was told by message")
    await tx.plan(Timer(JobKind.CHANGE, change.id, tx.now + WAIT))
    made = ctx.agreement(change.agreement).with_channel(change.adapter, change.address, change.version)
    more = {"how": how, "effective_from": (tx.now + WAIT).isoformat()}
    await tell_log(tx, "agreement.channel_told", told, made, more)


# --- taking effect ------------------------------------------------------------------------------------------------


async def change(ctx: Context, change_id: str) -> None:
    """The day is over and nobody objected: from now on the agreement has the new channel, unarmed."""
    async with ctx.db.pool.acquire() as con:
        seen = await store.get(con, change_id)
    if seen is None:
        return
    async with ctx.db.transaction(DAEMON) as tx:
        await agreement_store.hold(tx.con, seen.agreement)
        locked = await store.lock(tx.con, change_id)
        if locked is None or locked.state is not ChangeState.APPROVED:
            return
        if locked.told_old_at is None or locked.effective_from is None or locked.effective_from > tx.now:
            return
        filed = ctx.catalog.agreements.get(locked.agreement)
        if filed is None or filed.channel_digest != locked.base_digest:
            why = "the agreement's file was changed meanwhile"
            await end(tx, locked, ChangeState.REFUSED, "agreement.channel_refused", DAEMON, why)
            return
        made = filed.with_channel(locked.adapter, locked.address, locked.version)
        await take_effect(tx, locked, made)


async def take_effect(tx: Tx, change: Change, made: Agreement) -> Change:
    stands = replace(change, state=ChangeState.EFFECTIVE, effective_from=tx.now)
    await store.save(tx.con, stands)
    more = {"old_dead": change.old_dead} if change.old_dead else {}
    await tell_log(tx, "agreement.channel_changed", stands, made, more)
    await agreements.take_up(tx, change.agreement)  # what was made for the old channel goes back to review
    return stands


async def end(
    tx: Tx, change: Change, state: ChangeState, tag: str, by: str, reason: str, *, by_recipient: bool = False
) -> Change:
    ended = replace(change, state=state, ended_by=by, ended_at=tx.now, reason=reason)
    await store.save(tx.con, ended)
    await store.end_task(tx.con, change.id, by, tx.now, f"the change is {state}")
    await tell_log(tx, tag, ended, None, {"reason": reason}, by_recipient=by_recipient)
    return ended


async def tell_log(
    tx: Tx,
    tag: str,
    change: Change,
    made: Agreement | None,
    more: Mapping[str, Any] | None = None,
    *,
    by_recipient: bool = False,
) -> None:
    """An address can be a person's mailbox, so the entry holds its digest."""
    detail = {"version": change.version, "adapter": change.adapter, "channel": change.digest, **(more or {})}
    if made is not None:
        detail["digest"] = made.digest
    if by_recipient:
        detail["by"] = "recipient"
    await tx.audit(tag, change.agreement, detail)
