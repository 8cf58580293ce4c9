"""agreement list, show, check, arm, disarm, suspend, resume, log: agreements in life from a terminal."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from notifier.cli.session import Config, Token, acting
from notifier.cli.showing import bare_table, json_line
from notifier.errors import NotFound
from notifier.services import agreement_log, agreements, suspending
from notifier.services.access import Principal, Role
from notifier.services.agreements import Standing
from notifier.services.context import Context
from notifier.store.agreements import Scope

app = typer.Typer(
    no_args_is_help=True,
    help="Agreements: list, show, check, arm, disarm, suspend, resume, log. Needs a token.",
)

Name = Annotated[str, typer.Argument(metavar="AGREEMENT", help="PROGRAM.REGISTRY, such as opioids.pir.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command("list")
def list_agreements(as_json: AsJson = False, token: Token = None, config: Config = None) -> None:
    """Agreements in your reach, and whether notices may leave under them."""

    async def work(ctx: Context, who: Principal) -> None:
        found = await agreements.standings(ctx, who)
        if as_json:
            for standing in found:
                print(json_line(_told(who, standing)))
            return
        table = bare_table("agreement", "recipient", "channel", "armed", "suspended", "last check")
        for standing in found:
            cells = (standing.id, standing.recipient, _channel(standing), *_in_words(standing))
            table.add_row(*(escape(cell) for cell in cells))
        Console().print(table)

    acting(config, token, work)


@app.command()
def show(agreement: Name, as_json: AsJson = False, token: Token = None, config: Config = None) -> None:
    """One agreement: its digest, who armed it, who stopped it, and what the last check found."""

    async def work(ctx: Context, who: Principal) -> None:
        found = next((s for s in await agreements.standings(ctx, who) if s.id == agreement), None)
        if found is None:
            raise NotFound(f"no agreement {agreement!r}")
        told = _told(who, found)
        if as_json:
            print(json_line(told))
            return
        console = Console(highlight=False)
        for key, value in told.items():
            words = value if isinstance(value, str | None) else json_line(value)
            console.print(f"  {key}: {escape(words or '-')}", soft_wrap=True)

    acting(config, token, work)


@app.command()
def check(agreement: Name, token: Token = None, config: Config = None) -> None:
    """Reach the channel; sends nothing. What is found is kept. Exit code 1 when it is not ready."""

    async def work(ctx: Context, who: Principal) -> None:
        agreements.in_reach(ctx, who, agreement, Role.ADMIN)
        problems = await agreements.check(ctx, agreement, who.id, "cli")
        for problem in problems:
            print(f"{agreement}: {problem.what}, expected {problem.expected}")
        if problems:
            raise typer.Exit(1)
        print("the channel is ready")

    acting(config, token, work)


@app.command()
def arm(agreement: Name, token: Token = None, config: Config = None) -> None:
    """The first of two admins, or the second, different one: then notices may leave."""
    _act(config, token, lambda ctx, who: agreements.arm(ctx, who, agreement, via="cli"))


@app.command()
def disarm(agreement: Name, token: Token = None, config: Config = None) -> None:
    """Stop it; to go on it must be armed anew by two."""
    _act(config, token, lambda ctx, who: agreements.disarm(ctx, who, agreement, via="cli"))


@app.command()
def suspend(
    agreement: Name,
    reason: Annotated[str, typer.Option("--reason", prompt=True, help="Why; kept for ever.")],
    everything: Annotated[bool, typer.Option("--everything", help="Withdrawals too.")] = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """Stop what asks something of the recipient, at once. Stands until two admins resume it."""
    scope = Scope.EVERYTHING if everything else Scope.REQUESTS
    _act(config, token, lambda ctx, who: suspending.suspend(ctx, who, agreement, scope, reason, via="cli"))


@app.command()
def resume(
    agreement: Name,
    note: Annotated[str, typer.Option("--note", help="Needed when the recipient stopped it: who agreed.")] = "",
    token: Token = None,
    config: Config = None,
) -> None:
    """The first of two admins, or the second, different one: then what waited is taken up."""
    _act(config, token, lambda ctx, who: suspending.resume(ctx, who, agreement, note, via="cli"))


@app.command()
def log(
    agreement: Name,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="What the page before ended with.")] = None,
    as_json: AsJson = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """What was done with it, newest first."""

    async def work(ctx: Context, who: Principal) -> None:
        page = await agreement_log.acts(ctx, who, agreement, limit=limit, cursor=cursor)
        for act in page.items:
            if as_json:
                print(json_line(act))
            else:
                detail = " ".join(f"{key}={value}" for key, value in act["detail"].items() if key != "digest")
                words = (
                    act["at"].isoformat(),
                    act["actor"] or "(staff)",
                    act["act"],
                    (act["digest"] or "")[:12],
                    detail,
                )
                Console(highlight=False).print(escape("  ".join(words)), soft_wrap=True)
        if page.next_cursor and not as_json:
            print(f"more: --cursor {page.next_cursor}")

    acting(config, token, work)


def _act(config: Any, token: str | None, verb: Callable[[Context, Principal], Awaitable[Standing]]) -> None:
    async def work(ctx: Context, who: Principal) -> None:
        standing = await verb(ctx, who)
        armed, stopped, _ = _in_words(standing)
        print(f"{standing.id}: armed: {armed}; suspended: {stopped}")

    acting(config, token, work)


def _channel(standing: Standing) -> str:
    said = standing.adapter or "-"
    if standing.channel_version:
        said += f" (version {standing.channel_version})"
    if standing.overruled is not None:
        said += f" (the file stands, version {standing.overruled} does not)"
    if standing.pending is not None:
        said += f" (version {standing.pending.version} {standing.pending.state})"
    return said


def _in_words(standing: Standing) -> tuple[str, str, str]:
    """Whether it is armed, suspended and checked."""
    armed = "yes" if standing.armed else f"{len(standing.armed_by)} of 2"
    stopped = str(standing.suspended.scope) if standing.suspended else "no"
    if standing.suspended and standing.suspended.lift_asked_by:
        stopped += ", 1 of 2 resumed it"
    if standing.checked is None:
        return armed, stopped, "never"
    found = "ready" if standing.checked.passed else "not ready"
    return armed, stopped, f"{found}, {standing.checked.at:%Y-%m-%d %H:%M}Z"


def _told(who: Principal, standing: Standing) -> dict[str, Any]:
    """The same for everybody but the names and reasons of staff."""
    told = asdict(standing)
    if who.role in (Role.SUBMITTER, Role.REGISTRY):
        told.pop("armed_by")
        told["pending"] = standing.pending and standing.pending.version
        for part, private in (("suspended", ("reason", "by", "lift_asked_by")), ("checked", ("by", "problems"))):
            if told[part]:
                told[part] = {key: value for key, value in told[part].items() if key not in private}
    return told
