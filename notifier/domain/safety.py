"""May this name be touched at all, and on what level? Decided from lists alone; measured signals come later.

Matching is by whole labels. The worst reading wins: refuse, then reroute, then second review. `reroute` always has
a target of scope `host`, so that no registry notice can arise from it (mooo.com 2011, itch.io 2024).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from notifier.domain.names import Name, display
from notifier.domain.scripts import mixed_scripts, skeleton
from notifier.domain.urlparts import MISSING

_SHORTEST_IMITATED = 4  # shorter labels look like too many others
_SHORTEST_NEIGHBOUR = 5  # of 3,900 reported names one in a thousand is that near to a listed one


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
    """One thing that was found, or could not be: then its value is `unknown`.

    `source` says in which list, by which rule or from whom, with its version. `weight` is what it alone would mean.
    `at` is when it was found; None for what has not been stored yet.
    """

    name: str
    value: str
    source: str
    weight: Safety = Safety.CLEAR
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """`why` is one sentence for the submitter and the reviewer."""

    safety: Safety
    target: Target
    signals: tuple[Signal, ...]
    why: str

    def and_also(self, signal: Signal, why: str) -> "Assessment":
        """The same with one more signal; `why` takes the place of the reason where the signal weighs more."""
        heavier = worse(signal.weight, self.safety)
        return replace(
            self,
            safety=signal.weight if heavier else self.safety,
            signals=(*self.signals, signal),
            why=why if heavier else self.why,
        )

    def dated(self, at: datetime) -> "Assessment":
        """The same with `at` on every signal that has no time of its own."""
        return replace(self, signals=tuple(s if s.at else replace(s, at=at) for s in self.signals))


@dataclass(frozen=True, slots=True)
class TargetLists:
    """Canonical A-label names; an entry covers the names below it, `label.*` is read as in the list files.

    `protected` maps a name to its kind: registry_infrastructure, government, public_service, vetted, reserved, own, or
    rdap_host for where a registry of the catalog answers. `versions` maps protected, platforms, popular, universities to
    file name and date, `own` to its settings key, `registries` to the catalog's table. `near` is made from the lists.
    """

    protected: Mapping[str, str]
    platforms: frozenset[str]
    popular: frozenset[str]
    universities: frozenset[str]
    versions: Mapping[str, str]
    near: Mapping[str, frozenset[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "near", _near(frozenset({**_by_label(self.protected), **_by_label(self.popular)}.items()))
        )


@dataclass(frozen=True, slots=True)
class _Found:
    safety: Safety
    signal: Signal
    why: str


_ORDER = {safety: place for place, safety in enumerate(Safety)}
_KINDS = {
    "registry_infrastructure": "belongs to the infrastructure of the registries",
    "government": "belongs to a government or a body by treaty",
    "public_service": "serves people in need, or those who report a crime",
    "rdap_host": "answers for a registry",
    "vetted": "lies in a zone that admits only checked holders",
    "reserved": "is reserved for documentation and belongs to nobody",
    "own": "is one of this notifier's own names",
}


def worse(one: Safety, other: Safety) -> bool:
    """Whether `one` asks for more care than `other`."""
    return _ORDER[one] > _ORDER[other]


def assess(name: Name, lists: TargetLists) -> Assessment:
    """Safety, target and every signal for one name. Never raises; on REFUSE the caller answers `protected`."""
    listed = [*_protected(name, lists), *_shared(name, lists), *_popular(name, lists)]
    found = [*listed, *([] if listed else _imitation(name, lists)), *_odd(name)]
    worst = max(found, key=lambda f: _ORDER[f.safety], default=None)
    if worst is None:
        return Assessment(Safety.CLEAR, _target(name, rerouted=False), (), "no list names it")
    rerouted = any(f.safety is Safety.REROUTE for f in found)
    signals = tuple(replace(f.signal, weight=f.safety) for f in found)
    return Assessment(worst.safety, _target(name, rerouted=rerouted), signals, worst.why)


def _target(name: Name, *, rerouted: bool) -> Target:
    if not rerouted:
        where, scope = name.registrable, Scope.DOMAIN
    elif name.private_registrable is not None:
        where, scope = name.private_registrable, Scope.HOST
    else:
        where, scope = name.host, Scope.HOST
    return Target(where, scope, name.registrable, name.host, name.private_suffix, name.tld, display(where))


def is_protected(registrable: str, lists: TargetLists) -> bool:
    """Whether a registrable A-label name is on the list of protected names, by itself or by its label."""
    return registrable in lists.protected or f"{registrable.partition('.')[0]}.*" in lists.protected


def one_letter_apart(one: str, other: str) -> bool:
    """Whether one letter added, left out or replaced, or two neighbours exchanged, makes one name of the other."""
    return _apart(one, other) == 1


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
    listed_in = {"own": "own", "rdap_host": "registries"}.get(kind, "protected")
    signal = Signal("protected", f"{kind} {entry}", _version(lists, listed_in))
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
    """A name that a reader, or whoever typed the report, may have taken for a listed one."""
    shown = display(_label(name.registrable))
    imitates = not shown.isascii()
    looks = skeleton(shown) if imitates else shown
    if len(looks) < (_SHORTEST_IMITATED if imitates else _SHORTEST_NEIGHBOUR):
        return
    near = {entry for key in _keys(looks) for entry in lists.near.get(key, ())}
    apart = sorted((_apart(_label(e), looks), not e.endswith(".com"), len(e), e) for e in near if not _within(name, e))
    for distance, _, _, entry in apart[:1]:
        source = _version(lists, "popular" if entry in lists.popular else "protected")
        if imitates and distance == 0:
            why = f"{name.registrable} is written to look like {entry}; a second person must compare them"
            yield _Found(Safety.SECOND_REVIEW, Signal("look_alike", entry, source), why)
        elif not imitates and distance <= 1 and len(_label(entry)) >= _SHORTEST_NEIGHBOUR:
            why = f"{name.registrable} is a letter or an ending away from {entry}; make sure which one is meant"
            yield _Found(Safety.SECOND_REVIEW, Signal("near_name", entry, source), why)


def _within(name: Name, entry: str) -> bool:
    """Whether the reported name is the listed one, or lies under it."""
    return name.host == entry or name.host.endswith(f".{entry}")


def _label(entry: str) -> str:
    return entry.partition(".")[0]


def _keys(word: str) -> set[str]:
    """The word, and the word without each of its letters: words one edit apart share a key."""
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


@lru_cache(maxsize=2)  # the lists mostly stay the same when the catalog is read anew
def _near(labelled: frozenset[tuple[str, str]]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for label, entry in labelled:
        for key in _keys(label):
            found.setdefault(key, set()).add(entry)
    return {key: frozenset(entries) for key, entries in found.items()}


def _apart(listed: str, label: str) -> int:
    """0: the same; 1: one letter added, left out or replaced, or two neighbours exchanged; 2: more."""
    one, other = sorted((listed, label), key=len)
    if one == other:
        return 0
    at = next((i for i, letter in enumerate(one) if letter != other[i]), len(one))
    if len(one) == len(other):
        swapped = one[at + 1 : at + 2] + one[at] + one[at + 2 :]
        return 1 if one[at + 1 :] == other[at + 1 :] or swapped == other[at:] else 2
    return 1 if len(other) - len(one) == 1 and one[at:] == other[at + 1 :] else 2


def _by_label(entries: Iterable[str]) -> Mapping[str, str]:
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
