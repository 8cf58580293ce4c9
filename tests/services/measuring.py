"""What tests of measured safety begin with: a report about any name, and what is known of it afterwards."""

import json
from typing import Any

from notifier.store import assessments
from tests.services.stages import MAIL, Stage, row


def about(name: str, **changes: Any) -> dict[str, Any]:
    """A report about `name` that passes every rule."""
    report: dict[str, Any] = json.loads(json.dumps(row()).replace(MAIL, name))
    return {key: value for key, value in {**report, **changes}.items() if value is not None}


async def measured(stage: Stage, name: str, **changes: Any) -> str:
    """Report `name`, and let the first look happen; the case's id."""
    said = await stage.submit(about(name, **changes))
    assert said.code is None, said.detail
    await stage.r.quiet()
    return str(said.case_id)


async def known(stage: Stage, case_id: str) -> assessments.Stored:
    async with stage.ctx.db.pool.acquire() as con:
        found = await assessments.latest(con, case_id)
    assert found is not None
    return found


async def signal(stage: Stage, case_id: str, name: str) -> tuple[str, str]:
    """(value, weight) of a signal of the newest assessment."""
    return next((s.value, str(s.weight)) for s in (await known(stage, case_id)).signals if s.name == name)
