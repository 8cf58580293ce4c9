"""Ids of measuring and advertising accounts in a page's source, and what an icon is. Pure; the page is hostile.

The forms are those that the services publish. An id is read only where their own snippet would have it, so that a part
number or a phrase is none; what stands in documentation is nobody's.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

MAX_CHARS: Final = 1_000_000
MAX_IDS: Final = 20
MAX_ICON: Final = 262_144

_TAG = r"""(?:[?&]id=|['"(=]\s{0,5}['"]?)"""
_END = r"(?![A-Za-z0-9-])"
# Each with one group, bounded, and without nested repeats: linear in the page.
_FORMS: Final = tuple(
    (service, re.compile(form))
    for service, form in (
        ("ga4", rf"{_TAG}(G-[A-Z0-9]{{8,12}}){_END}"),
        ("ua", rf"{_TAG}(UA-[0-9]{{4,10}})-[0-9]{{1,4}}{_END}"),  # the account, whichever of its properties
        ("gtm", rf"{_TAG}(GTM-[A-Z0-9]{{5,9}}){_END}"),
        ("ads", rf"{_TAG}(AW-[0-9]{{9,11}}){_END}"),
        ("adsense", r"(?:ca-)?(pub-[0-9]{16})(?![0-9])"),
        ("pixel", r"""fbq\(\s{0,5}['"]init['"]\s{0,5},\s{0,5}['"]?([0-9]{13,17})(?![0-9])"""),
        ("metrika", r"""\bym\(\s{0,5}([0-9]{5,10})\s{0,5},\s{0,5}['"]init['"]"""),
        ("metrika", r"mc\.yandex\.ru/watch/([0-9]{5,10})(?![0-9])"),
    )
)
# A Matomo site id means something only together with the server that counts.
_MATOMO_SERVER = re.compile(r"""\bu\s{0,5}=\s{0,5}['"](?:https?:)?//([A-Za-z0-9.-]{4,253})[/'"]""")
_MATOMO_SITE = re.compile(r"""['"]setSiteId['"]\s{0,5},\s{0,5}['"]?([0-9]{1,9})(?![0-9])""")
_ICON = re.compile(r"<link\b[^>]{0,500}>", re.IGNORECASE)
_REL = re.compile(r"""\brel\s{0,5}=\s{0,5}['"]?(?:shortcut )?icon\b""", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s{0,5}=\s{0,5}['"]?([^'"\s>]{1,500})""", re.IGNORECASE)
_IMAGES: Final = (b"\x00\x00\x01\x00", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"\xff\xd8\xff")


def account_ids(html: str) -> tuple[str, ...]:
    """`service:id` of each account that a page names, at most MAX_IDS, in the order of the services."""
    html = html[:MAX_CHARS]
    found: dict[str, None] = {}
    for service, form in _FORMS:
        for match in form.finditer(html):
            if not _is_sample(match[1]):
                found[f"{service}:{match[1]}"] = None
            if len(found) == MAX_IDS:
                return tuple(found)
    for one in _matomo(html):
        found[one] = None
    return tuple(found)[:MAX_IDS]


def _matomo(html: str) -> Iterator[str]:
    server, site = _MATOMO_SERVER.search(html), _MATOMO_SITE.search(html)
    if server and site:
        yield f"matomo:{server[1].lower()}#{site[1]}"


def _is_sample(found: str) -> bool:
    """Whether it is an id of the documentation: one character again and again, or digits that only count up."""
    told = found.rpartition("-")[2]
    return len(set(told)) <= 2 or told in "01234567890123456789" or "XXXX" in told


def icon_address(html: str) -> str:
    """Where the page says that its icon is; the usual place where it does not."""
    for tag in _ICON.finditer(html[:MAX_CHARS]):
        if _REL.search(tag[0]) and (href := _HREF.search(tag[0])):
            return href[1]
    return "/favicon.ico"


def icon_digest(body: bytes) -> str | None:
    """SHA-256 in hex of an image's bytes; None for what is none, as the page that many servers answer instead."""
    is_image = body.startswith(_IMAGES) or (body[:4] == b"RIFF" and body[8:12] == b"WEBP")
    return sha256(body).hexdigest() if is_image and len(body) <= MAX_ICON else None
