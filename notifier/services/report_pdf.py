"""A report as PDF, written here: title, numbered pages, tables whose heads repeat, charts as lines, and its data inside.

The same report gives the same bytes, with the same fonts and release of `reportlab`. Its document is an attachment
(ISO 32000-1 §7.11.4), as JSON, so that the file can be verified. Where the machine has DejaVu its letters are used; the
fonts that come with `reportlab` have those of Western Europe only, and another letter is then written as its code point.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from threading import Lock
from typing import Any
from xml.sax.saxutils import escape

from markupsafe import Markup

from notifier.chart_files import Drawing, Text, font_path, parts_of
from notifier.errors import Invalid

_ATTACHED = re.compile(rb"/Type /EmbeddedFile\b.{0,300}?>>\s*stream\r?\n(.*?)\r?\n?endstream", re.DOTALL)
_NAME = "report.json"
_MARGIN = 51  # points: 18 mm
_CHART = 250  # points, of a chart's width; two stand beside each other
_TALLEST = 600  # points, of a chart: less than a page
_ONE = Lock()  # `reportlab` says nothing of threads
_SIMULATED = "Simulated: the time of this database is not real, and no registry acted."


def available() -> bool:
    return find_spec("reportlab") is not None


def attached(content: bytes) -> bytes:
    """The JSON inside of a file that `written` made. Raises ValueError for another."""
    found = _ATTACHED.search(content)
    if found is None:
        raise ValueError("no attachment of ours")
    return found[1]


def written(document: Mapping[str, Any], charts: Mapping[str, Markup]) -> bytes:
    """Raises Invalid where the package is not installed."""
    if not available():
        raise Invalid("PDF files need the extra: pip install 'trusted-notifier[report]'")
    with _ONE:
        return _Paper(document).made(charts)


class _Paper:
    """One document on its way to paper."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        from reportlab.lib import colors
        from reportlab.lib.styles import ParagraphStyle

        self.document = document
        self.regular, self.bold = _fonts()
        body = ParagraphStyle("body", fontName=self.regular, fontSize=9, leading=12.5, spaceAfter=5)
        grey, red = colors.HexColor("#333333"), colors.HexColor("#aa0000")

        def style(name: str, **changes: Any) -> Any:
            return ParagraphStyle(name, body, **changes)

        small = {"fontSize": 7.5, "leading": 9.5, "spaceAfter": 0}
        framed = {"borderColor": red, "borderWidth": 1.5, "borderPadding": 5, "spaceBefore": 6, "spaceAfter": 10}
        self.styles = {
            "body": body,
            "title": style("title", fontName=self.bold, fontSize=17, leading=21, spaceAfter=6),
            "head": style("head", fontName=self.bold, fontSize=12, leading=15, spaceBefore=12, keepWithNext=1),
            "caption": style("caption", fontSize=8, leading=10.5, textColor=grey, keepWithNext=1),
            "cell": style("cell", **small),
            "right": style("right", **small, alignment=2),
            "warning": style("warning", fontName=self.bold, **framed),
            "code": style("code", fontSize=7, leading=9.5, wordWrap="CJK"),
        }

    def text(self, said: object, style: str = "body") -> Any:
        from reportlab.platypus import Paragraph

        return Paragraph(escape(self.drawn(str(said))), self.styles[style])

    def drawn(self, said: str) -> str:
        return "".join(char if char in "\n " or _has(self.regular, char) else f"\\u{{{ord(char):X}}}" for char in said)

    def made(self, charts: Mapping[str, Markup]) -> bytes:
        from reportlab.lib.pagesizes import A4
        from reportlab.pdfgen.canvas import Canvas
        from reportlab.platypus import SimpleDocTemplate

        paper, out = self, BytesIO()
        document = self.document

        class Numbered(Canvas):
            """Pages are kept until their number is known, and each gets its foot."""

            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **{**options, "invariant": 1, "lang": "en"})
                self.kept: list[dict[str, Any]] = []

            def showPage(self) -> None:
                self.kept.append(dict(self.__dict__))
                self._startPage()  # type: ignore[attr-defined]

            def save(self) -> None:
                for number, page in enumerate(self.kept, 1):
                    self.__dict__.update(page)
                    self.setFont(paper.regular, 7)
                    foot = f"{document['title']}, as of {document['about']['as_of'][:16].replace('T', ' ')} UTC"
                    self.drawString(_MARGIN, 30, paper.drawn(foot)[:110])
                    self.drawRightString(A4[0] - _MARGIN, 30, f"page {number} of {len(self.kept)}")
                    super().showPage()
                _attach(self, document)
                super().save()

        SimpleDocTemplate(
            out,
            pagesize=A4,
            leftMargin=_MARGIN,
            rightMargin=_MARGIN,
            topMargin=_MARGIN,
            bottomMargin=_MARGIN,
            title=document["title"],
            author=document["program"]["owner"],
            subject=f"{document['kind']} of {document['program']['id']}",
            creator="trusted-notifier",
        ).build(list(self.story(charts)), canvasmaker=Numbered)
        return out.getvalue()

    def story(self, charts: Mapping[str, Markup]) -> Sequence[Any]:
        document, about = self.document, self.document["about"]
        told = [self.text(document["title"], "title"), self.text(f"As of {about['as_of']}")]
        if about["simulated"]:
            told.append(self.text(_SIMULATED, "warning"))
        told += [self.text(line) for line in document["lead"]]
        told.append(self.text("Intervals are Wilson's at 95 %. * marks fewer than ten."))
        for section in document["sections"]:
            told.append(self.text(section["title"], "head"))
            told += [self.text(line) for line in section["words"]]
            told += self.pictures([charts[key] for key in section["charts"]])
            for one in section["tables"]:
                told += self.table(one)
        told.append(self.text("How to check this", "head"))
        told.append(self.text(f"Figures are of {about['cases']} cases. SHA-256 of their sorted ids, one a line:"))
        told.append(self.text(about["case_list_sha256"], "code"))
        told.append(self.text(f"Rules of the program, and definitions (version {about['definitions']}):"))
        told.append(self.text(about["programs"][about["program"]], "code"))
        if document["checkpoint"]:
            size, root = document["checkpoint"]["size"], document["checkpoint"]["root"]
            told += [
                self.text(f"Newest checkpoint of the audit log when this was made, of size {size}:"),
                self.text(root, "code"),
            ]
        told.append(
            self.text(f"The data is attached to this file as {_NAME}; notifier stats verify computes it again.")
        )
        return told

    def table(self, one: Mapping[str, Any]) -> list[Any]:
        """Its caption and itself. Widths follow from the longest words, so that short numbers do not take the room."""
        from reportlab.lib import colors
        from reportlab.platypus import LongTable, Spacer, TableStyle

        caption = self.text(one["caption"], "caption")
        if not one["rows"]:
            return [caption, self.text(one["empty"])]
        sides = ["right" if right else "cell" for right in one["right"]]
        rows = [[self.text(name, side) for name, side in zip(one["columns"], sides, strict=True)]]
        rows += [[self.text(cell, side) for cell, side in zip(row, sides, strict=True)] for row in one["rows"]]
        grown = LongTable(rows, colWidths=self.widths(one), repeatRows=1, hAlign="LEFT", spaceAfter=8)
        grown.setStyle(
            TableStyle(
                [
                    ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.HexColor("#333333")),
                    ("LINEBELOW", (0, 1), (-1, -1), 0.3, colors.HexColor("#aaaaaa")),
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("LEFTPADDING", (0, 0), (-1, -1), 2),
                    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
                    ("TOPPADDING", (0, 0), (-1, -1), 2),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ]
            )
        )
        return [caption, grown, Spacer(1, 4)]

    def widths(self, one: Mapping[str, Any]) -> list[float]:
        """As wide as the longest cell where there is room for all, else no narrower than the longest word."""
        from reportlab.lib.pagesizes import A4
        from reportlab.pdfbase.pdfmetrics import stringWidth

        room = A4[0] - 2 * _MARGIN
        size = self.styles["cell"].fontSize

        def wide(said: str) -> float:
            return float(stringWidth(self.drawn(said), self.regular, size)) + 7

        columns = [[str(cell) for cell in column] for column in zip(one["columns"], *one["rows"], strict=True)]
        full = [max(wide(cell) for cell in column) for column in columns]
        if sum(full) <= room:
            return full
        least = [min(max(wide(word) for cell in column for word in cell.split() or [""]), 120) for column in columns]
        if sum(least) >= room:
            return [width * room / sum(least) for width in least]
        spare, more = room - sum(least), sum(full) - sum(least)
        return [low + (high - low) * spare / more for low, high in zip(least, full, strict=True)]

    def pictures(self, charts: Sequence[Markup]) -> list[Any]:
        """Charts in pairs, each below its title."""
        from reportlab.platypus import KeepTogether, Spacer, Table, TableStyle

        drawn = [[self.text(d.title, "caption"), _picture(d, self)] for d in map(parts_of, charts)]
        told: list[Any] = []
        for first in range(0, len(drawn), 2):
            pair = drawn[first : first + 2]
            grown = Table([[*pair, *([""] * (2 - len(pair)))]], colWidths=[_CHART] * 2, hAlign="LEFT")
            grown.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]))
            told += [KeepTogether([grown]), Spacer(1, 6)]
        return told


