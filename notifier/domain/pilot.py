"""A pilot as it can be judged: cohorts before, during and after it, at the registries that took part and at the others.

A cohort is what was opened in a phase, followed until now. What happened in a phase, whenever it began, is a period and
stands apart. Nothing here says that the pilot was the cause.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt

from notifier.domain.figures import Share
from notifier.domain.history import History
from notifier.domain.survival import Curve

PHASES = ("before", "during", "after")
PILOT, OTHERS = "pilot", "comparison"
ARMS = (PILOT, OTHERS)
DAYS = 30.0


@dataclass(frozen=True, slots=True)
class Phase:
    """From `start` up to, not including, `end`. `days`: its length, also when some of it lies ahead."""

    name: str
    start: datetime
    end: datetime

    @property
    def days(self) -> float:
        return (self.end - self.start).total_seconds() / 86_400


@dataclass(frozen=True, slots=True)
class Difference:
    """`value` with its interval at 95 %; value None: a side has nothing."""

    value: float | None
    low: float
    high: float


def phases(start: datetime, end: datetime) -> tuple[Phase, Phase, Phase]:
    """As long before and after as the pilot itself. Raises ValueError when it ends before it begins."""
    length = end - start
    if length.total_seconds() <= 0:
        raise ValueError("a pilot ends after it begins")
    return (
        Phase("before", start - length, start),
        Phase("during", start, end),
        Phase("after", end, end + length),
    )


def arm(history: History, registries: Collection[str | None]) -> str:
    return PILOT if history.registry in registries else OTHERS


def split(units: Iterable[History], found: Sequence[Phase], registries: Iterable[str]) -> Mapping[str, list[History]]:
    """Units by `PHASE/ARM`, each in the phase in which it was opened; what was opened outside of all is left out."""
    taking = frozenset(registries)
    parts: dict[str, list[History]] = {f"{phase.name}/{side}": [] for phase in found for side in ARMS}
    for unit in units:
        for phase in found:
            if phase.start <= unit.opened < phase.end:
                parts[f"{phase.name}/{arm(unit, taking)}"].append(unit)
    return parts


def difference(later: Share, earlier: Share) -> Difference:
    """Of two shares, with Newcombe's interval from their Wilson limits (1998, method 10)."""
    if later.share is None or earlier.share is None:
        return Difference(None, -1.0, 1.0)
    return _apart(later.share, later.low, later.high, earlier.share, earlier.low, earlier.high)


def beyond(pilot: Difference, others: Difference) -> Difference:
    """How much more the pilot's share moved than the others' did, its interval made of theirs in the same way (MOVER)."""
    if pilot.value is None or others.value is None:
        return Difference(None, -2.0, 2.0)
    return _apart(pilot.value, pilot.low, pilot.high, others.value, others.low, others.high)


def _apart(
    one: float, one_low: float, one_high: float, other: float, other_low: float, other_high: float
) -> Difference:
    """Two estimates' difference, its limits from theirs (method of variance estimates recovery)."""
    low = one - other - sqrt((one - one_low) ** 2 + (other_high - other) ** 2)
    high = one - other + sqrt((one_high - one) ** 2 + (other - other_low) ** 2)
    return Difference(one - other, low, high)


def had_by(curve: Curve, days: float = DAYS) -> float | None:
    """The share that had it within some days, by the curve; None where nobody was followed that long."""
    seconds = days * 86_400
    if not curve.n or (curve.at_risk(seconds) == 0 and curve.lasting(seconds) > 0):
        return None
    return 1 - curve.lasting(seconds)


@dataclass(frozen=True, slots=True)
class Successor:
    """An accepted successor of a case: where its name lies."""

    case_id: str
    registry: str | None
    tld: str
    first_seen: datetime


def displaced(
    parts: Mapping[str, Sequence[History]], successors: Sequence[Successor], registries: Iterable[str]
) -> Mapping[str, Mapping[str, int]]:
    """By `PHASE/ARM` of the name before: successors under the pilot's registries, under the others, or under none known."""
    taking = frozenset(registries)
    where = {case_id: key for key, units in parts.items() for unit in units for case_id in unit.case_ids}
    found: dict[str, Counter[str]] = {key: Counter() for key in parts}
    for one in successors:
        if (key := where.get(one.case_id)) is not None:
            to = "elsewhere" if one.registry is None else PILOT if one.registry in taking else OTHERS
            found[key][to] += 1
    return {key: dict(sorted(counts.items())) for key, counts in found.items()}
