"""Files of evidence: they come as parts of a form, and leave as attachments that no browser opens."""

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping

from notifier.domain import filetypes
from notifier.domain.report import CSAM, mentions_csam
from notifier.errors import Invalid, Refused, TooLarge
from notifier.services import files, keeping, review
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.files import Bundle
from notifier.services.keeping import Kept
from notifier.store import blobs
from notifier.web.bodies import Because, EvidenceIn
from notifier.web.routes import JSON, Download, Reply, Route, parsed
from notifier.web.schemas import CasePath, FilePath, NoticePath
from notifier.web.upload import MULTIPART, Upload
from notifier.web.views.cases import EvidenceTaken, ManifestOut

_FIELD_MAX = 4_000_000
_MULTIPART_SCHEMA = {
    "type": "object",
    "properties": {
        "evidence": {"type": "string", "description": "Evidence items as JSON; an item names its file by `sha256`."},
        "content_flags": {"type": "string", "description": "Words such as `csam`, put before any file."},
        "file": {"type": "string", "format": "binary", "description": "A file; as many parts as there are files."},
    },
}


async def add_evidence(ctx: Context, who: Principal, path: CasePath, body: Upload) -> Reply:
    """More evidence, as JSON, or as a form with files: the findings that follow, and what is missing.

    An item names its file by `sha256`. A file is known by its bytes; a label that says something else is refused. Files
    that no item names are kept beside them. The supplier may not approve the case.
    """
    await files.may_add(ctx, who, path.case_id)
    if body.media_type == JSON:
        return await _added(ctx, who, path.case_id, await items_of(ctx, await body.content()), [])
    items: list[EvidenceIn] = []
    kept: list[Kept] = []
    async for part in body.parts():
        if not part.is_file:
            if part.name not in ("evidence", "content_flags"):
                raise Invalid(
                    f"a form has the fields `evidence`, `content_flags` and files; {part.name[:60]!r} is none"
                )
            content = await part.text(_FIELD_MAX)
            if part.name == "content_flags":
                await _no_csam(
                    ctx, content, {"content_flags": content.decode(errors="replace").replace(",", " ").split()}
                )
            else:
                items.append(await items_of(ctx, content))
            continue
        if len(kept) == ctx.settings.files_max:
            raise TooLarge(f"a request brings at most {ctx.settings.files_max} files; send the rest in another")
        async with keeping.arriving(ctx) as file:
            await part.into(file)
            kept.append(await keeping.take(ctx, file, part.filename, part.label))
    if not items and not kept:
        raise Invalid("the form holds no evidence and no file")
    merged = EvidenceIn.model_construct(evidence=[item for each in items for item in each.evidence])
    return await _added(ctx, who, path.case_id, merged, kept)


async def items_of(ctx: Context, content: bytes) -> EvidenceIn:
    """Evidence items from JSON. Raises Invalid, and Refused for what is marked as child sexual abuse material."""
    with contextlib.suppress(ValueError, RecursionError):
        said = json.loads(content)
        for each in said if isinstance(said, list) else [said]:
            await _no_csam(ctx, content, each)
    return parsed(EvidenceIn, content)


async def _no_csam(ctx: Context, content: bytes, said: object) -> None:
    """What is marked so is refused before anything else is read: nothing is kept of it but its hash and the time."""
    if isinstance(said, Mapping) and mentions_csam(said):
        await files.refuse_csam(ctx, hashlib.sha256(content).hexdigest())
        raise Refused(CSAM, code="csam_refused")


async def _added(ctx: Context, who: Principal, case_id: str, items: EvidenceIn, kept: list[Kept]) -> Reply:
    case, verdict = await review.add_evidence(ctx, who, case_id, items.evidence, kept)
    missing = await files.missing(ctx, case_id, items.evidence)
    return Reply(200, EvidenceTaken.after(case, verdict, [k.blob.sha256 for k in kept], missing))


