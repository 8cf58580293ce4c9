"""A message that came in, as a person may safely read it: its text and the names of what hangs on it, nothing opened."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.domain import mail_text, mime
from notifier.domain.hostile import lines, one_line
from notifier.services import reading
from notifier.services.access import Principal
from notifier.services.context import Context

_TEXT_MAX = 20_000
_LISTED = 20
_NOTICES = 20


@dataclass(frozen=True, slots=True)
class Enclosed:
    """Something that hangs on a message. `size`: of its encoded bytes."""

    name: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Every text in it is hostile: shown escaped and defanged, and nothing of it is a link.

    `proposed`: the notice that it is perhaps about. `why`: why nobody can say more.
    """

    channel: str
    recipient: str
    sender: str
    subject: str
    written_at: str
    received_at: datetime
    text: str
    enclosed: Sequence[Enclosed]
    kind: str
    why: str
    proposed: str | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class Noticed:
    """A notice that a message may answer."""

    id: str
    reference: str
    domain: str
    registry: str
    purpose: str
    state: str
    sent_at: datetime | None


async def of_task(ctx: Context, who: Principal, task_id: str) -> Message | None:
    """The message behind a task in reach; None where there is none. Raises NotFound."""
    task = await reading.task(ctx, who, task_id)
    if task["inbound_id"] is None:
        return None
    row = await ctx.db.fetchrow(
        "select channel, recipient, headers, body, received_at, class, why, proposed from inbound where id = $1",
        task["inbound_id"],
    )
    return await asyncio.to_thread(_read, dict(row)) if row is not None else None


def _read(row: Mapping[str, Any]) -> Message:
    known = {
        "channel": row["channel"],
        "recipient": row["recipient"],
        "received_at": row["received_at"],
        "kind": row["class"] or "",
        "why": row["why"] or "",
        "proposed": str(row["proposed"]) if row["proposed"] else None,
    }
    if row["channel"] != "mail":
        text = "\n".join(lines(bytes(row["body"])[:_TEXT_MAX].decode("utf-8", "replace")))
        return Message(sender="", subject="", written_at="", text=text, enclosed=(), fault=None, **known)
    mail = mime.read(bytes(row["body"]), row["headers"])
    return Message(
        sender=mail_text.header(mail, "from"),
        subject=mail_text.header(mail, "subject"),
        written_at=mail_text.header(mail, "date", 100),
        text=mail_text.comment(mail)[:_TEXT_MAX],
        enclosed=_enclosed(mail),
        fault=mail.fault,
        **known,
    )


def _enclosed(mail: mime.Mail) -> list[Enclosed]:
    found = []
    for part in mail.parts[1:]:
        if part.media_type.startswith("multipart/") or not (part.attached or not part.media_type.startswith("text/")):
            continue
        stated = mime.parameters_of(part.get("content-disposition") or "").get("filename")
        name = one_line(mail_text.words(stated or part.parameters.get("name", "")), 120)
        found.append(Enclosed(name or "without a name", part.media_type, part.end - part.start))
    return found[:_LISTED]


async def notices(ctx: Context, who: Principal, spelling: str) -> Sequence[Noticed]:
    """Notices of a case in reach, by its reference, its id or its name, that a message may answer; newest first.

    Raises NotFound.
    """
    case_id = await reading.case_of_reference(ctx, who, spelling)
    found = (await reading.case_parts(ctx, who, case_id))["notices"]
    left = [n for n in found if n["state"] in ("sending", "sent", "delivered", "bounced", "uncertain", "superseded")]
    return [_noticed(row) for row in reversed(left[-_NOTICES:])]


async def proposed(ctx: Context, who: Principal, notice_id: str) -> Noticed:
    """The notice that a message is perhaps about. Raises NotFound."""
    return _noticed(await reading.notice(ctx, who, notice_id))


def _noticed(row: Mapping[str, Any]) -> Noticed:
    return Noticed(
        str(row["id"]), row["reference"], row["domain"], row["registry"], row["purpose"], row["state"], row["sent_at"]
    )
