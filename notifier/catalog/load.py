"""Loads the whole configuration folder, or says everything that is wrong with it."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from notifier.adapter import Waits
from notifier.catalog.agreements import Ground, parse_agreement, read_agreement_files
from notifier.catalog.model import Agreement, Catalog, Registry
from notifier.catalog.overlay import Overlay, parse_overlay
from notifier.catalog.programs import read_events, read_program, read_programs, unknown_programs, unknown_readers
from notifier.catalog.reading import ConfigFaults, Fault, Table, digest, read_toml
from notifier.catalog.registries import read_registries, registry_of
from notifier.catalog.safety import read_thresholds
from notifier.domain.blast import Thresholds
from notifier.domain.calendar import Calendar, parse_calendar
from notifier.domain.names import Suffixes
from notifier.domain.program import Program
from notifier.domain.safety import TargetLists
from notifier.suffixes import load_suffixes
from notifier.targetlists import load_lists

_READ = frozenset({".toml", ".csv", ".txt"})

OverlaySource = Path | Mapping[str, Any] | None


def load_catalog(
    folder: Path,
    overlay: OverlaySource = None,
    own_names: Collection[str] = (),
    adapters: Collection[str] | None = None,
) -> Catalog:
    """The checked catalog of a folder. Raises ConfigFaults with every fault if there is any.

    `overlay`: a TOML file, or its decoded content. `own_names`: our own names, which no report may name.
    `adapters`: the channels there are; None leaves their names unchecked.
    """
    catalog, faults = _load(folder, overlay, own_names, adapters)
    if faults:
        raise ConfigFaults(faults)
    return catalog


def check(
    folder: Path,
    overlay: OverlaySource = None,
    own_names: Collection[str] = (),
    adapters: Collection[str] | None = None,
) -> list[Fault]:
    """Every fault of a folder, sorted; nothing outside it is asked."""
    return sorted(set(_load(folder, overlay, own_names, adapters)[1]))


def folder_digest(folder: Path, overlay: OverlaySource = None) -> str:
    """SHA-256, hex, over every file of a folder and the overlay: whether two processes read the same."""
    found = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in _READ and p.is_file()):
        found.update(
            f"{path.relative_to(folder).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        )
    if isinstance(overlay, Path):
        found.update(overlay.read_bytes())
    elif overlay is not None:
        found.update(digest(overlay).encode())
    return found.hexdigest()


def program_of(file: Path, known: Catalog) -> Program:
    """A program's file before it is adopted, held against what is configured. Raises ConfigFaults with every fault."""
    faults: list[Fault] = []
    program = read_program(file, file.name, known.calendars, faults)
    if program is not None:
        faults += unknown_programs(program, file.name, {*known.programs, program.id})
        faults += unknown_readers(program, file.name, known.registries)
        faults += _against_agreements(program, file.name, known)
    if program is None or faults:
        raise ConfigFaults(faults)
    return program


def _against_agreements(program: Program, file: str, known: Catalog) -> Iterator[Fault]:
    """What agreements of the program ask for and it no longer has."""
    for agreement in known.agreements.values():
        if agreement.program != program.id:
            continue
        for measure in sorted(set(agreement.measures) - program.measures):
            yield Fault(file, "measures", f"lack {measure}", f"what the agreement {agreement.id} has")
        if program.category not in agreement.categories:
            categories = ", ".join(sorted(agreement.categories))
            yield Fault(
                file, "category", f"is {program.category}", f"one of the agreement {agreement.id}: {categories}"
            )


@lru_cache(maxsize=2)
def _read(folder: Path, _digest: str, own_names: frozenset[str]) -> tuple[Catalog, tuple[Fault, ...]]:
    """What the files say, but for agreements, and their faults. Once for the same files: each house of a process reads them."""
    faults: list[Fault] = []
    lists, list_faults = load_lists(folder / "lists", own_names)
    faults += [
        # A line of 0 stands for the whole file, and `settings` is not in the folder.
        Fault(
            f"lists/{f.file}" if f.file.endswith(".txt") else f.file,
            f"line {f.line}" if f.line else "",
            f.what,
            f.expected,
        )
        for f in list_faults
    ]
    calendars = _calendars(folder, faults)
    programs = read_programs(folder, calendars, faults)
    events = read_events(folder, programs, faults)
    registries = read_registries(folder, faults)
    for program in programs.values():
        faults += unknown_readers(program, f"programs/{program.id}.toml", registries)
    by_tld = registry_of(registries, faults)
    suffixes = load_suffixes()
    lists = _with_rdap_hosts(lists, registries, suffixes)
    catalog = Catalog(
        programs=programs,
        registries=registries,
        agreements={},
        calendars=calendars,
        events=events,
        suffixes=suffixes,
        lists=lists,
        # Missing thresholds are a fault, and a faulty catalog is thrown away.
        thresholds=cast(Thresholds, read_thresholds(folder, faults)),
        registry_of=by_tld,
    )
    return catalog, tuple(faults)


