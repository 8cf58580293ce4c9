"""A registry that only tells when it is asked: asked at the agreed times, once each, and believed like any other."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from notifier.adapter import Deferred, Receipt, Response
from notifier.domain.answer import Answer
from notifier.domain.epp import Measure
from notifier.domain.polling import Polling
from notifier.rehearsal import Cast, Plan
from notifier.services import agreements, arriving, polling, responses, review, suspending
from notifier.store.agreements import Scope
from notifier.store.ids import new_id
from tests.services.conftest import Opens
from tests.services.stages import ADA, MAIL, RITA, START, VERISIGN, Stage

AGREEMENT = "opioids.verisign"
ASKED = Plan([Cast("verisign", [AGREEMENT], "api")], START)


@pytest.fixture
async def stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage(ASKED) as opened:
        yield opened


def behave(stage: Stage, how: str) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = how


def asked(stage: Stage) -> int:
    """How often the desk was asked about any ticket."""
    return len(stage.r.sandbox.api.asked)


async def answers(stage: Stage) -> list[tuple[str, str, str]]:
    rows = await stage.ctx.db.fetch("select kind, principal, via from response order by received_at, id")
    return [(r["kind"], r["principal"], r["via"]) for r in rows]


async def plan(stage: Stage) -> dict[str, Any]:
    found = await stage.ctx.db.fetchrow("select * from poll order by due_at desc limit 1")
    assert found is not None
    return dict(found)


# --- the whole way ------------------------------------------------------------------------------------------------


async def test_approved_accepted_asked_twice_claimed_and_observed(stage: Stage) -> None:
    case_id = await stage.notified()
    notice = await stage.notice(case_id)
    assert (notice["state"], asked(stage)) == ("sent", 0)
    await stage.pass_time(minutes=59)
    assert asked(stage) == 0
    # The desk acknowledges after half an hour and acts after four: an hour, and two hours more, and four more.
    await stage.pass_time(minutes=2)
    assert (asked(stage), await answers(stage)) == (1, [("acknowledged", "registry:verisign", "poll")])
    await stage.pass_time(hours=2)
    assert (asked(stage), len(await answers(stage))) == (2, 1), "the same answer again is no answer"
    await stage.pass_time(hours=4)
    assert asked(stage) == 3
    assert await answers(stage) == [
        ("acknowledged", "registry:verisign", "poll"),
        ("action_taken", "registry:verisign", "poll"),
    ]
    assert (await stage.claim(case_id))["verdict"] == "pending", "its word is a claim"
    await stage.pass_time(hours=1)
    claim = await stage.claim(case_id)
    assert (claim["measure"], claim["actor"], claim["verdict"]) == ("hold", "registry", "verified")
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"]) == ("resolved", "registry_hold")
    await stage.pass_time(days=10)
    assert asked(stage) == 3, "who has answered is not asked again"
    assert (await plan(stage))["why"] == "it was answered"


async def test_a_silent_desk_is_asked_less_and_less_and_never_after_the_case(stage: Stage) -> None:
    behave(stage, "silent")
    case_id = await stage.notified()
    sent = (await stage.notice(case_id))["sent_at"]
    times = []
    before = 0
    for _ in range(12):
        due = (await plan(stage))["due_at"]
        await stage.r.advance_to(due)
        assert asked(stage) == before + 1
        before += 1
        times.append(due - sent)
    # 1, 2, 4, 8, 16 hours, and then once a day
    assert times == [timedelta(hours=h) for h in (1, 3, 7, 15, 31, 55, 79, 103, 127, 151, 175, 199)]
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.r.quiet()
    await stage.pass_time(days=2)
    request, undo = stage.r.sandbox.api._tickets
    assert stage.r.sandbox.api.asked[before:].count(request) == 0
    assert stage.r.sandbox.api.asked[before:].count(undo) > 0, "the withdrawal is asked about instead"


async def test_a_withdrawal_by_its_own_ticket_is_undone_and_seen(stage: Stage) -> None:
    case_id = await stage.notified()
    await stage.pass_time(hours=8)
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.pass_time(days=1)
    case = await stage.case(case_id)
    assert case["undo"] == "verified"
    claims = await stage.ctx.db.fetch("select measure, verdict from claim order by claimed_at")
    assert [c["measure"] for c in claims] == ["hold", "restore"]


@pytest.mark.parametrize("kind", ["decline:declined_insufficient"])
async def test_a_decline_is_taken_as_one(stage: Stage, kind: str) -> None:
    behave(stage, kind)
    case_id = await stage.notified()
    await stage.pass_time(hours=8)
    assert ((await stage.case(case_id))["outcome"], await stage.state(case_id)) == ("declined_insufficient", "resolved")


# --- who is asked -------------------------------------------------------------------------------------------------


async def test_asking_goes_on_while_the_agreement_is_stopped(stage: Stage) -> None:
    case_id = await stage.notified()
    await suspending.suspend(stage.ctx, ADA, AGREEMENT, Scope.EVERYTHING, "they changed their desk")
    await agreements.disarm(stage.ctx, ADA, AGREEMENT)
    await stage.pass_time(hours=8)
    assert (await stage.case(case_id))["response"] == "action_claimed"


async def test_an_embargoed_case_is_not_asked_about_and_is_afterwards(stage: Stage) -> None:
    case_id = await stage.notified()
    entry, now = new_id(), await stage.r.clock.now()
    await stage.ctx.db.pool.execute(
        "insert into deconfliction_entry (id, pattern, registrable, authority, reference, note, organisation, added_by, "
        "added_at) values ($1, $2, $2, 'an authority', 'r', '', '', 'test', $3)",
        entry,
        MAIL,
        now,
    )
    await stage.ctx.db.pool.execute(
        "insert into deconfliction_hold (case_id, entry_id, since) values ($1, $2, $3)", case_id, entry, now
    )
    await stage.pass_time(hours=12)
    assert asked(stage) == 0
    await stage.ctx.db.pool.execute("update deconfliction_hold set ended_at = $1", await stage.r.clock.now())
    await stage.pass_time(hours=2)
    assert asked(stage) >= 1


async def test_a_channel_that_is_not_heard_any_more_is_not_asked(stage: Stage) -> None:
    await stage.notified()
    await stage.ctx.db.pool.execute("update notice set channel = 'another'")
    await stage.pass_time(hours=3)
    assert (asked(stage), (await plan(stage))["why"]) == (0, "its channel is not heard any more")


async def test_an_uncertain_notice_that_a_person_settles_is_asked_about(stage: Stage) -> None:
    stage.r.sandbox.api.after_acceptance.drop(100)
    case_id = await stage.notified()
    assert await stage.count("poll") == 0, "nobody knows whether it arrived"
    notice = await stage.notice(case_id)
    await responses.respond(stage.ctx, VERISIGN, str(notice["id"]), Answer("acknowledged"))
    assert ((await stage.notice(case_id))["state"], await stage.count("poll")) == ("sent", 1)


async def test_what_bounced_before_its_acceptance_was_told_begins_nothing(stage: Stage) -> None:
    stage.r.sandbox.api.after_acceptance.drop(100)
    case_id = await stage.notified()
    async with stage.ctx.db.transaction("daemon") as tx:
        notice = await responses.lock_notice(tx, str((await stage.notice(case_id))["id"]))
        await responses.undeliverable(tx, notice.apply("lost_sight", tx.now), "no such desk", "bounced")
        bounced = await responses.lock_notice(tx, notice.id)
        await arriving.arrived(stage.ctx, tx, bounced)
    assert (bounced.state, await stage.count("poll")) == ("bounced", 0)


# --- what fails ---------------------------------------------------------------------------------------------------


async def test_a_desk_that_is_busy_is_asked_at_the_schedule_and_ten_times_in_a_row_are_a_task(stage: Stage) -> None:
    stage.r.sandbox.api.busy = 11
    case_id = await stage.notified()
    for n in range(1, 12):
        await stage.r.advance_to((await plan(stage))["due_at"])
        assert (await plan(stage))["failures"] == n
        tasks = [t for t in await stage.tasks() if t["kind"] == "no_contact"]
        assert len(tasks) == (n >= 10)
    assert "10 times in a row" in tasks[0]["detail"]
    await stage.r.advance_to((await plan(stage))["due_at"])
    assert (await plan(stage))["failures"] == 0
    assert (await stage.case(case_id))["response"] == "action_claimed"


class Odd:
    """The desk's adapter, with another `poll`."""

    def __init__(self, real: Any, said: Any) -> None:
        self._real, self._said, self.capabilities = real, said, real.capabilities
        self.receipts: list[Receipt] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def poll(self, receipt: Receipt) -> Response | None:
        self.receipts.append(receipt)
        if isinstance(self._said, Exception):
            raise self._said
        return self._said  # type: ignore[no-any-return]


