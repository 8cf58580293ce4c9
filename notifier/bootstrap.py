"""Composition root: settings in, a running house out. The only module that knows the adapters."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import aiohttp

import registries
from notifier import outside, resources
from notifier.adapter import AgreementChannel, Deps, Message, RegistryAdapter
from notifier.catalog import Catalog, Fault, OverlaySource, folder_digest, load_catalog
from notifier.catalog import check as check_folder
from notifier.catalog.reading import digest as catalog_digest
from notifier.clock import Clock, SystemClock
from notifier.domain.mail_match import Ours
from notifier.errors import Conflict, Invalid, Unauthenticated
from notifier.net.capture import Capturer
from notifier.net.content import ContentProbe
from notifier.net.control import ControlProbe
from notifier.net.dns_probe import DnsProbe
from notifier.net.hosting import HostFinder
from notifier.net.imap_watch import ImapWatch, Pauses
from notifier.net.mailbox import Arrived, Take
from notifier.net.oidc import Provider
from notifier.net.panel import ResolverPanel
from notifier.net.rdap import RdapClient
from notifier.net.safe_http import Egress, allowed, guarded_session
from notifier.net.screenshot import Browser
from notifier.net.survey import Survey
from notifier.rendering import Renderer
from notifier.services import inbound
from notifier.services.audit import Sealer
from notifier.services.context import Configuration, Context
from notifier.settings import Settings
from notifier.store import keys
from notifier.store.alone import MAILBOX_LOCK, alone
from notifier.store.database import Database, DrivenClock, SimulatedClock, is_simulated
from notifier.store.embedded import EmbeddedPostgres, joined_or_started
from notifier.store.migrate import migrate
from registries import smtp, webhook

_ASK_S = 15.0
_POST_S = 30.0
_CONNECTIONS = 8
CHECKPOINTS = "checkpoints"
KEYS = "keys"
ALARM_SIGNER = "alarm_webhook"  # its name


@dataclass(frozen=True, slots=True)
class House:
    """Everything a face or a worker needs. `dsn` is the owner's, for the few acts that need it."""

    settings: Settings
    dsn: str
    ctx: Context


def catalog_of(settings: Settings, overlay: OverlaySource = None) -> Catalog:
    """The checked catalog. Raises ConfigFaults with every fault at once."""
    folder = settings.config_folder or resources.folder("config")
    return load_catalog(folder, overlay or settings.catalog_overlay, settings.protected_names, adapter_names())


def _configured(settings: Settings, overlay: OverlaySource) -> tuple[Configuration, Catalog]:
    """The catalog, and the digest of the very files that it was read from. Raises ConfigFaults."""
    folder = settings.config_folder or resources.folder("config")
    source = overlay or settings.catalog_overlay

    def check() -> tuple[Sequence[Fault], str]:
        try:
            faults = config_faults(settings, source)
            return faults, folder_digest(folder, source)
        except OSError as error:
            return [
                Fault(folder.name, "", f"cannot be read ({error.strerror})", "a folder that the daemon may read")
            ], ""

    while True:  # once more when somebody wrote in between
        before = folder_digest(folder, source)
        catalog = catalog_of(settings, overlay)
        if folder_digest(folder, source) == before:
            return Configuration(before, str(folder), check), catalog


def config_faults(settings: Settings, overlay: OverlaySource) -> list[Fault]:
    """Every fault of the catalog, and of its channels as far as their adapters can say; nobody is reached."""
    folder = settings.config_folder or resources.folder("config")
    faults = check_folder(folder, overlay, settings.protected_names, adapter_names())
    faults += outside.survey_faults(settings)
    return faults or channel_faults(settings, catalog_of(settings, overlay))


def with_port(settings: Settings, port: int) -> Settings:
    """The settings with another port, which a default public URL follows."""
    follows = settings.public_url == f"http://{settings.host}:{settings.port}"
    return replace(settings, port=port, public_url=f"http://{settings.host}:{port}" if follows else settings.public_url)


@asynccontextmanager
async def database_of(settings: Settings, *, serving: bool = False) -> AsyncIterator[str]:
    """The owner's DSN: the given server's, or the embedded one's, joined when it runs already.

    `serving`: this process means to keep it running, so a server that another process owns is a Conflict.
    """
    if settings.database_url:
        yield settings.database_url
    elif serving:
        async with EmbeddedPostgres(settings.state_dir) as server:
            yield server.dsn
    else:
        async with joined_or_started(settings.state_dir) as dsn:
            yield dsn


