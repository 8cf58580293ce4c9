"""Rows of `channel_version`: the changes of channels that were proposed, and what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection


class ChangeState(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    EFFECTIVE = "effective"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


OPEN = (ChangeState.PROPOSED, ChangeState.APPROVED)


@dataclass(frozen=True, slots=True)
class Change:
    """One version of an agreement's channel. `digest`: of adapter and address. `old_dead`: why nobody waits for the old."""

    id: str
    agreement: str
    version: int
    adapter: str
    address: Mapping[str, Any]
    digest: str
    base_digest: str
    state: ChangeState
    proposed_by: str
    by_recipient: bool
    proposed_at: datetime
    approved_by: str | None = None
    approved_at: datetime | None = None
    note: str = ""
    checked_at: datetime | None = None
    old_dead: str | None = None
    tell_started_at: datetime | None = None
    told_old_at: datetime | None = None
    effective_from: datetime | None = None
    ended_by: str | None = None
    ended_at: datetime | None = None
    reason: str = ""


_FIELDS = tuple(Change.__dataclass_fields__)
_COLUMNS = ", ".join(_FIELDS)


def _change(row: "asyncpg.Record") -> Change:
    return Change(**{**dict(row), "id": str(row["id"]), "state": ChangeState(row["state"])})


async def effective(con: "Connection", agreement: str) -> Change | None:
    """The newest that took effect; None when none did."""
    row = await con.fetchrow(
        f"select {_COLUMNS} from channel_version where agreement = $1 and state = 'effective' "
        "order by version desc limit 1",
        agreement,
    )
    return _change(row) if row else None


async def all_effective(con: "Connection") -> list[Change]:
    """Every version that took effect, of all agreements, each agreement's oldest first."""
    rows = await con.fetch(
        f"select {_COLUMNS} from channel_version where state = 'effective' order by agreement, version"
    )
    return [_change(row) for row in rows]


async def of_agreement(con: "Connection", agreement: str, limit: int) -> list[Change]:
    """Newest first."""
    rows = await con.fetch(
        f"select {_COLUMNS} from channel_version where agreement = $1 order by version desc limit $2", agreement, limit
    )
    return [_change(row) for row in rows]


async def pending(con: "Connection", agreement: str) -> Change | None:
    """The one that is proposed or approved and not yet in effect."""
    row = await con.fetchrow(
        f"select {_COLUMNS} from channel_version where agreement = $1 and state = any($2)",
        agreement,
        [str(state) for state in OPEN],
    )
    return _change(row) if row else None


async def find(con: "Connection", agreement: str, version: int) -> Change | None:
    row = await con.fetchrow(
        f"select {_COLUMNS} from channel_version where agreement = $1 and version = $2", agreement, version
    )
    return _change(row) if row else None


async def get(con: "Connection", change_id: str) -> Change | None:
    row = await con.fetchrow(f"select {_COLUMNS} from channel_version where id = $1", change_id)
    return _change(row) if row else None


async def lock(con: "Connection", change_id: str) -> Change | None:
    row = await con.fetchrow(f"select {_COLUMNS} from channel_version where id = $1 for update", change_id)
    return _change(row) if row else None


async def next_version(con: "Connection", agreement: str) -> int:
    found: int = await con.fetchval(
        "select coalesce(max(version), 0) + 1 from channel_version where agreement = $1", agreement
    )
    return found


async def insert(con: "Connection", change: Change) -> None:
    """Raises UniqueViolationError while another change of the agreement is open."""
    marks = ", ".join(f"${n}" for n in range(1, len(_FIELDS) + 1))
    await con.execute(f"insert into channel_version ({_COLUMNS}) values ({marks})", *_values(change))


async def save(con: "Connection", change: Change) -> None:
    """What may become of a change; who proposed what is never rewritten."""
    await con.execute(
        "update channel_version set state = $2, approved_by = $3, approved_at = $4, note = $5, checked_at = $6, "
        "old_dead = $7, tell_started_at = $8, told_old_at = $9, effective_from = $10, ended_by = $11, ended_at = $12, "
        "reason = $13 where id = $1",
        change.id,
        str(change.state),
        change.approved_by,
        change.approved_at,
        change.note,
        change.checked_at,
        change.old_dead,
        change.tell_started_at,
        change.told_old_at,
        change.effective_from,
        change.ended_by,
        change.ended_at,
        change.reason,
    )


def _values(change: Change) -> Sequence[Any]:
    return [str(value) if isinstance(value, ChangeState) else value for value in (getattr(change, f) for f in _FIELDS)]


async def last_results(con: "Connection", agreement: str, channel: str, limit: int) -> list[str]:
    """What came of the newest attempts by one channel, newest first; a notice that came back counts as `bounced`."""
    rows = await con.fetch(
        "select case when n.state = 'bounced' then 'bounced' else a.result end as result from attempt a "
        "join notice n on n.id = a.notice_id where n.agreement = $1 and n.channel = $2 and a.finished_at is not null "
        "order by a.started_at desc, a.n desc limit $3",
        agreement,
        channel,
        limit,
    )
    return [row["result"] for row in rows]


async def open_task(con: "Connection", task_id: str, detail: str, at: datetime, change_id: str) -> None:
    """Ask a person to tell the recipient; once for a change."""
    await con.execute(
        "insert into task (id, kind, detail, opened_at, channel_version) values ($1, 'tell_recipient', $2, $3, $4) "
        "on conflict do nothing",
        task_id,
        detail,
        at,
        change_id,
    )


async def end_task(con: "Connection", change_id: str, by: str, at: datetime, resolution: str) -> None:
    await con.execute(
        "update task set resolved_by = $2, resolved_at = $3, resolution = $4 "
        "where channel_version = $1 and resolved_at is null",
        change_id,
        by,
        at,
        resolution,
    )
