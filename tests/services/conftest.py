"""The stage: a whole house in rehearsal over a database of its own. At its end nothing was dropped, and the log holds."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from notifier.rehearsal import Plan, rehearsal
from tests.services.stages import PLAN, Stage

Opens = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture
def open_stage(database_url: str, tmp_path: Path) -> Opens:
    """Opens a stage with a plan of the test's own; `armed=False` leaves every agreement unarmed."""

    @asynccontextmanager
    async def opened(plan: Plan = PLAN, *, armed: bool = True) -> AsyncIterator[Stage]:
        async with rehearsal(tmp_path, database_url, plan, armed=armed) as running:
            stage = Stage(running)
            yield stage
            await running.quiet()
            assert await stage.held_jobs() == []
            report = await stage.audit()
            assert (report.exit_code, report.faults) == (0, [])

    return opened


@pytest.fixture
async def stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage() as opened:
        yield opened


@pytest.fixture
async def unarmed_stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage(armed=False) as opened:
        yield opened
