"""Sample pages seen by several visitors, against a real local server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import dns.asyncresolver
import dns.rcode
import pytest
from aiohttp import web

from notifier.net.content import MAX_URLS, VANTAGES, ContentProbe
from notifier.net.safe_http import Egress

Start = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[int]]
URLS = ["http://shop.pills.test/a", "https://pills.test/b?x=1"]


def answering(pages: dict[str, int], seen: list[web.Request] | None = None) -> Any:
    async def reply(request: web.Request) -> web.Response:
        if seen is not None:
            seen.append(request)
        return web.Response(status=pages[request.path], text="x" * 100_000)

    return reply


async def probe(start: Start, handler: Any, urls: list[str] = URLS, **options: Any) -> Any:
    port = await start(handler)
    return await ContentProbe(Egress.LOOPBACK, ("127.0.0.1", port), **options).content(urls)


@pytest.mark.parametrize(
    ("pages", "answer"),
    [
        ({"/a": 404, "/b": 410}, "gone"),
        ({"/a": 451, "/b": 451}, "gone"),
        ({"/a": 404, "/b": 200}, "served"),
        ({"/a": 200, "/b": 404}, "served"),
        ({"/a": 404, "/b": 206}, "served"),
        ({"/a": 404, "/b": 403}, "inconclusive"),
        ({"/a": 404, "/b": 503}, "inconclusive"),
        ({"/a": 429, "/b": 429}, "inconclusive"),
        ({"/a": 500, "/b": 200}, "served"),
    ],
)
async def test_codes(http_server: Start, pages: dict[str, int], answer: str) -> None:
    found = await probe(http_server, answering(pages))
    assert found.answer == answer
    assert found.detail


async def test_every_page_is_asked_by_every_visitor_under_its_own_host(http_server: Start) -> None:
    seen: list[web.Request] = []
    await probe(http_server, answering({"/a": 404, "/b": 404}, seen))
    assert [(r.host, r.path_qs) for r in seen] == [("shop.pills.test", "/a")] * 3 + [("pills.test", "/b?x=1")] * 3
    agents = [r.headers["User-Agent"] for r in seen[:3]]
    assert ["Mobile" in agent for agent in agents] == [False, True, False]
    assert ["Referer" in r.headers for r in seen[:3]] == [False, False, True]
    assert len(VANTAGES) == 3


@pytest.mark.parametrize(
    "sees", [lambda r: "Mobile" in r.headers["User-Agent"], lambda r: "Referer" in r.headers], ids=["mobile", "search"]
)
async def test_a_page_shown_to_one_kind_of_visitor_is_served(http_server: Start, sees: Any) -> None:
    async def cloak(request: web.Request) -> web.Response:
        return web.Response(status=200 if sees(request) else 404)

    assert (await probe(http_server, cloak)).answer == "served"


@pytest.mark.parametrize(
    ("location", "answer", "requests"),
    [
        ("/gone", "gone", 2),
        ("http://www.pills.test/gone", "gone", 2),
        ("/home", "served", 2),
        ("https://elsewhere.test/gone", "inconclusive", 1),
        ("http://127.0.0.1:9/", "inconclusive", 1),
        ("javascript:alert(1)", "inconclusive", 1),
        ("/a", "inconclusive", 4),
    ],
)
async def test_redirects_stay_on_the_site(http_server: Start, location: str, answer: str, requests: int) -> None:
    asked: list[str] = []

    async def moved(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == "/a":
            return web.Response(status=302, headers={"Location": location})
        return web.Response(status=404 if request.path == "/gone" else 200)

    found = await probe(http_server, moved, ["http://pills.test/a"])
    assert found.answer == answer
    assert len(asked) == (requests if answer == "served" else requests * len(VANTAGES))


async def test_a_slow_page_is_inconclusive(http_server: Start) -> None:
    release = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response(status=404)

    one = await probe(http_server, slow, ["http://pills.test/a"], page_timeout=0.1)
    assert (one.answer, one.detail) == ("inconclusive", "timeout x 3")
    whole = await probe(http_server, slow, URLS, total_timeout=0.2)
    assert whole.answer == "inconclusive"
    release.set()


async def test_an_endless_body_is_not_read(http_server: Start) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=404)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
                sent += 65_536
        except ConnectionError:
            return response

    found = await probe(http_server, endless, ["http://pills.test/a"])
    assert found.answer == "gone"
    assert sent < 50_000_000


@pytest.mark.parametrize(
    "url", ["ftp://pills.test/a", "pills.test/a", "http://u:p@pills.test/", "http://", "http://[bad/", ""]
)
async def test_what_is_no_web_page_is_inconclusive(http_server: Start, url: str) -> None:
    assert (await probe(http_server, answering({}), [url])).answer == "inconclusive"


async def test_no_url_and_too_many_urls_are_inconclusive(http_server: Start) -> None:
    assert (await probe(http_server, answering({}), [])).answer == "inconclusive"
    many = [f"http://pills.test/a?{i}" for i in range(MAX_URLS + 1)]
    assert (await probe(http_server, answering({"/a": 404}), many)).answer == "inconclusive"
    assert (await probe(http_server, answering({"/a": 404}), many[:-1])).answer == "gone"


async def test_a_closed_port_is_inconclusive() -> None:
    found = await ContentProbe(Egress.LOOPBACK, ("127.0.0.1", 1)).content(URLS)
    assert found.answer == "inconclusive"


async def test_the_guard_stands_before_the_site(http_server: Start) -> None:
    seen: list[web.Request] = []
    port = await http_server(answering({"/a": 404}, seen))
    urls = [f"http://127.0.0.1:{port}/a", f"http://[::1]:{port}/a"]
    assert (await ContentProbe(Egress.PUBLIC).content(urls)).answer == "inconclusive"
    assert (
        await ContentProbe(Egress.PUBLIC, ("127.0.0.1", port)).content(["http://pills.test/a"])
    ).answer == "inconclusive"
    assert (
        await ContentProbe(Egress.LOOPBACK, ("192.0.2.1", port)).content(["http://pills.test/a"])
    ).answer == "inconclusive"
    assert seen == []


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (lambda z: z.denied(), "gone"),
        (lambda z: z.nodata(), "inconclusive"),
        (lambda z: z.error(dns.rcode.SERVFAIL), "inconclusive"),
    ],
)
async def test_a_host_that_its_zone_denies_is_gone(dns_server: Any, zone: Any, reply: Any, answer: str) -> None:
    server = await dns_server(lambda query, over_tcp: reply(zone)(query))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], server.port
    found = await ContentProbe(Egress.LOOPBACK, resolver=resolver).content(["http://shop.pills.test/"])
    assert found.answer == answer
