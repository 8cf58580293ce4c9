"""The form of one report, made from the very models that intake reads: each field, its words, and how it is written.

So a field that a program learns to ask for is on the page as soon as it is in the model, with the same words as in the
API's document. Lists are written one a line, and lists of things with parts one a line with `|` between the parts.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from typing import Any, get_args

from pydantic import BaseModel

from notifier.domain.evidence import Evidence
from notifier.domain.report import Statements, Work
from notifier.web.pages.form import moment

MOST_ITEMS = 12  # pieces of evidence on one page; more come by file or with the case
_LINE_MAX = 1_000
_LABELS = {"at": "when", "no csam": "no child sexual abuse material", "sha256": "SHA-256", "url": "address"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `how`: line, prose, moment, day, number, yesno, choice, lines or rows; `columns`: of rows.

    `group`: what it is a part of, in words; empty where it stands by itself.
    """

    name: str
    label: str
    hint: str
    how: str
    required: bool = False
    options: tuple[str, ...] = ()
    columns: tuple["Field", ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of evidence and its fields."""

    name: str
    about: str
    fields: tuple[Field, ...]


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind of evidence there is."""
    found = {}
    for model in get_args(get_args(Evidence)[0]):
        name = str(get_args(model.model_fields["kind"].annotation)[0])
        about = (model.__doc__ or name).strip().split("\n")[0]
        found[name] = Kind(name, about, _fields(model))
    return found


@cache
def statements() -> tuple[Field, ...]:
    return _fields(Statements)


@cache
def works() -> Field:
    return _rows("works", "works", "Works that the site offers.", _fields(Work))


def _fields(model: type[BaseModel]) -> tuple[Field, ...]:
    schema = model.model_json_schema()
    return tuple(_of_object(schema, schema.get("$defs", {})))


def _of_object(schema: Mapping[str, Any], named: Mapping[str, Any], within: str = "") -> Iterable[Field]:
    required = schema.get("required", ())
    for name, said in schema["properties"].items():
        if name in ("kind", "tz_assumed") and ("const" in said or name == "tz_assumed"):
            continue
        shape = _shape(said, named)
        hint = said.get("description") or shape.get("description", "")
        if shape.get("type") == "object":
            yield from _of_object(shape, named, f"{within}{name}.")
        else:
            yield _field(f"{within}{name}", hint, shape, named, name in required and not within)


def _shape(said: Mapping[str, Any], named: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a property is when it is there: without null, references followed."""
    if "anyOf" in said:
        said = next(one for one in said["anyOf"] if one.get("type") != "null")
    return named[said["$ref"].rpartition("/")[2]] if "$ref" in said else said


def _field(name: str, hint: str, shape: Mapping[str, Any], named: Mapping[str, Any], required: bool) -> Field:
    group, _, last = name.replace("_", " ").rpartition(".")
    label, hint = _LABELS.get(last, last), hint.replace(", RFC 3339", "")
    if shape.get("type") == "array":
        item = _shape(shape["items"], named)
        if item.get("type") == "object":
            return replace(_rows(name, label, hint, tuple(_of_object(item, named))), required=required, group=group)
        return Field(name, label, hint, "lines", required, tuple(item.get("enum", ())), group=group)
    options = tuple(str(one) for one in shape.get("enum", ()))
    return Field(name, label, hint, _how(shape), required, options, group=group)


def _how(shape: Mapping[str, Any]) -> str:
    if "enum" in shape:
        return "choice"
    if shape.get("type") in ("boolean", "integer"):
        return {"boolean": "yesno", "integer": "number"}[shape["type"]]
    if shape.get("format") in ("date-time", "date"):
        return {"date-time": "moment", "date": "day"}[shape["format"]]
    return "prose" if shape.get("maxLength", 0) > _LINE_MAX and shape.get("format") != "uri" else "line"


def _rows(name: str, label: str, hint: str, columns: tuple[Field, ...]) -> Field:
    return Field(name, label, hint, "rows", columns=columns)


def grouped(fields: Iterable[Field]) -> list[tuple[str, list[Field]]]:
    """Fields that stand beside each other and are parts of one thing, together."""
    return [(group, list(some)) for group, some in groupby(fields, key=lambda field: field.group)]


# --- reading ------------------------------------------------------------------------------------------------------


def written(fields: Sequence[Field], given: Mapping[str, str], prefix: str) -> dict[str, Any]:
    """What was filled in, as the model's JSON. What cannot be meant so is left for the model to name."""
    found: dict[str, Any] = {}
    for field in fields:
        text = given.get(f"{prefix}{field.name}", "")
        if not text.strip():
            continue
        place = found
        *outer, last = field.name.split(".")
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = _value(field, text)
    return found


def _value(field: Field, text: str) -> Any:
    match field.how:
        case "rows":
            return [_row(field.columns, line) for line in text.split("\n") if line.strip()]
        case "lines":
            return [line.strip() for line in text.split("\n") if line.strip()]
        case "moment":
            return moment(text)
        case "yesno":
            return {"yes": True, "no": False}.get(text, text)
        case "number":
            return int(text) if re.fullmatch(r"-?\d{1,15}", text) else text
    return text


def _row(columns: Sequence[Field], line: str) -> dict[str, Any]:
    cells = [cell.strip() for cell in line.split("|")]
    row = {column.name: _value(column, cell) for column, cell in zip(columns, cells, strict=False) if cell}
    return row | ({"too_many_parts": cells[len(columns)]} if len(cells) > len(columns) else {})


def evidence(given: Mapping[str, str]) -> list[dict[str, Any]]:
    """The pieces of evidence of a form, in its order."""
    return [{"kind": name} | written(kinds()[name].fields, given, f"e{place}.") for place, name in pieces(given)]


def pieces(given: Mapping[str, str]) -> list[tuple[int, str]]:
    """(place, kind) of each piece that stands on the form."""
    found = [(place, given.get(f"e{place}.kind", "")) for place in range(MOST_ITEMS)]
    return [(place, name) for place, name in found if name in kinds()]


@cache
def names() -> frozenset[str]:
    """Every field that the form may have."""
    own = {"program", "domain", "urls", "summary", "external_id", "priority", "event", "works", "act", "add", "key"}
    own |= {f"s.{field.name}" for field in statements()}
    for place in range(MOST_ITEMS):
        own.add(f"e{place}.kind")
        own |= {f"e{place}.{field.name}" for kind in kinds().values() for field in kind.fields}
    return frozenset(own)


def report(given: Mapping[str, str]) -> dict[str, Any]:
    """The whole form as one report."""
    said: dict[str, Any] = {
        "program": given.get("program", ""),
        "domain": given.get("domain") or None,
        "urls": given.get("urls", "").split(),
        "summary": given.get("summary", ""),
        "works": written([works()], given, "").get("works", []),
        "evidence": evidence(given),
        "statements": written(statements(), given, "s."),
        "external_id": given.get("external_id") or None,
        "priority": given.get("priority") or "normal",
        "event_window": given.get("event") or None,
    }
    return {name: value for name, value in said.items() if value not in (None, [], {})}


def name_alone(given: Mapping[str, str]) -> dict[str, Any]:
    """What is known while somebody still types the name: the rest is as a plain list of names has it."""
    said = {"program": given.get("program", ""), "domain": given.get("domain"), "urls": given.get("urls", "").split()}
    return {"summary": "reported by list"} | {name: value for name, value in said.items() if value}
