"""Stretches of recorded time: where they end, and which of them tell what was known at an instant."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from notifier.store import summing

if TYPE_CHECKING:
    from notifier.store.database import Connection

JOINED = 16  # so many stretches are one of the level above
FAR = 50_000  # transitions; so many are not read only because the stretches are not written yet


async def next_ends(con: "Connection", size: int, limit: int) -> list[datetime]:
    """Where the next stretches end, at most `limit`: each so many transitions behind the one before it, as far as they are."""
    found: list[datetime] = []
    end = await last(con)
    while len(found) < limit:
        end = await con.fetchval(
            "select recorded_at from transition where recorded_at > coalesce($1, '-infinity'::timestamptz) "
            "order by recorded_at offset $2 limit 1",
            end,
            size - 1,
        )
        if end is None:
            break
        found.append(end)
    return found


async def last(con: "Connection") -> datetime | None:
    until: datetime | None = await con.fetchval("select max(until) from stretch where level = 0")
    return until


async def moved(con: "Connection", since: datetime | None, until: datetime) -> Sequence[str]:
    """Cases of which something became known after `since`, up to `until`."""
    rows = await con.fetch(
        "select distinct case_id from transition "
        "where recorded_at > coalesce($1, '-infinity'::timestamptz) and recorded_at <= $2",
        since,
        until,
    )
    return [str(row["case_id"]) for row in rows]


async def close(con: "Connection", until: datetime) -> None:
    """The stretch that ends at `until` is written; where it is the last of sixteen, they are one of the level above, too."""
    level = 0
    while True:
        await con.execute("insert into stretch (level, until) values ($1, $2)", level, until)
        below = await con.fetchrow(
            "select count(*) as n, coalesce((select max(until) from stretch where level = $1 + 1), '-infinity') as since "
            "from stretch where level = $1 "
            "and until > coalesce((select max(until) from stretch where level = $1 + 1), '-infinity')",
            level,
        )
        if below["n"] < JOINED:
            return
        level += 1
        await summing.join_stretches(con, level, below["since"], until)


async def nearest(con: "Connection", at: datetime) -> datetime | None:
    """The end of a stretch from which the fewest transitions lie between it and `at`.

    None: `at` lies before all of them, or far behind those that are written.
    """
    before: datetime | None = await con.fetchval("select max(until) from stretch where level = 0 and until <= $1", at)
    if before is None:
        return None
    after: datetime | None = await con.fetchval("select min(until) from stretch where level = 0 and until > $1", at)
    if after is None:
        n = await con.fetchval(
            "select count(*) from (select from transition where recorded_at > $1 and recorded_at <= $2 limit $3) behind",
            before,
            at,
            FAR + 1,
        )
        return before if n <= FAR else None
    n, more = await con.fetchrow(
        "select count(*) filter (where recorded_at <= $2), count(*) filter (where recorded_at > $2) "
        "from transition where recorded_at > $1 and recorded_at <= $3",
        before,
        at,
        after,
    )
    return before if n <= more else after


async def up_to(con: "Connection", until: datetime) -> list[tuple[int, datetime]]:
    """Level and end of the stretches whose sum is what was known at `until`, the end of one: the fewest there are."""
    rows = await con.fetch(
        "select level, until from stretch s where until <= $1 and not exists ("
        "select from stretch h where h.level > s.level and h.until >= s.until and h.until <= $1) order by until",
        until,
    )
    return [(row["level"], row["until"]) for row in rows]
