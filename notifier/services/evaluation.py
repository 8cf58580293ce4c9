"""A case's facts from its rows, and its program's rules over them."""

from datetime import datetime

from pydantic import TypeAdapter

from notifier.catalog import Catalog
from notifier.domain.case import Case
from notifier.domain.evidence import Evidence, parse_evidence
from notifier.domain.outcome import Look
from notifier.domain.policy import CaseFacts, FindingResult, Submission, Supplied, Verdict, evaluate
from notifier.domain.program import Program
from notifier.domain.report import ReportIn
from notifier.domain.rules import NotAlreadyDown, Recipient
from notifier.domain.safety import Assessment
from notifier.services.context import Context
from notifier.store.database import Connection

_REPORT = TypeAdapter(ReportIn)


async def reports_of(con: Connection, case_id: str) -> list[ReportIn]:
    """The case's reports, oldest first, without their evidence."""
    return [submission.report for submission in await submissions_of(con, case_id)]


async def submissions_of(con: Connection, case_id: str) -> list[Submission]:
    rows = await con.fetch(
        "select id, principal, body from report where case_id = $1 and code is null order by received_at, id",
        case_id,
    )
    return [Submission(str(r["id"]), r["principal"], _REPORT.validate_python(r["body"])) for r in rows]


async def evidence_of(con: Connection, case_id: str) -> list[tuple[str, Evidence]]:
    """The case's evidence with its ids, oldest first."""
    return [(supplied.id, supplied.item) for supplied in await supplied_of(con, case_id)]


async def supplied_of(con: Connection, case_id: str) -> list[Supplied]:
    rows = await con.fetch(
        "select id, supplied_by, body from evidence where case_id = $1 order by received_at, id", case_id
    )
    return [Supplied(str(r["id"]), r["supplied_by"], parse_evidence(r["body"])) for r in rows]


async def evaluate_case(ctx: Context, con: Connection, case: Case, now: datetime) -> Verdict:
    """The verdict over everything the case holds now."""
    seen = Look.from_json(case.registration) if case.registration else None
    facts = CaseFacts(
        target=case.target.name,
        scope=case.target.scope,
        safety=case.safety,
        reports=tuple(await submissions_of(con, case.id)),
        evidence=tuple(await supplied_of(con, case.id)),
        step=Recipient.REGISTRY if case.can_have_registry_step else Recipient.HOST,
        registered={"found": True, "absent": False}.get(seen.registration.answer) if seen else None,
        already_down=case.already_down,
    )
    return evaluate(ctx.program(case.program), facts, now, ctx.catalog.calendars)


def evaluate_report(catalog: Catalog, report: ReportIn, assessment: Assessment, now: datetime) -> Verdict:
    """The verdict over one report alone, nothing stored and nobody asked."""
    facts = CaseFacts(
        target=assessment.target.name,
        scope=assessment.target.scope,
        safety=assessment.safety,
        reports=(Submission("", "", report),),
        evidence=tuple(Supplied("", "", item) for item in report.evidence),
        step=Recipient.REGISTRY if assessment.target.scope == "domain" else Recipient.HOST,
    )
    return evaluate(catalog.programs[report.program], facts, now, catalog.calendars)


def may_be_reviewed(program: Program, verdict: Verdict) -> bool:
    """Whether nothing is left that evidence could mend. What only our own look can tell is asked before sending:
    unknown there keeps a notice from leaving, and it is no fault of the submitter's."""
    ours = {rule.id for rule in program.rules if isinstance(rule, NotAlreadyDown)}
    unknown = set(verdict.ids(FindingResult.UNKNOWN))
    return all(rule in ours and rule in unknown for rule in verdict.blocking)
