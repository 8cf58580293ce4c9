"""event list, report: registered live events, and what became of what was asked for because of one."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from notifier.cli.session import Config, Token, acting
from notifier.cli.showing import bare_table
from notifier.services import event_reports
from notifier.services.access import Principal
from notifier.services.context import Context

app = typer.Typer(no_args_is_help=True, help="Live events: list, report. Needs a token.")


@app.command("list")
def list_events(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """Registered events in the order in which they begin."""

    async def work(ctx: Context, who: Principal) -> None:
        found = await event_reports.events(ctx, who)
        if as_json:
            for one in found:
                print(json.dumps(asdict(one), default=_plain, ensure_ascii=False))
            return
        table = bare_table("event", "state", "from", "until", "on duty", "cases")
        for one in found:
            e = one.event
            duty = "not shown" if one.on_duty is None else ", ".join(one.on_duty) or "nobody alone"
            cases = ", ".join(f"{state} {n}" for state, n in sorted(one.cases.items()))
            table.add_row(
                e.id, one.state, f"{e.starts:%Y-%m-%d %H:%M}", f"{e.ends:%Y-%m-%d %H:%M}", escape(duty), escape(cases)
            )
        Console().print(table)

    acting(config, token, work)


@app.command()
def report(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The event's id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything as one JSON object.")] = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """What was asked for because of an event, how fast it left, and whether names were given back in time."""

    async def work(ctx: Context, who: Principal) -> None:
        found = await event_reports.report(ctx, who, event)
        if as_json:
            print(json.dumps(asdict(found), default=_plain, ensure_ascii=False))
            return
        e = found.standing.event
        print(f"{e.id}: {e.title}, {found.standing.state}; until {e.ends:%Y-%m-%d %H:%M} UTC")
        for name, n in found.sums.items():
            print(f"{name.replace('_', ' ')}: {n}")
        if found.seconds_p95 is not None:
            print(f"seconds from approval to acceptance: median {found.seconds_p50:.1f}, p95 {found.seconds_p95:.1f}")
        table = bare_table("name", "to", "approved", "sent", "restore sent", "seen back", "aftermath", "second look")
        for row in found.notices:
            times = (row["approved_at"], row["sent_at"], row["restore_sent_at"], row["seen_back_at"])
            looked = row["second_look"] or ("open" if row["approved_alone"] else "")
            table.add_row(
                row["target"],
                row["party"],
                *(f"{at:%H:%M:%S}" if at else "" for at in times),
                row["aftermath"] or "",
                looked,
            )
        Console().print(table)

    acting(config, token, work)


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)
