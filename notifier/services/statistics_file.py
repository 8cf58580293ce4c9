"""An answer of statistics as a file: its figures or its cases as rows, what it is of; and the log's entry that it left."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from notifier.domain import case_list, table_rows
from notifier.domain.table_rows import Cell, cohort_rows, csv_text, flat, period_rows, safe_cell, told
from notifier.services import parquet
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.statistics import WHOLE, Listed, Query, Statistics, listed, statistics
from notifier.store import audit as audit_store

_ABOUT, _RULES = "about", "rules of "  # the first word of what a CSV file says of itself; of a program, before its name


class Form(StrEnum):
    """`csv`, `json`, `parquet`: figures, a row each; `cases`: CSV of what they are made of."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    CASES = "cases"


def rows(found: Statistics) -> list[dict[str, Cell]]:
    """Every figure of an answer, a row each, by the columns of `table_rows`."""
    made: list[dict[str, Cell]] = []
    for part in (found.whole, *found.slices):
        if part.cohort is not None:
            made += [flat(part.key, row) for row in cohort_rows(part.key, part.cohort)]
        if part.period is not None:
            made += [flat(part.key, row) for row in period_rows(part.key, part.period)]
    return made


def about(found: Statistics) -> dict[str, Any]:
    """What an answer is of, and what it takes to get it again. Times in RFC 3339."""
    query = found.query
    return {
        "program": query.program,
        "registry": query.registry,
        "from": query.start.isoformat() if query.start else None,
        "to": query.end.isoformat() if query.end else None,
        "by": query.by,
        "basis": query.basis,
        "as_of": found.as_of.isoformat(),
        "unit": found.unit,
        "definitions": found.definitions,
        "cases": told(found.cases),
        "case_list_sha256": found.case_list,
        **({"suppress_below": found.suppress_below} if found.suppress_below else {}),
        "simulated": found.simulated,
        "programs": dict(found.programs),
    }


def document(found: Statistics, checkpoint: str | None = None, *, curves: bool = False) -> dict[str, Any]:
    """An answer as a file holds it: the question, every figure as a row, and with `curves` each step of every curve.

    `checkpoint`: size and root of the newest one of the log when the file was made.
    """
    said = about(found) | ({"checkpoint": checkpoint} if checkpoint else {})
    return {"about": said, "rows": rows(found), **({"curves": _curves(found)} if curves else {})}


def _curves(found: Statistics) -> dict[str, dict[str, list[Sequence[float | None]]]]:
    """By slice and time: seconds, at risk, events, censored, share that lasts longer, and its band."""
    return {
        part.key: {
            key: [point for point in time.curve.points if point.events] for key, time in part.cohort.times.items()
        }
        for part in (found.whole, *found.slices)
        if part.cohort is not None
    }


def json_of(made: Mapping[str, Any]) -> str:
    """A document as a file."""
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def csv_of(made: Mapping[str, Any]) -> str:
    """A document as CSV. Its first rows say what it is of."""
    return csv_text(table_rows.COLUMNS, [*_first(made, table_rows.COLUMNS), *made["rows"]])


def cases_of(made: Mapping[str, Any], found: Iterable[Listed]) -> str:
    """What a document is made of as CSV, behind the same first rows."""
    rows = (case_list.row(one.unit, one.references, one.domain) for one in found)
    return csv_text(case_list.COLUMNS, [*_first(made, case_list.COLUMNS), *rows])


def _first(made: Mapping[str, Any], columns: Sequence[str]) -> list[dict[str, Cell]]:
    said = {name: value for name, value in made["about"].items() if value is not None and name != "programs"}
    said |= {f"{_RULES}{program}": digest for program, digest in made["about"]["programs"].items()}
    return [dict(zip(columns, (_ABOUT, name, safe_cell(value)), strict=False)) for name, value in said.items()]


def about_in_csv(text: str) -> dict[str, Any]:
    """What the first rows of a CSV file say that it is of, by name; texts, but for the programs."""
    rows = csv.reader(io.StringIO(text, newline=""))
    said = {row[1]: row[2] for row in rows if row and row[0] == _ABOUT}
    programs = {name.removeprefix(_RULES): value for name, value in said.items() if name.startswith(_RULES)}
    return {**{name: value for name, value in said.items() if not name.startswith(_RULES)}, "programs": programs}


@dataclass(frozen=True, slots=True)
class Taken:
    """An answer that leaves, and its document. `cases`: what it is made of, where the form lists them."""

    found: Statistics
    document: dict[str, Any]
    cases: Sequence[Listed]

    def file(self, form: Form) -> bytes:
        match form:
            case Form.CSV:
                return csv_of(self.document).encode()
            case Form.JSON:
                return json_of(self.document).encode()
            case Form.PARQUET:
                return parquet.written(self.document)
            case Form.CASES:
                return cases_of(self.document, self.cases).encode()


async def take(
    ctx: Context, who: Principal, query: Query, form: Form, checkpoint: str | None, *, curves: bool
) -> Taken:
    """What a file of this form holds. Raises Invalid for cases where small numbers are kept back."""
    cases: Sequence[Listed] = ()
    if form is Form.CASES:
        found, cases = await listed(ctx, who, query)
    else:
        found = await statistics(ctx, who, query)
    return Taken(found, document(found, checkpoint, curves=curves), cases)


async def exported(ctx: Context, who: Principal, query: Query, form: Form, *, via: str) -> bytes:
    """The answer as a file. Who took it away, and of which cases, is in the log.

    Raises Invalid for a form that needs a package that is not installed, and for cases where small numbers are kept back.
    """
    if form is Form.PARQUET:
        parquet.require()
    async with ctx.db.pool.acquire() as con:
        newest = await audit_store.newest_checkpoint(con)
    checkpoint = f"{newest.size} {newest.root.hex()}" if newest else None
    taken = await take(ctx, who, query, form, checkpoint, curves=form is Form.JSON)
    await note_export(ctx, who, taken.found, form, via)
    return taken.file(form)


async def note_export(ctx: Context, who: Principal, found: Statistics, form: str, via: str) -> None:
    """Write down that numbers left in a form."""
    async with ctx.db.transaction(who.id, via) as tx:
        detail = {
            "form": form,
            "basis": found.query.basis,
            "as_of": found.as_of.isoformat(),
            "cases": told(found.cases),
            "case_list_sha256": found.case_list,
        }
        await tx.audit("statistics.exported", found.query.program or WHOLE, detail)
