"""Views of cases. Reporters see the state of their cases and nothing of who reviews them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.epp import Measure
from notifier.domain.facts import FindingResult
from notifier.domain.lifecycle import Phase
from notifier.domain.policy import Verdict
from notifier.domain.rule import Recipient
from notifier.domain.safety import Safety, Scope
from notifier.services import correspondence
from notifier.services.access import Principal
from notifier.services.joining import Parted
from notifier.services.review import Preview
from notifier.web.views.base import STAFF, FindingOut, View
from notifier.web.views.notices import DraftOut, NoticeOut, content
from notifier.web.views.waiting import AlarmOut, TaskOut

# Of a step's detail; the rest may name people.
_FOR_ALL = frozenset({"reason", "from", "to"})


class SignalOut(View):
    """A fact about the target that its safety was judged by."""

    name: str
    value: str = Field(description="`unknown` where it could not be found out.")
    weight: Safety = Field(description="What this alone would mean.")
    source: str
    at: datetime | None = Field(description="When it was found out.")


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


class FileOut(View):
    """A file that the case holds; it is taken by its digest, and never opened here."""

    sha256: str
    size: int
    media_type: str
    name: str = Field(description="As it was called, made harmless.")
    supplied_by: str
    received_at: datetime
    erased_at: datetime | None = Field(description="Retention was over; its digest stays.")


class ApprovalOut(View):
    """Who approved what."""

    principal: str
    digest: str
    program_digest: str | None = Field(description="The rules that it was given under.")
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
    parent_effective_at: datetime | None = Field(description="Since when the parent zone's own servers show it.")
    user_effective_at: datetime | None = Field(
        description="Since when recursive resolvers show it; null also when none is asked."
    )
    verified_at: datetime | None = Field(description="When two looks first agreed that it was done.")
    relapsed_at: datetime | None = Field(description="When it was found undone; null: it was not.")
    will_drop_on: datetime | None = Field(
        description="From when on anybody may register the name if nobody renews it; null: its expiry is not known."
    )


class CaseParts(View):
    """What a case holds, for staff."""

    reports: list[CaseReportOut]
    evidence: list[EvidenceOut]
    approvals: list[ApprovalOut]
    claims: list[ClaimOut]
    notices: list[NoticeOut]
    tasks: list[TaskOut]
    alarms: list[AlarmOut]
    files: list[FileOut]
    legal_hold: bool = Field(description="Nothing of the case is erased while it stands.")
    linked_notices: list[NoticeOut] = Field(description="What cases that were merged into this one had sent.")


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
    why: str = Field(description="What the safety rests on, in a sentence.")
    measured: bool = Field(description="False: it rests on lists alone, nothing was measured yet.")
    assessed_at: datetime
    signals: list[SignalOut]
    warnings: list[str]
    registry: str | None
    agreement: str | None
    step: Recipient = Field(description="The party of the ladder whose turn it is.")
    passed: list[Recipient] = Field(description="Whose turn is over.")
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
    appeal_open: bool = Field(
        default=False, description="An appeal is heard: nothing more is asked for until it is decided."
    )
    review_by: datetime | None = Field(
        description="Something that we asked for stands, looked after by `assignee`; without fresh evidence it lapses then."
    )
    phase: Phase | None = Field(description="How far the registration is on its way out.")
    phase_since: datetime | None
    reopened_count: int
    previous_case: UUID | None
    suffix_version: str = Field(description="The suffix list that the readings come from.")
    names_version: int = Field(description="Version of the rules by which the name was read.")
    assignee: str | None = Field(description="Shown to staff.")
    approvers: list[str] | None = Field(description="Shown to staff.")
    merged_into: UUID | None = Field(description="The case that goes on with its reports.")
    embargo: bool | None = Field(description="Shown with the permission deconflict: nothing leaves.")
    second_reasons: list[str] | None = Field(
        description="What makes the rules ask for a second person. Shown to staff."
    )


class CasePage(View):
    items: list[CaseOut]
    next_cursor: str | None


class LackOut(View):
    """A rule that does not pass."""

    rule: str
    result: FindingResult
    asks: str = Field(description="What the rule asks for, in words.")
    mend: str = Field(description="What would help.")
    ours: bool = Field(description="We look at it ourselves; nobody is asked for it.")


class WantedOut(View):
    """Why the case waits for evidence."""

    note: str | None = Field(description="What the reviewer wrote who asked for more; null where only rules ask.")
    lacks: list[LackOut] = Field(description="Rules that fail or are unknown: what a reporter can mend comes first.")


class CaseDetail(CaseOut):
    """One case with what it holds."""

    wanted: WantedOut | None = Field(description="Null unless the state is `needs_evidence`.")
    parts: CaseParts | None = Field(description="Shown to staff.")


def case_row(who: Principal, row: Mapping[str, Any]) -> dict[str, Any]:
    """A case's row without what only staff may see."""
    return dict(row) if who.role in STAFF else {**row, "assignee": None, "approvers": None, "second_reasons": None}


