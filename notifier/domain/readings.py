"""The verification table, one row a measure: what one look says about one claim, against the baseline.

A reader answers None when the look cannot tell: a server that did not answer never speaks for or against
anybody.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from notifier.domain.epp import CLIENT_HOLD, CLIENT_LOCK, DELETED, HOLD, LOCK, SERVER_HOLD, Measure
from notifier.domain.look import Look

WRONG_VERB = "wrong_verb"
LEAKY_HOLD = "leaky_hold"
HOLD_RESIDUAL_GLUE = "hold_residual_glue"
REGISTRAR_CHANGED = "registrar_changed"
NAME_SUSPENDED = "name_suspended"
NAMESERVERS_CHANGED = "nameservers_changed"
DELETION_SEEN = "deletion_seen"
CONTRADICTED_CLOAKED = "contradicted_cloaked"


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody says an act was done. `actor`: registry, registrar, host, registrant, court, or unsaid."""

    measure: Measure
    actor: str | None
    claimed_at: datetime
    effective_at: datetime | None = None


class Kind(StrEnum):
    """DONE the act is seen whole, PARTIAL in part; UNDONE the look refutes it; UNCREDITED the effect is there
    and its cause is not; WRONG harm was done instead; ENDED the registration itself is gone."""

    DONE = "done"
    PARTIAL = "partial"
    UNDONE = "undone"
    UNCREDITED = "uncredited"
    WRONG = "wrong"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Reading:
    """One look, read for one claim. Two readings agree when kind, outcome, actor and `dns_only` do."""

    kind: Kind
    why: str
    outcome: str | None = None
    actor: str | None = None
    alarms: tuple[str, ...] = ()
    dns_only: bool = False
    inconsistent: bool = False

    @property
    def agreement(self) -> tuple[object, ...]:
        return (self.kind, self.outcome, self.actor, self.dns_only)


Reader = Callable[[Look, Look, Claim], Reading | None]
Dark = Literal["absent", "residual"]


def is_dark(look: Look) -> bool:
    """The parent zone does not delegate the name, on the word of its own servers."""
    return look.delegation.answer in ("absent", "residual")


def _gone(look: Look) -> bool:
    """The registration ended: the registry knows no such object, and the zone does not either."""
    return look.registration.answer == "absent" and look.delegation.answer == "absent"


def went_dark(look: Look, baseline: Look) -> bool:
    """The name was, or is being, taken out of the DNS, and was not before. Either source is enough."""
    if is_dark(baseline) or baseline.registration.canonical_statuses & HOLD:
        return False
    return is_dark(look) or bool(look.registration.canonical_statuses & (HOLD | DELETED))


def deletion_seen(look: Look) -> bool:
    """RDAP says that a delete was received, or the registry knows no such object any more."""
    registration = look.registration
    return registration.answer == "absent" or bool(registration.canonical_statuses & DELETED)


def _lock(look: Look, baseline: Look, claim: Claim) -> Reading | None:
    registration = look.registration
    if registration.answer != "found" or look.delegation.answer == "inconclusive":
        return None
    if is_dark(look):
        return Reading(Kind.UNCREDITED, "the name is out of the DNS, as it was before the notice")
    present = registration.canonical_statuses & LOCK
    gained = present - baseline.registration.canonical_statuses
    if not gained:
        own = registration.canonical_statuses & CLIENT_LOCK - baseline.registration.canonical_statuses
        if own and claim.actor == "registrar":
            why = "the registrar's own prohibitions were added, which the registrar may lift: no registry lock"
            return Reading(Kind.PARTIAL, why, "partial_lock", "registrar")
        return Reading(Kind.UNDONE, "none of the three server prohibitions was added")
    before, after = set(baseline.delegation.nameservers), set(look.delegation.nameservers)
    moved = baseline.delegation.answer == "delegated" and before != after
    if present != LOCK:
        why = f"the lock lacks {', '.join(sorted(LOCK - present))}"
        return Reading(Kind.PARTIAL, why, "partial_lock", "registry", (NAMESERVERS_CHANGED,) if moved else ())
    if moved:
        why = "locked, and the name servers differ from those before the notice"
        return Reading(Kind.PARTIAL, why, "registry_lock", "registry", (NAMESERVERS_CHANGED,))
    return Reading(Kind.DONE, "all three server prohibitions added, still delegated", "registry_lock", "registry")


def _held(look: Look, baseline: Look) -> Reading:
    """Hold status set and not delegated. The status itself says who acted (RFC 5731 §2.3)."""
    statuses = look.registration.canonical_statuses
    actor, outcome = ("registry", "registry_hold") if SERVER_HOLD in statuses else ("registrar", "registrar_hold")
    alarms: list[str] = []
    # A registrar's own prohibitions fall when the registrar, or the next one, lifts them: they guard
    # only its hold.
    sides = ("server",) if actor == "registry" else ("server", "client")
    guarded = [any(f"{side} {verb} prohibited" in statuses for side in sides) for verb in ("transfer", "update")]
    if not all(guarded):
        alarms.append(LEAKY_HOLD)
    before, after = baseline.registration.registrar_iana_id, look.registration.registrar_iana_id
    if before and after and before != after:
        alarms.append(REGISTRAR_CHANGED)
    if look.delegation.answer == "residual":
        why = "held, and records of the name are left in the parent zone"
        return Reading(Kind.PARTIAL, why, outcome, actor, (*alarms, HOLD_RESIDUAL_GLUE))
    return Reading(Kind.DONE, "hold status set, parent zone denies the name", outcome, actor, tuple(alarms))


