"""Scenarios 9 and 10 (domain.md 5.11): what was mended before anybody was asked, after, and what is only hidden."""

from datetime import timedelta

from notifier.sandbox.site_server import Cloak
from notifier.sandbox.world import Act, Content
from tests.acceptance.scenarios.conftest import House
from tests.services.measuring import about
from tests.services.stages import MAIL, Stage
from tests.services.test_ladder import capture_again, everybody, unasked

BEFORE, HIDDEN = "mended-before.com", "hidden-from-us.com"


async def climb(stage: Stage, case_id: str) -> None:
    """Silence gives the turn to the next party, which is asked with evidence as fresh as at the first."""
    await stage.pass_time(hours=73)
    await capture_again(stage, case_id)
    await stage.approve(case_id)
    await stage.pass_time(minutes=31)


async def test_09_a_cure_ends_what_was_not_sent_and_is_told_to_everyone_who_was_asked(house: House) -> None:
    """Of itch.io (F6): the page was removed, the host had closed its ticket, and the registry acted days later."""
    stage, world = house.stage, house.sandbox.world
    everybody(stage, "silent", "host", "registrar", "registry")
    before = await house.asked(BEFORE)
    asked = (await house.post("/reports", unasked())).body
    case_id = str(asked["case_id"])
    await stage.r.quiet()
    assert (await house.approve(case_id)).status == 200
    world.do(Act.REMOVE_CONTENT, BEFORE, await stage.r.clock.now(), "registrant")
    await stage.pass_time(minutes=31)
    await climb(stage, case_id)
    mended = await house.case(before)
    assert (mended["state"], mended["outcome"]) == ("withdrawn", "cured_before_referral")
    assert house.stage.received(BEFORE) == []

    await climb(stage, case_id)
    assert (await house.case(case_id))["step"] == "registry"
    world.do(Act.REMOVE_CONTENT, MAIL, await stage.r.clock.now(), "registrant")
    await stage.pass_time(days=3)
    case = await house.case(case_id)
    assert (case["state"], case["outcome"]) == ("withdrawn", "withdrawn_cured")
    undone = [r for r in stage.received(MAIL) if r.ask.purpose == "withdrawal"]
    told = [r.party.partition("-")[0] for r in undone]
    assert sorted(told[:3]) == ["host", "registrar", "verisign"]
    assert len({r.at for r in undone[:3]}) <= 3
    assert max(r.at for r in undone[:3]) - min(r.at for r in undone[:3]) < timedelta(minutes=10)
    found = world.find(MAIL)
    assert found is not None
    assert (found.content, found.delegated) == (Content.REMOVED, True), "nobody put it back, and nobody held it"
    steps = (await house.get(f"/cases/{case_id}/timeline", by="reviewer")).body["items"]
    assert "case.cured" in {step["tag"] for step in steps}


async def test_10_a_site_that_hides_from_us_and_is_live_for_others_is_not_cured(house: House) -> None:
    """F11: after a report the site was hidden from the notifier, and went on selling to whoever came by a search."""
    stage = house.stage
    now = (await stage.r.clock.now()).isoformat()
    report = await fresh(house, now)
    case_id = str(report["case_id"])
    assert (await house.approve(case_id)).status == 200
    await stage.pass_time(minutes=31)
    house.sandbox.site.cloaks[HIDDEN] = Cloak(referrers=("google",))
    await stage.pass_time(days=4)
    case = await house.case(case_id)
    assert (case["state"], case["outcome"]) == ("notified", None)
    assert [r.ask.purpose for r in stage.received(HIDDEN) if r.ask.purpose in ("withdrawal", "restore")] == []
    alarms = (await house.get("/alarms", by="reviewer")).body["items"]
    assert [a["kind"] for a in alarms if a["case_id"] == case_id] == ["contradicted_cloaked"]


async def fresh(house: House, now: str) -> dict[str, object]:
    """A report whose pages were captured just now."""
    report = about(HIDDEN)
    report["statements"]["human_review"]["at"] = now
    for item in report["evidence"]:
        if item["kind"] == "capture":
            item["captured_at"] = now
    said = await house.post("/reports", report)
    assert said.body["state"] == "in_review", said.body["findings"]
    await house.stage.r.quiet()
    return dict(said.body)