@asynccontextmanager
async def house(
    settings: Settings,
    dsn: str,
    *,
    serving: bool = False,
    overlay: OverlaySource = None,
    clock: SimulatedClock | None = None,
    database: Database | None = None,
) -> AsyncIterator[House]:
    """Open pool, clients and adapters over a migrated database; closed in order at the end.

    A simulated database is read with its own clock, or with the `clock` of whoever moves it; to serve one is a Conflict.
    `database`: a migrated one that is open already, which whoever opened it closes.
    """
    configuration, catalog = await asyncio.to_thread(_configured, settings, overlay)
    if catalog.overlay is not None and Egress(settings.egress) is not Egress.LOOPBACK:
        raise Invalid('an overlay names servers on this machine; set egress = "loopback" with it')
    async with AsyncExitStack() as stack:
        if database is None:
            database = await stack.enter_async_context(opened(dsn, _CONNECTIONS + settings.workers))
        db = database
        simulated = await is_simulated(db.pool)
        if simulated and serving:
            raise Conflict("this database's time is simulated, made by a demo; serve needs a state folder of its own")
        if simulated:
            db.clock = clock or SimulatedClock(db.pool)
        settings = replace(settings, simulated=simulated)
        yield House(settings, dsn, await _context(stack, settings, catalog, configuration, db))


@asynccontextmanager
async def opened(dsn: str, size: int) -> AsyncIterator[Database]:
    """The database, migrated first, through at most `size` connections; closed at the end."""
    await migrate(dsn)
    db = await Database.connect(dsn, size=size)
    try:
        yield db
    finally:
        await db.close()


async def simulated_clock(db: Database, start: datetime) -> DrivenClock:
    """Mark a database without reports as simulated from `start` on. Raises Conflict for one with real reports.

    Nobody else may move the clock that it returns.
    """
    if not await is_simulated(db.pool):
        if await db.fetchval("select exists (select 1 from report)"):
            raise Conflict("this database holds real reports, so its time cannot be simulated")
        await SimulatedClock(db.pool).start_at(start)
    return await DrivenClock.of(db.pool)


async def _context(
    stack: AsyncExitStack, settings: Settings, catalog: Catalog, configuration: Configuration, db: Database
) -> Context:
    egress = Egress(settings.egress)

    def session(total_s: float) -> aiohttp.ClientSession:
        opened = guarded_session(egress, total_timeout=total_s)
        stack.push_async_callback(opened.close)
        return opened

    rdap = RdapClient(session(_ASK_S), catalog.rdap_base, outside.networks(settings, catalog))
    resolver = catalog.survey.resolver if catalog.survey else None
    deps = _deps(settings, catalog, db.clock)
    return Context(
        db=db,
        settings=settings,
        catalog=catalog,
        configuration=configuration,
        adapters=build_adapters(catalog, deps),
        renderer=Renderer(resources.folder("templates")),
        rdap=rdap,
        hosts=HostFinder(egress, resolver, rdap),
        dns=DnsProbe(outside.servers_of(catalog), egress),
        panel=ResolverPanel(egress, settings.panel_resolvers),
        control=ControlProbe(outside.control_servers(catalog, egress), egress),
        content=ContentProbe(egress, catalog.site),
        capturer=Capturer(egress, catalog.site),
        browser=Browser(egress, catalog.site) if settings.screenshots == "on" else None,
        survey=Survey(egress, outside.survey_sources(settings, catalog)),
        name_files=outside.name_files(settings) if catalog.overlay is None else (),
        blobs=await asyncio.to_thread(outside.blob_store, settings),
        stamper=await asyncio.to_thread(outside.stamper_of, settings),
        oidc=_provider(settings, session(_ASK_S)) if settings.oidc_issuer else None,
        reply_key=await asyncio.to_thread(keys.open_secret, settings.state_dir / KEYS, "reply.key"),
        build_adapter=adapter_builder(deps),
        verify_webhook=_webhook_verifier(settings),
        alarm_ways=_alarm_ways(settings, deps),
    )


def _provider(settings: Settings, session: aiohttp.ClientSession) -> Provider:
    """The identity provider of the settings, which were checked."""
    return Provider(
        settings.oidc_issuer or "",
        settings.oidc_client_id or "",
        settings.secret("oidc_client_secret") or "",
        f"{settings.public_url}/sign-in/oidc/callback",
        session,
    )


def build_adapters(catalog: Catalog, deps: Deps) -> dict[str, RegistryAdapter]:
    """One adapter for each agreement that names a channel. Raises Invalid for a channel that cannot be built."""
    return {
        agreement.id: registries.builder(channel.adapter)(channel, deps)
        for agreement in catalog.agreements.values()
        if (channel := agreement.channel) is not None
    }


def _channel_digest(channel: AgreementChannel) -> str:
    return catalog_digest({"adapter": channel.adapter, "address": channel.address})


