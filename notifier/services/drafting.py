"""The notices that approving a case would send: gathered from what is known, rendered whole, frozen by digest.

Everything here is deterministic: notice id and reply token follow from case, agreement, purpose and version, and
dates from when the review began. The same case drafts the same bytes, so an approval can name their digest.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid5

import rfc8785

from notifier.adapter import Attachment, RenderedNotice
from notifier.catalog import Agreement
from notifier.domain import grounds
from notifier.domain.case import Case
from notifier.domain.epp import Measure
from notifier.domain.live_events import Hold
from notifier.domain.manifest import Manifest
from notifier.domain.notice import ASKING, TOLD, Notice, NoticeState, Purpose
from notifier.domain.recipient import Found, Nobody
from notifier.domain.rules import InEventWindow
from notifier.services import channels, correspondence, evaluation, gathering, keeping, links, recipients, relapses
from notifier.services.context import Context
from notifier.services.gathering import Occasion
from notifier.store import contacts
from notifier.store import files as file_store
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx


@dataclass(frozen=True, slots=True)
class Draft:
    """A notice that would go, whom it goes to and how that is known, and everything it says. `channel`: the digest of the
    one that it would go by.
    """

    notice: Notice
    recipient: Found
    content: RenderedNotice
    manifest: Manifest
    channel: str


async def draft(ctx: Context, con: Connection, case: Case) -> list[Draft]:
    """What approval would send now; empty when there is nobody to write to."""
    there = await channels.of(ctx, con, case.agreement or "")
    if there is None or not case.can_ask or case.measure not in there.agreement.measures:
        return []
    agreement = there.agreement
    recipient = await recipients.contact(ctx, con, case, agreement)
    if isinstance(recipient, Nobody):
        return []
    purpose, told, before = await _purpose(con, case)
    earlier = await con.fetchrow(
        "select count(*) filter (where state not in ('queued', 'cancelled')) as left_us, "
        "count(*) filter (where state = 'cancelled') as cancelled from notice where case_id = $1 and agreement = $2",
        case.id,
        agreement.id,
    )
    # What was cancelled keeps its row and its id; the recipient never saw it, so the version does not count it.
    version, discarded = 1 + int(earlier["left_us"]), int(earlier["cancelled"])
    dated = case.review_since or case.opened_at
    on = Occasion(agreement, recipient, purpose, version, case.measure, told, dated, earlier=before)
    program = ctx.program(case.program)
    if program.rule(InEventWindow):
        event = grounds.held_for(program, await evaluation.facts_of(ctx.catalog, con, case, program), dated)
        if event is None or case.measure not in (Measure.HOLD, Measure.CONTENT_REMOVAL):
            return []  # what has no end is not asked for because of an event
        on = replace(on, hold=event.hold)
    return [await _draft(ctx, con, case, on, discarded)]


async def draft_undo(
    ctx: Context,
    con: Connection,
    case: Case,
    told: Notice,
    reason: str,
    now: datetime,
    purpose: Purpose = Purpose.WITHDRAWAL,
    *,
    keeps: bool = False,
) -> Draft:
    """The withdrawal for one party that was told, or what asks it to restore. Asking for less waits for nobody, so it is
    dated now. `keeps`: pages that it removed stay removed."""
    on = await _after(ctx, con, told, purpose, Measure.RESTORE, now)
    return await _draft(ctx, con, case, replace(on, earlier=reason, keeps=keeps))


async def draft_reminder(ctx: Context, con: Connection, case: Case, told: Notice, now: datetime) -> Draft:
    """The same request to the same party once more: nothing in it is new but its date, so nobody approves it anew."""
    on = await _after(ctx, con, told, Purpose.REMINDER, Measure(told.measure), now)
    asked = f"We asked on {told.sent_at:%Y-%m-%d %H:%M} UTC by notice {told.id}."
    return await _draft(ctx, con, case, replace(on, earlier=asked, hold=_hold(told)))


def _hold(told: Notice) -> Hold | None:
    """What was told holds, whatever became of the event since."""
    if told.event is None or told.hold_until is None or told.release_by is None:
        return None
    return Hold(told.event, told.hold_until, told.release_by)


async def draft_undo_again(ctx: Context, con: Connection, case: Case, undo: Notice, now: datetime) -> Draft:
    """A withdrawal that nobody answered, once more: it says that it repeats, and asks for nothing new."""
    on = await _after(ctx, con, undo, undo.purpose, Measure.RESTORE, now)
    first = await notice_store.get(con, undo.supersedes) if undo.supersedes else None
    return await _draft(ctx, con, case, replace(on, told=first, repeats=undo))


async def _after(
    ctx: Context, con: Connection, told: Notice, purpose: Purpose, measure: Measure, now: datetime
) -> Occasion:
    """What follows a notice goes to whoever had it, as the version after it."""
    agreement = await _standing(ctx, con, told)
    recipient = await _told_where(con, told, agreement)
    return Occasion(agreement, recipient, purpose, told.version + 1, measure, told, now)


async def _standing(ctx: Context, con: Connection, told: Notice) -> Agreement:
    """The agreement that the notice was sent under, with the channel that stands now."""
    there = await channels.of(ctx, con, told.agreement)
    return ctx.agreement(told.agreement) if there is None else there.agreement


async def _told_where(con: Connection, told: Notice, agreement: Agreement) -> Found:
    """Whoever was told is told again where it was told: its address may have changed in what we would find now.

    A party with a channel of its own is told on that channel as it is now.
    """
    if agreement.for_anybody:
        stored = await con.fetchrow(
            "select recipient, content->>'recipient_address' as address from notice where id = $1", told.id
        )
        return replace(Found.from_json(stored["recipient"]), address=stored["address"])
    return recipients.by_agreement(agreement)


async def _purpose(con: Connection, case: Case) -> tuple[Purpose, Notice | None, str]:
    """What the next notice is to its recipient, the one that it amends or asks anew, and what it tells of what came before."""
    if case.amendment is not None:
        ours = await contacts.amendment(con, case.amendment)
        return Purpose.AMENDMENT, await notice_store.get(con, ours.notice_id), ours.answer
    before = [e for e in await contacts.exchanges(con, case.id) if e.party is not case.step]
    escalates = bool(case.passed and before)
    undone = await relapses.told(con, case)
    earlier = "\n\n".join(filter(None, (undone, correspondence.told(before) if escalates else "")))
    if undone and (again := await _asked_before(con, case)) is not None:
        return Purpose.REQUEST, again, earlier
    return Purpose.ESCALATION if escalates else Purpose.REQUEST, None, earlier


async def _asked_before(con: Connection, case: Case) -> Notice | None:
    """The newest request to the party whose turn it is, which it did and which came undone: it is asked anew."""
    live = await notice_store.of_case(con, case.id, *TOLD)
    asked = [n for n in live if n.purpose in ASKING and n.agreement == case.agreement]
    return asked[-1] if asked and case.aftermath == "relapsed" else None


async def queue(tx: Tx, item: Draft, approved_by: str) -> None:
    """Freeze a draft as a queued notice."""
    notice = replace(item.notice, approved_by=approved_by)
    await notice_store.insert(
        tx.con, notice, item.recipient.id, item.recipient.to_json(), freeze(item.content), tx.now, item.channel
    )
    await file_store.insert_manifest(tx.con, notice.id, item.manifest)
    await tx.audit(
        "notice.queued",
        notice.id,
        {
            "digest": notice.digest,
            "purpose": str(notice.purpose),
            "agreement": notice.agreement,
            "recipient": item.recipient.id,
            "path": item.recipient.path,  # where its address stood, never the address
        },
        notice.case_id,
    )


def digest_of(drafts: Sequence[Draft], case: Case) -> str:
    """One digest over all that a preview shows and an approval names.

    The notices of a step, whom they go to and how that is known, the channels they would go by, the rules that the case
    was judged under, and what a second person must weigh.
    """
    shown = [
        [[d.content.digest, d.recipient.id, d.recipient.path, d.channel] for d in drafts],
        case.program_digest,
        list(case.second_reasons),
    ]
    return hashlib.sha256(rfc8785.dumps(shown)).hexdigest()


async def _draft(ctx: Context, con: Connection, case: Case, on: Occasion, discarded: int = 0) -> Draft:
    told, party = on.told, on.recipient.party
    key = f"{case.id}/{on.agreement.id}/{on.purpose}/{on.version}" + (f"/{discarded}" if discarded else "")
    if (
        told is not None and on.purpose is not Purpose.AMENDMENT
    ):  # of two that say the same, each is about its own request
        key += f"/{told.id}"
    notice_id = str(uuid5(gathering.NAMESPACE, key))
    captured = await gathering.captures_of(con, case)
    facts = await gathering.gathered(ctx, con, case, on, notice_id, captured)
    made = await keeping.manifest_of(con, case, captured)
    content = ctx.renderer.notice(replace(facts, manifest_sha256=made.sha256, bundle_url=_bundle_url(ctx, notice_id)))
    notice = Notice(
        id=notice_id,
        case_id=case.id,
        agreement=on.agreement.id,
        purpose=on.purpose,
        version=on.version,
        state=NoticeState.QUEUED,
        measure=str(on.measure),
        domain=gathering.named(case, party),
        digest=content.digest,
        send_key=f"tn-{notice_id}",
        reply_token=links.reply_token(ctx.reply_key, notice_id),
        approved_by=None,
        drafted_at=on.dated,
        epoch=case.epoch,
        party=party,
        supersedes=on.repeats.id if on.repeats else told.id if told else None,
        event=on.hold.event if on.hold else None,
        hold_until=on.hold.until if on.hold else None,
        release_by=on.hold.release_by if on.hold else None,
    )
    return Draft(notice, on.recipient, content, made, on.agreement.channel_digest)


def _bundle_url(ctx: Context, notice_id: str) -> str:
    return f"{ctx.settings.public_url.rstrip('/')}/api/v1/notices/{notice_id}/evidence"


# --- freezing -----------------------------------------------------------------------------------------------------


def xarf_file(content: RenderedNotice) -> Attachment:
    """The notice's XARF document as a file."""
    return Attachment("xarf.json", "application/json", content.xarf, hashlib.sha256(content.xarf).hexdigest())


def freeze(content: RenderedNotice) -> dict[str, Any]:
    """The notice as JSON, bytes as base64, so that a retry sends what was approved to the byte."""
    data = asdict(content)
    data["measure"] = str(content.measure)
    data["issued_at"] = content.issued_at.isoformat()
    data["until"] = content.until.isoformat() if content.until else None
    data["xarf"] = base64.b64encode(content.xarf).decode()
    data["attachments"] = [{**asdict(a), "content": base64.b64encode(a.content).decode()} for a in content.attachments]
    return data


def thaw(data: Mapping[str, Any]) -> RenderedNotice:
    """The notice that `freeze` wrote."""
    return RenderedNotice(
        **{
            **data,
            "measure": Measure(data["measure"]),
            "issued_at": datetime.fromisoformat(data["issued_at"]),
            "until": datetime.fromisoformat(data["until"]) if data.get("until") else None,
            "xarf": base64.b64decode(data["xarf"]),
            "attachments": tuple(
                Attachment(**{**a, "content": base64.b64decode(a["content"])}) for a in data["attachments"]
            ),
        }
    )
