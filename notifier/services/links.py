"""What a notice is answered by: its reply token, and the secret of its link; and what its registrant appeals by.

130 bits each, and none tells another.
"""

import base64
import hashlib
import hmac
import re

_CHARS = 26  # of base32: 130 bits
_SECRET = re.compile(rf"(/(?:answer|appeal)/[0-9a-f-]{{36}}/)[a-z2-7]{{{_CHARS}}}")
_APPEAL = re.compile(rf"/appeal/([0-9a-f-]{{36}})/([a-z2-7]{{{_CHARS}}})(?![a-z0-9-])")


def reply_token(key: bytes, notice_id: str) -> str:
    """What answers by mail and webhook are tied to their notice by."""
    return _secret(key, notice_id)


def secret_of(key: bytes, notice_id: str) -> str:
    """What opens the notice's link, and nothing else."""
    return _secret(key, f"answer/{notice_id}")


def appeal_secret(key: bytes, notice_id: str) -> str:
    """What opens the appeal of the registrant whom the notice is about."""
    return _secret(key, f"appeal/{notice_id}")


def control_token(key: bytes, statement_id: str) -> str:
    """What whoever filed a statement puts into the name's zone."""
    return _secret(key, f"control/{statement_id}")


def blinded(key: bytes, text: str) -> str:
    """Stands for a text that is counted and never kept, such as the address of somebody who files."""
    return _secret(key, f"blinded/{text}")


def _secret(key: bytes, text: str) -> str:
    """130 bits that nobody can guess, in lower case since gateways fold the local part of an address."""
    mac = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return base64.b32encode(mac).decode().lower()[:_CHARS]


def url_of(public_url: str, key: bytes, notice_id: str) -> str:
    """Where the notice's page is, with its secret."""
    return f"{public_url.rstrip('/')}/answer/{notice_id}/{secret_of(key, notice_id)}"


def appeal_url(public_url: str, key: bytes, notice_id: str) -> str:
    """Where the registrant whom the notice is about appeals, without another proof."""
    return f"{public_url.rstrip('/')}/appeal/{notice_id}/{appeal_secret(key, notice_id)}"


def appeal_link(text: str) -> tuple[str, str] | None:
    """(notice id, secret) of the first appeal link in a text."""
    found = _APPEAL.search(text.lower())
    return (found[1], found[2]) if found else None


def masked(text: str) -> str:
    """A notice's text for everybody but its recipient: nobody of ours may answer in its place, or the registrant's."""
    return _SECRET.sub(rf"\1{'*' * _CHARS}", text)
