"""case list, show, approve, reject, withdraw: the review from a terminal."""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from notifier.cli.session import Config, Token, acting, fail
from notifier.cli.showing import bare_table
from notifier.domain.hostile import defang
from notifier.services import links, reading, review
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.reading import CaseFilter

app = typer.Typer(no_args_is_help=True, help="Cases: list, show, approve, reject, withdraw. Needs a token.")

CaseName = Annotated[str, typer.Argument(metavar="CASE", help="Reference (TN-2026-000001), id, or the case's domain.")]
Reason = Annotated[str, typer.Option("--reason", prompt=True, help="Why; kept for ever.")]


@app.command("list")
def list_cases(
    state: Annotated[str | None, typer.Option(help="Only this state.")] = None,
    program: Annotated[str | None, typer.Option(help="Only this program.")] = None,
    registry: Annotated[str | None, typer.Option(help="Only this registry.")] = None,
    held: Annotated[bool, typer.Option("--held", help="Only what stands at our request, with owner and date.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """Cases you may see, newest first."""

    async def work(ctx: Context, who: Principal) -> None:
        wanted = CaseFilter(state, program, registry, held=held or None)
        page = await reading.cases(ctx, who, wanted, limit=limit)
        if as_json:
            for item in page.items:
                print(json.dumps(dict(item), default=str, ensure_ascii=False))
            return
        keys = ["reference", "target", "program", "state", "observed", "outcome"]
        keys += ["assignee", "review_by"] if held else []
        table = bare_table("case", "domain", *keys[2:])
        for item in page.items:
            table.add_row(*(escape(str(item[key] or "")) for key in keys))
        Console().print(table)
        if page.next_cursor:
            print(f"more than {limit}; narrow the list or raise --limit", file=sys.stderr)

    acting(config, token, work)


@app.command()
def show(
    case: CaseName,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
    token: Token = None,
    config: Config = None,
) -> None:
    """One case: what it holds, what rules find, and the exact notices that approval would send."""

    async def work(ctx: Context, who: Principal) -> None:
        case_id = await reading.case_of_reference(ctx, who, case)
        found = {**await reading.case(ctx, who, case_id), **await reading.case_parts(ctx, who, case_id)}
        shown = await review.preview(ctx, who, case_id) if who.role == "reviewer" else None
        if as_json:
            print(json.dumps({**found, "digest": shown and shown.digest}, default=str, ensure_ascii=False))
            return
        _print_case(found)
        if shown:
            _print_preview(shown)

    acting(config, token, work)


def _print_case(found: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(f"{found['reference']}  {escape(found['target'])}  ({escape(found['display'])})")
    for key in (
        "program",
        "state",
        "review_reason",
        "safety",
        "why",
        "registry",
        "agreement",
        "measure",
        "response",
        "observed",
        "outcome",
    ):
        console.print(f"  {key}: {escape(str(found[key] or '-'))}")
    for signal in found["signals"]:
        line = f"{signal['name']} = {signal['value']}  [{signal['weight']}]  {signal['source']}"
        console.print(f"  signal: {line}", markup=False)
    for part in ("notices", "claims", "tasks", "alarms"):
        for item in found[part]:
            words = (
                f"{k}={v}"
                for k, v in item.items()
                if k in ("kind", "purpose", "state", "measure", "verdict", "why", "detail")
            )
            console.print(f"  {part[:-1]}: {escape(' '.join(words))}")


def _print_preview(shown: review.Preview) -> None:
    console = Console(highlight=False)
    for finding in shown.verdict.findings:
        mend = f" -> {finding.mend}" if finding.mend else ""
        console.print(f"  [{finding.result}] {finding.rule}: {finding.why}{mend}", markup=False)
    for draft in shown.drafts:
        console.rule()
        console.print(escape(defang(links.masked(draft.content.text))))
    for line in (*shown.blockers, *shown.cautions):
        console.print(f"  ! {escape(line)}")
    console.print(f"digest {shown.digest}")


@app.command()
def approve(
    case: CaseName,
    digest: Annotated[str | None, typer.Option(help="What `case show` printed; without it, type the name.")] = None,
    note: Annotated[str, typer.Option(help="Kept with the approval.")] = "",
    token: Token = None,
    config: Config = None,
) -> None:
    """Approve exactly what was shown. Without --digest the notice is shown and the name has to be typed."""

    async def work(ctx: Context, who: Principal) -> None:
        case_id = await reading.case_of_reference(ctx, who, case)
        named = digest
        if named is None:
            shown = await review.preview(ctx, who, case_id)
            _print_preview(shown)
            if typer.prompt("Type the domain to approve") != shown.case.target.name:
                fail("that is not the case's domain; nothing was approved")
            named = shown.digest
        done = await review.approve(ctx, who, case_id, named, note, via="cli")
        print(f"{done.reference} is {done.state}")

    acting(config, token, work)


@app.command()
def reject(case: CaseName, reason: Reason, token: Token = None, config: Config = None) -> None:
    """Reject a case under review."""

    async def work(ctx: Context, who: Principal) -> None:
        done = await review.reject(ctx, who, await reading.case_of_reference(ctx, who, case), reason, via="cli")
        print(f"{done.reference} is {done.state}")

    acting(config, token, work)


@app.command()
def withdraw(case: CaseName, reason: Reason, token: Token = None, config: Config = None) -> None:
    """Take a case back. Everyone who was told is told at once."""

    async def work(ctx: Context, who: Principal) -> None:
        done = await review.withdraw(ctx, who, await reading.case_of_reference(ctx, who, case), reason, via="cli")
        print(f"{done.reference} is {done.state}")

    acting(config, token, work)
