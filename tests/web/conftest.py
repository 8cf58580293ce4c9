"""A whole house in rehearsal, reached only through its HTTP face."""

import uuid
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import pytest

from notifier.rehearsal import rehearsal
from tests.conftest import with_database
from tests.services.stages import PLAN, Stage
from tests.web.callers import Callers, tokens


@pytest.fixture(scope="module")
async def callers(
    request: pytest.FixtureRequest, server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Callers]:
    """One house for a test module, by its `HOUSE` where it has such a plan: each test reports names of its own."""
    plan = getattr(request.module, "HOUSE", PLAN)
    name = f"web_{uuid.uuid4().hex}"
    con = await asyncpg.connect(server_dsn)
    await con.execute(f"create database {name} template {template} strategy file_copy")
    async with rehearsal(tmp_path_factory.mktemp("web"), with_database(server_dsn, name), plan) as running:
        stage = Stage(running)
        async with aiohttp.ClientSession(base_url=running.url) as session:
            yield Callers(stage, session, await tokens(stage))
        assert await stage.held_jobs() == []
    await con.execute(f"drop database {name} with (force)")
    await con.close()
