"""In which language a registrant reads: what the address says, else what the browser asks for (RFC 9110 §12.5.4)."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from notifier.translations import ENGLISH, LANGUAGES


@dataclass(frozen=True, slots=True)
class Language:
    """`chosen`: the address names it, and so do the addresses that follow."""

    code: str
    chosen: bool

    @property
    def shown(self) -> dict[str, Any]:
        """What a template needs: the language, the others, and what its links carry on."""
        return {"lang": self.code, "languages": LANGUAGES, "kept": f"?lang={self.code}" if self.chosen else ""}

    def follow(self, path: str) -> str:
        """The same language on another page."""
        return f"{path}{'&' if '?' in path else '?'}lang={self.code}" if self.chosen else path

    def mark(self, page: web.Response) -> web.Response:
        """Say in the answer's head which language it is in, and what that hangs on."""
        page.headers["Content-Language"] = self.code
        page.headers["Vary"] = "Accept-Language"
        return page


def of(request: web.Request) -> Language:
    """The language of one request."""
    asked = request.query.get("lang", "")
    if asked in LANGUAGES:
        return Language(asked, chosen=True)
    return Language(wanted(request.headers.get("Accept-Language", "")), chosen=False)


def wanted(header: str) -> str:
    """The language of ours that a browser likes best; English where it names none of them."""
    best, weight = ENGLISH, 0.0
    for part in header.split(",")[:50]:
        tag, _, rest = part.partition(";")
        code = tag.strip().lower().partition("-")[0]
        quality = _quality(rest)
        if code in LANGUAGES and quality > weight:
            best, weight = code, quality
    return best


def _quality(rest: str) -> float:
    name, _, value = rest.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
