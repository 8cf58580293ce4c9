"""Rows of `notice`, `attempt`, `task`, `alarm` and `observation`: what goes with a case while it is worked on."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.notice import Notice, NoticeState, Purpose
from notifier.store.ids import new_id

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection

_COLUMNS = (
    "id, case_id, agreement, registry, purpose, version, state, measure, domain, digest, send_key, reply_token, "
    "approved_by, drafted_at, sent_at, response"
)


def from_row(row: "asyncpg.Record") -> Notice:
    return Notice(
        id=str(row["id"]),
        case_id=str(row["case_id"]),
        agreement=row["agreement"],
        purpose=Purpose(row["purpose"]),
        version=row["version"],
        state=NoticeState(row["state"]),
        measure=row["measure"],
        domain=row["domain"],
        digest=row["digest"],
        send_key=row["send_key"],
        reply_token=row["reply_token"],
        approved_by=row["approved_by"],
        drafted_at=row["drafted_at"],
        sent_at=row["sent_at"],
        response=row["response"],
    )


async def insert(
    con: "Connection", notice: Notice, registry: str, content: Mapping[str, Any], queued_at: datetime
) -> None:
    """A notice with its frozen content. Raises UniqueViolationError while another request to the recipient is live."""
    await con.execute(
        f"insert into notice ({_COLUMNS}, content, queued_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        notice.id,
        notice.case_id,
        notice.agreement,
        registry,
        str(notice.purpose),
        notice.version,
        str(notice.state),
        notice.measure,
        notice.domain,
        notice.digest,
        notice.send_key,
        notice.reply_token,
        notice.approved_by,
        notice.drafted_at,
        notice.sent_at,
        notice.response,
        content,
        queued_at,
    )


async def get(con: "Connection", notice_id: str) -> Notice | None:
    row = await con.fetchrow(f"select {_COLUMNS} from notice where id = $1", notice_id)
    return from_row(row) if row else None


async def of_case(con: "Connection", case_id: str, *states: NoticeState) -> list[Notice]:
    """A case's notices, oldest first; all states when none is named."""
    rows = await con.fetch(
        f"select {_COLUMNS} from notice where case_id = $1 and (cardinality($2::text[]) = 0 or state = any($2)) "
        "order by drafted_at, version, id",
        case_id,
        [str(state) for state in states],
    )
    return [from_row(row) for row in rows]


async def content(con: "Connection", notice_id: str) -> dict[str, Any]:
    """The frozen content as it was approved."""
    found: dict[str, Any] = await con.fetchval("select content from notice where id = $1", notice_id)
    return found


async def save(con: "Connection", notice: Notice) -> None:
    await con.execute(
        "update notice set state = $2, sent_at = $3, response = $4 where id = $1",
        notice.id,
        str(notice.state),
        notice.sent_at,
        notice.response,
    )


async def start_attempt(con: "Connection", notice_id: str, at: datetime) -> int:
    """Record the intent to send; the attempt's number."""
    n: int = await con.fetchval(
        "insert into attempt (notice_id, n, started_at, result) "
        "select $1, coalesce(max(n), 0) + 1, $2, 'started' from attempt where notice_id = $1 returning n",
        notice_id,
        at,
    )
    return n


async def finish_attempt(
    con: "Connection",
    notice_id: str,
    n: int,
    at: datetime,
    result: str,
    reference: str = "",
    detail: str = "",
) -> None:
    await con.execute(
        "update attempt set finished_at = $3, result = $4, reference = $5, detail = $6 where notice_id = $1 and n = $2",
        notice_id,
        n,
        at,
        result,
        reference,
        detail,
    )


async def open_task(
    con: "Connection",
    kind: str,
    detail: str,
    at: datetime,
    *,
    case_id: str | None = None,
    notice_id: str | None = None,
    inbound_id: str | None = None,
) -> str | None:
    """Put a task on the list; None when the same one is open already."""
    task_id = await con.fetchval(
        "insert into task (id, kind, case_id, notice_id, inbound_id, detail, opened_at) values ($1, $2, $3, $4, $5, $6, $7) "
        "on conflict do nothing returning id",
        new_id(),
        kind,
        case_id,
        notice_id,
        inbound_id,
        detail,
        at,
    )
    return str(task_id) if task_id else None


async def end_uncertain(con: "Connection", notice_id: str, by: str, at: datetime, resolution: str) -> None:
    """Take the question off the list that was settled without the person it waited for."""
    await con.execute(
        "update task set resolved_by = $2, resolved_at = $3, resolution = $4 "
        "where notice_id = $1 and kind = 'uncertain' and resolved_at is null",
        notice_id,
        by,
        at,
        resolution,
    )


async def raise_alarm(
    con: "Connection", kind: str, detail: str, at: datetime, case_id: str, claim_id: str | None
) -> bool:
    """Raise an alarm; False when the same one is open already."""
    done = await con.fetchval(
        "insert into alarm (id, kind, case_id, claim_id, detail, raised_at) values ($1, $2, $3, $4, $5, $6) "
        "on conflict do nothing returning id",
        new_id(),
        kind,
        case_id,
        claim_id,
        detail,
        at,
    )
    return done is not None


async def insert_observation(
    con: "Connection",
    observation_id: str,
    case_id: str,
    purpose: str,
    look: Mapping[str, Any],
    at: datetime,
    claim_id: str | None = None,
) -> None:
    await con.execute(
        "insert into observation (id, case_id, claim_id, purpose, look, at) values ($1, $2, $3, $4, $5, $6)",
        observation_id,
        case_id,
        claim_id,
        purpose,
        look,
        at,
    )
