"""What reports read beside `transition`: entries of the log, and what hangs on them, as one snapshot saw them.

Each entry keeps the transaction that wrote it, so a snapshot (`pg_current_snapshot()` as text) says for ever which entries
there were: those that commit later, at the same instant or with a smaller id, are not in it.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.marks import TAGS, Mark
from notifier.domain.pilot import Successor
from notifier.domain.safety import Safety, Signal
from notifier.store import assessments as assessment_store

if TYPE_CHECKING:
    from notifier.store.database import Connection

_SEEN = "pg_visible_in_snapshot(e.xact, $2::text::pg_snapshot)"


async def snapshot(con: "Connection") -> str:
    """What is committed now, as text."""
    found: str = await con.fetchval("select pg_current_snapshot()::text")
    return found


async def marks(con: "Connection", program: str, seen: str) -> list[Mark]:
    """Decisions and undoings of a program's cases, in the order of the log."""
    rows = await con.fetch(
        "select e.case_id, e.tag, e.at, (e.body::json ->> 'detail') as detail from audit_entry e "
        f"join cases c on c.id = e.case_id where c.program = $1 and {_SEEN} and e.tag = any($3) order by e.id",
        program,
        seen,
        list(TAGS),
    )

    def read() -> list[Mark]:
        return [Mark(str(row["case_id"]), row["tag"], row["at"], json.loads(row["detail"])) for row in rows]

    return await asyncio.to_thread(read)  # many entries take seconds, and others wait for the loop


async def reporters(con: "Connection", program: str, seen: str) -> list[tuple[str, str]]:
    """Each organisation with each case that it reported. A report that was moved counts where it is."""
    rows = await con.fetch(
        "select distinct r.organisation, r.case_id from report r join audit_entry e on e.subject = r.id::text "
        f"and e.tag = 'report.received' and {_SEEN} where r.program = $1 and r.code is null",
        program,
        seen,
    )
    return [(row["organisation"], str(row["case_id"])) for row in rows]


async def merged(con: "Connection", program: str, seen: str) -> list[tuple[str, datetime]]:
    """Organisations that learned that a case of theirs was merged into another, each with the time."""
    rows = await con.fetch(
        "select n.organisation, d.at from news n join decision d on d.id = n.decision_id join cases c on c.id = d.case_id "
        "where c.program = $1 and d.kind = 'superseded' and d.detail ? 'into' "
        "and pg_visible_in_snapshot(n.xact, $2::text::pg_snapshot)",
        program,
        seen,
    )
    return [(row["organisation"], row["at"]) for row in rows]


async def refused(con: "Connection", program: str, seen: str) -> list[Mapping[str, Any]]:
    """Reports that intake refused, with organisation, code and time."""
    rows = await con.fetch(
        "select r.organisation, r.code, r.received_at as at from report r join audit_entry e on e.subject = r.id::text "
        f"and e.tag = 'report.refused' and {_SEEN} where r.program = $1 and r.code is not null",
        program,
        seen,
    )
    return [dict(row) for row in rows]


async def assessments(con: "Connection", program: str, seen: str) -> dict[str, list[tuple[Safety, tuple[Signal, ...]]]]:
    """By case, everything that was found of its target's safety, oldest first."""
    rows = await con.fetch(
        "select a.case_id, a.safety, a.signals from assessment a join audit_entry e on e.case_id = a.case_id "
        f"and e.rev = a.rev and {_SEEN} join cases c on c.id = a.case_id where c.program = $1 order by a.case_id, a.rev",
        program,
        seen,
    )

    def read() -> dict[str, list[tuple[Safety, tuple[Signal, ...]]]]:
        found: dict[str, list[tuple[Safety, tuple[Signal, ...]]]] = {}
        for row in rows:
            told = Safety(row["safety"]), assessment_store.from_json(row["signals"])
            found.setdefault(str(row["case_id"]), []).append(told)
        return found

    return await asyncio.to_thread(read)


async def corrections(con: "Connection", program: str, seen: str) -> dict[str, Mapping[str, Any]]:
    """By case, the first line of the correction ledger: since when it was held, and how many host names lay below it."""
    rows = await con.fetch(
        "select k.case_id, k.measure, k.held_since, k.hosts from correction k where k.program = $1 and exists ("
        f"select from audit_entry e where e.case_id = k.case_id and e.at = k.corrected_at and {_SEEN} "
        "and e.tag in ('case.overturned', 'case.lift_asked', 'case.hold_lapsed', 'case.withdrawn', 'case.found_wrong')) "
        "order by k.corrected_at desc, k.id",
        program,
        seen,
    )
    return {str(row["case_id"]): dict(row) for row in rows}


async def successors(con: "Connection", program: str, as_of: datetime) -> Sequence[Successor]:
    """Links that people had accepted, and not taken back, as of an instant."""
    rows = await con.fetch(
        "select t.case_id, h.registry, h.tld, h.first_seen_at from transition t join hop h on h.id::text = t.word "
        "where t.tag = 'hop.accepted' and t.program = $1 and t.recorded_at <= $2 and not exists (select from transition u "
        "where u.tag = 'hop.retracted' and u.case_id = t.case_id and u.word = t.word and u.recorded_at <= $2) "
        "order by h.first_seen_at, h.id",
        program,
        as_of,
    )
    return [Successor(str(row["case_id"]), row["registry"], row["tld"], row["first_seen_at"]) for row in rows]
