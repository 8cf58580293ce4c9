"""What a name may share with others of one actor, read off what was captured and looked up anyway.

Nothing is read off a parked page, one that ended on another site, or one site of a platform: what such pages have is
everybody's.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime

from notifier.domain import cloaking
from notifier.domain.case import Case
from notifier.domain.hopping import MIN_WORDS, Kind, Sign, is_public, name_servers
from notifier.domain.look import Look
from notifier.domain.names import parse
from notifier.domain.page_signs import account_ids
from notifier.domain.page_text import page_text, sketch
from notifier.domain.safety import Scope, Target
from notifier.errors import Refused
from notifier.net.capture import Visit
from notifier.services.context import Context
from notifier.store import hops as store
from notifier.store.database import Tx


async def of_visits(
    ctx: Context, target: Target, visits: Sequence[Visit], url: str, at: datetime, *, icon: bool = True
) -> tuple[Sign, ...]:
    """The signs of a page as the first visitor was shown it who was shown any. `icon`: its icon is asked for too."""
    visit = next((one for one in visits if _is_shown(ctx, target, one)), None)
    if not ctx.settings.watches_hops or target.scope is not Scope.DOMAIN or visit is None:
        return ()
    found = await asyncio.to_thread(_read, ctx, visit, f"our capture of {url}", at)
    if found is None:
        return ()
    if icon and (digest := await ctx.capturer.icon(visit)) is not None:
        found.append(Sign(Kind.FAVICON, digest, f"the icon of {url}", at))
    return tuple(found)


def _is_shown(ctx: Context, target: Target, visit: Visit) -> bool:
    last = visit.last
    if last is None or not 200 <= last.status < 300:
        return False
    try:
        return parse(last.url, ctx.catalog.suffixes).registrable == target.registrable
    except Refused:
        return False


def _read(ctx: Context, visit: Visit, source: str, at: datetime) -> list[Sign] | None:
    """None for a parked page."""
    html, last = visit.html(), visit.last
    words = page_text(html).words
    if cloaking.parked(words, ctx.catalog.thresholds.parking_phrases):
        return None
    found = [Sign(Kind.ANALYTICS, account, source, at) for account in account_ids(html)]
    if len(words) >= MIN_WORDS:
        fingerprint = sketch(words)
        digest = hashlib.sha256(repr(fingerprint).encode()).hexdigest()
        found.append(Sign(Kind.TEXT, digest, source, at, fingerprint))
    if last is not None and last.key is not None:
        found.append(Sign(Kind.CERTIFICATE_KEY, last.key, source, at))
    if last is not None and is_public(last.address):
        found.append(Sign(Kind.ADDRESS, last.address, source, at))
    return found


def of_look(seen: Look) -> tuple[Sign, ...]:
    """The signs in what registry and zone say."""
    found = []
    servers = name_servers(seen.delegation.nameservers or seen.registration.nameservers)
    if servers is not None:
        found.append(Sign(Kind.NAME_SERVERS, servers, "the parent zone", seen.at))
    if seen.registration.registrant_key is not None:
        found.append(Sign(Kind.REGISTRANT, seen.registration.registrant_key, "the registry's RDAP", seen.at))
    return tuple(found)


async def keep(tx: Tx, case: Case, found: Sequence[Sign], capture_id: str | None = None) -> None:
    """Let a case have these signs."""
    if found:
        await store.insert_signs(
            tx.con, found, case.target.registrable, case.epoch, case_id=case.id, capture_id=capture_id
        )


async def keep_look(ctx: Context, tx: Tx, case: Case) -> None:
    """Let a case have the signs of the look that its notice speaks of."""
    if ctx.settings.watches_hops and case.registration is not None and case.target.scope is Scope.DOMAIN:
        await keep(tx, case, of_look(Look.from_json(case.registration)))
