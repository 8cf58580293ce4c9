"""Whether a look still shows what a party was asked to do and is now asked to undo. Pure.

Each status names the side that set it (RFC 5731 §2.3), so a registrar is not held to a registry's hold, nor the other
way round; a name that is dark for no reason that the statuses give is held against both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.domain.epp import CLIENT_HOLD, DELETED, LOCK, SERVER_HOLD, Measure
from notifier.domain.look import Look
from notifier.domain.readings import is_dark
from notifier.domain.rule import Recipient

_CLIENT_LOCK = frozenset(status.replace("server", "client") for status in LOCK)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the looks say together. `shown`: the newest that could tell, None when none could. `settled`: at least two in
    a row, `gap` apart, showed nothing. `free_since`: the first of those."""

    shown: bool | None
    settled: bool
    free_since: datetime | None = None


def still_shows(measure: Measure, party: Recipient, before: Look | None, seen: Look) -> bool | None:
    """Whether the measure stands; None when this look cannot tell. `before`: the look taken before it was asked for."""
    if measure is Measure.CONTENT_REMOVAL:
        content = seen.content.answer if seen.content else "inconclusive"
        return {"served": False, "gone": True}.get(content)
    if measure is Measure.REDIRECT:
        if seen.delegation.answer != "delegated" or before is None or before.delegation.answer != "delegated":
            return True if is_dark(seen) else None
        return set(seen.delegation.nameservers) != set(before.delegation.nameservers)
    had = before.registration.canonical_statuses if before else frozenset()
    gained = seen.registration.canonical_statuses - had
    own, other = (CLIENT_HOLD, SERVER_HOLD) if party is Recipient.REGISTRAR else (SERVER_HOLD, CLIENT_HOLD)
    if own in gained or gained & DELETED:
        return True
    if measure is Measure.LOCK and gained & (_CLIENT_LOCK if party is Recipient.REGISTRAR else LOCK):
        return True
    if is_dark(seen) and not (before and is_dark(before)):
        return other not in seen.registration.canonical_statuses
    if "inconclusive" in (seen.registration.answer, seen.delegation.answer):
        return None
    if measure is Measure.LOCK and seen.registration.answer != "found":
        return None
    return False


def standing(
    measure: Measure, party: Recipient, before: Look | None, looks: Sequence[Look], gap: timedelta
) -> Standing:
    """What looks taken since the undo was asked for say, oldest first."""
    told = [(shows, look.at) for look in looks if (shows := still_shows(measure, party, before, look)) is not None]
    if not told:
        return Standing(None, settled=False)
    if told[-1][0]:
        return Standing(True, settled=False)
    free_since = told[-1][1]
    for shows, at in reversed(told):
        if shows:
            break
        free_since = at
    return Standing(False, settled=told[-1][1] - free_since >= gap, free_since=free_since)
