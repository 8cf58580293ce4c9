"""HTTP message signatures: the vectors of RFC 9421 appendix B and RFC 9530 appendix B, and our own requests verified."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    algorithms,
)

from notifier.adapter import AgreementChannel, Deferred, RefusedForGood
from notifier.errors import Invalid
from notifier.rendering import Recipient, Renderer
from notifier.resources import folder
from registries import http_signature, webhook
from tests.registries.channels import deps, hook_url
from tests.registries.keys import pem
from tests.registries.sample_facts import facts
from tests.registries.servers import SECRET, HookServer

RENDERER = Renderer(folder("templates"))
# RFC 9421 appendix B.1.4, B.1.5
ED25519_PEM = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
"""
SHARED = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="


@dataclass
class Request:
    """RFC 9421 appendix B.2, test-request."""

    method: str = "POST"
    url: str = "https://example.com/foo?param=Value&Pet=dog"
    headers: dict[str, str] = field(
        default_factory=lambda: {
            "Host": "example.com",
            "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
            "Content-Type": "application/json",
            "Content-Length": "18",
        }
    )


class Keys(HTTPSignatureKeyResolver):
    def __init__(self, key: Any) -> None:
        self._key = key

    def resolve_private_key(self, key_id: str) -> Any:
        return self._key

    def resolve_public_key(self, key_id: str) -> Any:
        assert key_id == "us-2026"
        return self._key.public_key() if isinstance(self._key, Ed25519PrivateKey) else self._key


@pytest.mark.parametrize(
    ("kind", "secret", "keyid", "covered", "signature"),
    [
        (  # B.2.5
            "hmac-sha256",
            SHARED,
            "test-shared-secret",
            ("date", "@authority", "content-type"),
            "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
        ),
        (  # B.2.6
            "ed25519",
            ED25519_PEM,
            "test-key-ed25519",
            ("date", "@method", "@path", "@authority", "content-type", "content-length"),
            "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
        ),
    ],
)
def test_the_vectors_of_rfc_9421(kind: str, secret: str, keyid: str, covered: tuple[str, ...], signature: str) -> None:
    """Our keys and algorithms over the RFC's own request give the RFC's own signatures."""
    ours = http_signature.MessageSignature("sig", keyid, kind)
    request = Request()
    signer = HTTPMessageSigner(
        signature_algorithm=http_signature._ALGORITHMS[kind],
        key_resolver=Keys(ours.key(deps(secret={"sig": secret}.get))),
    )
    created = datetime.fromtimestamp(1618884473, UTC)
    signer.sign(request, key_id=keyid, created=created, label="s", include_alg=False, covered_component_ids=covered)
    assert request.headers["Signature"] == f"s=:{signature}:"


def test_content_digest() -> None:
    """RFC 9530 §2; the body and its SHA-512 stand in RFC 9421 appendix B.2."""
    body = b'{"hello": "world"}'
    one = http_signature.MessageSignature("sig", "us-2026", "hmac-sha256")
    added = one.sign(
        "POST",
        "https://registry.example/hook",
        {"content-type": "application/json", "webhook-id": "n"},
        body,
        deps(secret={"sig": SHARED}.get),
        datetime.now(UTC),
    )
    assert set(added) == {"Content-Digest", "Signature-Input", "Signature"}
    parts = dict(part.split("=", 1) for part in added["Content-Digest"].replace(" ", "").split(","))
    known = {
        "sha-256": ":X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        "sha-512": ":WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
    }
    assert parts
    assert all(known[name] == value for name, value in parts.items())


def adapter(port: int, kind: str, secret: str | None, url: str = "") -> webhook.WebhookAdapter:
    table = {"key": "sig", "keyid": "us-2026", "algorithm": kind}
    address = {"url": url or hook_url(port), "secret": "hook", "message_signature": table}
    channel = AgreementChannel("opioids.sandbox", "webhook", address, "Sandbox Registry")
    return webhook.build(channel, deps(secret={"hook": SECRET, "sig": secret}.get))


