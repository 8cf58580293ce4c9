"""Sums that are read back: over everything, a range of months, or apart, they hold the same numbers."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
import numpy as np
import pytest

from notifier.domain import lengths, rollup
from notifier.domain.history import History
from notifier.domain.rollup import Added, told_by
from notifier.store import summing, sums
from notifier.store.sums import Asked, Range
from tests.domain.test_history import at, story

NOW = datetime(2026, 11, 29, 10, tzinfo=UTC)
_ALL = Range()


def waiting(days: int) -> History:
    """A case that has waited for its notice for so many days and an hour."""
    opened = (NOW - timedelta(days=days, hours=1) - at(0)) / timedelta(hours=1)
    return story(f"c{days}", f"n{days}.com", opened=opened, registry="pir" if days % 2 else "verisign")


async def durations(con: asyncpg.Connection, months: Range = _ALL, by: str | None = None) -> dict[str, list[float]]:
    found, _ = lengths.read(await sums.times(con, Asked(["opioids"], None, months, by), NOW), NOW, rollup.ages(NOW))
    waited = {part: times.lengths["notice"] for part, times in found.items() if "notice" in times.lengths}
    return {part: sorted(np.repeat(of.length, of.n).tolist()) for part, of in waited.items()}


async def test_what_still_runs_is_read_in_ever_wider_groups(database_url: str) -> None:
    """Lengths are the mean of their group: the sum is exact, and no one is off by more than a sixteenth."""
    con = await asyncpg.connect(database_url)
    days = [
        1,
        2,
        3,
        29,
        30,
        31,
        33,
        34,
        70,
        71,
        72,
        111,
        112,
        118,
        119,
        400,
        401,
        448,
        475,
        476,
        520,
        900,
        901,
        1500,
        1501,
    ]
    added = Added()
    for n in days:
        added.add(told_by([waiting(n)], {}))
    await summing.add(con, added)
    exact = [n * 86400 + 3600.0 for n in days]
    for months, by in (
        (Range(), None),
        (Range(), "month"),
        (Range(), "registry"),
        (Range(), "outcome"),
        (Range(end=date(2026, 12, 1)), None),
        (Range(end=date(2026, 12, 1)), "registry"),
        (Range(end=date(2026, 12, 1)), "actor"),
    ):
        found = await durations(con, months, by)
        told = sorted(length for part in found.values() for length in part)
        assert sum(told) == pytest.approx(sum(exact), abs=1e-3), (months, by)
        for length, real in zip(told, exact, strict=True):
            assert length == pytest.approx(real, rel=1 / 16), (months, by)
        assert told[:6] == exact[:6]  # up to 32 days each stands where it is
    assert (await durations(con, Range(date(2025, 1, 1), date(2026, 1, 1))))[""] == pytest.approx(
        [
            n
            for n in exact
            if datetime(2025, 1, 1, tzinfo=UTC) <= NOW - timedelta(seconds=n) < datetime(2026, 1, 1, tzinfo=UTC)
        ],
        rel=1 / 16,
    )
    rows = await con.fetch("select length(at) / 4 as n from rollup_time where how <> 'day' and basis = 'cohort_years'")
    assert len(rows) < sum(row["n"] for row in rows)
    for n in days:
        gone = Added()
        gone.add(told_by([waiting(n)], {}), -1)
        await summing.add(con, gone)
    for table in ("rollup_time", "rollup_count"):
        assert not await con.fetchval(f"select count(*) from {table}")
    await con.close()
