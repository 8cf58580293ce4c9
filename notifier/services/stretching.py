"""Writes down what became known, stretch by stretch, so that figures as of an instant need only the histories around it."""

import asyncio
from datetime import datetime

from notifier.domain.definitions import VERSION
from notifier.domain.history import fold
from notifier.domain.rollup import Added
from notifier.services.context import Context
from notifier.store import rollups, stretches, sums, transitions
from notifier.store.database import Connection
from notifier.store.transitions import Names

SIZE = 10_000  # transitions; half of them are read again at most for an instant, which takes a second


async def stretch(ctx: Context, size: int = SIZE) -> bool:
    """Write the next stretch if it is over; whether it was.

    Where it ends is told by the transitions alone, so that it is the same whenever it is written.
    """
    async with ctx.db.pool.acquire() as con:
        if (until := await stretches.next_end(con, size)) is None:
            return False
        async with con.transaction():
            await transitions.hold_horizon(con, until)
        async with rollups.alone(con, rollups.STRETCHING) as ours:
            state = await rollups.state(con)
            until = await stretches.next_end(
                con, size
            )  # what was under way is there now; from here on nothing comes before
            if not ours or until is None or state.definitions != VERSION:
                return False
            await sums.write_stretch(con, until, await between(con, await stretches.last(con), until))
            await stretches.close(con, until)
    return True


async def between(con: Connection, since: datetime | None, until: datetime) -> Added:
    """What became known after `since`, up to `until`: what it says then, less what it said before."""
    names = await transitions.of_names(con, await stretches.moved(con, since, until))
    # Many cases take a second, and others wait for the loop.
    return await asyncio.to_thread(_became_known, names, since, until)


def _became_known(names: Names, since: datetime | None, until: datetime) -> Added:
    added = Added()
    for of in names.values():
        for at, sign in ((since, -1), (until, 1)):
            if at is not None:
                known = [[one.change for one in changes if one.recorded_at <= at] for changes in of.values()]
                added.add([fold(changes) for changes in known if changes], {}, sign)
    return added
