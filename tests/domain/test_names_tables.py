"""The standards' own test vectors, and every difference from them by class and number: none is another name.

The tables hold one row of each kind; `tests/domain/tables/derive.py FILE --check` counts the same classes over the
whole file. Of Unicode's 6,389 rows and 406 web addresses none came out as `other name`.
"""

import unicodedata

import pytest

from tests.domain.tables.reading import Row, idna_class, outcome, rows, tally, url_class

IDNA, URLS = rows("idna"), rows("urls")

# Categories that RFC 5892 2.1 lets into a label.
_LETTER_DIGITS = frozenset({"Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc"})


def test_every_row_of_uts46_is_answered_alike_or_differs_for_a_known_reason() -> None:
    assert tally(map(idna_class, IDNA)) == {
        "valid: the same": 184,
        # Symbols, emoji and the like. If such a name exists it can be reported by its A-label.
        "valid: refused, not in IDNA2008": 69,
        "valid: refused, one word has no registrable name": 111,
        "faulty: refused": 374,
        # Names that exist break the rules for new ones: the A-label is the identity, kept and shown as it is.
        "faulty: ASCII is kept as it is": 193,
        # A label of digits beside one that is written from right to left; each is valid alone (RFC 5893 is advice).
        "faulty: direction judged for each label alone": 2,
        "faulty: hyphens in third and fourth place of an ASCII label": 1,
    }


@pytest.mark.parametrize("row", [row for row in IDNA if idna_class(row) == "valid: refused, not in IDNA2008"])
def test_what_we_refuse_and_uts46_takes_has_a_character_that_idna2008_disallows(row: Row) -> None:
    assert row.expected is not None
    labels = [
        label[4:].encode().decode("punycode") if label.startswith("xn--") else label
        for label in row.expected.split(".")
    ]
    assert any(unicodedata.category(c) not in _LETTER_DIGITS for label in labels for c in label if c != "-")


def test_a_faulty_name_in_unicode_is_never_taken_but_for_direction_and_hyphens() -> None:
    taken = [row for row in IDNA if row.faults and not row.source.isascii() and idna_class(row) != "faulty: refused"]
    assert {fault for row in taken for fault in row.faults} <= {"B1", "B6", "V2"}


def test_every_web_address_leads_where_browsers_go_or_is_refused() -> None:
    assert tally(map(url_class, URLS)) == {
        "the same": 18,
        "browsers fail: refused": 186,
        "browsers fail: A-label kept as it is": 6,
        "browsers fail: brackets or quotes around the host left out": 1,  # http://[google.com]: a way of defanging
        # User names and backslashes: a browser takes one reading, a person or another program the other.
        "refused: ambiguous_host": 14,
        "refused: invalid_name": 19,
        "refused: ip_not_domain": 22,
        "refused: no_host": 9,
        "refused: public_suffix": 17,  # one word, for this suffix list knows no other
    }


@pytest.mark.parametrize("row", [row for row in URLS if url_class(row) == "refused: ip_not_domain"])
def test_what_we_call_an_address_is_one_to_browsers(row: Row) -> None:
    assert row.expected is not None
    assert row.expected.startswith("[") or row.expected.replace(".", "").isdigit()


def test_the_tables_can_fail() -> None:
    assert idna_class(Row("faß.de", "fass.de")) == "other name"
    assert url_class(Row("http://evil.com/", "good.com")) == "other name"
    assert url_class(Row("http://evil.com/", None)) == "other name"
    assert outcome("http://faß.de/") != outcome("http://fass.de/")
