"""What a file is, told by its bytes. A label is a claim: one that says something else is refused, not believed."""

import re
import unicodedata

from notifier.errors import Refused

HEAD_BYTES = 4096  # of the beginning are enough to tell

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"WARC/1.", "application/warc"),
)
# Labels that mean the same bytes.
_SAME = {
    "image/jpg": "image/jpeg",
    "application/x-gzip": "application/gzip",
    "application/x-zip-compressed": "application/zip",
    "application/x-warc": "application/warc",
    "application/warc+gzip": "application/gzip",
    "application/xhtml+xml": "text/html",
    "application/har+json": "application/json",
    "text/json": "application/json",
}
TYPES = frozenset(
    {
        *(media_type for _, media_type in _MAGIC),
        *("image/webp", "video/mp4", "text/plain", "text/html", "text/csv", "application/json", "message/rfc822"),
    }
)
_TEXTS = frozenset({"text/plain", "text/html", "text/csv", "application/json", "message/rfc822"})
_ARCHIVES = frozenset({"application/gzip", "application/zip"})
_SUFFIXES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "application/pdf": "pdf",
    "application/gzip": "gz",
    "application/zip": "zip",
    "application/warc": "warc",
    "application/json": "json",
    "message/rfc822": "eml",
    "text/csv": "csv",
}
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_MAIL = re.compile(
    rb"(?:From |[A-Za-z][A-Za-z0-9-]{1,60}:[ \t])[^\n]*\r?\n(?:[ \t][^\n]*\r?\n|[A-Za-z0-9-]{1,60}:[^\n]*\r?\n)+"
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME = 80


def found_in(head: bytes) -> str | None:
    """The media type that the first HEAD_BYTES of a file show; None for what is not taken. Raises nothing."""
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if not head or _CONTROL.search(head) or not _is_text(head):
        return None
    if _HTML.match(head):
        return "text/html"
    if head.lstrip()[:1] in (b"{", b"["):
        return "application/json"
    return "message/rfc822" if _MAIL.match(head) else "text/plain"


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as fault:
        # A character may be cut at the end of what was looked at.
        return len(head) == HEAD_BYTES and fault.start >= HEAD_BYTES - 3
    return True


def judged(name: str, label: str, head: bytes) -> str:
    """The media type to keep a file under. `label` is its Content-Type, empty or octet-stream for none.

    Raises Refused (file_type): a type that is not taken, or a label that says something else than the bytes.
    """
    media_type = found_in(head)
    if media_type is None:
        raise Refused(
            f"{name}: its bytes are of no type that is taken here; send one of {', '.join(sorted(TYPES))}",
            code="file_type",
        )
    said = label.partition(";")[0].strip().lower()
    said = _SAME.get(said, said)
    if said in ("", "application/octet-stream") or said == media_type:
        return media_type
    if said in _TEXTS and media_type in _TEXTS:
        return said  # any text may be called by what it is for
    raise Refused(
        f"{name}: it is labelled {said[:60]} and its bytes are {media_type}; label it rightly", code="file_type"
    )


def is_archive(media_type: str) -> bool:
    """Whether it unpacks to something larger, and has to be measured before it is kept."""
    return media_type in _ARCHIVES


def safe_name(name: str) -> str:
    """A file name that is none of a path, a control, a disguise: ASCII letters, digits, dot, dash, underscore.

    Never empty, never starting with a dot, at most 80 characters; `safe_name(safe_name(x)) == safe_name(x)`.
    """
    last = re.split(r"[/\\]", name)[-1]
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode()
    kept = _UNSAFE.sub("_", plain).strip("._-")
    stem, dot, suffix = kept.rpartition(".")
    if len(kept) > _MAX_NAME and dot and len(suffix) <= 8:
        kept = f"{stem[: _MAX_NAME - len(suffix) - 1].rstrip('._-')}.{suffix}"
    return kept[:_MAX_NAME].rstrip("._-") or "file"


def download_name(sha256: str, media_type: str) -> str:
    """The name under which a file leaves us: its digest, and an ending that follows from its bytes.

    Pages and mails get `.txt`, so that a double click opens them as text.
    """
    return f"{sha256}.{_SUFFIXES.get(media_type, 'txt')}" if media_type != "message/rfc822" else f"{sha256}.eml.txt"
