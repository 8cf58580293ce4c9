"""Programs, and the live events registered for them: config/programs and config/events."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from notifier.catalog.reading import Fault, digest, read_toml
from notifier.domain.calendar import Calendar
from notifier.domain.live_events import LiveEvent, parse_events
from notifier.domain.program import Program, parse_program
from notifier.domain.rules import InEventWindow, VerifiedBefore


def read_programs(folder: Path, calendars: Mapping[str, Calendar], faults: list[Fault]) -> dict[str, Program]:
    """Every program by id; a file that does not bear its program's id is a fault."""
    found: dict[str, Program] = {}
    for path in sorted((folder / "programs").glob("*.toml")):
        file = f"programs/{path.name}"
        program = read_program(path, file, calendars, faults)
        if program is None:
            continue
        if program.id != path.stem:
            faults.append(Fault(file, "id", f"is {program.id}", f"{path.stem}, as the file is named"))
        found[program.id] = program
    for program in found.values():
        faults += unknown_programs(program, f"programs/{program.id}.toml", found)
    if not found and not any(f.file.startswith("programs/") for f in faults):
        faults.append(Fault("programs", "", "has no program", "at least one file <program>.toml"))
    return found


def read_program(path: Path, file: str, calendars: Mapping[str, Calendar], faults: list[Fault]) -> Program | None:
    """One program's file, wherever it lies; None and every fault when it is none. `file`: how faults name it."""
    data = read_toml(path, file, faults)
    if data is None:
        return None
    program, wrong = parse_program(data, program_digest(data, faults, file))
    faults += [Fault(file, *fault) for fault in wrong]
    for number, step in enumerate(program.ladder if program else ()):
        if step.window.working_days and step.window.calendar not in calendars:
            what = f"there is no calendar {step.window.calendar}"
            faults.append(Fault(file, f"ladder[{number}].window", what, f"one of {', '.join(sorted(calendars))}"))
    if program is not None and "due_process" in data:
        for key, wait in (("acknowledge", program.acknowledge_appeal), ("decide", program.decide_appeal)):
            if wait.working_days and wait.calendar not in calendars:
                what = f"there is no calendar {wait.calendar}"
                faults.append(Fault(file, f"due_process.{key}", what, f"one of {', '.join(sorted(calendars))}"))
    return program


def program_digest(data: Mapping[str, Any], faults: list[Fault], file: str) -> str:
    """Hex SHA-256 of what the file says; a value that has no such form (infinity) is a fault."""
    try:
        return digest(data)
    except ValueError as error:
        faults.append(Fault(file, "", f"cannot be digested: {error}", "finite numbers of at most 53 bits"))
        return ""


def unknown_programs(program: Program, file: str, programs: Collection[str]) -> Iterator[Fault]:
    """Rules that speak of programs which do not exist."""
    for place, rule in enumerate(program.rules):
        if isinstance(rule, VerifiedBefore):
            for named in sorted(set(rule.programs) - set(programs)):
                known = ", ".join(sorted(programs))
                yield Fault(file, f"rules[{place}].programs", f"{named} is no program", f"one of {known}")


def unknown_readers(program: Program, file: str, registries: Collection[str]) -> Iterator[Fault]:
    """Registries that the program shares its hopping list with and that do not exist."""
    for named in sorted(program.hops_to - set(registries)):
        yield Fault(file, "share_hops_with", f"{named} is no registry", "ids of config/registries")


def read_events(folder: Path, programs: Mapping[str, Program], faults: list[Fault]) -> dict[str, LiveEvent]:
    """Every registered event by id; two of one id, and one whose program has no window for it, are faults."""
    found: dict[str, LiveEvent] = {}
    for path in sorted((folder / "events").glob("*.toml")):
        file = f"events/{path.name}"
        data = read_toml(path, file, faults)
        events, wrong = parse_events(data) if data is not None else ((), [])
        faults += [Fault(file, *fault) for fault in wrong]
        for event in events:
            faults += _misplaced(event, file, programs)
            if event.id in found:
                faults.append(Fault(file, event.id, "is registered in another file too", "each id once"))
            found[event.id] = event
    return found


def _misplaced(event: LiveEvent, file: str, programs: Mapping[str, Program]) -> Iterator[Fault]:
    program = programs.get(event.program)
    rule = program.rule(InEventWindow) if program else None
    if program is None:
        known = ", ".join(sorted(programs))
        if event.program:
            yield Fault(file, "program", f"{event.program} is no program", f"one of {known}")
    elif rule is None:
        yield Fault(file, "program", f"{program.id} has no rule in_event_window", "a program of live events")
    elif event.ends - event.starts > rule.max_length:
        yield Fault(file, event.id, f"lasts {event.ends - event.starts}", f"at most {rule.max_length} ({program.id})")
