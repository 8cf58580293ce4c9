"""Attempts that something cut across: a withdrawal in the middle, a channel that breaks, a process that dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest

from notifier.adapter import RegistryAdapter
from notifier.errors import Conflict
from notifier.sandbox.faults import Point
from notifier.sandbox.world import Act
from notifier.services import agreements, joining, review, sending, tasks
from tests.services.stages import ADA, BORIS, HOOK, MAIL, RITA, SAM, TIM, Stage, row, until

AGREEMENT = {MAIL: "opioids.verisign", HOOK: "opioids.pir"}


class Channel:
    """The house's own channel, with a gate before and a failure after it."""

    def __init__(self, real: RegistryAdapter) -> None:
        self.real, self.capabilities = real, real.capabilities
        self.gate, self.entered = asyncio.Event(), asyncio.Event()
        self.failure: Exception | None = None
        self.heard: list[str] = []

    async def send(self, notice: Any, key: str) -> Any:
        self.entered.set()
        await self.gate.wait()
        self.heard.append("request")
        receipt = await self.real.send(notice, key)
        if self.failure:
            raise self.failure
        return receipt

    async def withdraw(self, receipt: Any, notice: Any, key: str) -> Any:
        self.heard.append("withdrawal")
        return await self.real.withdraw(receipt, notice, key)

    def parse_reply(self, message: Any) -> Any:
        if self.failure:
            raise self.failure
        return self.real.parse_reply(message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@asynccontextmanager
async def channel_of(stage: Stage, domain: str) -> AsyncIterator[Channel]:
    adapters = cast(dict[str, RegistryAdapter], stage.ctx.adapters)
    channel = Channel(adapters[AGREEMENT[domain]])
    adapters[AGREEMENT[domain]] = channel
    yield channel
    channel.gate.set()


@asynccontextmanager
async def under_way(stage: Stage, domain: str) -> AsyncIterator[tuple[Channel, str, dict[str, Any]]]:
    """A notice whose attempt has begun and waits at the recipient's door: channel, case, notice."""
    stage.r.sandbox.desk.behaviours[domain] = "silent"
    case_id = await stage.case_in_review(domain)
    await stage.approve(case_id)
    async with channel_of(stage, domain) as channel:
        passing = asyncio.create_task(stage.pass_time(minutes=30))
        await asyncio.wait_for(channel.entered.wait(), 30)
        yield channel, case_id, await stage.notice(case_id)
        channel.gate.set()
        await passing


@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_a_withdrawal_does_not_overtake_what_it_withdraws(stage: Stage, domain: str) -> None:
    async with under_way(stage, domain) as (channel, case_id, _):
        await review.withdraw(stage.ctx, RITA, case_id, "it was an error")
        undo = (await stage.notice(case_id))["id"]
        await until(lambda: stage.count("timer where ref = $1", undo))
        assert channel.heard == []
    await stage.pass_time(minutes=2)
    assert channel.heard == ["request", "withdrawal"]
    assert [n["state"] for n in await stage.notices(case_id)] == ["sent", "sent"]


@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_a_channel_that_breaks_leaves_no_notice_behind(stage: Stage, domain: str) -> None:
    """Whatever it raises, somebody asks whether it arrived; one that knows its keys is tried again, and not for ever."""
    stage.r.sandbox.desk.behaviours[domain] = "silent"
    async with channel_of(stage, domain) as channel:
        channel.gate.set()
        channel.failure = KeyError("a bug")
        case_id = await stage.notified(domain)
        await stage.pass_time(hours=12)
        notice = await stage.notice(case_id)
        assert (notice["state"], await stage.task_kinds()) == ("uncertain", ["uncertain"])
        assert set(await stage.attempts(notice["id"])) == {"uncertain"}
        assert len(await stage.attempts(notice["id"])) == (1 if domain == MAIL else 8)


async def test_a_deferral_that_does_not_end_is_told(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await stage.r.sandbox.smtp.stop()
    await stage.pass_time(hours=2)
    assert await stage.tasks() == []
    await stage.pass_time(days=2)
    (task,) = await stage.tasks()
    assert (task["kind"], task["notice_id"]) == ("no_contact", (await stage.notice(case_id))["id"])


async def test_what_a_dead_process_left_is_asked_about_though_nothing_may_leave_now(stage: Stage) -> None:
    """The attempt's job comes again after the agreement was disarmed, and never after that."""
    async with under_way(stage, HOOK) as (_, case_id, notice):
        await agreements.disarm(stage.ctx, ADA, AGREEMENT[HOOK])
        await sending.send(stage.ctx, str(notice["id"]))  # the job, claimed by another process
        assert ((await stage.notice(case_id))["state"], await stage.task_kinds()) == ("uncertain", ["uncertain"])
    assert ((await stage.notice(case_id))["state"], await stage.tasks()) == ("sent", []), "it was alive after all"
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, AGREEMENT[HOOK])
    await stage.r.quiet()
    assert len(stage.received()) == 1


async def test_nobody_says_that_it_did_not_arrive_while_it_may_be_under_way(stage: Stage) -> None:
    """Two jobs of one notice: the second cannot know that the first is alive, and nor can the person it asks."""
    async with under_way(stage, MAIL) as (channel, case_id, notice):
        await sending.send(stage.ctx, str(notice["id"]))
        (task,) = await stage.tasks()
        with pytest.raises(Conflict) as early:
            await tasks.resolve(stage.ctx, RITA, str(task["id"]), "not_arrived")
        assert early.value.code == "under_way"
    assert ((await stage.notice(case_id))["state"], await stage.tasks()) == ("sent", [])
    assert channel.heard == ["request"]


async def test_a_dead_attempt_is_over_after_a_while(stage: Stage) -> None:
    async with under_way(stage, MAIL) as (_, case_id, notice):
        await sending.send(stage.ctx, str(notice["id"]))
        await stage.r.clock.advance(await stage.r.clock.now() + timedelta(minutes=21))
        await tasks.resolve(stage.ctx, RITA, str((await stage.tasks())[0]["id"]), "not_arrived")
        assert (await stage.notice(case_id))["state"] != "uncertain"


async def test_what_is_not_asked_for_any_more_is_not_sent_again(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    stage.r.sandbox.smtp.after_acceptance.drop(1)
    case_id = await stage.notified()
    task = str((await stage.tasks())[0]["id"])
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error")
    await tasks.resolve(stage.ctx, RITA, task, "not_arrived")
    await stage.pass_time(hours=1)
    assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled", "sent"]


async def test_a_notice_that_was_put_off_does_not_leave_without_the_report_it_rests_on(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.submit(row(evidence=[]), TIM)
    await stage.approve(case_id)
    port = stage.r.sandbox.smtp.port
    await stage.r.sandbox.smtp.stop()
    await stage.pass_time(minutes=30)
    assert (await stage.notice(case_id))["state"] == "queued"
    first = await stage.ctx.db.fetchval("select id from report where case_id = $1 and principal = $2", case_id, SAM.id)
    await joining.detach_reports(stage.ctx, RITA, case_id, [str(first)], "another matter", domain="elsewhere.com")
    await stage.r.sandbox.smtp.start(port)
    await stage.pass_time(hours=1)
    assert ([n["state"] for n in await stage.notices(case_id)], stage.received(MAIL)) == (["cancelled"], [])
    assert await stage.state(case_id) == "needs_evidence"


async def test_what_is_taken_back_already_is_taken_back_once(stage: Stage) -> None:
    """Stopped in the middle of its tries, and withdrawn by a person afterwards."""
    stage.r.sandbox.desk.behaviours[HOOK] = "silent"
    stage.r.sandbox.webhook.after_acceptance.drop(20)
    case_id = await stage.notified(HOOK)
    await stage.pass_time(minutes=61)
    stage.r.sandbox.world.do(Act.TRANSFER, HOOK, await stage.r.clock.now(), "registrant")
    await stage.pass_time(hours=3)
    assert [n["purpose"] for n in await stage.notices(case_id)] == ["request", "withdrawal"]
    assert await stage.state(case_id) == "in_review"
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error")
    assert await stage.state(case_id) == "withdrawn"
    assert [n["purpose"] for n in await stage.notices(case_id)] == ["request", "withdrawal"]


async def test_what_a_channel_chokes_on_is_read_by_a_person(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    case_id = await stage.notified()
    to = stage.reply_to(await stage.notice(case_id))
    async with channel_of(stage, MAIL) as channel:
        channel.failure = KeyError("a bug")
        await stage.mail(to, f"From: desk@verisign.sandbox.test\r\nTo: {to}\r\n\r\nACTION(hold)\r\n".encode())
    assert await stage.task_kinds() == ["confirm_answer"]


async def in_doubt(stage: Stage, later: str) -> str:
    """A notice whose first attempt was accepted without a word, and whose repeats meet `later`; the case's id."""
    stage.r.sandbox.desk.behaviours[HOOK] = "silent"
    stage.r.sandbox.webhook.after_acceptance.drop(1)
    case_id = await stage.notified(HOOK)
    stage.r.sandbox.faults.likelihood = {Point(later): 1.0}
    await stage.pass_time(minutes=5)
    assert (await stage.attempts((await stage.notice(case_id))["id"]))[0] == "uncertain"
    return case_id


async def test_a_refused_repeat_does_not_say_that_the_first_did_not_arrive(stage: Stage) -> None:
    """RFC 9110 §15.5.11: 410 tells of the resource as it is now, not of the request that was accepted before."""
    case_id = await in_doubt(stage, "webhook.410")
    assert ((await stage.notice(case_id))["state"], await stage.task_kinds()) == ("uncertain", ["uncertain"])
    assert len(stage.received()) == 1


async def test_a_repeat_that_is_put_off_stays_one_that_may_have_arrived(stage: Stage) -> None:
    """Withdrawn now, its recipient must hear of it: it has the request."""
    case_id = await in_doubt(stage, "webhook.429")
    assert (await stage.notice(case_id))["state"] == "sending"
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error")
    stage.r.sandbox.faults.likelihood = {}
    await stage.pass_time(minutes=30)
    assert [d.ask.purpose for d in stage.received()] == ["request", "withdrawal"]
    assert [n["state"] for n in await stage.notices(case_id)] == ["uncertain", "sent"]


async def test_a_repeat_that_is_put_off_is_taken_up_when_the_agreement_is_armed_again(stage: Stage) -> None:
    case_id = await in_doubt(stage, "webhook.429")
    await agreements.disarm(stage.ctx, ADA, AGREEMENT[HOOK])
    stage.r.sandbox.faults.likelihood = {}
    await stage.pass_time(hours=5)
    assert (await stage.notice(case_id))["state"] == "sending"
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, AGREEMENT[HOOK])
    await stage.r.quiet()
    assert (await stage.notice(case_id))["state"] == "sent"
    assert stage.r.sandbox.inbox.by_key.most_common(1)[0][1] == 2, "once more under its key"
