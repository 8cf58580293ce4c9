"""What waits for a person: tasks and alarms. Each is taken by one, and stays open until somebody says what came of it."""

from collections.abc import Mapping
from typing import Any

from notifier.errors import Conflict, Invalid, NotFound
from notifier.services import access, dispatch, responses
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.responses import Answer
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Tx, storable
from notifier.store.ids import as_uuid

# What a person may say at the end of a task, by its kind; any kind may be `done` with a note.
RESOLUTIONS: Mapping[str, tuple[str, ...]] = {
    "uncertain": ("arrived", "not_arrived"),
    "confirm_answer": ("confirmed", "not_confirmed"),
}
_ANY = ("done",)


async def take(ctx: Context, who: Principal, table: str, item_id: str, *, via: str = "api") -> None:
    """Put one's name on a task or alarm. Raises Conflict when somebody else has it or it is over."""
    async with ctx.db.transaction(who.id, via) as tx:
        row = await _lock(ctx, tx, who, table, item_id)
        if row["taken_by"] not in (None, who.id):
            raise Conflict(f"{row['taken_by']} has it already")
        await tx.con.execute(
            f"update {table} set taken_by = $2, taken_at = $3 where id = $1",
            item_id,
            who.id,
            tx.now,
        )
        await tx.audit(f"{table}.taken", item_id, {}, _case_of(row))


async def close_alarm(ctx: Context, who: Principal, alarm_id: str, *, via: str = "api") -> None:
    async with ctx.db.transaction(who.id, via) as tx:
        row = await _lock(ctx, tx, who, "alarm", alarm_id)
        await tx.con.execute("update alarm set closed_by = $2, closed_at = $3 where id = $1", alarm_id, who.id, tx.now)
        await tx.audit("alarm.closed", alarm_id, {"kind": row["kind"]}, _case_of(row))


async def resolve(
    ctx: Context,
    who: Principal,
    task_id: str,
    resolution: str,
    note: str = "",
    answer: Answer | None = None,
    *,
    via: str = "api",
) -> None:
    """End a task. `uncertain` says whether the notice arrived; `confirm_answer` gives the answer as confirmed by call-back."""
    async with ctx.db.transaction(who.id, via) as tx:
        row = await _lock(ctx, tx, who, "task", task_id)
        allowed = RESOLUTIONS.get(row["kind"], _ANY)
        if resolution not in allowed:
            raise Invalid(f"a task of kind {row['kind']} ends with one of {', '.join(allowed)}")
        if row["case_id"]:
            await case_store.lock(tx.con, str(row["case_id"]))
        if row["kind"] == "uncertain" and row["notice_id"]:
            notice = await notice_store.get(tx.con, str(row["notice_id"]))
            if notice is not None and notice.state == "uncertain":
                await dispatch.settle(tx, notice, arrived=resolution == "arrived")
        if row["kind"] == "confirm_answer" and resolution == "confirmed":
            if answer is None:
                raise Invalid("a confirmed answer needs `answer`: what the registry said, by call-back")
            notice = await notice_store.get(tx.con, str(row["notice_id"]))
            if notice is not None:
                await responses.record(ctx, tx, notice, answer)
        await tx.con.execute(
            "update task set resolved_by = $2, resolved_at = $3, resolution = $4 where id = $1",
            task_id,
            who.id,
            tx.now,
            f"{resolution}: {storable(note)}" if note else resolution,
        )
        await tx.audit("task.resolved", task_id, {"kind": row["kind"], "resolution": resolution}, _case_of(row))


async def _lock(ctx: Context, tx: Tx, who: Principal, table: str, item_id: str) -> Any:
    access.require(who, Role.REVIEWER)
    access.require_person(who)
    ended = {"task": "resolved_at", "alarm": "closed_at"}[table]
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=2)
    row = None
    if as_uuid(item_id) is not None:
        row = await tx.con.fetchrow(
            f"select t.* from {table} t where t.id = $1 and (t.case_id is null or exists "
            f"(select 1 from cases c where c.id = t.case_id and {scope.condition})) for update of t",
            item_id,
            *scope.args,
        )
    if row is None:
        raise NotFound(f"no {table} {item_id!r}")
    if row[ended] is not None:
        raise Conflict(f"the {table} is over already")
    return row


def _case_of(row: Any) -> str | None:
    return str(row["case_id"]) if row["case_id"] else None
