"""How long things took, read from what was added up: very many at once, in columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from notifier.domain import figures
from notifier.domain.definitions import TIMES
from notifier.domain.figures import TimeTo
from notifier.domain.period import MICRO, midnight
from notifier.domain.rollup import DAY, DAY_LONG, EXACT, FOUR_WEEKS, GRAINS, HAPPENED, SECOND, STEPS, STOPPED, WEEK
from notifier.domain.survival import Lengths, LogRank, log_rank

_HOWS = (HAPPENED, STOPPED, DAY, WEEK, FOUR_WEEKS)
_EVER = (0, 2**32)
ANY_DAY: Mapping[str, tuple[int, int]] = {DAY: _EVER, WEEK: (0, 0), FOUR_WEEKS: (0, 0)}

_Ints = NDArray[np.int64]


class Row(NamedTuple):
    """How a time of a part stands: `at`, `n` and `micros` as of `Spent` and `Some`, side by side."""

    part: str
    key: str
    how: str
    at: Sequence[int]
    n: Sequence[int]
    micros: Sequence[int]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Very many rows: of each its part, time and how, and how much of the columns is its."""

    names: Sequence[tuple[str, str, str]]
    sizes: Sequence[int]
    at: _Ints
    n: _Ints
    micros: _Ints

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Rows":
        columns = (
            np.fromiter(chain.from_iterable(column), np.int64)
            for column in zip(*(row[3:] for row in rows), strict=True)
        )
        empty = np.zeros(0, np.int64)
        return cls(
            [row[:3] for row in rows], [len(row.at) for row in rows], *(columns if rows else (empty, empty, empty))
        )

    def and_more(self, *others: "Rows") -> "Rows":
        rows = [self, *(of for of in others if of.names)]
        if len(rows) == 1:
            return self
        columns = ([getattr(of, name) for of in rows] for name in ("at", "n", "micros"))
        names, sizes = [name for of in rows for name in of.names], [size for of in rows for size in of.sizes]
        return Rows(names, sizes, *map(np.concatenate, columns))

    def signed(self, sign: int) -> "Rows":
        """As many of each, or with -1 to be taken away."""
        return self if sign == 1 else replace(self, n=sign * self.n, micros=sign * self.micros)

    def in_grains(self) -> "Rows":
        """What began on a day also as of its week and of its four weeks, as `grains` has it."""
        runs = [how == DAY for _, _, how in self.names]
        if not any(runs):
            return self
        these = np.repeat(runs, self.sizes)
        at, n, micros = self.at[these], self.n[these], self.micros[these]
        sizes = [size for size, run in zip(self.sizes, runs, strict=True) if run]
        wider = [
            Rows(
                [(part, key, how) for part, key, of in self.names if of == DAY],
                sizes, at - at % days, n, micros + n * (at % days) * DAY_LONG,
            )
            for how, days in GRAINS.items()
            if how != DAY
        ]  # fmt: skip
        return self.and_more(*wider)


class Times(Mapping[str, TimeTo]):
    """Every time by its key, each drawn when somebody looks: tables of many slices show one of them."""

    def __init__(self) -> None:
        self.lengths: dict[str, Lengths] = {}
        self._made: dict[str, TimeTo] = {}

    def __getitem__(self, key: str) -> TimeTo:
        if key not in self._made:
            if key not in TIMES:
                raise KeyError(key)
            self._made[key] = figures.time_of(key, self.lengths.get(key, ()))
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(TIMES)

    def __len__(self) -> int:
        return len(TIMES)


def read(rows: Rows, now: datetime, which: Mapping[str, tuple[int, int]] = ANY_DAY) -> tuple[dict[str, Times], Times]:
    """By part, and of all together, how long each time took, or has taken until now; a day is read as a length is, in bins.

    `which` days, weeks and four weeks are read: from which ordinal to which. What stands in several rows, or is taken away in
    some, is added up.
    """
    parts = {part: at for at, part in enumerate(dict.fromkeys(part for part, _, _ in rows.names))}
    kinds = {kind: at for at, kind in enumerate(product(TIMES, _HOWS))}
    of = np.array([parts[part] * len(kinds) + kinds[key, how] for part, key, how in rows.names], np.int64)
    told = _told(rows, np.repeat(of, rows.sizes), now, which)
    whole = _added_up(told._replace(of=told.of % len(kinds)))
    return _by_part(told, list(parts), now), _by_part(whole, [""], now).get("", Times())


