"""Rows of signs, candidates, links and what people decided about them: `hop_sign`, `hop_candidate`, `hop`, `hop_decision`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.hopping import ALIKE, Kind, Sign
from notifier.domain.page_text import similarity
from notifier.store.ids import new_id

if TYPE_CHECKING:
    from notifier.store.database import Connection

_LEADING = 8  # as the index has them
_NEAR_MAX = 1_000
# What a link's later name became: from then on it is no member any more, and why.
GONE = (
    "case when h.state = 'retracted' then 'taken back' "
    "when s.aftermath = 'lifted_wrong' or s.outcome = 'withdrawn_error' then 'it was an error' "
    "when s.state = 'rejected' then 'a person rejected it' when s.state = 'superseded' then 'somebody registered it anew' "
    "when s.state = 'withdrawn' then 'what was reported of it is over' end"
)
# A case that waits for an authority since before its link was decided was never told of, and one held later stays as told.
UNHELD = (
    "not exists (select from deconfliction_hold d where d.case_id in (h.case_id, h.successor_case) and d.ended_at is null "
    "and d.since <= h.decided_at)"
)


# --- signs --------------------------------------------------------------------------------------------------------


async def insert_signs(
    con: "Connection",
    signs: Sequence[Sign],
    name: str,
    epoch: str | None,
    *,
    case_id: str | None = None,
    candidate_id: str | None = None,
    capture_id: str | None = None,
) -> None:
    """Keep what is new of one name's signs; what was seen before keeps its first time."""
    await con.executemany(
        "insert into hop_sign (id, case_id, candidate_id, name, epoch, kind, value, sketch, capture_id, source, seen_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing",
        [
            (
                *(new_id(), case_id, candidate_id, name, epoch, str(s.kind), s.value, list(s.sketch)),
                *(capture_id, s.source, s.seen_at),
            )
            for s in signs
        ],
    )


async def signs_of(con: "Connection", owner: str, epoch: str | None) -> list[Sign]:
    """The signs of a case or candidate in this registration, oldest first."""
    rows = await con.fetch(
        "select * from hop_sign where $1 in (case_id, candidate_id) and ($2::text is null or epoch is null or epoch = $2) "
        "order by seen_at, id",
        owner,
        epoch,
    )
    return [Sign(Kind(r["kind"]), r["value"], r["source"], r["seen_at"], tuple(r["sketch"])) for r in rows]


async def carriers(con: "Connection", sign: Sign, related: Sequence[str]) -> int:
    """How many names known here carry this sign, without the related ones; of whichever program they are."""
    if sign.kind is Kind.TEXT:
        rows = await con.fetch(
            "select name, sketch from hop_sign where kind = 'text' and sketch[1:8] && $1 and not name = any($2) limit $3",
            list(sign.sketch[:_LEADING]),
            list(related),
            _NEAR_MAX,
        )
        return len({r["name"] for r in rows if similarity(sign.sketch, tuple(r["sketch"])) >= ALIKE})
    return int(await con.fetchval(_CARRIERS[sign.kind], sign.value, list(related), str(sign.kind)))


_BY_VALUE = "select count(distinct name) from hop_sign where value = $1 and not name = any($2) and kind = $3"
_BY_LABEL = (
    "select count(distinct name) from (select registrable as name from cases union all select name from hop_candidate) "
    "known where {} = $1 and not name = any($2) and $3::text is not null"
)
_LABEL = "split_part(name, '.', 1)"
_CARRIERS = {
    **dict.fromkeys(Kind, _BY_VALUE),
    Kind.SAME_LABEL: _BY_LABEL.format(_LABEL),
    Kind.SIMILAR_LABEL: _BY_LABEL.format(f"regexp_replace({_LABEL}, '[-0-9]+', '', 'g')"),
}


# --- candidates ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """A name that may follow that of `case_id`. `epoch` and `registered_at` as of the last look."""

    id: str
    case_id: str
    name: str
    found_by: str
    found_at: datetime
    looked_at: datetime | None
    epoch: str | None
    registered_at: datetime | None


async def found(con: "Connection", case_id: str, names: Mapping[str, str], at: datetime) -> None:
    """Note candidates of a case; `names` to how each was found. One that is known stays as it was."""
    await con.executemany(
        "insert into hop_candidate (id, case_id, name, found_by, found_at) values ($1, $2, $3, $4, $5) "
        "on conflict do nothing",
        [(new_id(), case_id, name, by, at) for name, by in names.items()],
    )


async def due(con: "Connection", case_id: str, again: datetime, limit: int) -> list[Candidate]:
    """Candidates to look at now: those never looked at, then those last looked at before `again`; no decided one."""
    rows = await con.fetch(
        "select * from hop_candidate k where case_id = $1 and (looked_at is null or looked_at < $2) and not exists "
        "(select from hop h where h.case_id = k.case_id and h.name = k.name) order by looked_at nulls first, id limit $3",
        case_id,
        again,
        limit,
    )
    return [_candidate(row) for row in rows]


async def looked(
    con: "Connection", candidate: Candidate, at: datetime, epoch: str | None, registered_at: datetime | None
) -> None:
    await con.execute(
        "update hop_candidate set looked_at = $2, epoch = $3, registered_at = $4 where id = $1",
        candidate.id,
        at,
        epoch,
        registered_at,
    )


async def looked_since(con: "Connection", case_id: str, since: datetime) -> int:
    count: int = await con.fetchval(
        "select count(*) from hop_candidate where case_id = $1 and looked_at > $2", case_id, since
    )
    return count


