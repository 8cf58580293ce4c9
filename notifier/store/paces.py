"""Rows of `pace`: how each recipient is written to, one row for all processes. Locked last, and for a moment only."""

from typing import TYPE_CHECKING

from notifier.domain.pace import Standing

if TYPE_CHECKING:
    from datetime import date

    from notifier.store.database import Connection

_COLUMNS = "tokens, at, failures, open_until, day, day_count"


async def lock(con: "Connection", agreement: str, first: Standing) -> Standing:
    """The standing, locked until the transaction ends; `first` is what a recipient begins with."""
    await con.execute(
        f"insert into pace (agreement, {_COLUMNS}) values ($1, $2, $3, 0, null, null, 0) on conflict do nothing",
        agreement,
        first.tokens,
        first.at,
    )
    row = await con.fetchrow(f"select {_COLUMNS} from pace where agreement = $1 for update", agreement)
    return Standing(**dict(row))


async def save(con: "Connection", agreement: str, standing: Standing) -> None:
    await con.execute(
        "update pace set tokens = $2, at = $3, failures = $4, open_until = $5, day = $6, day_count = $7 where agreement = $1",
        agreement,
        standing.tokens,
        standing.at,
        standing.failures,
        standing.open_until,
        standing.day,
        standing.day_count,
    )


async def running(con: "Connection", agreement: str, but: str) -> int:
    """Attempts of ours under way with a recipient, without those of one notice. A person's take no place."""
    return int(
        await con.fetchval(
            "select count(*) from attempt a join notice n on n.id = a.notice_id "
            "where a.result = 'started' and not a.attended and n.agreement = $1 and n.id <> $2",
            agreement,
            but,
        )
    )


async def storm_is_news(con: "Connection", agreement: str, day: "date") -> bool:
    """Whether this is the first time today that a recipient had too many requests."""
    return bool(
        await con.fetchval(
            "update pace set storm_told = $2 where agreement = $1 and storm_told is distinct from $2 returning true",
            agreement,
            day,
        )
    )
