"""A case is bound to one registration of its name: every look is held against it, and a new one ends the case.

What was approved about the old registration never leaves; who was asked about it is told that the request is void,
since a registry would otherwise act on a stranger's name.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import takewhile

from notifier.domain.case import Case
from notifier.domain.epoch import Epoch
from notifier.domain.epp import Measure
from notifier.domain.events import EpochChanged, TargetObserved, UndoAsked
from notifier.domain.jobs import URGENT, Job, JobKind, Timer
from notifier.domain.lifecycle import Phase
from notifier.domain.notice import ASKING, LIVE, TOLD, UNDO, Notice, NoticeState, Purpose
from notifier.domain.outcome import PROVEN, Look
from notifier.services import drafting, recalling, watching
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.services.looking import unsure
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store import observations
from notifier.store.database import Tx
from notifier.store.ids import new_id

# A case's review reasons: the reported pages answered nobody in one look; other pages stand where they were approved.
PAGES_GONE, PAGES_REPLACED = "pages gone", "pages replaced"

_LOOK_AGAIN = timedelta(minutes=5)
_VOID = "the name has been registered anew since; the request was about the earlier registration and is void"


async def note_look(ctx: Context, tx: Tx, case: Case, seen: Look, purpose: str) -> tuple[Case, str]:
    """Record a look; a new registration object supersedes the case; an unknown answer asks again, and decides nothing.

    The case afterwards, and the observation's id.
    """
    observation_id = new_id()
    # A look that was kept warm is as old as it is.
    await observations.insert(tx.con, observation_id, case.id, purpose, seen.to_json(), seen.at)
    await watching.compare(ctx, tx, case, seen, observation_id)
    if succeeded(case, seen):
        return await supersede(ctx, tx, case, seen), observation_id
    # Before sending, half a look must not replace the whole one that the approved notice speaks of.
    half = purpose == "baseline" and unsure(seen)
    if seen.registration.answer == "inconclusive" or half:
        await tx.audit("target.not_observed", case.reference, {"observation": observation_id}, case.id)
        if purpose == "check":
            await tx.add_timer(case.id, Timer(JobKind.CHECK, case.id, tx.now + again(seen)))
        return case, observation_id
    if purpose == "check" and seen.hosting is not None and seen.hosting.answer == "inconclusive":
        await tx.add_timer(case.id, Timer(JobKind.CHECK, case.id, tx.now + again(seen)))
    event = TargetObserved(observation_id, seen.registration.epoch, already_down(seen), seen.to_json())
    return await tx.save(case.apply(event, tx.now)), observation_id


def succeeded(case: Case, seen: Look) -> bool:
    """Whether the look shows another registration than the one that the case is bound to."""
    if (
        case.phase == Phase.PURGED
        and seen.registration.answer == "found"
        and None in (case.epoch, seen.registration.epoch)
    ):
        return True  # nobody names either of them, and in between there was none
    if case.epoch is None or seen.registration.epoch is None:
        return False
    before = Look.from_json(case.registration) if case.registration else None
    purged = case.phase == Phase.PURGED or (before is not None and before.purged)
    return Epoch.read(case.epoch).succeeded_by(Epoch.read(seen.registration.epoch), purged=purged)


def already_down(seen: Look) -> bool | None:
    """Whether the name was out of the zone when we looked; None when the zone's servers told nothing."""
    return {"absent": True, "delegated": False, "residual": True}.get(seen.delegation.answer)


def again(seen: Look) -> timedelta:
    """How long to wait after a look that told nothing: what the server asked for, five minutes at least."""
    asked = seen.registration.retry_after
    return max(_LOOK_AGAIN, timedelta(seconds=asked)) if asked else _LOOK_AGAIN


async def look_for_cure(ctx: Context, tx: Tx, case: Case) -> None:
    """Plan the second look: pages that are gone once may be hidden, or the site down for an hour."""
    due = tx.now + ctx.program(case.program).windows.cure_gap
    await tx.add_timer(case.id, Timer(JobKind.CHECK, case.id, due))


async def cured(ctx: Context, tx: Tx, case: Case) -> bool:
    """Whether the pages were gone in every look that told anything, the first and the last of them `cure_gap` apart.

    What a name that is out of the zone serves tells nothing. Looks from before somebody else was shown a page, and kept it as
    evidence, do not count: the site may have hidden from us alone.
    """
    rows = await tx.con.fetch(
        "select at, look->'content'->>'answer' as answer from observation where case_id = $1 "
        "and look->'delegation'->>'answer' = 'delegated' and look->'content'->>'answer' in ('served', 'gone', 'changed') "
        "and at > coalesce((select max((body->>'captured_at')::timestamptz) from evidence where case_id = $1 "
        "and kind = 'capture' and coalesce(body->>'http_status', '200') like '2%' "
        "and (body->>'finding' = 'infringing' or body->>'offers' is not null)), '-infinity') order by at desc, id desc",
        case.id,
    )
    gone = list(takewhile(lambda row: row["answer"] == "gone", rows))
    return bool(gone) and gone[0]["at"] - gone[-1]["at"] >= ctx.program(case.program).windows.cure_gap


