"""Rows of `running_process` and `config_wish`: which configuration each process runs, and that another is wanted."""

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from notifier.store.ids import new_id

if TYPE_CHECKING:
    from notifier.store.database import Connection, Database

GONE_AFTER = timedelta(seconds=20)
_FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Wish:
    """A request to take up the configuration anew; `number` grows."""

    number: int
    digest: str
    asked_by: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Running:
    """One process. `fault`: why it goes on with an older configuration. `since`, `seen_at`: real time."""

    id: str
    role: str
    host: str
    pid: int
    digest: str
    wish: int
    fault: str | None
    since: datetime
    seen_at: datetime


async def wish(con: "Connection") -> Wish | None:
    """The newest request; None before the first."""
    row = await con.fetchrow("select number, digest, asked_by, asked_at from config_wish")
    return Wish(**dict(row)) if row else None


async def ask(con: "Connection", digest: str, by: str, at: datetime) -> int:
    """A new request; its number."""
    number: int = await con.fetchval(
        "insert into config_wish (number, digest, asked_by, asked_at) values (1, $1, $2, $3) on conflict (one) "
        "do update set number = config_wish.number + 1, digest = $1, asked_by = $2, asked_at = $3 returning number",
        digest,
        by,
        at,
    )
    return number


async def enter(db: "Database", role: str, digest: str, followed: int) -> str:
    """A process begins to serve; those long gone are forgotten. Its id."""
    made, now = new_id(), datetime.now(UTC)
    await db.pool.execute("delete from running_process where seen_at < $1", now - _FORGOTTEN_AFTER)
    await db.pool.execute(
        "insert into running_process (id, role, host, pid, digest, wish, since, seen_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $7)",
        made,
        role,
        socket.gethostname(),
        os.getpid(),
        digest,
        followed,
        now,
    )
    return made


async def beat(db: "Database", process: str) -> int:
    """The process lives; the number of the newest request, 0 before the first."""
    number: int = await db.fetchval(
        "with alive as (update running_process set seen_at = $2 where id = $1) "
        "select coalesce((select number from config_wish), 0)",
        process,
        datetime.now(UTC),
    )
    return number


async def took(db: "Database", process: str, digest: str, followed: int) -> None:
    """The process serves under another configuration from now on."""
    await db.pool.execute(
        "update running_process set digest = $2, wish = $3, fault = null, since = $4, seen_at = $4 where id = $1",
        process,
        digest,
        followed,
        datetime.now(UTC),
    )


async def could_not(db: "Database", process: str, followed: int, fault: str) -> None:
    """The process looked at a request and goes on as before."""
    await db.pool.execute("update running_process set wish = $2, fault = $3 where id = $1", process, followed, fault)


async def leave(db: "Database", process: str) -> None:
    await db.pool.execute("delete from running_process where id = $1", process)


async def running(con: "Connection") -> list[Running]:
    """Processes that were seen within seconds."""
    rows = await con.fetch(
        "select id, role, host, pid, digest, wish, fault, since, seen_at from running_process where seen_at > $1 "
        "order by role, host, pid, since",
        datetime.now(UTC) - GONE_AFTER,
    )
    return [Running(**{**dict(row), "id": str(row["id"])}) for row in rows]
