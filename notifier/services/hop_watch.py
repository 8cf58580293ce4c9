"""The watch for names that follow a case's: from the moment that somebody was asked, since who runs a site may have the
next name ready.

Looked for among our own cases of the program, under other endings of the same label, in lists of names, and where the
pages lead to. Each name found is looked at as guardedly as a reported one, a few a day. Nothing here asks anything of
anybody: what links two names well enough waits for a person (`services/hops.py`).
"""

from datetime import datetime, timedelta

import structlog

from notifier.domain import hopping
from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.domain.look import Look
from notifier.domain.names import Name, parse
from notifier.domain.notice import ASKING, Notice
from notifier.domain.safety import Safety, Scope, assess
from notifier.errors import Refused
from notifier.net.capture import Visit
from notifier.net.visitors import DESKTOP, SEARCH
from notifier.services import deconfliction, hop_links, signs
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.services.looking import look
from notifier.store import captures as capture_store
from notifier.store import cases as case_store
from notifier.store import hops as store
from notifier.store.database import Connection, Tx
from notifier.store.hops import Candidate

log = structlog.get_logger(__name__)

_FIRST = (timedelta(), timedelta(hours=6), *(timedelta(days=d) for d in (1, 2, 3, 5, 7, 10)))
_LAST = -5  # of a queue's jobs
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
# What was asked for, or seen to be done: then whoever ran the site has a reason to go elsewhere.
_DONE = ("verified", "verified_dns_only", "partial", "pending")
_ASKED_FOR = (CaseState.NOTIFIED, CaseState.IN_REVIEW, CaseState.APPROVED, CaseState.NEEDS_EVIDENCE)


async def begin(ctx: Context, tx: Tx, notice: Notice) -> None:
    """A notice that asks for something was accepted: from now on names are looked for that follow. Twice is once."""
    if not ctx.settings.watches_hops or notice.purpose not in ASKING:
        return
    await tx.con.execute(
        "insert into hop_watch (case_id, begun_at) values ($1, $2) on conflict do nothing", notice.case_id, tx.now
    )
    if not await tx.planned(notice.case_id, JobKind.HOP_WATCH):
        await tx.enqueue(Job(JobKind.HOP_WATCH, notice.case_id, _LAST))


async def watch(ctx: Context, case_id: str) -> None:
    """Look once for names that follow a case's, and plan the next time."""
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, case_id)
    if case is None or not _is_watched(ctx, case):
        return
    if not case.embargo:
        await _find(ctx, case)
        await _look_at(ctx, case)
        await hop_links.propose_all(ctx, case)
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        begun: datetime | None = await tx.con.fetchval("select begun_at from hop_watch where case_id = $1", case_id)
        if locked is None or begun is None or not _is_watched(ctx, locked):
            return
        if (due := _next(begun, ctx.program(case.program).windows.watch[-1], tx.now)) is not None:
            await tx.add_timer(case_id, Timer(JobKind.HOP_WATCH, case_id, due))


def _is_watched(ctx: Context, case: Case) -> bool:
    if not ctx.settings.watches_hops or case.notified_at is None or case.target.scope is not Scope.DOMAIN:
        return False
    return case.state in _ASKED_FOR or (case.state is CaseState.RESOLVED and case.observed in _DONE)


