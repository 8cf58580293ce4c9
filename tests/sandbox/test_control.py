"""The control endpoint, the ports and the polling of a sandbox that stands alone."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from notifier.clock import SystemClock
from notifier.sandbox.app import Sandbox
from notifier.sandbox.config import Pace, Party, SandboxConfig


async def post(http: aiohttp.ClientSession, sandbox: Any, what: str, body: Any) -> tuple[int, Any]:
    async with http.post(f"http://127.0.0.1:{sandbox.http_port}/control/{what}", json=body) as reply:
        text = await reply.text()
        return reply.status, json.loads(text) if reply.status == 200 else text


async def get(http: aiohttp.ClientSession, sandbox: Any, what: str) -> Any:
    async with http.get(f"http://127.0.0.1:{sandbox.http_port}/control/{what}") as reply:
        assert reply.status == 200
        return await reply.json()


async def test_a_driver_elsewhere_can_do_all_by_http(
    start: Any, ways: Any, http: aiohttp.ClientSession, clock: Any
) -> None:
    sandbox = await start()
    assert await post(http, sandbox, "behaviour", {"domain": "RX-pills.com", "behaviour": "lie"}) == (
        200,
        {"behaviour": "lie"},
    )
    assert await get(http, sandbox, "due") == {"next_due": None}
    await ways.send(sandbox, "webhook", "rx-pills.com", "hold", "n-1")
    assert await get(http, sandbox, "due") == {"next_due": "2026-03-02T12:30:00+00:00"}
    assert await post(http, sandbox, "due", {}) == (200, {"steps": 0})
    assert await post(http, sandbox, "due", {"now": "2026-03-03T12:00:00+00:00"}) == (200, {"steps": 2})
    seen = await get(http, sandbox, "received")
    [received] = seen["received"]
    assert (received["notice_id"], received["domain"], received["measure"]) == ("n-1", "rx-pills.com", "hold")
    assert [sent["kind"] for sent in seen["sent"]] == ["acknowledged", "action_taken"]
    assert seen["by_key"] == {"msg_n-1": 1}
    assert sandbox.world.find("rx-pills.com").delegated


async def test_an_act_without_a_notice(start: Any, http: aiohttp.ClientSession) -> None:
    sandbox = await start()
    code, after = await post(http, sandbox, "act", {"domain": "films.org", "act": "hold"})
    assert (code, after["delegated"]) == (200, False)
    assert not sandbox.world.find("films.org").delegated


async def test_answers_can_be_dropped_and_the_notifier_named_later(
    start: Any, ways: Any, http: aiohttp.ClientSession, clock: Any, receiver: Any
) -> None:
    sandbox = await start(notifier_url=None, inbound_smtp=None)
    assert (await post(http, sandbox, "after-acceptance", {"channel": "webhook", "what": "drop"}))[0] == 200
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await ways.hooked(sandbox, ways.payload())
    body = {"notifier_url": receiver.url, "tokens": {"mailer": "late"}}
    assert (await post(http, sandbox, "connect", body))[0] == 200
    await sandbox.run_due(clock.forward(days=1))
    assert [answer["kind"] for answer in receiver.answers] == ["acknowledged", "action_taken"]


@pytest.mark.parametrize(
    ("what", "body", "code"),
    [
        ("behaviour", {"domain": "a.com", "behaviour": "nap"}, 422),
        ("behaviour", {"behaviour": "lie"}, 422),
        ("act", {"domain": "nobody.com", "act": "hold"}, 422),
        ("act", {"domain": "films.org", "act": "explode"}, 422),
        ("connect", {"notifier_url": "http://192.0.2.9"}, 422),
        ("after-acceptance", {"channel": "smtp", "what": "sing"}, 422),
        ("behaviour", [1], 400),
    ],
)
async def test_a_wrong_order_is_refused(
    start: Any, http: aiohttp.ClientSession, what: str, body: Any, code: int
) -> None:
    assert (await post(http, await start(), what, body))[0] == code


async def test_where_everything_is(start: Any, http: aiohttp.ClientSession) -> None:
    sandbox = await start()
    where = sandbox.where()
    assert where["smtp"] == ("127.0.0.1", sandbox.smtp_port)
    assert where["rdap"] == f"http://127.0.0.1:{sandbox.http_port}/rdap/"
    assert where["dns"] == ("127.0.0.1", sandbox.dns_port)
    assert where["site"] == ("127.0.0.1", sandbox.site_port)
    assert where["hooks"] == {"hooker": f"http://127.0.0.1:{sandbox.http_port}/hook/hooker"}
    assert len({sandbox.smtp_port, sandbox.http_port, sandbox.dns_port, sandbox.site_port}) == 4
    assert await get(http, sandbox, "where") == json.loads(json.dumps(where))


async def test_a_port_that_is_taken_leaves_nothing_open(start: Any, clock: Any) -> None:
    first = await start()
    second = Sandbox(SandboxConfig((), site_port=first.site_port), clock)
    with pytest.raises(OSError):
        await second.start()
    for port in (second.smtp.port, second.dns.port, second.http_port):
        assert port
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_sandbox_that_stands_alone_looks_at_the_clock_itself(ways: Any, receiver: Any) -> None:
    party = Party("hooker", "r", "webhook", secret=ways.signed.__globals__["SECRET"])
    at_once = Pace(acknowledge=timedelta(0), act=timedelta(0))
    config = SandboxConfig((party,), notifier_url=receiver.url, register_all=True, pace=at_once, poll=0.02)
    sandbox = Sandbox(config, SystemClock())
    await sandbox.start()
    try:
        await ways.hooked(sandbox, ways.payload("anything.shop"))
        async with asyncio.timeout(5):
            await sandbox.inbox.until(lambda inbox: len(inbox.sent) == 2)
        assert [answer["kind"] for answer in receiver.answers] == ["acknowledged", "action_taken"]
        held = sandbox.world.find("anything.shop")
        assert held is not None
        assert not held.delegated
    finally:
        await sandbox.stop()


async def test_what_really_happened_is_told_to_a_driver(start: Any, http: aiohttp.ClientSession, clock: Any) -> None:
    sandbox = await start()
    code, _ = await post(http, sandbox, "act", {"domain": "films.org", "act": "hold"})
    assert code == 200
    assert await get(http, sandbox, "acts") == [
        {"at": clock.at.isoformat(), "domain": "films.org", "act": "hold", "by": "registry"}
    ]
