"""Views of statistics: every figure with its basis, its counts, its interval, and the cell of the cases behind it."""

from datetime import datetime
from typing import Self

from pydantic import Field

from notifier.domain.figures import PARTY_STEPS, CohortFigures, PartyShare, PeriodFigures, Share, TimeTo
from notifier.domain.survival import LogRank
from notifier.domain.table_rows import told
from notifier.services.counted import CountedPage
from notifier.services.statistics import By, Slice, Statistics
from notifier.web.views.base import View

_KEPT = "null: kept back, since it or another is small."


class ShareOut(View):
    """`n` out of `out_of`, with its Wilson interval at 95 %."""

    n: int | None = Field(description=_KEPT)
    out_of: int | None = Field(description=_KEPT)
    share: float | None = Field(description="n / out_of; null when there is nothing to take it of.")
    low: float = Field(description="Lower end of the interval.")
    high: float = Field(description="Upper end.")
    few: bool = Field(description="Fewer than ten: the interval says more than the share.")
    cell: str = Field(description="Asks `GET /statistics/cases` for what `n` counts.")

    @classmethod
    def shown(cls, share: Share, cell: str) -> Self:
        return cls(
            n=told(share.n),
            out_of=told(share.of),
            share=share.share,
            low=share.low,
            high=share.high,
            few=share.few,
            cell=cell,
        )


class CountOut(View):
    """A count of a period."""

    n: int
    cell: str = Field(description="Asks `GET /statistics/cases` for what `n` counts.")


class OutcomeOut(ShareOut):
    """What became of how many, and who is credited."""

    outcome: str
    actor: str


class ClaimOut(View):
    """Claims of one kind against what was seen of them last."""

    party: str
    measure: str
    verdict: str
    n: int | None = Field(description=_KEPT)
    cell: str = Field(description="Asks `GET /statistics/cases` for what `n` counts.")


class PartyOut(View):
    """What one party did of the units that it was asked about; each share is of those."""

    party: str
    asked: ShareOut
    answered: ShareOut
    claimed: ShareOut
    seen: ShareOut = Field(description="Seen to have acted, whatever came after.")

    @classmethod
    def shown(cls, key: str, found: PartyShare) -> Self:
        cell = f"{key}/party/{found.party}"
        return cls(
            party=found.party,
            **{what: ShareOut.shown(getattr(found, what), f"{cell}/{what}") for what in PARTY_STEPS},
        )


class PointOut(View):
    """One time of a curve."""

    time_s: float = Field(description="Seconds.")
    at_risk: int = Field(description="Known to last until then.")
    events: int
    censored: int
    lasting: float = Field(description="Share that lasts longer.")
    low: float | None = Field(description="Lower end of the band; null where it does not exist.")
    high: float | None


class TimeOut(View):
    """A time by Kaplan-Meier: what has not happened yet is counted as such, never left out."""

    n: int | None = Field(description=f"All that it could happen to. {_KEPT}")
    events: int | None = Field(description=_KEPT)
    censored: int | None = Field(description=f"It has not happened to these yet. {_KEPT}")
    median_s: float | None = Field(description="Seconds; null while fewer than half had it.")
    median_low_s: float | None
    median_high_s: float | None
    few: bool = Field(description="Fewer than ten had it.")
    curve: list[PointOut] | None = Field(description="Points at which it happened; null unless `curves` was asked for.")

    @classmethod
    def shown(cls, time: TimeTo, curves: bool) -> Self:
        curve = time.curve
        points = [
            PointOut(
                time_s=p.time,
                at_risk=p.at_risk,
                events=p.events,
                censored=p.censored,
                lasting=p.lasting,
                low=p.low,
                high=p.high,
            )
            for p in curve.points
            if p.events
        ]
        return cls(
            n=told(curve.n),
            events=told(curve.events),
            censored=told(curve.censored),
            median_s=curve.median.value,
            median_low_s=curve.median.low,
            median_high_s=curve.median.high,
            few=time.few,
            curve=points if curves else None,
        )


class CohortOut(View):
    """Figures of units by the day on which they were opened."""

    units: int | None = Field(description=f"Domain-epochs. {_KEPT}")
    cases: int | None = Field(description=_KEPT)
    funnel: dict[str, ShareOut] = Field(description="By stage; each is of the stage before it.")
    shares: dict[str, ShareOut]
    outcomes: list[OutcomeOut]
    claims: list[ClaimOut]
    parties: list[PartyOut] = Field(description="Work shared between host, registrar and registry.")
    times: dict[str, TimeOut]
    work: dict[str, int | None] = Field(description="Steps by who took them.")

    @classmethod
    def shown(cls, key: str, found: CohortFigures, curves: bool) -> Self:
        return cls(
            units=told(found.units),
            cases=told(found.cases),
            funnel={stage: ShareOut.shown(s, f"{key}/funnel/{stage}") for stage, s in found.funnel.items()},
            shares={name: ShareOut.shown(s, f"{key}/share/{name}") for name, s in found.shares.items()},
            outcomes=[
                OutcomeOut(
                    outcome=o.outcome,
                    actor=o.actor,
                    **dict(ShareOut.shown(o.share, f"{key}/outcome/{o.outcome}/{o.actor}")),
                )
                for o in found.outcomes
            ],
            claims=[
                ClaimOut(
                    party=c.party,
                    measure=c.measure,
                    verdict=c.verdict,
                    n=told(c.n),
                    cell=f"{key}/claim/{c.party}/{c.measure}/{c.verdict}",
                )
                for c in found.claims
            ],
            parties=[PartyOut.shown(key, party) for party in found.parties],
            times={name: TimeOut.shown(time, curves) for name, time in found.times.items()},
            work={kind: told(n) for kind, n in found.work.items()},
        )


