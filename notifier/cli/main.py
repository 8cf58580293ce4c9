"""`notifier`: thin commands over the same service verbs that the API calls."""

import typer

from notifier.cli import audit, case, people, running, submit
from notifier.cli.demo import demo

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Runs trusted-notifier programs: reports in, notices to registries out, outcomes observed.",
)
app.command("demo")(demo)
app.command("serve")(running.serve)
app.command("sandbox")(running.sandbox)
app.command("migrate")(running.migrate)
app.command("check-config")(running.check_config)
app.command("submit")(submit.submit)
app.add_typer(people.user, name="user")
app.add_typer(people.token, name="token")
app.add_typer(case.app, name="case")
app.add_typer(audit.app, name="audit")

if __name__ == "__main__":
    app()
