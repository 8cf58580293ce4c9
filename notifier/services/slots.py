"""Whose turn it is to look: the agreed rate of each RDAP server, over all processes.

A planned look whose turn is not now is moved to it. One that a person, a send or a young claim waits for goes ahead; only
a server that asked to be left alone is left alone by everybody.
"""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from notifier.domain import look_pace
from notifier.domain.case import Case
from notifier.domain.jobs import URGENT, Job, JobKind, Timer
from notifier.domain.look_pace import LookPace
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.store import cases as case_store
from notifier.store import look_paces as store
from notifier.store.database import Tx

_UNSAID = timedelta(minutes=5)  # a server that is busy and does not say for how long


def server_of(ctx: Context, tld: str) -> str | None:
    """The RDAP server of a top-level domain, as host and port; None where there is none to ask."""
    base = ctx.catalog.rdap_base(tld)
    return urlsplit(base).netloc.lower() if base else None


def pace_of(ctx: Context, server: str) -> LookPace:
    """The least that a registry behind the server agreed to, or the setting's."""
    agreed = ctx.catalog.looks_per_hour.get(server)
    return LookPace(agreed or ctx.settings.rdap_per_hour)


async def turn(ctx: Context, case: Case, ref: str, kind: JobKind, *, routine: bool) -> bool:
    """Whether a planned look may be taken now; it is counted then. Else it is planned for its turn, once.

    `routine`: nobody waits for this one.
    """
    server = server_of(ctx, case.target.tld)
    if server is None:
        return True
    pace = pace_of(ctx, server)
    async with ctx.db.transaction(DAEMON) as tx:
        await case_store.hold(tx.con, case.id)
        line = await store.lock(tx.con, server, look_pace.fresh(tx.now))
        at, asked = await store.turn(tx.con, ref)
        if line.paused(tx.now) or (routine and not asked):
            if at is not None and at > tx.now:  # it stands in line already
                await tx.add_timer(case.id, Timer(kind, ref, at))
                return False
            line, later = look_pace.admit(pace, line, tx.now, at)
        else:
            line, later = look_pace.charged(pace, line, tx.now), None
        await store.save(tx.con, server, line)
        if later is None:
            if at is not None:
                await store.take(tx.con, ref)
            return True
        await store.give(tx.con, ref, later.at)
        await tx.add_timer(case.id, Timer(kind, ref, later.at))
        return False


async def ask(tx: Tx, case_id: str) -> int:
    """Look for every claim of a case now, ahead of all lines: somebody waits for it. How many there are.

    What came undone and was asked for anew is over: what is there now is the answer to that.
    """
    claims = await tx.con.fetch(
        "select c.id from claim c join notice n on n.id = c.notice_id "
        "where c.case_id = $1 and not (c.verdict = 'relapsed' and n.state = 'superseded')",
        case_id,
    )
    for row in claims:
        await store.give(tx.con, str(row["id"]), tx.now, asked=True)
    await tx.enqueue(*(Job(JobKind.OBSERVE, str(row["id"]), URGENT) for row in claims))
    return len(claims)


async def ahead(ctx: Context, tld: str) -> float | None:
    """Count a look that waits for nobody; None, or for how many seconds its server asked to be left alone."""
    server = server_of(ctx, tld)
    if server is None:
        return None
    async with ctx.db.transaction(DAEMON) as tx:
        line = await store.lock(tx.con, server, look_pace.fresh(tx.now))
        if line.paused(tx.now) and line.paused_until is not None:
            return (line.paused_until - tx.now).total_seconds()
        await store.save(tx.con, server, look_pace.charged(pace_of(ctx, server), line, tx.now))
        return None


async def busy(ctx: Context, tld: str, retry_after: float | None) -> datetime | None:
    """A server said that it has too much to do: nobody asks it until it may be asked again."""
    server = server_of(ctx, tld)
    if server is None:
        return None
    async with ctx.db.transaction(DAEMON) as tx:
        until = tx.now + (timedelta(seconds=retry_after) if retry_after is not None else _UNSAID)
        line = await store.lock(tx.con, server, look_pace.fresh(tx.now))
        await store.save(tx.con, server, look_pace.paused(line, until))
        return until
