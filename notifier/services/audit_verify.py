"""`audit verify`: the log against itself, against every checkpoint ever signed, and against the case rows."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from notifier.domain.audit import Tree, leaf_hash, read_body
from notifier.domain.checkpoint import BadNote, Verifier
from notifier.services import audit_rows
from notifier.services.audit_rows import Faults
from notifier.store import audit_scan as scan
from notifier.store import checkpoint_file
from notifier.store.blobs import BlobStore, Corrupt, checked
from notifier.store.database import Connection

# Entries are sealed within a second; this much real time says that nobody seals.
BEHIND_S = 10.0
_LOOKS = 10


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `exit_code`: 0 all holds, 1 tampered (`faults` names what), 3 the sealer is behind.

    `oldest_s` is the real age of the oldest unsealed entry in seconds, 0 when there is none.
    """

    exit_code: int
    sealed: int
    unsealed: int
    oldest_s: float
    faults: list[str]

    @property
    def text(self) -> str:
        return f"sealed {self.sealed}, unsealed {self.unsealed}, oldest {int(self.oldest_s)} s"


@dataclass(frozen=True, slots=True)
class _Signed:
    """A checkpoint that we signed, and where it was read."""

    root: bytes
    note: str
    where: str


async def verify(
    con: Connection,
    checkpoints: Path | None,
    verifier: Verifier,
    now_real: datetime,
    *,
    elsewhere: Path | None = None,
    files: BlobStore | None = None,
) -> Report:
    """Check everything that can be checked; reads only, in one snapshot, streaming. With `files` every file is read too.

    `checkpoints` is the state folder's file (None only where there is no state folder), `elsewhere` a file or
    single note kept by somebody else. Raises asyncpg's errors, and OSError when a file cannot be read.
    """
    faults = Faults()
    # Files before the snapshot: the sealer writes them after its commit, so the snapshot has all they have.
    kept: dict[int, _Signed] = {}
    if checkpoints is not None and await asyncio.to_thread(checkpoints.exists):
        await asyncio.to_thread(_read_file, checkpoints, verifier, kept, faults)
    if elsewhere is not None and not await asyncio.to_thread(_read_file, elsewhere, verifier, kept, faults):
        faults.add(f"{elsewhere}: no checkpoint in it")
    async with con.transaction(isolation="repeatable_read", readonly=True):
        signed, newest = await _checkpoint_rows(con, verifier, kept, faults)
        if newest and checkpoints is not None and not await _appears(checkpoints):
            faults.add(f"{checkpoints}: missing, though {newest} entries were sealed")
        sealed = await _leaves(con, signed, faults)
        if sealed > newest:
            faults.add(f"leaves {newest} to {sealed - 1} are under no checkpoint in the database")
        for size in sorted(signed):
            if size > sealed:
                faults.add(f"{signed[size].where}: {size} entries were sealed, the log has {sealed}; its end is gone")
                break
        async for level, index in scan.wrong_nodes(con):
            faults.add(f"tree node {index} of level {level} is not the hash of its two halves")
        for level, count in await scan.node_counts(con, sealed):
            faults.add(f"level {level} of the tree has {count} nodes, not {sealed >> level}")
        unsealed, oldest = await _unsealed(con, faults)
        await audit_rows.cases(con, faults)
        await audit_rows.documents(con, faults)
        await audit_rows.transitions(con, faults)
    if files is not None:
        await _files(con, files, faults)
    oldest_s = max(0.0, (now_real - oldest).total_seconds()) if oldest else 0.0
    told = faults.told()
    exit_code = 1 if told else 3 if oldest_s >= BEHIND_S else 0
    return Report(exit_code, sealed, unsealed, oldest_s, told)


async def _files(con: Connection, store: BlobStore, faults: Faults) -> None:
    """Every file of evidence against its name. One that was erased while we read is none of the faults."""
    last = ""
    while page := await scan.files_after(con, last):
        for sha256 in page:
            try:
                async for _ in checked(store, sha256):
                    pass
            except Corrupt as fault:
                if await scan.is_kept(con, sha256):
                    faults.add(fault.detail)
        last = page[-1]


async def _appears(file: Path) -> bool:
    """Whether the file is there, or comes within the second that the sealer has between its commit and the file."""
    for _ in range(_LOOKS):
        if await asyncio.to_thread(file.exists):
            return True
        await asyncio.sleep(1 / _LOOKS)
    return False


