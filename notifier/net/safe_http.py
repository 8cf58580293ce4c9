"""The egress guard: which addresses may be connected, and an HTTP session that cannot reach any other.

The check sits where the socket is made, so it sees the very address: names, literals, odd spellings,
rebinding and redirects alike. No setting allows both modes; no proxy is read from the environment.
"""

import logging
import socket
import ssl
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import SimpleNamespace
from typing import Final, NoReturn

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

logger = logging.getLogger(__name__)

_Address = IPv4Address | IPv6Address

# `is_global` is true for these on Python 3.11: IETF protocol assignments and the 6to4 relay anycast.
_DENIED_V4: Final = tuple(ip_network(n) for n in ("192.0.0.0/24", "192.88.99.0/24"))
# All allocated global unicast (RFC 4291 §2.4); NAT64, site-local and IPv4-compatible are outside.
_GLOBAL_V6: Final = ip_network("2000::/3")
# Inside it: protocol assignments with Teredo, documentation twice, 6to4 with any IPv4 inside.
_DENIED_V6: Final = tuple(ip_network(n) for n in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


class Egress(StrEnum):
    """PUBLIC: public addresses only. LOOPBACK: loopback only. There is no third."""

    PUBLIC = "public"
    LOOPBACK = "loopback"


class EgressBlocked(OSError):
    """The address is outside the egress mode; nothing was connected."""


class RedirectRefused(aiohttp.ClientError):
    """A request was about to follow a redirect by itself. Pass `allow_redirects=False` and decide."""


class BodyTooLarge(aiohttp.ClientError):
    """The body, as sent or as decompressed, is over the caller's limit in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"body is over {limit} bytes")
        self.limit = limit


class BodyUnreadable(aiohttp.ClientError):
    """The body is not in the content coding that its header names."""


def allowed(ip: str | _Address, egress: Egress) -> bool:
    """May this address be connected? A text that is no IP address may not; IPv4-mapped counts as its IPv4."""
    try:
        address = ip_address(ip.split("%")[0]) if isinstance(ip, str) else ip
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if egress is Egress.LOOPBACK:
        return address.is_loopback
    if isinstance(address, IPv6Address):
        return address in _GLOBAL_V6 and not any(address in network for network in _DENIED_V6)
    return address.is_global and not address.is_multicast and not any(address in network for network in _DENIED_V4)


def check_connect(host_ip: str, egress: Egress) -> None:
    """For clients with their own sockets (SMTP, DNS). Takes an address, no name. Raises EgressBlocked."""
    if not allowed(host_ip, egress):
        logger.warning("egress %s blocks %s", egress.value, host_ip)
        raise EgressBlocked(f"egress {egress.value} blocks {host_ip}")


class LoopbackResolver(AbstractResolver):
    """Knows `localhost` and nothing else: in loopback mode not even a name is asked for outside."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host.rstrip(".").lower() != "localhost":
            raise OSError(f"egress loopback does not resolve {host}")
        return [resolved(host, "127.0.0.1", port)]

    async def close(self) -> None:
        return


class OneSite(AbstractResolver):
    """Every host is at one place; the Host header still says who was asked for."""

    def __init__(self, site: tuple[str, int]) -> None:
        self._site = site

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [resolved(host, *self._site)]

    async def close(self) -> None:
        return


def web_ports(egress: Egress) -> frozenset[int] | None:
    """Where pages are asked for: those of the web, on this machine any."""
    return frozenset({80, 443}) if egress is Egress.PUBLIC else None


def page_address(url: str, base: URL | None = None, *, plain: bool = False) -> URL | None:
    """An address that a page may be asked for at, absolute or from `base`; None for any other.

    `plain`: over HTTP at its usual port, as where every host is at one place.
    """
    try:
        found = URL(url) if base is None else base.join(URL(url))
        if found.scheme not in ("http", "https") or not found.raw_host or found.user is not None:
            return None
        return found.with_scheme("http").with_port(None) if plain else found
    except ValueError:
        return None


def resolved(hostname: str, ip: str, port: int) -> ResolveResult:
    """One address in the shape that an aiohttp resolver answers."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=hostname, host=ip, port=port, family=family, proto=0, flags=numeric)


def guarded_session(
    egress: Egress,
    *,
    total_timeout: float,
    resolver: AbstractResolver | None = None,
    ports: frozenset[int] | None = None,
    connecting: Callable[[str], None] | None = None,
    tls: ssl.SSLContext | None = None,
) -> aiohttp.ClientSession:
    """An HTTP session that connects only where `egress` allows, to `ports` if given. Made inside a
    running loop, closed by the caller.

    `total_timeout` is in seconds, for one request with its body. `connecting` is told each address that is tried; they
    are tried one after the other then, so the last one told is the one that answered. `tls`: in place of the usual
    context, which checks certificates and names. No cookies, no DNS cache, no environment
    proxy, no redirects of its own (RedirectRefused), no transparent decompression: read bodies with
    `read_capped`. A blocked connect reaches the caller as aiohttp.ClientConnectorError.
    """

    def open_socket(
        info: tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]],
    ) -> socket.socket:
        family, kind, proto, _, address = info
        check_connect(str(address[0]), egress)
        if ports is not None and address[1] not in ports:
            logger.warning("egress %s blocks port %s", egress.value, address[1])
            raise EgressBlocked(f"egress {egress.value} blocks port {address[1]}")
        if connecting is not None:
            connecting(str(address[0]))
        opened = socket.socket(family, kind, proto)
        opened.setblocking(False)
        return opened

    if resolver is None and egress is Egress.LOOPBACK:
        resolver = LoopbackResolver()
    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            socket_factory=open_socket,
            resolver=resolver,
            use_dns_cache=False,
            limit_per_host=16,
            happy_eyeballs_delay=0.25 if connecting is None else None,
            ssl=tls if tls is not None else True,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=total_timeout),
        auto_decompress=False,
        trust_env=False,
        trace_configs=[tracing],
    )


async def _refuse_redirect(
    session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
) -> NoReturn:
    raise RedirectRefused(f"{params.url} redirects, and nobody decided to follow")


async def read_capped(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, at most `limit` bytes both on the wire and after gzip or deflate.

    Raises BodyTooLarge, BodyUnreadable, and whatever aiohttp raises for a broken connection.
    """
    raw = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        raw += chunk
        if len(raw) > limit:
            response.close()
            raise BodyTooLarge(limit)
    coding = response.headers.get("Content-Encoding", "")
    body, whole = inflated(bytes(raw), coding, limit + 1)
    if len(body) > limit:
        raise BodyTooLarge(limit)
    if not whole:
        raise BodyUnreadable(f"{coding.strip().lower()} body is cut short")
    return body


def inflated(raw: bytes, coding: str, limit: int) -> tuple[bytes, bool]:
    """A body without its Content-Encoding, at most `limit` bytes of it, and whether it came to its end.

    Raises BodyUnreadable for a coding that we do not ask for, and for bytes that are not in it.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity") or not raw:
        return raw[:limit], True
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise BodyUnreadable(f"content coding {coding!r} was not asked for")
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        return inflater.decompress(raw, limit), inflater.eof
    except zlib.error as fault:
        raise BodyUnreadable(f"body is not {coding}") from fault


def retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Seconds that `Retry-After` asks for (RFC 9110 §10.2.3), at most a day; None if it says nothing.

    A date is counted from the response's own Date, so that a wrong clock on either side does not matter.
    """
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), _LONGEST_WAIT))
    until = _http_date(text)
    if until is None:
        return None
    since = _http_date(response.headers.get("Date", "")) or datetime.now(UTC)
    return min(max((until - since).total_seconds(), 0.0), float(_LONGEST_WAIT))


_LONGEST_WAIT: Final = 86_400


def _http_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
