"""A mail's structure, read with bounded work: its headers, and where each part begins and ends. Pure.

Nothing is decoded here and nothing is copied: a part is two offsets. What is over a bound ends the reading with a
`fault`; what was read until then stays. `steps` counts the lines looked at, so that a test can hold the work against a
bound without a clock.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_DEPTH, MAX_PARTS = 20, 200
MAX_FIELDS, MAX_FIELD_BYTES, MAX_HEADER_BYTES = 1_000, 64 * 1024, 1024 * 1024
MAX_DELIMITERS = 20_000  # lines that begin with "--"; a mail of 200 parts needs 201
MAX_ENCODED_WORDS = 2_000
MAX_STEPS = 100_000  # lines of headers and lines that look like boundaries, together

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*:(.*)", re.DOTALL)
_DELIMITER = re.compile(rb"(?m)^--[^\r\n]*")
_PARAMETER = re.compile(r';\s*([^\s=;"]{1,60})\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]*)')
_TYPE = re.compile(r"\s*([a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,80})\s*(?:;|$|\()", re.IGNORECASE)
_LONGEST_TYPE = 4096  # of Content-Type: the pattern of parameters may take quadratic time
_LONGEST_BOUNDARY = 200  # RFC 2046 §5.1.1 allows 70
_NESTED = frozenset({"message/rfc822", "message/global"})
Headers = tuple[tuple[str, str], ...]


class Over(Exception):
    """A bound was passed; the text says which."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `headers` have lower-case names and unfolded values; `start` and `end` are offsets of its body in
    the mail; `depth` is 0 for the mail itself."""

    headers: Headers
    media_type: str
    parameters: Mapping[str, str]
    start: int
    end: int
    depth: int

    def get(self, name: str) -> str | None:
        """The first value of a field, or None."""
        return next((value for key, value in self.headers if key == name), None)

    def all(self, *names: str) -> list[str]:
        """Every value of these fields, in the order of `names`."""
        return [value for name in names for key, value in self.headers if key == name]

    @property
    def attached(self) -> bool:
        """Whether it says of itself that it is a file (RFC 2183 §2.2)."""
        return (self.get("content-disposition") or "").split(";")[0].strip().lower() == "attachment"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as far as it was read; `parts[0]` is the whole. `fault`: the bound that ended the reading, or None."""

    raw: bytes
    parts: tuple[Part, ...]
    fault: str | None
    steps: int

    @property
    def top(self) -> Part:
        return self.parts[0]

    def get(self, name: str) -> str | None:
        return self.top.get(name)

    def all(self, *names: str) -> list[str]:
        return self.top.all(*names)


@dataclass(slots=True)
class _Open:
    """A part that is not over yet; `boundary` None: one of the kind that only holds a body."""

    index: int
    boundary: bytes | None


@dataclass(slots=True)
class _Reader:
    raw: bytes
    steps: int = 0
    header_bytes: int = 0
    fields: int = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Over(f"more than {MAX_STEPS} lines of structure")


def read(raw: bytes, envelope: Mapping[str, str] | None = None) -> Mail:
    """The structure of `raw`. Never raises: any bytes are a mail, if only one without headers.

    `envelope`: what the delivery told (return-path, delivered-to); it stands above the mail's own fields of that name.
    """
    reader = _Reader(raw)
    parts: list[Part] = []
    ends: dict[int, int] = {}
    fault: str | None = None
    try:
        _read(reader, parts, ends)
    except Over as over:
        fault = str(over)
    if not parts:
        parts.append(Part((), "text/plain", {}, len(raw), len(raw), 0))
    above = tuple((name.lower(), value.strip()) for name, value in (envelope or {}).items())
    closed = tuple(
        Part((above if n == 0 else ()) + p.headers, p.media_type, p.parameters, p.start, ends.get(n, len(raw)), p.depth)
        for n, p in enumerate(parts)
    )
    return Mail(raw, closed, fault, reader.steps)


def fields_of(block: bytes) -> Headers:
    """The fields of a block of header lines, such as one of a delivery report. Raises Over."""
    headers, _ = _headers(_Reader(block), 0, nested=False)
    return headers


def _read(reader: _Reader, parts: list[Part], ends: dict[int, int]) -> None:
    opened: list[_Open] = []
    delimiters = 0
    start = _after_mbox_line(reader.raw)
    until = _begin(reader, parts, opened, start, depth=0)
    for found in _DELIMITER.finditer(reader.raw):
        if found.start() < until:
            continue
        reader.step()
        delimiters += 1
        if delimiters > MAX_DELIMITERS:
            raise Over(f"more than {MAX_DELIMITERS} lines that look like boundaries")
        line = found[0].rstrip(b" \t")
        at = _delimits(opened, line)
        if at is None:
            continue
        boundary = opened[at].boundary
        final = boundary is not None and line != b"--" + boundary
        body_end = _without_break(reader.raw, found.start())
        for gone in opened[at + 1 :]:
            ends.setdefault(gone.index, body_end)
        del opened[at + 1 :]
        if final:
            # What follows is an epilogue of the multipart; the part itself ends with its parent.
            opened[at].boundary = None
            continue
        begin = _line_end(reader.raw, found.end())
        until = _begin(reader, parts, opened, begin, depth=parts[opened[at].index].depth + 1)


