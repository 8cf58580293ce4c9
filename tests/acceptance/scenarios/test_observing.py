"""Scenarios 12 to 14, 17 to 19, 21 to 24, 26, 29, 33, 34 (domain.md 5.11): what recipients say, and what is seen.

One house in which each name's recipients misbehave in their own way; by the tests, a day and a half has passed.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from notifier.domain.appeal import Cause
from notifier.domain.measures import wilson
from notifier.errors import Unauthenticated
from notifier.sandbox.dns_server import DnsFault
from notifier.sandbox.faults import Point
from notifier.sandbox.rdap_server import RdapFault
from notifier.sandbox.world import Act
from notifier.services import hearing, inbound
from tests.acceptance.scenarios.conftest import House
from tests.services.stages import ROLF
from tests.services.test_alarms import ask_for_locks
from tests.services.test_answers import event, signed
from tests.services.test_appeals import DOWN, appealed
from tests.services.test_mail_reading import letter, report, take

LOCKED, CRASHED = "locked-for-held.com", "crash-after-250.com"
# Name -> how its registry behaves.
PLAYED = {
    "says-hold.com": "lie",
    "lapsed.com": "rdap_lags",
    "glue-left.com": "glue_hold",
    "held-before.com": "obey",
    "nobody-answers.com": "obey",
    "declines-it.com": "decline:declined_nexus",
    "wrongly-held.com": "obey",
    "mail-comes-back.com": "silent",
    "webhooks.org": "silent",
    "asked-later.biz": "obey",
}
Played = tuple[House, Mapping[str, str]]


@pytest.fixture(scope="module")
async def played(house: House) -> Played:
    """The house a day and a half later, and each name's case."""
    stage, programs = house.stage, house.stage.ctx.catalog.programs
    ask_for_locks(stage)
    cases = {LOCKED: await house.asked(LOCKED, "wrong_verb")}
    await stage.pass_time(minutes=31)
    object.__setattr__(stage.ctx.catalog, "programs", programs)

    cases[CRASHED] = await house.asked(CRASHED)
    await stage.pass_time(minutes=29)
    house.sandbox.faults.likelihood = {Point.SMTP_ANSWER: 1.0}  # taken, and its 250 never reaches us
    await stage.pass_time(minutes=2)
    house.sandbox.faults.likelihood = {}

    now = await stage.r.clock.now()
    house.sandbox.world.do(Act.HOLD_IN_RDAP, "held-before.com", now, "registrar")
    for name, behaviour in PLAYED.items():
        cases[name] = await house.asked(name, behaviour)
    await stage.pass_time(minutes=31)
    house.sandbox.dns.faults["nobody-answers.com"] = DnsFault.SERVFAIL
    house.sandbox.rdap.faults["nobody-answers.com"] = RdapFault.BROKEN
    await stage.pass_time(hours=36)
    return house, cases


async def ended(played: Played, name: str) -> tuple[Any, ...]:
    house, cases = played
    case = await house.case(cases[name])
    return case["state"], case["outcome"], case["outcome_actor"]


async def verdict(played: Played, name: str) -> str:
    house, cases = played
    return str((await house.stage.claim(cases[name]))["verdict"])


async def alarms(played: Played, name: str) -> set[str]:
    house, cases = played
    rows = await house.stage.ctx.db.fetch("select kind from alarm where case_id = $1", cases[name])
    return {r["kind"] for r in rows}


async def test_12_a_hold_that_is_said_and_not_done_is_contradicted(played: Played) -> None:
    assert await verdict(played, "says-hold.com") == "contradicted"
    assert await ended(played, "says-hold.com") == ("resolved", "claimed_not_done", "none")


async def test_13_a_name_out_of_the_zone_without_a_hold_is_credited_to_nobody(played: Played) -> None:
    assert await verdict(played, "lapsed.com") == "unverifiable"
    assert await ended(played, "lapsed.com") == ("resolved", None, "none")
    house, cases = played
    assert "expiry" in (await house.stage.claim(cases["lapsed.com"]))["why"]


async def test_14_a_hold_on_a_lock_request_pages_within_one_look(played: Played) -> None:
    house, cases = played
    done = next(c.at for c in house.sandbox.world.history(LOCKED) if c.act == Act.HOLD)
    raised = await house.stage.ctx.db.fetchval(
        "select raised_at from alarm where case_id = $1 and kind = 'wrong_verb'", cases[LOCKED]
    )
    assert timedelta(0) <= raised - done <= timedelta(minutes=5)
    assert (await house.case(cases[LOCKED]))["outcome"] != "registry_lock"


