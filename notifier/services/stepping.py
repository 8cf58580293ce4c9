"""What people do where a turn of the ladder is stuck: give a contact, go on without a party, answer its question."""

from datetime import datetime, timedelta

from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.events import AmendmentBegun, ContactGiven, StepPassed
from notifier.domain.notice import TOLD, Notice
from notifier.domain.recipient import mailbox
from notifier.domain.rule import Recipient
from notifier.errors import Conflict, Invalid
from notifier.services import judging, ladder, recipients, review, turns
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.store import contacts
from notifier.store.contacts import Amendment, Given
from notifier.store.database import Tx, storable
from notifier.store.ids import new_id

_LEAST = timedelta(days=1)  # nobody is held to a clock that ended while it waited for us


async def give_contact(
    ctx: Context,
    who: Principal,
    case_id: str,
    party: Recipient,
    address: str,
    source: str,
    name: str = "",
    *,
    via: str = "api",
) -> Case:
    """Say where the host or registrar is reached, and how that is known. Who says so may not approve the case.

    Raises Invalid for what is no mailbox or no party that can be found, Conflict once that party was asked.
    """
    if party is Recipient.REGISTRY:
        raise Invalid("a registry is written to as its agreement says; change the agreement")
    address, source, name = mailbox(address), storable(source.strip()), storable(name.strip())
    if not source:
        raise Invalid("source: say how you know, such as the page where the address stands")
    async with ctx.db.transaction(who.id, via) as tx:
        case = await review.lock_for_review(ctx, tx, who, case_id)
        seen = recipients.seen(case, party)
        contact = Given(new_id(), party, seen.id, name, address, source, who.id, tx.now)
        step = case.apply(ContactGiven(contact.id, str(party), who.id, contact.sha256), tx.now)
        await contacts.give(tx.con, case.id, contact)
        case = await judging.judge_again(ctx, tx, await tx.save(step))
        await ladder.seek_contact(ctx, tx, case)
    return case


async def pass_over(ctx: Context, who: Principal, case_id: str, reason: str, *, via: str = "api") -> Case:
    """Go on without the party whose turn it is. What the program wants proven of it is still wanted.

    Raises Conflict when that party was asked and may still answer.
    """
    reason = storable(reason.strip())
    if not reason:
        raise Invalid("reason: say why that party is not asked")
    async with ctx.db.transaction(who.id, via) as tx:
        case = await review.lock_for_review(ctx, tx, who, case_id)
        rung = await turns.next_rung(ctx, tx, case, over=True)
        case = await tx.save(case.apply(StepPassed(rung, who.id, reason), tx.now))
        case = await judging.judge_again(ctx, tx, case)
        await ladder.seek_contact(ctx, tx, case)
    return case


async def amend(ctx: Context, who: Principal, case_id: str, answer: str, *, via: str = "api") -> Case:
    """Answer what the recipient asked: the case goes to another person, who approves the amended notice.

    Raises Conflict when nobody asked for more, or what was sent last may not have arrived (`not_settled`).
    """
    answer = storable(answer.strip())
    if not answer:
        raise Invalid("answer: say what the recipient asked for")
    async with ctx.db.transaction(who.id, via) as tx:
        case = await review.lock_for_review(ctx, tx, who, case_id)
        by_notice, asked_at, notice = await question(tx, case)
        left = max(await _left(ctx, tx, notice, asked_at), _LEAST)
        said = Amendment(new_id(), notice.id, answer, left, who.id)
        await contacts.amend(tx.con, case.id, said, tx.now)
        case = await tx.save(case.apply(AmendmentBegun(said.id, notice.id, who.id, said.sha256), tx.now))
        await tx.con.execute(
            "update task set resolved_by = $2, resolved_at = $3, resolution = 'answered by an amended notice' "
            "where notice_id = $1 and kind = 'escalation' and resolved_at is null",
            by_notice,
            who.id,
            tx.now,
        )
        return await judging.judge_again(ctx, tx, case)


async def question(tx: Tx, case: Case) -> tuple[str, datetime, Notice]:
    """What a recipient asked and we owe: by which notice, when, and the notice that is amended. Raises Conflict."""
    asked = await contacts.question(tx.con, case.id, case.agreement or "")
    if case.state is not CaseState.NOTIFIED or asked is None:
        raise Conflict("no recipient waits for an answer of ours", code="nothing_asked")
    standing = await ladder.asking(tx, case)
    if not standing or standing[-1].state not in TOLD:
        raise Conflict("nobody knows yet whether the last notice arrived; find that out first", code="not_settled")
    return *asked, standing[-1]


async def _left(ctx: Context, tx: Tx, notice: Notice, asked_at: datetime) -> timedelta:
    """What was left of the recipient's time when it asked."""
    if notice.sent_at is None:
        return _LEAST
    return await ladder.answer_due(ctx, tx.con, notice, notice.sent_at) - asked_at
