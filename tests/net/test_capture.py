"""Captures against real servers: each visitor's way, the caps, and the WARC read back."""

import asyncio
import gzip
import hashlib
import io
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from warcio.archiveiterator import ArchiveIterator

from notifier.net.capture import MAX_BODY, Capturer, Visit
from notifier.net.safe_http import Egress
from notifier.net.visitors import DESKTOP, VISITORS
from notifier.net.warc import archive

AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
Start = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[int]]


async def captured(port: int, url: str = "http://shop.example/", **options: Any) -> list[Visit]:
    return await Capturer(Egress.LOOPBACK, ("127.0.0.1", port), **options).page(url)


async def test_each_visitor_is_told_apart_and_comes_with_nothing_of_another(http_server: Start) -> None:
    asked = []

    async def page(request: web.Request) -> web.Response:
        asked.append((request.headers.get("User-Agent"), request.headers.get("Referer"), request.headers.get("Cookie")))
        return web.Response(text="hello", headers={"Set-Cookie": "who=me"})

    visits = await captured(await http_server(page))
    assert [v.visitor.name for v in visits] == ["desktop", "mobile", "search", "language", "crawler", "desktop_again"]
    assert asked == [(v.headers["User-Agent"], v.headers.get("Referer"), None) for v in VISITORS]
    assert {v.why for v in visits} == {"answered"}
    assert {e.address for v in visits for e in v.exchanges} == {"127.0.0.1"}


async def test_redirects_are_followed_also_off_the_site(http_server: Start) -> None:
    async def page(request: web.Request) -> web.Response:
        if request.host.startswith("shop."):
            raise web.HTTPFound("http://other.example/ware?q=1")
        return web.Response(text=f"at {request.host}")

    visit = (await captured(await http_server(page)))[0]
    assert [(e.url, e.status) for e in visit.exchanges] == [
        ("http://shop.example/", 302),
        ("http://other.example/ware?q=1", 200),
    ]
    assert visit.html() == "at other.example"


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://shop.example/", "redirects in a circle"),
        ("file:///etc/passwd", "sent on to no http or https address"),
        ("http://user@inside.example/", "sent on to no http or https address"),
        ("", "redirects in a circle"),
        ("http://[", "sent on to no http or https address"),
    ],
)
async def test_ways_that_lead_nowhere(http_server: Start, location: str, why: str) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    for visit in await captured(await http_server(page)):
        assert (visit.why, visit.last, visit.html()) == (why, None, "")


async def test_an_endless_row_of_redirects(http_server: Start) -> None:
    async def page(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"/{int(request.path.strip('/') or 0) + 1}")

    assert (await captured(await http_server(page)))[0].why == "more than 5 redirects"


async def test_a_redirect_inside_is_blocked_where_the_socket_is_made(http_server: Start) -> None:
    # In public mode the server on this machine is what must not be reached, by its address or any spelling of it.
    async def never(_: web.Request) -> web.Response:
        raise AssertionError("reached")

    port = await http_server(never)
    for url in (f"http://127.0.0.1:{port}/", f"http://[::ffff:127.0.0.1]:{port}/", f"http://2130706433:{port}/"):
        (visit,) = await Capturer(Egress.PUBLIC).page(url, [DESKTOP])
        assert visit.exchanges == ()
        assert visit.why != "answered"


async def test_a_body_is_cut_and_the_cut_is_told(http_server: Start) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:  # never ends by itself
            await answer.write(b"x" * 65_536)

    visit = (await captured(await http_server(page)))[0]
    assert visit.last is not None
    assert (len(visit.last.body), visit.last.cut) == (MAX_BODY, True)


async def test_a_bomb_costs_no_more_than_the_cap(http_server: Start) -> None:
    bomb = gzip.compress(bytes(500_000_000), 9)

    async def page(request: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "text/html"})

    visit = (await captured(await http_server(page)))[0]
    assert len(visit.html()) == MAX_BODY


@pytest.mark.parametrize(
    ("body", "headers", "read"),
    [
        (gzip.compress(b"packed", mtime=0), {"Content-Encoding": "gzip"}, "packed"),
        (zlib.compress(b"packed"), {"Content-Encoding": "deflate"}, "packed"),
        (b"not gzip", {"Content-Encoding": "gzip"}, ""),
        (b"secret", {"Content-Encoding": "br"}, ""),
        ("größer".encode("latin-1"), {"Content-Type": "text/html; charset=ISO-8859-1"}, "größer"),
        (b"plain", {"Content-Type": "text/html; charset=no-such"}, "plain"),
        (b"cHdu", {"Content-Type": "text/html; charset=base64"}, "cHdu"),
        (b"\x89PNG", {"Content-Type": "image/png"}, ""),
        (b"\xff\xfe", {"Content-Type": "text/html"}, "\ufffd\ufffd"),
    ],
)
async def test_what_is_read_of_a_body(http_server: Start, body: bytes, headers: dict[str, str], read: str) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": "text/html", **headers})

    assert (await captured(await http_server(page)))[0].html() == read


