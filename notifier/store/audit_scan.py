"""Whole-table reads of the audit log, streamed by server-side cursors: each needs an open transaction."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection

_PREFETCH = 2_000
_ENTRY = "e.id, e.at, e.actor, e.via, e.tag, e.subject, e.case_id, e.rev, e.body, e.recorded"


def _stream(con: "Connection", query: str) -> "AsyncIterator[asyncpg.Record]":
    rows: AsyncIterator[asyncpg.Record] = con.cursor(query, prefetch=_PREFETCH).__aiter__()
    return rows


def leaves(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """index, entry_id, leaf_hash and the entry's columns (null when it is gone), by index."""
    return _stream(
        con,
        f"select l.index, l.entry_id, l.leaf_hash, {_ENTRY} from audit_leaf l "
        "left join audit_entry e on e.id = l.entry_id order by l.index",
    )


def unsealed(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """Columns of the entries that have no leaf."""
    return _stream(
        con,
        f"select {_ENTRY} from audit_entry e "
        "where not exists (select 1 from audit_leaf l where l.entry_id = e.id) order by e.id",
    )


def checkpoints(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """size, root, note, by size."""
    return _stream(con, "select size, root, note from audit_checkpoint order by size")


def cases(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """Whole rows by id, as `store.cases.from_row` reads them."""
    return _stream(con, "select *, '{}'::text[] as involved, false as embargo from cases order by id")


def reports(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """id, sha256 (of the bytes that are kept, or of those that were not) and the body of the entry that took it."""
    return _stream(
        con,
        "select r.id, encode(coalesce(sha256(r.raw), r.raw_sha256), 'hex') as sha256, e.body from report r "
        "left join audit_entry e on e.subject = r.id::text and e.tag in ('report.received', 'report.refused') "
        "order by r.id",
    )


def notices(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """id, digest, content and the body of the entry that queued it, or last gave a withdrawal another address."""
    return _stream(
        con,
        "select n.id, n.digest, n.content, e.body from notice n "
        "left join (select distinct on (q.subject) q.subject, q.body from audit_entry q left join notice w "
        "on q.tag = 'notice.readdressed' and w.id::text = q.subject and w.purpose in ('withdrawal', 'restore') "
        "where q.tag = 'notice.queued' or w.id is not null order by q.subject, q.id desc) e on e.subject = n.id::text "
        "order by n.id",
    )


def recipients(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """Whom a notice went to, and by whose token it may be read and answered, with the body of the entry that queued it."""
    return _stream(
        con,
        "select n.id, n.agreement, n.purpose, n.registry, n.recipient, n.content->>'recipient_address' as address, e.body "
        "from notice n left join audit_entry e on e.subject = n.id::text and e.tag = 'notice.queued' order by n.id",
    )


def words(con: "Connection", table: str, tag: str) -> "AsyncIterator[asyncpg.Record]":
    """Rows of `contact` or `amendment` with the body of the entry that tells of them; null columns: the row is gone."""
    return _stream(
        con,
        f"select w.*, e.body from {table} w full join (select body, body::jsonb #>> '{{detail,{table}}}' as said "
        f"from audit_entry where tag = '{tag}') e on e.said = w.id::text order by w.id",
    )


def assessments(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """Whole rows with the body of the entry that tells of them; an entry whose row is gone has null columns."""
    return _stream(
        con,
        "select a.*, e.subject, e.body from assessment a full join "
        "(select case_id, rev, subject, body from audit_entry where tag in ('case.opened', 'target.assessed')) e "
        "on e.case_id = a.case_id and e.rev = a.rev order by e.subject, e.rev",
    )


def commitments(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """id, commitment (in hex, over what is kept) and body of what the log has of the deconfliction list; null: gone."""
    return _stream(
        con,
        "select coalesce(r.id::text, e.subject) as id, "
        "encode(sha256(r.salt || convert_to(r.content, 'UTF8')), 'hex') as commitment, e.body from deconfliction_record r "
        "full join (select subject, body from audit_entry where tag = 'deconfliction.recorded') e "
        "on e.subject = r.id::text order by 1",
    )


def case_entries(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """case_id, rev, body of the entries that account for a revision, by case and rev."""
    return _stream(
        con,
        "select case_id, rev, body from audit_entry where case_id is not null and rev is not null "
        "order by case_id, rev",
    )


async def transitions(con: "Connection") -> AsyncIterator[dict[str, Any]]:
    """Each entry of a case beside the row of statistics that repeats it, by id: either may be missing (null).

    `invented`: a row of an entry that is not there, and which the case's revisions do not miss.
    """
    async for row in _stream(
        con,
        "select coalesce(e.id, t.entry_id) as id, e.body, e.at as entry_at, t.entry_id, t.case_id, t.rev, t.tag, t.from_state, "
        "t.to_state, t.told_at, t.word, e.id is null and (t.rev is null or exists (select from audit_entry x "
        "where x.case_id = t.case_id and x.rev = t.rev)) as invented from (select * from audit_entry where case_id is not null) e "
        "full join transition t on t.entry_id = e.id order by 1",
    ):
        yield dict(row)


async def sealed_entries(con: "Connection") -> AsyncIterator[dict[str, Any]]:
    """index, entry_id, leaf_hash, body of every leaf, by index."""
    async for row in _stream(
        con,
        "select l.index, l.entry_id, l.leaf_hash, e.body from audit_leaf l "
        "join audit_entry e on e.id = l.entry_id order by l.index",
    ):
        yield dict(row)


async def wrong_nodes(con: "Connection") -> AsyncIterator[tuple[int, int]]:
    """(level, index) of stored nodes that are not the RFC 9162 hash of their two children."""
    # Level 0 is kept as leaves, so the lowest level has another parent table.
    for query in (
        "select p.level, p.idx from audit_node p left join audit_leaf a on a.index = 2 * p.idx "
        "left join audit_leaf b on b.index = 2 * p.idx + 1 where p.level = 1 "
        "and p.hash is distinct from sha256('\\x01'::bytea || a.leaf_hash || b.leaf_hash) order by p.idx",
        "select p.level, p.idx from audit_node p "
        "left join audit_node a on a.level = p.level - 1 and a.idx = 2 * p.idx "
        "left join audit_node b on b.level = p.level - 1 and b.idx = 2 * p.idx + 1 where p.level > 1 "
        "and p.hash is distinct from sha256('\\x01'::bytea || a.hash || b.hash) order by p.level, p.idx",
    ):
        async for row in _stream(con, query):
            yield row["level"], row["idx"]


async def node_counts(con: "Connection", leaves: int) -> list[tuple[int, int]]:
    """(level, stored nodes) of the levels that do not have as many nodes as a tree of `leaves` has."""
    rows = await con.fetch("select level, count(*) as n from audit_node group by level")
    stored = {row["level"]: row["n"] for row in rows}
    levels = stored.keys() | set(range(1, leaves.bit_length()))
    return [(level, stored.get(level, 0)) for level in sorted(levels) if stored.get(level, 0) != leaves >> level]


async def files_after(con: "Connection", sha256: str, limit: int = 500) -> list[str]:
    """Digests of files that are kept, in order, from behind one on."""
    rows = await con.fetch(
        "select sha256 from blob where erased_at is null and sha256 > $1 order by sha256 limit $2", sha256, limit
    )
    return [row["sha256"] for row in rows]


async def is_kept(con: "Connection", sha256: str) -> bool:
    return bool(await con.fetchval("select exists (select from blob where sha256 = $1 and erased_at is null)", sha256))
