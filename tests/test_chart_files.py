"""Charts as files: well formed, with their titles, and in their colours."""

import io
import sys
from xml.etree import ElementTree

import pytest
from PIL import Image

from notifier import chart_files, charts, resources
from notifier.catalog.load import load_catalog
from notifier.chart_files import Shape, Text
from notifier.charts import COLOURS, STYLE, Bar, Span
from notifier.domain.survival import Duration, kaplan_meier
from notifier.errors import Invalid

CHARTS = {
    "bars": charts.bars("b", "A <title> & more", "told", [Bar("one", 1, "1"), Bar("none", 0, "0")]),
    "spans": charts.spans("s", "Shares", "told", [Span("a", 0.5, 0.2, 0.9, "1 of 2"), Span("b", None, 0, 1, "0 of 0")]),
    "curve": charts.curve(
        "c", "Times", "told", kaplan_meier([Duration(3600, True), Duration(7200, False), Duration(9000, True)])
    ),
    "nothing": charts.curve("n", "Nothing", "told", kaplan_meier([])),
}


@pytest.mark.parametrize("name", list(CHARTS))
def test_each_chart_is_a_file_of_its_own(name: str) -> None:
    svg = chart_files.svg_file(CHARTS[name])
    root = ElementTree.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg"
    title, told = root.find(f"{space}title"), root.find(f"{space}desc")
    assert title is not None
    assert told is not None
    assert root.attrib["aria-labelledby"] == f"{title.attrib['id']} {told.attrib['id']}"
    assert root.findall(f"{space}text")[-1].text == title.text, "it is seen too"
    picture = Image.open(io.BytesIO(chart_files.png_file(CHARTS[name])))
    assert picture.format == "PNG"
    assert picture.size == (2 * int(float(root.attrib["width"])), 2 * int(float(root.attrib["height"])))


def test_a_picture_shows_its_bars_where_they_are() -> None:
    picture = Image.open(io.BytesIO(chart_files.png_file(CHARTS["bars"]))).convert("RGB")
    # The first bar fills its row from x 0 to 400 at y 20 to 32; the second is empty.
    full, empty = picture.getpixel((2 * (8 + 200), 2 * (30 + 26))), picture.getpixel((2 * (8 + 200), 2 * (30 + 66)))
    assert (full, empty) == ((0x1A, 0x5C, 0x8F), (255, 255, 255))


def test_shapes_by_hand() -> None:
    drawn = chart_files.parts_of(CHARTS["spans"])
    texts = [part.text for part in drawn.parts if isinstance(part, Text)]
    assert texts == ["a", "1 of 2", "b", "0 of 0"]
    lines = [part.runs for part in drawn.parts if isinstance(part, Shape)]
    assert lines[0] == (((0.0, 26.0), (400.0, 26.0)),)
    assert lines[1] == (((80.0, 26.0), (360.0, 26.0)),)
    assert (drawn.title, drawn.told) == ("Shares", "told")
    curve = [part for part in chart_files.parts_of(CHARTS["curve"]).parts if isinstance(part, Shape)]
    assert curve[3].runs == (((40.0, 168.0), (40.0, 173.0)),), "the first tick, below the axis"
    assert [part.closed for part in curve if part.opacity < 1] == [True], "the band alone is filled"


@pytest.mark.parametrize("words", ["0", "12,345", "9 of 10: 90.0 %"])
def test_no_label_runs_over_its_number(words: str) -> None:
    """Of all registries, the widest that a page has. Beside a plain number each can still be told from the others."""
    labels = [
        f"{registry}: {what}"
        for registry in load_catalog(resources.folder("config")).registries
        for what in ("opened", "closed")
    ]
    bars = charts.bars("b", "Opened and closed", "told", [Bar(label, 1, words) for label in labels])
    found = [part for part in chart_files.parts_of(bars).parts if isinstance(part, Text)]
    assert [part.text for part in found[1::2]] == [words] * len(labels)
    shown = [part.text for part in found[::2]]
    assert len(set(shown)) == len(labels) or " of " in words
    assert max(map(len, labels)) > max(map(len, shown))
    font = chart_files._font(16)  # as on a phone
    for label, text in zip(labels, shown, strict=True):
        assert font.getlength(text) + font.getlength(words) < 400, text
        assert text.endswith(label[-12:])
    long = "government-of-the-kingdom-of-tonga-h-r-h-crown-prince: opened"
    (text,) = (part for part in chart_files.parts_of(charts.bars("b", "t", "d", [Bar(long, 1, "0")])).parts[:1])
    assert isinstance(text, Text)
    assert text.text == "govern…-tonga-h-r-h-crown-prince: opened"


def test_the_style_has_the_colours_that_shapes_have() -> None:
    assert {colour for colour in COLOURS.values() if colour not in STYLE} == set()


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifier.chart_files.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Invalid, match=r"trusted-notifier\[report\]"):
        chart_files.png_file(CHARTS["bars"])


def test_only_our_own_charts_are_drawn() -> None:
    with pytest.raises(ValueError, match="no script"):
        chart_files.parts_of('<svg viewBox="0 0 1 1"><script class="bar"/></svg>')
