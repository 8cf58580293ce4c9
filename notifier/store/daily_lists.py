"""Rows of `daily_list`: each day's list of open notices for a recipient that wants one instead of reminders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.notice import ASKING, TOLD
from notifier.store.ids import new_id

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection


@dataclass(frozen=True, slots=True)
class DailyList:
    """`state`: planned, sending, sent, empty (nothing was open), missed, or uncertain."""

    id: str
    agreement: str
    moment: datetime
    state: str
    attempts: int


async def plan(con: "Connection", agreement: str, moment: datetime) -> str | None:
    """A list for this moment; None when there is one already."""
    made = await con.fetchval(
        "insert into daily_list (id, agreement, moment) values ($1, $2, $3) on conflict do nothing returning id",
        new_id(),
        agreement,
        moment,
    )
    return str(made) if made else None


async def lock(con: "Connection", list_id: str) -> DailyList | None:
    row = await con.fetchrow(
        "select id, agreement, moment, state, attempts from daily_list where id = $1 for update", list_id
    )
    return DailyList(**{**dict(row), "id": str(row["id"])}) if row else None


async def begin(con: "Connection", list_id: str, at: datetime, notices: Sequence[str]) -> None:
    """The intent to send it, before it is sent."""
    await con.execute(
        "update daily_list set state = 'sending', started_at = $2, notices = $3, attempts = attempts + 1 where id = $1",
        list_id,
        at,
        list(notices),
    )


async def end(con: "Connection", list_id: str, state: str, at: datetime, why: str = "") -> None:
    """What became of it; `planned` puts it off."""
    ended = None if state == "planned" else at
    await con.execute(
        "update daily_list set state = $2, ended_at = $3, detail = $4 where id = $1", list_id, state, ended, why
    )


async def open_notices(con: "Connection", agreement: str, registry: str) -> "list[asyncpg.Record]":
    """The recipient's own notices that still ask, and have no last answer; nothing about a name under investigation."""
    rows: list[Any] = await con.fetch(
        "select n.id, c.reference, c.program, n.content->>'measure_word' as word "
        "from notice n join cases c on c.id = n.case_id "
        "where n.agreement = $1 and n.registry = $2 and n.purpose = any($3) and n.state = any($4) "
        "and c.state = 'notified' and c.agreement = n.agreement "
        "and n.response in ('none', 'received', 'acknowledged', 'needs_info') "
        "and not exists (select from deconfliction_hold h where h.case_id = c.id and h.ended_at is null) "
        "order by n.sent_at, n.id",
        agreement,
        registry,
        [str(purpose) for purpose in ASKING],
        [str(state) for state in TOLD],
    )
    return rows


async def open_task(con: "Connection", detail: str, at: datetime) -> None:
    """A task of the house; one that says the same is open at most once."""
    await con.execute(
        "insert into task (id, kind, detail, opened_at) select $1, 'no_contact', $2, $3 where not exists "
        "(select from task where kind = 'no_contact' and case_id is null and detail = $2 and resolved_at is null)",
        new_id(),
        detail,
        at,
    )
