"""Appeals through the whole house: filed by anybody, told to nobody but the registrant, heard by somebody else, and
what falls is given back and watched until it is.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.domain.appeal import Cause, Outcome
from notifier.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from notifier.sandbox.world import Act
from notifier.services import access, accuracy, appealing, deconfliction, hearing, joining, links, review, statistics
from notifier.services.access import Principal, Role
from notifier.services.appealing import Filing
from notifier.services.context import Context
from notifier.services.deconfliction import EntryIn
from notifier.services.statistics import Query
from notifier.store.database import Database, Tx
from tests.services.stages import HOOK, MAIL, RITA, ROBOT, ROLF, SAM, Stage, row
from tests.services.test_outcomes import claimed

HERE = "192.0.2.7"
UP, DOWN = Outcome.UPHELD, Outcome.OVERTURNED


def filing(domain: str = MAIL, **changes: Any) -> Filing:
    said = Filing(domain, "We have a licence, and you never asked.", "owner@their-mail.net")
    return replace(said, **changes)


async def filed(stage: Stage, domain: str = MAIL, **changes: Any) -> str:
    secret = await appealing.file(stage.ctx, filing(domain, **changes), HERE)
    await stage.r.quiet()
    return secret


async def link_of(stage: Stage, case_id: str) -> str:
    notice_id = str((await stage.notices(case_id))[0]["id"])
    return links.appeal_url(stage.ctx.settings.public_url, stage.ctx.reply_key, notice_id)


async def appealed(stage: Stage, case_id: str, domain: str = MAIL) -> str:
    """An appeal by the link of the registrant's notice; its id."""
    await filed(stage, domain, reference=await link_of(stage, case_id))
    return await appeal_of(stage, case_id)


async def appeal_of(stage: Stage, case_id: str) -> str:
    return str(await stage.ctx.db.fetchval("select id from appeal where case_id = $1 order by filed_at desc", case_id))


async def held(stage: Stage, domain: str = MAIL) -> str:
    """A case whose hold was claimed and seen twice."""
    case_id = await claimed(stage, "obey", domain)
    await stage.pass_time(minutes=5)
    assert await stage.state(case_id) == "resolved"
    return case_id


async def show_control(stage: Stage, secret: str, name: str = MAIL) -> None:
    status = await appealing.status(stage.ctx, secret)
    assert status.record_name == f"_trusted-notifier.{name}"
    stage.r.sandbox.dns.texts[status.record_name] = ["v=spf1 -all", status.record_value]
    await appealing.check(stage.ctx, secret)
    await stage.r.quiet()


# --- nothing is told ----------------------------------------------------------------------------------------------


class Watched(Database):
    """The same database; every statement of its transactions is written down, by its text."""

    def __init__(self, db: Database) -> None:
        super().__init__(db.pool, db.clock)
        self.said: list[str] = []

    @asynccontextmanager
    async def transaction(self, actor: str, via: str = "daemon") -> AsyncIterator[Tx]:
        async with super().transaction(actor, via) as tx:
            with tx.con.query_logger(self._note):
                yield tx

    def _note(self, record: Any) -> None:
        if record.query[:1].islower():  # the driver's own questions about types are written large
            self.said.append(record.query)


async def work(stage: Stage, said: Filing) -> tuple[list[str], dict[str, int]]:
    """The statements that filing executes, and how many rows each table has more after it."""
    tables = ("appeal_statement", "appeal_proof", "appeal", "audit_entry", "timer", "queue.pgqueuer", "quota_count")
    before = {table: await stage.count(table) for table in tables}
    watched = Watched(stage.ctx.db)
    ctx: Context = replace(stage.ctx, db=watched)
    sender = f"198.51.100.{await stage.count('appeal_statement')}"  # who filed before costs less to count
    await appealing.file(ctx, said, sender)
    more = {table: await stage.count(table) - before[table] for table in tables if table != "queue.pgqueuer"}
    await stage.r.quiet()
    return watched.said, more


