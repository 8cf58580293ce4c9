"""How long things took, read from what was added up: very many at once, in columns."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from notifier.domain import figures
from notifier.domain.definitions import TIMES
from notifier.domain.figures import TimeTo
from notifier.domain.period import midnight
from notifier.domain.rollup import DAY, DAY_LONG, EXACT, FOUR_WEEKS, HAPPENED, MICRO, SECOND, STEPS, STOPPED, WEEK
from notifier.domain.survival import Lengths, LogRank, log_rank

_HOWS = (HAPPENED, STOPPED, DAY, WEEK, FOUR_WEEKS)
_EVER = (0, 2**32)
ANY_DAY: Mapping[str, tuple[int, int]] = {DAY: _EVER, WEEK: (0, 0), FOUR_WEEKS: (0, 0)}

_COLUMNS = ("of", "how", "at", "n", "micros", "days")  # `of`: which part and time; `days`: how old all are together
_Told = NDArray[np.void]


class Row(NamedTuple):
    """How a time of a part stands: `at`, `n` and `micros` as of `Spent` and `Some`, side by side."""

    part: str
    key: str
    how: str
    at: Sequence[int]
    n: Sequence[int]
    micros: Sequence[int]


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


def read(rows: Sequence[Row], now: datetime, which: Mapping[str, tuple[int, int]] = ANY_DAY) -> dict[str, Times]:
    """By part, how long each time took, or has taken until now; a day is read as a length is, in bins.

    `which` days, weeks and four weeks are read: from which ordinal to which. What stands in several rows, or is taken away in
    some, is added up.
    """
    if not rows:
        return {}
    parts = {part: at for at, part in enumerate(dict.fromkeys((row.part, row.key) for row in rows))}
    told = _told(rows, [parts[row.part, row.key] for row in rows])
    low, high = np.array([which.get(how, _EVER) for how in _HOWS]).T
    told = told[(low[told["how"]] <= told["at"]) & (told["at"] < high[told["how"]])]
    age = now.astimezone(UTC).toordinal() - told["at"]
    of_days, over = told["how"] == _HOWS.index(DAY), told["how"] < _HOWS.index(DAY)
    told["days"] = np.where(over, 0, told["n"] * age)
    told["at"] = np.where(of_days, _bins(np.maximum(age, 0)), told["at"])  # weeks are a sixteenth already
    told = _added_up(told)
    length = _length(told, now) / SECOND
    happened, n = told["how"] == _HOWS.index(HAPPENED), told["n"].copy()
    ends = np.searchsorted(told["of"], range(len(parts) + 1)).tolist()
    found: dict[str, Times] = {}
    for (part, key), at in parts.items():
        one = slice(ends[at], ends[at + 1])
        found.setdefault(part, Times()).lengths[key] = Lengths(length[one], happened[one], n[one])
    return found


def _told(rows: Sequence[Row], of: Sequence[int]) -> _Told:
    sizes = [len(row.at) for row in rows]
    made = np.zeros(sum(sizes), [(name, np.int64) for name in _COLUMNS])
    made["of"] = np.repeat(of, sizes)
    made["how"] = np.repeat([_HOWS.index(row.how) for row in rows], sizes)
    columns: dict[str, Any] = dict(
        zip(("at", "n", "micros"), zip(*(row[3:] for row in rows), strict=True), strict=True)
    )
    for name, column in columns.items():
        made[name] = np.fromiter(chain.from_iterable(column), np.int64, len(made))
    return made


def _added_up(told: _Told) -> _Told:
    """Each once, in the order of `of`; what was taken away is gone."""
    one = ((told["of"] * len(_HOWS) + told["how"]) << 32) + told["at"]
    order = np.argsort(one, kind="stable")
    first = np.flatnonzero(np.diff(one[order], prepend=-1))
    made = told[order[first]]
    for name in ("n", "micros", "days") if len(first) else ():
        made[name] = np.add.reduceat(told[name][order], first)
    there: _Told = made[made["n"] != 0]
    return there


def _length(told: _Told, now: datetime) -> NDArray[np.float64]:
    """In microseconds, the mean of each bin: of what is over from its edge, of what runs from the mean of when they began."""
    passed = (now - midnight(now)) // MICRO  # of today
    took = _edges(told["at"]) * float(SECOND) + told["micros"] / told["n"]
    lasts = passed + (told["days"] * float(DAY_LONG) - told["micros"]) / told["n"]
    length: NDArray[np.float64] = np.where(told["how"] < _HOWS.index(DAY), took, np.maximum(lasts, 0.0))
    return length


def _bins(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """`bin_of` of very many."""
    octave = np.maximum(np.frexp(seconds)[1].astype(np.int64) - STEPS.bit_length(), 0)
    return np.where(seconds < EXACT, seconds, octave * STEPS + (seconds >> octave))


def _edges(of: NDArray[np.int64]) -> NDArray[np.int64]:
    """`edge` of very many."""
    octave = np.maximum(of // STEPS - 1, 0)
    return np.where(of < EXACT, of, (of - octave * STEPS) << octave)


def compared(slices: Sequence[Times]) -> Mapping[str, LogRank]:
    """For each time, whether slices differ more than chance makes them."""
    return {key: log_rank([of.lengths.get(key, ()) for of in slices], met) for key in TIMES}


def met(length: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each at the edge of its bin, so that groups that are compared meet at the same times."""
    return _edges(_bins(length.astype(np.int64))).astype(float)
