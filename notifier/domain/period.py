"""Work over a period: what was open before, came in, was closed, and is open at its end. All four always balance.

Published tables that count "open" up to now and "closed" in the month do not (ICANN RDRS, domain.md 1.16).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

MICRO = timedelta(microseconds=1)  # the smallest step of time


class Spell(NamedTuple):
    """A time in which a case was open: from `opened` up to, not including, `closed`; None: it still is."""

    opened: datetime
    closed: datetime | None


@dataclass(frozen=True, slots=True)
class Flow:
    """Counts of spells in a period. A case that was closed and reopened has two spells, and counts as often."""

    opened_before: int
    opened_in: int
    closed_in: int
    open_at_end: int

    def __post_init__(self) -> None:
        if self.opened_before + self.opened_in != self.closed_in + self.open_at_end:
            raise ValueError(f"{self} does not balance")

    def __add__(self, other: "Flow") -> "Flow":
        return Flow(
            self.opened_before + other.opened_before,
            self.opened_in + other.opened_in,
            self.closed_in + other.closed_in,
            self.open_at_end + other.open_at_end,
        )


def midnight(at: datetime) -> datetime:
    """The beginning of that day, UTC."""
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)


def month_after(at: datetime) -> datetime:
    """The beginning of the next calendar month, UTC."""
    at = at.astimezone(UTC)
    return datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)


def flow(spells: Iterable[Spell], start: datetime, end: datetime) -> Flow:
    """The counts for `start` up to, not including, `end`. Raises ValueError for a spell or period that ends before it begins."""
    if end < start:
        raise ValueError("the period ends before it begins")
    before = came = closed = still = 0
    for spell in spells:
        if spell.closed is not None and spell.closed < spell.opened:
            raise ValueError(f"{spell} ends before it begins")
        if spell.opened >= end or (spell.closed is not None and spell.opened < start and spell.closed < start):
            continue
        before += spell.opened < start
        came += spell.opened >= start
        if spell.closed is not None and spell.closed < end:
            closed += 1
        else:
            still += 1
    return Flow(before, came, closed, still)


def begin_of(day: date) -> datetime:
    """Its first instant (UTC)."""
    return datetime.combine(day, time.min, UTC)
