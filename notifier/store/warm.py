"""Rows of `warm_look`: the newest look at each target that may be asked about at any moment."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from notifier.domain.case_state import BEFORE_SENDING
from notifier.domain.look import Look

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection


async def due(pool: "asyncpg.Pool", programs: Sequence[str], before: datetime, limit: int) -> list[str]:
    """Cases of these programs that nothing has left for yet, and that nobody began to look at since `before`: those
    first that were looked at longest ago. A held case is nobody's to look at."""
    rows = await pool.fetch(
        "select c.id from cases c left join warm_look w on w.case_id = c.id where c.program = any($1) and c.state = any($2) "
        "and coalesce(w.began_at, '-infinity') <= $3 and not exists (select from deconfliction_hold h "
        "where h.case_id = c.id and h.ended_at is null) order by w.began_at nulls first, c.id limit $4",
        list(programs),
        [str(state) for state in BEFORE_SENDING],
        before,
        limit,
    )
    return [str(row["id"]) for row in rows]


async def begin(con: "Connection", case_id: str, now: datetime, before: datetime) -> bool:
    """Whether it is ours to look now; every other process is told not to."""
    return bool(
        await con.fetchval(
            "insert into warm_look (case_id, began_at) values ($1, $2) on conflict (case_id) do update "
            "set began_at = excluded.began_at where warm_look.began_at <= $3 returning true",
            case_id,
            now,
            before,
        )
    )


async def keep(con: "Connection", case_id: str, seen: Look) -> None:
    """The newest look takes the place of the one before."""
    await con.execute(
        "update warm_look set look = $2, at = $3 where case_id = $1 and (at is null or at <= $3)",
        case_id,
        seen.to_json(),
        seen.at,
    )


async def rest(con: "Connection", case_id: str, until: datetime) -> None:
    """A server asked for patience: nobody looks before then."""
    await con.execute("update warm_look set began_at = greatest(began_at, $2) where case_id = $1", case_id, until)


async def newest(con: "Connection", case_id: str, max_age: timedelta, now: datetime) -> Look | None:
    """The look kept for a case, if it is no older than that."""
    stored = await con.fetchval("select look from warm_look where case_id = $1 and at >= $2", case_id, now - max_age)
    return Look.from_json(stored) if stored else None
