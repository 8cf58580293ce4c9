"""One house for each file of scenarios, with every party of a ladder, driven by an injected clock and through its faces."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from notifier.rehearsal import Cast
from notifier.sandbox.survey import Profile
from tests.conftest import Databases
from tests.services.measuring import about
from tests.services.stages import staged
from tests.services.test_ladder import LADDER
from tests.web.callers import Callers, tokens

PLAN = replace(
    LADDER,
    cast=[*LADDER.cast, Cast("registry-services", ["opioids.registry-services"], "api")],
    profiles={
        "freedns-like.com": Profile(hosts=3000, dependents=900),
        "hacked-college.edu": Profile(registered_at=datetime(2012, 5, 1, tzinfo=UTC)),
    },
)


@dataclass
class House(Callers):
    """Everybody who calls, and the database behind it for whoever would tamper with it."""

    dsn: str

    @property
    def sandbox(self) -> Any:
        return self.stage.r.sandbox

    async def reported(self, name: str, by: str = "submitter", **changes: Any) -> dict[str, Any]:
        """Report `name` with everything that its program asks for, and let the first look happen; what was answered."""
        said = await self.post("/reports", about(name, **changes), by=by)
        await self.stage.r.quiet()
        return {"status": said.status, **said.body}

    async def asked(self, name: str, behaviour: str = "silent", **changes: Any) -> str:
        """Report and approve `name`, whose recipients behave so. Its notice leaves when the window is over; the case's id."""
        self.sandbox.desk.behaviours[name] = behaviour
        said = await self.reported(name, **changes)
        assert said.get("state") == "in_review", [f for f in said.get("findings", [said]) if f.get("result") != "pass"]
        approved = await self.approve(str(said["case_id"]))
        assert approved.status == 200, approved.body
        return str(said["case_id"])

    async def case(self, case_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.get(f"/cases/{case_id}", by="reviewer")).body
        return found


@pytest.fixture(scope="module")
async def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """At its end no job was dropped, and the log holds."""
    async with databases() as dsn, staged(tmp_path_factory.mktemp("scenarios"), dsn, PLAN) as stage:
        async with aiohttp.ClientSession(base_url=stage.r.url) as session:
            yield House(stage, session, await tokens(stage), dsn)
