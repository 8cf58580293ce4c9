"""By which channel an agreement is written to, and who is heard under it: its file, or a change that took effect.

Read from the database whenever it matters, so that every process follows a change at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from notifier.adapter import RegistryAdapter
from notifier.catalog import Agreement
from notifier.errors import Invalid
from notifier.services.context import Context
from notifier.store import channels as store
from notifier.store.channels import Change
from notifier.store.database import Connection

log = structlog.get_logger(__name__)

HEARD_FOR = timedelta(days=7)  # answers to what went by an old channel, signed with its secret
FILED = 0  # the version of the channel that stands in the agreement's file


@dataclass(frozen=True, slots=True)
class Channel:
    """An agreement with the channel that stands. `adapter` None: it has none, or none that can be built.

    `overruled`: a version that had taken effect before the file's own channel was changed.
    """

    agreement: Agreement
    adapter: RegistryAdapter | None
    version: int = FILED
    overruled: int | None = None


async def of(ctx: Context, con: Connection, agreement_id: str) -> Channel | None:
    """The channel that stands now; None for an agreement that is not in the catalog."""
    filed = ctx.catalog.agreements.get(agreement_id)
    if filed is None:
        return None
    newest = await store.effective(con, agreement_id)
    if newest is None:
        return Channel(filed, ctx.adapters.get(agreement_id))
    if newest.base_digest != filed.channel_digest:
        return Channel(filed, ctx.adapters.get(agreement_id), FILED, newest.version)
    return _changed(ctx, filed, newest)


def moved(channel: str | None, there: Channel) -> bool:
    """Whether a notice that was queued for `channel` was meant for another one than stands.

    What was queued before channels were kept is taken for the file's.
    """
    if channel is None:
        return there.version != FILED
    return channel != there.agreement.channel_digest


async def hearing(ctx: Context, con: Connection, now: datetime) -> list[Channel]:
    """Every channel that may be answered by: those that stand, and for a week those before them."""
    changes: dict[str, list[Change]] = {}
    for change in await store.all_effective(con):
        changes.setdefault(change.agreement, []).append(change)
    return [
        channel
        for agreement_id, filed in ctx.catalog.agreements.items()
        for channel in _heard(ctx, filed, ctx.adapters.get(agreement_id), changes.get(agreement_id, ()), now)
        if channel.adapter is not None
    ]


def _heard(
    ctx: Context, filed: Agreement, adapter: RegistryAdapter | None, changes: Sequence[Change], now: datetime
) -> Iterator[Channel]:
    based = [change for change in changes if change.base_digest == filed.channel_digest]
    if not based or based[-1] is not changes[-1]:  # the file was changed since: when, nobody knows
        yield Channel(filed, adapter)
        return
    yield _changed(ctx, filed, based[-1])
    for earlier, later in zip([None, *based[:-1]], based, strict=True):
        if later.effective_from is not None and now - later.effective_from < HEARD_FOR:
            yield Channel(filed, adapter) if earlier is None else _changed(ctx, filed, earlier)


def _changed(ctx: Context, filed: Agreement, change: Change) -> Channel:
    stands = filed.with_channel(change.adapter, change.address, change.version)
    try:
        adapter = built(ctx, stands)
    except Invalid as fault:  # a package or an extra is gone from this machine: nothing leaves, and that is told
        log.error("channel.not_built", agreement=filed.id, version=change.version, error=fault.detail)
        adapter = None
    return Channel(stands, adapter, change.version)


def built(ctx: Context, agreement: Agreement) -> RegistryAdapter:
    """The agreement's adapter, made once for one channel. Raises Invalid with what is wrong in its address."""
    if agreement.channel is None:
        raise Invalid(f"{agreement.id}: names no channel")
    return ctx.build_adapter(agreement.channel)


def names_of_secrets(heard: Sequence[Channel], registry: str) -> list[str]:
    """The secrets with which a registry may sign what it sends to us."""
    found = (c.agreement.address.get("secret") for c in heard if c.agreement.registry == registry)
    return list(dict.fromkeys(name for name in found if isinstance(name, str)))


def texts(value: object) -> Iterator[str]:
    """Every text in an address, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
