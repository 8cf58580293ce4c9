"""Rows of `notice`, `attempt`, `task` and `observation`: what goes with a case while it is worked on."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.notice import ASKING, LIVE, UNDO, Notice, NoticeState, Purpose
from notifier.domain.outcome import PROVEN
from notifier.domain.rule import Recipient
from notifier.store import news
from notifier.store.ids import new_id

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection

_COLUMNS = (
    "id, case_id, agreement, registry, purpose, version, state, measure, domain, digest, send_key, reply_token, "
    "approved_by, drafted_at, epoch, sent_at, response, party, supersedes, event, hold_until, release_by"
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
        epoch=row["epoch"],
        sent_at=row["sent_at"],
        response=row["response"],
        party=Recipient(row["party"]),
        supersedes=str(row["supersedes"]) if row["supersedes"] else None,
        event=row["event"],
        hold_until=row["hold_until"],
        release_by=row["release_by"],
    )


async def insert(
    con: "Connection",
    notice: Notice,
    registry: str,
    recipient: Mapping[str, Any],
    content: Mapping[str, Any],
    queued_at: datetime,
    channel: str,
) -> None:
    """A notice with its frozen content; `channel`: the digest of the one that it was made for.

    Raises UniqueViolationError while another request to the recipient is live.
    """
    await con.execute(
        f"insert into notice ({_COLUMNS}, recipient, content, queued_at, channel) values "
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, "
        "$24, $25, $26)",
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
        notice.epoch,
        notice.sent_at,
        notice.response,
        str(notice.party),
        notice.supersedes,
        notice.event,
        notice.hold_until,
        notice.release_by,
        recipient,
        content,
        queued_at,
        channel,
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


async def before(con: "Connection", notice: Notice) -> list[Notice]:
    """The requests whose place this one takes: what it amends, or asks anew after a relapse. The newest first."""
    found: list[Notice] = []
    at: Notice | None = notice
    while at is not None and at.purpose in ASKING and at.supersedes is not None:
        at = await get(con, at.supersedes)
        if at is not None:
            found.append(at)
    return found


async def is_undone(con: "Connection", notice_id: str) -> bool:
    """Whether a notice is there that takes this one back, sent or about to be."""
    found: bool = await con.fetchval(
        "select exists (select from notice where supersedes = $1 and purpose = any($2) and state <> 'cancelled')",
        notice_id,
        [str(purpose) for purpose in UNDO],
    )
    return found


async def is_followed(con: "Connection", notice_id: str) -> bool:
    """Whether a later request takes this one's place, sent or about to be."""
    found: bool = await con.fetchval(
        "select exists (select from notice where supersedes = $1 and purpose = any($2) and state <> 'cancelled')",
        notice_id,
        [str(purpose) for purpose in ASKING],
    )
    return found


async def held(con: "Connection", case_id: str) -> list[Notice]:
    """What a case asks for because of a live event, and that somebody has or may get: oldest first."""
    found = await of_case(con, case_id, NoticeState.QUEUED, *LIVE)
    return [notice for notice in found if notice.hold_until is not None and notice.purpose not in UNDO]


async def waited(con: "Connection", notice_ids: Collection[str]) -> None:
    """No look that was kept warm stood for them: they leave by one of their own, and are counted apart."""
    await con.execute("update notice set waited_for_look = true where id = any($1)", list(notice_ids))


async def is_enforced(con: "Connection", notice_id: str) -> bool:
    """Whether its recipient says that it acted on it, and no look of ours refuted that."""
    found: bool = await con.fetchval(
        "select exists (select from claim where notice_id = $1 and measure <> 'restore' and verdict <> 'contradicted')",
        notice_id,
    )
    return found


async def is_removed(con: "Connection", notice_id: str) -> bool:
    """Whether its recipient said, by this notice or another one of the case, that the pages were removed, and we saw it."""
    found: bool = await con.fetchval(
        "select exists (select from claim k join notice n on n.id = k.notice_id join notice f on f.id = $1 "
        "where n.case_id = f.case_id and (n.agreement, n.registry, n.domain) = (f.agreement, f.registry, f.domain) "
        "and k.measure = 'content_removal' and k.verdict = any($2))",
        notice_id,
        [str(verdict) for verdict in PROVEN],
    )
    return found


