"""The rows that statistics read: written with the step, filled the same from the log, and stable once asked about."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from notifier.domain.answer import Answer
from notifier.domain.epp import Measure
from notifier.domain.history import fold
from notifier.services import review
from notifier.services.responses import respond
from notifier.store import transitions
from notifier.store.transitions import Scope
from tests.services.stages import HOOK, MAIL, PIR, RITA, VERISIGN, Stage
from tests.services.test_outcomes import claimed

_ROWS = (
    "select case_id, rev, tag, from_state, to_state, at, told_at, actor_kind, program, registry, notice_id, claim_id, "
    "party, purpose, measure, word, outcome, credited from transition order by entry_id"
)


async def rows(stage: Stage, case_id: str) -> list[dict[str, Any]]:
    found = await stage.ctx.db.fetch("select * from transition where case_id = $1 order by entry_id", case_id)
    return [dict(row) for row in found]


async def test_each_step_that_counts_is_a_row_with_both_times(stage: Stage) -> None:
    case_id = await claimed(stage, "obey")
    await stage.pass_time(minutes=5)
    found = await rows(stage, case_id)
    assert [(r["tag"], r["from_state"], r["to_state"]) for r in found if r["to_state"]] == [
        ("case.evaluated", "received", "in_review"),
        ("case.approved", "in_review", "approved"),
        ("case.dispatched", "approved", "notified"),
        ("outcome.observed", "notified", "resolved"),
    ]
    assert {"case.opened", "target.observed", "notice.sent", "answer.received", "outcome.observed"} <= {
        r["tag"] for r in found
    }
    by_tag = {r["tag"]: r for r in found}
    assert (by_tag["case.opened"]["word"], by_tag["case.opened"]["registry"]) == (MAIL, "verisign")
    assert (by_tag["notice.sent"]["party"], by_tag["notice.sent"]["purpose"]) == ("registry", "request")
    assert (by_tag["answer.received"]["word"], by_tag["answer.received"]["actor_kind"]) == (
        "action_claimed",
        "recipient",
    )
    last = found[-1]
    assert (last["outcome"], last["credited"], last["word"]) == ("registry_hold", "registry", "verified")
    assert (by_tag["case.approved"]["actor_kind"], by_tag["case.dispatched"]["actor_kind"]) == ("person", "daemon")
    assert all(r["recorded_at"] >= r["told_at"] for r in found)
    case = await stage.case(case_id)
    assert last["at"] == case["resolved_at"]


async def test_the_log_of_before_fills_in_the_same_rows(stage: Stage) -> None:
    await claimed(stage, "obey")
    await claimed(stage, "lie", HOOK)
    await stage.pass_time(days=2)
    before = [dict(r) for r in await stage.ctx.db.fetch(_ROWS)]
    assert len(before) > 15
    async with stage.ctx.db.pool.acquire() as con:
        await con.execute("reset role")
        try:
            await con.execute("alter table transition disable trigger append_only; delete from transition")
            await con.execute(
                "select note_transition(e) from (select * from audit_entry where case_id is not null order by id) e"
            )
        finally:
            await con.execute("alter table transition enable trigger append_only; set role notifier_app")
    assert [dict(r) for r in await stage.ctx.db.fetch(_ROWS)] == before
    outcomes = await stage.ctx.db.fetch(
        "select c.outcome, c.outcome_actor, t.outcome as told, t.credited from cases c "
        "join transition t on t.case_id = c.id and t.outcome is not null"
    )
    assert sorted((r["outcome"], r["outcome_actor"]) for r in outcomes) == sorted(
        (r["told"], r["credited"]) for r in outcomes
    )
    assert len(outcomes) == 2


async def test_nobody_changes_what_was_recorded(stage: Stage) -> None:
    await stage.case_in_review()
    for statement in (
        "update transition set at = at",
        "delete from transition",
        "insert into transition select * from transition",
        "select note_transition(e) from audit_entry e",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await stage.ctx.db.pool.execute(statement)


async def test_an_act_dated_back_is_never_before_its_notice(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id = await stage.notified()
    notice = await stage.notice(case_id)
    await stage.pass_time(hours=5)
    early = notice["sent_at"] - timedelta(days=3)
    await respond(
        stage.ctx, VERISIGN, str(notice["id"]), Answer("action_taken", Measure.HOLD, "registry", effective_at=early)
    )
    row = next(r for r in await rows(stage, case_id) if r["claim_id"])
    assert (row["at"], row["told_at"]) == (notice["sent_at"], notice["sent_at"] + timedelta(hours=5))
    stage.r.sandbox.desk.party_behaviours["pir"] = "silent"
    other = await stage.notified(HOOK)
    notice = await stage.notice(other)
    await stage.pass_time(hours=5)
    then = notice["sent_at"] + timedelta(hours=2)
    await respond(
        stage.ctx, PIR, str(notice["id"]), Answer("action_taken", Measure.HOLD, "registry", effective_at=then)
    )
    assert next(r for r in await rows(stage, other) if r["claim_id"])["at"] == then


async def test_what_was_asked_about_stays_as_it_was(stage: Stage) -> None:
    """A step whose clock was read before the question, and which commits after it, is recorded after it."""
    case_id = await stage.case_in_review()
    db = stage.ctx.db
    now = await db.clock.now()
    async with db.pool.acquire() as con, con.transaction():
        await transitions.hold_horizon(con, now)
    before = await db.fetch("select entry_id from transition where recorded_at <= $1 order by 1", now)
    await review.reject(stage.ctx, RITA, case_id, "no")  # the simulated clock stands: it is done at `now`
    assert await db.clock.now() == now
    assert await db.fetch("select entry_id from transition where recorded_at <= $1 order by 1", now) == before
    last = (await rows(stage, case_id))[-1]
    assert (last["to_state"], last["at"], last["recorded_at"]) == ("rejected", now, now + timedelta(microseconds=1))


async def test_many_writers_and_askers_do_not_block_one_another(stage: Stage) -> None:
    db = stage.ctx.db
    case_id = await stage.case_in_review()
    start = await db.clock.now()

    async def ask(n: int) -> None:
        async with db.pool.acquire() as con, con.transaction():
            await transitions.hold_horizon(con, start + timedelta(microseconds=n))

    async def write() -> None:
        await review.assign(stage.ctx, RITA, case_id, None)

    await asyncio.wait_for(asyncio.gather(*(ask(n) for n in range(30)), *(write() for _ in range(30))), 30)


async def test_rows_are_read_back_as_changes(stage: Stage) -> None:
    case_id = await claimed(stage, "obey")
    await stage.pass_time(minutes=5)
    async with stage.ctx.db.pool.acquire() as con:
        async with con.transaction():
            now = await stage.r.clock.now()
            found = [case for of in [batch async for batch in Scope(now, ["opioids"]).changes(con)] for case in of]
            none = [batch async for batch in Scope(now, ["piracy"]).changes(con)]
    assert ([case[0].case_id for case in found], none) == ([case_id], [[]])
    history = fold(found[0])
    assert (history.state, history.outcome, history.actor) == ("resolved", "registry_hold", "registry")
    notice = await stage.notice(case_id)
    claim = await stage.claim(case_id)
    assert history.sent == notice["sent_at"]
    assert history.verified == claim["judged_at"]
    assert [(c.measure, c.verdict) for c in history.claims] == [("hold", "verified")]
