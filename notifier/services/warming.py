"""Looks kept warm: while a live event runs, every target that it may be asked about is looked at again and again, so that
what is approved leaves by a look that is seconds old, and not after one.

Between two looks pass seconds, so real time counts them, not timers; whether a look is old is a matter of business time,
and while a simulated clock stands nobody looks twice. Nothing of such a look is kept but the newest, until something
leaves by it.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta

import structlog

from notifier.domain.case import Case
from notifier.domain.case_state import BEFORE_SENDING
from notifier.domain.jobs import Job, JobKind
from notifier.domain.look import Look
from notifier.domain.program import Program
from notifier.domain.rule import Recipient
from notifier.domain.rules import InEventWindow
from notifier.services import assessing, binding, judging, pages
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.services.looking import look, unsure, what_changed
from notifier.store import cases as case_store
from notifier.store import warm as store
from notifier.store.database import Connection

log = structlog.get_logger(__name__)

_TICK_S = 1.0
_AT_ONCE = 8  # looks under way: registries answer others too
_MOST = 100  # cases that are kept warm beside each other, by turns
_PATIENCE_S = 20.0


def is_kept(program: Program) -> bool:
    """Whether the program's targets are kept warm: what it asks for leaves with its approval, for as long as an event runs."""
    return program.rule(InEventWindow) is not None


def every(program: Program) -> timedelta:
    """How often a target is looked at: thrice within the greatest age that a look may have when something leaves."""
    return program.windows.recheck_max_age / 3


def again(ctx: Context, case: Case, seen: Look) -> timedelta:
    """How long what is to leave waits after a look that told nothing: an event does not wait for minutes."""
    program = ctx.program(case.program)
    if not is_kept(program):
        return binding.again(seen)
    return max(every(program), timedelta(seconds=seen.registration.retry_after or 0))


async def ready(ctx: Context, con: Connection, case: Case) -> Look | None:
    """The look that something may leave by now, with nobody asked; None when it must be looked at first.

    It asked all that a look before sending asks, was answered, and how much hangs on the name needs no measuring anew.
    """
    program = ctx.program(case.program)
    now = await ctx.db.clock.now()
    if not is_kept(program) or await assessing.to_measure(ctx, con, case, now):
        return None
    seen = await store.newest(con, case.id, program.windows.recheck_max_age, now)
    whole = seen is not None and not unsure(seen) and (case.step is not Recipient.HOST or seen.hosting is not None)
    return seen if whole else None


async def run(ctx: Context, stop: asyncio.Event) -> None:
    """Keep looking until `stop`; the daemon outlives its database."""
    under_way: set[asyncio.Task[None]] = set()
    while not stop.is_set():
        try:
            for case_id in await _due(ctx, _AT_ONCE - len(under_way)):
                task = asyncio.create_task(_one(ctx, case_id))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        except Exception as error:
            log.warning("warming.failed", error=repr(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _TICK_S)
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)


async def _due(ctx: Context, free: int) -> Sequence[str]:
    """Which cases are looked at now. Without a running event the database is not even asked."""
    now = await ctx.db.clock.now()
    running = []
    for program in ctx.catalog.programs.values():
        rule = program.rule(InEventWindow)
        if rule and any(e.starts - rule.opens_before <= now < e.ends for e in ctx.catalog.events_of(program.id)):
            running.append(program)
    if not running or free <= 0:
        return []
    before = now - min(every(program) for program in running)
    return await store.due(ctx.db.pool, [program.id for program in running], before, min(free, _MOST))


async def _one(ctx: Context, case_id: str) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await warm(ctx, case_id)
    except Exception as error:  # one target that answers nobody is no reason to look at no other
        log.warning("warming.not_seen", case=case_id, error=repr(error))


async def warm(ctx: Context, case_id: str) -> None:
    """Look once, and keep it. What it shows of the case changes nothing here: an ordinary look is asked for then."""
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, case_id)
        if case is None or case.embargo or case.state not in BEFORE_SENDING or not is_kept(ctx.program(case.program)):
            return
        if not await store.begin(con, case_id, now, now - every(ctx.program(case.program))):
            return
        sample = await pages.reported(con, case)
    seen, around = await asyncio.gather(
        look(ctx, case.target, sample, hosting=case.step is Recipient.HOST, mail=case.step is not Recipient.REGISTRY),
        assessing.survey(ctx, case, unknown_too=False),
    )
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        if locked is None or locked.embargo or locked.state not in BEFORE_SENDING:
            return
        if unsure(seen):
            if seen.registration.retry_after:
                await store.rest(tx.con, case_id, tx.now + timedelta(seconds=seen.registration.retry_after))
            return  # the one before stands for as long as it is young enough
        await store.keep(tx.con, case_id, seen)
        known = Look.from_json(locked.registration) if locked.registration else None
        news = known is not None and what_changed(known, seen, locked.step)
        if news or binding.already_down(seen) is not locked.already_down:
            await tx.enqueue(Job(JobKind.CHECK, case_id, locked.priority))
        if around is not None and locked.registration is not None:
            locked = await assessing.weigh_in(ctx, tx, locked, around, seen)
            await judging.judge_again(ctx, tx, locked)
