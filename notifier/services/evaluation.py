"""A case's facts from its rows, and its program's rules over them."""

from dataclasses import replace
from datetime import datetime

from pydantic import TypeAdapter

from notifier.catalog import Catalog
from notifier.domain import ladder
from notifier.domain.blast import heaviest
from notifier.domain.case import Case
from notifier.domain.epoch import Epoch
from notifier.domain.evidence import Evidence, parse_evidence
from notifier.domain.outcome import PROVEN, Look
from notifier.domain.policy import (
    CaseFacts,
    Earlier,
    FindingResult,
    Submission,
    Supplied,
    Verdict,
    evaluate,
    proved_steps,
)
from notifier.domain.program import Program
from notifier.domain.report import ReportIn
from notifier.domain.rules import NotAlreadyDown, NotSignalled, Recipient, VerifiedBefore
from notifier.domain.safety import Assessment
from notifier.services import correspondence, recipients
from notifier.services.context import Context
from notifier.store import assessments
from notifier.store.database import Connection

_REPORT = TypeAdapter(ReportIn)
_SAMPLE = 10


async def reports_of(con: Connection, case_id: str) -> list[ReportIn]:
    """The case's reports, oldest first, without their evidence."""
    return [submission.report for submission in await submissions_of(con, case_id)]


async def submissions_of(con: Connection, case_id: str, until: datetime | None = None) -> list[Submission]:
    """The case's reports, oldest first; those of `until` and before."""
    rows = await con.fetch(
        "select id, principal, organisation, body from report where case_id = $1 and code is null "
        "and ($2::timestamptz is null or received_at <= $2) order by received_at, id",
        case_id,
        until,
    )
    return [
        Submission(str(r["id"]), r["principal"], _REPORT.validate_python(r["body"]), r["organisation"]) for r in rows
    ]


async def evidence_of(con: Connection, case_id: str) -> list[tuple[str, Evidence]]:
    """The case's evidence with its ids, oldest first."""
    return [(supplied.id, supplied.item) for supplied in await supplied_of(con, case_id)]


async def supplied_of(con: Connection, case_id: str, until: datetime | None = None) -> list[Supplied]:
    """The case's evidence, oldest first; that of `until` and before. What a supplier gave twice counts once."""
    rows = await con.fetch(
        "select id, supplied_by, body from (select distinct on (sha256, supplied_by) * from evidence where case_id = $1 "
        "and ($2::timestamptz is null or received_at <= $2) order by sha256, supplied_by, received_at, id) e "
        "order by received_at, id",
        case_id,
        until,
    )
    return [Supplied(str(r["id"]), r["supplied_by"], parse_evidence(r["body"])) for r in rows]


async def sample_urls(con: Connection, case_id: str) -> list[str]:
    """The reported addresses, at most ten, oldest report first; the name's front page when none was given."""
    rows = await con.fetch(
        # A merged case is still watched for what it asked for, and its reports are with the one that went on.
        "select distinct on (url) url, received_at from report r join cases c on c.id = $1, unnest(r.urls) url "
        "where (r.case_id = c.id or (r.case_id = c.merged_into and r.domain = c.target)) and r.code is null",
        case_id,
    )
    urls = [row["url"] for row in sorted(rows, key=lambda r: (r["received_at"], r["url"]))][:_SAMPLE]
    if urls:
        return urls
    target = await con.fetchval("select target from cases where id = $1", case_id)
    return [f"http://{target}/"]


async def evaluate_case(ctx: Context, con: Connection, case: Case, now: datetime) -> Verdict:
    """The verdict over everything the case holds now."""
    return verdict_of(ctx, case, await facts_of(ctx.catalog, con, case, ctx.program(case.program)), now)


def verdict_of(ctx: Context, case: Case, facts: CaseFacts, now: datetime) -> Verdict:
    """The verdict over what is known of a case; since it was read, nothing of the case changed but whose turn it is."""
    return evaluate(ctx.program(case.program), replace(facts, step=_asked(case)), now, ctx.catalog.calendars)


