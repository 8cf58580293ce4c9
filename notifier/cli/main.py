"""`notifier`: thin commands over the same service verbs that the API calls."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

# Where each command is. Its module is read when it is asked for: few need what all the others do. (`Any` below: typer brings a
# click of its own, by release another one.)
COMMANDS = {
    "demo": "demo:demo",
    "serve": "running:serve",
    "sandbox": "running:sandbox",
    "migrate": "running:migrate",
    "check-config": "running:check_config",
    "submit": "submit:submit",
    "names": "names:names",
    "report": "report:report",
    "reasons": "reasons:reasons",
    "stats": "stats:app",
    "user": "people:user",
    "token": "people:token",
    "case": "case:app",
    "task": "task:app",
    "agreement": "agreement:app",
    "audit": "audit:app",
    "appeal": "appeal:app",
    "deconfliction": "deconfliction:app",
    "event": "event:app",
    "hops": "hops:app",
    "inbound": "inbound:app",
    "program": "program:app",
    "sample": "sample:app",
    "survey": "survey:app",
}


class Commands(TyperGroup):
    """Commands by name, each read when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found: Any = getattr(import_module(f"notifier.cli.{module}"), name)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(cmd_name)(found)
            command = typer.main.get_command(alone)
        command.name = cmd_name
        return command


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def notifier() -> None:
    """Runs trusted-notifier programs: reports in, notices to registries out, outcomes observed."""


if __name__ == "__main__":
    app()
