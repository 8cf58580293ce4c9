"""serve, sandbox, migrate, check-config."""

import asyncio
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from notifier import bootstrap, catalog, daemon, outside, resources
from notifier.catalog import ConfigFaults, Fault
from notifier.cli.session import Config, local_user, opened, run, settings_of
from notifier.clock import SystemClock
from notifier.daemon import RoleOf
from notifier.sandbox.app import Sandbox
from notifier.sandbox.config import Party, SandboxConfig
from notifier.sandbox.plan import read_plan
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
    plan: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Parties, ports, faults and log, instead of ours.")
    ] = None,
) -> None:
    """Run the simulated registries alone: mail, webhook, web form, API, RDAP, DNS and sites, on 127.0.0.1 only."""

    async def work() -> None:
        parties = (
            Party("mail", "sandbox-mail", "smtp", address="abuse@registry.example"),
            Party("hook", "sandbox-hook", "webhook", secret="whsec_" + "c2FuZGJveC1zZWNyZXQtc2FuZGJveA=="),
            Party("form", "sandbox-form", "webform", secret="whsec_" + "c2FuZGJveC1zZWNyZXQtc2FuZGJveA=="),
            Party("desk", "sandbox-desk", "api", secret="sandbox-" + "token"),
        )
        stop = asyncio.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sign, stop.set)
        given = read_plan(plan) if plan is not None else SandboxConfig(parties, register_all=True)
        box = Sandbox(replace(given, http_port=port or given.http_port), SystemClock())
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
    faults += outside.survey_faults(settings) if settings else []
    if settings is not None and not faults:
        faults += bootstrap.channel_faults(settings, bootstrap.catalog_of(settings))
    for fault in faults:
        print(fault)
    if faults:
        raise typer.Exit(1)
    if settings is not None:
        for what, source in outside.survey_sources(settings, bootstrap.catalog_of(settings)).told():
            unmeasured = "; every case needs a second person" if source == "not configured" else ""
            print(f"measured before sending: {what}: {source}{unmeasured}")
    if online:
        run(_check_online(config))
    print("no problems found")


async def _check_online(config: Config) -> None:
    async with opened(config) as house:
        found = 0
        channels = 0
        for agreement_id in sorted(house.ctx.catalog.agreements):
            async with house.ctx.db.pool.acquire() as con:
                there = await agreements.channel(house.ctx, con, agreement_id)
            if there.overruled is not None:
                print(
                    f"{agreement_id}: its file's channel was changed after version {there.overruled}; the file stands"
                )
            if there.agreement.channel is None:
                continue
            channels += 1
            for problem in await agreements.check(house.ctx, agreement_id, f"local:{local_user()}", "cli"):
                print(f"{agreement_id}: {problem.what}, expected {problem.expected}")
                found += 1
        if (closed := await outside.mailbox_problem(house.settings)) is not None:
            print(f"imap_host: {closed}, expected a mailbox that opens")
            found += 1
        if not channels:
            print("no agreement names a channel, so there is nothing to reach", file=sys.stderr)
        if found:
            raise typer.Exit(1)
