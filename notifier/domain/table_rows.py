"""Figures as rows of one flat table, one row a figure, for CSV and for reading; and CSV that no spreadsheet runs."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from notifier.domain.figures import KEPT_BACK, PARTY_STEPS, CohortFigures, PeriodFigures, Share, TimeTo

COLUMNS = (
    "slice",
    "part",
    "figure",
    "basis",
    "n",
    "out_of",
    "share",
    "low",
    "high",
    "censored",
    "median_s",
    "median_low_s",
    "median_high_s",
    "few",
    "cell",
)
# What a spreadsheet takes for the beginning of a formula, also behind a blank that it drops.
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `cell` asks for the cases behind it; empty where a figure is no count."""

    part: str
    figure: str
    basis: str
    n: int | None
    share: Share | None = None
    time: TimeTo | None = None
    cell: str = ""


def cohort_rows(key: str, found: CohortFigures) -> Iterator[Row]:
    for stage, share in found.funnel.items():
        yield Row("funnel", stage, "cohort", share.n, share, cell=f"{key}/funnel/{stage}")
    for name, share in found.shares.items():
        yield Row("share", name, "cohort", share.n, share, cell=f"{key}/share/{name}")
    for outcome in found.outcomes:
        figure = f"{outcome.outcome}/{outcome.actor}"
        yield Row("outcome", figure, "cohort", outcome.share.n, outcome.share, cell=f"{key}/outcome/{figure}")
    for claim in found.claims:
        figure = f"{claim.party}/{claim.measure}/{claim.verdict}"
        yield Row("claim", figure, "cohort", claim.n, cell=f"{key}/claim/{figure}")
    for party in found.parties:
        for what in PARTY_STEPS:
            figure, share = f"{party.party}/{what}", getattr(party, what)
            yield Row("party", figure, "cohort", share.n, share, cell=f"{key}/party/{figure}")
    for name, time in found.times.items():
        yield Row("time", name, "cohort", time.curve.n, time=time, cell=f"{key}/time/{name}/n")
    for kind, n in found.work.items():
        yield Row("work", kind, "cohort", n, cell=f"{key}/work/{kind}")


def period_rows(key: str, found: PeriodFigures) -> Iterator[Row]:
    for name in ("opened_before", "opened_in", "closed_in", "open_at_end"):
        yield Row("flow", name, "period", getattr(found.flow, name), cell=f"{key}/flow/{name}")
    for name, n in found.acts.items():
        yield Row("act", name, "period", n, cell=f"{key}/act/{name}")


def flat(key: str, row: Row) -> dict[str, Cell]:
    """A row by column. Of a time, `n` is who could have had it, `out_of` None, and `censored` who has not.

    A number that is kept back is None, and so is what would tell it.
    """
    share, time = row.share, row.time
    whole = share if share and KEPT_BACK not in (share.n, share.of) else None
    median = time.curve.median if time else None
    return {
        "slice": key,
        "part": row.part,
        "figure": row.figure,
        "basis": row.basis,
        "n": told(row.n),
        "out_of": told(share.of) if share else None,
        "share": whole.share if whole else None,
        "low": whole.low if whole else None,
        "high": whole.high if whole else None,
        "censored": told(time.curve.censored) if time else None,
        "median_s": median.value if median else None,
        "median_low_s": median.low if median else None,
        "median_high_s": median.high if median else None,
        "few": whole.few if whole else time.few if time else None,
        "cell": row.cell,
    }


def told(n: int | None) -> int | None:
    """A number as it is told: None where it is kept back."""
    return None if n == KEPT_BACK else n


def safe_cell(value: Cell) -> str:
    """A value as CSV text. Text that a spreadsheet would run gets an apostrophe before it (CWE-1236); numbers do not."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    return f"'{value}" if value.lstrip(" ").startswith(_RUNS) else value


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> str:
    """RFC 4180, UTF-8, with a header row."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([safe_cell(column) for column in columns])
    writer.writerows([safe_cell(row.get(column)) for column in columns] for row in rows)
    return out.getvalue()
