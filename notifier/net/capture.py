"""A page as several visitors see it, with every request and answer as they went over the wire.

Each visitor has a session of its own, so none is known by what another was given. Redirects are followed by hand, also
off the site: where a visitor ends is what the capture is for. Nothing is executed, no sub-resource is loaded.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import aiohttp
from yarl import URL

from notifier.domain.page_signs import MAX_ICON, icon_address, icon_digest
from notifier.net.certificate import telling_context
from notifier.net.safe_http import BodyUnreadable, Egress, OneSite, guarded_session, inflated, page_address, web_ports
from notifier.net.visitors import VISITORS, Visitor

MAX_HOPS: Final = 6
MAX_BODY: Final = 2_000_000
_MAX_HEAD: Final = 32_768  # of the answer's head that is kept
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK: Final = 65_536
_MAX_KEYS: Final = 10_000

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. `body` is as sent, at most MAX_BODY bytes; `cut`: there was more.

    `address` answered; `after` is in seconds since the capture began. `key`: SHA-256 in hex of the public key in the
    server's certificate, None over plain HTTP, and for a certificate that many names share.
    """

    url: str
    address: str
    request: Headers
    status: int
    reason: str
    answer: Headers
    body: bytes
    cut: bool
    after: float
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """One visitor's way. `why`: how it ended where no answer is the end of it, else "answered"."""

    visitor: Visitor
    exchanges: tuple[Exchange, ...]
    why: str

    @property
    def last(self) -> Exchange | None:
        """The answer at the end of the way; None where it ended without one."""
        return self.exchanges[-1] if self.why == "answered" else None

    def html(self) -> str:
        """The last answer's text, without its content coding, "" where it is none. Never more than MAX_BODY bytes are read."""
        last = self.last
        if last is None:
            return ""
        named = _named(last.answer)
        kind, _, parameters = named.get("content-type", "text/html").lower().partition(";")
        if not (kind.strip().startswith("text/") or kind.strip() in ("application/xhtml+xml", "")):
            return ""
        charset = parameters.partition("charset=")[2].strip(" \"';") or "utf-8"
        try:
            body, _ = inflated(last.body, named.get("content-encoding", ""), MAX_BODY)
        except BodyUnreadable:
            return ""
        try:
            return body.decode(charset, "replace")
        except (LookupError, ValueError):  # a charset that nobody knows, or one that is no text coding
            return body.decode("utf-8", "replace")


@dataclass(slots=True)
class _Way:
    """What was collected so far; kept when time is over."""

    exchanges: list[Exchange] = field(default_factory=list)
    address: str = ""

    def connecting(self, address: str) -> None:
        """Note who is connected: the last one is who answers."""
        self.address = address


