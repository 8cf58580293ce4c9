"""Rows of `cases`. Every write carries the next `rev`; the database refuses one without its audit entry."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.case import OPEN, Case, CaseState
from notifier.domain.epp import Measure
from notifier.domain.safety import Safety, Scope, Target

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection

# What changes over a case's life, in the order of the update statement.
_CHANGING = (
    "program_digest",
    "safety",
    "agreement",
    "measure",
    "state",
    "rev",
    "priority",
    "review_reason",
    "review_since",
    "epoch",
    "already_down",
    "registration",
    "approved_digest",
    "approvers",
    "assignee",
    "state_since",
    "notified_at",
    "resolved_at",
    "closed_at",
    "response",
    "observed",
    "outcome",
    "outcome_actor",
    "aftermath",
    "undo",
    "reopened_count",
)
_UPDATE = (
    "update cases set " + ", ".join(f"{column} = ${i}" for i, column in enumerate(_CHANGING, 2)) + " where id = $1"
)

# `involved` is what the reports and evidence say, never a column that could drift from them.
_SELECT = """
select c.*,
  array(select principal from report where case_id = c.id
        union select supplied_by from evidence where case_id = c.id) as involved
from cases c
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known when a case opens and never changes after."""

    organisation: str
    suffix_version: str
    signals: list[Mapping[str, str]]
    warnings: list[str]
    registry: str | None


def row_digest(case: Case) -> str:
    """SHA-256 in hex over everything the row says; each entry of a case carries it, so that an edited row is found."""
    said = {**asdict(case.target), **dict(zip(_CHANGING, _changing(case), strict=True))}
    told = {
        **said,
        **{key: value.astimezone(UTC).isoformat() for key, value in said.items() if isinstance(value, datetime)},
        "id": case.id,
        "reference": case.reference,
        "program": case.program,
        "opened_at": case.opened_at.astimezone(UTC).isoformat(),
        "previous_case": case.previous_case,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _changing(case: Case) -> list[Any]:
    values = [getattr(case, column) for column in _CHANGING]
    return [
        str(v) if isinstance(v, CaseState | Measure | Safety) else list(v) if isinstance(v, tuple) else v
        for v in values
    ]


async def insert(con: "Connection", case: Case, origin: Origin) -> None:
    """A new case. Raises asyncpg.UniqueViolationError when one is open for the same target and program."""
    t = case.target
    fixed = {
        "id": case.id,
        "reference": case.reference,
        "program": case.program,
        "organisation": origin.organisation,
        "target": t.name,
        "scope": str(t.scope),
        "registrable": t.registrable,
        "host": t.host,
        "private_suffix": t.private_suffix,
        "tld": t.tld,
        "display": t.unicode,
        "suffix_version": origin.suffix_version,
        "signals": origin.signals,
        "warnings": origin.warnings,
        "registry": origin.registry,
        "opened_at": case.opened_at,
        "previous_case": case.previous_case,
    }
    row = fixed | dict(zip(_CHANGING, _changing(case), strict=True))
    marks = ", ".join(f"${i}" for i in range(1, len(row) + 1))
    await con.execute(f"insert into cases ({', '.join(row)}) values ({marks})", *row.values())


async def write(con: "Connection", case: Case) -> None:
    """The case as it stands after a step."""
    await con.execute(_UPDATE, case.id, *_changing(case))


def from_row(row: "asyncpg.Record") -> Case:
    """The domain's case from a row of `_SELECT`."""
    return Case(
        id=str(row["id"]),
        reference=row["reference"],
        program=row["program"],
        program_digest=row["program_digest"],
        target=Target(
            name=row["target"],
            scope=Scope(row["scope"]),
            registrable=row["registrable"],
            host=row["host"],
            private_suffix=row["private_suffix"],
            tld=row["tld"],
            unicode=row["display"],
        ),
        safety=Safety(row["safety"]),
        state=CaseState(row["state"]),
        rev=row["rev"],
        opened_at=row["opened_at"],
        state_since=row["state_since"],
        measure=Measure(row["measure"]),
        agreement=row["agreement"],
        involved=frozenset(row["involved"]),
        priority=row["priority"],
        review_reason=row["review_reason"],
        review_since=row["review_since"],
        epoch=row["epoch"],
        already_down=row["already_down"],
        registration=row["registration"],
        assignee=row["assignee"],
        approved_digest=row["approved_digest"],
        approvers=tuple(row["approvers"]),
        notified_at=row["notified_at"],
        resolved_at=row["resolved_at"],
        closed_at=row["closed_at"],
        response=row["response"],
        observed=row["observed"],
        outcome=row["outcome"],
        outcome_actor=row["outcome_actor"],
        aftermath=row["aftermath"],
        undo=row["undo"],
        reopened_count=row["reopened_count"],
        previous_case=str(row["previous_case"]) if row["previous_case"] else None,
    )


async def lock(con: "Connection", case_id: str) -> Case | None:
    """The case, locked until the transaction ends."""
    # The lock comes first: `involved` must be read after whoever held it has committed.
    if await con.fetchval("select 1 from cases where id = $1 for update", case_id) is None:
        return None
    return await get(con, case_id)


async def get(con: "Connection", case_id: str) -> Case | None:
    row = await con.fetchrow(_SELECT + " where c.id = $1", case_id)
    return from_row(row) if row else None


async def lock_open(con: "Connection", program: str, target: str) -> Case | None:
    """The one open case for this target and program, locked."""
    case_id = await con.fetchval(
        "select id from cases where program = $1 and target = $2 and state = any($3) for update",
        program,
        target,
        [str(state) for state in OPEN],
    )
    return await get(con, str(case_id)) if case_id else None


async def latest_ended(con: "Connection", program: str, target: str) -> str | None:
    """The id of the newest case that is over for this target and program."""
    found = await con.fetchval(
        "select id from cases where program = $1 and target = $2 and not state = any($3) order by opened_at desc limit 1",
        program,
        target,
        [str(state) for state in OPEN],
    )
    return str(found) if found else None
