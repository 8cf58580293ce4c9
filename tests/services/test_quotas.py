"""Quotas hold exactly, over connections and days, and lose no report."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from notifier.domain.sheet import Row
from notifier.services import batch, intake
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from tests.services.stages import SAM, Stage, raw, row
from tests.services.test_joining import AT_TIMS, about

SMALL = {
    "quota_principal_day": 6,
    "quota_principal_minute": 4,
    "quota_organisation_day": 9,
    "quota_organisation_minute": 7,
    "quota_urgent_principal_day": 1,
    "quota_urgent_organisation_day": 2,
    "quota_keep_factor": 2,
}
TOM = Principal("Tom Tims", "person", Role.SUBMITTER, organisation="tims")


@pytest.fixture
async def tight(stage: Stage) -> Context:
    """The stage's house with quotas of a few reports."""
    return replace(stage.ctx, settings=replace(stage.ctx.settings, **SMALL))


async def send(ctx: Context, n: int, who: Principal = SAM, start: int = 0, **changes: Any) -> list[str | None]:
    done = []
    for i in range(start, start + n):
        said = await intake.submit(ctx, who, raw(about(f"quota-{i}-shop.com", **changes)))
        done.append(said.code)
    return done


async def test_over_the_minute_then_over_the_day(stage: Stage, tight: Context) -> None:
    assert await send(tight, 5) == [None] * 4 + ["quota_exceeded"]
    said = await intake.submit(tight, SAM, raw(row()))
    assert (said.code, said.retry_after) == ("quota_exceeded", 60), "the simulated clock stands at a full minute"
    await stage.pass_time(minutes=1)
    assert await send(tight, 3, start=10) == [None, None, "quota_exceeded"]
    said = await intake.submit(tight, SAM, raw(row()))
    assert said.retry_after == 10 * 3600 - 60, "until midnight UTC: it is 14:01"
    await stage.pass_time(hours=10)
    assert await send(tight, 1, start=20) == [None]


async def test_nothing_is_lost_and_the_same_key_may_come_again(stage: Stage, tight: Context) -> None:
    await send(tight, 4)
    over = raw(about("over-the-quota.com"))
    said = await intake.submit(tight, SAM, over, idempotency_key="k-1")
    assert (said.code, said.known) == ("quota_exceeded", False)
    kept = await stage.ctx.db.fetchrow("select * from report where id = $1", said.report_id)
    assert kept is not None
    assert (kept["raw"], kept["code"], kept["principal"]) == (over, "quota_exceeded", SAM.id)
    await stage.pass_time(minutes=1)
    again = await intake.submit(tight, SAM, over, idempotency_key="k-1")
    assert (again.code, again.state) == (None, "in_review")


async def test_what_is_known_costs_nothing(stage: Stage, tight: Context) -> None:
    for _ in range(10):
        said = await intake.submit(tight, SAM, raw(row(external_id="mine-1")))
    assert (said.code, said.known) == (None, True)
    assert await send(tight, 3) == [None] * 3


async def test_beyond_a_multiple_only_digests_are_kept(stage: Stage, tight: Context) -> None:
    await send(tight, 4)
    assert await send(tight, 8, start=10) == ["quota_exceeded"] * 8
    rows = await stage.ctx.db.fetch(
        "select raw, raw_sha256 from report where code = 'quota_exceeded' order by received_at, id"
    )
    assert [r["raw"] is not None for r in rows].count(True) == 6, "the day's quota once more"
    assert all(len(r["raw_sha256"]) == 32 for r in rows)


async def test_refused_reports_count_too(stage: Stage, tight: Context) -> None:
    for _ in range(4):
        assert (await intake.submit(tight, SAM, b"{")).code == "malformed"
    assert (await intake.submit(tight, SAM, b"{")).code == "quota_exceeded"
    assert await send(tight, 1) == ["quota_exceeded"]


async def test_an_organisation_shares_one_quota(stage: Stage, tight: Context) -> None:
    assert await send(tight, 4, AT_TIMS) == [None] * 4
    assert await send(tight, 4, TOM, start=10) == [None] * 3 + ["quota_exceeded"]
    assert await send(tight, 1, SAM, start=20) == [None]


async def test_urgent_has_its_own_smaller_quota(stage: Stage, tight: Context) -> None:
    assert await send(tight, 2, priority="urgent") == [None, "quota_exceeded"]
    assert await send(tight, 1, start=10) == [None], "what is not urgent still goes"


async def test_at_the_same_moment_exactly_the_quota_passes(stage: Stage, tight: Context) -> None:
    other = replace(tight)  # another process has the same database and settings
    done = await asyncio.gather(
        *(
            intake.submit(ctx, SAM, raw(about(f"burst-{i}-{n}-shop.com")))
            for i in range(6)
            for n, ctx in enumerate((tight, other))
        )
    )
    codes = [said.code for said in done]
    assert (codes.count(None), codes.count("quota_exceeded")) == (4, 8)
    assert await stage.count("cases") == 4


async def test_a_batch_answers_row_by_row(stage: Stage, tight: Context) -> None:
    rows = [Row(n, "r", raw(about(f"batch-{n}-shop.com")), None) for n in range(1, 8)]
    done = await batch.submit_batch(tight, SAM, rows)
    assert [r.row for r in done] == list(range(1, 8))
    assert sorted((r.result.code or "") for r in done) == [""] * 4 + ["quota_exceeded"] * 3
    assert all(r.result.report_id for r in done)
