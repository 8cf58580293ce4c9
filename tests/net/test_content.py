"""Sample pages seen by several visitors, against a real local server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import dns.asyncresolver
import dns.rcode
import pytest
from aiohttp import web

from notifier.domain.cure import NEEDED, Known, Reported, mark
from notifier.domain.page_text import sketch, words_of
from notifier.net.content import MAX_URLS, VANTAGES, ContentProbe
from notifier.net.safe_http import Egress

Start = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[int]]
MARKS = frozenset({mark("Ultram-X") or ""})
URLS = ["http://shop.pills.test/a", "https://pills.test/b?x=1"]


def answering(pages: dict[str, int], seen: list[web.Request] | None = None) -> Any:
    async def reply(request: web.Request) -> web.Response:
        if seen is not None:
            seen.append(request)
        return web.Response(status=pages[request.path], text="x" * 100_000)

    return reply


async def probe(start: Start, handler: Any, urls: list[str] = URLS, **options: Any) -> Any:
    port = await start(handler)
    return await ContentProbe(Egress.LOOPBACK, ("127.0.0.1", port), **options).content(Reported(urls))


@pytest.mark.parametrize(
    ("pages", "answer"),
    [
        ({"/a": 404, "/b": 410}, "gone"),
        ({"/a": 451, "/b": 451}, "inconclusive"),  # RFC 7725 §3: says nothing of whether the page exists
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
    assert [(r.host, r.path_qs) for r in seen] == [("shop.pills.test", "/a")] * 5 + [("pills.test", "/b?x=1")] * 5
    agents = [r.headers["User-Agent"] for r in seen[:5]]
    assert ["Mobile" in agent for agent in agents] == [False, True, False, False, False]
    assert ["Referer" in r.headers for r in seen[:5]] == [False, False, True, False, False]
    assert ["Googlebot" in agent for agent in agents] == [False, False, False, False, True]
    assert {vantage.name for vantage in VANTAGES} > NEEDED


@pytest.mark.parametrize(
    "sees", [lambda r: "Mobile" in r.headers["User-Agent"], lambda r: "Referer" in r.headers], ids=["mobile", "search"]
)
async def test_a_page_shown_to_one_kind_of_visitor_is_served(http_server: Start, sees: Any) -> None:
    async def cloak(request: web.Request) -> web.Response:
        return web.Response(status=200 if sees(request) else 404)

    found = await probe(http_server, cloak)
    assert (found.answer, found.cloaked) == ("served", True)


async def test_who_turns_robots_away_may_still_have_removed_the_page(http_server: Start) -> None:
    async def no_robots(request: web.Request) -> web.Response:
        return web.Response(status=403 if "bot" in request.headers["User-Agent"] else 404)

    assert (await probe(http_server, no_robots)).answer == "gone"


WARES = " ".join(f"order tramadol {n} from our catalogue without a script" for n in range(20))
SUSPENDED = "This account has been suspended. Please contact our billing department for more about it."


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (f"<p>{WARES}</p>", "served"),
        (f"<p>{SUSPENDED}</p>", "changed"),
        (f"<p>{SUSPENDED}</p><p>Buy Ultram-X here</p>", "served"),
        ("<title>Just a moment...</title><p>Verifying you are human.</p>", "inconclusive"),
        ("<script>window.location = 1</script>", "inconclusive"),
    ],
    ids=["the same", "another text", "another text that names the drug", "a challenge", "nothing to read"],
)
async def test_a_page_is_held_against_what_was_captured_there(http_server: Start, text: str, answer: str) -> None:
    async def reply(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    port = await http_server(reply)
    words = words_of(WARES)
    known = Reported(["http://pills.test/a"], {"http://pills.test/a": Known(len(words), sketch(words))}, MARKS)
    found = await ContentProbe(Egress.LOOPBACK, ("127.0.0.1", port)).content(known)
    assert (found.answer, found.cloaked) == (answer, False)


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
    assert (one.answer, one.detail) == ("inconclusive", "timeout x 5")
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
    found = await ContentProbe(Egress.LOOPBACK, ("127.0.0.1", 1)).content(Reported(URLS))
    assert found.answer == "inconclusive"


async def test_the_guard_stands_before_the_site(http_server: Start) -> None:
    seen: list[web.Request] = []
    port = await http_server(answering({"/a": 404}, seen))
    urls = [f"http://127.0.0.1:{port}/a", f"http://[::1]:{port}/a"]
    assert (await ContentProbe(Egress.PUBLIC).content(Reported(urls))).answer == "inconclusive"
    assert (
        await ContentProbe(Egress.PUBLIC, ("127.0.0.1", port)).content(Reported(["http://pills.test/a"]))
    ).answer == "inconclusive"
    assert (
        await ContentProbe(Egress.LOOPBACK, ("192.0.2.1", port)).content(Reported(["http://pills.test/a"]))
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
    found = await ContentProbe(Egress.LOOPBACK, resolver=resolver).content(Reported(["http://shop.pills.test/"]))
    assert found.answer == answer
