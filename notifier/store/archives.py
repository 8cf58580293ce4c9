"""How large an archive becomes: measured by unpacking into nothing, piece by piece, and never further than a limit."""

import zipfile
import zlib
from pathlib import Path

from notifier.errors import Refused

_CHUNK = 65_536
MAX_MEMBERS = 10_000


def measure(path: Path, name: str, media_type: str, limit: int) -> None:
    """Blocking. Raises Refused: `archive_bomb` when more than `limit` bytes come out, `archive_broken` when it cannot be
    unpacked to its end. What lies inside is not looked at.
    """
    try:
        total = _gzip(path, limit) if media_type == "application/gzip" else _zip(path, limit)
    except (zlib.error, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as fault:
        raise Refused(
            f"{name}: the archive cannot be unpacked ({fault}); make it anew", code="archive_broken"
        ) from fault
    if total > limit:
        raise Refused(
            f"{name}: it unpacks to more than {limit} bytes; send what matters by itself", code="archive_bomb"
        )


def _gzip(path: Path, limit: int) -> int:
    """Bytes that come out, at most a little over `limit`; several members in one file count together (RFC 1952 §2.2)."""
    total, inflater = 0, zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    with path.open("rb") as file:
        rest = file.read(_CHUNK)
        while rest:
            total += len(inflater.decompress(rest, _CHUNK))
            if total > limit:
                return total
            if inflater.eof:
                rest = inflater.unused_data or file.read(_CHUNK)
                if rest.strip(b"\0"):
                    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
                    continue
                return total  # padding
            rest = inflater.unconsumed_tail or file.read(_CHUNK)
    if not inflater.eof:
        raise EOFError("it is cut short")
    return total


def _zip(path: Path, limit: int) -> int:
    """Bytes that come out; the sizes that its directory claims are not believed."""
    total = 0
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise ValueError(f"it has {len(members)} members, over {MAX_MEMBERS}")
        for member in members:
            if member.flag_bits & 1:
                raise ValueError("it is encrypted, so nobody can see what is in it")
            with archive.open(member) as file:
                while piece := file.read(_CHUNK):
                    total += len(piece)
                    if total > limit:
                        return total
    return total
