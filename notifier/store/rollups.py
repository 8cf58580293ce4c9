"""Rows of figures that are added up beforehand, by month, by year and over all; and what of each name is in them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from notifier.domain import rollup
from notifier.domain.history import Change
from notifier.domain.rollup import Added, Group, Some
from notifier.domain.survival import Duration
from notifier.store import transitions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from notifier.store.database import Connection

_LOCK = 726_030
_TABLES = ("rollup_count", "rollup_length", "rollup_running", "rollup_of", "ledger_of", "ledger_day")
FIRST, LAST = date(1, 1, 1), date(9999, 1, 1)


@dataclass(frozen=True, slots=True)
class Name:
    """All that is known of a name within a program, and what of it is in the figures already: its entries and reports."""

    changes: Mapping[str, Sequence[tuple[int, Change]]]
    reports: Mapping[str, int]
    entries: frozenset[int]
    reports_before: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class State:
    """`definitions`: None, nothing was ever added up. `behind`: since when a figure waits to be added up; `waiting`: how many
    cases do, at most a thousand."""

    definitions: str | None
    whole: bool
    behind: datetime | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Range:
    """Months from `start` up to, not including, `end`; both first days of a month."""

    start: date = FIRST
    end: date = LAST


async def state(con: "Connection") -> State:
    row = await con.fetchrow("select definitions, whole from rollup_state")
    # The oldest is among the first, as near as matters: ids are drawn in the order of the commits.
    due = await con.fetchrow(
        "select min(known_at) filter (where isfinite(known_at)) as behind, count(*) as waiting "
        "from (select known_at from rollup_due order by id limit 1000) first"
    )
    return State(row and row["definitions"], bool(row and row["whole"]), due["behind"], due["waiting"])


@asynccontextmanager
async def alone(con: "Connection") -> "AsyncIterator[bool]":
    """A transaction in which no other process adds up; False: another one is at it."""
    async with con.transaction():
        yield await con.fetchval("select pg_try_advisory_xact_lock($1)", _LOCK)


async def begin(con: "Connection", definitions: str) -> None:
    """Forget what was added up by other definitions: everything is due."""
    for table in _TABLES:
        await con.execute(f"delete from {table}")
    await con.execute("delete from rollup_due")
    await con.execute(
        "insert into rollup_due (case_id, known_at) "
        "select case_id, recorded_at from transition where tag = 'case.opened' order by recorded_at"
    )
    await con.execute(
        "insert into rollup_state (definitions, whole) values ($1, false) "
        "on conflict (one) do update set definitions = excluded.definitions, whole = false",
        definitions,
    )


async def finish(con: "Connection") -> None:
    await con.execute("update rollup_state set whole = true where not whole")


async def take(con: "Connection", limit: int) -> list[str]:
    """Cases that are due, the oldest first; they are no longer, once the transaction is committed."""
    rows = await con.fetch(
        "delete from rollup_due where id in (select id from rollup_due order by id limit $1) returning case_id", limit
    )
    return sorted({str(row["case_id"]) for row in rows})


# `offset 0` has each case and name looked up by its index. Else the planner may read the whole table, or compare each row of
# it with each id, for minutes.
_CHANGES_OF_NAMES = f"""
select named.word, t.entry_id, {transitions.CHANGE}
from (
    select distinct o.program, o.word
    from unnest($1::uuid[]) id, lateral (select * from transition where case_id = id and tag = 'case.opened' offset 0) o
  ) named,
  lateral (
    select case_id from transition where tag = 'case.opened' and program = named.program and word = named.word offset 0
  ) o,
  lateral (select * from transition where case_id = o.case_id offset 0) t
