"""Rows of `blob`, `case_file`, `legal_hold` and `manifest`: which case holds which file, and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from notifier.domain.case_state import ENDED
from notifier.domain.manifest import HeldFile, Manifest
from notifier.store.blobs import Blob
from notifier.store.ids import new_id

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection

_SELECT = (
    "select b.sha256, b.size, b.media_type, b.erased_at, f.name, f.supplied_by, f.received_at "
    "from case_file f join blob b using (sha256)"
)


@dataclass(frozen=True, slots=True)
class Held:
    """A file as a case holds it."""

    sha256: str
    size: int
    media_type: str
    erased_at: datetime | None
    name: str
    supplied_by: str
    received_at: datetime

    @property
    def listed(self) -> HeldFile:
        return HeldFile(self.sha256, self.size, self.media_type)


async def hold(con: "Connection", case_id: str, blob: Blob, media_type: str, name: str, by: str, at: datetime) -> bool:
    """Let a case hold a file. True when the same content had been erased before; its row stays locked either way."""
    await con.execute(
        "insert into blob (sha256, size, media_type, kept_at) values ($1, $2, $3, $4) on conflict do nothing",
        blob.sha256,
        blob.size,
        media_type,
        at,
    )
    erased = await con.fetchval("select erased_at from blob where sha256 = $1 for update", blob.sha256)
    if erased is not None:
        await con.execute("update blob set erased_at = null, kept_at = $2 where sha256 = $1", blob.sha256, at)
    await con.execute(
        "insert into case_file (case_id, sha256, name, supplied_by, received_at) values ($1, $2, $3, $4, $5) "
        "on conflict do nothing",
        case_id,
        blob.sha256,
        name,
        by,
        at,
    )
    return erased is not None


async def of_case(con: "Connection", case_id: str) -> list[Held]:
    """A case's files, oldest first."""
    rows = await con.fetch(f"{_SELECT} where f.case_id = $1 order by f.received_at, b.sha256", case_id)
    return [_held(row) for row in rows]


async def one_of_case(con: "Connection", case_id: str, sha256: str) -> Held | None:
    row = await con.fetchrow(f"{_SELECT} where f.case_id = $1 and b.sha256 = $2", case_id, sha256)
    return _held(row) if row else None


def _held(row: "asyncpg.Record") -> Held:
    return Held(**dict(row))


async def copy_all(con: "Connection", source: str, target: str) -> None:
    """Let another case hold what one holds."""
    await con.execute(
        "insert into case_file (case_id, sha256, name, supplied_by, received_at) "
        "select $2, sha256, name, supplied_by, received_at from case_file where case_id = $1 on conflict do nothing",
        source,
        target,
    )


# --- retention ----------------------------------------------------------------------------------------------------


async def only_here(con: "Connection", case_id: str, retention: Mapping[str, timedelta], now: datetime) -> list[str]:
    """Files of a case that no other case needs, with their rows locked.

    A case needs its files while it is open, under a legal hold, or within its program's retention; for ever when its
    program is known no more.
    """
    rows = await con.fetch(
        "select b.sha256 from blob b where b.erased_at is null "
        "and exists (select from case_file f where f.sha256 = b.sha256 and f.case_id = $1) "
        "and not exists (select from case_file f join cases c on c.id = f.case_id "
        "  left join unnest($2::text[], $3::interval[]) as kept (program, span) on kept.program = c.program "
        "  where f.sha256 = b.sha256 and c.id <> $1 and (not c.state = any($4) or kept.span is null "
        "    or c.state_since + kept.span > $5 "
        "    or exists (select from legal_hold h where h.case_id = c.id and h.lifted_at is null))) "
        "order by b.sha256 for update of b",
        case_id,
        list(retention),
        list(retention.values()),
        [str(state) for state in ENDED],
        now,
    )
    return [row["sha256"] for row in rows]


async def is_held(con: "Connection", case_id: str) -> bool:
    """Whether a legal hold stands."""
    return bool(
        await con.fetchval("select exists (select from legal_hold where case_id = $1 and lifted_at is null)", case_id)
    )


async def place_hold(con: "Connection", case_id: str, reason: str, by: str, at: datetime) -> bool:
    """False when one stands already."""
    placed = await con.fetchval(
        "insert into legal_hold (id, case_id, reason, placed_by, placed_at) values ($1, $2, $3, $4, $5) "
        "on conflict do nothing returning id",
        new_id(),
        case_id,
        reason,
        by,
        at,
    )
    return placed is not None


async def lift_hold(con: "Connection", case_id: str, by: str, at: datetime) -> bool:
    """False when none stands."""
    lifted = await con.fetchval(
        "update legal_hold set lifted_by = $2, lifted_at = $3 where case_id = $1 and lifted_at is null returning id",
        case_id,
        by,
        at,
    )
    return lifted is not None


# --- manifests ----------------------------------------------------------------------------------------------------


async def insert_manifest(con: "Connection", notice_id: str, made: Manifest) -> None:
    """The exact document that a notice names; a notice has one."""
    await con.execute(
        "insert into manifest (notice_id, sha256, body) values ($1, $2, $3) on conflict do nothing",
        notice_id,
        made.sha256,
        made.body,
    )


async def of_notice(con: "Connection", case_id: str, body: str) -> list[Held]:
    """The files that a notice's manifest lists, also when they have moved on with their evidence."""
    rows = await con.fetch(
        "select distinct on (b.sha256) b.sha256, b.size, b.media_type, b.erased_at, f.name, f.supplied_by, f.received_at "
        "from jsonb_to_recordset($2::text::jsonb -> 'files') as listed (sha256 text) join blob b using (sha256) "
        "join case_file f using (sha256) order by b.sha256, f.case_id <> $1",
        case_id,
        body,
    )
    return [_held(row) for row in rows]
