"""Rows of the audit log: entries by business transactions, leaves, nodes and checkpoints by the sealer."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from notifier.domain.audit import Coordinates, Entry, Node, Nodes, body, lookup
from notifier.store.locks import session_lock

if TYPE_CHECKING:
    from notifier.store.database import Connection

Pool: TypeAlias = asyncpg.Pool

# What a caller that goes on by itself must expect of the database. InternalClientError: the connection broke while
# asyncpg 0.32 was between two messages, and its next call finds the wire in the wrong state.
FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

# Held by whoever seals, on its session; any number that nothing else here locks.
_SEALER_LOCK = 726_012


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A row of `audit_checkpoint`: `note` is the signed note, `root` 32 bytes."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """A row of `audit_leaf`."""

    index: int
    entry_id: int
    hash: bytes


async def append(con: "Connection", entry: Entry) -> int:
    """Write an entry in the caller's transaction; returns its id.

    Raises ValueError for what JSON cannot hold, asyncpg.UniqueViolationError for a second entry of the same case
    and rev. The commit fails when the case does not reach the entry's rev.
    """
    entry_id: int = await con.fetchval(
        "insert into audit_entry (at, actor, via, tag, subject, case_id, rev, body) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8) returning id",
        entry.at,
        entry.actor,
        entry.via,
        entry.tag,
        entry.subject,
        entry.case_id,
        entry.rev,
        body(entry),
    )
    return entry_id


def sealing(con: "Connection") -> AbstractAsyncContextManager[bool]:
    """Whether this session is the one that may seal now, until the block ends."""
    return session_lock(con, _SEALER_LOCK)


async def unsealed(con: "Connection", since: str, limit: int) -> tuple[list[int], str]:
    """Ids of committed entries without a leaf, in order, and the next `since` if fewer than `limit` came.

    `since` is a transaction number (xid8 as text, "0" at first) below which every entry was seen sealed. Both
    values are of one snapshot: what it does not show was written by a transaction at or above the second.
    """
    # At first nearly all entries have a leaf and a join of the two tables is right; later a few rows are looked up
    # one by one, which the planner must not turn into that join when its statistics are old.
    no_leaf = (
        "not exists (select 1 from audit_leaf l where l.entry_id = e.id)"
        if since == "0"
        else "(select l.index from audit_leaf l where l.entry_id = e.id) is null"
    )
    row = await con.fetchrow(
        # Materialised, or the planner may walk the whole primary key for the sake of the order.
        f"with fresh as materialized (select id from audit_entry e where xact >= $1::text::xid8 and {no_leaf}) "
        "select array(select id from fresh order by id limit $2) as ids, "
        "pg_snapshot_xmin(pg_current_snapshot())::text as horizon",
        since,
        limit,
    )
    return row["ids"], row["horizon"]


async def bodies(con: "Connection", ids: Sequence[int]) -> list[tuple[int, str]]:
    """(id, body) of these entries in id order."""
    rows = await con.fetch("select id, body from audit_entry where id = any($1) order by id", ids)
    return [(row["id"], row["body"]) for row in rows]


async def leaf_count(con: "Connection") -> int:
    """One more than the last leaf's index."""
    count: int = await con.fetchval("select coalesce(max(index) + 1, 0) from audit_leaf")
    return count


async def leaf_of(con: "Connection", entry_id: int) -> Leaf | None:
    """The leaf of an entry; None while it is not sealed, and when there is no such entry."""
    row = await con.fetchrow("select index, entry_id, leaf_hash from audit_leaf where entry_id = $1", entry_id)
    return Leaf(*row.values()) if row else None


async def nodes(con: "Connection", wanted: Sequence[Coordinates]) -> Nodes:
    """The hashes at these coordinates; asking the answer for one that is not stored raises KeyError."""
    leaves = await con.fetch(
        "select 0 as level, index, leaf_hash from audit_leaf where index = any($1)",
        [index for level, index in wanted if level == 0],
    )
    inner = await con.fetch(
        "select n.level, n.idx, n.hash from unnest($1::smallint[], $2::bigint[]) as w (level, idx) "
        "join audit_node n using (level, idx)",
        [level for level, _ in wanted if level > 0],
        [index for level, index in wanted if level > 0],
    )
    return lookup(Node(*row.values()) for row in (*leaves, *inner))


async def add_leaves(con: "Connection", leaves: Sequence[Leaf], completed: Sequence[Node]) -> None:
    """Append leaves and the subtrees that they complete."""
    await con.execute(
        "insert into audit_leaf (index, entry_id, leaf_hash) "
        "select * from unnest($1::bigint[], $2::bigint[], $3::bytea[])",
        [leaf.index for leaf in leaves],
        [leaf.entry_id for leaf in leaves],
        [leaf.hash for leaf in leaves],
    )
    await con.execute(
        "insert into audit_node (level, idx, hash) select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])",
        [node.level for node in completed],
        [node.index for node in completed],
        [node.hash for node in completed],
    )


async def add_checkpoint(con: "Connection", checkpoint: SignedCheckpoint, at: datetime) -> None:
    """Store a signed checkpoint; `at` is business time."""
    await con.execute(
        "insert into audit_checkpoint (size, root, note, at) values ($1, $2, $3, $4)",
        checkpoint.size,
        checkpoint.root,
        checkpoint.note,
        at,
    )


async def newest_checkpoint(con: "Connection") -> SignedCheckpoint | None:
    row = await con.fetchrow("select size, root, note from audit_checkpoint order by size desc limit 1")
    return SignedCheckpoint(*row.values()) if row else None


async def checkpoint_at(con: "Connection", size: int) -> SignedCheckpoint | None:
    """The checkpoint of exactly this size."""
    row = await con.fetchrow("select size, root, note from audit_checkpoint where size = $1", size)
    return SignedCheckpoint(*row.values()) if row else None


async def notes_after(con: "Connection", size: int, limit: int) -> list[str]:
    """Signed notes of checkpoints larger than `size`, smallest first."""
    rows = await con.fetch("select note from audit_checkpoint where size > $1 order by size limit $2", size, limit)
    return [row["note"] for row in rows]