async def test_filing_does_the_same_work_whatever_there_is(stage: Stage) -> None:
    await stage.notified(MAIL)
    await stage.case_in_review(HOOK)
    names = [MAIL, HOOK, "nobody-knows-this.com", "no domain at all", "github.io", "kremlin.ru", "shop.blogspot.com"]
    found = [await work(stage, filing(name)) for name in names]
    texts, rows = found[0]
    assert len(texts) >= 6
    for name, (other_texts, other_rows) in zip(names, found, strict=True):
        assert other_texts == texts, name
        assert {k: v for k, v in other_rows.items() if k != "quota_count"} == {
            k: v for k, v in rows.items() if k != "quota_count"
        }, name
    with_number = await work(stage, filing("another-unknown.com", reference="TN-2026-000001"))
    assert with_number[0] == texts


async def test_nothing_is_told_before_control_was_shown(stage: Stage) -> None:
    await stage.notified(MAIL)
    known, unknown = await filed(stage, MAIL), await filed(stage, "nobody-knows-this.com")
    one, other = await appealing.status(stage.ctx, known), await appealing.status(stage.ctx, unknown)
    assert (one.proven, one.decisions) == (other.proven, other.decisions) == (None, ())
    assert re.fullmatch(r"trusted-notifier=[a-z2-7]{26}", one.record_value)
    with pytest.raises(NotFound):
        await appealing.status(stage.ctx, "0" * 32)


