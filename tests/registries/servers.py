"""Local recipients for the conformance suite: real sockets, scripted to fail at a named point.

A recipient takes a script of behaviours, one for each try; the last one repeats. `got` holds what it accepted,
`tries` what it saw of each try, so that a test can tell what was offered from what was taken.
"""

import asyncio
import base64
import hashlib
import json
import ssl
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self, cast

import rfc8785
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from standardwebhooks.webhooks import Webhook

from notifier.adapter import Attachment, RenderedNotice

TOKEN = "desk-t0ken"
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
            tls_context=None if server.implicit else server.tls,
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
    implicit: bool = False  # TLS from the first octet
    ours: Collection[str] = ()  # names of files that the channel itself adds
    got: list[Got] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    signed_in: list[bytes] = field(default_factory=list)
    secured: bool = False
    seen: asyncio.Event = field(default_factory=asyncio.Event)  # set once everything of a try was received

    async def __aenter__(self) -> "SmtpServer":
        loop = asyncio.get_running_loop()
        self._sessions: list[_Session] = []
        wrapped = self.tls if self.implicit else None
        self._server = await loop.create_server(self._session, "127.0.0.1", 0, ssl=wrapped)
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
        signed = message.get_content_type() == "multipart/signed"
        content = cast(EmailMessage, message.get_payload(0)) if signed else message
        if not content.is_multipart():  # plain words, no notice
            outside = {"recipients": list(envelope.rcpt_tos), "sender": envelope.mail_from, "message": message}
            self.got.append(Got(str(message["Message-ID"]), {"text": _body(content, "plain")}, outside, raw))
            return
        files = list(content.iter_attachments())
        names = [part.get_filename() for part in files]
        assert names[0] == "xarf.json"
        attached = tuple(_attachment(part) for part in files[1:])
        fields = {
            "subject": str(message["Subject"]),
            "text": _body(content, "plain"),
            "html": _body(content, "html"),
            "xarf": _bytes(files[0]),
            "notice_id": message["X-Notifier-Notice"],
            "case_ref": message["X-Notifier-Case"],
            "attachments": tuple(file for file in attached if file.filename not in self.ours),
        }
        outside = {
            "recipients": list(envelope.rcpt_tos),
            "sender": envelope.mail_from,
            "headers": [name for name, _ in message.items()],
            "message": message,
            "enclosed": tuple(file for file in attached if file.filename in self.ours),
        }
        self.got.append(Got(str(message["Message-ID"]), fields, outside, raw))


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
    says: bytes = b""  # the body of `answer`
    got: list[Got] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    seen: asyncio.Event = field(default_factory=asyncio.Event)
    key_header = "webhook-id"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{place:.+}", self._serve)
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
        if request.method not in ("POST", "PUT"):
            return self.look(request)
        self.tries.append(request.headers[self.key_header])
        raw = await request.read()
        self.seen.set()
        if point == Point.SILENT:
            await asyncio.Event().wait()
        if point in (Point.DROP_LATE, Point.DROP_EARLY):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.answer is not None:
            return web.Response(status=self.answer[0], headers=self.answer[1], body=self.says)
        if point == Point.BUSY:
            return web.Response(status=503)
        if point == Point.REFUSE:
            return web.Response(status=410)
        return self.take(request, raw)

    def look(self, request: web.Request) -> web.Response:
        """What a request that brings nothing is answered."""
        return web.Response(status=405)

    def take(self, request: web.Request, raw: bytes) -> web.Response:
        event = Webhook(SECRET).verify(raw, dict(request.headers))
        data = event["data"]
        content = {name: data[name] for name in set(data) - {"measure", "digest", "xarf", "attachments"}}
        content["xarf"] = rfc8785.dumps(data["xarf"])
        content["attachments"] = tuple(_sent_file(file) for file in data["attachments"])
        outside = {"headers": request.headers, "target": request.raw_path}
        self.got.append(Got(request.headers["webhook-id"], content, outside, raw))
        return web.json_response({"id": "R-77"}, status=202)


class ExampleServer(HookServer):
    """The recipient of the adapter that docs/adding.md shows."""

    key_header = "Idempotency-Key"

    def take(self, request: web.Request, raw: bytes) -> web.Response:
        body = json.loads(raw)
        files = (base64.b64decode(content) for _, _, content in body["files"])
        fields = {name: body[name] for name in ("subject", "text", "html", "notice_id", "thread_key")} | {
            "xarf": rfc8785.dumps(body["xarf"]),
            "attachments": tuple(
                Attachment(name, kind, content, hashlib.sha256(content).hexdigest())
                for (name, kind, _), content in zip(body["files"], files, strict=True)
            ),
        }
        self.got.append(Got(request.headers[self.key_header], fields, {"headers": request.headers}, raw))
        return web.Response(status=202, headers={"Report-Id": "R-77"})


@dataclass
class ApiServer(HookServer):
    """A desk's API: a bearer token, its own names for everything, tickets that can be asked about.

    `tickets`: what GET answers below /reports/, by ticket id; a status alone, or a document.
    """

    tickets: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    key_header = "Idempotency-Key"

    def look(self, request: web.Request) -> web.Response:
        if request.method != "GET":
            return web.Response(status=405)
        self.asked.append(request.raw_path)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        said = self.tickets.get(request.match_info["place"].removeprefix("reports/"), 404)
        return web.Response(status=said) if isinstance(said, int) else web.json_response(said)

    def take(self, request: web.Request, raw: bytes) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        self.places.append(request.path)
        body = json.loads(raw)
        report, about = body["reports"][0], body["about"]
        fields = {
            "domain": report["name"],
            "text": report["story"]["plain"],
            "html": report["story"]["rich"],
            "subject": report["title"],
            "xarf": rfc8785.dumps(report["xarf"]),
            "measure_word": report["wish"],
            "notice_id": about["id"],
            "case_ref": about["case"],
            "purpose": about["purpose"],
            "thread_key": about.get("thread", ""),
            "attachments": tuple(_sent_file(file) for file in report["files"]),
        }
        assert body["source"] == "trusted-notifier"
        self.got.append(Got(request.headers[self.key_header], fields, {"headers": request.headers, "body": body}, raw))
        return web.json_response({"ticket": {"id": "R-77", "state": "queued"}}, status=201)


def _sent_file(file: Mapping[str, str]) -> Attachment:
    content = base64.b64decode(file["content"])
    assert hashlib.sha256(content).hexdigest() == file["sha256"]
    return Attachment(file["filename"], file["media_type"], content, file["sha256"])
