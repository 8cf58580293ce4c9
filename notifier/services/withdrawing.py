"""An open case is taken back: what has not left never leaves, and everyone told is told at once."""

from notifier.domain.case import Case
from notifier.domain.events import Withdrawn
from notifier.domain.notice import LIVE
from notifier.services import binding, recalling
from notifier.services.context import Context
from notifier.store import appeals as appeal_store
from notifier.store import notices as notice_store
from notifier.store.database import Tx

OWN_ERROR = "withdrawn"  # the cause of a correction


async def withdraw(ctx: Context, tx: Tx, case: Case, by: str, reason: str, ground: str) -> Case:
    """Take back what the locked case asked for, and what cases that were merged into it had. `ground`: error, cured or
    other."""
    linked = await binding.linked(tx, case)
    await binding.cancel_queued(tx, await recalling.not_left(tx.con, case.id), reason)
    live = await notice_store.of_case(tx.con, case.id, *LIVE)
    step = case.apply(Withdrawn(by, reason, told=bool(live), ground=ground), tx.now)
    cured = ground == "cured"
    await binding.take_back(ctx, tx, case, live, reason, by, cured=cured)
    await binding.take_back_linked(ctx, tx, linked, reason, by, cured=cured)
    case = await tx.save(step)
    if ground == "error" and live:
        await own_error(tx, case)
    return case


async def own_error(tx: Tx, case: Case) -> None:
    """We asked in error and found it out ourselves: the ledger says so, once, as where a registrant had to."""
    if await appeal_store.corrected_as_error(tx.con, case.id):
        return
    await appeal_store.insert_correction(tx.con, case.id, None, case.program, str(case.measure), OWN_ERROR, tx.now)
    if case.undo == "verified" and (back := await appeal_store.seen_back(tx.con, case.id)) is not None:
        await appeal_store.restored(tx.con, case.id, back)
