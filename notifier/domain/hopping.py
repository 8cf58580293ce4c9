"""Which names may be of one actor: signals that two names share, how much each is worth, and when they are enough. Pure.

A false link harms somebody who did nothing. So a value that names share which have nothing to do with each other is
worth nothing, signs of one kind count once, and two kinds must be strong before a person is even asked.

The arithmetic: a shared value weighs `WEIGHTS[kind]` (a text: how alike the two are), halved for each unrelated name
that is known to carry it too, and nothing from `COMMON` of them on, or where nobody can say how many there are. What
belongs to one class is put together as 1 - (1 - a)(1 - b)...; a class is strong from `STRONG` on; two strong classes
propose. By that no class proposes alone, and of name, address and favicon only the same long label is ever strong.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from notifier.domain.page_text import Sketch, similarity


class Kind(StrEnum):
    """What two names may share."""

    TEXT = "text"
    FAVICON = "favicon"
    ANALYTICS = "analytics"
    CERTIFICATE_KEY = "certificate_key"
    NAME_SERVERS = "name_servers"
    ADDRESS = "address"
    REGISTRANT = "registrant"
    SAME_LABEL = "same_label"
    SIMILAR_LABEL = "similar_label"


class Class(StrEnum):
    """Kinds that come from one hand: a template brings text and icon, a host its servers, addresses and certificate."""

    CONTENT = "content"
    ANALYTICS = "analytics"
    INFRASTRUCTURE = "infrastructure"
    REGISTRATION = "registration"
    NAME = "name"


CLASS_OF: Final[Mapping[Kind, Class]] = {
    Kind.TEXT: Class.CONTENT,
    Kind.FAVICON: Class.CONTENT,
    Kind.ANALYTICS: Class.ANALYTICS,
    Kind.CERTIFICATE_KEY: Class.INFRASTRUCTURE,
    Kind.NAME_SERVERS: Class.INFRASTRUCTURE,
    Kind.ADDRESS: Class.INFRASTRUCTURE,
    Kind.REGISTRANT: Class.REGISTRATION,
    Kind.SAME_LABEL: Class.NAME,
    Kind.SIMILAR_LABEL: Class.NAME,
}
# A key pair is one machine's. Ids of accounts can be copied with the page. A favicon comes with many systems, and an
# address with everybody of a host: how many innocent names carry those, nobody tells us.
WEIGHTS: Final[Mapping[Kind, float]] = {
    Kind.TEXT: 1.0,
    Kind.FAVICON: 0.5,
    Kind.ANALYTICS: 0.9,
    Kind.CERTIFICATE_KEY: 0.9,
    Kind.NAME_SERVERS: 0.8,
    Kind.ADDRESS: 0.3,
    Kind.REGISTRANT: 0.9,
    Kind.SAME_LABEL: 0.7,
    Kind.SIMILAR_LABEL: 0.4,
}
STRONG: Final = 0.7
COMMON: Final = 4
ALIKE: Final = 0.5  # two texts below it have nothing to do with each other
MIN_WORDS: Final = 50  # a shorter page says what many say
# Whoever copies a page has these, and may take the label too. Such links alone may lead to whom it was copied from.
COPYABLE: Final = frozenset({Class.CONTENT, Class.ANALYTICS, Class.NAME})

_LONG_LABEL, _SHORTEST_STEM = 7, 4
_COUNTED = re.compile(r"[-0-9]+")


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that was seen of a name. `sketch`: of a text alone, whose `value` is its digest. `source`: from where."""

    kind: Kind
    value: str
    source: str
    seen_at: datetime
    sketch: Sketch = ()


@dataclass(frozen=True, slots=True)
class Shared:
    """One signal that two names share. `carriers`: unrelated names that carry it too, None: nobody can say.

    `here` and `there`: what it was read from, of the name before and of the one that may follow.
    """

    kind: Kind
    value: str
    weight: float
    carriers: int | None
    here: str
    there: str
    seen_at: datetime

    @property
    def strength(self) -> float:
        """From 0, worth nothing, to 1."""
        return strength(self.weight, self.carriers)


@dataclass(frozen=True, slots=True)
class Link:
    """Everything that two names share, strongest first."""

    shared: tuple[Shared, ...]

    @property
    def classes(self) -> Mapping[Class, float]:
        """How strong each class is that has anything."""
        left: dict[Class, float] = {}
        for one in self.shared:
            if one.strength:
                left[CLASS_OF[one.kind]] = left.get(CLASS_OF[one.kind], 1.0) * (1.0 - one.strength)
        return {found: round(1.0 - rest, 3) for found, rest in sorted(left.items())}

    @property
    def strong(self) -> frozenset[Class]:
        return frozenset(found for found, worth in self.classes.items() if worth >= STRONG)

    @property
    def proposes(self) -> bool:
        """Whether a person is asked about it: two independent classes are strong."""
        return len(self.strong) >= 2


def strength(weight: float, carriers: int | None) -> float:
    """What a shared value is worth: halved for each unrelated name that has it too, nothing from COMMON on."""
    if carriers is None or carriers >= COMMON:
        return 0.0
    return round(weight / 2.0**carriers, 3)


# --- what two names share -----------------------------------------------------------------------------------------

Carriers = Callable[[Sign], int | None]


