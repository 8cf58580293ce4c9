"""Rows of appeals: what was filed, what it is about, what was decided, and what was put right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.appeal import Appeal, AppealState, Clocks, Proof
from notifier.domain.notice import ASKING
from notifier.store.ids import new_id

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection

# Whoever asked, supplied, gave or approved anything of the case, or of one that was merged into it, had a part in it.
_BARRED = """
with recursive family (id) as (select $1::uuid union select m.id from cases m join family f on m.merged_into = f.id)
select array(
  select principal from approval where case_id in (select id from family)
  union select approved_by from notice where case_id in (select id from family) and approved_by is not null
  union select principal from report where case_id in (select id from family)
  union select supplied_by from evidence where case_id in (select id from family)
  union select given_by from contact where case_id in (select id from family)
  union select given_by from amendment where case_id in (select id from family)
)
"""
_TOLD = ("sent", "delivered", "superseded", "uncertain")


@dataclass(frozen=True, slots=True)
class Statement:
    """What was filed. `name` None: none can be read in what was given. `notice_id`: whose registrant's link it came by."""

    id: str
    given: str
    name: str | None
    reference: str | None
    notice_id: str | None
    grounds: str
    contact: str
    evidence: Sequence[Mapping[str, Any]]
    sha256: str
    via: str
    filed_at: datetime


async def insert_statement(con: "Connection", made: Statement, secret_sha256: bytes) -> None:
    await con.execute(
        "insert into appeal_statement (id, secret_sha256, given, name, reference, notice_id, grounds, contact, evidence, "
        "sha256, via, filed_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        made.id,
        secret_sha256,
        made.given,
        made.name,
        made.reference,
        made.notice_id,
        made.grounds,
        made.contact,
        list(made.evidence),
        made.sha256,
        made.via,
        made.filed_at,
    )


def _statement(row: "asyncpg.Record") -> Statement:
    return Statement(
        id=str(row["id"]),
        given=row["given"],
        name=row["name"],
        reference=row["reference"],
        notice_id=str(row["notice_id"]) if row["notice_id"] else None,
        grounds=row["grounds"],
        contact=row["contact"],
        evidence=row["evidence"],
        sha256=row["sha256"],
        via=row["via"],
        filed_at=row["filed_at"],
    )


async def statement(con: "Connection", statement_id: str) -> Statement | None:
    row = await con.fetchrow("select * from appeal_statement where id = $1", statement_id)
    return _statement(row) if row else None


async def by_secret(con: "Connection", secret_sha256: bytes) -> Statement | None:
    row = await con.fetchrow("select * from appeal_statement where secret_sha256 = $1", secret_sha256)
    return _statement(row) if row else None


async def prove(con: "Connection", statement_id: str, proof: Proof, at: datetime) -> bool:
    """Record that control was shown; False when it was before."""
    done = await con.fetchval(
        "insert into appeal_proof (statement_id, proof, at) values ($1, $2, $3) on conflict do nothing "
        "returning statement_id",
        statement_id,
        str(proof),
        at,
    )
    return done is not None


async def proof_of(con: "Connection", statement_id: str) -> Proof | None:
    found = await con.fetchval("select proof from appeal_proof where statement_id = $1", statement_id)
    return Proof(found) if found else None


# --- what it is about ---------------------------------------------------------------------------------------------


async def told_notice(con: "Connection", notice_id: str | None, name: str | None) -> str | None:
    """The notice, if it is a request that left and is about the name, or about one above or below it."""
    found = await con.fetchval(
        "select n.id from notice n join cases c on c.id = n.case_id where n.id = $1 and n.state = any($2) "
        "and $3 in (n.domain, c.target, c.registrable)",
        notice_id,
        list(_TOLD),
        name,
    )
    return str(found) if found else None


async def decisions_about(con: "Connection", name: str, *, below: bool) -> list[tuple[str, str]]:
    """(case, its newest request that left) of every case about the name; with `below` also about hosts of it."""
    rows = await con.fetch(
        "select distinct on (n.case_id) n.case_id, n.id from notice n join cases c on c.id = n.case_id "
        "where n.purpose = any($2) and n.state = any($3) "
        "and (c.target = $1 or ($4 and c.registrable = $1)) "
        "and (c.state <> 'superseded' or c.merged_into is not null) "
        "order by n.case_id, n.sent_at desc nulls last, n.id desc",
        name,
        [str(purpose) for purpose in ASKING],
        list(_TOLD),
        below,
    )
    return [(str(row["case_id"]), str(row["id"])) for row in rows]


