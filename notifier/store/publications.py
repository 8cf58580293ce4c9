"""Rows of `publication`, what a program showed the public and of which day, and of `public_name`, which names it shows."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.case_state import OPEN

if TYPE_CHECKING:
    from notifier.store.database import Connection

_OPEN = ", ".join(f"'{state}'" for state in sorted(OPEN))
# What a name needs to be shown, and to go on being shown: a case about the whole of it that was seen to be gone because of
# it, ended before $2, and nothing that protects its registrant. All of it is of this one case, and known outside.
_STAYS = """
c.state = 'closed' and c.closed_at < $2 and c.scope = 'domain'
and c.outcome in ('registry_hold', 'registrar_hold') and c.observed in ('verified', 'verified_dns_only')
and coalesce(c.aftermath, 'standing') = 'standing' and c.undo = 'none' and c.phase is null and not c.appeal_open
and not exists (select from appeal a where a.case_id = c.id and a.state in ('filed', 'in_review', 'overturned', 'partial'))
and not exists (select from correction k where k.case_id = c.id)
"""
# What it needs besides to come to the list. None of it is known outside, so none of it takes off what stands there.
_MAY_COME = f"""
not exists (select from alarm w where w.case_id = c.id and w.closed_at is null)
and not exists (select from deconfliction_hold h where h.case_id = c.id and h.ended_at is null)
and not exists (select from cases o where o.registrable = c.registrable and o.id <> c.id
  and (o.state in ({_OPEN}) or o.opened_at > c.opened_at))
and not exists (select from public_name q where q.program = c.program and q.name = c.target
  and q.listed_on is not null and q.removed_on is null)
"""


async def newest(con: "Connection", program: str, terms: str) -> Mapping[str, Any] | None:
    """The last that was made under these terms."""
    row = await con.fetchrow(
        "select day, made_at, document from publication where program = $1 and terms = $2 order by day desc limit 1",
        program,
        terms,
    )
    return dict(row) if row else None


async def newest_days(con: "Connection", terms: Mapping[str, str]) -> Mapping[str, date]:
    """By program, the newest day that was made under its terms; where none was, it is left out."""
    rows = await con.fetch(
        "select p.program, max(p.day) as day from publication p "
        "join unnest($1::text[], $2::text[]) as t (program, terms) on t.program = p.program and t.terms = p.terms "
        "group by p.program",
        list(terms),
        list(terms.values()),
    )
    return {row["program"]: row["day"] for row in rows}


async def is_made(con: "Connection", program: str, day: date, terms: str) -> bool:
    return bool(
        await con.fetchval(
            "select exists (select from publication where program = $1 and day = $2 and terms = $3)",
            program,
            day,
            terms,
        )
    )


async def insert(
    con: "Connection", program: str, day: date, terms: str, at: datetime, document: Mapping[str, Any]
) -> bool:
    """Whether it is new: of one day there is one, whoever makes it first."""
    made = await con.fetchval(
        "insert into publication (program, day, terms, made_at, document) values ($1, $2, $3, $4, $5) "
        "on conflict do nothing returning true",
        program,
        day,
        terms,
        at,
        dict(document),
    )
    return bool(made)


async def corrections(con: "Connection", program: str, until: datetime) -> Sequence[Mapping[str, Any]]:
    """What was put right until then, newest first. A name that was seen back later was not back yet."""
    rows = await con.fetch(
        "select id, measure, cause, corrected_at, held_since, case when restored_at < $2 then restored_at end as restored_at "
        "from correction where program = $1 and corrected_at < $2 order by corrected_at desc, id",
        program,
        until,
    )
    return [dict(row) for row in rows]


# --- names ----------------------------------------------------------------------------------------------------------


async def to_look_at(con: "Connection", program: str, ended_before: datetime, limit: int, *, listed: bool) -> list[str]:
    """Cases whose name is on the list, or may come to it once a look has found it as it was left; whoever was looked at
    least lately comes first."""
    which = "p.listed_on is not null and p.removed_on is null" if listed else f"p.listed_on is null and {_MAY_COME}"
    rows = await con.fetch(
        f"select c.id from cases c left join public_name p on p.case_id = c.id where c.program = $1 and {_STAYS} "
        f"and {which} order by p.tried_at nulls first, c.closed_at, c.id limit $3",
        program,
        ended_before,
        limit,
    )
    return [str(row["id"]) for row in rows]


async def fallen(con: "Connection", program: str, ended_before: datetime) -> list[str]:
    """Cases whose name is on the list and must go."""
    rows = await con.fetch(
        "select c.id from public_name p join cases c on c.id = p.case_id where p.program = $1 "
        f"and p.listed_on is not null and p.removed_on is null and not ({_STAYS}) order by c.id",
        program,
        ended_before,
    )
    return [str(row["id"]) for row in rows]


async def by_day(
    con: "Connection", program: str, ended_before: datetime, seen_after: datetime
) -> Sequence[Mapping[str, Any]]:
    """By the day on which names came to the list, newest first: those that may be read, how many went again, and when the
    last of those did."""
    rows = await con.fetch(
        "select listed_on, count(*) filter (where removed_on is not null) as gone, max(removed_on) as changed_on, "
        "coalesce(jsonb_agg(jsonb_build_object('name', name, 'outcome', outcome, 'ended_on', ended_on) order by name) "
        "filter (where shown), '[]') as names from ("
        f"select p.*, p.removed_on is null and p.seen_at > $3 and {_STAYS} as shown "
        "from public_name p join cases c on c.id = p.case_id where p.program = $1 and p.listed_on is not null"
        ") listed group by listed_on order by listed_on desc",
        program,
        ended_before,
        seen_after,
    )
    return [dict(row) for row in rows]


async def note_look(con: "Connection", case_id: str, at: datetime) -> None:
    """That a case's name was looked at, whatever that told."""
    await con.execute(
        "insert into public_name (case_id, program, name, outcome, ended_on, tried_at) "
        "select id, program, target, outcome, (closed_at at time zone 'UTC')::date, $2 from cases "
        "where id = $1 and closed_at is not null and outcome is not null "
        "on conflict (case_id) do update set tried_at = excluded.tried_at",
        case_id,
        at,
    )


async def saw_again(con: "Connection", case_id: str, seen_at: datetime) -> bool:
    """Note that a name on the list was found as it was left; whether it is on it."""
    found = await con.fetchval(
        "update public_name set seen_at = $2 where case_id = $1 and listed_on is not null and removed_on is null "
        "returning true",
        case_id,
        seen_at,
    )
    return bool(found)


async def list_name(con: "Connection", case_id: str, ended_before: datetime, today: date, seen_at: datetime) -> None:
    """Show a case's name from today on, unless something stands against that by now."""
    await con.execute(
        "update public_name p set outcome = c.outcome, ended_on = (c.closed_at at time zone 'UTC')::date, listed_on = $3, "
        f"seen_at = $4 from cases c where c.id = $1 and p.case_id = c.id and p.listed_on is null and {_STAYS} "
        f"and {_MAY_COME}",
        case_id,
        ended_before,
        today,
        seen_at,
    )


async def remove_name(con: "Connection", case_id: str, today: date) -> bool:
    """Whether it stood there. What went never comes back."""
    gone = await con.fetchval(
        "update public_name set removed_on = $2 where case_id = $1 and listed_on is not null and removed_on is null "
        "returning true",
        case_id,
        today,
    )
    return bool(gone)