def _dns_only(look: Look, claim: Claim, verb: str) -> Reading:
    """No RDAP to ask. Who acted cannot be seen, so the actor is only the one who claimed it."""
    outcome = f"registrar_{verb}" if claim.actor == "registrar" else f"registry_{verb}"
    if look.delegation.answer == "residual":
        why = "records of the name are left in the parent zone"
        return Reading(Kind.PARTIAL, why, outcome, claim.actor, (HOLD_RESIDUAL_GLUE,), dns_only=True)
    why = "the parent zone denies the name; its registry has no RDAP, so the cause is only claimed"
    return Reading(Kind.DONE, why, outcome, claim.actor, dns_only=True)


def _still_up(look: Look) -> Reading:
    held = sorted(look.registration.canonical_statuses & (HOLD | DELETED))
    if held:
        why = f"inconsistent: RDAP says {', '.join(held)}, the parent zone still delegates"
        return Reading(Kind.UNDONE, why, inconsistent=True)
    return Reading(Kind.UNDONE, "the parent zone still delegates")


def _hold(look: Look, baseline: Look, claim: Claim) -> Reading | None:
    registration = look.registration
    if look.delegation.answer == "delegated":
        return _still_up(look)
    if look.delegation.answer == "inconclusive" or registration.answer == "inconclusive":
        return None
    if registration.answer == "no_rdap":
        return _dns_only(look, claim, "hold")
    if registration.answer == "absent":
        why = "the registry no longer knows the name, and the zone denies it"
        return Reading(Kind.ENDED, why, "expired_lapsed", "none") if _gone(look) else None
    statuses = registration.canonical_statuses
    if statuses & HOLD:
        return _held(look, baseline)
    alarms = (DELETION_SEEN,) if statuses & DELETED else ()
    why = "the name is out of the DNS without a hold status: expiry, removed name servers or a late RDAP"
    return Reading(Kind.UNCREDITED, why, alarms=alarms)


def _delete(look: Look, baseline: Look, claim: Claim) -> Reading | None:
    registration = look.registration
    if look.delegation.answer == "delegated":
        return _still_up(look)
    if look.delegation.answer == "inconclusive" or registration.answer == "inconclusive":
        return None
    if registration.answer == "no_rdap":
        return _dns_only(look, claim, "delete")
    deleted = registration.canonical_statuses & DELETED
    if not deleted and registration.answer == "found":
        if registration.canonical_statuses & HOLD - baseline.registration.canonical_statuses:
            held = _held(look, baseline)
            return Reading(Kind.PARTIAL, "held, not deleted", held.outcome, held.actor, held.alarms)
        if is_dark(baseline) or baseline.registration.canonical_statuses & HOLD:
            return Reading(Kind.UNDONE, "as dark as before the notice, and RDAP says no delete")
        return Reading(Kind.UNCREDITED, "the name is out of the DNS and nothing says that it was deleted")
    # A status names no side here; who sent the delete is known from the claim alone.
    by_registrar = claim.actor == "registrar"
    outcome, actor = ("registrar_delete", "registrar") if by_registrar else ("registry_delete", "registry")
    if look.delegation.answer == "residual":
        why = "deleted, and records of the name are left in the parent zone"
        return Reading(Kind.PARTIAL, why, outcome, actor, (HOLD_RESIDUAL_GLUE,))
    seen = ", ".join(sorted(deleted)) or "no such object"
    return Reading(Kind.DONE, f"RDAP says {seen}, the parent zone denies the name", outcome, actor)


def _content_removal(look: Look, baseline: Look, claim: Claim) -> Reading | None:
    content = look.content
    if content is not None and content.answer == "served":
        hidden = (CONTRADICTED_CLOAKED,) if content.cloaked else ()
        return Reading(Kind.UNDONE, f"a sample is still served: {content.detail}", alarms=hidden)
    if is_dark(look):
        why = "the whole name is out of the DNS, so no host removed anything"
        return Reading(Kind.UNCREDITED, why, alarms=(NAME_SUSPENDED,) if went_dark(look, baseline) else ())
    if content is None or content.answer == "inconclusive" or look.delegation.answer == "inconclusive":
        return None
    if content.answer == "changed":
        return Reading(Kind.UNCREDITED, f"another text stands where the samples were: {content.detail}")
    by_registrant = claim.actor == "registrant"
    outcome, actor = ("registrant_cured", "registrant") if by_registrant else ("host_removed", "host")
    return Reading(Kind.DONE, "every sample is gone at every vantage, the name still resolves", outcome, actor)


