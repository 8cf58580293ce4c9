"""Notices that a person carries: handed over as a task, shown to whoever takes it, and settled by what they say.

An attended notice is `sending` from the hand-over until that person says filed, not filed, or unsure. What there is to
copy is shown to the taker alone, and only while the notice may leave: nobody can have filed what nobody took.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

import structlog

from notifier.adapter import Attachment, AttendedAdapter, FormField, RefusedForGood, RenderedNotice
from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.events import UndoNeedless
from notifier.domain.hostile import one_line
from notifier.domain.jobs import URGENT, Job, JobKind, Timer
from notifier.domain.notice import LIVE, UNDO, Notice, NoticeState, Purpose
from notifier.errors import Conflict, Invalid
from notifier.services import agreements, arriving, channels, drafting, keeping, recalling, rechecking
from notifier.services.access import DAEMON, Principal
from notifier.services.alarming import raise_alarm
from notifier.services.context import Context
from notifier.services.keeping import Kept
from notifier.services.responses import doubtful, undeliverable
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx, storable

log = structlog.get_logger(__name__)

FILED, NOT_FILED, UNSURE = "filed", "not_filed", "unsure"
RECEIPT_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"})
OVERDUE = "task_overdue"  # the alarm
_AGAIN = timedelta(days=1)
# One answer for every reason: some of them are not for everybody to know.
_NOT_NOW = "the notice may not leave at this moment; look at the case, and take the task again later"
_TAKE_IT = "take the task first: what there is to copy is shown to whoever has it"
_TAKE_AGAIN = "take the task again: the last look at the name is too old"


@dataclass(frozen=True, slots=True)
class Filing:
    """What a person says of how they filed a notice; `filed_at` None: just now."""

    reference: str = ""
    filed_at: datetime | None = None
    receipt: Kept | None = None


@dataclass(frozen=True, slots=True)
class Carrying:
    """What a task shows. `why_not`: why there is nothing to copy at this moment; None when there is."""

    place: str
    recipient: str
    domain: str
    measure: str
    purpose: str
    digest: str
    fields: Sequence[FormField] = ()
    files: Sequence[Attachment] = ()
    why_not: str | None = None


# --- handing over -------------------------------------------------------------------------------------------------


async def hand_over(tx: Tx, case: Case, notice: Notice, adapter: AttendedAdapter) -> None:
    """Open the one task of a notice that may leave now, with attempt and state, in the caller's transaction."""
    attempt = await notice_store.start_attempt(tx.con, notice.id, tx.now, attended=True)
    started = notice.apply("send_started", tx.now)
    await notice_store.save(tx.con, started)
    await tx.audit(
        "notice.send_started", notice.id, {"attempt": attempt, "key": notice.send_key, "attended": True}, case.id
    )
    content = drafting.thaw(await notice_store.content(tx.con, notice.id))
    try:
        adapter.material(content)
    except Exception as fault:  # whatever it is, nothing has left
        why = fault.reason if isinstance(fault, RefusedForGood) else f"the channel failed: {type(fault).__name__}"
        if not isinstance(fault, RefusedForGood):
            log.exception("channel.failed", notice=notice.id)
        await notice_store.finish_attempt(tx.con, notice.id, attempt, tx.now, "refused", detail=why)
        await undeliverable(tx, started, why, "refused")
        return
    due = tx.now + adapter.within
    task_id = await notice_store.open_task(
        tx.con,
        recalling.TASK,
        await _words(tx, notice, content, adapter.place),
        tx.now,
        case_id=case.id,
        notice_id=notice.id,
        due_at=due,
    )
    if task_id is None:
        raise LookupError(f"notice {notice.id} is in somebody's hands already")
    await tx.add_timer(case.id, Timer(JobKind.TASK_OVERDUE, task_id, due))
    await tx.audit(
        "task.opened", task_id, {"kind": recalling.TASK, "notice": notice.id, "due": due.isoformat()}, case.id
    )


async def _words(tx: Tx, notice: Notice, content: RenderedNotice, place: str) -> str:
    what = f"carry the {notice.purpose} about {notice.domain} to {one_line(content.recipient_name, 200)}: {place}"
    before = await tx.con.fetchval(
        "select a.reference from notice n join attempt a on a.notice_id = n.supersedes where n.id = $1 "
        "and a.result = 'accepted' and a.reference <> '' order by a.n desc limit 1",
        notice.id,
    )
    return f"{what}; the request's reference there is {before}" if before else what