async def test_17_a_name_that_was_held_before_is_no_success_of_the_program(played: Played) -> None:
    house, _ = played
    assert await ended(played, "held-before.com") == ("resolved", "already_suspended", "none")
    dark = "dark-before.com"
    house.sandbox.world.do(Act.HOLD, dark, await house.stage.r.clock.now(), "registry")
    said = await house.reported(dark)
    assert said["state"] != "in_review" or (await house.approve(said["case_id"])).status == 409
    assert house.stage.received(dark) == []


async def test_18_records_left_in_the_zone_are_a_partial_hold(played: Played) -> None:
    assert await verdict(played, "glue-left.com") == "partial"
    assert "hold_residual_glue" in await alarms(played, "glue-left.com")


async def test_19_servers_that_answer_nothing_change_nothing(played: Played) -> None:
    """Its registry says that it held the name, its deadline has passed, and no look could tell."""
    house, cases = played
    claim = await house.stage.claim(cases["nobody-answers.com"])
    assert claim["deadline"] < await house.stage.r.clock.now()
    assert (claim["verdict"], await ended(played, "nobody-answers.com")) == ("pending", ("notified", None, None))


async def test_21_machines_mails_are_no_answers_and_only_a_failure_is_one(played: Played) -> None:
    house, cases = played
    case_id, stage = cases["mail-comes-back.com"], house.stage
    to = stage.reply_to(await stage.notice(case_id))
    for action, kind in (("delayed", "delayed"), ("expanded", "auto_reply")):
        row = await take(stage, report(to, action), to, "")
        assert (row["class"], (await stage.notice(case_id))["state"]) == (kind, "sent"), action
    await take(stage, letter(to, "We have your mail. ACK", Auto_Submitted="auto-replied"), to)
    assert (await house.case(case_id))["response"] in ("none", "received")
    await take(stage, report(to, "failed"), to, "")
    assert ((await stage.notice(case_id))["state"], await stage.state(case_id)) == ("bounced", "in_review")


async def test_22_what_a_registry_takes_for_later_is_pending_until_it_says_more(played: Played) -> None:
    """A ticket is no act (EPP's 1001, RFC 5730 §3): nothing was claimed until the desk, asked again, said so."""
    house, cases = played
    stage = house.stage
    notice = await stage.notice(cases["asked-later.biz"])
    rows = await stage.ctx.db.fetch(
        "select kind, via, received_at from response where notice_id = $1 order by received_at, id", notice["id"]
    )
    assert [(r["kind"], r["via"]) for r in rows] == [("acknowledged", "poll"), ("action_taken", "poll")]
    claimed = (await stage.claim(cases["asked-later.biz"]))["claimed_at"]
    assert notice["sent_at"] < rows[0]["received_at"] < rows[1]["received_at"] == claimed
    assert await ended(played, "asked-later.biz") == ("resolved", "registry_hold", "registry")


async def test_23_a_webhook_is_taken_once_under_a_key_that_stands_and_not_when_it_is_old(played: Played) -> None:
    house, cases = played
    stage = house.stage
    body = event(str((await stage.notice(cases["webhooks.org"]))["id"]), "acknowledged")
    first = await inbound.receive_webhook(stage.ctx, "pir", signed(stage, body), body.encode())
    assert await inbound.receive_webhook(stage.ctx, "pir", signed(stage, body), body.encode()) == first, "a replay"
    good = signed(stage, body, "msg_2")
    rotated = {
        **good,
        "webhook-signature": f"v1,{'A' * 43}= {good['webhook-signature']}",
    }  # the other key's comes first
    assert await inbound.receive_webhook(stage.ctx, "pir", rotated, body.encode()) != first
    old = {**good, "webhook-timestamp": str(int(good["webhook-timestamp"]) - 600)}
    with pytest.raises(Unauthenticated):
        await inbound.receive_webhook(stage.ctx, "pir", old, body.encode())
    await stage.r.quiet()
    assert await stage.count("response where notice_id = $1", (await stage.notice(cases["webhooks.org"]))["id"]) == 1


