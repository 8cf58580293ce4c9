"""Programs before they are adopted: which past decisions would differ under another version of a program, and why.

Reads only. Each case is judged as it stood when it was decided: its reports, evidence and last look of that moment.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from notifier.catalog import Catalog
from notifier.domain.case import Case
from notifier.domain.outcome import Look
from notifier.domain.policy import Finding, Verdict, evaluate
from notifier.domain.program import Program
from notifier.services import binding, evaluation
from notifier.store import assessments
from notifier.store import cases as case_store
from notifier.store.database import Connection

DECISIONS: Mapping[str, str] = {
    "case.approved": "approved",
    "case.first_approved": "first_approved",
    "case.rejected": "rejected",
}
NOT_RECORDED = "passed or absent"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule whose result would be another: `was` is pass, fail, unknown, absent, or what little was recorded."""

    rule: str
    was: str
    now: str
    guards: bool
    why: str
    mend: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """One past decision under the other version. `under`: digest of the rules it was made under.

    `differs`: it could not have been made, or not by so few; `why` says so in a sentence. `decision` is approved,
    first_approved or rejected, or evaluated when nobody has decided yet.
    """

    case_id: str
    reference: str
    domain: str
    decision: str
    at: datetime
    under: str
    differs: bool
    why: str
    rules: tuple[RuleChange, ...]
    second_reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What the log says of a decision and of the evaluation that it followed."""

    decision: str
    at: datetime
    approvers: int
    sufficient: bool
    failed: frozenset[str]
    unknown: frozenset[str]
    under: str


async def replay(catalog: Catalog, con: Connection, program: Program) -> AsyncIterator[Replayed]:
    """Every case of `program.id` that was evaluated, oldest first, one by one, in one snapshot."""
    async with con.transaction(isolation="repeatable_read", readonly=True):
        async for row in con.cursor("select id from cases where program = $1 order by opened_at, id", program.id):
            case = await case_store.get(con, str(row["id"]))
            recorded = await _recorded(con, case) if case is not None else None
            if case is not None and recorded is not None:
                yield await _replayed(catalog, con, case, recorded, program)


async def _recorded(con: Connection, case: Case) -> _Recorded | None:
    rows = await con.fetch(
        "select tag, at, body from audit_entry where case_id = $1 and tag = any($2) order by id",
        case.id,
        [*DECISIONS, "case.evaluated"],
    )
    evaluated: Any = None
    decided: tuple[str, datetime, Any] | None = None
    for row in rows:
        if row["tag"] in DECISIONS:
            decided = DECISIONS[row["tag"]], row["at"], evaluated
        else:
            evaluated = {**json.loads(row["body"])["detail"], "at": row["at"]}
    if decided is None and evaluated is not None:
        decided = "evaluated", evaluated["at"], evaluated
    if decided is None or decided[2] is None:
        return None
    decision, at, seen = decided
    return _Recorded(
        decision=decision,
        at=at,
        approvers=len(case.approvers),
        sufficient=seen["sufficient"],
        failed=frozenset(seen["failed"]),
        unknown=frozenset(seen["unknown"]),
        under=seen.get("program_digest") or case.program_digest,
    )


async def _replayed(catalog: Catalog, con: Connection, case: Case, recorded: _Recorded, program: Program) -> Replayed:
    then = await _as_it_stood(con, case, recorded.at)
    facts = await evaluation.facts_of(catalog, con, then, program, recorded.at)
    verdict = evaluate(program, facts, recorded.at, catalog.calendars)
    in_force = catalog.programs.get(program.id)
    old = None
    if in_force is not None and in_force.digest == recorded.under:  # then the old result of each rule can be told
        old = evaluate(in_force, facts, recorded.at, catalog.calendars)
    guarding = {rule.id for rule in program.guarding(facts.step)}
    why = _difference(recorded, evaluation.may_be_reviewed(program, verdict), verdict)
    return Replayed(
        case_id=case.id,
        reference=case.reference,
        domain=case.target.name,
        decision=recorded.decision,
        at=recorded.at,
        under=recorded.under,
        differs=bool(why),
        why=why,
        rules=tuple(_changes(recorded, old, verdict, guarding)),
        second_reasons=verdict.second_reasons,
    )


async def _as_it_stood(con: Connection, case: Case, at: datetime) -> Case:
    """The case with the last look that told anything by then."""
    look = await con.fetchval(
        "select look from observation where case_id = $1 and at <= $2 and purpose <> 'look' "
        "and look->'registration'->>'answer' <> 'inconclusive' order by at desc, id desc limit 1",
        case.id,
        at,
    )
    seen = Look.from_json(look) if look else None
    assessed = await assessments.latest(con, case.id, at)
    return replace(
        case,
        safety=assessed.safety if assessed else case.safety,
        registration=look,
        already_down=binding.already_down(seen) if seen else None,
    )


def _difference(recorded: _Recorded, reviewable: bool, verdict: Verdict) -> str:
    """What would be otherwise, as a sentence; empty if nothing would."""
    lacking = ", ".join(verdict.blocking)
    if recorded.decision == "evaluated":
        if recorded.sufficient and not reviewable:
            return f"it would not be open to review: {lacking}"
        return "it would be open to review" if reviewable and not recorded.sufficient else ""
    if recorded.decision == "rejected":
        return ""  # a person rejected it, and no rule asks for the contrary
    if not reviewable:
        return f"it could not have been approved: {lacking}"
    if recorded.decision == "approved" and verdict.second_reasons and recorded.approvers == 1:
        return "a second person would have had to approve it"
    return ""


def _changes(recorded: _Recorded, old: Verdict | None, verdict: Verdict, guarding: set[str]) -> list[RuleChange]:
    def was(rule: str) -> str:
        if old is not None:
            return next((str(found.result) for found in old.findings if found.rule == rule), "absent")
        return "fail" if rule in recorded.failed else "unknown" if rule in recorded.unknown else NOT_RECORDED

    def change(found: Finding) -> RuleChange:
        before = was(found.rule)
        return RuleChange(found.rule, before, str(found.result), found.rule in guarding, found.why, found.mend)

    changed = [change(found) for found in verdict.findings]
    same = {("pass", NOT_RECORDED)}
    found = [c for c in changed if c.now != c.was and (c.now, c.was) not in same]
    now = {finding.rule for finding in verdict.findings}
    then = {finding.rule for finding in old.findings} if old else recorded.failed | recorded.unknown
    gone = [
        RuleChange(rule, was(rule), "absent", False, "this version has no such rule", "") for rule in sorted(then - now)
    ]
    return [*found, *gone]
