"""What a report points at, named exactly: `parse(raw, suffixes) -> Name`.

The A-label is the identity (RFC 5890): it is never decoded and encoded again, never mended into another name.
ASCII labels are checked by a letter-digit-hyphen rule of our own, since IDNA refuses names that exist (ab--c,
a_b). Other labels are mapped by UTS 46 (non-transitional: sharp s stays) and encoded by IDNA2008 (RFC 5891).
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Protocol

import idna

from notifier.domain.scripts import mixed_scripts
from notifier.domain.urlparts import cut, refused

# Raised by one whenever a change here, in `urlparts` or of IDNA makes an input read otherwise: cases keep the version that
# named them, and `notifier names --recheck` finds those that would be named otherwise now.
NAMES_VERSION = 1
MAX_NAME = 253  # bytes without the root dot (RFC 1035 2.3.4, counted in text form)
MAX_LABEL = 63

# Names that no registry delegates: RFC 6761, 6762, 7686, 9476; `internal` by a resolution of ICANN's board, 2024.
_SPECIAL_USE = frozenset({"alt", "example", "internal", "invalid", "local", "localhost", "onion", "test"})
_FILE_ENDINGS = frozenset(
    {
        *("asp", "aspx", "cfm", "cgi", "css", "htm", "html", "js", "json", "jsp", "php", "txt", "xhtml", "xml"),
        *("bmp", "gif", "ico", "jpeg", "jpg", "m3u8", "mkv", "mp3", "mp4", "png", "svg", "swf", "ts"),
        *("csv", "doc", "docx", "exe", "log", "pdf", "rar", "xls", "xlsx"),
    }
)
_DEVIATIONS = frozenset("ßς\u200c\u200d")  # UTS 46 section 4: read as another name by the transitional mapping

_IDNA_FAILURES = (ValueError, IndexError, OverflowError)  # UnicodeError and IDNAError are ValueErrors
_PLAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_STRICT_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LOOSE_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Suffixes(Protocol):
    """The public suffix list in two readings. Hosts are canonical A-labels without the root dot."""

    @property
    def version(self) -> str:
        """Which list this is, with its date; stored with every name."""

    def icann_registrable(self, host: str) -> str | None:
        """The name registered at the registry; None for a public suffix and an unknown top-level domain."""

    def private_suffix(self, host: str) -> str | None:
        """The longest private-section suffix that the host equals or lies under (github.io), or None."""

    def is_public_suffix(self, host: str) -> bool:
        """Whether the host itself is a suffix of the ICANN section."""


@dataclass(frozen=True, slots=True)
class Name:
    """One reported name. `host` is canonical: lower-case A-labels, no root dot, no port.

    `registrable` is by the ICANN section; `private_registrable` is the name just below `private_suffix`, None when
    the host is that suffix itself. `unicode` is the host for display. `url` is the refanged URL with the host as
    A-label, None for a bare name. `warnings` are `code: sentence`, for the reviewer.
    """

    raw: str
    host: str
    registrable: str
    private_suffix: str | None
    private_registrable: str | None
    tld: str
    unicode: str
    url: str | None
    warnings: tuple[str, ...]
    suffix_version: str


def parse(raw: str, suffixes: Suffixes) -> Name:
    """The one name that a reported text points at: in Unicode or as A-label, bare or in a URL, also defanged.

    Raises Refused with code ip_not_domain, public_suffix, invalid_name, no_host, ambiguous_host or too_large, and
    nothing else for any text. `parse(name.host).host == name.host`. Linear in the length of the input.
    """
    plain = raw.lower() if raw.isascii() and len(raw) <= MAX_NAME else ""
    if _PLAIN.fullmatch(plain) and "xn--" not in plain:
        registrable = _registrable(raw, plain, suffixes, bare=True)
        return _name(raw, plain, registrable, plain, None, (), suffixes)
    parts = cut(raw)
    labels, warnings = _labels(raw, parts.host)
    host = ".".join(labels)
    url = None
    if parts.scheme or parts.rest or parts.port is not None:
        scheme = parts.scheme or "http"
        port = "" if parts.port is None or _DEFAULT_PORTS.get(scheme) == parts.port else f":{parts.port}"
        url = f"{scheme}://{host}{port}{parts.rest}"
    registrable = _registrable(raw, host, suffixes, bare=parts.scheme is None)
    unicode = ".".join(map(display, labels))
    return _name(raw, host, registrable, unicode, url, parts.warnings + warnings, suffixes)


def display(a_label: str) -> str:
    """The U-label of an A-label when each converts into the other (RFC 5890 2.3.2.1), else the A-label.

    A whole name is read label by label. Never raises.
    """
    if "." in a_label:
        return ".".join(map(display, a_label.split(".")))
    return _u_label(a_label) or a_label


def _registrable(raw: str, host: str, suffixes: Suffixes, *, bare: bool) -> str:
    """`bare` tells that no scheme stood before the host, so that it may be a file name."""
    tld = host.rpartition(".")[2]
    registrable = suffixes.icann_registrable(host)
    if tld == "onion":
        raise refused("invalid_name", raw, "is an onion address (RFC 7686); it has no registry that could act on it")
    if registrable is not None:
        return _strict(raw, registrable)
    if suffixes.is_public_suffix(host):
        raise refused("public_suffix", raw, "is a public suffix under which others register; name the domain below it")
    if tld in _SPECIAL_USE:
        raise refused("invalid_name", raw, f"ends in .{tld}, reserved for special use (RFC 6761); give the real name")
    if bare and "." in host and tld in _FILE_ENDINGS:
        raise refused("no_host", raw, "looks like a file name; give the whole URL, with the domain name")
    if "." not in host:
        raise refused("invalid_name", raw, "is one word and no domain name; give the whole name, such as name.tld")
    raise refused("invalid_name", raw, f"ends in .{tld}, and there is no such top-level domain; check the spelling")


def _name(
    raw: str,
    host: str,
    registrable: str,
    unicode: str,
    url: str | None,
    warnings: tuple[str, ...],
    suffixes: Suffixes,
) -> Name:
    private = suffixes.private_suffix(host)
    below = None
    if private is not None and host != private:
        below = ".".join(host.split(".")[-private.count(".") - 2 :])
    tld = host.rpartition(".")[2]
    return Name(raw, host, registrable, private, below, tld, unicode, url, warnings, suffixes.version)


def _strict(raw: str, registrable: str) -> str:
    for label in registrable.split("."):
        if not _STRICT_LABEL.fullmatch(label):
            raise refused(
                "invalid_name",
                raw,
                f"{registrable} cannot be registered: labels have letters, digits and inner hyphens; correct it",
            )
    return registrable


def _labels(raw: str, text: str) -> tuple[list[str], tuple[str, ...]]:
    """The canonical labels of a host text, and what a reviewer should know about them."""
    warnings: list[str] = []
    mapped = text.lower() if text.isascii() else _mapped(raw, text)
    mapped = mapped.removesuffix(".")
    if _NUMBER_LABEL.fullmatch(mapped.rpartition(".")[2]):
        raise refused("ip_not_domain", raw, "is an IP address; report the domain name that was used, not its address")
    labels = [_label(raw, label) for label in mapped.split(".")]
    if (size := sum(map(len, labels)) + len(labels) - 1) > MAX_NAME:
        raise refused("invalid_name", raw, f"has a name of {size} bytes, over the limit of {MAX_NAME}; check the copy")
    if any(not _STRICT_LABEL.fullmatch(label) for label in labels):
        warnings.append("unusual_label: a label has an underscore or an outer hyphen, which host names may not have")
    if not text.isascii() and any(c in text for c in "\u00ad\u200b\u2060\ufeff"):
        warnings.append("invisible: invisible characters inside the name were left out, as browsers do")
    if not text.isascii() and _is_mapped(text):
        warnings.append("mapped: letters in a special style were read as the plain ones, as browsers do; compare them")
    for label in labels:
        if label.startswith("xn--"):
            warnings.extend(_idn_warnings(label))
    return labels, tuple(warnings)


def _is_mapped(text: str) -> bool:
    """Whether UTS 46 replaced letters by others (ℂ by c), which is more than case, width and composed accents."""
    kinds = {unicodedata.decomposition(char).partition(" ")[0] for char in text if not char.isascii()}
    return any(kind.startswith("<") and kind not in ("<wide>", "<narrow>") for kind in kinds)


def _mapped(raw: str, text: str) -> str:
    try:
        # Not STD3: underscores are judged label by label below, and every label is checked after the mapping.
        return idna.uts46_remap(text, std3_rules=False)
    except _IDNA_FAILURES:
        raise refused("invalid_name", raw, "has a character that no domain name may have; copy it again") from None


def _label(raw: str, label: str) -> str:
    if not label:
        raise refused("invalid_name", raw, "has an empty label (a dot too many); write the name without it")
    if len(label) > MAX_LABEL:
        raise refused(
            "invalid_name", raw, f"has a label of more than {MAX_LABEL} bytes; check that it was copied whole"
        )
    if label.isascii():
        if not _LOOSE_LABEL.fullmatch(label):
            raise refused("invalid_name", raw, "has a character that no host name may have; give one name or URL")
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except _IDNA_FAILURES:
        raise refused(
            "invalid_name",
            raw,
            "is no valid internationalised name under IDNA2008; if it exists, report its xn-- form",
        ) from None


def _u_label(label: str) -> str | None:
    if not label.startswith("xn--"):
        return None
    try:
        unicode = idna.ulabel(label)
        return unicode if idna.alabel(unicode) == label.encode("ascii") else None
    except _IDNA_FAILURES:
        return None


def _idn_warnings(label: str) -> list[str]:
    unicode = _u_label(label)
    if unicode is None:
        return [f"opaque_a_label: {label} has no valid Unicode form under IDNA2008; it is kept and shown as it is"]
    warnings = []
    if mixed := mixed_scripts(unicode):
        warnings.append(f"mixed_scripts: {label} mixes {', '.join(mixed)}; compare it with the evidence")
    if _DEVIATIONS & set(unicode):
        warnings.append(f"deviation: older programs read {label} as a different name; compare it with the evidence")
    return warnings
