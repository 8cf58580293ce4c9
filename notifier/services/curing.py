"""Pages that go away after somebody was asked: looked for without being told, and everyone told is told of it at once.

Gone twice, far enough apart, for every kind of visitor, is a cure whoever brought it about; one of them who is still shown a
page says that the site hides. A name that is out of the zone shows nothing, and so cures nothing. What comes back within the
watch is a person's: asking anew is asking for more.
"""

from datetime import datetime

from notifier.domain.case import Case
from notifier.domain.case_state import OPEN, CaseState
from notifier.domain.cure import next_look
from notifier.domain.epp import Measure
from notifier.domain.events import CameBack, CuredLater
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.look import Look
from notifier.domain.notice import ASKING, LIVE, Notice
from notifier.domain.outcome import PROVEN
from notifier.domain.readings import CONTRADICTED_CLOAKED
from notifier.domain.rule import Recipient
from notifier.services import binding, pages, recalling, slots, watching
from notifier.services.access import DAEMON
from notifier.services.alarming import raise_alarm
from notifier.services.context import Context
from notifier.services.looking import look
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store import observations
from notifier.store.database import Connection, Tx
from notifier.store.ids import new_id

CURE_RELAPSED = "cure_relapsed"  # the alarm
_CHANGED = (
    "another text stands where the reported pages stood: say whether that is a cure (withdraw the case as cured) or not; "
    "nobody is told of it till then"
)
_DONE = frozenset({CaseState.RESOLVED, CaseState.CLOSED})
_GAPS_OF_A_CLAIM = 3  # in which whoever says that it removed the pages is seen to have, or not


async def plan(ctx: Context, tx: Tx, notice: Notice) -> None:
    """A request arrived: from now on a cure is owed to whoever has it."""
    if notice.purpose in ASKING:
        await _again(tx, notice.case_id, tx.now + ctx.program((await _case(tx, notice)).program).windows.cure_gap)


async def _case(tx: Tx, notice: Notice) -> Case:
    case = await case_store.get(tx.con, notice.case_id)
    if case is None:
        raise LookupError(f"no case of notice {notice.id}")
    return case


async def look_for_cure(ctx: Context, case_id: str) -> None:
    """Look at the pages of a case about which somebody was asked, for as long as they wait for anything, or may come back."""
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, case_id)
        if case is None:
            return
        unseen = case.embargo or await _down(con, case)
        # Where nothing can be seen, whether anybody waits is asked below, once.
        wanted = unseen or _may_come_back(ctx, case, await ctx.db.clock.now()) or await _waits(con, case)
    if case.merged_into is not None:
        async with ctx.db.transaction(DAEMON) as tx:
            await _again(tx, case.merged_into, tx.now)
        return
    if not wanted:
        return
    seen = None
    if not unseen:
        if not await slots.turn(ctx, case, case_id, JobKind.CURE, routine=True):
            return
        async with ctx.db.pool.acquire() as con:
            sample = await pages.reported(con, case)
        seen = await look(ctx, case.target, sample, charged=True)
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        if locked is not None:
            await _noted(ctx, tx, locked, None if locked.embargo else seen)


async def _noted(ctx: Context, tx: Tx, case: Case, seen: Look | None) -> None:
    back, gone = _may_come_back(ctx, case, tx.now), False
    if not back and not await _waits(tx.con, case):
        return
    if seen is not None:
        earlier = await _told_last(tx.con, case)
        observation_id = new_id()
        await observations.insert(tx.con, observation_id, case.id, "look", seen.to_json(), seen.at)
        await watching.compare(ctx, tx, case, seen, observation_id)
        if binding.succeeded(case, seen):
            if case.state in OPEN:
                await binding.supersede(ctx, tx, case, seen)
            return  # another registration's pages cure nothing, and are no relapse
        told = seen.content.answer if seen.content and seen.delegation.answer == "delegated" else "inconclusive"
        if back:
            if told == "served" and earlier != "served":
                await _came_back(tx, case, observation_id, seen)
                return
        else:
            if seen.content is not None and seen.content.cloaked:
                detail = f"no cure: {seen.content.detail}"
                await raise_alarm(tx, CONTRADICTED_CLOAKED, detail, case, case.reference, seen_at=seen.at)
            if told == "changed" and earlier != "changed":
                await notice_store.open_task(tx.con, "second_look", _CHANGED, tx.now, case_id=case.id)
            gone = told == "gone"
            if gone and await binding.cured(ctx, tx, case) and await end(ctx, tx, case, observation_id):
                gone = False
    windows = ctx.program(case.program).windows
    since = case.closed_at if back and case.closed_at else case.notified_at or tx.now
    if case.state in _DONE and tx.now >= since + windows.watch[-1]:
        return
    await _again(tx, case.id, next_look(windows.watch, windows.cure_gap, since, tx.now, gone=gone))