def odd(stage: Stage, said: Any) -> Odd:
    made = Odd(stage.ctx.adapters[AGREEMENT], said)
    stage.ctx.adapters[AGREEMENT] = made  # type: ignore[index]
    return made


@pytest.mark.parametrize(
    "said",
    [
        RuntimeError("a bug of somebody's package"),
        Response("action_taken"),  # no measure
        Response("receipt"),
        Response("acknowledged", notice_id="8c9b2f4e-0000-4000-8000-000000000000"),
        Response("acknowledged", notice_token="another"),
        Response("action_taken", measure="seize"),  # type: ignore[arg-type]
    ],
)
async def test_what_nobody_understands_is_no_answer(stage: Stage, said: Any) -> None:
    case_id = await stage.notified()
    odd(stage, said)
    await stage.pass_time(hours=4)
    assert (await answers(stage), (await plan(stage))["failures"]) == ([], 2)
    assert (await stage.case(case_id))["response"] == "none"


async def test_a_desk_is_not_asked_before_it_said(stage: Stage) -> None:
    await stage.notified()
    made = odd(stage, Deferred("later", 5 * 86_400))
    await stage.pass_time(hours=2)
    assert len(made.receipts) == 1
    await stage.pass_time(days=4, hours=20)
    assert len(made.receipts) == 1
    await stage.pass_time(hours=4)
    assert len(made.receipts) == 2


