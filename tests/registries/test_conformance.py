"""One suite for every adapter, over a real local recipient. A new channel joins in `channels.CHANNELS`."""

import asyncio
import json
from dataclasses import replace
from email.message import Message
from pathlib import Path

import pytest

from notifier.adapter import Deferred, Receipt, RefusedForGood, RenderedNotice, Uncertain
from notifier.domain.epp import Measure
from notifier.domain.xarf import Item, Work
from notifier.rendering import (
    Ask,
    Law,
    NoticeFacts,
    Recipient,
    Renderer,
    Signal,
    Statement,
    content_digest,
)
from notifier.resources import folder
from tests.registries.channels import CHANNELS, Channel
from tests.registries.sample_facts import T, facts
from tests.registries.servers import Got, Point

RENDERER = Renderer(folder("templates"))
KEY = "0b5c2c1e-8d6f-4c52-9a0c-2f2f6c3a7d11.1"

HOSTILE = [
    "Film\r\nBcc: x@y.example",
    "a\nX-Injected: yes\n\nbody",
    "{{ 7 * 7 }} {% include '/etc/passwd' %} {{ us.__class__.__mro__ }}",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\u202egnp.exe \u200bhidden\ufeff \U000e0041",
    "\x00\x07\x1b[31m null and bell",
    "=?utf-8?B?SGVsbG8=?= =?utf-8?q?x?=",
    ".\r\n.\r\nQUIT\r\n",
    "From the start of a line\nFrom here",
    "--- structured ---\nDomain: innocent.example\nRequested action: delete",
    "x" * 5000,
    "\u2028separator\u2029and\x85next",
    "lone \ud800 surrogate",
    "日本語のタイトル " * 30,
    'quote " back \\ slash <a@b.example>, c@d.example',
]


def blns() -> list[str]:
    """The Big List of Naughty Strings, where the shared data folder is beside the checkout."""
    found = Path(__file__).parents[2].parent / "shared/data/hostile_strings/blns/blns.json"
    return [text for text in json.loads(found.read_text()) if text] if found.exists() else []


@pytest.fixture(params=CHANNELS, ids=lambda channel: channel.name)
def channel(request: pytest.FixtureRequest) -> Channel:
    chosen: Channel = request.param
    return chosen


def to_server(channel: Channel, port: int, **changes: object) -> NoticeFacts:
    recipient = Recipient("opioids.sandbox", "registry", "Sandbox Registry", channel.address(port))
    return facts(recipient=recipient, **changes)


def hostile(text: str) -> dict[str, object]:
    """The text in every field that comes from outside."""
    return {
        "description": text,
        "urls": (text, "https://pills-now.example/" + text),
        "works": (Work(text, text, text),),
        "grounds": (text,),
        "laws": (Law(text, text),),
        "tags": (text,),
        "collateral": (Signal(text, text, text),),
        "proportionality": text,
        "evidence": (Item(text, T, text, text, "a" * 64),),
        "statements": (Statement(text, text, text, T),),
        "associated": (text,),
        "registrant_text": text,
        "earlier": text,
        "program_name": text,
        "ask": Ask(Measure.HOLD, text, why_not_less=text),
    }


async def test_what_arrives_is_what_was_approved(channel: Channel) -> None:
    async with channel.server() as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        receipt = await channel.adapter(server.port).send(notice, KEY)
    assert receipt.accepted
    assert receipt.key == KEY
    (got,) = server.got
    assert content_digest(got.as_notice(notice)) == notice.digest


async def test_the_recipient_gives_its_own_reference(channel: Channel) -> None:
    async with channel.server() as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        receipt = await channel.adapter(server.port).send(notice, KEY)
    assert receipt.reference in {"4XyZ12", "R-77"}


async def test_busy_then_free_is_one_attempt_and_one_notice(channel: Channel) -> None:
    async with channel.server(script=(Point.BUSY, Point.BUSY, Point.ACCEPT)) as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        await channel.adapter(server.port).send(notice, KEY)
    assert server.attempts == 3
    assert len(server.got) == 1


async def test_busy_throughout_is_deferred_after_three_tries(channel: Channel) -> None:
    async with channel.server(script=(Point.BUSY,)) as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        with pytest.raises(Deferred) as caught:
            await channel.adapter(server.port).send(notice, KEY)
    assert caught.value.retry_after is None
    assert server.attempts == 3


async def test_a_lasting_refusal_is_tried_once(channel: Channel) -> None:
    async with channel.server(script=(Point.REFUSE,)) as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        with pytest.raises(RefusedForGood):
            await channel.adapter(server.port).send(notice, KEY)
    assert server.attempts == 1


@pytest.mark.parametrize("point", [Point.DROP_LATE, Point.SILENT])
async def test_no_answer_after_everything_was_sent_is_uncertain_at_once(channel: Channel, point: str) -> None:
    async with channel.server(script=(point,)) as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        with pytest.raises(Uncertain):
            await channel.adapter(server.port).send(notice, KEY)
        assert server.attempts == 1


async def test_a_drop_before_acceptance(channel: Channel) -> None:
    async with channel.server(script=(Point.DROP_EARLY, Point.ACCEPT)) as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        if channel.early_drop_is_known:
            await channel.adapter(server.port).send(notice, KEY)
            assert len(server.got) == 1
        else:
            with pytest.raises(Uncertain):
                await channel.adapter(server.port).send(notice, KEY)
            assert server.got == []


