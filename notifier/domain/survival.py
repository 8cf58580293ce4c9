"""How long things take when some have not happened yet: Kaplan-Meier curves and the log-rank test.

An open case is no missing one: it is known to have taken longer than until now (right-censored). A median over what is
over already is too low, since the slow ones are still open. Durations have any one unit; answers have the same.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import erfc, exp, gamma, log, sqrt
from operator import mul, truediv
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95
_EPS = 1e-12  # a product that is 0.5 by arithmetic may differ from it in the last bit


class Duration(NamedTuple):
    """`n` subjects: each `happened` after `length`, or is known to last at least that long."""

    length: float
    happened: bool
    n: int = 1


class Point(NamedTuple):
    """At `time`: `at_risk` just before it, `events` and `censored` then; the share that lasts longer, and its band.

    `low` and `high` are None where the share is 0: Greenwood's variance does not exist there.
    """

    time: float
    at_risk: int
    events: int
    censored: int
    lasting: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Median:
    """The time by which half had it; None: not reached. `low` to `high` by Brookmeyer and Crowley (1982), from the band."""

    value: float | None
    low: float | None
    high: float | None


# A point without its band, but with Greenwood's sum, which the band is made of. No class: there are tens of thousands.
_Step = tuple[float, int, int, int, float, float]


@dataclass(frozen=True)
class Curve:
    """The estimate over `n` subjects, of which `events` had it and `censored` not yet."""

    n: int
    events: int
    censored: int
    median: Median
    steps: tuple[_Step, ...] = ()
    z: float = 0.0

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Made when somebody looks: tables of many curves show their medians alone."""
        return tuple(Point(*step[:5], *_band(*step[4:], self.z)) for step in self.steps)

    def lasting(self, time: float) -> float:
        """The share that lasts longer than `time`."""
        passed = [lasting for at, _, _, _, lasting, _ in self.steps if at <= time]
        return passed[-1] if passed else 1.0

    def at_risk(self, time: float) -> int:
        """How many are known to last until `time`."""
        return next((at_risk for at, at_risk, *_ in self.steps if at >= time), 0)


@dataclass(frozen=True, slots=True)
class LogRank:
    """`chi2` on `df` degrees of freedom, and the probability `p` of as much by chance; p None: nothing to compare."""

    chi2: float
    df: int
    p: float | None


def kaplan_meier(durations: Iterable[Duration], confidence: float = CONFIDENCE) -> Curve:
    """Kaplan and Meier (1958), with Greenwood's variance on the scale of log(-log), so that bands stay inside 0..1.

    Who is censored at a time was still at risk at it. Raises ValueError for a negative length.
    """
    found = sorted(durations)
    if found and found[0].length < 0:
        raise ValueError(f"a duration of {found[0].length} ends before it begins")
    n = sum(duration.n for duration in found)
    lasting, greenwood, at_risk = 1.0, 0.0, n
    steps: list[_Step] = []
    happened = events = leaving = 0
    for at, (time, had_it, subjects) in enumerate(found, 1):
        leaving += subjects
        events += subjects if had_it else 0
        if at < len(found) and found[at][0] == time:
            continue
        if events == at_risk:
            lasting = 0.0
        elif events:
            lasting *= 1 - events / at_risk
            greenwood += events / (at_risk * (at_risk - events))
        steps.append((time, at_risk, events, leaving - events, lasting, greenwood))
        at_risk -= leaving
        happened += events
        events = leaving = 0
    z = _z(confidence)
    return Curve(n, happened, n - happened, _median(steps, z), tuple(steps), z)


@cache
def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _band(lasting: float, greenwood: float, z: float) -> tuple[float | None, float | None]:
    if lasting >= 1:
        return 1.0, 1.0
    if lasting <= 0:
        return None, None
    spread = exp(z * sqrt(greenwood) / abs(log(lasting)))
    return lasting**spread, lasting ** (1 / spread)


def _median(steps: Sequence[_Step], z: float) -> Median:
    # Where a band does not exist, it cannot be said to have come below one half. Its upper end is above the share itself.
    low = high = value = None
    for time, _, events, _, lasting, greenwood in steps:
        if not events:
            continue
        if value is None and lasting <= 0.5 + _EPS:
            value = time
        if low is None or value is not None:
            below, above = _band(lasting, greenwood, z)
            if low is None and below is not None and below <= 0.5 + _EPS:
                low = time
            if above is not None and above <= 0.5 + _EPS:
                high = time
                break
    return Median(value, low, high)


