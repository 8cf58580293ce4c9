"""Ids of new rows: UUID version 7 (RFC 9562 §5.7), made here so that they can travel inside an event."""

import secrets
import time
from uuid import UUID


def new_id() -> str:
    """A fresh id as text. The first 48 bits are real milliseconds: good locality, no business meaning."""
    millis = time.time_ns() // 1_000_000
    bits = (millis << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return str(UUID(int=bits))


def as_uuid(text: str) -> UUID | None:
    """The id, or None when the text is none (then there can be no such row)."""
    try:
        return UUID(text)
    except ValueError:
        return None
