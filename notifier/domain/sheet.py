"""Batches as people send them: CSV as Excel writes it, NDJSON, or a JSON array. Rows in, each with its own number.

Nothing is half-read: a row that cannot be understood is a row with a fault, and the others go on.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from notifier.errors import Invalid

CSV_COLUMNS = ("domain", "urls", "program", "summary", "external_id", "priority")
# What lists in the field head these columns with; read so only where the column's own name is missing.
_OTHER_HEADS = {
    "domain": ("domain_name", "fqdn", "host", "hostname", "reported_domain", "reported_host"),
    "urls": ("link", "reported_url", "url"),
}
MAX_ROWS = 100_000
_FIELD_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One report of a batch: `number` counts from 1 without the header; `raw` is JSON, None when `fault` says why."""

    number: int
    input: str
    raw: bytes | None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows in order, and the names of CSV columns that nobody knows; those are ignored, and said to be.

    `read_as`: columns that were taken for one of ours, and for which.
    """

    rows: tuple[Row, ...]
    ignored_columns: tuple[str, ...] = ()
    read_as: tuple[tuple[str, str], ...] = ()


def read(body: bytes, media_type: str, program: str | None = None) -> Batch:
    """A batch from its bytes. `program` fills rows that name none. Raises Invalid when nothing can be read at all."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind in ("text/csv", "application/csv"):
        return _csv(decode(body), program)
    if kind in ("application/x-ndjson", "application/ndjson", "application/jsonl"):
        return Batch(tuple(_ndjson(body, program)))
    if kind == "application/json":
        return Batch(tuple(_array(body, program)))
    raise Invalid("a batch is text/csv, application/x-ndjson or application/json", code="unsupported_media_type")


def decode(body: bytes) -> str:
    """Text of a spreadsheet's file: UTF-8 with or without BOM, UTF-16 with BOM, else Windows-1252."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", errors="replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _csv(text: str, program: str | None) -> Batch:
    csv.field_size_limit(_FIELD_LIMIT)
    lines = text.splitlines(keepends=True)
    header_line = next((line for line in lines if line.strip()), "")
    if not header_line:
        raise Invalid("the file is empty; its first row names the columns, such as domain,program,summary")
    delimiter = max(",;\t|", key=header_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = next(cells for cells in reader if any(cell.strip() for cell in cells))
    except (StopIteration, csv.Error) as error:
        raise Invalid(f"the header row cannot be read: {error}") from error
    columns = [cell.strip().lower().lstrip("\ufeff") for cell in header]
    if len(set(columns)) != len(columns):
        raise Invalid("the header names a column twice")
    read_as = tuple(_read_as(columns))
    columns = [dict(read_as).get(column, column) for column in columns]
    if not {"domain", "urls"} & set(columns):
        raise Invalid(f"the header names no domain or urls column; it names {', '.join(columns) or 'nothing'}")
    ignored = tuple(c for c in columns if c not in CSV_COLUMNS)
    return Batch(tuple(_csv_rows(reader, columns, delimiter, program)), ignored, read_as)


def _read_as(columns: list[str]) -> Iterator[tuple[str, str]]:
    """Columns with another head than ours. Raises Invalid when it could be one as well as another."""
    for ours, heads in _OTHER_HEADS.items():
        found = [column for column in columns if column.replace(" ", "_") in heads]
        if ours in columns or not found:
            continue
        if len(found) > 1:
            raise Invalid(f"{' and '.join(found)} could each be the column {ours}; name the right one {ours}")
        yield found[0], ours


def _csv_rows(reader: Any, columns: list[str], delimiter: str, program: str | None) -> Iterator[Row]:
    number = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            yield Row(number, "", None, f"the row cannot be read: {error}")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        number += 1
        if number > MAX_ROWS:
            raise Invalid(f"a batch has at most {MAX_ROWS} rows; send the rest in another", code="too_large")
        text = delimiter.join(cells)
        if len(cells) > len(columns):
            yield Row(
                number, text, None, f"the row has {len(cells)} cells and the header {len(columns)}; quote the text"
            )
            continue
        values = {c: v.strip() for c, v in zip(columns, cells, strict=False) if c in CSV_COLUMNS and v.strip()}
        report: dict[str, Any] = {"program": program, "summary": "reported by list", **values}
        if "urls" in values:
            report["urls"] = values["urls"].split()
        yield Row(number, values.get("domain") or values.get("urls", ""), _dump(report))


def _ndjson(body: bytes, program: str | None) -> Iterator[Row]:
    number = 0
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        number += 1
        if number > MAX_ROWS:
            raise Invalid(f"a batch has at most {MAX_ROWS} rows; send the rest in another", code="too_large")
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Row(number, line[:200].decode("utf-8", errors="replace"), None, f"the line is not JSON: {error}")
            continue
        yield _json_row(number, item, program)


def _array(body: bytes, program: str | None) -> Iterator[Row]:
    try:
        items = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the body is not JSON: {error}", code="malformed") from error
    if not isinstance(items, list):
        raise Invalid("the body is not a JSON array of reports", code="malformed")
    if len(items) > MAX_ROWS:
        raise Invalid(f"a batch has at most {MAX_ROWS} rows; send the rest in another", code="too_large")
    for number, item in enumerate(items, 1):
        yield _json_row(number, item, program)


def _json_row(number: int, item: object, program: str | None) -> Row:
    if not isinstance(item, Mapping):
        return Row(number, str(item)[:200], None, "the row is not a JSON object")
    report = item if program is None or item.get("program") else {**item, "program": program}
    pointed = report.get("domain") or report.get("urls") or ""
    return Row(number, str(pointed)[:500], _dump(report))


def _dump(report: Mapping[str, Any]) -> bytes:
    return json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode("utf-8", errors="surrogatepass")
