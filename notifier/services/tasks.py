"""What waits for a person: tasks and alarms. Each is taken by one, and stays open until somebody says what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifier.adapter import Attachment
from notifier.domain.answer import Answer
from notifier.errors import Conflict, Invalid, NotFound
from notifier.services import access, attending, reading, recalling, responses, second_look, sending, telling
from notifier.services.access import Principal, Role
from notifier.services.attending import Carrying, Filing
from notifier.services.context import Context
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Tx, storable
from notifier.store.ids import as_uuid

# What a person may say at the end of a task, by its kind; any kind may be `done` with a note.
RESOLUTIONS: Mapping[str, tuple[str, ...]] = {
    "uncertain": ("arrived", "not_arrived"),
    "confirm_answer": ("confirmed", "not_confirmed"),
    "unmatched_mail": ("done", "tied"),
    recalling.TASK: (attending.FILED, attending.NOT_FILED, attending.UNSURE),
}
_LOOKED = (second_look.RIGHT, second_look.WRONG)  # of what one person approved alone
_ANY = ("done",)
_NOTHING = Filing()


async def take(ctx: Context, who: Principal, table: str, item_id: str, *, via: str = "api") -> None:
    """Put one's name on a task or alarm. Raises Conflict when somebody else has it or it is over.

    Who takes a notice to carry gets it in hand, so it must be allowed to leave at this moment (`not_now`).
    """
    if table == "task":
        async with ctx.db.transaction(who.id, via) as tx:
            row = await _lock(ctx, tx, who, table, item_id)
            if row["approval"] is not None:
                await second_look.may_look(tx, who, row)
        if row["kind"] == recalling.TASK:
            await attending.may_be_taken(ctx, str(row["notice_id"]))
    async with ctx.db.transaction(who.id, via) as tx:
        row = await _lock(ctx, tx, who, table, item_id)
        detail = {}
        if table == "task" and row["kind"] == recalling.TASK:
            notice = await attending.leaves_now(ctx, tx.con, str(row["notice_id"]))
            detail = {"notice": notice.id, "digest": notice.digest}
        if row["taken_by"] not in (None, who.id):
            raise Conflict(f"{row['taken_by']} has it already")
        await tx.con.execute(
            f"update {table} set taken_by = $2, taken_at = $3 where id = $1",
            item_id,
            who.id,
            tx.now,
        )
        await tx.audit(f"{table}.taken", item_id, detail, _case_of(row))


async def give_back(ctx: Context, who: Principal, table: str, item_id: str, *, via: str = "api") -> None:
    """Take one's name off a task or alarm that is not done. Raises Conflict when somebody else has it, and for a notice to
    carry: whoever had it in hand says whether it left."""
    async with ctx.db.transaction(who.id, via) as tx:
        row = await _lock(ctx, tx, who, table, item_id)
        if row["taken_by"] != who.id:
            raise Conflict(f"{row['taken_by'] or 'nobody'} has it, so it is not yours to give back")
        if row["kind"] == recalling.TASK:
            raise Conflict("you had the notice in hand: say filed, not filed, or unsure")
        await tx.con.execute(f"update {table} set taken_by = null, taken_at = null where id = $1", item_id)
        await tx.audit(f"{table}.given_back", item_id, {}, _case_of(row))


@dataclass(frozen=True, slots=True)
class Shown:
    """One task; `carrying`: what there is to carry, for a notice that a person carries."""

    row: Mapping[str, Any]
    carrying: Carrying | None


async def show(ctx: Context, who: Principal, task_id: str) -> Shown:
    """One task in reach. Raises NotFound, Forbidden."""
    access.require(who, Role.REVIEWER)
    row = await reading.task(ctx, who, task_id)
    return Shown(row, await attending.carrying(ctx, who, row))


async def material(ctx: Context, who: Principal, task_id: str, sha256: str) -> Attachment:
    """One file to carry, for whoever has the task. Raises NotFound, and Conflict when there is nothing to copy now."""
    shown = (await show(ctx, who, task_id)).carrying
    if shown is not None and shown.why_not is not None:
        raise Conflict(shown.why_not, code="not_now")
    for file in shown.files if shown else ():
        if file.sha256 == sha256:
            return file
    raise NotFound(f"the task has no file {sha256}")


async def may_resolve(ctx: Context, who: Principal, task_id: str) -> None:
    """Before a file is taken in: whether this principal may end this task now. Raises as `resolve` would."""
    async with ctx.db.transaction(who.id) as tx:
        await _lock(ctx, tx, who, "task", task_id)


async def close_alarm(ctx: Context, who: Principal, alarm_id: str, reason: str = "", *, via: str = "api") -> None:
    """End an alarm; `reason` is kept with it."""
    async with ctx.db.transaction(who.id, via) as tx:
        row = await _lock(ctx, tx, who, "alarm", alarm_id)
        await tx.con.execute(
            "update alarm set closed_by = $2, closed_at = $3, close_reason = $4 where id = $1",
            alarm_id,
            who.id,
            tx.now,
            storable(reason.strip()) or None,
        )
        await tx.audit("alarm.closed", alarm_id, {"kind": row["kind"]}, _case_of(row))


async def resolve(
    ctx: Context,
    who: Principal,
    task_id: str,
    resolution: str,
    note: str = "",
    answer: Answer | None = None,
    *,
    notice_id: str | None = None,
    filing: Filing = _NOTHING,
    via: str = "api",
) -> None:
    """End a task. `uncertain` says whether the notice arrived; `confirm_answer` gives the answer as confirmed by call-back;
    `unmatched_mail` may tie the message to the notice `notice_id`, where its answer then waits to be confirmed;
    `webform` says whether the notice was filed, and how (`filing`); a `second_look` at an approval says whether it was
    right, and a wrong one is taken back with `note` as the reason."""
    async with ctx.db.transaction(who.id, via) as tx:
        row = await _lock(ctx, tx, who, "task", task_id)
        allowed = _LOOKED if row["approval"] is not None else RESOLUTIONS.get(row["kind"], _ANY)
        if resolution not in allowed:
            raise Invalid(f"a task of kind {row['kind']} ends with one of {', '.join(allowed)}")
        if row["kind"] == recalling.TASK:
            await attending.settle(ctx, tx, who, row, resolution, note, filing)
        elif filing != _NOTHING:
            raise Invalid("a task of this kind takes no reference, time or receipt")
        if row["approval"] is not None:
            await second_look.settle(ctx, tx, who, row, resolution, note)
        if row["kind"] == "uncertain" and row["notice_id"]:
            notice = await notice_store.get(tx.con, str(row["notice_id"]))
            if notice is not None and notice.state == "uncertain":
                await sending.settle(ctx, tx, notice, arrived=resolution == "arrived")
        if row["kind"] == "confirm_answer" and resolution == "confirmed":
            if answer is None:
                raise Invalid("a confirmed answer needs `answer`: what the registry said, by call-back")
            notice = await notice_store.get(tx.con, str(row["notice_id"]))
            if notice is not None:
                await responses.record(ctx, tx, notice, answer)
        if row["kind"] == "unmatched_mail" and resolution == "tied":
            await _tie(ctx, tx, who, row, notice_id)
        if row["kind"] == "tell_recipient" and row["channel_version"]:
            await telling.told_by_person(ctx, tx, str(row["channel_version"]))
        await tx.con.execute(
            "update task set resolved_by = $2, resolved_at = $3, resolution = $4 where id = $1",
            task_id,
            who.id,
            tx.now,
            f"{resolution}: {storable(note)}" if note else resolution,
        )
        await tx.audit("task.resolved", task_id, {"kind": row["kind"], "resolution": resolution}, _case_of(row))


async def _tie(ctx: Context, tx: Tx, who: Principal, task: Any, notice_id: str | None) -> None:
    """A person read the message and knows which notice it answers. What it says is confirmed as any answer by mail is."""
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=2)
    row = None
    if notice_id is not None and as_uuid(notice_id) is not None:
        row = await tx.con.fetchrow(
            f"select c.program from notice n join cases c on c.id = n.case_id where n.id = $1 and {scope.condition}",
            notice_id,
            *scope.args,
        )
    if notice_id is None or row is None:
        raise Invalid("a message is tied to `notice_id`: a notice in your reach")
    access.require_program(who, row["program"], ctx.program(row["program"]).owner)
    notice = await responses.lock_notice(tx, notice_id)
    await tx.con.execute(
        "update inbound set fate = 'linked', class = 'human', notice_id = $2, matched_by = 'person' where id = $1",
        task["inbound_id"],
        notice.id,
    )
    await tx.audit("inbound.tied", str(task["inbound_id"]), {"notice": notice.id}, notice.case_id)
    await notice_store.open_task(
        tx.con,
        "confirm_answer",
        "a message was tied to the notice by hand; confirm with the registry by call-back before it counts",
        tx.now,
        case_id=notice.case_id,
        notice_id=notice.id,
        inbound_id=str(task["inbound_id"]),
    )


async def _lock(ctx: Context, tx: Tx, who: Principal, table: str, item_id: str) -> Any:
    access.require(who, Role.REVIEWER)
    access.require_person(who)
    ended = {"task": "resolved_at", "alarm": "closed_at"}[table]
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=2)
    loose = "t.case_id is null or " if access.is_of_the_house(who) else ""
    seen = None
    if as_uuid(item_id) is not None:
        seen = await tx.con.fetchrow(
            f"select t.case_id, c.program from {table} t left join cases c on c.id = t.case_id "
            f"where t.id = $1 and ({loose}{scope.condition})",
            item_id,
            *scope.args,
        )
    if seen is None:
        raise NotFound(f"no {table} {item_id!r}")
    if seen["case_id"]:
        access.require_program(who, seen["program"], ctx.program(seen["program"]).owner)
        await case_store.lock(tx.con, str(seen["case_id"]))  # the case first, as everybody locks
    if table == "task":  # and so the change of a channel
        await tx.con.execute(
            "select from channel_version where id = (select channel_version from task where id = $1) for update",
            item_id,
        )
    row = await tx.con.fetchrow(f"select * from {table} where id = $1 for update", item_id)
    if row is None:
        raise NotFound(f"no {table} {item_id!r}")
    if row[ended] is not None:
        raise Conflict(f"the {table} is over already")
    return row


def _case_of(row: Any) -> str | None:
    return str(row["case_id"]) if row["case_id"] else None
