"""Answers to anybody that are made once and given to all for half a minute, however often and under whatever query they
are asked for."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from aiohttp import web

KEPT_S: Final = 30.0  # of real time
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Read(Generic[T]):
    """`key`: what it was read under. `made`: by kind, what was made of it so far, as a body and its headers."""

    key: Hashable
    until: float
    found: T
    made: dict[str, tuple[bytes, Mapping[str, str]]] = field(default_factory=dict)


class Keeper(Generic[T]):
    """For each `of` the last that was read, and what was made of it: so few kinds of answers, each of which is there once.

    Only ask about an `of` that is known to be there: each is kept for as long as the process lives.
    """

    def __init__(self) -> None:
        self._read: dict[str, _Read[T]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def answer(
        self,
        of: str,
        key: Hashable,
        kind: str,
        read: Callable[[], Awaitable[T]],
        make: Callable[[T], web.Response],
    ) -> web.Response:
        """What `make` makes, in a thread, of what `read` reads, unless that was kept under this key. An error is not kept.

        Whoever asks while it is made waits for that.
        """
        async with self._locks.setdefault(of, asyncio.Lock()):
            known = self._read.get(of)
            if known is None or known.key != key or known.until <= time.monotonic():
                known = self._read[of] = _Read(key, time.monotonic() + KEPT_S, await read())
            if kind not in known.made:
                made = await asyncio.to_thread(make, known.found)
                assert isinstance(made.body, bytes)
                known.made[kind] = made.body, dict(made.headers)
            body, headers = known.made[kind]
        return web.Response(body=body, headers=headers)
