"""Loads the whole configuration folder, or says everything that is wrong with it."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from notifier.catalog.agreements import Ground, parse_agreement, read_agreement_files
from notifier.catalog.model import Agreement, Catalog
from notifier.catalog.overlay import Overlay, parse_overlay
from notifier.catalog.reading import ConfigFaults, Fault, Table, digest, read_toml
from notifier.catalog.registries import read_registries, registry_of
from notifier.domain.calendar import Calendar, parse_calendar
from notifier.domain.program import Program, parse_program
from notifier.suffixes import load_suffixes
from notifier.targetlists import load_lists

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


def _load(
    folder: Path, source: OverlaySource, own_names: Collection[str], adapters: Collection[str] | None
) -> tuple[Catalog, list[Fault]]:
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
    programs = _programs(folder, calendars, faults)
    registries = read_registries(folder, faults)
    by_tld = registry_of(registries, faults)
    overlay = _overlay(source, by_tld.keys(), faults)
    if overlay is not None:
        registries = {key: overlay.registry(registry) for key, registry in registries.items()}
    agreements = _agreements(folder, overlay, Ground(programs, registries, calendars, adapters), faults)
    catalog = Catalog(
        programs=programs,
        registries=registries,
        agreements=agreements,
        calendars=calendars,
        suffixes=load_suffixes(),
        lists=lists,
        registry_of=by_tld,
        overlay=overlay.id if overlay else None,
        name_servers=overlay.name_servers(by_tld.keys()) if overlay else None,
        site=overlay.site if overlay else None,
        relay=overlay.smtp if overlay else None,
    )
    return catalog, faults


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


def _programs(folder: Path, calendars: Mapping[str, Calendar], faults: list[Fault]) -> dict[str, Program]:
    found: dict[str, Program] = {}
    for path in sorted((folder / "programs").glob("*.toml")):
        file = f"programs/{path.name}"
        data = read_toml(path, file, faults)
        program, wrong = parse_program(data, digest(data)) if data is not None else (None, [])
        faults += [Fault(file, *fault) for fault in wrong]
        if program is None:
            continue
        if program.id != path.stem:
            faults.append(Fault(file, "id", f"is {program.id}", f"{path.stem}, as the file is named"))
        for number, step in enumerate(program.ladder):
            if step.window.working_days and step.window.calendar not in calendars:
                what = f"there is no calendar {step.window.calendar}"
                faults.append(Fault(file, f"ladder[{number}].window", what, f"one of {', '.join(sorted(calendars))}"))
        found[program.id] = program
    if not found and not any(f.file.startswith("programs/") for f in faults):
        faults.append(Fault("programs", "", "has no program", "at least one file <program>.toml"))
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
