"""Counts for the accuracy ledger, from decisions, reports and approvals as they stand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.accuracy import Counts

if TYPE_CHECKING:
    from notifier.store.database import Connection

# What became of a case. The last word counts: an approved case that was withdrawn as an error was no right one.
_ENDED = """
with fate as (
  select c.id, c.program, max(d.at) as at,
    case
      when c.aftermath = 'lifted_wrong' then 'overturned'
      when bool_or(d.kind = 'withdrawn' and d.detail->>'ground' = 'error') then 'error'
      when bool_or(d.kind = 'rejected') then
        case max(d.detail->>'ground') filter (where d.kind = 'rejected')
          when 'clerical' then 'clerical' when 'duplicate' then 'duplicate' when 'out_of_scope' then 'out_of_scope'
          else 'rejected' end
      when bool_or(d.kind = 'accepted') then 'accepted'
    end as fate,
    c.observed in ('verified', 'verified_dns_only') as verified, c.observed = 'contradicted' as contradicted
  from decision d join cases c on c.id = d.case_id
  where d.kind in ('accepted', 'rejected', 'withdrawn') and c.program = any($1)
  group by c.id
)
"""
_COUNTS = (
    ", ".join(
        f"count(*) filter (where f.fate = '{fate}') as {fate}"
        for fate in ("accepted", "rejected", "out_of_scope", "error", "overturned", "clerical", "duplicate")
    )
    + ", count(*) filter (where f.fate = 'accepted' and f.verified) as verified"
    + ", count(*) filter (where f.fate = 'accepted' and f.contradicted) as contradicted"
)
# Of these the reporter can do nothing, or nobody is named.
_NOT_THEIRS = ("csam_refused", "quota_exceeded")


async def of_organisations(
    con: "Connection", programs: Sequence[str], since: datetime, only: Sequence[str] | None = None
) -> dict[tuple[str, str], Counts]:
    """Counts by (organisation, program) of what was decided at or after `since`."""
    rows = await con.fetch(
        _ENDED + f"select r.organisation, f.program, {_COUNTS} from fate f join "
        "(select distinct organisation, case_id from report where code is null) r on r.case_id = f.id "
        "where f.at >= $2 and f.fate is not null and ($3::text[] is null or r.organisation = any($3)) "
        "group by r.organisation, f.program",
        list(programs),
        since,
        list(only) if only is not None else None,
    )
    merged = await con.fetch(
        "select n.organisation, c.program, count(*) as n from news n join decision d on d.id = n.decision_id "
        "join cases c on c.id = d.case_id where d.kind = 'superseded' and c.merged_into is not null and d.at >= $2 "
        "and c.program = any($1) and ($3::text[] is null or n.organisation = any($3)) group by n.organisation, c.program",
        list(programs),
        since,
        list(only) if only is not None else None,
    )
    refused = await con.fetch(
        "select organisation, program, count(*) as n from report where code is not null and not code = any($4) "
        "and received_at >= $2 and program = any($1) and ($3::text[] is null or organisation = any($3)) "
        "group by organisation, program",
        list(programs),
        since,
        list(only) if only is not None else None,
        list(_NOT_THEIRS),
    )
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        values = dict(row)
        found[values.pop("organisation"), values.pop("program")] = values
    for column, counted in (("duplicate", merged), ("refused", refused)):
        for row in counted:
            values = found.setdefault((row["organisation"], row["program"]), {})
            values[column] = values.get(column, 0) + row["n"]
    return {key: Counts(**values) for key, values in found.items()}


async def behind(
    con: "Connection", program: str, since: datetime, organisation: str, fates: Sequence[str], limit: int, offset: int
) -> tuple[int, list[Mapping[str, Any]]]:
    """How many cases of an organisation had one of these fates, and a page of them in the order of the decision."""
    found = (
        "from fate f join cases c on c.id = f.id where f.at >= $2 and f.fate = any($4) and exists "
        "(select from report r where r.case_id = f.id and r.code is null and r.organisation = $3)"
    )
    args = ([program], since, organisation, list(fates))
    n = await con.fetchval(f"{_ENDED} select count(*) {found}", *args)
    rows = await con.fetch(
        f"{_ENDED} select c.id as case_id, c.reference, c.program, c.target {found} order by f.at, f.id limit $5 offset $6",
        *args,
        limit,
        offset,
    )
    return n, [dict(row) for row in rows]


async def of_reviewers(con: "Connection", programs: Sequence[str], since: datetime) -> dict[tuple[str, str], Counts]:
    """Counts by (reviewer, program): what they approved by its fate since, and how many they rejected."""
    rows = await con.fetch(
        _ENDED + f"select a.principal, f.program, {_COUNTS} from fate f join "
        "(select distinct principal, case_id from approval union "
        " select distinct by, case_id from decision where kind = 'rejected') a on a.case_id = f.id "
        "where f.at >= $2 and f.fate is not null group by a.principal, f.program",
        list(programs),
        since,
    )
    return {(row["principal"], row["program"]): Counts(**dict(list(row.items())[2:])) for row in rows}
