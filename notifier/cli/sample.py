"""sample draw, verify: a random sample of pages that anybody can draw again."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from notifier.cli.session import fail
from notifier.domain import sampling
from notifier.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="Random samples of pages, drawn so that anybody can draw them again.")

Seed = Annotated[str, typer.Option("--seed", help="One line, told before anybody looks at a page.")]
List = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The pages to draw from, an address a line.")]


@app.command()
def draw(
    file: List,
    seed: Seed,
    size: Annotated[int, typer.Option("--size", min=1, help="How many pages.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One object, with what a `sample` item tells of the draw.")
    ] = False,
) -> None:
    """Print the pages that the seed draws, one a line; what to tell of the draw goes to stderr."""
    try:
        drawn = sampling.draw(seed, _lines(file), size)
    except Invalid as error:
        fail(error.detail)
    if as_json:
        print(json.dumps({**asdict(drawn), "method": "random", "drawn_by": sampling.METHOD}, ensure_ascii=False))
        return
    print("\n".join(drawn.items))
    print(f"population {drawn.population}, population_sha256 {drawn.population_sha256}", file=sys.stderr)


@app.command()
def verify(
    file: List,
    drawn: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The pages that were drawn.")],
    seed: Seed,
) -> None:
    """Whether the pages are what the seed draws from the list. Exit 1, and why, if they are not."""
    if why := sampling.objection(seed, _lines(drawn), _lines(file)):
        print(why)
        raise typer.Exit(1)
    print("the seed draws these pages from this list")


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text(encoding="utf-8").split("\n") if line]
    except UnicodeDecodeError:
        fail(f"{file.name} is not UTF-8")