order by t.case_id, t.entry_id
"""


async def names_of(con: "Connection", case_ids: Sequence[str]) -> Mapping[tuple[str, str], Name]:
    """By program and target, the names that these cases are about, each with all of its cases."""
    rows = await con.fetch(_CHANGES_OF_NAMES, list(case_ids))
    changes: dict[tuple[str, str], dict[str, list[tuple[int, Change]]]] = {}
    for target, entry, *row in rows:
        change = Change._make(row)
        changes.setdefault((change.program, target), {}).setdefault(change.case_id, []).append((entry, change))
    reports = await transitions.reports(con, [case_id for of in changes.values() for case_id in of])
    held = await con.fetch(
        "select r.* from unnest($1::text[], $2::text[]) as k (program, target) join rollup_of r using (program, target)",
        *_columns(changes, 2),
    )
    before = {(row["program"], row["target"]): row for row in held}
    return {
        name: Name(
            of,
            {case_id: reports[case_id] for case_id in of if case_id in reports},
            frozenset(before[name]["entries"]) if name in before else frozenset(),
            before[name]["reports"] if name in before else {},
        )
        for name, of in changes.items()
    }


async def hold(con: "Connection", names: Mapping[tuple[str, str], Name]) -> None:
    """What is in the figures of these names is what is known of them now."""
    await con.executemany(
        "insert into rollup_of (program, target, entries, reports) values ($1, $2, $3, $4) "
        "on conflict (program, target) do update set entries = excluded.entries, reports = excluded.reports",
        [
            (*key, [entry for of in name.changes.values() for entry, _ in of], dict(name.reports))
            for key, name in names.items()
        ],
    )


async def add(con: "Connection", added: Added) -> None:
    """Add to the rows of each number's month, of its year and of everything; a row of nothing goes."""
    groups = [(_key(group), sums) for group, sums in added.groups.items()]
    counts = {(*key, cell): (n,) for key, sums in groups for cell, n in sums.counts.items()}
    await _add(con, "rollup_count", ("cell text",), ("n",), counts)
    lengths = {(*key, *length): (some.n, some.micros) for key, sums in groups for length, some in sums.lengths.items()}
    await _add(con, "rollup_length", ("key text", "happened boolean", "bin integer"), ("n", "micros"), lengths)
    running = {(*key, *since): (some.n, some.micros) for key, sums in groups for since, some in sums.running.items()}
    await _add(con, "rollup_running", ("key text", "day date", "coarse boolean"), ("n", "micros"), running)


_GROUP = ("apart boolean", "since date", "program text", "registry text", "outcome text", "actor text")


def _key(group: Group) -> tuple[Any, ...]:
    return (group.outcome != "", group.month, group.program, group.registry, group.outcome, group.actor)


async def _add(
    con: "Connection",
    table: str,
    more: Sequence[str],
    values: Sequence[str],
    found: Mapping[tuple[Any, ...], tuple[int, ...]],
) -> None:
    """`table`, and the names in `more` and `values`, are constants of this room."""
    rows = {key: numbers for key, numbers in found.items() if any(numbers)}
    if not rows:
        return
    typed = [column.split() for column in ("span text", *_GROUP, *more)]
    keys = ", ".join(name for name, _ in typed)
    types = ", ".join(
        f"${n}::{kind}[]" for n, kind in enumerate([*(t for _, t in typed), *("bigint" for _ in values)], 1)
    )
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in values)
    columns = _columns(sorted(_spans(rows)), len(typed) + len(values))
    named = ", ".join(values)
    await con.execute(
        f"insert into {table} ({keys}, {named}) select * from unnest({types}) "
        f"on conflict ({keys}) do update set {sums}",
        *columns,
    )
    if any(numbers[0] < 0 for numbers in rows.values()):
        same = " and ".join(f"{table}.{name} = k.{name}" for name, _ in typed)
        await con.execute(
            f"delete from {table} using unnest({types}) as k ({keys}, {named}) "
            f"where k.n < 0 and {table}.n = 0 and {same}",
            *columns,
        )


