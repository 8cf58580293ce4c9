"""Charts as SVG, drawn on the server: bars, shares with their intervals, and step curves with bands.

Written here and not by a library: three shapes are needed, as text, with classes that the stylesheet colours for light
and dark, a title and a description for screen readers, and no style of their own, which our policy forbids. A charting
library brings a hundred megabytes and draws pictures that keep none of that. Each chart stands above the table of its
numbers: the chart shows the shape, and the table tells.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import TypeAlias, TypeVar

from markupsafe import Markup

from notifier.domain.survival import Curve

# By class, for a chart that stands outside of our pages: in a report, or as a file. It is read on paper too.
COLOURS = {
    "text": "#1b1b1b",
    "soft": "#565c65",
    "line": "#a9aeb1",
    "firm": "#565c65",
    "act": "#1a5c8f",
    "page": "#ffffff",
}
STYLE = """.chart { display: block; width: 100%; max-width: 34rem; height: auto; overflow: visible; font-family: sans-serif; }
.chart text { fill: #1b1b1b; font-size: 13px; } .chart text.n { text-anchor: end; } .chart text.mid { text-anchor: middle; }
.chart text.soft { fill: #565c65; } .chart .rest { fill: #ffffff; stroke: #a9aeb1; } .chart .bar { fill: #1a5c8f; }
.chart .grid { stroke: #a9aeb1; fill: none; } .chart .axis { stroke: #565c65; fill: none; }
.chart .interval { stroke: #1a5c8f; stroke-width: 4; stroke-linecap: round; }
.chart .point { fill: #ffffff; stroke: #1a5c8f; stroke-width: 3; } .chart .band { fill: #1a5c8f; opacity: 0.16; }
.chart .step { stroke: #1a5c8f; stroke-width: 2.5; fill: none; } .chart .mark { stroke: #1b1b1b; fill: none; }"""

_WIDTH = 400
_UNITS = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0), ("seconds", 1.0))
_ROW, _BAR = 40, 12
_LETTERS = 41  # of a row on a phone, where they are largest
_TICKS = 4

_Scale: TypeAlias = Callable[[float], float]
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what it is of, how long, and the number as words."""

    label: str
    value: float
    words: str


@dataclass(frozen=True, slots=True)
class Span:
    """A share in 0..1 within its interval. `share` None: of nothing; there is no point then."""

    label: str
    share: float | None
    low: float
    high: float
    words: str


@dataclass(frozen=True, slots=True)
class Risk:
    """A time of a curve as its table tells it: how many are known to last until then, and the share that had it, in its
    band. None: there is no band there."""

    time: float
    label: str
    at_risk: int
    had: float
    low: float | None
    high: float | None


def bars(key: str, title: str, told: str, rows: Sequence[Bar]) -> Markup:
    """Bars below each other, all to one scale that begins at nothing; each is named and numbered."""
    most = max((row.value for row in rows), default=0) or 1
    drawn = [
        Markup('<text x="0" y="{}">{}</text><text class="n" x="{}" y="{}">{}</text>').format(
            top + 14, _fitting(row.label, row.words), _WIDTH, top + 14, row.words
        )
        + Markup('<rect class="rest" x="0" y="{}" width="{}" height="{}"/>').format(top + 20, _WIDTH, _BAR)
        + Markup('<rect class="bar" x="0" y="{}" width="{}" height="{}"/>').format(
            top + 20, _px(_WIDTH * row.value / most), _BAR
        )
        for top, row in _tops(rows)
    ]
    return _svg(key, title, told, len(rows) * _ROW, drawn)


def spans(key: str, title: str, told: str, rows: Sequence[Span]) -> Markup:
    """Shares as points on lines from 0 to 100 %, each within its interval."""
    drawn = []
    for top, row in _tops(rows):
        y = top + 26
        drawn.append(
            Markup('<text x="0" y="{}">{}</text><text class="n" x="{}" y="{}">{}</text>').format(
                top + 14, _fitting(row.label, row.words), _WIDTH, top + 14, row.words
            )
            + Markup('<path class="grid" d="M0 {}H{}"/>').format(y, _WIDTH)
            + Markup('<path class="interval" d="M{} {}H{}"/>').format(_px(_WIDTH * row.low), y, _px(_WIDTH * row.high))
        )
        if row.share is not None:
            at = 5 + (_WIDTH - 10) * row.share  # whole at both ends
            drawn.append(Markup('<circle class="point" cx="{}" cy="{}" r="5"/>').format(_px(at), y))
    return _svg(key, title, told, len(rows) * _ROW, drawn)


# --- curves -------------------------------------------------------------------------------------------------------

_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 40, 392, 8, 168, 226


def risks(curve: Curve) -> list[Risk]:
    """The times that a curve's axis and its table name: the beginning, some round ones, and the last that is known."""
    last = _end(curve)
    name, size = _unit(last)
    step = _round_step(last / size / _TICKS) * size if last > 0 else 1.0
    times = [n * step for n in range(floor(last / step) + 1)] if last > 0 else [0.0]
    if last - times[-1] > step / 3:
        times.append(last)
    found = []
    for time in times:
        point = next((p for p in reversed(curve.points) if p.time <= time and p.events), None)
        had: float = 0.0
        low: float | None = 0.0
        high: float | None = 0.0
        if point is not None:
            had = 1 - point.lasting
            low, high = (None if edge is None else 1 - edge for edge in (point.high, point.low))
        found.append(Risk(time, f"{time / size:.3g} {name}", curve.at_risk(time), had, low, high))
    return found


def curve(key: str, title: str, told: str, found: Curve) -> Markup:
    """The share that had it by a time, as steps within their band, and how many are still at risk below the axis.

    Marks on the line: it is not known of these any longer, since it has not happened yet.
    """
    table = risks(found)
    last = _end(found) or 1.0
    _, size = _unit(last)

    def x(time: float) -> float:
        return _px(_LEFT + (_RIGHT - _LEFT) * time / last)

    def y(share: float) -> float:
        return _px(_BOTTOM - (_BOTTOM - _TOP) * share)

    drawn: list[Markup] = []
    for percent in (0, 50, 100):
        level = y(percent / 100)
        drawn.append(Markup('<path class="grid" d="M{} {}H{}"/>').format(_LEFT, level, _RIGHT))
        drawn.append(Markup('<text class="n" x="{}" y="{}">{} %</text>').format(_LEFT - 5, level + 4, percent))
    for risk in table:
        anchor = "start" if risk.time == 0 else "n" if x(risk.time) > _RIGHT - 20 else "mid"
        drawn.append(Markup('<path class="axis" d="M{} {}v5"/>').format(x(risk.time), _BOTTOM))
        words = f"{risk.time / size:.3g}"
        drawn.append(Markup('<text class="{}" x="{}" y="{}">{}</text>').format(anchor, x(risk.time), 187, words))
        drawn.append(Markup('<text class="{}" x="{}" y="{}">{}</text>').format(anchor, x(risk.time), 222, risk.at_risk))
    drawn.append(
        Markup('<text class="soft" x="{}" y="205">{}; below: still at risk</text>').format(_LEFT, _unit(last)[0])
    )
    steps = _thinned(found, x, last)
    if band := _band(steps, x, y, last):
        drawn.append(Markup('<path class="band" d="{}"/>').format(band))
    line, marks, level = f"M{_LEFT} {y(0)}", [], 0.0
    for point in steps:
        level = 1 - point.lasting
        line += f"H{x(point.time)}V{y(level)}"
        if point.censored:
            marks.append(f"M{x(point.time)} {_px(y(level) - 4)}v8")
    drawn.append(Markup('<path class="step" d="{}"/>').format(line + f"H{x(last)}"))
    if marks:
        drawn.append(Markup('<path class="mark" d="{}"/>').format("".join(marks)))
    drawn.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(_LEFT, _BOTTOM, _RIGHT))
    return _svg(key, title, told, _HEIGHT, drawn)


def _end(found: Curve) -> float:
    """Where the axis ends: a while after the last time that it happened. What lasts far longer would squeeze the rest."""
    events = [point.time for point in found.points if point.events]
    last = found.points[-1].time if found.points else 0.0
    return min(last, 1.25 * events[-1]) if events and events[-1] > 0 else last


@dataclass(frozen=True, slots=True)
class _Step:
    time: float
    lasting: float
    low: float | None
    high: float | None
    censored: bool


def _thinned(found: Curve, x: _Scale, end: float) -> list[_Step]:
    """A step for each unit of the drawing at most: a curve over a million cases is no longer than the eye can see."""
    made: list[_Step] = []
    for point in found.points:
        if point.time > end:
            break
        censored = point.censored > 0
        if made and floor(x(made[-1].time)) == floor(x(point.time)):
            censored = made.pop().censored or censored
        made.append(_Step(point.time, point.lasting, point.low, point.high, censored))
    return made


def _band(steps: Sequence[_Step], x: _Scale, y: _Scale, end: float) -> str:
    """The outline of the band, as far as it exists: where nobody is left there is none."""
    upper, lower = f"M{x(0)} {y(0)}", []
    before = y(0)
    for step in steps:
        if step.low is None or step.high is None:
            upper += f"H{x(step.time)}"
            lower.append(f"L{x(step.time)} {before}")
            break
        upper += f"H{x(step.time)}V{y(1 - step.low)}"
        lower += [f"L{x(step.time)} {before}", f"L{x(step.time)} {y(1 - step.high)}"]
        before = y(1 - step.high)
    else:
        upper += f"H{x(end)}"
        lower.append(f"L{x(end)} {before}")
    return f"{upper}{''.join(reversed(lower))}Z" if steps else ""


# --- what all have ------------------------------------------------------------------------------------------------


def _svg(key: str, title: str, told: str, height: int, drawn: Iterable[Markup]) -> Markup:
    return (
        Markup(
            '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title {}-told">'
            '<title id="{}-title">{}</title><desc id="{}-told">{}</desc>'
        ).format(_WIDTH, max(height, 1), key, key, key, title, key, told)
        + Markup("").join(drawn)
        + Markup("</svg>")
    )


def _tops(rows: Sequence[_Row]) -> Iterator[tuple[int, _Row]]:
    return ((n * _ROW, row) for n, row in enumerate(rows))


def _fitting(label: str, words: str) -> str:
    """As much of a label as fits beside its number; tables have all. Most of its end stays, which tells it from others."""
    room = _LETTERS - len(words)
    tail = room * 5 // 6
    return label if len(label) <= room else f"{label[: room - tail - 1]}…{label[-tail:]}"


def _unit(seconds: float) -> tuple[str, float]:
    return next(((name, size) for name, size in _UNITS if seconds >= 2 * size), _UNITS[-1])


def _round_step(rough: float) -> float:
    """The next number of the kind 1, 2, 5 times a power of ten."""
    power = 10.0 ** floor(log10(rough))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough)


def _px(value: float) -> float:
    return round(value, 1)
