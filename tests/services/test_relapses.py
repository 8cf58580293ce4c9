"""What was done and came undone: the case is under review again, and whoever did it is asked anew, by another notice."""

from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest

from notifier.errors import Conflict
from notifier.sandbox.world import Act
from notifier.services import review
from tests.services.stages import MAIL, RITA, ROLF, TIM, Stage, row
from tests.services.test_appeals import held
from tests.services.test_ladder import capture_again


async def undone(stage: Stage) -> None:
    stage.r.sandbox.world.do(Act.RESTORE, MAIL, await stage.r.clock.now(), "registry")


async def test_who_did_it_is_asked_again_by_a_notice_that_tells_of_it(stage: Stage) -> None:
    case_id = await held(stage)
    first, claim = await stage.notice(case_id), await stage.claim(case_id)
    await undone(stage)
    await stage.pass_time(hours=30)
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"], case["review_by"]) == ("in_review", "relapse", None)
    await capture_again(stage, case_id)
    shown = await stage.preview(case_id)
    assert shown.blockers == ()
    await stage.approve(case_id, ROLF)
    with pytest.raises(Conflict):
        await stage.approve(case_id, ROLF)
    await stage.pass_time(minutes=31)

    old, new = await stage.notices(case_id)
    assert (old["id"], old["state"]) == (first["id"], "superseded")
    assert (new["purpose"], new["version"], new["state"], new["supersedes"]) == ("request", 2, "sent", first["id"])
    assert new["send_key"] != old["send_key"]
    earlier, told = stage.received(MAIL)
    assert earlier.key != told.key
    mail = message_from_bytes(told.raw, policy=default)
    text = mail.get_body(("plain",)).get_content()
    undone_at = await stage.ctx.db.fetchval("select relapsed_at from claim where id = $1", claim["id"])
    assert "after a relapse" in mail["subject"]
    said = " ".join(text.replace(">", " ").split())
    for at in (first["sent_at"], claim["claimed_at"], claim["claimed_at"] + timedelta(minutes=5), undone_at):
        assert f"{at:%Y-%m-%d %H:%M} UTC" in said
    assert "The registry did a hold" in said

    await stage.pass_time(hours=5)  # it is done again, and seen
    case = await stage.case(case_id)
    assert (case["state"], case["observed"], case["aftermath"]) == ("resolved", "verified", "standing")
    assert (case["outcome"], case["reopened_count"]) == ("registry_hold", 1)
    assert case["review_by"] is not None
    assert len(stage.received(MAIL)) == 2


async def test_a_closed_case_is_opened_again_by_a_look_that_somebody_asks_for(stage: Stage) -> None:
    case_id = await held(stage)
    await review.close(stage.ctx, RITA, case_id)
    case = await stage.case(case_id)
    assert (case["state"], case["aftermath"]) == ("closed", "standing")
    assert case["review_by"] is not None, "what stands has a date after the watch, too"
    await undone(stage)
    await stage.pass_time(days=2)
    assert await stage.state(case_id) == "closed", "nobody looks"
    await review.observe_now(stage.ctx, RITA, case_id)
    await stage.r.quiet()
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"], case["aftermath"]) == ("in_review", "relapse", "relapsed")
    assert (case["reopened_count"], case["closed_at"]) == (1, None)
    assert not (await stage.preview(case_id)).blockers


async def test_a_report_after_the_end_tells_what_came_undone(stage: Stage) -> None:
    before = await held(stage)
    await review.close(stage.ctx, RITA, before)
    await undone(stage)
    said = await stage.submit(row(), TIM)
    await stage.r.quiet()
    case = await stage.case(before)
    assert (case["state"], case["aftermath"], case["observed"]) == ("closed", "relapsed", "relapsed")
    assert str((await stage.case(str(said.case_id)))["previous_case"]) == before
    (draft,) = (await stage.preview(str(said.case_id))).drafts
    assert case["reference"] in draft.content.text
    assert "found it undone" in " ".join(draft.content.text.replace(">", " ").split())