def _spans(rows: Mapping[tuple[Any, ...], tuple[int, ...]]) -> Iterator[tuple[Any, ...]]:
    """A row of each month, of each year the sum of its months, and one of everything."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for (apart, month, *rest), numbers in rows.items():
        yield ("month", apart, month, *rest, *numbers)
        for key in (("year", apart, month.replace(month=1), *rest), ("all", apart, FIRST, *rest)):
            total = sums.setdefault(key, [0] * len(numbers))
            for at, n in enumerate(numbers):
                total[at] += n
    for key, total in sums.items():
        if any(total):
            yield (*key, *total)


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


# --- reading --------------------------------------------------------------------------------------------------------

_OF = """
apart = $1 and program = any($2) and ($3::text is null or registry = $3) and (
  (span = 'all' and $8)
  or (span = 'year' and since >= $5 and since < $6)
  or (span = 'month' and since >= $4 and since < $5) or (span = 'month' and since >= $6 and since < $7)
)
"""
_LONG = timedelta(days=16 * 31)  # a month is a sixteenth of it
# Of days ago: up to 32 a group each, longer ones sixteen to an octave, as the lengths are.
_OCTAVE = f"(case {' '.join(f'when age < {32 << n} then {n}' for n in range(10))} else 10 end)"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose numbers: `by` is `outcome`, `actor`, or a column: `month`, `registry`, `program`; None for all of them."""

    programs: Sequence[str]
    registry: str | None
    months: Range
    by: str | None = None

    @property
    def part(self) -> str:
        """What names the part in a row."""
        columns = {"month": "to_char(since, 'YYYY-MM')", "registry": "coalesce(nullif(registry, ''), 'none')"}
        return columns.get(self.by or "", self.by or "''")

    def arguments(self) -> list[Any]:
        """Everything by its own row, and whole years by theirs, unless each month is told apart."""
        start, end = self.months.start, self.months.end
        whole = self.months == Range() and self.by != "month"
        if whole:
            start = end = FIRST
        first = start if start == start.replace(month=1) else start.replace(year=start.year + 1, month=1)
        last = end.replace(month=1)
        if self.by == "month" or last < first:
            first = last = end
        return [self.by in ("outcome", "actor"), list(self.programs), self.registry, start, first, last, end, whole]


async def counts(con: "Connection", asked: Asked) -> Mapping[str, Mapping[str, int]]:
    """By part and cell."""
    found: dict[str, dict[str, int]] = {}
    for row in await con.fetch(
        f"select {asked.part} as of_part, cell, sum(n)::bigint as n from rollup_count where {_OF} group by 1, 2",
        *asked.arguments(),
    ):
        found.setdefault(row["of_part"], {})[row["cell"]] = row["n"]
    return found


async def durations(con: "Connection", asked: Asked, now: datetime) -> Mapping[str, Mapping[str, Sequence[Duration]]]:
    """By part and time: how long it took, or has taken until now."""
    found: dict[str, dict[str, list[Duration]]] = {}
    for row in await con.fetch(
        f"select {asked.part} as of_part, key, happened, bin, sum(n)::bigint as n, sum(micros)::bigint as micros "
        f"from rollup_length where {_OF} group by 1, 2, 3, 4 having sum(n) > 0",
        *asked.arguments(),
    ):
        of = found.setdefault(row["of_part"], {}).setdefault(row["key"], [])
        of.append(rollup.ended(row["happened"], row["bin"], Some(row["n"], row["micros"])))
    for row in await con.fetch(
        "select of_part, key, sum(n)::bigint as n, sum(n * age)::bigint as days, sum(micros)::bigint as micros "
        f"from (select {asked.part} as of_part, key, n, micros, $9::date - day as age from rollup_running where {_OF} "
        "and ((not coarse and day >= $10) or (coarse and day < $10))) r "
        f"group by 1, 2, {_OCTAVE}, age >> {_OCTAVE} having sum(n) > 0",
        *asked.arguments(),
        today := now.astimezone(UTC).date(),
        (today - _LONG).replace(day=1),
    ):
        of = found.setdefault(row["of_part"], {}).setdefault(row["key"], [])
        of.append(rollup.running(Some(row["n"], row["micros"]), row["days"], now))
    return found
