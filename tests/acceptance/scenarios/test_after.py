"""Scenarios 15, 16, 25, 27 (domain.md 5.11): what becomes of a name after the act, over weeks and without a person."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.epp import Measure
from notifier.sandbox.world import Act
from notifier.services import sending
from tests.acceptance.scenarios.conftest import House
from tests.services.conftest import Opens, open_stage
from tests.services.measuring import about
from tests.services.stages import agree
from tests.services.test_appeals import appealed
from tests.services.test_live import FAST
from tests.services.test_live_and_orders import sample

__all__ = ["open_stage"]

LEAKY, DELETED, CHALLENGED = "leaky-hold.com", "deleted-and-back.com", "challenged.com"
EVENT_OVER = datetime(2026, 11, 2, 16, tzinfo=UTC)  # end and margin of config/events/sample.toml
Played = tuple[House, Mapping[str, str]]


@pytest.fixture(scope="module")
async def played(house: House) -> Played:
    """Three names whose registry acts: one hold that leaks, one delete, one hold that the registrant challenges at once."""
    stage, catalog = house.stage, house.stage.ctx.catalog
    opioids = catalog.programs["opioids"]
    # Nobody is there who would bring fresh evidence for what is held.
    opioids = replace(opioids, windows=replace(opioids.windows, refresh=timedelta(days=90)))
    programs = {**catalog.programs, "opioids": opioids}
    deleting = replace(opioids, default_measure=Measure.DELETE)
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
    assert (case["outcome"], case["aftermath"], case["reopened_count"]) == ("registrar_hold", "relapsed", 1)
    assert case["state"] == "needs_evidence", "what is asked once more needs evidence of today"


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
    assert (case["aftermath"], case["undo"], case["observed"]) == ("lifted_lapsed", "verified", "released")
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


async def test_27_a_hold_for_an_event_ends_with_it_though_nobody_is_there(open_stage: Opens) -> None:
    async with open_stage(FAST) as stage:
        await agree(stage, "live-event")
        said = await stage.submit(sample("live-event"))
        case_id = str(said.case_id)
        await stage.r.quiet()
        await stage.approve(case_id)
        await stage.pass_time(minutes=15)
        assert (await stage.case(case_id))["outcome"] == "registry_hold"
        await stage.r.advance_to(EVENT_OVER + timedelta(minutes=5))
        asked, *after = await stage.notices(case_id)
        assert [(n["purpose"], n["state"], n["approved_by"]) for n in after] == [("restore", "sent", "daemon")]
        await stage.pass_time(hours=30)
        found = stage.r.sandbox.world.find(asked["domain"])
        assert found is not None
        assert found.delegated
        case = await stage.case(case_id)
        assert (case["aftermath"], case["undo"], case["observed"]) == ("released_on_time", "verified", "released")
