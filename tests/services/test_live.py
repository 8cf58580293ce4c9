"""A live event on stage: out with its approval, over at its end without a person, and watched until the name is back."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from notifier.errors import Conflict, Forbidden, Invalid
from notifier.sandbox.config import Pace
from notifier.sandbox.rdap_server import RdapFault
from notifier.sandbox.world import Act
from notifier.services import corrections, event_reports, releasing, review, tasks
from tests.services.conftest import Opens
from tests.services.stages import PLAN, RITA, ROLF, Stage, agree, until
from tests.services.test_live_and_orders import sample

Json = dict[str, Any]
# config/events/sample.toml: the end, and half an hour of margin.
EVENT, ENDS, RELEASE_BY = (
    "sample-final-2026",
    datetime(2026, 11, 2, 15, 30, tzinfo=UTC),
    datetime(2026, 11, 2, 16, 0, tzinfo=UTC),
)
NAME = "imovietube.com"


# A desk that acts within minutes, as an event asks for.
FAST = replace(PLAN, pace=Pace(timedelta(minutes=1), timedelta(minutes=5), jitter=False))


@pytest.fixture
async def live(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage(FAST) as stage:
        await agree(stage, "live-event")
        yield stage


async def warmed(stage: Stage, case_id: str) -> None:
    """Wait until the daemon's own loop has looked at the case at this very moment."""
    now = await stage.r.clock.now()

    async def kept() -> bool:
        return await stage.count("warm_look where case_id = $1 and at >= $2", case_id, now) == 1

    await until(kept)


async def in_review(stage: Stage) -> str:
    said = await stage.submit(sample("live-event"))
    assert said.state == "in_review", [f for f in said.findings if f.result != "pass"]
    await stage.r.quiet()
    return str(said.case_id)


async def told(stage: Stage, how: str = "obey") -> str:
    """A case whose notice left with its approval; the case's id."""
    stage.r.sandbox.desk.party_behaviours["verisign"] = how
    case_id = await in_review(stage)
    await warmed(stage, case_id)
    await stage.approve(case_id)
    await stage.r.quiet()
    return case_id


def registers(stage: Stage, **changes: Any) -> None:
    """What the event's file says from now on."""
    events: Any = stage.ctx.catalog.events
    events[EVENT] = replace(events[EVENT], **changes)


async def test_it_leaves_with_its_approval_and_says_until_when(live: Stage) -> None:
    approved_at = await live.r.clock.now()
    case_id = await told(live)
    notice = await live.notice(case_id)
    assert (notice["state"], notice["sent_at"], notice["waited_for_look"]) == ("sent", approved_at, False)
    assert (notice["event"], notice["hold_until"], notice["release_by"]) == (EVENT, ENDS, RELEASE_BY)
    mail = message_from_bytes(live.received()[0].raw, policy=default)
    parts = {p.get_content_type(): str(p.get_content()) for p in mail.walk() if p.get_content_maintype() == "text"}
    assert parts["text/plain"].splitlines()[0].startswith(f"Hold until 2026-11-02 15:30 UTC: hold of {NAME} ")
    assert "\nHold until: 2026-11-02T15:30:00+00:00\n" in parts["text/plain"].replace("\r\n", "\n")
    first = parts["text/html"].split("<body>")[1].strip()
    assert first.startswith(f"<p><strong>Hold until 2026-11-02 15:30 UTC: hold of {NAME}</strong>")
    assert str(mail["Subject"]).startswith("Hold until 2026-11-02 15:30 UTC: [TN-")
    xarf = next(json.loads(p.get_content()) for p in mail.walk() if p.get_content_type() == "application/json")
    assert "hold_until:20261102t153000z" in xarf["tags"]
    # The look that it left by was there before the approval, and is what later looks are held against.
    baseline = await live.ctx.db.fetchval(
        "select at from observation where case_id = $1 and purpose = 'baseline'", case_id
    )
    assert baseline == await live.ctx.db.fetchval("select at from warm_look where case_id = $1", case_id)


async def test_without_a_young_look_it_waits_for_one_and_is_counted(live: Stage) -> None:
    case_id = await in_review(live)
    await warmed(live, case_id)
    await live.ctx.db.pool.execute("update warm_look set at = at - interval '61 seconds' where case_id = $1", case_id)
    await live.approve(case_id)
    await live.r.quiet()
    assert ((await live.notice(case_id))["state"], (await live.notice(case_id))["waited_for_look"]) == ("sent", True)


