"""What a report shows: sections with words and tables, whatever form it is written in; and the tables that several share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from notifier.domain.figure_words import SHARE_WORDS, STAGE_WORDS, TIME_WORDS, share_words, span
from notifier.domain.figures import CohortFigures, PartyShare
from notifier.domain.survival import LogRank

Cell = str | int
LINES = 200  # of a table with a row for each case; the rest is counted

_VERDICTS = ("verified", "verified_dns_only", "contradicted", "unverifiable", "pending", "relapsed", "released")


@dataclass(frozen=True, slots=True)
class Table:
    """`right`: which columns are numbers. Without rows, `empty` is said."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    right: Sequence[bool] = ()
    empty: str = "Nothing was counted."


@dataclass(frozen=True, slots=True)
class Section:
    """`charts`: keys of the drawings that stand above its tables."""

    title: str
    words: Sequence[str] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[str] = field(default=())


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "") -> Table:
    """A table whose columns are numbers but for the first, and those whose name ends in `:`."""
    right = [n > 0 and not column.endswith(":") for n, column in enumerate(columns)]
    names = [column.removesuffix(":") for column in columns]
    cells = [[cell if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    return Table(caption, names, cells, right, empty or "Nothing was counted.")


def words(code: str) -> str:
    """A code of ours as words."""
    return code.replace("_", " ")


# --- what several reports have ------------------------------------------------------------------------------------


def funnel(sides: Mapping[str, CohortFigures]) -> Table:
    """How far units came, a column for each side."""
    first = next(iter(sides.values()))
    rows: list[list[Cell]] = [
        [STAGE_WORDS.get(stage, stage), *(share_words(side.funnel[stage]) for side in sides.values())]
        for stage in first.funnel
    ]
    return table("Each stage of the one before it.", ["Stage", *sides], rows)


def shares(sides: Mapping[str, CohortFigures]) -> Table:
    """All but accuracy, which is the notifier's and not of whom it asks."""
    first = next(iter(sides.values()))
    rows: list[list[Cell]] = [
        [SHARE_WORDS[key], *(share_words(side.shares[key]) for side in sides.values())]
        for key in first.shares
        if key != "accuracy"
    ]
    return table("What each is of is told in docs/measures.md.", ["Share", *sides], rows)


def times(sides: Mapping[str, CohortFigures], tests: Mapping[str, LogRank] | None = None) -> Table:
    """Medians with their intervals and what is open, and the log-rank test between the sides."""
    rows: list[list[Cell]] = []
    for key in next(iter(sides.values())).times:
        row: list[Cell] = [TIME_WORDS[key]]
        for side in sides.values():
            curve = side.times[key].curve
            median = curve.median
            between = "" if median.value is None else f" ({span(median.low)} to {span(median.high)})"
            row += [f"{curve.events} of {curve.n}", f"{span(median.value)}{between}"]
        if tests is not None:
            row.append(probability(tests[key]))
        rows.append(row)
    columns = ["Time", *(part for name in sides for part in (f"{name}: had it", f"{name}: median (95 %)"))]
    told = "Medians by Kaplan and Meier: what has not happened yet counts as open, never as missing."
    return table(told, [*columns, *(["p (log-rank)"] if tests is not None else [])], rows)


def probability(test: LogRank) -> str:
    """How likely so much of a difference is by chance alone."""
    if test.p is None:
        return "nothing to compare"
    return "< 0.001" if test.p < 0.001 else f"{test.p:.3f}"


def claims(found: CohortFigures) -> Table:
    """What was claimed, a row for each party and measure, against what was seen of it last."""
    cells: dict[tuple[str, str], dict[str, int]] = {}
    for claim in found.claims:
        cells.setdefault((claim.party, claim.measure), {})[claim.verdict] = claim.n
    seen = [*_VERDICTS, *sorted({claim.verdict for claim in found.claims} - set(_VERDICTS))]
    seen = [verdict for verdict in seen if any(verdict in line for line in cells.values())]
    rows: list[list[Cell]] = [
        [f"{party}, {words(measure)}", sum(line.values()), *(line.get(verdict, 0) for verdict in seen)]
        for (party, measure), line in sorted(cells.items())
    ]
    columns = ["Claimed by, and what", "Claims", *(words(verdict) for verdict in seen)]
    return table(
        "Columns: what our own looks at RDAP and DNS saw of it last.", columns, rows, empty="Nothing was claimed."
    )


def outcomes(found: CohortFigures) -> Table:
    rows = [
        [f"{words(o.outcome)}{'' if o.actor == 'none' else f', {o.actor}'}", share_words(o.share)]
        for o in sorted(found.outcomes, key=lambda o: (-o.share.n, o.outcome, o.actor))
    ]
    return table("Set once; whoever acted is named behind it.", ["Outcome", "Of all"], rows)


def parties(found: Sequence[PartyShare]) -> Table:
    rows = [[p.party, *(share_words(s) for s in (p.asked, p.answered, p.claimed, p.seen))] for p in found]
    caption = "A domain counts once for each party that was asked about it."
    return table(caption, ["Party", "Asked", "Answered", "Claimed", "Seen"], rows, empty="Nobody was asked.")
