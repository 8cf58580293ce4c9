"""What an evaluation does to a case: where it stands, which rules it was judged under, and who must look twice."""

from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.events import ApprovalVoided, Evaluated
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.ladder import askable
from notifier.domain.notice import NoticeState
from notifier.domain.policy import FindingResult, Verdict
from notifier.domain.rule import Recipient
from notifier.services import accuracy, binding, evaluation, turns
from notifier.services.context import Context
from notifier.store import notices as notice_store
from notifier.store.database import Tx

PROGRAM_CHANGED = "program changed"
CONFLICT_FOUND = "something that speaks against it came up"

_OPEN_TO_JUDGEMENT = frozenset({CaseState.RECEIVED, CaseState.NEEDS_EVIDENCE, CaseState.IN_REVIEW, CaseState.APPROVED})


async def judge(ctx: Context, tx: Tx, case: Case, verdict: Verdict) -> Case:
    """Apply an evaluation; a case that may be reviewed but has nobody to write to becomes a person's task.

    An approval that was given under other rules, or before something was found that must be weighed, is void.
    """
    if why := await unsettled(ctx, tx, case, verdict):
        await binding.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
        case = await tx.save(case.apply(ApprovalVoided(why), tx.now))
    before, case = case, await turns.choose(ctx, tx, case)
    if case is not before:  # other rules may guard the other step
        verdict = await evaluation.evaluate_case(ctx, tx.con, case, tx.now)
    program = ctx.program(case.program)
    event = Evaluated(
        evaluation.may_be_reviewed(program, verdict),
        verdict.ids(FindingResult.FAIL),
        verdict.ids(FindingResult.UNKNOWN),
        await second_reasons(ctx, tx, case, verdict),
        program.digest,
    )
    case = await tx.save(case.apply(event, tx.now))
    await _wait_for(tx, case, verdict)
    if case.state is CaseState.IN_REVIEW and case.agreement is None:
        await notice_store.open_task(tx.con, "no_contact", _why_nobody(ctx, case), tx.now, case_id=case.id)
    return case


async def _wait_for(tx: Tx, case: Case, verdict: Verdict) -> None:
    """A letter's window or a wait for an answer ends by itself, and nobody should have to watch the clock for it."""
    if case.state is CaseState.NEEDS_EVIDENCE and verdict.again_at is not None:
        await tx.add_timer(case.id, Timer(JobKind.CHECK, case.id, verdict.again_at))


async def judge_again(ctx: Context, tx: Tx, case: Case, *, came_in: bool = False) -> Case:
    """Evaluate a case that nothing was sent for yet; nothing is written when nothing would change.

    A case for which a reviewer asked for more evidence stays where it is until something `came_in`.
    """
    asked = case.state is CaseState.NEEDS_EVIDENCE and case.review_reason == "evidence_requested"
    if case.state not in _OPEN_TO_JUDGEMENT or (asked and not came_in):
        return case
    program = ctx.program(case.program)
    facts = await evaluation.facts_of(ctx.catalog, tx.con, case, program)
    case = await turns.choose(ctx, tx, case, facts)
    verdict = evaluation.verdict_of(ctx, case, facts, tx.now)
    stands = case.state in (CaseState.IN_REVIEW, CaseState.APPROVED)
    same = (
        evaluation.may_be_reviewed(program, verdict) is stands
        and program.digest == case.program_digest
        and await second_reasons(ctx, tx, case, verdict) == case.second_reasons
    )
    # Whether an approved case is still good is asked when its window is over.
    if same or (case.state is CaseState.APPROVED and not await unsettled(ctx, tx, case, verdict)):
        await _wait_for(tx, case, verdict)
        return case
    return await judge(ctx, tx, case, verdict)


async def unsettled(ctx: Context, tx: Tx, case: Case, verdict: Verdict) -> str | None:
    """Why an approval no longer stands, whatever the rules say now; None if it does, or if there is none."""
    return await _moved(ctx, tx, case, verdict) if case.state is CaseState.APPROVED else None


async def outdated(ctx: Context, tx: Tx, case: Case, verdict: Verdict) -> str | None:
    """Why what was approved may not leave any more by its rules; None if it may."""
    if moved := await _moved(ctx, tx, case, verdict):
        return moved
    return None if verdict.sufficient else f"rules do not pass any more: {', '.join(verdict.blocking)}"


async def _moved(ctx: Context, tx: Tx, case: Case, verdict: Verdict) -> str | None:
    if ctx.program(case.program).digest != case.program_digest:
        return PROGRAM_CHANGED
    new = set(await second_reasons(ctx, tx, case, verdict)) - set(case.second_reasons)
    return CONFLICT_FOUND if new else None


async def second_reasons(ctx: Context, tx: Tx, case: Case, verdict: Verdict) -> tuple[str, ...]:
    """Everything that a second person must weigh about a case: what speaks for the site, and against its reporters."""
    return verdict.second_reasons + await accuracy.reasons(ctx, tx, case.id, ctx.program(case.program))


def _why_nobody(ctx: Context, case: Case) -> str:
    if case.passed:
        return f"after the {' and the '.join(case.passed)} nobody is left to ask: end the case, or find another way"
    if not askable(Recipient.REGISTRY, case.target, case.safety):
        return f"{case.target.name} is one site on a shared name: its host or its registrant is to be asked, never the registry"
    registry = ctx.catalog.registry_for(case.target.tld)
    operator = registry.name if registry else f"the operator of .{case.target.tld}"
    return f"no agreement of {case.program} with {operator}: find the host or the registrar to ask"
