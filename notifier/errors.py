"""One family of errors. Each has a stable `code`, an HTTP status for the faces, and a text that says what to do.

`detail` is shown to the caller; never put a secret, a stack or another party's data in it.
"""

from collections.abc import Mapping
from typing import Any


class NotifierError(Exception):
    """Base of every error we raise on purpose."""

    code = "internal"
    http_status = 500

    def __init__(self, detail: str, *, code: str | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code
        self.extra: Mapping[str, Any] = extra


class Mendable(NotifierError):
    """Whoever asked can mend it, or ask somebody else: nothing of ours is broken. A form is shown again with it."""


class Invalid(Mendable):
    """The input cannot be understood; the detail names the field and what would be right."""

    code, http_status = "invalid", 422


class Refused(Mendable):
    """The input was understood, kept, and refused by rule (intake refusal codes of the contract)."""

    code, http_status = "refused", 422


class Unauthenticated(Mendable):
    """No principal: the token is missing, unknown, expired or revoked."""

    code, http_status = "unauthenticated", 401


class Forbidden(Mendable):
    """The principal is known, and its role does not allow this act on something it may see."""

    code, http_status = "forbidden", 403


class NotFound(Mendable):
    """There is no such thing in the principal's scope; a foreign id answers the same."""

    code, http_status = "not_found", 404


class Conflict(Mendable):
    """The act does not fit the present state; look again and decide again."""

    code, http_status = "conflict", 409


class TooLarge(Mendable):
    """The input is over a limit that the detail names."""

    code, http_status = "too_large", 413


class TooMany(Mendable):
    """Too many requests; `retry_after` seconds is in extra."""

    code, http_status = "rate_limited", 429


class Unavailable(NotifierError):
    """Something we need does not answer; nothing was changed, and trying later is right."""

    code, http_status = "unavailable", 503
