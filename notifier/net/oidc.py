"""An identity provider (OpenID Connect Core 1.0): where to send people, and whom an answer of it names.

Authorization code with PKCE (RFC 7636, S256 alone), and the advice of RFC 9700: the issuer's own document says where its
endpoints are, a mixed-up issuer is refused (RFC 9207), and an ID token counts only when its signature, issuer, audience,
time and nonce are right. Tokens are real ones, so they are held against real time.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from notifier.errors import Unauthenticated, Unavailable
from notifier.net.safe_http import BodyTooLarge, BodyUnreadable, read_capped

# Asymmetric alone: a token that the client's own secret could have signed proves nothing, and `none` even less.
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
_LEEWAY_S = 60
_KEPT_S = 600.0
_AGAIN_S = 30.0  # a key that we do not know is asked for once in a while, not for every token
_LIMIT = 262_144
_SUBJECT_MAX = 255  # OpenID Connect Core §2
_FAULTS = (aiohttp.ClientError, OSError, TimeoutError, BodyTooLarge, BodyUnreadable, ValueError)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider names: the pair is for one person for ever; nothing else of a token is."""

    issuer: str
    subject: str


class Refused(Unauthenticated):
    """The provider's answer does not prove who somebody is."""

    code = "identity_refused"


class Provider:
    """One provider, as the client that it knows us by."""

    def __init__(self, issuer: str, client_id: str, secret: str, redirect: str, session: aiohttp.ClientSession) -> None:
        self.issuer, self.redirect = issuer, redirect
        self._client_id, self._secret, self._session = client_id, secret, session
        self._document: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._lock = asyncio.Lock()

    async def address(self, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes. Raises Unavailable."""
        place = self._place(await self._metadata(), "authorization_endpoint")
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self.redirect,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        return f"{place}{'&' if urlsplit(place).query else '?'}{urlencode(asked)}"

    async def identity(self, code: str, verifier: str, nonce: str, said_issuer: str | None) -> Identity:
        """Redeem a code for whom it names. Raises Refused, Unavailable."""
        document = await self._metadata()
        must_say = document.get("authorization_response_iss_parameter_supported") is True
        if (said_issuer is not None or must_say) and said_issuer != self.issuer:
            raise Refused("the answer is of another provider than was asked")
        token = await self._redeemed(document, code, verifier)
        return Identity(self.issuer, await self._subject(token, nonce))

    async def _redeemed(self, document: Mapping[str, Any], code: str, verifier: str) -> str:
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        ways = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" in ways:  # RFC 6749 §2.3.1: each half is encoded before they are joined
            pair = f"{quote(self._client_id, safe='')}:{quote(self._secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            given |= {"client_id": self._client_id, "client_secret": self._secret}
        status, answer = await self._asked("POST", self._place(document, "token_endpoint"), data=given, headers=headers)
        token = answer.get("id_token")
        if status >= 500:
            raise Unavailable("the identity provider does not answer; try again")
        if status != 200 or not isinstance(token, str):
            raise Refused("the identity provider does not know this sign-in any more; begin again")
        return token

    async def _subject(self, token: str, nonce: str) -> str:
        """The subject of an ID token that proves all it must (OpenID Connect Core §3.1.3.7)."""
        try:
            claims = jwt.decode(token, await self._known_keys(_kid(token)), algorithms=ALGORITHMS).claims
        except (JoseError, ValueError) as error:
            raise Refused("the identity provider's answer is not signed as it must be") from error
        now, audience = time.time(), claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        party = claims.get("azp")
        expires, issued = _number(claims.get("exp")), _number(claims.get("iat"))
        said, subject = claims.get("nonce"), claims.get("sub")
        wrong = (
            claims.get("iss") != self.issuer
            or self._client_id not in audiences
            or (party is None and len(audiences) > 1)
            or (party is not None and party != self._client_id)
            or expires is None
            or expires <= now - _LEEWAY_S
            or issued is None
            or issued > now + _LEEWAY_S
            or not isinstance(said, str)
            or not hmac.compare_digest(said.encode(), nonce.encode())
        )
        if wrong or not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_MAX or not subject.isprintable():
            raise Refused("the identity provider's answer is not about this sign-in; begin again")
        return subject

    # --- what the provider publishes --------------------------------------------------------------------------------

    async def _metadata(self) -> Mapping[str, Any]:
        async with self._lock:
            if self._document is None or time.monotonic() - self._document[0] > _KEPT_S:
                status, found = await self._asked("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                if status != 200 or found.get("issuer") != self.issuer:  # OpenID Connect Discovery §4.3
                    raise Unavailable("the identity provider does not describe itself as the one that is configured")
                self._document = (time.monotonic(), found)
            return self._document[1]

    async def _known_keys(self, kid: str | None) -> KeySet:
        """The provider's keys; read anew when they are old, or when one is asked for that is not among them."""
        document = await self._metadata()
        async with self._lock:
            age = time.monotonic() - self._keys[0] if self._keys else None
            known = self._keys is not None and (kid is None or any(key.kid == kid for key in self._keys[1].keys))
            if self._keys is None or age is None or age > _KEPT_S or (not known and age > _AGAIN_S):
                status, found = await self._asked("GET", self._place(document, "jwks_uri"))
                if status != 200:
                    raise Unavailable("the identity provider's keys cannot be read")
                try:
                    self._keys = (time.monotonic(), KeySet.import_key_set(_signing(found)))
                except (JoseError, ValueError, KeyError, TypeError) as error:
                    raise Unavailable("the identity provider's keys cannot be read") from error
            return self._keys[1]

    def _place(self, document: Mapping[str, Any], name: str) -> str:
        """An endpoint: over TLS wherever the issuer is."""
        place = document.get(name)
        parts = urlsplit(place) if isinstance(place, str) else None
        if parts is None or not parts.hostname or parts.scheme not in ("https", urlsplit(self.issuer).scheme):
            raise Unavailable(f"the identity provider names no usable {name}")
        return str(place)

    async def _asked(self, method: str, address: str, **how: Any) -> tuple[int, Mapping[str, Any]]:
        try:
            async with self._session.request(method, address, allow_redirects=False, **how) as answer:
                status, body = answer.status, await read_capped(answer, _LIMIT)
            found = json.loads(body) if status == 200 else {}
        except _FAULTS as error:
            raise Unavailable("the identity provider cannot be reached; try again, or use your password") from error
        return status, found if isinstance(found, dict) else {}


def challenge(verifier: str) -> str:
    """RFC 7636 §4.2, S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def _kid(token: str) -> str | None:
    """The key that an unverified header names; only to know which keys are needed."""
    head = token.partition(".")[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return None
    kid = found.get("kid") if isinstance(found, dict) else None
    return kid if isinstance(kid, str) else None


def _signing(found: Mapping[str, Any]) -> Any:
    """The key set without what is for encryption, or is no public key."""
    keys = [key for key in found["keys"] if key.get("kty") in ("RSA", "EC", "OKP") and key.get("use") in (None, "sig")]
    return {"keys": keys}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
