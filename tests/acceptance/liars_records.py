"""The closing table of the liars run, by our own database."""

import json
from collections.abc import Sequence
from datetime import datetime

from notifier.store.database import Database

from .truth import Alarm, Claim, Told


async def closing_table(db: Database) -> list[Told]:
    """A row for each case, with its claims and alarms."""
    verdicts: dict[str, list[tuple[datetime, str]]] = {}
    for row in await db.fetch(
        "select at, body from audit_entry where tag in ('outcome.observed', 'outcome.relapsed') order by id"
    ):
        detail = json.loads(row["body"])["detail"]
        said = verdicts.setdefault(detail["claim"], [])
        if not said or said[-1][1] != detail["verdict"]:
            said.append((row["at"], detail["verdict"]))
    claims: dict[str, list[Claim]] = {}
    for row in await db.fetch(
        "select id, case_id, measure, claimed_at, parent_effective_at from claim order by claimed_at"
    ):
        words = [(at, verdict) for at, verdict in verdicts.get(str(row["id"]), ()) if verdict != "pending"]
        claim = Claim(row["measure"], row["claimed_at"], words, row["parent_effective_at"])
        claims.setdefault(str(row["case_id"]), []).append(claim)
    alarms: dict[str, list[Alarm]] = {}
    for row in await db.fetch("select case_id, kind, raised_at from alarm order by raised_at"):
        alarms.setdefault(str(row["case_id"]), []).append(Alarm(row["kind"], row["raised_at"]))
    rows = await db.fetch("select id, target, outcome, outcome_actor, aftermath, undo from cases order by target")
    return [
        Told(
            row["target"],
            row["outcome"],
            row["outcome_actor"],
            row["aftermath"],
            row["undo"],
            _of(claims.get(str(row["id"]), ()), undo=False),
            _of(claims.get(str(row["id"]), ()), undo=True),
            alarms.get(str(row["id"]), ()),
        )
        for row in rows
    ]


def _of(claims: Sequence[Claim], *, undo: bool) -> list[Claim]:
    return [claim for claim in claims if (claim.measure == "restore") == undo]