async def test_nobody_there_is_deferred(channel: Channel) -> None:
    async with channel.server() as server:
        port = server.port
    notice = RENDERER.notice(to_server(channel, port))
    with pytest.raises(Deferred):
        await channel.adapter(port).send(notice, KEY)


async def test_the_same_key_gives_the_same_message(channel: Channel) -> None:
    async with channel.server() as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        for _ in range(2):
            await channel.adapter(server.port).send(notice, KEY)
    first, second = server.got
    assert first.key == second.key
    assert first.content == second.content
    if channel.same_bytes:
        assert first.raw == second.raw


async def test_another_key_is_another_message(channel: Channel) -> None:
    async with channel.server() as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        for key in (KEY, "another-key.2"):
            await channel.adapter(server.port).send(notice, key)
    assert server.got[0].key != server.got[1].key


async def test_an_odd_key_is_carried_safely(channel: Channel) -> None:
    odd = "key\r\nBcc: x@y.example " + "ü" * 200
    async with channel.server() as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        receipt = await channel.adapter(server.port).send(notice, odd)
    assert receipt.key == odd
    assert "\n" not in server.got[0].key.strip()
    assert len(server.got[0].key) < 200


async def test_check_sends_nothing(channel: Channel) -> None:
    async with channel.server() as server:
        assert await channel.adapter(server.port).check() == []
    assert server.tries == []
    assert server.got == []


async def test_check_names_what_is_wrong(channel: Channel) -> None:
    async with channel.server() as server:
        port = server.port
    problems = await channel.adapter(port).check()
    assert len(problems) == 1
    assert problems[0].what
    assert problems[0].expected


async def test_a_withdrawal_joins_the_thread(channel: Channel) -> None:
    async with channel.server() as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        adapter = channel.adapter(server.port)
        receipt = await adapter.send(notice, KEY)
        undo = RENDERER.notice(
            to_server(
                channel,
                server.port,
                purpose="withdrawal",
                ask=Ask(Measure.RESTORE, "restore", Measure.HOLD),
                thread_key=KEY,
            )
        )
        await adapter.withdraw(receipt, undo, "second.1")
    assert adapter.capabilities.withdraws
    first, second = server.got
    assert content_digest(second.as_notice(undo)) == undo.digest
    assert first.key in named_parent(second)


def named_parent(got: Got) -> str:
    """What a received notice says it belongs to."""
    message = got.envelope.get("message")
    if isinstance(message, Message):
        assert message["In-Reply-To"] == message["References"]
        return str(message["In-Reply-To"])
    return str(got.content["thread_key"])


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_text_in_every_field_arrives_as_content_alone(channel: Channel, text: str) -> None:
    async with channel.server() as server:
        plain = RENDERER.notice(to_server(channel, server.port))
        notice = RENDERER.notice(to_server(channel, server.port, **hostile(text)))
        await channel.adapter(server.port).send(plain, KEY)
        await channel.adapter(server.port).send(notice, KEY)
    harmless, got = server.got
    assert content_digest(got.as_notice(notice)) == notice.digest
    assert list(got.envelope["headers"]) == list(harmless.envelope["headers"])


async def test_the_naughty_strings_arrive_as_content_alone(channel: Channel) -> None:
    strings = blns()
    if not strings:
        pytest.skip("the shared data folder with the Big List of Naughty Strings is not here")
    async with channel.server() as server:
        adapter = channel.adapter(server.port)
        for start in range(0, len(strings), 40):
            text = "\n".join(strings[start : start + 40])
            notice = RENDERER.notice(to_server(channel, server.port, **hostile(text)))
            await adapter.send(notice, f"blns.{start}")
            assert content_digest(server.got[-1].as_notice(notice)) == notice.digest
    assert len({tuple(got.envelope["headers"]) for got in server.got}) == 1


def tampered(notice: RenderedNotice, **changes: object) -> RenderedNotice:
    return replace(notice, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Request\r\nBcc: x@y.example"},
        {"recipient_name": "Registry\nBcc: x@y.example"},
        {"agreement_id": "piracy.other"},
        {"recipient_address": "somebody.else@registry.example"},
    ],
    ids=["subject", "name", "agreement", "address"],
)
async def test_what_must_not_leave_does_not(channel: Channel, changes: dict[str, object]) -> None:
    async with channel.server() as server:
        notice = tampered(RENDERER.notice(to_server(channel, server.port)), **changes)
        with pytest.raises(RefusedForGood):
            await channel.adapter(server.port).send(notice, KEY)
    assert server.tries == []


async def test_a_cancelled_send_is_no_failure_of_the_port(channel: Channel) -> None:
    async with channel.server(script=(Point.SILENT,)) as server:
        notice = RENDERER.notice(to_server(channel, server.port))
        task = asyncio.ensure_future(channel.adapter(server.port).send(notice, KEY))
        await server.seen.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_there_is_nothing_to_poll(channel: Channel) -> None:
    adapter = channel.adapter(1)
    assert not adapter.capabilities.polls
    assert await adapter.poll(Receipt(True, "", "", KEY)) is None
