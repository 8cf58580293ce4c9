"""A clock set by hand, a receiving notifier (real HTTP and SMTP servers), real notices, and sandboxes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP as SMTP_LINES
from typing import Any

import aiohttp
import aiosmtplib
import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks import Webhook

from notifier.sandbox.app import Sandbox
from notifier.sandbox.config import Pace, Party, SandboxConfig

SECRET = "whsec_c2FuZGJveCBzZWNyZXQgZm9yIHRoZSB0ZXN0cyBvbmx5"
MAIL = Party("mailer", "piracy.mailer", "smtp", address="abuse@mail-registry.example", token="tok-mail")
HOOK = Party("hooker", "piracy.hooker", "webhook", secret=SECRET)
STEADY = Pace(
    acknowledge=timedelta(minutes=30),
    act=timedelta(hours=4),
    late=timedelta(days=3),
    mail=timedelta(minutes=2),
    jitter=False,
)


@dataclass
class ManualClock:
    """A clock that stands still until it is moved."""

    at: datetime = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

    async def now(self) -> datetime:
        return self.at

    def forward(self, **wait: float) -> datetime:
        self.at += timedelta(**wait)
        return self.at


@dataclass
class Receiver:
    """The notifier's side of the network: it keeps what comes in and checks signatures as a receiver must."""

    url: str = ""
    smtp_port: int = 0
    calls: list[tuple[str, Mapping[str, str], dict[str, Any]]] = field(default_factory=list)
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    async def post(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if self.codes and (code := self.codes.pop(0)) != 200:
            return web.Response(status=code)
        if request.path.startswith("/api/v1/inbound/"):
            Webhook(SECRET).verify(raw, dict(request.headers))
        self.calls.append((request.path, request.headers.copy(), json.loads(raw)))
        return web.json_response({})

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        sender = (envelope.mail_from or "").removeprefix("<>")
        self.mails.append((sender, envelope.rcpt_tos, envelope.content))
        return "250 OK"

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [body.get("data", body) for _, _, body in self.calls]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.post)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(made, hostname="notifier.example"), "127.0.0.1", 0)
    made.smtp_port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await runner.cleanup()


@pytest.fixture
async def start(clock: ManualClock, receiver: Receiver) -> AsyncIterator[Callable[..., Awaitable[Sandbox]]]:
    """Starts a sandbox with one mail and one webhook party; keywords go into its configuration."""
    async with AsyncExitStack() as stack:

        async def make(**settings: Any) -> Sandbox:
            given: dict[str, Any] = {
                "parties": (MAIL, HOOK),
                "notifier_url": receiver.url,
                "inbound_smtp": ("127.0.0.1", receiver.smtp_port),
                "names": ("rx-pills.com", "films.org", "xn--fa-hia.de", "books.co.uk"),
                "pace": STEADY,
                "poll": None,
            }
            sandbox = Sandbox(SandboxConfig(**(given | settings)), clock)
            await sandbox.start()
            stack.push_async_callback(sandbox.stop)
            return sandbox

        yield make


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


def written(
    domain: str = "rx-pills.com",
    measure: str = "hold",
    notice: str = "n-1",
    *,
    text_domain: str | None = None,
    xarf: bool = True,
    headers: Mapping[str, str] | None = None,
    extra_text: str = "",
) -> EmailMessage:
    """A notice as a mail: human text with the structured block, XARF beside it."""
    message = EmailMessage()
    message["From"] = "Notifier <notices@notifier.example>"
    message["To"] = MAIL.address
    message["Subject"] = f"Notice about {domain}"
    message["Message-ID"] = f"<{notice}@notifier.example>"
    message["X-Notifier-Notice"] = notice
    for name, value in (headers or {}).items():
        message[name] = value
    block = f"Domain: {text_domain or domain}\nRequested action: {measure}\n"
    message.set_content(f"Dear registry,\n\nplease read on.\n{extra_text}\n{block}\nRegards\n")
    if xarf:
        document = {"xarf_version": "4.2.0", "source_identifier": domain}
        message.add_attachment(
            json.dumps(document).encode(), maintype="application", subtype="json", filename="xarf.json"
        )
    return message


async def mailed(sandbox: Sandbox, message: EmailMessage, sender: str = "n+tok@notifier.example") -> None:
    """Send by a real client; raises aiosmtplib's errors."""
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1", port=sandbox.smtp_port, start_tls=False, local_hostname="notifier.example", timeout=10
    )
    async with client:
        await client.sendmail(sender, [str(message["To"])], message.as_bytes(policy=SMTP_LINES))


def payload(domain: str = "rx-pills.com", measure: str = "hold", notice: str = "n-1") -> dict[str, Any]:
    """A notice as a webhook's body."""
    return {
        "type": "notice.request",
        "timestamp": "2026-03-02T12:00:00+00:00",
        "data": {
            "notice_id": notice,
            "case_ref": "C-1",
            "domain": domain,
            "measure": measure,
            "measure_word": measure,
            "subject": f"Notice about {domain}",
            "text": "please read on",
            "xarf": {"xarf_version": "4.2.0", "source_identifier": domain},
        },
    }


def signed(raw: str, key: str, secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    """Standard Webhooks headers for a body."""
    at = at or datetime.now(UTC)
    return {
        "webhook-id": key,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(key, at, raw),
        "content-type": "application/json",
    }


async def hooked(
    sandbox: Sandbox, body: dict[str, Any], key: str = "msg_1", party: str = "hooker"
) -> tuple[int, Mapping[str, str]]:
    """Post by a real client: code and headers of the reply."""
    raw = json.dumps(body)
    url = f"http://127.0.0.1:{sandbox.http_port}/hook/{party}"
    async with aiohttp.ClientSession() as session, session.post(url, data=raw, headers=signed(raw, key)) as reply:
        return reply.status, reply.headers


@dataclass(frozen=True)
class Ways:
    """The two ways a notice gets to a party, for tests that drive both."""

    written = staticmethod(written)
    mailed = staticmethod(mailed)
    payload = staticmethod(payload)
    signed = staticmethod(signed)
    hooked = staticmethod(hooked)

    async def send(self, sandbox: Sandbox, channel: str, domain: str, measure: str, notice: str) -> None:
        """Send one notice and see it accepted."""
        if channel == "smtp":
            await mailed(sandbox, written(domain, measure, notice))
        else:
            code, _ = await hooked(sandbox, payload(domain, measure, notice), key=f"msg_{notice}")
            assert code == 202


@pytest.fixture
def ways() -> Ways:
    return Ways()
