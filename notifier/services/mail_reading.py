"""A mail that was stored, read: what it is, which notice it is about, and the little that it may move.

Automatic mail moves no case; a delivery failure ends the notice that did not arrive. A person's mail waits for a person,
who confirms it by call-back; at most it acknowledges, where our own mail server vouches for its author. What is over a
bound of reading is kept apart, with its original.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog

from notifier.adapter import Inbound, Response
from notifier.domain import mail_authentication, mail_class, mail_match, mime
from notifier.domain.answer import Answer
from notifier.domain.mail_class import AUTOMATIC, CHALLENGE, Classed, MailClass
from notifier.domain.mail_match import Clue, Level, Ours, What, domain_of, same_party
from notifier.domain.notice import LIVE, Notice, NoticeState
from notifier.errors import Conflict, Invalid, NotFound
from notifier.services import arriving, responses
from notifier.services.context import Context
from notifier.store import notices as notice_store
from notifier.store.database import Tx, storable
from notifier.store.ids import as_uuid

log = structlog.get_logger(__name__)

_OUTSIDE_CASES = (MailClass.AUTO_REPLY, MailClass.RECEIPT, MailClass.DELAYED)
_ADDRESSED = (Level.ENVELOPE, Level.ADDRESSED)


@dataclass(frozen=True, slots=True)
class ReadMail:
    """What a mail tells by itself. `fault`: the bound of reading that it is over. `vouched`: our own server says that its
    author's domain passed DMARC."""

    classed: Classed
    clues: list[Clue]
    author: str | None
    vouched: bool
    fault: str | None


@dataclass(frozen=True, slots=True)
class Matched:
    """The notice that a mail is about, by its surest clue; `notice` None with a `proposed` id for one that is not sure."""

    notice: Notice | None
    clue: str | None
    level: Level | None = None
    proposed: str | None = None


async def read(ctx: Context, row: Mapping[str, Any]) -> ReadMail:
    """Read a stored mail, in a thread: a large one takes a while, and others are served meanwhile."""
    return await asyncio.to_thread(_read, ctx, row["headers"], row["body"], row["recipient"], row["whole_size"])


def _read(ctx: Context, envelope: Mapping[str, str], body: bytes, recipient: str, whole_size: int | None) -> ReadMail:
    identity = ctx.settings.identity
    ours = Ours(identity.reply_mailbox, identity.reply_domain)
    mail = mime.read(body, envelope)
    fault = mail.fault
    if whole_size is not None:
        fault = f"{whole_size} bytes, of which the first {len(body)} are kept here"
    return ReadMail(
        classed=mail_class.classify(mail, ours, frozenset({identity.mail_from.lower()})),
        clues=mail_match.clues(mail, ours, recipient),
        author=mail_match.sole_author(mail),
        vouched=mail_authentication.dmarc_pass(mail, ctx.settings.authserv_id),
        fault=fault,
    )


async def settle(ctx: Context, tx: Tx, inbound_id: str, read: ReadMail, message: Inbound) -> None:
    """Write where a mail ends, and do what it may. The inbound row is locked and unread."""
    if read.fault is not None:
        await _end(tx, inbound_id, "quarantined", MailClass.QUARANTINED, read.fault)
        what = f"a mail that is not read by the program ({read.fault}); look at the original with care"
        await notice_store.open_task(tx.con, "unmatched_mail", what, tx.now, inbound_id=inbound_id)
        await tx.audit("inbound.quarantined", inbound_id, {"why": read.fault})
        return
    matched = await _match(ctx, tx, read)
    if matched.notice is None:
        await _unmatched(tx, inbound_id, read, matched)
        return
    kind, proposed = await _kind_for(ctx, tx, matched.notice, read, message)
    await _end(tx, inbound_id, "linked", kind, read.classed.reason, matched)
    await _apply(ctx, tx, matched, kind, proposed, read, inbound_id)


async def _end(tx: Tx, inbound_id: str, fate: str, kind: MailClass, why: str, matched: Matched | None = None) -> None:
    await tx.con.execute(
        "update inbound set read_at = $2, fate = $3, class = $4, why = $5, notice_id = $6, matched_by = $7, "
        "proposed = $8 where id = $1",
        inbound_id,
        tx.now,
        fate,
        str(kind),
        storable(why),
        matched.notice.id if matched and matched.notice else None,
        matched.clue if matched else None,
        matched.proposed if matched else None,
    )


async def _unmatched(tx: Tx, inbound_id: str, read: ReadMail, matched: Matched) -> None:
    why = f"{read.classed.kind}: {read.classed.reason}"
    await _end(tx, inbound_id, "unmatched", MailClass.UNMATCHED, why, matched)
    what = f"a message that no notice answers to ({why}); read it and tie it"
    if matched.proposed:
        what = f"a message that is perhaps about notice {matched.proposed} ({matched.clue}); read it and tie it"
    await notice_store.open_task(tx.con, "unmatched_mail", what, tx.now, inbound_id=inbound_id)
    await tx.audit("inbound.unmatched", inbound_id, {"proposed": matched.proposed} if matched.proposed else {})


