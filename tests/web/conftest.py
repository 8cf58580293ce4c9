"""A whole house in rehearsal, reached only through its HTTP face."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from notifier.rehearsal import rehearsal
from tests.conftest import Databases
from tests.lending import database_of
from tests.services.stages import PLAN, Stage
from tests.web.callers import Callers, tokens


@pytest.fixture(scope="module")
async def callers(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Callers]:
    """One house for a test module, by its `HOUSE` where it has such a plan: each test reports names of its own."""
    plan = getattr(request.module, "HOUSE", PLAN)
    folder = tmp_path_factory.mktemp("web")
    async with databases() as dsn, rehearsal(folder, dsn, plan, database=await database_of(dsn)) as running:
        stage = Stage(running)
        async with aiohttp.ClientSession(base_url=running.url) as session:
            yield Callers(stage, session, await tokens(stage))
        assert await stage.held_jobs() == []
