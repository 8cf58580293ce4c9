"""What is to be added up of the figures of now, and what of each name is in them already."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.store import transitions
from notifier.store.transitions import Known

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from notifier.store.database import Connection

ADDING, STRETCHING = 726_030, 726_035
_TABLES = (
    *("rollup_count", "rollup_time", "rollup_of", "ledger_of", "ledger_day"),
    *("stretch", "stretch_count", "stretch_time", "stretch_number"),
)


@dataclass(frozen=True, slots=True)
class Name:
    """All that is known of a name within a program, and what of it is in the figures already: its entries and reports."""

    changes: Mapping[str, Sequence[Known]]
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


async def state(con: "Connection") -> State:
    row = await con.fetchrow("select definitions, whole from rollup_state")
    # The oldest is among the first, as near as matters: ids are drawn in the order of the commits.
    due = await con.fetchrow(
        "select min(known_at) filter (where isfinite(known_at)) as behind, count(*) as waiting "
        "from (select known_at from rollup_due order by id limit 1000) first"
    )
    return State(row and row["definitions"], bool(row and row["whole"]), due["behind"], due["waiting"])


@asynccontextmanager
async def alone(con: "Connection", what: int = ADDING) -> "AsyncIterator[bool]":
    """A transaction in which no other process adds up; False: another one is at it."""
    async with con.transaction():
        yield await con.fetchval("select pg_try_advisory_xact_lock($1)", what)


async def begin(con: "Connection", definitions: str) -> None:
    """Forget what was added up by other definitions: everything is due."""
    await con.execute("select pg_advisory_xact_lock($1)", STRETCHING)
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


async def names_of(con: "Connection", case_ids: Sequence[str]) -> Mapping[tuple[str, str], Name]:
    """By program and target, the names that these cases are about, each with all of its cases."""
    changes = await transitions.of_names(con, case_ids)
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
            (*key, [known.entry for of in name.changes.values() for known in of], dict(name.reports))
            for key, name in names.items()
        ],
    )


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
