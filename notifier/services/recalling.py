"""What a person was to carry to its recipient, and must not leave any more.

As long as nobody has taken the task, nobody had the notice in hand: it has not left, and is called back like one that
waits. Once somebody has it, only that person knows, and is asked.
"""

from dataclasses import dataclass

from notifier.domain.hostile import one_line
from notifier.domain.notice import UNDO, Notice, NoticeState, Purpose
from notifier.services.access import DAEMON
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx

TASK = "webform"  # the kind of the task, also for a letter
_STOP = "DO NOT FILE THIS ANY MORE"


@dataclass(frozen=True, slots=True)
class InHand:
    """An open task by which a person carries a notice. `taken_by` None: nobody has it yet."""

    task_id: str
    taken_by: str | None
    detail: str


async def carried(con: Connection, notice_id: str) -> InHand | None:
    """Who is to carry a notice; None when nobody is."""
    row = await con.fetchrow(
        "select id, taken_by, detail from task where notice_id = $1 and kind = $2 and resolved_at is null",
        notice_id,
        TASK,
    )
    return InHand(str(row["id"]), row["taken_by"], row["detail"]) if row else None


async def not_left(con: Connection, case_id: str) -> list[Notice]:
    """A case's requests that nobody can have received: those that wait, and those that wait for somebody to carry them."""
    unsent = await notice_store.of_case(con, case_id, NoticeState.QUEUED, NoticeState.SENDING)
    return [n for n in unsent if n.purpose not in UNDO and (n.state is NoticeState.QUEUED or await waits(con, n))]


async def waits(con: Connection, notice: Notice) -> bool:
    """Whether somebody is to carry the notice, and nobody has it yet."""
    task = await carried(con, notice.id)
    return task is not None and task.taken_by is None


async def call_back(tx: Tx, notice: Notice, why: str) -> bool | None:
    """Stop a notice in hand. True: it never left, and is cancelled. False: somebody has it, and is told to stop and to say
    whether it was filed. None: no person carries it. The case is locked."""
    task = await carried(tx.con, notice.id)
    if task is None or notice.state is not NoticeState.SENDING:
        return None
    said = one_line(why, 300)
    if task.taken_by is not None:
        if not task.detail.startswith(_STOP):
            stop = f"{_STOP}: {said}. Say whether it was filed already. It was: {task.detail}"
            await tx.con.execute("update task set detail = $2 where id = $1", task.task_id, stop)
            await tx.audit("task.called_back", task.task_id, {"notice": notice.id}, notice.case_id)
        return False
    await _end(tx, notice, f"called back before anybody took it: {said}", "cancelled")
    await notice_store.save(tx.con, notice.apply("cancelled", tx.now))
    await tx.audit("notice.cancelled", notice.id, {}, notice.case_id)
    return True


async def put_back(tx: Tx, notice: Notice, why: str) -> Notice:
    """What waits for somebody to take it waits to be sent again; its task is over. The case is locked."""
    await _end(tx, notice, why, "cancelled")
    queued = notice.apply("deferred", tx.now)
    await notice_store.save(tx.con, queued)
    return queued


async def drop_reminders(tx: Tx, case_id: str, why: str) -> None:
    """What repeats a request is not needed any more: nothing of it leaves, and whoever has it in hand is told."""
    for notice in await notice_store.of_case(tx.con, case_id, NoticeState.QUEUED, NoticeState.SENDING):
        if notice.purpose is not Purpose.REMINDER:
            continue
        if notice.state is NoticeState.SENDING:
            await call_back(tx, notice, why)
            continue
        await notice_store.save(tx.con, notice.apply("cancelled", tx.now))
        await tx.audit("notice.cancelled", notice.id, {}, case_id)


async def answered(tx: Tx, notice: Notice) -> None:
    """Its recipient has answered. What nobody has taken needs nobody; whoever has it still owes the receipt."""
    if await waits(tx.con, notice):
        await _end(tx, notice, "answered: it has reached its recipient", "accepted")


async def _end(tx: Tx, notice: Notice, resolution: str, result: str) -> None:
    attempt = await notice_store.latest_attempt(tx.con, notice.id)
    if attempt is not None and attempt["attended"] and attempt["result"] == "started":
        await notice_store.finish_attempt(tx.con, notice.id, attempt["n"], tx.now, result, detail=resolution)
    task_id = await tx.con.fetchval(
        "update task set resolved_by = $3, resolved_at = $4, resolution = $5 "
        "where notice_id = $1 and kind = $2 and resolved_at is null returning id",
        notice.id,
        TASK,
        DAEMON,
        tx.now,
        resolution,
    )
    await tx.audit("task.resolved", str(task_id), {"kind": TASK, "resolution": result}, notice.case_id)
