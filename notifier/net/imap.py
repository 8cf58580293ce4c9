"""One IMAP connection (RFC 3501, RFC 9051) as far as a mailbox of answers needs it: sign in, select, fetch, keep, wait.

Plain asyncio, so that a wait can be ended at once and no answer of the server is held larger than it was asked for. A
command's tag cannot be guessed, so that nothing said before TLS can pass for an answer after it.
"""

import asyncio
import base64
import re
import secrets
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

Tls = Literal["implicit", "starttls", "none"]

_LINE = 4 * 1024 * 1024  # a SEARCH of half a million messages is one line
_CONNECT_S, _REPLY_S, _FETCH_S = 15.0, 60.0, 300.0
_LITERAL = re.compile(rb"\{(\d{1,12})\}\r?\n\Z")
_CODE = re.compile(rb"\[(UIDVALIDITY|UIDNEXT|CAPABILITY|PERMANENTFLAGS) ?([^\]]*)\]", re.IGNORECASE)
_UID, _SIZE = re.compile(rb"\bUID (\d+)", re.IGNORECASE), re.compile(rb"\bRFC822\.SIZE (\d+)", re.IGNORECASE)
_NEWS = re.compile(rb"\* \d+ (?:EXISTS|RECENT)\b", re.IGNORECASE)


class ImapError(Exception):
    """The server refused a command, or said what is no IMAP. The connection is of no more use."""


class ImapRefused(ImapError):
    """The server answered NO: this command did not happen, and others may."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where the answers lie, and who may read them. `tls` `none` is for a server on this machine only."""

    host: str
    port: int
    user: str
    password: str
    tls: Tls = "implicit"
    folder: str = "INBOX"
    done_folder: str = "Done"
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """One response: its line, with each literal cut out, and the literals."""

    line: bytes
    literals: tuple[bytes, ...]


