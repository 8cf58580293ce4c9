"""Small numbers kept back, and as many others as it takes that nobody can compute them from what is shown.

Numbers hang together: a stage and what is left of the one before it, a total and its parts. Each such relation is an
equation whose sum is nought. A number can be computed from those that are shown exactly when linear algebra finds it
(over the integers modulo a large prime, which finds no less), so that is what is tried, until it finds none.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)
Equation = Mapping[K, int]

_PRIME = 2**61 - 1


def kept_back(
    values: Mapping[K, int],
    equations: Iterable[Equation[K]],
    below: int,
    shown: Callable[[K], bool],
    cost: Callable[[K], Any],
) -> frozenset[K]:
    """Which of the numbers are not told.

    `shown`: would be told, if it were not kept back; the others stand in equations alone, and are guarded all the same.
    `cost`: those that cost least go first, when more must go. Nought is told: it is no small number but none.
    """
    sensitive = {key for key, n in values.items() if 0 < n < below}
    unknown = sensitive | {key for key, n in values.items() if n and not shown(key)}
    relations = [kept for each in equations if (kept := {k: c for k, c in each.items() if c and values.get(k)})]
    touching: dict[K, list[Equation[K]]] = {}
    for each in relations:
        for key in each:
            touching.setdefault(key, []).append(each)
    while told := computable(relations, unknown) & sensitive:
        more = {_next(key, touching, unknown, cost) for key in sorted(told, key=cost)} - {None}
        if not more:
            break
        unknown |= more  # type: ignore[arg-type]
    return frozenset(key for key in unknown if shown(key))


def computable(equations: Iterable[Equation[K]], unknown: set[K]) -> set[K]:
    """The unknown numbers that follow from the others."""
    rows = [row for each in equations if (row := {k: c % _PRIME for k, c in each.items() if k in unknown})]
    count: dict[K, int] = {}
    for row in rows:
        for key in row:
            count[key] = count.get(key, 0) + 1
    solved: dict[K, dict[K, int]] = {}
    for row in sorted(rows, key=len):
        left = dict(row)
        while (at := next((key for key in left if key in solved), None)) is not None:
            _subtract(left, solved[at], left[at])
        if left:
            pivot = min(left, key=lambda key: count[key])  # one that stands nowhere else makes no row longer
            inverse = pow(left[pivot], -1, _PRIME)
            solved[pivot] = {key: c * inverse % _PRIME for key, c in left.items()}
    for pivot in reversed(solved):
        row = solved[pivot]
        for key in [k for k in row if k != pivot and k in solved]:
            if key in row:
                _subtract(row, solved[key], row[key])
    return {pivot for pivot, row in solved.items() if len(row) == 1}


def _subtract(row: dict[K, int], other: Mapping[K, int], times: int) -> None:
    for key, c in other.items():
        left = (row.get(key, 0) - times * c) % _PRIME
        if left:
            row[key] = left
        else:
            row.pop(key, None)


def _next(key: K, touching: Mapping[K, Sequence[Equation[K]]], unknown: set[K], cost: Callable[[K], Any]) -> K | None:
    """What to keep back beside a number that can be computed: of what it is told by, the cheapest; else from farther on."""
    seen, waiting = {key}, deque([key])
    while waiting:
        near = {other for each in touching.get(waiting[0], ()) for other in each}
        if known := near - unknown:
            return min(known, key=cost)
        waiting.popleft()
        fresh = near - seen
        seen |= fresh
        waiting.extend(sorted(fresh, key=cost))
    return None
