"""Recipients that can be asked: each notice's own question, at a schedule of its own, until it has its last answer.

Asking sends nothing, so a disarmed or suspended agreement is asked as well; a name under investigation is not. What comes
back is an authenticated answer of the recipient like any other, and the same one again changes nothing.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from notifier.adapter import Deferred, Receipt, RegistryAdapter, Response
from notifier.domain.answer import Answer, check
from notifier.domain.case import Case
from notifier.domain.case_state import OPEN
from notifier.domain.epp import Measure
from notifier.domain.hostile import one_line
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.notice import TOLD, UNDO, Notice
from notifier.domain.polling import TELL_AFTER, deferral
from notifier.errors import Invalid
from notifier.services import arriving, responses
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store import polls
from notifier.store.database import Connection, Tx, storable

log = structlog.get_logger(__name__)

_FINAL = frozenset({"declined", "action_claimed"})
_LONGEST_COMMENT = 2_000


@dataclass(frozen=True, slots=True)
class _Question:
    """`shared`: the recipient has one ticket for this undo and for what it takes back."""

    notice: Notice
    registry: str
    adapter: RegistryAdapter
    receipt: Receipt
    shared: bool


async def poll(ctx: Context, notice_id: str) -> None:
    """Ask once, if it is time and still of use. The next question is planned before this one is asked."""
    question = await _due(ctx, notice_id)
    if question is None:
        return
    try:
        said = await question.adapter.poll(question.receipt)
        answer = _answer(question, said) if said is not None else None
    except Deferred as deferred:
        await _unheard(ctx, question.notice, deferred.reason, deferral(deferred.retry_after))
    except Invalid as unfit:
        await _unheard(ctx, question.notice, f"its answer cannot be used: {unfit.detail}", timedelta())
    except Exception as error:  # whatever else it raises, nothing was heard
        log.exception("channel.failed", notice=question.notice.id)
        await _unheard(ctx, question.notice, f"the channel failed: {type(error).__name__}", timedelta())
    else:
        await _heard(ctx, question, answer)


async def _due(ctx: Context, notice_id: str) -> _Question | None:
    async with ctx.db.transaction(DAEMON) as tx:
        case, notice = await _both(tx, notice_id)
        plan = await polls.lock(tx.con, notice_id)
        if case is None or notice is None or plan is None or plan.ended or plan.due_at > tx.now:
            return None
        if why := await _over(ctx, tx, case, notice):
            await polls.end(tx.con, notice_id, tx.now, why)
            return None
        there = await arriving.went_by(ctx, tx, notice)
        if there is None:
            await polls.end(tx.con, notice_id, tx.now, "its channel is not heard any more")
            return None
        wait = plan.wait if case.embargo else there.agreement.polling.after(plan.wait)
        await polls.save(tx.con, replace(plan, wait=wait, due_at=tx.now + wait))
        await tx.add_timer(case.id, Timer(JobKind.POLL, notice_id, tx.now + wait))
        if case.embargo or there.adapter is None or not there.adapter.capabilities.polls:
            return None
        reference, detail = await polls.receipt(tx.con, notice_id)
        registry = await tx.con.fetchval("select registry from notice where id = $1", notice_id)
        shared = notice.purpose in UNDO and reference in await _references(tx.con, notice)
        return _Question(
            notice, registry, there.adapter, Receipt(True, reference, detail, notice.send_key), shared=shared
        )


async def _references(con: Connection, undo: Notice) -> set[str]:
    """The recipient's own ids of what an undo takes back; the empty one too, which names nothing."""
    rows = await con.fetch(
        "select a.reference from notice n join attempt a on a.notice_id = n.id "
        "where n.case_id = $1 and n.agreement = $2 and n.purpose <> all($3) and a.result = 'accepted'",
        undo.case_id,
        undo.agreement,
        [str(purpose) for purpose in UNDO],
    )
    return {row["reference"] or "" for row in rows} | {""}


