"""What reports and evidence that come and go do to a case. Pure; `Case.apply` asks here."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.case_state import ALL_WORK, NO_APPROVAL, OPEN
from notifier.domain.case_state import CaseState as S
from notifier.domain.events import (
    EvidenceAdded,
    Fact,
    MergedInto,
    ReportJoined,
    ReportsArrived,
    ReportsLeft,
    UndoAsked,
    UndoNeedless,
)
from notifier.domain.jobs import JobKind
from notifier.errors import Conflict

if TYPE_CHECKING:
    from notifier.domain.case import Case, Step


def _joined(case: "Case", event: ReportJoined, now: datetime) -> "Step":
    case._must_be(*OPEN)
    involved = case.involved | {event.by}
    detail: dict[str, Any] = {"report": event.report_id}
    if case.state is S.APPROVED and event.by in case.approvers:
        return replace(case, involved=involved)._void(now, "approver became a party", detail)
    return case._stay(Fact("report.joined", detail), involved=involved)


def _evidence_added(case: "Case", event: EvidenceAdded, now: datetime) -> "Step":
    case._must_be(*OPEN, *((S.CLOSED,) if case.review_by else ()))
    involved = case.involved | {event.by}
    detail: dict[str, Any] = {"evidence": list(event.evidence_ids), "files": list(event.files)}
    if case.state is S.APPROVED:  # what was approved is no longer what is known
        return replace(case, involved=involved)._void(now, "evidence added", detail)
    return case._stay(Fact("evidence.added", detail), involved=involved)


def _reports_arrived(case: "Case", event: ReportsArrived, now: datetime) -> "Step":
    case._must_be(*OPEN)
    detail: dict[str, Any] = {
        "from_case": event.from_case,
        "reports": list(event.report_ids),
        "evidence": list(event.evidence_ids),
        "reason": event.reason,
    }
    tag = "case.merged" if event.merged else "report.moved_in"
    involved = case.involved | event.parties
    return _other_reports(case, now, Fact(tag, detail), "reports of another case came in", involved)


def _reports_left(case: "Case", event: ReportsLeft, now: datetime) -> "Step":
    case._must_be(*OPEN)
    detail: dict[str, Any] = {
        "into": event.to_case,
        "reports": list(event.report_ids),
        "evidence": list(event.evidence_ids),
        "reason": event.reason,
    }
    return _other_reports(case, now, Fact("report.moved_out", detail), "a report did not belong here", event.parties)


def _merged_into(case: "Case", event: MergedInto, now: datetime) -> "Step":
    case._must_be(*OPEN)
    if case.appeal_open:
        raise Conflict("an appeal is heard about it; decide that first", code="appeal_open")
    detail: dict[str, Any] = {
        "into": event.case_id,
        "reference": event.reference,
        "reports": list(event.report_ids),
        "evidence": list(event.evidence_ids),
        "told": list(event.told),
        "reason": event.reason,
    }
    # What was asked for is still watched: the looks go on, and so does the clock of what was not answered.
    stop = tuple(kind for kind in ALL_WORK if kind is not JobKind.OBSERVE) if event.told else True
    return case._to(
        S.SUPERSEDED,
        now,
        Fact("case.merged_into", detail),
        stop=stop,
        closed_at=now,
        outcome=case.outcome or "duplicate",
        outcome_actor=case.outcome_actor or "none",
        merged_into=event.case_id,
        **NO_APPROVAL,
    )


def _undo_asked(case: "Case", event: UndoAsked, now: datetime) -> "Step":
    if case.merged_into is None or case.undo != "none":
        raise Conflict("only what a merged case had asked for is taken back this way, and once")
    return case._stay(Fact("case.undo_asked", {"reason": event.reason}), undo="requested", review_by=None)


def _undo_needless(case: "Case", event: UndoNeedless, now: datetime) -> "Step":
    if case.undo != "requested":
        raise Conflict("no undo is asked for")
    return case._stay(Fact("case.undo_needless", {"notice": event.notice_id}), undo="none")


def _other_reports(case: "Case", now: datetime, fact: Fact, why: str, involved: frozenset[str]) -> "Step":
    """What was approved is no longer what is known; nor is what a first of two approved."""
    case = replace(case, involved=involved)
    if case.state is S.APPROVED:
        told = Fact(fact.tag, {**fact.detail, "digest": case.approved_digest})
        return case._to(S.IN_REVIEW, now, told, stop=True, review_reason=why, **NO_APPROVAL)
    return case._stay(fact, **(NO_APPROVAL if case.state is S.IN_REVIEW else {}))


STEPS: Mapping[type, Callable[["Case", Any, datetime], "Step"]] = {
    ReportJoined: _joined,
    EvidenceAdded: _evidence_added,
    ReportsArrived: _reports_arrived,
    ReportsLeft: _reports_left,
    MergedInto: _merged_into,
    UndoAsked: _undo_asked,
    UndoNeedless: _undo_needless,
}
