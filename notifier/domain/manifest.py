"""What evidence a notice rests on, as one document that anybody can hash again (RFC 8785 form)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

VERSION = 1


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file that the case holds, by content."""

    sha256: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An evidence item: `sha256` is its own digest, `file` the digest of the file that it names."""

    id: str
    kind: str
    sha256: str
    received_at: datetime
    file: str | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """`body` is the exact text that `sha256` (hex) is of."""

    body: str
    sha256: str


def manifest(case: str, domain: str, epoch: str | None, items: Sequence[Listed], files: Sequence[HeldFile]) -> Manifest:
    """The document over a case's evidence; the order of what is given does not matter.

    It names no person. `epoch` is the registration that the evidence is about, None where the registry told of none.
    An item's file that is not held stands with its digest alone.
    """
    held = {file.sha256: file for file in files}
    document: dict[str, Any] = {
        "version": VERSION,
        "case": case,
        "domain": domain,
        "registration": epoch,
        "evidence": [
            {
                "id": item.id,
                "kind": item.kind,
                "sha256": item.sha256,
                "received_at": item.received_at.astimezone(UTC).isoformat(),
                "file": item.file,
                "file_held": item.file in held,
            }
            for item in sorted(items, key=lambda i: (i.received_at, i.id))
        ],
        "files": [
            {"sha256": f.sha256, "size": f.size, "media_type": f.media_type}
            for f in sorted(held.values(), key=lambda f: f.sha256)
        ],
    }
    body = rfc8785.dumps(document)
    return Manifest(body.decode(), hashlib.sha256(body).hexdigest())
