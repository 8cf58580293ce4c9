"""Which charts the figures are shown as, each with a title and a sentence that tells what it shows."""

from collections.abc import Sequence

from markupsafe import Markup

from notifier import charts
from notifier.charts import Bar, Risk, Span
from notifier.domain.definitions import STAGES, TIMES
from notifier.domain.figure_words import SHARE_WORDS, STAGE_WORDS, TIME_WORDS
from notifier.domain.figures import CohortFigures, Share, TimeTo
from notifier.services.statistics import Slice
from notifier.web.pages import span, words


def stage(key: str) -> str:
    return STAGE_WORDS.get(key, key)


def percent(value: float | None) -> str:
    """A share as people read it; a dash where there is none."""
    return "none" if value is None else f"{100 * value:.1f} %"


def funnel(found: CohortFigures) -> Markup:
    rows = [Bar(stage(key), share.n, str(share.n)) for key, share in found.funnel.items()]
    last = list(STAGES)[-1]
    told = f"Of {found.units} domain-epochs, {found.funnel[last].n} were verified; each stage is a bar below the last."
    return charts.bars("funnel", "How far reports came", told, rows)


def shares(found: CohortFigures) -> Markup:
    rows = [_span(SHARE_WORDS[key], share) for key, share in found.shares.items()]
    return charts.spans(
        "shares", "Shares and how sure they are", "Points within their 95 % intervals, 0 to 100 %.", rows
    )


def _span(label: str, share: Share) -> Span:
    return Span(label, share.share, share.low, share.high, f"{share.n} of {share.of}: {percent(share.share)}")


def claims(found: CohortFigures) -> Markup:
    rows = [Bar(f"{c.party}, {words(c.measure)}: {words(c.verdict)}", c.n, str(c.n)) for c in found.claims]
    return charts.bars(
        "claims", "What was claimed, by what was seen of it", f"{sum(c.n for c in found.claims)} claims.", rows
    )


def outcomes(found: CohortFigures) -> Markup:
    rows = [
        Bar(f"{words(o.outcome)}{'' if o.actor == 'none' else f', {o.actor}'}", o.share.n, str(o.share.n))
        for o in sorted(found.outcomes, key=lambda o: -o.share.n)
    ]
    return charts.bars("outcomes", "What became of them", f"{found.units} domain-epochs, each in one bar.", rows)


def parties(found: CohortFigures) -> Markup:
    rows = [
        Bar(f"{party.party}: {what}", getattr(party, what).n, str(getattr(party, what).n))
        for party in found.parties
        for what in ("asked", "answered", "claimed", "seen")
    ]
    return charts.bars("parties", "Who was asked, and who acted", "Four bars for each party.", rows)


def flow(slices: Sequence[Slice]) -> Markup:
    rows = [
        Bar(f"{part.key}: {name}", n, str(n))
        for part in slices[-24:]
        if part.period
        for name, n in (("opened", part.period.flow.opened_in), ("closed", part.period.flow.closed_in))
    ]
    return charts.bars("flow", "Opened and closed", "Two bars for each part of the period.", rows)


def curve(key: str, time: TimeTo) -> Markup:
    told = (
        f"{time.curve.events} of {time.curve.n} had it; of {time.curve.censored} it has not happened yet. {half(time)}."
    )
    return charts.curve(f"time-{key}", TIME_WORDS[key], told, time.curve)


def risks(time: TimeTo) -> list[Risk]:
    return charts.risks(time.curve)


def half(time: TimeTo) -> str:
    """The median in words, with its interval as far as there is one."""
    median = time.curve.median
    if median.value is None:
        return "Fewer than half had it so far, so there is no median"
    low, high = (None if edge is None else span(edge) for edge in (median.low, median.high))
    between = f"{low or 'no lower bound'} to {high or 'no upper bound'}"
    return f"Half had it after {span(median.value)} (95 %: {between})"


def time_words(key: str) -> str:
    return TIME_WORDS.get(key, TIMES[key].words)
