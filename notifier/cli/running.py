"""serve, sandbox, migrate, check-config."""

import asyncio
import json
import signal
import sys
from typing import Annotated

import typer

from notifier import bootstrap, catalog, daemon, resources
from notifier.catalog import ConfigFaults, Fault
from notifier.cli.session import Config, opened, run, settings_of
from notifier.clock import SystemClock
from notifier.daemon import RoleOf
from notifier.sandbox.app import Sandbox
from notifier.sandbox.config import Party, SandboxConfig
from notifier.services import agreements
from notifier.settings import Settings, load_settings
from notifier.store.migrate import migrate as run_migrations


def serve(
    config: Config = None,
    role: Annotated[RoleOf, typer.Option(help="What this process does.")] = RoleOf.ALL,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free port.")] = None,
) -> None:
    """Run the daemon. Prints `ready URL` once it accepts work; SIGTERM drains and exits 0."""

    async def work() -> None:
        settings = settings_of(config)
        if port is not None:
            settings = bootstrap.with_port(settings, port)
        await daemon.serve(settings, role, lambda line: print(line, flush=True))

    run(work())


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="HTTP port; 0 takes a free one.")] = 0,
) -> None:
    """Run the simulated registries alone: mail, webhook, RDAP, DNS and sites, on 127.0.0.1 only."""

    async def work() -> None:
        parties = (
            Party("mail", "sandbox-mail", "smtp", address="abuse@registry.example"),
            Party("hook", "sandbox-hook", "webhook", secret="whsec_" + "c2FuZGJveC1zZWNyZXQtc2FuZGJveA=="),
        )
        stop = asyncio.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sign, stop.set)
        box = Sandbox(SandboxConfig(parties, register_all=True, http_port=port), SystemClock())
        await box.start()
        try:
            print(json.dumps(box.where()), flush=True)
            await stop.wait()
        finally:
            await box.stop()

    run(work())


def migrate(config: Config = None) -> None:
    """Bring the database's schema to this version. Several processes at once are safe."""

    async def work() -> None:
        settings = settings_of(config)
        async with bootstrap.database_of(settings) as dsn:
            await run_migrations(dsn)
        print("the schema is current")

    run(work())


def check_config(
    config: Config = None,
    online: Annotated[bool, typer.Option("--online", help="Also reach each channel; sends nothing.")] = False,
) -> None:
    """Name every problem of the configuration at once, as `file: key: what, expected`."""
    try:
        settings: Settings | None = load_settings(config)
        faults: list[Fault] = []
    except ConfigFaults as error:
        settings, faults = None, list(error.faults)
    folder = settings.config_folder if settings and settings.config_folder else resources.folder("config")
    overlay = settings.catalog_overlay if settings else None
    names = settings.protected_names if settings else ()
    faults += catalog.check(folder, overlay, names, bootstrap.adapter_names())
    for fault in faults:
        print(fault)
    if faults:
        raise typer.Exit(1)
    if online:
        run(_check_online(config))
    print("no problems found")


async def _check_online(config: Config) -> None:
    async with opened(config) as house:
        found = 0
        for agreement_id in sorted(house.ctx.adapters):
            for problem in await agreements.check(house.ctx, agreement_id):
                print(f"{agreement_id}: {problem.what}, expected {problem.expected}")
                found += 1
        if not house.ctx.adapters:
            print("no agreement names a channel, so there is nothing to reach", file=sys.stderr)
        if found:
            raise typer.Exit(1)
