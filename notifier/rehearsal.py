"""A whole program in rehearsal: real daemon, simulated registries on this machine, a clock that jumps over waits.

`demo` shows it to people and the tests use the same. Nothing here can reach another machine: egress is `loopback`,
and an overlay replaces every channel, RDAP base and name server of the catalog.
"""

import asyncio
import base64
import contextlib
import hashlib
import itertools
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from secrets import randbelow
from typing import Any

from notifier import bootstrap, daemon
from notifier.bootstrap import House
from notifier.daemon import RoleOf
from notifier.domain.epp import Measure
from notifier.sandbox import api_registry, world
from notifier.sandbox.app import Sandbox
from notifier.sandbox.config import Channel, Pace, Party, SandboxConfig
from notifier.sandbox.config import Role as PartyRole
from notifier.sandbox.form_registry import LABELS
from notifier.sandbox.staff import MAILBOX as STAFF_MAILBOX
from notifier.sandbox.survey import Profile
from notifier.services import access, agreements
from notifier.services.access import Principal, Role
from notifier.settings import Settings
from notifier.store import queue
from notifier.store.database import Database, SimulatedClock
from notifier.worker import ticker

CONNECTIONS = 14  # a house's, and two for whoever moves the clock
REPLY_DOMAIN = "replies.notifier.example"
ADMINS = ("Ada Admin", "Boris Admin")
_STAGE = "rehearsal"
_IDLE_POLL_S = 0.02
_ports = itertools.count(randbelow(200))


@dataclass(frozen=True, slots=True)
class Cast:
    """One simulated party: the registry it plays, the agreements it answers for, and by which channel.

    `terms`: keys of those agreements in place of the files', such as `batch`.
    """

    registry: str
    agreements: Sequence[str]
    channel: Channel
    address: str = ""
    words: Mapping[str, Measure] = field(default_factory=dict)
    role: PartyRole = "registry"
    terms: Mapping[str, Any] = field(default_factory=dict)


def registrars(*agreements: str) -> list[Cast]:
    """Every registrar of the sandbox, written to under agreements that are for whoever is found."""
    return [
        Cast(f"registrar-{r.iana_id}", agreements, "smtp", r.abuse_email, role="registrar") for r in world.REGISTRARS
    ]


def hosts(*agreements: str) -> list[Cast]:
    """Every host of the sandbox, in the same way."""
    return [Cast(f"host-{h.handle.lower()}", agreements, "smtp", h.abuse_email, role="host") for h in world.HOSTS]


