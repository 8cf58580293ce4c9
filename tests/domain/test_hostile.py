"""Text from outside, made safe: the table is by hand, the properties by hypothesis."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.hostile import defang, lines, one_line, spelled


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Film\r\nBcc: x@y", "Film Bcc: x@y"),
        ("ends in a break\n", "ends in a break"),
        ("a\tb\x00c\x1b[0m\x7f", "a bc[0m"),
        ("a\u2028b\u2029c\x85d\x0be", "a b c d e"),
        ("\u202egnp", "[U+202E]gnp"),
        ("zero\u200bwidth\ufeff", "zero[U+200B]width[U+FEFF]"),
        ("tag\U000e0041", "tag[U+E0041]"),
        ("a filler\u115f that counts as a letter", "a filler[U+115F] that counts as a letter"),
        ("lone \ud800 one", "lone one"),
        ("日本語 ß", "日本語 ß"),
        ("", ""),
    ],
)
def test_one_line(text: str, expected: str) -> None:
    assert one_line(text) == expected


def test_a_cut_line_says_so() -> None:
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("abcd", 4) == "abcd"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.example/x.html", "hxxps://a[.]example/x.html"),
        ("see HTTP://A.Example now", "see hxxp://A[.]Example now"),
        ("ftp://a.example", "fxp://a[.]example"),
        ("javascript://a.example", "javascript[:]//a[.]example"),
        ("www.a.example", "www[.]a.example"),
        ("https://www.a.example", "hxxps://www[.]a[.]example"),
        ("https:/a.example", "hxxps://a[.]example"),
        ("https:///a.example", "hxxps://a[.]example"),
        ("a" * 40 + "http://b.example", "a" * 40 + "http[:]//b[.]example"),
        ("hxxps://a[.]example/x", "hxxps://a[.]example/x"),
        ("://a.example", "[:]//a[.]example"),
        ("no link 10:30", "no link 10:30"),
    ],
)
def test_defang(text: str, expected: str) -> None:
    assert defang(text) == expected


def test_a_name_is_spelled_so_that_a_wrong_letter_is_seen() -> None:
    assert spelled("zoom.us", "zoom.us") == "z o o m . u s"
    assert spelled("xn--ggle-55da.com", "gооgle.com") == "U+043E CYRILLIC SMALL LETTER O"
    assert spelled("xn--fa-hia.de", "faß.de") == "U+00DF LATIN SMALL LETTER SHARP S"


@given(st.text(), st.none() | st.integers(min_value=1, max_value=50))
def test_a_header_is_always_one_clean_line(text: str, limit: int | None) -> None:
    made = one_line(text, limit)
    assert len(made.splitlines()) <= 1
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in made)
    assert limit is None or len(made) <= limit
    assert one_line(made) == made


@given(st.text())
def test_lines_encode_and_hold_no_break(text: str) -> None:
    for line in lines(text):
        line.encode("utf-8")
        assert len(line.splitlines()) <= 1


@given(st.text(alphabet="htps:/w.ax \n"))
def test_nothing_clickable_is_left(text: str) -> None:
    made = defang(text)
    assert "http:/" not in made
    assert "https:/" not in made
    assert defang(made) == made