async def overdue(ctx: Context, task_id: str) -> None:
    """Nobody has said what came of it by its due time: an alarm, once a day until somebody does."""
    async with ctx.db.transaction(DAEMON) as tx:
        case_id = await tx.con.fetchval("select case_id from task where id = $1", task_id)
        case = await case_store.lock(tx.con, str(case_id)) if case_id is not None else None
        if case is None:
            return
        task = await tx.con.fetchrow("select * from task where id = $1 and resolved_at is null", task_id)
        if task is None or task["due_at"] is None or task["due_at"] > tx.now:
            return
        who = f"{task['taken_by']} has it" if task["taken_by"] else "nobody has taken it"
        why = f"due at {task['due_at']:%Y-%m-%d %H:%M} UTC, and {who}: {task['detail']}"
        told = (
            "select exists (select from alarm where kind = $1 and case_id = $2 and detail = $3 and closed_at is null)"
        )
        if not await tx.con.fetchval(told, OVERDUE, case_id, why):
            await raise_alarm(tx, OVERDUE, why, case, task_id)
        await tx.add_timer(str(case_id), Timer(JobKind.TASK_OVERDUE, task_id, tx.now + _AGAIN))


# --- showing ------------------------------------------------------------------------------------------------------


async def may_be_taken(ctx: Context, notice_id: str) -> None:
    """Before a person gets it: look once more when the last look is too old. Raises Conflict when it may not leave."""
    if not await rechecking.still_right(ctx, notice_id):
        raise Conflict(_NOT_NOW, code="not_now")


async def leaves_now(ctx: Context, con: Connection, notice_id: str) -> Notice:
    """The notice, if every guard of a send lets it leave now. Raises Conflict."""
    notice = await notice_store.get(con, notice_id)
    case = await case_store.get(con, notice.case_id) if notice is not None else None
    if notice is None or case is None or notice.state is not NoticeState.SENDING:
        raise Conflict(_NOT_NOW, code="not_now")
    there = await channels.of(ctx, con, notice.agreement)
    moved = there is None or channels.moved(await notice_store.channel_of(con, notice.id), there)
    leaves = await agreements.may_leave(ctx, con, notice.agreement, undo=notice.purpose in UNDO)
    if not rechecking.asks(case, notice) or case.embargo or moved or not leaves:
        raise Conflict(_NOT_NOW, code="not_now")
    return notice


async def carrying(ctx: Context, who: Principal, task: Any) -> Carrying | None:
    """What a task of a carried notice shows to one person; None for a task of another kind. `task` is its row."""
    if task["kind"] != recalling.TASK or task["notice_id"] is None:
        return None
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        notice = await notice_store.get(con, str(task["notice_id"]))
        if notice is None:
            return None
        content = drafting.thaw(await notice_store.content(con, notice.id))
        shown = Carrying(
            content.recipient_address,
            content.recipient_name,
            notice.domain,
            notice.measure,
            str(notice.purpose),
            notice.digest,
        )
        if task["resolved_at"] is not None:
            return replace(shown, why_not="the task is over")
        if task["taken_by"] != who.id or who.kind != "person":
            return replace(shown, why_not=_TAKE_IT)
        try:
            await leaves_now(ctx, con, notice.id)
        except Conflict as refused:
            return replace(shown, why_not=refused.detail)
        case = await case_store.get(con, notice.case_id)
        if notice.purpose not in UNDO and case and not await rechecking.looked_lately(ctx, con, case, now):
            return replace(shown, why_not=_TAKE_AGAIN)
        there = await channels.of(ctx, con, notice.agreement)
    if there is None or there.adapter is None or not there.adapter.capabilities.attended:
        return replace(shown, why_not=_NOT_NOW)
    adapter = cast(AttendedAdapter, there.adapter)
    try:
        own = list(adapter.material(content))
        fields = tuple(adapter.fields(content))
    except RefusedForGood as refused:
        return replace(shown, why_not=refused.reason)
    return replace(shown, place=adapter.place, fields=fields, files=(*own, *_enclosed(content, own)))


def _enclosed(content: RenderedNotice, own: Sequence[Attachment]) -> list[Attachment]:
    """The notice's XARF and files, where the channel's own material does not have them: a letter's enclosures."""
    names = {file.filename for file in own}
    return [f for f in (drafting.xarf_file(content), *content.attachments) if f.filename not in names]


# --- settling -----------------------------------------------------------------------------------------------------


