"""Zone files in, a file of counts out: how many names of these zones use a name, or a host of it, as name server.

Read as the root's and the registries' zone files are written (RFC 1035 §5): one record a line, owners together. What a
zone's file does not show (names under other zones) is not counted, so the counts are lower bounds.
"""

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Final, TextIO

from notifier.domain.names import Suffixes

_CLASSES: Final = frozenset({"in", "ch", "hs"})


def count_dependents(lines: Iterable[str], suffixes: Suffixes) -> Counter[str]:
    """By registrable name of the name servers, the number of other registrable names that are delegated to them."""
    counts: Counter[str] = Counter()
    for owner, records in groupby(_delegations(lines), key=lambda record: record[0]):
        own = suffixes.icann_registrable(owner)
        parents = {suffixes.icann_registrable(target) for _, target in records}
        counts.update(parent for parent in parents if parent is not None and own not in (None, parent))
    return counts


def write_counts(counts: Counter[str], zones: Iterable[str], on: date, out: TextIO) -> None:
    """The file that `survey_dependents_file` names: dated, `name,count`, most used first."""
    out.write(f"# source: NS records of the zones {' '.join(sorted(zones))}\n# date: {on.isoformat()}\n")
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        out.write(f"{name},{count}\n")


def read_zone(path: Path) -> Iterator[str]:
    """The lines of a zone file, also of one that is packed with gzip. Raises OSError, EOFError for a cut one."""
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="ascii", errors="replace") as packed:
            yield from packed
    else:
        with path.open(encoding="ascii", errors="replace") as file:
            yield from file


def _delegations(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(owner, name server) of each NS record, absolute, lower case, without the root dot."""
    origin, owner = "", ""
    for line in lines:
        text = line.partition(";")[0].rstrip()
        words = text.lower().split()
        if not words:
            continue
        if words[0] == "$origin" and len(words) > 1:
            origin = words[1].strip(".")
            continue
        if words[0].startswith("$"):
            continue
        if not text[0].isspace():
            owner = _absolute(words.pop(0), origin)
        while words and (words[0].isdigit() or words[0] in _CLASSES):
            words.pop(0)
        if len(words) == 2 and words[0] == "ns":
            yield owner, _absolute(words[1], origin)


def _absolute(name: str, origin: str) -> str:
    if name.endswith("."):
        return name.rstrip(".")
    return origin if name == "@" else f"{name}.{origin}" if origin else name
