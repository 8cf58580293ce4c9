"""One HTTP request to a recipient, so that it is known whether it can have been accepted.

A connection that never stood is Early; one that was lost once it stood is Uncertain. What a status means is the
channel's own to say.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from notifier.adapter import Deferred, Deps, Problem, RefusedForGood, Uncertain
from notifier.clock import SystemClock
from notifier.domain.hostile import one_line
from notifier.errors import NotifierError
from registries.attempt import Early

_MOST_READ = 65_536
_LONGEST_WAIT = 86_400.0


@dataclass(frozen=True, slots=True)
class Answered:
    """A recipient's answer; `body` None: it could not be read, or is longer than 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None

    def json(self) -> Any:
        """The decoded body; None when there is none that can be read."""
        try:
            return json.loads(self.body) if self.body else None
        except (ValueError, RecursionError):
            return None

    async def later(self) -> Deferred:
        """The failure when nothing was accepted and a later try is right: at the time that they name, if they do."""
        wait = retry_after(self.headers.get("Retry-After"), await SystemClock().now())
        return Early(f"HTTP {self.status}") if wait is None else Deferred(f"HTTP {self.status}", wait)


async def ask(
    deps: Deps, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answered:
    """One request, no redirect followed. Raises Early, RefusedForGood (no usable URL), Uncertain."""
    try:
        async with deps.session() as session:
            async with session.request(
                method, url, data=body, headers=headers, timeout=_timeout(deps), allow_redirects=False
            ) as answer:
                return Answered(answer.status, answer.headers, await _read(answer))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, NotifierError) as failure:
        raise Early(f"cannot connect: {_said(failure)}") from failure
    except aiohttp.InvalidURL as failure:
        raise RefusedForGood(f"the URL cannot be used: {_said(failure)}") from failure
    except (aiohttp.ClientError, OSError, TimeoutError) as lost:
        raise Uncertain(f"no answer after the request was begun: {_said(lost)}") from lost


async def reachable(deps: Deps, url: str) -> list[Problem]:
    """Whether anything answers an OPTIONS request there, which no recipient takes for a notice."""
    try:
        await ask(deps, "OPTIONS", url)
    except (Deferred, RefusedForGood, Uncertain) as failure:
        return [Problem(failure.reason, f"an answer from {one_line(url, 200)}")]
    return []


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by Retry-After (RFC 9110 §10.2.3: seconds or a date), a day at most; None if unreadable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max((at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds(), 0.0), _LONGEST_WAIT)


async def _read(answer: aiohttp.ClientResponse) -> bytes | None:
    """What the status said stands, whatever becomes of the body."""
    try:
        body = await answer.content.read(_MOST_READ + 1)
        while len(body) <= _MOST_READ and (more := await answer.content.read(_MOST_READ)):
            body += more
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None
    return body if len(body) <= _MOST_READ else None


def _timeout(deps: Deps) -> aiohttp.ClientTimeout:
    waits = deps.waits
    return aiohttp.ClientTimeout(
        total=waits.connect + 2 * waits.reply, sock_connect=waits.connect, sock_read=waits.reply
    )


def _said(failure: Exception) -> str:
    if isinstance(failure, aiohttp.ClientConnectorError):
        return one_line(f"{failure.host} port {failure.port}: {failure.os_error}", 300)
    return one_line(str(failure) or type(failure).__name__, 300)
