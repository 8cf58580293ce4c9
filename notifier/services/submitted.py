"""What became of a report, as its submitter is told; and what would become of one, with nothing stored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from notifier.catalog import Catalog
from notifier.domain.case_state import CaseState
from notifier.domain.policy import Finding, Verdict
from notifier.errors import NotifierError, Refused
from notifier.services import evaluation
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.understanding import Understood, understand
from notifier.store import cases as case_store


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of one report. `code` is a refusal code; `known`: these ids are from an earlier submission.

    `retry_after`: seconds after which a report that was over a quota may come again.
    """

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
    retry_after: int | None = None


async def of_row(ctx: Context, row: Mapping[str, Any]) -> Submitted:
    """The result of a report that was taken before, as its case stands now."""
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
    return Submitted(
        report_id=report_id,
        code=refusal.code,
        detail=refusal.detail,
        findings=(),
        warnings=(),
        retry_after=refusal.extra.get("retry_after"),
        **nothing,
    )


def result(
    catalog: Catalog, understood: Understood, safety: str, state: str, verdict: Verdict, **ids: str | None
) -> Submitted:
    """The result of a report that was taken, or would be."""
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
    return result(catalog, understood, str(assessment.safety), str(state), verdict)
