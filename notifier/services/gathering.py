"""What a notice says, gathered from everything that is known of its case; the same case says the same."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from notifier.catalog import Agreement
from notifier.domain import evidence as ev
from notifier.domain import grounds
from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.epp import Measure
from notifier.domain.evidence import Evidence
from notifier.domain.live_events import Hold
from notifier.domain.notice import ASKING, UNDO, Notice, Purpose
from notifier.domain.outcome import Look
from notifier.domain.policy import CaseFacts
from notifier.domain.program import Program
from notifier.domain.recipient import Found
from notifier.domain.report import ReportIn
from notifier.domain.rule import Recipient as Party
from notifier.domain.xarf import Item, Work
from notifier.notice_facts import (
    Ask,
    Authority,
    Contact,
    Law,
    NamedDomain,
    NoticeFacts,
    Product,
    Recipient,
    Reproduction,
    Signal,
    Statement,
    Threshold,
    Us,
    Visited,
)
from notifier.services import associated, evaluation, links
from notifier.services.context import Context
from notifier.services.evaluation import sample_urls
from notifier.store import assessments
from notifier.store import captures as capture_store
from notifier.store.captures import Captured
from notifier.store.database import Connection

# Namespace of our deterministic ids (RFC 9562 §5.5); made once, for this project.
NAMESPACE = UUID("6b6f0f0e-52a5-5b0c-9b53-0d3f1f6a7c11")
_ON_NO_LIST = Signal("lists", "on none of our lists of shared, popular and protected names", "our lists")


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a notice is written: under which agreement, to whom, what for, and when.

    `told`: the notice that it amends, reminds of or takes back; `repeats`: the withdrawal that it says once more;
    `earlier`: what it tells of what came before. `keeps`: it takes back a request for pages that are gone, and nobody wants
    them back. `hold`: until when it asks, because of a live event.
    """

    agreement: Agreement
    recipient: Found
    purpose: Purpose
    version: int
    measure: Measure
    told: Notice | None
    dated: datetime
    earlier: str = ""
    repeats: Notice | None = None
    keeps: bool = False
    hold: Hold | None = None


async def gathered(
    ctx: Context, con: Connection, case: Case, on: Occasion, notice_id: str, captured: Sequence[Captured]
) -> NoticeFacts:
    """Everything the notice says but the digest of its evidence. `captured`: our captures that it speaks of."""
    program = ctx.program(case.program)
    facts = await evaluation.facts_of(ctx.catalog, con, case, program)
    reports = [submission.report for submission in facts.reports]
    evidence = [supplied.item for supplied in facts.evidence]
    signals = await _shown(con, case)
    settings = ctx.settings
    public_url = settings.public_url.rstrip("/")
    return NoticeFacts(
        notice_id=notice_id,
        case_ref=case.reference,
        version=on.version,
        purpose=str(on.purpose),
        issued_at=on.dated,
        program=program.id,
        program_name=program.name,
        program_version=program.version,
        category=program.category,
        templates=program.templates,
        us=Us(settings.organisation, program.owner, settings.contact, settings.domain),
        recipient=Recipient(on.agreement.id, str(on.recipient.party), on.recipient.name, on.recipient.address),
        domain=_named(case, on.recipient.party),
        ask=Ask(
            on.measure,
            on.agreement.measures.get(on.measure, str(on.measure)),
            undo_of=Measure(on.told.measure) if on.told and on.purpose in UNDO else None,
            why_not_less=_justification(reports),
            keeps=on.keeps,
        ),
        description="\n\n".join(dict.fromkeys(r.summary for r in reports)),
        reply_token=links.reply_token(ctx.reply_key, notice_id),
        xarf_id=uuid5(NAMESPACE, f"xarf/{notice_id}"),
        valid_until=grounds.lapses(program, facts, on.dated),
        appeal_address=program.appeal,
        urls=await sample_urls(con, case.id),
        works=_works(reports),
        products=_products(evidence),
        laws=_laws(reports),
        grounds=grounds.grounds(program, facts),
        threshold=_threshold(program, facts),
        authority=[Authority(*astuple(p)) for p in grounds.papers(program, facts, ctx.catalog.calendars)],
        contacts=_contacts(evidence),
        collateral=signals or [_ON_NO_LIST],
        evidence=index(evidence),
        reproductions=_reproductions(captured) if on.purpose in ASKING else (),
        statements=_statements(program, reports),
        associated=await associated.names(con, case, on.agreement, on.dated) if on.purpose in ASKING else (),
        earlier=on.earlier,
        repeats=_repeated(on.repeats),
        reply_url=f"{public_url}/api/v1/notices/{notice_id}/responses",
        answer_url=links.url_of(public_url, ctx.reply_key, notice_id),
        registrant_languages=program.registrant_languages,
        appeal_url=links.appeal_url(public_url, ctx.reply_key, notice_id) if on.purpose in ASKING else "",
        thread_key=on.told.send_key if on.told else "",
        until=on.hold.until if on.hold else None,
        simulated=settings.simulated,
    )


