"""The hosts' sites, asked by Host header."""

from typing import Any

import aiohttp
import pytest

from notifier.sandbox.site_server import Cloak
from notifier.sandbox.world import Act


async def visit(http: aiohttp.ClientSession, sandbox: Any, host: str, **headers: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{sandbox.site_port}/tramadol"
    async with http.get(url, headers={"Host": host, **headers}) as reply:
        return reply.status, await reply.text()


@pytest.mark.parametrize("host", ["rx-pills.com", "www.rx-pills.com", "RX-pills.com", "rx-pills.com:8080"])
async def test_a_live_host_serves_its_content(start: Any, http: aiohttp.ClientSession, host: str) -> None:
    code, text = await visit(http, await start(), host)
    assert code == 200
    assert "rx-pills.com" in text
    assert "/tramadol" in text


@pytest.mark.parametrize(
    ("act", "code"), [(Act.REMOVE_CONTENT, 410), (Act.HOLD, 404), (Act.LOCK, 200), (Act.PURGE, 404)]
)
async def test_after_an_act(start: Any, http: aiohttp.ClientSession, clock: Any, act: Act, code: int) -> None:
    sandbox = await start()
    sandbox.world.do(act, "rx-pills.com", clock.at, "host")
    assert (await visit(http, sandbox, "rx-pills.com"))[0] == code
    assert (await visit(http, sandbox, "films.org"))[0] == 200


@pytest.mark.parametrize("host", ["nobody.com", "127.0.0.1", "localhost", "com"])
async def test_an_unknown_host_is_404(start: Any, http: aiohttp.ClientSession, host: str) -> None:
    assert (await visit(http, await start(), host))[0] == 404


async def test_a_cloak_shows_the_content_to_its_own_visitors_only(start: Any, http: aiohttp.ClientSession) -> None:
    sandbox = await start()
    sandbox.site.cloaks["rx-pills.com"] = Cloak(user_agents=("Mobile",), referrers=("search.example",))
    for headers, code in (
        ({"User-Agent": "Notifier"}, 410),
        ({"User-Agent": "Phone Mobile/1"}, 200),
        ({"User-Agent": "Notifier", "Referer": "https://search.example/?q=pills"}, 200),
    ):
        assert (await visit(http, sandbox, "rx-pills.com", **headers))[0] == code
