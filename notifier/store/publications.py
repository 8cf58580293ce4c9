"""Rows of `publication`, what a program showed the public and of which day, and of `public_name`, which names it shows."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.case_state import OPEN

if TYPE_CHECKING:
    from notifier.store.database import Connection

_OPEN = ", ".join(f"'{state}'" for state in sorted(OPEN))
# A case over which nothing hangs any more, about the whole of a name that was seen to be gone because of it.
_FIT = f"""
c.state = 'closed' and c.closed_at < $2 and c.scope = 'domain'
and c.outcome in ('registry_hold', 'registrar_hold') and c.observed in ('verified', 'verified_dns_only')
and coalesce(c.aftermath, 'standing') = 'standing' and c.undo = 'none' and c.phase is null and not c.appeal_open
and not exists (select from appeal a where a.case_id = c.id and a.state in ('filed', 'in_review', 'overturned', 'partial'))
and not exists (select from correction k where k.case_id = c.id)
and not exists (select from alarm w where w.case_id = c.id and w.closed_at is null)
and not exists (select from deconfliction_hold h where h.case_id = c.id and h.ended_at is null)
and not exists (select from cases o where o.registrable = c.registrable and o.id <> c.id
  and (o.state in ({_OPEN}) or o.opened_at > c.opened_at))
"""


async def newest(con: "Connection", program: str, terms: str) -> Mapping[str, Any] | None:
    """The last that was made under these terms."""
    row = await con.fetchrow(
        "select day, made_at, document from publication where program = $1 and terms = $2 order by day desc limit 1",
        program,
        terms,
    )
    return dict(row) if row else None


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


async def to_look_at(con: "Connection", program: str, ended_before: datetime, limit: int) -> list[str]:
    """Cases whose name may be shown once a look has found it as it was left; who waits longest comes first."""
    rows = await con.fetch(
        f"select c.id from cases c left join public_name p on p.case_id = c.id where c.program = $1 and {_FIT} "
        "and p.removed_on is null order by p.seen_at nulls first, c.closed_at, c.id limit $3",
        program,
        ended_before,
        limit,
    )
    return [str(row["id"]) for row in rows]


async def standing(con: "Connection", program: str, ended_before: datetime) -> Sequence[Mapping[str, Any]]:
    """Names on the list, in the order in which they came to it, each with whether its case still allows that."""
    rows = await con.fetch(
        "select p.case_id, p.name, p.outcome, p.ended_on, p.listed_on, p.seen_at, c.target, c.scope, c.registrable, c.host, "
        f"c.private_suffix, c.tld, c.display, ({_FIT}) as fits "
        "from public_name p join cases c on c.id = p.case_id where p.program = $1 and p.removed_on is null "
        "order by p.listed_on desc, p.name",
        program,
        ended_before,
    )
    return [dict(row) for row in rows]


async def batches(con: "Connection", program: str) -> Sequence[Mapping[str, Any]]:
    """By the day on which names came to the list: how many went again, and when the last of those did."""
    rows = await con.fetch(
        "select listed_on, count(*) filter (where removed_on is not null) as gone, max(removed_on) as changed_on "
        "from public_name where program = $1 group by listed_on order by listed_on desc",
        program,
    )
    return [dict(row) for row in rows]


async def list_name(con: "Connection", case_id: str, today: date, seen_at: datetime) -> None:
    """Show a case's name from today on, or note that it was seen again."""
    await con.execute(
        "insert into public_name (case_id, program, name, outcome, ended_on, listed_on, seen_at) "
        "select id, program, target, outcome, (closed_at at time zone 'UTC')::date, $2, $3 from cases where id = $1 "
        "on conflict (case_id) do update set seen_at = excluded.seen_at where public_name.removed_on is null",
        case_id,
        today,
        seen_at,
    )


async def remove_name(con: "Connection", case_id: str, today: date) -> bool:
    """Whether it stood there. What went never comes back."""
    gone = await con.fetchval(
        "update public_name set removed_on = $2 where case_id = $1 and removed_on is null returning true",
        case_id,
        today,
    )
    return bool(gone)
