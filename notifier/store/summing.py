"""Writes the rows that `sums` reads: adds to those of now, and puts down what became known in a stretch."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from operator import add as plus
from typing import TYPE_CHECKING, Any

import numpy as np

from notifier.domain import rollup
from notifier.domain.numbers import Part
from notifier.domain.rollup import Added, Group, Some, Spent, Sums
from notifier.store.sums import ALL, BINS, COHORT, COHORT_DAYS, COHORT_YEARS, FIRST, PART, PERIOD, PERIOD_DAYS, WHICH

if TYPE_CHECKING:
    from notifier.store.database import Connection

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


_COUNTS = _Table("rollup_count", _GROUP, ("cell", "n"))
_TIMES = _Table("rollup_time", {**_GROUP, "key": "text", "how": "text", "part": "integer"}, ("at", "n", "micros"), BINS)
_Rows = dict[tuple[Any, ...], dict[Any, tuple[int, ...]]]


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
        # Weeks are made when they are read: few days are.
        spent = [_at(*kept) for kept in sums.times.items() if any(kept[1])]
        for row in _rows_of_day(group):
            _put_all(counts, row, sums.counts)
            _put_times(times, row, spent)
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
    return spent.at // (PART * rollup.GRAINS[spent.how]) if spent.how in rollup.GRAINS else 0


def _rows(group: Group) -> Iterator[tuple[Any, ...]]:
    """Of now, where the numbers of a group stand: in its own row, and in those over several groups that are asked for."""
    for own in _with_all(group):
        yield COHORT, *own
    yield COHORT, group.opened, group.program, ALL, ALL, ALL
    for own in _with_all(group._replace(opened=group.opened.replace(month=1))):
        yield COHORT_YEARS, *own


def _rows_of_day(group: Group) -> Iterator[tuple[Any, ...]]:
    """The same, of units opened on one day: a part of a month is many days, and each of their rows is read."""
    for of in (group, group._replace(registry=ALL)):
        for own in _with_all(of):
            yield COHORT_DAYS, *own


def _with_all(group: Group) -> Iterator[tuple[Any, ...]]:
    yield _row(group)
    yield _row(group._replace(outcome=ALL, actor=ALL))


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
    parts = [
        (0, until, *part, list(found), [one.n for one in found.values()], [one.which for one in found.values()])
        for part, tally in (added.parts or {}).items()
        if (found := tally.numbers())
    ]
    columns = ["level", "until", *Part._fields, "cell", "n", "which"]
    await con.copy_records_to_table("stretch_number", records=parts, columns=columns)


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
    part = ", ".join(Part._fields)
    await con.execute(
        f"insert into stretch_number (level, until, {part}, cell, n, which) "
        f"select $1, $3, {part}, array_agg(cell), array_agg(n), array_agg(which) from ("
        f"select {part}, e.cell, sum(e.n)::bigint as n, {WHICH} as which "
        "from stretch_number r, unnest(r.cell, r.n, r.which) as e (cell, n, which) "
        f"where level = $1 - 1 and until > $2 and until <= $3 group by {part}, e.cell "
        f"having sum(e.n) <> 0 or {WHICH} <> 0) s group by {part}",
        level, since, until,
    )  # fmt: skip
