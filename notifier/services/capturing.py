"""Our own look at the reported pages, as several visitors: kept whole as WARC, compared, and bound to what it was shown for.

A capture proves nothing by itself. What differs between visitors weighs in the target's safety. A page that has been
replaced since it was approved goes back to a person.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import structlog

from notifier.domain import cloaking
from notifier.domain.case import Case
from notifier.domain.case_state import BEFORE_SENDING
from notifier.domain.cloaking import FIRST, Seen
from notifier.domain.hopping import Sign
from notifier.domain.look import Look
from notifier.domain.names import parse
from notifier.domain.page_text import page_text, similarity, sketch
from notifier.errors import Refused
from notifier.net.capture import Visit
from notifier.net.screenshot import Shot
from notifier.net.visitors import FRONT
from notifier.net.warc import archive
from notifier.services import assessing, evaluation, judging, keeping, signs
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.services.keeping import Kept
from notifier.store import captures as capture_store
from notifier.store import cases as case_store
from notifier.store.captures import Captured
from notifier.store.database import Connection, Tx, storable
from notifier.store.ids import new_id

log = structlog.get_logger(__name__)

ANEW = " anew"  # after a case's id in a job: also pages that were captured lately
_OFF = Shot("unavailable", None, "off", None)


@dataclass(frozen=True, slots=True)
class Taken:
    """A capture whose files are in the store, and that no case holds yet."""

    row: Captured
    files: tuple[Kept, ...]
    signs: tuple[Sign, ...] = ()


# --- taking -------------------------------------------------------------------------------------------------------


async def due(ctx: Context, con: Connection, case: Case, *, anew: bool = False) -> list[str]:
    """The reported pages to capture now: a few, none of a held case, and none that was captured within a day."""
    if case.embargo or not ctx.settings.capture_urls:
        return []
    urls = (await evaluation.sample_urls(con, case.id))[: ctx.settings.capture_urls]
    if anew:
        return urls
    since = await ctx.db.clock.now() - ctx.catalog.thresholds.measure_again
    fresh = {known.url for known in await capture_store.latest(con, case.id, urls) if known.at >= since}
    return [url for url in urls if url not in fresh]


async def take(ctx: Context, case: Case, urls: Sequence[str]) -> list[Taken]:
    """Visit each page and put what was seen into the store; outside any transaction, since it may take a minute.

    A page that nobody was shown anything of is left out, and one whose files could not be stored: nothing is known of it.
    So a case under investigation, whose pages are not fetched, looks like one whose site is out of reach.
    """
    at = await ctx.db.clock.now()
    taken = await asyncio.gather(*(_taken(ctx, case, url, at, icon=url == urls[0]) for url in urls))
    return [each for each in taken if each is not None]


async def _taken(ctx: Context, case: Case, url: str, at: datetime, *, icon: bool) -> Taken | None:
    try:
        visits, shot = await asyncio.gather(_visits(ctx, url), _shot(ctx, url))
        if any(visit.exchanges for visit in visits):
            taken = await _kept(ctx, case, url, at, visits, shot)
            return replace(taken, signs=await signs.of_visits(ctx, case.target, visits, url, at, icon=icon))
    except Exception as error:  # one page, or a store that is away, is no reason to look at nothing
        log.warning("capture.failed", case=case.reference, url=url, error=repr(error))
    return None


async def _visits(ctx: Context, url: str) -> list[Visit]:
    visits = await ctx.capturer.page(url)
    parts = urlsplit(url)
    if parts.path not in ("", "/") or parts.query:
        visits += await ctx.capturer.page(f"{parts.scheme}://{parts.netloc}/", [FRONT])
    return visits


async def _shot(ctx: Context, url: str) -> Shot:
    return await ctx.browser.shot(url) if ctx.browser is not None else _OFF


async def _kept(ctx: Context, case: Case, url: str, at: datetime, visits: Sequence[Visit], shot: Shot) -> Taken:
    warc = await asyncio.to_thread(archive, url, visits, at, ctx.settings.organisation)
    files = [await _file(ctx, warc, "capture.warc.gz", "application/gzip")]
    if shot.png is not None:
        files.append(await _file(ctx, shot.png, "picture.png", "image/png"))
    row = await asyncio.to_thread(_read, ctx, case, url, at, visits, shot, [file.blob.sha256 for file in files])
    return Taken(row, tuple(files))


async def _file(ctx: Context, content: bytes, name: str, media_type: str) -> Kept:
    async with ctx.blobs.arriving(len(content)) as file:
        await file.write(content)
        await file.finished()
        return Kept(await ctx.blobs.keep(file), name, media_type)


def _read(
    ctx: Context, case: Case, url: str, at: datetime, visits: Sequence[Visit], shot: Shot, digests: Sequence[str]
) -> Captured:
    """What the visits show, compared."""
    texts = {visit.visitor.name: page_text(visit.html()) for visit in visits}
    seen = {name: _seen(ctx, visit, texts[name].words) for visit in visits for name in [visit.visitor.name]}
    first = seen[FIRST]
    found = cloaking.compare(list(seen.values()))
    phrases = ctx.catalog.thresholds.parking_phrases
    return Captured(
        id=new_id(),
        case_id=case.id,
        url=url,
        at=at,
        visits=[_way(visit, seen[visit.visitor.name], first) for visit in visits],
        cloaking=found.cloaking,
        differences=[storable(each) for each in found.differences],
        search_only=found.search_only,
        unrelated=FRONT.name in seen and cloaking.unrelated(seen[FRONT.name], first),
        parked=cloaking.parked(texts[FIRST].words, phrases) if first.shown else None,
        title=storable(texts[FIRST].title),
        words=first.words,
        sketch=first.sketch,
        warc_sha256=digests[0],
        picture="off" if ctx.browser is None else shot.state,
        picture_why="" if ctx.browser is None else storable(shot.why),
        picture_sha256=digests[1] if shot.png is not None else None,
    )


def _seen(ctx: Context, visit: Visit, words: tuple[str, ...]) -> Seen:
    last = visit.last
    if last is None:
        return Seen(visit.visitor.name, None, "")
    return Seen(visit.visitor.name, last.status, _site(ctx, last.url), len(words), sketch(words))


def _site(ctx: Context, url: str) -> str:
    try:
        name = parse(url, ctx.catalog.suffixes)
    except Refused:  # an address, or no registrable name
        return urlsplit(url).hostname or ""
    return name.private_registrable or name.registrable


def _way(visit: Visit, seen: Seen, first: Seen) -> dict[str, Any]:
    """One visitor's way, as it is kept and shown."""
    both = seen.shown and first.shown
    return {
        "visitor": visit.visitor.name,
        "looks_like": visit.visitor.told,
        "user_agent": visit.visitor.headers.get("User-Agent"),
        "referrer": visit.visitor.headers.get("Referer"),
        "language": visit.visitor.headers.get("Accept-Language"),
        "steps": [{"url": storable(e.url), "address": e.address, "status": e.status} for e in visit.exchanges],
        "ended": visit.why,
        "status": seen.status,
        "site": seen.site,
        "words": seen.words,
        "alike": round(similarity(first.sketch, seen.sketch), 2) if both else None,
    }


