"""Agreements that were stopped. One admin stops one, and so may its recipient; two different admins let it go on."""

from datetime import timedelta

from notifier.errors import Conflict, Forbidden, Invalid
from notifier.services import access, agreements
from notifier.services.access import Principal, Role
from notifier.services.agreements import Standing
from notifier.services.context import Context
from notifier.store import agreements as store
from notifier.store.agreements import Scope, Suspension
from notifier.store.database import storable
from notifier.store.ids import new_id


async def suspend(
    ctx: Context, who: Principal, agreement_id: str, scope: Scope, reason: str, *, via: str = "api"
) -> Standing:
    """Stop at once: an attempt that has not begun when this returns does not begin. One that has may still arrive.

    `requests` lets withdrawals leave. A recipient may stop what asks something of it, and no withdrawal.
    Raises Invalid without a reason, Conflict when the same person stopped the same already.
    """
    recipient = who.role is Role.REGISTRY
    agreements.in_reach(ctx, who, agreement_id, Role.ADMIN, Role.REGISTRY)
    if recipient and scope is not Scope.REQUESTS:
        raise Forbidden("you may stop requests; withdrawals still reach you")
    if not reason.strip():
        raise Invalid("reason: say why; it is kept for ever")
    async with ctx.db.transaction(who.id, via) as tx:
        await store.hold(tx.con, agreement_id)
        made = Suspension(new_id(), scope, storable(reason), who.id, recipient, tx.now, None)
        if not await store.insert_suspension(tx.con, agreement_id, made):
            raise Conflict("you stopped it already, and that stands")
        detail = {"suspension": made.id, "scope": str(scope), "reason": made.reason}
        if recipient:
            detail["by"] = "recipient"
        await tx.audit("agreement.suspended", agreement_id, detail)
    return await agreements.standing(ctx, agreement_id)


async def resume(ctx: Context, who: Principal, agreement_id: str, note: str = "", *, via: str = "api") -> Standing:
    """One admin asks to go on; with the second, different one what waited is taken up. The channel is checked each time.

    What a recipient stopped needs a note: who of them said that we may go on. What is stopped between the two needs
    two again. Raises Conflict when nothing is suspended or the channel is not ready, Forbidden (four eyes).
    """
    agreements.in_reach(ctx, who, agreement_id, Role.ADMIN)
    access.require_person(who)
    if await agreements.suspended(ctx, agreement_id) is None:
        raise Conflict("it is not suspended", code="not_suspended")
    await agreements.require_ready(ctx, who.id, agreement_id, via, fresh=timedelta(0))
    async with ctx.db.transaction(who.id, via) as tx:
        await store.hold(tx.con, agreement_id)
        standing = await store.suspensions(tx.con, agreement_id)
        if not standing:
            raise Conflict("it is not suspended", code="not_suspended")
        if any(one.by_recipient for one in standing) and not note.strip():
            raise Invalid("note: the recipient asked us to stop; say who of them agreed that we go on")
        fresh = [one for one in standing if one.lift_asked_by is None]
        others = [one for one in standing if one.lift_asked_by not in (None, who.id)]
        if not fresh and not others:
            raise Forbidden("you asked to resume already; the second must be another admin", code="four_eyes")
        for one in fresh:
            await store.ask_lift(tx.con, one.id, who.id, tx.now)
        for one in others:
            await store.lift(tx.con, one.id, who.id, tx.now)
        left = await store.suspensions(tx.con, agreement_id)
        tag = "agreement.resume_asked" if left else "agreement.resumed"
        await tx.audit(tag, agreement_id, {"note": storable(note), "lifted": [one.id for one in others]})
        if not agreements.holds(left, undo=True):  # withdrawals at least
            await agreements.take_up(tx, agreement_id)
    return await agreements.standing(ctx, agreement_id)