class Capturer:
    """`site` sends every host to one (address, port), over plain HTTP: the sandbox's stand-in for the web.

    `visit_timeout` and `total_timeout` are in seconds, for one visitor's whole way and for one page with all visitors.
    """

    def __init__(
        self,
        egress: Egress,
        site: tuple[str, int] | None = None,
        *,
        visit_timeout: float = 15.0,
        total_timeout: float = 60.0,
        max_body: int = MAX_BODY,
    ) -> None:
        self._egress, self._site = egress, site
        self._visit_timeout, self._total_timeout, self._max_body = visit_timeout, total_timeout, max_body
        self._keys: dict[str, str | None] = {}
        self._tls = telling_context(self._told) if site is None else None  # reading every root takes a while

    def _told(self, host: str, key: str | None) -> None:
        if len(self._keys) >= _MAX_KEYS:
            self._keys.clear()
        self._keys[host] = key

    async def page(self, url: str, visitors: Sequence[Visitor] = VISITORS) -> list[Visit]:
        """The page as each visitor saw it, in their order. Raises nothing: a way that ends badly says how."""
        began = monotonic()
        visits = []
        for visitor in visitors:
            left = self._total_timeout - (monotonic() - began)
            visits.append(await self._visit(url, visitor, began, min(left, self._visit_timeout)))
        return visits

    async def _visit(self, url: str, visitor: Visitor, began: float, timeout: float) -> Visit:
        way = _Way()
        try:
            async with asyncio.timeout(max(timeout, 0.0)):
                why = await self._walk(url, visitor, began, way)
        except TimeoutError:
            why = "not finished in time"
        return Visit(visitor, tuple(way.exchanges), why)

    async def _walk(self, url: str, visitor: Visitor, began: float, way: _Way) -> str:
        target = self._address(url)
        if target is None:
            return "no http or https address"
        seen = set()
        async with self._session(way) as session:
            for _ in range(MAX_HOPS):
                seen.add(target)
                try:
                    exchange = await self._ask(session, target, visitor, began, way)
                except TimeoutError:
                    raise
                except aiohttp.ClientConnectorCertificateError:
                    return "its certificate is not valid"
                except aiohttp.ClientConnectorDNSError:
                    return "its host does not resolve"
                except (aiohttp.ClientError, OSError, ValueError) as fault:
                    return f"no answer ({type(fault).__name__})"
                way.exchanges.append(exchange)
                location = next((v for n, v in exchange.answer if n.lower() == "location"), None)
                if exchange.status not in _REDIRECTS or location is None:
                    return "answered"
                following = self._address(location, target)
                if following is None:
                    return "sent on to no http or https address"
                if following in seen:
                    return "redirects in a circle"
                target = following
        return f"more than {MAX_HOPS - 1} redirects"

    def _address(self, url: str, base: URL | None = None) -> URL | None:
        found = page_address(url, base, plain=self._site is not None)
        return None if found is None else found.with_fragment(None)

    def _session(self, way: _Way) -> aiohttp.ClientSession:
        return guarded_session(
            self._egress,
            total_timeout=self._visit_timeout,
            resolver=None if self._site is None else OneSite(self._site),
            ports=web_ports(self._egress),
            connecting=way.connecting,
            tls=self._tls,
        )

    async def icon(self, visit: Visit) -> str | None:
        """SHA-256 in hex of the icon of the page that a visitor was shown, from the page's own host alone.

        None where there is none: no image, too large, elsewhere, or out of reach.
        """
        last = visit.last
        target = None if last is None else self._address(icon_address(visit.html()), URL(last.url))
        if last is None or target is None or target.host != URL(last.url).host:
            return None
        way = _Way()
        try:
            async with asyncio.timeout(self._visit_timeout), self._session(way) as session:
                found = await self._ask(session, target, visit.visitor, monotonic(), way)
            body, whole = inflated(found.body, _named(found.answer).get("content-encoding", ""), MAX_ICON + 1)
        except (aiohttp.ClientError, OSError, ValueError):  # a time-out is an OSError
            return None
        return icon_digest(body) if found.status == 200 and whole and not found.cut else None

    async def _ask(
        self, session: aiohttp.ClientSession, target: URL, visitor: Visitor, began: float, way: _Way
    ) -> Exchange:
        async with session.get(target, headers=visitor.headers, allow_redirects=False) as response:
            body, cut = bytearray(), False
            async for chunk in response.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > self._max_body:
                    cut = True
                    break
            response.close()  # what was not read stays on the wire
            return Exchange(
                str(target),
                way.address,
                tuple(response.request_info.headers.items()),
                response.status,
                response.reason or "",
                _texts(response.raw_headers),
                bytes(body[: self._max_body]),
                cut,
                monotonic() - began,
                self._keys.get(target.raw_host or "") if target.scheme == "https" else None,
            )


def _named(answer: Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in answer}


def _texts(raw: Sequence[tuple[bytes, bytes]]) -> Headers:
    """The head's lines as text; beyond the limit they are left out."""
    kept, size = [], 0
    for name, value in raw:
        size += len(name) + len(value)
        if size > _MAX_HEAD:
            break
        kept.append((_text(name), _text(value)))
    return tuple(kept)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
