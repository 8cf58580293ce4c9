"""submit: a file of reports, a result for each row."""

import json
import sys
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from notifier import bootstrap
from notifier.cli.session import Config, Token, local_user, opened, run, settings_of, who_acts
from notifier.domain import sheet
from notifier.domain.policy import Finding
from notifier.domain.sheet import Batch, Row
from notifier.errors import Invalid
from notifier.services import access, submitted
from notifier.services.access import Principal
from notifier.services.batch import RowResult, submit_batch
from notifier.services.submitted import Submitted

_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".txt": "text/csv",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
}


def submit(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV, NDJSON or JSON.")],
    program: Annotated[str | None, typer.Option("--program", help="For rows that name none.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; store nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a row.")] = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """Submit reports. Exit 1 if any row was refused."""
    results = run(_submit(file, program, dry_run, as_json, token, config))
    if not as_json:
        _summary(results)
    if any(result.result.code for result in results):
        raise typer.Exit(1)


async def _submit(
    file: Path, program: str | None, dry_run: bool, as_json: bool, token: str | None, config: Path | None
) -> list[RowResult]:
    batch = _read(file, program)
    for theirs, ours in batch.read_as:
        print(f"column {theirs} is read as {ours}", file=sys.stderr)
    if batch.ignored_columns:
        print(f"ignored columns: {', '.join(batch.ignored_columns)}", file=sys.stderr)
    printed = _Printer(as_json)
    with _progress(as_json) as progress:
        task = progress.add_task("reports", total=len(batch.rows))

        def done(result: RowResult) -> None:
            printed.add(result)
            progress.advance(task)

        if dry_run:
            return _dry(batch, config, done)
        async with opened(config) as house:
            who: Principal = await who_acts(house, token) if token else access.local_submitter(local_user())
            return await submit_batch(house.ctx, who, batch.rows, via="cli", on_row=done)


def _read(file: Path, program: str | None) -> Batch:
    media_type = _TYPES.get(file.suffix.lower())
    if media_type is None:
        raise Invalid(f"{file.name}: the name ends in none of {', '.join(_TYPES)}", code="unsupported_media_type")
    return sheet.read(file.read_bytes(), media_type, program)


def _dry(batch: Batch, config: Path | None, done: Any) -> list[RowResult]:
    catalog = bootstrap.catalog_of(settings_of(config))
    who, now = access.local_submitter(local_user()), datetime.now(UTC)
    results = []
    for row in batch.rows:
        results.append(RowResult(row.number, row.input, _dry_row(catalog, who, row, now)))
        done(results[-1])
    return results


def _dry_row(catalog: Any, who: Principal, row: Row, now: datetime) -> Submitted:
    if row.raw is None:
        return submitted.refused(None, Invalid(row.fault or "the row cannot be read", code="malformed"))
    return submitted.dry_run(catalog, who, row.raw, now)


class _Printer:
    """Rows come as they end; they are printed in the file's order."""

    def __init__(self, as_json: bool) -> None:
        self._as_json, self._next, self._held = as_json, 1, dict[int, RowResult]()

    def add(self, result: RowResult) -> None:
        self._held[result.row] = result
        while (ready := self._held.pop(self._next, None)) is not None:
            self._next += 1
            if self._as_json:
                print(json.dumps(row_json(ready), ensure_ascii=False), flush=True)


def row_json(row: RowResult) -> dict[str, Any]:
    """One row as the contract has it."""
    r = row.result
    return {
        "row": row.row,
        "input": row.input,
        "domain": r.domain,
        "host": r.host,
        "registrable": r.registrable,
        "private_suffix": r.private_suffix,
        "registry": r.registry,
        "code": r.code,
        "safety": r.safety,
        "state": r.state,
        "findings": [_finding(f) for f in r.findings],
        "case_id": r.case_id,
        "duplicate_of": r.duplicate_of,
        "warnings": list(r.warnings),
        "report_id": r.report_id,
        "detail": r.detail,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    again = finding.again_at.isoformat() if finding.again_at else None
    return {**asdict(finding), "result": str(finding.result), "again_at": again}


def _progress(as_json: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=as_json or not sys.stderr.isatty(),
    )


def _summary(results: list[RowResult]) -> None:
    console = Console()
    refused = [r for r in results if r.result.code]
    for row in refused[:50]:
        console.print(
            f"row {row.row}: {escape(row.input[:80])}: [bold]{row.result.code}[/bold]: {escape(row.result.detail or '')}"
        )
    counts = Counter(r.result.state or f"refused: {r.result.code}" for r in results)
    table = Table("what", "rows")
    for what, n in counts.most_common():
        table.add_row(what, str(n))
    console.print(table)
