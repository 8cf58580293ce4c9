"""Composition root: settings in, a running house out. The only module that knows the adapters."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import entry_points

import aiohttp

import registries
from notifier import resources
from notifier.adapter import AgreementChannel, Deps, RegistryAdapter, Relay, StartTls
from notifier.catalog import Catalog, OverlaySource, load_catalog
from notifier.domain.events import JobKind
from notifier.errors import Conflict, Invalid, Unauthenticated
from notifier.net.content import ContentProbe
from notifier.net.dns_probe import DnsProbe, ZoneServers
from notifier.net.rdap import RdapClient
from notifier.net.safe_http import Egress, allowed, guarded_session
from notifier.rendering import Renderer
from notifier.services import dispatch, outcomes, responses
from notifier.services.audit import Sealer
from notifier.services.context import Context
from notifier.settings import Settings
from notifier.store import keys
from notifier.store.database import Database, SimulatedClock, is_simulated
from notifier.store.embedded import EmbeddedPostgres, joined_or_started
from notifier.store.migrate import migrate
from notifier.worker.runner import Handler
from registries import webhook

_ASK_S = 15.0
_POST_S = 30.0
_CONNECTIONS = 8
ADAPTER_GROUP = "trusted_notifier.adapters"
CHECKPOINTS = "checkpoints"
KEYS = "keys"


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
) -> AsyncIterator[House]:
    """Open pool, clients and adapters over a migrated database; closed in order at the end.

    A simulated database is read with its own clock; to serve one is a Conflict.
    """
    catalog = catalog_of(settings, overlay)
    if catalog.overlay is not None and Egress(settings.egress) is not Egress.LOOPBACK:
        raise Invalid('an overlay names servers on this machine; set egress = "loopback" with it')
    await migrate(dsn)
    async with AsyncExitStack() as stack:
        db = await Database.connect(dsn, size=_CONNECTIONS + settings.workers)
        stack.push_async_callback(db.close)
        simulated = await is_simulated(db.pool)
        if simulated and serving:
            raise Conflict("this database's time is simulated, made by a demo; serve needs a state folder of its own")
        if simulated:
            db.clock = SimulatedClock(db.pool)
        settings = replace(settings, simulated=simulated)
        yield House(settings, dsn, await _context(stack, settings, catalog, db))


@asynccontextmanager
async def simulated_clock(dsn: str, start: datetime) -> AsyncIterator[SimulatedClock]:
    """Mark a database without reports as simulated from `start` on. Raises Conflict for one with real reports."""
    await migrate(dsn)
    db = await Database.connect(dsn, size=2)
    try:
        if not await is_simulated(db.pool):
            if await db.fetchval("select exists (select 1 from report)"):
                raise Conflict("this database holds real reports, so its time cannot be simulated")
            await SimulatedClock(db.pool).start_at(start)
        yield SimulatedClock(db.pool)
    finally:
        await db.close()


async def _context(stack: AsyncExitStack, settings: Settings, catalog: Catalog, db: Database) -> Context:
    egress = Egress(settings.egress)

    def session(total_s: float) -> aiohttp.ClientSession:
        opened = guarded_session(egress, total_timeout=total_s)
        stack.push_async_callback(opened.close)
        return opened

    deps = Deps(
        identity=settings.identity,
        clock=db.clock,
        session=lambda: guarded_session(egress, total_timeout=_POST_S),
        check_connect=lambda ip: allowed(ip, egress),
        secret=settings.secret,
        relay=_relay(settings, catalog),
    )
    return Context(
        db=db,
        settings=settings,
        catalog=catalog,
        adapters=build_adapters(catalog, deps),
        renderer=Renderer(resources.folder("templates")),
        rdap=RdapClient(session(_ASK_S), catalog.rdap_base),
        dns=DnsProbe(_servers(catalog), egress),
        content=ContentProbe(egress, catalog.site),
        reply_key=await asyncio.to_thread(keys.open_secret, settings.state_dir / KEYS, "reply.key"),
        verify_webhook=_webhook_verifier(catalog, settings),
    )


def build_adapters(catalog: Catalog, deps: Deps) -> dict[str, RegistryAdapter]:
    """One adapter for each agreement that names a channel. Raises Invalid for a channel nobody provides."""
    known = {**{point.name: point.load() for point in entry_points(group=ADAPTER_GROUP)}, **registries.ADAPTERS}
    built: dict[str, RegistryAdapter] = {}
    for agreement in catalog.agreements.values():
        channel: AgreementChannel | None = agreement.channel
        if channel is None:
            continue
        if channel.adapter not in known:
            raise Invalid(f"{agreement.id}: no adapter {channel.adapter!r}; there are {', '.join(sorted(known))}")
        built[agreement.id] = known[channel.adapter](channel, deps)
    return built


def adapter_names() -> frozenset[str]:
    """Every channel there is: ours, and those that installed packages bring."""
    return frozenset(registries.ADAPTERS) | {point.name for point in entry_points(group=ADAPTER_GROUP)}


def handlers(ctx: Context) -> Mapping[JobKind, Handler]:
    """What each kind of job does: one service verb."""

    def bound(verb: Callable[[Context, str], Awaitable[None]]) -> Handler:
        return lambda ref: verb(ctx, ref)

    return {
        JobKind.CHECK: bound(dispatch.check),
        JobKind.DISPATCH: bound(dispatch.dispatch),
        JobKind.SEND: bound(dispatch.send),
        JobKind.OBSERVE: bound(outcomes.observe),
        JobKind.CLOCK_ENDED: bound(outcomes.clock_ended),
        JobKind.READ_INBOUND: bound(responses.read_inbound),
    }


def sealer(house: House) -> Sealer:
    """The audit log's sealer over this house's keys and checkpoint file."""
    state = house.settings.state_dir
    key = keys.open_signing_key(state / KEYS)
    return Sealer(house.ctx.db.pool, key, state / CHECKPOINTS, house.ctx.db.clock)


# --- parts --------------------------------------------------------------------------------------------------------


def _servers(catalog: Catalog) -> Callable[[str], Awaitable[Sequence[tuple[str, int]]]]:
    finder = ZoneServers() if catalog.name_servers is None else None

    async def servers(zone: str) -> Sequence[tuple[str, int]]:
        if finder is not None:
            return await finder(zone)
        # Under an overlay a zone between (co.uk) is served where its top-level domain is.
        return catalog.parent_servers(zone.rpartition(".")[2]) or ()

    return servers


def _relay(settings: Settings, catalog: Catalog) -> Relay | None:
    if catalog.overlay is None:
        return settings.relay
    # No relay of the settings survives an overlay, as no shipped channel does.
    return Relay(*catalog.relay, starttls=StartTls.NONE) if catalog.relay else None


def _webhook_verifier(catalog: Catalog, settings: Settings) -> Callable[[str, Mapping[str, str], bytes], bool]:
    """Whether one of a registry's agreements signed this. Stamps are held against real time: the sender's is real."""
    secrets: dict[str, list[str]] = {}
    for agreement in catalog.agreements.values():
        name = agreement.address.get("secret")
        if isinstance(name, str):
            secrets.setdefault(agreement.registry, []).append(name)

    def verify(recipient: str, headers: Mapping[str, str], body: bytes) -> bool:
        known = [value for name in secrets.get(recipient, ()) for value in (settings.secret(name) or "").split()]
        try:
            webhook.verify(headers, body, known, datetime.now(UTC))
        except Unauthenticated:
            return False
        return True

    return verify
