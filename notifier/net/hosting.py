"""Who hosts a name: its addresses by a resolver, and the networks that they lie in by the regional registries' RDAP.

Every look-up starts from nothing. Addresses of several holders are nobody's, and so is one that only this machine has.
"""

import asyncio
from typing import Final

from notifier.domain.look import Hosting
from notifier.net.rdap import RdapClient
from notifier.net.resolving import Endpoint, Resolving, Untold
from notifier.net.safe_http import Egress, allowed

MAX_ADDRESSES: Final = 4  # of more, the first in order; a fleet of one holder shows in any of them
_TIMEOUT_S: Final = 5.0


class HostFinder:
    """Finds the holder of the network that a name's addresses lie in. `timeout` in seconds, for one question of DNS."""

    def __init__(
        self, egress: Egress, resolver: Endpoint | None, rdap: RdapClient, *, timeout: float = _TIMEOUT_S
    ) -> None:
        self._egress, self._rdap = egress, rdap
        self._resolver = Resolving(egress, resolver, timeout)

    async def takes_mail(self, domain: str) -> bool | None:
        """Whether a domain takes mail at all: it has an MX that is not the null one (RFC 7505), or else an address (RFC
        5321 §5.1). None: the resolver did not tell."""
        try:
            exchangers = await self._resolver.records(domain, "MX")
            if exchangers:
                return any(str(record.exchange) != "." for record in exchangers)
            found = [await self._resolver.records(domain, kind) for kind in ("A", "AAAA")]
        except Untold:
            return None
        return any(found)

    async def of(self, host: str) -> Hosting:
        """Whose network it is, as far as everybody agrees. Never raises for what the outside does."""
        try:
            found = await asyncio.gather(*(self._resolver.records(host, kind) for kind in ("A", "AAAA")))
        except Untold as untold:
            return Hosting("inconclusive", detail=untold.why)
        addresses = tuple(sorted({str(record) for records in found for record in records})[:MAX_ADDRESSES])
        if not addresses:
            return Hosting("absent", detail="the name has no address")
        if hidden := [ip for ip in addresses if not allowed(ip, self._egress)]:
            return Hosting("inconclusive", addresses, detail=f"{hidden[0]} is no public address")
        networks = await asyncio.gather(*(self._rdap.network(ip) for ip in addresses))
        untold_of = next((n for n in networks if n.answer != "found"), None)
        if untold_of is not None:
            return Hosting("inconclusive", addresses, source=untold_of.source, detail=untold_of.detail)
        first = networks[0]
        # One holder has one desk; where no desk is told, only one network is surely one holder's.
        desks = {network.abuse_email or f"network {network.handle or network.name}" for network in networks}
        if len(desks) > 1:
            holders = ", ".join(sorted({network.name or network.handle or "?" for network in networks}))
            return Hosting("several", addresses, detail=f"its addresses lie with {holders}")
        return Hosting(
            "found",
            addresses,
            first.handle,
            first.name,
            first.abuse_email,
            first.abuse_path,
            first.source,
        )
