"""Many reports as a file: brought in, watched while they are taken in, and their results, to read and to take away."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from aiohttp import web

from notifier.domain.table_rows import csv_text
from notifier.errors import Invalid, Mendable, NotifierError
from notifier.services import uploads
from notifier.services.access import Role
from notifier.web.api.reports import BATCH_MAX_BYTES
from notifier.web.pages.desk import Page, Visit, go
from notifier.web.pages.refusals import words_of
from notifier.web.upload import MULTIPART, Upload

_UPLOAD, _AT = "/desk/upload", "/desk/batches"
_ONE = _AT + "/{upload_id:[0-9a-fA-F-]{36}}"
_ROLES = [Role.SUBMITTER]
_PAGE = 100
_COLUMNS = (
    "row",
    "input",
    "domain",
    "code",
    "detail",
    "state",
    "reference",
    "case_id",
    "report_id",
    "joined",
    "warnings",
)


async def show_form(visit: Visit) -> web.StreamResponse:
    return await _form(visit, visit.asked("program").get("program", ""))


async def _form(visit: Visit, program: str, fault: NotifierError | None = None) -> web.Response:
    reach = visit.who.programs
    return await visit.page(
        "upload",
        fault.http_status if fault else 200,
        programs=[p for _, p in sorted(visit.ctx.catalog.programs.items()) if reach is None or p.id in reach],
        program=program,
        fault=fault.detail if fault else "",
        megabytes=BATCH_MAX_BYTES // (1024 * 1024),
    )


async def take(visit: Visit) -> web.StreamResponse:
    """A file with its reports."""
    program = ""
    try:
        filename, content, program = await _sent(visit.request)
        upload_id = await uploads.take(visit.ctx, visit.who, filename, content, program or None)
    except Mendable as error:
        return await _form(visit, program, error)
    raise go(f"{_AT}/{upload_id}")


async def _sent(request: web.Request) -> tuple[str, bytes, str]:
    """(file name, content, program)."""
    if request.content_type != MULTIPART:
        raise Invalid("send the page's own form")
    filename, content, program = "", b"", ""
    async for part in Upload(request, MULTIPART, BATCH_MAX_BYTES).parts():
        if part.is_file and part.name == "file" and not content:
            filename, content = part.filename, await part.text(BATCH_MAX_BYTES)
        elif part.name == "program" and not part.is_file:
            program = (await part.text(1_000)).decode(errors="replace").strip()
        else:
            raise Invalid("the form has fields that are not the page's own")
    if not content:
        raise Invalid("choose a file that holds something")
    return filename, content, program


async def show_all(visit: Visit) -> web.StreamResponse:
    """What one's organisation brought in, newest first."""
    page = await uploads.uploads(visit.ctx, visit.who, cursor=visit.asked("cursor").get("cursor"))
    return await visit.page("batches", uploads=page.items, next_cursor=page.next_cursor)


async def show(visit: Visit) -> web.StreamResponse:
    """How far one is, and what became of each row."""
    asked = visit.asked("only", "after")
    refused_only, upload_id = asked.get("only") == "refused", visit.request.match_info["upload_id"]
    after = asked.get("after", "0")
    start = int(after) if after.isascii() and after.isdigit() and len(after) < 9 else 0
    found = await uploads.rows(visit.ctx, visit.who, upload_id, refused_only=refused_only, after=start, limit=_PAGE + 1)
    rows = found[:_PAGE]
    return await visit.page(
        "batch",
        upload=await uploads.upload(visit.ctx, visit.who, upload_id),
        rows=rows,
        refused_only=refused_only,
        begun=start > 0,
        further=rows[-1]["row"] if len(found) > _PAGE else None,
        words_of=words_of,
    )


async def download_csv(visit: Visit) -> web.StreamResponse:
    """The results as CSV that no spreadsheet runs."""
    return await _file(visit, "csv", "text/csv", _csv)


async def download_ndjson(visit: Visit) -> web.StreamResponse:
    """The results with one JSON object a line."""
    return await _file(visit, "ndjson", "application/x-ndjson", _ndjson)


Written = AsyncIterator[Sequence[Mapping[str, Any]]]


async def _csv(found: Written) -> AsyncIterator[str]:
    yield csv_text(_COLUMNS, ())
    async for rows in found:
        yield csv_text(_COLUMNS, map(_plain, rows)).partition("\r\n")[2]


async def _ndjson(found: Written) -> AsyncIterator[str]:
    async for rows in found:
        for row in rows:
            yield json.dumps({**_plain(row), "warnings": row["warnings"]}, ensure_ascii=False) + "\n"


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    ids = {name: str(row[name]) if row[name] else None for name in ("case_id", "report_id")}
    return {name: row[name] for name in _COLUMNS} | ids | {"warnings": "; ".join(row["warnings"])}


async def _file(visit: Visit, suffix: str, media_type: str, written: Any) -> web.StreamResponse:
    upload_id = visit.request.match_info["upload_id"]
    await uploads.upload(visit.ctx, visit.who, upload_id)
    refused_only = visit.asked("only").get("only") == "refused"
    await uploads.note_export(visit.ctx, visit.who, upload_id, suffix, refused_only=refused_only, via="page")
    name = f"results-{upload_id[:8]}{'-refused' if refused_only else ''}.{suffix}"
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{media_type}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        }
    )
    await response.prepare(visit.request)
    async for text in written(uploads.every_row(visit.ctx, visit.who, upload_id, refused_only=refused_only)):
        await response.write(text.encode("utf-8", "backslashreplace"))
    await response.write_eof()
    return response


PAGES = [
    Page("GET", _UPLOAD, show_form, _ROLES),
    Page("POST", _UPLOAD, take, _ROLES),
    Page("GET", _AT, show_all, _ROLES),
    Page("GET", _ONE, show, _ROLES),
    Page("GET", f"{_ONE}/results.csv", download_csv, _ROLES),
    Page("GET", f"{_ONE}/results.ndjson", download_ndjson, _ROLES),
]
