"""Sealing the audit log, and its proofs: entries into the Merkle tree, its root into signed checkpoints."""

import asyncio
import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from notifier.clock import Clock
from notifier.domain import audit as tree
from notifier.domain.checkpoint import BadNote, SigningKey, Verifier
from notifier.errors import Invalid, NotFound, NotifierError
from notifier.store import audit as store
from notifier.store import audit_scan, checkpoint_file
from notifier.store.database import Connection

_log = structlog.get_logger()

# Entries under one checkpoint; a sweep takes many such batches, each in a transaction of its own.
_BATCH = 2_000
_SWEEP = 200_000
_NOTES = 10_000


class LogBroken(NotifierError):
    """What is stored contradicts what was signed. To seal on would sign two histories, so a person must look."""

    code = "audit_log_broken"


class Sealer:
    """Takes committed entries into the tree and signs it. Any process may run one; an advisory lock picks one.

    `fault` says why the last pass failed, None when it did not.
    """

    def __init__(
        self, pool: store.Pool, key: SigningKey, checkpoints: Path, clock: Clock, *, pause_s: float = 0.25
    ) -> None:
        self._pool, self._key, self._file, self._clock, self._pause_s = pool, key, checkpoints, clock, pause_s
        self._verifier = key.verifier
        self._horizon = "0"
        self._written = -1
        self.fault: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Seal every `pause_s` of real time until `stop`, and once more then. Failures are logged, then retried."""
        while True:
            stopping = stop.is_set()
            try:
                await self.seal()
                self.fault = None
            except (NotifierError, *store.FAILURES) as e:
                fault = f"{type(e).__name__}: {e}"
                if fault != self.fault:
                    _log.error("audit.seal_failed", why=fault)
                self.fault = fault
            if stopping:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._pause_s)

    async def seal(self) -> int:
        """One pass; the number of entries sealed, 0 also while another process is at it.

        Raises LogBroken, OSError (checkpoint file) and asyncpg's errors; what was committed before stands, and
        the next pass completes the file.
        """
        # Before a connection is held: the simulated clock takes one of the same pool.
        now = await self._clock.now()
        async with self._pool.acquire() as con, store.sealing(con) as ours:
            if not ours:
                return 0
            checkpoint = await self._newest(con)
            await self._write_file(con, checkpoint)
            ids, horizon = await store.unsealed(con, self._horizon, _SWEEP)
            for start in range(0, len(ids), _BATCH):
                checkpoint = await self._extend(con, checkpoint, ids[start : start + _BATCH], now)
                await self._write_file(con, checkpoint)
            # Transaction numbers only grow, unless the server was replaced by a copy of itself: then look at all.
            if int(horizon) < int(self._horizon):
                self._horizon = "0"
            elif len(ids) < _SWEEP:
                self._horizon = horizon
            return len(ids)

    async def _newest(self, con: Connection) -> store.SignedCheckpoint | None:
        newest = await store.newest_checkpoint(con)
        if newest and newest.size != self._written:
            try:
                told = self._verifier.open_checkpoint(newest.note)
            except BadNote as e:
                raise LogBroken(
                    f"the newest checkpoint is not ours ({e}); every process needs the same state folder keys"
                ) from e
            if (told.size, told.root) != (newest.size, newest.root):
                raise LogBroken(f"checkpoint row {newest.size} differs from its signed note")
        return newest

    async def _extend(
        self, con: Connection, last: store.SignedCheckpoint | None, ids: Sequence[int], now: datetime
    ) -> store.SignedCheckpoint:
        size = last.size if last else 0
        async with con.transaction():
            edge = await self._edge(con, size)
            if last and edge.root() != last.root:
                raise LogBroken(f"the stored tree of {size} leaves has another root than was signed")
            if (count := await store.leaf_count(con)) != size:
                raise LogBroken(f"there are {count} leaves, and {size} are under a checkpoint")
            leaves, completed = [], []
            for entry_id, body in await store.bodies(con, ids):
                leaves.append(store.Leaf(edge.size, entry_id, tree.leaf_hash(body)))
                completed += edge.append(leaves[-1].hash)
            root = edge.root()
            signed = store.SignedCheckpoint(edge.size, root, self._key.sign_checkpoint(edge.size, root))
            await store.add_leaves(con, leaves, completed)
            await store.add_checkpoint(con, signed, now)
        return signed

    async def _edge(self, con: Connection, size: int) -> tree.Tree:
        wanted = tree.peak_coordinates(size)
        nodes = await store.nodes(con, wanted)
        try:
            return tree.Tree(size, [nodes(*at) for at in wanted])
        except KeyError as e:
            raise LogBroken(f"tree node {e} is missing") from e

    async def _write_file(self, con: Connection, newest: store.SignedCheckpoint | None) -> None:
        """Add what the file lacks. Never before the commit: a signed tree that was rolled back would be a lie."""
        size = newest.size if newest else 0
        if size == self._written:
            return
        note = await asyncio.to_thread(checkpoint_file.last, self._file)
        try:
            told = self._verifier.open_checkpoint(note) if note else None
        except BadNote as e:
            raise LogBroken(f"the last checkpoint in {self._file} is not ours ({e})") from e
        if told and newest and told.size == size and told.root != newest.root:
            raise LogBroken(f"{self._file} and the database have different checkpoints of size {size}")
        if told and told.size > size:
            raise LogBroken(
                f"{self._file} has a checkpoint of {told.size} leaves, the database only of {size}: it was cut off "
                "or restored from an older copy; verify, keep the file as proof, and move it away to go on"
            )
        written = told.size if told else 0
        try:
            while written < size:
                notes = await store.notes_after(con, written, _NOTES)
                await asyncio.to_thread(checkpoint_file.append, self._file, notes)
                written = self._verifier.open_checkpoint(notes[-1]).size
        except (BadNote, checkpoint_file.DamagedFile) as e:
            raise LogBroken(str(e)) from e
        self._written = size


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """`leaf_hash` is number `index` of the leaves under `checkpoint`, a signed note of `size`; RFC 9162 §2.1.3."""

    entry_id: int
    index: int
    size: int
    leaf_hash: bytes
    path: list[bytes]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """The tree of `new` leaves only adds to the tree of `old`; RFC 9162 §2.1.4."""

    old: int
    new: int
    old_root: bytes
    new_root: bytes
    path: list[bytes]


async def inclusion_proof(con: Connection, entry_id: int, size: int | None = None) -> InclusionProof:
    """The proof for one entry under the newest checkpoint, or the one of `size`.

    Raises NotFound when the entry is not sealed there, or there is no such checkpoint.
    """
    async with con.transaction(isolation="repeatable_read", readonly=True):
        checkpoint = await (store.newest_checkpoint(con) if size is None else store.checkpoint_at(con, size))
        leaf = await store.leaf_of(con, entry_id)
        if checkpoint is None or leaf is None or leaf.index >= checkpoint.size:
            raise NotFound(f"entry {entry_id} is under no such checkpoint; entries are sealed within a second")

        def walk(nodes: tree.Nodes) -> list[bytes]:
            return tree.inclusion_proof(leaf.index, checkpoint.size, nodes)

        path = walk(await store.nodes(con, tree.reads(walk)))
    return InclusionProof(entry_id, leaf.index, checkpoint.size, leaf.hash, path, checkpoint.note)


async def consistency_proof(con: Connection, old: int, new: int) -> ConsistencyProof:
    """The proof between any two sizes, signed or not.

    Raises Invalid for old > new, NotFound when the log is smaller.
    """
    if not 0 <= old <= new:
        raise Invalid(f"sizes must be 0 <= old <= new, not {old} and {new}")

    def walk(nodes: tree.Nodes) -> ConsistencyProof:
        return ConsistencyProof(
            old, new, tree.root(old, nodes), tree.root(new, nodes), tree.consistency_proof(old, new, nodes)
        )

    async with con.transaction(isolation="repeatable_read", readonly=True):
        if new > (size := await store.leaf_count(con)):
            raise NotFound(f"the log has {size} leaves")
        return walk(await store.nodes(con, tree.reads(walk)))


async def export(con: Connection, verifier: Verifier, path: Path) -> int:
    """Write the sealed log as NDJSON for others to check; returns the number of entries. Raises OSError.

    First line `{"verifier"}`, a line `{"index", "entry_id", "leaf_hash" (hex), "body"}` for each leaf in order,
    last line `{"checkpoint"}` (signed note, null for an empty log). The file appears when it is complete.
    """
    draft = path.with_name(path.name + ".part")
    count = 0
    file = await asyncio.to_thread(draft.open, "w", encoding="utf-8")
    try:
        lines = [json.dumps({"verifier": verifier.text})]
        async with con.transaction(isolation="repeatable_read", readonly=True):
            checkpoint = await store.newest_checkpoint(con)
            async for row in audit_scan.sealed_entries(con):
                lines.append(json.dumps({**row, "leaf_hash": row["leaf_hash"].hex()}, ensure_ascii=False))
                count += 1
                if len(lines) >= _BATCH:
                    await asyncio.to_thread(file.write, "\n".join(lines) + "\n")
                    lines.clear()
        lines.append(json.dumps({"checkpoint": checkpoint.note if checkpoint else None}, ensure_ascii=False))
        await asyncio.to_thread(file.write, "\n".join(lines) + "\n")
        await asyncio.to_thread(file.flush)
        await asyncio.to_thread(os.fsync, file.fileno())
        await asyncio.to_thread(os.replace, draft, path)
    finally:
        file.close()
        await asyncio.to_thread(draft.unlink, missing_ok=True)
    return count
