"""The tables of a program's yearly report, over the units of a year's cohort.

Two shapes that readers know: notices by provider, type and action, as trusted flaggers report (Regulation (EU) 2022/2065,
Article 22(3)); and requests, suspended, not suspended with reasons, reversed, as Nominet publishes for .uk. Registries are not
hosting services: the shape is borrowed, no duty is claimed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from notifier.domain.epp import Measure
from notifier.domain.figures import Share, outcome_of, share_of
from notifier.domain.history import Asked, History

DARK = frozenset({str(Measure.HOLD), str(Measure.DELETE)})
SILENT = {
    "none": "no answer",
    "acknowledged": "acknowledged only",
    "needs_info": "asked for more",
    "declined": "declined",
}


@dataclass(frozen=True, slots=True)
class ProviderLine:
    """Units that one provider was asked about: how many, and what it did of them. `acted`: seen by us, of all."""

    provider: str
    party: str
    category: str
    notices: int
    actions: Mapping[str, int]
    acted: Share


@dataclass(frozen=True, slots=True)
class Requests:
    """Domains. `suspended`: taken out of the zone, as we saw; `other_acts`: seen otherwise, by measure; `reasons` why not,
    by outcome, each unit once. `reversed_cured` and `reversed_error` are undone and seen to be, and never mixed."""

    requested: int
    suspended: Share
    other_acts: Mapping[str, int]
    not_suspended: int
    reasons: Mapping[str, int]
    reversed_cured: int
    reversed_error: int


def providers(units: Iterable[History], category: str) -> list[ProviderLine]:
    """Lines by provider, in the order of party and name. A unit counts once for each provider that was asked."""
    found: dict[tuple[str, str], list[str]] = {}
    for unit in units:
        for asked in unit.asked:
            found.setdefault((asked.party, asked.recipient), []).append(_action(unit, asked))
    return [
        ProviderLine(
            provider,
            party,
            category,
            len(actions),
            dict(sorted(Counter(actions).items())),
            share_of(sum(action.endswith(", seen") for action in actions), len(actions)),
        )
        for (party, provider), actions in sorted(found.items())
    ]


def _action(unit: History, asked: Asked) -> str:
    """What a provider did of one unit: an act that was seen goes before one that was not, that before words."""
    claims = [c for c in unit.claims if (c.party, c.recipient) == (asked.party, asked.recipient)]
    for claim in claims:
        if claim.seen:
            return f"{claim.measure}, seen"
    for claim in claims:
        return f"{claim.measure}, claimed and {claim.verdict.replace('_', ' ')}"
    return SILENT.get(asked.answer, asked.answer)


def requests(units: Iterable[History]) -> Requests:
    """Of the units that somebody was asked about."""
    asked = [unit for unit in units if unit.sent is not None]
    dark = [unit for unit in asked if _acts(unit) & DARK]
    others = [unit for unit in asked if not _acts(unit) & DARK]
    lit = [unit for unit in others if _acts(unit)]
    undone = [unit for unit in asked if unit.restored is not None]
    return Requests(
        requested=len(asked),
        suspended=share_of(len(dark), len(asked)),
        other_acts=_counted(sorted(_acts(unit))[0] for unit in lit),
        not_suspended=len(others),
        reasons=_counted(outcome_of(unit)[0] for unit in others),
        reversed_cured=sum(not unit.our_error for unit in undone),
        reversed_error=sum(unit.our_error for unit in undone),
    )


def _acts(unit: History) -> set[str]:
    return {claim.measure for claim in unit.claims if claim.seen}


def _counted(words: Iterable[str]) -> Mapping[str, int]:
    return dict(sorted(Counter(words).items()))


def total(lines: Sequence[ProviderLine]) -> int:
    """Notices over all providers: more than units, where more than one was asked about a unit."""
    return sum(line.notices for line in lines)
