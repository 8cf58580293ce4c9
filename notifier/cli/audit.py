"""audit verify, audit export: the log proves itself."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from notifier import bootstrap
from notifier.cli.session import Config, opened, run
from notifier.services import audit as sealing
from notifier.services.audit_verify import verify as verify_log
from notifier.store import keys

app = typer.Typer(no_args_is_help=True, help="The audit log.")


@app.command()
def verify(
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", exists=True, dir_okay=False, help="A checkpoint kept elsewhere.")
    ] = None,
    files: Annotated[bool, typer.Option("--files/--no-files", help="Read every file of evidence too.")] = True,
    config: Config = None,
) -> None:
    """Exit 0 if everything holds, 1 if something was tampered with (it is named), 3 if the sealer is behind."""

    async def work() -> int:
        async with opened(config) as house:
            state = house.settings.state_dir
            keys.open_signing_key(state / bootstrap.KEYS)
            async with house.ctx.db.pool.acquire() as con:
                report = await verify_log(
                    con,
                    state / bootstrap.CHECKPOINTS,
                    keys.open_verifier(state / bootstrap.KEYS),
                    datetime.now(UTC),
                    elsewhere=checkpoint,
                    files=house.ctx.blobs if files else None,
                )
        for fault in report.faults:
            print(fault)
        print(report.text)
        return report.exit_code

    if code := run(work()):
        raise typer.Exit(code)


@app.command()
def export(file: Path, config: Config = None) -> None:
    """Write the sealed log as NDJSON, for others to check."""

    async def work() -> None:
        async with opened(config) as house:
            verifier = keys.open_verifier(house.settings.state_dir / bootstrap.KEYS)
            async with house.ctx.db.pool.acquire() as con:
                count = await sealing.export(con, verifier, file)
        print(f"{count} entries written to {file}")

    run(work())
