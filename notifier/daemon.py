"""The daemon: faces, worker, ticker and sealer over one database, until it is told to stop."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from enum import StrEnum
from typing import Any, TypeAlias

import structlog
from aiohttp import web

from notifier import bootstrap, turns
from notifier.bootstrap import House
from notifier.net.mailbox import Mailbox
from notifier.services import alarming, daily, keeping, releasing, rolling, transparency, warming
from notifier.services.context import Context
from notifier.settings import Settings
from notifier.store.queue import backlog
from notifier.web.app import make_app
from notifier.worker import kinds, ticker
from notifier.worker.runner import Runner

log = structlog.get_logger(__name__)

_DAY_S = 86_400.0

_Working: TypeAlias = AbstractAsyncContextManager[str]


class RoleOf(StrEnum):
    """What this process does; any number of `web` and `worker` processes may share one database."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"


def spare_collector() -> None:
    """What is loaded by now stays: nobody need look through it again and again for what could go, nor as often, since an
    answer may be of tens of thousands of rows."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def serve(settings: Settings, role: RoleOf, say: Callable[[str], None]) -> None:
    """Run until SIGTERM or Ctrl-C, then drain. `say` gets the line `ready URL` once work is taken."""
    spare_collector()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    listener = None if role is RoleOf.WORKER else socket.create_server((settings.host, settings.port))
    if listener is not None:  # the port is known before anything is made that names it
        settings = bootstrap.with_port(settings, listener.getsockname()[1])
    # A lone web or worker process joins the server that another one runs.
    async with bootstrap.database_of(settings, serving=role is RoleOf.ALL) as dsn:

        def work(house: House, stop: asyncio.Event, listener: socket.socket | None, **how: Any) -> _Working:
            return working(house, role, stop, listener, **how)

        await turns.take_turns(settings, dsn, role, work, listener, stop, say)


@asynccontextmanager
async def working(
    house: House,
    role: RoleOf,
    stop: asyncio.Event,
    listener: socket.socket | None = None,
    *,
    faces_closed: Callable[[], None] = lambda: None,
    drain_s: Callable[[], float | None] = lambda: turns.DRAIN_S,
) -> AsyncIterator[str]:
    """Everything that runs, until the block ends; then the faces close first and running jobs finish.

    Yields the URL that `listener` is reached under, made from the settings when there is none. `faces_closed` is called
    when nothing comes in any more, `drain_s` says then how long jobs may take.
    """
    settings, ctx = house.settings, house.ctx
    async with AsyncExitStack() as stack:
        background: list[asyncio.Task[None]] = []
        # Entered first, so left last: faces and mailbox are closed by then, and running jobs may finish.
        stack.push_async_callback(_finish, stop, background)
        stack.callback(faces_closed)
        background.append(asyncio.create_task(bootstrap.sealer(house).run(stop)))
        if role is not RoleOf.WEB:
            await daily.plan_all(ctx)
            await releasing.take_up(ctx)
            runner = Runner(ctx.db, kinds.handlers(ctx), concurrency=settings.workers * 5)
            background.append(asyncio.create_task(runner.run(stop, drain_s=drain_s)))
            background.append(asyncio.create_task(ticker.run(ctx.db, stop)))
            background.append(asyncio.create_task(_sweep(ctx, stop)))
            background.append(asyncio.create_task(warming.run(ctx, stop)))
            background.append(asyncio.create_task(rolling.run(ctx, stop)))
            background.append(asyncio.create_task(transparency.run(ctx, stop)))
            await alarming.take_up(ctx)
            await _open_mailbox(stack, house)
            if (watch := bootstrap.mail_watch(house)) is not None:
                background.append(asyncio.create_task(watch.run(stop)))
        yield await _open_web(stack, house, listener) if role is not RoleOf.WORKER else ""


async def _sweep(ctx: Context, stop: asyncio.Event) -> None:
    """Once a day of real time, and at the start."""
    while not stop.is_set():
        try:
            if gone := await keeping.sweep(ctx):
                log.info("files.swept", gone=gone)
        except Exception as error:  # the daemon outlives its store
            log.warning("files.not_swept", error=repr(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _DAY_S)


async def _finish(stop: asyncio.Event, background: Sequence[asyncio.Task[None]]) -> None:
    stop.set()
    await asyncio.gather(*background)


async def _open_mailbox(stack: AsyncExitStack, house: House) -> None:
    settings = house.settings
    mailbox = Mailbox(bootstrap.mail_taker(house.ctx), settings.identity.reply_mailbox, settings.reply_domain)
    stack.push_async_callback(mailbox.stop)
    if settings.inbound_smtp_port:
        await mailbox.start(settings.inbound_smtp_host, settings.inbound_smtp_port)
    if settings.inbound_lmtp:
        await mailbox.start_lmtp(settings.inbound_lmtp)


async def _open_web(stack: AsyncExitStack, house: House, listener: socket.socket | None) -> str:
    settings, ctx = house.settings, house.ctx

    async def ready() -> dict[str, bool]:
        try:
            await backlog(ctx.db.pool)
        except Exception as error:  # not ready is an answer, whatever the reason
            log.warning("readyz.failed", error=repr(error))
            return {"database": False, "queue": False}
        return {"database": True, "queue": True}

    app = make_app(ctx, ready=ready)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.SockSite(runner, listener) if listener else web.TCPSite(runner, settings.host, settings.port)
    await site.start()
    port = runner.addresses[0][1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"
