"""May this name be touched at all, and on what level? Decided from lists alone; measured signals come later.

Matching is by whole labels. The worst reading wins: refuse, then reroute, then second review. `reroute` always has
a target of scope `host`, so that no registry notice can arise from it (mooo.com 2011, itch.io 2024).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from notifier.domain.names import Name, display
from notifier.domain.scripts import mixed_scripts, skeleton
from notifier.domain.urlparts import MISSING

_SHORTEST_IMITATED = 4  # shorter labels look like too many others


class Safety(StrEnum):
    """From harmless to forbidden; the order is used."""

    CLEAR = "clear"
    SECOND_REVIEW = "second_review"
    REROUTE = "reroute"
    REFUSE = "refuse"


class Scope(StrEnum):
    """On what level a case acts. Only `domain` can have a registry or registrar step."""

    DOMAIN = "domain"
    SUBDOMAIN = "subdomain"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Target:
    """What the case is about. `name` is in A-labels: the registrable one, or the host's when rerouted."""

    name: str
    scope: Scope
    registrable: str
    host: str
    private_suffix: str | None
    tld: str
    unicode: str


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that was found: `source` says in which list or by which rule, with the list's version."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """`why` is one sentence for the submitter and the reviewer."""

    safety: Safety
    target: Target
    signals: tuple[Signal, ...]
    why: str


@dataclass(frozen=True, slots=True)
class TargetLists:
    """Canonical A-label names; an entry covers the names below it, `label.*` is read as in the list files.

    `protected` maps a name to its kind: registry_infrastructure, government, vetted, reserved or own.
    `versions` maps protected, platforms, popular, universities to file name and date, `own` to its settings key.
    """

    protected: Mapping[str, str]
    platforms: frozenset[str]
    popular: frozenset[str]
    universities: frozenset[str]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Found:
    safety: Safety
    signal: Signal
    why: str


_ORDER = {safety: place for place, safety in enumerate(Safety)}
_KINDS = {
    "registry_infrastructure": "belongs to the infrastructure of the registries",
    "government": "belongs to a government or a body by treaty",
    "vetted": "lies in a zone that admits only checked holders",
    "reserved": "is reserved for documentation and belongs to nobody",
    "own": "is one of this notifier's own names",
}


def assess(name: Name, lists: TargetLists) -> Assessment:
    """Safety, target and every signal for one name. Never raises; on REFUSE the caller answers `protected`."""
    found = [
        *_protected(name, lists),
        *_shared(name, lists),
        *_popular(name, lists),
        *_imitation(name, lists),
        *_odd(name),
    ]
    worst = max(found, key=lambda f: _ORDER[f.safety], default=None)
    if worst is None:
        return Assessment(Safety.CLEAR, _target(name, rerouted=False), (), "no list names it")
    rerouted = any(f.safety is Safety.REROUTE for f in found)
    return Assessment(worst.safety, _target(name, rerouted=rerouted), tuple(f.signal for f in found), worst.why)


def _target(name: Name, *, rerouted: bool) -> Target:
    if not rerouted:
        where, scope = name.registrable, Scope.DOMAIN
    elif name.private_registrable is not None:
        where, scope = name.private_registrable, Scope.HOST
    else:
        where, scope = name.host, Scope.HOST
    return Target(where, scope, name.registrable, name.host, name.private_suffix, name.tld, display(where))


def _upwards(host: str) -> Iterator[str]:
    """The host and every name above it, longest first: a.b.c, b.c, c."""
    labels = host.split(".")
    return (".".join(labels[i:]) for i in range(len(labels)))


def _suffix_labels(name: Name) -> list[str]:
    """Labels of the ICANN suffix left of the top-level domain: ["gov"] for x.gov.uk, [] for x.com."""
    return name.registrable.split(".")[1:-1]


