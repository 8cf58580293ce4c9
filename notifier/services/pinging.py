"""A test through an agreement's channel: one message that says that it is one. No notice, no domain, no case, no figure."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

import structlog

from notifier.adapter import (
    Deferred,
    Message,
    PingingAdapter,
    RefusedForGood,
    RenderedNotice,
    Signing,
    SigningAdapter,
    Uncertain,
)
from notifier.catalog import Agreement
from notifier.domain.hostile import one_line
from notifier.errors import Conflict
from notifier.services import access, agreements, quotas, samples
from notifier.services.access import Principal, Role
from notifier.services.channels import Channel
from notifier.services.context import Context
from notifier.services.quotas import Limit
from notifier.store import agreements as store
from notifier.store.database import storable
from notifier.store.ids import new_id

log = structlog.get_logger(__name__)

TYPE = "test.ping"
A_MINUTE, A_DAY = 1, 10
_PATIENCE_S = 45.0  # somebody waits for the page
_LONGEST = 300
# Their own machine answers us there; by mail it is a server of ours that does.
_THEY_ANSWER = frozenset({"webhook", "api"})

Result = Literal["accepted", "later", "refused", "uncertain"]


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of a test. `said_by_them`: `said` is the recipient's own machine's."""

    at: datetime
    adapter: str
    digest: str
    result: Result
    said: str
    said_by_them: bool


@dataclass(frozen=True, slots=True)
class Help:
    """What a recipient needs to build its side: how to verify, and the bodies of a notice and a test, as JSON to read."""

    signing: Signing
    notice: str
    test: str


async def send(ctx: Context, who: Principal, agreement_id: str, *, via: str = "api") -> Tested:
    """Send one test through the channel that stands, armed or not, and also while requests are stopped: it asks nothing.

    For the recipient's own people and admins. Raises Conflict for a channel that cannot be tested so, or while
    everything is stopped, TooMany beyond one in a minute and ten in a day.
    """
    agreements.in_reach(ctx, who, agreement_id, Role.ADMIN, Role.REGISTRY)
    access.require_person(who)
    async with ctx.db.transaction(who.id, via) as tx:
        await store.share(tx.con, agreement_id)
        there = await agreements.channel(ctx, tx.con, agreement_id)
        adapter = _adapter(there)
        if agreements.holds(await store.suspensions(tx.con, agreement_id), undo=True):
            raise Conflict("everything is stopped, and so nothing leaves by this channel", code="everything_stopped")
        await quotas.count(tx, _limits(agreement_id))
        at = tx.now
    result, said = await _try(adapter, _ping(ctx, there.agreement, at, by_recipient=who.role is Role.REGISTRY))
    agreement, kind = there.agreement, there.agreement.adapter or ""
    made = Tested(at, kind, agreement.digest, result, storable(one_line(said, _LONGEST)), kind in _THEY_ANSWER)
    async with ctx.db.transaction(who.id, via) as tx:
        detail = {"digest": made.digest, "adapter": kind, "result": result}
        detail["said" if made.said_by_them else "our_server_said"] = made.said
        if who.role is Role.REGISTRY:
            detail["by"] = "recipient"
        await tx.audit("agreement.tested", agreement_id, detail)
    return made


def can(there: Channel) -> bool:
    """Whether the channel can be tested without a notice."""
    return there.adapter is not None and there.adapter.capabilities.pings


async def of_channel(ctx: Context, who: Principal, agreement_id: str) -> tuple[bool, Help | None]:
    """Whether the channel that stands can be tested, and what its recipient's machine needs to know, where it has one."""
    agreements.in_reach(ctx, who, agreement_id, Role.ADMIN, Role.REGISTRY)
    async with ctx.db.pool.acquire() as con:
        there = await agreements.channel(ctx, con, agreement_id)
    if there.adapter is None or not there.adapter.capabilities.signs:
        return can(there), None
    adapter = cast(SigningAdapter, there.adapter)
    ping = _ping(ctx, there.agreement, await ctx.db.clock.now(), by_recipient=True)
    notice = await _notice(ctx, there.agreement)
    return can(there), Help(adapter.signing(), _to_read(adapter.example(notice)), _to_read(adapter.example(ping)))


def _to_read(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, indent=2)


async def _notice(ctx: Context, agreement: Agreement) -> RenderedNotice:
    program = ctx.program(agreement.program)
    return await samples.notice(ctx.renderer, ctx.settings, ctx.db.clock, program, "request")


def _adapter(there: Channel) -> PingingAdapter:
    if not can(there):
        raise Conflict("this channel cannot be tested without a notice", code="no_test")
    return cast(PingingAdapter, there.adapter)


def _limits(agreement_id: str) -> tuple[Limit, ...]:
    of = f"test:{agreement_id}"
    return (
        Limit(of, "minute", A_MINUTE, "tests of this channel in a minute"),
        Limit(of, "day", A_DAY, "tests of this channel in a day"),
    )


def _ping(ctx: Context, agreement: Agreement, at: datetime, *, by_recipient: bool) -> Message:
    facts = {
        "recipient": agreement.recipient_name,
        "program": ctx.program(agreement.program).name,
        "agreement": agreement.id,
        "by_recipient": by_recipient,
        "contact": ctx.settings.contact,
        "organisation": ctx.settings.organisation,
    }
    subject, text = ctx.renderer.mail("channel_test", facts)
    data = {"test": True, "agreement_id": agreement.id, "subject": subject, "text": text}
    event = {"type": TYPE, "timestamp": at.astimezone(UTC).isoformat(), "data": data}
    return Message(subject, text, event, f"tn-test-{new_id()}", at)


async def _try(adapter: PingingAdapter, ping: Message) -> tuple[Result, str]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            receipt = await adapter.ping(ping)
    except Deferred as deferred:
        return "later", deferred.reason
    except RefusedForGood as refused:
        return "refused", refused.reason
    except Uncertain as uncertain:
        return "uncertain", uncertain.reason
    except TimeoutError:
        return "uncertain", f"no answer within {_PATIENCE_S:.0f} seconds"
    except Exception as error:  # whatever else it raises tells nothing of arrival
        log.exception("channel.failed", key=ping.key)
        return "uncertain", f"the channel failed: {type(error).__name__}"
    return ("accepted" if receipt.accepted else "uncertain"), receipt.detail
