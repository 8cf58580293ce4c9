"""What acting on a name would hit besides what was complained of: readings, and the numbers they are held against. Pure.

Nothing that could not be measured counts as harmless: an unknown reading of the blast radius asks for a second person.
Signs of a site that was broken into are advice (COMAR 2021: a quarter of phishing names are), never proof.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from notifier.domain.safety import Safety, Scope, Signal, Target, worse

T = TypeVar("T")
UNKNOWN = "unknown"
NOT_LISTED = 0  # a rank: the list was read and does not have the name
SIGNS = ("old_name", "cms_path", "root_unrelated", "referrer_only", "captured", "stated")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """One measured quantity; `value` None is unknown, and `detail` says why. `at` is business time.

    `failed`: the source may answer another time. `at_least`: a lower bound, the source said more than was read.
    """

    value: T | None
    source: str
    at: datetime | None = None
    detail: str = ""
    failed: bool = False
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What only asking around can tell about one registrable name.

    `host_names` below it, without www; `dependents`: names that use it, or a host of it, as name server; `rank` in a
    popularity list, NOT_LISTED when it is not there.
    """

    host_names: Reading[int]
    wildcard: Reading[bool]
    dependents: Reading[int]
    mail_active: Reading[bool]
    rank: Reading[int]

    @property
    def failed(self) -> bool:
        """Whether a source that is configured did not answer."""
        return any(getattr(self, name).failed for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was found out; `signs` are of a broken-into site: SIGNS, or others that captures tell."""

    around: Surveyed
    registered_at: Reading[datetime]
    parked: Reading[bool]
    already_down: Reading[bool]
    cloaking: Reading[bool]
    signs: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`config/safety.toml`, checked. `version` names file, date and digest. Ages and times are spans."""

    version: str
    host_names_second: int
    host_names_reroute: int
    host_names_pages: int
    dependents_second: int
    dependents_reroute: int
    wildcard_second: bool
    mail_age: timedelta
    age: timedelta
    rank_second: int
    rank_pages_reroute: bool
    signs_second: int
    signs_reroute: int
    sign_points: Mapping[str, int]
    cms_parts: tuple[str, ...]
    parking_servers: frozenset[str]
    parking_phrases: tuple[str, ...]
    measure_again: timedelta
    trust: timedelta
    retry: timedelta
    source_max_age: timedelta
    remember: timedelta


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the case's reports are about. `pages_only`: nobody reported the site itself, only pages or hosts of it."""

    pages_only: bool


def narrowed(target: Target, host: str, shown: str) -> Target:
    """The target of a case about one host of the same name; `shown` is the host for display."""
    return replace(target, name=host, host=host, scope=Scope.HOST, unicode=shown)


def news(before: Sequence[Signal], after: Sequence[Signal]) -> tuple[str, ...]:
    """Names of signals that weigh more than before, sorted; what was unknown and is still no better is no news."""
    was = heaviest(before)
    return tuple(
        sorted(
            name
            for name, signal in heaviest(after).items()
            if worse(signal.weight, was[name].weight if name in was else Safety.CLEAR)
        )
    )


def heaviest(signals: Sequence[Signal]) -> dict[str, Signal]:
    """By name, the signal that weighs most: a list and a measurement may speak of the same thing."""
    found: dict[str, Signal] = {}
    for signal in signals:
        if signal.name not in found or worse(signal.weight, found[signal.name].weight):
            found[signal.name] = signal
    return found


def left_unknown(signals: Sequence[Signal]) -> bool:
    """Whether something of the blast radius could not be measured."""
    return any(signal.value == UNKNOWN and signal.weight is not Safety.CLEAR for signal in signals)


def cms_signs(paths: Sequence[str], thresholds: Thresholds) -> bool:
    """Whether a reported page lies where a content management system keeps uploads and parts."""
    return any(part in path.lower() for path in paths for part in thresholds.cms_parts)


def parked_by(name_servers: Sequence[str], thresholds: Thresholds) -> bool:
    """Whether the name's servers are those of a parking service."""
    known = thresholds.parking_servers
    return any(server == parking or server.endswith(f".{parking}") for server in name_servers for parking in known)
