"""Looks at a target from outside: registry RDAP, the parent zone's servers, and sample URLs where content is at stake."""

import asyncio

from notifier.domain.cure import Reported
from notifier.domain.outcome import Look, Registration
from notifier.domain.rule import Recipient
from notifier.domain.safety import Target
from notifier.net.rdap import RATE_LIMITED
from notifier.services import slots
from notifier.services.context import Context


async def look(
    ctx: Context,
    target: Target,
    pages: Reported | None = None,
    *,
    hosting: bool = False,
    mail: bool = False,
    panel: bool = False,
    charged: bool = False,
) -> Look:
    """One look, stamped with business time. Never raises for what the outside does: that is `inconclusive`.

    `charged`: it had to wait for its turn at the registry's RDAP, where it is counted. Any other look is counted here; and
    a server that asked to be left alone is not asked by anybody.

    `hosting`: whose network the target lies in is asked too. `mail`: and whether the contacts that are found take mail.
    `panel`: so is what resolvers tell users.
    """
    registration, delegation, hosts, told = await asyncio.gather(
        _registration(ctx, target, charged),
        ctx.dns.delegation(target.registrable),
        ctx.hosts.of(target.name) if hosting else _unasked(),
        ctx.panel.ask(target.registrable) if panel else _unasked(),
    )
    content = await ctx.content.content(pages) if pages and pages.urls else None
    found = (registration.registrar_abuse_email, hosts.abuse_email if hosts else None)
    domains = sorted({address.rpartition("@")[2].lower() for address in found if address}) if mail else []
    takes = await asyncio.gather(*(ctx.hosts.takes_mail(domain) for domain in domains))
    no_mail = tuple(domain for domain, does in zip(domains, takes, strict=True) if does is False)
    return Look(await ctx.db.clock.now(), registration, delegation, content, hosts, no_mail, told)


async def _registration(ctx: Context, target: Target, charged: bool) -> Registration:
    wait = None if charged else await slots.ahead(ctx, target.tld)
    if wait is not None:
        return Registration("inconclusive", detail=f"{RATE_LIMITED}: not asked again yet", retry_after=wait)
    told = await ctx.rdap.domain(target.registrable)
    # 429, or 503 with Retry-After (RFC 9110 §15.6.4); 429 also without (RFC 7480 §5.5).
    if told.retry_after is not None or told.detail == RATE_LIMITED:
        await slots.busy(ctx, target.tld, told.retry_after)
    return told


async def _unasked() -> None:
    return None


def unsure(seen: Look) -> bool:
    """Whether anything that was asked of registries, zone and networks is not known: then nothing follows from it."""
    told = [seen.registration.answer, seen.delegation.answer, *([seen.hosting.answer] if seen.hosting else [])]
    return "inconclusive" in told


def what_changed(known: Look, seen: Look, party: Recipient) -> str | None:
    """Why two looks do not show the same registration in everything that a notice says of it, and the same party to
    write to; None when they do.

    Registries hide who the registrant is. A registrar, name servers and a date of change that are all new at once
    may be a new owner under the old object.
    """
    a, b = known.registration, seen.registration
    moved = (a.registrar_name, a.registrar_iana_id) != (b.registrar_name, b.registrar_iana_id)
    if moved and a.last_changed_at != b.last_changed_at and set(a.nameservers) != set(b.nameservers):
        return "possible owner change"
    same = (a.handle, a.registered_at, a.expires_at) == (b.handle, b.registered_at, b.expires_at)
    if not same or moved:
        return "registration changed"
    if party is not Recipient.REGISTRY and set(seen.no_mail) - set(known.no_mail):
        return "the contact takes no mail any more"
    if party is Recipient.REGISTRAR and a.registrar_abuse_email != b.registrar_abuse_email:
        return "the registrar's contact changed"
    if party is Recipient.HOST and known.hosting and seen.hosting and known.hosting.holder != seen.hosting.holder:
        return "the host changed"
    return None
