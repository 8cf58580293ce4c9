"""Scenarios 15, 16, 25, 27 (domain.md 5.11): what becomes of a name after the act, over weeks and without a person."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.domain.answer import Answer
from notifier.domain.epp import Measure
from notifier.sandbox.world import Act
from notifier.services import sending
from tests.acceptance.scenarios.conftest import House
from tests.services.conftest import open_stage, stage
from tests.services.measuring import about
from tests.services.stages import Stage
from tests.services.test_appeals import appealed
from tests.services.test_live_and_orders import agreed, sample
from tests.services.test_meeting import says

__all__ = ["agreed", "open_stage", "stage"]

LEAKY, DELETED, CHALLENGED = "leaky-hold.com", "deleted-and-back.com", "challenged.com"
EVENT_OVER = datetime(2026, 11, 2, 16, tzinfo=UTC)  # end and margin of config/events/sample.toml
Played = tuple[House, Mapping[str, str]]


@pytest.fixture(scope="module")
async def played(house: House) -> Played:
    """Three names whose registry acts: one hold that leaks, one delete, one hold that the registrant challenges at once."""
    stage, catalog = house.stage, house.stage.ctx.catalog
    programs = catalog.programs
    deleting = replace(programs["opioids"], default_measure=Measure.DELETE)
    object.__setattr__(catalog, "programs", {**programs, "opioids": deleting})
    cases = {DELETED: await house.asked(DELETED, "obey")}
    await stage.pass_time(minutes=31)
    object.__setattr__(catalog, "programs", programs)
    cases[LEAKY] = await house.asked(LEAKY, "escapes_by_transfer")
    cases[CHALLENGED] = await house.asked(CHALLENGED, "obey")
    await stage.pass_time(hours=6)
    await appealed(stage, cases[CHALLENGED], CHALLENGED)
    return house, cases


async def test_15_a_hold_without_prohibitions_is_told_and_its_escape_is_a_relapse(played: Played) -> None:
    house, cases = played
    await house.stage.pass_time(days=9)
    kinds = await house.stage.ctx.db.fetch("select kind from alarm where case_id = $1", cases[LEAKY])
    assert {"leaky_hold", "registrar_changed"} <= {r["kind"] for r in kinds}
    assert (await house.stage.claim(cases[LEAKY]))["verdict"] == "relapsed"
    case = await house.case(cases[LEAKY])
    assert (case["outcome"], case["aftermath"], case["review_reason"]) == ("registrar_hold", "relapsed", "relapse")


async def test_25_a_challenge_that_nobody_meets_in_ten_working_days_lifts_the_hold_by_itself(played: Played) -> None:
    house, cases = played
    due = await house.stage.ctx.db.fetchval("select decide_due from appeal where case_id = $1", cases[CHALLENGED])
    # Monday 2 November, an evening in New York: ten working days are the 3rd to the 17th, without Veterans Day on the 11th.
    assert due.date().isoformat() in ("2026-11-17", "2026-11-18")
    await house.stage.r.advance_to(due - timedelta(seconds=1))
    assert [r.ask.purpose for r in house.stage.received(CHALLENGED)] == ["request"]
    await house.stage.pass_time(days=2)
    assert [r.ask.purpose for r in house.stage.received(CHALLENGED)][:2] == ["request", "restore"]
    case = await house.case(cases[CHALLENGED])
    assert (case["aftermath"], case["undo"]) == ("lifted_lapsed", "verified")
    assert house.sandbox.world.find(CHALLENGED).delegated


async def test_16_a_deleted_name_that_somebody_registers_anew_is_another(played: Played) -> None:
    house, cases = played
    stage, world, case_id = house.stage, house.sandbox.world, cases[DELETED]
    assert (await house.case(case_id))["outcome"] == "registry_delete"
    assert {"pendingDelete", "redemptionPeriod"} & set(world.find(DELETED).statuses)
    (asked,) = await stage.notices(case_id)
    await stage.r.advance_to(asked["sent_at"] + timedelta(days=36))  # 30 of redemption and 5 of pending delete are over
    world.do(Act.PURGE, DELETED, await stage.r.clock.now(), "registry")
    await stage.pass_time(days=8)
    assert (await house.case(case_id))["state"] == "resolved", "gone is what was asked for"
    world.do(Act.REREGISTER, DELETED, await stage.r.clock.now(), "somebody else")
    await stage.pass_time(days=8)
    case = await house.case(case_id)
    assert case["state"] == "superseded" or case["aftermath"] == "reregistered"
    sent = len(house.stage.received(DELETED))
    await sending.send(stage.ctx, str(asked["id"]))
    assert len(stage.received(DELETED)) == sent, "what was approved about the earlier registration never leaves again"
    said = await house.post("/reports", about(DELETED))
    assert said.body["case_id"] != case_id


async def test_27_a_hold_for_an_event_ends_with_it_though_nobody_is_there(stage: Stage, agreed: Any) -> None:
    await agreed("live-event")
    said = await stage.submit(sample("live-event"))
    case_id = str(said.case_id)
    await stage.r.quiet()
    await stage.approve(case_id)
    await stage.pass_time(minutes=2)
    (asked,) = await stage.notices(case_id)
    name = asked["domain"]
    stage.r.sandbox.world.do(Act.HOLD, name, await stage.r.clock.now(), "registry")
    await says(stage, asked, Answer("action_taken", measure="hold", actor="registry"))
    await stage.pass_time(minutes=10)
    assert (await stage.case(case_id))["outcome"] == "registry_hold"
    await stage.r.advance_to(EVENT_OVER + timedelta(minutes=5))
    assert [(n["purpose"], n["state"], n["approved_by"]) for n in (await stage.notices(case_id))[1:]] == [
        ("restore", "sent", "daemon")
    ]
    await stage.pass_time(hours=30)
    found = stage.r.sandbox.world.find(name)
    assert found is not None
    assert found.delegated
    case = await stage.case(case_id)
    assert (case["aftermath"], case["undo"]) == ("released_on_time", "verified")
