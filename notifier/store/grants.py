"""Rows of `grant_to`: which organisation sees a program's numbers, given by the program's owner for a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifier.store.database import Connection

_COLUMNS = "id, program, owner, organisation, names_shown, small_numbers, until, given_by, given_at, ended_by, ended_at"


async def standing(con: "Connection", organisation: str, at: datetime) -> Mapping[str, bool]:
    """Programs that an organisation may see the numbers of, each with whether names are shown."""
    rows = await con.fetch(
        "select program, owner, names_shown from grant_to where organisation = $1 and ended_at is null and until > $2",
        organisation,
        at,
    )
    return {row["program"]: row["names_shown"] for row in rows}


async def whole(con: "Connection", organisation: str, at: datetime) -> frozenset[str]:
    """Programs of which an organisation also sees the numbers that are kept back from others."""
    rows = await con.fetch(
        "select program from grant_to where organisation = $1 and ended_at is null and until > $2 and small_numbers",
        organisation,
        at,
    )
    return frozenset(row["program"] for row in rows)


async def of_programs(con: "Connection", programs: Sequence[str]) -> list[Mapping[str, Any]]:
    """Every grant of these programs, newest first."""
    rows = await con.fetch(
        f"select {_COLUMNS} from grant_to where program = any($1) order by given_at desc, id desc", list(programs)
    )
    return [dict(row) for row in rows]


async def lock(con: "Connection", grant_id: str) -> Mapping[str, Any] | None:
    row = await con.fetchrow(f"select {_COLUMNS} from grant_to where id = $1 for update", grant_id)
    return dict(row) if row else None


async def insert(con: "Connection", row: Mapping[str, Any]) -> None:
    """A new grant. Raises asyncpg.UniqueViolationError while another one stands."""
    marks = ", ".join(f"${i}" for i in range(1, len(row) + 1))
    await con.execute(f"insert into grant_to ({', '.join(row)}) values ({marks})", *row.values())


async def end(con: "Connection", grant_id: str, by: str, at: datetime) -> None:
    await con.execute(
        "update grant_to set ended_by = $2, ended_at = $3 where id = $1 and ended_at is null", grant_id, by, at
    )


async def end_past(con: "Connection", program: str, organisation: str, by: str, at: datetime) -> None:
    """Close a grant whose time is over, so that another can be given."""
    await con.execute(
        "update grant_to set ended_by = $3, ended_at = $4 "
        "where program = $1 and organisation = $2 and ended_at is null and until <= $4",
        program,
        organisation,
        by,
        at,
    )
