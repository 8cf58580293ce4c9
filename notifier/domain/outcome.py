"""Claim, baseline and looks in; verdict out. A registry's word is a claim until we saw it twice ourselves.

Rules: what cannot be seen changes nothing; credit needs two agreeing looks `verify_gap` apart with no dissent
between; a refusal of the claim needs one look taken at or after the deadline; harm is told at the first look.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from notifier.domain.effect import NO_EFFECT, Effect, in_effect, reaches_users
from notifier.domain.epp import HOLD, Measure, contradictions
from notifier.domain.look import Content, Delegation, Look, Probe, Registration
from notifier.domain.readings import (
    READERS,
    REGISTRAR_CHANGED,
    WRONG_VERB,
    Claim,
    Kind,
    Reading,
    already,
    blind,
    deletion_seen,
    went_dark,
)

__all__ = [
    "Cause",
    "Claim",
    "Content",
    "Delegation",
    "Effect",
    "Judgement",
    "Look",
    "Probe",
    "Registration",
    "Verdict",
    "judge",
]

EPOCH_CHANGED = "epoch_changed"
INCONSISTENT = "inconsistent"
CONTRADICTORY_STATUSES = "contradictory_statuses"
HOLD_AFTER_WITHDRAWAL = "hold_after_withdrawal"
CLAIM_CONTRADICTED = "claim_contradicted"


class Verdict(StrEnum):
    """What our looks say of a claim. `released` is for the case to set once an undo is verified."""

    PENDING = "pending"
    VERIFIED = "verified"
    VERIFIED_DNS_ONLY = "verified_dns_only"
    PARTIAL = "partial"
    CONTRADICTED = "contradicted"
    UNVERIFIABLE = "unverifiable"
    RELAPSED = "relapsed"
    RELEASED = "released"


PROVEN = frozenset({Verdict.VERIFIED, Verdict.VERIFIED_DNS_ONLY})

# Worst first: a case shows its worst standing verdict.
_WORST = (
    Verdict.CONTRADICTED,
    Verdict.RELAPSED,
    Verdict.PARTIAL,
    Verdict.PENDING,
    Verdict.UNVERIFIABLE,
    Verdict.VERIFIED_DNS_ONLY,
    Verdict.VERIFIED,
)


def summarise(verdicts: Iterable[Verdict]) -> str:
    """The worst standing verdict of a case's claims; `released` if only released ones, `not_checked` if none."""
    seen = set(verdicts)
    for verdict in _WORST:
        if verdict in seen:
            return str(verdict)
    return str(Verdict.RELEASED) if seen else "not_checked"


@dataclass(frozen=True, slots=True)
class Cause:
    """What an alarm is about, and the time of the latest look that shows it (of the claim, where that alone does)."""

    kind: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Judgement:
    """`outcome` is a code of the closed list, None while open; `actor` who is credited (`none`: nobody).

    `effect`: since when parent zone and users see it, for a verdict that does not deny it.
    """

    verdict: Verdict
    outcome: str | None
    actor: str | None
    causes: tuple[Cause, ...]
    why: str
    effect: Effect = NO_EFFECT

    @property
    def alarms(self) -> tuple[str, ...]:
        return tuple(cause.kind for cause in self.causes)


@dataclass(frozen=True, slots=True)
class _Run:
    """The latest readings that agree, with the times of the first and the last of them."""

    reading: Reading
    since: datetime
    until: datetime

    def lasted(self, gap: timedelta) -> bool:
        return self.until > self.since and self.until - self.since >= gap


_Standing = tuple[Verdict, str | None, str | None]
_EARNED = (Verdict.VERIFIED, Verdict.VERIFIED_DNS_ONLY, Verdict.PARTIAL)


def judge(
    requested: Measure,
    claim: Claim,
    baseline: Look,
    looks: Sequence[Look],
    *,
    verify_gap: timedelta,
    deadline: datetime,
    now: datetime,
) -> Judgement:
    """Judge one claim as of `now`. Pure: the same looks in any order give the same judgement.

    `baseline` is the look taken just before the notice; `looks` are those after it. `deadline` is when the
    act must show in RDAP and DNS at the latest.
    """
    seen = sorted((look for look in looks if look.at <= now), key=lambda look: look.at)
    anew = [look for look in seen if look.registration.succeeds(baseline.registration)]
    if anew:
        why = "another registration now has the name; this claim is about the earlier one"
        return Judgement(Verdict.UNVERIFIABLE, "superseded_epoch", "none", (Cause(EPOCH_CHANGED, anew[-1].at),), why)

    leaves_name_up = Measure.LOCK in (requested, claim.measure)
    harm = [look for look in seen if leaves_name_up and went_dark(look, baseline)]
    causes = _alarms_of_any_claim(requested, claim, baseline, seen, harm)

    stood_before = already(claim.measure, baseline)
    if stood_before is not None and not harm:
        outcome, why = stood_before
        return Judgement(Verdict.UNVERIFIABLE, outcome, "none", causes, why)

    effect = in_effect(claim.measure, baseline, seen, verify_gap)
    run: _Run | None = None
    standing: _Standing | None = None
    waits: str | None = None
    for look in seen:
        reading = _read(look, baseline, claim, leaves_name_up)
        until = effect.negative_until
        done = reading is not None and reading.kind is Kind.DONE
        if reading is not None and done and until is not None and not reaches_users(claim.measure, look):
            if look.at < until:
                waits = "the parent zone delegates the name; resolvers may keep its denial for the negative TTL"
                continue
            why = "the parent zone delegates the name, and resolvers deny it past the negative TTL"
            reading = Reading(Kind.PARTIAL, why, reading.outcome, reading.actor, dns_only=reading.dns_only)
        if reading is None:
            continue
        waits = None
        agrees = run is not None and run.reading.agreement == reading.agreement
        if run is not None and agrees and run.reading.inconsistent and look.registration.answer == "inconclusive":
            reading = run.reading  # RDAP is silent now, which takes nothing back of what it said
        run = _Run(reading, run.since if run is not None and agrees else look.at, look.at)
        standing = _settle(run, standing, verify_gap=verify_gap, deadline=deadline) or standing

    no_before = blind(claim.measure, baseline)
    if no_before is not None:
        verdict = Verdict.CONTRADICTED if harm else Verdict.UNVERIFIABLE
        return Judgement(verdict, None, None, causes, no_before)
    if run is None:
        return Judgement(Verdict.PENDING, None, None, causes, waits or "no look could tell yet", effect)
    verdict, outcome, actor = standing or (Verdict.PENDING, None, None)
    causes = _once((*causes, *_alarms_of_the_verdict(verdict, claim, baseline, seen, run, harm)))
    shown = effect if verdict is Verdict.PENDING or verdict in _EARNED or verdict is Verdict.RELAPSED else NO_EFFECT
    return Judgement(verdict, outcome, actor, causes, waits or run.reading.why, shown)


