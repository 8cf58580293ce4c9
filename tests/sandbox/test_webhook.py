"""The webhook endpoint, driven by a real client: signature, repetition, throttling, lost answers."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest


async def test_a_signed_delivery_is_taken_once_however_often_it_comes(start: Any, ways: Any) -> None:
    sandbox = await start()
    codes = [(await ways.hooked(sandbox, ways.payload()))[0] for _ in range(3)]
    assert codes == [202, 202, 202]
    assert sandbox.inbox.by_key == {"msg_1": 3}
    due = sandbox.next_due()
    assert due is not None
    assert await sandbox.run_due(due + timedelta(days=9)) == 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("other secret", 401),
        ("other id", 401),
        ("changed body", 401),
        ("old", 401),
        ("no signature", 401),
        ("garbled signature", 401),
        ("not json", 400),
        ("not an object", 400),
        ("no notice id", 400),
        ("other party", 404),
    ],
)
async def test_what_is_not_a_good_delivery_is_turned_away(
    start: Any, ways: Any, http: aiohttp.ClientSession, fault: str, code: int
) -> None:
    sandbox = await start()
    raw = {"not json": "{", "not an object": "[1]", "no notice id": "{}"}.get(fault, json.dumps(ways.payload()))
    headers = ways.signed(raw, "msg_1")
    match fault:
        case "other secret":
            headers = ways.signed(raw, "msg_1", "whsec_" + "b3RoZXIgc2VjcmV0IG9mIGFub3RoZXIgcGFydHk=")
        case "other id":
            headers["webhook-id"] = "msg_2"
        case "changed body":
            raw = raw.replace("rx-pills.com", "ry-pills.com")
        case "old":
            headers = ways.signed(raw, "msg_1", at=datetime.now(UTC) - timedelta(minutes=6))
        case "no signature":
            del headers["webhook-signature"]
        case "garbled signature":
            headers["webhook-signature"] = "v1"
    party = "nobody" if fault == "other party" else "hooker"
    url = f"http://127.0.0.1:{sandbox.http_port}/hook/{party}"
    async with http.post(url, data=raw, headers=headers) as reply:
        assert reply.status == code
    assert sandbox.inbox.received == []
    assert sandbox.next_due() is None


async def test_bounce_is_410_and_nothing_is_kept(start: Any, ways: Any) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "bounce"})
    assert (await ways.hooked(sandbox, ways.payload()))[0] == 410
    assert sandbox.inbox.received == []


async def test_a_throttled_one_gets_retry_after_and_is_taken_next_time(start: Any, ways: Any) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "throttle_then_obey"})
    code, headers = await ways.hooked(sandbox, ways.payload())
    assert (code, headers["Retry-After"]) == (429, "2")
    assert sandbox.inbox.received == []
    assert (await ways.hooked(sandbox, ways.payload()))[0] == 202
    assert sandbox.inbox.by_key == {"msg_1": 1}


async def test_a_swallowed_one_is_kept_and_the_connection_ends_without_a_reply(start: Any, ways: Any) -> None:
    sandbox = await start()
    sandbox.webhook.after_acceptance.drop()
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await ways.hooked(sandbox, ways.payload())
    assert sandbox.inbox.by_key == {"msg_1": 1}
    assert (await ways.hooked(sandbox, ways.payload()))[0] == 202
    assert sandbox.inbox.by_key == {"msg_1": 2}


async def test_a_stalled_one_is_kept_while_the_client_still_waits(start: Any, ways: Any) -> None:
    sandbox = await start()
    sandbox.webhook.after_acceptance.stall()
    sending = asyncio.create_task(ways.hooked(sandbox, ways.payload()))
    async with asyncio.timeout(5):
        await sandbox.inbox.until(lambda inbox: len(inbox.received) == 1)
    assert not sending.done()
    sandbox.webhook.after_acceptance.release()
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await sending
