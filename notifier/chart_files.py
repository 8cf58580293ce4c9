"""Our charts outside of a page: as SVG files, as PNG, and as shapes that a PDF draws.

Only what `charts` draws is understood: texts, rectangles, circles, and paths of M, H, V, L, v and Z.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from notifier.charts import COLOURS, STYLE
from notifier.errors import Invalid

_SCALE, _FINE = 2, 2  # a PNG has twice the chart's units, and is drawn twice as large again, for smooth edges
_PAD = 8  # around the chart; marks and texts may reach over its box
_HEAD, _TITLE_AT = 30, -12  # above it, where the title stands
_FONTS = (
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/dejavu-sans-fonts",
    "/usr/share/fonts/TTF",
    "/Library/Fonts",
)
_PATH = re.compile(r"([MHVLvZ])([^MHVLvZ]*)")
# Fill, stroke, width of the stroke, opacity; None: not drawn.
_LOOKS: dict[str, tuple[str | None, str | None, float, float]] = {
    "rest": ("page", "line", 1, 1),
    "bar": ("act", None, 0, 1),
    "grid": (None, "line", 1, 1),
    "axis": (None, "firm", 1, 1),
    "interval": (None, "act", 4, 1),
    "point": ("page", "act", 3, 1),
    "band": ("act", None, 0, 0.16),
    "step": (None, "act", 2.5, 1),
    "mark": (None, "text", 1, 1),
}


@dataclass(frozen=True, slots=True)
class Text:
    """`anchor`: start, mid or end."""

    x: float
    y: float
    text: str
    anchor: str
    colour: str
    size: float = 13


@dataclass(frozen=True, slots=True)
class Shape:
    """Lines through points, each run of them by itself; `closed` ones may be filled. A circle is one point with a radius."""

    runs: tuple[tuple[tuple[float, float], ...], ...]
    closed: bool
    fill: str | None
    stroke: str | None
    width: float
    opacity: float
    radius: float = 0


@dataclass(frozen=True, slots=True)
class Drawing:
    """`title` and `told`: what a reader who does not see it is told."""

    width: float
    height: float
    title: str
    told: str
    parts: tuple[Text | Shape, ...]


def parts_of(svg: str) -> Drawing:
    """A chart of ours as shapes. Raises ValueError for anything else."""
    root = ElementTree.fromstring(svg)  # noqa: S314 (drawn by ourselves)
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    title, told = root.findtext("title") or "", root.findtext("desc") or ""
    return Drawing(width, height, title, told, tuple(_parts(root)))


def _parts(root: ElementTree.Element) -> Iterator[Text | Shape]:
    for one in root:
        at = one.attrib
        if one.tag == "text":
            kind = at.get("class", "start")
            anchor = {"n": "end", "mid": "mid"}.get(kind, "start")
            yield Text(
                float(at["x"]), float(at["y"]), one.text or "", anchor, COLOURS["soft" if kind == "soft" else "text"]
            )
            continue
        if one.tag in ("title", "desc"):
            continue
        fill, stroke, width, opacity = _LOOKS[at["class"]]
        look = (COLOURS[fill] if fill else None, COLOURS[stroke] if stroke else None, width, opacity)
        if one.tag == "rect":
            x, y, w, h = (float(at[name]) for name in ("x", "y", "width", "height"))
            if w == 0:
                continue  # a line of no width would still be seen
            yield Shape((((x, y), (x + w, y), (x + w, y + h), (x, y + h)),), True, *look)
        elif one.tag == "circle":
            yield Shape((((float(at["cx"]), float(at["cy"])),),), True, *look, radius=float(at["r"]))
        elif one.tag == "path":
            yield Shape(tuple(_runs(at["d"])), "Z" in at["d"], *look)
        else:
            raise ValueError(f"a chart has no {one.tag}")


def _runs(path: str) -> Iterator[tuple[tuple[float, float], ...]]:
    run: list[tuple[float, float]] = []
    x = y = 0.0
    for letter, rest in _PATH.findall(path):
        numbers = [float(number) for number in rest.replace(",", " ").split()]
        match letter:
            case "M":
                if run:
                    yield tuple(run)
                x, y = numbers
                run = [(x, y)]
                continue
            case "H":
                (x,) = numbers
            case "V":
                (y,) = numbers
            case "L":
                x, y = numbers
            case "v":
                y += numbers[0]
            case "Z":
                continue
        run.append((x, y))
    if run:
        yield tuple(run)


# --- files ----------------------------------------------------------------------------------------------------------


def svg_file(svg: str) -> bytes:
    """A chart as a file of its own, with its colours and its title in it."""
    drawn = parts_of(svg)
    width, height = drawn.width + 2 * _PAD, drawn.height + _HEAD + _PAD
    begun, _, rest = str(svg).partition(">")
    begun = re.sub(r'viewBox="[^"]*"', f'viewBox="{-_PAD} {-_HEAD} {width:g} {height:g}"', begun)
    begun = begun.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" ')
    style = STYLE.replace("width: 100%; max-width: 34rem; height: auto; ", "")
    title = f'<text x="0" y="{_TITLE_AT}" font-weight="bold">{escape(drawn.title)}</text>'
    return f"{begun}><style>{style}</style>{rest.removesuffix('</svg>')}{title}</svg>\n".encode()


def png_available() -> bool:
    return find_spec("PIL") is not None


def png_file(svg: str) -> bytes:
    """A chart as a picture on white. Raises Invalid where the package that draws it is not installed."""
    if not png_available():
        raise Invalid("PNG files need the extra: pip install 'trusted-notifier[report]'")
    from PIL import Image, ImageColor, ImageDraw

    drawn, unit = parts_of(svg), _SCALE * _FINE
    size = (round((drawn.width + 2 * _PAD) * unit), round((drawn.height + _HEAD + _PAD) * unit))
    image = Image.new("RGB", size, "#ffffff")

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return (point[0] + _PAD) * unit, (point[1] + _HEAD) * unit

    for part in (*drawn.parts, Text(0, _TITLE_AT, drawn.title, "start", COLOURS["text"])):
        layer = ImageDraw.Draw(image, "RGBA")
        if isinstance(part, Text):
            anchor = {"start": "ls", "mid": "ms", "end": "rs"}[part.anchor]
            layer.text(
                at((part.x, part.y)), part.text, fill=part.colour, font=_font(round(part.size * unit)), anchor=anchor
            )
            continue
        fill = part.fill and (*ImageColor.getrgb(part.fill)[:3], round(255 * part.opacity))
        for run in part.runs:
            points, width = [at(point) for point in run], round(part.width * unit)
            if part.radius:
                (x, y), r = points[0], (part.radius + part.width / 2) * unit
                layer.ellipse((x - r, y - r, x + r, y + r), fill=fill, outline=part.stroke, width=width)
            elif part.closed:
                layer.polygon(points, fill=fill, outline=part.stroke, width=width or 1)
            elif part.stroke is not None:
                layer.line(points, fill=part.stroke, width=width, joint="curve")
    out = BytesIO()
    image.resize((size[0] // _FINE, size[1] // _FINE), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    path = font_path("DejaVuSans.ttf")
    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)


def font_path(name: str) -> str | None:
    """A font of the machine that has more letters than those of the Western alphabets; None: there is none."""
    found = (Path(folder) / name for folder in _FONTS)
    return next((str(path) for path in found if path.is_file()), None)
