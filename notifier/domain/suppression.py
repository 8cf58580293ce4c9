"""Small numbers kept back, and as many others as it takes that what is told does not say what they are, or nearly.

Numbers hang together: a stage and what is left of the one before it, a total and its parts. Each such relation is an
equation whose sum is nought. A number can be computed from those that are shown exactly when linear algebra finds it
(over the integers modulo a large prime, which finds no less). And since nought is told, what is kept back is at least
one: so it is shut in by what it hangs together with. The least and the most of each are drawn from every equation, and
from those that elimination makes of them, until nothing changes; a small number must be left `width` values.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)
Equation = Mapping[K, int]

_PRIME = 2**61 - 1
_STEEP = 1000  # larger modulo the prime are fractions, of which no bound is drawn


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
    Each small number is left `width(below)` small values, or as many as there are where nothing but noughts is told.
    """
    sensitive = {key for key, n in values.items() if 0 < n < below}
    unknown = sensitive | {key for key, n in values.items() if n and not shown(key)}
    relations = [kept for each in equations if (kept := {k: c for k, c in each.items() if c and values.get(k)})]
    touching: dict[K, list[Equation[K]]] = {}
    for each in relations:
        for key in each:
            touching.setdefault(key, []).append(each)

    # What follows from the noughts alone, nothing else told, cannot be helped: a number of many parts is no one.
    free = _left(values, relations, set(values), sensitive, below)
    most = {key: max(1, min(width(below), n)) for key, n in free.items()}
    while near := {key for key, n in _left(values, relations, unknown, sensitive, below).items() if n < most[key]}:
        more = {_next(key, touching, unknown, cost) for key in sorted(near, key=cost)} - {None}
        if not more:
            break
        unknown |= more  # type: ignore[arg-type]
    return frozenset(key for key in unknown if shown(key))


def width(below: int) -> int:
    """How many values a small number must be able to have: half of those below the bound, two at least."""
    return max(2, below // 2)


def _left(
    values: Mapping[K, int], equations: Iterable[Equation[K]], unknown: set[K], sensitive: set[K], below: int
) -> dict[K, int]:
    """How many small values each of the small numbers can have, for all that the others tell; 0 where it follows."""
    rows = [row for each in equations if (row := {k: c for k, c in each.items() if k in unknown})]
    for solved in _solved(rows, unknown).values():
        row = {key: c if c <= _PRIME // 2 else c - _PRIME for key, c in solved.items()}
        if all(abs(c) <= _STEEP for c in row.values()):
            rows.append(row)
    least, most = _bounds(values, rows)
    return {
        key: min(most.get(key, below - 1), below - 1) - least.get(key, 1) + 1
        if most.get(key) != least.get(key, 1)
        else 0
        for key in sensitive
    }


def _bounds(values: Mapping[K, int], rows: Sequence[Mapping[K, int]]) -> tuple[dict[K, int], dict[K, int]]:
    """The least and the most that each number of these sums can be; one that is in neither has no bound but one."""
    least: dict[K, int] = {}
    most: dict[K, int] = {}
    touching: dict[K, list[int]] = {}
    for at, row in enumerate(rows):
        for key in row:
            touching.setdefault(key, []).append(at)
    waiting, queued = deque(range(len(rows))), set(range(len(rows)))
    while waiting:
        at = waiting.popleft()
        queued.discard(at)
        row = rows[at]
        known = sum(c * values[key] for key, c in row.items())  # told by the others of the equation
        for way in (1, -1):
            # What is counted up must be `known` in all: none can take more than the least of the others leaves.
            endless = [key for key, c in row.items() if c * way < 0 and key not in most]
            if len(endless) > 1:
                continue
            room = known * way - sum(
                c * way * (least.get(key, 1) if c * way > 0 else most[key])
                for key, c in row.items()
                if key not in endless
            )
            for key in endless or row:
                c = row[key] * way
                if c > 0:
                    new = least.get(key, 1) + room // c
                    changed = new < most.get(key, new + 1)
                    if changed:
                        most[key] = new
                else:
                    new = (most[key] if not endless else 0) - room // -c
                    changed = new > least.get(key, 1)
                    if changed:
                        least[key] = new
                if changed:
                    for other in touching[key]:
                        if other not in queued:
                            queued.add(other)
                            waiting.append(other)
    return least, most


def computable(equations: Iterable[Equation[K]], unknown: set[K]) -> set[K]:
    """The unknown numbers that follow from the others."""
    return {pivot for pivot, row in _solved(equations, unknown).items() if len(row) == 1}


def _solved(equations: Iterable[Equation[K]], unknown: set[K]) -> dict[K, dict[K, int]]:
    """The equations with one number each that stands in no other, over the integers modulo a large prime."""
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
    return solved


def _subtract(row: dict[K, int], other: Mapping[K, int], times: int) -> None:
    for key, c in other.items():
        left = (row.get(key, 0) - times * c) % _PRIME
        if left:
            row[key] = left
        else:
            row.pop(key, None)


def _next(key: K, touching: Mapping[K, Sequence[Equation[K]]], unknown: set[K], cost: Callable[[K], Any]) -> K | None:
    """What to keep back beside a number that is not safe: of what it is told by, the cheapest; else from farther on."""
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
