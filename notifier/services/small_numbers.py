"""What a reader under a grant may ask where a program keeps small numbers back (`suppress_below`), and the answer without them.

Whoever may choose any period, registry or instant can ask twice and subtract. So these readers ask of one program, of all
that was opened, whole or by month or by registry, as it stood at the end of a day. The answers of one day together are
guarded. Two days are not: what is told on one and kept back on the other may be computed from how the others grew.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING

from notifier.domain import small_numbers
from notifier.domain.figures import KEPT_BACK
from notifier.domain.numbers import Cells, Part
from notifier.domain.period import midnight
from notifier.domain.small_numbers import Pattern
from notifier.errors import Invalid

if TYPE_CHECKING:
    from notifier.services.statistics import Query, Slice, Statistics

BYS = ("month", "registry")
_KEPT = 32  # patterns in the process, those that were asked for last
_Key = tuple[str | None, datetime, int, str, bytes]


def narrowed(query: "Query", programs: Collection[str], now: datetime) -> "Query":
    """The question as it may be asked: as of the last midnight, where it names no other. Raises Invalid for any other."""
    if len(programs) > 1:
        raise _refused("name one program: sums over programs are not told")
    if query.basis != "cohort" or query.by not in (None, *BYS):
        raise _refused("ask for a cohort, whole, by month or by registry")
    if query.registry is not None or query.start is not None or query.end is not None:
        raise _refused("ask for everything, without registry, from and to; `by` has the parts")
    as_of = query.as_of or midnight(now)
    if as_of != midnight(as_of):
        raise _refused("as_of: the beginning of a day, UTC")
    return replace(query, as_of=as_of)


def refuse(below: int, what: str) -> None:
    """Raises Invalid for what would tell numbers that are kept back."""
    if below:
        raise _refused(f"{what} are not told")


def _refused(why: str) -> Invalid:
    return Invalid(f"small numbers of this program are kept back from you; {why}", code="suppressed")


def kept_back(found: "Statistics", counted: Mapping[Part, Cells], below: int) -> "Statistics":
    """The answer without its small numbers, and without others that would tell them. `counted`: what all its numbers count."""
    # The same instant of the past has the same numbers; that they are the same is looked at, as two databases may differ.
    which = blake2b(repr(sorted((part, sorted(of.items())) for part, of in counted.items())).encode(), digest_size=16)
    key = (found.query.program, found.as_of, below, found.definitions, which.digest())
    pattern = _patterns.of(key, counted)
    whole = _without(found.whole, pattern, small_numbers.WHOLE)
    return replace(
        found,
        whole=whole,
        slices=[_without(part, pattern, _key(found.query.by, part.key)) for part in found.slices],
        comparisons={},
        cases=KEPT_BACK if whole.cohort and whole.cohort.cases == KEPT_BACK else found.cases,
        suppress_below=below,
    )


class _Patterns:
    """What was found to be kept back: found once, however many ask at the same time, and kept for those who ask again."""

    def __init__(self) -> None:
        self._lock, self._known = Lock(), OrderedDict[_Key, Future[Pattern]]()

    def of(self, key: _Key, counted: Mapping[Part, Cells]) -> Pattern:
        with self._lock:
            known = self._known.get(key)
            mine = self._known[key] = known or Future()
            self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        if known is None:
            try:
                mine.set_result(small_numbers.pattern(counted, key[2]))
            except BaseException as error:
                with self._lock:
                    if self._known.get(key) is mine:
                        del self._known[key]
                mine.set_exception(error)
        return mine.result()


_patterns = _Patterns()


def _key(by: str | None, key: str) -> str:
    return small_numbers.registry_key(key) if by == "registry" else key


def _without(part: "Slice", pattern: Pattern, key: str) -> "Slice":
    return replace(part, cohort=part.cohort and small_numbers.without(part.cohort, pattern.of(key)))