def _redirect(look: Look, baseline: Look, claim: Claim) -> Reading | None:
    if look.delegation.answer == "inconclusive" or baseline.delegation.answer != "delegated":
        return None
    if is_dark(look):
        why = "the name is out of the DNS, not redirected"
        return Reading(Kind.UNCREDITED, why, alarms=(NAME_SUSPENDED,) if went_dark(look, baseline) else ())
    if set(look.delegation.nameservers) == set(baseline.delegation.nameservers):
        return Reading(Kind.UNDONE, "the name servers are those of before the notice")
    # Nobody announced the new servers, so a redirect and an ordinary move look alike: never more than
    # partial.
    outcome = {"registrar": "registrar_ns_change", "court": "court_transfer"}.get(claim.actor or "")
    return Reading(Kind.PARTIAL, "the name servers changed", outcome, claim.actor, (NAMESERVERS_CHANGED,))


def _restore(look: Look, baseline: Look, claim: Claim) -> Reading | None:
    registration = look.registration
    if is_dark(look):
        return Reading(Kind.UNDONE, "the parent zone does not delegate the name yet")
    if look.delegation.answer == "inconclusive" or registration.answer == "inconclusive":
        return None
    actor: str | None = claim.actor
    if registration.answer == "no_rdap":
        return Reading(Kind.DONE, "delegated again; no RDAP to ask", None, actor, dns_only=True)
    undo = HOLD | DELETED if is_dark(baseline) or baseline.registration.canonical_statuses & HOLD else LOCK
    left = sorted(registration.canonical_statuses & undo)
    if left or registration.answer == "absent":
        why = f"inconsistent: delegated, and RDAP says {', '.join(left) or 'no such object'}"
        return Reading(Kind.UNDONE, why, inconsistent=True)
    sides = {SERVER_HOLD: "registry", CLIENT_HOLD: "registrar"}
    lifted = {sides[status] for status in baseline.registration.canonical_statuses & HOLD}
    if len(lifted) == 1:
        (actor,) = lifted
    return Reading(Kind.DONE, "delegated, and nothing of the measure is left", None, actor)


READERS: Mapping[Measure, Reader] = MappingProxyType(
    {
        Measure.LOCK: _lock,
        Measure.HOLD: _hold,
        Measure.DELETE: _delete,
        Measure.CONTENT_REMOVAL: _content_removal,
        Measure.REDIRECT: _redirect,
        Measure.RESTORE: _restore,
    }
)


def already(measure: Measure, baseline: Look) -> tuple[str | None, str] | None:
    """(outcome, why) when the state asked for was there before the notice: no credit. Else None."""
    statuses = baseline.registration.canonical_statuses
    dark = is_dark(baseline)
    match measure:
        case Measure.LOCK if statuses >= LOCK:
            return "already_locked", "all three server prohibitions stood before the notice"
        case Measure.LOCK | Measure.HOLD if dark or statuses & HOLD:
            return "already_suspended", "the name was held or out of the DNS before the notice"
        case Measure.DELETE if statuses & DELETED or baseline.registration.answer == "absent":
            return "already_suspended", "the name was being deleted, or was gone, before the notice"
        case Measure.DELETE if dark and not statuses & HOLD:
            # Without a hold it was expiry, or a delete that RDAP did not tell of: what follows is no answer to us.
            return "already_suspended", "the name was out of the DNS before the notice, and nobody held it"
        case Measure.CONTENT_REMOVAL if baseline.content is not None and baseline.content.answer == "gone":
            return "cured_before_referral", "every sample was gone before the notice"
        case Measure.CONTENT_REMOVAL if dark:
            return "already_suspended", "the name was out of the DNS before the notice, so nothing was served there"
        case Measure.RESTORE if _nothing_to_undo(baseline):
            return None, "nothing was left to undo before the notice"
    return None


def _nothing_to_undo(baseline: Look) -> bool:
    known = baseline.registration.answer in ("found", "no_rdap") and baseline.delegation.answer == "delegated"
    return known and not baseline.registration.canonical_statuses & (HOLD | DELETED | LOCK)


def blind(measure: Measure, baseline: Look) -> str | None:
    """Why the baseline cannot carry this claim (no before, no gain to see); None when it can."""
    registration, delegation = baseline.registration.answer, baseline.delegation.answer
    match measure:
        case Measure.LOCK if registration == "no_rdap":
            return "a lock shows in RDAP alone, and this registry has none"
        case Measure.LOCK if registration != "found":
            return "the registration before the notice is not known"
        case Measure.RESTORE if registration == "absent":
            return "the registry knew no such name before, so what is there now is a new registration"
        case Measure.RESTORE if registration == "inconclusive" and delegation == "delegated":
            return "whether anything was left to undo is not known"
        case Measure.REDIRECT if delegation != "delegated":
            return "the name servers before the notice are not known"
        case Measure.HOLD | Measure.DELETE if registration != "found" and delegation == "inconclusive":
            return "neither registration nor delegation before the notice is known"
    return None
