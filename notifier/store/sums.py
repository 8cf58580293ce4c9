"""Rows of figures that are added up beforehand: of each group what it counts, and how long things took.

A row holds all that a group counts, or a part of one of its times, as arrays: few rows are read for many numbers. Those of
now are kept for each group, and added up over its outcomes, its registries and the months of a year; those of a day of opening,
and those of a stretch of what became known (`stretches`), are kept for each group alone. They are written by `summing`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from notifier.domain import rollup
from notifier.domain.lengths import Rows
from notifier.domain.numbers import RING, Number, Part
from notifier.domain.rollup import Group
from notifier.domain.small_numbers import quarter

if TYPE_CHECKING:
    from notifier.store.database import Connection

FIRST, LAST = date.min, date(9999, 1, 1)  # the first is minus infinity in the database
# Of units, by the year, the month or the day of opening; and what happened to cases, by the month or the day of it.
COHORT_YEARS, COHORT, COHORT_DAYS = "cohort_years", "cohort", "cohort_days"
PERIOD, PERIOD_DAYS = "period", "period_days"
ALL = "*"  # of a row over all registries, or all outcomes
PART = 64  # so many days, weeks or four weeks are one row at most
BINS = ("<i4", "<i8", "<i8")  # how wide the numbers of times are that are kept as bytes


@dataclass(frozen=True, slots=True)
class Range:
    """Months from `start` up to, not including, `end`, both first days of a month; or years, or days."""

    start: date = FIRST
    end: date = LAST


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose numbers: `by` is `month`, `quarter`, or a column: `registry`, `program`, `outcome`, `actor`; None for all of them.

    `opened`: when, in whole months, or as the `basis` is, years or days. `stretches`: level and end of those whose sum it is,
    which have no years; None: of now.
    """

    programs: Sequence[str]
    registry: str | None = None
    opened: Range = Range()
    by: str | None = None
    stretches: Sequence[tuple[int, datetime]] | None = None
    basis: str = COHORT

    def part_of(self, group: Group) -> str | None:
        """The part that a group's numbers are of; None: they are not asked for."""
        if group.program not in self.programs or self.registry not in (None, group.registry):
            return None
        if not self.opened.start <= group.opened < self.opened.end:
            return None
        match self.by:
            case "month":
                return f"{group.opened:%Y-%m}"
            case "quarter":
                return quarter(f"{group.opened:%Y-%m}")
            case "registry":
                return group.registry or "none"
            case None:
                return ""
            case _:
                return str(getattr(group, self.by))


Counts = dict[str, Counter[str]]


_PARTS = {
    "month": "to_char(opened, 'YYYY-MM')",
    "quarter": "to_char(opened, 'YYYY-\"Q\"Q')",
    "registry": "coalesce(nullif(registry, ''), 'none')",
}


def _of(asked: Asked, basis: str) -> tuple[str, str, list[Any]]:
    """The part, the condition and its arguments."""
    start, end = max(asked.opened.start, FIRST + timedelta(days=1)), asked.opened.end
    part = _PARTS.get(asked.by or "", asked.by or "''")
    where = f"basis = '{basis}' and program = any($1) and ($2::text is null or registry = $2) and opened >= $3 and opened < $4"
    if asked.stretches is not None:
        more, arguments = _of_stretches(asked.stretches, 5)
        return part, f"{where} and {more}", [list(asked.programs), asked.registry, start, end, *arguments]
    if basis == PERIOD:  # all months are in one row
        start, end = FIRST, FIRST + timedelta(days=1)
    apart = asked.by in ("outcome", "actor")
    summed = basis == COHORT_DAYS or (basis in (COHORT, PERIOD_DAYS) and not apart)  # over registries, too
    over = summed and asked.registry is None and asked.by != "registry"
    where += f" and registry {'=' if over else '<>'} '{ALL}' and outcome {'<>' if apart else '='} '{ALL}'"
    return part, where, [list(asked.programs), asked.registry, start, end]


def _of_stretches(stretches: Sequence[tuple[int, datetime]], at: int) -> tuple[str, list[Any]]:
    """The condition, with its arguments from that place on."""
    levels, ends = ([list(column) for column in zip(*stretches, strict=True)]) or ([], [])
    return f"(level, until) in (select * from unnest(${at}::smallint[], ${at + 1}::timestamptz[]))", [levels, ends]


async def counts(con: "Connection", asked: Asked) -> Counts:
    """By part and cell: of units, by when they were opened."""
    return await _counts(con, asked, asked.basis)


async def happened(con: "Connection", asked: Asked) -> Counts:
    """By part and `CELL@YYYY-MM`: what happened to cases in which month, whenever they were opened."""
    return await _counts(con, replace(asked, opened=Range()), PERIOD)


async def happened_in_month(con: "Connection", asked: Asked, day: date) -> Counts:
    """By part and `CELL@YYYY-MM-DD`: the same of the month of a day, before the day."""
    first = day.replace(day=1)
    opened = Range() if asked.stretches is not None else Range(first, day)
    on = f"and right(e.cell, 10) collate \"C\" >= '{first}' and right(e.cell, 10) collate \"C\" < '{day}'"
    return await _counts(con, replace(asked, opened=opened), PERIOD_DAYS, on)


async def _counts(con: "Connection", asked: Asked, basis: str, which: str = "") -> Counts:
    part, where, arguments = _of(asked, basis)
    found: Counts = {}
    for of, cell, n in await con.fetch(
        f"select {part}, e.cell, sum(e.n)::bigint from {_table(asked)}_count r, unnest(r.cell, r.n) as e (cell, n) "
        f"where {where} {which} group by 1, 2",
        *arguments,
    ):
        found.setdefault(of, Counter())[cell] = n
    return found


