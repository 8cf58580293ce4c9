"""RDAP as a registry and a registrar give it (RFC 9083, statuses by RFC 8056), with the faults that servers
show."""

import asyncio
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import idna
from aiohttp import web

from notifier.clock import Clock
from notifier.sandbox.weather import Weather
from notifier.sandbox.world import HOSTS, Host, Registrar, Registration, World

MEDIA_TYPE = "application/rdap+json"
CONFORMANCE = ("rdap_level_0", "icann_rdap_response_profile_1", "icann_rdap_technical_implementation_guide_1")

_LDH = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")
_UNLIKE: Mapping[str, str] = {"ok": "active", "linked": "associated"}


class RdapFault(StrEnum):
    """How a server fails.

    RATE_LIMITED: 429 with Retry-After. HTML: 200 with a page. TIMEOUT: no answer at all.
    """

    RATE_LIMITED = "rate_limited"
    FORBIDDEN = "forbidden"
    BROKEN = "broken"
    HTML = "html"
    CUT_SHORT = "cut_short"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class View:
    """Whose server it is: the registry's shows every status, the registrar's only its own."""

    base: str
    by_registrar: bool


REGISTRY = View("/rdap/", by_registrar=False)
REGISTRAR = View("/registrar/", by_registrar=True)


class RdapServer:
    """`GET /rdap/domain/{name}` for the registry, `/registrar/domain/{name}` for the registrar, and `/rdap/ip/{address}` for
    the networks of the simulated hosts, of which `networks` may give another document.

    `lag` is clock time by which the registry's answers stay behind the world, `lags` that of single zones. `faults`
    (A-label to fault) holds for the registry as its `weather` does, `registrar_faults` for the registrar.
    """

    def __init__(self, world: World, clock: Clock, weather: Weather, lag: timedelta = timedelta(0)) -> None:
        self._world, self._clock, self._weather = world, clock, weather
        self.lag = lag
        self.lags: dict[str, timedelta] = {}
        self.retry_after = 3
        self.faults: dict[str, RdapFault] = {}
        self.registrar_faults: dict[str, RdapFault] = {}
        self.networks: dict[str, Mapping[str, Any]] = {}
        self._stopped = asyncio.Event()

    def add_routes(self, app: web.Application) -> None:
        """Put both views into an application."""
        app.router.add_get("/rdap/domain/{name}", self._registry)
        app.router.add_get("/registrar/domain/{name}", self._registrar)
        app.router.add_get("/rdap/ip/{address}", self._network)
        app.on_shutdown.append(self._stop)

    async def _stop(self, app: web.Application) -> None:
        self._stopped.set()

    async def _registry(self, request: web.Request) -> web.Response:
        name = request.match_info["name"].lower().rstrip(".")
        if self._weather.bad("rdap") and (met := self._weather.fault("rdap", name, await self._clock.now())):
            return await self._fail(RdapFault(met))
        lag = self.lags.get(self._world.zone_of(name) or "", self.lag)
        return await self._answer(request, REGISTRY, self.faults, lag)

    async def _registrar(self, request: web.Request) -> web.Response:
        return await self._answer(request, REGISTRAR, self.registrar_faults, timedelta(0))

    async def _network(self, request: web.Request) -> web.Response:
        address = request.match_info["address"]
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return _error(400, "Bad Request", "that is no address")
        host = next((host for host in HOSTS if ip in ipaddress.ip_network(host.network)), None)
        if address in self.networks:
            return web.json_response(self.networks[address], content_type=MEDIA_TYPE)
        if host is None:
            return _error(404, "Not Found", f"{ip} lies in no network of ours")
        return web.json_response(network(host), content_type=MEDIA_TYPE)

    async def _answer(
        self, request: web.Request, view: View, faults: Mapping[str, RdapFault], lag: timedelta
    ) -> web.Response:
        name = request.match_info["name"].lower().rstrip(".")
        if not _LDH.fullmatch(name):
            return _error(400, "Bad Request", "the name is not an LDH name")
        if name in faults:
            return await self._fail(faults[name])
        now = await self._clock.now()
        found = self._world.find(name, now - lag)
        if found is None or found.a_label != name:
            return _error(404, "Not Found", f"{name} is not registered here")
        base = f"{request.scheme}://{request.host}"
        return web.json_response(document(found, view, base, now - lag), content_type=MEDIA_TYPE)

    async def _fail(self, fault: RdapFault) -> web.Response:
        match fault:
            case RdapFault.RATE_LIMITED:
                reply = _error(429, "Too Many Requests", "slow down")
                reply.headers["Retry-After"] = str(self.retry_after)
                return reply
            case RdapFault.FORBIDDEN:
                return _error(403, "Forbidden", "not from your address")
            case RdapFault.BROKEN:
                return _error(500, "Internal Server Error", "try later")
            case RdapFault.HTML:
                return web.Response(text="<html><body>Maintenance</body></html>", content_type="text/html")
            case RdapFault.CUT_SHORT:
                return web.Response(text='{"objectClassName":"domain","status":["acti', content_type=MEDIA_TYPE)
            case RdapFault.TIMEOUT:
                await self._stopped.wait()
                return _error(503, "Service Unavailable", "going down")