def _read_file(path: Path, verifier: Verifier, kept: dict[int, _Signed], faults: Faults) -> int:
    """Take a file's checkpoints into `kept`; returns how many notes it has."""
    count = 0
    for at in checkpoint_file.read(path):
        count += 1
        where = f"{path} line {at.line}"
        try:
            checkpoint = verifier.open_checkpoint(at.note)
        except BadNote as e:
            faults.add(f"{where}: {e}")
            continue
        before = kept.setdefault(checkpoint.size, _Signed(checkpoint.root, at.note, where))
        if before.root != checkpoint.root:
            faults.add(f"{where}: another root of size {checkpoint.size} was signed in {before.where}")
    return count


async def _checkpoint_rows(
    con: Connection, verifier: Verifier, kept: dict[int, _Signed], faults: Faults
) -> tuple[dict[int, _Signed], int]:
    """Every checkpoint by size, rows and files together, and the largest size that a row has."""
    signed, newest, rows = dict(kept), 0, set()
    async for row in scan.checkpoints(con):
        newest = row["size"]
        rows.add(newest)
        where = f"checkpoint row {newest}"
        known = kept.get(newest)
        # A signature that was checked in the file needs no second look.
        if known is None or known.note != row["note"]:
            try:
                checkpoint = verifier.open_checkpoint(row["note"])
            except BadNote as e:
                faults.add(f"{where}: {e}")
                continue
            if checkpoint.size != newest:
                faults.add(f"{where}: its signed note is of size {checkpoint.size}")
                continue
            if known and known.root != checkpoint.root:
                faults.add(f"{where}: another root of that size was signed in {known.where}")
                continue
            known = signed[newest] = _Signed(checkpoint.root, row["note"], where)
        if row["root"] != known.root:
            faults.add(f"{where}: its root is not the one that its note signs")
    for size in sorted(kept.keys() - rows):
        faults.add(f"{kept[size].where}: the checkpoint of size {size} has no row in the database")
    return signed, newest


async def _leaves(con: Connection, signed: Mapping[int, _Signed], faults: Faults) -> int:
    """Every leaf against its entry, the growing tree against every checkpoint; one more than the last index."""
    tree, whole, count = Tree(), True, 0
    proven, first_entry = 0, None
    async for row in scan.leaves(con):
        index, entry_id = row["index"], row["entry_id"]
        if index != count:
            faults.add(
                f"leaf {count} is missing" if index == count + 1 else f"leaves {count} to {index - 1} are missing"
            )
            whole = False
        count = index + 1
        if row["id"] is None:
            faults.add(f"entry {entry_id} is gone, which was sealed as leaf {index}")
        else:
            if leaf_hash(row["body"]) != row["leaf_hash"]:
                faults.add(f"{_named(row)}: its text is not what was sealed as leaf {index}")
            _columns(row, faults)
        if not whole:
            continue
        tree.append(row["leaf_hash"])
        first_entry = first_entry or entry_id
        if known := signed.get(tree.size):
            if tree.root() == known.root:
                proven, first_entry = tree.size, None
            else:
                # Every later root is wrong for the same reason; the first one bounds where.
                whole = False
                faults.add(
                    f"leaves {proven} to {index} (entries {first_entry} to {entry_id}) are not what was signed "
                    f"in {known.where}"
                )
    return count


def _named(row: Mapping[str, Any]) -> str:
    case = f", case {row['case_id']} rev {row['rev']}" if row["case_id"] else ""
    return f"entry {row['id']} ({row['tag']}{case})"


def _columns(row: Mapping[str, Any], faults: Faults) -> None:
    """The columns must say what the hashed text says."""
    try:
        told = read_body(row["body"])
    except ValueError:
        faults.add(f"{_named(row)}: its text is no audit entry")
        return
    case_id = str(row["case_id"]) if row["case_id"] else None
    for column, value in (
        ("at", row["at"]),
        ("actor", row["actor"]),
        ("via", row["via"]),
        ("tag", row["tag"]),
        ("subject", row["subject"]),
        ("case_id", case_id),
        ("rev", row["rev"]),
    ):
        if getattr(told, column) != value:
            faults.add(f"{_named(row)}: {column} is {value} in the row, {getattr(told, column)} in its text")


async def _unsealed(con: Connection, faults: Faults) -> tuple[int, datetime | None]:
    """Number of entries without a leaf, and when the oldest was recorded."""
    count, oldest = 0, None
    async for row in scan.unsealed(con):
        count += 1
        _columns(row, faults)
        if oldest is None or row["recorded"] < oldest:
            oldest = row["recorded"]
    return count, oldest
