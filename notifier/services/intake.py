"""Reports in: kept raw, named exactly, checked, and joined to the one open case of their target. Stored before the 2xx.

A refused report is stored too. Of one marked as child sexual abuse material only its hash and time are kept.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from notifier.catalog import Catalog
from notifier.domain.case import Case, CaseState
from notifier.domain.events import Evaluated, ReportJoined
from notifier.domain.evidence import Evidence
from notifier.domain.evidence import content as evidence_content
from notifier.domain.evidence import digest as evidence_digest
from notifier.domain.notice import NoticeState
from notifier.domain.policy import Finding, FindingResult, Verdict
from notifier.domain.report import REPORT_MAX_BYTES, ReportIn
from notifier.domain.safety import Safety
from notifier.errors import Conflict, NotifierError, Refused, TooLarge
from notifier.services import access, dispatch, evaluation
from notifier.services.access import DAEMON, Principal, Role
from notifier.services.context import Context
from notifier.services.understanding import Understood, understand
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.cases import Origin
from notifier.store.database import AlreadyThere, Tx, storable
from notifier.store.ids import new_id

log = structlog.get_logger(__name__)

URGENT = 10


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of one report. `code` is a refusal code; `known`: these ids are from an earlier submission."""

    report_id: str | None
    case_id: str | None
    reference: str | None
    domain: str | None
    host: str | None
    registrable: str | None
    private_suffix: str | None
    registry: str | None
    code: str | None
    detail: str | None
    safety: str | None
    state: str | None
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]
    duplicate_of: str | None
    known: bool = False


async def submit(
    ctx: Context,
    who: Principal,
    raw: bytes,
    *,
    media_type: str = "application/json",
    idempotency_key: str | None = None,
    via: str = "api",
) -> Submitted:
    """Take one report as JSON bytes. A refusal is a result with `code`, not an exception.

    Raises Forbidden for a role that may not submit, TooLarge, and Conflict when the idempotency key was used for
    other bytes.
    """
    access.require(who, Role.SUBMITTER)
    if len(raw) > REPORT_MAX_BYTES:
        raise TooLarge(f"a report is at most {REPORT_MAX_BYTES} bytes; send files with POST /cases/ID/evidence")
    media_type = storable(media_type)
    idempotency_key = storable(idempotency_key) if idempotency_key is not None else None
    if known := await _known(ctx, who, raw, idempotency_key, None):
        return known
    try:
        understood = understand(ctx.catalog, who, raw)
    except NotifierError as refusal:
        try:
            return await keep_refused(ctx, who, raw, media_type, idempotency_key, via, refusal)
        except AlreadyThere:  # the same key came in beside us
            if known := await _known(ctx, who, raw, idempotency_key, None):
                return known
            raise
    if known := await _known(ctx, who, raw, None, understood.report):
        return known
    try:
        return await _store(ctx, who, raw, media_type, idempotency_key, via, understood)
    except AlreadyThere:  # the same report, or the same target's first case, came in beside us
        if known := await _known(ctx, who, raw, idempotency_key, understood.report):
            return known
        return await _store(ctx, who, raw, media_type, idempotency_key, via, understood)


# --- storing ------------------------------------------------------------------------------------------------------


async def _store(
    ctx: Context,
    who: Principal,
    raw: bytes,
    media_type: str,
    key: str | None,
    via: str,
    understood: Understood,
) -> Submitted:
    report, target = understood.report, understood.assessment.target
    report_id = new_id()
    async with ctx.db.transaction(who.id, via) as tx:
        case = await case_store.lock_open(tx.con, report.program, target.name)
        joined = case is not None
        if case is None:
            case = await _open(ctx, tx, who, understood, report_id)
        await _insert_report(tx, report_id, who, raw, media_type, key, via, understood, case, joined)
        await insert_evidence(tx, case.id, report_id, who, report.evidence)
        if joined:
            before = case.state
            case = await tx.save(case.apply(ReportJoined(report_id, who.id), tx.now))
            if before is CaseState.APPROVED and case.state is not CaseState.APPROVED:
                await dispatch.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
        verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
        case = await judge(ctx, tx, case, verdict)
    return _result(
        ctx.catalog,
        understood,
        str(case.safety),
        str(case.state),
        verdict,
        report_id=report_id,
        case_id=case.id,
        reference=case.reference,
        duplicate_of=case.reference if joined else None,
    )