class CaseStep(View):
    """A case after an act."""

    id: UUID
    reference: str
    state: CaseState
    rev: int
    state_since: datetime
    review_reason: str | None
    undo: str


class PartedOut(View):
    """Two cases after reports went from one to the other."""

    case: CaseStep = Field(description="The case that the request named.")
    other: CaseStep = Field(description="Where the reports are now.")

    @classmethod
    def shown(cls, parted: Parted) -> "PartedOut":
        return cls(case=CaseStep.of(parted.source), other=CaseStep.of(parted.other))


class CaseFindings(CaseStep):
    """A case after more evidence came."""

    sufficient: bool = Field(description="Every rule that guards the next step passed.")
    findings: list[FindingOut]


def findings_of(case: Case, verdict: Verdict) -> CaseFindings:
    step = CaseStep.of(case)
    findings = [FindingOut.of(finding) for finding in verdict.findings]
    return CaseFindings(**dict(step), sufficient=verdict.sufficient, findings=findings)


class EvidenceTaken(CaseFindings):
    """A case after more evidence came, and what became of its files."""

    files: list[str] = Field(description="SHA-256 of each file that was kept, in the order they came.")
    missing_files: list[str] = Field(description="Digests that the items name and no file of the case has; send those.")

    @classmethod
    def after(cls, case: Case, verdict: Verdict, kept: list[str], missing: list[str]) -> "EvidenceTaken":
        return cls(**dict(findings_of(case, verdict)), files=kept, missing_files=missing)


class ManifestOut(View):
    """All evidence of a case by digest."""

    sha256: str = Field(description="Of the exact text in `body`, hex.")
    body: str = Field(description="RFC 8785 form of the document.")


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


class ExchangeOut(View):
    """One notice that asked a party for something, and the last thing that it said."""

    notice_id: UUID
    party: Recipient
    name: str
    address: str
    measure: Measure
    at: datetime
    words: str = Field(description="All of it in a sentence, as the next party is told.")


class PreviewOut(View):
    """The notices that approval would send, and the digest that approval must name."""

    case_id: UUID
    reference: str
    state: CaseState
    digest: str
    armed: bool = Field(description="The agreement is armed: after approval and cancel window the notices leave.")
    blockers: list[str] = Field(description="Why approval is impossible now.")
    cautions: list[str]
    second_reasons: list[str] = Field(description="What a second person must weigh; both state a reason then.")
    program_digest: str = Field(description="The rules that the case was judged under.")
    sufficient: bool
    findings: list[FindingOut]
    step: Recipient = Field(description="The party of the ladder whose turn it is.")
    said: list[ExchangeOut] = Field(description="What the parties that were asked before were asked, and said.")
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
                registry=draft.recipient.id,
                party=draft.recipient.party,
                path=draft.recipient.path,
                source=draft.recipient.source,
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
            second_reasons=list(case.second_reasons),
            program_digest=case.program_digest,
            sufficient=verdict.sufficient,
            findings=[FindingOut.of(f) for f in verdict.findings],
            step=case.step,
            said=[
                ExchangeOut(
                    notice_id=UUID(e.notice_id),
                    party=e.party,
                    name=e.name,
                    address=e.address,
                    measure=Measure(e.measure),
                    at=e.at,
                    words=correspondence.in_words(e),
                )
                for e in preview.said
            ],
            notices=notices,
        )
