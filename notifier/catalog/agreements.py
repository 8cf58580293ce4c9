"""Agreements, program × registry: one file each in `config/agreements`, or an entry of an overlay."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notifier.catalog.model import Agreement, AnswerClock, Registry
from notifier.catalog.reading import NO_TABLE, Fault, Table, a_day, a_list_of_texts, a_table, digest, read_toml
from notifier.domain.calendar import Calendar
from notifier.domain.epp import Measure
from notifier.domain.program import Program, parse_wait

_MAILBOX = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+\Z")
_URL = re.compile(r"https?://[^\s/@]+(/\S*)?\Z")
_NEEDED: Mapping[str, Mapping[str, tuple[re.Pattern[str], str]]] = {
    "smtp": {"to": (_MAILBOX, "a mailbox")},
    "webhook": {
        "url": (_URL, "an http(s) address"),
        "secret": (re.compile(r"[A-Za-z0-9_.-]+\Z"), "the name of a secret"),
    },
}
"""What the shipped adapters need in `[address]`; an adapter from outside checks its own."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What an agreement is checked against. `adapters` None: which there are is not known here."""

    programs: Mapping[str, Program]
    registries: Mapping[str, Registry]
    calendars: Mapping[str, Calendar]
    adapters: Collection[str] | None


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
    program_id, registry_id = table.text("program"), table.text("registry")
    program, registry = ground.programs.get(program_id), ground.registries.get(registry_id)
    if program_id and program is None:
        table.fault("program", f"{program_id} is no program", f"one of {', '.join(sorted(ground.programs))}")
    if registry_id and registry is None:
        table.fault("registry", f"{registry_id} is no registry", "the id of a registry in registries/tlds.csv")
    if program_id and registry_id and agreement_id != f"{program_id}.{registry_id}":
        table.fault("", f"is named {agreement_id}", f"the name {program_id}.{registry_id}")
    recipient, basis = table.text("recipient"), table.text("basis")
    sources = table.get("sources", a_list_of_texts, "a list of texts, each once") or ()
    as_of = table.get("as_of", a_day, "a TOML day")
    tlds = _tlds(table, registry)
    categories = _categories(table, program)
    measures = _measures(table.table("measures"), program)
    clocks = table.table("clocks")
    acknowledge, decide = (_clock(clocks.table(key), ground.calendars) for key in ("acknowledge", "decide"))
    clocks.nothing_else()
    adapter, address = _channel(table, ground.adapters)
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
    )


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


def _clock(table: Table, calendars: Mapping[str, Calendar]) -> AnswerClock | None:
    wait = table.get("within", parse_wait, "a duration such as 72h, or {working_days, calendar}")
    commitment = table.get("commitment", lambda v: v if v in ("none", "agreed") else None, "one of none, agreed")
    table.nothing_else()
    if wait is not None and wait.working_days and wait.calendar not in calendars:
        table.fault("within", f"there is no calendar {wait.calendar}", f"one of {', '.join(sorted(calendars))}")
    return None if wait is None or commitment is None else AnswerClock(wait, commitment)


def _channel(table: Table, adapters: Collection[str] | None) -> tuple[str | None, Mapping[str, Any]]:
    """Adapter and address go together: one alone is a notice that goes nowhere, or to nobody knows whom."""
    adapter = table.text("adapter") if "adapter" in table.data else ""
    address = table.get("address", a_table, "a table [address]", NO_TABLE) or NO_TABLE
    known = sorted(adapters or _NEEDED)
    if adapter and adapters is not None and adapter not in adapters:
        table.fault("adapter", f"{adapter} is no adapter", f"one of {', '.join(known)}")
    if adapter and not address:
        table.fault("address", "is missing", f"the address that {adapter} writes to")
    if address and not adapter:
        table.fault("adapter", "is missing beside an address", f"one of {', '.join(known)}")
    for key, (pattern, expected) in _NEEDED.get(adapter, {}).items() if address else ():
        value = address.get(key)
        if not isinstance(value, str) or not pattern.match(value):
            table.fault(f"address.{key}", f"is {value!r}" if key in address else "is missing", expected)
    return adapter or None, address
