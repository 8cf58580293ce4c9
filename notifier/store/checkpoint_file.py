"""A file of signed checkpoints, note after note: our own in the state folder, or a copy kept elsewhere."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_MARK = "— ".encode()
# More than a hundred notes; the last one is found in the last few hundred bytes.
_TAIL = 65_536


class DamagedFile(ValueError):
    """The file ends in something that is not the beginning of the checkpoint that comes next."""


@dataclass(frozen=True, slots=True)
class NoteAt:
    """A complete note and the number of its first line."""

    line: int
    note: str


def append(path: Path, notes: Sequence[str]) -> None:
    """Add notes and wait until the disk has them. One writer at a time. Raises OSError, DamagedFile.

    What a power cut left half written is completed: it must be how the first of `notes` begins.
    """
    new = "".join(notes).encode()
    begun = not path.exists()
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        torn = _tail(fd)[1]
        if not new.startswith(torn):
            raise DamagedFile(f"{path} does not end with a checkpoint")
        rest = memoryview(new)[len(torn) :]
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    if begun:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def last(path: Path) -> str | None:
    """The last complete note; None when there is none or no file. Raises OSError."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return _tail(fd)[0]
    finally:
        os.close(fd)


def read(path: Path) -> Iterator[NoteAt]:
    """Every complete note from the start; an unfinished end is left out. CRLF line ends are read too.

    Raises OSError. Bytes that are no UTF-8 come back replaced, so that their signature fails.
    """
    with path.open("rb") as file:
        for line, note, _ in _notes(file):
            yield NoteAt(line, note)


def _tail(fd: int) -> tuple[str | None, bytes]:
    """The last complete note and the bytes after it."""
    size = os.fstat(fd).st_size
    start = max(0, size - _TAIL)
    data = os.pread(fd, size - start, start)
    note, end = None, 0
    for _, note, end in _notes(data.splitlines(keepends=True)):  # noqa: B007 - the last one counts
        pass
    return note, data[end:]


def _notes(lines: Iterable[bytes]) -> Iterator[tuple[int, str, int]]:
    """(first line number, note, offset of its end) of each note: text, a blank line, signature lines."""
    held: list[bytes] = []
    first, number, offset, signed = 1, 0, 0, False
    for raw in lines:
        line = raw.removesuffix(b"\r\n") + b"\n" if raw.endswith(b"\r\n") else raw
        if signed and not line.startswith(_MARK):
            yield first, b"".join(held).decode(errors="replace"), offset
            held, first, signed = [], number + 1, False
        number, offset = number + 1, offset + len(raw)
        after_blank = bool(held) and held[-1] == b"\n"
        held.append(line)
        signed = line.startswith(_MARK) and line.endswith(b"\n") and (signed or after_blank)
    if signed:
        yield first, b"".join(held).decode(errors="replace"), offset
