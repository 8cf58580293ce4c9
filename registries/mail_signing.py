"""Signatures on a mail, as the agreement asks for them: DKIM (RFC 6376) and S/MIME (RFC 8551).

Of the channel address: `dkim = { selector, key, domain }` and `smime = { certificate, key }`. `key` and `certificate`
are names of secrets, whose values are PEM text; a certificate may be followed by the ones above it. `domain` is that
of our From without it. Both signatures tell the time they were made, so a retry differs in them, and in nothing else.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dkim
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from notifier.adapter import AgreementChannel, Deferred, Deps
from notifier.errors import Invalid

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_SMALLEST_RSA = 2048  # RFC 8301 §3.2: signers SHOULD use at least this
# The first five stand twice (RFC 6376 §8.15): a header added on the way then breaks the signature.
_OVERSIGNED = (b"from", b"to", b"subject", b"date", b"reply-to")
_SIGNED = (b"message-id", b"in-reply-to", b"references", b"mime-version", b"content-type", b"x-xarf")
_OURS = (b"x-notifier-notice", b"x-notifier-case", b"x-notifier-purpose", b"x-notifier-digest")


@dataclass(frozen=True, slots=True)
class Dkim:
    """Sign as `domain` with the RSA key in the secret `key`, whose public part stands at `selector`._domainkey."""

    selector: str
    domain: str
    key: str

    def sign(self, message: bytes, deps: Deps) -> bytes:
        """The message (CRLF line ends) under one more header. Raises Deferred when the key cannot sign."""
        pem = _secret(deps, self.key)
        key = _private_key(pem, self.key)
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _SMALLEST_RSA:
            raise Deferred(f"the secret {self.key} is no RSA key of at least {_SMALLEST_RSA} bits")
        try:
            header = dkim.sign(
                message,
                self.selector.encode(),
                self.domain.encode(),
                pem,
                canonicalize=(b"relaxed", b"relaxed"),
                include_headers=[*_OVERSIGNED, *_OVERSIGNED, *_SIGNED, *_OURS],
            )
        except dkim.DKIMException as fault:
            raise Deferred(f"the secret {self.key} cannot sign: {type(fault).__name__}") from fault
        return bytes(header) + message


@dataclass(frozen=True, slots=True)
class Smime:
    """Sign with the certificate and key in these secrets."""

    certificate: str
    key: str

    def sign(self, entity: bytes, deps: Deps, now: datetime) -> bytes:
        """The detached signature (DER) over a MIME entity with CRLF line ends. Raises Deferred when it cannot be made."""
        chain, key = self._credentials(deps)
        signer = chain[0]
        if not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
            raise Deferred(
                f"the certificate in the secret {self.certificate} is valid until {signer.not_valid_after_utc}"
            )
        builder = PKCS7SignatureBuilder().set_data(entity).add_signer(signer, key, SHA256())
        for above in chain[1:]:
            builder = builder.add_certificate(above)
        return builder.sign(Encoding.DER, [PKCS7Options.DetachedSignature, PKCS7Options.Binary])

    def speaks_for(self, mailbox: str, deps: Deps) -> bool:
        """Whether the certificate names the mailbox: receivers compare it with From (RFC 8550 §3)."""
        chain, _ = self._credentials(deps)
        try:
            names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return False
        return mailbox.casefold() in {name.casefold() for name in names.get_values_for_type(x509.RFC822Name)}

    def _credentials(self, deps: Deps) -> tuple[list[x509.Certificate], rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]:
        key = _private_key(_secret(deps, self.key), self.key)
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise Deferred(f"the secret {self.key} is no RSA or elliptic-curve key")
        try:
            chain = x509.load_pem_x509_certificates(_secret(deps, self.certificate))
        except ValueError as fault:
            raise Deferred(f"the secret {self.certificate} is no certificate in PEM") from fault
        if chain[0].public_key() != key.public_key():
            raise Deferred(f"the secrets {self.certificate} and {self.key} do not belong together")
        return chain, key


def dkim_of(channel: AgreementChannel, mail_from: str) -> Dkim | None:
    """What the agreement says of DKIM. Raises Invalid, also for a domain that is not that of From (RFC 7489 §3.1.1)."""
    given = _table(channel, "dkim", ("selector", "key"), ("domain",))
    if given is None:
        return None
    ours = mail_from.rpartition("@")[2].lower()
    found = Dkim(given["selector"], given.get("domain", ours).lower(), given["key"])
    for text in (found.selector, found.domain):
        if _LABEL.fullmatch(text) is None:
            raise Invalid(f"{channel.id}: address.dkim: {text!r} is no name in the DNS")
    if ours != found.domain and not ours.endswith("." + found.domain):
        raise Invalid(f"{channel.id}: address.dkim.domain: expected {ours}, the domain of our From, or one above it")
    return found


def smime_of(channel: AgreementChannel) -> Smime | None:
    """What the agreement says of S/MIME. Raises Invalid."""
    given = _table(channel, "smime", ("certificate", "key"), ())
    return None if given is None else Smime(given["certificate"], given["key"])


def _table(
    channel: AgreementChannel, name: str, needed: Iterable[str], optional: Iterable[str]
) -> Mapping[str, str] | None:
    given: Any = channel.address.get(name)
    if given is None:
        return None
    allowed = {*needed, *optional}
    if not isinstance(given, Mapping) or not set(needed) <= given.keys() <= allowed:
        raise Invalid(f"{channel.id}: address.{name}: expected a table of {', '.join((*needed, *optional))}")
    if not all(isinstance(value, str) and value for value in given.values()):
        raise Invalid(f"{channel.id}: address.{name}: expected texts")
    return given


def _secret(deps: Deps, name: str) -> bytes:
    value = deps.secret(name)
    if not value:
        raise Deferred(f"the secret {name} is not set")
    return value.encode()


def _private_key(pem: bytes, name: str) -> object:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as fault:
        raise Deferred(f"the secret {name} is no private key in PEM without a password") from fault
