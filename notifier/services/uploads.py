"""Lists of reports that came in as one file: kept row by row, taken in by a job, and shown while that goes on.

Each row has a key of its own, so that a process that dies halfway loses none and takes none twice.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from notifier.domain import filetypes, sheet
from notifier.domain.jobs import Job, JobKind
from notifier.domain.report import mentions_csam
from notifier.domain.sheet import Row
from notifier.errors import Invalid, Mendable, NotFound
from notifier.services import access, intake
from notifier.services.access import DAEMON, Principal, Role, Scope
from notifier.services.context import Context
from notifier.services.paging import Page, Query, read_page
from notifier.services.submitted import Submitted, refused
from notifier.store.database import storable
from notifier.store.ids import as_uuid, new_id

SEE = (Role.SUBMITTER,)
_TYPES = {
    "csv": "text/csv",
    "tsv": "text/csv",
    "txt": "text/csv",
    "ndjson": "application/x-ndjson",
    "jsonl": "application/x-ndjson",
    "json": "application/json",
}
_AT_ONCE, _BY_ONE_JOB = 4, 100
_INPUT = 500
_COLUMNS = (
    "u.id, u.principal, u.filename, u.total, u.done, u.refused, u.joined, u.ignored_columns, u.read_as, u.uploaded_at, "
    "u.finished_at"
)
_ROWS = (
    "select r.row, r.input, r.done_at, r.report_id, r.case_id, r.domain, r.code, r.detail, r.joined, r.warnings, "
    "c.reference, c.state from upload_row r left join cases c on c.id = r.case_id where r.upload_id = $1 and r.row > $2"
)


async def take(
    ctx: Context, who: Principal, filename: str, content: bytes, program: str | None = None, *, via: str = "page"
) -> str:
    """Keep a file's rows, so that they are taken in whatever happens to us; the upload's id.

    Raises Invalid for a file that cannot be read at all.
    """
    access.require(who, *SEE)
    media_type = _TYPES.get(filename.rpartition(".")[2].lower())
    if media_type is None:
        raise Invalid(f"the name of the file ends in none of {', '.join(_TYPES)}", code="unsupported_media_type")
    batch = await asyncio.to_thread(sheet.read, content, media_type, program)
    if not batch.rows:
        raise Invalid("the file has no row below its header, so there is nothing to take in")
    # Of what is marked as child sexual abuse nothing may be kept, not for a moment either.
    marked = {row.number: await _submit(ctx, who, row.raw, None, via) for row in batch.rows if _is_csam(row)}
    digest, upload_id = hashlib.sha256(content).digest(), new_id()
    async with ctx.db.transaction(who.id, via) as tx:
        await tx.con.execute(
            "insert into upload (id, principal, kind, organisation, programs, filename, media_type, sha256, ignored_columns, "
            "read_as, total, uploaded_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            upload_id,
            who.id,
            who.kind,
            who.organisation,
            sorted(who.programs) if who.programs is not None else None,
            filetypes.safe_name(filename),
            media_type,
            digest,
            [storable(column)[:100] for column in batch.ignored_columns[:100]],
            [storable(part) for pair in batch.read_as for part in pair],
            len(batch.rows),
            tx.now,
        )
        await tx.con.copy_records_to_table(
            "upload_row",
            records=[_record(upload_id, row) for row in batch.rows if row.number not in marked],
            columns=["upload_id", "row", "input", "raw", "fault"],
        )
        for number in marked:
            await tx.con.execute(
                "insert into upload_row (upload_id, row, input) values ($1, $2, '')", upload_id, number
            )
        await _record_results(tx.con, upload_id, marked, tx.now)
        await tx.audit("upload.received", upload_id, {"sha256": digest.hex(), "rows": len(batch.rows)})
        await tx.enqueue(Job(JobKind.UPLOAD, upload_id))
    return upload_id


def _is_csam(row: Row) -> bool:
    try:
        data = json.loads(row.raw or b"null")
    except (ValueError, RecursionError):
        return False
    return isinstance(data, Mapping) and mentions_csam(data)


def _record(upload_id: str, row: Row) -> tuple[Any, ...]:
    return (upload_id, row.number, storable(row.input)[:_INPUT], row.raw, storable(row.fault) if row.fault else None)


async def take_rows(ctx: Context, upload_id: str) -> None:
    """Take in the next rows of an upload; a job of its own follows while there are more."""
    upload = await ctx.db.fetchrow("select * from upload where id = $1", upload_id)
    if upload is None or upload["finished_at"] is not None:
        return
    programs = upload["programs"]
    who = Principal(
        upload["principal"],
        upload["kind"],
        Role.SUBMITTER,
        upload["organisation"],
        programs=frozenset(programs) if programs is not None else None,
    )
    rows = await ctx.db.fetch(
        "select row, input, raw, fault from upload_row where upload_id = $1 and done_at is null order by row limit $2",
        upload_id,
        _BY_ONE_JOB,
    )
    kept = await ctx.db.fetch(  # by a process that died before it could say so
        "select id, idempotency_key from report where principal = $1 and idempotency_key = any($2)",
        who.id,
        [_key(upload_id, row["row"]) for row in rows],
    )
    before = {row["idempotency_key"]: str(row["id"]) for row in kept}
    results: dict[int, Submitted] = {}
    waiting = iter(rows)

    async def work() -> None:
        for row in waiting:
            results[row["row"]] = await _taken(ctx, who, _key(upload_id, row["row"]), row, before)

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    async with ctx.db.transaction(DAEMON) as tx:
        await tx.con.execute("select from upload where id = $1 for update", upload_id)
        await _record_results(tx.con, upload_id, results, tx.now)
        if not await tx.con.fetchval(
            "update upload set finished_at = $2 where id = $1 and done = total returning true", upload_id, tx.now
        ):
            await tx.enqueue(Job(JobKind.UPLOAD, upload_id))


def _key(upload_id: str, row: int) -> str:
    return f"upload:{upload_id}:{row}"


async def _taken(
    ctx: Context, who: Principal, key: str, row: Mapping[str, Any], before: Mapping[str, str]
) -> Submitted:
    if row["raw"] is not None:
        got = await _submit(ctx, who, bytes(row["raw"]), key, "page")
        return replace(got, known=False) if key in before else got
    refusal = Invalid(row["fault"] or "the row cannot be read", code="malformed")
    if key in before:
        return refused(before[key], refusal)
    raw = row["input"].encode("utf-8", "replace")
    return await intake.keep_refused(ctx, who, raw, "text/plain", key, "page", refusal)


async def _submit(ctx: Context, who: Principal, raw: bytes | None, key: str | None, via: str) -> Submitted:
    try:
        return await intake.submit(ctx, who, raw or b"", idempotency_key=key, via=via)
    except Mendable as error:
        return refused(None, error)


async def _record_results(con: Any, upload_id: str, results: Mapping[int, Submitted], now: Any) -> None:
    """Each row's result once, and the sums of those that are new."""
    new = []
    for number, got in results.items():
        joined = got.code is None and bool(got.known or got.duplicate_of)
        changed = await con.fetchval(
            "update upload_row set done_at = $3, raw = null, report_id = $4, case_id = $5, domain = $6, code = $7, "
            "detail = $8, joined = $9, warnings = $10 where upload_id = $1 and row = $2 and done_at is null returning true",
            upload_id,
            number,
            now,
            got.report_id,
            got.case_id,
            got.domain,
            got.code,
            storable(got.detail) if got.detail else None,
            joined,
            [storable(warning) for warning in got.warnings],
        )
        if changed:
            new.append((got.code is not None, joined))
    await con.execute(
        "update upload set done = done + $2, refused = refused + $3, joined = joined + $4 where id = $1",
        upload_id,
        len(new),
        sum(was_refused for was_refused, _ in new),
        sum(was_joined for _, was_joined in new),
    )


