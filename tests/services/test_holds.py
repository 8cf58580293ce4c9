"""Everything that is held at our request has somebody who looks after it and a date; without fresh evidence it lapses."""

from datetime import timedelta

import pytest

from notifier.domain.evidence import parse_evidence
from notifier.errors import Conflict, Forbidden
from notifier.sandbox.world import Act
from notifier.services import holds, reading, review
from notifier.services.reading import CaseFilter
from tests.services.stages import MAIL, RITA, ROLF, TIM, Stage, row
from tests.services.test_appeals import appealed, held


async def term(stage: Stage, case_id: str) -> timedelta:
    case = await stage.case(case_id)
    left: timedelta = case["review_by"] - await stage.r.clock.now()
    return left


async def bring(stage: Stage, case_id: str, *, age: timedelta = timedelta()) -> None:
    """Pages as somebody saw them so long ago."""
    at = await stage.r.clock.now() - age
    items = [i for i in row()["evidence"] if i["kind"] == "capture"]
    fresh = [parse_evidence({**item, "captured_at": at.isoformat()}) for item in items]
    await review.add_evidence(stage.ctx, TIM, case_id, fresh)


async def test_a_hold_that_nothing_supports_lapses_after_its_owner_was_warned(stage: Stage) -> None:
    case_id = await held(stage)
    case = await stage.case(case_id)
    assert (case["assignee"], await term(stage, case_id)) == ("Rita Reviewer", timedelta(days=30))
    with pytest.raises(Conflict) as refused:
        await review.assign(stage.ctx, RITA, case_id, None)
    assert refused.value.code == "owner_required"
    shown = await reading.cases(stage.ctx, RITA, CaseFilter(held=True, assignee="Rita Reviewer"))
    assert [str(item["id"]) for item in shown.items] == [case_id]
    await review.close(stage.ctx, RITA, case_id)

    await stage.pass_time(days=19, hours=23)
    assert (await stage.task_kinds(), await stage.alarms()) == ([], [])
    await stage.pass_time(hours=1)
    (task,) = await stage.tasks()
    assert (task["kind"], task["due_at"]) == ("hold_review", case["review_by"])
    assert await stage.alarms() == ["hold_lapsing"]
    assert await stage.count("alarm where told_at is not null") == 1, "it reached a person"
    await stage.pass_time(days=9, hours=23)
    assert len(stage.received(MAIL)) == 1
    await stage.pass_time(hours=1)
    case = await stage.case(case_id)
    assert (case["state"], case["aftermath"], case["undo"]) == ("closed", "lifted_lapsed", "requested")
    assert (case["review_by"], await stage.task_kinds()) == (None, [])
    assert (await stage.notice(case_id))["purpose"] == "restore"
    await stage.pass_time(days=3)  # the recipient obeys, and the name is seen back
    case = await stage.case(case_id)
    assert (case["state"], case["undo"], case["observed"]) == ("closed", "verified", "released")
    assert await stage.ctx.db.fetchval("select verdict from claim where measure = 'hold'") == "released"
    causes = await stage.ctx.db.fetch("select cause, restored_at from correction")
    assert [(c["cause"], c["restored_at"] is not None) for c in causes] == [("unsupported", True)]
    assert await stage.tags(case_id) != []
    await stage.pass_time(days=40)
    assert await stage.state(case_id) == "closed", "what we gave back ourselves is no relapse"


async def test_fresh_evidence_and_another_person_keep_it(stage: Stage) -> None:
    case_id = await held(stage)
    await stage.pass_time(days=21)
    assert await stage.task_kinds() == ["hold_review"]
    with pytest.raises(Conflict) as refused:
        await holds.keep(stage.ctx, RITA, case_id, "it must stay")
    assert refused.value.code == "evidence_required"
    await bring(stage, case_id, age=timedelta(days=25))
    with pytest.raises(Conflict) as refused:
        await holds.keep(stage.ctx, RITA, case_id, "pages from before it was held")
    assert refused.value.code == "evidence_required"
    await bring(stage, case_id)
    with pytest.raises(Forbidden):
        await holds.keep(stage.ctx, TIM, case_id, "I brought it")
    await holds.keep(stage.ctx, ROLF, case_id, "the origin server still sells")
    assert (await term(stage, case_id), await stage.task_kinds()) == (timedelta(days=30), [])
    await stage.pass_time(days=19)
    assert (await stage.state(case_id), await stage.task_kinds(), len(stage.received(MAIL))) == ("resolved", [], 1)
    assert await stage.count("alarm where closed_at is null") == 0


async def test_a_warning_that_came_late_is_given_whole(stage: Stage) -> None:
    """Nobody ran for five weeks: the hold does not lapse on somebody who was not told."""
    case_id = await held(stage)
    await stage.ctx.db.pool.execute(
        "update timer set due_at = due_at + interval '15 days' where kind = 'case.hold_review' and fired_at is null"
    )
    await stage.pass_time(days=36)
    assert (await stage.state(case_id), await stage.task_kinds()) == ("resolved", ["hold_review"])
    assert timedelta(days=8) < await term(stage, case_id) < timedelta(days=10)
    await stage.pass_time(days=10)
    assert (await stage.case(case_id))["aftermath"] == "lifted_lapsed"


async def test_a_challenge_of_a_closed_case_that_nobody_answers_lifts_it(stage: Stage) -> None:
    case_id = await held(stage)
    await review.close(stage.ctx, RITA, case_id)
    await appealed(stage, case_id)
    due = await stage.ctx.db.fetchval("select decide_due from appeal")
    await stage.r.advance_to(due - timedelta(seconds=1))
    assert len(stage.received(MAIL)) == 1
    await stage.pass_time(seconds=1)
    case = await stage.case(case_id)
    assert (case["state"], case["aftermath"], case["review_by"]) == ("closed", "lifted_lapsed", None)
    assert (await stage.notice(case_id))["purpose"] == "restore"
    await stage.pass_time(days=3)
    assert (await stage.case(case_id))["undo"] == "verified"


async def test_a_hold_that_ended_asks_nobody_for_evidence(stage: Stage) -> None:
    case_id = await held(stage)
    await stage.pass_time(days=20, hours=1)
    assert await stage.task_kinds() == ["hold_review"]
    stage.r.sandbox.world.do(Act.RESTORE, MAIL, await stage.r.clock.now(), "registry")
    await stage.pass_time(days=2)
    case = await stage.case(case_id)
    assert (case["review_by"], case["reopened_count"]) == (None, 1)
    assert "hold_review" not in await stage.task_kinds()