async def test_who_fills_in_a_strangers_name_stops_nothing(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    await filed(stage)
    assert not (await stage.case(case_id))["appeal_open"]
    page = await hearing.appeals(stage.ctx, ROLF)
    assert [(a["state"], a["proven_at"], a["decide_due"], a["statements"]) for a in page.items] == [
        ("filed", None, None, 1)
    ]


# --- control ------------------------------------------------------------------------------------------------------


async def test_the_record_in_the_names_own_zone_opens_it(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    secret = await filed(stage)
    await show_control(stage, secret)
    status = await appealing.status(stage.ctx, secret)
    assert status.proven == "dns"
    (one,) = status.decisions
    assert (one.domain, one.measure, str(one.state)) == (MAIL, "hold", "filed")
    case = await stage.case(case_id)
    assert case["appeal_open"]
    # From Monday, 2 November 2026: one working day of the calendar us-federal ends with Tuesday; the tenth is Tuesday the
    # 17th, since Wednesday the 11th is Veterans Day. New York is five hours behind UTC.
    row = (await hearing.appeals(stage.ctx, ROLF)).items[0]
    assert row["acknowledge_due"] == datetime(2026, 11, 4, 5, tzinfo=UTC)
    assert row["decide_due"] == datetime(2026, 11, 18, 5, tzinfo=UTC)


async def test_a_held_name_can_still_be_shown_by_whom_the_registry_names(stage: Stage) -> None:
    await held(stage)
    secret = await filed(stage)
    await show_control(stage, secret)
    assert (await appealing.status(stage.ctx, secret)).proven == "dns"


@pytest.mark.parametrize("value", ["trusted-notifier=", "trusted-notifier=" + "a" * 26, "no"])
async def test_another_record_opens_nothing(stage: Stage, value: str) -> None:
    await stage.notified(MAIL)
    secret, stranger = await filed(stage), await filed(stage)
    other = (await appealing.status(stage.ctx, stranger)).record_value
    stage.r.sandbox.dns.texts[f"_trusted-notifier.{MAIL}"] = [value, other]
    await appealing.check(stage.ctx, secret)
    await stage.r.quiet()
    assert (await appealing.status(stage.ctx, secret)).proven is None


async def test_it_is_looked_for_without_being_asked(stage: Stage) -> None:
    await stage.notified(MAIL)
    secret = await filed(stage)
    await stage.pass_time(minutes=11)
    status = await appealing.status(stage.ctx, secret)
    stage.r.sandbox.dns.texts[str(status.record_name)] = [status.record_value]
    await stage.pass_time(minutes=20)
    assert (await appealing.status(stage.ctx, secret)).proven == "dns"


async def test_the_link_of_the_registrants_notice_needs_no_other_proof(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    link = await link_of(stage, case_id)
    content = (await stage.notices(case_id))[0]["content"]
    assert link in content["text"].replace("  | ", "").replace("\n", ""), "the registrant's text has it"
    assert link not in links.masked(content["text"])
    secret = await filed(stage, reference=f"see {link}")
    status = await appealing.status(stage.ctx, secret)
    assert status.proven == "notice"
    assert (await stage.case(case_id))["appeal_open"]
    stored = await stage.ctx.db.fetchrow("select * from appeal_statement")
    assert link.rpartition("/")[2] not in str(dict(stored or {})), "the notice's secret is not kept a second time"


async def test_a_wrong_or_strange_link_is_no_proof(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    other = await stage.notified(HOOK)
    link, strange = await link_of(stage, case_id), await link_of(stage, other)
    answer = link.replace("/appeal/", "/answer/")
    for reference in (link[:-1] + ("a" if link[-1] != "a" else "b"), strange, answer, "TN-2026-000001"):
        secret = await filed(stage, reference=reference)
        assert (await appealing.status(stage.ctx, secret)).proven is None
    assert not (await stage.case(case_id))["appeal_open"]


async def test_a_secret_that_is_used_again_adds_to_the_one_appeal(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    link = await link_of(stage, case_id)
    first, second = await filed(stage, reference=link), await filed(stage, reference=link)
    assert first != second
    assert await stage.count("appeal") == 1
    assert await stage.count("appeal_part") == 2
    assert (await stage.tags(case_id)).count("case.appeal_opened") == 1


# --- many cases, and none -----------------------------------------------------------------------------------------


async def test_a_name_without_a_case_is_told_so_only_to_its_holder(stage: Stage) -> None:
    secret = await filed(stage, HOOK)
    await stage.case_in_review(HOOK)  # nothing has left: there is no decision to appeal against, and nothing is told
    await show_control(stage, secret, HOOK)
    status = await appealing.status(stage.ctx, secret)
    assert (status.proven, status.decisions) == ("dns", ())
    assert await stage.count("appeal") == 0


async def test_a_withdrawn_case_can_be_put_right_and_nobody_is_told_twice(stage: Stage) -> None:
    case_id = await held(stage)
    await review.withdraw(stage.ctx, RITA, case_id, "an error", "other")
    await stage.r.quiet()
    told = len(stage.received(MAIL))
    appeal_id = await appealed(stage, case_id)
    await hearing.decide(stage.ctx, ROLF, appeal_id, DOWN, "You are right.", Cause.WRONG_FACTS)
    await stage.r.quiet()
    case = await stage.case(case_id)
    assert (case["state"], case["aftermath"], case["undo"]) == ("withdrawn", "lifted_wrong", case["undo"])
    assert len(stage.received(MAIL)) == told


async def test_an_embargo_is_not_told_and_keeps_even_the_undo(stage: Stage) -> None:
    case_id = await held(stage)
    dora = Principal("Dora", "person", Role.REVIEWER, permissions=frozenset({access.DECONFLICT}))
    entry = await deconfliction.add(stage.ctx, dora, EntryIn(MAIL, "the authority", "A-1"))
    secret = await filed(stage, reference=await link_of(stage, case_id))
    shown = str(await appealing.status(stage.ctx, secret))
    assert "authority" not in shown
    assert "embargo" not in shown
    told = len(stage.received(MAIL))
    await hearing.decide(stage.ctx, ROLF, await appeal_of(stage, case_id), DOWN, "You are right.", Cause.WRONG_NAME)
    await stage.r.quiet()
    assert len(stage.received(MAIL)) == told
    assert str((await appealing.status(stage.ctx, secret)).decisions[0].state) == "overturned"
    await deconfliction.release(stage.ctx, dora, str(entry.entry["id"]), "done")
    await stage.r.quiet()
    assert len(stage.received(MAIL)) == told + 1


# --- who may hear -------------------------------------------------------------------------------------------------


async def test_who_had_a_part_in_it_does_not_hear_it(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)  # Sam reported, Rita approved
    appeal_id = await appealed(stage, case_id)
    sam = Principal(SAM.id, "person", Role.REVIEWER)
    other_token = Principal(RITA.id, "person", Role.REVIEWER, programs=frozenset({"opioids"}))
    for who in (RITA, other_token, sam):
        with pytest.raises(Forbidden) as refused:
            await hearing.decide(stage.ctx, who, appeal_id, UP, "It stands.")
        assert refused.value.code == "four_eyes"
        with pytest.raises(Forbidden):
            await hearing.take(stage.ctx, who, appeal_id)
    with pytest.raises(Forbidden) as robot:
        await hearing.decide(stage.ctx, ROBOT, appeal_id, UP, "It stands.")
    assert robot.value.code == "person_required"
    with pytest.raises(NotFound):
        await hearing.decide(stage.ctx, Principal("X", "person", Role.REVIEWER, "mpa"), appeal_id, UP, "It stands.")
    row = await hearing.decide(stage.ctx, ROLF, appeal_id, UP, "It stands.")
    assert (row["state"], row["decided_by"]) == ("upheld", ROLF.id)
    with pytest.raises(Conflict):
        await hearing.decide(stage.ctx, ROLF, appeal_id, DOWN, "No.", Cause.OTHER)


async def test_reasons_name_nobody(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    appeal_id = await appealed(stage, case_id)
    for name in ("rita reviewer", "Sam Submitter", "Rolf Reviewer"):
        with pytest.raises(Invalid) as refused:
            await hearing.decide(stage.ctx, ROLF, appeal_id, UP, f"As {name} said, it stands.")
        assert refused.value.code == "names_staff"
    assert await stage.count("appeal_decision") == 0


# --- while it is heard --------------------------------------------------------------------------------------------


async def test_nothing_more_is_asked_for_while_it_is_heard_and_goes_on_after(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    case_id = await stage.notified(MAIL)
    appeal_id = await appealed(stage, case_id)
    await stage.pass_time(days=20)
    assert await stage.state(case_id) == "notified", "the recipient's clock ran out, and nothing followed"
    assert [n["purpose"] for n in await stage.notices(case_id)] == ["request"]
    await hearing.decide(stage.ctx, ROLF, appeal_id, UP, "It stands, since you sell without a licence.")
    await stage.pass_time(minutes=1)
    case = await stage.case(case_id)
    assert (case["appeal_open"], case["state"], case["outcome"]) == (False, "resolved", "no_response")


async def test_an_upheld_appeal_is_not_heard_again_and_again(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    await hearing.decide(stage.ctx, ROLF, await appealed(stage, case_id), UP, "It stands.")
    await filed(stage, reference=await link_of(stage, case_id))
    assert await stage.count("appeal") == 1
    assert await stage.task_kinds() == ["appeal"]
    assert not (await stage.case(case_id))["appeal_open"]
    assert await stage.count("appeal_part where late") == 1


async def test_a_strangers_appeal_takes_nothing_from_the_holder(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    await filed(stage)
    await hearing.decide(stage.ctx, ROLF, await appeal_of(stage, case_id), UP, "It stands.")
    await appealed(stage, case_id)
    assert await stage.count("appeal") == 2
    assert (await stage.case(case_id))["appeal_open"]


async def test_it_can_be_taken_back_by_whoever_showed_control_alone(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    stranger = await filed(stage)
    mine = await filed(stage, reference=await link_of(stage, case_id))
    with pytest.raises(Conflict):
        await appealing.take_back(stage.ctx, stranger)
    await appealing.take_back(stage.ctx, mine)
    assert str((await appealing.status(stage.ctx, mine)).decisions[0].state) == "withdrawn"
    assert not (await stage.case(case_id))["appeal_open"]


# --- what falls ---------------------------------------------------------------------------------------------------


async def test_what_falls_is_given_back_and_watched_until_it_is(stage: Stage) -> None:
    case_id = await held(stage)
    appeal_id = await appealed(stage, case_id)
    await hearing.take(stage.ctx, ROLF, appeal_id)
    await hearing.decide(stage.ctx, ROLF, appeal_id, DOWN, "You have a licence. We are sorry.", Cause.LAWFUL)
    await stage.r.quiet()
    first, undo = await stage.notices(case_id)
    assert (undo["purpose"], undo["measure"], str(undo["supersedes"])) == ("restore", "restore", str(first["id"]))
    case = await stage.case(case_id)
    assert (case["state"], case["aftermath"], case["undo"]) == ("withdrawn", "lifted_wrong", "requested")
    assert (case["outcome"], case["appeal_open"]) == ("registry_hold", False)
    await stage.pass_time(days=1)
    case = await stage.case(case_id)
    assert case["undo"] == "verified"
    row = await stage.ctx.db.fetchrow("select * from correction")
    assert row is not None
    assert (row["cause"], row["measure"]) == ("lawful", "hold")
    assert row["held_since"] < row["corrected_at"] < row["restored_at"]
    assert await stage.alarms() == []
    counts = (await accuracy.ledger(stage.ctx, RITA)).organisations[0].counts
    assert (counts.overturned, counts.accepted) == (1, 0)


async def test_a_name_that_does_not_come_back_alarms_until_it_does(stage: Stage) -> None:
    case_id = await held(stage)
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    appeal_id = await appealed(stage, case_id)
    await hearing.decide(stage.ctx, ROLF, appeal_id, DOWN, "You are right.", Cause.WRONG_NAME)
    await stage.pass_time(hours=47)
    assert "not_restored" not in await stage.alarms()
    await stage.pass_time(days=2)
    assert (await stage.alarms()).count("not_restored") == 1
    await stage.pass_time(days=5)
    assert (await stage.alarms()).count("not_restored") == 1, "once"
    assert (await stage.case(case_id))["undo"] == "requested"
    stage.r.sandbox.world.do(Act.RESTORE, MAIL, await stage.r.clock.now(), "registry")
    await stage.pass_time(days=3)
    assert (await stage.case(case_id))["undo"] == "verified"
    assert await stage.count("alarm where kind = 'not_restored' and closed_at is null") == 0


async def test_a_cure_is_no_mistake(stage: Stage) -> None:
    case_id = await held(stage)
    appeal_id = await appealed(stage, case_id)
    await hearing.decide(stage.ctx, ROLF, appeal_id, Outcome.PARTIAL, "You removed the pages.", Cause.CURED)
    assert (await stage.case(case_id))["aftermath"] == "lifted_cured"


async def test_what_never_left_is_not_told_of(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    case_id = await stage.notified(MAIL)
    appeal_id = await appealed(stage, case_id)
    await hearing.decide(stage.ctx, ROLF, appeal_id, DOWN, "You are right.")
    await stage.r.quiet()
    assert [n["purpose"] for n in await stage.notices(case_id)] == ["request", "withdrawal"], (
        "nothing was done to restore"
    )
    assert await stage.ctx.db.fetchval("select cause from correction") == "other"


# --- our silence --------------------------------------------------------------------------------------------------


async def test_an_enforced_hold_that_nobody_stands_up_for_is_lifted_without_a_person(stage: Stage) -> None:
    """domain.md 5.11, scenario 25."""
    case_id = await held(stage)
    await appealed(stage, case_id)
    due = (await hearing.appeals(stage.ctx, ROLF)).items[0]["decide_due"]
    await stage.r.advance_to(due - timedelta(seconds=1))
    assert await stage.alarms() == ["appeal_unanswered"]
    assert len(await stage.notices(case_id)) == 1
    await stage.pass_time(seconds=1)
    assert [n["purpose"] for n in await stage.notices(case_id)] == ["request", "restore"]
    assert await stage.alarms() == ["appeal_overdue", "appeal_unanswered"]
    case = await stage.case(case_id)
    assert (case["state"], case["aftermath"], case["appeal_open"]) == ("withdrawn", "lifted_lapsed", True)
    await stage.pass_time(days=2)
    assert (await stage.case(case_id))["undo"] == "verified"
    assert len(stage.received(MAIL)) == 2, "once"
    late = await hearing.decide(
        stage.ctx, ROLF, await appeal_of(stage, case_id), DOWN, "You were right.", Cause.WRONG_FACTS
    )
    assert late["aftermath"] == "lifted_wrong"
    assert len(stage.received(MAIL)) == 2


async def test_silence_about_what_nobody_did_lifts_nothing(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    case_id = await stage.notified(MAIL)
    await appealed(stage, case_id)
    await stage.pass_time(days=20)
    assert "appeal_overdue" in await stage.alarms()
    assert [n["purpose"] for n in await stage.notices(case_id)] == ["request"]


# --- limits -------------------------------------------------------------------------------------------------------


async def test_an_address_and_a_name_have_their_limits_and_the_holder_is_not_kept_out(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    link = await link_of(stage, case_id)
    ctx = replace(
        stage.ctx,
        settings=replace(stage.ctx.settings, appeal_quota_name_day=2, appeal_quota_address_minute=3),
    )
    for n in range(2):
        await appealing.file(ctx, filing(), f"203.0.113.{n}")
    with pytest.raises(TooMany):
        await appealing.file(ctx, filing(), "203.0.113.9")
    with pytest.raises(TooMany):  # in another spelling it is the same name
        await appealing.file(ctx, filing(f"https://WWW.{MAIL.upper()}/page"), "203.0.113.10")
    await appealing.file(ctx, filing(reference=link), "203.0.113.11")
    for n in range(3):
        await appealing.file(ctx, filing(f"unknown-{n}.com"), "2001:db8::1")
    with pytest.raises(TooMany) as over:  # the same network of one host (RFC 6177)
        await appealing.file(ctx, filing("unknown-4.com"), "2001:db8::2")
    assert over.value.extra["retry_after"] >= 1
    assert await stage.count("quota_count where of like '%203.0.113%' or of like '%cheap%'") == 0, "nothing in plain"


async def test_the_log_gets_digests_and_no_words(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    appeal_id = await appealed(stage, case_id)
    await hearing.decide(stage.ctx, ROLF, appeal_id, UP, "Seven green bottles.")
    told = str([dict(r) for r in await stage.ctx.db.fetch("select body from audit_entry")])
    for word in ("licence, and you", "their-mail", "Seven green"):
        assert word not in told
    tags = await stage.tags(case_id)
    assert {"appeal.opened", "appeal.proven", "case.appeal_opened", "appeal.decided", "case.appeal_closed"} <= set(tags)


# --- several cases ------------------------------------------------------------------------------------------------


async def test_three_cases_of_one_name_are_three_appeals_to_whoever_shows_control_and_one_by_a_link(
    stage: Stage,
) -> None:
    first = await stage.notified(MAIL)
    await review.withdraw(stage.ctx, RITA, first, "an error", "other")
    await stage.r.quiet()
    cases = [first]
    for n in range(2):
        await stage.pass_time(hours=1)
        fresh = row(MAIL, external_id=f"again-{n}")
        said = await stage.submit(fresh)
        assert said.case_id not in (None, *cases), (said.code, said.detail)
        cases.append(str(said.case_id))
        await stage.r.quiet()
        await stage.approve(cases[-1])
        await stage.pass_time(minutes=31)
        if n == 0:
            await review.withdraw(stage.ctx, RITA, cases[-1], "an error", "other")
            await stage.r.quiet()
    by_link = await filed(stage, reference=await link_of(stage, cases[1]))
    assert [one.case_id for one in (await appealing.status(stage.ctx, by_link)).decisions] == [cases[1]]
    secret = await filed(stage)
    await show_control(stage, secret)
    found = (await appealing.status(stage.ctx, secret)).decisions
    assert sorted(one.case_id for one in found) == sorted(cases)
    assert await stage.count("appeal") == 3


async def test_a_case_is_not_merged_away_while_its_appeal_is_heard(stage: Stage) -> None:
    case_id = await stage.notified(MAIL)
    await appealed(stage, case_id)
    other = await stage.case_in_review(HOOK)
    with pytest.raises(Conflict) as refused:
        await joining.merge(stage.ctx, ROLF, case_id, other, "the same matter")
    assert refused.value.code == "appeal_open"


@pytest.mark.parametrize(("cause", "right"), [(Cause.LAWFUL, 0), (Cause.CURED, 1)])
async def test_an_approval_that_was_overturned_is_no_accurate_one_whatever_state_its_case_is_in(
    stage: Stage, cause: Cause, right: int
) -> None:
    """A case that is over, and one whose recipient has not answered: both decisions fell."""
    over = await held(stage)
    stage.r.sandbox.desk.party_behaviours["pir"] = "silent"
    open_still = await stage.notified(HOOK)

    async def share() -> tuple[int, int]:
        cohort = (await statistics.statistics(stage.ctx, RITA, Query())).whole.cohort
        assert cohort is not None
        return cohort.shares["accuracy"].n, cohort.shares["accuracy"].of

    assert await share() == (2, 2)
    await hearing.decide(stage.ctx, ROLF, await appealed(stage, over), DOWN, "You are right.", cause)
    assert await share() == (1 + right, 2)
    await hearing.decide(stage.ctx, ROLF, await appealed(stage, open_still, HOOK), DOWN, "You are right.", cause)
    assert await share() == (2 * right, 2)
