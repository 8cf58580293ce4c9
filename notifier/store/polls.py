"""Rows of `poll`: when each notice's recipient is asked for its answer next. Locked after the case."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection


@dataclass(frozen=True, slots=True)
class Plan:
    """`wait`: the one that ends at `due_at`. `failures`: in a row. `ended`: nobody is asked any more."""

    notice_id: str
    wait: timedelta
    due_at: datetime
    failures: int
    ended: bool


def _plan(row: "asyncpg.Record") -> Plan:
    return Plan(str(row["notice_id"]), row["wait"], row["due_at"], row["failures"], row["ended_at"] is not None)


async def begin(con: "Connection", notice_id: str, wait: timedelta, due_at: datetime) -> bool:
    """False when it was begun before."""
    made = await con.fetchval(
        "insert into poll (notice_id, wait, due_at) values ($1, $2, $3) on conflict do nothing returning true",
        notice_id,
        wait,
        due_at,
    )
    return made is not None


async def lock(con: "Connection", notice_id: str) -> Plan | None:
    """The plan, locked; None when its recipient is not asked at all."""
    row = await con.fetchrow("select * from poll where notice_id = $1 for update", notice_id)
    return _plan(row) if row else None


async def save(con: "Connection", plan: Plan) -> None:
    await con.execute(
        "update poll set wait = $2, due_at = $3, failures = $4 where notice_id = $1",
        plan.notice_id,
        plan.wait,
        plan.due_at,
        plan.failures,
    )


async def end(con: "Connection", notice_id: str, at: datetime, why: str) -> None:
    await con.execute(
        "update poll set ended_at = $2, why = $3 where notice_id = $1 and ended_at is null", notice_id, at, why
    )


async def receipt(con: "Connection", notice_id: str) -> tuple[str, str]:
    """(its own id for the notice, what it said) of the newest attempt that was accepted; empty when none is known."""
    row = await con.fetchrow(
        "select reference, detail from attempt where notice_id = $1 and result = 'accepted' order by n desc limit 1",
        notice_id,
    )
    return (row["reference"] or "", row["detail"] or "") if row else ("", "")