@dataclass(frozen=True, slots=True)
class Plan:
    """Who plays whom, from when on, and how they behave: `mix` by weight, `behaviours` by name first.

    `profiles`: names on which much hangs. `pace`: everybody steps at the same distance, so that the clock has few places
    to stop at. `config`: a folder in place of the shipped one.
    """

    cast: Sequence[Cast]
    start: datetime
    mix: Mapping[str, float] = field(default_factory=lambda: {"obey": 1.0})
    behaviours: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    names: Sequence[str] = ()
    hop_captures_day: int = 0  # every name is registered here, under every ending
    seed: str = "rehearsal"
    pace: Pace = Pace(jitter=False)  # noqa: RUF009  (frozen)
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What runs: `url` of the API, `house` behind it, `sandbox` outside it."""

    plan: Plan
    url: str
    house: House
    sandbox: Sandbox
    clock: SimulatedClock

    async def quiet(self, *, timeout_s: float = 900.0) -> None:
        """Wait in real time until no job can run and no party has a step that is due."""
        db = self.house.ctx.db
        async with asyncio.timeout(timeout_s):
            while True:
                if await queue.runnable(db.pool, db.ended):  # nothing new falls due while the clock stands
                    await asyncio.sleep(_IDLE_POLL_S)
                    continue
                fired = await ticker.fire_due(db)
                stepped = await self.sandbox.run_due(await self.clock.now())
                if not (fired or stepped or await queue.runnable(db.pool, db.ended)):
                    return

    async def advance(self, *, grain: timedelta = timedelta(0), until: datetime | None = None) -> datetime | None:
        """Jump to the next due timer or scripted step, never past it but by a `grain`: what falls due within one is done
        together at its end, late by as much, as by a daemon that is busy. None when nothing is planned, or nothing up to
        `until`, where the clock then stands."""
        await self.quiet()
        return await self._jump(grain, until)

    async def _jump(self, grain: timedelta, until: datetime | None) -> datetime | None:
        planned = [await ticker.next_due(self.house.ctx.db), self.sandbox.next_due()]
        due = min((at for at in planned if at is not None and (until is None or at <= until)), default=None)
        to = until if due is None else due + grain
        if to is not None:
            await self.clock.advance(to if until is None else min(to, until))
            await self.quiet()
        return due

    async def advance_to(self, at: datetime, *, grain: timedelta = timedelta(0)) -> None:
        """Do everything that is planned up to `at`, then stand there."""
        due = await self.advance(grain=grain, until=at)
        while due is not None:  # each jump ends quiet
            due = await self._jump(grain, at)


@asynccontextmanager
async def rehearsal(
    state_dir: Path, dsn: str, plan: Plan, *, armed: bool = True, database: Database | None = None
) -> AsyncIterator[Rehearsal]:
    """Open sandbox, house and daemon over a fresh database; closed again at the end.

    `armed`: two sample admins arm every agreement of the plan, as people would. `database`: the one of `dsn`, open already
    and left open; else it is opened here, once for clock and house.
    """
    secrets = {_secret_name(c.registry): _hook_secret(plan.seed, c.registry) for c in plan.cast}
    secrets["alarm_webhook"] = _hook_secret(plan.seed, "alarms of our own")
    async with AsyncExitStack() as stack:
        if database is None:
            database = await stack.enter_async_context(bootstrap.opened(dsn, CONNECTIONS))
        clock = await bootstrap.simulated_clock(database, plan.start)
        sandbox = Sandbox(_sandbox_config(plan, secrets), clock)
        await sandbox.start()
        stack.push_async_callback(sandbox.stop)
        settings = _settings(state_dir, secrets, sandbox.where(), plan)
        house = await stack.enter_async_context(
            bootstrap.house(
                settings, dsn, overlay=overlay_of(plan.cast, sandbox.where()), clock=clock, database=database
            )
        )
        url = await stack.enter_async_context(daemon.working(house, RoleOf.ALL, asyncio.Event()))
        sandbox.connect(url, (settings.inbound_smtp_host, settings.inbound_smtp_port))
        await _give_tokens(house, sandbox, plan)
        if armed:
            await _arm(house, plan)
        yield Rehearsal(plan, url, house, sandbox, clock)


def _settings(state_dir: Path, secrets: Mapping[str, str], where: Mapping[str, Any], plan: Plan) -> Settings:
    port = free_port()
    return Settings(
        state_dir=state_dir,
        config_folder=plan.config,
        egress="loopback",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        organisation="Sample Notifier",
        contact="desk@notifier.example",
        domain="notifier.example",
        mail_from="notices@notifier.example",
        reply_domain=REPLY_DOMAIN,
        inbound_smtp_port=free_port(),
        second_step="off",  # sample people have no telephones
        alarm_mail=STAFF_MAILBOX,
        alarm_webhook=where["staff"],
        panel_resolvers=(where["resolver"],),
        rdap_per_hour=999_999,  # one server plays every registry's
        hop_captures_day=plan.hop_captures_day,
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
            role=c.role,
        )
        for c in plan.cast
    )
    return SandboxConfig(
        parties,
        seed=plan.seed,
        mix=plan.mix,
        behaviours=plan.behaviours,
        profiles=plan.profiles,
        names=tuple(plan.names),
        register_all=not plan.names,
        pace=plan.pace,
        staff_secret=secrets["alarm_webhook"],
        poll=None,
    )


def overlay_of(cast: Sequence[Cast], where: Mapping[str, Any]) -> dict[str, Any]:
    """The catalog overlay that puts a sandbox, `where` it says it is, in place of everybody."""
    parties: dict[str, dict[str, Any]] = {}
    for c in cast:
        if c.role != "registry":
            parties |= {agreement: {"adapter": "smtp", **c.terms} for agreement in c.agreements}
            continue
        if c.channel == "smtp":
            address: dict[str, Any] = {"to": c.address}
        elif c.channel == "webform":
            form, secret = where["forms"][c.registry], _secret_name(c.registry)
            address = {"form": form, "fields": dict(LABELS), "within": "4h", "secret": secret}
        elif c.channel == "api":
            address = api_registry.terms(where["desks"][c.registry], _secret_name(c.registry))
        else:
            address = {"url": where["hooks"][c.registry], "secret": _secret_name(c.registry)}
        for agreement in c.agreements:
            parties[agreement] = {"adapter": c.channel, "address": address, **c.terms}
    return {
        "id": "rehearsal",
        "rdap": {"*": where["rdap"]},
        "rdap_networks": where["rdap"],
        "waits": {"pause": 0.05},  # between tries inside one attempt: nobody here is a mile away
        "dns": {"*": _endpoint(where["dns"])},
        "site": _endpoint(where["site"]),
        "smtp": _endpoint(where["smtp"]),
        "survey": {
            **{key: f"{where['survey']}{key}/{{name}}" for key in ("certificates", "dependents", "popularity")},
            "resolver": _endpoint(where["resolver"]),
        },
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
        for agreement in dict.fromkeys(agreement for c in plan.cast for agreement in c.agreements):
            await agreements.arm(house.ctx, Principal(admin, "person", Role.ADMIN), agreement, via="rehearsal")


def _secret_name(registry: str) -> str:
    return f"hook_{registry.replace('-', '_')}"


def _hook_secret(seed: str, registry: str) -> str:
    """A Standard Webhooks secret of 32 bytes, the same at each run of a seed."""
    return "whsec_" + base64.b64encode(hashlib.sha256(f"{seed}/{registry}".encode()).digest()).decode()


def _endpoint(where: tuple[str, int]) -> str:
    return f"{where[0]}:{where[1]}"


def free_port() -> int:
    """A loopback port that nobody listens on, below those that the system gives to outgoing connections (ip(7)).

    One of those could be taken by any connection before the server that it is meant for has started.
    """
    while True:
        # Processes beside each other choose apart, and one process never the same again while it may still be wanted.
        port = 20_000 + os.getpid() % 60 * 200 + next(_ports) % 200
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