class ImapSession:
    """One connection with its folder open. Every method raises ImapError, OSError or TimeoutError, and ends it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._prefix, self._count = secrets.token_hex(4), 0
        self.capabilities: frozenset[str] = frozenset()
        self.uid_validity = 0
        self.keywords = False
        self._news_came = False

    @classmethod
    async def open(cls, account: Account, check_connect: Callable[[str], bool]) -> "ImapSession":
        """Connect under the egress rule, secure, sign in and select. A folder that is not there is an ImapRefused."""
        session = await cls._connect(account, check_connect)
        try:
            await session._sign_in(account)
            await session._select(account)
        except BaseException:
            session.abort()
            raise
        return session

    @classmethod
    async def _connect(cls, account: Account, check_connect: Callable[[str], bool]) -> "ImapSession":
        async with asyncio.timeout(_CONNECT_S):
            sock, address = await _socket(account, check_connect)
            try:
                if account.tls == "none" and not ip_address(address).is_loopback:
                    raise ImapError(f"{account.host} is not this machine: TLS is required (imap_tls)")
                secure = account.tls == "implicit"
                reader, writer = await asyncio.open_connection(
                    sock=sock,
                    limit=_LINE,
                    ssl=_tls(account) if secure else None,
                    server_hostname=account.host if secure else None,
                )
            except BaseException:
                sock.close()
                raise
            session = cls(reader, writer)
            try:
                greeting = await session._answer(0)
                if not greeting.line.upper().startswith(b"* OK"):
                    raise ImapError(f"the server does not greet: {_shown(greeting.line)}")
                session._note(greeting.line)
                if account.tls == "starttls":
                    await session._command(b"STARTTLS")
                    await writer.start_tls(_tls(account), server_hostname=account.host)
                if account.tls == "starttls" or not session.capabilities:
                    await session._command(b"CAPABILITY")  # what was said before TLS does not count (RFC 9051 §6.2.1)
            except BaseException:
                session.abort()
                raise
            return session

    async def _sign_in(self, account: Account) -> None:
        if "AUTH=PLAIN" in self.capabilities:
            said = f"\0{account.user}\0{account.password}".encode()
            await self._command(b"AUTHENTICATE PLAIN", more=base64.b64encode(said))
        elif "LOGINDISABLED" in self.capabilities:
            raise ImapError("the server takes no password on this connection; set imap_tls")
        else:
            await self._command(b"LOGIN " + quoted(account.user) + b" " + quoted(account.password))
        await self._command(b"CAPABILITY")

    async def _select(self, account: Account) -> None:
        self.uid_validity = 0
        for answer in await self._command(b"SELECT " + quoted(account.folder)):
            self._note(answer.line)

    async def waiting(self, keyword: str) -> list[int]:
        """UIDs of the messages that do not carry our mark, oldest first."""
        wanted = f"UNKEYWORD {keyword}" if self.keywords else "UNFLAGGED"
        found: list[int] = []
        self._news_came = False
        for answer in await self._command(f"UID SEARCH {wanted} UNDELETED".encode()):
            if answer.line.upper().startswith(b"* SEARCH"):
                found += [int(word) for word in answer.line.split()[2:] if word.isdigit()]
        return sorted(set(found))

    async def size(self, uid: int) -> int | None:
        """The size of a message in bytes; None when it is gone."""
        for answer in await self._command(f"UID FETCH {uid} (UID RFC822.SIZE)".encode()):
            size = _SIZE.search(answer.line)
            if _is_of(answer, uid) and size is not None:
                return int(size[1])
        return None

    async def fetch(self, uid: int, most: int) -> bytes | None:
        """The first `most` bytes of a message, unread flags untouched; None when it is gone."""
        async with asyncio.timeout(_FETCH_S):
            answers = await self._command(f"UID FETCH {uid} (UID BODY.PEEK[]<0.{most}>)".encode(), literal=most)
        for answer in answers:
            if _is_of(answer, uid) and b"BODY[]" in answer.line.upper():
                return answer.literals[0] if answer.literals else _unquoted(answer.line)
        return None

    async def keep(self, uid: int, folder: str, keyword: str) -> None:
        """Mark a message as read by us, and move it where the server can. It is never deleted."""
        flag = keyword if self.keywords else "\\Flagged"
        await self._command(f"UID STORE {uid} +FLAGS.SILENT ({flag} \\Seen)".encode())
        if folder and "MOVE" in self.capabilities:  # RFC 6851; COPY and EXPUNGE could lose it half way
            move = f"UID MOVE {uid} ".encode() + quoted(folder)
            try:
                await self._command(move)
            except ImapRefused:
                with suppress(ImapRefused):  # it is there already, or may not be made: the mark alone will do
                    await self._command(b"CREATE " + quoted(folder))
                    await self._command(move)

    async def idle(self, seconds: float, stop: asyncio.Event) -> None:
        """Wait until something arrives, `stop` is set or the time is over (RFC 2177). Without IDLE, the time."""
        if "IDLE" not in self.capabilities:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(seconds, _REPLY_S))
            await self._command(b"NOOP")
            return
        tag = await self._send(b"IDLE")
        async with asyncio.timeout(_REPLY_S):
            while not (answer := await self._answer(0)).line.startswith(b"+"):
                if answer.line.startswith(tag):
                    raise ImapError(f"IDLE: {_shown(answer.line)}")
                self._note(answer.line)
        if not self._news_came:  # told since the last search, or as this wait began
            await self._news_or(seconds, stop)
        self._writer.write(b"DONE\r\n")
        async with asyncio.timeout(_REPLY_S):
            await self._writer.drain()
            await self._until(tag, b"IDLE", 0)

    async def _news_or(self, seconds: float, stop: asyncio.Event) -> None:
        stopped = asyncio.create_task(stop.wait())
        heard = asyncio.create_task(self._news())
        try:
            await asyncio.wait({stopped, heard}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if heard.done():
                heard.result()
        finally:
            for task in (stopped, heard):
                task.cancel()
            await asyncio.gather(stopped, heard, return_exceptions=True)

    async def _news(self) -> None:
        # A line that is waited for and cancelled stays in the reader whole.
        while _NEWS.match((await self._answer(0)).line) is None:
            pass

    async def close(self) -> None:
        """Say goodbye, and do not wait for long."""
        with suppress(ImapError, OSError, TimeoutError):
            async with asyncio.timeout(2):
                await self._command(b"LOGOUT")
        self.abort()

    def abort(self) -> None:
        """Drop the connection."""
        self._writer.transport.abort()

    # --- the wire -------------------------------------------------------------------------------------------------

    async def _send(self, command: bytes) -> bytes:
        self._count += 1
        tag = f"{self._prefix}{self._count}".encode()
        self._writer.write(tag + b" " + command + b"\r\n")
        await self._writer.drain()
        return tag

    async def _command(self, command: bytes, *, more: bytes | None = None, literal: int = 0) -> list[_Answer]:
        """Send, and read up to the tagged answer. `more` follows a continuation; `literal`: the longest to expect."""
        name = command.split(b" ")[0]
        async with asyncio.timeout(_FETCH_S if literal else _REPLY_S):
            tag = await self._send(command)
            return await self._until(tag, name, literal, more)

    async def _until(self, tag: bytes, name: bytes, literal: int, more: bytes | None = None) -> list[_Answer]:
        found: list[_Answer] = []
        while True:
            answer = await self._answer(literal)
            if answer.line.startswith(b"+"):
                if more is None:
                    raise ImapError(f"{name.decode()}: the server wants more than was said")
                self._writer.write(more + b"\r\n")
                await self._writer.drain()
                more = None
            elif answer.line.startswith(tag + b" "):
                self._note(answer.line)
                said = answer.line[len(tag) + 1 :].upper()
                if said.startswith(b"OK"):
                    return found
                refused = ImapRefused if said.startswith(b"NO") else ImapError
                raise refused(f"{name.decode()}: {_shown(answer.line[len(tag) + 1 :])}")
            else:
                self._note(answer.line)
                found.append(answer)

    async def _answer(self, literal: int) -> _Answer:
        """One response. A literal that is longer than was asked for ends the connection before it is read."""
        literals: list[bytes] = []
        line = b""
        while True:
            try:
                piece = await self._reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as lost:
                raise ImapError("the connection was lost, or the line is too long") from lost
            found = _LITERAL.search(piece)
            line += piece[: found.start()] if found else piece.rstrip(b"\r\n")
            if found is None:
                break
            if int(found[1]) > max(literal, _REPLY_LITERAL) or len(literals) >= _MOST_LITERALS:
                raise ImapError(f"the server sends {int(found[1])} bytes that nobody asked for")
            try:
                literals.append(await self._reader.readexactly(int(found[1])))
            except asyncio.IncompleteReadError as lost:
                raise ImapError("the connection was lost") from lost
        if line.upper().startswith(b"* BYE"):
            raise ImapError(f"the server leaves: {_shown(line)}")
        return _Answer(line, tuple(literals))

    def _note(self, line: bytes) -> None:
        """What the server tells beside an answer."""
        self._news_came = self._news_came or _NEWS.match(line) is not None
        if line.upper().startswith(b"* CAPABILITY "):
            self.capabilities = _words(line[len(b"* CAPABILITY ") :])
        for name, value in _CODE.findall(line):
            match name.upper():
                case b"CAPABILITY":
                    self.capabilities = _words(value)
                case b"UIDVALIDITY" if value.strip().isdigit():
                    self.uid_validity = int(value)
                case b"PERMANENTFLAGS":
                    self.keywords = b"\\*" in value


_REPLY_LITERAL, _MOST_LITERALS = 64 * 1024, 8


def quoted(text: str) -> bytes:
    """A quoted string (RFC 3501 §4.3). Raises ImapError for what cannot stand in one."""
    if not text.isascii() or any(char in text for char in "\r\n\0"):
        raise ImapError("a name or password with characters that this server's sign-in cannot carry")
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


async def _socket(account: Account, check_connect: Callable[[str], bool]) -> tuple[socket.socket, str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(account.host, account.port, type=socket.SOCK_STREAM)
    allowed = [entry for entry in found if check_connect(str(entry[4][0]))]
    failure: OSError = OSError(f"{account.host}: the egress rule allows none of its addresses")
    for family, kind, proto, _, address in allowed:
        sock = socket.socket(family, kind, proto)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a server that vanished is noticed while we idle
        try:
            await loop.sock_connect(sock, address)
        except OSError as refused:
            sock.close()
            failure = refused
        except BaseException:
            sock.close()
            raise
        else:
            return sock, str(address[0])
    raise failure


def _tls(account: Account) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=account.ca_file)


def _is_of(answer: _Answer, uid: int) -> bool:
    found = _UID.search(answer.line)
    return b" FETCH " in answer.line.upper() and found is not None and int(found[1]) == uid


def _unquoted(line: bytes) -> bytes:
    """A body that came as a quoted string or NIL, as an empty one may."""
    found = re.search(rb'BODY\[\](?:<0>)? "((?:[^"\\]|\\.)*)"', line, re.IGNORECASE)
    return re.sub(rb"\\(.)", rb"\1", found[1]) if found else b""


def _words(value: bytes) -> frozenset[str]:
    return frozenset(value.decode("ascii", "replace").upper().split())


def _shown(line: bytes) -> str:
    return line[:200].decode("ascii", "replace")
