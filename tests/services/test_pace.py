"""One pace for each recipient, over all workers: nothing leaves faster, nothing is lost, and a dead channel rests."""

import shutil
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from notifier import catalog, resources
from notifier.domain.pace import Pace
from notifier.services import agreements, review, sending
from tests.services.stages import ADA, BORIS, RITA, Stage
from tests.services.test_joining import about

AGREEMENT = "opioids.verisign"


def paced(stage: Stage, **numbers: int) -> None:
    """The agreement as a file with this `[pace]` would make it."""
    known = stage.ctx.catalog.agreements[AGREEMENT]
    changed = replace(known, pace=replace(Pace(), **numbers))
    stage.ctx.catalog.agreements[AGREEMENT] = changed  # type: ignore[index]


async def approved(stage: Stage, count: int) -> list[str]:
    """As many approved cases, all of whose windows end at the same moment."""
    cases = []
    for n in range(count):
        said = await stage.submit(about(f"pace-{n}.com"))
        assert said.state == "in_review", said
        await stage.r.quiet()
        await stage.approve(str(said.case_id))
        cases.append(str(said.case_id))
    return cases


async def row(stage: Stage) -> dict[str, Any]:
    found = await stage.ctx.db.fetchrow("select * from pace where agreement = $1", AGREEMENT)
    assert found is not None
    return dict(found)


async def test_notices_leave_at_the_agreed_pace_and_all_of_them(stage: Stage) -> None:
    paced(stage, per_hour=60, burst=2)
    await approved(stage, 6)
    await stage.pass_time(minutes=30)
    assert len(stage.received()) == 2
    await stage.pass_time(minutes=1, seconds=10)
    assert len(stage.received()) == 3
    await stage.pass_time(minutes=10)
    assert len(stage.received()) == 6
    assert set(stage.r.sandbox.inbox.by_key.values()) == {1}


async def test_more_than_a_day_holds_waits_for_tomorrow_and_a_person_is_told_once(stage: Stage) -> None:
    paced(stage, per_day=2)
    cases = await approved(stage, 5)
    await stage.pass_time(hours=2)
    assert len(stage.received()) == 2
    (task,) = await stage.tasks()
    assert (task["kind"], "more than 2 requests in a day" in task["detail"]) == ("second_look", True)
    # What was sent may still be taken back today.
    sent = [case for case in cases if (await stage.notice(case))["state"] == "sent"]
    await review.withdraw(stage.ctx, RITA, sent[0], "a mistake")
    await stage.r.quiet()
    assert [d.ask.purpose for d in stage.received()][-1] == "withdrawal"
    await stage.pass_time(hours=12)
    assert len([d for d in stage.received() if d.ask.purpose == "request"]) == 4


async def test_a_channel_that_answers_nobody_rests_and_is_tried_by_one(stage: Stage) -> None:
    await approved(stage, 8)
    stage.r.sandbox.desk.party_behaviours["verisign"] = "throttle_then_obey"
    await stage.ctx.db.pool.execute(
        "insert into pace (agreement, tokens, at, failures, open_until, day_count) values ($1, 60, $2, 5, $3, 0)",
        AGREEMENT,
        await stage.r.clock.now(),
        await stage.r.clock.now() + timedelta(hours=1),
    )
    await stage.pass_time(minutes=59)
    assert await stage.count("attempt") == 0, "while it rests nobody tries"
    await stage.pass_time(minutes=30)
    assert len(stage.received()) == 8
    assert (await row(stage))["failures"] == 0
    assert "agreement.reached" in [
        r["tag"] for r in await stage.ctx.db.fetch("select tag from audit_entry where subject = $1", AGREEMENT)
    ]


async def test_failures_in_a_row_open_the_breaker(stage: Stage) -> None:
    await stage.r.sandbox.smtp.stop()
    await stage.ctx.db.pool.execute(
        "insert into pace (agreement, tokens, at, failures, day_count) values ($1, 60, $2, 4, 0)",
        AGREEMENT,
        await stage.r.clock.now(),
    )
    await approved(stage, 1)
    await stage.pass_time(minutes=30)
    standing = await row(stage)
    assert (standing["failures"], standing["open_until"] is not None) == (5, True)


async def test_what_a_dead_process_left_takes_no_place(stage: Stage) -> None:
    """Two attempts that it left with a channel that rests: each would wait for the other to end, and so would everybody."""
    cases = []
    for name in ("pace-one.org", "pace-two.org"):
        said = await stage.submit(about(name))
        await stage.approve(str(said.case_id))
        cases.append(str(said.case_id))
    stage.r.sandbox.desk.party_behaviours["pir"] = "silent"
    await stage.pass_time(minutes=30)
    notices = [str((await stage.notice(case))["id"]) for case in cases]
    assert len(stage.received()) == 2
    # As a kill leaves it: the intent is there, the end is not, and the channel had failed five times by then.
    await stage.ctx.db.pool.execute("update notice set state = 'sending', sent_at = null")
    await stage.ctx.db.pool.execute("update attempt set result = 'started', finished_at = null")
    await stage.ctx.db.pool.execute("update pace set failures = 5, open_until = null where agreement = 'opioids.pir'")
    for notice in notices:
        await sending.send(stage.ctx, notice)
    await stage.pass_time(minutes=2)
    assert [(await stage.notice(case))["state"] for case in cases] == ["sent", "sent"]
    assert [await stage.attempts(notice) for notice in notices] == [["uncertain", "accepted"]] * 2


async def test_the_pace_survives_a_stop_of_the_agreement(stage: Stage) -> None:
    paced(stage, per_hour=1, burst=1)
    await approved(stage, 2)
    await stage.pass_time(minutes=30)
    assert len(stage.received()) == 1
    await agreements.disarm(stage.ctx, ADA, AGREEMENT)
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, AGREEMENT)
    await stage.r.quiet()
    assert len(stage.received()) == 1
    await stage.pass_time(hours=2)
    assert len(stage.received()) == 2


@pytest.mark.parametrize("numbers", [{"per_hour": 0}, {"at_once": "4"}, {"burst": -1}, {"speed": 3}])
def test_a_wrong_pace_is_a_fault_of_the_file(numbers: dict[str, Any], tmp_path: Any) -> None:
    folder = tmp_path / "config"
    shutil.copytree(resources.folder("config"), folder)
    file = folder / "agreements" / "opioids.pir.toml"
    lines = "\n".join(f"{k} = {v!r}" for k, v in numbers.items())
    file.write_text(f"{file.read_text(encoding='utf-8')}\n[pace]\n{lines}\n", encoding="utf-8")
    (fault,) = catalog.check(folder, None, (), None)
    assert "pace" in str(fault)
