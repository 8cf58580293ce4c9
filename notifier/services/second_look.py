"""What one person on duty approved alone is looked at by another one within a day; found wrong, it is taken back at once."""

from datetime import timedelta
from typing import Any

from notifier.domain.case import Case
from notifier.domain.case_state import OPEN
from notifier.domain.events import FoundWrong
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.notice import Notice
from notifier.errors import Forbidden, Invalid
from notifier.services import withdrawing
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Tx, storable

KIND = "second_look"
RIGHT, WRONG = "right", "wrong"
_WITHIN = timedelta(hours=24)


async def ask(tx: Tx, case: Case, notice: Notice, approval_id: str, by: str) -> None:
    """One approved alone: another person is to look within a day, in the transaction of the approval."""
    due = tx.now + _WITHIN
    what = (
        f"{by} approved the {notice.measure} of {notice.domain} alone while its event ran: say whether that was right"
    )
    task_id = await notice_store.open_task(
        tx.con, KIND, what, tx.now, case_id=case.id, notice_id=notice.id, due_at=due, approval=approval_id
    )
    if task_id is None:
        raise LookupError(f"approval {approval_id} is looked at already")
    await tx.add_timer(case.id, Timer(JobKind.TASK_OVERDUE, task_id, due))
    await tx.audit("task.opened", task_id, {"kind": KIND, "approval": approval_id, "due": due.isoformat()}, case.id)


async def may_look(tx: Tx, who: Principal, task: Any) -> Case:
    """The case, if this person may look a second time at its approval. Raises Forbidden (`four_eyes`)."""
    case = await case_store.lock(tx.con, str(task["case_id"]))
    approver = await tx.con.fetchval("select principal from approval where id = $1", task["approval"])
    if case is None:
        raise LookupError(f"task {task['id']} has no case")
    if who.id == approver or who.id in case.involved:
        raise Forbidden("you approved it, or took part in its report; another person must look again", code="four_eyes")
    return case


async def settle(ctx: Context, tx: Tx, who: Principal, task: Any, resolution: str, note: str) -> None:
    """A second person has looked. Wrong: everyone told is told so at once, in this transaction."""
    case = await may_look(tx, who, task)
    if resolution == RIGHT:
        return
    reason = storable(note.strip())
    if not reason:
        raise Invalid("note: say what was wrong; everyone told is told it")
    if case.state in OPEN:
        await withdrawing.withdraw(ctx, tx, case, who.id, reason, "error")
    else:  # its event is over, so everyone told was asked to restore it
        await withdrawing.own_error(tx, await tx.save(case.apply(FoundWrong(str(task["approval"]), who.id), tx.now)))