async def test_while_nobody_answers_nothing_leaves(live: Stage) -> None:
    case_id = await in_review(live)
    await warmed(live, case_id)
    await live.ctx.db.pool.execute("update warm_look set at = at - interval '61 seconds' where case_id = $1", case_id)
    live.r.sandbox.rdap.faults[NAME] = RdapFault.BROKEN
    await live.approve(case_id)
    await live.pass_time(minutes=2)
    assert (await live.state(case_id), live.received()) == ("approved", [])
    del live.r.sandbox.rdap.faults[NAME]
    await live.pass_time(minutes=1)
    assert (await live.state(case_id), (await live.notice(case_id))["waited_for_look"]) == ("notified", True)


async def test_a_look_that_shows_another_registration_lets_nothing_leave(live: Stage) -> None:
    case_id = await in_review(live)
    await warmed(live, case_id)
    digest = (await live.preview(case_id)).digest
    live.r.sandbox.world.do(Act.REREGISTER, NAME, await live.r.clock.now(), "registrant")
    await live.r.clock.advance(await live.r.clock.now() + timedelta(seconds=30))
    await warmed(live, case_id)
    await live.r.quiet()
    with pytest.raises(Conflict):
        await review.approve(live.ctx, RITA, case_id, digest)
    await live.r.quiet()
    assert (await live.state(case_id), live.received()) == ("superseded", [])


async def test_at_the_end_everyone_told_is_asked_to_restore_and_nobody_is_needed(live: Stage) -> None:
    case_id = await told(live)
    await live.r.advance_to(ENDS - timedelta(seconds=1))
    assert [d.ask.purpose for d in live.received()] == ["request"]
    assert (await live.case(case_id))["outcome"] == "registry_hold"
    await live.r.advance_to(ENDS)
    restored = live.received()[-1]
    assert (restored.ask.purpose, restored.ask.measure) == ("restore", "restore")
    notice = await live.notice(case_id)
    assert (notice["purpose"], notice["approved_by"], notice["sent_at"]) == ("restore", "daemon", ENDS)
    assert "the event was over at 2026-11-02 15:30:00 UTC" in notice["content"]["text"]
    await live.r.advance_to(RELEASE_BY)
    case = await live.case(case_id)
    assert (case["state"], case["undo"], case["aftermath"]) == ("withdrawn", "verified", "released_on_time")
    assert (case["outcome"], case["outcome_actor"]) == ("registry_hold", "registry")
    await live.pass_time(days=2)
    assert len(live.received()) == 2
    assert "held_past_event" not in await live.alarms()
    report = await event_reports.report(live.ctx, RITA, EVENT)
    assert report.standing.state == "over"
    assert {k: n for k, n in report.sums.items() if n} == {
        "notices": 1,
        "sent": 1,
        "restores_sent": 1,
        "released_on_time": 1,
        "not_looked_at_again": 1,
    }
    (row,) = report.notices
    assert (row["restore_sent_at"], row["seen_back_at"] <= RELEASE_BY, row["approved_alone"]) == (ENDS, True, True)


async def test_a_name_that_is_still_held_alarms_until_somebody_takes_it(live: Stage) -> None:
    case_id = await told(live, "keeps_hold")
    await live.r.advance_to(RELEASE_BY - timedelta(seconds=1))
    assert "held_past_event" not in await live.alarms()
    await live.r.advance_to(RELEASE_BY)
    assert "held_past_event" in await live.alarms()
    assert (await live.case(case_id))["aftermath"] is None
    live.r.sandbox.world.do(Act.RESTORE, NAME, await live.r.clock.now(), "registry")
    await live.pass_time(days=2)
    case = await live.case(case_id)
    assert (case["undo"], case["aftermath"]) == ("verified", "reinstated"), "it is back, and not in time"
    row = await live.ctx.db.fetchrow("select * from alarm where kind = 'held_past_event'")
    assert row is not None
    assert row["closed_at"] is None


async def test_what_nobody_saw_held_is_not_called_released(live: Stage) -> None:
    case_id = await told(live, "silent")
    await live.r.advance_to(RELEASE_BY + timedelta(days=1))
    case = await live.case(case_id)
    assert (case["state"], case["outcome"], case["aftermath"]) == ("withdrawn", "no_response", None)
    assert [d.ask.purpose for d in live.received()][-1] == "restore"
    assert "held_past_event" not in await live.alarms()


