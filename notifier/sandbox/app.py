"""The sandbox as one thing: start it, ask where everything is, let its scripted steps fall due, stop it."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from aiohttp import web

from notifier.clock import Clock
from notifier.sandbox.answers import Answerer
from notifier.sandbox.api_registry import ApiRegistry
from notifier.sandbox.config import SandboxConfig
from notifier.sandbox.control import Control
from notifier.sandbox.desk import Desk
from notifier.sandbox.dns_server import DnsServer
from notifier.sandbox.faults import Faults
from notifier.sandbox.form_registry import FormRegistry
from notifier.sandbox.inbox import Inbox
from notifier.sandbox.ledger import Ledger
from notifier.sandbox.rdap_server import REGISTRAR, REGISTRY, RdapServer
from notifier.sandbox.site_server import SiteServer
from notifier.sandbox.smtp_registry import SmtpRegistry
from notifier.sandbox.staff import Staff
from notifier.sandbox.survey import Resolver, SurveyServer
from notifier.sandbox.weather import Weather
from notifier.sandbox.webhook_registry import WebhookRegistry
from notifier.sandbox.world import World

MAX_BODY = 16 * 1024 * 1024

log = structlog.get_logger(__name__)


class Sandbox:
    """Simulated registries on 127.0.0.1: mail, webhooks, forms, APIs, RDAP, authoritative DNS and the hosts' sites.

    `start()` opens every port; `smtp_port, http_port, dns_port, site_port` hold the numbers then. With
    `config.poll` it looks at the clock by itself, otherwise a driver calls `next_due()` and `run_due(now)`.
    """

    def __init__(self, config: SandboxConfig, clock: Clock) -> None:
        self.config, self.clock = config, clock
        self.world = World(
            config.seed,
            names=config.names,
            zones=config.zones,
            register_all=config.register_all,
            residual_glue=config.residual_glue,
            registered_at={n: p.registered_at for n, p in config.profiles.items() if p.registered_at},
        )
        self.ledger = Ledger(config.log)
        self.faults = Faults(config.seed, config.faults, config.slow_s)
        self.inbox = Inbox(self.ledger)
        self._answerer = Answerer(self.inbox)
        self._answerer.connect(config.notifier_url, config.inbound_smtp)
        self.desk = Desk(config, self.world, self._answerer)
        self.staff = Staff(config.staff_secret)
        self.smtp = SmtpRegistry(config.parties, self.desk, self.inbox, clock, self.faults, self.staff)
        self.webhook = WebhookRegistry(config, self.desk, self.inbox, clock, self.faults)
        self.form = FormRegistry(config, self.desk, self.inbox, clock)
        self.api = ApiRegistry(config, self.desk, self.inbox, clock, self._answerer)
        self.weather = Weather(config.seed)
        self.rdap = RdapServer(self.world, clock, self.weather, config.rdap_lag)
        self.dns = DnsServer(self.world, clock, self.weather)
        self.site = SiteServer(self.world)
        self.survey = SurveyServer(self.world, clock)
        self.survey.profiles.update(config.profiles)
        self.resolver = Resolver(self.world, clock, self.survey)
        self.smtp_port = self.http_port = self.dns_port = self.site_port = 0
        self._runners: list[web.AppRunner] = []
        self._polling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open every port; when one cannot be had the others are closed again and the OSError goes on."""
        for line in self.ledger.open():
            if line.result == "accepted":
                self.webhook.remember(line.party, line.key)
        self.faults.begin(self.ledger.length)
        try:
            await self.smtp.start(self.config.smtp_port)
            await self.dns.start(self.config.dns_port)
            await self.resolver.start(self.config.resolver_port)
            http = web.Application(client_max_size=MAX_BODY)
            for part in (self.webhook, self.form, self.api, self.rdap, self.survey, self.staff, Control(self)):
                part.add_routes(http)
            self.http_port = await self._serve(http, self.config.http_port)
            self.site_port = await self._serve(self.site.application(), self.config.site_port)
        except OSError:
            await self.stop()
            raise
        self.smtp_port, self.dns_port = self.smtp.port, self.dns.port
        if self.config.poll is not None:
            self._polling = asyncio.create_task(self._poll(self.config.poll))

    async def stop(self) -> None:
        """Close every port and connection."""
        if self._polling is not None:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling
            self._polling = None
        self.webhook.after_acceptance.release()
        self.form.after_acceptance.release()
        self.api.after_acceptance.release()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        await self.smtp.stop()
        await self.dns.stop()
        await self.resolver.stop()
        await self._answerer.close()
        self.ledger.close()

    def connect(self, notifier_url: str | None = None, inbound_smtp: tuple[str, int] | None = None) -> None:
        """Tell the parties where to answer; loopback addresses only, else Invalid."""
        self._answerer.connect(notifier_url, inbound_smtp)

    def set_token(self, party: str, token: str) -> None:
        """Give a mail party the bearer token it answers with."""
        self._answerer.set_token(party, token)

    def next_due(self) -> datetime | None:
        """When the next scripted step falls due, in clock time."""
        return self.desk.next_due()

    async def run_due(self, now: datetime) -> int:
        """Do every scripted step due by `now`; the number of steps."""
        return await self.desk.run_due(now)

    def where(self) -> Mapping[str, Any]:
        """Where everything is, JSON-able, for a catalog overlay."""
        http = f"http://127.0.0.1:{self.http_port}"
        hooks = {p.id: f"{http}/hook/{p.id}" for p in self.config.parties if p.channel == "webhook"}
        forms = {p.id: f"{http}/form/{p.id}" for p in self.config.parties if p.channel == "webform"}
        desks = {p.id: f"{http}/desk/{p.id}" for p in self.config.parties if p.channel == "api"}
        return {
            "smtp": ("127.0.0.1", self.smtp_port),
            "rdap": http + REGISTRY.base,
            "registrar_rdap": http + REGISTRAR.base,
            "dns": ("127.0.0.1", self.dns_port),
            "site": ("127.0.0.1", self.site_port),
            "resolver": ("127.0.0.1", self.resolver.port),
            "survey": f"{http}/survey/",
            "staff": f"{http}/staff/alarms",
            "hooks": hooks,
            "forms": forms,
            "desks": desks,
            "control": f"{http}/control/",
        }

    async def _serve(self, app: web.Application, port: int) -> int:
        runner = web.AppRunner(app, shutdown_timeout=1.0, access_log=None)
        self._runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        return int(runner.addresses[0][1])

    async def _poll(self, every: float) -> None:
        while True:
            try:
                await self.run_due(await self.clock.now())
            except Exception:
                # The clock may be a database row that is away for a moment; the parties go on when it is
                # back.
                log.exception("sandbox.poll_failed")
            await asyncio.sleep(every)
