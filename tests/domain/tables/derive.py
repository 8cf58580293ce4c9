"""Writes the tables out of the standards' own test files, which are not part of this repository:

    python -m tests.domain.tables.derive IdnaTestV2.txt     (unicode.org/Public/idna)
    python -m tests.domain.tables.derive urltestdata.json   (github.com/web-platform-tests/wpt, folder url)

With --check nothing is written: every row of the file is read, and the classes of difference are counted.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.domain.tables.reading import HERE, Row, idna_class, tally, url_class

_OF_A_KIND = 1
_WEB = re.compile(r"[\x00-\x20]*(?:https?|ftp|wss?):", re.IGNORECASE)
_AUTHORITY = re.compile(r"[\x00-\x20]*[a-z]+:[/\\]*([^/?#]*)", re.IGNORECASE)


def idna_rows(text: str) -> Iterator[Row]:
    """Source, toASCII without transitional mapping, and its status. A blank column repeats the one before."""
    for line in text.splitlines():
        told = line.partition("#")[0]
        if not told.strip():
            continue
        source, unicode, faults, ascii_form, ascii_faults = (_unescaped(c.strip()) for c in told.split(";")[:5])
        expected = (ascii_form or unicode or source).removesuffix(".")
        yield Row(source, expected, tuple(re.findall(r"\w+", ascii_faults or faults)))


def _unescaped(column: str) -> str:
    if column == '""':
        return ""
    column = re.sub(r"\\x\{([0-9A-Fa-f]+)\}", lambda m: chr(int(m[1], 16)), column)
    return re.sub(r"\\u([0-9A-Fa-f]{4})", lambda m: chr(int(m[1], 16)), column)


def url_rows(text: str) -> Iterator[Row]:
    """Addresses with a scheme of the web, and the host that the URL standard finds."""
    for entry in json.loads(text):
        if isinstance(entry, dict) and _WEB.match(entry["input"]):
            expected = None if entry.get("failure") else entry["hostname"].removesuffix(".")
            yield Row(entry["input"], expected)


def idna_selection(every: list[Row]) -> tuple[list[Row], dict[str, int]]:
    """One of each spelling (case, composition) of a name, and one of each combination of faults."""
    kept: list[Row] = []
    left_out = Counter[str]()
    seen: set[object] = set()
    of_a_kind = Counter[object]()
    for row in every:
        same = (row.expected, row.faults, row.source.isascii(), len(row.source) if row.faults else row.source.lower())
        kind = (row.faults, row.source.isascii())
        if same in seen:
            left_out["the same name, spelled in another case or composition"] += 1
        elif row.faults and of_a_kind[kind] >= _OF_A_KIND:
            left_out["another name with the same combination of faults"] += 1
        else:
            kept.append(row)
            of_a_kind[kind] += 1
        seen.add(same)
    return kept, dict(left_out)


def url_selection(every: list[Row]) -> tuple[list[Row], dict[str, int]]:
    """One address for each authority, for path, query and fragment do not decide the host."""
    kept: list[Row] = []
    left_out = Counter[str]()
    seen: set[object] = set()
    for row in every:
        found = _AUTHORITY.match(row.source)
        authority = (found[1] if found else row.source, row.expected)
        if authority in seen:
            left_out["the same authority with another path, query or fragment"] += 1
        elif len(row.source) > 300:
            left_out["longer than 300 characters"] += 1
        else:
            kept.append(row)
        seen.add(authority)
    return kept, dict(left_out)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m tests.domain.tables.derive", description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--check", action="store_true", help="count classes over the whole file, write nothing")
    chosen = arguments.parse_args()
    text = chosen.file.read_text(encoding="utf-8")
    if chosen.file.suffix == ".json":
        table, every, select, classify = "urls", list(url_rows(text)), url_selection, url_class
        about = "Host of an address by the URL standard (null: it fails), from web-platform-tests url/urltestdata.json."
    else:
        version = re.search(r"^# Version: (\S+)", text, re.MULTILINE)
        table, every, select, classify = "idna", list(idna_rows(text)), idna_selection, idna_class
        about = f"toASCII of UTS 46, non-transitional, with status, from Unicode's IdnaTestV2 {version[1] if version else ''}."
    _run(chosen.check, table, about, every, select, classify)


def _run(
    check: bool,
    table: str,
    about: str,
    every: list[Row],
    select: Callable[[list[Row]], tuple[list[Row], dict[str, int]]],
    classify: Callable[[Row], str],
) -> None:
    if check:
        print(json.dumps(tally(map(classify, every)), indent=1))
        return
    kept, left_out = select(every)
    head = json.dumps(
        {"about": about, "derived_by": "tests/domain/tables/derive.py", "of_rows": len(every), "left_out": left_out}
    )
    lines = ",\n".join(json.dumps([r.source, r.expected, " ".join(r.faults)]) for r in kept)
    (HERE / f"{table}.json").write_text(f'{head[:-1]},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{table}.json: {len(kept)} of {len(every)} rows; left out: {left_out}")


if __name__ == "__main__":
    main()
