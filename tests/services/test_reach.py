"""Who reported into another organisation's case sees it, and decides nothing about it."""

from collections.abc import Awaitable, Callable

import pytest

from notifier.domain.explaining import explain
from notifier.errors import Forbidden, NotFound
from notifier.services import agreements, case_reading, files, reading, review, tasks
from notifier.services.access import Principal, Role
from tests.services.stages import MAIL, RITA, Stage, row

FDA = Principal("of fda", "person", Role.SUBMITTER, organisation="fda")
MPA = Principal("of mpa", "person", Role.SUBMITTER, organisation="mpa")
STRANGER = Principal("Mia Reviewer", "person", Role.REVIEWER, organisation="mpa")

ACTS: dict[str, Callable[[Stage, str], Awaitable[object]]] = {
    "withdraw": lambda stage, case_id: review.withdraw(stage.ctx, STRANGER, case_id, "mine now"),
    "hold": lambda stage, case_id: files.place_hold(stage.ctx, STRANGER, case_id, "mine now"),
    "lift": lambda stage, case_id: files.lift_hold(stage.ctx, STRANGER, case_id),
}


@pytest.mark.parametrize("act", ACTS)
async def test_a_reviewer_of_a_guest_decides_nothing(stage: Stage, act: str) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    case_id = await stage.notified(who=FDA)
    await stage.submit(row(), MPA)
    assert (await review.visible(stage.ctx, stage.ctx.db.pool, STRANGER, case_id)).id == case_id
    if act == "lift":
        await files.place_hold(stage.ctx, RITA, case_id, "a court asked")
    with pytest.raises(NotFound):
        await ACTS[act](stage, case_id)
    assert await stage.state(case_id) == "notified"
    assert await stage.count("legal_hold where lifted_at is null") == (1 if act == "lift" else 0)


@pytest.mark.parametrize("resolution", ["arrived", "not_arrived"])
async def test_a_reviewer_of_a_guest_settles_nothing(stage: Stage, resolution: str) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    stage.r.sandbox.smtp.after_acceptance.drop(1)
    case_id = await stage.notified(who=FDA)
    await stage.submit(row(), MPA)
    (task,) = [t for t in await stage.tasks() if t["kind"] == "uncertain"]
    with pytest.raises(NotFound):
        await tasks.resolve(stage.ctx, STRANGER, str(task["id"]), resolution)
    with pytest.raises(NotFound):
        await tasks.take(stage.ctx, STRANGER, "task", str(task["id"]))
    assert (await stage.notice(case_id))["state"] == "uncertain"


async def test_a_guest_does_not_end_what_others_reported(stage: Stage) -> None:
    case_id = await stage.case_in_review(who=FDA)
    await stage.submit(row(), MPA)
    with pytest.raises(Forbidden):
        await review.withdraw(stage.ctx, MPA, case_id, "we do not mind any more")
    assert await stage.state(case_id) == "in_review"
    await review.withdraw(stage.ctx, RITA, case_id, "both asked for it")
    assert await stage.state(case_id) == "withdrawn"


async def test_an_admin_of_another_organisation_arms_and_disarms_nothing(stage: Stage) -> None:
    admin = Principal("Max Admin", "person", Role.ADMIN, organisation="mpa")
    with pytest.raises(NotFound):
        await agreements.arm(stage.ctx, admin, "opioids.verisign")
    with pytest.raises(NotFound):
        await agreements.disarm(stage.ctx, admin, "opioids.verisign")
    assert await agreements.is_armed(stage.ctx, "opioids.verisign")


async def test_a_guest_does_not_read_the_reports_of_others(stage: Stage) -> None:
    theirs, ours = await stage.submit(row(), FDA), await stage.submit(row(), MPA)
    assert theirs.case_id == ours.case_id
    with pytest.raises(NotFound):
        await reading.report(stage.ctx, MPA, str(theirs.report_id))
    assert (await reading.report(stage.ctx, MPA, str(ours.report_id)))["principal"] == MPA.id


async def test_what_belongs_to_no_case_is_the_houses(stage: Stage) -> None:
    settings = stage.r.house.settings
    to = f"{settings.identity.reply_mailbox}+nobody@{settings.reply_domain}"
    await stage.mail(to, b"From: a@b.test\r\n\r\nwho are you?")
    (task,) = await stage.tasks()
    with pytest.raises(NotFound):
        await tasks.resolve(stage.ctx, STRANGER, str(task["id"]), "done")
    await tasks.resolve(stage.ctx, RITA, str(task["id"]), "done")


async def test_a_submitter_reads_what_rules_ask_for_and_not_what_others_brought(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    case_id = await stage.notified(who=FDA)
    await stage.submit(row(), MPA)
    told = await case_reading.findings(stage.ctx, MPA, case_id)
    whole = await case_reading.findings(stage.ctx, RITA, case_id)
    assert [(one.rule, one.result, one.mend) for one in told] == [(one.rule, one.result, one.mend) for one in whole]
    asks = {rule.id: rule.asks for rule in explain(stage.ctx.program("opioids")).rules}
    assert {one.rule: one.why for one in told} == asks
    assert {one.why for one in whole}.isdisjoint(asks.values())
    assert not any(one.evidence or one.weigh for one in told)