async def decision_behind(con: "Connection", notice_id: str) -> list[tuple[str, str]]:
    """(case, its newest request that left) of the case that a notice belongs to."""
    rows = await con.fetch(
        "select n.case_id, n.id from notice n where n.case_id = (select case_id from notice where id = $1) "
        "and n.purpose = any($2) and n.state = any($3) order by n.sent_at desc nulls last, n.id desc limit 1",
        notice_id,
        [str(purpose) for purpose in ASKING],
        list(_TOLD),
    )
    return [(str(row["case_id"]), str(row["id"])) for row in rows]


async def newest_request(con: "Connection", case_id: str) -> str | None:
    """The newest request of a case that left."""
    found = await con.fetchval(
        "select id from notice where case_id = $1 and purpose = any($2) and state = any($3) "
        "order by sent_at desc nulls last, id desc limit 1",
        case_id,
        [str(purpose) for purpose in ASKING],
        list(_TOLD),
    )
    return str(found) if found else None


async def requests_left(
    con: "Connection", program: str, start: datetime | None, end: datetime | None
) -> list[tuple[str, str]]:
    """(case, notice) of each request that left between the two, oldest first; none of a case that waits for an authority."""
    rows = await con.fetch(
        "select n.case_id, n.id from notice n join cases c on c.id = n.case_id where c.program = $1 and n.purpose = any($2) "
        "and n.state = any($3) and n.sent_at is not null and ($4::timestamptz is null or n.sent_at >= $4) "
        "and ($5::timestamptz is null or n.sent_at < $5) and not exists (select from deconfliction_hold d "
        "where d.case_id = c.id and d.ended_at is null) order by n.sent_at, n.id",
        program,
        [str(purpose) for purpose in ASKING],
        list(_TOLD),
        start,
        end,
    )
    return [(str(row["case_id"]), str(row["id"])) for row in rows]


async def goes_on_in(con: "Connection", case_id: str) -> str:
    """The case that a merged one lives on in; itself when it was not merged."""
    found = await con.fetchval(
        "with recursive line (id, merged_into) as (select id, merged_into from cases where id = $1 union "
        "select c.id, c.merged_into from cases c join line l on c.id = l.merged_into) "
        "select id from line where merged_into is null",
        case_id,
    )
    return str(found) if found else case_id


# --- appeals ------------------------------------------------------------------------------------------------------


async def read(con: "Connection", row: "asyncpg.Record") -> Appeal:
    barred = await con.fetchval(_BARRED, row["case_id"])
    clocks = Clocks(row["acknowledge_due"], row["decide_due"]) if row["decide_due"] else None
    return Appeal(
        id=str(row["id"]),
        case_id=str(row["case_id"]),
        notice_id=str(row["notice_id"]),
        state=AppealState(row["state"]),
        filed_at=row["filed_at"],
        barred=frozenset(barred),
        proven_at=row["proven_at"],
        taken_by=row["taken_by"],
        taken_at=row["taken_at"],
        clocks=clocks,
        decided_at=row["decided_at"],
    )


async def lock(con: "Connection", appeal_id: str) -> Appeal | None:
    """The appeal, locked; its case is locked already, as everybody locks."""
    row = await con.fetchrow("select * from appeal where id = $1 for update", appeal_id)
    return await read(con, row) if row else None


async def open_of(con: "Connection", case_id: str) -> Appeal | None:
    """The open appeal of a case, locked."""
    row = await con.fetchrow(
        "select * from appeal where case_id = $1 and state in ('filed', 'in_review') for update", case_id
    )
    return await read(con, row) if row else None


async def heard_before(con: "Connection", case_id: str, notice_id: str, *, proven: bool) -> str | None:
    """The newest appeal against the same decision that was decided. For whoever has `proven` control only one in which
    that was shown counts."""
    found = await con.fetchval(
        "select id from appeal where case_id = $1 and notice_id = $2 and state in ('upheld', 'overturned', 'partial') "
        "and (proven_at is not null or not $3) order by decided_at desc, id desc limit 1",
        case_id,
        notice_id,
        proven,
    )
    return str(found) if found else None


async def tied(con: "Connection", case_id: str, statement_id: str) -> str | None:
    """The newest appeal of this case that a statement is part of."""
    found = await con.fetchval(
        "select a.id from appeal a join appeal_part p on p.appeal_id = a.id where a.case_id = $1 and p.statement_id = $2 "
        "order by a.filed_at desc, a.id desc limit 1",
        case_id,
        statement_id,
    )
    return str(found) if found else None