def _repeated(undo: Notice | None) -> str:
    return "" if undo is None else f"our withdrawal of {undo.sent_at:%Y-%m-%d %H:%M} UTC, notice {undo.id}"


async def captures_of(con: Connection, case: Case) -> list[Captured]:
    """Our newest capture of each reported page; of what is approved those that its approvers had before them."""
    mark = None
    if case.approved_digest is not None and case.state is not CaseState.IN_REVIEW:
        mark = await capture_store.approved_mark(con, case.id, case.approved_digest)
    return await capture_store.latest(con, case.id, await sample_urls(con, case.id), mark)


def _reproductions(captured: Sequence[Captured]) -> list[Reproduction]:
    """How to see the pages as we did; of a page that nobody was shown there is nothing to tell."""
    return [
        Reproduction(
            row.url,
            row.at,
            [_told(visit) for visit in row.visits if visit["status"] is not None],
            tuple(row.differences),
            row.warc_sha256,
        )
        for row in captured
        if any(visit["status"] is not None for visit in row.visits)
    ]


def _told(visit: Mapping[str, Any]) -> Visited:
    return Visited(
        visit["looks_like"],
        visit["user_agent"] or "",
        visit["referrer"] or "",
        visit["language"] or "",
        visit["status"],
        visit["site"],
        visit["words"],
    )


async def _shown(con: Connection, case: Case) -> list[Signal]:
    """The signals that the notice tells of: of an approved one those that its approvers saw, whatever came after."""
    known = None
    if case.approved_digest is not None and case.state is not CaseState.IN_REVIEW:
        known = await assessments.approved(con, case.id, case.approved_digest)
    known = known or await assessments.latest(con, case.id)
    told = [s for s in known.signals if s.name != "program"] if known else []
    return [Signal(s.name.replace("_", " "), s.value, _dated(s.source, s.at)) for s in told]


def _dated(source: str, at: datetime | None) -> str:
    return f"{source}, looked up {at:%Y-%m-%d %H:%M} UTC" if at else source


def named(case: Case, party: Party) -> str:
    """The name that a notice is about: the host is asked about the site, the others about the registration."""
    return case.target.name if party is Party.HOST else case.target.registrable


def _named(case: Case, party: Party) -> NamedDomain:
    seen = Look.from_json(case.registration) if case.registration else None
    if seen is None or seen.registration.answer != "found":
        return NamedDomain(named(case, party), case.target.unicode, seen.at if seen else None)
    r = seen.registration
    return NamedDomain(
        named(case, party),
        case.target.unicode,
        seen.at,
        r.handle,
        r.registrar_name,
        r.registrar_iana_id,
        r.registered_at,
        r.expires_at,
        r.statuses,
    )


def _justification(reports: Sequence[ReportIn]) -> str:
    return next((r.statements.justification for r in reports if r.statements.justification), "")


