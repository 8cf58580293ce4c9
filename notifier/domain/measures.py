"""Numbers in, numbers out: the statistics that rules and reports share."""

from functools import cache
from math import sqrt
from statistics import NormalDist


def wilson(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """Wilson score interval (1927) of a proportion, as (low, high) in 0..1; of nothing observed, (0, 1).

    `confidence` is two-sided, such as 0.95. Raises ValueError if it is not inside 0..1, or if
    0 <= successes <= n does not hold. Unlike the normal interval it stays inside 0..1 for small n.
    """
    if not 0 <= successes <= n or not 0 < confidence < 1:
        raise ValueError(f"{successes} of {n} at confidence {confidence} is no proportion")
    if n == 0:
        return 0.0, 1.0
    z2 = _z2(confidence)
    share = successes / n
    middle = share + z2 / (2 * n)
    spread = sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))
    scale = 1 + z2 / n
    low = 0.0 if successes == 0 else (middle - spread) / scale
    high = 1.0 if successes == n else (middle + spread) / scale
    return low, high


@cache
def _z2(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2) ** 2