async def content(con: "Connection", notice_id: str) -> dict[str, Any]:
    """The frozen content as it was approved."""
    found: dict[str, Any] = await con.fetchval("select content from notice where id = $1", notice_id)
    return found


async def channel_of(con: "Connection", notice_id: str) -> str | None:
    """The digest of the channel that it was made for; None when that was not kept."""
    found: str | None = await con.fetchval("select channel from notice where id = $1", notice_id)
    return found


async def readdress(con: "Connection", notice_id: str, content: Mapping[str, Any], digest: str, channel: str) -> None:
    """Another address on what has not left."""
    await con.execute(
        "update notice set content = $2, digest = $3, channel = $4 where id = $1 and state in ('queued', 'sending')",
        notice_id,
        content,
        digest,
        channel,
    )


async def save(con: "Connection", notice: Notice) -> None:
    await con.execute(
        "update notice set state = $2, sent_at = $3, response = $4 where id = $1",
        notice.id,
        str(notice.state),
        notice.sent_at,
        notice.response,
    )
    if notice.state is NoticeState.SENT and notice.purpose in ASKING and notice.sent_at is not None:
        await news.sent(con, notice.case_id, notice.id, notice.approved_by or "", notice.sent_at)


async def start_attempt(con: "Connection", notice_id: str, at: datetime, *, attended: bool = False) -> int:
    """Record the intent to send; the attempt's number. `attended`: a person makes it, and says what came of it."""
    n: int = await con.fetchval(
        "insert into attempt (notice_id, n, started_at, result, attended) "
        "select $1, coalesce(max(n), 0) + 1, $2, 'started', $3 from attempt where notice_id = $1 returning n",
        notice_id,
        at,
        attended,
    )
    return n


async def give_up_attempts(con: "Connection", notice_id: str, at: datetime) -> None:
    """Attempts of ours whose end nobody recorded are uncertain, now that it is tried again. A person's are theirs."""
    await con.execute(
        "update attempt set result = 'uncertain', finished_at = $2 "
        "where notice_id = $1 and result = 'started' and not attended",
        notice_id,
        at,
    )


async def may_have_arrived(con: "Connection", notice_id: str) -> bool:
    """Whether an attempt is there of which nobody knows whether it arrived, since a person last found out that none did."""
    found: bool = await con.fetchval(
        "select exists (select from attempt where notice_id = $1 and result = 'uncertain' and started_at >= coalesce("
        "(select max(resolved_at) from task where notice_id = $1 and kind = 'uncertain' "
        "and resolution like 'not_arrived%'), '-infinity'))",
        notice_id,
    )
    return found


async def latest_attempt(con: "Connection", notice_id: str) -> "asyncpg.Record | None":
    """Result, start and end of the newest attempt, and whether a person makes it; None before the first. One whose end
    nobody saw has no `detail`."""
    return await con.fetchrow(
        "select n, result, started_at, finished_at, attended, detail from attempt where notice_id = $1 order by n desc limit 1",
        notice_id,
    )


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


async def keep_receipt(con: "Connection", notice_id: str, n: int, receipt: str | None) -> None:
    """The file, by digest, that shows that a person's attempt arrived. A case holds it."""
    await con.execute("update attempt set receipt = $3 where notice_id = $1 and n = $2", notice_id, n, receipt)


async def receipts(con: "Connection", files: Collection[str]) -> set[str]:
    """Which of these files are receipts: they show what we sent, and are no evidence."""
    rows = await con.fetch("select distinct receipt from attempt where receipt = any($1)", sorted(files))
    return {row["receipt"] for row in rows}


async def open_task(
    con: "Connection",
    kind: str,
    detail: str,
    at: datetime,
    *,
    case_id: str | None = None,
    notice_id: str | None = None,
    inbound_id: str | None = None,
    due_at: datetime | None = None,
    approval: str | None = None,
) -> str | None:
    """Put a task on the list; None when the same one is open already. `approval`: the one that is looked at again."""
    task_id = await con.fetchval(
        "insert into task (id, kind, case_id, notice_id, inbound_id, detail, opened_at, due_at, approval) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing returning id",
        new_id(),
        kind,
        case_id,
        notice_id,
        inbound_id,
        detail,
        at,
        due_at,
        approval,
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
