"""Business time. Rules, timers and statistics read time only from here; network waits use real time."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells business time; `now()` is aware and in UTC. Async, since the simulated clock is a database row."""

    async def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    async def now(self) -> datetime:
        return datetime.now(UTC)
