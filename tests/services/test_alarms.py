"""Each fault of a registry through to its verdict, its alarm, and the person who is told."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from notifier.domain.answer import Answer
from notifier.domain.epp import Measure
from notifier.sandbox.world import Act
from notifier.services import alarming, deconfliction, review, tasks
from notifier.services.access import Principal, Role
from notifier.services.deconfliction import EntryIn
from notifier.services.responses import respond
from tests.services.stages import HOOK, MAIL, RITA, VERISIGN, Stage, row

ACT = timedelta(hours=4)  # after the notice, by the sandbox's pace


async def claimed(stage: Stage, behaviour: str) -> str:
    """A case whose registry, behaving so, has just answered that it acted."""
    stage.r.sandbox.desk.behaviours[MAIL] = behaviour
    case_id = await stage.notified()
    await stage.r.advance_to(await stage.r.clock.now() + ACT)
    return case_id


def ask_for_locks(stage: Stage) -> None:
    """From now on the program asks registries for a lock."""
    catalog = stage.ctx.catalog
    locking = replace(catalog.programs["opioids"], default_measure=Measure.LOCK)
    object.__setattr__(catalog, "programs", {**catalog.programs, "opioids": locking})


async def alarm(stage: Stage, kind: str) -> dict[str, Any]:
    """The newest of a kind."""
    row = await stage.ctx.db.fetchrow("select * from alarm where kind = $1 order by raised_at desc limit 1", kind)
    assert row is not None, f"no {kind} among {await stage.alarms()}"
    return dict(row)


async def verdict(stage: Stage, case_id: str) -> tuple[str, str | None]:
    case = await stage.case(case_id)
    return str((await stage.claim(case_id))["verdict"]), case["outcome"]


async def act(stage: Stage, what: Act, name: str = MAIL) -> None:
    stage.r.sandbox.world.do(what, name, await stage.r.clock.now(), "registry")


# --- one registry a fault ----------------------------------------------------------------------------------------


async def test_a_leaky_hold_is_told_with_the_day_of_its_drop(stage: Stage) -> None:
    case_id = await claimed(stage, "leaky_hold")
    await stage.pass_time(minutes=6)
    assert await verdict(stage, case_id) == ("verified", "registry_hold")
    found = stage.r.sandbox.world.find(MAIL)
    assert found is not None
    drop = found.expires_at + timedelta(days=35)  # 30 of redemption and 5 of pending delete
    sentence = (await alarm(stage, "leaky_hold"))["sentence"]
    assert f"expires on {found.expires_at:%Y-%m-%d}" in sentence
    assert f"from {drop:%Y-%m-%d} on" in sentence


async def test_glue_that_is_left_is_a_partial_hold(stage: Stage) -> None:
    case_id = await claimed(stage, "glue_hold")
    await stage.pass_time(minutes=6)
    assert (await verdict(stage, case_id))[0] == "partial"
    assert await stage.alarms() == ["hold_residual_glue"]


async def test_a_registry_whose_rdap_lies_is_contradicted(stage: Stage) -> None:
    case_id = await claimed(stage, "rdap_lies")
    await stage.pass_time(hours=25)
    assert await verdict(stage, case_id) == ("contradicted", "claimed_not_done")
    assert await stage.alarms() == ["claim_contradicted", "inconsistent"]


async def test_a_name_out_of_the_zone_that_rdap_does_not_hold_is_credited_to_nobody(stage: Stage) -> None:
    case_id = await claimed(stage, "rdap_lags")
    await stage.pass_time(hours=25)
    assert await verdict(stage, case_id) == ("unverifiable", None)
    assert (await stage.case(case_id))["outcome_actor"] == "none"


async def test_a_slow_zone_is_waited_for(stage: Stage) -> None:
    stage.r.sandbox.dns.lag = timedelta(minutes=40)
    case_id = await claimed(stage, "obey")
    at = (await stage.claim(case_id))["claimed_at"]
    await stage.pass_time(hours=7)
    assert await verdict(stage, case_id) == ("verified", "registry_hold")
    assert (await stage.claim(case_id))["parent_effective_at"] == at + timedelta(hours=1)
    assert await stage.alarms() == []


async def test_a_hold_on_a_lock_request_is_told_though_nobody_claims_anything(stage: Stage) -> None:
    """The recipient is silent, and takes the name down by mistake an hour after the notice: the looks find it."""
    ask_for_locks(stage)
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    case_id = await stage.notified()
    assert (await stage.notice(case_id))["measure"] == "lock"
    await stage.pass_time(hours=1, minutes=1)
    assert await stage.alarms() == []
    await act(stage, Act.HOLD)
    await stage.pass_time(hours=5)
    assert await stage.alarms() == ["wrong_verb"]
    await stage.pass_time(days=3)
    assert await stage.alarms() == ["wrong_verb"], "once while it is open"


async def test_a_hold_on_a_lock_request_that_is_claimed_as_a_lock(stage: Stage) -> None:
    ask_for_locks(stage)
    case_id = await claimed(stage, "wrong_verb")
    await stage.pass_time(minutes=2)
    assert (await verdict(stage, case_id))[0] == "contradicted"
    assert await stage.alarms() == ["wrong_verb"]


async def test_a_lock_that_is_kept_alarms_nobody(stage: Stage) -> None:
    ask_for_locks(stage)
    case_id = await claimed(stage, "obey")
    await stage.pass_time(days=2)
    assert await verdict(stage, case_id) == ("verified", "registry_lock")
    assert await stage.alarms() == []


async def test_a_registrar_that_changes_under_a_hold(stage: Stage) -> None:
    case_id = await claimed(stage, "transfer_under_hold")
    await stage.pass_time(days=5)
    assert (await verdict(stage, case_id))[0] == "verified"
    assert await stage.alarms() == ["leaky_hold", "registrar_changed"]


async def test_a_hold_that_a_transfer_frees_is_a_relapse(stage: Stage) -> None:
    case_id = await claimed(stage, "escapes_by_transfer")
    await stage.pass_time(days=5)
    assert (await verdict(stage, case_id))[0] == "relapsed"
    assert await stage.alarms() == ["leaky_hold", "registrar_changed"]


async def test_another_registration_while_held(stage: Stage) -> None:
    case_id = await claimed(stage, "obey")
    await stage.pass_time(hours=1)
    await act(stage, Act.REREGISTER)
    await stage.pass_time(days=1)
    assert await verdict(stage, case_id) == ("verified", "registry_hold"), (
        "it was, of the registration that it was about"
    )
    assert (await stage.case(case_id))["aftermath"] == "reregistered"
    assert await stage.alarms() == ["epoch_changed"]


# --- what was withdrawn ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["keeps_hold_silently", "keeps_hold"])
async def test_a_hold_that_outlives_our_withdrawal(stage: Stage, behaviour: str) -> None:
    """Silent, or saying that it was lifted: it is held, and somebody is told a day after the withdrawal arrived."""
    case_id = await claimed(stage, behaviour)
    await stage.pass_time(minutes=6)
    assert (await verdict(stage, case_id))[0] == "verified"
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error", "error")
    await stage.pass_time(hours=23)
    assert "hold_after_withdrawal" not in await stage.alarms()
    await stage.pass_time(hours=2)
    assert (await stage.alarms()).count("hold_after_withdrawal") == 1
    await act(stage, Act.RESTORE)
    await stage.pass_time(days=20)
    assert (await stage.alarms()).count("hold_after_withdrawal") == 1


async def test_a_hold_that_comes_back_after_it_was_lifted(stage: Stage) -> None:
    """As a registry's own job did that set again what a person had removed."""
    case_id = await claimed(stage, "obey")
    await stage.pass_time(minutes=6)
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error", "error")
    await stage.pass_time(hours=30)
    assert ((await stage.case(case_id))["undo"], await stage.alarms()) == ("verified", [])
    await act(stage, Act.HOLD)
    await stage.pass_time(days=1)
    assert await stage.alarms() == ["hold_after_withdrawal"]


