"""task list, show, take, resolve: what waits for a person, and notices that a person carries, from a terminal."""

import json
import mimetypes
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from notifier.cli.session import Config, Token, acting, fail
from notifier.cli.showing import bare_table
from notifier.domain.hostile import one_line
from notifier.services import keeping, reading, tasks
from notifier.services.access import Principal
from notifier.services.attending import Carrying, Filing
from notifier.services.context import Context
from notifier.services.keeping import Kept

app = typer.Typer(no_args_is_help=True, help="Tasks: list, show, take, resolve. Needs a token.")

TaskId = Annotated[str, typer.Argument(metavar="TASK", help="The task's id, as `task list` prints it.")]


@app.command("list")
def list_tasks(
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """Tasks in your scope, newest first."""

    async def work(ctx: Context, who: Principal) -> None:
        page = await reading.waiting(ctx, who, "task", limit=limit, open_only=not all_of_them)
        if as_json:
            for item in page.items:
                print(json.dumps(dict(item), default=str, ensure_ascii=False))
            return
        table = bare_table("task", "kind", "case", "due", "taken by", "what")
        for item in page.items:
            due = f"{item['due_at']:%Y-%m-%d %H:%M}" if item["due_at"] else ""
            cells = (str(item["id"]), item["kind"], item["reference"] or "", due, item["taken_by"] or "")
            table.add_row(*(escape(cell) for cell in cells), escape(one_line(item["detail"])))
        Console().print(table)

    acting(config, token, work)


@app.command()
def show(
    task: TaskId,
    folder: Annotated[
        Path | None, typer.Option("--into", help="Write the files to carry into this new folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything but the files as JSON.")] = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """One task; for a notice that you carry, what to copy where."""

    async def work(ctx: Context, who: Principal) -> None:
        found = await tasks.show(ctx, who, task)
        carrying = found.carrying
        if as_json:
            named = [f.filename for f in carrying.files] if carrying else []
            told = {**asdict(carrying), "files": named} if carrying else None
            print(json.dumps({**found.row, "carrying": told}, default=str, ensure_ascii=False))
        else:
            _print(found.row, carrying)
        if folder is not None:
            if carrying is None or carrying.why_not:
                fail((carrying and carrying.why_not) or "this task has nothing to carry")
            folder.mkdir()
            for file in carrying.files:
                (folder / file.filename).write_bytes(file.content)

    acting(config, token, work)


def _print(row: Any, carrying: Carrying | None) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{row['id']}  {row['kind']}  {escape(str(row['reference'] or '-'))}")
    for key in ("detail", "opened_at", "due_at", "taken_by", "resolved_by", "resolution"):
        console.print(f"  {key}: {escape(one_line(str(row[key] or '-')))}")
    if carrying is None:
        return
    for key in ("place", "recipient", "domain", "measure", "purpose", "digest"):
        console.print(f"  {key}: {escape(one_line(getattr(carrying, key)))}")
    if carrying.why_not:
        console.print(f"  ! {escape(carrying.why_not)}")
    for number, field in enumerate(carrying.fields, 1):
        console.print(f"\n{number}. {escape(field.label)}")
        console.print(escape("\n".join(f"    {line}" for line in field.value.splitlines())))
    for file in carrying.files:
        console.print(f"  file: {file.filename}  {file.sha256}")


@app.command()
def take(task: TaskId, token: Token = None, config: Config = None) -> None:
    """Put your name on a task."""

    async def work(ctx: Context, who: Principal) -> None:
        await tasks.take(ctx, who, "task", task, via="cli")
        print(f"{task} is yours")

    acting(config, token, work)


@app.command()
def resolve(
    task: TaskId,
    resolution: Annotated[str, typer.Argument(help="filed, not_filed, unsure; arrived, not_arrived; done.")],
    note: Annotated[str, typer.Option(help="What came of it; why, if not_filed or unsure.")] = "",
    reference: Annotated[str, typer.Option(help="filed: the number that the recipient gave.")] = "",
    filed_at: Annotated[str | None, typer.Option(help="filed: when, as 2026-03-09T14:30:00Z; else just now.")] = None,
    receipt: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="filed: a picture or PDF of the receipt.")
    ] = None,
    token: Token = None,
    config: Config = None,
) -> None:
    """End a task and say what came of it."""
    content = receipt.read_bytes() if receipt is not None else b""

    async def work(ctx: Context, who: Principal) -> None:
        kept = None
        if receipt is not None:
            await tasks.may_resolve(ctx, who, task)
            kept = await _kept(ctx, receipt.name, content)
        filing = Filing(reference, _moment(filed_at), kept)
        await tasks.resolve(ctx, who, task, resolution, note, filing=filing, via="cli")
        print(f"{task} is over: {resolution}")

    acting(config, token, work)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        fail("--filed-at: expected a time such as 2026-03-09T14:30:00Z")
    if at.tzinfo is None:
        fail("--filed-at: names no zone; write 2026-03-09T14:30:00Z")
    return at


async def _kept(ctx: Context, name: str, content: bytes) -> Kept:
    async with keeping.arriving(ctx) as file:
        await file.write(content)
        return await keeping.take(ctx, file, name, mimetypes.guess_type(name)[0] or "")
