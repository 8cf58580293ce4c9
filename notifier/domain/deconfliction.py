"""Which names an entry of the deconfliction list catches: names that an authority investigates and nobody may disturb.

Four spellings, all on whole labels. `evil.com` and `*.evil.com`: the name, all below it, and whatever would act on it.
`cheap-pharma.*`: this label under any suffix. `*pills.com`, `cheap-*.*`: a label with a part left open.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from notifier.domain.names import Suffixes, parse
from notifier.domain.safety import Target
from notifier.errors import Invalid, NotifierError

FIXED_AT_LEAST = 4  # characters of an open label that must be given, or it would catch strangers by the thousand
PATTERN_MAX = 255

_OPEN_LABEL = re.compile(r"[a-z0-9*](?:[a-z0-9*-]{0,61}[a-z0-9*])?")


@dataclass(frozen=True, slots=True)
class Pattern:
    """`text` is the canonical spelling. `registrable`: of a plain name, by the list's ICANN section; else None."""

    text: str
    registrable: str | None


def read_pattern(raw: str, suffixes: Suffixes) -> Pattern:
    """The pattern that a person wrote. Raises Invalid (code invalid_pattern) with what would be right."""
    text = raw.strip().lower().rstrip(".")
    if not text or len(text) > PATTERN_MAX:
        raise _wrong("is empty or over 255 characters")
    if "*" not in text:
        return _name(text, suffixes)
    first, _, rest = text.partition(".")
    if first == "*" and "*" not in rest:
        below = _name(rest, suffixes)
        return Pattern(f"*.{below.text}", below.registrable)
    if "*" in rest and rest != "*":
        raise _wrong("leaves more open than its first label or its suffix")
    label = _label(first, suffixes, fixed="*" not in first)
    if rest == "*":
        return Pattern(f"{label}.*", None)
    return Pattern(f"{label}.{_suffix(rest, suffixes)}", None)


def catches(pattern: str, target: Target) -> bool:
    """Whether a case about `target` would disturb what `pattern`, in its canonical spelling, stands for."""
    first, _, rest = pattern.partition(".")
    if first == "*" or "*" not in pattern:
        name = rest if first == "*" else pattern
        return any(_within(one, name) for one in (target.name, target.host)) or _within(name, target.name)
    if _within(rest, target.name):  # it would act on all that lies below
        return True
    open_label = _matcher(first)
    for name in (target.name, target.host):
        label, _, suffix = name.partition(".")
        if open_label.fullmatch(label) and rest in ("*", suffix):
            return True
    return False


def _within(name: str, other: str) -> bool:
    return name == other or name.endswith("." + other)


@lru_cache(maxsize=4096)
def _matcher(label: str) -> re.Pattern[str]:
    # Labels are 63 characters at most, and stars never stand side by side, so no input makes this slow.
    return re.compile("[a-z0-9-]*".join(map(re.escape, label.split("*"))))


def _name(text: str, suffixes: Suffixes) -> Pattern:
    try:
        name = parse(text, suffixes)
    except NotifierError as fault:
        if fault.code == "public_suffix":
            raise _wrong("would catch every name under a public suffix") from fault
        raise _wrong(f"holds no domain name: {fault.detail}") from fault
    if name.url is not None:
        raise _wrong("is an address; give the name alone")
    if name.private_suffix == name.host:
        raise _wrong("would catch every name under a public suffix")
    return Pattern(name.host, name.registrable)


def _suffix(text: str, suffixes: Suffixes) -> str:
    if suffixes.is_public_suffix(text):
        return text
    try:
        name = parse(text, suffixes)
    except NotifierError as fault:
        raise _wrong(f"ends in no domain name: {fault.detail}") from fault
    if name.host != text:
        raise _wrong(f"ends in {text!r}; write {name.host!r}")
    return text


def _label(text: str, suffixes: Suffixes, *, fixed: bool) -> str:
    if fixed:
        try:
            host = parse(f"{text}.com", suffixes).host
        except NotifierError as fault:
            raise _wrong(f"holds {text!r}, which is no label: {fault.detail}") from fault
        label = host.removesuffix(".com")
        if "." in label:
            raise _wrong("has more than one label before `.*`")
        return label
    if not _OPEN_LABEL.fullmatch(text) or "**" in text:
        raise _wrong("leaves a label open that is not of a to z, 0 to 9 and hyphens; write other scripts as A-labels")
    if len(text.replace("*", "").replace("-", "")) < FIXED_AT_LEAST:
        raise _wrong(f"gives fewer than {FIXED_AT_LEAST} letters or digits of a label, and would catch too many names")
    return text


def _wrong(what: str) -> Invalid:
    return Invalid(
        f"pattern: it {what}; right are evil.com, *.evil.com, cheap-pharma.*, *pills.com", code="invalid_pattern"
    )