# --- which notice -------------------------------------------------------------------------------------------------


async def _match(ctx: Context, tx: Tx, read: ReadMail) -> Matched:
    """The first clue that leads to a notice. What is not sure is proposed, and only while nothing sure is found."""
    proposal: tuple[str, Clue | None] | None = None
    for clue in read.clues:
        if clue.sure:
            found = await _notice_by(tx, clue)
            if len(found) == 1:
                notice = await _locked(tx, found[0])
                if notice is not None:
                    return Matched(notice, f"{clue.what} in {clue.level}", clue.level)
        elif proposal is None and len(found := await _notice_by(tx, clue)) == 1:
            proposal = (found[0], clue)
    if proposal is not None:
        notice_id, clue_seen = proposal
        return Matched(None, f"{clue_seen.what} in {clue_seen.level}" if clue_seen else None, proposed=notice_id)
    by_sender = await _by_sender(tx, read)
    return Matched(None, str(Level.SENDER) if by_sender else None, proposed=by_sender)


async def _notice_by(tx: Tx, clue: Clue) -> list[str]:
    match clue.what:
        case What.TOKEN:
            query = "select id from notice where reply_token = $1"
        case What.KEY:
            query = "select id from notice where send_key = $1"
        case What.NOTICE:
            query = "select id from notice where id = $1::uuid"
        case What.REFERENCE:  # the case's newest notice that somebody may answer
            query = (
                "select n.id from notice n join cases c on c.id = n.case_id where c.reference = $1 "
                "and n.state in ('sent', 'delivered', 'uncertain', 'bounced') order by n.queued_at desc, n.id desc limit 1"
            )
    if clue.what is What.NOTICE and as_uuid(clue.value) is None:
        return []
    return [str(r["id"]) for r in await tx.con.fetch(query, clue.value)]


async def _by_sender(tx: Tx, read: ReadMail) -> str | None:
    """The one live notice that was sent to the author's own address and is about a name that the text mentions."""
    if read.author is None:
        return None
    rows = await tx.con.fetch(
        "select id, domain from notice where lower(content ->> 'recipient_address') = $1 and state = any($2) limit 1000",
        storable(read.author),
        [str(state) for state in LIVE],
    )
    said = read.classed.text.lower().replace("[.]", ".")
    found = [str(r["id"]) for r in rows if mentions(said, r["domain"])]
    return found[0] if len(found) == 1 else None


def mentions(text: str, domain: str) -> bool:
    """Whether a lower-case text names the domain itself, not a longer name around it."""
    at = text.find(domain)
    while at >= 0:
        before, after = text[at - 1 : at] if at else "", text[at + len(domain) : at + len(domain) + 2]
        longer = after[:1].isalnum() or after[:1] in ("-", "_") or (after[:1] == "." and after[1:2].isalnum())
        if not longer and not (before.isalnum() or before in ("-", "_", ".")):
            return True
        at = text.find(domain, at + 1)
    return False


async def _locked(tx: Tx, notice_id: str) -> Notice | None:
    try:
        return await responses.lock_notice(tx, notice_id)
    except NotFound:
        return None


# --- what it is to this notice ------------------------------------------------------------------------------------


async def _kind_for(
    ctx: Context, tx: Tx, notice: Notice, read: ReadMail, message: Inbound
) -> tuple[MailClass, Response | None]:
    """The class with the notice in view. A channel may know its own recipient's automatic mail better than the table."""
    if read.classed.kind is not MailClass.HUMAN:
        return read.classed.kind, None
    proposed = _as_channel_reads(ctx, notice, message)
    if proposed is not None and proposed.kind in AUTOMATIC:
        return MailClass(proposed.kind), proposed
    if not await _is_recipients(ctx, tx, notice, read.author):
        return MailClass.THIRD_PARTY, proposed
    return MailClass.HUMAN, proposed


def _as_channel_reads(ctx: Context, notice: Notice, message: Inbound) -> Response | None:
    adapter = ctx.adapters.get(notice.agreement)
    if adapter is None:
        return None
    try:
        return adapter.parse_reply(message)
    except Exception:  # what a channel chokes on, a person reads
        log.exception("channel.failed", agreement=notice.agreement)
        return None


async def _is_recipients(ctx: Context, tx: Tx, notice: Notice, author: str | None) -> bool:
    """Whether the one author's domain is that of whom the notice was sent to, wherever the agreement points today."""
    address = await tx.con.fetchval("select content ->> 'recipient_address' from notice where id = $1", notice.id)
    if author is None or not address:
        return False
    theirs = domain_of(address) if "@" in address else (urlsplit(address).hostname or "")
    return same_party(domain_of(author), theirs.lower(), ctx.catalog.suffixes)


