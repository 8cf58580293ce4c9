"""What our own database says of the chaos run; it may be away at any moment."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from notifier.store.audit import FAILURES
from notifier.store.embedded import running_dsn

from .chaos_cast import key_of, party_of
from .story import Entry, Notice

AWAY = FAILURES
_NEAR_AT_ONCE = 150


class Records:
    """The database of a state folder."""

    def __init__(self, state: Path) -> None:
        self._state = state

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """Rows, by a connection of their own. Raises one of AWAY."""
        dsn = running_dsn(self._state)
        if dsn is None:
            raise ConnectionError("the database is away")
        con = await asyncpg.connect(dsn, timeout=5)
        try:
            return list(await con.fetch(query, *args, timeout=20))
        finally:
            con.terminate()

    async def value(self, query: str, *args: Any) -> Any:
        """The first column of the first row, None without one."""
        rows = await self.fetch(query, *args)
        return rows[0][0] if rows else None

    async def idle(self) -> bool:
        """Whether no timer is due and no job waits or runs."""
        busy = await self.value(
            "select exists (select from timer where fired_at is null and cancelled_at is null and due_at <= $1) "
            "or exists (select from queue.pgqueuer where status in ('queued', 'picked'))",
            datetime.now(UTC),
        )
        return not busy

    async def bring_near(self) -> None:
        """What is planned for later is due now: the waits after a failure, and the rest of a channel that was not reached."""
        now = datetime.now(UTC)
        await self.value("update pace set open_until = $1 where open_until > $1 returning 1", now)
        await self.value(
            "update timer set due_at = $1 where id in (select id from timer where fired_at is null and cancelled_at is null "
            "and kind in ('notice.send', 'case.dispatch') and due_at > $1 order by due_at limit $2 for update skip locked) "
            "returning 1",
            now,
            _NEAR_AT_ONCE,
        )

    async def notices(self) -> list[Notice]:
        """Every notice with its entries and open tasks."""
        entries: dict[str, list[Entry]] = {}
        for row in await self.fetch(
            "select at, tag, subject, body from audit_entry where tag like 'notice.%' order by id"
        ):
            detail = json.loads(row["body"])["detail"]
            about = str(detail["notice"]) if row["tag"] == "notice.undeliverable" else row["subject"]
            entries.setdefault(about, []).append(Entry(row["at"], row["tag"], detail))
        tasks: dict[str, set[str]] = {}
        for row in await self.fetch(
            "select notice_id, kind from task where resolved_at is null and notice_id is not null"
        ):
            tasks.setdefault(str(row["notice_id"]), set()).add(row["kind"])
        found = []
        for row in await self.fetch("select id, agreement, send_key, domain, measure, state from notice order by id"):
            party = party_of(row["agreement"])
            found.append(
                Notice(
                    str(row["id"]),
                    party.channel,
                    party.registry,
                    key_of(row["agreement"], row["send_key"]),
                    row["domain"],
                    row["measure"],
                    row["state"],
                    frozenset(tasks.get(str(row["id"]), ())),
                    entries.get(str(row["id"]), []),
                )
            )
        return found