async def test_a_notice_whose_fate_is_unknown_is_taken_back_too(live: Stage) -> None:
    live.r.sandbox.smtp.after_acceptance.drop(1)
    case_id = await told(live)
    assert (await live.notice(case_id))["state"] == "uncertain"
    await live.r.advance_to(ENDS)
    assert [d.ask.purpose for d in live.received()] == ["request", "restore"]


async def test_the_end_that_was_told_holds_and_an_earlier_one_comes_earlier(live: Stage) -> None:
    case_id = await told(live)
    registers(live, ends=ENDS + timedelta(hours=1))
    await releasing.take_up(live.ctx)
    await live.r.advance_to(ENDS)
    assert [d.ask.purpose for d in live.received()] == ["request", "restore"]
    assert await live.state(case_id) == "withdrawn"


async def test_an_earlier_end_releases_earlier(live: Stage) -> None:
    await told(live)
    earlier = ENDS - timedelta(minutes=20)
    registers(live, ends=earlier)
    await releasing.take_up(live.ctx)  # as the daemon does when it starts with the changed file
    await live.r.advance_to(earlier)
    assert [d.ask.purpose for d in live.received()] == ["request", "restore"]


async def test_only_who_is_on_duty_approves_alone(live: Stage) -> None:
    registers(live, on_duty=frozenset({ROLF.id}))
    case_id = await in_review(live)
    assert "you are not on duty" in " ".join((await live.preview(case_id)).cautions)
    with pytest.raises(Conflict) as raised:
        await live.approve(case_id, note="")
    assert raised.value.code == "reason_required"
    assert (await live.approve(case_id)).state == "in_review"
    assert (await live.approve(case_id, ROLF)).state in ("approved", "notified")
    assert await live.task_kinds() == [], "two people have looked"


async def test_one_on_duty_is_looked_at_again_within_a_day(live: Stage) -> None:
    registers(live, on_duty=frozenset({RITA.id}))
    case_id = await told(live)
    assert (await live.notice(case_id))["state"] == "sent"
    (task,) = await live.tasks()
    assert (task["kind"], task["due_at"]) == ("second_look", await live.r.clock.now() + timedelta(hours=24))
    task_id = str(task["id"])
    with pytest.raises(Forbidden) as raised:
        await tasks.take(live.ctx, RITA, "task", task_id)
    assert raised.value.code == "four_eyes"
    with pytest.raises(Forbidden):
        await tasks.resolve(live.ctx, RITA, task_id, "right")
    with pytest.raises(Invalid):
        await tasks.resolve(live.ctx, ROLF, task_id, "done")
    await live.pass_time(hours=24)
    assert "task_overdue" in await live.alarms()
    await tasks.resolve(live.ctx, ROLF, task_id, "right")
    assert "second_look" not in await live.task_kinds()
    assert (await live.case(case_id))["aftermath"] == "released_on_time"


async def test_found_wrong_it_is_taken_back_at_once(live: Stage) -> None:
    case_id = await told(live)
    (task,) = await live.tasks()
    with pytest.raises(Invalid):  # everyone told is told why
        await tasks.resolve(live.ctx, ROLF, str(task["id"]), "wrong")
    await tasks.resolve(live.ctx, ROLF, str(task["id"]), "wrong", "the stream is licensed")
    await live.r.quiet()
    assert await live.state(case_id) == "withdrawn"
    assert [d.ask.purpose for d in live.received()] == ["request", "withdrawal"]
    await live.r.advance_to(ENDS)
    assert len(live.received()) == 2, "what was taken back is taken back once"


async def test_found_wrong_after_the_event_it_is_on_record(live: Stage) -> None:
    case_id = await told(live)
    (task,) = await live.tasks()
    await live.r.advance_to(RELEASE_BY)
    await tasks.resolve(live.ctx, ROLF, str(task["id"]), "wrong", "the stream is licensed")
    assert (await live.case(case_id))["aftermath"] == "lifted_wrong"
    await live.pass_time(days=1)
    assert (await live.case(case_id))["aftermath"] == "lifted_wrong"
    (line,) = (await corrections.corrections(live.ctx)).items
    assert (line["cause"], line["held_since"] is None) == ("withdrawn", False)
    assert ENDS <= line["restored_at"] <= RELEASE_BY, "it had been seen back before anybody looked a second time"
    tags = [row["tag"] for row in await live.ctx.db.fetch("select tag from transition where word = 'error'")]
    assert tags == ["case.found_wrong"]
