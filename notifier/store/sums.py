"""Rows of figures that are added up beforehand: of each group what it counts, and how long things took.

A row holds all that a group counts, or a part of one of its times, as arrays: few rows are read for many numbers. Those of
now are kept for each group, and added up over its outcomes, its registries and the months of a year; those of a day of opening,
and those of a stretch of what became known (`stretches`), are kept for each group alone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from operator import add as plus
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from notifier.domain import rollup
from notifier.domain.lengths import Rows
from notifier.domain.rollup import Added, Group, Some, Spent, Sums

if TYPE_CHECKING:
    from notifier.store.database import Connection

FIRST, LAST = date.min, date(9999, 1, 1)  # the first is minus infinity in the database
# Of units, by the year, the month or the day of opening; and what happened to cases, by the month or the day of it.
COHORT_YEARS, COHORT, COHORT_DAYS, PERIOD, PERIOD_DAYS = (
    "cohort_years",
    "cohort",
    "cohort_days",
    "period",
    "period_days",
)
_ALL = "*"  # of a row over all registries, or all outcomes
_PART = 64  # so many days, weeks or four weeks are one row at most

_ROW = ("basis", "opened", "program", "registry", "outcome", "actor")
_GROUP = {name: "date" if name == "opened" else "text" for name in _ROW}


@dataclass(frozen=True, slots=True)
class _Table:
    """Of now: columns that name a row, with their types, and those that are arrays: what the numbers are of, and they.

    `packed`: arrays as bytes, each number of these as wide, since the database takes four times as long to send an array.
    """

    name: str
    key: Mapping[str, str]
    arrays: tuple[str, ...]
    packed: tuple[str, ...] = ()

    def read(self, row: Mapping[str, Any]) -> dict[Any, tuple[int, ...]]:
        """What the numbers are of, and they."""
        columns = [row[name] for name in self.arrays]
        if self.packed:
            columns = [np.frombuffer(of, kind).tolist() for of, kind in zip(columns, self.packed, strict=True)]
        items, *numbers = columns
        return dict(zip(items, zip(*numbers, strict=True), strict=True))

    def written(self, found: Mapping[Any, tuple[int, ...]]) -> list[Any]:
        """The arrays of a row, in the order of what the numbers are of."""
        columns = list(zip(*((item, *numbers) for item, numbers in sorted(found.items())), strict=True))
        if self.packed:
            return [np.array(of, kind).tobytes() for of, kind in zip(columns, self.packed, strict=True)]
        return [list(of) for of in columns]


_BINS = ("<i4", "<i8", "<i8")
_COUNTS = _Table("rollup_count", _GROUP, ("cell", "n"))
_TIMES = _Table(
    "rollup_time", {**_GROUP, "key": "text", "how": "text", "part": "integer"}, ("at", "n", "micros"), _BINS
)
_Rows = dict[tuple[Any, ...], dict[Any, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Range:
    """Months from `start` up to, not including, `end`, both first days of a month; or years, or days."""

    start: date = FIRST
    end: date = LAST


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose numbers: `by` is `month`, or a column: `registry`, `program`, `outcome`, `actor`; None for all of them.

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
            case "registry":
                return group.registry or "none"
            case None:
                return ""
            case _:
                return str(getattr(group, self.by))


Counts = dict[str, Counter[str]]


# --- writing --------------------------------------------------------------------------------------------------------


async def add(con: "Connection", added: Added) -> None:
    """Add to what is known now. In the transaction of whoever adds up alone; a row of nothing goes."""
    counts: _Rows = {}
    times: _Rows = {}
    for group, sums in added.groups.items():
        for row, cells in _counts_of(group, sums):
            _put_all(counts, row, cells)
        spent = [_at(*one) for kept in sums.times.items() if any(kept[1]) for one in rollup.grains(*kept)]
        for row in _rows(group):
            _put_times(times, row, spent)
    for group, sums in added.days.items():
        _put_all(counts, (COHORT_DAYS, *_row(group)), sums.counts)
        # Weeks are made when they are read: few days are.
        _put_times(times, (COHORT_DAYS, *_row(group)), [_at(*kept) for kept in sums.times.items() if any(kept[1])])
    await _merge(con, _COUNTS, counts)
    await _merge(con, _TIMES, times)


def _counts_of(group: Group, sums: Sums) -> Iterator[tuple[tuple[Any, ...], Mapping[str, int]]]:
    """Rows of now, and what is added to them: what happened is kept of all months, and by day of the month of it."""
    for row in _rows(group):
        yield row, sums.counts
    months = rollup.in_months(sums.happened)
    for own in _with_all(group._replace(opened=FIRST)):
        yield (PERIOD, *own), months
    days: dict[date, dict[str, int]] = {}
    for cell, n in sums.happened.items():
        days.setdefault(date.fromisoformat(f"{cell[-10:-3]}-01"), {})[cell] = n
    for month, cells in days.items():
        for row in _rows(group._replace(opened=month)):
            if row[0] == COHORT:
                yield (PERIOD_DAYS, *row[1:]), cells


def _put_all(found: _Rows, row: tuple[Any, ...], cells: Mapping[str, int]) -> None:
    of = found.setdefault(row, {})
    for cell, n in cells.items():
        if n:
            _put(of, cell, (n,))


def _put_times(found: _Rows, row: tuple[Any, ...], spent: Iterable[tuple[tuple[Any, ...], int, Some]]) -> None:
    for key, at, some in spent:
        _put(found.setdefault((*row, *key), {}), at, some)


def _at(spent: Spent, some: Some) -> tuple[tuple[Any, ...], int, Some]:
    """What names a row beside the group, and what is in it."""
    return (spent.key, spent.how, _part(spent)), spent.at, some


def _put(of: dict[Any, tuple[int, ...]], item: Any, numbers: tuple[int, ...]) -> None:
    before = of.get(item)
    of[item] = numbers if before is None else tuple(map(plus, before, numbers))


def _part(spent: Spent) -> int:
    return spent.at // (_PART * rollup.GRAINS[spent.how]) if spent.how in rollup.GRAINS else 0


def _rows(group: Group) -> Iterator[tuple[Any, ...]]:
    """Of now, where the numbers of a group stand: in its own row, and in those over several groups that are asked for."""
    for own in _with_all(group):
        yield COHORT, *own
    yield COHORT, group.opened, group.program, _ALL, _ALL, _ALL
    for own in _with_all(group._replace(opened=group.opened.replace(month=1))):
        yield COHORT_YEARS, *own


def _with_all(group: Group) -> Iterator[tuple[Any, ...]]:
    yield _row(group)
    yield _row(group._replace(outcome=_ALL, actor=_ALL))


def _row(group: Group) -> tuple[Any, ...]:
    return group.opened, group.program, group.registry, group.outcome, group.actor


async def _merge(con: "Connection", table: _Table, found: _Rows) -> None:
    """Add to rows that are there, and make those that are not."""
    names = ", ".join(table.key)
    types = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(table.key.values(), 1))
    rows = await con.fetch(
        f"select t.* from {table.name} t join unnest({types}) as k ({names}) using ({names})", *_columns(found, table)
    )
    there: _Rows = {tuple(row[name] for name in table.key): table.read(row) for row in rows}
    made, gone = [], []
    for key, more in found.items():
        of = there.get(key, {})
        for item, n in more.items():
            _put(of, item, n)
        if kept := {item: n for item, n in of.items() if any(n)}:
            made.append((*key, *table.written(kept)))
        elif key in there:
            gone.append(key)
    values = ", ".join(f"${n}" for n in range(1, len(table.key) + len(table.arrays) + 1))
    await con.executemany(
        f"insert into {table.name} ({names}, {', '.join(table.arrays)}) values ({values}) "
        f"on conflict ({names}) do update set {', '.join(f'{name} = excluded.{name}' for name in table.arrays)}",
        made,
    )
    same = " and ".join(f"{table.name}.{name} = k.{name}" for name in table.key)
    await con.execute(
        f"delete from {table.name} using unnest({types}) as k ({names}) where {same}", *_columns(gone, table)
    )


def _columns(keys: Iterable[tuple[Any, ...]], table: _Table) -> list[list[Any]]:
    return [list(column) for column in zip(*keys, strict=True)] or [[] for _ in table.key]


async def write_stretch(con: "Connection", until: datetime, added: Added) -> None:
    """What became known in the stretch of the lowest level that ends at `until`."""
    counts, times = [], []
    for basis, groups in ((COHORT, added.groups), (COHORT_DAYS, added.days)):
        for group, sums in groups.items():
            row = _row(group)
            months = rollup.in_months(sums.happened)
            for of, cells in ((basis, sums.counts), (PERIOD, months), (PERIOD_DAYS, sums.happened)):
                if kept := {cell: n for cell, n in cells.items() if n}:
                    counts.append((0, until, of, *row, list(kept), list(kept.values())))
            spent: dict[tuple[str, str], dict[int, Some]] = {}
            for one, some in sums.times.items():
                if any(some):
                    spent.setdefault((one.key, one.how), {})[one.at] = some
            for key, bins in spent.items():
                numbers = map(list, zip(*bins.values(), strict=True))
                times.append((0, until, basis, *row, *key, list(bins), *numbers))
    columns = ["level", "until", *_ROW]
    await con.copy_records_to_table("stretch_count", records=counts, columns=[*columns, "cell", "n"])
    await con.copy_records_to_table(
        "stretch_time", records=times, columns=[*columns, "key", "how", "at", "n", "micros"]
    )


async def join_stretches(con: "Connection", level: int, since: datetime, until: datetime) -> None:
    """One stretch of `level` of those of the level below it that end after `since`, up to `until`."""
    group = ", ".join(_ROW)
    await con.execute(
        f"insert into stretch_count (level, until, {group}, cell, n) "
        f"select $1, $3, {group}, array_agg(cell), array_agg(n) from ("
        f"select {group}, e.cell, sum(e.n)::bigint as n from stretch_count r, unnest(r.cell, r.n) as e (cell, n) "
        f"where level = $1 - 1 and until > $2 and until <= $3 group by {group}, e.cell having sum(e.n) <> 0) s "
        f"group by {group}",
        level, since, until,
    )  # fmt: skip
    await con.execute(
        f"insert into stretch_time (level, until, {group}, key, how, at, n, micros) "
        f"select $1, $3, {group}, key, how, array_agg(at), array_agg(n), array_agg(micros) from ("
        f"select {group}, key, how, e.at, sum(e.n)::bigint as n, sum(e.micros)::bigint as micros "
        "from stretch_time r, unnest(r.at, r.n, r.micros) as e (at, n, micros) "
        f"where level = $1 - 1 and until > $2 and until <= $3 group by {group}, key, how, e.at "
        f"having sum(e.n) <> 0 or sum(e.micros) <> 0) s group by {group}, key, how",
        level, since, until,
    )  # fmt: skip


# --- reading --------------------------------------------------------------------------------------------------------

_PARTS = {"month": "to_char(opened, 'YYYY-MM')", "registry": "coalesce(nullif(registry, ''), 'none')"}


def _of(asked: Asked, basis: str) -> tuple[str, str, list[Any]]:
    """The part, the condition and its arguments."""
    start, end = max(asked.opened.start, FIRST + timedelta(days=1)), asked.opened.end
    part = _PARTS.get(asked.by or "", asked.by or "''")
    where = f"basis = '{basis}' and program = any($1) and ($2::text is null or registry = $2) and opened >= $3 and opened < $4"
    if asked.stretches is not None:
        where += " and (level, until) in (select * from unnest($5::smallint[], $6::timestamptz[]))"
        levels, ends = ([list(column) for column in zip(*asked.stretches, strict=True)]) or ([], [])
        return part, where, [list(asked.programs), asked.registry, start, end, levels, ends]
    if basis == PERIOD:  # all months are in one row
        start, end = FIRST, FIRST + timedelta(days=1)
    apart = basis == COHORT_DAYS or asked.by in ("outcome", "actor")
    over = not apart and basis in (COHORT, PERIOD_DAYS) and asked.registry is None and asked.by != "registry"
    where += f" and registry {'=' if over else '<>'} '{_ALL}' and outcome {'<>' if apart else '='} '{_ALL}'"
    return part, where, [list(asked.programs), asked.registry, start, end]


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
        arguments += [days // _PART, weeks // (_PART * 7)]
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
    found = Rows([row[:3] for row in rows], [len(row[3]) // 4 for row in rows], *map(_packed, columns, _BINS))
    return found.in_grains() if asked.basis == COHORT_DAYS else found


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
