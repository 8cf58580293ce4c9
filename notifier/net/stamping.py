"""A time stamp of an authority (RFC 3161): proof that a document was there at a time. Believed only after it verifies."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import aiohttp
from cryptography import x509
from rfc3161_client import TimestampRequestBuilder, VerificationError, VerifierBuilder, decode_timestamp_response

from notifier.net.safe_http import Egress, guarded_session, read_capped

_MAX_BYTES: Final = 100_000
_TIMEOUT_S: Final = 20.0
_QUERY: Final = "application/timestamp-query"
_REPLY: Final = "application/timestamp-reply"


class StampFailed(Exception):
    """No stamp that could be believed; the text says why. Nothing depends on it, and it may be asked for again."""


class Stamper:
    """Asks one authority. `roots` are the certificates that its chain must end in."""

    def __init__(self, egress: Egress, url: str, roots: Sequence[x509.Certificate]) -> None:
        self._egress, self._url, self._roots = egress, url, list(roots)

    async def stamp(self, document: bytes) -> bytes:
        """The authority's whole answer over SHA-256 (or better) of the document. Raises StampFailed."""
        request = TimestampRequestBuilder().data(document).nonce(nonce=True).cert_request(cert_request=True).build()
        try:
            async with guarded_session(self._egress, total_timeout=_TIMEOUT_S) as session:
                async with session.post(
                    self._url, data=request.as_bytes(), headers={"Content-Type": _QUERY}, allow_redirects=False
                ) as response:
                    if response.status != 200 or response.content_type != _REPLY:
                        raise StampFailed(f"the authority answered {response.status} {response.content_type[:60]}")
                    answer = await read_capped(response, _MAX_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise StampFailed(f"the authority was not reached ({type(fault).__name__})") from fault
        await asyncio.to_thread(self._verify, answer, document, request.nonce)
        return answer

    def _verify(self, answer: bytes, document: bytes, nonce: int | None) -> None:
        """Signature, chain, purpose of the certificate, nonce and imprint. Raises StampFailed."""
        builder = VerifierBuilder(roots=list(self._roots), nonce=nonce)
        try:
            builder.build().verify_message(decode_timestamp_response(answer), document)
        except (VerificationError, ValueError) as fault:
            raise StampFailed(f"the stamp does not verify: {fault}") from fault


def roots_of(file: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file. Raises OSError or ValueError."""
    return x509.load_pem_x509_certificates(file.read_bytes())