async def judge(ctx: Context, tx: Tx, case: Case, verdict: Verdict) -> Case:
    """Apply an evaluation; a case that may be reviewed but has nobody to write to becomes a person's task."""
    event = Evaluated(
        evaluation.may_be_reviewed(ctx.program(case.program), verdict),
        verdict.ids(FindingResult.FAIL),
        verdict.ids(FindingResult.UNKNOWN),
    )
    case = await tx.save(case.apply(event, tx.now))
    if case.state is CaseState.IN_REVIEW and case.agreement is None:
        await notice_store.open_task(tx.con, "no_contact", _why_nobody(ctx, case), tx.now, case_id=case.id)
    return case


def _why_nobody(ctx: Context, case: Case) -> str:
    if not case.can_have_registry_step:
        return f"{case.target.name} is one site on a shared name: its host or its registrant is to be asked, never the registry"
    registry = ctx.catalog.registry_for(case.target.tld)
    operator = registry.name if registry else f"the operator of .{case.target.tld}"
    return f"no agreement of {case.program} with {operator}: find the host or the registrar to ask"


async def _open(ctx: Context, tx: Tx, who: Principal, understood: Understood, report_id: str) -> Case:
    report, assessment, name = understood.report, understood.assessment, understood.name
    program = ctx.program(report.program)
    target = assessment.target
    registry = ctx.catalog.registry_for(target.tld)
    number: int = await tx.con.fetchval("select nextval('case_number')")
    case = Case(
        id=new_id(),
        reference=f"TN-{tx.now:%Y}-{number:06d}",
        program=program.id,
        program_digest=program.digest,
        target=target,
        safety=Safety.SECOND_REVIEW
        if program.second_review and assessment.safety is Safety.CLEAR
        else assessment.safety,
        state=CaseState.RECEIVED,
        rev=1,
        opened_at=tx.now,
        state_since=tx.now,
        measure=program.default_measure,
        agreement=None,
        involved=frozenset({who.id}),
        priority=URGENT if report.priority == "urgent" else 0,
        previous_case=await case_store.latest_ended(tx.con, program.id, target.name),
    )
    agreement = (
        ctx.catalog.agreement_for(program.id, registry.id, target.tld)
        if registry and case.can_have_registry_step
        else None
    )
    if agreement:
        case = replace(case, agreement=agreement.id)
    origin = Origin(
        who.organisation,
        name.suffix_version,
        [{"name": s.name, "value": s.value, "source": s.source} for s in assessment.signals],
        list(name.warnings),
        registry.id if registry else None,
    )
    return await tx.open(Case.open(case, report_id), origin)


async def _insert_report(
    tx: Tx,
    report_id: str,
    who: Principal,
    raw: bytes,
    media_type: str,
    key: str | None,
    via: str,
    understood: Understood,
    case: Case,
    duplicate: bool,
) -> None:
    report = understood.report
    await tx.con.execute(
        "insert into report (id, case_id, principal, organisation, via, program, external_id, idempotency_key, raw, raw_sha256, "
        "media_type, domain, urls, body, duplicate, received_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        report_id,
        case.id,
        who.id,
        who.organisation,
        via,
        report.program,
        report.external_id,
        key,
        raw,
        hashlib.sha256(raw).digest(),
        media_type,
        understood.assessment.target.name,
        list(understood.urls),
        report.model_dump(mode="json", exclude={"evidence"}, exclude_none=True, by_alias=True),
        duplicate,
        tx.now,
    )
    await tx.audit(
        "report.received",
        report_id,
        {"sha256": hashlib.sha256(raw).hexdigest(), "duplicate": duplicate},
        case.id,
    )


async def insert_evidence(
    tx: Tx, case_id: str, report_id: str | None, who: Principal, items: Sequence[Evidence]
) -> list[str]:
    """Evidence of a case, each item once for each supplier; the new rows' ids."""
    rows = [
        (new_id(), case_id, report_id, who.id, item.kind, evidence_digest(item), evidence_content(item), tx.now)
        for item in items
    ]
    await tx.con.executemany(
        "insert into evidence (id, case_id, report_id, supplied_by, kind, sha256, body, received_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
        rows,
    )
    return [row[0] for row in rows]


async def keep_refused(
    ctx: Context,
    who: Principal,
    raw: bytes,
    media_type: str,
    key: str | None,
    via: str,
    refusal: NotifierError,
) -> Submitted:
    """Keep what was refused, with its submitter; of one marked as CSAM nothing but hash, code and time."""
    report_id = new_id()
    forget = refusal.code == "csam_refused"
    digest = hashlib.sha256(raw)
    async with ctx.db.transaction(DAEMON if forget else who.id, via) as tx:
        await tx.con.execute(
            "insert into report (id, principal, organisation, via, program, idempotency_key, raw, raw_sha256, media_type, "
            "code, detail, received_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            report_id,
            "" if forget else who.id,
            "" if forget else who.organisation,
            via,
            "" if forget else _program_named(raw),
            None if forget else key,
            None if forget else raw,
            digest.digest(),
            media_type,
            refusal.code,
            storable(refusal.detail),
            tx.now,
        )
        await tx.audit("report.refused", report_id, {"code": refusal.code, "sha256": digest.hexdigest()})
    return refused(report_id, refusal)


