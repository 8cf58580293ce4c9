"""A withdrawal is held to its clocks: repeated once, and an alarm while somebody holds a name that nobody wants held."""

import asyncio
from typing import Any

import pytest

from notifier.domain.answer import Answer
from notifier.sandbox.world import Act
from notifier.services import corrections, responses, review, tasks, undoing
from tests.services.stages import HOOK, MAIL, PIR, RITA, VERISIGN, Stage

OF = {MAIL: ("verisign", VERISIGN), HOOK: ("pir", PIR)}


async def withdrawn(stage: Stage, domain: str = MAIL, *, first: str = "obey", then: str = "silent") -> str:
    """A case whose request had five hours, taken back then; the case's id."""
    party, _ = OF[domain]
    stage.r.sandbox.desk.party_behaviours[party] = first
    case_id = await stage.notified(domain)
    await stage.pass_time(hours=5)
    stage.r.sandbox.desk.party_behaviours[party] = then
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.r.quiet()
    return case_id


async def undos(stage: Stage, case_id: str) -> list[dict[str, Any]]:
    return [n for n in await stage.notices(case_id) if n["purpose"] == "withdrawal"]


async def alarms(stage: Stage, kind: str = undoing.UNANSWERED) -> list[dict[str, Any]]:
    rows = await stage.ctx.db.fetch("select * from alarm where kind = $1 order by raised_at, id", kind)
    return [dict(r) for r in rows]


def restore(stage: Stage, domain: str, at: Any) -> None:
    stage.r.sandbox.world.do(Act.RESTORE, domain, at, "registry")


@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_a_name_held_in_error_is_reminded_of_once_and_then_alarms_every_day(stage: Stage, domain: str) -> None:
    case_id = await withdrawn(stage, domain)
    # A Monday; the day to acknowledge is over with Tuesday in Washington (23 November has no daylight saving time).
    await stage.pass_time(days=1)
    assert len(await undos(stage, case_id)) == 1
    await stage.pass_time(days=1)
    first, again = await undos(stage, case_id)
    assert (again["supersedes"], again["state"], again["approved_by"]) == (first["id"], "sent", "daemon")
    assert (
        f"This repeats our withdrawal of {first['sent_at']:%Y-%m-%d %H:%M} UTC, notice {first['id']}"
        in (again["content"]["text"])
    )
    assert again["content"]["thread_key"] == first["content"]["thread_key"] != ""
    assert [d.ask.purpose for d in stage.received(domain)] == ["request", "withdrawal", "withdrawal"]
    assert await alarms(stage) == []

    # Ten working days after 2 November are over with the 17th: Veterans Day, the 11th, is none.
    await stage.pass_time(days=15)
    (alarm,) = await alarms(stage)
    assert "(registry) was told 15 days ago" in alarm["detail"]
    assert domain in alarm["detail"]
    assert "hold" in alarm["detail"]
    await stage.pass_time(days=3)
    assert len(await alarms(stage)) == 1, "one that is open is not raised again"
    await tasks.close_alarm(stage.ctx, RITA, str(alarm["id"]))
    await stage.pass_time(hours=23)
    assert len(await alarms(stage)) == 1
    await stage.pass_time(hours=2)
    assert len(await alarms(stage)) == 2, "it still holds, a day after somebody closed it"

    restore(stage, domain, await stage.r.clock.now())
    await tasks.close_alarm(stage.ctx, RITA, str((await alarms(stage))[1]["id"]))
    await stage.pass_time(days=4)
    assert len(await alarms(stage)) == 2
    assert await planned(stage) == 0, "two looks that agree end it"
    assert len(await undos(stage, case_id)) == 2, "never more than one reminder"


async def planned(stage: Stage) -> int:
    return await stage.count(
        "timer where kind = 'notice.undo_clock' and fired_at is null and cancelled_at is null and due_at > $1",
        await stage.r.clock.now(),
    )


async def test_whoever_never_acted_is_owed_nothing(stage: Stage) -> None:
    case_id = await withdrawn(stage, first="silent")
    await stage.pass_time(days=20)
    assert (len(await undos(stage, case_id)), await alarms(stage), await planned(stage)) == (2, [], 0)


async def test_whoever_said_it_and_did_not_is_looked_at_twice_and_alarms_nobody(stage: Stage) -> None:
    await withdrawn(stage, first="lie")
    await stage.pass_time(days=20)
    assert (await alarms(stage), await planned(stage)) == ([], 0)