async def test_an_undo_counts_when_resolvers_have_the_name_back(stage: Stage) -> None:
    """The parent delegates again at once; the resolver keeps the denial for longer than the zone's negative TTL (900 s)."""
    case_id = await claimed(stage, "obey")
    await stage.pass_time(minutes=6)
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error", "error")
    await stage.pass_time(hours=4)
    stage.r.sandbox.resolver.lag = timedelta(hours=3)
    await stage.pass_time(minutes=10)
    assert await stage.ctx.db.fetchval("select verdict from claim where measure = 'restore'") == "pending"
    await stage.pass_time(hours=7)
    undo = await stage.ctx.db.fetchrow("select * from claim where measure = 'restore'")
    assert undo is not None
    assert undo["parent_effective_at"] == undo["claimed_at"] + timedelta(minutes=1)
    assert undo["user_effective_at"] == undo["claimed_at"] + timedelta(hours=6)
    await stage.pass_time(days=1)
    assert await stage.ctx.db.fetchval("select verdict from claim where measure = 'restore'") == "verified"


# --- names that nobody asked about -------------------------------------------------------------------------------

NEIGHBOUR = MAIL.replace("cheap", "cheep")


async def test_a_hold_on_a_name_one_letter_away_from_a_noticed_one(stage: Stage) -> None:
    said = await stage.submit(json.loads(json.dumps(row()).replace(MAIL, NEIGHBOUR)))
    other = str(said.case_id)
    await stage.r.quiet()
    await stage.notified()
    await act(stage, Act.HOLD, NEIGHBOUR)
    assert await stage.alarms() == []
    await review.observe_now(stage.ctx, RITA, other)
    await stage.r.quiet()
    found = await alarm(stage, "neighbour_changed")
    assert str(found["case_id"]) == other
    assert MAIL not in found["sentence"] + found["detail"], "whose notice that was is no matter of this case"
    await review.observe_now(stage.ctx, RITA, other)
    await stage.r.quiet()
    assert await stage.alarms() == ["neighbour_changed"]


