"""Rows of what becomes of an agreement, and the lock that its acts and every attempt under it share.

Whoever changes whether something may leave holds the lock alone until the commit; an attempt takes it shared in the
transaction that records its intent. So no attempt begins after a stop was committed.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from notifier.adapter import Problem

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection


class Scope(StrEnum):
    """What a suspension holds back: all but withdrawals, or withdrawals too."""

    REQUESTS = "requests"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Suspension:
    """One request to stop that stands. `lift_asked_by`: the first of the two admins that it takes to resume."""

    id: str
    scope: Scope
    reason: str
    by: str
    by_recipient: bool
    at: datetime
    lift_asked_by: str | None


async def hold(con: "Connection", agreement: str) -> None:
    """Wait for every attempt that is being recorded, and let none be recorded until this transaction ends."""
    await con.execute("select pg_advisory_xact_lock(hashtext($1))", agreement)


async def share(con: "Connection", agreement: str) -> None:
    """Wait for an act on the agreement to be over; none begins until this transaction ends."""
    await con.execute("select pg_advisory_xact_lock_shared(hashtext($1))", agreement)


async def suspensions(con: "Connection", agreement: str) -> list[Suspension]:
    """Those that stand, the widest first, then the oldest."""
    rows = await con.fetch(
        "select id, scope, reason, by, by_recipient, at, lift_asked_by from suspension "
        "where agreement = $1 and lifted_at is null order by scope = 'everything' desc, at, id",
        agreement,
    )
    return [_suspension(row) for row in rows]


def _suspension(row: "asyncpg.Record") -> Suspension:
    return Suspension(
        str(row["id"]),
        Scope(row["scope"]),
        row["reason"],
        row["by"],
        row["by_recipient"],
        row["at"],
        row["lift_asked_by"],
    )


async def insert_suspension(con: "Connection", agreement: str, made: Suspension) -> bool:
    """False when the same person asked for the same already."""
    row = await con.fetchval(
        "insert into suspension (id, agreement, scope, reason, by, by_recipient, at) values ($1, $2, $3, $4, $5, $6, $7) "
        "on conflict do nothing returning id",
        made.id,
        agreement,
        str(made.scope),
        made.reason,
        made.by,
        made.by_recipient,
        made.at,
    )
    return row is not None


async def ask_lift(con: "Connection", suspension_id: str, by: str, at: datetime) -> None:
    """The first of two."""
    await con.execute(
        "update suspension set lift_asked_by = $2, lift_asked_at = $3 where id = $1 and lift_asked_at is null",
        suspension_id,
        by,
        at,
    )


async def lift(con: "Connection", suspension_id: str, by: str, at: datetime) -> None:
    """The second of two."""
    await con.execute(
        "update suspension set lifted_by = $2, lifted_at = $3 where id = $1 and lifted_at is null",
        suspension_id,
        by,
        at,
    )


# --- checks -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """One look at a channel, and what it found. `digest`: the agreement's, as it was then."""

    id: str
    digest: str
    at: datetime
    by: str
    problems: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        return not self.problems


async def insert_check(con: "Connection", agreement: str, made: Checked) -> None:
    await con.execute(
        "insert into agreement_check (id, agreement, digest, at, by, problems) values ($1, $2, $3, $4, $5, $6)",
        made.id,
        agreement,
        made.digest,
        made.at,
        made.by,
        [{"what": p.what, "expected": p.expected} for p in made.problems],
    )


async def newest_check(con: "Connection", agreement: str, digest: str | None = None) -> Checked | None:
    """The newest, or the newest of one digest; None before the first."""
    row = await con.fetchrow(
        "select id, digest, at, by, problems from agreement_check where agreement = $1 and ($2::text is null or digest = $2) "
        "order by at desc, id desc limit 1",
        agreement,
        digest,
    )
    if row is None:
        return None
    problems = tuple(Problem(p["what"], p["expected"]) for p in row["problems"])
    return Checked(str(row["id"]), row["digest"], row["at"], row["by"], problems)
