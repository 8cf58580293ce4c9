"""One process, one configuration after another: each serves a turn, and gives way to the next without a restart.

The next house is built whole while the present one serves; what cannot be built changes nothing. Then the present one
closes its faces, the next opens them on the same listening socket, in which callers wait meanwhile, and the jobs of the
one before finish under the configuration that they began with.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from notifier import bootstrap
from notifier.bootstrap import House
from notifier.errors import NotifierError
from notifier.services import people
from notifier.settings import Settings
from notifier.store import processes
from notifier.store.queue import LOST

log = structlog.get_logger(__name__)

_LOOK_S = 1.0
DRAIN_S = 20.0


class Work(Protocol):
    """What runs a house, in one role, until its block ends; `daemon.working` with the role."""

    def __call__(
        self,
        house: House,
        stop: asyncio.Event,
        listener: socket.socket | None,
        *,
        faces_closed: Callable[[], None],
        drain_s: Callable[[], float | None],
    ) -> AbstractAsyncContextManager[str]: ...


@dataclass(slots=True)
class _Turn:
    """`up` has its house and URL once it serves. `drain_s`: None while it may take its time, since another serves."""

    up: asyncio.Future[tuple[House, str]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    faces_closed: asyncio.Event = field(default_factory=asyncio.Event)
    drain_s: float | None = DRAIN_S

    async def give_way(self) -> None:
        """Nothing comes in any more when this returns; what runs goes on."""
        self.drain_s = None
        self.stop.set()
        await self.faces_closed.wait()


async def take_turns(
    settings: Settings,
    dsn: str,
    role: str,
    work: Work,
    listener: socket.socket | None,
    stop: asyncio.Event,
    say: Callable[[str], None],
) -> None:
    """Serve until `stop`, and follow each request to take up the configuration anew."""

    async def serve(turn: _Turn, before: _Turn | None) -> None:
        async with bootstrap.house(settings, dsn, serving=True) as house:
            if before is not None:
                await before.give_way()
            ours = listener.dup() if listener is not None else None
            async with work(
                house, turn.stop, ours, faces_closed=turn.faces_closed.set, drain_s=lambda: turn.drain_s
            ) as url:
                turn.up.set_result((house, url))
                await turn.stop.wait()

    turn = _Turn()
    task = asyncio.create_task(serve(turn, None))
    house, url = await _begun(turn, task)
    followed = await _number(house)
    me = await processes.enter(house.ctx.db, role, house.ctx.configuration.digest, followed)
    say(f"ready {url}".rstrip())
    if listener is not None and (secret := await people.first_admin(house.ctx.db)) is not None:
        say(f"first admin: {house.settings.public_url}/welcome/{secret} (works once, for a day)")
    leaving: set[asyncio.Task[None]] = set()
    while not await _stopped(stop, task):
        try:
            wanted = await processes.beat(house.ctx.db, me)
        except LOST as error:  # asked again in a second
            log.debug("config.not_looked", error=repr(error))
            continue
        if wanted == followed:
            continue
        followed = wanted
        following = _Turn()
        next_task = asyncio.create_task(serve(following, turn))
        try:
            next_house, _ = await _begun(following, next_task)
        except (NotifierError, *LOST) as error:
            if turn.stop.is_set():  # nobody would serve: whoever watches over us starts us again
                raise
            log.error("config.not_reloaded", error=str(error))
            await processes.could_not(house.ctx.db, me, followed, str(error)[:2_000])
            continue
        leaving.add(task)
        turn, task, house = following, next_task, next_house
        await processes.took(house.ctx.db, me, house.ctx.configuration.digest, followed)
        log.info("config.reloaded", digest=house.ctx.configuration.digest)
    with contextlib.suppress(*LOST):
        await processes.leave(house.ctx.db, me)
    log.info("daemon.draining")
    turn.stop.set()
    late = (await asyncio.wait(leaving, timeout=DRAIN_S))[1] if leaving else ()
    await task
    if late:
        os._exit(75)  # their jobs are given back, as those of any process that dies


async def _begun(turn: _Turn, task: asyncio.Task[None]) -> tuple[House, str]:
    """What the turn serves with. Raises what kept it from serving."""
    either: list[asyncio.Future[Any]] = [turn.up, task]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not turn.up.done():
        await task
        raise RuntimeError("a turn ended before it began")
    return turn.up.result()


async def _stopped(stop: asyncio.Event, task: asyncio.Task[None]) -> bool:
    """Whether the process is told to stop, within a second. Raises what ended the turn by itself."""
    if task.done():
        await task
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), _LOOK_S)
    return stop.is_set()


async def _number(house: House) -> int:
    async with house.ctx.db.pool.acquire() as con:
        wish = await processes.wish(con)
    return wish.number if wish else 0