def adapter_builder(deps: Deps) -> Callable[[AgreementChannel], RegistryAdapter]:
    """Makes the adapter of a channel, and the same one again for the same channel of the same agreement."""
    made: dict[str, RegistryAdapter] = {}

    def build(channel: AgreementChannel) -> RegistryAdapter:
        key = repr((channel.id, channel.recipient_name, sorted(channel.measures.items()), _channel_digest(channel)))
        if key not in made:
            made[key] = registries.builder(channel.adapter)(channel, deps)
        return made[key]

    return build


def adapter_names() -> frozenset[str]:
    """Every channel there is: ours, and those that installed packages bring."""
    return registries.names()


def channel_faults(settings: Settings, catalog: Catalog) -> list[Fault]:
    """What is wrong with the channels that agreements name, as their adapters say; nobody is reached."""
    faults = [Fault("adapters", name, wrong, "one package for one name") for name, wrong in registries.conflicts()]
    taken = {fault.key for fault in faults}
    deps = _deps(settings, catalog, SystemClock())
    for agreement in catalog.agreements.values():
        channel = agreement.channel
        if channel is None or channel.adapter in taken:
            continue
        file = f"agreements/{agreement.id}.toml"
        try:
            adapter = registries.builder(channel.adapter)(channel, deps)
        except Invalid as fault:
            said = fault.detail.removeprefix(f"{agreement.id}: ")
            faults.append(Fault(file, "", said, f"what {channel.adapter} needs"))
            continue
        if agreement.daily is not None and not adapter.capabilities.tells:
            what = f"is not available: {channel.adapter} carries no free message"
            faults.append(Fault(file, "digest", what, "no digest, or a channel that does, such as smtp"))
    return sorted(faults)


def _deps(settings: Settings, catalog: Catalog, clock: Clock) -> Deps:
    egress = Egress(settings.egress)
    return Deps(
        identity=settings.identity,
        clock=clock,
        session=lambda: guarded_session(egress, total_timeout=_POST_S),
        check_connect=lambda ip: allowed(ip, egress),
        secret=settings.secret,
        relay=outside.relay_of(settings, catalog),
        waits=catalog.waits,
    )


def mail_taker(ctx: Context) -> Take:
    """What the ways in for mail hand their messages to."""

    async def take(arrived: Arrived) -> str:
        return await inbound.receive_mail(ctx, arrived.recipient, arrived.envelope, arrived.body, arrived.whole_size)

    return take


def mail_watch(house: House, pauses: Pauses | None = None) -> ImapWatch | None:
    """The watch over the mailbox of the settings, one at a time over all processes; None without one."""
    settings, ctx = house.settings, house.ctx
    account = outside.imap_account(settings)
    if account is None:
        return None
    egress, identity = Egress(settings.egress), settings.identity
    return ImapWatch(
        account,
        mail_taker(ctx),
        Ours(identity.reply_mailbox, identity.reply_domain),
        lambda: alone(ctx.db, MAILBOX_LOCK),
        lambda ip: allowed(ip, egress),
        pauses,
    )


def sealer(house: House) -> Sealer:
    """The audit log's sealer over this house's keys and checkpoint file."""
    state = house.settings.state_dir
    key = keys.open_signing_key(state / KEYS)
    return Sealer(house.ctx.db.pool, key, state / CHECKPOINTS, house.ctx.db.clock)


def _alarm_ways(settings: Settings, deps: Deps) -> dict[str, Callable[[Message], Awaitable[None]]]:
    """How our own people are told of alarms. Raises Invalid for a way that cannot be used."""
    ways: dict[str, Callable[[Message], Awaitable[None]]] = {}

    def channel(adapter: str, address: Mapping[str, str]) -> AgreementChannel:
        return AgreementChannel("alarms", adapter, address, settings.organisation)

    if settings.alarm_mail is not None:
        mail = smtp.build(channel("smtp", {"to": settings.alarm_mail}), deps)

        async def by_mail(message: Message) -> None:
            await mail.tell(message.subject, message.text, message.key, message.at)

        ways["mail"] = by_mail
    if settings.alarm_webhook is not None:
        hook = webhook.build(channel("webhook", {"url": settings.alarm_webhook, "secret": ALARM_SIGNER}), deps)

        async def by_webhook(message: Message) -> None:
            await hook.post(message.event, message.key)

        ways["webhook"] = by_webhook
    return ways


def _webhook_verifier(settings: Settings) -> Callable[[Sequence[str], Mapping[str, str], bytes], bool]:
    """Whether one of the named secrets signed this. Stamps are held against real time: the sender's is real."""

    def verify(names: Sequence[str], headers: Mapping[str, str], body: bytes) -> bool:
        known = [value for name in names for value in (settings.secret(name) or "").split()]
        try:
            webhook.verify(headers, body, known, datetime.now(UTC))
        except Unauthenticated:
            return False
        return True

    return verify
