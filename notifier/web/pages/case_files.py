"""Files of a case over pages: they leave as attachments, pictures are shown in a locked room, and more evidence comes in."""

import json
from dataclasses import dataclass

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
    """Evidence from the form: files and what they are of, items as JSON, or both. The supplier may not approve the case.

    Each file is judged and kept for itself: one that is not taken takes no other with it.
    """
    case_id = visit.request.match_info["case_id"]
    if visit.request.content_type != MULTIPART:
        raise Invalid("send the page's own form")
    given: dict[str, str] = {}
    came: list[_Came] = []
    try:
        await files.may_add(visit.ctx, visit.who, case_id)
        await _read(visit, given, came)
        items = await _items(visit, given, came)
        kept = [one.kept for one in came if one.kept is not None]
        await review.add_evidence(visit.ctx, visit.who, case_id, items.evidence, kept, via="page")
    except NotFound:
        raise
    except Mendable as fault:
        # Nothing was added: a line for each file, where there are several, says what is wrong with it.
        told = [(one.name, one.why or "it is right, and was not added") for one in came] if len(came) > 1 else []
        return await case.page(visit, fault, "evidence", given, told)
    if len(came) > 1 or any(one.fault for one in came):
        return await case.page(visit, sent=[(one.name, one.why) for one in came])
    raise go(f"{AT}/{case_id}", "evidence_added")


@dataclass(slots=True)
class _Came:
    """One file of the form: kept, or why it was not taken."""

    name: str
    kept: Kept | None = None
    fault: Mendable | None = None

    @property
    def why(self) -> str:
        return self.fault.detail if self.fault else ""

    def refuse(self, fault: Mendable) -> None:
        self.kept, self.fault = None, fault


async def _read(visit: Visit, given: dict[str, str], came: list[_Came]) -> None:
    """The form's fields into `given`, its files into the store, and what became of each into `came`."""
    most, over = visit.ctx.settings.files_max, 0
    upload = Upload(visit.request, MULTIPART, _TEXT_MAX)
    async for part in upload.parts():
        if part.is_file:
            if not part.filename:  # a field without a file comes too, empty
                continue
            if len(came) < most:
                came.append(await _file(visit, part))
            else:
                over += 1
        elif part.name not in _FIELDS or part.name in given:
            raise Invalid("the form has fields that are not the page's own")
        else:
            given[part.name] = (await part.text(_TEXT_MAX)).decode("utf-8", "replace").replace("\r\n", "\n").strip()
        # Before any file is kept: the box stands before them in the form.
        if given.get("flags"):
            await items_of(visit.ctx, json.dumps({"content_flags": ["csam"]}).encode())
    if over:
        fault = TooLarge(f"at most {most} files at once; send the rest in another form")
        came.append(_Came(f"{over} more", fault=fault))


async def _file(visit: Visit, part: Part) -> _Came:
    came = _Came(filetypes.safe_name(part.filename))
    try:
        async with keeping.arriving(visit.ctx) as file:
            await part.into(file)
            came.kept = await keeping.take(visit.ctx, file, part.filename, part.label)
    except Mendable as fault:
        came.refuse(fault)
    return came


async def _items(visit: Visit, given: dict[str, str], came: list[_Came]) -> EvidenceIn:
    """The items to add. Raises what is wrong with the form, or with the first file where none can be taken."""
    found = EvidenceIn.model_construct(evidence=[])
    if given.get("items"):
        found = await items_of(visit.ctx, given["items"].encode())
    if kind := given.get("kind"):
        if not came:
            raise Invalid("choose the file that is described")
        for one in came:
            if one.kept is None:
                continue
            try:
                described = _described(given, kind, one.kept)
            except Mendable as fault:
                one.refuse(fault)
            else:
                found = EvidenceIn.model_construct(evidence=[*found.evidence, *described.evidence])
    if not found.evidence and not any(one.kept for one in came):
        raise next((one.fault for one in came if one.fault), Invalid("choose a file, or write items"))
    return found


def _described(given: dict[str, str], kind: str, kept: Kept) -> EvidenceIn:
    """The item that the form describes, for one of its files."""
    item = {"kind": kind, "url": given.get("url", ""), "captured_at": _instant(given.get("captured_at", ""))}
    item["sha256"] = kept.blob.sha256
    if kind == "screenshot":
        item["media_type"] = kept.media_type
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
