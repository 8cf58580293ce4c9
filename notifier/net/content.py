"""Are the sample pages still served? Asked as several visitors, since a page may hide from one of them.

Gone needs every URL gone for every visitor; one page served to anyone refutes it; all else is inconclusive.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

import aiohttp
import dns.asyncresolver
import dns.exception
import dns.resolver
from yarl import URL

from notifier.domain.cloaking import GONE
from notifier.domain.look import Content
from notifier.net.safe_http import Egress, OneSite, guarded_session, page_address, web_ports
from notifier.net.visitors import DESKTOP, MOBILE, SEARCH, Visitor

MAX_URLS: Final = 50
MAX_HOPS: Final = 3

Seen = Literal["served", "gone", "inconclusive"]

VANTAGES: Final = (DESKTOP, MOBILE, SEARCH)


class ContentProbe:
    """`site` sends every host to one (address, port), over plain HTTP: the sandbox's stand-in for the web.

    `page_timeout` is in seconds for one request, `total_timeout` for a whole call. `resolver` tells whether a
    host that does not resolve is denied by its zone (gone) or only out of reach (inconclusive).
    """

    def __init__(
        self,
        egress: Egress,
        site: tuple[str, int] | None = None,
        *,
        page_timeout: float = 10.0,
        total_timeout: float = 120.0,
        resolver: dns.asyncresolver.Resolver | None = None,
    ) -> None:
        self._egress, self._site = egress, site
        self._page_timeout, self._total_timeout = page_timeout, total_timeout
        self._resolver = resolver

    async def content(self, urls: Sequence[str]) -> Content:
        """Ask for each URL as each visitor in turn; stop at the first page served. Raises nothing."""
        wanted = list(dict.fromkeys(urls))
        tally: Counter[str] = Counter()
        verdicts: set[Seen] = set()
        resolver = None if self._site is None else OneSite(self._site)
        session = guarded_session(
            self._egress, total_timeout=self._page_timeout, resolver=resolver, ports=web_ports(self._egress)
        )
        try:
            async with session, asyncio.timeout(self._total_timeout):
                for url in wanted[:MAX_URLS]:
                    for vantage in VANTAGES:
                        seen, said = await self._visit(session, url, vantage)
                        if seen == "served":
                            return Content("served", f"{url} answers {said} to {vantage.name}")
                        verdicts.add(seen)
                        tally[said] += 1
        except TimeoutError:
            return Content("inconclusive", f"not finished in {self._total_timeout:g} s")
        if len(wanted) > MAX_URLS:
            return Content("inconclusive", f"only {MAX_URLS} of {len(wanted)} URLs were asked")
        summary = ", ".join(f"{said} x {count}" for said, count in sorted(tally.items())) or "no URL to ask"
        return Content("gone" if verdicts == {"gone"} else "inconclusive", summary)

    async def _visit(self, session: aiohttp.ClientSession, url: str, vantage: Visitor) -> tuple[Seen, str]:
        """(seen, what the server said) for one page and visitor."""
        plain = self._site is not None
        target = page_address(url, plain=plain)
        if target is None:
            return "inconclusive", "not an http URL"
        for _ in range(MAX_HOPS + 1):
            try:
                async with session.get(target, headers=vantage.headers, allow_redirects=False) as response:
                    code, location = response.status, response.headers.get("Location")
                    # The code decides; a body of any size stays unread on the wire.
                    response.close()
            except TimeoutError:
                return "inconclusive", "timeout"
            except aiohttp.ClientConnectorDNSError:
                return await self._denied(target.raw_host or "")
            except (aiohttp.ClientError, OSError, ValueError) as fault:
                return "inconclusive", type(fault).__name__
            if code in GONE:
                return "gone", str(code)
            if 200 <= code < 300:
                return "served", str(code)
            if code not in (301, 302, 303, 307, 308) or location is None:
                return "inconclusive", str(code)
            following = page_address(location, target, plain=plain)
            if following is None or _bare(following) != _bare(target):
                return "inconclusive", f"{code} off site"
            target = following
        return "inconclusive", "too many redirects"

    async def _denied(self, host: str) -> tuple[Seen, str]:
        """NXDOMAIN counts; "cannot resolve" does not. In loopback mode no name is asked for."""
        if self._egress is Egress.LOOPBACK and self._resolver is None:
            return "inconclusive", "host does not resolve"
        resolver = self._resolver or dns.asyncresolver.Resolver()
        try:
            await resolver.resolve(f"{host}.", "A", lifetime=5.0)
        except dns.resolver.NXDOMAIN:
            return "gone", "NXDOMAIN"
        except (dns.exception.DNSException, OSError):
            return "inconclusive", "host does not resolve"
        return "inconclusive", "host does not resolve"


def _bare(url: URL) -> str:
    return (url.raw_host or "").removeprefix("www.")
