"""The channels under test. To put another adapter through the suite, add a Channel here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from notifier.adapter import (
    AgreementChannel,
    Deps,
    Identity,
    RegistryAdapter,
    Relay,
    StartTls,
    Waits,
)
from registries import ADAPTERS
from tests.registries.sample_facts import T
from tests.registries.servers import SECRET, HookServer, SmtpServer

IDENTITY = Identity("Example Notifier", "desk@notifier.example", "replies.notifier.example")


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
        "secret": {"hook": SECRET, "relay": "correct horse"}.get,
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


CHANNELS = (
    Channel("smtp", SmtpServer, smtp_adapter, lambda port: "abuse@registry.example", True),
    Channel("webhook", HookServer, webhook_adapter, hook_url, False),
)
