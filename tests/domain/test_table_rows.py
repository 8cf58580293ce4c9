"""CSV cells that no spreadsheet runs, and numbers that stay numbers."""

import csv
import io

import pytest

from notifier.domain.table_rows import Cell, csv_text, safe_cell


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\n=x", "  =1", '=HYPERLINK("http://a")', "|x", "%x"]
)
def test_no_text_is_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (False, "false"), (3, "3"), (0.1, "0.1"), (-1, "-1"), ("a=b", "a=b"), ("", "")],
)
def test_the_rest_is_as_it_is(value: Cell, text: str) -> None:
    assert safe_cell(value) == text


def test_what_is_written_is_read_back() -> None:
    text = csv_text(("a", "b"), [{"a": 'x,"y"\nz', "b": 1}, {"a": "=2"}])
    assert text.endswith("\r\n")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["a", "b"], ['x,"y"\nz', "1"], ["'=2", ""]]