def _load(
    folder: Path, source: OverlaySource, own_names: Collection[str], adapters: Collection[str] | None
) -> tuple[Catalog, list[Fault]]:
    read, found = _read(folder, folder_digest(folder), frozenset(own_names))
    faults = list(found)
    overlay = _overlay(source, read.registry_of.keys(), faults)
    registries = dict(read.registries)
    if overlay is not None:
        registries = {key: overlay.registry(registry) for key, registry in registries.items()}
    ground = Ground(read.programs, registries, read.calendars, adapters)
    catalog = replace(
        read,
        programs=dict(read.programs),
        events=dict(read.events),
        registries=registries,
        agreements=_agreements(folder, overlay, ground, faults),
        overlay=overlay.id if overlay else None,
        name_servers=overlay.name_servers(read.registry_of.keys()) if overlay else None,
        site=overlay.site if overlay else None,
        relay=overlay.smtp if overlay else None,
        survey=overlay.survey if overlay else None,
        rdap_networks=overlay.networks if overlay else None,
        waits=overlay.waits if overlay else Waits(),
        looks_per_hour={} if overlay else _looks_per_hour(registries),
    )
    return catalog, faults


def _looks_per_hour(registries: Mapping[str, Registry]) -> dict[str, int]:
    """By RDAP server: several registries may stand behind one, and it is theirs together."""
    found: dict[str, int] = {}
    for registry in registries.values():
        if (agreed := registry.rdap_per_hour) is not None:
            for server in {urlsplit(base).netloc.lower() for base in registry.rdap.values()}:
                found[server] = min(agreed, found.get(server, agreed))
    return found


def _with_rdap_hosts(lists: TargetLists, registries: Mapping[str, Registry], suffixes: Suffixes) -> TargetLists:
    """The lists with every name under which a registry of the catalog answers as protected."""
    hosts = {urlsplit(base).hostname or "" for registry in registries.values() for base in registry.rdap.values()}
    names = {suffixes.icann_registrable(host) or host for host in hosts if "." in host}
    found = {name: "rdap_host" for name in sorted(names) if name not in lists.protected}
    versions = {**lists.versions, "registries": "registries/tlds.csv"}
    return replace(lists, protected={**found, **lists.protected}, versions=versions)


def _calendars(folder: Path, faults: list[Fault]) -> dict[str, Calendar]:
    found: dict[str, Calendar] = {}
    for path in sorted((folder / "calendars").glob("*.toml")):
        file = f"calendars/{path.name}"
        data = read_toml(path, file, faults)
        calendar, wrong = parse_calendar(data) if data is not None else (None, [])
        faults += [Fault(file, *fault) for fault in wrong]
        if calendar is not None and calendar.id != path.stem:
            faults.append(Fault(file, "id", f"is {calendar.id}", f"{path.stem}, as the file is named"))
        elif calendar is not None:
            found[calendar.id] = calendar
    return found


def _overlay(source: OverlaySource, tlds: Collection[str], faults: list[Fault]) -> Overlay | None:
    if source is None:
        return None
    if isinstance(source, Path):
        data = read_toml(source, source.name, faults)
        return None if data is None else parse_overlay(data, source.name, tlds, faults)
    return parse_overlay(source, "overlay", tlds, faults)


def _agreements(folder: Path, overlay: Overlay | None, ground: Ground, faults: list[Fault]) -> dict[str, Agreement]:
    files = read_agreement_files(folder, faults)
    merged: dict[str, tuple[str, Mapping[str, Any]]] = dict(files)
    if overlay is not None:
        for key in {*files, *overlay.agreements}:
            file, shipped = files.get(key, (overlay.file, {}))
            where = overlay.file if key in overlay.agreements else file
            merged[key] = (where, overlay.agreement(key, shipped))
    found: dict[str, Agreement] = {}
    for key, (file, data) in sorted(merged.items()):
        prefix = f"agreements.{key}." if overlay is not None and file == overlay.file else ""
        agreement = parse_agreement(Table(file, data, faults, prefix), key, ground)
        if agreement is not None:
            found[key] = agreement
    return found
