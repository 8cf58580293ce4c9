"""Rows of `transition`, which statistics read: what happened, when it happened, and since when it is known.

The database writes them itself, at the commit of the step that they tell of.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from notifier.domain.history import Change

if TYPE_CHECKING:
    from notifier.store.database import Connection

_LOCK = 726_019  # as in note_transition

# A `Change`, in its order; ids as text, which takes half the time.
CHANGE = (
    "t.case_id::text, t.tag, t.at, t.told_at, t.actor_kind, t.program, t.registry, t.from_state, t.to_state, "
    "t.notice_id::text, t.claim_id::text, t.party, t.recipient, t.purpose, t.measure, t.word, t.outcome, t.credited"
)

_OF_REGISTRY = "($3::text is null or coalesce(registry, '') = $3)"
_OPENED = f"""
select case_id from transition
where tag = 'case.opened' and recorded_at <= $1 and program = any($2) and {_OF_REGISTRY}
"""
# `offset 0` has each case and name looked up by its index, here and below. Else the planner may read and sort the whole table,
# or compare each row of it with each id, for minutes.
_OF_NAMES_OPENED = f"""
select o.case_id from (
    select distinct program, word from transition
    where tag = 'case.opened' and program = any($2) and at >= $4 and at < $5 and {_OF_REGISTRY}
  ) named,
  lateral (
    select case_id from transition
    where tag = 'case.opened' and program = named.program and word = named.word and recorded_at <= $1 and {_OF_REGISTRY}
    offset 0
  ) o
"""
_READ = """
select {change} from ({mine}) mine,
  lateral (select * from transition where case_id = mine.case_id and recorded_at <= $1 offset 0) t
order by t.case_id, t.entry_id
"""
_ROWS = 20_000  # at once


async def newest_instant(con: "Connection", now: datetime) -> datetime:
    """The instant to ask about when nobody names one: now, or behind what was asked already, where the clock stands."""
    asked: datetime | None = await con.fetchval(
        "select at + interval '1 microsecond' from statistics_horizon where at >= $1", now
    )
    return asked or now


async def hold_horizon(con: "Connection", at: datetime) -> None:
    """From here on nothing is recorded at or before `at`: whatever is asked as of it keeps its answer for ever.

    In a transaction of its own. Waits for the commits under way, which takes no longer than a commit does.
    """
    if await con.fetchval("select exists (select from statistics_horizon where at >= $1)", at):
        return
    await con.execute("select pg_advisory_xact_lock($1)", _LOCK)
    await con.execute(
        "insert into statistics_horizon (at) values ($1) "
        "on conflict (one) do update set at = greatest(statistics_horizon.at, excluded.at)",
        at,
    )


@dataclass(frozen=True, slots=True)
class Scope:
    """Cases of these programs, and of one registry's names if it is given (empty: of names that have none), recorded until
    `as_of`.

    With a bound of `opened`, every case of each name that has one opened between them: which unit a case belongs to, and so
    its cohort, is told by those before it.
    """

    as_of: datetime
    programs: Sequence[str]
    registry: str | None = None
    opened: tuple[datetime | None, datetime | None] = (None, None)

    def _mine(self) -> tuple[str, list[object]]:
        start, end = self.opened
        asked: list[object] = [self.as_of, list(self.programs), self.registry]
        if start is None and end is None:
            return _OPENED, asked
        bounds = [start or datetime.min.replace(tzinfo=UTC), end or datetime.max.replace(tzinfo=UTC)]
        return _OF_NAMES_OPENED, [*asked, *bounds]

    async def more_than(self, con: "Connection", most: int) -> bool:
        """Whether there are more cases than that."""
        mine, asked = self._mine()
        n: int = await con.fetchval(f"select count(*) from ({mine} limit {most + 1}) m", *asked)
        return n > most

    async def changes(self, con: "Connection") -> AsyncIterator[list[list[Change]]]:
        """By case, all that was recorded, in the order in which it was done; some thousand cases at a time, for there may be
        very many. In a transaction."""
        mine, asked = self._mine()
        cursor = await con.cursor(_READ.format(mine=mine, change=CHANGE), *asked)
        case: list[Change] = []
        while rows := await cursor.fetch(_ROWS):
            found = []
            for change in map(Change._make, rows):
                if case and change.case_id != case[0].case_id:
                    found.append(case)
                    case = []
                case.append(change)
            yield found
        yield [case] if case else []


async def opened(
    con: "Connection", programs: Sequence[str], registry: str | None, start: datetime, end: datetime
) -> list[str]:
    """Cases of these programs, and of one registry's names if it is given, that were opened from `start` to before `end`."""
    rows = await con.fetch(
        "select case_id from transition where tag = 'case.opened' and program = any($1) and at >= $3 and at < $4 "
        "and ($2::text is null or coalesce(registry, '') = $2)",
        list(programs),
        registry,
        start,
        end,
    )
    return [str(row["case_id"]) for row in rows]


async def told_of(con: "Connection", programs: Sequence[str], start: datetime, end: datetime) -> list[str]:
    """Cases of these programs of which something happened, or was written down, from `start` to before `end`: all that
    `fold` could date so."""
    rows = await con.fetch(
        "select distinct case_id from transition "
        "where program = any($1) and ((at >= $2 and at < $3) or (told_at >= $2 and told_at < $3))",
        list(programs),
        start,
        end,
    )
    return [str(row["case_id"]) for row in rows]


class Known(NamedTuple):
    """A change, and since when it is known."""

    entry: int
    recorded_at: datetime
    change: Change


# By program and target, and by case, in the order in which it was done.
Names = Mapping[tuple[str, str], Mapping[str, Sequence[Known]]]

_OF_NAMES = f"""
select named.word, t.entry_id, t.recorded_at, {CHANGE}
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


async def of_names(con: "Connection", case_ids: Iterable[str]) -> Names:
    """The names that these cases are about, each with all of its cases."""
    found: dict[tuple[str, str], dict[str, list[Known]]] = {}
    for target, entry, recorded_at, *row in await con.fetch(_OF_NAMES, list(case_ids)):
        change = Change._make(row)
        of = found.setdefault((change.program, target), {}).setdefault(change.case_id, [])
        of.append(Known(entry, recorded_at, change))
    return found


async def references(con: "Connection", case_ids: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """Reference and target of these cases."""
    rows = await con.fetch("select id, reference, target from cases where id = any($1)", list(case_ids))
    return {str(row["id"]): (row["reference"], row["target"]) for row in rows}


async def reports(con: "Connection", case_ids: Sequence[str]) -> Mapping[str, int]:
    """By case, the reports that intake took so far; cases without one are left out."""
    rows = await con.fetch(
        "select case_id, count(*) as n from report where case_id = any($1) and code is null group by case_id",
        list(case_ids),
    )
    return {str(row["case_id"]): row["n"] for row in rows}
