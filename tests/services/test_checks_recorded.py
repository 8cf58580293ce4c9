"""Each look at a channel is kept with the digest it was about, and arming rests on one of today."""

from typing import Any

import pytest

from notifier.errors import Conflict
from notifier.services import agreements
from tests.services.stages import ADA, BORIS, HOOK, MAIL, Stage
from tests.services.test_attempts import AGREEMENT

MAIL_AGREEMENT = AGREEMENT[MAIL]


async def checks(stage: Stage, agreement: str = MAIL_AGREEMENT) -> list[dict[str, Any]]:
    rows = await stage.ctx.db.fetch("select * from agreement_check where agreement = $1 order by at, id", agreement)
    return [dict(row) for row in rows]


@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_a_check_is_kept_with_what_it_found(unarmed_stage: Stage, domain: str) -> None:
    stage, agreement = unarmed_stage, AGREEMENT[domain]
    assert await agreements.check(stage.ctx, agreement, ADA.id) == []
    (kept,) = await checks(stage, agreement)
    digest = stage.ctx.catalog.agreements[agreement].digest
    assert (kept["by"], kept["digest"], kept["problems"]) == (ADA.id, digest, [])
    stands = await agreements.standing(stage.ctx, agreement)
    assert stands.checked is not None
    assert (stands.checked.passed, stands.checked.by, stands.checked.digest) == (True, ADA.id, stands.digest)


async def test_a_check_that_fails_is_kept_too_and_arms_nothing(unarmed_stage: Stage) -> None:
    stage = unarmed_stage
    await stage.r.sandbox.smtp.stop()
    found = await agreements.check(stage.ctx, MAIL_AGREEMENT, ADA.id)
    assert found != []
    (kept,) = await checks(stage)
    assert [p["what"] for p in kept["problems"]] == [p.what for p in found]
    with pytest.raises(Conflict) as raised:
        await agreements.arm(stage.ctx, ADA, MAIL_AGREEMENT)
    assert raised.value.code == "channel_not_ready"
    assert len(await checks(stage)) == 2, "arming looked for itself"
    assert await stage.count("arming where agreement = $1", MAIL_AGREEMENT) == 0


async def test_arming_rests_on_a_check_of_the_last_day(unarmed_stage: Stage) -> None:
    stage = unarmed_stage
    await agreements.check(stage.ctx, MAIL_AGREEMENT, BORIS.id)
    await stage.pass_time(hours=23)
    await agreements.arm(stage.ctx, ADA, MAIL_AGREEMENT)
    assert [c["by"] for c in await checks(stage)] == [BORIS.id]
    await stage.pass_time(hours=1)
    await agreements.arm(stage.ctx, BORIS, MAIL_AGREEMENT)
    assert [c["by"] for c in await checks(stage)] == [BORIS.id, BORIS.id], "one a day old is too old"


async def test_a_newer_failure_outweighs_an_older_success(unarmed_stage: Stage) -> None:
    stage = unarmed_stage
    await agreements.check(stage.ctx, MAIL_AGREEMENT, ADA.id)
    await stage.r.sandbox.smtp.stop()
    await agreements.check(stage.ctx, MAIL_AGREEMENT, ADA.id)
    with pytest.raises(Conflict):
        await agreements.arm(stage.ctx, ADA, MAIL_AGREEMENT)


async def test_a_check_of_another_digest_counts_for_nothing(unarmed_stage: Stage) -> None:
    stage = unarmed_stage
    await agreements.check(stage.ctx, MAIL_AGREEMENT, ADA.id)
    known: Any = stage.ctx.catalog.agreements
    object.__setattr__(known[MAIL_AGREEMENT], "digest", "f" * 64)  # the file was changed
    await agreements.arm(stage.ctx, ADA, MAIL_AGREEMENT)
    assert [c["digest"] == "f" * 64 for c in await checks(stage)] == [False, True]
