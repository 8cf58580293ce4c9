"""reasons: statements of reasons as files for the DSA transparency database."""

from pathlib import Path
from typing import Annotated

import typer

from notifier.cli.session import Config, Token, opened, run, who_acts
from notifier.cli.stats import moment
from notifier.services import reasons_export
from notifier.services.reasons_export import Export


def reasons(
    program: Annotated[str, typer.Option("--program", help="Program id.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", file_okay=False, help="Where the files are written.")],
    start: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="What left from this day (UTC) on.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DAY", help="What left before this day.")] = None,
    token: Token = None,
    config: Config = None,
) -> None:
    """Write a statement for each request that left, a hundred a file. Exit code 1 when one does not fit the schema."""

    async def work() -> Export:
        bounds = moment("--from", start), moment("--to", end)
        async with opened(config) as house:
            who = await who_acts(house, token)
            return await reasons_export.exported(house.ctx, who, program, *bounds, via="cli")

    made = run(work())
    out.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(made.batches, 1):
        (out / f"statements-{number:04d}.json").write_bytes(content)
    print(f"{out} has {made.statements} statements in {len(made.batches)} files")
    for puid, faults in made.refused.items():
        print(f"{puid} is not among them: {'; '.join(faults)}")
    if made.refused:
        raise typer.Exit(1)