def link(before: str, signs: Iterable[Sign], name: str, other: Iterable[Sign], carriers: Carriers) -> Link:
    """What the registrable names `before` and `name` share. `carriers` says how many unrelated names carry a sign of
    `before` too, None where that cannot be told."""
    theirs: dict[Kind, list[Sign]] = {}
    for sign in other:
        theirs.setdefault(sign.kind, []).append(sign)
    found: dict[tuple[Kind, str], Shared] = {}
    for sign in signs:
        weight, match = _matched(sign, theirs.get(sign.kind, ()))
        if match is None or (sign.kind, sign.value) in found:
            continue
        seen_at = max(sign.seen_at, match.seen_at)
        one = Shared(sign.kind, sign.value, weight, carriers(sign), sign.source, match.source, seen_at)
        found[sign.kind, sign.value] = one
    shared = [*_best_text(found.values()), *_name_pattern(before, name, theirs, carriers)]
    return Link(tuple(sorted(shared, key=lambda s: (-s.strength, s.kind, s.value))))


def _matched(sign: Sign, theirs: Sequence[Sign]) -> tuple[float, Sign | None]:
    if sign.kind is not Kind.TEXT:
        return WEIGHTS[sign.kind], next((one for one in theirs if one.value == sign.value), None)
    alike = [(round(similarity(sign.sketch, one.sketch), 2), n) for n, one in enumerate(theirs) if one.sketch]
    best, n = max(alike, default=(0.0, 0), key=lambda pair: (pair[0], -pair[1]))
    return (best, theirs[n]) if sign.sketch and best >= ALIKE else (0.0, None)


def _best_text(found: Iterable[Shared]) -> list[Shared]:
    """Of the pages of one site only the most alike pair counts: its other pages say much the same."""
    texts = sorted((s for s in found if s.kind is Kind.TEXT), key=lambda s: (-s.strength, s.value))
    return [*texts[:1], *(s for s in found if s.kind is not Kind.TEXT)]


def _name_pattern(
    before: str, name: str, theirs: Mapping[Kind, Sequence[Sign]], carriers: Carriers
) -> Iterable[Shared]:
    kind = pattern(before, name)
    if kind is None:
        return
    seen_at = max((sign.seen_at for signs in theirs.values() for sign in signs), default=None)
    if seen_at is None:
        return
    sign = Sign(kind, label_of(before) if kind is Kind.SAME_LABEL else stem(before), before, seen_at)
    yield Shared(kind, sign.value, WEIGHTS[kind], carriers(sign), before, name, seen_at)


def pattern(before: str, name: str) -> Kind | None:
    """Whether two registrable A-labels look like one name that moved: the same label, long enough to be nobody's by
    chance, or the same but for digits and hyphens."""
    if before == name:
        return None
    one, other = label_of(before), label_of(name)
    if one == other:
        return Kind.SAME_LABEL if len(one) >= _LONG_LABEL else None
    same = stem(before) == stem(name) and len(stem(name)) >= _SHORTEST_STEM
    return Kind.SIMILAR_LABEL if same else None


def label_of(registrable: str) -> str:
    return registrable.partition(".")[0]


def stem(registrable: str) -> str:
    """The label without digits and hyphens; an A-label is nothing but its own."""
    label = label_of(registrable)
    return label if label.startswith("xn--") else _COUNTED.sub("", label)


def name_servers(servers: Iterable[str]) -> str | None:
    """A set of name servers as one value; None for none. One server alone is a stand-in, not a choice."""
    kept = sorted({server.lower().rstrip(".") for server in servers})
    return " ".join(kept) if len(kept) >= 2 else None


def is_public(address: str) -> bool:
    """Whether an address is one host's in the world; a private one is everybody's."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


# --- who needs a second look --------------------------------------------------------------------------------------


def may_be_the_original(found: Link, before_since: datetime | None, since: datetime | None) -> bool:
    """Whether the name may be the one that was copied: everything strong can be copied, and it is not surely younger."""
    if not found.strong <= COPYABLE:
        return False
    return before_since is None or since is None or since <= before_since


# --- clusters -----------------------------------------------------------------------------------------------------


def clusters(links: Iterable[tuple[str, str]]) -> list[frozenset[str]]:
    """Names that belong together by links, directly or over others; by their smallest member. Who has no link is in none."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        top = name
        while (above := parent.setdefault(top, top)) != top:
            top = above
        while parent[name] != top:
            parent[name], name = top, parent[name]
        return top

    for one, other in links:
        parent[root(one)] = root(other)
    found: dict[str, set[str]] = {}
    for name in list(parent):
        found.setdefault(root(name), set()).add(name)
    return sorted((frozenset(members) for members in found.values() if len(members) > 1), key=min)


WORDS: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "its pages say the same",
    Kind.FAVICON: "it has the same icon",
    Kind.ANALYTICS: "its visitors are counted by the same account",
    Kind.CERTIFICATE_KEY: "its certificate has the same key",
    Kind.NAME_SERVERS: "it has the same name servers, which few others have",
    Kind.ADDRESS: "it is at the same address",
    Kind.REGISTRANT: "the same public registrant handle registered it",
    Kind.SAME_LABEL: "it has the same label under another ending",
    Kind.SIMILAR_LABEL: "its label differs in digits or hyphens alone",
}
