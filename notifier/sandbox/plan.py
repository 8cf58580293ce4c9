"""A sandbox from a file: who plays which party, on which ports, with which faults, and where its log is kept.

```toml
seed = "7"
log = "deliveries.ndjson"             # beside this file; kept over restarts
slow = 3                              # seconds by which a slow answer is late
behaviour = "silent"                  # of everybody; without it they obey
[ports]                               # 0 or missing: chosen by the system
smtp = 2525
http = 8001
dns = 5353
site = 8002
resolver = 5354
[faults]                              # likelihood by protocol point, see `faults.Point`
"smtp.answer" = 0.05
[parties.pir]
channel = "webhook"                   # or smtp, webform
secret = "whsec_..."                  # of a webhook or web form party
address = "abuse@registry.example"    # of a mail party
```
"""

from pathlib import Path
from typing import Any

from notifier.catalog import ConfigFaults, Fault
from notifier.catalog.reading import Table, read_toml
from notifier.sandbox.config import Channel, Party, SandboxConfig
from notifier.sandbox.faults import checked

_PORTS = ("smtp", "http", "dns", "site", "resolver")
_CHANNELS: tuple[Channel, ...] = ("smtp", "webhook", "webform")


def read_plan(path: Path) -> SandboxConfig:
    """The checked configuration. Raises ConfigFaults with every fault, and Invalid for parties that do not go together."""
    faults: list[Fault] = []
    data = read_toml(path, path.name, faults)
    table = Table(path.name, data or {}, faults)
    seed, log = table.text("seed", "sandbox"), table.text("log", "")
    slow = table.get("slow", _seconds, "seconds, over 0", 3.0)
    mix = table.text("behaviour", "obey")
    ports = table.table("ports", required=False)
    smtp, http, dns, site, resolver = (ports.get(name, _port, "a port from 0 to 65535", 0) or 0 for name in _PORTS)
    ports.nothing_else()
    likelihood = table.table("faults", required=False).data
    listed = table.table("parties")
    parties = tuple(_party(key, listed.table(key)) for key in listed.data)
    table.nothing_else()
    if faults:
        raise ConfigFaults(faults)
    return SandboxConfig(
        parties,
        seed=seed,
        mix={mix: 1.0},
        register_all=True,
        log=path.parent / log if log else None,
        faults={str(point): chance for point, chance in checked(likelihood).items()},
        slow_s=slow or 3.0,
        smtp_port=smtp,
        http_port=http,
        dns_port=dns,
        site_port=site,
        resolver_port=resolver,
    )


def _party(name: str, table: Table) -> Party:
    channel: Channel = table.get("channel", _channel, f"one of {', '.join(_CHANNELS)}") or "smtp"
    address, secret = table.text("address", ""), table.text("secret", "")
    table.nothing_else()
    return Party(name, name, channel, address, secret)


def _channel(value: Any) -> Channel | None:
    return next((known for known in _CHANNELS if known == value), None)


def _port(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= 65535 else None


def _seconds(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and value > 0 else None