class PeriodOut(View):
    """Work between two instants: opened_before + opened_in = closed_in + open_at_end."""

    start: datetime
    end: datetime
    flow: dict[str, CountOut]
    acts: dict[str, CountOut]

    @classmethod
    def shown(cls, key: str, found: PeriodFigures) -> Self:
        flow = ("opened_before", "opened_in", "closed_in", "open_at_end")
        return cls(
            start=found.start,
            end=found.end,
            flow={name: CountOut(n=getattr(found.flow, name), cell=f"{key}/flow/{name}") for name in flow},
            acts={name: CountOut(n=n, cell=f"{key}/act/{name}") for name, n in found.acts.items()},
        )


class SliceOut(View):
    """One part. `cohort` or `period`, as the basis is."""

    key: str = Field(description="`all`, or the month, registry, program, outcome or actor.")
    cohort: CohortOut | None
    period: PeriodOut | None

    @classmethod
    def shown(cls, part: Slice, curves: bool) -> Self:
        return cls(
            key=part.key,
            cohort=CohortOut.shown(part.key, part.cohort, curves) if part.cohort else None,
            period=PeriodOut.shown(part.key, part.period) if part.period else None,
        )


class LogRankOut(View):
    """Whether the slices differ in a time by more than chance."""

    chi2: float
    df: int
    p: float | None = Field(description="null: there is nothing to compare.")

    @classmethod
    def shown(cls, found: LogRank) -> Self:
        return cls(chi2=found.chi2, df=found.df, p=found.p)


class AskedOut(View):
    """The question, with every default filled in."""

    program: str | None
    registry: str | None
    start: datetime | None = Field(description="`from`.")
    end: datetime | None = Field(description="`to`, not included.")
    by: By | None
    basis: str


class StatisticsOut(View):
    """Statistics as they stood at `as_of`, and what it takes to get them again."""

    query: AskedOut
    as_of: datetime
    simulated: bool = Field(description="The database's time is simulated: these are no real outcomes.")
    basis: str = Field(description="cohort or period; the two are never mixed.")
    unit: str = Field(description="What is counted: domain-epoch or case.")
    definitions: str = Field(description="Version of the definitions in docs/measures.md.")
    whole: SliceOut
    slices: list[SliceOut]
    comparisons: dict[str, LogRankOut] = Field(description="By time: the log-rank test between the slices.")
    cases: int | None = Field(description=f"Cases that the answer rests on. {_KEPT}")
    case_list_sha256: str | None = Field(
        description="SHA-256, hex, of their sorted ids, one a line; null for a quick answer."
    )
    programs: dict[str, str] = Field(description="Digest of each program's rules now.")
    suppress_below: int = Field(
        description="Smaller numbers are kept back from you, and others that would tell them; 0: none."
    )

    @classmethod
    def shown(cls, found: Statistics, curves: bool) -> Self:
        return cls(
            query=AskedOut.of(found.query),
            as_of=found.as_of,
            simulated=found.simulated,
            basis=found.query.basis,
            unit=found.unit,
            definitions=found.definitions,
            whole=SliceOut.shown(found.whole, curves),
            slices=[SliceOut.shown(part, curves) for part in found.slices],
            comparisons={name: LogRankOut.shown(one) for name, one in found.comparisons.items()},
            cases=told(found.cases),
            case_list_sha256=found.case_list,
            programs=dict(found.programs),
            suppress_below=found.suppress_below,
        )


class CountedOut(View):
    """One thing that the number counts."""

    case_ids: list[str]
    references: list[str]
    program: str
    domain: str | None = Field(description="null unless you may see names.")


class CountedOutPage(View):
    """What a number counts, by month of opening, program and registry, and then in the order of opening."""

    as_of: datetime
    simulated: bool
    cell: str
    n: int = Field(description="The number itself.")
    items: list[CountedOut]
    next_cursor: str | None

    @classmethod
    def shown(cls, page: CountedPage) -> Self:
        return cls.of(page)


class GrantOut(View):
    """An organisation that sees a program's numbers."""

    id: str
    program: str
    organisation: str
    names_shown: bool
    small_numbers: bool
    until: datetime
    given_by: str
    given_at: datetime
    ended_by: str | None
    ended_at: datetime | None


class Grants(View):
    """Every grant of a program, newest first."""

    items: list[GrantOut]
