"""Rows of `assessment`: what was found out about the safety of a case's target, each time it was looked into."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.safety import Safety, Signal

if TYPE_CHECKING:
    from notifier.store.database import Connection


@dataclass(frozen=True, slots=True)
class Stored:
    """One assessment as it was written. `measured` is False for one from lists alone; `at` is business time."""

    id: str
    case_id: str
    rev: int
    safety: Safety
    measured: bool
    why: str
    signals: tuple[Signal, ...]
    at: datetime

    @property
    def digest(self) -> str:
        """SHA-256 in hex of all that it says; the case's audit entry carries it, so that an edited row is found."""
        said = [str(self.safety), self.measured, self.why, to_json(self.signals)]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def to_json(signals: Sequence[Signal]) -> list[dict[str, Any]]:
    """Signals as JSON values, times as RFC 3339 text in UTC."""
    return [
        {
            "name": s.name,
            "value": s.value,
            "weight": str(s.weight),
            "source": s.source,
            "at": s.at.astimezone(UTC).isoformat() if s.at else None,
        }
        for s in signals
    ]


def from_json(signals: Sequence[dict[str, Any]]) -> tuple[Signal, ...]:
    """The signals that `to_json` wrote."""
    return tuple(
        Signal(
            s["name"],
            s["value"],
            s["source"],
            Safety(s["weight"]),
            datetime.fromisoformat(s["at"]) if s["at"] else None,
        )
        for s in signals
    )


async def insert(con: "Connection", row: Stored) -> None:
    await con.execute(
        "insert into assessment (id, case_id, rev, safety, measured, why, signals, at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8)",
        row.id,
        row.case_id,
        row.rev,
        str(row.safety),
        row.measured,
        row.why,
        to_json(row.signals),
        row.at,
    )


async def latest(con: "Connection", case_id: str, until: datetime | None = None) -> Stored | None:
    """The newest assessment of a case; `until`: as it stood then."""
    row = await con.fetchrow(
        "select * from assessment where case_id = $1 and ($2::timestamptz is null or at <= $2) order by rev desc limit 1",
        case_id,
        until,
    )
    return from_row(row) if row else None


async def first_measured_at(con: "Connection", case_id: str) -> datetime | None:
    """When the case's name was measured for the first time."""
    at: datetime | None = await con.fetchval("select min(at) from assessment where case_id = $1 and measured", case_id)
    return at


async def latest_of_name(con: "Connection", registrable: str, since: datetime) -> Stored | None:
    """The newest measured assessment of any case of a registrable name, not older than `since`."""
    row = await con.fetchrow(
        "select a.* from cases c join assessment a on a.case_id = c.id "
        "where c.registrable = $1 and a.measured and a.at >= $2 order by a.at desc, a.id desc limit 1",
        registrable,
        since,
    )
    return from_row(row) if row else None


async def approved(con: "Connection", case_id: str, digest: str) -> Stored | None:
    """The assessment that the people who approved `digest` had before them."""
    row = await con.fetchrow(
        "select * from assessment where case_id = $1 and rev <= "
        "(select max(rev) from approval where case_id = $1 and digest = $2) order by rev desc limit 1",
        case_id,
        digest,
    )
    return from_row(row) if row else None


def from_row(row: Mapping[str, Any]) -> Stored:
    """The assessment that a row of the table holds."""
    return Stored(
        str(row["id"]),
        str(row["case_id"]),
        row["rev"],
        Safety(row["safety"]),
        row["measured"],
        row["why"],
        from_json(row["signals"]),
        row["at"],
    )
