"""Whether a name is back after it was taken down, by our own looks. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from notifier.domain.epp import Measure
from notifier.domain.look import Look
from notifier.domain.readings import READERS, Claim, Kind


def back_since(baseline: Look, looks: Sequence[Look], gap: timedelta) -> datetime | None:
    """When the name was first seen back, if it was in every look since that told anything, over at least `gap`.

    `baseline`: the last look before the undo was asked for. `gap`: as long as a resolver may remember that there was no
    such name (RFC 2308 §5), so that who asks now gets an answer. None: not back, or not for long enough.
    """
    claim = Claim(Measure.RESTORE, None, baseline.at, None)
    first: datetime | None = None
    last: datetime | None = None
    for look in sorted(looks, key=lambda one: one.at):
        reading = READERS[Measure.RESTORE](look, baseline, claim)
        if reading is None:
            continue
        if reading.kind is not Kind.DONE:
            first = last = None
            continue
        first, last = first or look.at, look.at
    return first if first is not None and last is not None and last > first and last - first >= gap else None
