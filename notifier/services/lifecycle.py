"""What becomes of the registration itself after somebody was asked: redemption, pending delete, purge, and whoever has it
next. A delete is the weakest of all measures, and a hold does not keep a name from expiring.
"""

from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.events import PhaseSeen, WatchEnded
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.lifecycle import Phase, next_look, phase_of, tells
from notifier.domain.look import Look
from notifier.domain.outcome import EPOCH_CHANGED
from notifier.services import binding, slots
from notifier.services.access import DAEMON
from notifier.services.alarming import raise_alarm
from notifier.services.context import Context
from notifier.services.looking import look
from notifier.store import cases as case_store
from notifier.store import observations
from notifier.store.database import Tx
from notifier.store.ids import new_id

_FOLLOWED = frozenset(
    {
        CaseState.NEEDS_EVIDENCE,
        CaseState.IN_REVIEW,
        CaseState.APPROVED,
        CaseState.NOTIFIED,
        CaseState.RESOLVED,
        CaseState.CLOSED,
    }
)


def follows(case: Case) -> bool:
    """Whether the registration of a case is followed: somebody was asked about it, and it is not over for us."""
    return case.state in _FOLLOWED and case.notified_at is not None


async def note(ctx: Context, tx: Tx, case: Case, seen: Look, observation_id: str) -> Case:
    """What a recorded look tells of the registration. The case is locked; another registration ends it."""
    if not follows(case):
        return case
    if binding.succeeded(case, seen):
        # What a closed case knows of the next registration is told once.
        if case.state is CaseState.CLOSED and case.aftermath == "reregistered":
            return case
        why = "another registration now has the name that somebody was asked about"
        await raise_alarm(tx, EPOCH_CHANGED, why, case, case.reference, seen_at=seen.at)
        return await binding.supersede(ctx, tx, case, seen)
    if not tells(seen):
        return case
    phase = phase_of(seen)
    if phase == case.phase:
        return case
    due = next_look(phase, tx.now, tx.now)
    return await tx.save(case.apply(PhaseSeen(str(phase) if phase else None, observation_id, due), tx.now))


async def follow(ctx: Context, case_id: str) -> None:
    """Look at a name on its way out, whether or not anybody's claim asks for that."""
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, case_id)
    if case is None or not follows(case) or case.phase is None or case.phase_since is None:
        return
    if not await slots.turn(ctx, case, case_id, JobKind.LIFECYCLE, routine=True):
        return
    seen = await look(ctx, case.target, charged=True)
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        if locked is None or not follows(locked) or locked.phase is None:
            return
        observation_id = new_id()
        await observations.insert(tx.con, observation_id, case_id, "look", seen.to_json(), seen.at)
        rev, locked = locked.rev, await note(ctx, tx, locked, seen, observation_id)
        if locked.rev != rev or locked.phase is None or locked.phase_since is None:
            return
        due = next_look(Phase(locked.phase), locked.phase_since, tx.now)
        if due is not None:
            await tx.add_timer(case_id, Timer(JobKind.LIFECYCLE, case_id, due))
        elif locked.state is CaseState.RESOLVED:  # nobody took it: nothing is left to watch
            await tx.save(locked.apply(WatchEnded(), tx.now))
