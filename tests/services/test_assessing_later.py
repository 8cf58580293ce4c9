"""Measured again: right before a notice leaves, and after a source did not answer."""

from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from notifier.domain.safety import Safety
from notifier.errors import Conflict
from notifier.sandbox.survey import Profile
from tests.services.measuring import known, measured, signal
from tests.services.stages import MAIL, Stage
from tests.services.test_epoch import armed_again, waiting


async def test_what_is_found_in_the_window_voids_the_approval(stage: Stage) -> None:
    name = "grows-later.com"
    case_id = await measured(stage, name)
    assert (await stage.approve(case_id)).state == "approved"
    stage.r.sandbox.survey.profiles[name] = Profile(hosts=70)
    await stage.pass_time(hours=25)  # over a day: measured again before it leaves
    assert stage.received(name) != []  # it left within the window, on the measurement of the same day
    late = "grows-before.com"
    case_id = await measured(stage, late)
    await stage.pass_time(hours=25)
    stage.r.sandbox.survey.profiles[late] = Profile(hosts=70)
    assert (await stage.approve(case_id)).state == "approved"
    await stage.pass_time(minutes=30)
    case = await stage.case(case_id)
    assert (case["state"], case["safety"], case["review_reason"], case["approvers"]) == (
        "in_review",
        "second_review",
        "safety",
        [],
    )
    assert stage.received(late) == []
    assert {n["state"] for n in await stage.notices(case_id)} == {"cancelled"}


async def test_a_harmless_change_sends_what_was_approved(stage: Stage) -> None:
    name = "one-more-host.com"
    stage.r.sandbox.survey.profiles[name] = Profile(hosts=3)
    case_id = await measured(stage, name)
    await stage.pass_time(hours=25)
    shown = (await stage.preview(case_id)).digest
    assert (await stage.approve(case_id)).state == "approved"
    stage.r.sandbox.survey.profiles[name] = Profile(hosts=4)
    await stage.pass_time(minutes=30)
    assert (await stage.case(case_id))["state"] == "notified"
    assert (await stage.case(case_id))["approved_digest"] == shown
    assert await signal(stage, case_id, "host_names") == ("4", "clear")


async def test_a_source_that_fails_asks_for_two_and_is_asked_again(stage: Stage) -> None:
    name = "later-known.com"
    stage.r.sandbox.survey.profiles[name] = Profile(fault=503)
    case_id = await measured(stage, name)
    assert await signal(stage, case_id, "host_names") == ("unknown", "second_review")
    found = await known(stage, case_id)
    assert found.safety is Safety.SECOND_REVIEW
    assert "answers 503" in found.why
    del stage.r.sandbox.survey.profiles[name]
    await stage.pass_time(minutes=16)
    assert (await known(stage, case_id)).safety is Safety.CLEAR
    assert (await stage.case(case_id))["safety"] == "clear"


async def test_a_source_that_fails_right_before_sending_lets_it_wait(stage: Stage) -> None:
    name = "waits-for-source.com"
    case_id = await measured(stage, name)
    await stage.pass_time(hours=25)
    assert (await stage.approve(case_id)).state == "approved"
    stage.r.sandbox.survey.profiles[name] = Profile(fault=0)
    await stage.pass_time(minutes=45)
    assert (await stage.state(case_id), stage.received(name)) == ("approved", [])
    del stage.r.sandbox.survey.profiles[name]
    await stage.pass_time(minutes=15)
    assert await stage.state(case_id) == "notified"


async def test_a_name_that_was_put_on_the_protected_list_is_nobodys_any_more(stage: Stage) -> None:
    case_id = await measured(stage, "became-official.com")
    await stage.pass_time(hours=25)
    lists = stage.ctx.catalog.lists
    changed = replace(lists, protected={**lists.protected, "became-official.com": "government"})
    object.__setattr__(stage.ctx.catalog, "lists", changed)
    assert (await stage.approve(case_id)).state == "approved"
    await stage.pass_time(minutes=30)
    case = await stage.case(case_id)
    assert (case["safety"], case["scope"], case["agreement"]) == ("refuse", "host", None)
    assert (case["state"], stage.received()) == ("needs_evidence", [])
    with pytest.raises(Conflict):
        await stage.approve(case_id)


async def test_a_source_that_stays_silent_is_asked_less_and_less_often(stage: Stage) -> None:
    name = "never-answers.com"
    stage.r.sandbox.survey.profiles[name] = Profile(fault=503)
    case_id = await measured(stage, name)
    started = await stage.r.clock.now()
    await stage.pass_time(hours=9)
    rows = await stage.ctx.db.fetch(
        "select fired_at from timer where case_id = $1 and kind = 'case.assess' and fired_at is not null order by 1",
        case_id,
    )
    # 15 minutes after the first, then each time as long again as it has been: 15 min, 30 min, 1 h, 2 h, 4 h, 8 h.
    assert [(r["fired_at"] - started) / timedelta(minutes=15) for r in rows] == [1, 2, 4, 8, 16, 32]
    assert (await stage.case(case_id))["safety"] == "second_review"
    assert await stage.count("assessment where case_id = $1", case_id) == 2  # the list's, and the one that says unknown


@pytest.mark.parametrize(("hosts", "leaves"), [(3, True), (70, False)])
async def test_a_notice_that_waited_for_days_is_measured_again(stage: Stage, hosts: int, leaves: bool) -> None:
    stage.r.sandbox.survey.profiles[MAIL] = Profile(hosts=2)
    case_id = await waiting(stage, hours=30)
    stage.r.sandbox.survey.profiles[MAIL] = Profile(hosts=hosts)
    await armed_again(stage, minutes=5)
    case = await stage.case(case_id)
    assert bool(stage.received()) is leaves
    assert (case["state"], case["review_reason"]) == (("notified", None) if leaves else ("in_review", "safety"))
    if not leaves:
        assert case["safety"] == "second_review"
        assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]


async def test_a_rerouted_case_has_no_notice_that_the_database_would_let_go(stage: Stage) -> None:
    case_id = await waiting(stage, hours=0)
    notice = await stage.notice(case_id)
    con = await asyncpg.connect(stage.r.house.dsn)  # the owner: past every service
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await con.execute("update cases set safety = 'reroute', rev = rev + 1 where id = $1", case_id)
        async with con.transaction():
            await con.execute("set local session_replication_role = replica")
            await con.execute(
                "update cases set safety = 'reroute', scope = 'host', agreement = null where id = $1", case_id
            )
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await con.execute("update notice set state = 'sending' where id = $1", notice["id"])
        async with con.transaction():
            await con.execute("set local session_replication_role = replica")
            await con.execute(
                "update cases set safety = 'clear', scope = 'domain', agreement = 'opioids.verisign' where id = $1",
                case_id,
            )
    finally:
        await con.close()
