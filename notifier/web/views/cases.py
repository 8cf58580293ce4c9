"""Views of cases. Reporters see the state of their cases and nothing of who reviews them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from notifier.domain.case import Case, CaseState
from notifier.domain.epp import Measure
from notifier.domain.policy import Verdict
from notifier.domain.safety import Safety, Scope
from notifier.services.access import Principal
from notifier.services.review import Preview
from notifier.web.views.base import STAFF, FindingOut, View
from notifier.web.views.notices import DraftOut, NoticeOut, content
from notifier.web.views.waiting import AlarmOut, TaskOut

# Of a step's detail; the rest may name people.
_FOR_ALL = frozenset({"reason", "from", "to"})


class SignalOut(View):
    """A fact about the target that its safety was judged by."""

    name: str
    value: str
    source: str


class CaseReportOut(View):
    """A report of the case, for staff."""

    id: UUID
    submitter: str = Field(validation_alias="principal")
    organisation: str
    external_id: str | None
    received_at: datetime
    urls: list[str]
    duplicate: bool


class EvidenceOut(View):
    """An evidence item of the case, for staff. Hostile: never open its addresses from here."""

    id: UUID
    kind: str
    sha256: str
    supplied_by: str
    received_at: datetime
    body: dict[str, Any]


class ApprovalOut(View):
    """Who approved what."""

    principal: str
    digest: str
    note: str
    at: datetime


class ClaimOut(View):
    """What somebody says was done, and what we observed of it."""

    id: UUID
    notice_id: UUID
    measure: Measure
    actor: str | None
    effective_at: datetime | None
    claimed_at: datetime
    deadline: datetime
    verdict: str
    outcome: str | None
    credited: str | None
    alarms: list[str]
    why: str
    judged_at: datetime | None


class CaseParts(View):
    """What a case holds, for staff."""

    reports: list[CaseReportOut]
    evidence: list[EvidenceOut]
    approvals: list[ApprovalOut]
    claims: list[ClaimOut]
    notices: list[NoticeOut]
    tasks: list[TaskOut]
    alarms: list[AlarmOut]


class CaseOut(View):
    """A case: one target under one program, and our work on it."""

    id: UUID
    reference: str
    program: str
    domain: str = Field(validation_alias="target", description="The target as an A-label.")
    display: str = Field(description="The target in Unicode where that reads back the same.")
    scope: Scope
    registrable: str
    host: str
    private_suffix: str | None
    tld: str
    safety: Safety
    signals: list[SignalOut]
    warnings: list[str]
    registry: str | None
    agreement: str | None
    measure: Measure
    state: CaseState
    rev: int
    priority: int
    review_reason: str | None
    epoch: str | None
    already_down: bool | None
    opened_at: datetime
    state_since: datetime
    notified_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    response: str
    observed: str
    outcome: str | None
    outcome_actor: str | None
    aftermath: str | None
    undo: str
    reopened_count: int
    previous_case: UUID | None
    suffix_version: str
    assignee: str | None = Field(description="Shown to staff.")
    approvers: list[str] | None = Field(description="Shown to staff.")


class CasePage(View):
    items: list[CaseOut]
    next_cursor: str | None


class CaseDetail(CaseOut):
    """One case with what it holds."""

    parts: CaseParts | None = Field(description="Shown to staff.")


def case_row(who: Principal, row: Mapping[str, Any]) -> dict[str, Any]:
    """A case's row without what only staff may see."""
    return dict(row) if who.role in STAFF else {**row, "assignee": None, "approvers": None}


class CaseStep(View):
    """A case after an act."""

    id: UUID
    reference: str
    state: CaseState
    rev: int
    state_since: datetime
    review_reason: str | None
    undo: str


class CaseFindings(CaseStep):
    """A case after more evidence came."""

    sufficient: bool = Field(description="Every rule that guards the next step passed.")
    findings: list[FindingOut]


def findings_of(case: Case, verdict: Verdict) -> CaseFindings:
    step = CaseStep.of(case)
    findings = [FindingOut.of(finding) for finding in verdict.findings]
    return CaseFindings(**dict(step), sufficient=verdict.sufficient, findings=findings)


class EntryOut(View):
    """A step of a case, as the audit log has it."""

    id: int
    at: datetime
    tag: str
    subject: str
    rev: int | None
    via: str
    actor: str | None = Field(description="Shown to staff, and to whoever acted.")
    detail: dict[str, Any] = Field(description="Staff see all of it, others reason and states.")


class Timeline(View):
    """Every step of a case, oldest first."""

    items: list[EntryOut]


def entry(who: Principal, row: Mapping[str, Any]) -> EntryOut:
    """A step as the principal may see it: who on our side acted is for staff."""
    if who.role in STAFF:
        return EntryOut.of(row)
    actor = row["actor"] if row["actor"] == who.id else None
    return EntryOut.of({**row, "actor": actor, "detail": {k: v for k, v in row["detail"].items() if k in _FOR_ALL}})


class ObservationOut(View):
    """One look at the target: registry RDAP, the parent zone, content."""

    id: UUID
    claim_id: UUID | None
    purpose: str
    at: datetime
    look: dict[str, Any]


class Observations(View):
    """Every look at the target, oldest first."""

    items: list[ObservationOut]


class PreviewOut(View):
    """The notices that approval would send, and the digest that approval must name."""

    case_id: UUID
    reference: str
    state: CaseState
    digest: str
    armed: bool = Field(description="The agreement is armed: after approval and cancel window the notices leave.")
    blockers: list[str] = Field(description="Why approval is impossible now.")
    cautions: list[str]
    sufficient: bool
    findings: list[FindingOut]
    notices: list[DraftOut]

    @classmethod
    def shown(cls, preview: Preview) -> "PreviewOut":
        case, verdict = preview.case, preview.verdict
        notices = [
            DraftOut(
                **content(draft.content),
                id=UUID(draft.notice.id),
                purpose=draft.notice.purpose,
                version=draft.notice.version,
                agreement=draft.notice.agreement,
                registry=draft.registry,
                measure=draft.content.measure,
                domain=draft.content.domain,
                digest=draft.content.digest,
            )
            for draft in preview.drafts
        ]
        return cls(
            case_id=UUID(case.id),
            reference=case.reference,
            state=case.state,
            digest=preview.digest,
            armed=preview.armed,
            blockers=list(preview.blockers),
            cautions=list(preview.cautions),
            sufficient=verdict.sufficient,
            findings=[FindingOut.of(f) for f in verdict.findings],
            notices=notices,
        )
