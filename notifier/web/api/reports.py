"""Reports in, one by one and in batches."""

import asyncio
from collections.abc import Mapping
from typing import Any

from notifier.domain import sheet
from notifier.domain.report import ReportIn
from notifier.errors import NotifierError, Refused, TooMany
from notifier.services import intake, reading
from notifier.services.access import Principal, Role
from notifier.services.batch import RowResult
from notifier.services.batch import submit_batch as submit_rows
from notifier.services.context import Context
from notifier.services.submitted import Submitted
from notifier.web.routes import JSON, RawBody, Reply, Route
from notifier.web.schemas import BatchQuery, KeyHeader, ReportPath
from notifier.web.views.base import STAFF
from notifier.web.views.reports import BatchOut, ReportOut, RowOut, SubmittedOut

BATCH_MAX_BYTES = 64 * 1024 * 1024
CSV, NDJSON = "text/csv", "application/x-ndjson"


async def submit_report(ctx: Context, who: Principal, headers: KeyHeader, body: RawBody) -> Reply:
    """Stored before the answer. One with the same `external_id` or key again is answered with the first ids."""
    done = await intake.submit(ctx, who, body.content, idempotency_key=headers.idempotency_key)
    if done.code is not None:
        raise _refusal(done)
    return Reply(200 if done.known else 201, SubmittedOut.of(done))


def _refusal(done: Submitted) -> NotifierError:
    if done.code == "quota_exceeded":
        return TooMany(
            done.detail or "too many", code="quota_exceeded", report_id=done.report_id, retry_after=done.retry_after
        )
    return Refused(done.detail or "refused", code=done.code, report_id=done.report_id)


async def submit_batch(ctx: Context, who: Principal, query: BatchQuery, body: RawBody) -> Reply:
    """Every row for itself, with a result for each; a bad row stops no other. CSV names its columns in a first row."""
    batch = await asyncio.to_thread(sheet.read, body.content, body.media_type, query.program)
    results = await submit_rows(ctx, who, batch.rows)
    refused = sum(1 for r in results if r.result.code is not None)
    duplicates = sum(1 for r in results if r.result.code is None and (r.result.known or r.result.duplicate_of))
    return Reply(
        200,
        BatchOut(
            accepted=len(results) - refused - duplicates,
            duplicates=duplicates,
            refused=refused,
            ignored_columns=list(batch.ignored_columns),
            read_as=dict(batch.read_as),
            results=[_row(r) for r in results],
        ),
    )


def _row(row: RowResult) -> RowOut:
    done = row.result
    fields = {name: getattr(done, name) for name in RowOut.model_fields if name not in ("row", "input")}
    return RowOut.of({**fields, "row": row.row, "input": row.input})


async def get_report(ctx: Context, who: Principal, path: ReportPath) -> Reply:
    """One's own report, refused or not; staff see those of their cases."""
    row = await reading.report(ctx, who, path.report_id)
    shown = dict(row) if who.role in STAFF or row["principal"] == who.id else {**row, "principal": None}
    return Reply(200, ReportOut.of(shown))


_ROWS: Mapping[str, Mapping[str, Any]] = {
    CSV: {"type": "string", "description": "A header row with `domain` or `urls`, and `program`, `summary` and so on."},
    NDJSON: {"type": "string", "description": "One report as JSON on each line."},
    JSON: {"type": "array", "items": {}, "description": "Reports as in POST /reports."},
}

ROUTES = [
    Route(
        "POST",
        "/reports",
        submit_report,
        "Submit a report",
        {201: SubmittedOut, 200: SubmittedOut},
        roles=[Role.SUBMITTER],
        problems=[409, 422, 429],
        raw={JSON: ReportIn},
    ),
    Route(
        "POST",
        "/reports/batch",
        submit_batch,
        "Submit many reports",
        {200: BatchOut},
        roles=[Role.SUBMITTER],
        raw=_ROWS,
        max_bytes=BATCH_MAX_BYTES,
    ),
    Route(
        "GET",
        "/reports/{report_id}",
        get_report,
        "Show a report",
        {200: ReportOut},
        roles=[Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR, Role.ADMIN],
    ),
]
