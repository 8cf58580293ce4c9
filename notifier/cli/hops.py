"""hops list, show, accept, dismiss, clusters, export: names that may follow others, decided from a terminal."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from notifier.cli.session import Config, Token, acting
from notifier.cli.showing import json_line
from notifier.services import clusters, hopping_list, hops
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.hops import HopState
from notifier.web.views.hops import ClusterOut, HopOut

app = typer.Typer(no_args_is_help=True, help="Names that may follow others: what links them, and what people decide.")

Hop = Annotated[str, typer.Argument(help="Id of the link.")]
Reason = Annotated[str, typer.Option("--reason", prompt=True, help="Kept for ever.")]
Program = Annotated[str | None, typer.Option("--program", help="Only links of this program.")]


@app.command("list")
def list_hops(
    state: Annotated[HopState | None, typer.Option("--state", help="Only links in this state.")] = "proposed",
    all_of_them: Annotated[bool, typer.Option("--all", help="Whatever became of them.")] = False,
    program: Program = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    token: Token = None,
    config: Config = None,
) -> None:
    """Links, newest first: one JSON object a line."""

    async def work(ctx: Context, who: Principal) -> None:
        page = await hops.hops(ctx, who, state=None if all_of_them else state, program=program, limit=limit)
        for row in page.items:
            _print(HopOut.told(row))

    acting(config, token, work)


@app.command("show")
def show_hop(hop: Hop, token: Token = None, config: Config = None) -> None:
    """One link: every signal with its strength, and what people said of it."""

    async def work(ctx: Context, who: Principal) -> None:
        _print(HopOut.shown(await hops.show(ctx, who, hop)))

    acting(config, token, work)


@app.command("accept")
def accept_hop(hop: Hop, reason: Reason, token: Token = None, config: Config = None) -> None:
    """Accept a link: the name gets a case of its own, that needs its own evidence."""

    async def work(ctx: Context, who: Principal) -> None:
        _print(HopOut.shown(await hops.accept(ctx, who, hop, reason, via="cli")))

    acting(config, token, work)


@app.command("dismiss")
def dismiss_hop(hop: Hop, reason: Reason, token: Token = None, config: Config = None) -> None:
    """Dismiss a link, or take an accepted one back: its name is not proposed again."""

    async def work(ctx: Context, who: Principal) -> None:
        _print(HopOut.shown(await hops.dismiss(ctx, who, hop, reason, via="cli")))

    acting(config, token, work)


@app.command("clusters")
def list_clusters(program: Program = None, token: Token = None, config: Config = None) -> None:
    """Names of one actor, by accepted links, largest first: one JSON object a line."""

    async def work(ctx: Context, who: Principal) -> None:
        for found in await clusters.clusters(ctx, who, program=program):
            _print(ClusterOut.shown(found))

    acting(config, token, work)


@app.command("export")
def export(
    program: Program = None,
    out: Annotated[Path | None, typer.Option("--out", help="A file; else standard output.")] = None,
    token: Token = None,
    config: Config = None,
) -> None:
    """The hopping list as CSV."""

    async def work(ctx: Context, who: Principal) -> None:
        text = await hopping_list.exported_csv(ctx, who, program=program, via="cli")
        if out is None:
            sys.stdout.write(text)
        else:
            out.write_text(text, encoding="utf-8", newline="")

    acting(config, token, work)


def _print(shown: HopOut | ClusterOut) -> None:
    # Values were read off hostile pages: a terminal gets ASCII alone.
    print(json_line(shown.model_dump(mode="json"), plain=True))