def log_rank(groups: Sequence[Sequence[Duration]]) -> LogRank:
    """Whether the groups differ more than chance makes them (Mantel 1966), for two groups or more.

    Groups that were never at risk when something happened say nothing and take no degree of freedom.
    """
    happened = [_happened(group) for group in groups]
    times = sorted(set().union(*happened))
    # Of each group, at each time: how many are at risk, and how many of them have it then.
    risks = [_at_risk(group, times) for group in groups]
    events = [[group[time] for time in times] for group in happened]
    at_risk, had = list(map(sum, zip(*risks, strict=True))), list(map(sum, zip(*events, strict=True)))
    # What share of those at risk each group is, and the variance that a random draw of the events has.
    shares = [list(map(truediv, risk, at_risk)) for risk in risks]
    scales = [d * (n - d) / (n - 1) if n > 1 else 0.0 for n, d in zip(at_risk, had, strict=True)]
    excess = [sum(own) - sum(map(mul, had, share)) for own, share in zip(events, shares, strict=True)]
    covariance = _covariance(shares, scales)
    told = [i for i in range(len(groups)) if covariance[i][i] > _EPS]
    if len(told) < 2:
        return LogRank(0.0, 0, None)
    kept = told[:-1]  # the excesses add up to nothing, so the last one is known from the others
    solved = _solve([[covariance[i][j] for j in kept] for i in kept], [excess[i] for i in kept])
    if solved is None:
        return LogRank(0.0, 0, None)
    chi2 = max(0.0, sum(excess[i] * x for i, x in zip(kept, solved, strict=True)))
    return LogRank(chi2, len(kept), chi2_tail(chi2, len(kept)))


def _covariance(shares: Sequence[Sequence[float]], scales: Sequence[float]) -> list[list[float]]:
    """Of the groups' events, over all times. In sums over whole rows, since many groups have many pairs."""
    found = [[0.0] * len(shares) for _ in shares]
    for i, own in enumerate(shares):
        scaled = list(map(mul, scales, own))
        for j in range(i + 1):
            found[i][j] = found[j][i] = -sum(map(mul, scaled, shares[j]))
        found[i][i] += sum(scaled)
    return found


def _at_risk(group: Sequence[Duration], times: Sequence[float]) -> list[int]:
    """How many subjects last at least as long as each of these times, which ascend."""
    found, at, left, risk = sorted(group), 0, sum(duration.n for duration in group), []
    for time in times:
        while at < len(found) and found[at].length < time:
            left -= found[at].n
            at += 1
        risk.append(left)
    return risk


def _happened(group: Sequence[Duration]) -> Counter[float]:
    found: Counter[float] = Counter()
    for duration in group:
        if duration.happened:
            found[duration.length] += duration.n
    return found


def chi2_tail(x: float, df: int) -> float:
    """The probability that a chi-squared variable with `df` degrees of freedom exceeds `x` >= 0."""
    if x < 0 or df < 1:
        raise ValueError(f"no chi-squared value: {x} with {df} degrees of freedom")
    half = x / 2
    tail, start = (erfc(sqrt(half)), 1) if df % 2 else (exp(-half), 2)
    for k in range(start, df, 2):  # Q(k + 2) = Q(k) + (x/2)^(k/2) e^(-x/2) / Gamma(k/2 + 1)
        tail += half ** (k / 2) * exp(-half) / gamma(k / 2 + 1)
    return min(1.0, tail)


def _solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float] | None:
    """Cholesky, of a symmetric matrix that is positive, as a covariance is; None where it is singular."""
    rows: list[list[float]] = []
    for i, row in enumerate(matrix):
        made: list[float] = []
        for j in range(i):
            made.append((row[j] - sum(map(mul, made, rows[j]))) / rows[j][j])
        pivot = row[i] - sum(map(mul, made, made))
        if pivot < _EPS:
            return None
        rows.append([*made, sqrt(pivot)])
    half: list[float] = []
    for row, value in zip(rows, right, strict=True):
        half.append((value - sum(map(mul, row, half))) / row[-1])
    found: list[float] = []  # from the last on
    for i in range(len(rows) - 1, -1, -1):
        below = sum(rows[k][i] * found[len(rows) - 1 - k] for k in range(i + 1, len(rows)))
        found.append((half[i] - below) / rows[i][i])
    return found[::-1]