def _next(begun: datetime, length: timedelta, now: datetime) -> datetime | None:
    """Dense at first, then weekly, as long as the program watches."""
    weekly = [_FIRST[-1] + _WEEK * n for n in range(1, length // _WEEK + 1)]
    return min((begun + span for span in (*_FIRST, *weekly) if span <= length and begun + span > now), default=None)


# --- finding ------------------------------------------------------------------------------------------------------


async def _find(ctx: Context, case: Case) -> None:
    """Note names that may follow: a bounded number of questions each time, going on where the last time ended."""
    label, own = hopping.label_of(case.target.registrable), case.target.registrable
    async with ctx.db.pool.acquire() as con:
        asked = await con.fetchval("select asked from hop_watch where case_id = $1", case.id) or 0
        endings = await _endings(ctx, con)
        leads_to = await _where_pages_lead(ctx, con, case)
    turn = endings[asked : asked + ctx.settings.hop_questions]
    names = [name for name in (f"{label}.{ending}" for ending in turn) if name != own]
    there, told = await ctx.survey.delegated(names)
    found: dict[str, str] = dict.fromkeys(there, "other_ending")
    now = await ctx.db.clock.now()
    for file in ctx.name_files:
        listed = await file.labelled(label, now, ctx.catalog.thresholds.source_max_age)
        found |= dict.fromkeys(listed, "name_file")
    found |= dict.fromkeys(leads_to, "redirect")
    kept = {name: by for name, by in found.items() if name != own and _is_whole(ctx, name)}
    async with ctx.db.transaction(DAEMON) as tx:
        await store.found(tx.con, case.id, kept, tx.now)
        over = asked + (len(turn) if told == len(names) else told)
        await tx.con.execute(
            "update hop_watch set asked = $2 where case_id = $1", case.id, 0 if over >= len(endings) else over
        )


async def _endings(ctx: Context, con: Connection) -> list[str]:
    """Top-level domains, those first under which most of our own cases are: who moves does not go just anywhere."""
    rows = await con.fetch("select tld, count(*) as n from cases group by tld")
    often = {row["tld"]: row["n"] for row in rows}
    return sorted(ctx.catalog.registry_of, key=lambda tld: (-often.get(tld, 0), tld))


async def _where_pages_lead(ctx: Context, con: Connection, case: Case) -> list[str]:
    """Other names at which a visitor of the case's pages ended."""
    found = set[str]()
    for row in await capture_store.of_case(con, case.id):
        for visit in row.visits:
            steps = visit.get("steps") or []
            name = _readable(ctx, steps[-1]["url"]) if steps else None
            if name is not None:
                found.add(name.registrable)
    return sorted(found)


def _is_whole(ctx: Context, spelling: str) -> bool:
    name = _readable(ctx, spelling)
    return name is not None and name.registrable == spelling


def _readable(ctx: Context, spelling: str) -> Name | None:
    """A name that may be a case at all; None for a suffix, for what is protected, and for what is no name."""
    try:
        name = parse(spelling, ctx.catalog.suffixes)
    except Refused:
        return None
    return None if assess(name, ctx.catalog.lists).safety is Safety.REFUSE else name


# --- looking at what was found ------------------------------------------------------------------------------------


async def _look_at(ctx: Context, case: Case) -> None:
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        left = ctx.settings.hop_captures_day - await store.looked_since(con, case.id, now - _DAY)
        due = await store.due(con, case.id, now - _WEEK, max(left, 0))
    for candidate in due:
        try:
            await _look(ctx, candidate)
        except Exception as error:  # one name is no reason to look at no other
            log.warning("hop.look_failed", case=case.reference, error=repr(error))


async def _look(ctx: Context, candidate: Candidate) -> None:
    """One name by registry, zone and page, unless an authority investigates it."""
    name = _readable(ctx, candidate.name)
    if name is None:
        return
    target = assess(name, ctx.catalog.lists).target
    async with ctx.db.pool.acquire() as con:
        quiet = await deconfliction.is_listed(con, target, await ctx.db.clock.now())
    if quiet or target.scope is not Scope.DOMAIN:  # as one that is out of reach
        await _note(ctx, candidate, None, ())
        return
    seen = await look(ctx, target)
    found = list(signs.of_look(seen))
    if seen.delegation.answer == "delegated":
        visits, url = await _visits(ctx, candidate.name)
        found += await signs.of_visits(ctx, target, visits, url, seen.at)
    await _note(ctx, candidate, seen, tuple(found))


async def _visits(ctx: Context, name: str) -> tuple[list[Visit], str]:
    for url in (f"https://{name}/", f"http://{name}/"):
        visits = await ctx.capturer.page(url, [DESKTOP, SEARCH])
        if any(visit.exchanges for visit in visits):
            break
    return visits, url


async def _note(ctx: Context, candidate: Candidate, seen: Look | None, found: tuple[hopping.Sign, ...]) -> None:
    registration = seen.registration if seen is not None else None
    async with ctx.db.transaction(DAEMON) as tx:
        await store.looked(
            tx.con,
            candidate,
            tx.now,
            registration.epoch if registration else candidate.epoch,
            registration.registered_at if registration else candidate.registered_at,
        )
        epoch = registration.epoch if registration else None
        await store.insert_signs(tx.con, found, candidate.name, epoch, candidate_id=candidate.id)
