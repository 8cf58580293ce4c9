"""Whose turn it is on a case's ladder, as far as is known now."""

from dataclasses import replace

from notifier.domain import ladder
from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.events import StepChosen
from notifier.domain.facts import CaseFacts
from notifier.domain.ladder import Rung
from notifier.domain.policy import proved_steps
from notifier.services import evaluation, recipients
from notifier.services.context import Context
from notifier.store import contacts
from notifier.store.database import Tx

_OPEN_TO_TURNS = frozenset({CaseState.RECEIVED, CaseState.NEEDS_EVIDENCE, CaseState.IN_REVIEW})


async def next_rung(
    ctx: Context, tx: Tx, case: Case, *, over: bool = False, facts: CaseFacts | None = None
) -> Rung | None:
    """Who is to be asked now; with `over`, who after the one whose turn it is. None: the ladder has ended.

    `facts`: what is known of the case, if it was read already.
    """
    if over:
        case = replace(case, passed=(*case.passed, case.step))
    program = ctx.program(case.program)
    facts = facts or await evaluation.facts_of(ctx.catalog, tx.con, case, program)
    proven = proved_steps(program, facts, tx.now, ctx.catalog.calendars)
    proven -= await contacts.found_since(tx.con, case.id)  # what did not arrive there can go to another address
    return ladder.next_rung(program, recipients.ways_of(ctx, case), case.passed, proven)


async def choose(ctx: Context, tx: Tx, case: Case, facts: CaseFacts | None = None) -> Case:
    """Give the turn to whoever has it by what is known now; nothing is written when it is the same one's."""
    if case.state not in _OPEN_TO_TURNS or case.amendment is not None:
        return case
    rung = await next_rung(ctx, tx, case, facts=facts)
    now = (rung.step, rung.agreement, rung.measure) if rung else (case.step, None, case.measure)
    if now == (case.step, case.agreement, case.measure):
        return case
    return await tx.save(case.apply(StepChosen(rung, "what is known of the name and of earlier contacts"), tx.now))
