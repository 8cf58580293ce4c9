"""Rows of `decision` and `news`: what was decided about a case, once, and which reporting organisations learn of it.

Both are written in the transaction that decides, and their unique indexes make a second telling impossible.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.case import Case
from notifier.domain.events import Fact
from notifier.store.ids import new_id

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection

# The tag of a case's step -> the decision that it is.
_KINDS: Mapping[str, str] = {
    "case.approved": "accepted",
    "case.rejected": "rejected",
    "case.withdrawn": "withdrawn",
    "case.cured": "withdrawn",
    "case.overturned": "withdrawn",
    "case.lift_asked": "withdrawn",
    "case.event_over": "withdrawn",
    "case.closed": "closed",
    "case.superseded": "superseded",
    "case.merged_into": "superseded",
}
_OF_OUTCOME = frozenset({"outcome.observed", "outcome.relapsed", "case.clock_ended", "answer.received"})
# Of a step's detail, what its reporters are told.
_TOLD = ("reason", "ground", "into", "reference")


async def decided(con: "Connection", case: Case, fact: Fact, by: str, at: datetime) -> None:
    """Write down the decision that a step is, if it is one, for every organisation that reported."""
    kind = _KINDS.get(fact.tag)
    if kind is not None:
        detail = {key: fact.detail[key] for key in _TOLD if fact.detail.get(key) is not None}
        if kind == "withdrawn":
            detail["outcome"] = case.outcome
        # An approval that was voided and given again is the same decision; after a relapse it is another one.
        await _tell(con, case, kind, str(case.reopened_count), by, at, detail, fact.detail.get("reports", ()))
    elif fact.tag in _OF_OUTCOME and (case.outcome is not None or fact.detail.get("to") == "resolved"):
        shown = {
            "outcome": case.outcome,
            "actor": case.outcome_actor,
            "observed": case.observed,
            "aftermath": case.aftermath,
            "undo": case.undo,
        }
        last = await con.fetchval(
            "select detail from decision where case_id = $1 and kind = 'outcome' order by occasion::int desc limit 1",
            case.id,
        )
        if shown != last and (last is None or case.observed != "pending"):  # one more claim is no news until it is seen
            await _tell(con, case, "outcome", str(case.rev), by, at, shown)


async def sent(con: "Connection", case_id: str, notice_id: str, by: str, at: datetime) -> None:
    """A request was accepted by its recipient's channel."""
    decision_id = await _decide(con, case_id, "sent", notice_id, by, at, {"notice": notice_id})
    if decision_id is not None:
        await _to_reporters(con, case_id, decision_id)


async def catch_up(con: "Connection", case_id: str) -> None:
    """Whoever reports later learns of what was decided before, once."""
    await con.execute(
        "insert into news (organisation, decision_id) select r.organisation, d.id from decision d cross join "
        "(select distinct organisation from report where case_id = $1 and code is null) r where d.case_id = $1 "
        "order by d.at, d.id on conflict do nothing",
        case_id,
    )


async def after(
    con: "Connection", organisation: str, programs: list[str] | None, xact: str, seq: int, limit: int
) -> "list[asyncpg.Record]":
    """An organisation's news behind a position, in order; nothing that a running transaction could still precede."""
    rows: list[asyncpg.Record] = await con.fetch(
        "select n.xact::text as xact, n.seq, d.id, d.case_id, d.kind, d.at, d.detail, c.reference, c.program, c.target "
        "from news n join decision d on d.id = n.decision_id join cases c on c.id = d.case_id "
        "where n.organisation = $1 and (n.xact, n.seq) > ($2::text::xid8, $3) "
        "and n.xact < pg_snapshot_xmin(pg_current_snapshot()) and ($4::text[] is null or c.program = any($4)) "
        "order by n.xact, n.seq limit $5",
        organisation,
        xact,
        seq,
        programs,
        limit,
    )
    return rows


async def _tell(
    con: "Connection",
    case: Case,
    kind: str,
    occasion: str,
    by: str,
    at: datetime,
    detail: Mapping[str, Any],
    moved: Sequence[str] = (),
) -> None:
    """`moved`: the reports that left with this very step, whose senders still learn of it."""
    decision_id = await _decide(con, case.id, kind, occasion, by, at, detail)
    if decision_id is None:
        return
    if moved:
        await con.execute(
            "insert into news (organisation, decision_id) select distinct organisation, $2::uuid from report "
            "where id = any($1) on conflict do nothing",
            list(moved),
            decision_id,
        )
    elif case.merged_into is not None:  # its reports are elsewhere; who heard of the merge hears of what came of it
        await con.execute(
            "insert into news (organisation, decision_id) select distinct n.organisation, $2::uuid from news n "
            "join decision d on d.id = n.decision_id where d.case_id = $1 and d.kind = 'superseded' on conflict do nothing",
            case.id,
            decision_id,
        )
    else:
        await _to_reporters(con, case.id, decision_id)


async def _to_reporters(con: "Connection", case_id: str, decision_id: str) -> None:
    await con.execute(
        "insert into news (organisation, decision_id) select distinct organisation, $2::uuid from report "
        "where case_id = $1 and code is null on conflict do nothing",
        case_id,
        decision_id,
    )


async def _decide(
    con: "Connection", case_id: str, kind: str, occasion: str, by: str, at: datetime, detail: Mapping[str, Any]
) -> str | None:
    """The new decision's id; None when it was written down before."""
    found = await con.fetchval(
        "insert into decision (id, case_id, kind, occasion, by, at, detail) values ($1, $2, $3, $4, $5, $6, $7) "
        "on conflict do nothing returning id",
        new_id(),
        case_id,
        kind,
        occasion,
        by,
        at,
        detail,
    )
    return str(found) if found else None
