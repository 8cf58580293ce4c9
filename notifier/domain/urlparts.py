"""Takes a reported text apart: refangs it and cuts scheme, host text, port and the rest, in linear time.

`urllib.parse` does not do this: its answers changed between patch releases, and it disagrees with browsers about
backslashes, user names and control characters. Where readings can disagree nothing is chosen: it is refused.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote

from notifier.errors import Refused

MAX_BYTES = 8192
_MAX_HOST_TEXT = 1024  # a DNS name has 253 bytes; percent-encoding and invisible characters make the text longer
_MAX_REPEATS = 4

_SPACES = " \t\r\n\v\f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_INVISIBLE = "\u00ad\u200b\u200e\u200f\u2060\ufeff" + "".join(
    map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)
_QUOTES = "\"'`´<>“”„‟‘’‚‛«»‹›＂＇＜＞"
_EDGE = _SPACES + _INVISIBLE + _QUOTES
_AFTER_HOST = ",;:!?)]}>|" + _EDGE

# What a broken form or export writes for "nothing"; a lookup of undefined.com once found a real registrar.
MISSING = frozenset(
    {
        *("null", "none", "undefined", "nan", "nil", "n/a", "#n/a"),
        *("unknown", "redacted", "missing", "empty", "-", "--"),
    }
)
_LOCAL_SCHEMES = frozenset(
    {
        *("about", "acestream", "blob", "chrome", "cid", "data", "file", "intent", "javascript", "magnet", "mailto"),
        *("sms", "sop", "tel", "urn", "view-source"),
    }
)

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_BRACKETED = re.compile(r" {0,3}\[ {0,2}(\.|dot|:|://|//?) {0,2}\] {0,3}", re.I)
_HOST_DOT = re.compile(r" {0,3}[\[({] {0,2}(?:\.|dot) {0,2}[\])}] {0,3}|\[\.|\.\]|[ \t]{1,3}dot[ \t]{1,3}", re.I)
_SCHEME = re.compile(r"(?P<name>[a-z][a-z0-9+*_-]{0,15})[ \t]{0,2}:[ \t]{0,2}(?P<slashes>[/\\]+)", re.I)
_SCHEME_IN_BRACKETS = re.compile(
    r"(?:[\[({](?P<inside>h(?:tt|xx)ps?)[\])}](?=[ \t]{0,2}:)|(?P<before>h(?:tt|xx)ps?)[({]:[)}](?=[/\\]))", re.I
)
_NO_SLASHES = re.compile(r"(?P<name>[a-z][a-z-]{1,15}):(?!\d{0,5}(?:[/?#]|$))", re.I)
_AGAIN = re.compile(r"(?P<name>h(?:tt|xx|00)ps?)(?:(?::|%3a)(?:/|\\|%2f|%5c){1,2}|(?:/|\\|%2f|%5c){2})", re.I)
_INSIDE = re.compile(r"(?:h(?:tt|xx|00)ps?|ftp)(?::|%3a)(?:/|\\|%2f|%5c){2}", re.I)
_HTTP = re.compile(r"h(?:tt|xx|00|\*\*|__|xt|tx)p(s?)")
_FTP = re.compile(r"f(?:t|x|\*)p(s?)")
_HOST_END = re.compile(r"[/?#]")
_BRACKETED_IP = re.compile(r"\[(?:[0-9a-f:.]+(?:%[^\]]*)?|v[0-9a-f]+\.[^\]]*)\]", re.I)  # RFC 3986 3.2.2
_BARE_IPV6 = re.compile(r"[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*(?:%\S*)?", re.I)


@dataclass(frozen=True, slots=True)
class Parts:
    """`host` is text, not yet a checked name; `rest` is path, query and fragment as written.

    `scheme` is None when the text had none. `warnings` are `code: sentence`.
    """

    scheme: str | None
    host: str
    port: int | None
    rest: str
    warnings: tuple[str, ...]


def shown(value: str) -> str:
    """The value for an error text: at most 80 characters, controls and bidirectional marks escaped."""
    return repr(value if len(value) <= 80 else value[:77] + "...")


def refused(code: str, value: str, why: str) -> Refused:
    """A refusal that shows the value, says what is wrong and what to do."""
    return Refused(f"{shown(value)}: {why}", code=code)


def refang(text: str) -> str:
    """Undoes the bracket styles that are safe anywhere: [.] [dot] [:] [://] [/]. Linear in the length."""
    return _BRACKETED.sub(lambda m: "." if m[1].lower() == "dot" else m[1], text)


def cut(raw: str) -> Parts:
    """One reported name or URL in its parts.

    Raises Refused: too_large, no_host, invalid_name, ambiguous_host, ip_not_domain (bracketed or bare IPv6).
    """
    _check_size(raw)
    text = raw.strip(_EDGE)
    if _CONTROL.search(raw):
        raise refused("invalid_name", raw, "contains a control character; copy the address again and report that")
    warnings: list[str] = []
    if text != raw.strip(_SPACES):
        warnings.append("trimmed: quotes, brackets or invisible characters around the value were left out")
    if not text:
        raise refused("no_host", raw, "is empty; give a domain name or a URL")
    if text.casefold().strip("[](){}. ") in MISSING:
        raise refused("invalid_name", raw, "stands for a missing value; give the domain name itself")
    text = _SCHEME_IN_BRACKETS.sub(lambda m: m["inside"] or f"{m['before']}:", refang(text), count=1)
    scheme, rest = _scheme(raw, text, warnings)
    end = _HOST_END.search(rest)
    authority, rest = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    if len(authority) > _MAX_HOST_TEXT:
        raise refused("invalid_name", authority, "is too long for a name (253 bytes); give one name or URL")
    authority = _host_text(raw, authority, not rest, warnings)
    host, port = _port(raw, authority)
    if not host:
        raise refused("no_host", raw, "names no host; give a domain name or a URL such as https://name/path")
    if scheme is None and "." not in host and rest not in ("", "/") and host.isascii():
        raise refused("no_host", raw, "is a path without a host; give the whole URL, with the domain name")
    if _INSIDE.search(rest):
        warnings.append("second_address: another address stands behind the host; only the first one was taken")
    return Parts(scheme, host, port, _path(rest, warnings), tuple(warnings))


def _check_size(raw: str) -> None:
    try:
        size = len(raw) if len(raw) > MAX_BYTES else len(raw.encode())
    except UnicodeEncodeError:
        raise refused("invalid_name", raw, "is not valid Unicode text; send it as UTF-8") from None
    if size > MAX_BYTES:
        raise refused("too_large", raw, f"is over the limit of {MAX_BYTES} bytes in UTF-8; shorten the URL")


def _scheme(raw: str, text: str, warnings: list[str]) -> tuple[str | None, str]:
    found = _SCHEME.match(text)
    if found is None:
        bare = _NO_SLASHES.match(text)
        if bare and (bare["name"].lower() in _LOCAL_SCHEMES or _HTTP.fullmatch(bare["name"].lower())):
            raise refused("no_host", raw, "names no host in a way all programs read alike; write https://name/path")
        if text.startswith("//"):
            return None, text[2:]
        if text.startswith(("/", "./", "../", "?", "#")):
            raise refused("no_host", raw, "is a path without a host; give the whole URL, with the domain name")
        return None, text
    scheme = _scheme_name(raw, found["name"])
    if len(found["slashes"]) != 2:
        raise refused("no_host", raw, "has no host between exactly two slashes; write https://name/path")
    windows = "\\" in found["slashes"]
    rest = text[found.end() :]
    if rest[:1] in (" ", "\t", "\xa0"):
        rest = rest.lstrip(_SPACES)
        warnings.append("space_removed: a space between the scheme and the host was left out")
    for _ in range(_MAX_REPEATS):
        again = _AGAIN.match(rest)
        if again is None:
            break
        scheme, rest = _scheme_name(raw, again["name"]), rest[again.end() :]
        if "%" in again[0]:
            rest = unquote(rest)
            if _CONTROL.search(rest):
                raise refused("invalid_name", raw, "hides a control character; copy the address again")
        windows = windows or "\\" in again[0]
        if not any(w.startswith("doubled_scheme") for w in warnings):
            warnings.append("doubled_scheme: the scheme stood there twice; the inner address was taken")
    if _AGAIN.match(rest):
        raise refused("invalid_name", raw, "repeats its scheme many times; give one plain URL")
    # An address written with \\ throughout (http:\\name\path) can be read in one way, unless an @ follows.
    windows = windows and "@" not in _HOST_END.split(rest, maxsplit=1)[0]
    return scheme, rest.replace("\\", "/") if windows else rest


def _scheme_name(raw: str, written: str) -> str:
    name = written.lower()
    for pattern, plain in ((_HTTP, "http"), (_FTP, "ftp")):
        if found := pattern.fullmatch(name):
            return plain + found[1]
    if name in _LOCAL_SCHEMES:
        raise refused("no_host", raw, f"is a {name}: address and names no host; give the site's https:// URL")
    if "*" in name or "_" in name or re.search("h(?:tt|xx)p", name):
        raise refused("invalid_name", raw, "has a scheme that cannot be read; write http:// or https://")
    return name


def _host_text(raw: str, authority: str, last: bool, warnings: list[str]) -> str:
    """Refangs, decodes and trims what stands for the host; `last` tells that no path follows it."""
    authority = _HOST_DOT.sub(".", authority)
    if "%" in authority and not authority.startswith("[") and not _BARE_IPV6.fullmatch(authority):
        authority = _decoded(raw, authority)
        warnings.append("percent_encoded: the host was percent-encoded and has been decoded")
    trimmed = authority.strip(_EDGE)
    if last and not _BRACKETED_IP.match(trimmed) and not _BARE_IPV6.fullmatch(trimmed):
        trimmed = trimmed.rstrip(_AFTER_HOST)
    if trimmed.startswith(("(", "{", "[")) and not _BRACKETED_IP.match(trimmed):
        trimmed = trimmed.lstrip("([{")
    if trimmed != authority and not any(w.startswith("trimmed") for w in warnings):
        warnings.append("trimmed: quotes, brackets or invisible characters around the value were left out")
    if "@" in trimmed or "\\" in trimmed:
        raise _two_hosts(raw, trimmed)
    if any(c in trimmed for c in "\t\r\n"):
        joined = re.sub(r"[\t\r\n]", "", trimmed)
        raise _ambiguous(raw, joined, re.split(r"[\t\r\n]", trimmed)[0])
    if any(c in trimmed for c in _SPACES):
        raise refused("invalid_name", raw, "has a space inside the host; give one name or URL in each field")
    return trimmed


def _decoded(raw: str, authority: str) -> str:
    try:
        decoded = unquote(authority, errors="strict")
    except UnicodeDecodeError:
        raise refused("invalid_name", raw, "has a host that is not UTF-8 when decoded; give the plain name") from None
    if _CONTROL.search(decoded) or _HOST_END.search(decoded) or "%" in decoded:
        raise refused("invalid_name", raw, "hides separators or controls in its host; give the plain name")
    return decoded


def _two_hosts(raw: str, authority: str) -> Refused:
    """User name or backslash: a browser ends the host at the first backslash, other programs begin it behind the last @."""
    pieces = [_host_alone(piece) for piece in re.split(r"[@\\]", authority)]
    browser = len(re.split(r"@", authority.partition("\\")[0])) - 1
    last = len(pieces) - 1
    places = [browser, last, *range(len(pieces))]
    seen = dict.fromkeys(pieces[place] for place in places if pieces[place])
    if len(seen) < 2:
        return refused("invalid_name", raw, "has an @ or a backslash beside the host; give the name by itself")
    return _ambiguous(raw, *sorted(list(seen)[:2], key=pieces.index))


def _host_alone(piece: str) -> str:
    """Without port and password, for showing."""
    text = re.sub(r"[\t\r\n]", "", piece)
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    return text.partition(":")[0].strip(_AFTER_HOST + ".")


def _ambiguous(raw: str, one: str, other: str) -> Refused:
    return Refused(
        f"{shown(raw)}: programs disagree whether the host is {shown(one)} or {shown(other)}; "
        "look at the evidence and report the right name by itself",
        code="ambiguous_host",
        hosts=[one, other],
    )


def _port(raw: str, authority: str) -> tuple[str, int | None]:
    if authority.startswith("[") or authority.count(":") > 1 or "%" in authority:
        _refuse_ipv6(raw, authority)
    host, colon, port = authority.partition(":")
    if not colon or not port:
        return host, None
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise refused("invalid_name", raw, "has a port that is not a number up to 65535; correct or leave it out")
    return host, int(port)


def _refuse_ipv6(raw: str, authority: str) -> None:
    inner = authority.removeprefix("[").partition("]")[0].rstrip(".")
    try:
        ip_address(inner.partition("%")[0])
    except ValueError:
        raise refused("invalid_name", raw, "is neither a name nor an IPv6 address; give a domain name") from None
    raise refused("ip_not_domain", raw, "is an IP address; report the domain name that was used, not its address")


def _path(rest: str, warnings: list[str]) -> str:
    if any(c in rest for c in "\t\r\n"):
        warnings.append("line_break_removed: tabs or line breaks inside the URL were left out, as browsers do")
        rest = re.sub(r"[\t\r\n]", "", rest)
    return rest.replace(" ", "%20")
