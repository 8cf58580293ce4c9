"""Is the name in the parent's zone? Asked of that zone's own servers, without recursion, told per server.

A resolver's cache, the name's own servers and the site's HTTP answer prove nothing here. What is not said
with authority is inconclusive: REFUSED, SERVFAIL, a timeout or a lame server never mean "down".
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver

from notifier.domain.look import Delegation, DelegationAnswer, Probe
from notifier.errors import Invalid
from notifier.net.safe_http import Egress, EgressBlocked, check_connect

Servers = Callable[[str], Awaitable[Sequence[tuple[str, int]]]]

PUBLIC_QUORUM: Final = 3
MAX_SERVERS: Final = 16
_AT_ONCE: Final = 8
_ANSWERS: Final[dict[str, DelegationAnswer]] = {
    "delegated": "delegated",
    "nxdomain": "absent",
    "nodata": "residual",
}


class DnsProbe:
    """`servers` gives (address, port) of a zone's servers; `timeout` is seconds for one try of one server."""

    def __init__(self, servers: Servers, egress: Egress, *, timeout: float = 2.0, tries: int = 2) -> None:
        self._servers, self._egress = servers, egress
        self._timeout, self._tries = timeout, tries

    async def delegation(self, a_label: str) -> Delegation:
        """Ask every server of the name's TLD; if all point to one zone in between (co.uk), ask that one's.

        The answer is that of all servers that spoke with authority, if they agree and are enough: every
        server given, or in public mode three. Raises only Invalid, for a text that is no domain name.
        """
        try:
            name = dns.name.from_text(a_label.lower())
        except (dns.exception.DNSException, UnicodeError) as fault:
            raise Invalid(f"{a_label[:80]!r} is not a domain name") from fault
        if len(name) < 3:
            raise Invalid(f"{a_label[:80]!r} has no parent zone to ask")
        zone = dns.name.Name(name.labels[-2:])
        answer, nameservers, probes, ttl = await self._ask_zone(name, zone)
        between = {probe.result for probe in probes if probe.result.startswith("referral:")}
        if answer == "inconclusive" and len(between) == 1:
            child = dns.name.from_text(between.pop().removeprefix("referral:"))
            answer, nameservers, more, ttl = await self._ask_zone(name, child)
            probes += more
        return Delegation(answer, nameservers, tuple(probes), ttl)

    async def _ask_zone(
        self, name: dns.name.Name, zone: dns.name.Name
    ) -> tuple[DelegationAnswer, tuple[str, ...], list[Probe], int | None]:
        servers = list(dict.fromkeys(await self._servers(_plain(zone))))[:MAX_SERVERS]
        gate = asyncio.Semaphore(_AT_ONCE)
        asked = await asyncio.gather(*(self._ask(name, zone, host, port, gate) for host, port in servers))
        probes = [probe for probe, _, _ in asked]
        nameservers = tuple(sorted({server for _, found, _ in asked for server in found}))
        answer = combine([probe.result for probe in probes], self._egress)
        ttl = max((ttl for _, _, ttl in asked if ttl is not None), default=None)
        return answer, nameservers if answer == "delegated" else (), probes, ttl

    async def _ask(
        self, name: dns.name.Name, zone: dns.name.Name, host: str, port: int, gate: asyncio.Semaphore
    ) -> tuple[Probe, tuple[str, ...], int | None]:
        server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        query = dns.message.make_query(name, "NS", use_edns=0, payload=1232, want_dnssec=True)
        query.flags &= ~dns.flags.RD
        async with gate:
            for attempt in range(self._tries):
                try:
                    check_connect(host, self._egress)
                    response, over_tcp = await dns.asyncquery.udp_with_fallback(
                        query, host, timeout=self._timeout, port=port, ignore_unexpected=True
                    )
                except EgressBlocked as fault:
                    return Probe(server, "error:EGRESS", str(fault)), (), None
                except (dns.exception.Timeout, TimeoutError):
                    if attempt + 1 == self._tries:
                        return Probe(server, "timeout", f"{self._tries} tries of {self._timeout} s"), (), None
                except (OSError, EOFError) as fault:
                    return Probe(server, "error:UNREACHABLE", str(fault)[:200]), (), None
                except (dns.exception.DNSException, ValueError) as fault:
                    return Probe(server, "error:MALFORMED", f"{type(fault).__name__}: {fault}"[:200]), (), None
                else:
                    result, nameservers = classify(response, name, zone)
                    authority = "aa=1" if response.flags & dns.flags.AA else "aa=0"
                    words = [authority, "tcp" if over_tcp else "udp", *denial_records(response)]
                    wire = base64.b64encode(response.wire or b"").decode("ascii")
                    ttl = negative_ttl(response) if result in ("nxdomain", "nodata") else None
                    return Probe(server, result, " ".join(words), wire), nameservers, ttl
        return Probe(server, "timeout"), (), None


