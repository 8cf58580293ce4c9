"""How much hangs on a name: hosts below it, names that use it as name server, mail, popularity. Asked of configured
sources only, through the egress guard, with a time and a size for each.

Nothing the outside does is raised: what was not told is an unknown reading, with the reason, and never a zero.
"""

import asyncio
import json
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp

from notifier.domain.blast import NOT_LISTED, Reading, Surveyed
from notifier.net.name_files import NameFile
from notifier.net.resolving import Endpoint, Resolving, Untold
from notifier.net.safe_http import Egress, guarded_session

T = TypeVar("T")

MAX_BODY: Final = 4 * 1024 * 1024
NAME_MARK: Final = "{name}"
_WEB_PORTS: Final = frozenset({80, 443})
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}\Z")
_NAME_VALUE = re.compile(r'"name_value"\s*:\s*("(?:[^"\\]|\\.)*")')
_MAX_NUMBER: Final = 10**12
_SILENCES: Final = 5


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to ask; None: nobody, and the reading is unknown.

    URLs have `{name}` in them. `certificates` answers as crt.sh does: a list of objects with `name_value`. `dependents`
    answers `{"count": n}`, `popularity` as tranco-list.eu does: `{"ranks": [{"date": day, "rank": n}]}`. Where both a
    file and a URL are given, both are asked. `resolver` None: the system's, in public mode.
    """

    certificates: str | None = None
    dependents: str | None = None
    dependents_file: Path | None = None
    popularity: str | None = None
    popularity_file: Path | None = None
    resolver: Endpoint | None = None

    def told(self) -> tuple[tuple[str, str], ...]:
        """What is measured, and by whom, for a person who checks the configuration."""
        return (
            ("host names", _named(self.certificates)),
            ("name server dependents", _named(self.dependents, self.dependents_file)),
            ("popularity", _named(self.popularity, self.popularity_file)),
            ("mail and wildcards", "{}:{}".format(*self.resolver) if self.resolver else "the system's resolver"),
        )

    def files(self) -> tuple[NameFile, ...]:
        """The local files among them."""
        found = [NameFile(self.dependents_file, "name,count")] if self.dependents_file else []
        return (*found, *((NameFile(self.popularity_file, "rank,name"),) if self.popularity_file else ()))


class Survey:
    """Asks every configured source about one name at once. `timeout` is in seconds, for one source."""

    def __init__(
        self,
        egress: Egress,
        sources: Sources,
        *,
        timeout: float = 20.0,
        dns_timeout: float = 5.0,
        max_body: int = MAX_BODY,
    ) -> None:
        self._egress, self._sources = egress, sources
        self._timeout, self._max_body = timeout, max_body
        self._resolver = Resolving(egress, sources.resolver, dns_timeout)

    async def around(self, name: str, at: datetime, max_file_age: timedelta) -> Surveyed:
        """Readings for a registrable A-label, stamped with business time `at`. Never raises for the outside."""
        ports = _WEB_PORTS if self._egress is Egress.PUBLIC else None
        async with guarded_session(self._egress, total_timeout=self._timeout, ports=ports) as session:
            hosts, dependents, rank, mail, wildcard = await asyncio.gather(
                self._host_names(session, name, at),
                self._dependents(session, name, at, max_file_age),
                self._rank(session, name, at, max_file_age),
                self._mail(name, at),
                self._wildcard(name, at),
            )
        return Surveyed(hosts, wildcard, dependents, mail, rank)

    async def dependents(self, name: str, at: datetime, max_file_age: timedelta) -> Reading[int]:
        """How many names use this registrable one, or a host of it, as name server. Never raises for the outside."""
        ports = _WEB_PORTS if self._egress is Egress.PUBLIC else None
        async with guarded_session(self._egress, total_timeout=self._timeout, ports=ports) as session:
            return await self._dependents(session, name, at, max_file_age)

    async def delegated(self, names: Sequence[str]) -> tuple[list[str], int]:
        """Those of these names that have name servers, and how many were asked for: one after the other, so that nobody is
        flooded, until a resolver is silent several times in a row. A name that it does not tell of is not there."""
        found, silent = [], 0
        for n, name in enumerate(names):
            try:
                if await self._resolver.records(name, "NS"):
                    found.append(name)
                silent = 0
            except Untold:
                silent += 1
                if silent == _SILENCES:
                    return found, n + 1 - silent
        return found, len(names)

    # --- over HTTP and from files ---------------------------------------------------------------------------------

    async def _host_names(self, session: aiohttp.ClientSession, name: str, at: datetime) -> Reading[int]:
        return await self._by_url(
            session, self._sources.certificates, name, at, lambda body, cut: _count_hosts(body, name, cut)
        )

    async def _dependents(
        self, session: aiohttp.ClientSession, name: str, at: datetime, max_age: timedelta
    ) -> Reading[int]:
        file, url = self._sources.dependents_file, self._sources.dependents
        told = []
        if file is not None:
            told.append(await NameFile(file, "name,count").number_of(name, at, max_age))
        if url is not None or file is None:
            told.append(await self._by_url(session, url, name, at, _count_of))
        return _larger(told)

    async def _rank(self, session: aiohttp.ClientSession, name: str, at: datetime, max_age: timedelta) -> Reading[int]:
        file, url = self._sources.popularity_file, self._sources.popularity
        told = []
        if file is not None:
            told.append(await NameFile(file, "rank,name").number_of(name, at, max_age))
        if url is not None or file is None:
            told.append(await self._by_url(session, url, name, at, _newest_rank))
        return _better_rank(told)

    async def _by_url(
        self,
        session: aiohttp.ClientSession,
        template: str | None,
        name: str,
        at: datetime,
        read: Callable[[bytes, bool], int],
    ) -> Reading[int]:
        """What `read` makes of the answer's bytes; `read` is told whether they were cut, and raises Untold."""
        if template is None:
            return Reading(None, "no source", at, "no source is configured")
        source = _named(template)
        try:
            body, cut = await self._fetch(session, template.replace(NAME_MARK, quote(name)))
            value = await asyncio.to_thread(read, body, cut)
        except Untold as untold:
            return Reading(None, source, at, untold.why, failed=untold.failed)
        except TimeoutError:
            return Reading(None, source, at, f"no whole answer in {self._timeout:g} s", failed=True)
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            return Reading(None, source, at, f"not reached: {type(fault).__name__}", failed=True)
        return Reading(value, source, at, at_least=cut)

    async def _fetch(self, session: aiohttp.ClientSession, url: str) -> tuple[bytes, bool]:
        """The body, at most `max_body` bytes of it, and whether there was more. No redirect is followed."""
        async with session.get(url, headers={"Accept": "application/json"}, allow_redirects=False) as response:
            if response.status != 200:
                raise Untold(f"answers {response.status}")
            if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
                raise Untold("answers in a content coding that was not asked for")
            body = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                body += chunk
                if len(body) > self._max_body:
                    response.close()
                    return bytes(body[: self._max_body]), True
            return bytes(body), False

    # --- by DNS ---------------------------------------------------------------------------------------------------

    async def _mail(self, name: str, at: datetime) -> Reading[bool]:
        """Whether the name takes mail: an MX record that is not the null one (RFC 7505)."""
        try:
            found = await self._resolver.records(name, "MX")
        except Untold as untold:
            return Reading(None, "MX records", at, untold.why, failed=untold.failed)
        takes = any(item.exchange.to_text() != "." for item in found)
        return Reading(takes, "MX records", at)

    async def _wildcard(self, name: str, at: datetime) -> Reading[bool]:
        """Whether a host that nobody named has an address."""
        unlikely = f"{secrets.token_hex(12)}.{name}"
        source = "addresses of a host that nobody named"
        try:
            found = await self._resolver.records(unlikely, "A") or await self._resolver.records(unlikely, "AAAA")
        except Untold as untold:
            return Reading(None, source, at, untold.why, failed=untold.failed)
        return Reading(bool(found), source, at)


