"""Files of a case over pages: they leave as attachments, pictures are shown in a locked room, and more evidence comes in."""

import json

from aiohttp import web

from notifier.domain import filetypes
from notifier.errors import Invalid, Mendable, NotFound, TooLarge
from notifier.services import files, keeping, review
from notifier.services.access import Role
from notifier.services.keeping import Kept
from notifier.web.api.files import items_of
from notifier.web.bodies import EvidenceIn
from notifier.web.pages import case
from notifier.web.pages.cases import AT
from notifier.web.pages.desk import Page, Visit, go
from notifier.web.routes import Download, parsed, send_file
from notifier.web.upload import MULTIPART, Part, Upload

_PICTURE = "image/png"
_TEXT_MAX = 200_000
_FIELDS = ("kind", "url", "captured_at", "vantage", "finding", "items", "flags")


async def download(visit: Visit) -> web.StreamResponse:
    """One file, as an attachment that no browser opens."""
    case_id, sha256 = _named(visit)
    held, content = await files.hand_out(visit.ctx, visit.who, case_id, sha256, via="page")
    name = filetypes.download_name(held.sha256, held.media_type)
    return await send_file(visit.request, Download(name, content, held.size))


async def picture(visit: Visit) -> web.StreamResponse:
    """A picture to look at: only what is a PNG by its own bytes, and nothing that it says is obeyed."""
    case_id, sha256 = _named(visit)
    held, content = await files.hand_out(visit.ctx, visit.who, case_id, sha256, via="page")
    if held.media_type != _PICTURE:
        raise NotFound("the case holds no such picture")
    return await send_file(visit.request, Download(f"{sha256}.png", content, held.size, shown_as=_PICTURE))


def _named(visit: Visit) -> tuple[str, str]:
    return visit.request.match_info["case_id"], visit.request.match_info["sha256"]


# --- more evidence ------------------------------------------------------------------------------------------------


async def add(visit: Visit) -> web.StreamResponse:
    """Evidence from the form: a file and what it is of, items as JSON, or both. The supplier may not approve the case."""
    case_id = visit.request.match_info["case_id"]
    if visit.request.content_type != MULTIPART:
        raise Invalid("send the page's own form")
    given: dict[str, str] = {}
    try:
        await files.may_add(visit.ctx, visit.who, case_id)
        kept = await _read(visit, given)
        items = await _items(visit, given, kept)
        await review.add_evidence(visit.ctx, visit.who, case_id, items.evidence, kept, via="page")
    except NotFound:
        raise
    except Mendable as fault:
        return await case.page(visit, fault, "evidence", given)
    raise go(f"{AT}/{case_id}", "evidence_added")


async def _read(visit: Visit, given: dict[str, str]) -> list[Kept]:
    """The form's fields into `given`, and its files into the store."""
    kept: list[Kept] = []
    upload = Upload(visit.request, MULTIPART, _TEXT_MAX)
    async for part in upload.parts():
        if part.is_file:
            if part.filename:  # a field without a file comes too, empty
                kept.append(await _file(visit, part, len(kept)))
        elif part.name not in _FIELDS or part.name in given:
            raise Invalid("the form has fields that are not the page's own")
        else:
            given[part.name] = (await part.text(_TEXT_MAX)).decode("utf-8", "replace").replace("\r\n", "\n").strip()
        # Before any file is kept: the box stands before them in the form.
        if given.get("flags"):
            await items_of(visit.ctx, json.dumps({"content_flags": ["csam"]}).encode())
    return kept


async def _file(visit: Visit, part: Part, already: int) -> Kept:
    if already == visit.ctx.settings.files_max:
        raise TooLarge(f"at most {visit.ctx.settings.files_max} files at once; send the rest in another form")
    async with keeping.arriving(visit.ctx) as file:
        await part.into(file)
        return await keeping.take(visit.ctx, file, part.filename, part.label)


async def _items(visit: Visit, given: dict[str, str], kept: list[Kept]) -> EvidenceIn:
    found = EvidenceIn.model_construct(evidence=[])
    if given.get("items"):
        found = await items_of(visit.ctx, given["items"].encode())
    if kind := given.get("kind"):
        found = EvidenceIn.model_construct(evidence=[*found.evidence, *_described(given, kind, kept).evidence])
    if not found.evidence and not kept:
        raise Invalid("choose a file, or write items")
    return found


def _described(given: dict[str, str], kind: str, kept: list[Kept]) -> EvidenceIn:
    """The one item that the form describes: what the first file is of."""
    if not kept:
        raise Invalid("choose the file that is described")
    item = {"kind": kind, "url": given.get("url", ""), "captured_at": _instant(given.get("captured_at", ""))}
    item["sha256"] = kept[0].blob.sha256
    if kind == "screenshot":
        item["media_type"] = kept[0].media_type
    elif kind == "capture":
        item |= {key: given[key] for key in ("vantage", "finding") if given.get(key)}
    else:
        raise Invalid("a file is described as a screenshot or as a page; other kinds go in as items")
    return parsed(EvidenceIn, json.dumps([item]).encode())


def _instant(text: str) -> str:
    """A browser's field for a time has no zone; the page says that it is UTC."""
    return f"{text}:00Z" if len(text) == len("2026-01-01T10:00") else text


_FOR = [Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR]
PAGES = [
    Page("GET", f"{AT}/{{case_id}}/files/{{sha256:[0-9a-f]{{64}}}}", download, _FOR),
    Page("GET", f"{AT}/{{case_id}}/pictures/{{sha256:[0-9a-f]{{64}}}}", picture, _FOR),
    Page("POST", f"{AT}/{{case_id}}/evidence", add, [Role.SUBMITTER, Role.REVIEWER]),
]
