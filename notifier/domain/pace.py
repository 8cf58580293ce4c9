"""How fast a recipient is written to: a bucket of tokens, a few at once, a breaker, and a guard against a storm. Pure.

One standing for each agreement, shared by every process. Asking for less waits only for a channel that does not answer.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

OPENS_AT = 5  # failures in a row after which nobody tries for a while
_FIRST_OPEN, _LONGEST_OPEN = timedelta(minutes=1), timedelta(hours=1)
_BUSY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Pace:
    """What an agreement allows: notices an hour, how many of them together, attempts at once, requests a day (UTC)."""

    per_hour: int = 600
    burst: int = 120
    at_once: int = 16
    per_day: int = 2_000


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a recipient stands. `tokens` are as of `at`; `failures` are in a row; `day_count` is of `day`."""

    tokens: float
    at: datetime
    failures: int = 0
    open_until: datetime | None = None
    day: date | None = None
    day_count: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now, and why: `rate`, `busy`, `breaker` or `storm`."""

    until: datetime
    why: str


def fresh(pace: Pace, now: datetime) -> Standing:
    """The standing of a recipient that nobody has written to."""
    return Standing(float(pace.burst), now)


def admit(
    pace: Pace, standing: Standing, running: int, now: datetime, *, undo: bool, urgent: bool = False
) -> Standing | Wait:
    """The standing after one more attempt, or how long it waits. `running`: attempts under way. `undo`: asks for less.

    `urgent` does not wait behind those who empty the bucket: it may overdraw it by a tenth, which the others wait for.
    """
    if standing.open_until is not None and now < standing.open_until:
        return Wait(standing.open_until, "breaker")
    if standing.failures >= OPENS_AT and running:  # one tries whether the channel is back
        return Wait(now + _BUSY, "breaker")
    today = now.astimezone(UTC).date()
    count = standing.day_count if standing.day == today else 0
    passed = max((now - standing.at).total_seconds(), 0.0)
    tokens = min(standing.tokens + passed * pace.per_hour / 3600, float(pace.burst))
    if not undo:
        if running >= pace.at_once:
            return Wait(now + _BUSY, "busy")
        if count >= pace.per_day:
            midnight = datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(days=1)
            return Wait(midnight, "storm")
        needed = 1 - (max(pace.burst // 10, 1) if urgent else 0)
        if tokens < needed:
            return Wait(now + timedelta(seconds=(needed - tokens) * 3600 / pace.per_hour), "rate")
        count += 1
    return replace(standing, tokens=tokens - 1, at=max(now, standing.at), day=today, day_count=count)


def failed(standing: Standing, now: datetime) -> Standing:
    """After an attempt that reached nobody: from the fifth in a row on nobody tries, twice as long each time."""
    failures = standing.failures + 1
    if failures < OPENS_AT:
        return replace(standing, failures=failures)
    wait = min(_FIRST_OPEN * (1 << min(failures - OPENS_AT, 10)), _LONGEST_OPEN)
    return replace(standing, failures=failures, open_until=now + wait)


def answered(standing: Standing) -> Standing:
    """After an attempt that the recipient's system answered, also with a refusal."""
    return replace(standing, failures=0, open_until=None)
