"""The drawings of reports: funnels, shares and curves, each with a title and a sentence that tells what it shows."""

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from notifier import charts
from notifier.charts import Bar, Span
from notifier.domain.figure_words import SHARE_WORDS, STAGE_WORDS, TIME_WORDS, span
from notifier.domain.figures import CohortFigures, Share

CURVES = ("acknowledgement", "claim", "verified", "relapse")


def funnel(key: str, name: str, found: CohortFigures) -> dict[str, Markup]:
    rows = [Bar(STAGE_WORDS.get(stage, stage), share.n, str(share.n)) for stage, share in found.funnel.items()]
    told = f"Of {found.units} domains, {found.funnel['verified'].n} were verified; each stage is a bar below the last."
    return {key: charts.bars(key, f"How far reports came: {name}", told, rows)}


def shares(key: str, title: str, rows: Mapping[str, Share]) -> dict[str, Markup]:
    drawn = [Span(name, s.share, s.low, s.high, f"{s.n} of {s.of}") for name, s in rows.items()]
    return {key: charts.spans(key, title, "Points within their 95 % intervals, 0 to 100 %.", drawn)}


def of_sides(key: str, share: str, sides: Mapping[str, CohortFigures]) -> dict[str, Markup]:
    """One share of each side."""
    return shares(key, SHARE_WORDS[share], {name: side.shares[share] for name, side in sides.items()})


def bars(key: str, title: str, told: str, rows: Iterable[tuple[str, int]]) -> dict[str, Markup]:
    return {key: charts.bars(key, title, told, [Bar(label, n, str(n)) for label, n in rows])}


def curves(prefix: str, name: str, found: CohortFigures, keys: Sequence[str] = CURVES) -> dict[str, Markup]:
    """A curve for each time that anybody could have had."""
    made = {}
    for time in keys:
        curve = found.times[time].curve
        if not curve.n:
            continue
        half = (
            "Fewer than half had it so far"
            if curve.median.value is None
            else f"Half had it after {span(curve.median.value)}"
        )
        told = f"{curve.events} of {curve.n} had it; of {curve.censored} it has not happened yet. {half}."
        key = f"{prefix}-{time}"
        made[key] = charts.curve(key, f"{TIME_WORDS[time]}: {name}", told, curve)
    return made
