"""Reports in: kept raw, named exactly, checked, and joined to the one open case of their target. Stored before the 2xx.

A refused report is stored too. Of one marked as child sexual abuse material only its hash and time are kept.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from notifier.domain.case import Case
from notifier.domain.case_state import OPEN, CaseState
from notifier.domain.events import ApprovalVoided, ReportJoined
from notifier.domain.evidence import Evidence
from notifier.domain.evidence import content as evidence_content
from notifier.domain.evidence import digest as evidence_digest
from notifier.domain.jobs import Job, JobKind
from notifier.domain.notice import NoticeState
from notifier.domain.policy import Verdict
from notifier.domain.report import REPORT_MAX_BYTES, ReportIn
from notifier.errors import Conflict, NotifierError, TooLarge, TooMany
from notifier.services import (
    access,
    accuracy,
    binding,
    drafting,
    evaluation,
    judging,
    letters,
    news,
    opening,
    quotas,
    slots,
    submitted,
)
from notifier.services.access import DAEMON, Principal, Role
from notifier.services.context import Context
from notifier.services.opening import Opening
from notifier.services.remembering import remembered
from notifier.services.submitted import Submitted
from notifier.services.understanding import Understood, understand
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import AlreadyThere, Tx, storable
from notifier.store.ids import new_id

log = structlog.get_logger(__name__)


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
        await quotas.ahead(ctx, who, urgent=understood.report.priority == "urgent")
        try:
            return await _store(ctx, who, raw, media_type, idempotency_key, via, understood)
        except AlreadyThere:  # the same report, or the same target's first case, came in beside us
            if known := await _known(ctx, who, raw, idempotency_key, understood.report):
                return known
            return await _store(ctx, who, raw, media_type, idempotency_key, via, understood)
    except TooMany as over:
        return await keep_refused(ctx, who, raw, media_type, None, via, over)


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
    report_id = new_id()
    async with ctx.db.transaction(who.id, via) as tx:
        understood = await remembered(ctx, tx, understood)
        case, joined, verdict = await _put(ctx, tx, who, report_id, raw, media_type, key, via, understood)
        await quotas.take(ctx, tx, who, urgent=understood.report.priority == "urgent")
    return submitted.result(
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


async def open_after(ctx: Context, tx: Tx, who: Principal, raw: bytes, before: str, via: str) -> Case:
    """The case of a name that follows another case's: the open one, which nothing is added to, or a new one from `raw`.

    A new one follows the case `before`, or one of its own target that ended, and has nothing of either. Whoever asks is
    a party, and may not approve it. Raises as `understand`, and AlreadyThere when another opens beside us.
    """
    understood = await remembered(ctx, tx, understand(ctx.catalog, who, raw))
    there = await _case_of(tx, understood.report.program, understood.assessment.target.name)
    if there is not None:
        return there
    case, _, _ = await _put(ctx, tx, who, new_id(), raw, "application/json", None, via, understood, before=before)
    return case


async def _put(
    ctx: Context,
    tx: Tx,
    who: Principal,
    report_id: str,
    raw: bytes,
    media_type: str,
    key: str | None,
    via: str,
    understood: Understood,
    *,
    before: str | None = None,
) -> tuple[Case, bool, Verdict]:
    """Keep a report in the open case of its target, or in a new one, and judge it; whether it joined one."""
    report = understood.report
    case = await _case_of(tx, report.program, understood.assessment.target.name)
    joined = case is not None
    standing: Verdict | None = None
    if case is None:
        made = await _opening(ctx, tx, who, understood, report_id)
        if await case_store.latest_ended(tx.con, report.program, understood.assessment.target.name) is None:
            made = replace(made, previous_case=before)
        case = await opening.open_case(ctx, tx, made)
        await _look_back(tx, case)
    elif case.state is CaseState.APPROVED:
        standing = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
    await _insert_report(tx, report_id, who, raw, media_type, key, via, understood, case, joined)
    await insert_evidence(tx, case.id, report_id, who, report.evidence)
    if joined:
        case = await _joined(ctx, tx, who, case, report_id, standing)
    case = await letters.settle(tx, case, report.evidence)
    verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
    return await judging.judge(ctx, tx, case, verdict), joined, verdict


async def _opening(ctx: Context, tx: Tx, who: Principal, understood: Understood, report_id: str) -> Opening:
    report, name = understood.report, understood.name
    urgent = report.priority == "urgent"
    return Opening(
        program=report.program,
        assessment=understood.assessment.dated(tx.now),
        suffix_version=name.suffix_version,
        warnings=name.warnings,
        organisation=who.organisation,
        by=who.id,
        report_id=report_id,
        urgent=urgent and not await accuracy.is_on_probation(ctx, tx, report.program, who.organisation),
    )


async def _look_back(tx: Tx, case: Case) -> None:
    """A name whose case was closed is reported again: whether what was done there still stands is seen at once."""
    before = await case_store.get(tx.con, case.previous_case) if case.previous_case else None
    if before is not None and before.state is CaseState.CLOSED:
        await slots.ask(tx, before.id)


async def _case_of(tx: Tx, program: str, target: str) -> Case | None:
    """The open case that a report on this target joins, locked: its own, or the one that its own was merged into."""
    case = await case_store.lock_open(tx.con, program, target)
    if case is None and (goes_on := await case_store.goes_on(tx.con, program, target)):
        case = await case_store.lock(tx.con, goes_on)
    return case if case is not None and case.state in OPEN else None


async def _joined(ctx: Context, tx: Tx, who: Principal, case: Case, report_id: str, before: Verdict | None) -> Case:
    """One more report for an open case. `before`: the verdict without it, of an approved case.

    An approval is void when the report changed a finding or a word of what was approved, or the approver became a party.
    """
    case = await tx.save(case.apply(ReportJoined(report_id, who.id), tx.now))
    if case.state is CaseState.APPROVED and before is not None:
        verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
        drafts = await drafting.draft(ctx, tx.con, case)
        stands = [(f.rule, f.result) for f in verdict.findings] == [(f.rule, f.result) for f in before.findings]
        if not stands or drafting.digest_of(drafts, case) != case.approved_digest:
            case = await tx.save(case.apply(ApprovalVoided("a later report changed what was approved"), tx.now))
    if before is not None and case.state is not CaseState.APPROVED:
        await binding.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
    await news.catch_up(tx, case.id)
    await tx.enqueue(Job(JobKind.CAPTURE, case.id))  # it may name pages that nobody captured
    return case


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
    """Evidence of a case, each item of a report once; the new rows' ids."""
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
    """Keep what was refused, with its submitter; of one marked as CSAM nothing but hash, code and time.

    What is over a quota does not hold its idempotency key, so that it may come again under it.
    """
    try:
        return await _keep_refused(ctx, who, raw, media_type, key, via, refusal)
    except TooMany as over:
        return await _keep_refused(ctx, who, raw, media_type, None, via, over)


async def _keep_refused(
    ctx: Context, who: Principal, raw: bytes, media_type: str, key: str | None, via: str, refusal: NotifierError
) -> Submitted:
    report_id = new_id()
    forget = refusal.code == "csam_refused"
    digest = hashlib.sha256(raw)
    async with ctx.db.transaction(DAEMON if forget else who.id, via) as tx:
        drop = forget
        if isinstance(refusal, TooMany):
            drop = not await quotas.may_keep(ctx, tx, who)
        await tx.con.execute(
            "insert into report (id, principal, organisation, via, program, idempotency_key, raw, raw_sha256, media_type, "
            "code, detail, received_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            report_id,
            "" if forget else who.id,
            "" if forget else who.organisation,
            via,
            "" if forget else _program_named(raw),
            None if forget else key,
            None if drop else raw,
            digest.digest(),
            media_type,
            refusal.code,
            storable(refusal.detail),
            tx.now,
        )
        await tx.audit("report.refused", report_id, {"code": refusal.code, "sha256": digest.hexdigest()})
        if not isinstance(refusal, TooMany) and not forget:
            await quotas.take(ctx, tx, who, urgent=False)
    return submitted.refused(report_id, refusal)


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
    return await submitted.of_row(ctx, row) if row else None