def _alarms_of_any_claim(
    requested: Measure, claim: Claim, baseline: Look, seen: Sequence[Look], harm: Sequence[Look]
) -> tuple[Cause, ...]:
    """What is told whatever the verdict, at the first look that shows it."""
    causes = []
    if _newly_contradictory(seen, baseline):
        causes.append(Cause(CONTRADICTORY_STATUSES, seen[-1].at))
    if harm:
        causes.append(Cause(WRONG_VERB, harm[-1].at))
    elif claim.measure is Measure.DELETE and requested is not Measure.DELETE:
        done = [look.at for look in seen if deletion_seen(look)]
        causes.append(Cause(WRONG_VERB, done[-1] if done else claim.claimed_at))
    return tuple(causes)


def _alarms_of_the_verdict(
    verdict: Verdict, claim: Claim, baseline: Look, seen: Sequence[Look], run: _Run, harm: Sequence[Look]
) -> list[Cause]:
    kinds = list(run.reading.alarms)
    if verdict is Verdict.CONTRADICTED and run.reading.inconsistent:
        kinds.append(INCONSISTENT)
    if verdict is Verdict.CONTRADICTED and not harm:
        kinds.append(CLAIM_CONTRADICTED)
    if verdict is Verdict.RELAPSED and claim.measure is Measure.RESTORE and _held_now(seen):
        kinds.append(HOLD_AFTER_WITHDRAWAL)
    if verdict is Verdict.RELAPSED and claim.measure is Measure.HOLD and _registrar_moved(seen, baseline):
        kinds.append(REGISTRAR_CHANGED)
    return [Cause(kind, run.until) for kind in kinds]


def _once(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    first: dict[str, Cause] = {}
    for cause in causes:
        first.setdefault(cause.kind, cause)
    return tuple(first.values())


def _registrar_moved(seen: Sequence[Look], baseline: Look) -> bool:
    before = baseline.registration.registrar_iana_id
    told = [look.registration.registrar_iana_id for look in seen if look.registration.registrar_iana_id]
    return before is not None and bool(told) and told[-1] != before


def _read(look: Look, baseline: Look, claim: Claim, leaves_name_up: bool) -> Reading | None:
    if leaves_name_up and went_dark(look, baseline):
        why = "a lock leaves the name in the DNS, and it was taken out: the wrong verb was applied"
        return Reading(Kind.WRONG, why)
    return READERS[claim.measure](look, baseline, claim)


def _settle(run: _Run, standing: _Standing | None, *, verify_gap: timedelta, deadline: datetime) -> _Standing | None:
    """What the latest run of agreeing readings amounts to; None if it is too young to change anything."""
    reading, late, lasted = run.reading, run.until >= deadline, run.lasted(verify_gap)
    earned = standing is not None and standing[0] in _EARNED
    unseats = lasted if earned else late and standing is None
    match reading.kind:
        case Kind.WRONG:
            return Verdict.CONTRADICTED, None, None
        case Kind.DONE if lasted:
            verdict = Verdict.VERIFIED_DNS_ONLY if reading.dns_only else Verdict.VERIFIED
            return verdict, reading.outcome, reading.actor
        case Kind.PARTIAL if lasted:
            return Verdict.PARTIAL, reading.outcome, reading.actor
        case Kind.UNDONE if standing is not None and earned:
            return Verdict.RELAPSED, standing[1], standing[2]
        case Kind.UNDONE if late and (standing is None or standing[0] is not Verdict.RELAPSED):
            return Verdict.CONTRADICTED, "claimed_not_done", "none"
        case Kind.UNCREDITED if unseats:
            return Verdict.UNVERIFIABLE, None, None
        case Kind.ENDED if lasted:
            return Verdict.UNVERIFIABLE, reading.outcome, reading.actor
        case _:
            return None


def _newly_contradictory(looks: Iterable[Look], baseline: Look) -> bool:
    found = [look.registration.statuses for look in looks if look.registration.answer == "found"]
    return bool(found) and bool(set(contradictions(found[-1])) - set(contradictions(baseline.registration.statuses)))


def _held_now(looks: Sequence[Look]) -> bool:
    found = [look.registration.canonical_statuses for look in looks if look.registration.answer == "found"]
    return bool(found) and bool(found[-1] & HOLD)
