"""A notice as a formal letter: a PDF of its exact text, with address, references, list of enclosures, digest on each page.

The same notice gives the same bytes: dates are the notice's own. Only the fonts that every PDF reader has are used
(ISO 32000-1 §9.6.2.2), so no font is shipped. They have the letters of Windows code page 1252; any other character is
written as its code point, `\\u{430}`, and the letter says so. A name stands there in A-labels in any case.
"""

import hashlib
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from io import BytesIO

import idna
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.pdfgen.canvas import Canvas

from notifier.adapter import Attachment, Identity, RenderedNotice
from registries.mail_message import reply_address

PAPERS = {"a4": A4, "letter": LETTER}
_MARGIN, _SIZE, _LEADING = 57.0, 9.0, 11.5  # points; a margin of 20 mm
_WIDTH_OF_A_LETTER = 0.6  # of the size: every character of Courier
_TEXT, _BOLD = "Courier", "Courier-Bold"
_MONTHS = (  # in no locale
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_QUOTED = "  | "
_ESCAPED = "Characters that the font of this letter lacks are written as \\u{code point}. The notice in electronic form has them."


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    font: str = _TEXT


def letter(notice: RenderedNotice, identity: Identity, postal: Sequence[str] = (), paper: str = "a4") -> Attachment:
    """The letter. `postal`: the recipient's address, line by line; `paper`: a key of PAPERS."""
    width, height = PAPERS[paper]
    columns = int((width - 2 * _MARGIN) / (_SIZE * _WIDTH_OF_A_LETTER))
    lines = [
        _Line(part, line.font)
        for line in _lines(notice, identity, postal)
        for part in _wrapped(drawn(line.text), columns)
    ]
    if any("\\u{" in line.text for line in lines):
        lines += [_Line(""), *(_Line(part) for part in _wrapped(_ESCAPED, columns))]
    rows = int((height - 2 * _MARGIN) / _LEADING) - 3  # the foot takes three
    pages = [lines[start : start + rows] for start in range(0, len(lines), rows)]
    into = BytesIO()
    canvas = _canvas(into, notice, identity, (width, height))
    for number, page in enumerate(pages, 1):
        top = height - _MARGIN - _SIZE
        for row, line in enumerate(page):
            canvas.setFont(line.font, _SIZE)
            canvas.drawString(_MARGIN, top - row * _LEADING, line.text)
        canvas.setFont(_TEXT, _SIZE - 2)
        canvas.drawString(_MARGIN, _MARGIN + _LEADING, f"SHA-256 of the notice: {notice.digest}")
        foot = f"{notice.case_ref}, notice {notice.notice_id}, version {notice.version}"
        canvas.drawString(_MARGIN, _MARGIN, drawn(f"{foot}    page {number} of {len(pages)}"))
        canvas.showPage()
    canvas.save()
    content = into.getvalue()
    return Attachment(filename(notice), "application/pdf", content, hashlib.sha256(content).hexdigest())


def filename(notice: RenderedNotice) -> str:
    """What the letter is called beside the notice's own files."""
    plain = "".join(char if char.isascii() and char.isalnum() else "-" for char in notice.case_ref)
    return f"letter-{plain[:60]}.pdf"


def drawn(text: str) -> str:
    """The text as the font can show it: every other character as its code point, and no text passes for one."""
    text = text.replace("\\u{", "\\u{5C}u{")
    return "".join(char if _has(char) else f"\\u{{{ord(char):X}}}" for char in text)


def _has(char: str) -> bool:
    if not char.isprintable():
        return False
    try:
        char.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _lines(notice: RenderedNotice, identity: Identity, postal: Sequence[str]) -> Iterator[_Line]:
    at = notice.issued_at.astimezone(UTC)
    yield _Line(identity.organisation, _BOLD)
    yield _Line(identity.mail_from)
    yield _Line("")
    yield _Line(notice.recipient_name)
    yield from map(_Line, postal or (notice.recipient_address,))
    yield _Line("")
    yield _Line(f"{at.day} {_MONTHS[at.month - 1]} {at.year}")
    yield _Line("")
    yield _Line(f"Our reference: {notice.case_ref}")
    yield _Line(f"Domain name:   {_both_forms(notice.domain)}")
    yield _Line(f"Answers to:    {reply_address(notice.reply_token, identity)}")
    yield _Line("")
    yield _Line(notice.subject, _BOLD)
    yield _Line("")
    yield from map(_Line, notice.text.split("\n"))
    yield _Line("")
    yield _Line("Enclosures, with their SHA-256", _BOLD)
    yield _Line(f"xarf.json  {hashlib.sha256(notice.xarf).hexdigest()}")
    yield from (_Line(f"{file.filename}  {file.sha256}") for file in notice.attachments)


def _both_forms(name: str) -> str:
    """A-labels, and the name in Unicode behind it where they differ (RFC 5890 §2.3.2.1)."""
    try:
        unicode = idna.decode(name)
    except idna.IDNAError:
        return name
    return name if unicode == name else f"{name} ({unicode})"


def _wrapped(line: str, columns: int) -> list[str]:
    """Lines that fit. What others said stays marked as such on every one of them (`  | `, see the templates)."""
    indent = line[: len(line) - len(line.lstrip(" "))][: columns // 2]
    if line.startswith(_QUOTED):
        indent = _QUOTED
    parts = textwrap.wrap(line, columns, subsequent_indent=indent, replace_whitespace=False, break_on_hyphens=False)
    return parts or [""]


def _canvas(into: BytesIO, notice: RenderedNotice, identity: Identity, size: tuple[float, float]) -> Canvas:
    canvas = Canvas(into, pagesize=size, pageCompression=0, invariant=1, lang="en")
    at = notice.issued_at.astimezone(UTC)
    canvas.setDateFormatter(lambda *_: f"D:{at:%Y%m%d%H%M%S}+00'00'")
    canvas.setTitle(drawn(notice.subject))
    canvas.setAuthor(drawn(identity.organisation))
    canvas.setSubject(drawn(f"{notice.case_ref}, notice {notice.notice_id}"))
    canvas.setCreator("trusted-notifier")
    canvas.setProducer("trusted-notifier")
    return canvas
