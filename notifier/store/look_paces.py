"""Rows of `look_pace` and `look_turn`: the line at each RDAP server, for all processes. Locked last, and for a moment."""

from typing import TYPE_CHECKING

from notifier.domain.look_pace import Line

if TYPE_CHECKING:
    from datetime import datetime

    from notifier.store.database import Connection

_COLUMNS = "free_at, line_until, paused_until"


async def lock(con: "Connection", server: str, first: Line) -> Line:
    """The line, locked until the transaction ends; `first` is what a server begins with."""
    read = f"select {_COLUMNS} from look_pace where server = $1 for update"
    row = await con.fetchrow(read, server)
    if row is None:
        await con.execute(
            f"insert into look_pace (server, {_COLUMNS}) values ($1, $2, $3, null) on conflict do nothing",
            server,
            first.free_at,
            first.line_until,
        )
        row = await con.fetchrow(read, server)
    return Line(**dict(row))


async def save(con: "Connection", server: str, line: Line) -> None:
    await con.execute(
        "update look_pace set free_at = $2, line_until = $3, paused_until = $4 where server = $1",
        server,
        line.free_at,
        line.line_until,
        line.paused_until,
    )


async def turn(con: "Connection", ref: str) -> "tuple[datetime | None, bool]":
    """(the turn that a look was given, whether a person asked for it)."""
    row = await con.fetchrow("select at, asked from look_turn where ref = $1", ref)
    return (row["at"], row["asked"]) if row else (None, False)


async def give(con: "Connection", ref: str, at: "datetime", *, asked: bool = False) -> None:
    """Give a look its turn, anew if it had one. That a person asked for it stays until it was taken."""
    await con.execute(
        "insert into look_turn (ref, at, asked) values ($1, $2, $3) "
        "on conflict (ref) do update set at = $2, asked = look_turn.asked or $3",
        ref,
        at,
        asked,
    )


async def take(con: "Connection", ref: str) -> None:
    """The look is taken now."""
    await con.execute("delete from look_turn where ref = $1", ref)
