"""survey: prepare what is asked about names before a notice leaves."""

import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from notifier.net.zone_files import count_dependents, read_zone, write_counts
from notifier.suffixes import load_suffixes

app = typer.Typer(no_args_is_help=True, help="What is asked about names before a notice leaves.")


@app.callback()
def survey() -> None:
    """What is asked about names before a notice leaves."""


@app.command("count-dependents")
def count(
    zones: Annotated[list[Path], typer.Argument(help="Zone files, named after their zone: com.txt.gz, net.zone.")],
    out: Annotated[Path, typer.Option(help="The file to write, for the key survey_dependents_file.")],
) -> None:
    """Count out of zone files how many names use each name as name server."""
    console, suffixes = Console(stderr=True), load_suffixes()
    counts: Counter[str] = Counter()
    try:
        for zone in zones:
            with console.status(f"reading {zone.name}"):
                counts += count_dependents(read_zone(zone), suffixes)
        text = io.StringIO()
        write_counts(counts, (zone.name.split(".")[0] for zone in zones), datetime.now(UTC).date(), text)
        out.write_text(text.getvalue(), encoding="utf-8")
    except (OSError, EOFError) as error:
        console.print(f"nothing was written: {error}", markup=False)
        raise typer.Exit(1) from error
    console.print(f"{len(counts)} names are used as name server by others; written to {out}")
