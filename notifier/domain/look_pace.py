"""How often one RDAP server is asked: planned looks stand in line for it, and are spread before they ever meet. Pure.

One line for each server, shared by every process. A look that somebody waits for goes ahead of the line and is counted,
so that the line pays for it; what the server asks for itself (429, RFC 7480 §5.5) stops everybody's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

_SPREAD_FROM = timedelta(days=1)  # looks that follow each other faster than this keep their minute


@dataclass(frozen=True, slots=True)
class LookPace:
    """What a server takes: looks over any hour, and of them at once what a minute would bring."""

    per_hour: int

    @property
    def at_once(self) -> int:
        return max(self.per_hour // 60, 1)

    @property
    def apart(self) -> timedelta:
        """Between two looks of a server that is never idle. An hour that begins with all that go at once holds no more
        than `per_hour` either: at_once + (3600 / apart - 1)."""
        return timedelta(hours=1) / (self.per_hour - self.at_once + 1) + timedelta(microseconds=1)  # rounded up


@dataclass(frozen=True, slots=True)
class Line:
    """Where a server stands. `free_at`: when it has caught up with every look so far. `line_until`: the end of those
    who wait. `paused_until`: it asked to be left alone."""

    free_at: datetime
    line_until: datetime
    paused_until: datetime | None = None

    def paused(self, now: datetime) -> bool:
        return self.paused_until is not None and now < self.paused_until


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: its turn is at `at`."""

    at: datetime


def fresh(now: datetime) -> Line:
    """A server that nobody has asked."""
    return Line(now, now)


def charged(pace: LookPace, line: Line, now: datetime) -> Line:
    """After a look that waits for nobody."""
    return replace(line, free_at=max(line.free_at, now) + pace.apart)


def admit(pace: LookPace, line: Line, now: datetime, turn: datetime | None) -> tuple[Line, Later | None]:
    """A planned look that is due: (the line after it, None) when it may go, else when its turn is.

    `turn`: the turn that it was given before. A turn that came up while the server was busy is given anew.
    """
    apart = pace.apart
    ahead = line.free_at - now <= apart * (pace.at_once - 1)
    waited = turn is not None and turn <= now
    if ahead and not line.paused(now) and (waited or line.line_until <= now):
        return charged(pace, line, now), None
    at = max(now, line.line_until, line.free_at, line.paused_until or now)
    return replace(line, line_until=at + apart), Later(at)


def paused(line: Line, until: datetime) -> Line:
    """After the server asked to be left alone till then; never for less long than it asked before."""
    return replace(line, paused_until=max(until, line.paused_until or until))


def share_of(ref: str) -> float:
    """Where in an interval a look stands: from 0 on, less than 1, even over all refs (UUIDs), and always the same."""
    return (UUID(ref).int & 0xFFFFFFFF) / 2**32


def spread(watch: Sequence[timedelta], ref: str) -> list[timedelta]:
    """The looks of a watch for one claim: those a day and more apart each fall somewhere in the interval before their
    offset, so that names that were acted on together are not looked at together. The last one keeps its day, since
    that long was promised."""
    moved, share = [], share_of(ref)
    for i, offset in enumerate(watch):
        gap = offset - watch[i - 1] if i else offset
        early = gap >= _SPREAD_FROM and i + 1 < len(watch)
        moved.append(offset - gap * share if early else offset)
    return moved
