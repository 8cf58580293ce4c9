"""Which acts of a person on a case can succeed now, and why the others cannot.

Each act is tried on the case as it is: the domain's own step, after the same questions that the verb asks. Nothing is
written, and no rule is said a second time here.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

from notifier.domain.case import Case
from notifier.domain.case_state import OPEN
from notifier.domain.events import (
    ApprovalVoided,
    Approved,
    Assigned,
    ContactGiven,
    Event,
    EvidenceAdded,
    EvidenceRequested,
    HoldKept,
    MergedInto,
    ReportsLeft,
    StepPassed,
    WatchEnded,
    Withdrawn,
)
from notifier.domain.recipient import Found
from notifier.domain.rule import Recipient
from notifier.errors import Conflict, NotifierError
from notifier.services import access, holds, recipients, review, stepping
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.store import files as file_store
from notifier.store.database import Tx

_Try: TypeAlias = Callable[[Context, Tx, Principal, Case], Awaitable[None]]
_ANY = "-"  # stands for what the person will say


def _decides(event: Callable[[Principal, Case], Event]) -> _Try:
    """An act of whoever may decide, that is nothing but its step."""

    async def attempt(ctx: Context, tx: Tx, who: Principal, case: Case) -> None:
        review.may_decide(ctx, who, case)
        case.apply(event(who, case), tx.now)

    return attempt


async def _reject(ctx: Context, tx: Tx, who: Principal, case: Case) -> None:
    review.may_decide(ctx, who, case)
    await review.rejecting(tx, case, who, _ANY)


async def _withdraw(ctx: Context, tx: Tx, who: Principal, case: Case) -> None:
    await review.may_withdraw(ctx, tx, who, case)
    case.apply(Withdrawn(who.id, _ANY), tx.now)


async def _amend(ctx: Context, tx: Tx, who: Principal, case: Case) -> None:
    review.may_decide(ctx, who, case)
    await stepping.question(tx, case)


async def _keep(ctx: Context, tx: Tx, who: Principal, case: Case) -> None:
    review.may_decide(ctx, who, case)
    held = holds.begun(ctx.program(case.program), None, tx.now)
    case.apply(HoldKept(who.id, _ANY, (_ANY,), held), tx.now)


async def _contact(ctx: Context, tx: Tx, who: Principal, case: Case) -> None:
    review.may_decide(ctx, who, case)
    case.apply(ContactGiven(_ANY, _ANY, who.id), tx.now)
    if not any(isinstance(recipients.seen(case, p), Found) for p in (Recipient.HOST, Recipient.REGISTRAR)):
        raise Conflict("neither its host nor its registrar is known yet")


async def _observe(ctx: Context, tx: Tx, who: Principal, case: Case) -> None:
    review.may_decide(ctx, who, case)
    if case.state not in OPEN and not case.watched:
        raise Conflict(f"the case is {case.state}, and a look would tell nothing of it")


async def _evidence(ctx: Context, tx: Tx, who: Principal, case: Case) -> None:
    access.require(who, Role.SUBMITTER, Role.REVIEWER)
    case.apply(EvidenceAdded((_ANY,), who.id), tx.now)


async def _place_hold(ctx: Context, tx: Tx, who: Principal, case: Case) -> None:
    review.may_decide(ctx, who, case)
    if await file_store.is_held(tx.con, case.id):
        raise Conflict("the case is under a legal hold already")


async def _lift_hold(ctx: Context, tx: Tx, who: Principal, case: Case) -> None:
    review.may_decide(ctx, who, case)
    if not await file_store.is_held(tx.con, case.id):
        raise Conflict("the case is under no legal hold")


_ACTS: Mapping[str, _Try] = {
    "approve": _decides(lambda who, case: Approved(who.id, _ANY, _ANY, (_ANY,), timedelta(), note=_ANY)),
    "reject": _reject,
    "request-evidence": _decides(lambda who, case: EvidenceRequested(who.id, _ANY)),
    "assign": _decides(lambda who, case: Assigned(who.id)),
    "cancel": _decides(lambda who, case: ApprovalVoided(_ANY)),
    "withdraw": _withdraw,
    "amend": _amend,
    "pass-over": _decides(lambda who, case: StepPassed(None, who.id, _ANY)),
    "contact": _contact,
    "keep": _keep,
    "close": _decides(lambda who, case: WatchEnded()),
    "evidence": _evidence,
    "observe": _observe,
    "merge": _decides(lambda who, case: MergedInto(_ANY, _ANY, (), (), (), who.id, _ANY)),
    "detach": _decides(lambda who, case: ReportsLeft(_ANY, (), (), case.involved, who.id, _ANY)),
    "hold": _place_hold,
    "release-hold": _lift_hold,
}


ALL = tuple(_ACTS)


async def acts(ctx: Context, who: Principal, case_id: str, wanted: Sequence[str] = ALL) -> Mapping[str, str | None]:
    """Of each wanted act why it cannot succeed now, in words; None when nothing speaks against it.

    Raises NotFound for a case out of scope.
    """
    async with ctx.db.transaction(who.id) as tx:
        case = await review.visible(ctx, tx.con, who, case_id)
        found: dict[str, str | None] = {}
        for act in wanted:
            try:
                await _ACTS[act](ctx, tx, who, case)
            except NotifierError as fault:
                found[act] = fault.detail
            else:
                found[act] = None
    return found


async def told_by_withdrawing(ctx: Context, who: Principal, case_id: str) -> int:
    """How many notices a withdrawal would take back from whoever has them. Raises what the withdrawal would."""
    async with ctx.db.transaction(who.id) as tx:
        case = await review.visible(ctx, tx.con, who, case_id)
        return await review.may_withdraw(ctx, tx, who, case)
