"""Who plays which party in the sandbox, and how."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from notifier.domain.epp import Measure
from notifier.errors import Invalid
from notifier.sandbox.script import behaviour
from notifier.sandbox.survey import Profile

Channel = Literal["smtp", "webhook", "webform", "api"]
Role = Literal["registry", "registrar", "host"]


@dataclass(frozen=True, slots=True)
class Party:
    """A simulated recipient of notices.

    `recipient` is its name in our `POST /inbound/{recipient}`; `address` its mail address; `secret` the
    Standard Webhooks secret (`whsec_...`) of both directions, for a form's party of its answers alone, and
    for an API's party the bearer token that it takes; `token` the bearer token of a mail party's
    answers. `words` are its own words for measures beside the plain ones. `tlds`: the zones it operates,
    empty for all. `behaviour` rules every name that has none of its own.
    """

    id: str
    recipient: str
    channel: Channel
    address: str = ""
    secret: str = ""
    token: str = ""
    role: Role = "registry"
    words: Mapping[str, Measure] = field(default_factory=dict)
    tlds: frozenset[str] = frozenset()
    behaviour: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """Clock time from the arrival of a notice to each step.

    With `jitter` each name has its own factor from 0.5 to 1.5.
    """

    acknowledge: timedelta = timedelta(minutes=30)
    act: timedelta = timedelta(hours=4)
    late: timedelta = timedelta(days=3)
    mail: timedelta = timedelta(minutes=2)
    jitter: bool = True


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Everything a sandbox is made of; raises Invalid for an unknown behaviour, a bad mix or a bad party.

    `mix`: behaviour to weight, in draw order. `behaviours`: A-label to behaviour, before any draw;
    `profiles`: A-label to how much hangs on the name. `staff_secret` signs what is posted to our own people. Ports of
    0 are chosen by the system. `poll` is the real time in seconds between two looks at the clock, None when
    a driver calls `run_due`. `log`: the ledger's file; what it says was accepted is remembered by another life on the
    same file, what was planned then is not done. `faults`: likelihood by protocol point; `slow_s`: how late a slow answer is.
    """

    parties: tuple[Party, ...]
    notifier_url: str | None = None
    inbound_smtp: tuple[str, int] | None = None
    seed: str = "sandbox"
    mix: Mapping[str, float] = field(default_factory=lambda: {"obey": 1.0})
    behaviours: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    register_all: bool = False
    residual_glue: tuple[str, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)
    rdap_lag: timedelta = timedelta(0)
    poll: float | None = 0.2
    staff_secret: str = ""
    smtp_port: int = 0
    http_port: int = 0
    dns_port: int = 0
    site_port: int = 0
    resolver_port: int = 0
    log: Path | None = None
    faults: Mapping[str, float] = field(default_factory=dict)
    slow_s: float = 3.0

    def __post_init__(self) -> None:
        own = [party.behaviour for party in self.parties if party.behaviour is not None]
        for name in (*self.mix, *self.behaviours.values(), *own):
            behaviour(name)
        if not self.mix or min(self.mix.values()) < 0 or sum(self.mix.values()) <= 0:
            raise Invalid("the mix of behaviours needs weights of which one is above 0", code="invalid_mix")
        for party in self.parties:
            needed = "address" if party.channel == "smtp" else "secret"
            if not getattr(party, needed):
                raise Invalid(f"party {party.id}: a {party.channel} party needs its {needed}", code="invalid_party")
        for attribute in ("id", "recipient"):
            values = [getattr(party, attribute) for party in self.parties]
            if len(values) != len(set(values)):
                raise Invalid(f"two parties share one {attribute}: {sorted(values)}", code="invalid_party")


def loopback(host: str) -> str:
    """The address of a loopback host; raises Invalid for any other host."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise Invalid(f"{host!r} is not a loopback address", code="not_loopback")
    return str(address)
