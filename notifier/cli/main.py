"""`notifier`: thin commands over the same service verbs that the API calls."""

import typer

from notifier.cli import (
    agreement,
    appeal,
    audit,
    case,
    deconfliction,
    event,
    hops,
    inbound,
    names,
    people,
    program,
    reasons,
    report,
    running,
    sample,
    stats,
    submit,
    survey,
    task,
)
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
app.command("names")(names.names)
app.command("report")(report.report)
app.command("reasons")(reasons.reasons)
app.add_typer(stats.app, name="stats")
app.add_typer(people.user, name="user")
app.add_typer(people.token, name="token")
app.add_typer(case.app, name="case")
app.add_typer(task.app, name="task")
app.add_typer(agreement.app, name="agreement")
app.add_typer(audit.app, name="audit")
app.add_typer(appeal.app, name="appeal")
app.add_typer(deconfliction.app, name="deconfliction")
app.add_typer(event.app, name="event")
app.add_typer(hops.app, name="hops")
app.add_typer(inbound.app, name="inbound")
app.add_typer(program.app, name="program")
app.add_typer(sample.app, name="sample")
app.add_typer(survey.app, name="survey")

if __name__ == "__main__":
    app()
