"""Histories in, figures out: funnels, outcomes, claims against looks, times, shares, work; and a period's flow.

Every count is the length of a list of what is counted, and the list can be asked for by the figure's cell: a number and
the cases behind it cannot part.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.domain.case_state import CaseState
from notifier.domain.definitions import FEW, HOP_DAYS, SHARES, STAGES, TIMES
from notifier.domain.history import History
from notifier.domain.measures import wilson
from notifier.domain.outcome import Verdict
from notifier.domain.period import Flow, flow
from notifier.domain.survival import CONFIDENCE, Curve, Duration, Lengths, LogRank, kaplan_meier, log_rank

_STOPPED = frozenset({CaseState.REJECTED, CaseState.WITHDRAWN, CaseState.SUPERSEDED})
_HOP = timedelta(days=HOP_DAYS)
_UNSEEN = frozenset({Verdict.CONTRADICTED, Verdict.UNVERIFIABLE})
JUDGED = "judged"
KEPT_BACK = -1  # in place of a number that a reader may not see, since it is small or would tell one that is
PARTY_STEPS = ("asked", "answered", "claimed", "seen")


@dataclass(frozen=True, slots=True)
class Share:
    """`n` of `of`, with its Wilson interval at 95 %; of nothing, None and 0 to 1. `few`: too few to say much."""

    n: int
    of: int
    share: float | None
    low: float
    high: float
    few: bool


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    outcome: str
    actor: str
    share: Share


@dataclass(frozen=True, slots=True)
class ClaimCount:
    party: str
    measure: str
    verdict: str
    n: int


@dataclass(frozen=True, slots=True)
class PartyShare:
    """Of the units that a party was asked about: how many it answered, claimed an act for, and was seen to have acted on.

    A unit counts once for each party, however many of its kind were asked.
    """

    party: str
    asked: Share
    answered: Share
    claimed: Share
    seen: Share


@dataclass(frozen=True, slots=True)
class TimeTo:
    """Times in seconds. `few`: fewer than ten had it."""

    key: str
    curve: Curve
    few: bool


@dataclass(frozen=True, slots=True)
class CohortFigures:
    """Of units by their cohort date."""

    units: int
    cases: int
    funnel: Mapping[str, Share]
    shares: Mapping[str, Share]
    outcomes: Sequence[OutcomeCount]
    claims: Sequence[ClaimCount]
    parties: Sequence[PartyShare]
    times: Mapping[str, TimeTo]
    work: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """Of cases, by when things happened. `acts`: how many had their first notice, claim, success or relapse then."""

    start: datetime
    end: datetime
    flow: Flow
    acts: Mapping[str, int]


def share_of(n: int, of: int) -> Share:
    """Raises ValueError unless 0 <= n <= of: nothing exceeds what it is of."""
    low, high = wilson(n, of, CONFIDENCE)
    return Share(n, of, n / of if of else None, low, high, of < FEW)


def outcome_of(unit: History) -> tuple[str, str]:
    """Outcome and who is credited; in words of its own where a case has none."""
    if unit.outcome is not None:
        return unit.outcome, unit.actor or "none"
    if unit.state == CaseState.REJECTED:
        return "rejected", "none"
    return ("not_known" if unit.state in (CaseState.RESOLVED, CaseState.CLOSED) else "open"), "none"


# --- a cohort -------------------------------------------------------------------------------------------------------

# Whoever reached a stage has reached those before it, also when one of them left no trace.
_REACHED: Mapping[str, Callable[[History], bool]] = {
    "opened": lambda u: True,
    "approved": lambda u: u.approved is not None or _sent(u),
    "sent": lambda u: _sent(u),
    "received": lambda u: u.received is not None or u.answered is not None,
    "answered": lambda u: u.answered is not None,
    "claimed": lambda u: u.claimed is not None,
    "verified": lambda u: u.verified is not None,
}


def _sent(unit: History) -> bool:
    return unit.sent is not None


def cohort_cells(units: Iterable[History]) -> dict[str, list[History]]:
    """What each count counts, by cell; those that every answer has are there when they are empty, too, and every step of a
    party that was asked."""
    found: dict[str, list[History]] = {cell: [] for cell in ALWAYS}
    for unit in units:
        for cell in (*cells_of(unit), *time_cells_of(unit)):
            found.setdefault(cell, []).append(unit)
    for asked in [cell for cell in found if cell.startswith("party/") and cell.endswith("/asked")]:
        for what in PARTY_STEPS:
            found.setdefault(asked.removesuffix("asked") + what, [])
    return found


def shown_with(cell: str) -> str | None:
    """The cell that must not be empty for this one to be in an answer, too, when nothing is in it; None: there is none."""
    kind, _, rest = cell.partition("/")
    if cell in ALWAYS:
        return "funnel/opened"
    return (
        f"party/{rest.partition('/')[0]}/asked" if kind == "party" and rest.partition("/")[2] in PARTY_STEPS else None
    )


ALWAYS = (
    *(f"funnel/{stage}" for stage in STAGES),
    *(f"share/{key}" for key in SHARES),
    JUDGED,
    *(f"time/{key}/{part}" for key in TIMES for part in ("n", "events", "censored")),
)


def cells_of(unit: History) -> list[str]:
    """Where a unit counts, but for times: `funnel/STAGE`, `share/KEY`, `judged`, `outcome/OUTCOME/ACTOR`,
    `claim/PARTY/MEASURE/VERDICT`, `party/PARTY/WHAT`, `work/KIND`.

    With two claims of a kind it stands twice in that cell, and as often in one of work as it has steps.
    """
    found = [f"funnel/{stage}" for stage, reached in _REACHED.items() if reached(unit)]
    if unit.verified is not None:
        found.append("share/success")
        if unit.hopped is not None and unit.hopped - unit.verified <= _HOP:
            found.append("share/hopped")
    if not unit.our_error and _REACHED["approved"](unit):
        found.append("share/accuracy")
    if unit.relapsed is not None:
        found.append("share/relapsed")
    found.append("outcome/{}/{}".format(*outcome_of(unit)))
    for claim in unit.claims:
        found.append(f"claim/{claim.party}/{claim.measure}/{claim.verdict}")
        if claim.verdict != Verdict.PENDING:
            found.append(JUDGED)
        if claim.verdict in _UNSEEN:
            found.append("share/gap")
    for party, done in _done_by(unit).items():
        found += [f"party/{party}/{what}" for what in done]
    for kind, steps in unit.work.items():
        found += [f"work/{kind}"] * steps
    return found


def time_cells_of(unit: History) -> list[str]:
    """Where a unit counts of times: `time/KEY/n`, and `events` or `censored`."""
    return [
        f"time/{key}/{part}"
        for key, _, _, happened in spans(unit)
        for part in ("n", "events" if happened else "censored")
    ]


def _done_by(unit: History) -> dict[str, list[str]]:
    """By party that was asked, what it did of this unit."""
    done: dict[str, set[str]] = {}
    for asked in unit.asked:
        found = done.setdefault(asked.party, {"asked"})
        if asked.answer != "none":
            found.add("answered")
    for claim in unit.claims:  # each comes with an answer of a recipient that was asked
        done.setdefault(claim.party, {"asked"}).update({"answered", "claimed", *(["seen"] if claim.seen else [])})
    return {party: [what for what in PARTY_STEPS if what in found] for party, found in done.items()}


def cohort(units: Sequence[History], as_of: datetime) -> CohortFigures:
    """Every figure of these units, as of an instant at or after all that is known of them."""
    counts = {cell: len(counted) for cell, counted in cohort_cells(units).items()}
    cases = sum(len(unit.case_ids) for unit in units)
    return cohort_of(len(units), cases, counts, {key: time_to(units, key, as_of) for key in TIMES})


def cohort_of(units: int, cases: int, counts: Mapping[str, int], times: Mapping[str, TimeTo]) -> CohortFigures:
    """Every figure, from the counts by `cohort_cells` and each time."""

    def count(cell: str) -> int:
        return counts.get(cell, 0)

    return CohortFigures(
        units=units,
        cases=cases,
        funnel={
            stage: share_of(count(f"funnel/{stage}"), count(f"funnel/{d.of or stage}")) for stage, d in STAGES.items()
        },
        shares={key: share_of(count(f"share/{key}"), count(of_cell(key))) for key in SHARES},
        outcomes=[_outcome_count(c, n, units) for c, n in sorted(counts.items()) if c.startswith("outcome/")],
        claims=[_claim_count(c, n) for c, n in sorted(counts.items()) if c.startswith("claim/")],
        parties=[
            _party(party, counts) for party in sorted({c.split("/")[1] for c in counts if c.startswith("party/")})
        ],
        times=times,
        work={c.removeprefix("work/"): n for c, n in sorted(counts.items()) if c.startswith("work/")},
    )


def of_cell(key: str) -> str:
    """The cell of what a share is of."""
    return f"funnel/{SHARES[key].of}" if SHARES[key].of in STAGES else JUDGED


def _party(party: str, counts: Mapping[str, int]) -> PartyShare:
    asked = counts[f"party/{party}/asked"]
    return PartyShare(party, *(share_of(counts.get(f"party/{party}/{what}", 0), asked) for what in PARTY_STEPS))


def _outcome_count(cell: str, n: int, of: int) -> OutcomeCount:
    _, outcome, actor = cell.split("/")
    return OutcomeCount(outcome, actor, share_of(n, of))


def _claim_count(cell: str, n: int) -> ClaimCount:
    _, party, measure, verdict = cell.split("/")
    return ClaimCount(party, measure, verdict, n)


def time_to(units: Iterable[History], key: str, as_of: datetime) -> TimeTo:
    return time_of(key, durations(units, key, as_of))


def time_of(key: str, lengths: Iterable[Duration] | Lengths) -> TimeTo:
    curve = kaplan_meier(lengths)
    return TimeTo(key, curve, curve.events < FEW)


_ENDS = {
    "notice": "sent",
    "receipt": "received",
    "acknowledgement": "answered",
    "claim": "claimed",
    "verified": "verified",
    "relapse": "relapsed",
    "hop": "hopped",
}
_WATCHED = frozenset({"relapse", "hop"})  # as long as somebody looks


def durations(units: Iterable[History], key: str, as_of: datetime) -> list[Duration]:
    """Seconds from the beginning of `key` to its end; what still runs lasts until now."""
    return [
        Duration(max(0.0, ((until or as_of) - begun).total_seconds()), happened)
        for unit in units
        for _, begun, until, happened in spans(unit, (key,))
    ]


# By time: from what it is, until what, and whether only as long as somebody looks.
_SPANS = {key: (TIMES[key].of or "opened", _ENDS[key], key in _WATCHED) for key in TIMES}


def spans(unit: History, keys: Iterable[str] = tuple(TIMES)) -> Iterator[tuple[str, datetime, datetime | None, bool]]:
    """Of each time that has begun: its key, its beginning, when it happened or we stopped waiting, and which of both; None: it
    still runs.

    What we stopped asking for or looking at lasts until then. A decline stops nothing: who declined has not acted,
    however long ago that is.
    """
    ended = unit.ended
    stopped = ended if unit.state in _STOPPED else None
    for key in keys:
        begins, ends, watched = _SPANS[key]
        begun: datetime | None = getattr(unit, begins)
        if begun is not None:
            done: datetime | None = getattr(unit, ends)
            yield key, begun, done or (ended if watched else stopped), done is not None


def compared(slices: Sequence[Sequence[History]], as_of: datetime) -> Mapping[str, LogRank]:
    """For each time, whether slices differ more than chance makes them."""
    return {key: log_rank([durations(units, key, as_of) for units in slices]) for key in TIMES}


# --- a period -------------------------------------------------------------------------------------------------------

ACTS = {"sent_in": "sent", "claimed_in": "claimed", "verified_in": "verified", "relapsed_in": "relapsed"}


def period_cells(cases: Iterable[History], start: datetime, end: datetime) -> dict[str, list[History]]:
    """What each count counts, by cell: `flow/...` and `act/...`. A case stands as often as it counts."""
    found: dict[str, list[History]] = {
        f"flow/{key}": [] for key in ("opened_before", "opened_in", "closed_in", "open_at_end")
    }
    found |= {f"act/{key}": [] for key in ACTS}
    for case in cases:
        for spell in case.spells:
            one = flow([spell], start, end)
            for key in ("opened_before", "opened_in", "closed_in", "open_at_end"):
                found[f"flow/{key}"] += [case] * getattr(one, key)
        for key, name in ACTS.items():
            at: datetime | None = getattr(case, name)
            if at is not None and start <= at < end:
                found[f"act/{key}"].append(case)
    return found


def period(cases: Sequence[History], start: datetime, end: datetime) -> PeriodFigures:
    """The flow of these cases through a period. It balances, or nothing is said."""
    return period_of(start, end, {cell: len(counted) for cell, counted in period_cells(cases, start, end).items()})


def period_of(start: datetime, end: datetime, counts: Mapping[str, int]) -> PeriodFigures:
    """The figures of a period from the counts by `period_cells`. Raises ValueError when they do not balance."""
    return PeriodFigures(
        start,
        end,
        Flow(*(counts.get(f"flow/{key}", 0) for key in ("opened_before", "opened_in", "closed_in", "open_at_end"))),
        {key: counts.get(f"act/{key}", 0) for key in ACTS},
    )
