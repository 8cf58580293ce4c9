"""An overlay: other channels, RDAP bases and name servers in place of every shipped one. For demo and sandbox.

Fail closed: what the overlay does not name has no RDAP base, no server and no channel, whatever the folder says.

```toml
id = "sandbox"
site = "127.0.0.1:8002"      # where pages are looked for
smtp = "127.0.0.1:2525"      # the relay that takes our mail
rdap_networks = "http://127.0.0.1:8001/rdap/"   # where addresses are asked about
[rdap]
"*" = "http://127.0.0.1:8001/rdap/"   # every top-level domain, or one by name
[dns]
"*" = "127.0.0.1:5353"
[survey]                     # who is asked how much hangs on a name; what is missing is not measured
certificates = "http://127.0.0.1:8001/survey/certificates/{name}"
dependents = "http://127.0.0.1:8001/survey/dependents/{name}"
popularity = "http://127.0.0.1:8001/survey/popularity/{name}"
resolver = "127.0.0.1:5354"
[waits]                      # how patient channels are with servers on this machine: seconds, see `adapter.Waits`
final = 600
[agreements."opioids.verisign"]       # adapter and address; for a pair that is not in the folder, all its keys
adapter = "smtp"
address = { to = "abuse@verisign.sandbox.test" }
```
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from notifier.adapter import Waits
from notifier.catalog.model import Registry, SurveyPlaces
from notifier.catalog.reading import Fault, Table
from notifier.catalog.registries import is_base

EVERY = "*"
_ID = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")
_ENDPOINT = re.compile(r"(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})\Z")

Endpoint = tuple[str, int]
_TEMPLATE = re.compile(r"https?://[^\s{}]+\{name\}[^\s{}]*\Z")


@dataclass(frozen=True, slots=True)
class Overlay:
    """A checked overlay. `agreements` has the keys that replace those of the file, by agreement id."""

    id: str
    file: str
    rdap: Mapping[str, str]
    dns: Mapping[str, Endpoint]
    agreements: Mapping[str, Mapping[str, Any]]
    site: Endpoint | None
    smtp: Endpoint | None
    survey: SurveyPlaces
    networks: str | None
    waits: Waits

    def registry(self, registry: Registry) -> Registry:
        """The registry without any address of its own, and with the overlay's RDAP base where it names one."""
        rdap = {tld: base for tld in registry.tlds if (base := self.rdap.get(tld) or self.rdap.get(EVERY))}
        return replace(registry, rdap=rdap, abuse_email={}, abuse_form={}, abuse_api={})

    def name_servers(self, tlds: Collection[str]) -> dict[str, tuple[Endpoint, ...]]:
        """Servers for each top-level domain that the overlay names, by itself or by `*`."""
        return {tld: (server,) for tld in tlds if (server := self.dns.get(tld) or self.dns.get(EVERY))}

    def agreement(self, agreement_id: str, shipped: Mapping[str, Any]) -> Mapping[str, Any]:
        """An agreement's keys: the file's without its channel, then the overlay's own."""
        kept = {key: value for key, value in shipped.items() if key not in ("adapter", "address")}
        return {**kept, **self.agreements.get(agreement_id, {})}


def parse_overlay(data: Mapping[str, Any], file: str, tlds: Collection[str], faults: list[Fault]) -> Overlay | None:
    """A checked overlay, or None and its faults. `tlds`: every known top-level domain."""
    before = len(faults)
    table = Table(file, data, faults)
    overlay_id = table.get("id", lambda v: v if isinstance(v, str) and _ID.match(v) else None, "a short name") or ""
    site, smtp = (_optional_endpoint(table, key) for key in ("site", "smtp"))
    rdap, dns = table.table("rdap"), table.table("dns")
    bases = {
        tld: base for tld in _named(rdap, tlds) if (base := rdap.get(tld, _base, "a base URL that ends in a slash"))
    }
    servers = {tld: server for tld in _named(dns, tlds) if (server := dns.get(tld, endpoint, _HOST_PORT))}
    parties = table.table("agreements", required=False)
    agreements = {key: parties.table(key).data for key in parties.data}
    survey = _survey(table.table("survey", required=False))
    networks = table.get("rdap_networks", _base, "a base URL that ends in a slash", "") or None
    waits = _waits(table.table("waits", required=False))
    table.nothing_else()
    if len(faults) > before:
        return None
    return Overlay(overlay_id, file, bases, servers, agreements, site, smtp, survey, networks, waits)


_HOST_PORT = "host:port, an IPv6 host in brackets"


def endpoint(value: Any) -> Endpoint | None:
    """`host:port` with a port of 1 to 65535."""
    match = _ENDPOINT.match(value) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[3]) <= 65535:
        return None
    return match[1] or match[2], int(match[3])


def _survey(table: Table) -> SurveyPlaces:
    def url(key: str) -> str | None:
        return table.get(key, _template, "a URL with {name} in it", "") or None

    found = SurveyPlaces(
        url("certificates"), url("dependents"), url("popularity"), _optional_endpoint(table, "resolver")
    )
    table.nothing_else()
    return found


def _waits(table: Table) -> Waits:
    usual = asdict(Waits())
    read = {key: table.get(key, _seconds, "seconds, over 0", usual[key]) for key in usual}
    table.nothing_else()
    return Waits(**{key: value or usual[key] for key, value in read.items()})


def _seconds(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and 0 < value < 3600 else None


def _template(value: Any) -> str | None:
    return value if isinstance(value, str) and _TEMPLATE.match(value) else None


def _optional_endpoint(table: Table, key: str) -> Endpoint | None:
    # A missing key takes the default without being read; port 0 stands for "none given".
    found = table.get(key, endpoint, _HOST_PORT, ("", 0))
    return None if found == ("", 0) else found


def _base(value: Any) -> str | None:
    return value if isinstance(value, str) and is_base(value) else None


def _named(table: Table, tlds: Collection[str]) -> list[str]:
    for key in sorted(table.data.keys() - {EVERY} - set(tlds)):
        table.fault(key, "is no top-level domain of the catalog", f'"{EVERY}" for all, or one of them')
    return sorted(table.data)
