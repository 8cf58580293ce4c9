"""Reads `config/lists/*.txt` into `domain.safety.TargetLists`, and names every fault by file and line.

A file starts with `# source:` and `# date: YYYY-MM-DD`; an entry line is a canonical name or `label.*`, in
`protected.txt` followed by its kind.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from notifier.domain.safety import TargetLists

_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*(?:[a-z][a-z0-9-]{0,61}[a-z0-9])")
_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.\*")
_KINDS = ("registry_infrastructure", "government", "public_service", "vetted", "reserved")
_WITH_PATTERNS = frozenset({"protected", "universities"})
_HEADERS = ("source", "date")


@dataclass(frozen=True, slots=True)
class ListFault:
    """One problem of one list file. `line` counts from 1; 0 stands for the whole file."""

    file: str
    line: int
    what: str
    expected: str


def load_lists(folder: Path, own: Iterable[str] = ()) -> tuple[TargetLists, tuple[ListFault, ...]]:
    """The four lists of a folder, with the notifier's own names added as protected.

    Faulty lines are left out and reported; the service must not start with faults. Raises nothing for bad content
    or a missing file.
    """
    faults: list[ListFault] = []
    entries: dict[str, dict[str, str]] = {}
    versions: dict[str, str] = {"own": "settings own_names"}
    for which in ("protected", "platforms", "popular", "universities"):
        entries[which], versions[which] = _read(folder / f"{which}.txt", which, faults)
    mine: dict[str, str] = {}
    for name in own:
        if _NAME.fullmatch(name):
            mine[name] = "own"
        else:
            faults.append(ListFault("settings", 0, f"own name {name!r}", "a lower-case A-label name"))
    lists = TargetLists(
        protected=entries["protected"] | mine,
        platforms=frozenset(entries["platforms"]),
        popular=frozenset(entries["popular"]),
        universities=frozenset(entries["universities"]),
        versions=versions,
    )
    return lists, tuple(faults)


def _read(path: Path, which: str, faults: list[ListFault]) -> tuple[dict[str, str], str]:
    entries: dict[str, str] = {}
    headers: dict[str, str] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        faults.append(ListFault(path.name, 0, f"cannot be read ({type(error).__name__})", "a UTF-8 text file"))
        return entries, path.name
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if content.startswith("#"):
            key, _, value = content.lstrip("# ").partition(": ")
            if key in _HEADERS and value.strip():
                headers.setdefault(key, value.strip())
        elif content:
            _entry(path.name, number, content, which, entries, faults)
    for key in _HEADERS:
        if key not in headers:
            faults.append(ListFault(path.name, 0, f"no {key}", f"a line `# {key}: ...` at the top"))
    if "date" in headers and not _is_date(headers["date"]):
        faults.append(ListFault(path.name, 0, f"date {headers['date']!r}", "YYYY-MM-DD"))
    if not entries:
        faults.append(ListFault(path.name, 0, "no entries", "at least one name; an empty list protects nobody"))
    return entries, f"{path.name} {headers.get('date', 'undated')}"


def _entry(file: str, number: int, content: str, which: str, entries: dict[str, str], faults: list[ListFault]) -> None:
    name, *rest = content.split()
    kind = rest[0] if rest else ""
    if not (_NAME.fullmatch(name) or (which in _WITH_PATTERNS and _PATTERN.fullmatch(name))):
        faults.append(ListFault(file, number, f"name {name!r}", "a lower-case A-label name without a root dot"))
    elif name in entries:
        faults.append(ListFault(file, number, f"{name} stands here twice", "one line for each name"))
    elif which == "protected" and (len(rest) != 1 or kind not in _KINDS):
        faults.append(ListFault(file, number, f"kind {' '.join(rest)!r}", f"one of {', '.join(_KINDS)}"))
    elif which != "protected" and rest:
        faults.append(ListFault(file, number, f"more than a name: {content!r}", "one name in each line"))
    else:
        entries[name] = kind


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
