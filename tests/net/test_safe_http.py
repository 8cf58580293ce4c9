"""The egress guard: addresses by table (IANA special-purpose registries), then real connects that must not happen."""

import gzip
import zlib
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from notifier.net.safe_http import (
    BodyTooLarge,
    BodyUnreadable,
    Egress,
    EgressBlocked,
    RedirectRefused,
    allowed,
    check_connect,
    guarded_session,
    read_capped,
    resolved,
    retry_after,
)

Start = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[int]]

PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"]
LOOPBACK = ["127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"]
NEITHER = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::7f00:1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1",
    "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
    "localhost", "", "0x7f.1", "2130706433",
]  # fmt: skip


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses(ip: str) -> None:
    assert allowed(ip, Egress.PUBLIC)
    assert not allowed(ip, Egress.LOOPBACK)


@pytest.mark.parametrize("ip", LOOPBACK)
def test_loopback_addresses(ip: str) -> None:
    assert allowed(ip, Egress.LOOPBACK)
    assert not allowed(ip, Egress.PUBLIC)


@pytest.mark.parametrize("ip", NEITHER)
def test_addresses_of_no_mode(ip: str) -> None:
    assert not allowed(ip, Egress.PUBLIC)
    assert not allowed(ip, Egress.LOOPBACK)
    for egress in Egress:
        with pytest.raises(EgressBlocked):
            check_connect(ip, egress)


@given(st.ip_addresses())
def test_no_address_is_of_both_modes(ip: object) -> None:
    assert not (allowed(str(ip), Egress.PUBLIC) and allowed(str(ip), Egress.LOOPBACK))


@given(st.ip_addresses(v=4))
def test_mapped_is_judged_as_its_ipv4(ip: object) -> None:
    for egress in Egress:
        assert allowed(f"::ffff:{ip}", egress) is allowed(str(ip), egress)
        assert allowed(ip_address(str(ip)), egress) is allowed(str(ip), egress)


async def hello(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.path} {request.headers.get('Cookie', '-')}")


class Says(AbstractResolver):
    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [resolved(host, address, port) for address in self._addresses]

    async def close(self) -> None:
        return


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/a", "http://localhost:{}/a", "http://LOCALHOST.:{}/a"])
async def test_loopback_mode_reaches_loopback(http_server: Start, url: str) -> None:
    port = await http_server(hello)
    async with guarded_session(Egress.LOOPBACK, total_timeout=5) as session:
        async with session.get(url.format(port)) as response:
            assert await read_capped(response, 100) == b"/a -"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{}/",
        "http://127.1:{}/",
        "http://2130706433:{}/",
        "http://0x7f000001:{}/",
        "http://[::1]:{}/",
        "http://[::ffff:127.0.0.1]:{}/",
        "http://localhost:{}/",
    ],
)
async def test_public_mode_never_reaches_loopback(http_server: Start, url: str) -> None:
    seen: list[str] = []

    async def spy(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response()

    port = await http_server(spy)
    async with guarded_session(Egress.PUBLIC, total_timeout=5) as session:
        with pytest.raises((aiohttp.ClientError, OSError)):
            await session.get(url.format(port))
    assert seen == []


async def test_a_name_that_points_inside_is_blocked_at_connect(http_server: Start) -> None:
    port = await http_server(hello)
    async with guarded_session(Egress.PUBLIC, total_timeout=5, resolver=Says("127.0.0.1", "::1")) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://rebind.example:{port}/")


async def test_loopback_mode_resolves_no_other_name() -> None:
    async with guarded_session(Egress.LOOPBACK, total_timeout=5) as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get("http://registry.example/")


async def test_ports_are_limited(http_server: Start) -> None:
    port = await http_server(hello)
    async with guarded_session(Egress.LOOPBACK, total_timeout=5, ports=frozenset({80, 443})) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{port}/")


async def test_a_redirect_nobody_decided_on_is_not_followed(http_server: Start) -> None:
    seen: list[str] = []

    async def moved(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=302, headers={"Location": "/b"}) if request.path == "/a" else web.Response()

    port = await http_server(moved)
    async with guarded_session(Egress.LOOPBACK, total_timeout=5) as session:
        with pytest.raises(RedirectRefused):
            await session.get(f"http://127.0.0.1:{port}/a")
        async with session.get(f"http://127.0.0.1:{port}/a", allow_redirects=False) as response:
            assert response.status == 302
    assert seen == ["/a", "/a"]


async def test_nothing_of_the_environment_or_an_earlier_answer_is_used(
    http_server: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cookie(request: web.Request) -> web.Response:
        response = await hello(request)
        response.set_cookie("id", "1")
        return response

    port = await http_server(cookie)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with guarded_session(Egress.LOOPBACK, total_timeout=5) as session:
        for _ in range(2):
            async with session.get(f"http://localhost:{port}/a") as response:
                assert await read_capped(response, 100) == b"/a -"


async def read_from(port: int, limit: int) -> bytes:
    async with guarded_session(Egress.LOOPBACK, total_timeout=5) as session:
        async with session.get(f"http://127.0.0.1:{port}/") as response:
            return await read_capped(response, limit)


@pytest.mark.parametrize(("size", "fits"), [(0, True), (1000, True), (1001, False), (5_000_000, False)])
async def test_bodies_are_capped(http_server: Start, size: int, fits: bool) -> None:
    async def body(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for at in range(0, size, 50_000):
            try:
                await response.write(b"x" * min(50_000, size - at))
            except ConnectionError:
                break
        return response

    port = await http_server(body)
    if fits:
        assert await read_from(port, 1000) == b"x" * size
    else:
        with pytest.raises(BodyTooLarge):
            await read_from(port, 1000)


@pytest.mark.parametrize(
    ("coding", "body", "expected"),
    [
        ("gzip", gzip.compress(b"words", mtime=0), b"words"),
        ("deflate", zlib.compress(b"words"), b"words"),
        ("identity", b"words", b"words"),
        ("gzip", gzip.compress(b"0" * 50_000_000, mtime=0), BodyTooLarge),
        ("gzip", gzip.compress(b"words", mtime=0)[:-9], BodyUnreadable),
        ("gzip", b"no gzip", BodyUnreadable),
        ("br", b"\x0b\x02\x80words\x03", BodyUnreadable),
    ],
    ids=["gzip", "deflate", "plain", "bomb", "cut", "lie", "brotli"],
)
async def test_content_codings(http_server: Start, coding: str, body: bytes, expected: bytes | type[Exception]) -> None:
    async def coded(request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": coding})

    port = await http_server(coded)
    if isinstance(expected, bytes):
        assert await read_from(port, 100_000) == expected
    else:
        with pytest.raises(expected):
            await read_from(port, 100_000)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "0"}, 0.0),
        (
            {"Retry-After": "Wed, 21 Oct 2026 07:30:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            120.0,
        ),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:30:00 GMT"}, 0.0),
        ({"Retry-After": "99999999999999999999"}, 86_400.0),
        ({"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}, 86_400.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({}, None),
    ],
)
async def test_retry_after(http_server: Start, headers: dict[str, str], seconds: float | None) -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=429, headers=headers)

    port = await http_server(busy)
    async with guarded_session(Egress.LOOPBACK, total_timeout=5) as session:
        async with session.get(f"http://127.0.0.1:{port}/") as response:
            assert retry_after(response) == seconds
