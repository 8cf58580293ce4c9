"""How many a figure counts, and which: two numbers that count the same things are one number, under whichever name.

Kept by month and registry, added up and taken away as any count is, so that it needs no histories to say what hangs together.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from notifier.domain import figures
from notifier.domain.history import History

CASES = "cases"
RING = 1 << 61  # sums of hashes stay below it, and many of them in 64 bits of the database's


class Part(NamedTuple):
    """Whose numbers. `registry`: empty for none. `opened`: the first day of the month of opening."""

    program: str
    registry: str
    opened: date


@dataclass(frozen=True, slots=True)
class Number:
    """How many there are, and the sum of a hash of each, modulo `RING`."""

    n: int
    which: int

    def __add__(self, other: "Number") -> "Number":
        return Number(self.n + other.n, (self.which + other.which) % RING)

    def __sub__(self, other: "Number") -> "Number":
        return Number(self.n - other.n, (self.which - other.which) % RING)


NONE = Number(0, 0)
Cells = Mapping[str, Number]


@dataclass(slots=True)
class Tally:
    """The numbers of one part, by cell of `figures.cohort_cells`, and its cases."""

    n: Counter[str] = field(default_factory=Counter)
    which: Counter[str] = field(default_factory=Counter)

    def add(self, case_ids: Sequence[str], cells: Iterable[str], sign: int = 1) -> None:
        """Count the unit of these cases where it counts, or no longer."""
        one = _which(case_ids[0]) * sign
        for cell in cells:
            self.n[cell] += sign
            self.which[cell] += one
        for case_id in case_ids:
            self.n[CASES] += sign
            self.which[CASES] += _which(case_id) * sign

    def numbers(self) -> dict[str, Number]:
        """Those that are not nought."""
        found = {cell: Number(n, self.which[cell] % RING) for cell, n in self.n.items()}
        return {cell: number for cell, number in found.items() if number != NONE}


def counted(units: Iterable[History]) -> dict[Part, dict[str, Number]]:
    """By part, the numbers of these units."""
    found: dict[Part, Tally] = {}
    for unit in units:
        opened = unit.opened.astimezone(UTC).date().replace(day=1)
        tally = found.setdefault(Part(unit.program, unit.registry or "", opened), Tally())
        tally.add(unit.case_ids, [*figures.cells_of(unit), *figures.time_cells_of(unit)])
    return {part: tally.numbers() for part, tally in found.items()}


@lru_cache(10_000)
def _which(case_id: str) -> int:
    return int.from_bytes(blake2b(case_id.encode(), digest_size=8).digest(), "big") % RING