def spelled(status: str) -> str:
    """An EPP or RGP status in RDAP spelling (RFC 8056 §2):

    `serverHold` is `server hold`, `ok` is `active`.
    """
    return _UNLIKE.get(status) or re.sub(r"(?=[A-Z])", " ", status).lower()


def document(found: Registration, view: View, base: str, as_of: datetime) -> dict[str, Any]:
    """The domain object as one view shows it; `base` is scheme and host of this server."""
    statuses: Sequence[str] = found.statuses
    if view.by_registrar:
        statuses = [status for status in statuses if status.startswith("client")] or ["ok"]
    url = f"{base}{view.base}domain/{found.a_label}"
    related = f"{base}{REGISTRAR.base}domain/{found.a_label}"
    links = [_link(url, "self", url)] + ([] if view.by_registrar else [_link(url, "related", related)])
    events = {
        "registration": found.registered_at,
        "expiration": found.expires_at,
        "last changed": found.last_changed_at,
        "last update of RDAP database": as_of,
    }
    shown: dict[str, Any] = {
        "objectClassName": "domain",
        "rdapConformance": CONFORMANCE,
        "handle": found.handle,
        "ldhName": found.a_label,
        "status": [spelled(status) for status in statuses],
        "entities": [_registrar(found.registrar)],
        "events": [{"eventAction": what, "eventDate": _stamp(at)} for what, at in events.items()],
        "nameservers": [{"objectClassName": "nameserver", "ldhName": host} for host in found.nameservers],
        "secureDNS": {"delegationSigned": False},
        "links": links,
        "notices": [{"title": "Simulation", "description": ["This registration exists in a sandbox only."]}],
    }
    if (unicode := _unicode(found.a_label)) is not None:
        shown["unicodeName"] = unicode
    return shown


def network(host: Host) -> dict[str, Any]:
    """The network object of a host (RFC 9083 §5.4)."""
    lies = ipaddress.ip_network(host.network)
    return {
        "objectClassName": "ip network",
        "rdapConformance": CONFORMANCE,
        "handle": host.handle,
        "startAddress": str(lies[0]),
        "endAddress": str(lies[-1]),
        "ipVersion": f"v{lies.version}",
        "name": host.handle,
        "entities": [
            {
                "objectClassName": "entity",
                "roles": ["registrant"],
                "vcardArray": _vcard(("fn", "text", host.name)),
                "entities": [_abuse(host.abuse_email)],
            }
        ],
    }


def _abuse(email: str) -> dict[str, Any]:
    return {
        "objectClassName": "entity",
        "roles": ["abuse"],
        "vcardArray": _vcard(("fn", "text", "Abuse desk"), ("email", "text", email)),
    }


def _registrar(registrar: Registrar) -> dict[str, Any]:
    return {
        "objectClassName": "entity",
        "handle": registrar.iana_id,
        "roles": ["registrar"],
        "publicIds": [{"type": "IANA Registrar ID", "identifier": registrar.iana_id}],
        "vcardArray": _vcard(("fn", "text", registrar.name)),
        "entities": [_abuse(registrar.abuse_email)],
    }


def _vcard(*properties: tuple[str, str, str]) -> list[Any]:
    """A jCard (RFC 7095)."""
    return [
        "vcard",
        [["version", {}, "text", "4.0"], *([name, {}, kind, value] for name, kind, value in properties)],
    ]


def _link(value: str, rel: str, href: str) -> dict[str, str]:
    return {"value": value, "rel": rel, "href": href, "type": MEDIA_TYPE}


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _unicode(a_label: str) -> str | None:
    try:
        text = idna.decode(a_label)
    except idna.IDNAError:
        return None
    return text if text != a_label else None


def _error(code: int, title: str, *description: str) -> web.Response:
    """An error object (RFC 9083 §6)."""
    lines: Iterable[str] = description
    body = {"rdapConformance": CONFORMANCE, "errorCode": code, "title": title, "description": list(lines)}
    return web.json_response(body, status=code, content_type=MEDIA_TYPE)
