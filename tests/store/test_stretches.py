"""Stretches that are read back, and those of the levels above them, hold the sum of what was written."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random

import asyncpg
import pytest

from notifier.domain import rollup
from notifier.domain.lengths import Rows
from notifier.domain.numbers import RING, Number, Part, Tally
from notifier.domain.rollup import Added, Group, Spent, Sums
from notifier.store import stretches, summing, sums
from notifier.store.sums import Asked

START = datetime(2026, 3, 1, tzinfo=UTC)
_PIR = Group("opioids", "pir", date(2026, 3, 1), "open", "none")
_OTHER = Group("piracy", "", date(2026, 2, 1), "rejected", "none")
_DAY, _BIN = Spent("notice", rollup.DAY, 739_677), Spent("notice", rollup.HAPPENED, 40)


def became(*some: tuple[Spent, int, int], group: Group = _PIR, **counts: int) -> Added:
    made = Sums()
    made.counts.update(counts)
    made.happened.update(
        {rollup.on_day(f"act/{cell}", START - timedelta(days=20 * n)): n for cell, n in counts.items()}
    )
    for spent, n, micros in some:
        made.put(spent, n, micros)
    return Added({group: made}, parts={})


async def _write(con: asyncpg.Connection, found: list[Added]) -> list[datetime]:
    ends = [START + timedelta(hours=n) for n, _ in enumerate(found)]
    for until, added in zip(ends, found, strict=True):
        async with con.transaction():
            await summing.write_stretch(con, until, added)
            await stretches.close(con, until)
    return ends


async def test_what_leaves_a_day_that_another_enters_still_moves_its_mean(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One waits since the day; then another does, and the first no more: as many as before, since 2 microseconds later."""
    monkeypatch.setattr(stretches, "JOINED", 2)
    con = await asyncpg.connect(database_url)
    found = [became((_DAY, 1, 5), units=1), became(units=1), became((_DAY, 1, 7)), became((_DAY, -1, -5), units=-2)]
    ends = await _write(con, found)
    assert await stretches.up_to(con, ends[3]) == [(2, ends[3])]
    assert await stretches.up_to(con, ends[2]) == [(1, ends[1]), (0, ends[2])]
    asked = Asked(["opioids"], stretches=await stretches.up_to(con, ends[3]))
    assert _standing(await sums.times(con, asked, START)) == {("", _DAY): (1, 7)}
    assert await sums.counts(con, asked) == {}
    await con.close()


def _standing(rows: Rows) -> dict[tuple[str, Spent], tuple[int, int]]:
    names = [name for name, size in zip(rows.names, rows.sizes, strict=True) for _ in range(size)]
    columns = zip(names, rows.at.tolist(), rows.n.tolist(), rows.micros.tolist(), strict=True)
    found: dict[tuple[str, Spent], tuple[int, int]] = {}
    for (part, key, how), at, n, micros in columns:
        before = found.get((part, Spent(key, how, at)), (0, 0))
        found[part, Spent(key, how, at)] = before[0] + n, before[1] + micros
    return {key: some for key, some in found.items() if any(some)}


def _day(cell: str) -> date:
    return date.fromisoformat(cell[-10:])


def _drawn(seed: int, n: int) -> list[Added]:
    draw = Random(seed)
    found = [
        became(
            (draw.choice([_DAY, _BIN]), n := draw.randint(-2, 2), draw.randint(-9, 9)),
            group=draw.choice([_PIR, _OTHER]),
            units=draw.randint(-1, 2),
            cases=n,
        )
        for _ in range(n)
    ]
    for added in found:  # as many and the same are there again now and then, and what is counted is more than 64 bits
        which = draw.choice([-1, 1]) * draw.randrange(RING - 9, RING)
        cells = Tally(Counter({"units": draw.randint(-1, 1)}), Counter({"units": draw.choice([0, which])}))
        added.parts = {Part(*draw.choice([_PIR, _OTHER])[:3]): cells}
    return found


@pytest.mark.parametrize("joined", [2, 3])
async def test_any_sum_of_stretches_is_that_of_what_was_written(
    database_url: str, monkeypatch: pytest.MonkeyPatch, joined: int
) -> None:
    monkeypatch.setattr(stretches, "JOINED", joined)
    con = await asyncpg.connect(database_url)
    found = _drawn(joined, 20)
    ends = await _write(con, found)
    for at, until in enumerate(ends, 1):
        told = await stretches.up_to(con, until)
        assert len(told) <= 3 * joined
        asked = Asked(["opioids", "piracy"], by="program", stretches=told)
        counts: dict[tuple[str, str], int] = {}
        happened: dict[tuple[str, str], int] = {}
        times: dict[tuple[str, Spent], tuple[int, int]] = {}
        for added in found[:at]:
            for group, of in added.groups.items():
                for cell, n in of.counts.items():
                    counts[group.program, cell] = counts.get((group.program, cell), 0) + n
                for cell, n in of.happened.items():
                    happened[group.program, cell] = happened.get((group.program, cell), 0) + n
                for spent, some in of.times.items():
                    before = times.get((group.program, spent), (0, 0))
                    times[group.program, spent] = (before[0] + some.n, before[1] + some.micros)
        read = {
            (of, cell): n for of, cells in (await sums.counts(con, asked)).items() for cell, n in cells.items() if n
        }
        assert read == {key: n for key, n in counts.items() if n}
        parts: dict[Part, tuple[int, int]] = {}
        for added in found[:at]:
            for part, tally in (added.parts or {}).items():
                n, which = parts.get(part, (0, 0))
                parts[part] = n + tally.n["units"], which + tally.which["units"]
        assert await sums.numbers(con, asked) == {
            part: {"units": Number(n, which % 2**61)} for part, (n, which) in parts.items() if n or which % 2**61
        }
        for day in (date(2026, 1, 20), date(2026, 2, 1), date(2026, 2, 9), date(2026, 3, 22)):
            months = {key: n for key, n in happened.items() if day.replace(day=1) <= _day(key[1]) < day and n}
            in_month = (await sums.happened_in_month(con, asked, day)).items()
            assert {(of, cell): n for of, cells in in_month for cell, n in cells.items() if n} == months
            before = sum(
                n
                for (of, cell), n in happened.items()
                if (of, cell[:9]) == ("opioids", "act/units") and _day(cell) < day
            )
            groups = await sums.of_happened(con, Asked(["opioids"], stretches=told), "act/units", day)
            assert groups.total() == before
            assert set(groups) <= {_PIR}
        by_month: Counter[tuple[str, str]] = Counter()
        for (of, cell), n in happened.items():
            by_month[of, cell[:-3]] += n
        read = {
            (of, cell): n for of, cells in (await sums.happened(con, asked)).items() for cell, n in cells.items() if n
        }
        assert read == {key: n for key, n in by_month.items() if n}
        standing = _standing(await sums.times(con, asked, START))
        assert standing == {key: some for key, some in times.items() if any(some)}
        assert await sums.of_cell(con, Asked(["opioids"], stretches=told), "time/notice/events") == (
            {_PIR: times["opioids", _BIN][0]} if ("opioids", _BIN) in times else {}
        )
    await con.close()
