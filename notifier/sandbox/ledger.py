"""The sandbox's own log on disk: each delivery is a line of JSON that is on the disk before the answer goes out.

It is the other side's story, told by nobody of ours: whoever was killed in between, what it says was accepted was accepted.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

Result = Literal["accepted", "refused", "deferred", "cut"]


@dataclass(frozen=True, slots=True)
class Line:
    """One delivery as far as it came. `at`: real time, ISO 8601 in UTC; `key`: Message-ID or webhook-id; `where`: the
    protocol point at which something was done to it (see `faults`), empty for an ordinary one; `sha256` of its bytes.

    What is not known yet at that point is empty: a connection that is cut at the greeting names no party.
    """

    at: str
    channel: str
    result: Result
    party: str = ""
    key: str = ""
    notice: str = ""
    domain: str = ""
    measure: str = ""
    purpose: str = ""
    code: int = 0
    where: str = ""
    sha256: str = ""


class Ledger:
    """An append-only file; without a path nothing is written."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.length = 0  # lines, those of earlier lives too

    def open(self) -> list[Line]:
        """Begin, or go on after whatever end the last life had; the lines so far. Raises OSError."""
        if self._path is None:
            return []
        whole, lines = 0, []
        if self._path.exists():
            for raw in self._path.read_bytes().splitlines(keepends=True):
                if not raw.endswith(b"\n"):
                    break  # torn: its writer died before it could answer
                whole += len(raw)
                lines.append(_line(json.loads(raw)))
        self._file = self._path.open("ab")
        self._file.truncate(whole)
        self.length = len(lines)
        return lines

    def write(self, channel: str, result: Result, **known: Any) -> None:
        """Add a line; it is on the disk when this returns."""
        if self._file is None:
            return
        line = Line(datetime.now(UTC).isoformat(), channel, result, **known)
        self._file.write(json.dumps(asdict(line)).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.length += 1

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read(path: Path) -> Iterator[Line]:
    """The whole lines of a ledger that may be written to right now."""
    for raw in path.read_bytes().splitlines(keepends=True):
        if raw.endswith(b"\n"):
            yield _line(json.loads(raw))


def _line(data: Mapping[str, Any]) -> Line:
    return Line(**data)