def _works(reports: Sequence[ReportIn]) -> list[Work]:
    works = {(w.title, w.kind, w.right_holder): None for r in reports for w in r.works}
    return [Work(title, kind, holder) for title, kind, holder in works]


def _laws(reports: Sequence[ReportIn]) -> list[Law]:
    laws = {(law.law, law.why): None for r in reports for law in r.statements.laws}
    return [Law(name, why) for name, why in laws]


def _products(evidence: Sequence[Evidence]) -> list[Product]:
    letters = [item for item in evidence if isinstance(item, ev.WarningLetter)]
    products = {
        (p.name, p.active_ingredient or "", p.drug_class, p.violation): None
        for letter in letters
        for p in letter.products
    }
    return [Product(*product) for product in products]


def _threshold(program: Program, facts: CaseFacts) -> Threshold | None:
    """What the program counts, never more: the pages on which its reviewers agree, and the interval of their share."""
    result = grounds.threshold(program, facts)
    if result is None:
        return None
    samples = [item for item in _items(facts, result.evidence) if isinstance(item, ev.Sample)]
    drawn = [f"{s.method}, seed {s.seed}{f', of {s.population} pages' if s.population else ''}" for s in samples]
    share = f"infringing share {100 * result.low:.1f}-{100 * result.high:.1f} % (Wilson interval)"
    return Threshold(result.pages, result.infringing, f"{'; '.join(drawn)}; {share}")


def _items(facts: CaseFacts, ids: Sequence[str]) -> list[Evidence]:
    return [supplied.item for supplied in facts.evidence if supplied.id in ids]


def _contacts(evidence: Sequence[Evidence]) -> list[Contact]:
    return [
        Contact(
            item.party,
            "of record",
            item.address,
            item.contacted_at,
            None if item.response == "none" else item.summary,
        )
        for item in evidence
        if isinstance(item, ev.PriorContact)
    ]


def index(evidence: Sequence[Evidence]) -> list[Item]:
    """What was seen, where, when and by whom it can be repeated; nothing of who brought it."""
    found = []
    for item in evidence:
        if isinstance(item, ev.Capture | ev.Screenshot):
            vantage = item.vantage if isinstance(item, ev.Capture) else ""
            found.append(Item(item.kind, item.captured_at, item.url, vantage, item.sha256))
        elif isinstance(item, ev.StreamMatch):
            found.append(Item(item.kind, item.points[-1].stream_at, item.url, item.vantage, item.sha256))
        elif isinstance(item, ev.TestPurchase):
            found.append(Item(item.kind, item.ordered_at, item.url, "", item.sha256))
        elif isinstance(item, ev.LicenceCheck):
            found.append(Item(item.kind, item.checked_at, item.url, item.source, item.sha256))
    return sorted(found, key=lambda i: (i.at, i.kind, i.url or ""))


def _statements(program: Program, reports: Sequence[ReportIn]) -> list[Statement]:
    """The submitters' own attestations; the organisation speaks, staff are not named to a recipient."""
    found: dict[str, Statement] = {}
    for report in reports:
        said = report.statements
        if said.good_faith:
            found.setdefault(
                "good faith",
                Statement("good faith", "believes in good faith that this report is right", program.owner),
            )
        if said.accuracy:
            found.setdefault(
                "accuracy",
                Statement("accuracy", "states that the information is accurate and complete", program.owner),
            )
        if said.authorisation:
            holders = ", ".join(said.authorisation.right_holders)
            found.setdefault(
                "authorisation",
                Statement("authorisation", f"{said.authorisation.statement} ({holders})", program.owner),
            )
        if said.human_review:
            found.setdefault(
                "human review",
                Statement(
                    "human review",
                    "a person reviewed the evidence; machines were at most a lead",
                    program.owner,
                    said.human_review.at,
                ),
            )
        if said.nexus:
            found.setdefault("nexus", Statement("nexus", said.nexus, program.owner))
    return list(found.values())
