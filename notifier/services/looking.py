"""Looks at a target from outside: registry RDAP, the parent zone's servers, and sample URLs where content is at stake."""

import asyncio
from collections.abc import Sequence

from notifier.domain.outcome import Look
from notifier.domain.safety import Target
from notifier.services.context import Context


async def look(ctx: Context, target: Target, urls: Sequence[str] = ()) -> Look:
    """One look, stamped with business time. Never raises for what the outside does: that is `inconclusive`."""
    registration, delegation = await asyncio.gather(
        ctx.rdap.domain(target.registrable), ctx.dns.delegation(target.registrable)
    )
    content = await ctx.content.content(urls) if urls else None
    return Look(await ctx.db.clock.now(), registration, delegation, content)


def same_object(known: Look, seen: Look) -> bool:
    """Whether two looks show the same registration in everything a notice says of it."""
    a, b = known.registration, seen.registration
    return (a.handle, a.registered_at, a.expires_at, a.registrar_name, a.registrar_iana_id) == (
        b.handle,
        b.registered_at,
        b.expires_at,
        b.registrar_name,
        b.registrar_iana_id,
    )