async def test_a_hold_on_a_protected_name(stage: Stage) -> None:
    case_id = await stage.case_in_review(HOOK)
    lists = stage.ctx.catalog.lists
    changed = replace(lists, protected={**lists.protected, HOOK: "public_service"})
    object.__setattr__(stage.ctx.catalog, "lists", changed)
    await act(stage, Act.HOLD, HOOK)
    await review.observe_now(stage.ctx, RITA, case_id)
    await stage.r.quiet()
    assert await stage.alarms() == ["neighbour_changed"]


async def test_a_hold_on_a_name_like_no_other_is_nobodys_alarm(stage: Stage) -> None:
    case_id = await stage.case_in_review(HOOK)
    await stage.notified(MAIL)
    await act(stage, Act.HOLD, HOOK)
    await review.observe_now(stage.ctx, RITA, case_id)
    await stage.r.quiet()
    assert await stage.alarms() == []


# --- a person is told --------------------------------------------------------------------------------------------


async def told(stage: Stage) -> tuple[int, int]:
    return len(stage.r.sandbox.staff.mails), len(stage.r.sandbox.staff.posts)


async def test_an_alarm_reaches_a_person_by_mail_and_webhook(stage: Stage) -> None:
    case_id = await claimed(stage, "glue_hold")
    await stage.pass_time(minutes=6)
    found, case = await alarm(stage, "hold_residual_glue"), await stage.case(case_id)
    assert found["told_at"] == found["raised_at"], "in the very interval in which it was raised"
    (raw,), (event,) = stage.r.sandbox.staff.mails, stage.r.sandbox.staff.posts
    mail = message_from_bytes(raw, policy=default)
    assert (mail["To"].addresses[0].addr_spec, mail["Subject"]) == (
        "alarms@notifier.example",
        f"Alarm: hold_residual_glue, {case['reference']}",
    )
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert found["sentence"] in " ".join(text.split())
    assert event == {
        "type": "alarm.raised",
        "timestamp": found["raised_at"].isoformat(),
        "data": {
            "alarm_id": str(found["id"]),
            "kind": "hold_residual_glue",
            "case_ref": case["reference"],
            "domain": MAIL,
            "sentence": found["sentence"],
            "raised_at": found["raised_at"].isoformat(),
            "simulated": True,
        },
    }
    for person in ("Submitter", "Reviewer", "held, and records"):  # neither people nor what the house alone knows
        assert person not in text + json.dumps(event)
    assert (await stage.tags(case_id)).count("alarm.told") == 2


