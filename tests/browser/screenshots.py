"""`make screenshots`: the main pages over a demonstration, as README shows them. Or: python -m tests.browser.screenshots FOLDER"""

import asyncio
import logging
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import structlog
from playwright.async_api import async_playwright

from notifier import demo
from notifier.rehearsal import Rehearsal, rehearsal
from notifier.store.embedded import EmbeddedPostgres
from tests.browser.screens import DESK, PHONE, screen

REPORTS = 60


@dataclass(frozen=True)
class Picture:
    """`who` None: whoever comes by. `path` may name {case}, {notice} and {appeal}, which the demonstration has."""

    name: str
    who: str | None
    path: str
    size: tuple[int, int] = DESK
    dark: bool = False


PICTURES = (
    Picture("queue", "Rita Reviewer", "/desk/queue"),
    Picture("review", "Rita Reviewer", "/desk/cases/{waiting}/review"),
    Picture("case", "Rita Reviewer", "/desk/cases/{case}", DESK, dark=True),
    Picture("portal-notice", "Vera Verisign", "/portal/notices/{notice}"),
    Picture("figures", "Eva Evaluator", "/figures"),
    Picture("appeal", None, "{appeal}?lang=es", PHONE),
)


async def _ids(stage: Rehearsal, appeal: str | None) -> dict[str, str]:
    db = stage.house.ctx.db
    case = await db.fetchval(
        "select c.id from cases c join claim k on k.case_id = c.id where c.registry = 'verisign' and k.verdict = 'verified' "
        "order by c.opened_at limit 1"
    )
    waiting = await db.fetchval("select id from cases where state = 'in_review' order by opened_at desc limit 1")
    notice = await db.fetchval(
        "select id from notice where registry = 'verisign' and state in ('sent', 'delivered') and response = 'none' "
        "order by sent_at desc limit 1"
    )
    return {
        "case": str(case),
        "waiting": str(waiting),
        "notice": str(notice),
        "appeal": (appeal or "").removeprefix(stage.url),
    }


async def take(folder: Path, only: set[str]) -> None:
    """Every picture, or the named ones."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="notifier-screens-") as state:
        async with (
            EmbeddedPostgres(Path(state), fsync=False) as server,
            rehearsal(Path(state), server.dsn, demo.plan_of()) as stage,
            async_playwright() as started,
        ):
            reports = demo.reports_of(None, None)
            print("a demonstration goes first ...", file=sys.stderr)
            await demo.play(stage, reports[:REPORTS], lambda *_: None)
            appeal = await demo.leave_work(stage, reports)
            password = await demo.give_seats(stage)
            ids = await _ids(stage, appeal)
            program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
            browser = await started.chromium.launch(executable_path=program, args=["--no-sandbox"])
            for picture in PICTURES:
                if only and picture.name not in only:
                    continue
                try:
                    async with screen(browser, stage.url, picture.size, dark=picture.dark) as one:
                        if picture.who:
                            await one.sign_in(picture.who, password)
                        await one.open(picture.path.format(**ids))
                        await one.shot(folder / f"{picture.name}.png")
                        wrong = await one.violations()
                        print(picture.name, await one.heading(), *wrong, sep="\n  ", file=sys.stderr)
                        if await one.is_too_wide():
                            print(f"  {picture.name} is too wide", file=sys.stderr)
                except AssertionError as fault:
                    print(f"  {picture.name}: {fault}", file=sys.stderr)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screens"), set(sys.argv[2:])))