async def somebody_asked(tx: Tx, case: Case) -> bool:
    """Whether a request of the case, or of one that was merged into it, stands."""
    family = [case.id, *(await case_store.merged_into(tx.con, case.id))]
    live = [n for one in family for n in await notice_store.of_case(tx.con, one, *LIVE)]
    return any(n.purpose in ASKING for n in live)


async def supersede(ctx: Context, tx: Tx, case: Case, seen: Look) -> Case:
    """End a case whose name was registered anew: nothing leaves any more, and open requests are taken back."""
    await cancel_queued(tx, await recalling.not_left(tx.con, case.id), _VOID)
    done = await tx.con.fetch(
        "select notice_id from claim where case_id = $1 and verdict = any($2)", case.id, [str(v) for v in PROVEN]
    )
    fulfilled = {str(row["notice_id"]) for row in done}
    live = await notice_store.of_case(tx.con, case.id, *LIVE)
    await take_back(ctx, tx, case, [n for n in live if n.id not in fulfilled], _VOID, DAEMON)
    await take_back_linked(ctx, tx, await linked(tx, case), _VOID, DAEMON)
    for notice in live:  # what was done is done, and nothing of it is asked of whoever has the name now
        if notice.id in fulfilled and notice.state in TOLD:
            await notice_store.save(tx.con, notice.apply("superseded", tx.now))
            await tx.audit("notice.superseded", notice.id, {"by": "another registration"}, case.id)
    return await tx.save(case.apply(EpochChanged(case.epoch or "", seen.registration.epoch or ""), tx.now))


async def take_back(
    ctx: Context,
    tx: Tx,
    case: Case,
    live: Sequence[Notice],
    reason: str,
    by: str,
    *,
    restore: bool = False,
    cured: bool = False,
    purpose: Purpose | None = None,
) -> None:
    """Tell everyone who was asked that the request is void, once. Asking for less waits for nobody.

    `restore`: whoever says that it acted is asked to restore the name, in these words. `cured`: the pages are gone, so
    nobody is asked to put one back, and who removed them is told nothing. `purpose`: everyone is told so.
    """
    for notice in live:
        in_hand = None if notice.purpose in UNDO else await recalling.call_back(tx, notice, reason)
        if in_hand:
            continue  # it never left
        person = await recalling.carried(tx.con, notice.id)
        if notice.state is NoticeState.SENDING and person is None:  # it may have arrived, and is not tried again
            await notice_store.save(tx.con, notice.apply("lost_sight", tx.now))
            await tx.audit("notice.uncertain", notice.id, {"key": notice.send_key}, case.id)
        if notice.purpose not in ASKING or await notice_store.is_undone(tx.con, notice.id):
            continue
        if cured and await notice_store.is_removed(tx.con, notice.id):
            continue
        keeps = cured and notice.measure == Measure.CONTENT_REMOVAL
        acted = restore and not keeps and await notice_store.is_enforced(tx.con, notice.id)
        said = purpose or (Purpose.RESTORE if acted else Purpose.WITHDRAWAL)
        undo = await drafting.draft_undo(ctx, tx.con, case, notice, reason, tx.now, said, keeps=keeps)
        await drafting.queue(tx, undo, by)
        await tx.enqueue(Job(JobKind.SEND, undo.notice.id, URGENT))


async def linked(tx: Tx, case: Case) -> list[tuple[Case, list[Notice]]]:
    """Cases that were merged into this one and whose requests still stand, locked, with those requests."""
    found = []
    for case_id in await case_store.merged_into(tx.con, case.id):
        merged = await case_store.lock(tx.con, case_id)
        live = [n for n in await notice_store.of_case(tx.con, case_id, *LIVE) if n.purpose in ASKING]
        if merged is not None and live and merged.undo == "none":
            found.append((merged, live))
    return found


async def take_back_linked(
    ctx: Context,
    tx: Tx,
    merged: Sequence[tuple[Case, Sequence[Notice]]],
    reason: str,
    by: str,
    *,
    restore: bool = False,
    cured: bool = False,
) -> None:
    """What merged cases had asked for ends with the case that went on."""
    for case, _ in merged:
        await cancel_queued(tx, await recalling.not_left(tx.con, case.id), reason)
        told = await notice_store.of_case(tx.con, case.id, *LIVE)
        await take_back(ctx, tx, case, told, reason, by, restore=restore, cured=cured)
        if told:
            await tx.save(case.apply(UndoAsked(reason), tx.now))


async def cancel_queued(tx: Tx, queued: Sequence[Notice], why: str = "it is not asked for any more") -> None:
    """Notices that have not left never will. A withdrawal that waits is no such notice."""
    for notice in queued:
        if notice.purpose in UNDO or await recalling.call_back(tx, notice, why):
            continue
        await notice_store.save(tx.con, notice.apply("cancelled", tx.now))
        await tx.audit("notice.cancelled", notice.id, {}, notice.case_id)
