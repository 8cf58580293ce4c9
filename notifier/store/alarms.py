"""Rows of `alarm`."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from notifier.store.ids import as_uuid, new_id

if TYPE_CHECKING:
    from notifier.store.database import Connection, Database

CARRIED: Mapping[str, str] = MappingProxyType({"mail": "mailed_at", "webhook": "posted_at"})
"""The column that says when an alarm left by a way."""


async def stands(con: "Connection", kind: str, case_id: str, claim_id: str | None, since: datetime) -> bool:
    """Whether the case has this alarm open, or closed after `since`. One of no claim is about all of the case's."""
    return bool(
        await con.fetchval(
            "select exists (select from alarm where kind = $1 and case_id = $2 "
            "and (claim_id is null or $3::uuid is null or claim_id = $3) and (closed_at is null or closed_at > $4))",
            kind,
            case_id,
            claim_id,
            since,
        )
    )


async def insert(
    con: "Connection",
    kind: str,
    case_id: str,
    claim_id: str | None,
    detail: str,
    sentence: str,
    at: datetime,
    notice_id: str | None = None,
) -> str | None:
    """The new alarm's id, of a claim, of one notice or of the case; None when the same one is open already."""
    alarm_id = await con.fetchval(
        "insert into alarm (id, kind, case_id, claim_id, detail, sentence, raised_at, notice_id) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning id",
        new_id(),
        kind,
        case_id,
        claim_id,
        detail,
        sentence,
        at,
        notice_id,
    )
    return str(alarm_id) if alarm_id else None


async def get(db: "Database", alarm_id: str) -> Mapping[str, Any] | None:
    """One alarm with its case's reference, name and embargo."""
    if as_uuid(alarm_id) is None:
        return None
    row = await db.fetchrow(
        "select a.*, c.reference, c.target, "
        "exists (select from deconfliction_hold where case_id = c.id and ended_at is null) as embargo "
        "from alarm a join cases c on c.id = a.case_id where a.id = $1",
        alarm_id,
    )
    return None if row is None else dict(row)


async def told(con: "Connection", alarm_id: str, way: str, at: datetime) -> None:
    """It left by this way; `told_at` is the first of them."""
    column = CARRIED[way]
    await con.execute(
        f"update alarm set {column} = $2, told_at = coalesce(told_at, $2) where id = $1",
        alarm_id,
        at,
    )


async def tried(con: "Connection", alarm_id: str) -> int:
    """Count one more try in which a way failed; how many there were."""
    return int(
        await con.fetchval("update alarm set tell_tries = tell_tries + 1 where id = $1 returning tell_tries", alarm_id)
    )


async def untold(con: "Connection") -> list[str]:
    """Open alarms that nobody has and nobody was told of, and for which no next try is planned."""
    rows = await con.fetch(
        "select id from alarm a where told_at is null and closed_at is null and taken_by is null and not exists "
        "(select from timer where kind = 'alarm.tell' and ref = a.id and fired_at is null and cancelled_at is null) "
        "order by raised_at, id"
    )
    return [str(row["id"]) for row in rows]
