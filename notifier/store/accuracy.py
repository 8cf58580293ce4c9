"""Counts for the accuracy ledger, from decisions, reports and approvals as they stand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from notifier.domain.accuracy import Counts
from notifier.domain.period import midnight
from notifier.store import rollups

if TYPE_CHECKING:
    from notifier.store.database import Connection

# What became of a case. The last word counts: an approved case that was withdrawn as an error was no right one.
_FATE = """
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
  where d.kind in ('accepted', 'rejected', 'withdrawn') and {which}
  group by c.id
"""
_ENDED = f"with fate as ({_FATE.format(which='c.program = any($1)')})"
_REPORTERS = "array(select distinct r.organisation from report r where r.case_id = f.id and r.code is null)"
_COUNTS = (
    ", ".join(
        f"count(*) filter (where f.fate = '{fate}') as {fate}"
        for fate in ("accepted", "rejected", "out_of_scope", "error", "overturned", "clerical", "duplicate")
    )
    + ", count(*) filter (where f.fate = 'accepted' and f.verified) as verified"
    + ", count(*) filter (where f.fate = 'accepted' and f.contradicted) as contradicted"
)
# A case counts by its fate, and one that was right by what was seen of it.
_CELLS = """
cross join lateral (values (f.fate), (case when f.fate = 'accepted' and f.verified then 'verified' end),
  (case when f.fate = 'accepted' and f.contradicted then 'contradicted' end)) v (cell)
"""
_DUE = "(select case_id from rollup_due)"
# Whole days, what is left of the first, and what waits: taken out as it was, put in as it is.
_BY_DAY = f"""
select organisation, program, cell, sum(n)::bigint as n from (
  select organisation, program, cell, n from ledger_day where program = any($1) and day >= $4
  union all
  select o.organisation, f.program, v.cell, f.n from (
    select program, fate, verified, contradicted, organisations, 1 as n
    from ledger_of where program = any($1) and at >= $2 and at < $3
    union all
    select program, fate, verified, contradicted, organisations, -1
    from ledger_of where program = any($1) and at >= $2 and case_id in {_DUE}
    union all
    select program, fate, verified, contradicted, {_REPORTERS}, 1
    from ({_FATE.format(which=f"c.program = any($1) and c.id in {_DUE}")}) f where at >= $2 and fate is not null
  ) f cross join lateral unnest(f.organisations) o (organisation) {_CELLS}
) counted where cell is not null and ($5::text[] is null or organisation = any($5))
group by 1, 2, 3 having sum(n) <> 0
"""
_FEW_WAIT = 500
# Of these the reporter can do nothing, or nobody is named.
_NOT_THEIRS = ("csam_refused", "quota_exceeded")


async def of_organisations(
    con: "Connection", programs: Sequence[str], since: datetime, only: Sequence[str] | None = None
) -> dict[tuple[str, str], Counts]:
    """Counts by (organisation, program) of what was decided at or after `since`.

    From the days that were added up, with what waits put right; from the decisions where too much waits.
    """
    state = await rollups.state(con)
    if state.whole and state.waiting <= _FEW_WAIT:
        first = midnight(since) + timedelta(days=since > midnight(since))  # the first whole day
        rows = await con.fetch(
            _BY_DAY, list(programs), since, first, first.date(), only if only is None else list(only)
        )
    else:
        rows = await con.fetch(
            f"{_ENDED} select o.organisation, f.program, v.cell, count(*) as n from fate f "
            f"cross join lateral unnest({_REPORTERS}) o (organisation) {_CELLS} "
            "where f.at >= $2 and v.cell is not null and ($3::text[] is null or o.organisation = any($3)) group by 1, 2, 3",
            list(programs),
            since,
            only if only is None else list(only),
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
        found.setdefault((row["organisation"], row["program"]), {})[row["cell"]] = row["n"]
    for column, counted in (("duplicate", merged), ("refused", refused)):
        for row in counted:
            values = found.setdefault((row["organisation"], row["program"]), {})
            values[column] = values.get(column, 0) + row["n"]
    return {key: Counts(**values) for key, values in found.items()}


async def add_up(con: "Connection", case_ids: Sequence[str]) -> None:
    """Take these cases out of the counts by day as they were, and put them in as they are."""
    columns = "program, at, fate, verified, contradicted, organisations"
    gone = await con.fetch(f"delete from ledger_of where case_id = any($1) returning {columns}", list(case_ids))
    come = await con.fetch(
        f"insert into ledger_of (case_id, {columns}) select id, program, at, fate, verified, contradicted, {_REPORTERS} "
        f"from ({_FATE.format(which='c.id = any($1)')}) f where fate is not null returning {columns}",
        list(case_ids),
    )
    counted: Counter[tuple[str, str, date, str]] = Counter()
    for rows, sign in ((gone, -1), (come, 1)):
        for row in rows:
            right = row["fate"] == "accepted"
            cells = [row["fate"], *(cell for cell in ("verified", "contradicted") if right and row[cell])]
            day = row["at"].astimezone(UTC).date()
            counted.update({(row["program"], one, day, cell): sign for one in row["organisations"] for cell in cells})
    moved = sorted((*key, n) for key, n in counted.items() if n)
    if not moved:
        return
    await con.execute(
        "insert into ledger_day (program, organisation, day, cell, n) "
        "select * from unnest($1::text[], $2::text[], $3::date[], $4::text[], $5::bigint[]) "
        "on conflict (program, organisation, day, cell) do update set n = ledger_day.n + excluded.n",
        *map(list, zip(*moved, strict=True)),
    )


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
