"""Text from outside, made safe to show: no control characters, no hidden direction changes, no live links.

Everything a submitter or a recipient wrote goes through here before it stands in a mail or on a page.
"""

import re
import unicodedata
from collections.abc import Mapping

# Bidirectional controls reorder what a reader sees, zero-width and tag characters hide in it (UTR 36 §2.4).
_HIDDEN = re.compile(
    "[\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # general categories Cc and Cs
_BREAK = re.compile("\r\n|[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# The scheme is bounded: without that, a long run of letters takes quadratic time.
_URL = re.compile(r"(?P<scheme>[a-z0-9+.\-]{0,12}):/{1,3}(?P<host>[^\s/?#:]*)", re.IGNORECASE)
_WWW = re.compile(r"\bwww\.(?=\w)", re.IGNORECASE)
_LIVE_DOT = re.compile(r"(?<!\[)\.")
_SCHEMES: Mapping[str, str] = {
    "http": "hxxp",
    "https": "hxxps",
    "ftp": "fxp",
    "hxxp": "hxxp",
    "hxxps": "hxxps",
    "fxp": "fxp",
}


def lines(text: str) -> list[str]:
    """The lines of `text`, without control characters and lone surrogates; hidden ones stand as [U+202E]."""
    if text.isascii() and text.isprintable():  # as most is: it has none of them
        return [text]
    return [_clean(line) for line in _BREAK.split(text)]


def one_line(text: str, limit: int | None = None) -> str:
    """`text` on one line, fit for a header: runs of white space become one space; cut at `limit`."""
    joined = " ".join(" ".join(lines(text)).split())
    if limit is not None and len(joined) > limit:
        return joined[: limit - 1].rstrip() + "…"
    return joined


def _clean(line: str) -> str:
    kept = _UNPRINTABLE.sub("", line.replace("\t", " "))
    return _HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", kept)


def defang(text: str) -> str:
    """`text` with every URL made unclickable: `https://a.example/x` becomes `hxxps://a[.]example/x`.

    What is defanged already stays as it is.
    """

    def dead(found: re.Match[str]) -> str:
        scheme = found["scheme"].lower()
        host = _LIVE_DOT.sub("[.]", found["host"])
        if scheme in _SCHEMES:
            return f"{_SCHEMES[scheme]}://{host}"
        return f"{found['scheme']}[:]//{host}"

    return _WWW.sub("www[.]", _URL.sub(dead, text))


def spelled(a_label: str, unicode: str) -> str:
    """How a name is written, character by character, so that a wrong letter is seen.

    An ASCII name is spaced out; any other lists each character outside ASCII with its code point and name.
    """
    if a_label == unicode:
        return " ".join(a_label)
    marks = dict.fromkeys(char for char in unicode if ord(char) > 0x7F)
    return ", ".join(f"U+{ord(char):04X} {unicodedata.name(char, 'unnamed')}" for char in marks)


def dead(name: str) -> str:
    """A domain name that no reader's program makes a link of: `shop[.]example`."""
    return _LIVE_DOT.sub("[.]", name)
