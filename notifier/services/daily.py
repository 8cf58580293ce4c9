"""One mail a day with every open notice of an agreement, for a recipient that wants that instead of reminders.

It asks for nothing new and goes to nobody but that recipient, with the links of its own notices. Whether it arrived does
not matter enough to send it twice: in doubt the next day's comes.
"""

from datetime import datetime, timedelta
from typing import Any, cast

import structlog

from notifier.adapter import Deferred, RefusedForGood, TellingAdapter, Uncertain
from notifier.catalog import Agreement
from notifier.domain.hostile import one_line
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.polling import deferral
from notifier.services import agreements, channels, ladder, links
from notifier.services.access import DAEMON
from notifier.services.channels import Channel
from notifier.services.context import Context
from notifier.store import daily_lists as store
from notifier.store import notices as notice_store
from notifier.store.daily_lists import DailyList
from notifier.store.database import Connection, Tx, storable

log = structlog.get_logger(__name__)

_AGAIN, _MOST_TRIES = timedelta(minutes=15), 8
_ANSWERED = {
    "none": "no answer yet",
    "received": "received by your system",
    "acknowledged": "acknowledged",
    "needs_info": "you asked for more; our answer follows",
}


async def plan_all(ctx: Context) -> None:
    """Plan the next list of every agreement that wants one; once, by whichever process comes first."""
    for agreement in ctx.catalog.agreements.values():
        if agreement.daily is not None:
            async with ctx.db.transaction(DAEMON) as tx:
                await _plan(ctx, tx, agreement, tx.now)


async def _plan(ctx: Context, tx: Tx, agreement: Agreement, after: datetime) -> None:
    if agreement.daily is None:
        return
    moment = agreement.daily.after(after, ctx.catalog.calendars)
    if (list_id := await store.plan(tx.con, agreement.id, moment)) is not None:
        await tx.plan(Timer(JobKind.DAILY_LIST, list_id, moment))


async def send(ctx: Context, list_id: str) -> None:
    """Send one day's list, if there is anything to list; the next one is planned first."""
    begun = await _begin(ctx, list_id)
    if begun is None:
        return
    there, subject, text, now = begun
    try:
        await cast(TellingAdapter, there.adapter).tell(subject, text, f"tn-list-{list_id}", now)
    except Deferred as deferred:
        await _put_off(ctx, list_id, deferred.reason, deferral(deferred.retry_after))
    except RefusedForGood as refused:
        await _end(ctx, list_id, "missed", refused.reason)
    except Uncertain as uncertain:
        await _end(ctx, list_id, "uncertain", uncertain.reason)
    except Exception as error:  # whatever else it raises tells nothing of arrival
        log.exception("channel.failed", agreement=there.agreement.id)
        await _end(ctx, list_id, "uncertain", f"the channel failed: {type(error).__name__}")
    else:
        await _end(ctx, list_id, "sent")


async def _begin(ctx: Context, list_id: str) -> tuple[Channel, str, str, datetime] | None:
    """The intent in the database, and what is to be said; None when nothing is."""
    async with ctx.db.transaction(DAEMON) as tx:
        found = await store.lock(tx.con, list_id)
        if found is None or found.state not in ("planned", "sending"):
            return None
        agreement = ctx.catalog.agreements.get(found.agreement)
        if agreement is not None:
            await _plan(ctx, tx, agreement, tx.now)
        if found.state == "sending":  # the process that sent it died, or is at it at this moment
            await _ended(tx, found, "uncertain", "the daemon stopped while sending")
            return None
        there = await channels.of(ctx, tx.con, found.agreement)
        why = await _why_not(ctx, tx, found, there)
        if why is not None or there is None:
            await _ended(tx, found, "missed", why or "")
            return None
        items = await _items(ctx, tx.con, there.agreement, tx.now)
        if not items:
            await _ended(tx, found, "empty")
            return None
        await store.begin(tx.con, list_id, tx.now, [item["id"] for item in items])
        subject, text = ctx.renderer.mail("daily_list", _facts(ctx, there.agreement, items, tx.now))
        return there, subject, text, tx.now


