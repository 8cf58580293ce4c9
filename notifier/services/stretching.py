"""Writes down what became known, stretch by stretch, so that figures as of an instant need only the histories around it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from notifier.domain.definitions import VERSION
from notifier.domain.history import fold
from notifier.domain.rollup import Added, told_by
from notifier.services.context import Context
from notifier.store import rollups, stretches, summing, transitions
from notifier.store.database import Connection
from notifier.store.transitions import Names

SIZE = 10_000  # transitions; half of them are read again at most for an instant, which takes a second
AT_ONCE = 8  # stretches, where many wait: a name that moved in several of them is read once


async def stretch(ctx: Context, size: int = SIZE, limit: int = AT_ONCE) -> int:
    """Write the next stretches that are over, at most `limit`; how many there were.

    Where one ends is told by the transitions alone, so that it is the same whenever it is written.
    """
    async with ctx.db.pool.acquire() as con:
        if not (ends := await stretches.next_ends(con, size, limit)):
            return 0
        async with con.transaction():
            await transitions.hold_horizon(con, ends[-1])
        async with rollups.alone(con, rollups.STRETCHING) as ours:
            state = await rollups.state(con)
            if not ours or state.definitions != VERSION:
                return 0
            # What was under way is there now; from here on nothing comes before.
            since, ends = await stretches.last(con), await stretches.next_ends(con, size, limit)
            for until, added in zip(ends, await between(con, since, ends), strict=True):
                await summing.write_stretch(con, until, added)
                await stretches.close(con, until)
    return len(ends)


async def between(con: Connection, since: datetime | None, ends: Sequence[datetime]) -> list[Added]:
    """What became known after `since` up to the first end, and from each end to the next: what it says then, less what it
    said before."""
    if not ends:
        return []
    names = await transitions.of_names(con, await stretches.moved(con, since, ends[-1]))
    # Many cases take a second, and others wait for the loop.
    return await asyncio.to_thread(_became_known, names, since, ends)


def _became_known(names: Names, since: datetime | None, ends: Sequence[datetime]) -> list[Added]:
    found = [Added(parts={}) for _ in ends]
    for of in names.values():
        said, had = told_by([], {}), 0
        for added, until in zip((None, *found), (since, *ends), strict=True):
            known = (
                [[one.change for one in changes if one.recorded_at <= until] for changes in of.values()]
                if until
                else []
            )
            if (has := sum(map(len, known))) == had:
                continue
            says = told_by([fold(changes) for changes in known if changes], {})
            if added is not None:
                added.add(said, -1)
                added.add(says)
            said, had = says, has
    return found
