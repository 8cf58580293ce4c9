"""How our reading of a row stands to what the table says. A class is a difference that we have reasons for."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from notifier.domain.names import Name, parse
from notifier.errors import Refused

HERE = Path(__file__).parent


class AnyTld:
    """A suffix list on which every top-level domain exists, so that only the reading of the name decides."""

    version = "every top-level domain"

    def icann_registrable(self, host: str) -> str | None:
        labels = host.split(".")
        return ".".join(labels[-2:]) if len(labels) > 1 else None

    def private_suffix(self, host: str) -> str | None:
        return None

    def is_public_suffix(self, host: str) -> bool:
        return "." not in host


@dataclass(frozen=True, slots=True)
class Row:
    """`expected`: the host by the standard, without the root dot; `faults`: why the standard calls the source faulty."""

    source: str
    expected: str | None
    faults: tuple[str, ...] = ()


def rows(table: str) -> list[Row]:
    """The rows of one of our tables."""
    found = json.loads((HERE / f"{table}.json").read_text(encoding="utf-8"))["rows"]
    return [Row(source, expected, tuple(faults.split())) for source, expected, faults in found]


def outcome(raw: str) -> Name | Refused:
    try:
        return parse(raw, AnyTld())
    except Refused as refusal:
        return refusal


def warned(name: Name) -> set[str]:
    return {warning.partition(":")[0] for warning in name.warnings}


def idna_class(row: Row) -> str:
    """`other name` must never come out: everything else is a refusal, or the answer of UTS 46."""
    name = outcome(f"http://{row.source}/")
    if isinstance(name, Refused):
        if row.faults:
            return "faulty: refused"
        one_word = "." not in (row.expected or "").removesuffix(".")
        return "valid: refused, one word has no registrable name" if one_word else "valid: refused, not in IDNA2008"
    if name.host != row.expected:
        return "other name"
    if not row.faults:
        return "valid: the same"
    if row.source.isascii():
        return "faulty: ASCII is kept as it is"
    if set(row.faults) == {"A4_2"}:
        return "faulty: root dot left out"
    if set(row.faults) <= {"B1", "B6"}:
        return "faulty: direction judged for each label alone"
    return "faulty: hyphens in third and fourth place of an ASCII label" if row.faults == ("V2",) else "other name"


def url_class(row: Row) -> str:
    """As above, against the host that a browser goes to."""
    name = outcome(row.source)
    if isinstance(name, Refused):
        return "browsers fail: refused" if row.expected is None else f"refused: {name.code}"
    if name.host == row.expected:
        return "the same"
    if row.expected is None and "opaque_a_label" in warned(name):
        return "browsers fail: A-label kept as it is"
    if row.expected is None and "trimmed" in warned(name):
        return "browsers fail: brackets or quotes around the host left out"
    return "other name"


def tally(classes: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(classes).items()))