async def settle(ctx: Context, tx: Tx, who: Principal, task: Any, resolution: str, note: str, filing: Filing) -> None:
    """What came of a carried notice, by the person's word. The case and the task are locked.

    Raises Invalid for a word that lacks what belongs to it, and Conflict for one that cannot be true.
    """
    notice = await notice_store.get(tx.con, str(task["notice_id"]))
    case = await case_store.lock(tx.con, str(task["case_id"]))
    if notice is None or case is None:
        raise LookupError(f"task {task['id']} carries no notice")
    attempt = await notice_store.latest_attempt(tx.con, notice.id)
    if attempt is None or not attempt["attended"] or attempt["result"] != "started":
        raise Conflict("the notice is in nobody's hands any more")
    if resolution == FILED:
        await _filed(ctx, tx, who, task, notice, attempt["n"], note, filing)
    elif filing != Filing():
        raise Invalid("`reference`, `filed_at` and a receipt belong to `filed`")
    elif not note.strip():
        raise Invalid("say in `note` why it was not filed, or why nobody knows")
    elif notice.state is not NoticeState.SENDING:
        raise Conflict("its recipient has answered, so it was filed")
    elif resolution == NOT_FILED:
        if task["taken_by"] not in (None, who.id):
            raise Conflict(f"{task['taken_by']} has it, and alone knows that; otherwise say unsure")
        await _not_filed(tx, case, notice, attempt["n"], note)
        return
    else:
        await notice_store.finish_attempt(tx.con, notice.id, attempt["n"], tx.now, "uncertain", detail=storable(note))
        await doubtful(tx, notice, f"{who.id} carried it: {one_line(storable(note), 300)}")
    await _release_undo(tx, notice)


async def _filed(
    ctx: Context, tx: Tx, who: Principal, task: Any, notice: Notice, attempt: int, note: str, filing: Filing
) -> None:
    reference = one_line(storable(filing.reference), 500)
    if not reference and filing.receipt is None:
        raise Invalid("a notice that was filed has the recipient's `reference`, or a receipt")
    at = filing.filed_at or tx.now
    if at > tx.now:
        raise Invalid("filed_at: lies in the future")
    if at < task["opened_at"]:
        raise Invalid(f"filed_at: lies before the task, which was opened at {task['opened_at'].isoformat()}")
    receipt = None
    if filing.receipt is not None:
        if filing.receipt.media_type not in RECEIPT_TYPES:
            raise Invalid("a receipt is a picture or a PDF", code="file_type")
        receipt = filing.receipt.blob.sha256
        await keeping.keep(ctx, tx, notice.case_id, filing.receipt, who.id)
    await notice_store.finish_attempt(tx.con, notice.id, attempt, tx.now, "accepted", reference, storable(note))
    await notice_store.keep_receipt(tx.con, notice.id, attempt, receipt)
    if notice.state in (NoticeState.SENDING, NoticeState.UNCERTAIN):
        notice = notice.apply("accepted", at)
        await notice_store.save(tx.con, notice)
        await arriving.arrived(ctx, tx, notice)
    elif notice.sent_at is not None and at < notice.sent_at:  # it was answered before this was said
        await notice_store.save(tx.con, replace(notice, sent_at=at))
    detail: dict[str, Any] = {"attempt": attempt, "digest": notice.digest, "reference": reference}
    detail |= {"key": notice.send_key, "by": "person", "filed_at": at.isoformat(), "receipt": receipt}
    await tx.audit("notice.sent", notice.id, detail, notice.case_id)


async def _not_filed(tx: Tx, case: Case, notice: Notice, attempt: int, note: str) -> None:
    why = one_line(storable(note), 1_000)
    asks = case.state is CaseState.NOTIFIED and notice.purpose is not Purpose.REMINDER
    if asks or notice.purpose in UNDO:
        await notice_store.finish_attempt(tx.con, notice.id, attempt, tx.now, "refused", detail=why)
        await undeliverable(tx, notice, f"a person could not file it: {why}", "refused")
        return
    # It was called back in time, so nobody was told, and nothing has to be taken back.
    await notice_store.finish_attempt(tx.con, notice.id, attempt, tx.now, "cancelled", detail=why)
    await notice_store.save(tx.con, notice.apply("cancelled", tx.now))
    await tx.audit("notice.cancelled", notice.id, {"why": "not filed"}, case.id)
    for undo in await _waiting_undos(tx, notice):
        await notice_store.save(tx.con, undo.apply("cancelled", tx.now))
        await tx.audit("notice.cancelled", undo.id, {"why": "what it takes back never left"}, case.id)
    if case.undo == "requested" and not await notice_store.of_case(tx.con, case.id, *LIVE):
        await tx.save(case.apply(UndoNeedless(notice.id), tx.now))


async def _release_undo(tx: Tx, notice: Notice) -> None:
    """What takes this notice back waited for word of it."""
    await tx.enqueue(*(Job(JobKind.SEND, undo.id, URGENT) for undo in await _waiting_undos(tx, notice)))


async def _waiting_undos(tx: Tx, notice: Notice) -> list[Notice]:
    rows = await tx.con.fetch("select id from notice where supersedes = $1 and state = 'queued'", notice.id)
    found = [await notice_store.get(tx.con, str(row["id"])) for row in rows]
    return [undo for undo in found if undo is not None and undo.purpose in UNDO]
