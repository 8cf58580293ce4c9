"""Whom we look like to a web server: sites that hide show robots, first visitors and searchers different pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Visitor:
    """`headers` are what it sends beyond Host; `told` says to a person how to look like it."""

    name: str
    headers: Mapping[str, str]
    told: str


_ENGINE: Final = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0"
_ACCEPT: Final = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
_DESKTOP: Final = {
    **_ACCEPT,
    "Accept-Language": "en-US,en;q=0.9",
    "User-Agent": f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_ENGINE} Safari/537.36",
}
_PHONE: Final = {
    **_DESKTOP,
    "User-Agent": f"Mozilla/5.0 (Linux; Android 15; Mobile) {_ENGINE} Mobile Safari/537.36",
}
_CRAWLER: Final = {
    "Accept": "*/*",
    "User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
}


def _visitor(name: str, headers: Mapping[str, str], told: str) -> Visitor:
    return Visitor(name, MappingProxyType(dict(headers)), told)


DESKTOP: Final = _visitor("desktop", _DESKTOP, "a desktop browser, the address typed in")
MOBILE: Final = _visitor("mobile", _PHONE, "a telephone's browser")
SEARCH: Final = _visitor(
    "search", {**_DESKTOP, "Referer": "https://www.google.com/search?q="}, "a desktop browser that comes from a search"
)
LANGUAGE: Final = _visitor(
    "language", {**_DESKTOP, "Accept-Language": "de-DE,de;q=0.9"}, "a desktop browser that reads German"
)
CRAWLER: Final = _visitor("crawler", _CRAWLER, "a search engine's robot")
AGAIN: Final = _visitor("desktop_again", _DESKTOP, "the first visitor once more")
FRONT: Final = _visitor("front_page", _DESKTOP, "a desktop browser, the site's front page typed in")

# In this order: the first again comes last, so that what changed in between is seen too.
VISITORS: Final = (DESKTOP, MOBILE, SEARCH, LANGUAGE, CRAWLER, AGAIN)
