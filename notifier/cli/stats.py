"""stats, stats verify: what `GET /statistics` gives, and the proof of a file of numbers."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from notifier.cli.session import Config, Token, opened, run, who_acts
from notifier.domain.figure_words import span
from notifier.domain.table_rows import Cell, told
from notifier.errors import Invalid
from notifier.services import reports, statistics, statistics_file
from notifier.services.statistics import Query, Statistics


class Form(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    CASES = "cases"


class By(StrEnum):
    MONTH = "month"
    REGISTRY = "registry"
    PROGRAM = "program"
    OUTCOME = "outcome"
    ACTOR = "actor"


class Basis(StrEnum):
    COHORT = "cohort"
    PERIOD = "period"


app = typer.Typer(
    invoke_without_command=True,
    help="Numbers by cohort or period, with their intervals. Needs a token. What they mean: docs/measures.md.",
)


@app.callback()
def stats(
    context: typer.Context,
    program: Annotated[str | None, typer.Option("--program", help="Program id.")] = None,
    registry: Annotated[str | None, typer.Option("--registry", help="Registry id.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="DAY", help="Day (UTC) or time with its zone.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Before this day or time.")] = None,
    by: Annotated[By | None, typer.Option("--by", help="What to slice by.")] = None,
    basis: Annotated[Basis, typer.Option("--basis", help="By opening, or by when it was done.")] = Basis.COHORT,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DAY", help="As it stood then.")] = None,
    form: Annotated[
        Form, typer.Option("--format", help="A table, files of the figures, or the cases they are made of as CSV.")
    ] = Form.TABLE,
    token: Token = None,
    config: Config = None,
) -> None:
    """Numbers by cohort or period, with their intervals. Needs a token. What they mean: docs/measures.md."""
    if context.invoked_subcommand is not None:
        return

    async def work() -> None:
        asked = Query(program, registry, moment("--from", start), moment("--to", end))
        asked = replace(asked, by=by.value if by else None, basis=basis.value, as_of=moment("--as-of", as_of))
        async with opened(config) as house:
            who = await who_acts(house, token)
            if form is Form.TABLE:
                _show(await statistics.statistics(house.ctx, who, asked))
                return
            content = await statistics_file.exported(house.ctx, who, asked, statistics_file.Form(form), via="cli")
            sys.stdout.buffer.write(content)

    run(work())


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What stats or report wrote.")],
    token: Token = None,
    config: Config = None,
) -> None:
    """Compute a file of numbers again, as of its own instant. Exit code 1 when it says something else."""

    async def work() -> list[str]:
        content = file.read_bytes()
        async with opened(config) as house:
            return await reports.verify(house.ctx, await who_acts(house, token), content)

    if faults := run(work()):
        for fault in faults:
            print(fault)
        raise typer.Exit(1)
    print(f"{file} is what is computed again")


def moment(option: str, text: str | None) -> datetime | None:
    """A day is its first instant in UTC. Raises Invalid for a time without a zone."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{option}: write 2026-03-09 or 2026-03-09T14:30:00Z") from error
    if len(text) <= len("2026-03-09"):
        return at.replace(tzinfo=UTC)
    if at.tzinfo is None:
        raise Invalid(f"{option}: names no zone; write 2026-03-09T14:30:00Z")
    return at.astimezone(UTC)


def _show(found: Statistics) -> None:
    console = Console(highlight=False)
    if found.simulated:
        console.print("SIMULATED: the time of this database is not real, and no registry acted.", style="bold")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("slice", overflow="fold")
    table.add_column("figure", overflow="fold")
    for column in ("n", "out of", "share", "95 %", "median", "95 %", "open"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in statistics_file.rows(found):
        table.add_row(*(escape(cell) for cell in _cells(row)))
    console.print(table)
    for name, test in found.comparisons.items():
        if test.p is not None:
            console.print(f"  {name}: the slices differ by chance alone with p = {test.p:.3g} (log-rank, {test.df} df)")
    cases = "some cases" if told(found.cases) is None else f"{found.cases} cases"
    of = f"{found.query.basis}, counted: {found.unit}, {cases}, as of {found.as_of.isoformat()}"
    console.print(f"  {of}\n  case list sha256 {found.case_list}", soft_wrap=True)
    console.print("  *: fewer than ten; open: it has not happened to these yet", soft_wrap=True)
    if found.suppress_below:
        console.print(f"  no number: below {found.suppress_below}, or it would tell one that is", soft_wrap=True)


def _cells(row: dict[str, Cell]) -> tuple[str, ...]:
    flag = "*" if row["few"] else ""
    return (
        str(row["slice"]),
        f"{row['part']} {row['figure']}{flag}",
        _text(row["n"]),
        _text(row["out_of"]),
        _percent(row["share"]),
        f"{_percent(row['low'])} - {_percent(row['high'])}" if row["low"] is not None else "",
        _time(row["median_s"]),
        f"{_time(row['median_low_s']) or '?'} - {_time(row['median_high_s']) or '?'}" if row["median_s"] else "",
        _text(row["censored"]),
    )


def _text(value: Cell) -> str:
    return "" if value is None else str(value)


def _percent(value: Any) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _time(value: Any) -> str:
    return "" if value is None else span(value)