async def test_24_what_perhaps_left_is_not_sent_again_and_a_later_report_settles_it(played: Played) -> None:
    """As the contract has it (design.md): uncertain, one message by one Message-ID, and no second by itself."""
    house, cases = played
    stage = house.stage
    notice = await stage.notice(cases[CRASHED])
    assert (notice["state"], len(stage.received(CRASHED))) == ("uncertain", 1)
    assert notice["send_key"] in stage.received(CRASHED)[0].ask.key
    tasks = (await house.get("/tasks", by="reviewer")).body["items"]
    assert [t["kind"] for t in tasks if t["case_id"] == cases[CRASHED]] == ["uncertain"]
    await take(stage, report(stage.reply_to(notice), "delivered"), stage.reply_to(notice), "")
    assert ((await stage.notice(cases[CRASHED]))["state"], len(stage.received(CRASHED))) == ("delivered", 1)


async def test_33_a_registry_may_decline_and_is_not_asked_twice(played: Played) -> None:
    house, _ = played
    assert await ended(played, "declines-it.com") == ("resolved", "declined_nexus", "none")
    assert len(house.stage.received("declines-it.com")) == 1


async def test_26_what_falls_on_appeal_is_given_back_seen_to_be_and_written_down(played: Played) -> None:
    house, cases = played
    stage, name = house.stage, "wrongly-held.com"
    assert await ended(played, name) == ("resolved", "registry_hold", "registry")
    appeal_id = await appealed(stage, cases[name], name)
    await hearing.decide(stage.ctx, ROLF, appeal_id, DOWN, "You have a licence. We are sorry.", Cause.LAWFUL)
    await stage.pass_time(days=1)
    case = await house.case(cases[name])
    assert (case["outcome"], case["aftermath"], case["undo"]) == ("registry_hold", "lifted_wrong", "verified")
    assert case["observed"] == "released"
    found = house.sandbox.world.find(name)
    assert (found.delegated, "serverHold" in found.statuses) == (True, False)
    (row,) = await stage.ctx.db.fetch("select * from correction where case_id = $1", cases[name])
    lifted = next(c.at for c in reversed(house.sandbox.world.history(name)) if c.act == Act.LIFT)
    assert row["corrected_at"] < lifted <= row["restored_at"]
    corrections = (await house.get("/corrections", by="nobody")).body["items"]
    assert [c["cause"] for c in corrections] == ["lawful"]


async def test_29_numbers_balance_and_no_share_is_more_than_its_whole(played: Played) -> None:
    house, cases = played
    period = "/statistics?basis=period&by=month&from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z"
    for part in (await house.get(period, by="evaluator")).body["slices"]:
        flow = {name: count["n"] for name, count in part["period"]["flow"].items()}
        assert flow["opened_before"] + flow["opened_in"] == flow["closed_in"] + flow["open_at_end"]
        assert flow["opened_in"] >= len(cases)
    whole = (await house.get("/statistics?program=opioids", by="evaluator")).body["whole"]["cohort"]
    funnel = {stage: share["n"] for stage, share in whole["funnel"].items()}
    assert funnel["verified"] <= funnel["claimed"] <= funnel["sent"] <= funnel["opened"]
    counted = {(o["outcome"], o["actor"]): o["n"] for o in whole["outcomes"]}
    assert counted["already_suspended", "none"] == 1
    assert sum(counted.values()) == whole["units"], "each unit has one outcome"
    low, high = wilson(11, 12, 0.95)
    assert (round(100 * 11 / 12, 1), round(100 * low, 1), round(100 * high, 1)) == (91.7, 64.6, 98.5)


async def test_34_an_edited_case_is_named_by_the_log(played: Played) -> None:
    house, cases = played
    reference = (await house.case(cases["declines-it.com"]))["reference"]
    assert (await house.stage.audit()).exit_code == 0
    con = await asyncpg.connect(house.dsn)
    await con.execute("set session_replication_role = replica")  # as a superuser may: no trigger sees it
    edit = "update cases set outcome = $2 where id = $1"
    await con.execute(edit, cases["declines-it.com"], "registry_hold")
    said = await house.stage.audit()
    await con.execute(edit, cases["declines-it.com"], "declined_nexus")
    await con.close()
    assert said.exit_code == 1
    assert [fault for fault in said.faults if reference in fault]
