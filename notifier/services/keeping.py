"""Files of evidence on their way in: judged by their bytes, kept by content, held by a case; and what a case holds in all."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from notifier.domain import filetypes
from notifier.domain.case import Case
from notifier.domain.manifest import Listed, Manifest, manifest
from notifier.errors import Unavailable
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.store import archives, blobs
from notifier.store import files as file_store
from notifier.store import notices as notice_store
from notifier.store.blobs import Arriving, Blob
from notifier.store.captures import Captured
from notifier.store.database import Connection, Tx

_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is in the store, whole, and waits for a case to hold it."""

    blob: Blob
    name: str
    media_type: str


def arriving(ctx: Context) -> Arriving:
    """Room for one file of a submitter."""
    return ctx.blobs.arriving(ctx.settings.file_max_mb * _MEGABYTE)


async def take(ctx: Context, file: Arriving, name: str, label: str) -> Kept:
    """Judge a file that has arrived whole, and put it into the store. No case holds it yet.

    Raises Refused: file_type, archive_bomb, archive_broken.
    """
    safe = filetypes.safe_name(name)
    await file.finished()
    media_type = filetypes.judged(safe, label, await asyncio.to_thread(file.head, filetypes.HEAD_BYTES))
    if filetypes.is_archive(media_type):
        limit = ctx.settings.unpacked_max_mb * _MEGABYTE
        await asyncio.to_thread(archives.measure, file.path, safe, media_type, limit)
    return Kept(await ctx.blobs.keep(file), safe, media_type)


async def keep(ctx: Context, tx: Tx, case_id: str, file: Kept, by: str) -> None:
    """Let a case hold a file that is in the store. Raises Unavailable when it was erased in the very moment."""
    erased = await file_store.hold(tx.con, case_id, file.blob, file.media_type, file.name, by, tx.now)
    # Its content was here before and was erased: the row is locked by now, so what we see stays so.
    if erased and not await ctx.blobs.has(file.blob.sha256):
        raise Unavailable("the file was erased while it came in; send it again")
    await tx.audit("file.kept", file.blob.sha256, {"size": file.blob.size, "type": file.media_type}, case_id)


async def sweep(ctx: Context) -> int:
    """Remove bytes that a crash left without a row, once they are a day old; how many files went."""

    async def is_known(sha256: str) -> bool:
        query = "select exists (select from blob where sha256 = $1 and erased_at is null)"
        return bool(await ctx.db.fetchval(query, sha256))

    return await blobs.sweep(ctx.blobs, is_known, ctx.settings.state_dir / blobs.FOLDER)


async def manifest_of(con: Connection, case: Case, captured: Sequence[Captured]) -> Manifest:
    """The document over everything that a case holds. `captured`: which of our own captures count, so that one that is
    made later voids nobody's approval.
    """
    rows = await con.fetch(
        "select distinct on (sha256) id, kind, sha256, received_at, body->>'sha256' as file from evidence "
        "where case_id = $1 order by sha256, received_at, id",  # what was sent twice is one item
        case.id,
    )
    items = [Listed(str(r["id"]), r["kind"], r["sha256"], r["received_at"], r["file"]) for r in rows]
    named = {item.file for item in items} | {c.warc_sha256 for c in captured} | {c.picture_sha256 for c in captured}
    held = await file_store.of_case(con, case.id)
    ours = {f.sha256 for f in held if f.supplied_by == DAEMON}
    ours |= await notice_store.receipts(con, {f.sha256 for f in held})
    files = [f.listed for f in held if f.sha256 not in ours or f.sha256 in named]
    return manifest(case.reference, case.target.name, case.epoch, items, files)
