"""The channels under test. To put another adapter through the suite, add a Channel here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import aiohttp

from notifier.adapter import (
    AgreementChannel,
    AttendedAdapter,
    Deps,
    Identity,
    RegistryAdapter,
    Relay,
    StartTls,
    Waits,
)
from registries import ADAPTERS, authority, webform
from tests.docs import examples
from tests.registries import keys
from tests.registries.sample_facts import T
from tests.registries.servers import SECRET, TOKEN, ApiServer, ExampleServer, HookServer, SmtpServer

IDENTITY = Identity("Example Notifier", "desk@notifier.example", "replies.notifier.example")

SECRETS = {"hook": SECRET, "desk": TOKEN, "relay": "correct horse"}


class FixedClock:
    async def now(self) -> datetime:
        return T


def deps(port: int = 0, **changes: Any) -> Deps:
    """Dependencies that reach 127.0.0.1 only, with short waits."""
    base: dict[str, Any] = {
        "identity": IDENTITY,
        "clock": FixedClock(),
        "session": aiohttp.ClientSession,
        "check_connect": lambda ip: ip == "127.0.0.1",
        "secret": SECRETS.get,
        "relay": Relay("127.0.0.1", port, StartTls.NONE),
        "waits": Waits(connect=2, reply=0.5, final=0.3, pause=0.01),
    }
    return Deps(**(base | changes))


@dataclass(frozen=True)
class Channel:
    """How the suite makes a recipient and an adapter of one kind."""

    name: str
    server: Callable[..., Any]
    adapter: Callable[[int], RegistryAdapter]
    address: Callable[[int], str]
    early_drop_is_known: bool  # whether the wire tells that nothing was accepted when a connection is dropped
    same_bytes: bool = True  # False: a signature tells the time at which it was made


def smtp_adapter(port: int) -> RegistryAdapter:
    return ADAPTERS["smtp"](
        AgreementChannel("opioids.sandbox", "smtp", {"to": "abuse@registry.example"}, "Sandbox Registry"),
        deps(port),
    )


def hook_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/hook"


def webhook_adapter(port: int) -> RegistryAdapter:
    address = {"url": hook_url(port), "secret": "hook"}
    return ADAPTERS["webhook"](AgreementChannel("opioids.sandbox", "webhook", address, "Sandbox Registry"), deps())


def api_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/reports"


def api_address(port: int, **changes: Any) -> dict[str, Any]:
    """A desk's terms as an agreement declares them; a change to None takes a key away."""
    address: dict[str, Any] = {
        "url": api_url(port),
        "token": "desk",
        "idempotency_header": "Idempotency-Key",
        "fields": {
            "reports.0.name": "domain",
            "reports.0.title": "subject",
            "reports.0.story.plain": "text",
            "reports.0.story.rich": "html",
            "reports.0.xarf": "xarf",
            "reports.0.wish": "measure_word",
            "about.id": "notice_id",
            "about.case": "case_ref",
            "about.purpose": "purpose",
            "about.thread": "thread_key",
        },
        "constants": {"source": "trusted-notifier"},
        "files": {
            "list": "reports.0.files",
            "fields": {
                "filename": "filename",
                "media_type": "media_type",
                "sha256": "sha256",
                "content": "content",
            },
        },
        "accepted": {"status": [201, 202], "where": {"ticket.state": ["queued", "open"]}, "reference": "ticket.id"},
    }
    return {key: value for key, value in (address | changes).items() if value is not None}


def api_adapter(port: int) -> RegistryAdapter:
    return ADAPTERS["api"](AgreementChannel("opioids.sandbox", "api", api_address(port), "Sandbox Registry"), deps())


def authority_adapter(port: int) -> RegistryAdapter:
    address = {
        "delivery": "mail",
        "to": "abuse@registry.example",
        "postal": ["Office of Example", "1 Main Street", "Exampletown"],
    }
    return ADAPTERS["authority"](
        AgreementChannel("opioids.sandbox", "authority", address, "Sandbox Registry"), deps(port)
    )


def example_adapter(port: int) -> RegistryAdapter:
    channel = AgreementChannel("opioids.sandbox", "json-api", {"url": hook_url(port), "secret": "desk"}, "Sandbox")
    built: RegistryAdapter = examples.adapter().build(channel, deps())
    return built


def signed_adapter(port: int) -> RegistryAdapter:
    """Mail under both signatures."""
    address = {
        "to": "abuse@registry.example",
        "dkim": {"selector": "s2026", "key": "key"},
        "smime": {"certificate": "certificate", "key": "key"},
    }
    key = keys.rsa_key()
    secrets = {"key": keys.pem(key), "certificate": keys.certificate(IDENTITY.mail_from, key)}
    channel = AgreementChannel("opioids.sandbox", "smtp", address, "Sandbox Registry")
    return ADAPTERS["smtp"](channel, deps(port, secret=secrets.get))


LETTER = "letter-TN-2026-000123.pdf"
CHANNELS = (
    Channel("smtp", SmtpServer, smtp_adapter, lambda port: "abuse@registry.example", True),
    Channel("signed-mail", SmtpServer, signed_adapter, lambda port: "abuse@registry.example", True, same_bytes=False),
    Channel("webhook", HookServer, webhook_adapter, hook_url, False),
    Channel("api", ApiServer, api_adapter, api_url, False),
    Channel(
        "authority", partial(SmtpServer, ours={LETTER}), authority_adapter, lambda port: "abuse@registry.example", True
    ),
    Channel("example", ExampleServer, example_adapter, hook_url, False),
)


@dataclass(frozen=True)
class AttendedChannel:
    """A channel that a person carries."""

    name: str
    adapter: Callable[[int], AttendedAdapter]
    address: Callable[[int], str]
    reaches: bool  # whether there is something that `check` can reach


def form_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/form"


def webform_adapter(port: int, **changes: Any) -> AttendedAdapter:
    address: dict[str, Any] = {"form": form_url(port)} | changes
    return webform.build(AgreementChannel("opioids.sandbox", "webform", address, "Sandbox Registry"), deps())


def post_adapter(port: int) -> AttendedAdapter:
    address = {"delivery": "post", "postal": POSTAL}
    return authority.build(AgreementChannel("opioids.sandbox", "authority", address, "Sandbox Registry"), deps())


POSTAL = ["Office of Example", "1 Main Street", "Exampletown"]
ATTENDED = (
    AttendedChannel("webform", webform_adapter, form_url, True),
    AttendedChannel("authority-post", post_adapter, lambda port: ", ".join(POSTAL), False),
)
