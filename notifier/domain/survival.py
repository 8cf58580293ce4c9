"""How long things take when some have not happened yet: Kaplan-Meier curves and the log-rank test.

An open case is no missing one: it is known to have taken longer than until now (right-censored). A median over what is
over already is too low, since the slow ones are still open. Durations have any one unit; answers have the same.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import erfc, exp, gamma, log, sqrt
from statistics import NormalDist
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
_EPS = 1e-12  # a product that is 0.5 by arithmetic may differ from it in the last bit


class Duration(NamedTuple):
    """`n` subjects: each `happened` after `length`, or is known to last at least that long."""

    length: float
    happened: bool
    n: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Lengths:
    """Very many durations, as columns."""

    length: NDArray[np.float64]
    happened: NDArray[np.bool_]
    n: NDArray[np.int64]

    @classmethod
    def of(cls, durations: "Iterable[Duration] | Lengths") -> "Self | Lengths":
        if isinstance(durations, Lengths):
            return durations
        length, happened, n = zip(*durations, strict=True) if (durations := list(durations)) else ((), (), ())
        return cls(np.array(length, float), np.array(happened, bool), np.array(n, np.int64))


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


def kaplan_meier(durations: Iterable[Duration] | Lengths, confidence: float = CONFIDENCE) -> Curve:
    """Kaplan and Meier (1958), with Greenwood's variance on the scale of log(-log), so that bands stay inside 0..1.

    Who is censored at a time was still at risk at it. Raises ValueError for a negative length.
    """
    found = Lengths.of(durations)
    times, place = np.unique(found.length, return_inverse=True)
    if len(times) and times[0] < 0:
        raise ValueError(f"a duration of {times[0]} ends before it begins")
    leaving, events = np.zeros(len(times), np.int64), np.zeros(len(times), np.int64)
    np.add.at(leaving, place, found.n)
    np.add.at(events, place[found.happened], found.n[found.happened])
    n = int(leaving.sum())
    at_risk = n - (np.cumsum(leaving) - leaving)
    # Sums and products one after the other: the same to the last bit wherever they are made.
    lasting = np.cumprod(1 - events / at_risk)
    left = at_risk - events
    greenwood = np.cumsum(np.where(left > 0, events / (at_risk * np.maximum(left, 1)), 0.0))
    columns = (times, at_risk, events, leaving - events, lasting, greenwood)
    steps = tuple(zip(*(column.tolist() for column in columns), strict=True))
    happened, z = int(events.sum()), _z(confidence)
    return Curve(n, happened, n - happened, _median(steps, z), steps, z)


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


_Read = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def log_rank(groups: Sequence[Iterable[Duration] | Lengths], read: _Read = lambda length: length) -> LogRank:
    """Whether the groups differ more than chance makes them (Mantel 1966), for two groups or more.

    Groups that were never at risk when something happened say nothing and take no degree of freedom. `read`: as what
    lengths are read, all of the groups together.
    """
    risks, events = _at_events([Lengths.of(group) for group in groups], read)
    at_risk, had = risks.sum(axis=0), events.sum(axis=0)
    # What share of those at risk each group is, and the variance that a random draw of the events has.
    shares = risks / at_risk
    scales = had * (at_risk - had) / np.maximum(at_risk - 1, 1)
    excess = events.sum(axis=1) - _total(had * shares)
    both = np.zeros((len(shares), len(shares)))
    for scale, of in zip(scales, np.ascontiguousarray(shares.T), strict=True):
        both += np.multiply.outer(scale * of, of)
    covariance = np.diag(_total(scales * shares)) - both
    told = np.flatnonzero(covariance.diagonal() > _EPS)
    if len(told) < 2:
        return LogRank(0.0, 0, None)
    kept = told[:-1]  # the excesses add up to nothing, so the last one is known from the others
    chi2 = _weighed(covariance[np.ix_(kept, kept)], excess[kept])
    return LogRank(0.0, 0, None) if chi2 is None else LogRank(chi2, len(kept), chi2_tail(chi2, len(kept)))


def _at_events(groups: Sequence[Lengths], read: _Read) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each group, at each time at which something happened: how many are at risk, and how many of them have it then."""
    of = np.repeat(np.arange(len(groups)), [len(group.n) for group in groups])
    length, happened, n = (
        np.concatenate([getattr(group, name) for group in groups] or [[]]) for name in ("length", "happened", "n")
    )
    length, happened = read(length.astype(float)), happened.astype(bool) & (n > 0)
    times = np.unique(length[happened])
    shape = len(groups), len(times) + 1

    def counted(which: NDArray[np.bool_]) -> NDArray[np.float64]:
        """By the last time that they last until, the first one standing for none."""
        place = of[which] * shape[1] + np.searchsorted(times, length[which], side="right")
        return np.bincount(place, n[which], shape[0] * shape[1]).reshape(shape).astype(float)

    lasting = counted(np.ones(len(n), bool))
    return np.cumsum(lasting[:, :0:-1], axis=1)[:, ::-1], counted(happened)[:, 1:]


def _total(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of each row, one after the other: the same to the last bit wherever it is made."""
    found: NDArray[np.float64] = np.cumsum(rows, axis=1)[:, -1] if rows.shape[1] else np.zeros(len(rows))
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


def _weighed(covariance: NDArray[np.float64], excess: NDArray[np.float64]) -> float | None:
    """e' V^-1 e by Cholesky, of a V that is positive, as a covariance is, and has its lower half; None where it is singular."""
    left, rest, found = covariance.copy(), excess.copy(), 0.0
    for i in range(len(left)):
        if left[i, i] < _EPS:
            return None
        column = left[i + 1 :, i] / sqrt(left[i, i])
        half = rest[i] / sqrt(left[i, i])
        left[i + 1 :, i + 1 :] -= column[:, None] * column
        rest[i + 1 :] -= column * half
        found += float(half) ** 2
    return found
