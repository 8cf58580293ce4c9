"""How long things take when some have not happened yet: Kaplan-Meier curves and the log-rank test.

An open case is no missing one: it is known to have taken longer than until now (right-censored). A median over what is
over already is too low, since the slow ones are still open. Durations have any one unit; answers have the same.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from math import erfc, exp, gamma, log, sqrt
from operator import mul
from statistics import NormalDist

CONFIDENCE = 0.95
_EPS = 1e-12  # a product that is 0.5 by arithmetic may differ from it in the last bit


@dataclass(frozen=True, slots=True)
class Duration:
    """`n` subjects: each `happened` after `length`, or is known to last at least that long."""

    length: float
    happened: bool
    n: int = 1


@dataclass(frozen=True, slots=True)
class Point:
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


@dataclass(frozen=True, slots=True)
class Curve:
    """The estimate over `n` subjects, of which `events` had it and `censored` not yet."""

    n: int
    events: int
    censored: int
    points: tuple[Point, ...]
    median: Median

    def lasting(self, time: float) -> float:
        """The share that lasts longer than `time`."""
        passed = [point.lasting for point in self.points if point.time <= time]
        return passed[-1] if passed else 1.0

    def at_risk(self, time: float) -> int:
        """How many are known to last until `time`."""
        return next((point.at_risk for point in self.points if point.time >= time), 0)


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
    found = sorted(durations, key=lambda duration: duration.length)
    if found and found[0].length < 0:
        raise ValueError(f"a duration of {found[0].length} ends before it begins")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    n = sum(duration.n for duration in found)
    lasting, greenwood, at_risk = 1.0, 0.0, n
    points: list[Point] = []
    band: tuple[float | None, float | None] = (1.0, 1.0)
    for time, group in groupby(found, key=lambda duration: duration.length):
        here = list(group)
        events, leaving = (sum(d.n for d in here if d.happened), sum(d.n for d in here))
        if events == at_risk:
            lasting = 0.0
        elif events:
            lasting *= 1 - events / at_risk
            greenwood += events / (at_risk * (at_risk - events))
        if events:
            band = _band(lasting, greenwood, z)
        points.append(Point(time, at_risk, events, leaving - events, lasting, *band))
        at_risk -= leaving
    happened = sum(duration.n for duration in found if duration.happened)
    return Curve(n, happened, n - happened, tuple(points), _median(points))


def _band(lasting: float, greenwood: float, z: float) -> tuple[float | None, float | None]:
    if lasting >= 1:
        return 1.0, 1.0
    if lasting <= 0:
        return None, None
    spread = exp(z * sqrt(greenwood) / abs(log(lasting)))
    return lasting**spread, lasting ** (1 / spread)


def _median(points: Sequence[Point]) -> Median:
    def first(values: Iterable[tuple[float, float | None]]) -> float | None:
        return next((time for time, value in values if value is not None and value <= 0.5 + _EPS), None)

    # Where a band does not exist, it cannot be said to have come below one half.
    return Median(
        first((point.time, point.lasting) for point in points),
        first((point.time, point.low) for point in points),
        first((point.time, point.high) for point in points),
    )


def log_rank(groups: Sequence[Sequence[Duration]]) -> LogRank:
    """Whether the groups differ more than chance makes them (Mantel 1966), for two groups or more.

    Groups that were never at risk when something happened say nothing and take no degree of freedom.
    """
    times = sorted({duration.length for group in groups for duration in group if duration.happened})
    lasting = [_Lasting.of(group) for group in groups]
    happened = [_happened(group) for group in groups]
    excess = [0.0] * len(groups)
    # At each time: what share of those at risk each group is, and the variance that a random draw of the events has.
    shares: list[list[float]] = [[] for _ in groups]
    scales: list[float] = []
    for time in times:
        risk = [group.until(time) for group in lasting]
        events = [group[time] for group in happened]
        n, d = sum(risk), sum(events)
        for i, at_risk in enumerate(risk):
            excess[i] += events[i] - d * at_risk / n
            shares[i].append(at_risk / n)
        scales.append(d * (n - d) / (n - 1) if n > 1 else 0.0)
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


@dataclass(frozen=True, slots=True)
class _Lasting:
    """Lengths in order, and how many subjects last at least as long as each."""

    lengths: Sequence[float]
    subjects: Sequence[int]

    @classmethod
    def of(cls, group: Sequence[Duration]) -> "_Lasting":
        found = sorted(group, key=lambda duration: duration.length)
        left = accumulate((duration.n for duration in reversed(found)), initial=0)
        return cls([duration.length for duration in found], list(left)[::-1])

    def until(self, time: float) -> int:
        return self.subjects[bisect_left(self.lengths, time)]


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


def _solve(matrix: list[list[float]], right: list[float]) -> list[float] | None:
    """Gauss with pivots; None for a singular matrix."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda i: abs(rows[i][column]))
        if abs(rows[pivot][column]) < _EPS:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for i in range(size):
            if i != column:
                factor = rows[i][column] / rows[column][column]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[column], strict=True)]
    return [rows[i][size] / rows[i][i] for i in range(size)]