def _delimits(opened: list[_Open], line: bytes) -> int | None:
    """Which open multipart a line belongs to, the innermost first (RFC 2046 §5.1.2)."""
    for at in range(len(opened) - 1, -1, -1):
        boundary = opened[at].boundary
        if boundary is not None and line in (b"--" + boundary, b"--" + boundary + b"--"):
            return at
    return None


def _begin(reader: _Reader, parts: list[Part], opened: list[_Open], start: int, depth: int) -> int:
    """Read a part's headers, and those of a message directly inside it; where the body begins."""
    while True:
        if depth > MAX_DEPTH:
            raise Over(f"parts within parts deeper than {MAX_DEPTH}")
        if len(parts) >= MAX_PARTS:
            raise Over(f"more than {MAX_PARTS} parts")
        headers, body = _headers(reader, start, nested=depth > 0)
        media_type, parameters = _content_type(headers)
        parts.append(Part(headers, media_type, parameters, body, body, depth))
        boundary = parameters.get("boundary", "") if media_type.startswith("multipart/") else ""
        within = boundary.encode("utf-8", "replace")[:_LONGEST_BOUNDARY].rstrip(b" \t") or None
        opened.append(_Open(len(parts) - 1, within))
        if media_type not in _NESTED:
            return body
        start, depth = body, depth + 1


def _headers(reader: _Reader, start: int, *, nested: bool) -> tuple[Headers, int]:
    """Fields from `start`, and where the body begins. A line that is no field ends them, as mailers in the wild do."""
    raw, at = reader.raw, start
    fields: list[tuple[bytes, list[bytes]]] = []
    size = words = 0
    while at < len(raw):
        found = _LINE.match(raw, at, min(len(raw), at + MAX_FIELD_BYTES + 2))
        line = found[0] if found else b""
        reader.step()
        text = line.rstrip(b"\r\n")
        if not text:
            at += len(line)
            break
        if nested and text.startswith(b"--"):  # the next delimiter, and no blank line before it
            break
        reader.header_bytes += len(line)
        if reader.header_bytes > MAX_HEADER_BYTES:
            raise Over(f"more than {MAX_HEADER_BYTES} bytes of headers")
        if text[:1] in b" \t" and fields:
            fields[-1][1].append(text)
            size += len(text)
        else:
            named = _FIELD.fullmatch(text)
            if named is None:
                break
            reader.fields += 1
            if reader.fields > MAX_FIELDS:
                raise Over(f"more than {MAX_FIELDS} header fields")
            fields.append((named[1], [named[2]]))
            size = len(text)
        if size > MAX_FIELD_BYTES:
            raise Over(f"a header field of more than {MAX_FIELD_BYTES} bytes")
        words += text.count(b"=?")
        if words > MAX_ENCODED_WORDS:
            raise Over(f"more than {MAX_ENCODED_WORDS} encoded words")
        at += len(line)
    return tuple((name.decode("ascii").lower(), _text(b"".join(lines)).strip()) for name, lines in fields), at


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _content_type(headers: Headers) -> tuple[str, Mapping[str, str]]:
    """RFC 2045 §5.2: what cannot be read is text/plain."""
    value = next((v for name, v in headers if name == "content-type"), "")[:_LONGEST_TYPE]
    found = _TYPE.match(value)
    if found is None:
        return "text/plain", {}
    return found[1].lower(), parameters_of(value)


def parameters_of(value: str) -> Mapping[str, str]:
    """The parameters of a structured field, by lower-case name; the first of a name counts."""
    found: dict[str, str] = {}
    for name, text in _PARAMETER.findall(value[:_LONGEST_TYPE]):
        bare = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') and len(text) > 1 else text
        found.setdefault(name.lower(), bare)
    return found


def leaves(mail: Mail, *types: str) -> Iterator[Part]:
    """The parts of these media types, in order."""
    return (part for part in mail.parts if part.media_type in types)


def _after_mbox_line(raw: bytes) -> int:
    return _line_end(raw, 0) if raw.startswith(b"From ") else 0


def _line_end(raw: bytes, at: int) -> int:
    """Where the line after `at` begins."""
    newline = raw.find(b"\n", at)
    return len(raw) if newline < 0 else newline + 1


def _without_break(raw: bytes, at: int) -> int:
    """The break before a delimiter belongs to it (RFC 2046 §5.1.1)."""
    if raw[max(0, at - 2) : at] == b"\r\n":
        return at - 2
    return max(0, at - 1)