def _picture(drawing: Drawing, paper: _Paper) -> Any:
    """A chart as something that stands on a page."""
    from reportlab.lib import colors
    from reportlab.platypus import Flowable

    scale = min((_CHART - 16) / drawing.width, _TALLEST / drawing.height)

    class Picture(Flowable):
        def __init__(self) -> None:
            super().__init__()
            self.width, self.height = drawing.width * scale, drawing.height * scale

        def wrap(self, *_: object) -> tuple[float, float]:
            return self.width, self.height

        def draw(self) -> None:
            canvas = self.canv
            canvas.saveState()
            canvas.translate(0, self.height)
            canvas.scale(scale, scale)
            for part in drawing.parts:
                if isinstance(part, Text):
                    canvas.setFillColor(colors.HexColor(part.colour))
                    canvas.setFont(paper.regular, part.size)
                    say = {"start": canvas.drawString, "mid": canvas.drawCentredString, "end": canvas.drawRightString}
                    say[part.anchor](part.x, -part.y, paper.drawn(part.text))
                    continue
                canvas.setLineWidth(part.width)
                if part.fill:
                    canvas.setFillColor(colors.HexColor(part.fill), alpha=part.opacity)
                if part.stroke:
                    canvas.setStrokeColor(colors.HexColor(part.stroke))
                for run in part.runs:
                    if part.radius:
                        canvas.circle(run[0][0], -run[0][1], part.radius, stroke=int(bool(part.stroke)), fill=1)
                        continue
                    path = canvas.beginPath()
                    path.moveTo(run[0][0], -run[0][1])
                    for x, y in run[1:]:
                        path.lineTo(x, -y)
                    if part.closed:
                        path.close()
                    canvas.drawPath(path, stroke=int(bool(part.stroke)), fill=int(part.closed and bool(part.fill)))
                if part.opacity < 1:
                    canvas.setFillAlpha(1)
            canvas.restoreState()

    return Picture()