def classify(response: dns.message.Message, name: dns.name.Name, zone: dns.name.Name) -> tuple[str, tuple[str, ...]]:
    """(result, name servers) of one answer of a server of `zone` to `name NS`. Pure.

    delegated: NS of the name in ANSWER or AUTHORITY. nxdomain and nodata only with AA=1 (RFC 2308 §2). Else
    referral:ZONE for a cut between zone and name, or error:REASON.
    """
    authoritative = bool(response.flags & dns.flags.AA)
    rcode = response.rcode()
    if rcode == dns.rcode.NXDOMAIN:
        foreign = any(
            rrset.rdtype == dns.rdatatype.SOA and not (name.is_subdomain(rrset.name) and name != rrset.name)
            for rrset in response.authority
        )
        if response.answer or foreign:
            return "error:NXDOMAIN_OF_ANOTHER_NAME", ()
        return ("nxdomain" if authoritative else "error:NXDOMAIN_WITHOUT_AA"), ()
    if rcode != dns.rcode.NOERROR:
        return f"error:{dns.rcode.to_text(rcode)}", ()
    cuts = [r for r in (*response.answer, *response.authority) if r.rdtype == dns.rdatatype.NS]
    own = tuple(sorted({_plain(item.target) for rrset in cuts if rrset.name == name for item in rrset}))
    if own:
        return "delegated", own
    if any(rrset.rdtype in (dns.rdatatype.CNAME, dns.rdatatype.DNAME) for rrset in response.answer):
        return "error:ALIAS", ()
    for rrset in cuts:
        if name.is_subdomain(rrset.name) and rrset.name.is_subdomain(zone) and rrset.name != zone:
            return f"referral:{_plain(rrset.name)}", ()
    if not authoritative:
        return "error:NOT_AUTHORITATIVE", ()
    return "nodata", ()


_DENIAL: Final = (dns.rdatatype.NSEC, dns.rdatatype.NSEC3, dns.rdatatype.RRSIG)


def denial_records(response: dns.message.Message) -> list[str]:
    """The kinds of records by which an answer proves its denial (RFC 4035 §3.1.3, RFC 5155 §7.2); the wire form has
    them whole. None for an answer with records, a referral's proof that its cut is unsigned, and an unsigned zone."""
    soa = any(rrset.rdtype == dns.rdatatype.SOA for rrset in response.authority)
    kinds = {rrset.rdtype for rrset in response.authority}
    return [dns.rdatatype.to_text(kind) for kind in _DENIAL if soa and kind in kinds]


def negative_ttl(response: dns.message.Message) -> int | None:
    """For how many seconds a resolver may keep this denial (RFC 2308 §5); None where no SOA came with it."""
    found = [(rrset.ttl, rrset[0].minimum) for rrset in response.authority if rrset.rdtype == dns.rdatatype.SOA]
    return min(found[0]) if found else None


def combine(results: Sequence[str], egress: Egress) -> DelegationAnswer:
    """What the servers say together; one authoritative dissent, or too few voices, is inconclusive."""
    spoken = [_ANSWERS[result] for result in results if result in _ANSWERS]
    needed = len(results) if egress is Egress.LOOPBACK else min(PUBLIC_QUORUM, len(results))
    if not spoken or len(spoken) < needed or len(set(spoken)) > 1:
        return "inconclusive"
    return spoken[0]


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


class ZoneServers:
    """Finds a zone's servers by a resolver, the system's unless given. Answers are cached for their TTL."""

    def __init__(self, resolver: dns.asyncresolver.Resolver | None = None, *, port: int = 53) -> None:
        self._resolver = resolver or dns.asyncresolver.Resolver()
        self._resolver.cache = dns.resolver.LRUCache()
        self._port = port

    async def __call__(self, zone: str) -> list[tuple[str, int]]:
        """(address, port) of every server, IPv4 first; empty when the resolver cannot tell.

        Fewer than three are all of them only when every lookup was answered; else they are too few to ask.
        """
        answers, whole = await self._find(zone, "NS")
        hosts = sorted({_plain(item.target) for item in answers})
        found: dict[str, None] = {}
        for family in ("A", "AAAA"):
            for items, told in await asyncio.gather(*(self._find(host, family) for host in hosts)):
                found.update(dict.fromkeys(item.address for item in items))
                whole = whole and told
        return [(address, self._port) for address in found] if whole or len(found) >= PUBLIC_QUORUM else []

    async def _find(self, name: str, rdtype: str) -> tuple[list[Any], bool]:
        """The records, and whether the resolver told: that there are none is an answer, a timeout is not."""
        try:
            answer = await self._resolver.resolve(f"{name}.", rdtype, lifetime=5.0)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return [], True
        except (dns.exception.DNSException, OSError):
            return [], False
        return list(answer), True
