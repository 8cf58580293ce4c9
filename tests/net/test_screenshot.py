"""Pictures by a real Chromium: what is drawn, what a page cannot reach, and that nothing is left running."""

import asyncio
import os
import shutil
import socket
import struct
import tempfile
import zlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from notifier.net.safe_http import Egress
from notifier.net.screenshot import Browser, Shot

Start = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[int]]

needs_chromium = pytest.mark.skipif(
    not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))) and os.environ.get("CI") != "true",
    reason="no Chromium here",
)


def first_pixel(png: bytes) -> tuple[int, int, tuple[int, ...]]:
    """Width, height and the colour of the first pixel (PNG, ISO 15948: 8 bits, RGB or RGBA, not interlaced)."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", png[16:29])
    assert (depth, colour in (2, 6)) == (8, True)
    data, at = b"", 8
    while at < len(png):
        (length,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    raw = zlib.decompress(data)
    return width, height, tuple(raw[1:4])  # every filter leaves the first pixel of the first row as it is


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pictures of this test alone, since others make theirs at the same time. Short: Chromium's socket is below it."""
    with tempfile.TemporaryDirectory(prefix="s-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield
        monkeypatch.undo()


def left_behind() -> list[str]:
    """Processes and folders of this test's pictures that are still there."""
    place = f"{tempfile.gettempdir()}/tn-page-"
    found = [str(p) for p in Path(tempfile.gettempdir()).glob("tn-page-*")]
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if place.encode() in entry.read_bytes():
                found.append(str(entry))
        except OSError:
            continue
    return found


async def shot(
    port: int, url: str = "http://page.example/", *, page_timeout: float = 10, total_timeout: float = 30
) -> Shot:
    browser = Browser(Egress.LOOPBACK, ("127.0.0.1", port), page_timeout=page_timeout, total_timeout=total_timeout)
    made = await browser.shot(url)
    assert left_behind() == []
    return made


def page(html: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html")

    return answer


@needs_chromium
async def test_what_the_page_draws_is_in_the_picture(http_server: Start) -> None:
    html = "<body style='margin:0'><script>document.body.style.background='rgb(7, 200, 90)'</script>"
    made = await shot(await http_server(page(html)), "https://page.example/x")
    assert (made.state, made.why, made.url) == ("made", "", "http://page.example/x")
    assert first_pixel(made.png or b"") == (1280, 900, (7, 200, 90))


@needs_chromium
async def test_a_page_reaches_nothing_outside(http_server: Start) -> None:
    reached: list[str] = []
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.setblocking(False)

    async def outside(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response(text="inside")

    other = await http_server(outside)
    tries = [f"http://127.0.0.1:{other}/img", f"http://localhost:{other}/", f"http://[::ffff:127.0.0.1]:{other}/"]
    html = f"""<body style='margin:0;background:#00f'><img src='file:///etc/passwd'><script>
      for (const u of {tries!r}.concat(['http://169.254.169.254/', 'https://1.1.1.1/', 'file:///etc/passwd'])) {{
        fetch(u, {{mode: 'no-cors'}}).catch(() => 0); new Image().src = u;
      }}
      try {{ new WebSocket('ws://127.0.0.1:{other}/ws') }} catch (e) {{}}
      const p = new RTCPeerConnection({{iceServers: [{{urls: 'stun:127.0.0.1:{udp.getsockname()[1]}'}}]}});
      p.createDataChannel('x'); p.createOffer().then(o => p.setLocalDescription(o));
      navigator.serviceWorker && navigator.serviceWorker.register('/w.js').catch(() => 0);
    </script>"""
    # In public mode all of this machine is outside; the page itself comes by the one address that the test opens.
    made = await shot(await http_server(page(html)))
    assert made.state == "made"
    assert reached == [], "with a site, every name is there and nowhere else"
    with pytest.raises(BlockingIOError):
        udp.recv(100)
    udp.close()


@needs_chromium
@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://169.254.169.254/"])
async def test_a_page_inside_is_no_page(http_server: Start, url: str) -> None:
    reached: list[str] = []

    async def inside(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response(text="secret")

    made = await Browser(Egress.PUBLIC).shot(url.format(port=await http_server(inside)))
    assert (made.state, made.png, reached) == ("failed", None, [])
    assert "blocked: " in made.why
    assert left_behind() == []


@needs_chromium
@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "chrome://version", "data:text/html,hi", "javascript:1", "about:blank"]
)
async def test_a_page_that_leads_elsewhere_gives_no_picture_of_it(http_server: Start, location: str) -> None:
    async def sends_on(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    made = await shot(await http_server(sends_on))
    assert (made.state, made.png) == ("failed", None)


@needs_chromium
@pytest.mark.parametrize(
    "script",
    [
        "while (true) alert(1)",
        "while (true) {}",
        "setInterval(() => window.open('/'), 1); for (let i = 0; i < 50; i++) window.open('/')",
        "document.write('<div style=height:9999999px>'.repeat(1000))",
        "setInterval(() => location.reload(), 1)",
        "for (let i = 0; i < 500; i++) fetch('/' + i)",
        "const a = document.createElement('a'); a.href = '/f'; a.download = 'x.exe'; a.click()",
    ],
)
async def test_a_hostile_page_ends_in_time(http_server: Start, script: str) -> None:
    port = await http_server(page(f"<body>x<script>{script}</script>"))
    async with asyncio.timeout(40):
        made = await shot(port, page_timeout=3, total_timeout=15)
    assert made.state in ("made", "failed")


@needs_chromium
async def test_an_endless_page_is_pictured_as_far_as_it_came(http_server: Start) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/html"})
        await answer.prepare(request)
        await answer.write(b"<body style='margin:0;background:#f00'>" + b"<p>x" * 1000)
        while True:
            await answer.write(b" y")
            await asyncio.sleep(0.05)

    made = await shot(await http_server(endless), page_timeout=3, total_timeout=20)
    assert made.state in ("made", "failed")
    if made.state == "made":
        assert made.why == "the page had not loaded fully"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "chrome://version", "javascript:1", ""])
async def test_only_web_addresses_are_opened(url: str) -> None:
    made = await Browser(Egress.LOOPBACK, executable=shutil.which("true")).shot(url)
    assert (made.state, made.why) == ("failed", "no http or https address")


async def test_without_a_browser_there_is_no_picture_and_it_says_what_to_do(tmp_path: Path) -> None:
    made = await Browser(Egress.LOOPBACK, executable=str(tmp_path / "none")).shot("http://a.example/")
    assert (made.state, made.why) == ("unavailable", "install Chromium, such as the package chromium")
