"""Local recipients for the conformance suite: real sockets, scripted to fail at a named point.

A recipient takes a script of behaviours, one for each try; the last one repeats. `got` holds what it accepted,
`tries` what it saw of each try, so that a test can tell what was offered from what was taken.
"""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

import rfc8785
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from standardwebhooks.webhooks import Webhook

from notifier.adapter import Attachment, RenderedNotice

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0NTY3ODk="


class Point:
    """The points at which a recipient can fail, named alike for every channel."""

    ACCEPT = "accept"
    DROP_EARLY = "drop_early"  # before anything can have been accepted
    BUSY = "busy"  # a temporary refusal before acceptance
    REFUSE = "refuse"  # a lasting refusal
    DROP_LATE = "drop_late"  # everything was received, no answer came
    SILENT = "silent"  # everything was received, the connection stands, no answer comes


@dataclass
class Got:
    """What a recipient received: the envelope, and the content in the shape of the notice it should equal."""

    key: str
    content: Mapping[str, Any]
    envelope: Mapping[str, Any]
    raw: bytes

    def as_notice(self, sent: RenderedNotice) -> RenderedNotice:
        """`sent` with every field that was received put in place of what was sent."""
        return replace(sent, **self.content)


class _Session(SMTP):
    """aiosmtpd's session, with replies put in place of its own."""

    def __init__(self, server: "SmtpServer", **options: Any) -> None:
        super().__init__(
            server,
            hostname="mx.test",
            enable_SMTPUTF8=False,
            data_size_limit=2**24,
            tls_context=server.tls,
            auth_require_tls=False,
            authenticator=server.authenticate,
            **options,
        )
        for verb, reply in server.replies.items():
            self._smtp_methods[verb] = lambda arg, said=reply: self.push(said)

    async def push(self, status: Any) -> None:
        self.event_handler.said.append(str(status))
        await super().push(status)


@dataclass
class SmtpServer:
    """An aiosmtpd server that fails at one point exactly; it is its own handler."""

    script: Sequence[str] = (Point.ACCEPT,)
    replies: Mapping[str, str] = field(default_factory=dict)  # verb -> reply, in place of the usual one
    after_dot: str | None = None
    tls: ssl.SSLContext | None = None
    got: list[Got] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    signed_in: list[bytes] = field(default_factory=list)
    secured: bool = False
    seen: asyncio.Event = field(default_factory=asyncio.Event)  # set once everything of a try was received

    async def __aenter__(self) -> "SmtpServer":
        loop = asyncio.get_running_loop()
        self._sessions: list[_Session] = []
        self._server = await loop.create_server(self._session, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for session in self._sessions:
            if session.transport is not None:
                cast(asyncio.Transport, session.transport).abort()
        await self._server.wait_closed()

    def _session(self) -> _Session:
        self._sessions.append(_Session(self))
        return self._sessions[-1]

    @property
    def attempts(self) -> int:
        return len(self.tries)

    def authenticate(self, server: SMTP, session: Any, envelope: Any, way: str, data: Any) -> AuthResult:
        self.signed_in += [data.login, data.password]
        return AuthResult(success=True)

    async def handle_MAIL(
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self._point = self.script[min(len(self.tries), len(self.script) - 1)]
        self.tries.append(address)
        self.secured = session.ssl is not None
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._point == Point.DROP_EARLY:
            cast(asyncio.Transport, server.transport).abort()
        if self._point == Point.BUSY:
            return "451 4.7.1 try again"
        if self._point == Point.REFUSE:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:
        self.seen.set()
        if self._point == Point.DROP_LATE:
            cast(asyncio.Transport, server.transport).abort()
        if self._point == Point.SILENT:
            await asyncio.Event().wait()
        if self.after_dot is not None:
            return self.after_dot
        self._take(envelope)
        return "250 2.0.0 Ok: queued as 4XyZ12"

    def _take(self, envelope: Envelope) -> None:
        raw = cast(bytes, envelope.original_content)
        message = message_from_bytes(raw, policy=default)
        files = list(message.iter_attachments())
        names = [part.get_filename() for part in files]
        assert names[0] == "xarf.json"
        content = {
            "subject": str(message["Subject"]),
            "text": _body(message, "plain"),
            "html": _body(message, "html"),
            "xarf": _bytes(files[0]),
            "notice_id": message["X-Notifier-Notice"],
            "case_ref": message["X-Notifier-Case"],
            "attachments": tuple(_attachment(part) for part in files[1:]),
        }
        outside = {
            "recipients": list(envelope.rcpt_tos),
            "sender": envelope.mail_from,
            "headers": [name for name, _ in message.items()],
            "message": message,
        }
        self.got.append(Got(str(message["Message-ID"]), content, outside, raw))


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def _bytes(part: Any) -> bytes:
    return cast(bytes, part.get_payload(decode=True))


def _attachment(part: Any) -> Attachment:
    content = _bytes(part)
    return Attachment(part.get_filename(), part.get_content_type(), content, hashlib.sha256(content).hexdigest())


@dataclass
class HookServer:
    """An endpoint that verifies the signature before it takes anything, and fails at one point exactly."""

    script: Sequence[str] = (Point.ACCEPT,)
    answer: tuple[int, Mapping[str, str]] | None = None  # status and headers, in place of the scripted ones
    got: list[Got] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    seen: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> "HookServer":
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/hook", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    @property
    def attempts(self) -> int:
        return len(self.tries)

    async def _serve(self, request: web.Request) -> web.Response:
        point = self.script[min(len(self.tries), len(self.script) - 1)]
        if request.method != "POST":
            return web.Response(status=405)
        self.tries.append(request.headers["webhook-id"])
        raw = await request.read()
        self.seen.set()
        if point == Point.SILENT:
            await asyncio.Event().wait()
        if point in (Point.DROP_LATE, Point.DROP_EARLY):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.answer is not None:
            return web.Response(status=self.answer[0], headers=self.answer[1])
        if point == Point.BUSY:
            return web.Response(status=503)
        if point == Point.REFUSE:
            return web.Response(status=410)
        event = Webhook(SECRET).verify(raw, dict(request.headers))
        data = event["data"]
        content = {name: data[name] for name in set(data) - {"measure", "digest", "xarf", "attachments"}}
        content["xarf"] = rfc8785.dumps(data["xarf"])
        content["attachments"] = tuple(_sent_file(file) for file in data["attachments"])
        self.got.append(Got(request.headers["webhook-id"], content, {"headers": request.headers}, raw))
        return web.json_response({"id": "R-77"}, status=202)


def _sent_file(file: Mapping[str, str]) -> Attachment:
    content = base64.b64decode(file["content"])
    assert hashlib.sha256(content).hexdigest() == file["sha256"]
    return Attachment(file["filename"], file["media_type"], content, file["sha256"])