def _protected(name: Name, lists: TargetLists) -> Iterator[_Found]:
    for above in _upwards(name.host):
        if kind := lists.protected.get(above):
            yield _refusal(above, kind, name, lists)
    for label in _suffix_labels(name):
        if kind := lists.protected.get(f"{label}.*"):
            yield _refusal(f"{label}.*", kind, name, lists)
    own_label = name.registrable.partition(".")[0]
    if kind := lists.protected.get(f"{own_label}.*"):
        if kind != "government":
            yield _refusal(f"{own_label}.*", kind, name, lists)
        else:
            signal = Signal("resembles_government", own_label, _version(lists, "protected"))
            yield _Found(Safety.SECOND_REVIEW, signal, f"{name.registrable} looks like a government zone; make sure")


def _refusal(entry: str, kind: str, name: Name, lists: TargetLists) -> _Found:
    signal = Signal("protected", f"{kind} {entry}", _version(lists, "own" if kind == "own" else "protected"))
    reason = _KINDS.get(kind, "is on the list of protected names")
    return _Found(Safety.REFUSE, signal, f"{name.host} {reason}; no action can be asked for, write to its owner")


def _shared(name: Name, lists: TargetLists) -> Iterator[_Found]:
    if name.private_suffix is not None:
        signal = Signal("private_suffix", name.private_suffix, name.suffix_version)
        why = f"names under {name.private_suffix} belong to different people; its operator is asked instead"
        yield _Found(Safety.REROUTE, signal, why)
    for above in _upwards(name.host):
        if above in lists.platforms:
            why = f"{above} carries the pages of many people; the platform is asked instead"
            yield _Found(Safety.REROUTE, Signal("platform", above, _version(lists, "platforms")), why)
    academic = [above for above in _upwards(name.host) if above in lists.universities]
    academic += [f"{label}.*" for label in _suffix_labels(name) if f"{label}.*" in lists.universities]
    for entry in academic:
        why = f"{name.registrable} is a school or university, most likely broken into; it is asked instead"
        yield _Found(Safety.REROUTE, Signal("university", entry, _version(lists, "universities")), why)


def _popular(name: Name, lists: TargetLists) -> Iterator[_Found]:
    for above in _upwards(name.host):
        if above in lists.popular:
            signal = Signal("popular", above, _version(lists, "popular"))
            yield _Found(Safety.SECOND_REVIEW, signal, f"{above} is widely used; a second person must agree")


def _imitation(name: Name, lists: TargetLists) -> Iterator[_Found]:
    shown = display(name.registrable.partition(".")[0])
    if shown.isascii():
        return
    looks = skeleton(shown)
    for list_name, entries in (("popular", lists.popular), ("protected", frozenset(lists.protected))):
        if original := _by_label(entries).get(looks):
            signal = Signal("look_alike", original, _version(lists, list_name))
            why = f"{name.registrable} is written to look like {original}; a second person must compare them"
            yield _Found(Safety.SECOND_REVIEW, signal, why)


@lru_cache(maxsize=8)
def _by_label(entries: frozenset[str]) -> Mapping[str, str]:
    """The first label of each listed name, to one name that has it: the .com name, else the shortest."""
    named = (entry for entry in entries if "." in entry and not entry.endswith(".*"))
    by_label: dict[str, str] = {}
    for entry in sorted(named, key=lambda e: (not e.endswith(".com"), len(e), e)):
        label = entry.partition(".")[0]
        if len(label) >= _SHORTEST_IMITATED:
            by_label.setdefault(label, entry)
    return by_label


def _odd(name: Name) -> Iterator[_Found]:
    own_label = name.registrable.partition(".")[0]
    if own_label in MISSING:
        why = f"{name.registrable} may come from a missing value in a form; make sure that it was meant"
        yield _Found(Safety.SECOND_REVIEW, Signal("placeholder", own_label, "rule: words for a missing value"), why)
    mixed = {script for label in name.unicode.split(".") for script in mixed_scripts(label)}
    if mixed:
        signal = Signal("mixed_scripts", " ".join(sorted(mixed)), "rule: Unicode script names")
        yield _Found(Safety.CLEAR, signal, f"{name.host} mixes writing systems; compare it with the evidence")


def _version(lists: TargetLists, which: str) -> str:
    return lists.versions.get(which, which)