async def registries(con: "Connection", programs: Sequence[str]) -> set[str]:
    """Those that a case of these programs has."""
    rows = await con.fetch(
        "select distinct registry from rollup_count "
        f"where basis = '{PERIOD}' and program = any($1) and opened = $2 and registry <> ''",
        list(programs),
        FIRST,
    )
    return {row["registry"] for row in rows}


async def times(con: "Connection", asked: Asked, now: datetime) -> Rows:
    """How each time of each part stands. Of now, days, weeks and four weeks are to be read as `ages` says."""
    part, where, arguments = _of(asked, asked.basis)
    if asked.stretches is None and asked.basis != COHORT_DAYS:
        days, weeks = (rollup.ages(now)[how][0] for how in (rollup.DAY, rollup.WEEK))
        arguments += [days // PART, weeks // (PART * 7)]
        where += (
            f" and (how <> 'day' or part >= ${len(arguments) - 1}) and (how <> 'week' or part >= ${len(arguments)})"
        )
    # Added up by whoever reads them, since the database takes ten times as long.
    arrays = "at, n, micros" if asked.stretches is None else "array_send(at), array_send(n), array_send(micros)"
    rows = await con.fetch(
        f"select {part}, key, how, {arrays} from {_table(asked)}_time where {where}",
        *arguments,
    )
    columns = ([row[at] for row in rows] for at in (3, 4, 5))
    if asked.stretches is not None:
        sizes = [(len(row[3]) - _HEADER) // 8 for row in rows]
        return Rows([row[:3] for row in rows], sizes, *map(_sent, columns, (4, 8, 8)))
    found = Rows([row[:3] for row in rows], [len(row[3]) // 4 for row in rows], *map(_packed, columns, BINS))
    return found.in_grains() if asked.basis == COHORT_DAYS else found


WHICH = f"(sum(e.which) % {RING})::bigint"


async def numbers(con: "Connection", asked: Asked) -> dict[Part, dict[str, Number]]:
    """Of stretches: how many, and which, are counted by each cell of each month and registry."""
    where, arguments = _of_stretches(asked.stretches or (), 2)
    found: dict[Part, dict[str, Number]] = {}
    for *part, cell, n, which in await con.fetch(
        f"select program, registry, opened, e.cell, sum(e.n)::bigint as n, {WHICH} as which "
        "from stretch_number r, unnest(r.cell, r.n, r.which) as e (cell, n, which) "
        f"where program = any($1) and {where} group by 1, 2, 3, 4 having sum(e.n) <> 0 or {WHICH} <> 0",
        list(asked.programs),
        *arguments,
    ):
        found.setdefault(Part(*part), {})[cell] = Number(n, which)
    return found


_HEADER = 20  # bytes: of an array as the protocol sends it, before its elements, which have four of their own each


def _sent(arrays: Sequence[bytes], width: int) -> NDArray[np.int64]:
    """Arrays of integers so many bytes wide, one behind the other. Made at once, since there are very many."""
    element = np.dtype([("length", ">i4"), ("value", f">i{width}")])
    return np.frombuffer(b"".join(array[_HEADER:] for array in arrays), element)["value"].astype(np.int64)


def _packed(arrays: Sequence[bytes], kind: str) -> NDArray[np.int64]:
    return np.frombuffer(b"".join(arrays), kind).astype(np.int64)


async def of_cell(con: "Connection", asked: Asked, cell: str) -> Counter[Group]:
    """Of stretches: how many each group has of a cell of a cohort, as `Sums.of_cell` has it."""
    if not cell.startswith("time/"):
        return await _of_groups(con, asked, asked.basis, f"stretch_count r, {_CELLS}", "e.cell = $7", [cell])
    _, key, part = cell.split("/")
    bins = "stretch_time r, unnest(r.at, r.n) as e (at, n)"
    return await _of_groups(con, asked, asked.basis, bins, "key = $7 and how = any($8)", [key, list(rollup.HOWS[part])])


async def of_happened(con: "Connection", asked: Asked, cell: str, day: date) -> Counter[Group]:
    """Of stretches: to how many of each group it happened before the day."""
    asked, first = replace(asked, opened=Range()), rollup.on_day(cell, day.replace(day=1))
    which = 'e.cell collate "C" > $7 and e.cell collate "C" < $8'
    found = await _of_groups(con, asked, PERIOD, f"stretch_count r, {_CELLS}", which, [f"{cell}@", first[:-3]])
    if day.day != 1:
        which, bounds = 'e.cell collate "C" >= $7 and e.cell collate "C" < $8', [first, rollup.on_day(cell, day)]
        found.update(await _of_groups(con, asked, PERIOD_DAYS, f"stretch_count r, {_CELLS}", which, bounds))
    return found


_CELLS = "unnest(r.cell, r.n) as e (cell, n)"


async def _of_groups(
    con: "Connection", asked: Asked, basis: str, table: str, which: str, more: Sequence[Any]
) -> Counter[Group]:
    _, where, arguments = _of(asked, basis)
    rows = await con.fetch(
        f"select program, registry, opened, outcome, actor, sum(e.n)::bigint as n from {table} "
        f"where {where} and {which} group by 1, 2, 3, 4, 5",
        *arguments,
        *more,
    )
    return Counter({Group(*row[:5]): row["n"] for row in rows})


def _table(asked: Asked) -> str:
    return "rollup" if asked.stretches is None else "stretch"
