"""What a surveyor of a name would be told: certificates below it, names that depend on it, its rank; and a resolver.

An ordinary name is small: a few hosts, none that depend on it, no mail, no rank. `profiles` makes single names big.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from aiohttp import web

from notifier.clock import Clock
from notifier.sandbox.dns_server import DnsServer, records, soa
from notifier.sandbox.world import HOSTS, REGISTRARS, Registration, World

TTL = 300
_HOSTS = ("mail", "shop", "secure", "img", "cdn", "pay")
_CERTIFICATES_EACH = 3  # renewals name the same host again


@dataclass(frozen=True, slots=True)
class Profile:
    """How much hangs on a name. `hosts` below it, None: a few; `rank` None: on no list; `mail`: an MX record.

    `registered_at` replaces the registration's own date. `fault`: the HTTP sources answer this status, 0 for HTML.
    """

    hosts: int | None = None
    dependents: int = 0
    mail: bool = False
    wildcard: bool = False
    rank: int | None = None
    registered_at: datetime | None = None
    fault: int | None = None


_ORDINARY = Profile()


class SurveyServer:
    """`GET /survey/certificates/{name}`, `/survey/dependents/{name}` and `/survey/popularity/{name}`.

    `profiles` (A-label of a registration to profile) may be changed while it runs; `asked` counts by name.
    """

    def __init__(self, world: World, clock: Clock) -> None:
        self._world, self._clock = world, clock
        self.profiles: dict[str, Profile] = {}
        self.asked: dict[str, int] = {}

    def add_routes(self, app: web.Application) -> None:
        """Put the three sources into an application."""
        app.router.add_get("/survey/certificates/{name}", self._certificates)
        app.router.add_get("/survey/dependents/{name}", self._dependents)
        app.router.add_get("/survey/popularity/{name}", self._popularity)

    def profile(self, a_label: str) -> Profile:
        return self.profiles.get(a_label, _ORDINARY)

    async def _certificates(self, request: web.Request) -> web.StreamResponse:
        name, profile = self._asked(request)
        rows = [
            {"id": number, "common_name": host, "name_value": host if number % 2 else f"{host}\n*.{host}"}
            for number, host in enumerate(h for h in self.hosts(name, profile) for _ in range(_CERTIFICATES_EACH))
        ]
        return web.json_response([{"id": -1, "common_name": name, "name_value": f"{name}\nwww.{name}"}, *rows])

    async def _dependents(self, request: web.Request) -> web.StreamResponse:
        name, profile = self._asked(request)
        return web.json_response({"name": name, "count": profile.dependents})

    async def _popularity(self, request: web.Request) -> web.StreamResponse:
        _, profile = self._asked(request)
        today = (await self._clock.now()).date().isoformat()
        return web.json_response({"ranks": [{"date": today, "rank": profile.rank}] if profile.rank else []})

    def _asked(self, request: web.Request) -> tuple[str, Profile]:
        name = request.match_info["name"].lower()
        self.asked[name] = self.asked.get(name, 0) + 1
        profile = self.profile(name)
        if profile.fault == 0:
            raise web.HTTPOk(text="<html><body>Maintenance</body></html>", content_type="text/html")
        if profile.fault is not None:
            raise _Fault(profile.fault)
        return name, profile

    def hosts(self, name: str, profile: Profile) -> Iterator[str]:
        """Every host below a name, one after the other."""
        if profile.hosts is not None:
            yield from (f"user-{number}.{name}" for number in range(profile.hosts))
            return
        drawn = int.from_bytes(hashlib.sha256(f"{self._world.seed}/{name}".encode()).digest()[:2])
        yield from (f"{host}.{name}" for host in _HOSTS[: drawn % len(_HOSTS)])


class _Fault(web.HTTPError):
    def __init__(self, status: int) -> None:
        self.status_code = status
        super().__init__(text="not now", headers={"Retry-After": "60"})


# Where the simulated registrars and hosts take mail.
_MAILBOXES = (*(r.abuse_email for r in REGISTRARS), *(h.abuse_email for h in HOSTS))
_DESKS = frozenset(mailbox.rpartition("@")[2] for mailbox in _MAILBOXES)


class Resolver(DnsServer):
    """A recursive resolver for what the world's names say of themselves: address, servers, mail, hosts below them.

    Its faults and lag are those of a name server; a lag is a cache that is not empty yet.
    """

    def __init__(self, world: World, clock: Clock, survey: SurveyServer) -> None:
        super().__init__(world, clock)
        self._survey = survey

    def _fill(
        self,
        reply: dns.message.Message,
        name: dns.name.Name,
        kind: dns.rdatatype.RdataType,
        found: Registration | None,
    ) -> None:
        reply.flags |= dns.flags.RA
        host = name.to_text(omit_final_dot=True).lower()
        if host in _DESKS and kind == dns.rdatatype.MX:
            reply.answer.append(records(name, TTL, "MX", f"10 mail.{host}."))
            return
        if found is None or not found.delegated:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            if (zone := self._world.zone_of(host)) is not None:
                reply.authority.append(soa(dns.name.from_text(zone)))
            return
        profile = self._survey.profile(found.a_label)
        own = host in (found.a_label, f"www.{found.a_label}")
        if not own and not profile.wildcard and not self._below(host, found.a_label, profile):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif kind == dns.rdatatype.A:
            reply.answer.append(records(name, TTL, "A", found.address))
        elif kind == dns.rdatatype.NS and host == found.a_label:
            servers = [f"{server}." for server in found.nameservers]
            reply.answer.append(records(name, TTL, "NS", *servers))
        elif kind == dns.rdatatype.MX and profile.mail and host == found.a_label:
            reply.answer.append(records(name, TTL, "MX", f"10 mail.{found.a_label}."))

    def _below(self, host: str, a_label: str, profile: Profile) -> bool:
        return host in set(self._survey.hosts(a_label, profile))
