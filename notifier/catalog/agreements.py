"""Agreements, program × recipient: one file each in `config/agreements`, or an entry of an overlay.

With `party = "registrar"` or `"host"` it is no registry's: `<program>.registrar` is for whichever registrar is found,
`<program>.registrar-NAME` for the one with these `iana_ids`; `host` likewise, by `networks`.
"""

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notifier.catalog.agreement_times import read_batch, read_clock, read_daily, read_pace, read_polling
from notifier.catalog.model import Agreement, Registry
from notifier.catalog.reading import NO_TABLE, Fault, Table, a_day, a_list_of_texts, a_table, digest, read_toml
from notifier.domain.calendar import Calendar
from notifier.domain.epp import Measure
from notifier.domain.program import Program
from notifier.domain.rule import Recipient

_MAILBOX = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+\Z")
_URL = re.compile(r"https?://[^\s/@]+(/\S*)?\Z")
_A_SECRET = (re.compile(r"[A-Za-z0-9_.-]+\Z"), "the name of a secret")
_NEEDED: Mapping[str, Mapping[str, tuple[re.Pattern[str], str]]] = {
    "api": {"url": (_URL, "an http(s) address"), "token": _A_SECRET},
    "authority": {"delivery": (re.compile(r"(mail|post)\Z"), "one of mail, post")},
    "smtp": {"to": (_MAILBOX, "a mailbox")},
    "webform": {"form": (_URL, "an http(s) address")},
    "webhook": {"url": (_URL, "an http(s) address"), "secret": _A_SECRET},
}
"""What the shipped adapters need in `[address]`; the rest each adapter checks itself when it is built."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What an agreement is checked against. `adapters` None: which there are is not known here."""

    programs: Mapping[str, Program]
    registries: Mapping[str, Registry]
    calendars: Mapping[str, Calendar]
    adapters: Collection[str] | None


def channel_faults(agreement_id: str, adapter: str, address: Mapping[str, Any]) -> list[Fault]:
    """What a shipped adapter misses in an address; the rest says the adapter itself when it is built."""
    faults: list[Fault] = []
    _channel(Table(agreement_id, {"adapter": adapter, "address": address}, faults), None, for_anybody=False)
    return faults


def read_agreement_files(folder: Path, faults: list[Fault]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Every agreement as (file, decoded TOML), by the file's stem."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for path in sorted((folder / "agreements").glob("*.toml")):
        file = f"agreements/{path.name}"
        if (data := read_toml(path, file, faults)) is not None:
            found[path.stem] = (file, data)
    return found


def parse_agreement(table: Table, agreement_id: str, ground: Ground) -> Agreement | None:
    """One agreement, or None and its faults. `agreement_id` must be `<program>.<registry>`."""
    before = len(table.faults)
    program_id, party = table.text("program"), table.get("party", _a_party, "registrar or host", Recipient.REGISTRY)
    named = party is Recipient.REGISTRY
    registry_id = table.text("registry") if named else agreement_id.partition(".")[2]
    program, registry = ground.programs.get(program_id), ground.registries.get(registry_id)
    if program_id and program is None:
        table.fault("program", f"{program_id} is no program", f"one of {', '.join(sorted(ground.programs))}")
    if named and registry_id and registry is None:
        table.fault("registry", f"{registry_id} is no registry", "the id of a registry in registries/tlds.csv")
    if program_id and registry_id and agreement_id != f"{program_id}.{registry_id}":
        table.fault("", f"is named {agreement_id}", f"the name {program_id}.{registry_id}")
    iana_ids, networks = _only_one(table, party, registry_id)
    recipient, basis = table.text("recipient"), table.text("basis")
    sources = table.get("sources", a_list_of_texts, "a list of texts, each once") or ()
    as_of = table.get("as_of", a_day, "a TOML day")
    tlds = _tlds(table, registry) if named else frozenset()
    categories = _categories(table, program)
    measures = _measures(table.table("measures"), program)
    clocks = table.table("clocks")
    acknowledge, decide = (read_clock(clocks.table(key), ground.calendars) for key in ("acknowledge", "decide"))
    clocks.nothing_else()
    for_anybody = not named and not iana_ids and not networks
    adapter, address = _channel(table, ground.adapters, for_anybody=for_anybody)
    pace, polling = read_pace(table), read_polling(table)
    batch, daily = read_batch(table, ground.calendars), read_daily(table, ground.calendars)
    if daily is not None and for_anybody:
        table.fault("digest", "is given where whoever is found is written to", "it where there is one recipient")
    reminders = table.get("reminders", _a_flag, "true or false", False)
    table.nothing_else()
    if len(table.faults) > before or as_of is None or acknowledge is None or decide is None:
        return None
    return Agreement(
        id=agreement_id,
        program=program_id,
        registry=registry_id,
        recipient_name=recipient,
        adapter=adapter,
        address=address,
        tlds=tlds,
        categories=categories,
        measures=measures,
        basis=basis,
        sources=sources,
        as_of=as_of,
        acknowledge=acknowledge,
        decide=decide,
        digest=digest({**table.data, "tlds": tlds}),
        pace=pace,
        party=party or Recipient.REGISTRY,
        iana_ids=iana_ids,
        networks=networks,
        reminders=bool(reminders),
        polling=polling,
        batch=batch,
        daily=daily,
    )


def _a_party(value: Any) -> Recipient | None:
    return Recipient(value) if value in ("registrar", "host") else None


def _a_flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _only_one(
    table: Table, party: Recipient | None, name: str
) -> tuple[frozenset[str], tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]]:
    """By what a single registrar or host is known again; nothing for a registry, and for whoever is found."""
    if party is None or party is Recipient.REGISTRY or name == party:
        return frozenset(), ()
    if not re.fullmatch(rf"{party}-[a-z0-9][a-z0-9-]{{0,40}}", name):
        table.fault("", f"is named for {name}", f"<program>.{party}, or <program>.{party}-NAME")
    if party is Recipient.REGISTRAR:
        return frozenset(table.get("iana_ids", _iana_ids, "a list of IANA registrar ids, as texts") or ()), ()
    return frozenset(), table.get("networks", _networks, "a list of networks in CIDR form") or ()


