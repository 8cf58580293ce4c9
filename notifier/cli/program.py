"""program check, explain, replay: a program's file before it is adopted."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from notifier import bootstrap, catalog, resources
from notifier.catalog import Catalog, ConfigFaults
from notifier.cli.session import Config, fail, opened, run, settings_of
from notifier.clock import SystemClock
from notifier.domain.epp import Measure
from notifier.domain.explaining import explain as in_words
from notifier.domain.program import Program
from notifier.domain.rule import Recipient
from notifier.rendering import Renderer
from notifier.services import programs, samples
from notifier.services.programs import Replayed

app = typer.Typer(no_args_is_help=True, help="Programs: check a file, read it in plain words, try it on past cases.")

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A program's TOML, wherever it lies.")]


@app.command()
def check(file: File, config: Config = None) -> None:
    """Name every fault of a program's file, as `file: key: what, expected`. Exit 1 if there is any."""
    known = _catalog(config)
    program = _read(file, known)
    in_force = known.programs.get(program.id)
    if in_force is None:
        print(f"no problems found; {program.id} is a new program, digest {program.digest}")
    elif in_force.digest == program.digest:
        print(f"no problems found; it says what the {program.id} in force says, digest {program.digest}")
    else:
        print(f"no problems found; digest {program.digest}, in force {in_force.digest}")


@app.command()
def explain(
    program: Annotated[str, typer.Argument(help="A program's id, or its file.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    config: Config = None,
) -> None:
    """Say in plain words what a program asks for, of whom, and how long everything takes."""
    known = _catalog(config)
    path = Path(program)
    if program in known.programs:
        found = known.programs[program]
    elif path.suffix == ".toml" and path.is_file():
        found = _read(path, known)
    else:
        fail(f"no program {program!r}; there are {', '.join(sorted(known.programs))}, or give a .toml file")
    words = in_words(found)
    print(json.dumps(asdict(words), ensure_ascii=False) if as_json else words.text)


@app.command()
def notice(
    program: Annotated[str, typer.Argument(help="A program's id.")],
    purpose: Annotated[
        str, typer.Option(help="request, reminder, escalation, amendment, withdrawal or restore.")
    ] = "request",
    measure: Annotated[
        Measure | None, typer.Option(help="Another measure than the program asks of that party.")
    ] = None,
    party: Annotated[Recipient, typer.Option(help="Who is written to.")] = Recipient.REGISTRY,
    html: Annotated[bool, typer.Option("--html", help="The HTML form.")] = False,
    config: Config = None,
) -> None:
    """Show what a notice of the program says, filled with an invented case. Nothing is sent or stored."""
    known = _catalog(config)
    if program not in known.programs:
        fail(f"no program {program!r}; there are {', '.join(sorted(known.programs))}")
    made = run(
        samples.notice(
            Renderer(resources.folder("templates")),
            settings_of(config),
            SystemClock(),
            known.programs[program],
            purpose,
            measure,
            party,
        )
    )
    print(made.html if html else f"Subject: {made.subject}\n\n{made.text}")


@app.command()
def replay(
    file: File,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a case, and one with the sums at the end.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Also the cases that would be decided alike.")] = False,
    config: Config = None,
) -> None:
    """Judge the past cases of the program under this file: which decisions would differ, by which rules, and why."""

    async def work() -> None:
        async with opened(config) as house:
            program = _read(file, house.ctx.catalog)
            sums = Counter[str]()
            by_rule = Counter[str]()
            async with house.ctx.db.pool.acquire() as con:
                async for case in programs.replay(house.ctx.catalog, con, program):
                    sums[f"{case.decision}_differ" if case.differs else f"{case.decision}_alike"] += 1
                    if case.differs:
                        by_rule.update(change.rule for change in case.rules if change.guards and change.now != "pass")
                    if case.differs or every:
                        _print(case, as_json)
            _print_sums(program, sums, by_rule, as_json)

    run(work())


def _catalog(config: Path | None) -> Catalog:
    try:
        return bootstrap.catalog_of(settings_of(config))
    except ConfigFaults as faults:
        _refuse(faults)


def _read(file: Path, known: Catalog) -> Program:
    try:
        return catalog.program_of(file, known)
    except ConfigFaults as faults:
        _refuse(faults)


def _refuse(faults: ConfigFaults) -> NoReturn:
    for fault in faults.faults:
        print(fault)
    raise typer.Exit(1)


def _print(case: Replayed, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**asdict(case), "at": case.at.isoformat()}, ensure_ascii=False), flush=True)
        return
    print(f"{case.reference} {case.domain}: {case.decision} {case.at:%Y-%m-%d %H:%M} UTC; {case.why or 'the same'}")
    for change in case.rules:
        print(f"  {change.rule}: {change.was} -> {change.now}: {change.why}")
    for reason in case.second_reasons:
        print(f"  to be weighed: {reason}")


def _print_sums(program: Program, sums: Counter[str], by_rule: Counter[str], as_json: bool) -> None:
    differ = sum(n for name, n in sums.items() if name.endswith("_differ"))
    total = sum(sums.values())
    if as_json:
        print(
            json.dumps(
                {
                    "program": program.id,
                    "digest": program.digest,
                    "cases": total,
                    "differ": differ,
                    "by_decision": dict(sums),
                    "by_rule": dict(by_rule),
                }
            )
        )
        return
    print(f"{differ} of {total} decisions of {program.id} would differ under digest {program.digest[:12]}")
    for rule, n in by_rule.most_common():
        print(f"  {rule}: {n}")