async def looked_at(con: "Connection", case_id: str) -> list[Candidate]:
    rows = await con.fetch(
        "select * from hop_candidate where case_id = $1 and looked_at is not null order by found_at, id", case_id
    )
    return [_candidate(row) for row in rows]


def _candidate(row: Mapping[str, Any]) -> Candidate:
    values = {name: row[name] for name in Candidate.__slots__}
    return Candidate(**values | {"id": str(row["id"]), "case_id": str(row["case_id"])})


async def sharing(con: "Connection", case_id: str, program: str, label: str) -> list[str]:
    """Other cases of the program, about whole names, that share a sign or the label; nothing that is over as wrong, and
    nothing that waits for an authority."""
    rows = await con.fetch(
        "select c.id from cases c where c.id in ("
        "select theirs.case_id from hop_sign mine join hop_sign theirs using (kind, value) where mine.case_id = $1 union "
        "select theirs.case_id from hop_sign mine join hop_sign theirs on theirs.sketch[1:8] && mine.sketch[1:8] "
        "where mine.case_id = $1 and mine.kind = 'text' and theirs.kind = 'text' union "
        f"select id from cases where {_LABEL.replace('name', 'registrable')} = $3) "
        "and c.program = $2 and c.id <> $1 and c.scope = 'domain' and c.merged_into is null "
        "and not c.state in ('rejected', 'withdrawn', 'superseded') and not exists (select from deconfliction_hold d "
        "where d.case_id = c.id and d.ended_at is null) order by c.opened_at, c.id limit 200",
        case_id,
        program,
        label,
    )
    return [str(row["id"]) for row in rows]


# --- links --------------------------------------------------------------------------------------------------------


async def propose(con: "Connection", row: Mapping[str, Any]) -> bool:
    """A new link; False when the two names have one, or a person has said no to the name before."""
    if await con.fetchval(
        "select exists (select from hop where program = $1 and name = $2 and state in ('dismissed', 'retracted'))",
        row["program"],
        row["name"],
    ):
        return False
    marks = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    made = await con.fetchval(
        f"insert into hop ({', '.join(row)}) values ({marks}) on conflict do nothing returning id", *row.values()
    )
    return made is not None


async def decided(con: "Connection", program: str, name: str, others: Sequence[str]) -> frozenset[str]:
    """Those of `others` that need no comparing with `name`: the two have a link already, or a person said no to one."""
    rows = await con.fetch(
        "select h.name, c.registrable as before, h.state from hop h join cases c on c.id = h.case_id where h.program = $1 "
        "and (h.name = any($2) and (c.registrable = $3 or h.state in ('dismissed', 'retracted')) "
        "or h.name = $3 and c.registrable = any($2))",
        program,
        list(others),
        name,
    )
    return frozenset(row["before"] if row["name"] == name else row["name"] for row in rows)


async def lock(con: "Connection", hop_id: str) -> Mapping[str, Any] | None:
    row = await con.fetchrow("select * from hop where id = $1 for update", hop_id)
    return None if row is None else dict(row)


async def decide(
    con: "Connection", hop_id: str, decision: str, reason: str, by: str, at: datetime, changes: Mapping[str, Any]
) -> None:
    """A person's word on a link, and the link as it stands after it."""
    sets = ", ".join(f"{column} = ${n}" for n, column in enumerate(changes, 2))
    await con.execute(f"update hop set {sets} where id = $1", hop_id, *changes.values())
    await con.execute(
        "insert into hop_decision (hop_id, n, decision, reason, by, at) select $1, count(*) + 1, $2, $3, $4, $5 "
        "from hop_decision where hop_id = $1",
        hop_id,
        decision,
        reason,
        by,
        at,
    )


async def decisions(con: "Connection", hop_id: str) -> list[dict[str, Any]]:
    rows = await con.fetch("select decision, reason, by, at from hop_decision where hop_id = $1 order by n", hop_id)
    return [dict(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Edge:
    """A link that stands: `before` and `name` are registrable names. `cases`: of the two, None without one."""

    id: str
    program: str
    before: str
    name: str
    state: str
    cases: tuple[str, str | None]
    decided_at: datetime | None


async def edges(con: "Connection", programs: Sequence[str]) -> list[Edge]:
    """Links of these programs that are accepted and stand, or wait for a decision; oldest first."""
    rows = await con.fetch(
        "select h.id, h.program, c.registrable as before, h.name, h.state, h.case_id, h.successor_case, "
        "h.decided_at from hop h "
        "join cases c on c.id = h.case_id left join cases s on s.id = h.successor_case "
        f"where h.program = any($1) and h.state in ('proposed', 'accepted') and ({GONE}) is null "
        "order by h.decided_at, h.id",
        list(programs),
    )
    return [
        Edge(
            *(str(r["id"]), r["program"], r["before"], r["name"], r["state"]),
            (str(r["case_id"]), str(r["successor_case"]) if r["successor_case"] else None),
            r["decided_at"],
        )
        for r in rows
    ]


# --- readers of the hopping list ----------------------------------------------------------------------------------


async def note_reading(con: "Connection", registry: str, programs: Sequence[str], at: datetime) -> None:
    """A registry read the lists of these programs: who was told a name is later told that it is gone."""
    await con.executemany(
        "insert into hop_reading (registry, program, at) values ($1, $2, $3) on conflict do nothing",
        [(registry, program, at) for program in programs],
    )
