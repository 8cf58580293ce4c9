"""Looks take their turn at the registry's RDAP: a busy server is left alone, and whoever waits for a look is not kept waiting."""

from datetime import timedelta

from notifier.sandbox.rdap_server import RdapFault
from notifier.services import review
from tests.services.stages import MAIL, RITA, Stage
from tests.services.test_appeals import held


async def minutes(stage: Stage, case_id: str) -> list[float]:
    """When it was looked at, since the claim."""
    at = (await stage.claim(case_id))["claimed_at"]
    rows = await stage.ctx.db.fetch("select at from observation where purpose = 'look' order by at")
    return [(row["at"] - at) / timedelta(minutes=1) for row in rows]


async def test_a_server_that_says_later_is_asked_later_by_everybody(stage: Stage) -> None:
    case_id = await held(stage)
    stage.r.sandbox.rdap.retry_after = 7_200
    stage.r.sandbox.rdap.faults[MAIL] = RdapFault.RATE_LIMITED
    await stage.pass_time(minutes=10)
    del stage.r.sandbox.rdap.faults[MAIL]
    await stage.pass_time(minutes=30)
    await review.observe_now(stage.ctx, RITA, case_id)
    await stage.pass_time(minutes=60)
    assert await minutes(stage, case_id) == [1, 5, 15]
    await stage.pass_time(hours=5)
    assert await minutes(stage, case_id) == [1, 5, 15, 135, 360]
    assert await stage.state(case_id) == "resolved", "what was not told changed nothing"


async def test_who_waits_for_a_look_goes_ahead_of_a_line(stage: Stage) -> None:
    case_id = await held(stage)
    await stage.pass_time(days=1)
    looks = len(await minutes(stage, case_id))
    full = await stage.r.clock.now() + timedelta(days=4)
    await stage.ctx.db.pool.execute("update look_pace set line_until = $1", full)
    await stage.pass_time(days=2)
    assert len(await minutes(stage, case_id)) == looks, "the watch stands in line"
    await review.observe_now(stage.ctx, RITA, case_id)
    await stage.r.quiet()
    assert len(await minutes(stage, case_id)) == looks + 1
    await stage.r.advance_to(full + timedelta(minutes=1))
    assert len(await minutes(stage, case_id)) == looks + 2
    assert await stage.count("look_turn where at <= $1", full + timedelta(minutes=1)) == 0
