"""The system's Chromium, and one filled house that all pages of a module are looked at in."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from notifier.rehearsal import rehearsal
from tests.conftest import Databases
from tests.lending import database_of
from tests.services.stages import PLAN, Stage


@pytest.fixture(scope="module")
async def chromium(require_tool: Callable[..., Path]) -> AsyncIterator[Browser]:
    """Headless; as root it has no sandbox of its own, and it sees nothing but our pages."""
    program = require_tool("chromium", package="chromium")
    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=str(program), args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


@pytest.fixture(scope="module")
async def stage(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("browser")
    async with databases() as dsn, rehearsal(folder, dsn, PLAN, database=await database_of(dsn)) as running:
        yield Stage(running)
