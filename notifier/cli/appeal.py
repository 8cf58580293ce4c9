"""appeal list, show, take, decide: appeals, heard from a terminal."""

from typing import Annotated, Any

import typer

from notifier.cli.session import Config, Token, acting
from notifier.cli.showing import json_line
from notifier.domain.appeal import Cause, Outcome
from notifier.services import hearing
from notifier.services.access import Principal
from notifier.services.context import Context

app = typer.Typer(no_args_is_help=True, help="Appeals: heard by somebody who had no part in the decision.")

Appeal = Annotated[str, typer.Argument(help="Id of the appeal.")]


@app.command("list")
def list_appeals(
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose time to decide is over.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    token: Token = None,
    config: Config = None,
) -> None:
    """Appeals, newest first: one JSON object a line."""

    async def work(ctx: Context, who: Principal) -> None:
        page = await hearing.appeals(
            ctx, who, open_only=None if all_of_them else True, overdue=overdue or None, limit=limit
        )
        for item in page.items:
            _print(item)

    acting(config, token, work)


@app.command("show")
def show_appeal(appeal: Appeal, token: Token = None, config: Config = None) -> None:
    """One appeal, everything that was filed for it, and who may not hear it."""

    async def work(ctx: Context, who: Principal) -> None:
        found = await hearing.show(ctx, who, appeal)
        _print(found.row)
        for statement in found.statements:
            _print(statement)
        print(json_line({"barred": list(found.barred)}, plain=True))

    acting(config, token, work)


@app.command("take")
def take_appeal(appeal: Appeal, token: Token = None, config: Config = None) -> None:
    """Take an appeal up: that is the first word to whoever filed it."""

    async def work(ctx: Context, who: Principal) -> None:
        _print(await hearing.take(ctx, who, appeal, via="cli"))

    acting(config, token, work)


@app.command("decide")
def decide_appeal(
    appeal: Appeal,
    outcome: Annotated[Outcome, typer.Option("--outcome", help="Of the decision that is appealed against.")],
    reasons: Annotated[str, typer.Option("--reasons", prompt=True, help="Read by whoever appealed: names nobody.")],
    cause: Annotated[Cause | None, typer.Option("--cause", help="Why it falls; other without it.")] = None,
    token: Token = None,
    config: Config = None,
) -> None:
    """Decide an appeal. What falls is taken back at once from everyone told."""

    async def work(ctx: Context, who: Principal) -> None:
        _print(await hearing.decide(ctx, who, appeal, outcome, reasons, cause, via="cli"))

    acting(config, token, work)


def _print(row: Any) -> None:
    # What was filed is hostile: a terminal gets ASCII alone.
    print(json_line(dict(row), plain=True))