# --- keeping ------------------------------------------------------------------------------------------------------


async def record(ctx: Context, tx: Tx, case: Case, taken: Sequence[Taken]) -> None:
    """Let the case hold what was captured. The case is locked; it changes no state and voids no approval."""
    for each in taken:
        for file in each.files:
            await keeping.keep(ctx, tx, case.id, file, DAEMON)
        await capture_store.insert(tx.con, each.row)
        told = {"warc": each.row.warc_sha256, "cloaking": each.row.cloaking, "picture": each.row.picture}
        await tx.audit("capture.made", each.row.id, told, case.id)
        await signs.keep(tx, case, each.signs, each.row.id)


async def capture(ctx: Context, ref: str) -> None:
    """Capture the pages of a case that are due; `ref` may end in ANEW. What speaks against the target is weighed anew."""
    case_id, anew = ref.removesuffix(ANEW), ref.endswith(ANEW)
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, case_id)
        urls = await due(ctx, con, case, anew=anew) if case is not None and case.state in BEFORE_SENDING else []
    if case is None or not urls:
        return
    taken = await take(ctx, case, urls)
    speaks = any(t.row.cloaking or t.row.parked or t.row.search_only or t.row.unrelated for t in taken)
    around = await assessing.survey(ctx, case, anew=True) if speaks else None
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        if locked is None or locked.embargo or locked.state not in BEFORE_SENDING:
            return
        await record(ctx, tx, locked, taken)
        if around is not None and locked.registration is not None:
            locked = await assessing.weigh_in(ctx, tx, locked, around, Look.from_json(locked.registration))
            await judging.judge_again(ctx, tx, locked)


async def replaced(con: Connection, case: Case, taken: Sequence[Taken]) -> bool:
    """Whether every page that can be compared is another page now than when the case was approved; at least one is."""
    if case.approved_digest is None:
        return False
    mark = await capture_store.approved_mark(con, case.id, case.approved_digest)
    before = {known.url: known for known in await capture_store.latest(con, case.id, [t.row.url for t in taken], mark)}
    told = [
        bool(new.row.parked and not old.parked) or cloaking.replaced(old.first, new.row.first)
        for new in taken
        if (old := before.get(new.row.url)) is not None
    ]
    return True in told and False not in told