def _program_named(raw: bytes) -> str:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    named = data.get("program") if isinstance(data, Mapping) else None
    return storable(named)[:100] if isinstance(named, str) else ""


# --- known already ------------------------------------------------------------------------------------------------


async def _known(
    ctx: Context, who: Principal, raw: bytes, key: str | None, report: ReportIn | None
) -> Submitted | None:
    """The result of an earlier submission under the same idempotency key or external id."""
    row = None
    if key is not None:
        row = await ctx.db.fetchrow("select * from report where principal = $1 and idempotency_key = $2", who.id, key)
        if row and row["raw_sha256"] != hashlib.sha256(raw).digest():
            raise Conflict(
                "this Idempotency-Key came with another body before; use a new key",
                code="idempotency_mismatch",
            )
    if row is None and report is not None and report.external_id is not None:
        row = await ctx.db.fetchrow(
            "select * from report where organisation = $1 and program = $2 and external_id = $3 and code is null",
            who.organisation,
            report.program,
            report.external_id,
        )
    return await _from_row(ctx, row) if row else None


async def _from_row(ctx: Context, row: Mapping[str, Any]) -> Submitted:
    if row["code"] is not None:
        return replace(refused(str(row["id"]), Refused(row["detail"] or "", code=row["code"])), known=True)
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, str(row["case_id"]))
        if case is None:
            raise LookupError(f"report {row['id']} has no case")
        verdict = await evaluation.evaluate_case(ctx, con, case, now)
        place = await con.fetchrow("select registry, warnings from cases where id = $1", case.id)
    return Submitted(
        report_id=str(row["id"]),
        case_id=case.id,
        reference=case.reference,
        domain=case.target.name,
        host=case.target.host,
        registrable=case.target.registrable,
        private_suffix=case.target.private_suffix,
        registry=place["registry"] if place else None,
        code=None,
        detail=None,
        safety=str(case.safety),
        state=str(case.state),
        findings=verdict.findings,
        warnings=tuple(place["warnings"]) if place else (),
        duplicate_of=case.reference if row["duplicate"] else None,
        known=True,
    )


# --- results ------------------------------------------------------------------------------------------------------


def refused(report_id: str | None, refusal: NotifierError) -> Submitted:
    """A refusal as a result; `report_id` None when nothing was stored."""
    nothing: dict[str, Any] = dict.fromkeys(
        (
            "case_id",
            "reference",
            "domain",
            "host",
            "registrable",
            "private_suffix",
            "registry",
            "safety",
            "state",
            "duplicate_of",
        )
    )
    return Submitted(report_id=report_id, code=refusal.code, detail=refusal.detail, findings=(), warnings=(), **nothing)


def _result(
    catalog: Catalog, understood: Understood, safety: str, state: str, verdict: Verdict, **ids: str | None
) -> Submitted:
    target = understood.assessment.target
    registry = catalog.registry_for(target.tld)
    return Submitted(
        report_id=ids.get("report_id"),
        case_id=ids.get("case_id"),
        reference=ids.get("reference"),
        domain=target.name,
        host=understood.name.host,
        registrable=target.registrable,
        private_suffix=target.private_suffix,
        registry=registry.id if registry else None,
        code=None,
        detail=None,
        safety=safety,
        state=state,
        findings=verdict.findings,
        warnings=understood.name.warnings,
        duplicate_of=ids.get("duplicate_of"),
    )


def dry_run(catalog: Catalog, who: Principal, raw: bytes, now: datetime) -> Submitted:
    """What `submit` would say, with nothing stored and nobody asked. Measured signals are unknown in it."""
    try:
        understood = understand(catalog, who, raw)
    except NotifierError as refusal:
        return refused(None, refusal)
    report, assessment = understood.report, understood.assessment
    verdict = evaluation.evaluate_report(catalog, report, assessment, now)
    reviewable = evaluation.may_be_reviewed(catalog.programs[report.program], verdict)
    state = CaseState.IN_REVIEW if reviewable else CaseState.NEEDS_EVIDENCE
    return _result(catalog, understood, str(assessment.safety), str(state), verdict)
