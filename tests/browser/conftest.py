"""The system's Chromium, and one filled house that all pages of a module are looked at in."""

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Browser, async_playwright

from notifier.rehearsal import rehearsal
from tests.conftest import with_database
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
async def stage(server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    name = f"browser_{uuid.uuid4().hex}"
    con = await asyncpg.connect(server_dsn)
    await con.execute(f"create database {name} template {template} strategy file_copy")
    async with rehearsal(tmp_path_factory.mktemp("browser"), with_database(server_dsn, name), PLAN) as running:
        yield Stage(running)
    await con.execute(f"drop database {name} with (force)")
    await con.close()
