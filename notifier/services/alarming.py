"""Alarms: raised once while the cause stands, and told to a person by mail and webhook until one of them arrived.

An alarm stays open until somebody ends it. Telling goes to our own mailbox and our own endpoint, so what may have
arrived is told again: a second message does no harm, and none may.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from notifier.adapter import Deferred, Message, RefusedForGood, Uncertain
from notifier.domain.alarms import CLOSED_FOR, sentence
from notifier.domain.case import Case
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.store import alarms as store
from notifier.store.database import Tx

log = structlog.get_logger(__name__)

_URGENT = 20
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=15)


async def raise_alarm(
    tx: Tx,
    kind: str,
    detail: str,
    case: Case,
    subject: str,
    *,
    claim_id: str | None = None,
    notice_id: str | None = None,
    seen_at: datetime | None = None,
    expires_at: datetime | None = None,
    more: Mapping[str, Any] | None = None,
) -> bool:
    """Raise an alarm about a case, which is locked; False when it is not news.

    `seen_at`: when its cause was seen last; then it is raised once while open, and anew only when the cause is seen a
    day after somebody closed it. Without it every call is an alarm of its own. `subject` is what the log's entry is
    about. `detail` is for people of the house; who is told by message gets the sentence of the table alone.
    """
    if seen_at is not None and await store.stands(tx.con, kind, case.id, claim_id, seen_at - CLOSED_FOR):
        return False
    words = sentence(kind, case.target.registrable, expires_at=expires_at)
    alarm_id = await store.insert(tx.con, kind, case.id, claim_id, detail, words, tx.now, notice_id)
    if alarm_id is None:
        return False
    await tx.audit("alarm.raised", subject, {"kind": kind, **(more or {})}, case.id)
    await tx.enqueue(Job(JobKind.TELL_ALARM, alarm_id, _URGENT))
    return True


async def tell(ctx: Context, alarm_id: str) -> None:
    """Tell of one alarm by every way that has not carried it yet; ways that fail are tried again, while it is nobody's."""
    row = await store.get(ctx.db, alarm_id)
    if row is None or row["closed_at"] is not None or row["taken_by"] is not None:
        return
    left = [way for way in ctx.alarm_ways if row[store.CARRIED[way]] is None]
    if not left:
        return
    message = _message(ctx, row)
    carried = await asyncio.gather(*(_carried(ctx, way, message, alarm_id) for way in left))
    if all(carried):
        return
    async with ctx.db.transaction(DAEMON) as tx:
        tries = await store.tried(tx.con, alarm_id)
        wait = min(_FIRST_WAIT * (1 << min(tries - 1, 10)), _LONGEST_WAIT)
        await tx.plan(Timer(JobKind.TELL_ALARM, alarm_id, tx.now + wait))


async def _carried(ctx: Context, way: str, message: Message, alarm_id: str) -> bool:
    try:
        await ctx.alarm_ways[way](message)
    except (Deferred, RefusedForGood, Uncertain) as failure:
        log.warning("alarm.not_told", way=way, alarm=alarm_id, why=failure.reason)
        return False
    except Exception:  # one way that breaks is no reason not to try the other
        log.exception("alarm.not_told", way=way, alarm=alarm_id)
        return False
    async with ctx.db.transaction(DAEMON) as tx:
        await store.told(tx.con, alarm_id, way, tx.now)
        case_id = await tx.con.fetchval("select case_id from alarm where id = $1", alarm_id)
        await tx.audit("alarm.told", alarm_id, {"way": way}, str(case_id))
    return True


def _message(ctx: Context, row: Mapping[str, Any]) -> Message:
    """Name, case reference, kind and sentence; of a case that nobody may know about, the reference alone."""
    hidden = bool(row["embargo"])
    name = None if hidden else row["target"]
    words = "What it is about is shown to who may see the case." if hidden else row["sentence"]
    kind = None if hidden else row["kind"]
    facts = {
        "organisation": ctx.settings.organisation,
        "kind": kind or "alarm",
        "reference": row["reference"],
        "name": name,
        "sentence": words,
        "raised_at": row["raised_at"],
        "take": f"{ctx.settings.public_url}/api/v1/alarms/{row['id']}/take",
    }
    subject, text = ctx.renderer.mail("alarm", facts)
    data = {
        "alarm_id": str(row["id"]),
        "kind": kind,
        "case_ref": row["reference"],
        "domain": name,
        "sentence": words,
        "raised_at": row["raised_at"].astimezone(UTC).isoformat(),
        "simulated": ctx.settings.simulated,
    }
    event = {"type": "alarm.raised", "timestamp": data["raised_at"], "data": data}
    return Message(subject, text, event, f"tn-alarm-{row['id']}", row["raised_at"])


async def take_up(ctx: Context) -> None:
    """When the daemon starts: what nobody was told of, as before any way was set, is told now."""
    if not ctx.alarm_ways:
        return
    async with ctx.db.transaction(DAEMON) as tx:
        for alarm_id in await store.untold(tx.con):
            await tx.enqueue(Job(JobKind.TELL_ALARM, alarm_id, _URGENT))
