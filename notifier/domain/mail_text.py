"""Text of a mail: encoded words, charsets and transfer encodings, each read as far as it can be. Pure.

Only text is ever decoded. Files, archives, uuencode and TNEF inside a mail stay as they came, unread.
"""

import binascii
import codecs
import quopri
import re
from collections.abc import Iterator

from notifier.domain.hostile import lines, one_line
from notifier.domain.mime import Mail, Part

MAX_TEXT = 400_000  # encoded bytes of one text that are decoded
MAX_TEXTS = 20
MAX_COMMENT = 10_000

_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]{0,5000})\?=")
_BETWEEN = re.compile(r"[ \t\r\n]*")
# What mailers call charsets by other names than Python does (cases of Korean, Chinese and old Windows mailers).
_ALIASES = {
    "ks_c_5601-1987": "cp949",
    "ks_c_5601-1989": "cp949",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "x-euc-jp": "euc_jp",
    "cp-850": "cp850",
    "x-mac-roman": "mac_roman",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-1": "cp1252",  # as the WHATWG Encoding Standard reads it: C1 controls are nobody's text
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
}
# Codecs of Python that are no charsets, or take more than linear time.
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "unicode-escape", "raw-unicode-escape", "undefined"}
)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]{0,20})?[^<>]{0,2000}>", re.IGNORECASE)
_BREAKS = frozenset({"br", "p", "div", "tr", "li", "blockquote"})
_NOT_SHOWN = frozenset({"style", "script", "head", "title"})


def decode(content: bytes, charset: str | None) -> str:
    """Bytes as text. Without a charset UTF-8 is tried; one that nobody knows is read as Latin-1, and nothing raises."""
    if charset is None or not charset.strip():
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            return content.decode("latin-1")
    name = charset.strip().strip("'\"").lower()
    name = _ALIASES.get(name, name)
    try:
        known = codecs.lookup(name).name
        if known in _NO_CHARSETS or name in _NO_CHARSETS:
            raise LookupError(name)
        return content.decode(known, "replace")
    except (LookupError, ValueError, UnicodeError):
        return content.decode("latin-1", "replace")


def words(value: str) -> str:
    """A header's value with its encoded words decoded (RFC 2047 §6.2).

    Adjacent words of a charset are joined as bytes first: some mailers cut inside a character, mix B and Q, and leave
    out the blank between two words.
    """
    pieces: list[str] = []
    held, held_charset, at = b"", "", 0

    def flush() -> None:
        nonlocal held
        if held:
            pieces.append(decode(held, held_charset))
            held = b""

    for found in _WORD.finditer(value):
        between = value[at : found.start()]
        charset = found[1].partition("*")[0].lower()  # RFC 2231 §5: a language may follow
        if not (held and charset == held_charset and not between.strip(" \t\r\n")):
            flush()
            if not (at and not between.strip(" \t\r\n")):
                pieces.append(between)
        held_charset = charset
        held += _word(found[2].lower(), found[3])
        at = found.end()
    flush()
    pieces.append(value[at:])
    return "".join(pieces)


def _word(coding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if coding == "b":
        return _base64(raw)
    return quopri.decodestring(raw.replace(b" ", b"_"), header=True)


def _base64(raw: bytes) -> bytes:
    """Base64 as far as it goes; characters outside the alphabet are passed over (RFC 2045 §6.8)."""
    kept = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    kept = kept[:-1] if len(kept) % 4 == 1 else kept
    try:
        return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))
    except binascii.Error:
        return b""


def header(mail: Mail, name: str, limit: int = 1000) -> str:
    """A field's first value, decoded, on one line."""
    return one_line(words(mail.get(name) or ""), limit)


def text_of(mail: Mail, part: Part) -> str:
    """One text part, decoded as far as MAX_TEXT goes."""
    raw = mail.raw[part.start : min(part.end, part.start + MAX_TEXT)]
    coding = (part.get("content-transfer-encoding") or "").strip().lower()
    if coding == "base64":
        raw = _base64(raw)
    elif coding == "quoted-printable":
        raw = quopri.decodestring(raw)
    return decode(raw, part.parameters.get("charset"))


def comment(mail: Mail) -> str:
    """What was written: the first plain text that is no attachment, else the first HTML without its tags, cleaned."""
    for wanted in ("text/plain", "text/html"):
        for part in mail.parts:
            if part.depth and _inside_message(mail, part):
                break  # what follows is another message's text
            if part.media_type == wanted and not part.attached:
                text = text_of(mail, part)
                shown = text if wanted == "text/plain" else _stripped(text)
                return "\n".join(lines(shown))[:MAX_COMMENT].strip()
    return ""


def _inside_message(mail: Mail, part: Part) -> bool:
    first = next((p for p in mail.parts if p.media_type in ("message/rfc822", "message/global")), None)
    return first is not None and first.start <= part.start and part is not first


def _stripped(html: str) -> str:
    """HTML without its tags, and without what no reader shows. One pass: what is open is a single name."""
    pieces: list[str] = []
    hidden, at = "", 0
    for found in _TAG.finditer(html[:100_000]):
        if not hidden:
            pieces.append(html[at : found.start()])
        at, name = found.end(), (found[2] or "").lower()
        if hidden:
            hidden = "" if found[1] and name == hidden else hidden
        elif name in _NOT_SHOWN and not found[1]:
            hidden = name
        elif name in _BREAKS:
            pieces.append("\n")
    pieces.append("" if hidden else html[at:100_000])
    return "".join(pieces).replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def quoted(mail: Mail) -> Iterator[str]:
    """Texts and returned headers in which an original of ours may be quoted."""
    texts = 0
    for part in mail.parts[1:]:
        if part.get("message-id"):
            yield "\n".join(words(value) for value in part.all("message-id", "reply-to", "from"))
    for part in mail.parts:
        if part.media_type in ("text/plain", "text/rfc822-headers", "message/rfc822-headers") and texts < MAX_TEXTS:
            texts += 1
            yield text_of(mail, part)[:MAX_TEXT]
    if not texts:
        for part in mail.parts:
            if part.media_type == "text/html":
                yield text_of(mail, part)[:MAX_TEXT]
                return