async def test_a_silent_server_ends_in_time_and_is_no_statement(http_server: Start) -> None:
    async def page(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    visits = await captured(await http_server(page), visit_timeout=0.2, total_timeout=0.5)
    assert {(v.why, v.last) for v in visits} == {("not finished in time", None)}
    assert len(visits) == len(VISITORS)


async def test_a_server_that_breaks_off(http_server: Start) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b"some")
        assert request.transport is not None
        request.transport.abort()
        return answer

    visit = (await captured(await http_server(page)))[0]
    assert (visit.last, visit.why.startswith("no answer")) == (None, True)


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "http://", "http://[", "javascript:alert(1)", "", "http://u:p@a.example/"]
)
async def test_what_is_no_address_is_not_asked(url: str) -> None:
    (visit,) = await Capturer(Egress.LOOPBACK).page(url, [DESKTOP])
    assert (visit.exchanges, visit.why) == ((), "no http or https address")


# --- WARC ---------------------------------------------------------------------------------------------------------


async def test_the_archive_is_a_standard_warc_that_others_read(http_server: Start, tmp_path: Path) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        if request.path == "/":
            raise web.HTTPFound("/größe?x=1\u00e9", headers={"X-Note": "caf\u00e9"})
        answer = web.StreamResponse(headers={"Content-Type": "text/html"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        await answer.write(b"<p>one ")
        await answer.write(b"two\r\n\r\nWARC/1.1\r\n")  # a body cannot end its record
        return answer

    visits = await captured(await http_server(page))
    made = archive("http://shop.example/", visits, AT, "Test Office\r\nInjected: yes")
    path = tmp_path / "x.warc.gz"
    path.write_bytes(made)
    check = [sys.executable, "-m", "warcio.cli", "check", str(path)]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0
    records = [
        (r.rec_type, r.rec_headers.get_header("WARC-Target-URI"), r.rec_headers, r.content_stream().read())
        for r in ArchiveIterator(io.BytesIO(made))
    ]
    kinds = [kind for kind, *_ in records]
    assert kinds[0] == "warcinfo"
    assert (kinds.count("response"), kinds.count("request"), kinds.count("metadata")) == (12, 12, 6)
    assert b"\r\nInjected" not in records[0][3]
    last = [r for r in records if r[0] == "response"][1]
    assert last[3] == b"<p>one two\r\n\r\nWARC/1.1\r\n"
    assert last[2].get_header("WARC-IP-Address") == "127.0.0.1"
    assert last[2].get_header("WARC-Date").startswith("2026-11-25T12:00:0")
    assert [r[3].decode() for r in records if r[0] == "metadata"][2].startswith("visitor: search\r\n")


async def test_a_visit_without_an_answer_is_in_the_archive_too() -> None:
    visits = await Capturer(Egress.LOOPBACK, ("127.0.0.1", 9)).page("http://shop.example/", [DESKTOP])
    made = archive("http://shop.example/", visits, AT, "Test Office")
    (told,) = [r.content_stream().read() for r in ArchiveIterator(io.BytesIO(made)) if r.rec_type == "metadata"]
    assert b"ended: no answer" in told


# --- icons --------------------------------------------------------------------------------------------------------

ICON = b"\x00\x00\x01\x00" + b"i" * 64


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (ICON, {}, hashlib.sha256(ICON).hexdigest()),
        (gzip.compress(ICON, mtime=0), {"Content-Encoding": "gzip"}, hashlib.sha256(ICON).hexdigest()),
        (b"<!doctype html>there is none", {}, None),  # 200 all the same
        (ICON + b"x" * 3_000_000, {}, None),  # as much as a page, and no icon any more
        (gzip.compress(ICON + b"\0" * 50_000_000, mtime=0), {"Content-Encoding": "gzip"}, None),
        (b"", {}, None),
    ],
)
async def test_icons(http_server: Start, body: bytes, headers: dict[str, str], expected: str | None) -> None:
    async def page(request: web.Request) -> web.Response:
        if request.path == "/favicon.ico":
            return web.Response(body=body, headers=headers)
        return web.Response(text="<p>shop</p>", content_type="text/html")

    capturer = Capturer(Egress.LOOPBACK, ("127.0.0.1", await http_server(page)))
    (visit,) = await capturer.page("http://shop.example/", [DESKTOP])
    assert await capturer.icon(visit) == expected


@pytest.mark.parametrize(
    "where", ["http://elsewhere.example/i.ico", "//elsewhere.example/i.ico", "javascript:x", "http://["]
)
async def test_an_icon_elsewhere_is_not_asked_for(http_server: Start, where: str) -> None:
    asked = []

    async def page(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text=f'<link rel="icon" href="{where}">', content_type="text/html")

    capturer = Capturer(Egress.LOOPBACK, ("127.0.0.1", await http_server(page)))
    (visit,) = await capturer.page("http://shop.example/", [DESKTOP])
    assert await capturer.icon(visit) is None
    assert asked == ["/"]
