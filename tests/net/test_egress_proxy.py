"""The browser's way out: what is let through, what is held back, and what a stranger gets."""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from notifier.net import egress_proxy
from notifier.net.egress_proxy import EgressProxy
from notifier.net.safe_http import Egress

Start = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[int]]


async def said(proxy: EgressProxy, head: str, body: bytes = b"", *, known: bool = True) -> bytes:
    """Everything that the proxy answers to one request until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    secret = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
    lines = [head, *([f"Proxy-Authorization: Basic {secret}"] if known else []), "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    return await everything(reader, writer)


async def everything(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """What comes until the other side closes or breaks off."""
    found = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(10):
            while piece := await reader.read(65_536):
                found += piece
    writer.close()
    return found


async def hello(request: web.Request) -> web.Response:
    seen = sorted(name for name in request.headers if name.lower().startswith("proxy"))
    return web.Response(text=f"{request.method} {request.path_qs} {seen}")


async def test_a_plain_request_and_a_tunnel(http_server: Start) -> None:
    port = await http_server(hello)
    async with EgressProxy(Egress.LOOPBACK) as proxy:
        plain = await said(proxy, f"GET http://127.0.0.1:{port}/a?b=1 HTTP/1.1\r\nHost: x")
        assert plain.endswith(b"GET /a?b=1 []")
        assert plain.lower().count(b"\r\nconnection: close") == 1
        inner = b"GET /in HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        tunnel = await said(proxy, f"CONNECT localhost:{port} HTTP/1.1", inner)
        assert tunnel.startswith(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200")
        assert b"GET /in" in tunnel
        assert proxy.blocked == []


async def test_a_stranger_gets_407_and_nothing_is_connected(http_server: Start) -> None:
    asked: list[str] = []

    async def page(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    port = await http_server(page)
    async with EgressProxy(Egress.LOOPBACK) as proxy:
        for head in (f"GET http://127.0.0.1:{port}/ HTTP/1.1", f"CONNECT 127.0.0.1:{port} HTTP/1.1"):
            for wrong in ("", "\r\nProxy-Authorization: Basic eDp5", "\r\nProxy-Authorization: Bearer x"):
                answer = await said(proxy, head + wrong, known=False)
                assert answer.startswith(b"HTTP/1.1 407 ")
        twice = await said(proxy, f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nProxy-Authorization: Basic eDp5")
        assert twice.startswith(b"HTTP/1.1 407 ")
    assert asked == []


@pytest.mark.parametrize(
    ("egress", "place"),
    [
        (Egress.LOOPBACK, "1.1.1.1:80"),
        (Egress.LOOPBACK, "169.254.169.254:80"),
        (Egress.LOOPBACK, "example.com:80"),
        (Egress.LOOPBACK, "2130706433:80"),
        (Egress.PUBLIC, "127.0.0.1:80"),
        (Egress.PUBLIC, "2130706433:80"),
        (Egress.PUBLIC, "0x7f.1:80"),
        (Egress.PUBLIC, "localhost:80"),
        (Egress.PUBLIC, "[::1]:80"),
        (Egress.PUBLIC, "[::ffff:127.0.0.1]:80"),
        (Egress.PUBLIC, "10.0.0.1:443"),
        (Egress.PUBLIC, "169.254.169.254:80"),
        (Egress.PUBLIC, "1.1.1.1:25"),
        (Egress.PUBLIC, "[64:ff9b::7f00:1]:80"),
    ],
)
async def test_what_is_outside_is_held_back_and_noted(egress: Egress, place: str) -> None:
    async with EgressProxy(egress) as proxy:
        for head in (f"CONNECT {place} HTTP/1.1", f"GET http://{place}/ HTTP/1.1"):
            assert (await said(proxy, head)).startswith(b"HTTP/1.1 403 ")
        assert proxy.blocked == [place.replace("[", "").replace("]", "")] * 2


@pytest.mark.parametrize(
    "head",
    ["GET / HTTP/1.1", "GET ftp://127.0.0.1/ HTTP/1.1", "CONNECT 127.0.0.1 HTTP/1.1", "CONNECT :80 HTTP/1.1", "x"],
)
async def test_what_is_no_request_is_400(head: str) -> None:
    async with EgressProxy(Egress.LOOPBACK) as proxy:
        assert (await said(proxy, head)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("head", ["GET http://[ HTTP/1.1", "CONNECT 127.0.0.1:99999 HTTP/1.1", "CONNECT a:x HTTP/1.1"])
async def test_what_cannot_be_read_ends_the_connection(head: str) -> None:
    async with EgressProxy(Egress.LOOPBACK) as proxy:
        assert await said(proxy, head) == b""


async def test_an_endless_head_is_cut() -> None:
    async with EgressProxy(Egress.LOOPBACK) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"GET http://127.0.0.1/ HTTP/1.1\r\nX: " + b"y" * 300_000)
        assert await everything(reader, writer) == b""


async def test_bytes_are_capped_for_its_whole_life(http_server: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65_536)

    port = await http_server(page)
    async with EgressProxy(Egress.LOOPBACK) as proxy:
        proxy._left = 1_000_000
        assert 500_000 < len(await said(proxy, f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: x")) < 1_100_000
        assert len(await said(proxy, f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: x")) < 1_000
        monkeypatch.setattr(egress_proxy, "MAX_CONNECTIONS", 2)
        assert await said(proxy, f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: x") == b""


async def test_every_host_is_at_the_site_when_there_is_one(http_server: Start) -> None:
    port = await http_server(hello)
    async with EgressProxy(Egress.LOOPBACK, ("127.0.0.1", port)) as proxy:
        assert (await said(proxy, "GET http://anything.example/x HTTP/1.1\r\nHost: y")).endswith(b"GET /x []")
    async with EgressProxy(Egress.PUBLIC, ("127.0.0.1", port)) as proxy:  # a site is no way around the rule
        assert (await said(proxy, "GET http://anything.example/x HTTP/1.1")).startswith(b"HTTP/1.1 403 ")