async def end(ctx: Context, tx: Tx, case: Case, observation_id: str) -> bool:
    """The pages are gone for good: nothing more is asked, and everyone told who did not remove them is told so.

    False, and nothing is done: somebody says that it removed them, and its claim is not judged yet. The case is locked.
    """
    windows = ctx.program(case.program).windows
    family = [case.id, *(await case_store.merged_into(tx.con, case.id))]
    removals = await tx.con.fetch(
        "select verdict, outcome, credited, claimed_at from claim where case_id = any($1) and measure = $2 order by claimed_at, id",
        family,
        str(Measure.CONTENT_REMOVAL),
    )
    if any(
        r["verdict"] == "pending" and tx.now < r["claimed_at"] + _GAPS_OF_A_CLAIM * windows.cure_gap for r in removals
    ):
        return False
    proven = next((r for r in removals if r["verdict"] in PROVEN), None)
    asked = await _asked(tx.con, family)
    back = [n for n in asked if not await notice_store.is_removed(tx.con, n.id)]
    # Who brought it about is not known where a host was asked and said nothing.
    quiet = "none" if any(n.party is Recipient.HOST for n in asked) else "registrant"
    outcome, actor = (proven["outcome"], proven["credited"]) if proven else ("withdrawn_cured", quiet)
    acts = [n for n in back if n.measure != Measure.CONTENT_REMOVAL]
    enforced = [n for n in acts if await notice_store.is_enforced(tx.con, n.id)]
    reason = await _words(tx.con, case)
    linked = await binding.linked(tx, case)
    await binding.cancel_queued(tx, await recalling.not_left(tx.con, case.id), reason)
    live = await notice_store.of_case(tx.con, case.id, *LIVE)
    await binding.take_back(ctx, tx, case, live, reason, DAEMON, restore=True, cured=True)
    await binding.take_back_linked(ctx, tx, linked, reason, DAEMON, restore=True, cured=True)
    event = CuredLater(
        observation_id,
        tuple(n.id for n in back),
        bool(enforced),
        any(n.case_id == case.id for n in acts),
        outcome,
        actor,
        removed=proven is not None and case.state is CaseState.RESOLVED,
    )
    await tx.con.execute(
        "update task set resolved_by = $3, resolved_at = $4, resolution = 'the pages are gone for good' "
        "where case_id = $1 and kind = 'second_look' and detail = $2 and resolved_at is null",
        case.id,
        _CHANGED,
        DAEMON,
        tx.now,
    )
    await tx.save(case.apply(event, tx.now))
    return True


async def _words(con: Connection, case: Case) -> str:
    """What everyone told is told: when the pages were looked at and found gone, first and last."""
    rows = await con.fetch(
        "select at, look->'content'->>'answer' as answer from observation where case_id = $1 "
        "and look->'delegation'->>'answer' = 'delegated' and look->'content'->>'answer' in ('served', 'gone', 'changed') "
        "order by at desc, id desc",
        case.id,
    )
    gone: list[datetime] = []
    for row in rows:
        if row["answer"] != "gone":
            break
        gone.append(row["at"])
    return (
        f"the pages that we reported are gone: we looked between {gone[-1]:%Y-%m-%d %H:%M} and {gone[0]:%Y-%m-%d %H:%M} UTC, "
        "as visitors of several kinds, and none of them was shown one"
    )


async def _came_back(tx: Tx, case: Case, observation_id: str, seen: Look) -> None:
    shown = seen.content.detail if seen.content else ""
    await tx.save(case.apply(CameBack(observation_id), tx.now))
    await raise_alarm(tx, CURE_RELAPSED, f"cured, and back: {shown}", case, case.reference, seen_at=seen.at)
    what = f"the pages are back after they were gone ({shown}); report them anew, if it is to be asked again"
    await notice_store.open_task(tx.con, "second_look", what, tx.now, case_id=case.id)


# --- what is waited for -------------------------------------------------------------------------------------------


def _may_come_back(ctx: Context, case: Case, now: datetime) -> bool:
    """Whether the case ended by a cure, and its watch is not over."""
    ended = case.state in (CaseState.WITHDRAWN, CaseState.CLOSED) and case.cured and case.aftermath != "relapsed"
    return ended and case.closed_at is not None and now < case.closed_at + ctx.program(case.program).windows.watch[-1]


async def _asked(con: Connection, family: list[str]) -> list[Notice]:
    """Requests that stand, of the case and of those that were merged into it."""
    live = [n for case_id in family for n in await notice_store.of_case(con, case_id, *LIVE)]
    return [n for n in live if n.purpose in ASKING and not await notice_store.is_undone(con, n.id)]


async def _waits(con: Connection, case: Case) -> bool:
    """Whether anybody who was asked would be told of a cure. What is done and over needs no word to whoever did it."""
    if case.state not in OPEN | {CaseState.CLOSED}:
        return False
    asked = await _asked(con, [case.id, *(await case_store.merged_into(con, case.id))])
    if case.state in _DONE:
        asked = [n for n in asked if not await notice_store.is_removed(con, n.id)]
    return bool(asked)


async def _down(con: Connection, case: Case) -> bool:
    """Whether an act is seen to keep the name out of the zone: nobody can see its pages, and its claim is looked at anyway."""
    down: bool = await con.fetchval(
        "select exists (select from claim where case_id = $1 and measure = any($2) and verdict = any($3))",
        case.id,
        [str(Measure.HOLD), str(Measure.DELETE)],
        [str(verdict) for verdict in PROVEN],
    )
    return down


async def _told_last(con: Connection, case: Case) -> str | None:
    """What the last look that told anything saw of the pages, since somebody was asked."""
    found: str | None = await con.fetchval(
        "select look->'content'->>'answer' from observation where case_id = $1 and at > $2 "
        "and look->'delegation'->>'answer' = 'delegated' and look->'content'->>'answer' in ('served', 'gone', 'changed') "
        "order by at desc, id desc limit 1",
        case.id,
        case.notified_at or case.opened_at,
    )
    return found


async def _again(tx: Tx, case_id: str, at: datetime) -> None:
    """Look again then, unless another look is planned already."""
    if not await tx.planned(case_id, JobKind.CURE):
        await tx.add_timer(case_id, Timer(JobKind.CURE, case_id, at))