def _asked(case: Case) -> Recipient:
    return case.step if case.can_ask else Recipient.HOST


async def facts_of(
    catalog: Catalog, con: Connection, case: Case, program: Program, until: datetime | None = None
) -> CaseFacts:
    """Everything known about a case, for one version of its program. `until`: as it was known then."""
    seen = Look.from_json(case.registration) if case.registration else None
    known = seen.registration if seen else None
    return CaseFacts(
        target=case.target.name,
        scope=case.target.scope,
        safety=case.safety,
        reports=tuple(_in_category(catalog, s) for s in await submissions_of(con, case.id, until)),
        evidence=(*await supplied_of(con, case.id, until), *await correspondence.asked_by_us(con, case.id, until)),
        step=_asked(case),
        registered={"found": True, "absent": False}.get(known.answer) if known else None,
        already_down=case.already_down,
        registered_at=known.registered_at if known else None,
        signals=await _signals(con, case.id, until),
        earlier=await _earlier(con, case, until) if program.rule(VerifiedBefore) else None,
        events=catalog.events_of(program.id),
    )


def _in_category(catalog: Catalog, submission: Submission) -> Submission:
    """The report under the category of the program that it was made for: another category is another matter."""
    program = catalog.programs.get(submission.report.program)
    return replace(submission, category=program.category if program else "")


async def _signals(con: Connection, case_id: str, until: datetime | None = None) -> dict[str, str]:
    """What was listed or measured about the target, by name."""
    known = await assessments.latest(con, case_id, until)
    return {name: signal.value for name, signal in heaviest(known.signals).items()} if known else {}


async def _earlier(con: Connection, case: Case, until: datetime | None) -> tuple[Earlier, ...] | None:
    """Acts on the same name in the same registration that we saw done; None while the registration is not known."""
    if case.epoch is None:
        return None
    rows = await con.fetch(
        "select c.reference, c.program, c.epoch, max(k.judged_at) as at from cases c join claim k on k.case_id = c.id "
        "where c.registrable = $1 and c.id <> $2 and c.epoch is not null and k.verdict = any($3) "
        "and c.aftermath is distinct from 'lifted_wrong' and ($4::timestamptz is null or k.judged_at <= $4) "
        "group by c.id order by c.reference",
        case.target.registrable,
        case.id,
        [str(verdict) for verdict in PROVEN],
        until,
    )
    now = Epoch.read(case.epoch)
    return tuple(
        Earlier(row["reference"], row["program"], row["at"])
        for row in rows
        if now.known and row["at"] is not None and not Epoch.read(row["epoch"]).succeeded_by(now)
    )


def evaluate_report(catalog: Catalog, report: ReportIn, assessment: Assessment, now: datetime) -> Verdict:
    """The verdict over one report alone, nothing stored and nobody asked."""
    program, target = catalog.programs[report.program], assessment.target
    facts = CaseFacts(
        target=target.name,
        scope=target.scope,
        safety=assessment.safety,
        reports=(Submission("", "", report, "", program.category),),
        evidence=tuple(Supplied("", "", item) for item in report.evidence),
        step=Recipient.REGISTRY if target.scope == "domain" else Recipient.HOST,
        signals={signal.name: signal.value for signal in assessment.signals},
        events=catalog.events_of(report.program),
    )
    proven = proved_steps(program, facts, now, catalog.calendars)
    ways = recipients.ways(catalog, program.id, target, assessment.safety)
    if rung := ladder.next_rung(program, ways, (), proven):
        facts = replace(facts, step=rung.step)
    return evaluate(program, facts, now, catalog.calendars)


def may_be_reviewed(program: Program, verdict: Verdict) -> bool:
    """Whether nothing is left that evidence could mend. What only our own look can tell is asked before sending:
    unknown there keeps a notice from leaving, and it is no fault of the submitter's."""
    ours = {rule.id for rule in program.rules if isinstance(rule, NotAlreadyDown | NotSignalled)}
    unknown = set(verdict.ids(FindingResult.UNKNOWN))
    return all(rule in ours and rule in unknown for rule in verdict.blocking)
