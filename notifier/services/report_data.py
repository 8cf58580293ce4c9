"""What a report is asked, what it is made from, and what it is made into: the same for every kind and form."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from markupsafe import Markup

from notifier.domain.history import History
from notifier.domain.sections import Section
from notifier.domain.table_rows import Cell
from notifier.services import statistics
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.statistics import Query, Statistics


class Kind(StrEnum):
    YEARLY = "yearly"
    SCORECARD = "scorecard"
    ACCURACY = "accuracy"
    REINSTATEMENTS = "reinstatements"
    COLLATERAL = "collateral"
    PILOT = "pilot"


class Form(StrEnum):
    HTML = "html"
    CSV = "csv"
    JSON = "json"
    PDF = "pdf"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Asked:
    """`start` up to, not including, `end`: of a cohort the opening, of the accuracy ledger the decision, of a pilot the
    pilot itself. `registries`: the one of a scorecard, or those of a pilot; none: all."""

    kind: Kind
    program: str
    start: datetime | None = None
    end: datetime | None = None
    registries: tuple[str, ...] = ()
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What a report stands on: the question, the instant of the figures, and the snapshot of the log's entries."""

    ctx: Context
    who: Principal
    asked: Asked
    as_of: datetime
    snapshot: str

    async def units(self, *, bounded: bool = True) -> tuple[Statistics, Sequence[History]]:
        """The cohort's figures and units, of every registry. Raises NotFound for a program outside the reach."""
        start, end = (self.asked.start, self.asked.end) if bounded else (None, None)
        query = Query(self.asked.program, start=start, end=end, as_of=self.as_of)
        return await statistics.with_units(self.ctx, self.who, query)


@dataclass(frozen=True, slots=True)
class Body:
    """`rows`: its numbers, by the columns of `table_rows`. `charts`: by the keys that sections name. `more`: what only the
    JSON has. `found`: the statistics that it rests on, which say of how many cases it is."""

    title: str
    lead: Sequence[str]
    sections: Sequence[Section]
    rows: Sequence[Mapping[str, Cell]]
    found: Statistics
    charts: Mapping[str, Markup] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def counted(part: str, figure: str, n: int, *, of: int | None = None, key: str = "all") -> dict[str, Cell]:
    """A plain count as a row; nothing can be asked behind it but the report's own lines."""
    return {"slice": key, "part": part, "figure": figure, "basis": "cohort", "n": n, "out_of": of, "cell": ""}


def day(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d}"


def between(asked: Asked) -> str:
    """The question's bounds in words."""
    if asked.start is None and asked.end is None:
        return "so far"
    if asked.end is None:
        return f"from {day(asked.start)}"
    return (
        f"before {day(asked.end)}" if asked.start is None else f"from {day(asked.start)} until before {day(asked.end)}"
    )


def of_cases(found: Statistics, case_ids: Sequence[str]) -> Statistics:
    """The same answer, resting on these cases."""
    text = "".join(f"{case_id}\n" for case_id in sorted(case_ids))
    return replace(found, cases=len(case_ids), case_list=hashlib.sha256(text.encode()).hexdigest())
