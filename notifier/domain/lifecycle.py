"""How far a registration is on its way out (RFC 3915 §3.1), and when it should be a step further. Pure.

Under generic top-level domains a deleted name can be restored for 30 days, waits 5 more for its purge, and is anybody's.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from notifier.domain.alarms import DROP_AFTER, PENDING_DELETE, REDEMPTION
from notifier.domain.look import Look

_DAILY, _WEEKLY = timedelta(days=1), timedelta(days=7)
_DENSE, _WATCHED = timedelta(days=30), timedelta(days=180)


class Phase(StrEnum):
    """REDEMPTION: deleted, and its registrant may have it back. PENDING_DELETE: only its purge is left. PURGED: gone."""

    REDEMPTION = "redemption"
    PENDING_DELETE = "pending_delete"
    PURGED = "purged"


def tells(look: Look) -> bool:
    """Whether a look says where the registration stands. A registry that is silent or has no RDAP says nothing; nor
    does one that knows no such name while the zone has it, or does not answer."""
    return look.registration.answer == "found" or look.purged


def phase_of(look: Look) -> Phase | None:
    """The phase that a look which tells shows; None for a registration that is in none."""
    if look.purged:
        return Phase.PURGED
    statuses = look.registration.canonical_statuses
    if "redemption period" in statuses:  # beside pending delete, the EPP status of the whole way (RFC 3915 §3.1)
        return Phase.REDEMPTION
    return Phase.PENDING_DELETE if "pending delete" in statuses else None


def next_look(phase: Phase | None, since: datetime, now: datetime) -> datetime | None:
    """When a name in this phase since then is looked at next; None when its watch is over, or there is none."""
    match phase:
        case Phase.REDEMPTION:
            return max(since + REDEMPTION, now + _DAILY)
        case Phase.PENDING_DELETE:
            return max(since + PENDING_DELETE, now + _DAILY)
        case Phase.PURGED if now < since + _DENSE:  # most that come back do so at once
            return now + _DAILY
        case Phase.PURGED if now < since + _WATCHED:
            return now + _WEEKLY
    return None


def drops_on(expires_at: datetime | None) -> datetime | None:
    """When anybody may have a name that nobody renews; a registrar's grace period may come on top."""
    return expires_at + DROP_AFTER if expires_at is not None else None
