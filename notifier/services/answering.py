"""A notice's own link, by which its recipient answers without an account.

It is bound to one notice, and shows and takes little. Mail scanners open every link, so looking does nothing. Who has
the mail has the link: it may acknowledge, ask for more, or claim an act, which closes nothing before it is observed.
What ends a request needs somebody who is known.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime

from notifier.domain.answer import Answer
from notifier.domain.epp import Measure
from notifier.errors import Conflict, Forbidden, NotFound
from notifier.services import briefing, links, responses
from notifier.services.briefing import Brief
from notifier.services.context import Context
from notifier.services.responses import ANSWERABLE, Recorded
from notifier.store import notices as notice_store
from notifier.store.database import Connection
from notifier.store.ids import as_uuid

KINDS = ("acknowledged", "needs_info", "action_taken")
_MOST_ANSWERS = 10
# What came by a link is told by who said it: the answer to a reminder is kept with the request that it repeats.
_BY_LINK = "select {} from response where principal = 'link:' || $1::text and via = 'link'"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that came by this link."""

    kind: str
    measure: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """What the link's page shows: nothing that the notice does not say. `word` is the recipient's own for the measure.

    No file and no screenshot: these need an account.
    """

    notice_id: str
    reference: str
    recipient: str
    domain: str
    measure: Measure
    word: str
    purpose: str
    until: datetime
    said: tuple[Said, ...]
    brief: Brief


async def shown(ctx: Context, notice_id: str, secret: str) -> Asked:
    """What the recipient is asked. Raises NotFound: no such link, or its notice never left, was taken back or lapsed."""
    async with ctx.db.pool.acquire() as con:
        return await _asked(ctx, con, notice_id, secret)


async def answer(ctx: Context, notice_id: str, secret: str, said: Answer) -> Recorded:
    """Record what came by the link. Raises NotFound, Forbidden (`needs_account`), Invalid, and Conflict after too many."""
    if said.kind not in KINDS:
        raise Forbidden(
            "this link cannot decline a request: reply to the notice, or use your account", code="needs_account"
        )
    async with ctx.db.transaction(f"link:{notice_id}", "link") as tx:
        await _asked(ctx, tx.con, notice_id, secret)
        notice = await responses.lock_notice(tx, notice_id)
        done = await responses.record(ctx, tx, notice, said)
        count = await tx.con.fetchval(_BY_LINK.format("count(*)"), notice_id)
        if not done.repeated and count > _MOST_ANSWERS:
            raise Conflict(
                f"this link gave {_MOST_ANSWERS} answers already; reply to the notice", code="too_many_answers"
            )
        return done


async def _asked(ctx: Context, con: Connection, notice_id: str, secret: str) -> Asked:
    now = await ctx.db.clock.now()
    known = as_uuid(notice_id) is not None and hmac.compare_digest(
        secret.encode(), links.secret_of(ctx.reply_key, notice_id).encode()
    )
    notice = await notice_store.get(con, notice_id) if known else None
    row = await con.fetchrow(
        "select c.reference, c.program, n.content->>'recipient_name' as recipient, n.content->>'measure_word' as word, "
        "coalesce(n.sent_at, n.queued_at) as since from notice n join cases c on c.id = n.case_id where n.id = $1",
        notice_id if known else None,
    )
    if notice is None or row is None or notice.state not in ANSWERABLE:
        raise NotFound("this link is not valid, or its notice was taken back")
    until = row["since"] + ctx.program(row["program"]).windows.validity
    if now > until:
        raise NotFound("this link has lapsed with its notice")
    said = await con.fetch(_BY_LINK.format("kind, measure, received_at") + " order by received_at, id", notice_id)
    return Asked(
        notice_id,
        row["reference"],
        row["recipient"],
        notice.domain,
        Measure(notice.measure),
        row["word"],
        str(notice.purpose),
        until,
        tuple(Said(r["kind"], r["measure"], r["received_at"]) for r in said),
        await briefing.of(ctx, con, notice),
    )
