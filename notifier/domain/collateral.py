"""What else would have gone dark with a name, or did: safety findings of cases, in counts. Pure.

A number that could not be measured is unknown and is counted as such; it is never taken for nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from notifier.domain.blast import heaviest
from notifier.domain.safety import Safety, Signal, worse

HOSTS, DEPENDENTS = "host_names", "name_server_dependents"


@dataclass(frozen=True, slots=True)
class Finding:
    """The worst that was found of a case's target over all assessments. `hosts`, `dependents`: as measured last; None:
    not measured. `why`: the signals that weigh as much as the whole."""

    case_id: str
    safety: Safety
    hosts: int | None
    dependents: int | None
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """Of some cases: how many, host names below them as far as measured, and for how many they were not."""

    cases: int
    hosts: int
    unknown: int


def finding(case_id: str, assessments: Sequence[tuple[Safety, Sequence[Signal]]]) -> Finding:
    """`assessments`: oldest first."""
    worst, hosts, dependents = Safety.CLEAR, None, None
    why: set[str] = set()
    for safety, signals in assessments:
        found = heaviest(signals)
        hosts = _number(found.get(HOSTS)) if HOSTS in found else hosts
        dependents = _number(found.get(DEPENDENTS)) if DEPENDENTS in found else dependents
        if worse(safety, worst):
            worst, why = safety, set()
        if safety is worst and safety is not Safety.CLEAR:
            why |= {name for name, signal in found.items() if signal.weight is safety}
    return Finding(case_id, worst, hosts, dependents, tuple(sorted(why)))


def _number(signal: Signal | None) -> int | None:
    """A count, also one that is a lower bound, such as `at least 500`."""
    if signal is None:
        return None
    digits = signal.value.removeprefix("at least ").replace(",", "")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None


def summed(findings: Iterable[Finding]) -> Sum:
    found = list(findings)
    return Sum(len(found), sum(f.hosts or 0 for f in found), sum(f.hosts is None for f in found))


def by_safety(findings: Iterable[Finding]) -> Mapping[Safety, Sum]:
    found = list(findings)
    return {safety: summed(f for f in found if f.safety is safety) for safety in Safety}


def reasons(findings: Iterable[Finding]) -> Mapping[tuple[Safety, str], int]:
    """Cases by what was found and the signal that says so. A case with two reasons stands in both."""
    counted = Counter((f.safety, name) for f in findings for name in f.why)
    return dict(sorted(counted.items(), key=lambda one: (-one[1], one[0])))
