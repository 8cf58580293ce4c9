"""The notices that approving a case would send: gathered from what is known, rendered whole, frozen by digest.

Everything here is deterministic: notice id and reply token follow from case, agreement, purpose and version, and
dates from when the review began. The same case drafts the same bytes, so an approval can name their digest.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import rfc8785

from notifier.adapter import Attachment, RenderedNotice
from notifier.catalog import Agreement
from notifier.domain import evidence as ev
from notifier.domain.case import Case
from notifier.domain.epp import Measure
from notifier.domain.evidence import Evidence
from notifier.domain.notice import Notice, NoticeState, Purpose
from notifier.domain.outcome import Look
from notifier.domain.program import Program
from notifier.domain.report import ReportIn
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
    Signal,
    Statement,
    Threshold,
    Us,
)
from notifier.services import evaluation
from notifier.services.context import Context
from notifier.services.outcomes import sample_urls
from notifier.store.database import Connection

# Namespace of our deterministic ids (RFC 9562 §5.5); made once, for this project.
_NAMESPACE = UUID("6b6f0f0e-52a5-5b0c-9b53-0d3f1f6a7c11")
_TOKEN_CHARS = 26
_ON_NO_LIST = Signal("lists", "on none of our lists of shared, popular and protected names", "our lists")


@dataclass(frozen=True, slots=True)
class Draft:
    """A notice that would go, and everything it says."""

    notice: Notice
    registry: str
    content: RenderedNotice


async def draft(ctx: Context, con: Connection, case: Case) -> list[Draft]:
    """What approval would send now; empty when there is nobody to write to."""
    if case.agreement is None or not case.can_have_registry_step:
        return []
    agreement = ctx.catalog.agreements.get(case.agreement)
    if agreement is None or case.measure not in agreement.measures:
        return []
    earlier = await con.fetchrow(
        "select count(*) filter (where state not in ('queued', 'cancelled')) as left_us, "
        "count(*) filter (where state = 'cancelled') as cancelled from notice where case_id = $1 and agreement = $2",
        case.id,
        agreement.id,
    )
    version = 1 + int(earlier["left_us"])
    # What was cancelled keeps its row and its id; the recipient never saw it, so the version does not count it.
    return [
        await _draft(
            ctx,
            con,
            case,
            agreement,
            Purpose.REQUEST,
            version,
            case.measure,
            None,
            discarded=int(earlier["cancelled"]),
        )
    ]


async def draft_undo(ctx: Context, con: Connection, case: Case, told: Notice, reason: str, now: datetime) -> Draft:
    """The withdrawal for one party that was told. Asking for less waits for nobody, so it is dated now."""
    agreement = ctx.agreement(told.agreement)
    return await _draft(
        ctx,
        con,
        case,
        agreement,
        Purpose.WITHDRAWAL,
        told.version + 1,
        Measure.RESTORE,
        told,
        earlier=reason,
        dated=now,
    )


def digest_of(drafts: Sequence[Draft]) -> str:
    """One digest over all notices of a step: what a preview shows and an approval names."""
    return hashlib.sha256(rfc8785.dumps([d.content.digest for d in drafts])).hexdigest()


async def _draft(
    ctx: Context,
    con: Connection,
    case: Case,
    agreement: Agreement,
    purpose: Purpose,
    version: int,
    measure: Measure,
    told: Notice | None,
    *,
    earlier: str = "",
    dated: datetime | None = None,
    discarded: int = 0,
) -> Draft:
    key = f"{case.id}/{agreement.id}/{purpose}/{version}" + (f"/{discarded}" if discarded else "")
    notice_id = str(uuid5(_NAMESPACE, key))
    token = reply_token(ctx.reply_key, notice_id)
    at = dated or case.review_since or case.opened_at
    facts = await _facts(ctx, con, case, agreement, purpose, version, measure, told, notice_id, token, at, earlier)
    content = ctx.renderer.notice(facts)
    notice = Notice(
        id=notice_id,
        case_id=case.id,
        agreement=agreement.id,
        purpose=purpose,
        version=version,
        state=NoticeState.QUEUED,
        measure=str(measure),
        domain=case.target.registrable,
        digest=content.digest,
        send_key=f"tn-{notice_id}",
        reply_token=token,
        approved_by=None,
        drafted_at=at,
    )
    return Draft(notice, agreement.registry, content)


def reply_token(key: bytes, notice_id: str) -> str:
    """130 bits that nobody can guess, in lower case since gateways fold the local part of an address."""
    mac = hmac.new(key, notice_id.encode(), hashlib.sha256).digest()
    return base64.b32encode(mac).decode().lower()[:_TOKEN_CHARS]


# --- freezing -----------------------------------------------------------------------------------------------------


def freeze(content: RenderedNotice) -> dict[str, Any]:
    """The notice as JSON, bytes as base64, so that a retry sends what was approved to the byte."""
    data = asdict(content)
    data["measure"] = str(content.measure)
    data["issued_at"] = content.issued_at.isoformat()
    data["xarf"] = base64.b64encode(content.xarf).decode()
    data["attachments"] = [{**asdict(a), "content": base64.b64encode(a.content).decode()} for a in content.attachments]
    return data


def thaw(data: Mapping[str, Any]) -> RenderedNotice:
    """The notice that `freeze` wrote."""
    return RenderedNotice(
        **{
            **data,
            "measure": Measure(data["measure"]),
            "issued_at": datetime.fromisoformat(data["issued_at"]),
            "xarf": base64.b64decode(data["xarf"]),
            "attachments": tuple(
                Attachment(**{**a, "content": base64.b64decode(a["content"])}) for a in data["attachments"]
            ),
        }
    )


# --- what it says -------------------------------------------------------------------------------------------------


async def _facts(
    ctx: Context,
    con: Connection,
    case: Case,
    agreement: Agreement,
    purpose: Purpose,
    version: int,
    measure: Measure,
    told: Notice | None,
    notice_id: str,
    token: str,
    at: datetime,
    earlier: str,
) -> NoticeFacts:
    program = ctx.program(case.program)
    reports = await evaluation.reports_of(con, case.id)
    evidence = [item for _, item in await evaluation.evidence_of(con, case.id)]
    signals = await con.fetchval("select signals from cases where id = $1", case.id)
    settings = ctx.settings
    public_url = settings.public_url.rstrip("/")
    return NoticeFacts(
        notice_id=notice_id,
        case_ref=case.reference,
        version=version,
        purpose=str(purpose),
        issued_at=at,
        program=program.id,
        program_name=program.name,
        program_version=program.version,
        category=program.category,
        templates=program.templates,
        us=Us(settings.organisation, program.owner, settings.contact, settings.domain),
        recipient=Recipient(agreement.id, "registry", agreement.recipient_name, agreement.recipient_address),
        domain=_named(case),
        ask=Ask(
            measure,
            agreement.measures.get(measure, str(measure)),
            undo_of=Measure(told.measure) if told else None,
            why_not_less=_justification(reports),
        ),
        description="\n\n".join(dict.fromkeys(r.summary for r in reports)),
        reply_token=token,
        xarf_id=uuid5(_NAMESPACE, f"xarf/{notice_id}"),
        valid_until=at + program.windows.validity,
        appeal_address=program.appeal,
        urls=await sample_urls(con, case.id),
        works=_works(reports),
        products=_products(evidence),
        laws=_laws(reports),
        threshold=_threshold(evidence),
        authority=_authority(evidence),
        contacts=_contacts(evidence),
        collateral=[Signal(s["name"], s["value"], s["source"]) for s in signals] or [_ON_NO_LIST],
        evidence=_index(evidence),
        statements=_statements(program, reports),
        earlier=earlier,
        reply_url=f"{public_url}/api/v1/notices/{notice_id}/responses",
        thread_key=told.send_key if told else "",
        simulated=settings.simulated,
    )


def _named(case: Case) -> NamedDomain:
    seen = Look.from_json(case.registration) if case.registration else None
    if seen is None or seen.registration.answer != "found":
        return NamedDomain(case.target.registrable, case.target.unicode, seen.at if seen else None)
    r = seen.registration
    return NamedDomain(
        case.target.registrable,
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


def _threshold(evidence: Sequence[Evidence]) -> Threshold | None:
    samples = [item for item in evidence if isinstance(item, ev.Sample) and item.method != "chosen"]
    if not samples:
        return None
    best = max(samples, key=lambda s: len(s.items))
    infringing = sum(1 for page in best.items if page.label == "infringing")
    return Threshold(len(best.items), infringing, f"{best.method}, seed {best.seed}")


def _authority(evidence: Sequence[Evidence]) -> list[Authority]:
    found = []
    for item in evidence:
        if isinstance(item, ev.WarningLetter):
            due = f"{item.response_due.working_days} working days ({item.response_due.calendar})"
            found.append(Authority("warning letter", item.reference, item.issued_on.isoformat(), due, item.response))
        elif isinstance(item, ev.CourtOrder):
            found.append(Authority(f"order of {item.issuer}", item.reference, item.issued_on.isoformat()))
    return found


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


def _index(evidence: Sequence[Evidence]) -> list[Item]:
    found = []
    for item in evidence:
        if isinstance(item, ev.Capture | ev.Screenshot):
            vantage = item.vantage if isinstance(item, ev.Capture) else ""
            found.append(Item(item.kind, item.captured_at, item.url, vantage, item.sha256))
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
