"""The stage: a whole house in rehearsal over a database of its own. At its end nothing was dropped, and the log holds."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Databases
from tests.services.stages import PLAN, Stage, staged

Opens = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture
def open_stage(database_url: str, tmp_path: Path) -> Opens:
    """Opens a stage with a plan of the test's own; `armed=False` leaves every agreement unarmed."""
    return partial(staged, tmp_path, database_url)


@pytest.fixture
async def stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage() as opened:
        yield opened


@pytest.fixture
async def unarmed_stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage(armed=False) as opened:
        yield opened


@pytest.fixture(scope="module")
async def shared_stage(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """One stage for a file, with a `PLAN` of its own where it has one, after the file's `SCRIPT`."""
    async with databases() as dsn:
        plan = getattr(request.module, "PLAN", PLAN)
        async with staged(tmp_path_factory.mktemp("shared"), dsn, plan) as stage:
            if script := getattr(request.module, "SCRIPT", None):
                await script(stage)
            yield stage


@pytest.fixture
async def still(shared_stage: Stage) -> AsyncIterator[Stage]:
    """The file's shared stage, for a test that only looks or is refused: nothing of a case moves."""
    before = await _standing(shared_stage)
    yield shared_stage
    assert await _standing(shared_stage) == before


async def _standing(stage: Stage) -> Mapping[str, object]:
    """What a test that moves something would change."""
    tables = ("report", "evidence", "notice", "attempt", "claim", "task", "alarm", "arming", "suspension", "grant_to")
    counts = ", ".join(f"(select count(*) from {table}) as of_{table}" for table in tables)
    found = await stage.ctx.db.fetchrow(f"select {counts}, (select sum(rev) from cases) as revs")
    return {**dict(found or {}), "now": await stage.r.clock.now()}
