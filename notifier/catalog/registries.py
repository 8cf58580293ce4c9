"""Who operates which top-level domain: `config/registries/tlds.csv`, and a file for operators we know more of."""

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from notifier.catalog.model import Registry
from notifier.catalog.reading import Fault, Table, a_day, read_toml
from notifier.domain.epp import Measure

TLDS = "registries/tlds.csv"
WORDS = "registries/_words.toml"
COLUMNS = ("tld", "kind", "registry", "manager", "rdap", "abuse_email", "abuse_form", "abuse_api", "abuse_as_of")
KINDS = ("gtld", "cctld")
RATE = "rdap_per_hour"

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_BASE = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~-]+)*/\Z")
_EMAILS = re.compile(r"[^\s@,;]+@[^\s@,;]+( [^\s@,;]+@[^\s@,;]+)*\Z")
_FORM = re.compile(r"https?://\S+\Z")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")

Rows = dict[str, list[Mapping[str, str]]]


def is_base(text: str) -> bool:
    """Whether a text is an RDAP base URL: absolute, ending in a slash (RFC 9224 §3)."""
    return _BASE.match(text) is not None


def read_registries(folder: Path, faults: list[Fault]) -> dict[str, Registry]:
    """Every registry, by id. Faults: of the data file with the line, of a registry's file with the key."""
    rows = _rows(folder / TLDS, faults)
    words, notes, _ = _known(folder / WORDS, WORDS, faults)
    known: dict[str, tuple[Mapping[str, Any], dict[Measure, str], dict[Measure, str]]] = {}
    for path in sorted((folder / "registries").glob("[!_]*.toml")):
        own_words, own_notes, data = _known(path, f"registries/{path.name}", faults)
        if path.stem not in rows:
            faults.append(
                Fault(f"registries/{path.name}", "", f"names no registry of {TLDS}", "a file named <registry>.toml")
            )
        known[path.stem] = (data, own_words, own_notes)
    registries: dict[str, Registry] = {}
    for registry_id, its in sorted(rows.items()):
        data, own_words, own_notes = known.get(registry_id, ({}, {}, {}))
        registries[registry_id] = _registry(registry_id, its, data, words | own_words, notes | own_notes)
    return registries


def registry_of(registries: Mapping[str, Registry], faults: list[Fault]) -> dict[str, str]:
    """Top-level domain to registry id; one that two registries claim is a fault."""
    found: dict[str, str] = {}
    for registry in registries.values():
        for tld in sorted(registry.tlds):
            if tld in found:
                faults.append(
                    Fault(TLDS, tld, f"belongs to {found[tld]} and to {registry.id}", "one registry for each")
                )
            found[tld] = registry.id
    return found


def _registry(
    registry_id: str,
    rows: list[Mapping[str, str]],
    data: Mapping[str, Any],
    words: Mapping[Measure, str],
    notes: Mapping[Measure, str],
) -> Registry:
    def column(name: str) -> dict[str, str]:
        return {row["tld"]: row[name] for row in rows if row[name]}

    return Registry(
        id=registry_id,
        name=str(data.get("name") or rows[0]["manager"]),
        tlds=frozenset(row["tld"] for row in rows),
        rdap=column("rdap"),
        abuse_email=column("abuse_email"),
        abuse_form=column("abuse_form"),
        abuse_api=column("abuse_api"),
        verbs=words,
        verb_notes=notes,
        source=str(data.get("source") or f"{TLDS}: IANA root zone database and RDAP bootstrap"),
        as_of=str(data.get("as_of") or max(row["abuse_as_of"] for row in rows)),
        rdap_per_hour=_rate(data.get(RATE)),
    )


def _rate(value: Any) -> int | None:
    return value if type(value) is int and 1 <= value <= 999_999 else None


def _known(
    path: Path, file: str, faults: list[Fault]
) -> tuple[dict[Measure, str], dict[Measure, str], Mapping[str, Any]]:
    """An operator's own words, what they mean, and the rest: `name`, `source`, `as_of`, `rdap_per_hour`, [words], [notes]."""
    data = read_toml(path, file, faults)
    if data is None:
        return {}, {}, {}
    table = Table(file, data, faults)
    table.text("name")
    table.text("source")
    table.get("as_of", a_day, "a TOML day")
    table.get(RATE, _rate, "looks an hour from 1 to 999999", 1)
    words, notes = (_by_measure(table.table(key, required=False)) for key in ("words", "notes"))
    table.nothing_else()
    return words, notes, data


def _by_measure(table: Table) -> dict[Measure, str]:
    found = {Measure(key): text for key in Measure if key in table.data and (text := table.text(key))}
    for key in sorted(table.data.keys() - set(Measure)):
        table.fault(key, "is no measure", f"one of {', '.join(Measure)}")
    return found


def _rows(path: Path, faults: list[Fault]) -> Rows:
    found: Rows = {}
    seen: dict[str, str] = {}
    for number, row in _lines(path, faults):
        tld, registry = row["tld"], row["registry"]
        wrong = list(_wrong(row))
        faults += [Fault(TLDS, f"line {number} {tld}", what, expected) for what, expected in wrong]
        if tld in seen:
            # Never the first nor the last one: a name with two operators has none until somebody settles it.
            faults.append(
                Fault(TLDS, f"line {number} {tld}", f"belongs to {seen[tld]} and to {registry}", "each name once")
            )
        seen.setdefault(tld, registry)
        if not wrong:
            found.setdefault(registry, []).append(row)
    if not found:
        faults.append(Fault(TLDS, "", "has no usable line", "the top-level domains and their registries"))
    return found


def _lines(path: Path, faults: list[Fault]) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        faults.append(Fault(TLDS, "", f"cannot be read ({reason})", "a UTF-8 CSV file"))
        return
    reader = csv.DictReader(text.splitlines(), strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        faults.append(Fault(TLDS, "line 1", f"is {','.join(reader.fieldnames or ())}", ",".join(COLUMNS)))
        return
    for row in reader:
        if None in row or None in row.values():
            expected = f"{len(COLUMNS)} columns"
            faults.append(Fault(TLDS, f"line {reader.line_num}", "has too few or too many columns", expected))
        else:
            yield reader.line_num, row


def _wrong(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    optional = (
        ("rdap", _BASE, "an http(s) base URL that ends in a slash"),
        ("abuse_email", _EMAILS, "mail addresses, a blank between two"),
        ("abuse_form", _FORM, "an http(s) address"),
        ("abuse_as_of", _DAY, "YYYY-MM-DD"),
    )
    if not _LABEL.match(row["tld"]):
        yield f"tld is {row['tld']!r}", "a lower-case A-label"
    if row["kind"] not in KINDS:
        yield f"kind is {row['kind']!r}", f"one of {', '.join(KINDS)}"
    if not _ID.match(row["registry"]):
        yield f"registry is {row['registry']!r}", "lower-case letters, digits and hyphens"
    if not row["manager"].strip():
        yield "manager is empty", "the manager's name"
    for name, pattern, expected in optional:
        if row[name] and not pattern.match(row[name]):
            yield f"{name} is {row[name]!r}", expected
