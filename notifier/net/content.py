"""Are the sample pages still served? Asked as several visitors, since a page may hide from one of them.

One page served to anyone ends the asking: nothing is gone then. What the answers amount to is `domain.cure`'s to say.
"""

import asyncio
from collections import Counter
from typing import Final

import aiohttp
import dns.asyncresolver
import dns.exception
import dns.resolver
from yarl import URL

from notifier.domain.cure import GONE, Known, Met, Reported, judge, read
from notifier.domain.look import Content
from notifier.domain.page_text import page_text
from notifier.net.safe_http import BodyUnreadable, Egress, OneSite, guarded_session, inflated, page_address, web_ports
from notifier.net.visitors import CRAWLER, DESKTOP, LANGUAGE, MOBILE, SEARCH, Visitor

MAX_URLS: Final = 50
MAX_HOPS: Final = 3
MAX_BODY: Final = 1_000_000

# The robot comes late, since it is often turned away; it is never needed, and what it is shown is shown to somebody.
VANTAGES: Final = (DESKTOP, MOBILE, SEARCH, LANGUAGE, CRAWLER)


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

    async def content(self, reported: Reported) -> Content:
        """Ask for each page as each visitor in turn; stop at the first one served. Raises nothing."""
        wanted = list(dict.fromkeys(reported.urls))
        tally: Counter[str] = Counter()
        met: dict[str, dict[str, Met]] = {}
        resolver = None if self._site is None else OneSite(self._site)
        session = guarded_session(
            self._egress, total_timeout=self._page_timeout, resolver=resolver, ports=web_ports(self._egress)
        )
        try:
            async with session, asyncio.timeout(self._total_timeout):
                for url in wanted[:MAX_URLS]:
                    for vantage in VANTAGES:
                        seen, said = await self._visit(session, url, vantage, reported)
                        met.setdefault(url, {})[vantage.name] = seen
                        if seen == "served":
                            found = judge(met)
                            hidden = ", and hides from others" if found.cloaked else ""
                            return Content("served", f"{url} answers {said} to {vantage.name}{hidden}", found.cloaked)
                        tally[said] += 1
        except TimeoutError:
            return Content("inconclusive", f"not finished in {self._total_timeout:g} s")
        if len(wanted) > MAX_URLS:
            return Content("inconclusive", f"only {MAX_URLS} of {len(wanted)} URLs were asked")
        summary = ", ".join(f"{said} x {count}" for said, count in sorted(tally.items())) or "no URL to ask"
        return Content(judge(met).answer, summary)

    async def _visit(
        self, session: aiohttp.ClientSession, url: str, vantage: Visitor, reported: Reported
    ) -> tuple[Met, str]:
        """(what was met, what the server said) for one page and visitor."""
        plain = self._site is not None
        target = page_address(url, plain=plain)
        if target is None:
            return "unclear", "not an http URL"
        for _ in range(MAX_HOPS + 1):
            try:
                async with session.get(target, headers=vantage.headers, allow_redirects=False) as response:
                    code, location = response.status, response.headers.get("Location")
                    if 200 <= code < 300:
                        return await _shown(response, reported.before.get(url), reported.marks)
                    # Any other code decides; a body of any size stays unread on the wire.
                    response.close()
            except TimeoutError:
                return "unclear", "timeout"
            except aiohttp.ClientConnectorDNSError:
                return await self._denied(target.raw_host or "")
            except (aiohttp.ClientError, OSError, ValueError) as fault:
                return "unclear", type(fault).__name__
            if code in GONE:
                return "gone", str(code)
            if code not in (301, 302, 303, 307, 308) or location is None:
                return "unclear", str(code)
            following = page_address(location, target, plain=plain)
            if following is None or _bare(following) != _bare(target):
                return "unclear", f"{code} off site"
            target = following
        return "unclear", "too many redirects"

    async def _denied(self, host: str) -> tuple[Met, str]:
        """NXDOMAIN counts; "cannot resolve" does not. In loopback mode no name is asked for."""
        if self._egress is Egress.LOOPBACK and self._resolver is None:
            return "unclear", "host does not resolve"
        resolver = self._resolver or dns.asyncresolver.Resolver()
        try:
            await resolver.resolve(f"{host}.", "A", lifetime=5.0)
        except dns.resolver.NXDOMAIN:
            return "gone", "NXDOMAIN"
        except (dns.exception.DNSException, OSError):
            return "unclear", "host does not resolve"
        return "unclear", "host does not resolve"


async def _shown(response: aiohttp.ClientResponse, before: Known | None, marks: frozenset[str]) -> tuple[Met, str]:
    """What a page of 2xx shows, by its first MAX_BODY bytes. Of one that cannot be read all that is known is that it is there."""
    code, body = str(response.status), bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > MAX_BODY:
            break
    response.close()
    try:
        text, _ = inflated(bytes(body[:MAX_BODY]), response.headers.get("Content-Encoding", ""), MAX_BODY)
        words = (await asyncio.to_thread(page_text, text.decode(response.charset or "utf-8", "replace"))).words
    except (BodyUnreadable, LookupError, ValueError):
        return "served", code
    met = read(words, before, marks)
    return met, code if met == "served" else f"{code} with {'another text' if met == 'changed' else 'nothing to read'}"


def _bare(url: URL) -> str:
    return (url.raw_host or "").removeprefix("www.")
