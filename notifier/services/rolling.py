"""Adds up the figures of now: each name whose case moved is taken out as it was and put in as it is."""

import asyncio
import contextlib
from collections.abc import Iterable

import structlog

from notifier.domain.definitions import VERSION
from notifier.domain.history import fold
from notifier.domain.rollup import Added, told_by
from notifier.errors import NotifierError
from notifier.services.context import Context
from notifier.services.stretching import stretch
from notifier.store import accuracy, rollups, summing
from notifier.store.audit import FAILURES
from notifier.store.rollups import Name

_log = structlog.get_logger(__name__)
_PAUSE_S = 2.0
_BATCH = 500


async def run(ctx: Context, stop: asyncio.Event) -> None:
    """Add up what is due, every two seconds of real time, until `stop`. Failures are logged, then tried again."""
    told: str | None = None
    while not stop.is_set():
        done, more = 0, 0
        try:
            done = await roll(ctx)
            more = await stretch(ctx)
            told = None
        except (NotifierError, *FAILURES) as error:
            why = f"{type(error).__name__}: {error}"
            if why != told:
                _log.error("figures.not_added_up", why=why)
            told = why
        if done < _BATCH and not more:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _PAUSE_S)


async def roll(ctx: Context, limit: int = _BATCH) -> int:
    """Add up at most `limit` moves; how many cases they were of, 0 also while another process is at it."""
    async with ctx.db.pool.acquire() as con, rollups.alone(con) as ours:
        if not ours:
            return 0
        state = await rollups.state(con)
        if state.definitions != VERSION:
            await rollups.begin(con, VERSION)
        case_ids = await rollups.take(con, limit)
        if not case_ids:
            if not state.whole:
                await rollups.finish(con)
            return 0
        await accuracy.add_up(con, case_ids)
        names = await rollups.names_of(con, case_ids)
        await summing.add(con, await asyncio.to_thread(_moved, names.values()))
        await rollups.hold(con, names)
    return len(case_ids)


def _moved(names: Iterable[Name]) -> Added:
    added = Added()
    for name in names:
        before = [
            fold(known)
            for of in name.changes.values()
            if (known := [one.change for one in of if one.entry in name.entries])
        ]
        added.add(told_by(before, name.reports_before), -1)
        added.add(told_by([fold([one.change for one in of]) for of in name.changes.values()], name.reports))
    return added
