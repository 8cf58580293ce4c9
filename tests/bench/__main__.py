"""Run every benchmark and print one table, or with --json one object."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from notifier.sandbox.app import Sandbox
from tests.acceptance.live import AGREEMENT as LIVE_AGREEMENT
from tests.acceptance.live import live_config
from tests.bench.building import building
from tests.bench.figures import figures
from tests.bench.intake import by_csv, by_http
from tests.bench.live import live
from tests.bench.measure import ROUNDS, Line
from tests.bench.names import reading
from tests.bench.sending import sending
from tests.bench.stage import Stage, child, daemon, sandbox, stage
from tests.bench.urgent import urgent

_CASES = 50_000  # of the histories; `python -m tests.bench.figures` takes any number


async def run(folder: Path, *, only_live: bool) -> list[Line]:
    """Every line of the table, in a few minutes."""

    def tell(what: str) -> None:
        print(f"measuring {what} ...", file=sys.stderr, flush=True)

    if only_live:
        async with AsyncExitStack() as stack:
            on = await stack.enter_async_context(stage(folder))
            box = await stack.enter_async_context(sandbox())
            _, port = await stack.enter_async_context(child("-m", "tests.bench.sink", log=folder / "sink.log"))
            tell("live events past a backlog")
            return [await _live(on, box, int(port))]
    tell("names")
    names = await reading()
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(stage(folder))
        box = await stack.enter_async_context(sandbox())
        _, port = await stack.enter_async_context(child("-m", "tests.bench.sink", log=folder / "sink.log"))
        bare_dsn, postgres, lines = await on.database(), on.server.postmaster_pid, list[Line]()
        async with daemon(on, box, int(port), "web") as web:
            tell("reports by HTTP")
            lines.append(await by_http(web, bare_dsn, postgres))
            tell("reports by CSV")
            lines += await by_csv(web, bare_dsn, postgres)
        async with daemon(on, box, int(port), "all") as whole:
            tell("sending")
            lines.append(await sending(whole, int(port), postgres))
            tell("urgent notices past a backlog")
            lines.append(await urgent(whole))
        tell("live events past a backlog")
        lines.append(await _live(on, box, int(port)))
        tell("figures")
        lines += await figures(_CASES)
        tell("building")
        lines += await building()
    return names + lines


async def _live(on: Stage, box: Sandbox, port: int) -> Line:
    async with daemon(on, box, port, "all", LIVE_AGREEMENT, live_config) as there:
        return await live(there, LIVE_AGREEMENT)


def show(lines: Sequence[Line], seconds: float) -> None:
    table = Table(title=f"medians of {ROUNDS} alternating rounds, {seconds:.0f} s in all", show_lines=True)
    table.add_column("what, beside what, and what it costs")
    for name in ("a second", "bare", "ratio"):
        table.add_column(name, justify="right")
    for line in lines:
        what = Text.assemble((line.what, "bold"), f"\nbare: {line.against}\n", (line.limit, "dim"))
        table.add_row(what, f"{line.ours:,.0f}", f"{line.bare:,.0f}", f"{line.ratio:.3g}")
    Console().print(table)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    arguments.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    arguments.add_argument("--live", action="store_true", help="the live events alone")
    chosen = arguments.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        lines = asyncio.run(run(Path(folder), only_live=chosen.live))
    seconds = round(time.perf_counter() - began, 1)
    if chosen.json:
        print(json.dumps({"rounds": ROUNDS, "seconds": seconds, "lines": [asdict(line) for line in lines]}))
    else:
        show(lines, seconds)


main()
