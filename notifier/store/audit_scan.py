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
    return _stream(con, "select *, '{}'::text[] as involved from cases order by id")


def reports(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """id, sha256 (of the bytes that are kept, or of those that were not) and the body of the entry that took it."""
    return _stream(
        con,
        "select r.id, encode(coalesce(sha256(r.raw), r.raw_sha256), 'hex') as sha256, e.body from report r "
        "left join audit_entry e on e.subject = r.id::text and e.tag in ('report.received', 'report.refused') "
        "order by r.id",
    )


def notices(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """id, digest, content and the body of the entry that queued it."""
    return _stream(
        con,
        "select n.id, n.digest, n.content, e.body from notice n "
        "left join audit_entry e on e.subject = n.id::text and e.tag = 'notice.queued' order by n.id",
    )


def case_entries(con: "Connection") -> "AsyncIterator[asyncpg.Record]":
    """case_id, rev, body of the entries that account for a revision, by case and rev."""
    return _stream(
        con,
        "select case_id, rev, body from audit_entry where case_id is not null and rev is not null "
        "order by case_id, rev",
    )


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
