"""demo: see the whole thing work on this machine."""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from notifier import demo as acts
from notifier import demo_files, demo_months, logs
from notifier.cli.session import run
from notifier.daemon import spare_collector
from notifier.demo import Summary
from notifier.rehearsal import Rehearsal, rehearsal
from notifier.store.embedded import EmbeddedPostgres

_PARTIES_LOOK_S = 0.2


def demo(
    reports: Annotated[Path | None, typer.Option("--reports", exists=True, dir_okay=False, help="NDJSON.")] = None,
    count: Annotated[int | None, typer.Option("--count", min=1, help="Only the first so many reports.")] = None,
    months: Annotated[
        int | None,
        typer.Option("--months", min=1, max=demo_months.MOST, help="Share the reports out over so many months."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", file_okay=False, help="Write yearly reports, figures and their cases there."
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the pages up and print addresses and sign-in.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The last line is one JSON object.")] = False,
) -> None:
    """Send sample reports through to observed outcomes, with simulated registries, on this machine alone."""
    logs.configure("error")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    spare_collector()
    summary = run(_demo(acts.reports_of(reports, count), months, out, keep, as_json))
    good = summary.good if months is None else summary.audit["verified"]  # what came in last is not over yet
    if not good:
        raise typer.Exit(1)


async def _demo(lines: Sequence[bytes], months: int | None, out: Path | None, keep: bool, as_json: bool) -> Summary:
    with tempfile.TemporaryDirectory(prefix="notifier-demo-") as folder:
        state, plan = Path(folder), acts.plan_of(months=months is not None)
        async with EmbeddedPostgres(state) as server, rehearsal(state, server.dsn, plan) as stage:
            with _Bar(len(lines), quiet=as_json) as bar:
                if months is None:
                    summary = await acts.play(stage, lines, bar.tell)
                else:
                    summary = await demo_months.play(stage, lines, months, bar.tell)
            files = await demo_files.take(stage, out) if out else []
            if as_json:
                print(summary.to_json(), flush=True)
            else:
                _table(summary)
                for file in files:
                    print(f"wrote {file}")
            if keep:
                await _stay(stage, lines)
    return summary


class _Bar:
    """Three bars on stderr, one for each stretch of the way."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=quiet,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)


def _table(summary: Summary) -> None:
    console = Console()
    title = "Outcomes by registry and measure (simulated registries)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("registry", "asked", "claimed", "observed by us"):
        table.add_column(column, no_wrap=True)
    table.add_column("outcome", overflow="fold")
    table.add_column("n", justify="right")
    for row in summary.outcomes:
        table.add_row(row.registry, row.measure, row.claimed, row.observed, row.outcome, str(row.n))
    console.print(table)
    console.print(f"reports {summary.reports}, cases {summary.cases}, settled {summary.settled}")
    console.print(f"refused: {_counts(summary.refused)}")
    console.print(f"notices: {_counts(summary.notices)}")
    console.print(f"waiting for a person: {_counts(summary.waiting_for_person)}")
    if summary.median_time_to_notice_s is not None:
        console.print(f"median time from report to notice: {summary.median_time_to_notice_s / 60:.0f} min (simulated)")
    verified = "verified" if summary.audit["verified"] else "DOES NOT VERIFY"
    console.print(f"audit log: {summary.audit['entries']} entries, {verified}")
    console.print(f"simulated {summary.simulated['from']} to {summary.simulated['to']} in {summary.seconds} s")
    for reference in summary.unsettled:
        console.print(f"not settled: {reference}")


def _counts(counts: Any) -> str:
    return ", ".join(f"{what} {n}" for what, n in counts.items()) or "none"


async def _stay(stage: Rehearsal, reports: Sequence[bytes]) -> None:
    """Leave everything up, with work for each of the sample people; from here the clock runs at normal pace."""
    appeal = await acts.leave_work(stage, reports)
    password = await acts.give_seats(stage)
    await stage.clock.run()
    width = max(map(len, acts.SEATS))
    lines = [
        f"\npages {stage.url}/sign-in with the password {password} as",
        *(f"      {name:<{width}}  {reach.role}" for name, reach in acts.SEATS.items()),
        *([f"      nobody: {appeal} contests what was done to a name"] if appeal else []),
        f"API   {stage.url}/api/v1, described at {stage.url}/docs; an admin makes tokens",
        f"for `notifier case ...`: NOTIFIER_STATE_DIR={stage.house.settings.state_dir}",
        "Ctrl-C ends it and removes everything.",
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)
    while True:
        await stage.sandbox.run_due(await stage.clock.now())
        await asyncio.sleep(_PARTIES_LOOK_S)
