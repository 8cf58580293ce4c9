"""The key in a server's certificate, seen by a client that checks it; expected values from the certificates made here."""

import asyncio
import datetime as dt
import hashlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from notifier.net.certificate import MOST_NAMES, key_of, telling_context

FROM, UNTIL = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2045, 1, 1, tzinfo=dt.UTC)


def certificate(*names: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A key, and a certificate of its own for these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    made = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(FROM).not_valid_after(UNTIL)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    return key, made.sign(key, hashes.SHA256())


def spki(key: ec.EllipticCurvePrivateKey) -> str:
    return hashlib.sha256(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def der(made: x509.Certificate) -> bytes:
    return made.public_bytes(Encoding.DER)


def test_keys() -> None:
    key, made = certificate("a.example", "*.a.example", "b.example")
    assert key_of(der(made)) == spki(key)
    _, shared = certificate(*(f"customer-{n}.example" for n in range(MOST_NAMES + 1)))
    assert key_of(der(shared)) is None
    assert key_of(der(certificate()[1])) is None  # it names nobody
    assert key_of(b"no certificate") is key_of(b"") is None
    assert key_of(der(made)[:-9]) is None


@pytest.mark.parametrize(("host", "expected"), [("localhost", True), ("other.example", False)])
async def test_only_what_was_checked_is_told(tmp_path: Path, host: str, expected: bool) -> None:
    key, made = certificate("localhost")
    pem, secret = tmp_path / "c.pem", tmp_path / "k.pem"
    pem.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(pem, secret)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    told: list[tuple[str, str | None]] = []
    context = telling_context(lambda *seen: told.append(seen), cafile=str(pem))
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
        writer.close()
    except ssl.SSLCertVerificationError:
        assert not expected
    server.close()
    assert told == ([("localhost", spki(key))] if expected else [])
