"""What is particular to webhooks: signatures, statuses, Retry-After, and what an answer must look like."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from notifier import bootstrap
from notifier.adapter import AgreementChannel, Deferred, Inbound, Message, RefusedForGood, Uncertain
from notifier.catalog import load_catalog
from notifier.domain.epp import Measure
from notifier.errors import Invalid, Unauthenticated
from notifier.net.safe_http import Egress, guarded_session
from notifier.rendering import Recipient, Renderer
from notifier.resources import folder
from notifier.services.channels import Channel, names_of_secrets
from notifier.settings import load_settings
from registries import http_post, webhook
from tests.registries.channels import deps, hook_url
from tests.registries.sample_facts import TOKEN, T, facts
from tests.registries.servers import SECRET, HookServer

RENDERER = Renderer(folder("templates"))
OTHER = "whsec_" + "b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldC1vdGhlcg=="
KEY = "notice.1"
# Published example of the Standard Webhooks specification and its reference libraries.
SPEC_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SPEC_HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
SPEC_BODY = b'{"test": 2432232314}'
SPEC_TIME = datetime.fromtimestamp(1614265330, UTC)


def adapter(port: int, **changes: Any) -> webhook.WebhookAdapter:
    channel = AgreementChannel(
        "opioids.sandbox", "webhook", {"url": hook_url(port), "secret": "hook"}, "Sandbox Registry"
    )
    return webhook.build(channel, deps(**changes))


def notice(port: int) -> Any:
    return RENDERER.notice(facts(recipient=Recipient("opioids.sandbox", "registry", "Sandbox", hook_url(port))))


@pytest.mark.parametrize(
    ("status", "headers", "failure", "retry_after", "tries"),
    [
        (429, {}, Deferred, None, 3),
        (429, {"Retry-After": "120"}, Deferred, 120.0, 1),
        (502, {}, Deferred, None, 3),
        (503, {"Retry-After": "0"}, Deferred, 0.0, 1),
        (504, {"Retry-After": "soon"}, Deferred, None, 3),
        (410, {}, RefusedForGood, None, 1),
        (400, {}, RefusedForGood, None, 1),
        (401, {}, RefusedForGood, None, 1),
        (422, {}, RefusedForGood, None, 1),
        (301, {"Location": "/hook2"}, RefusedForGood, None, 1),
        (307, {"Location": "/hook2"}, RefusedForGood, None, 1),
        (304, {}, RefusedForGood, None, 1),
        (500, {}, Uncertain, None, 1),
        (507, {}, Uncertain, None, 1),
    ],
)
async def test_a_status_that_is_no_acceptance(
    status: int, headers: dict[str, str], failure: type[Exception], retry_after: float | None, tries: int
) -> None:
    async with HookServer(answer=(status, headers)) as server:
        with pytest.raises(failure, match=str(status)) as caught:
            await adapter(server.port).send(notice(server.port), KEY)
    assert getattr(caught.value, "retry_after", None) == retry_after
    assert server.attempts == tries
    assert set(server.tries) == {KEY}


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_acceptance(status: int) -> None:
    async with HookServer(answer=(status, {})) as server:
        receipt = await adapter(server.port).send(notice(server.port), KEY)
    assert receipt.accepted
    assert receipt.detail == f"HTTP {status}"


async def test_the_event() -> None:
    async with HookServer() as server:
        made = notice(server.port)
        await adapter(server.port).send(made, KEY)
    event = json.loads(server.got[0].raw)
    assert event["type"] == "notice.request"
    assert event["timestamp"] == "2026-11-25T14:30:00+00:00"
    assert event["data"]["measure"] == "hold"
    assert event["data"]["digest"] == made.digest
    assert event["data"]["reply_token"] == TOKEN
    assert event["data"]["xarf"]["source_identifier"] == "pills-now.example"


async def test_both_keys_sign_while_one_is_rotated() -> None:
    async with HookServer() as server:
        both = {"hook": f"{OTHER} {SECRET}"}.get
        await adapter(server.port, secret=both).send(notice(server.port), KEY)
    assert len(server.got) == 1


@pytest.mark.parametrize("secret", [None, "", "whsec_not base64 at all!"])
async def test_without_a_usable_secret_nothing_leaves_and_nothing_is_lost(secret: str | None) -> None:
    async with HookServer() as server:
        one = adapter(server.port, secret={"hook": secret}.get)
        with pytest.raises(Deferred, match="hook"):
            await one.send(notice(server.port), KEY)
        assert len(await one.check()) == 1
    assert server.tries == []


async def test_the_egress_rule_is_kept() -> None:
    async with HookServer() as server:
        public = partial(guarded_session, Egress.PUBLIC, total_timeout=5)
        with pytest.raises(Deferred, match="egress"):
            await adapter(server.port, session=public).send(notice(server.port), KEY)
        assert len(await adapter(server.port, session=public).check()) == 1
        assert server.tries == []
        loopback = partial(guarded_session, Egress.LOOPBACK, total_timeout=5)
        await adapter(server.port, session=loopback).send(notice(server.port), KEY)
    assert len(server.got) == 1


@pytest.mark.parametrize("address", [{}, {"url": "ftp://a.example", "secret": "hook"}, {"url": "https://a.example/h"}])
def test_an_address_that_cannot_be_used_is_named_at_once(address: dict[str, str]) -> None:
    with pytest.raises(Invalid, match=r"opioids\.sandbox"):
        webhook.build(AgreementChannel("opioids.sandbox", "webhook", address, "Sandbox"), deps())


# ---- Retry-After


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("90", 90.0),
        ("Wed, 25 Nov 2026 14:32:00 GMT", 120.0),
        ("Wed, 25 Nov 2026 14:00:00 GMT", 0.0),
        ("-5", None),
        ("²", None),
        ("9" * 400, 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("in a while", None),
        ("", None),
    ],
)
def test_retry_after(value: str | None, expected: float | None) -> None:
    assert http_post.retry_after(value, T) == expected


# ---- inbound


def test_the_specification_s_own_example_verifies() -> None:
    webhook.verify(SPEC_HEADERS, SPEC_BODY, [SPEC_SECRET], SPEC_TIME)


@pytest.mark.parametrize(
    ("changes", "body", "secrets", "off"),
    [
        ({}, SPEC_BODY + b" ", [SPEC_SECRET], 0),
        ({"webhook-id": "msg_other"}, SPEC_BODY, [SPEC_SECRET], 0),
        ({"webhook-timestamp": "1614265331"}, SPEC_BODY, [SPEC_SECRET], 0),
        ({"webhook-timestamp": "now"}, SPEC_BODY, [SPEC_SECRET], 0),
        ({"webhook-timestamp": "9" * 40}, SPEC_BODY, [SPEC_SECRET], 0),
        ({"webhook-signature": "v1,AAAA"}, SPEC_BODY, [SPEC_SECRET], 0),
        ({"webhook-signature": "nonsense"}, SPEC_BODY, [SPEC_SECRET], 0),
        ({"webhook-signature": "v2," + SPEC_HEADERS["webhook-signature"][3:]}, SPEC_BODY, [SPEC_SECRET], 0),
        ({"webhook-signature": "ü"}, SPEC_BODY, [SPEC_SECRET], 0),
        ({"webhook-signature": ""}, SPEC_BODY, [SPEC_SECRET], 0),
        ({}, b"\xff\xfe", [SPEC_SECRET], 0),
        ({}, SPEC_BODY, [OTHER], 0),
        ({}, SPEC_BODY, [], 0),
        ({}, SPEC_BODY, [SPEC_SECRET], 301),
        ({}, SPEC_BODY, [SPEC_SECRET], -301),
    ],
)
def test_anything_altered_is_refused(changes: dict[str, str], body: bytes, secrets: list[str], off: int) -> None:
    with pytest.raises(Unauthenticated):
        webhook.verify(SPEC_HEADERS | changes, body, secrets, SPEC_TIME + timedelta(seconds=off))


@pytest.mark.parametrize("missing", sorted(SPEC_HEADERS))
def test_each_header_is_needed(missing: str) -> None:
    headers = {name: value for name, value in SPEC_HEADERS.items() if name != missing}
    with pytest.raises(Unauthenticated):
        webhook.verify(headers, SPEC_BODY, [SPEC_SECRET], SPEC_TIME)


@pytest.mark.parametrize("off", [300, -300, 0])
def test_five_minutes_either_way_are_tolerated(off: int) -> None:
    webhook.verify(SPEC_HEADERS, SPEC_BODY, [SPEC_SECRET], SPEC_TIME + timedelta(seconds=off))


def test_rotation_either_side() -> None:
    webhook.verify(SPEC_HEADERS, SPEC_BODY, [OTHER, SPEC_SECRET], SPEC_TIME)
    old = Webhook(OTHER).sign(SPEC_HEADERS["webhook-id"], SPEC_TIME, SPEC_BODY.decode())
    both = {"Webhook-Signature": f"{old} {SPEC_HEADERS['webhook-signature']}"}
    headers = {name.title(): value for name, value in SPEC_HEADERS.items()} | both
    webhook.verify(headers, SPEC_BODY, [SPEC_SECRET], SPEC_TIME)


@pytest.mark.parametrize(
    ("set_to", "signed_with", "taken"),
    [
        (SECRET, SECRET, True),
        (f"{OTHER} {SECRET}", SECRET, True),  # ours is new, theirs is still the old one
        (f"{OTHER} {SECRET}", OTHER, True),
        (OTHER, SECRET, False),  # the change is over
    ],
)
def test_an_answer_is_taken_under_either_key_while_one_is_rotated(set_to: str, signed_with: str, taken: bool) -> None:
    overlay = {
        "id": "test",
        "rdap": {"*": "http://127.0.0.1:9/rdap/"},
        "dns": {"*": "127.0.0.1:9"},
        "agreements": {
            "opioids.pir": {"adapter": "webhook", "address": {"url": "http://127.0.0.1:9/hook", "secret": "hook"}}
        },
    }
    settings = load_settings(environ={"HOME": "/nonexistent", "NOTIFIER_SECRET_HOOK": set_to})
    verify = bootstrap._webhook_verifier(settings)
    heard = [Channel(agreement, None) for agreement in load_catalog(folder("config"), overlay).agreements.values()]
    now, body = datetime.now(UTC), b'{"type": "notice.response"}'
    headers = {
        "webhook-id": "a.1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(signed_with).sign("a.1", now, body.decode()),
    }
    assert verify(names_of_secrets(heard, "pir"), headers, body) is taken
    assert not verify(names_of_secrets(heard, "verisign"), headers, body)


def answer(**changes: Any) -> Inbound:
    data = {"notice_id": "n-1", "kind": "action_taken", "measure": "hold", "actor": "registry"} | changes
    body = json.dumps({"type": "notice.response", "timestamp": "2026-11-25T15:00:00Z", "data": data})
    return Inbound("webhook", {}, body.encode(), T, True)


def test_an_answer() -> None:
    read = adapter(1).parse_reply(answer(effective_at="2026-11-25T15:00:00+00:00", comment="done", reply_token=TOKEN))
    assert read is not None
    assert (read.kind, read.notice_id, read.notice_token) == ("action_taken", "n-1", TOKEN)
    assert (read.measure, read.actor, read.comment) == (Measure.HOLD, "registry", "done")
    assert read.effective_at == datetime(2026, 11, 25, 15, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["acknowledged", "needs_info", "declined", "action_taken"])
def test_every_kind_of_the_contract(kind: str) -> None:
    read = adapter(1).parse_reply(answer(kind=kind, reason="no nexus", measure=None))
    assert read is not None
    assert (read.kind, read.reason, read.measure) == (kind, "no nexus", None)


@pytest.mark.parametrize(
    "message",
    [
        answer(kind="verified"),
        answer(kind=None),
        answer(kind=["declined"]),
        answer(measure="seize"),
        answer(effective_at="yesterday"),
        answer(effective_at="2026-11-25T15:00:00"),
        answer(effective_at=5),
        Inbound("webhook", {}, b"not json", T),
        Inbound("webhook", {}, b"[]", T),
        Inbound("webhook", {}, b'{"type": "ping"}', T),
        Inbound("webhook", {}, b'{"type": "notice.response", "data": null}', T),
        Inbound("webhook", {}, b"\xff", T),
    ],
)
def test_what_is_no_answer_is_none(message: Inbound) -> None:
    assert adapter(1).parse_reply(message) is None


PING = Message("TEST", "In words.", {"type": "test.ping", "data": {"test": True}}, "tn-test-1", T)


async def test_a_test_is_an_event_signed_as_a_notice_is_once() -> None:
    async with HookServer(answer=(204, {})) as server:
        one = adapter(server.port)
        assert one.capabilities.pings
        receipt = await one.ping(PING)
    assert (receipt.detail, receipt.delivered, server.tries) == ("HTTP 204", False, ["tn-test-1"])
    assert one.example(PING) == PING.event


async def test_a_test_keeps_the_egress_rule() -> None:
    async with HookServer() as server:
        one = adapter(server.port, session=lambda: guarded_session(Egress.PUBLIC, total_timeout=5))
        with pytest.raises(Deferred, match="blocks"):
            await one.ping(PING)
    assert server.tries == []


def test_what_is_told_of_the_signature_is_what_is_sent() -> None:
    told = adapter(1).signing()
    assert (told.headers, told.tolerance_s, told.keys) == (webhook.HEADERS, 300, ())
    both = webhook.build(
        AgreementChannel(
            "opioids.sandbox",
            "webhook",
            {
                "url": hook_url(1),
                "secret": "hook",
                "message_signature": {"algorithm": "ed25519", "key": "signer", "keyid": "k1"},
            },
            "Sandbox",
        ),
        deps(),
    ).signing()
    assert both.keys == (("RFC 9421, ed25519", "k1"),)
    assert both.headers[3:] == ("content-digest", "signature-input", "signature")
