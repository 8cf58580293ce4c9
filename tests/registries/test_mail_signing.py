"""DKIM and S/MIME: verified by others (dkimpy, OpenSSL) over what a server received, and refused when altered."""

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from notifier.adapter import AgreementChannel, Deferred
from notifier.errors import Invalid
from notifier.rendering import Renderer, content_digest
from notifier.resources import folder
from registries import smtp
from tests.registries import keys
from tests.registries.channels import IDENTITY, deps
from tests.registries.sample_facts import facts
from tests.registries.servers import SmtpServer

NOTICE = Renderer(folder("templates")).notice(facts(description="Größe\n.\nFrom here\n" + "x" * 2000))
KEY = "notice.1"
DKIM = {"selector": "s2026", "key": "dkim"}
SMIME = {"certificate": "cert", "key": "smime"}


def secrets(**changes: str | None) -> Callable[[str], str | None]:
    known: dict[str, str | None] = {
        "dkim": keys.pem(keys.rsa_key()),
        "smime": keys.pem(keys.rsa_key()),
        "cert": keys.certificate(IDENTITY.mail_from, keys.rsa_key()),
    }
    return (known | changes).get


def adapter(port: int, address: dict[str, Any], **changes: Any) -> smtp.SmtpAdapter:
    channel = AgreementChannel(
        "opioids.sandbox", "smtp", {"to": "abuse@registry.example", **address}, "Sandbox Registry"
    )
    return smtp.build(channel, deps(port, **({"secret": secrets()} | changes)))


async def received(address: dict[str, Any]) -> bytes:
    async with SmtpServer() as server:
        await adapter(server.port, address).send(NOTICE, KEY)
        (got,) = server.got
    assert content_digest(got.as_notice(NOTICE)) == NOTICE.digest
    return got.raw


def published(name: bytes, timeout: int = 5) -> bytes:
    """What the DNS says of our key."""
    assert name == b"s2026._domainkey.notifier.example."
    public = keys.rsa_key().public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


# ---- DKIM


async def test_a_dkim_signature_verifies() -> None:
    raw = await received({"dkim": DKIM})
    assert raw.count(b"DKIM-Signature:") == 1
    assert dkim.verify(raw, dnsfunc=published)


@pytest.mark.parametrize(
    ("found", "put"),
    [
        (b"pills-now.example", b"innocent.example"),
        (b"From: ", b"From: other@x.example\r\nFrom: "),
        (b"Subject: ", b"Subject: another\r\nSubject: "),
        (b"X-Notifier-Digest: ", b"X-Notifier-Digest: 0"),
    ],
)
async def test_what_was_altered_on_the_way_does_not_verify(found: bytes, put: bytes) -> None:
    raw = await received({"dkim": DKIM})
    assert found in raw
    assert not dkim.verify(raw.replace(found, put, 1), dnsfunc=published)


@pytest.mark.parametrize(
    "pem", [None, "", "no pem", keys.pem(keys.rsa_key(1024)), keys.pem(ec.generate_private_key(ec.SECP256R1()))]
)
async def test_without_a_usable_dkim_key_nothing_leaves_and_nothing_is_lost(pem: str | None) -> None:
    async with SmtpServer() as server:
        one = adapter(server.port, {"dkim": DKIM}, secret=secrets(dkim=pem))
        with pytest.raises(Deferred, match="the secret dkim"):
            await one.send(NOTICE, KEY)
        assert [problem.what for problem in await one.check()] != []
    assert server.tries == []


# ---- S/MIME


async def test_openssl_verifies_the_smime_signature(tmp_path: Path, require_tool: Callable[..., Path]) -> None:
    raw = await received({"smime": SMIME})
    (tmp_path / "mail").write_bytes(raw)
    (tmp_path / "ca.pem").write_text(secrets()("cert") or "")
    verify = [
        str(require_tool("openssl")),
        "smime",
        "-verify",
        "-CAfile",
        "ca.pem",
        "-purpose",
        "any",
        "-in",
        "mail",
        "-out",
        "o",
    ]
    done = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (tmp_path / "mail").write_bytes(raw.replace(b"tramadol", b"innocent", 1))
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True).returncode != 0


async def test_dkim_covers_the_smime_signature() -> None:
    raw = await received({"dkim": DKIM, "smime": SMIME})
    assert dkim.verify(raw, dnsfunc=published)
    assert b"multipart/signed" in raw


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cert": None}, "cert is not set"),
        ({"smime": None}, "smime is not set"),
        ({"cert": "no pem"}, "no certificate"),
        ({"smime": keys.pem(keys.other_rsa_key())}, "do not belong together"),
        ({"cert": keys.certificate(IDENTITY.mail_from, keys.rsa_key(), days=30)}, "valid until 2020-01-31"),
    ],
)
async def test_without_a_usable_certificate_nothing_leaves(changes: dict[str, str | None], said: str) -> None:
    async with SmtpServer() as server:
        one = adapter(server.port, {"smime": SMIME}, secret=secrets(**changes))
        with pytest.raises(Deferred, match=said):
            await one.send(NOTICE, KEY)
        (problem,) = await one.check()
        assert said in problem.what
    assert server.tries == []


async def test_check_compares_the_certificate_with_our_from() -> None:
    async with SmtpServer() as server:
        other = secrets(cert=keys.certificate("somebody@else.example", keys.rsa_key()))
        (problem,) = await adapter(server.port, {"smime": SMIME}, secret=other).check()
        assert problem.expected == IDENTITY.mail_from
        assert await adapter(server.port, {"smime": SMIME, "dkim": DKIM}).check() == []


# ---- the address table


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"dkim": {"selector": "s"}}, "address.dkim: expected a table"),
        ({"dkim": "s2026"}, "address.dkim: expected a table"),
        ({"dkim": DKIM | {"selector": "a b"}}, "no name in the DNS"),
        ({"dkim": DKIM | {"domain": "other.example"}}, "the domain of our From"),
        ({"dkim": DKIM | {"domain": "er.example"}}, "the domain of our From"),
        ({"dkim": DKIM | {"bits": "1"}}, "address.dkim: expected a table"),
        ({"smime": {"key": "smime"}}, "address.smime: expected a table"),
        ({"smime": SMIME | {"key": 5}}, "address.smime: expected texts"),
    ],
)
def test_a_table_that_cannot_be_used_is_named_at_once(address: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        adapter(1, address)