def _iana_ids(value: Any) -> tuple[str, ...] | None:
    ids = a_list_of_texts(value)
    return ids if ids and all(text.isascii() and text.isdigit() for text in ids) else None


def _networks(value: Any) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] | None:
    try:
        return tuple(ipaddress.ip_network(text) for text in a_list_of_texts(value) or ()) or None
    except ValueError:
        return None


def _tlds(table: Table, registry: Registry | None) -> frozenset[str]:
    """The listed ones, or with `tlds = "all"` every one of the registry. Never all by silence."""

    def fits(value: Any) -> tuple[str, ...] | None:
        return ("all",) if value == "all" else a_list_of_texts(value)

    tlds = table.get("tlds", fits, '"all", or a list of top-level domains, each once') or ()
    if registry is None:
        return frozenset()
    if tlds == ("all",):
        return registry.tlds
    for tld in tlds:
        if tld not in registry.tlds:
            table.fault("tlds", f"{tld} is not operated by {registry.id}", f"top-level domains of {registry.id}")
    return frozenset(tlds)


def _categories(table: Table, program: Program | None) -> frozenset[str]:
    categories = table.get("categories", a_list_of_texts, "a list of categories, each once") or ()
    if program is not None and categories and program.category not in categories:
        table.fault("categories", f"leave out {program.category}", f"the category of {program.id} among them")
    return frozenset(categories)


def _measures(table: Table, program: Program | None) -> dict[Measure, str]:
    allowed = set(Measure) if program is None else program.measures
    found: dict[Measure, str] = {}
    for key in table.data:
        if key not in allowed:
            table.fault(key, "may not be asked for here", f"one of {', '.join(sorted(allowed))}")
        elif word := table.text(key):
            found[Measure(key)] = word
    if not table.data:
        table.fault("", "is empty", "at least one measure and the recipient's word for it")
    return found


def _channel(
    table: Table, adapters: Collection[str] | None, *, for_anybody: bool
) -> tuple[str | None, Mapping[str, Any]]:
    """Adapter and address go together: one alone is a notice that goes nowhere, or to nobody knows whom.

    Whoever is found is written to by mail, at the address that was found and at no other.
    """
    adapter = table.text("adapter") if "adapter" in table.data else ""
    address = table.get("address", a_table, "a table [address]", NO_TABLE) or NO_TABLE
    known = sorted(adapters or _NEEDED)
    if adapter and adapters is not None and adapter not in adapters:
        table.fault("adapter", f"{adapter} is no adapter", f"one of {', '.join(known)}")
    if for_anybody and adapter not in ("", "smtp"):
        table.fault("adapter", f"is {adapter}", "smtp: whoever is found is reached by mail")
    if for_anybody and {"to", "cc"} & address.keys():
        table.fault("address.to", "is given", "no mailbox: the notice goes to the one that is found")
    if adapter and not address and not for_anybody:
        table.fault("address", "is missing", f"the address that {adapter} writes to")
    if address and not adapter:
        table.fault("adapter", "is missing beside an address", f"one of {', '.join(known)}")
    for key, (pattern, expected) in _NEEDED.get(adapter, {}).items() if address and not for_anybody else ():
        value = address.get(key)
        if not isinstance(value, str) or not pattern.match(value):
            table.fault(f"address.{key}", f"is {value!r}" if key in address else "is missing", expected)
    return adapter or None, address
