"""deconfliction list, add, release: names that an authority investigates. Needs a token with the permission."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from notifier.cli.session import Config, Token, acting
from notifier.cli.showing import json_line
from notifier.services import deconfliction
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.deconfliction import EntryIn, Listed

app = typer.Typer(
    no_args_is_help=True, help="Names under investigation, whose cases wait. Needs the permission deconflict."
)


@app.command("list")
def list_entries(
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    token: Token = None,
    config: Config = None,
) -> None:
    """Entries, newest first: one JSON object a line."""

    async def work(ctx: Context, who: Principal) -> None:
        standing = None if all_of_them else True
        for item in (await deconfliction.entries(ctx, who, standing=standing, limit=limit)).items:
            _print(item)

    acting(config, token, work)


@app.command("add")
def add_entry(
    pattern: Annotated[str, typer.Argument(help="evil.com or *.evil.com, cheap-pharma.*, *pills.com.")],
    authority: Annotated[str, typer.Option("--authority", help="Who investigates.")],
    reference: Annotated[str, typer.Option("--reference", help="The authority's own reference.")],
    note: Annotated[str, typer.Option("--note", help="Seen only with the permission.")] = "",
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="Ends after so many days.")] = None,
    token: Token = None,
    config: Config = None,
) -> None:
    """Put a name on the list. Prints the entry, the cases that wait from now on, and what was sent for them before."""

    async def work(ctx: Context, who: Principal) -> None:
        until = await ctx.db.clock.now() + timedelta(days=days) if days else None
        wanted = EntryIn(pattern, authority, reference, note, until)
        _show(await deconfliction.add(ctx, who, wanted, via="cli"))

    acting(config, token, work)


@app.command("release")
def release_entry(
    entry: Annotated[str, typer.Argument(help="Id of the entry.")],
    note: Annotated[str, typer.Option("--note", prompt=True, help="Why.")],
    token: Token = None,
    config: Config = None,
) -> None:
    """Take a name off the list: what waited for it is looked at and judged anew, and goes on."""

    async def work(ctx: Context, who: Principal) -> None:
        _show(await deconfliction.release(ctx, who, entry, note, via="cli"))

    acting(config, token, work)


def _show(listed: Listed) -> None:
    _print(listed.entry)
    for case in listed.held:
        _print(case)


def _print(row: Any) -> None:
    print(json_line(dict(row)))