async def test_of_a_name_under_investigation_the_reference_alone_is_told(stage: Stage) -> None:
    case_id = await claimed(stage, "glue_hold")
    dora = Principal("Dora Detective", "person", Role.REVIEWER, "bureau", permissions=frozenset({"deconflict"}))
    await deconfliction.add(stage.ctx, dora, EntryIn(MAIL, "Bureau", "OP-1"))
    await stage.pass_time(minutes=6)
    case = await stage.case(case_id)
    (raw,), (event,) = stage.r.sandbox.staff.mails, stage.r.sandbox.staff.posts
    for said in (raw.decode(), json.dumps(event)):
        assert case["reference"] in said
        assert MAIL not in said
        assert "glue" not in said


async def test_what_cannot_be_told_is_told_again_until_it_arrived(stage: Stage) -> None:
    case_id = await claimed(stage, "glue_hold")
    stage.r.sandbox.staff.away = 1_000
    await stage.pass_time(minutes=1)
    assert ((await alarm(stage, "hold_residual_glue"))["told_at"], await told(stage)) == (None, (0, 0))
    stage.r.sandbox.staff.away = 0
    await stage.pass_time(minutes=1)
    found = await alarm(stage, "hold_residual_glue")
    assert (found["told_at"] is not None, await told(stage)) == (True, (1, 1))
    await stage.pass_time(hours=1)
    assert await told(stage) == (1, 1), "and no more"
    assert await stage.state(case_id)


async def test_who_has_an_alarm_is_not_told_of_it(stage: Stage) -> None:
    await claimed(stage, "glue_hold")
    stage.r.sandbox.staff.away = 1_000
    await stage.pass_time(minutes=1)
    await tasks.take(stage.ctx, RITA, "alarm", str((await alarm(stage, "hold_residual_glue"))["id"]))
    stage.r.sandbox.staff.away = 0
    await stage.pass_time(hours=1)
    assert await told(stage) == (0, 0)


async def test_what_nobody_was_told_is_told_when_there_is_a_way(stage: Stage) -> None:
    ways = stage.ctx.alarm_ways
    object.__setattr__(stage.ctx, "alarm_ways", {})
    await claimed(stage, "glue_hold")
    await stage.pass_time(minutes=6)
    assert ((await alarm(stage, "hold_residual_glue"))["told_at"], await told(stage)) == (None, (0, 0))
    object.__setattr__(stage.ctx, "alarm_ways", ways)
    await alarming.take_up(stage.ctx)
    await stage.r.quiet()
    assert await told(stage) == (1, 1)


async def closed(stage: Stage, kind: str) -> datetime:
    await tasks.close_alarm(stage.ctx, RITA, str((await alarm(stage, kind))["id"]))
    return await stage.r.clock.now()


async def test_a_closed_alarm_is_raised_anew_when_its_cause_is_there_a_day_later(stage: Stage) -> None:
    await claimed(stage, "leaky_hold")
    await stage.pass_time(minutes=6)
    at = await closed(stage, "leaky_hold")
    await stage.r.advance_to(at + timedelta(hours=23, minutes=50))
    assert await stage.alarms() == ["leaky_hold"], "the looks of the first day saw it too"
    await stage.pass_time(days=2)
    assert await stage.alarms() == ["leaky_hold", "leaky_hold"]
    assert await told(stage) == (2, 2)


async def test_a_cause_that_is_over_is_not_raised_anew(stage: Stage) -> None:
    """A hold by mistake was turned into the lock that was asked for."""
    ask_for_locks(stage)
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    case_id = await stage.notified()
    notice_id = str((await stage.notice(case_id))["id"])
    await act(stage, Act.HOLD)
    await respond(stage.ctx, VERISIGN, notice_id, Answer("action_taken", Measure.LOCK, "registry"))
    await stage.pass_time(minutes=2)
    await act(stage, Act.RESTORE)
    await act(stage, Act.LOCK)
    await closed(stage, "wrong_verb")
    await stage.pass_time(days=5)
    assert await stage.alarms() == ["wrong_verb"]