def _by_part(told: "_Told", parts: Sequence[str], now: datetime) -> dict[str, Times]:
    length = _length(told, now) / SECOND
    happened = told.of % len(_HOWS) == _HOWS.index(HAPPENED)
    ends = np.searchsorted(told.of, np.arange(len(parts) * len(TIMES) + 1) * len(_HOWS)).tolist()
    found = {part: Times() for part in parts}
    for (part, key), start, end in zip(product(parts, TIMES), ends, ends[1:], strict=False):
        if start < end:
            found[part].lengths[key] = Lengths(length[start:end], happened[start:end], told.n[start:end])
    return found


class _Told(NamedTuple):
    """Each bin once. `of`: which part and time, and how; `days`: how old all that runs is together."""

    of: _Ints
    at: _Ints
    n: _Ints
    micros: _Ints
    days: _Ints


def _told(rows: Rows, of: _Ints, now: datetime, which: Mapping[str, tuple[int, int]]) -> _Told:
    how, at, days = of % len(_HOWS), rows.at.copy(), np.zeros(len(of), np.int64)
    runs = np.flatnonzero(how >= _HOWS.index(DAY))
    low, high = (bound[how[runs]] for bound in np.array([which.get(one, _EVER) for one in _HOWS]).T)
    read = (low <= at[runs]) & (at[runs] < high)
    unread, runs = runs[~read], runs[read]
    age = now.astimezone(UTC).toordinal() - at[runs]
    days[runs] = rows.n[runs] * age
    at[runs] = np.where(
        how[runs] == _HOWS.index(DAY), _bins(np.maximum(age, 0)), at[runs]
    )  # weeks are a sixteenth already
    n = rows.n.copy()
    n[unread] = 0
    return _added_up(_Told(of, at, n, rows.micros, days))


def _added_up(told: _Told) -> _Told:
    """What was taken away is gone."""
    one = (told.of << 32) + told.at
    order = np.argsort(one, kind="stable")  # rows are in order, which this makes use of
    one = one[order]
    first = np.flatnonzero(np.diff(one, prepend=-1))
    sums = [np.add.reduceat(column[order], first) if len(first) else column for column in told[2:]]
    there = np.flatnonzero(sums[0])
    one = one[first[there]]
    return _Told(one >> 32, one & (2**32 - 1), *(column[there] for column in sums))


def _length(told: _Told, now: datetime) -> NDArray[np.float64]:
    """In microseconds, the mean of each bin: of what is over from its edge, of what runs from the mean of when they began."""
    passed = (now - midnight(now)) // MICRO  # of today
    took = _edges(told.at) * float(SECOND) + told.micros / told.n
    lasts = passed + (told.days * float(DAY_LONG) - told.micros) / told.n
    length: NDArray[np.float64] = np.where(told.of % len(_HOWS) < _HOWS.index(DAY), took, np.maximum(lasts, 0.0))
    return length


def _bins(seconds: _Ints) -> _Ints:
    """`bin_of` of very many."""
    octave = np.maximum(np.frexp(seconds)[1].astype(np.int64) - STEPS.bit_length(), 0)
    return np.where(seconds < EXACT, seconds, octave * STEPS + (seconds >> octave))


def _edges(of: _Ints) -> _Ints:
    """`edge` of very many."""
    octave = np.maximum(of // STEPS - 1, 0)
    return np.where(of < EXACT, of, (of - octave * STEPS) << octave)


def compared(slices: Sequence[Times]) -> Mapping[str, LogRank]:
    """For each time, whether slices differ more than chance makes them."""
    return {key: log_rank([of.lengths.get(key, ()) for of in slices], met) for key in TIMES}


def met(length: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each at the edge of its bin, so that groups that are compared meet at the same times."""
    return _edges(_bins(length.astype(np.int64))).astype(float)