@pytest.mark.parametrize("kind", ["ed25519", "hmac-sha256"])
async def test_a_request_verifies_and_an_altered_one_does_not(kind: str) -> None:
    key: Any = Ed25519PrivateKey.generate() if kind == "ed25519" else b"k" * 32
    secret = pem(key) if kind == "ed25519" else base64.b64encode(key).decode()
    async with HookServer() as server:
        recipient = Recipient("opioids.sandbox", "registry", "Sandbox", hook_url(server.port))
        await adapter(server.port, kind, secret).send(RENDERER.notice(facts(recipient=recipient)), "n.1")
        (got,) = server.got
        url = hook_url(server.port)
        told = adapter(server.port, kind, secret).signing().headers
    assert set(told) <= {name.lower() for name in got.envelope["headers"]}
    verifier = HTTPMessageVerifier(
        signature_algorithm=algorithms.ED25519 if kind == "ed25519" else algorithms.HMAC_SHA256,
        key_resolver=Keys(key),
    )

    def verify(**changes: Any) -> Any:
        headers = dict(got.envelope["headers"]) | changes.get("headers", {})
        request = Request(changes.get("method", "POST"), changes.get("url", url), headers)
        return verifier.verify(request, body=changes.get("body", got.raw))

    (result,) = verify()
    assert list(result.covered_components) == [
        '"@method"',
        '"@target-uri"',
        '"content-type"',
        '"content-digest"',
        '"webhook-id"',
        '"@signature-params"',
    ]
    for change in ({"method": "PUT"}, {"url": url + "2"}, {"headers": {"webhook-id": "n.2"}}, {"body": got.raw + b" "}):
        with pytest.raises(InvalidSignature):
            verify(**change)


async def test_the_url_is_signed_as_it_goes_over_the_wire() -> None:
    async with HookServer() as server:
        url = f"http://127.0.0.1:{server.port}/hök?for=a b%3D"
        recipient = Recipient("opioids.sandbox", "registry", "Sandbox", url)
        await adapter(server.port, "hmac-sha256", SHARED, url).send(RENDERER.notice(facts(recipient=recipient)), "n.1")
        (got,) = server.got
    wire = f"http://127.0.0.1:{server.port}{got.envelope['target']}"
    verifier = HTTPMessageVerifier(
        signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys(base64.b64decode(SHARED))
    )
    assert verifier.verify(Request(url=wire, headers=dict(got.envelope["headers"])), body=got.raw)


async def test_a_url_that_cannot_be_signed_is_refused_and_nothing_else() -> None:
    url = "http://127.0.0.1:99999/hook"
    recipient = Recipient("opioids.sandbox", "registry", "Sandbox", url)
    with pytest.raises(RefusedForGood):
        await adapter(1, "hmac-sha256", SHARED, url).send(RENDERER.notice(facts(recipient=recipient)), "n.1")


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        ("ed25519", None),
        ("ed25519", "no pem"),
        ("ed25519", SHARED),
        ("hmac-sha256", base64.b64encode(b"short").decode()),
        ("hmac-sha256", ED25519_PEM),
    ],
)
async def test_without_a_usable_key_nothing_leaves(kind: str, secret: str | None) -> None:
    async with HookServer() as server:
        recipient = Recipient("opioids.sandbox", "registry", "Sandbox", hook_url(server.port))
        one = adapter(server.port, kind, secret)
        with pytest.raises(Deferred, match="the secret sig"):
            await one.send(RENDERER.notice(facts(recipient=recipient)), "n.1")
        assert len(await one.check()) == 1
    assert server.tries == []


@pytest.mark.parametrize(
    "table",
    [
        "sig",
        {"key": "sig"},
        {"key": "sig", "keyid": "us", "algorithm": "rot13"},
        {"key": "sig", "keyid": "us\r\nX: y", "algorithm": "ed25519"},
    ],
)
def test_a_table_that_cannot_be_used_is_named_at_once(table: Any) -> None:
    address = {"url": hook_url(1), "secret": "hook", "message_signature": table}
    with pytest.raises(Invalid, match=r"address\.message_signature"):
        webhook.build(AgreementChannel("opioids.sandbox", "webhook", address, "Sandbox"), deps())
