"""A new case: its number, its recipient, its first assessment, and whether an authority asked that it waits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from notifier.domain import ladder
from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.jobs import URGENT
from notifier.domain.safety import Assessment
from notifier.services import deconfliction, recipients
from notifier.services.context import Context
from notifier.store import cases as case_store
from notifier.store.cases import Origin
from notifier.store.database import Tx
from notifier.store.ids import new_id


@dataclass(frozen=True, slots=True)
class Opening:
    """What a case opens with. `suffix_version` and `warnings` come from how its name was read; `by` is the first party.

    `previous_case`: the one that it follows; None: the newest that ended for the same target and program.
    """

    program: str
    assessment: Assessment
    suffix_version: str
    warnings: Sequence[str]
    organisation: str
    by: str
    report_id: str
    urgent: bool = False
    previous_case: str | None = None


async def open_case(ctx: Context, tx: Tx, opening: Opening) -> Case:
    """The case at rev 1. Raises AlreadyThere when one is open for its target and program."""
    program, target = ctx.program(opening.program), opening.assessment.target
    registry = ctx.catalog.registry_for(target.tld)
    number: int = await tx.con.fetchval("select nextval('case_number')")
    case = Case(
        id=new_id(),
        reference=f"TN-{tx.now:%Y}-{number:06d}",
        program=program.id,
        program_digest=program.digest,
        target=target,
        safety=opening.assessment.safety,
        state=CaseState.RECEIVED,
        rev=1,
        opened_at=tx.now,
        state_since=tx.now,
        measure=program.default_measure,
        agreement=None,
        involved=frozenset({opening.by}),
        priority=URGENT if opening.urgent else 0,
        previous_case=opening.previous_case or await case_store.latest_ended(tx.con, program.id, target.name),
    )
    # What its report proves is weighed with it; here it is the first turn of anybody who may be asked.
    rung = ladder.next_rung(program, recipients.ways_of(ctx, case), ())
    if rung:
        case = replace(case, step=rung.step, agreement=rung.agreement, measure=rung.measure)
    origin = Origin(
        opening.organisation,
        opening.suffix_version,
        opening.assessment,
        list(opening.warnings),
        registry.id if registry else None,
    )
    case = await tx.open(Case.open(case, opening.report_id), origin)
    return replace(case, embargo=await deconfliction.gate(tx, case))