# --- what it may do -----------------------------------------------------------------------------------------------


async def _apply(
    ctx: Context,
    tx: Tx,
    matched: Matched,
    kind: MailClass,
    proposed: Response | None,
    read: ReadMail,
    inbound_id: str,
) -> None:
    notice = matched.notice
    if notice is None:
        return
    detail: dict[str, Any] = {"notice": notice.id, "class": str(kind), "by": matched.clue}
    by_token = any(c.what is What.TOKEN and c.value == notice.reply_token for c in read.clues)
    if kind is MailClass.BOUNCE and by_token and notice.response == "none" and await _went_by_mail(tx, notice):
        # Nobody signs a delivery report. It counts for a notice that went by mail, that nobody has answered, and only
        # under the reply token, which the recipient's mail system alone has seen.
        why = read.classed.why or "a delivery failure report came back"
        await responses.undeliverable(tx, notice, why, "bounced")
    elif kind in _OUTSIDE_CASES:  # a machine's word: kept, and no case moves
        delivered = read.classed.delivery is not None and read.classed.delivery.action == "delivered"
        if delivered and by_token and await _went_by_mail(tx, notice):
            await _delivered(ctx, tx, notice, inbound_id)
        if read.classed.reason == CHALLENGE:
            what = "the recipient's mail system wants a person's proof before it delivers the notice"
            await _ask(tx, notice, inbound_id, what, "no_contact")
        await tx.audit("inbound.automatic", inbound_id, detail, notice.case_id)
    elif kind is MailClass.THIRD_PARTY:
        who = read.author or "several authors, or none"
        what = f"{who} wrote about the notice and is not at its recipient; it does not count: ask the recipient by call-back"
        await _ask(tx, notice, inbound_id, storable(what))
        await tx.audit("inbound.third_party", inbound_id, detail, notice.case_id)
    else:
        token_addressed = matched.level in _ADDRESSED and by_token
        acknowledged = kind is MailClass.HUMAN and token_addressed and read.vouched
        if acknowledged and await _acknowledge(ctx, tx, notice, read, inbound_id):
            await tx.audit("inbound.acknowledged", inbound_id, detail, notice.case_id)
            if proposed is not None and proposed.extra.get("answer") == "acknowledged":
                return
        what = "somebody answered by mail; confirm with the registry by call-back before it counts"
        await _ask(tx, notice, inbound_id, what)
        await tx.audit("inbound.needs_confirmation", inbound_id, detail, notice.case_id)


async def _delivered(ctx: Context, tx: Tx, notice: Notice, inbound_id: str) -> None:
    """The recipient's system says that it has the notice; that settles what was uncertain, too."""
    if notice.state is NoticeState.UNCERTAIN:
        notice = notice.apply("accepted", tx.now)
        await notice_store.save(tx.con, notice)
        await notice_store.end_uncertain(tx.con, notice.id, tx.actor, tx.now, "arrived: a delivery report says so")
        await arriving.arrived(ctx, tx, notice)
        await tx.audit("notice.settled", notice.id, {"by": "report", "inbound": inbound_id}, notice.case_id)
    if notice.state is NoticeState.SENT:
        await notice_store.save(tx.con, notice.apply("delivered", tx.now))
        await tx.audit("notice.delivered", notice.id, {"inbound": inbound_id}, notice.case_id)


async def _acknowledge(ctx: Context, tx: Tx, notice: Notice, read: ReadMail, inbound_id: str) -> bool:
    """A person at the recipient has the notice. It takes nothing back that is known already."""
    if notice.response != "none" or notice.state not in LIVE:
        return False
    try:
        answer = Answer("acknowledged", comment=read.classed.text)
        await responses.record(ctx, tx, notice, answer, inbound_id)
    except (Invalid, Conflict):
        return False
    return True


async def _went_by_mail(tx: Tx, notice: Notice) -> bool:
    """Whether the notice itself went to a mailbox, by whatever channel its agreement is written to today."""
    address = str(await tx.con.fetchval("select content ->> 'recipient_address' from notice where id = $1", notice.id))
    carried = await tx.con.fetchval("select exists (select from attempt where notice_id = $1 and attended)", notice.id)
    return "@" in address and "://" not in address and not any(c.isspace() for c in address) and not carried


async def _ask(tx: Tx, notice: Notice, inbound_id: str, what: str, kind: str = "confirm_answer") -> None:
    await notice_store.open_task(
        tx.con, kind, what, tx.now, case_id=notice.case_id, notice_id=notice.id, inbound_id=inbound_id
    )
