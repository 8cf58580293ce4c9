"""A whole program in rehearsal: real daemon, simulated registries on this machine, a clock that jumps over waits.

`demo` shows it to people and the tests use the same. Nothing here can reach another machine: egress is `loopback`,
and an overlay replaces every channel, RDAP base and name server of the catalog.
"""

import asyncio
import base64
import hashlib
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from notifier import bootstrap, daemon
from notifier.bootstrap import House
from notifier.daemon import RoleOf
from notifier.domain.epp import Measure
from notifier.sandbox.app import Sandbox
from notifier.sandbox.config import Channel, Pace, Party, SandboxConfig
from notifier.services import access, agreements
from notifier.services.access import Principal, Role
from notifier.settings import Settings
from notifier.store import queue
from notifier.store.database import SimulatedClock
from notifier.worker import ticker

REPLY_DOMAIN = "replies.notifier.example"
ADMINS = ("Ada Admin", "Boris Admin")
_STAGE = "rehearsal"
_IDLE_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Cast:
    """One simulated party: the registry it plays, the agreements it answers for, and by which channel."""

    registry: str
    agreements: Sequence[str]
    channel: Channel
    address: str = ""
    words: Mapping[str, Measure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who plays whom, from when on, and how they behave: `mix` by weight, `behaviours` by name first."""

    cast: Sequence[Cast]
    start: datetime
    mix: Mapping[str, float] = field(default_factory=lambda: {"obey": 1.0})
    behaviours: Mapping[str, str] = field(default_factory=dict)
    names: Sequence[str] = ()
    seed: str = "rehearsal"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What runs: `url` of the API, `house` behind it, `sandbox` outside it."""

    plan: Plan
    url: str
    house: House
    sandbox: Sandbox
    clock: SimulatedClock

    async def quiet(self, *, timeout_s: float = 120.0) -> None:
        """Wait in real time until no job can run and no party has a step that is due."""
        db = self.house.ctx.db
        async with asyncio.timeout(timeout_s):
            while True:
                await ticker.fire_due(db)
                stepped = await self.sandbox.run_due(await self.clock.now())
                if not stepped and not await queue.runnable(db.pool):
                    return
                await asyncio.sleep(_IDLE_POLL_S)

    async def advance(self) -> datetime | None:
        """Jump to the next due timer or scripted step, never past it; None when nothing is planned."""
        await self.quiet()
        planned = [await ticker.next_due(self.house.ctx.db), self.sandbox.next_due()]
        due = min((at for at in planned if at is not None), default=None)
        if due is not None:
            await self.clock.advance(due)
            await self.quiet()
        return due

    async def advance_to(self, at: datetime) -> None:
        """Do everything that is planned up to `at`, then stand there."""
        while True:
            await self.quiet()
            planned = [await ticker.next_due(self.house.ctx.db), self.sandbox.next_due()]
            due = min((d for d in planned if d is not None), default=None)
            if due is None or due > at:
                break
            await self.clock.advance(due)
        await self.clock.advance(at)
        await self.quiet()


@asynccontextmanager
async def rehearsal(state_dir: Path, dsn: str, plan: Plan, *, armed: bool = True) -> AsyncIterator[Rehearsal]:
    """Open sandbox, house and daemon over a fresh database; closed again at the end.

    `armed`: two sample admins arm every agreement of the plan, as people would.
    """
    secrets = {_secret_name(c.registry): _hook_secret(plan.seed, c.registry) for c in plan.cast}
    async with AsyncExitStack() as stack:
        clock = await stack.enter_async_context(bootstrap.simulated_clock(dsn, plan.start))
        sandbox = Sandbox(_sandbox_config(plan, secrets), clock)
        await sandbox.start()
        stack.push_async_callback(sandbox.stop)
        settings = _settings(state_dir, secrets)
        house = await stack.enter_async_context(
            bootstrap.house(settings, dsn, overlay=overlay_of(plan.cast, sandbox.where()))
        )
        url = await stack.enter_async_context(daemon.working(house, RoleOf.ALL, asyncio.Event()))
        sandbox.connect(url, (settings.inbound_smtp_host, settings.inbound_smtp_port))
        await _give_tokens(house, sandbox, plan)
        if armed:
            await _arm(house, plan)
        yield Rehearsal(plan, url, house, sandbox, clock)


def _settings(state_dir: Path, secrets: Mapping[str, str]) -> Settings:
    port = _free_port()
    return Settings(
        state_dir=state_dir,
        egress="loopback",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        organisation="Sample Notifier",
        contact="desk@notifier.example",
        domain="notifier.example",
        mail_from="notices@notifier.example",
        reply_domain=REPLY_DOMAIN,
        inbound_smtp_port=_free_port(),
        secrets=secrets,
    )


def _sandbox_config(plan: Plan, secrets: Mapping[str, str]) -> SandboxConfig:
    parties = tuple(
        Party(
            id=c.registry,
            recipient=c.registry,
            channel=c.channel,
            address=c.address,
            secret=secrets[_secret_name(c.registry)],
            words=c.words,
        )
        for c in plan.cast
    )
    # Everybody steps at the same distance, so that the clock has few places to stop at.
    return SandboxConfig(
        parties,
        seed=plan.seed,
        mix=plan.mix,
        behaviours=plan.behaviours,
        names=tuple(plan.names),
        register_all=not plan.names,
        pace=Pace(jitter=False),
        poll=None,
    )


def overlay_of(cast: Sequence[Cast], where: Mapping[str, Any]) -> dict[str, Any]:
    """The catalog overlay that puts a sandbox, `where` it says it is, in place of everybody."""
    parties = {}
    for c in cast:
        if c.channel == "smtp":
            address: dict[str, Any] = {"to": c.address}
        else:
            address = {"url": where["hooks"][c.registry], "secret": _secret_name(c.registry)}
        for agreement in c.agreements:
            parties[agreement] = {"adapter": c.channel, "address": address}
    return {
        "id": "rehearsal",
        "rdap": {"*": where["rdap"]},
        "dns": {"*": _endpoint(where["dns"])},
        "site": _endpoint(where["site"]),
        "smtp": _endpoint(where["smtp"]),
        "agreements": parties,
    }


async def _give_tokens(house: House, sandbox: Sandbox, plan: Plan) -> None:
    """Parties that are written to by mail answer through the API, each with its own token."""
    for c in plan.cast:
        if c.channel == "smtp":
            made = await access.add_token(
                house.ctx.db, f"{c.registry} desk", Role.REGISTRY, by=_STAGE, registry=c.registry, service=True
            )
            sandbox.set_token(c.registry, made.token)


async def _arm(house: House, plan: Plan) -> None:
    for admin in ADMINS:
        await access.add_person(house.ctx.db, admin, organisation="", by=_STAGE)
        for c in plan.cast:
            for agreement in c.agreements:
                await agreements.arm(house.ctx, Principal(admin, "person", Role.ADMIN), agreement, via="rehearsal")


def _secret_name(registry: str) -> str:
    return f"hook_{registry.replace('-', '_')}"


def _hook_secret(seed: str, registry: str) -> str:
    """A Standard Webhooks secret of 32 bytes, the same at each run of a seed."""
    return "whsec_" + base64.b64encode(hashlib.sha256(f"{seed}/{registry}".encode()).digest()).decode()


def _endpoint(where: tuple[str, int]) -> str:
    return f"{where[0]}:{where[1]}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
