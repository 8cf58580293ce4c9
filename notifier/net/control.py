"""Who runs a name's zone can put a record there: asked of that zone's own name servers, never of a cache.

Where the parent does not delegate the name, since it is held, the servers that the registry names are asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from notifier.net.resolving import Resolving, Untold
from notifier.net.safe_http import Egress, EgressBlocked, check_connect

Address = tuple[str, int]
Addresses = Callable[[str, Sequence[str]], Awaitable[Sequence[Address]]]

LABEL: Final = "_trusted-notifier"
MAX_SERVERS: Final = 8
_MAX_RECORDS: Final = 50


class ControlProbe:
    """`addresses` gives (address, port) of a zone's servers by the zone and their names; `timeout` in seconds."""

    def __init__(self, addresses: Addresses, egress: Egress, *, timeout: float = 3.0) -> None:
        self._addresses, self._egress, self._timeout = addresses, egress, timeout

    async def shows(self, name: str, zone: str, hosts: Sequence[str], value: str) -> bool:
        """Whether the TXT record `value` stands at LABEL below `name`.

        Every server that speaks with authority must have it, and one must speak. Never raises.
        """
        try:
            asked = dns.name.from_text(f"{LABEL}.{name}")
        except (dns.exception.DNSException, UnicodeError):
            return False
        servers = list(dict.fromkeys(await self._addresses(zone, hosts)))[:MAX_SERVERS]
        told = await asyncio.gather(*(self._texts(asked, host, port) for host, port in servers))
        spoken = [texts for texts in told if texts is not None]
        return bool(spoken) and all(value in texts for texts in spoken)

    async def _texts(self, name: dns.name.Name, host: str, port: int) -> frozenset[str] | None:
        """The records that one server has; None when it tells nothing with authority."""
        query = dns.message.make_query(name, "TXT", use_edns=0, payload=1232)
        query.flags &= ~dns.flags.RD
        try:
            check_connect(host, self._egress)
            response, _ = await dns.asyncquery.udp_with_fallback(
                query, host, timeout=self._timeout, port=port, ignore_unexpected=True
            )
        except (EgressBlocked, dns.exception.DNSException, TimeoutError, OSError, EOFError, ValueError):
            return None
        if not response.flags & dns.flags.AA or response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return None
        items = [
            item
            for rrset in response.answer
            if rrset.rdtype == dns.rdatatype.TXT and rrset.name == name
            for item in rrset
        ]
        return frozenset(b"".join(item.strings).decode("ascii", "replace").strip() for item in items[:_MAX_RECORDS])


def resolved(egress: Egress, timeout: float = 5.0) -> Addresses:
    """Addresses by the system's resolver, which is asked where the servers are, and never what they say."""
    resolving = Resolving(egress, None, timeout)

    async def addresses(_: str, hosts: Sequence[str]) -> list[Address]:
        async def of(host: str, kind: str) -> list[Address]:
            try:
                return [(item.address, 53) for item in await resolving.records(host, kind)]
            except Untold:
                return []

        asked = [of(host, kind) for kind in ("A", "AAAA") for host in sorted(hosts)[:MAX_SERVERS]]
        return [address for found in await asyncio.gather(*asked) for address in found]

    return addresses
