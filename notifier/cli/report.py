"""report: a program's reports, of each kind and in each form."""

from pathlib import Path
from typing import Annotated

import typer

from notifier import chart_files
from notifier.cli.session import Config, Token, opened, run, who_acts
from notifier.cli.stats import moment
from notifier.errors import Invalid
from notifier.services import reports
from notifier.services.report_data import Asked, Form, Kind
from notifier.services.reports import File


def report(
    program: Annotated[str, typer.Option("--program", help="Program id.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Ends in .html, .pdf, .csv, .json or .parquet.")],
    kind: Annotated[Kind, typer.Option("--kind", help="What it tells of.")] = Kind.YEARLY,
    year: Annotated[
        int | None, typer.Option("--year", help="Of yearly: its cohort, what was opened in it (UTC).")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="DAY", help="Of a pilot its first day.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Before this day or time.")] = None,
    registry: Annotated[
        list[str] | None,
        typer.Option("--registry", help="Of a scorecard whose; of a pilot who took part, once for each."),
    ] = None,
    charts: Annotated[
        Path | None,
        typer.Option("--charts", metavar="DIR", file_okay=False, help="Write its charts there, as SVG and PNG."),
    ] = None,
    token: Token = None,
    config: Config = None,
) -> None:
    """Write a report on a program: who was asked, who did what, what went wrong, with intervals. Needs a token."""
    form = out.suffix.removeprefix(".").lower()

    async def work() -> File:
        if form not in set(Form):
            raise Invalid("--out: a file that ends in .html, .pdf, .csv, .json or .parquet")
        asked = _asked(kind, program, year, start, end, registry or [])
        async with opened(config) as house:
            who = await who_acts(house, token)
            made = await reports.report(house.ctx, who, asked, Form(form), via="cli")
        out.write_bytes(made.content)
        if charts is not None:
            _write(made, charts)
        return made

    made = run(work())
    if charts is not None:
        what = "SVG and PNG" if chart_files.png_available() else "SVG; PNG needs the extra `report`"
        print(f"{charts} has its {len(made.charts)} charts as {what}")
    print(f"{out} is written; notifier stats verify {out} computes it again")


def _asked(
    kind: Kind, program: str, year: int | None, start: str | None, end: str | None, registry: list[str]
) -> Asked:
    if kind is Kind.YEARLY:
        if year is None or start is not None or end is not None:
            raise Invalid("--year: the yearly report is of one year; it takes no --from and --to")
        if registry:
            raise Invalid("--registry: the yearly report is of the whole program")
        return reports.of_year(program, year)
    if year is not None:
        if start is not None or end is not None:
            raise Invalid("--year: or --from and --to")
        bounds = reports.of_year(program, year)
        return Asked(kind, program, bounds.start, bounds.end, tuple(registry))
    return Asked(kind, program, moment("--from", start), moment("--to", end), tuple(registry))


def _write(made: File, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for key, chart in made.charts.items():
        (folder / f"{key}.svg").write_bytes(chart_files.svg_file(chart))
        if chart_files.png_available():
            (folder / f"{key}.png").write_bytes(chart_files.png_file(chart))