async def test_what_a_shared_ticket_says_of_the_request_is_not_said_of_its_withdrawal(stage: Stage) -> None:
    behave(stage, "silent")
    case_id = await stage.notified()
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.r.quiet()
    undo = await stage.notice(case_id)
    first = await stage.ctx.db.fetchval("select reference from attempt where notice_id <> $1", undo["id"])
    await stage.ctx.db.pool.execute("update attempt set reference = $1", first)
    odd(stage, Response("declined", reason="declined_other"))
    await stage.pass_time(hours=2)
    assert await answers(stage) == []
    odd(stage, Response("action_taken", measure=Measure.HOLD))
    await stage.pass_time(hours=6)
    assert await answers(stage) == []


# --- races --------------------------------------------------------------------------------------------------------


async def test_two_jobs_of_one_question_ask_once(stage: Stage) -> None:
    await stage.notified()
    notice = await stage.ctx.db.fetchval("select notice_id from poll")
    await stage.r.clock.advance((await plan(stage))["due_at"])
    await asyncio.gather(*(polling.poll(stage.ctx, str(notice)) for _ in range(5)))
    await stage.r.quiet()
    assert asked(stage) == 1


async def test_an_answer_that_comes_while_we_ask_stands(stage: Stage) -> None:
    behave(stage, "silent")
    case_id = await stage.notified()
    notice = await stage.notice(case_id)
    gate, inside = asyncio.Event(), asyncio.Event()
    made = odd(stage, None)

    async def slow(receipt: Receipt) -> Response | None:
        inside.set()
        await gate.wait()
        return Response("acknowledged")

    made.poll = slow  # type: ignore[method-assign]
    await stage.r.clock.advance((await plan(stage))["due_at"])
    asking = asyncio.create_task(polling.poll(stage.ctx, str(notice["id"])))
    await inside.wait()
    await responses.respond(stage.ctx, VERISIGN, str(notice["id"]), Answer("declined", reason="declined_nexus"))
    gate.set()
    await asking
    assert [a[0] for a in await answers(stage)] == ["declined"]
    assert (await stage.notice(case_id))["response"] == "declined"


def test_the_waits() -> None:
    found = Polling(timedelta(minutes=10), timedelta(hours=1))
    waits = [found.first]
    for _ in range(4):
        waits.append(found.after(waits[-1]))
    assert [w.total_seconds() / 60 for w in waits] == [10, 20, 40, 60, 60]


async def test_a_changed_schedule_is_kept_from_the_next_question_on(stage: Stage) -> None:
    behave(stage, "silent")
    await stage.notified()
    known = stage.ctx.catalog.agreements[AGREEMENT]
    short = replace(known, polling=Polling(timedelta(minutes=5), timedelta(minutes=30)))
    stage.ctx.catalog.agreements[AGREEMENT] = short  # type: ignore[index]
    await stage.pass_time(hours=1)
    assert (await plan(stage))["wait"] == timedelta(minutes=30)