# --- showing ------------------------------------------------------------------------------------------------------


def _scope(who: Principal) -> Scope:
    access.require(who, *SEE)
    return Scope("(u.principal = $1 or u.organisation = $2)", (who.id, who.organisation))


async def uploads(ctx: Context, who: Principal, *, limit: int = 50, cursor: str | None = None) -> Page:
    """One's own, and those of one's organisation, newest first."""
    query = Query(_scope(who))
    return await read_page(ctx, query, f"select {_COLUMNS} from upload u", "u.uploaded_at", "u.id", limit, cursor)


async def upload(ctx: Context, who: Principal, upload_id: str) -> Mapping[str, Any]:
    """One of them. Raises NotFound also for somebody else's."""
    scope = _scope(who)
    row = None
    if as_uuid(upload_id):
        row = await ctx.db.fetchrow(
            f"select {_COLUMNS} from upload u where {scope.condition} and u.id = $3", *scope.args, upload_id
        )
    if row is None:
        raise NotFound("there is no such upload")
    return dict(row)


async def rows(
    ctx: Context, who: Principal, upload_id: str, *, refused_only: bool = False, after: int = 0, limit: int = 100
) -> Sequence[Mapping[str, Any]]:
    """Rows of an upload in the file's order, from the one after `after`; what became of each by now."""
    await upload(ctx, who, upload_id)
    wanted = " and r.code is not null" if refused_only else ""
    found = await ctx.db.fetch(f"{_ROWS}{wanted} order by r.row limit $3", upload_id, after, limit)
    return [dict(row) for row in found]


async def note_export(ctx: Context, who: Principal, upload_id: str, form: str, *, refused_only: bool, via: str) -> None:
    """Write down that the results of an upload left in a form."""
    async with ctx.db.transaction(who.id, via) as tx:
        await tx.audit("upload.exported", upload_id, {"form": form, "refused_only": refused_only})


async def every_row(
    ctx: Context, who: Principal, upload_id: str, *, refused_only: bool = False
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    """All rows, a thousand at a time, for a file to take away."""
    after = 0
    while found := await rows(ctx, who, upload_id, refused_only=refused_only, after=after, limit=1_000):
        yield found
        after = found[-1]["row"]
