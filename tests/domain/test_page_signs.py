"""Account ids and icons of pages. Forms of the ids: the services' own snippets, as their help pages print them."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.page_signs import MAX_CHARS, MAX_ICON, MAX_IDS, account_ids, icon_address, icon_digest

BLNS = Path(__file__).parents[3] / "shared" / "data" / "hostile_strings" / "blns" / "blns.json"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('<script src="https://www.googletagmanager.com/gtag/js?id=G-7KQ2M4XW9Z">', ["ga4:G-7KQ2M4XW9Z"]),
        ("gtag('config', 'G-7KQ2M4XW9Z'); gtag('config', 'G-7KQ2M4XW9Z')", ["ga4:G-7KQ2M4XW9Z"]),
        ("ga('create', 'UA-8765432-2', 'auto')", ["ua:UA-8765432"]),  # the account, whichever property
        ("(window,document,'script','dataLayer','GTM-WX7Z12')", ["gtm:GTM-WX7Z12"]),
        ("gtag('config', 'AW-9876543210')", ["ads:AW-9876543210"]),
        ('data-ad-client="ca-pub-9876543210987650"', ["adsense:pub-9876543210987650"]),
        ("fbq('init', '987654321098765');", ["pixel:987654321098765"]),
        ('ym(98712345, "init", {clickmap:true});', ["metrika:98712345"]),
        ('<img src="https://mc.yandex.ru/watch/98712345" alt="">', ["metrika:98712345"]),
        ("var u='//Stats.example.net/'; _paq.push(['setSiteId', '7']);", ["matomo:stats.example.net#7"]),
        ("_paq.push(['setSiteId', '7']);", []),  # a number without its server is anybody's
        ("part G-7KQ2M4XW9Z of catalogue GTM-WX7Z12", []),  # no snippet
        ("gtag('config', 'G-XXXXXXXXXX'); 'UA-XXXXX-Y'; 'UA-1234567-1'; 'UA-0000000-1'", []),  # of documentation
        ("'G-7KQ2M4XW9Z-AND-MORE' 'G-7KQ2M4XW9ZABCDEFG'", []),
        ("", []),
    ],
)
def test_ids(source: str, expected: list[str]) -> None:
    assert list(account_ids(source)) == expected


@given(st.text(max_size=300))
def test_any_page_is_read(text: str) -> None:
    for source in (text, f"gtag('config', '{text}')", f"fbq('init', '{text}')", f"?id=G-{text}"):
        for found in account_ids(source):
            service, _, value = found.partition(":")
            assert service.isalnum()
            assert value.isascii()
            assert not set(value) & set("<>\"' \n\0")
    icon_address(text)


def test_hostile_strings_make_no_ids() -> None:
    if not BLNS.exists():
        pytest.skip("needs ../shared/data/hostile_strings/blns")
    for text in json.loads(BLNS.read_text()):
        assert account_ids(f"gtag('config', '{text}'); ?id={text} fbq('init', '{text}')") == ()


@pytest.mark.parametrize("piece", ["'", "fbq(", "<link ", "u='//", "('G-AAAA", " "])
@pytest.mark.timeout(10)
def test_a_hostile_page_is_read_in_bounded_time(piece: str) -> None:
    page = piece * (MAX_CHARS // 4 // len(piece))
    assert len(account_ids(page)) <= MAX_IDS
    icon_address(page)


def test_ids_are_capped() -> None:
    page = "".join(f"gtag('config', 'G-7KQ2M4X{n:03}');" for n in range(100))
    assert len(account_ids(page)) == MAX_IDS


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<link rel="icon" href="/x.png">', "/x.png"),
        ("<LINK href=i.ico rel='shortcut icon'>", "i.ico"),
        ('<link rel="stylesheet" href="/a.css">', "/favicon.ico"),
        ("nothing", "/favicon.ico"),
    ],
)
def test_where_the_icon_is(html: str, expected: str) -> None:
    assert icon_address(html) == expected


def test_an_icon_is_known_by_its_bytes() -> None:
    icon = b"\x00\x00\x01\x00" + b"i" * 100
    assert icon_digest(icon) == sha256(icon).hexdigest()
    assert icon_digest(b"<!doctype html><p>not found") is None
    assert icon_digest(b"") is None
    assert icon_digest(icon + b"x" * MAX_ICON) is None
