"""An answer of statistics as a file: its rows, what it is of, JSON and CSV; and the log's entry that it left."""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from notifier.domain.table_rows import COLUMNS, Cell, cohort_rows, csv_text, flat, period_rows, safe_cell, told
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.statistics import WHOLE, Query, Statistics, statistics

_RULES = "rules of "  # of a program, in the first rows of a CSV file


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


def document(found: Statistics) -> dict[str, Any]:
    """An answer as a file holds it: the question, and every figure as a row."""
    return {"about": about(found), "rows": rows(found)}


def json_of(made: Mapping[str, Any]) -> str:
    """A document as a file."""
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def csv_of(made: Mapping[str, Any]) -> str:
    """A document as CSV. Its first rows say what it is of; their slice is `about`."""
    said = {name: value for name, value in made["about"].items() if value is not None and name != "programs"}
    said |= {f"{_RULES}{program}": digest for program, digest in made["about"]["programs"].items()}
    first: list[dict[str, Cell]] = [
        {"slice": "about", "part": name, "figure": safe_cell(value)} for name, value in said.items()
    ]
    return csv_text(COLUMNS, [*first, *made["rows"]])


def about_in_csv(text: str) -> dict[str, Any]:
    """What the first rows of a CSV file say that it is of, by name; texts, but for the programs."""
    said = {
        row["part"]: row["figure"] for row in csv.DictReader(io.StringIO(text, newline="")) if row["slice"] == "about"
    }
    programs = {name.removeprefix(_RULES): value for name, value in said.items() if name.startswith(_RULES)}
    return {**{name: value for name, value in said.items() if not name.startswith(_RULES)}, "programs": programs}


async def exported_csv(ctx: Context, who: Principal, query: Query, *, via: str = "api") -> str:
    """`csv_of` the answer. Who took it away, and of which cases, is in the log."""
    found = await statistics(ctx, who, query)
    await note_export(ctx, who, found, "csv", via)
    return csv_of(document(found))


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