# --- reading answers ----------------------------------------------------------------------------------------------


def _count_hosts(body: bytes, name: str, cut: bool) -> int:
    """Different hosts below the name in a certificate search's answer; of a cut one, in what there is of it."""
    hosts: set[str] = set()
    for value in _name_values(body, cut):
        for listed in value.lower().split():
            host = listed.rstrip(".").removeprefix("*.").removeprefix("www.")
            if host != name and host.endswith(f".{name}") and len(host) <= 253 and _HOST.match(host):
                hosts.add(host)
    return len(hosts)


def _name_values(body: bytes, cut: bool) -> Iterable[str]:
    if cut:
        found = [json.loads(text) for text in _NAME_VALUE.findall(body.decode("utf-8", "replace"))]
        if not found:
            raise Untold("a long answer that is no certificate search's")
        return found
    listed = _json(body)
    if not isinstance(listed, list) or any(not isinstance(row, dict) for row in listed):
        raise Untold("the answer is no list of certificates")
    values = [row.get("name_value") for row in listed]
    if any(not isinstance(value, str) for value in values):
        raise Untold("the answer is no list of certificates")
    return values


def _count_of(body: bytes, cut: bool) -> int:
    found = _whole(body, cut)
    return _number(found.get("count") if isinstance(found, dict) else None, "no count")


def _newest_rank(body: bytes, cut: bool) -> int:
    found = _whole(body, cut)
    ranks = found.get("ranks") if isinstance(found, dict) else None
    if not isinstance(ranks, list) or any(not isinstance(row, dict) for row in ranks):
        raise Untold("the answer has no ranks")
    if not ranks:
        return NOT_LISTED
    newest = max(ranks, key=lambda row: str(row.get("date", "")))
    return _number(newest.get("rank"), "no rank")


def _number(value: Any, without: str) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_NUMBER:
        raise Untold(f"the answer has {without}")
    return value


def _whole(body: bytes, cut: bool) -> Any:
    if cut:
        raise Untold("the answer is too long")
    return _json(body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise Untold("the answer is no JSON") from fault


def _larger(told: list[Reading[int]]) -> Reading[int]:
    """The larger of two counts; where one source is silent, the other's is a lower bound."""
    known = [reading for reading in told if reading.value is not None]
    if not known:
        return told[-1]
    best = max(known, key=lambda reading: reading.value or 0)
    silent = len(known) < len(told)
    return replace(best, at_least=best.at_least or silent, failed=any(r.failed for r in told))


def _better_rank(told: list[Reading[int]]) -> Reading[int]:
    """The better of two ranks; that a name is nowhere listed takes every list."""
    known = [reading for reading in told if reading.value is not None]
    listed = [reading for reading in known if reading.value != NOT_LISTED]
    if listed:
        best = min(listed, key=lambda reading: reading.value or 0)
        return replace(best, failed=any(r.failed for r in told))
    silent = [reading for reading in told if reading.value is None]
    return silent[0] if silent else known[0]


def _named(url: str | None, file: Path | None = None) -> str:
    """Sources as a person reads them: hosts and file names, no path that may hold a key."""
    host = urlsplit(url).hostname if url else None
    return " and ".join([*([file.name] if file else []), *([host] if host else [])]) or "not configured"