async def ended_for_good(con: "Connection", appeal_id: str) -> bool:
    """Whether an appeal that is over was its filer's own: control had been shown in it."""
    found: bool = await con.fetchval("select proven_at is not null from appeal where id = $1", appeal_id)
    return found


async def insert(con: "Connection", made: Appeal) -> None:
    await con.execute(
        "insert into appeal (id, case_id, notice_id, state, filed_at) values ($1, $2, $3, $4, $5)",
        made.id,
        made.case_id,
        made.notice_id,
        str(made.state),
        made.filed_at,
    )


async def save(con: "Connection", made: Appeal) -> None:
    await con.execute(
        "update appeal set state = $2, proven_at = $3, taken_by = $4, taken_at = $5, acknowledge_due = $6, "
        "decide_due = $7, decided_at = $8 where id = $1",
        made.id,
        str(made.state),
        made.proven_at,
        made.taken_by,
        made.taken_at,
        made.clocks.acknowledge_due if made.clocks else None,
        made.clocks.decide_due if made.clocks else None,
        made.decided_at,
    )


async def add_part(con: "Connection", appeal_id: str, statement_id: str, at: datetime, *, late: bool) -> bool:
    """Tie a statement to an appeal; False when it is tied already."""
    done = await con.fetchval(
        "insert into appeal_part (appeal_id, statement_id, at, late) values ($1, $2, $3, $4) on conflict do nothing "
        "returning appeal_id",
        appeal_id,
        statement_id,
        at,
        late,
    )
    return done is not None


async def insert_decision(
    con: "Connection", appeal_id: str, outcome: str, cause: str | None, reasons: str, by: str, at: datetime
) -> None:
    await con.execute(
        "insert into appeal_decision (appeal_id, outcome, cause, reasons, by, at) values ($1, $2, $3, $4, $5, $6)",
        appeal_id,
        outcome,
        cause,
        reasons,
        by,
        at,
    )


# --- what was put right -------------------------------------------------------------------------------------------

# Out of the zone, or held, in a look after the first request had left.
_HELD_SINCE = """
select min(o.at) from observation o where o.case_id = $1
  and o.at >= (select min(sent_at) from notice where case_id = $1 and purpose = any($2))
  and (o.look->'delegation'->>'answer' in ('absent', 'residual')
       or exists (select from jsonb_array_elements_text(o.look->'registration'->'statuses') s
                  where lower(replace(s, ' ', '')) in ('serverhold', 'clienthold')))
"""


async def insert_correction(
    con: "Connection", case_id: str, appeal_id: str | None, program: str, measure: str, cause: str, at: datetime
) -> None:
    """A line of the ledger, once for an appeal and cause; None: nobody appealed."""
    held_since = await con.fetchval(_HELD_SINCE, case_id, [str(purpose) for purpose in ASKING])
    hosts = await con.fetchval(
        "select s->>'value' from assessment a, jsonb_array_elements(a.signals) s "
        "where a.case_id = $1 and s->>'name' = 'host_names' order by a.rev desc limit 1",
        case_id,
    )
    count = int(hosts) if hosts is not None and hosts.isdecimal() and len(hosts) < 9 else None
    await con.execute(
        "insert into correction (id, case_id, appeal_id, program, measure, cause, corrected_at, held_since, hosts) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
        new_id(),
        case_id,
        appeal_id,
        program,
        measure,
        cause,
        at,
        held_since,
        count,
    )


async def corrected_at(con: "Connection", case_id: str) -> datetime | None:
    """When the undo was asked for that the name is now watched for."""
    found: datetime | None = await con.fetchval("select min(corrected_at) from correction where case_id = $1", case_id)
    return found


async def corrected_as_error(con: "Connection", case_id: str) -> bool:
    """Whether the ledger has an error of ours in this case already."""
    return bool(
        await con.fetchval("select exists (select from correction where case_id = $1 and cause <> 'cured')", case_id)
    )


async def seen_back(con: "Connection", case_id: str) -> datetime | None:
    """When the name was seen given back: as an appeal, an event's end or a withdrawal had asked."""
    found: datetime | None = await con.fetchval(
        "select greatest((select max(at) from audit_entry where case_id = $1 and tag in ('case.released', 'case.restored')), "
        "(select max(verified_at) from claim where case_id = $1 and measure = 'restore'))",
        case_id,
    )
    return found


async def restored(con: "Connection", case_id: str, at: datetime) -> None:
    await con.execute("update correction set restored_at = $2 where case_id = $1 and restored_at is null", case_id, at)