async def _over(ctx: Context, tx: Tx, case: Case, notice: Notice) -> str | None:
    """Why nobody needs to be asked about the notice any more; None while somebody does."""
    meant = await responses.repeated(tx, notice)
    for one in (notice, meant):
        if one.state not in TOLD:
            return f"it is {one.state}"
    if meant.response in _FINAL:
        return "it was answered"
    if notice.purpose in UNDO:
        if case.undo == "verified":
            return "the undo was seen"
        since, watch = notice.sent_at or tx.now, ctx.program(case.program).windows.watch
        return "the watch is over" if tx.now > since + watch[-1] else None
    onward: Case | None = case
    while onward is not None and onward.merged_into is not None:
        onward = await case_store.get(tx.con, onward.merged_into)
    return None if onward is not None and onward.state in OPEN else "its case is over"


def _answer(question: _Question, said: Response) -> Answer | None:
    """What was said, in our words; None for what it says of another act than the one that is asked about.

    Raises Invalid for what is no answer, or one to another notice.
    """
    notice = question.notice
    if said.notice_id not in (None, notice.id) or said.notice_token not in (None, notice.reply_token):
        raise Invalid("it is about another notice")
    try:
        measure = None if said.measure is None else Measure(said.measure)
    except ValueError:
        raise Invalid(f"{said.measure!r} is no measure") from None
    comment = str(said.comment or "")[:_LONGEST_COMMENT]
    answer = Answer(said.kind, measure, said.actor, said.reason, said.effective_at, comment, said.domain)
    check(answer)
    if notice.purpose in UNDO:  # a ticket that still shows what was done first says nothing of the undo
        undone = answer.kind == "action_taken" and measure is Measure.RESTORE
        if not undone and (question.shared or answer.kind == "action_taken"):
            return None
    return answer


async def _heard(ctx: Context, question: _Question, answer: Answer | None) -> None:
    async with ctx.db.transaction(f"registry:{question.registry}", "poll") as tx:
        case, notice = await _both(tx, question.notice.id)
        plan = await polls.lock(tx.con, question.notice.id)
        if case is None or notice is None or plan is None:
            return
        if plan.failures:
            await polls.save(tx.con, replace(plan, failures=0))
        if answer is None or plan.ended or await _over(ctx, tx, case, notice):
            return  # answered, withdrawn or superseded while we asked
        await responses.record(ctx, tx, notice, answer)
        after = await notice_store.get(tx.con, notice.id) or notice
        if (await responses.repeated(tx, after)).response in _FINAL:
            await polls.end(tx.con, notice.id, tx.now, "it was answered")


async def _unheard(ctx: Context, notice: Notice, why: str, asked: timedelta) -> None:
    """Nothing was heard. The recipient may ask us to wait; the schedule is kept at least."""
    log.info("poll.unheard", notice=notice.id, why=why)
    async with ctx.db.transaction(DAEMON) as tx:
        case, _ = await _both(tx, notice.id)
        plan = await polls.lock(tx.con, notice.id)
        if case is None or plan is None or plan.ended:
            return
        plan = replace(plan, failures=plan.failures + 1)
        if tx.now + asked > plan.due_at:
            plan = replace(plan, due_at=tx.now + asked)
            await tx.add_timer(case.id, Timer(JobKind.POLL, notice.id, plan.due_at))
        await polls.save(tx.con, plan)
        if plan.failures == TELL_AFTER:
            what = f"the recipient could not be asked for its answer, {TELL_AFTER} times in a row: {one_line(why, 500)}"
            await notice_store.open_task(
                tx.con, "no_contact", storable(what), tx.now, case_id=case.id, notice_id=notice.id
            )


async def _both(tx: Tx, notice_id: str) -> tuple[Case | None, Notice | None]:
    """The case, locked, and then its notice."""
    case_id = await tx.con.fetchval("select case_id from notice where id = $1", notice_id)
    case = await case_store.lock(tx.con, str(case_id)) if case_id else None
    return case, await notice_store.get(tx.con, notice_id)
