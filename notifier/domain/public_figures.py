"""The figures of a program as the public reads them: whole, by quarter and, where it says so, by registry.

Nothing is finer than a day, nothing tells how we find what follows a name, and small numbers are kept back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

from notifier.domain import figures, numbers, small_numbers
from notifier.domain.figures import CohortFigures
from notifier.domain.history import History
from notifier.domain.numbers import Cells, Part
from notifier.domain.table_rows import Cell, cohort_rows, told
from notifier.domain.transparency import Transparency

COLUMNS = ("slice", "part", "figure", "n", "out_of", "share", "low", "high", "days", "days_low", "days_high", "few")
_SHARES = ("success", "accuracy", "gap", "relapsed")
_TIMES = ("acknowledgement", "claim", "verified")
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Figures:
    """Of all that was opened, whole, by quarter and by registry. `counted`: what all these numbers count; `exact`: times are,
    and not only within a sixteenth."""

    whole: CohortFigures
    quarters: Mapping[str, CohortFigures]
    registries: Mapping[str, CohortFigures]
    counted: Mapping[Part, Cells]
    exact: bool


def of_units(units: Sequence[History], as_of: datetime) -> Figures:
    """The figures of all units of a program."""
    quarters: dict[str, list[History]] = {}
    registries: dict[str, list[History]] = {}
    for unit in units:
        quarters.setdefault(small_numbers.quarter(f"{unit.opened:%Y-%m}"), []).append(unit)
        registries.setdefault(unit.registry or "none", []).append(unit)
    by_quarter, by_registry = (
        {key: figures.cohort(part, as_of) for key, part in parts.items()} for parts in (quarters, registries)
    )
    return Figures(figures.cohort(units, as_of), by_quarter, by_registry, numbers.counted(units), exact=True)


def shown(found: Figures, as_of: datetime, told_of: Transparency) -> dict[str, Any]:
    """`whole`, `quarters` and `registries`, each with its rows; `complete`: that quarter is over."""
    pattern = small_numbers.pattern(found.counted, told_of.suppress_below)

    def rows(part: CohortFigures, key: str) -> list[dict[str, Cell]]:
        return list(_rows(small_numbers.without(part, pattern.of(key)) if told_of.suppress_below else part))

    return {
        "whole": rows(found.whole, small_numbers.WHOLE),
        "quarters": [
            {"key": key, "complete": _end(key) <= as_of, "rows": rows(part, key)}
            for key, part in sorted(found.quarters.items())
        ],
        "registries": [
            {"key": key, "rows": rows(part, small_numbers.registry_key(key))}
            for key, part in sorted(found.registries.items() if told_of.registries else ())
        ],
    }


def _end(quarter: str) -> datetime:
    """The instant after `2026-Q4`."""
    year, last = int(quarter[:4]), int(quarter[-1])
    return datetime(year + last // 4, last % 4 * 3 + 1, 1, tzinfo=UTC)


def _rows(found: CohortFigures) -> Iterator[dict[str, Cell]]:
    for row in cohort_rows("", found):
        wanted = row.figure in _SHARES if row.part == "share" else row.figure in _TIMES if row.part == "time" else True
        if not wanted or row.part == "work":
            continue
        share, median = row.share, row.time.curve.median if row.time else None
        whole = share if share and None not in (told(share.n), told(share.of)) else None
        yield {
            "part": row.part,
            "figure": row.figure,
            "n": told(row.time.curve.events) if row.time else told(row.n),
            "out_of": told(share.of) if share else told(row.time.curve.n) if row.time else None,
            "share": whole.share if whole else None,
            "low": whole.low if whole else None,
            "high": whole.high if whole else None,
            "days": _days(median.value) if median else None,
            "days_low": _days(median.low) if median else None,
            "days_high": _days(median.high) if median else None,
            "few": whole.few if whole else row.time.few if row.time else None,
        }


def _days(seconds: float | None) -> int | None:
    """Whole days, begun ones counted; what took an hour took a day."""
    return None if seconds is None else max(1, ceil(seconds / _DAY_S))


def since(
    quarters: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]], today: str
) -> list[dict[str, Any]]:
    """The quarters, each with the day since which it says what it says, and on which it was first told when it was over."""
    known = {one["key"]: one for one in before}
    return [_dated(one, known.get(one["key"], {}), today) for one in quarters]


def _dated(one: Mapping[str, Any], was: Mapping[str, Any], today: str) -> dict[str, Any]:
    same = {name: was.get(name) for name in one} == one
    published = was.get("published") or (today if one["complete"] else None)
    return {**one, "updated": was["updated"] if same else today, "published": published}


def table(document: Mapping[str, Any]) -> list[dict[str, Cell]]:
    """Every row of a document, each with its slice."""
    parts = [{"key": small_numbers.WHOLE, "rows": document["whole"]}, *document["quarters"]]
    parts += [{**one, "key": small_numbers.registry_key(one["key"])} for one in document["registries"]]
    return [{"slice": part["key"], **row} for part in parts for row in part["rows"]]
