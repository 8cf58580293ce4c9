"""The only way out of a browser that opens hostile pages: a proxy on this machine that connects where `egress` allows.

Names are resolved here and the very address is checked that is connected, so no rebinding, redirect or odd spelling of an
address gets past. Bytes and connections are capped for the proxy's whole life, which is that of one page.
"""

import asyncio
import base64
import contextlib
import hmac
import secrets
import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from notifier.net.safe_http import Egress, allowed, web_ports

MAX_BYTES: Final = 50_000_000
MAX_CONNECTIONS: Final = 200
_MAX_HEAD: Final = 65_536
_IDLE_S: Final = 20.0
_CONNECT_S: Final = 10.0
_CHUNK: Final = 65_536
# Between two hops only (RFC 9110 §7.6.1), and what is meant for a proxy.
_HOP: Final = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te", b"upgrade"})


class _Refused(Exception):
    """The request is answered with this status and goes nowhere."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class EgressProxy:
    """`site` is where every host is, in place of the web: then no name is resolved. Used as a context manager.

    `user` and `password` keep other programs of this machine out; `blocked` lists host and port of what was held back.
    """

    egress: Egress
    site: tuple[str, int] | None = None
    user: str = field(default_factory=lambda: secrets.token_hex(16))
    password: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    port: int = 0
    blocked: list[str] = field(default_factory=list)
    _left: int = MAX_BYTES
    _connections: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_MAX_HEAD)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        self._connections += 1
        try:
            if self._connections <= MAX_CONNECTIONS:
                await self._serve(reader, writer)
        except _Refused as refused:
            with contextlib.suppress(OSError):
                writer.write(_answer(refused))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # a broken connection is the page's matter
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_IDLE_S):
            head = await reader.readuntil(b"\r\n\r\n")
        line, *lines = head[:-4].split(b"\r\n")
        self._must_be_known(lines)
        method, _, rest = line.partition(b" ")
        target = rest.rpartition(b" ")[0].decode("latin-1")
        if method == b"CONNECT":
            parts = urlsplit(f"//{target}")
            there = await self._connect(parts.hostname, parts.port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            parts = urlsplit(target)
            if parts.scheme != "http":
                raise _Refused("400 Bad Request")
            there = await self._connect(parts.hostname, parts.port or 80)
            path = parts._replace(scheme="", netloc="").geturl() or "/"
            there[1].write(b"\r\n".join([b"%s %s HTTP/1.1" % (method, path.encode("latin-1")), *_kept(lines)]))
            there[1].write(b"\r\nConnection: close\r\n\r\n")
        try:
            await self._both(reader, writer, *there, one_answer=method != b"CONNECT")
        finally:
            there[1].close()

    def _must_be_known(self, lines: list[bytes]) -> None:
        wanted = b"Basic " + base64.b64encode(f"{self.user}:{self.password}".encode())
        given = [line.partition(b":")[2].strip() for line in lines if line.lower().startswith(b"proxy-authorization:")]
        if len(given) != 1 or not hmac.compare_digest(given[0], wanted):
            raise _Refused("407 Proxy Authentication Required")

    async def _connect(self, host: str | None, port: int | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not host or port is None:
            raise _Refused("400 Bad Request")
        ports = web_ports(self.egress)
        addresses = await self._addresses(host, port)
        usable = [place for place in addresses if allowed(place[0], self.egress)]
        if not usable or (ports is not None and port not in ports):
            self.blocked.append(f"{host}:{port}")
            raise _Refused("403 Forbidden")
        for ip, number in usable:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_S):
                    return await asyncio.open_connection(ip, number, limit=_MAX_HEAD)
        raise _Refused("502 Bad Gateway")

    async def _addresses(self, host: str, port: int) -> list[tuple[str, int]]:
        if self.site is not None:
            return [self.site]
        if self.egress is Egress.LOOPBACK:  # not even a name is asked for outside
            return [("127.0.0.1" if host.rstrip(".").lower() == "localhost" else host, port)]
        try:
            async with asyncio.timeout(_CONNECT_S):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError, UnicodeError):
            raise _Refused("502 Bad Gateway") from None
        return [(str(place[4][0]), port) for place in found]

    async def _both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there_reader: asyncio.StreamReader,
        there_writer: asyncio.StreamWriter,
        *,
        one_answer: bool,
    ) -> None:
        """Until the far side has no more to say. The head of a plain answer says that the connection ends with it."""
        up = asyncio.create_task(self._pump(reader, there_writer))
        try:
            if one_answer:
                async with asyncio.timeout(_IDLE_S):
                    head = await there_reader.readuntil(b"\r\n\r\n")
                writer.write(b"\r\n".join(_kept(head[:-4].split(b"\r\n"))) + b"\r\nConnection: close\r\n\r\n")
            await self._pump(there_reader, writer)
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(_IDLE_S):
                chunk = await source.read(_CHUNK)
            self._left -= len(chunk)
            if not chunk or self._left < 0:
                return
            sink.write(chunk)
            async with asyncio.timeout(_IDLE_S):
                await sink.drain()


def _kept(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if line.partition(b":")[0].strip().lower() not in _HOP]


def _answer(refused: _Refused) -> bytes:
    lines = [f"HTTP/1.1 {refused.status}", "Content-Length: 0", "Connection: close"]
    if refused.status.startswith("407"):
        lines.append('Proxy-Authenticate: Basic realm="egress"')
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
