"""Claim, baseline and looks in; verdict out. A registry's word is a claim until we saw it twice ourselves.

Rules: what cannot be seen changes nothing; credit needs two agreeing looks `verify_gap` apart with no dissent
between; a refusal of the claim needs one look taken at or after the deadline; harm is told at the first look.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from notifier.domain.epp import HOLD, Measure, contradictions
from notifier.domain.look import Content, Delegation, Look, Probe, Registration
from notifier.domain.readings import READERS, WRONG_VERB, Claim, Kind, Reading, already, blind, went_dark

__all__ = [
    "Claim",
    "Content",
    "Delegation",
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


@dataclass(frozen=True, slots=True)
class Judgement:
    """`outcome` is a code of the closed list, None while open; `actor` who is credited (`none`: nobody)."""

    verdict: Verdict
    outcome: str | None
    actor: str | None
    alarms: tuple[str, ...]
    why: str


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
    if any(look.registration.succeeds(baseline.registration) for look in seen):
        why = "another registration now has the name; this claim is about the earlier one"
        return Judgement(Verdict.UNVERIFIABLE, "superseded_epoch", "none", (EPOCH_CHANGED,), why)

    alarms = [CONTRADICTORY_STATUSES] if _newly_contradictory(seen, baseline) else []
    leaves_name_up = Measure.LOCK in (requested, claim.measure)
    harmed = leaves_name_up and any(went_dark(look, baseline) for look in seen)
    deletes_unasked = claim.measure is Measure.DELETE and requested is not Measure.DELETE
    if harmed or deletes_unasked:
        alarms.append(WRONG_VERB)

    stood_before = already(claim.measure, baseline)
    if stood_before is not None and not harmed:
        outcome, why = stood_before
        return Judgement(Verdict.UNVERIFIABLE, outcome, "none", tuple(alarms), why)

    run: _Run | None = None
    standing: _Standing | None = None
    for look in seen:
        reading = _read(look, baseline, claim, leaves_name_up)
        if reading is None:
            continue
        agrees = run is not None and run.reading.agreement == reading.agreement
        run = _Run(reading, run.since if run is not None and agrees else look.at, look.at)
        standing = _settle(run, standing, verify_gap=verify_gap, deadline=deadline) or standing

    no_before = blind(claim.measure, baseline)
    if no_before is not None:
        verdict = Verdict.CONTRADICTED if harmed else Verdict.UNVERIFIABLE
        return Judgement(verdict, None, None, tuple(alarms), no_before)
    if run is None:
        return Judgement(Verdict.PENDING, None, None, tuple(alarms), "no look could tell yet")
    verdict, outcome, actor = standing or (Verdict.PENDING, None, None)
    alarms += run.reading.alarms
    if verdict is Verdict.CONTRADICTED and run.reading.inconsistent:
        alarms.append(INCONSISTENT)
    if verdict is Verdict.RELAPSED and claim.measure is Measure.RESTORE and _held_now(seen):
        alarms.append(HOLD_AFTER_WITHDRAWAL)
    return Judgement(verdict, outcome, actor, tuple(dict.fromkeys(alarms)), run.reading.why)


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