async def test_a_hold_without_a_word_is_seen_all_the_same(stage: Stage) -> None:
    await withdrawn(stage, first="silent")
    stage.r.sandbox.world.do(Act.HOLD, MAIL, await stage.r.clock.now(), "registry")
    await stage.pass_time(days=16)
    (alarm,) = await alarms(stage)
    assert "our looks still show it" in alarm["detail"]


async def test_an_undo_that_is_answered_and_seen_needs_nobody(stage: Stage) -> None:
    case_id = await withdrawn(stage, then="obey")
    await stage.pass_time(days=20)
    case = await stage.case(case_id)
    assert (case["undo"], case["observed"]) == ("verified", "released")
    claims = await stage.ctx.db.fetch("select measure, verdict from claim order by claimed_at")
    assert [tuple(claim) for claim in claims] == [("hold", "released"), ("restore", "verified")]
    assert (len(await undos(stage, case_id)), await alarms(stage), await planned(stage)) == (1, [], 0)
    (line,) = (await corrections.corrections(stage.ctx)).items
    assert (line["cause"], line["measure"], line["program"]) == ("withdrawn", "hold", "opioids")
    assert line["held_since"] < line["corrected_at"] < line["restored_at"]


async def test_what_was_cured_or_never_left_is_no_correction(stage: Stage) -> None:
    case_id = await stage.notified(HOOK)
    await review.withdraw(stage.ctx, RITA, case_id, "it is cured", "cured")
    case_id = await stage.case_in_review(MAIL)
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    assert (await corrections.corrections(stage.ctx)).items == []


async def test_an_undo_that_is_claimed_and_not_done_alarms(stage: Stage) -> None:
    await withdrawn(stage, then="lie")
    await stage.pass_time(days=16)
    assert len(await alarms(stage)) == 1


async def test_what_answers_the_reminder_answers_the_withdrawal(stage: Stage) -> None:
    case_id = await withdrawn(stage)
    await stage.pass_time(days=2)
    first, again = await undos(stage, case_id)
    for _ in range(2):
        done = await responses.respond(stage.ctx, VERISIGN, str(again["id"]), Answer("acknowledged"))
    assert (done.repeated, done.notice_id) == (True, str(first["id"]))
    assert [n["response"] for n in await undos(stage, case_id)] == ["acknowledged", "none"]


async def test_a_withdrawal_that_bounces_alarms_at_once(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "obey"
    case_id = await stage.notified()
    await stage.pass_time(hours=5)
    stage.r.sandbox.desk.party_behaviours["verisign"] = "bounce"
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.r.quiet()
    (undo,) = await undos(stage, case_id)
    (alarm,) = await alarms(stage, responses.UNDO_UNDELIVERABLE)
    assert (undo["state"], alarm["notice_id"]) == ("bounced", undo["id"])
    assert "no_contact" in await stage.task_kinds()
    await stage.pass_time(days=20)
    assert len(await undos(stage, case_id)) == 1, "what never arrived has no clock"


async def test_an_embargoed_case_waits(stage: Stage) -> None:
    case_id = await withdrawn(stage)
    await stage.ctx.db.pool.execute(
        "with entry as (insert into deconfliction_entry (id, pattern, registrable, authority, reference, note, "
        "organisation, added_by, added_at) values (gen_random_uuid(), 'x', 'x', 'a', 'r', '', '', 't', $2) returning id) "
        "insert into deconfliction_hold (case_id, entry_id, since) select $1, id, $2 from entry",
        case_id,
        await stage.r.clock.now(),
    )
    looks = await stage.count("observation")
    await stage.pass_time(days=20)
    assert (len(await undos(stage, case_id)), await alarms(stage)) == (1, [])
    assert await stage.count("observation") == looks
    await stage.ctx.db.pool.execute("update deconfliction_hold set ended_at = $1", await stage.r.clock.now())
    await stage.pass_time(days=2)
    assert (len(await undos(stage, case_id)), len(await alarms(stage))) == (2, 1)


async def test_jobs_that_run_twice_repeat_once_and_alarm_once(stage: Stage) -> None:
    case_id = await withdrawn(stage)
    (undo,) = await undos(stage, case_id)
    await stage.ctx.db.pool.execute("update timer set cancelled_at = $1", await stage.r.clock.now())
    await stage.pass_time(days=20)
    await asyncio.gather(*(undoing.undo_clock(stage.ctx, str(undo["id"])) for _ in range(6)))
    await stage.r.quiet()
    assert (len(await undos(stage, case_id)), len(await alarms(stage)), await planned(stage)) == (2, 1, 1)
