"""Local files that tell something about very many names: a popularity ranking, counts made out of zone files.

They are searched where they lie, so that a million lines cost no memory. A file begins with `# source: ...` and
`# date: YYYY-MM-DD`; one that is undated or too old tells nothing.
"""

import asyncio
import contextlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from notifier.domain.blast import Reading

Layout = Literal["rank,name", "name,count", "name"]
_HEADER_BYTES: Final = 4096
_MAX_DIGITS: Final = 12
MOST_LABELLED: Final = 100


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself. `date` None: it is missing or no date."""

    source: str
    date: date | None


@dataclass(frozen=True, slots=True)
class NameFile:
    """One file of lines `rank,name`, `name,count`, or of a name each."""

    path: Path
    layout: Layout

    def header(self) -> Header:
        """Raises OSError when the file cannot be read."""
        with self.path.open("rb") as file:
            head = file.read(_HEADER_BYTES).decode("utf-8", "replace")
        said = dict(line.lstrip("# ").partition(": ")[::2] for line in head.splitlines() if line.startswith("#"))
        with contextlib.suppress(ValueError):
            return Header(said.get("source", self.path.name), date.fromisoformat(said.get("date", "").strip()))
        return Header(said.get("source", self.path.name), None)

    async def number_of(self, name: str, at: datetime, max_age: timedelta) -> Reading[int]:
        """The number beside an A-label, 0 when the file does not have the name. Never raises for a bad file."""
        try:
            return await asyncio.to_thread(self._look_up, name, at, max_age)
        except (OSError, ValueError) as fault:
            return Reading(None, self.path.name, at, f"cannot be read: {type(fault).__name__}", failed=True)

    async def labelled(self, label: str, at: datetime, max_age: timedelta) -> list[str]:
        """Names of the file whose first label this is, at most MOST_LABELLED; none of a file that is undated or too old.

        Never raises for a bad file.
        """
        try:
            return await asyncio.to_thread(self._labelled, label, at, max_age)
        except (OSError, ValueError):
            return []

    def _labelled(self, label: str, at: datetime, max_age: timedelta) -> list[str]:
        dated = self.header().date
        if dated is None or at.date() - dated > max_age:
            return []
        found: dict[str, None] = {}
        for fields in self._lines(f"{label}.".encode("ascii")):
            name = fields[1 if self.layout == "rank,name" else 0].decode("ascii", "replace").strip().lower()
            if name.partition(".")[0] == label:
                found[name] = None
            if len(found) == MOST_LABELLED:
                break
        return list(found)

    def _look_up(self, name: str, at: datetime, max_age: timedelta) -> Reading[int]:
        header = self.header()
        source = f"{self.path.name} of {header.date or 'no date'}, {header.source}"
        if header.date is None:
            return Reading(None, source, at, "the file has no line `# date: YYYY-MM-DD`")
        if at.date() - header.date > max_age:
            return Reading(None, source, at, f"the file is of {header.date}, too old")
        numbers = list(self._numbers(name.encode("ascii")))
        if not numbers:
            return Reading(0, source, at)
        if any(not number.isdigit() or len(number) > _MAX_DIGITS for number in numbers):
            return Reading(None, source, at, "the file has no number there")
        # Named twice, the worst counts: the better rank, the larger count.
        return Reading((min if self.layout == "rank,name" else max)(map(int, numbers)), source, at)

    def _numbers(self, name: bytes) -> Iterator[bytes]:
        for first, second in self._lines(name):
            number, found = (first, second) if self.layout == "rank,name" else (second, first)
            if found.strip() == name:
                yield number.strip()

    def _lines(self, part: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Both fields of each line that has `part` in it, in the order of the file."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            at = text.find(part)
            while at >= 0:
                start = text.rfind(b"\n", 0, at) + 1
                end = text.find(b"\n", at)
                line = text[start : end if end >= 0 else len(text)].strip()
                if not line.startswith(b"#"):
                    first, _, second = line.partition(b",")
                    yield first, second
                at = text.find(part, end if end >= 0 else len(text))
