"""What a panel of recursive resolvers tells users about a name. Asked as users ask: with recursion.

None of this says whether an act was done: a resolver's cache lags both ways. It says from when on users see it.
"""

import asyncio
import base64
from collections.abc import Sequence
from typing import Final

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from notifier.domain.panel import Heard, Panel
from notifier.net.safe_http import Egress, EgressBlocked, check_connect

Endpoint = tuple[str, int]

_TRIES: Final = 2


class ResolverPanel:
    """Asks each of `endpoints` (address, port). `timeout` is seconds for one try of one resolver."""

    def __init__(self, egress: Egress, endpoints: Sequence[Endpoint], *, timeout: float = 2.0) -> None:
        self._egress, self._timeout = egress, timeout
        self._endpoints = tuple(dict.fromkeys(endpoints))

    async def ask(self, a_label: str) -> Panel | None:
        """What each resolver says of the name's NS; None without any resolver. Raises nothing."""
        if not self._endpoints:
            return None
        try:
            name = dns.name.from_text(a_label.lower())
        except (dns.exception.DNSException, UnicodeError):
            return Panel(tuple(Heard(_shown(each), "error:NAME") for each in self._endpoints))
        return Panel(tuple(await asyncio.gather(*(self._one(name, each) for each in self._endpoints))))

    async def _one(self, name: dns.name.Name, endpoint: Endpoint) -> Heard:
        host, port = endpoint
        shown = _shown(endpoint)
        query = dns.message.make_query(name, "NS", use_edns=0, payload=1232)
        try:
            check_connect(host, self._egress)
            for attempt in range(_TRIES):
                try:
                    response, _ = await dns.asyncquery.udp_with_fallback(
                        query, host, timeout=self._timeout, port=port, ignore_unexpected=True
                    )
                    break
                except (dns.exception.Timeout, TimeoutError):
                    if attempt + 1 == _TRIES:
                        return Heard(shown, "timeout")
        except EgressBlocked:
            return Heard(shown, "error:EGRESS")
        except (OSError, EOFError):
            return Heard(shown, "error:UNREACHABLE")
        except (dns.exception.DNSException, ValueError):
            return Heard(shown, "error:MALFORMED")
        return Heard(shown, classify(response, name), base64.b64encode(response.wire or b"").decode("ascii"))


def classify(response: dns.message.Message, name: dns.name.Name) -> str:
    """served, denied, nodata or error:REASON. Pure. Only a resolver (RA=1) speaks for users."""
    rcode = response.rcode()
    if not response.flags & dns.flags.RA:
        return "error:NOT_RECURSIVE"
    if rcode == dns.rcode.NXDOMAIN:
        return "error:ALIAS" if response.answer else "denied"
    if rcode != dns.rcode.NOERROR:
        return f"error:{dns.rcode.to_text(rcode)}"
    has = any(rrset.name == name and rrset.rdtype == dns.rdatatype.NS for rrset in response.answer)
    return "served" if has else "nodata"


def _shown(endpoint: Endpoint) -> str:
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
