"""What became of it: seen from outside twice, or not said. A claim that nobody can see is contradicted at its deadline."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.answer import Answer
from notifier.domain.epp import Measure
from notifier.sandbox.dns_server import DnsFault
from notifier.sandbox.rdap_server import RdapFault
from notifier.sandbox.world import Act
from notifier.services.responses import respond
from tests.services.stages import HOOK, MAIL, VERISIGN, Stage

ACT = timedelta(hours=4)  # after the notice, by the sandbox's pace


async def claimed(stage: Stage, behaviour: str, domain: str = MAIL) -> str:
    """A case whose recipient, behaving so, has just answered that it acted."""
    stage.r.sandbox.desk.behaviours[domain] = behaviour
    case_id = await stage.notified(domain)
    await stage.r.advance_to(await stage.r.clock.now() + ACT)
    return case_id


@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_a_claim_is_verified_by_two_looks_that_agree(stage: Stage, domain: str) -> None:
    case_id = await claimed(stage, "obey", domain)
    claim = await stage.claim(case_id)
    assert (claim["measure"], claim["verdict"], await stage.state(case_id)) == ("hold", "pending", "notified")
    await stage.pass_time(minutes=1)
    assert await stage.count("observation where purpose = 'look'") == 1
    assert ((await stage.claim(case_id))["verdict"], await stage.state(case_id)) == ("pending", "notified")
    await stage.pass_time(minutes=3, seconds=59)
    assert await stage.state(case_id) == "notified"
    await stage.pass_time(seconds=1)  # five minutes after the claim: four after the first look
    case = await stage.case(case_id)
    assert ((await stage.claim(case_id))["verdict"], case["observed"]) == ("verified", "verified")
    assert (case["state"], case["outcome"], case["outcome_actor"]) == ("resolved", "registry_hold", "registry")
    assert case["resolved_at"] == claim["claimed_at"] + timedelta(minutes=5)


async def test_two_clocks_are_kept_of_an_act(stage: Stage) -> None:
    """The zone shows the hold at the first look; the resolver keeps old data for two hours and a half more."""
    case_id = await claimed(stage, "obey")
    at = (await stage.claim(case_id))["claimed_at"]
    stage.r.sandbox.resolver.lag = timedelta(hours=2, minutes=30)
    await stage.pass_time(hours=1)
    claim = await stage.claim(case_id)
    assert claim["verdict"] == "verified"
    assert (claim["parent_effective_at"], claim["user_effective_at"]) == (at + timedelta(minutes=1), None)
    await stage.pass_time(hours=6)
    claim = await stage.claim(case_id)
    assert claim["user_effective_at"] == at + timedelta(hours=6), "the next planned look after the cache was empty"


async def test_a_lie_is_contradicted_at_the_deadline(stage: Stage) -> None:
    case_id = await claimed(stage, "lie")
    claim = await stage.claim(case_id)
    assert claim["deadline"] == claim["claimed_at"] + timedelta(hours=24)
    await stage.r.advance_to(claim["deadline"] - timedelta(seconds=1))
    assert ((await stage.claim(case_id))["verdict"], await stage.state(case_id)) == ("pending", "notified")
    await stage.pass_time(seconds=1)
    case = await stage.case(case_id)
    assert ((await stage.claim(case_id))["verdict"], case["observed"]) == ("contradicted", "contradicted")
    assert (case["state"], case["outcome"], case["outcome_actor"]) == ("resolved", "claimed_not_done", "none")


async def test_a_lock_where_a_hold_was_asked_is_not_what_was_claimed(stage: Stage) -> None:
    case_id = await claimed(stage, "wrong_verb")
    await stage.pass_time(days=2)
    case = await stage.case(case_id)
    assert (case["observed"], case["outcome"]) == ("contradicted", "claimed_not_done")


async def test_a_hold_where_a_lock_was_claimed_is_an_alarm_at_the_first_look(stage: Stage) -> None:
    """A lock leaves the name up. Taking it down instead is harm, and is told at once."""
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id = await stage.notified()
    notice_id = str((await stage.notice(case_id))["id"])
    stage.r.sandbox.world.do(Act.HOLD, MAIL, await stage.r.clock.now(), "registry")
    await respond(stage.ctx, VERISIGN, notice_id, Answer("action_taken", Measure.LOCK, "registry"))
    await stage.pass_time(minutes=1)
    assert ((await stage.claim(case_id))["verdict"], await stage.alarms()) == (
        "contradicted",
        ["other_measure", "wrong_verb"],
    )
    await stage.pass_time(hours=30)
    assert await stage.alarms() == ["other_measure", "wrong_verb"], "one alarm of each, however often we look"


async def test_a_delete_that_nobody_asked_for_is_an_alarm(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id = await stage.notified()
    notice_id = str((await stage.notice(case_id))["id"])
    stage.r.sandbox.world.do(Act.DELETE, MAIL, await stage.r.clock.now(), "registry")
    await respond(stage.ctx, VERISIGN, notice_id, Answer("action_taken", Measure.DELETE, "registry"))
    await stage.pass_time(minutes=5)
    assert await stage.alarms() == ["other_measure", "wrong_verb"]
    assert (await stage.case(case_id))["outcome"] == "registry_delete"


async def test_silence_is_told_when_the_clock_ends(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    case_id = await stage.notified()
    assert (await stage.case(case_id))["notified_at"] == datetime(2026, 11, 2, 14, 30, tzinfo=UTC)
    # Ten working days of the United States from 2 November, without Veterans Day (11th), end with the 17th in New York.
    ends = datetime(2026, 11, 18, 5, tzinfo=UTC)
    await stage.r.advance_to(ends - timedelta(seconds=1))
    assert await stage.state(case_id) == "notified"
    await stage.pass_time(seconds=1)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["outcome_actor"]) == ("resolved", "no_response", "none")
    assert case["resolved_at"] == ends


async def test_what_came_late_has_its_whole_time(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    port = stage.r.sandbox.smtp.port
    await stage.r.sandbox.smtp.stop()
    await stage.pass_time(hours=40)
    await stage.r.sandbox.smtp.start(port)
    await stage.pass_time(hours=5)
    sent_at = (await stage.notice(case_id))["sent_at"]
    assert datetime(2026, 11, 4, 5, tzinfo=UTC) < sent_at < datetime(2026, 11, 5, tzinfo=UTC)
    # Ten working days from Wednesday 4 November, without the 11th, end with the 19th in New York.
    ends = datetime(2026, 11, 20, 5, tzinfo=UTC)
    await stage.r.advance_to(ends - timedelta(seconds=1))
    assert await stage.state(case_id) == "notified"
    await stage.pass_time(seconds=1)
    case = await stage.case(case_id)
    assert (case["outcome"], case["resolved_at"]) == ("no_response", ends)


@pytest.mark.parametrize("reason", ["declined_nexus", "declined_insufficient", "declined_court_order_required"])
async def test_a_refusal_is_told_with_its_reason(stage: Stage, reason: str) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = f"decline:{reason}"
    case_id = await stage.notified()
    await stage.pass_time(hours=5)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["response"]) == ("resolved", reason, "declined")


async def test_credit_goes_to_who_acted(stage: Stage) -> None:
    case_id = await claimed(stage, "registrar_acts")
    await stage.pass_time(minutes=6)
    case = await stage.case(case_id)
    assert (case["outcome"], case["outcome_actor"], case["observed"]) == ("registrar_hold", "registrar", "verified")


async def test_a_host_is_believed_after_two_looks_a_day_apart(stage: Stage) -> None:
    case_id = await claimed(stage, "host_acts")
    await stage.pass_time(hours=23)
    assert await stage.state(case_id) == "notified"
    await stage.pass_time(hours=26)
    case = await stage.case(case_id)
    assert (case["outcome"], case["outcome_actor"], case["observed"]) == ("host_removed", "host", "verified")


async def test_a_registry_that_does_not_answer_refutes_nothing(stage: Stage) -> None:
    case_id = await claimed(stage, "obey")
    stage.r.sandbox.rdap.faults[MAIL] = RdapFault.BROKEN
    stage.r.sandbox.dns.faults[MAIL] = DnsFault.SERVFAIL
    await stage.pass_time(days=3)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], (await stage.claim(case_id))["verdict"]) == ("notified", None, "pending")
    stage.r.sandbox.rdap.faults.clear()
    stage.r.sandbox.dns.faults.clear()
    await stage.pass_time(days=2)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["observed"]) == ("resolved", "registry_hold", "verified")


async def test_a_hold_that_the_zone_shows_late_is_verified(stage: Stage) -> None:
    case_id = await claimed(stage, "obey")
    stage.r.sandbox.dns.lag = timedelta(hours=3)
    await stage.pass_time(hours=2)
    assert await stage.state(case_id) == "notified"
    await stage.pass_time(days=1)
    assert (await stage.case(case_id))["outcome"] == "registry_hold"


async def test_a_hold_that_is_lifted_is_a_relapse(stage: Stage) -> None:
    case_id = await claimed(stage, "obey")
    await stage.pass_time(hours=1)
    assert await stage.state(case_id) == "resolved"
    stage.r.sandbox.world.do(Act.RESTORE, MAIL, await stage.r.clock.now(), "registry")
    await stage.pass_time(days=3)
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"], case["reopened_count"]) == ("in_review", "relapse", 1)
    assert (case["aftermath"], case["observed"]) == ("relapsed", "relapsed")
    assert case["outcome"] == "registry_hold", "what was seen first is not rewritten"


async def test_a_hold_in_part_is_watched_as_a_whole_one(stage: Stage) -> None:
    """Glue was left, and later the hold is lifted altogether: it was done in part, and is undone."""
    case_id = await claimed(stage, "glue_hold")
    await stage.pass_time(days=2)
    assert ((await stage.claim(case_id))["verdict"], await stage.state(case_id)) == ("partial", "resolved")
    stage.r.sandbox.world.do(Act.RESTORE, MAIL, await stage.r.clock.now(), "registry")
    await stage.pass_time(days=1)
    case = await stage.case(case_id)
    assert (case["reopened_count"], case["aftermath"]) == (1, "relapsed")


async def test_what_half_a_look_could_not_tell_of_a_relapse_is_looked_at_again(stage: Stage) -> None:
    """The zone says that the name is back, and RDAP is silent: under which registrar it came back is still to be seen."""
    case_id = await claimed(stage, "obey")
    await stage.pass_time(days=1)
    now = await stage.r.clock.now()
    for act in (Act.RESTORE, Act.TRANSFER):
        stage.r.sandbox.world.do(act, MAIL, now, "registry")
    stage.r.sandbox.rdap.faults[MAIL] = RdapFault.BROKEN
    await stage.pass_time(days=2)
    assert ((await stage.case(case_id))["aftermath"], await stage.alarms()) == ("relapsed", [])
    stage.r.sandbox.rdap.faults.clear()
    await stage.pass_time(days=1)
    assert await stage.alarms() == ["registrar_changed"]


async def test_another_registration_ends_the_claim(stage: Stage) -> None:
    case_id = await claimed(stage, "lie")
    stage.r.sandbox.world.do(Act.REREGISTER, MAIL, await stage.r.clock.now(), "registrant")
    await stage.pass_time(days=2)
    case = await stage.case(case_id)
    assert ((await stage.claim(case_id))["verdict"], case["outcome"]) == ("unverifiable", "superseded_epoch")
    assert await stage.alarms() == ["epoch_changed"]


async def test_the_watch_ends_and_the_case_is_closed(stage: Stage) -> None:
    case_id = await claimed(stage, "host_acts")
    claim = await stage.claim(case_id)
    await stage.r.advance_to(claim["claimed_at"] + timedelta(days=179))
    assert await stage.state(case_id) == "resolved"
    await stage.pass_time(days=1)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["observed"]) == ("closed", "host_removed", "verified")
    looks = await stage.count("observation where purpose = 'look'")
    await stage.pass_time(days=30)
    assert await stage.count("observation where purpose = 'look'") == looks, "a closed case is not looked at"


async def test_each_planned_time_is_one_look(stage: Stage) -> None:
    """1, 5, 15 minutes, 1, 6 and 24 hours, then each within its day and a day after the other: no more, though answers and
    deadlines plan looks too."""
    case_id = await claimed(stage, "obey")
    at = (await stage.claim(case_id))["claimed_at"]
    await stage.pass_time(days=3)
    rows = await stage.ctx.db.fetch("select at from observation where purpose = 'look' order by at")
    *dense, second, third = [r["at"] - at for r in rows]
    assert [look / timedelta(minutes=1) for look in dense] == [1, 5, 15, 60, 360, 1440]
    assert timedelta(days=1) < second <= timedelta(days=2)
    assert third - second == timedelta(days=1)
