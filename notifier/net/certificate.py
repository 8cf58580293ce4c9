"""The key that a server's certificate has, told as the connection is made.

A key pair is one machine's, and stays when names and certificates change. One in a certificate for many names is that
of a network in between, and tells nothing.
"""

import hashlib
import ssl
from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MOST_NAMES = 20  # names in one certificate; a network in between puts its customers together

Told = Callable[[str, str | None], None]


def telling_context(told: Told, *, cafile: str | None = None) -> ssl.SSLContext:
    """The usual context of a client, which also tells (host as asked for, key) once a certificate was checked."""
    context = ssl.create_default_context(cafile=cafile)

    class Telling(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            der = self.getpeercert(binary_form=True)
            if der is not None:
                told(self.server_hostname or "", key_of(der))

    context.sslobject_class = Telling
    return context


def key_of(der: bytes) -> str | None:
    """SHA-256 in hex over a certificate's SubjectPublicKeyInfo (RFC 5280 §4.1.2.7); None when it is shared, or odd."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if len({name.rpartition("*.")[2] for name in names.get_values_for_type(x509.DNSName)}) > MOST_NAMES:
            return None
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, x509.ExtensionNotFound, x509.DuplicateExtension, UnsupportedAlgorithm):
        return None
    return hashlib.sha256(spki).hexdigest()