def _attach(canvas: Any, document: Mapping[str, Any]) -> None:
    """The document as an attachment, not compressed: its JSON has no line break, so that its end is plain."""
    from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFStream, PDFString

    content = json.dumps(document).encode() + b"\n"
    kind = PDFDictionary({"Type": PDFName("EmbeddedFile")})
    made = canvas._doc.Reference(PDFStream(kind, content, filters=[]), "attached-data")
    named = PDFDictionary(
        {
            "Type": PDFName("Filespec"),
            "F": PDFString(_NAME),
            "UF": PDFString(_NAME),
            "Desc": PDFString("the data of this report"),
            "EF": PDFDictionary({"F": made}),
        }
    )
    tree = PDFDictionary({"Names": PDFArray([PDFString(_NAME), canvas._doc.Reference(named, "attached-file")])})
    canvas._doc.Catalog.Names = PDFDictionary({"EmbeddedFiles": tree})


@cache
def _fonts() -> tuple[str, str]:
    """Names of a regular and a bold font, registered."""
    import reportlab
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    own = f"{reportlab.__path__[0]}/fonts"
    regular, bold = font_path("DejaVuSans.ttf"), font_path("DejaVuSans-Bold.ttf")
    paths = (regular, bold) if regular and bold else (f"{own}/Vera.ttf", f"{own}/VeraBd.ttf")
    for name, path in zip(("Report", "Report-Bold"), paths, strict=True):
        pdfmetrics.registerFont(TTFont(name, path))
    return "Report", "Report-Bold"


@cache
def _has(font: str, char: str) -> bool:
    from reportlab.pdfbase import pdfmetrics

    return char.isprintable() and ord(char) in pdfmetrics.getFont(font).face.charToGlyph  # type: ignore[attr-defined]
