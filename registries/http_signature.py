"""HTTP message signatures (RFC 9421) beside a request's own, over method, address, content type, body and webhook-id.

Of the channel address: `message_signature = { key, keyid, algorithm }`. `key` is the name of a secret: an Ed25519 key in
PEM for `ed25519`, at least 32 bytes in base64 for `hmac-sha256`; `keyid` is what the recipient knows it by. The body is
covered by its Content-Digest (RFC 9530), which the recipient must compare too.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
    algorithms,
)
from yarl import URL

from notifier.adapter import AgreementChannel, Deferred, Deps, RefusedForGood
from notifier.errors import Invalid

_ALGORITHMS: Mapping[str, type[HTTPSignatureAlgorithm]] = {
    "ed25519": algorithms.ED25519,
    "hmac-sha256": algorithms.HMAC_SHA256,
}
HEADERS = ("content-digest", "signature-input", "signature")  # that it adds
_COVERED = ("@method", "@target-uri", "content-type", "content-digest", "webhook-id")
_VALID = timedelta(minutes=5)
_SHORTEST_SECRET = 32  # RFC 2104 §3: a key shorter than the hash is weaker than it
_LABEL = "notifier"


@dataclass
class _Message:
    """What is signed, in the shape that the library reads."""

    method: str
    url: str
    headers: dict[str, str]


class _OneKey(HTTPSignatureKeyResolver):
    def __init__(self, key: Any) -> None:
        self._key = key

    def resolve_private_key(self, key_id: str) -> Any:
        return self._key


@dataclass(frozen=True, slots=True)
class MessageSignature:
    """Sign with the secret `secret`, known to the recipient as `keyid`."""

    secret: str
    keyid: str
    algorithm: str

    def sign(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, deps: Deps, now: datetime
    ) -> dict[str, str]:
        """The headers that are to be added: Content-Digest, Signature-Input, Signature.

        Raises Deferred without a key, RefusedForGood for a URL that cannot be signed.
        """
        signer = HTTPMessageSigner(
            signature_algorithm=_ALGORITHMS[self.algorithm], key_resolver=_OneKey(self.key(deps))
        )
        try:
            message = _Message(method, str(URL(url)), dict(headers))  # in the form in which it goes over the wire
            signer.sign(
                message,
                key_id=self.keyid,
                created=now,
                expires=now + _VALID,
                nonce=secrets.token_urlsafe(16),
                label=_LABEL,
                covered_component_ids=_COVERED,
                body=body,
            )
        except (HTTPMessageSignaturesException, ValueError) as fault:
            raise RefusedForGood(f"the request cannot be signed: {fault}") from fault
        return {name: value for name, value in message.headers.items() if name not in headers}

    def key(self, deps: Deps) -> Any:
        """The signing key. Raises Deferred when the secret is not set, or no such key."""
        value = deps.secret(self.secret)
        if not value:
            raise Deferred(f"the secret {self.secret} is not set")
        try:
            if self.algorithm == "hmac-sha256":
                shared = base64.b64decode(value, validate=True)
                if len(shared) >= _SHORTEST_SECRET:
                    return shared
            elif isinstance(key := load_pem_private_key(value.encode(), password=None), Ed25519PrivateKey):
                return key
        except (ValueError, TypeError):
            pass
        raise Deferred(f"the secret {self.secret} is no key for {self.algorithm}")


def of(channel: AgreementChannel) -> MessageSignature | None:
    """What the agreement says of it; None without. Raises Invalid."""
    given = channel.address.get("message_signature")
    if given is None:
        return None
    keys = ("algorithm", "key", "keyid")
    if not isinstance(given, Mapping) or sorted(given) != list(keys):
        raise Invalid(f"{channel.id}: address.message_signature: expected a table of {', '.join(keys)}")
    if given["algorithm"] not in _ALGORITHMS:
        raise Invalid(f"{channel.id}: address.message_signature.algorithm: one of {', '.join(_ALGORITHMS)}")
    if not all(isinstance(given[key], str) and given[key].isascii() and given[key].isprintable() for key in keys):
        raise Invalid(f"{channel.id}: address.message_signature: expected printable ASCII texts")
    return MessageSignature(given["key"], given["keyid"], given["algorithm"])
