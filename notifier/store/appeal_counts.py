"""Counts of appeals by what became of them, as of an instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifier.store.database import Connection


@dataclass(frozen=True, slots=True)
class Which:
    """`of_case`: start and end are of the case's opening, else of the appeal's filing."""

    programs: Sequence[str]
    registry: str | None
    start: datetime | None
    end: datetime | None
    as_of: datetime
    of_case: bool

    def args(self) -> tuple[Any, ...]:
        return list(self.programs), self.registry, self.start, self.end, self.as_of, self.of_case


_FOUND = """
from appeal a join cases c on c.id = a.case_id
cross join lateral (select
  case when a.decided_at is null or a.decided_at > $5 then 'open' else a.state end as outcome,
  case when $6 then c.opened_at else a.filed_at end as counted_at
) k
where c.program = any($1) and ($2::text is null or c.registry = $2) and a.filed_at <= $5
  and ($3::timestamptz is null or k.counted_at >= $3) and ($4::timestamptz is null or k.counted_at < $4)
"""


async def by_outcome(con: "Connection", which: Which) -> Mapping[str, int]:
    """`open`, or what the appeal ended with."""
    rows = await con.fetch(f"select k.outcome, count(*) as n {_FOUND} group by k.outcome", *which.args())
    return {row["outcome"]: row["n"] for row in rows}


async def behind(
    con: "Connection", which: Which, outcome: str | None, limit: int, offset: int
) -> list[Mapping[str, Any]]:
    """Their cases, in the order of filing; a case stands as often as it was appealed."""
    rows = await con.fetch(
        f"select c.id as case_id, c.reference, c.program, c.target {_FOUND} "
        "and ($7::text is null or k.outcome = $7) order by a.filed_at, a.id limit $8 offset $9",
        *which.args(),
        outcome,
        limit,
        offset,
    )
    return [dict(row) for row in rows]
