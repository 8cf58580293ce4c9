"""Which names a deconfliction entry catches, and which patterns are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier import resources
from notifier.catalog import load_catalog
from notifier.domain.deconfliction import catches, read_pattern
from notifier.domain.names import parse
from notifier.domain.safety import Target, assess
from notifier.errors import Invalid

CATALOG = load_catalog(resources.folder("config"), None, (), frozenset({"smtp", "webhook"}))
SUFFIXES = CATALOG.suffixes


def target(name: str) -> Target:
    return assess(parse(name, SUFFIXES), CATALOG.lists).target


@pytest.mark.parametrize(
    ("pattern", "caught", "free"),
    [
        ("evil-pills.com", ["evil-pills.com", "www.evil-pills.com"], ["evil-pills.org", "not-evil-pills.com"]),
        # What acts on the whole name acts on the one host that is investigated.
        ("drop.evil-pills.com", ["evil-pills.com", "drop.evil-pills.com"], ["evil-pills.net"]),
        ("*.evil-pills.com", ["evil-pills.com", "a.b.evil-pills.com"], ["evil-pills.com.de"]),
        ("evil-pills.blogspot.com", ["evil-pills.blogspot.com"], ["other.blogspot.com"]),
        (
            "cheap-pharma.*",
            ["cheap-pharma.com", "cheap-pharma.co.uk", "cheap-pharma.blogspot.com"],
            ["cheap-pharma1.com"],
        ),
        ("*pills.com", ["globalpills.com", "pills.com"], ["globalpills.org", "pillsbox.com"]),
        ("cheap-*.*", ["cheap-pharma.com", "cheap-meds.org"], ["notcheap-meds.org", "cheap.org"]),
        ("*shop.evil-pills.com", ["evil-pills.com"], ["shop.com"]),
        ("faß.de", ["faß.de", "xn--fa-hia.de"], ["fass.de"]),
        ("EVIL-Pills.COM.", ["evil-pills.com"], []),
    ],
)
def test_catches(pattern: str, caught: list[str], free: list[str]) -> None:
    text = read_pattern(pattern, SUFFIXES).text
    assert [name for name in caught if not catches(text, target(name))] == []
    assert [name for name in free if catches(text, target(name))] == []


WHOLE_SUFFIXES = ["com", "*.com", "co.uk", "*.co.uk", "blogspot.com", "*.blogspot.com", "*", "*.*", "*.*.com", "**.com"]
TOO_OPEN = ["ab*.com", "-*-*-*.com", "*.example.*", "a.b.*", "*ä****.com"]
NO_NAME = ["https://evil.com/x", "1.2.3.4", "", " ", "ev il.com", "*pillen.nosuchtld", "x" * 300 + ".com"]


@pytest.mark.parametrize("pattern", [*WHOLE_SUFFIXES, *TOO_OPEN, *NO_NAME])
def test_refused(pattern: str) -> None:
    with pytest.raises(Invalid) as fault:
        read_pattern(pattern, SUFFIXES)
    assert fault.value.code == "invalid_pattern"


@given(st.text(alphabet="ab-*.c o/:ß\0", max_size=40))
def test_whatever_is_written_is_a_pattern_or_a_clear_fault(raw: str) -> None:
    try:
        pattern = read_pattern(raw, SUFFIXES)
    except Invalid:
        return
    assert read_pattern(pattern.text, SUFFIXES) == pattern
    catches(pattern.text, target("some-pharmacy.com"))