async def get_file(ctx: Context, who: Principal, path: FilePath) -> Download:
    """One file of the case, as an attachment. Evidence is hostile: keep it closed."""
    held, content = await files.hand_out(ctx, who, path.case_id, path.sha256)
    return Download(filetypes.download_name(held.sha256, held.media_type), content, held.size)


async def get_manifest(ctx: Context, who: Principal, path: CasePath) -> Reply:
    """All evidence of a case by digest, as it stands now. `sha256` is of the exact text in `body` (RFC 8785 form)."""
    made = await files.manifest_of(ctx, who, path.case_id)
    return Reply(200, ManifestOut(sha256=made.sha256, body=made.body))


async def get_bundle(ctx: Context, who: Principal, path: NoticePath) -> Download:
    """What a notice rests on, in one ZIP archive: the manifest that the notice names first, then the files by digest."""
    found = await files.bundle(ctx, who, path.notice_id)
    return Download(f"evidence-{path.notice_id}.zip", zipped(ctx, found), None)


async def zipped(ctx: Context, found: Bundle) -> AsyncIterator[bytes]:
    """The archive as it grows; never whole in memory."""
    out = _Growing()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry("manifest.json"), found.body.encode())
        if found.stamp is not None:
            archive.writestr(_entry("manifest.tsr"), found.stamp)
        for held in found.files:
            name = f"files/{filetypes.download_name(held.sha256, held.media_type)}"
            with archive.open(_entry(name), "w", force_zip64=True) as member:
                async for piece in blobs.checked(ctx.blobs, held.sha256):
                    member.write(piece)
                    if grown := out.taken():
                        yield grown
    yield out.taken()


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name)  # of a fixed date: the same evidence makes the same archive


class _Growing(io.RawIOBase):
    """Takes what is written and gives it away; it cannot seek, so the archive is written as a stream."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]
        self._held += piece
        return len(piece)

    def taken(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held


async def place_hold(ctx: Context, who: Principal, path: CasePath, body: Because) -> Reply:
    """Legal hold: nothing of the case is erased until it is lifted."""
    await files.place_hold(ctx, who, path.case_id, body.reason)
    return Reply(204)


async def lift_hold(ctx: Context, who: Principal, path: CasePath) -> Reply:
    """End a legal hold. Retention counts as if there had been none."""
    await files.lift_hold(ctx, who, path.case_id)
    return Reply(204)


_HOLDERS = [Role.REVIEWER, Role.ADMIN]

ROUTES = [
    Route(
        "POST",
        "/cases/{case_id}/evidence",
        add_evidence,
        "Add evidence",
        {200: EvidenceTaken},
        roles=[Role.SUBMITTER, Role.REVIEWER],
        problems=[409],
        raw={JSON: EvidenceIn, MULTIPART: _MULTIPART_SCHEMA},
    ),
    Route(
        "GET",
        "/cases/{case_id}/evidence/{sha256}",
        get_file,
        "Take a file of evidence",
        {200: Download},
        roles=[Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR],
    ),
    Route(
        "GET",
        "/cases/{case_id}/manifest",
        get_manifest,
        "Evidence by digest",
        {200: ManifestOut},
        roles=[Role.REVIEWER, Role.AUDITOR],
    ),
    Route(
        "GET",
        "/notices/{notice_id}/evidence",
        get_bundle,
        "A notice's evidence",
        {200: Download},
        roles=[Role.REGISTRY, Role.REVIEWER, Role.AUDITOR],
    ),
    Route(
        "POST", "/cases/{case_id}/hold", place_hold, "Place a legal hold", {204: None}, roles=_HOLDERS, problems=[409]
    ),
    Route(
        "POST",
        "/cases/{case_id}/release-hold",
        lift_hold,
        "Lift a legal hold",
        {204: None},
        roles=_HOLDERS,
        problems=[409],
    ),
]
