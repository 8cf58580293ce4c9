"""Rows of `cases`. Every write carries the next `rev`; the database refuses one without its audit entry."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from notifier.domain.case import Case
from notifier.domain.case_state import OPEN, CaseState
from notifier.domain.epp import Measure
from notifier.domain.names import NAMES_VERSION
from notifier.domain.rule import Recipient
from notifier.domain.safety import Assessment, Safety, Scope, Target
from notifier.store import assessments
from notifier.store.assessments import Stored
from notifier.store.ids import new_id

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection

# What the case is about: a later finding may narrow it to one host.
_TARGET = {
    "target": "name",
    "scope": "scope",
    "registrable": "registrable",
    "host": "host",
    "private_suffix": "private_suffix",
    "tld": "tld",
    "display": "unicode",
}
# What changes over a case's life, in the order of the update statement.
_CHANGING = (
    *_TARGET,
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
    "second_reasons",
    "merged_into",
    "step",
    "passed",
    "amendment",
    "appeal_open",
    "review_by",
    "phase",
    "phase_since",
)
# Columns that came later: an entry of the log from before them says nothing of what a row has by default.
_LATER: Mapping[str, Any] = {
    "step": "registry",
    "passed": [],
    "amendment": None,
    "appeal_open": False,
    "review_by": None,
    "phase": None,
    "phase_since": None,
}
_UPDATE = (
    "update cases set " + ", ".join(f"{column} = ${i}" for i, column in enumerate(_CHANGING, 2)) + " where id = $1"
)

# `involved` is what the reports and evidence say, never a column that could drift from them; so is `embargo` of the
# holds, which must leave no revision in the log.
_SELECT = """
select c.*,
  array(select principal from report where case_id = c.id
        union select supplied_by from evidence where case_id = c.id
        union select given_by from contact where case_id = c.id
        union select given_by from amendment where case_id = c.id) as involved,
  exists (select from deconfliction_hold where case_id = c.id and ended_at is null) as embargo
from cases c
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known when a case opens and never changes after; `assessment` is the first of its kind."""

    organisation: str
    suffix_version: str
    assessment: Assessment
    warnings: list[str]
    registry: str | None


def row_digest(case: Case) -> str:
    """SHA-256 in hex over everything the row says; each entry of a case carries it, so that an edited row is found."""
    said = dict(zip(_CHANGING, _changing(case), strict=True))
    said = {key: value for key, value in said.items() if key not in _LATER or value != _LATER[key]}
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
    values = [
        getattr(case.target, _TARGET[column]) if column in _TARGET else getattr(case, column) for column in _CHANGING
    ]
    return [str(v) if isinstance(v, StrEnum) else list(v) if isinstance(v, tuple) else v for v in values]


async def insert(con: "Connection", case: Case, origin: Origin) -> Stored:
    """A new case, and the assessment that it opens with.

    Raises asyncpg.UniqueViolationError when one is open for the same target and program.
    """
    fixed = {
        "id": case.id,
        "reference": case.reference,
        "program": case.program,
        "organisation": origin.organisation,
        "suffix_version": origin.suffix_version,
        "names_version": NAMES_VERSION,
        "warnings": origin.warnings,
        "registry": origin.registry,
        "opened_at": case.opened_at,
        "previous_case": case.previous_case,
    }
    row = fixed | dict(zip(_CHANGING, _changing(case), strict=True))
    marks = ", ".join(f"${i}" for i in range(1, len(row) + 1))
    await con.execute(f"insert into cases ({', '.join(row)}) values ({marks})", *row.values())
    found = origin.assessment.dated(case.opened_at)
    first = Stored(new_id(), case.id, case.rev, case.safety, False, found.why, found.signals, case.opened_at)
    await assessments.insert(con, first)
    return first


async def write(con: "Connection", case: Case) -> None:
    """The case as it stands after a step."""
    await con.execute(_UPDATE, case.id, *_changing(case))


def target_of(row: "asyncpg.Record") -> Target:
    """The target of a row with its seven columns."""
    return Target(
        name=row["target"],
        scope=Scope(row["scope"]),
        registrable=row["registrable"],
        host=row["host"],
        private_suffix=row["private_suffix"],
        tld=row["tld"],
        unicode=row["display"],
    )


def from_row(row: "asyncpg.Record") -> Case:
    """The domain's case from a row of `_SELECT`."""
    return Case(
        id=str(row["id"]),
        reference=row["reference"],
        program=row["program"],
        program_digest=row["program_digest"],
        target=target_of(row),
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
        second_reasons=tuple(row["second_reasons"]),
        merged_into=str(row["merged_into"]) if row["merged_into"] else None,
        embargo=row["embargo"],
        step=Recipient(row["step"]),
        passed=tuple(Recipient(party) for party in row["passed"]),
        amendment=str(row["amendment"]) if row["amendment"] else None,
        appeal_open=row["appeal_open"],
        review_by=row["review_by"],
        phase=row["phase"],
        phase_since=row["phase_since"],
    )


async def lock(con: "Connection", case_id: str) -> Case | None:
    """The case, locked until the transaction ends."""
    # The lock comes first: `involved` must be read after whoever held it has committed.
    return await get(con, case_id) if await hold(con, case_id) else None


async def hold(con: "Connection", case_id: str) -> bool:
    """Lock the case until the transaction ends, and read nothing of it; whether there is one."""
    # No stronger lock than an update takes: a case that follows this one is checked against it (foreign key) and must not wait.
    return await con.fetchval("select 1 from cases where id = $1 for no key update", case_id) is not None


async def get(con: "Connection", case_id: str) -> Case | None:
    row = await con.fetchrow(_SELECT + " where c.id = $1", case_id)
    return from_row(row) if row else None


async def lock_open(con: "Connection", program: str, target: str) -> Case | None:
    """The one open case for this target and program, locked."""
    case_id = await con.fetchval(
        "select id from cases where program = $1 and target = $2 and state = any($3) for no key update",
        program,
        target,
        [str(state) for state in OPEN],
    )
    return await get(con, str(case_id)) if case_id else None


async def merged_into(con: "Connection", case_id: str) -> list[str]:
    """Ids of the cases that were merged into this one, and into those, oldest first."""
    rows = await con.fetch(
        "with recursive family (id) as (select c.id from cases c where c.merged_into = $1 union "
        "select c.id from cases c join family f on c.merged_into = f.id) select id from family order by id",
        case_id,
    )
    return [str(row["id"]) for row in rows]


async def goes_on(con: "Connection", program: str, target: str) -> str | None:
    """The open case that an ended one of this target was merged into, if that one is about a name above the target.

    Two names that a person found to be one matter are still two names to whoever reports next.
    """
    found = await con.fetchval(
        "with recursive line (id, merged_into, state) as ("
        "  (select id, merged_into, state from cases where program = $1 and target = $2 "
        "   and merged_into is not null order by closed_at desc, id limit 1) "
        "  union select c.id, c.merged_into, c.state from cases c join line on c.id = line.merged_into "
        "  where right($2, length(c.target) + 1) = '.' || c.target) "
        "select id from line where state = any($3)",
        program,
        target,
        [str(state) for state in OPEN],
    )
    return str(found) if found else None


async def latest_ended(con: "Connection", program: str, target: str) -> str | None:
    """The id of the newest case that is over for this target and program."""
    found = await con.fetchval(
        "select id from cases where program = $1 and target = $2 and not state = any($3) order by opened_at desc, id desc limit 1",
        program,
        target,
        [str(state) for state in OPEN],
    )
    return str(found) if found else None