async def _why_not(ctx: Context, tx: Tx, found: DailyList, there: Channel | None) -> str | None:
    if there is None or there.agreement.daily is None:
        return "the agreement asks for no list any more"
    daily, calendars = there.agreement.daily, ctx.catalog.calendars
    if daily.latest(found.moment, calendars) != found.moment:
        return "the agreement's time was changed"
    if daily.after(found.moment, calendars) <= tx.now:
        return "the next one is due"
    if not tells(there):
        return "the channel carries no free message"
    if not await agreements.may_leave(ctx, tx.con, found.agreement, undo=False):
        return "the agreement is not armed, or suspended"
    return None


def tells(there: Channel | None) -> bool:
    """Whether the agreement's open notices are listed once a day, in place of reminders."""
    if there is None or there.agreement.daily is None or there.adapter is None:
        return False
    return there.adapter.capabilities.tells


async def _items(ctx: Context, con: Connection, agreement: Agreement, now: datetime) -> list[dict[str, Any]]:
    items = []
    for row in await store.open_notices(con, agreement.id, agreement.registry):
        notice = await notice_store.get(con, str(row["id"]))
        if notice is None or notice.sent_at is None:
            continue
        due = await ladder.answer_due(ctx, con, notice, notice.sent_at)
        lapsed = now > notice.sent_at + ctx.program(row["program"]).windows.validity
        items.append(
            {
                "id": notice.id,
                "reference": row["reference"],
                "domain": notice.domain,
                "word": row["word"],
                "sent_at": notice.sent_at,
                "answered": _ANSWERED[notice.response],
                "answer_by": due,
                "link": None if lapsed else links.url_of(ctx.settings.public_url, ctx.reply_key, notice.id),
            }
        )
    return items


def _facts(ctx: Context, agreement: Agreement, items: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    return {
        "simulated": ctx.settings.simulated,
        "recipient": agreement.recipient_name,
        "program": ctx.program(agreement.program).name,
        "agreement": agreement.id,
        "agreed": agreement.decide.commitment == "agreed",
        "now": now,
        "items": items,
        "contact": ctx.settings.contact,
        "organisation": ctx.settings.organisation,
    }


async def _put_off(ctx: Context, list_id: str, why: str, asked: timedelta) -> None:
    async with ctx.db.transaction(DAEMON) as tx:
        found = await store.lock(tx.con, list_id)
        if found is None or found.state != "sending":
            return
        if found.attempts >= _MOST_TRIES:
            await _ended(tx, found, "missed", why)
            return
        await store.end(tx.con, list_id, "planned", tx.now, storable(why))  # nothing was accepted
        await tx.plan(Timer(JobKind.DAILY_LIST, list_id, tx.now + max(_AGAIN, asked)))


async def _end(ctx: Context, list_id: str, state: str, why: str = "") -> None:
    async with ctx.db.transaction(DAEMON) as tx:
        found = await store.lock(tx.con, list_id)
        # It was taken for dead while it was sent: what is known now is better.
        if found is not None and (found.state == "sending" or (found.state, state) == ("uncertain", "sent")):
            await _ended(tx, found, state, why)


async def _ended(tx: Tx, found: DailyList, state: str, why: str = "") -> None:
    await store.end(tx.con, found.id, state, tx.now, storable(why))
    if state == "empty":
        return
    notices = await tx.con.fetchval("select notices from daily_list where id = $1", found.id)
    detail = {"list": found.id, "moment": found.moment.isoformat(), "notices": [str(one) for one in notices]}
    await tx.audit(f"digest.{state}", found.agreement, detail)
    if state == "missed" and found.state == "sending":  # it was tried, and the recipient does not take it
        what = f"{found.agreement}: the daily list of open notices is not taken: {one_line(why, 300)}"
        await store.open_task(tx.con, storable(what), tx.now)
