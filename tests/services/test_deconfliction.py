"""A name that an authority investigates: its case is taken as any other, waits quietly, and goes on when released."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from notifier.errors import Forbidden, Invalid, NotFound
from notifier.sandbox.world import Act
from notifier.services import access, deconfliction, joining, reading, review
from notifier.services.access import Principal, Role
from notifier.services.deconfliction import EntryIn, Listed
from notifier.services.reading import CaseFilter
from tests.services.stages import MAIL, RITA, ROLF, SAM, TIM, Stage, row
from tests.services.test_joining import about, opened

DORA = Principal("Dora Detective", "person", Role.REVIEWER, "bureau", permissions=frozenset({"deconflict"}))
OTHER = Principal("Omar Officer", "person", Role.REVIEWER, "agency", permissions=frozenset({"deconflict"}))


async def listed(stage: Stage, pattern: str = MAIL, **more: Any) -> Listed:
    return await deconfliction.add(stage.ctx, DORA, EntryIn(pattern, "Bureau", "OP-1", **more))


async def test_nothing_leaves_for_a_listed_name(stage: Stage) -> None:
    await listed(stage)
    said = await stage.submit(row())
    assert (said.state, said.code, said.warnings) == ("in_review", None, ())
    assert said.case_id
    await stage.r.quiet()
    await stage.approve(said.case_id)
    await stage.pass_time(days=3)
    assert await stage.state(said.case_id) == "approved"
    assert [n["state"] for n in await stage.notices(said.case_id)] == ["queued"]
    assert stage.received() == []
    assert await stage.attempts((await stage.notice(said.case_id))["id"]) == []
    looks = await stage.ctx.db.fetch("select look from observation where case_id = $1", said.case_id)
    assert [look["look"].get("content") for look in looks] == [None], "the registry was asked, and no page"
    assert await stage.tasks() == []


async def test_the_database_holds_it_back_too(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await listed(stage)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await stage.ctx.db.pool.execute("update notice set state = 'sending' where case_id = $1", case_id)


@pytest.mark.parametrize("when", ["needs_evidence", "in_review", "approved", "notified"])
async def test_a_new_entry_catches_an_open_case_at_once(stage: Stage, when: str) -> None:
    if when == "needs_evidence":
        said = await stage.submit(row(evidence=[]))
        assert said.case_id
        case_id = said.case_id
        await stage.r.quiet()
    else:
        case_id = await stage.case_in_review()
    if when in ("approved", "notified"):
        await stage.approve(case_id)
    if when == "notified":
        stage.r.sandbox.desk.behaviours[MAIL] = "throttle_then_obey"
        await stage.pass_time(minutes=30)
        assert (await stage.notice(case_id))["state"] == "queued", "turned away once, and tried again in a minute"
    before, tags = await stage.case(case_id), await stage.tags(case_id)
    found = await listed(stage, f"*.{MAIL}")
    assert [(str(c["id"]), c["state"], c["ended_at"]) for c in found.held] == [(case_id, when, None)]
    await stage.pass_time(days=2)
    assert stage.received() == []
    assert (await stage.case(case_id), await stage.tags(case_id)) == (before, tags), "no trace of it in case and log"


async def test_what_was_sent_before_is_told_to_who_adds_the_entry(stage: Stage) -> None:
    case_id = await stage.notified()
    found = await listed(stage)
    [notice] = found.held[0]["notices"]
    assert (notice["id"], notice["state"], notice["registry"]) == (
        str((await stage.notice(case_id))["id"]),
        "sent",
        "verisign",
    )
    assert notice["sent_at"] is not None


async def test_a_withdrawal_waits_too(stage: Stage) -> None:
    case_id = await stage.notified()
    entry = (await listed(stage)).entry["id"]
    await review.withdraw(stage.ctx, RITA, case_id, "an error", "error")
    await stage.pass_time(days=1)
    assert (await stage.notice(case_id))["state"] == "queued"
    await deconfliction.release(stage.ctx, DORA, str(entry), "over")
    await stage.pass_time(minutes=1)
    undo = await stage.notice(case_id)
    assert (undo["purpose"], undo["state"]) == ("withdrawal", "sent")


async def test_released_it_goes_on_as_it_was_approved(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    entry = (await listed(stage)).entry["id"]
    await stage.pass_time(hours=2)
    done = await deconfliction.release(stage.ctx, DORA, str(entry), "over")
    assert (done.entry["released_by"], done.entry["waiting"]) == (DORA.id, 0)
    await stage.r.quiet()
    assert await stage.state(case_id) == "notified"
    assert len(stage.received(MAIL)) == 1
    again = await deconfliction.release(stage.ctx, DORA, str(entry), "twice")
    assert (again.known, again.entry["release_note"]) == (True, "over")


@pytest.mark.parametrize(
    ("act", "state"), [(Act.TRANSFER, "in_review"), (Act.REREGISTER, "superseded"), (Act.REMOVE_CONTENT, "in_review")]
)
async def test_released_nothing_leaves_when_something_changed(stage: Stage, act: Act, state: str) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    entry = (await listed(stage)).entry["id"]
    stage.r.sandbox.world.do(act, MAIL, await stage.r.clock.now(), "registrant")
    await stage.pass_time(hours=2)
    await deconfliction.release(stage.ctx, DORA, str(entry), "over")
    await stage.r.quiet()
    assert (await stage.state(case_id), stage.received()) == (state, [])


async def test_evidence_that_grew_old_meanwhile_is_asked_for_anew(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    entry = (await listed(stage)).entry["id"]
    await stage.pass_time(days=5)
    await deconfliction.release(stage.ctx, DORA, str(entry), "over")
    await stage.r.quiet()
    assert (await stage.state(case_id), stage.received()) == ("needs_evidence", [])


async def test_an_entry_ends_by_itself(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await listed(stage, until=await stage.r.clock.now() + timedelta(hours=3))
    await stage.pass_time(hours=2)
    assert stage.received() == []
    await stage.pass_time(hours=2)
    assert await stage.state(case_id) == "notified"
    assert len(stage.received(MAIL)) == 1
    late = await stage.submit(about("later-pharma.com"))
    assert late.state == "in_review"


async def test_two_entries_hold_until_both_are_over(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    one, two = (await listed(stage)).entry["id"], (await listed(stage, "cheap-*.*")).entry["id"]
    await stage.pass_time(hours=1)
    await deconfliction.release(stage.ctx, DORA, str(one), "over")
    await stage.r.quiet()
    assert stage.received() == []
    await deconfliction.release(stage.ctx, DORA, str(two), "over")
    await stage.r.quiet()
    assert len(stage.received(MAIL)) == 1


async def test_the_recipient_has_all_its_time_after_a_release(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    stage.r.sandbox.desk.behaviours[MAIL] = "throttle_then_obey"
    await stage.pass_time(minutes=30)
    assert await stage.state(case_id) == "notified"
    entry = (await listed(stage)).entry["id"]
    await stage.pass_time(hours=26)
    before = await stage.ctx.db.fetchval(
        "select due_at from timer where case_id = $1 and kind = 'case.clock_ended' and cancelled_at is null", case_id
    )
    await deconfliction.release(stage.ctx, DORA, str(entry), "over")
    await stage.r.quiet()
    after = await stage.ctx.db.fetchval(
        "select due_at from timer where case_id = $1 and kind = 'case.clock_ended' and cancelled_at is null", case_id
    )
    assert after > before
    assert len(stage.received(MAIL)) == 1


async def test_only_the_permission_opens_the_list(stage: Stage) -> None:
    entry = (await listed(stage)).entry["id"]
    for who in (SAM, RITA, Principal("Ada Admin", "person", Role.ADMIN)):
        for act in (
            deconfliction.entries(stage.ctx, who),
            deconfliction.entry(stage.ctx, who, str(entry)),
            deconfliction.add(stage.ctx, who, EntryIn("evil.com", "a", "b")),
            deconfliction.release(stage.ctx, who, str(entry), "n"),
        ):
            with pytest.raises(Forbidden):
                await act
    assert (await deconfliction.entries(stage.ctx, OTHER)).items == []
    for act in (
        deconfliction.entry(stage.ctx, OTHER, str(entry)),
        deconfliction.release(stage.ctx, OTHER, str(entry), "n"),
    ):
        with pytest.raises(NotFound):
            await act
    assert [e["pattern"] for e in (await deconfliction.entries(stage.ctx, DORA, standing=True)).items] == [MAIL]
    assert (await deconfliction.entries(stage.ctx, DORA, standing=False)).items == []


async def test_a_permission_is_on_the_token_alone(stage: Stage) -> None:
    db = stage.ctx.db
    plain = await access.add_token(db, "Ada Admin", "admin", by="test")
    assert (await access.authenticate(db, plain.token)).permissions == frozenset()
    made = await access.add_token(db, "Ada Admin", "admin", by="test", permissions=["deconflict"])
    assert (await access.authenticate(db, made.token)).permissions == {"deconflict"}
    for wrong in ({"role": "admin", "permissions": ["all"]}, {"role": "evaluator", "permissions": ["deconflict"]}):
        with pytest.raises(Invalid):
            await access.add_token(db, "Ada Admin", by="test", **wrong)  # type: ignore[arg-type]
    with pytest.raises(Invalid):
        await access.add_token(db, "robot", "reviewer", by="test", service=True, permissions=["deconflict"])


async def test_an_entry_is_added_once_and_not_for_the_past(stage: Stage) -> None:
    one, two = await listed(stage), await listed(stage)
    assert (one.entry["id"], two.known) == (two.entry["id"], True)
    with pytest.raises(Invalid):
        await listed(stage, "other.com", until=await stage.r.clock.now())
    with pytest.raises(Invalid) as whole:
        await listed(stage, "*.com")
    assert whole.value.code == "invalid_pattern"


async def test_a_case_that_opens_while_an_entry_is_added_is_caught(stage: Stage) -> None:
    for n in range(8):
        name = f"meanwhile-{n}-pharma.com"
        said, _ = await asyncio.gather(stage.submit(about(name)), listed(stage, name))
        held = await stage.count("deconfliction_hold where case_id = $1 and ended_at is null", said.case_id)
        assert held == 1, name


async def test_a_hold_follows_a_merge_and_a_detached_report_is_checked(stage: Stage) -> None:
    winner = await stage.case_in_review()
    loser = await opened(stage, "second-name-pharma.com", TIM)
    [moved] = await stage.ctx.db.fetch("select id from report where case_id = $1", loser)
    await listed(stage, "second-name-pharma.com")
    done = await joining.merge(stage.ctx, ROLF, loser, winner, "one shop")
    assert done.other.embargo
    parted = await joining.detach_reports(stage.ctx, ROLF, winner, [str(moved["id"])], "two shops")
    assert parted.other.embargo


async def test_no_face_is_given_the_hold_without_the_permission(stage: Stage) -> None:
    await listed(stage)
    case_id = await stage.case_in_review()
    for who, expected in ((SAM, None), (RITA, None), (replace(RITA, permissions=frozenset({"deconflict"})), True)):
        one = await reading.case(stage.ctx, who, case_id)
        [row_] = (await reading.cases(stage.ctx, who, CaseFilter())).items
        assert (one["embargo"], row_["embargo"]) == (expected, expected), who


async def test_the_log_commits_to_what_it_does_not_tell(stage: Stage) -> None:
    await listed(stage)
    await stage.submit(row())
    await stage.submit(about("free-pharma.com"))
    rows = await stage.ctx.db.fetch("select * from audit_entry where tag like 'deconfliction%' order by id")
    assert [r["actor"] for r in rows] == ["deconfliction", SAM.id, SAM.id]
    told = " ".join(r["body"] for r in rows)
    for secret in (MAIL, "Bureau", "OP-1", DORA.id, "free-pharma", "listed", "checked"):
        assert secret not in told, secret
    assert {len(r["body"]) for r in rows[1:]} == {len(rows[1]["body"])}, "held or not, it looks the same"
    assert {(r["case_id"], r["rev"]) for r in rows} == {(None, None)}
    assert (await stage.audit()).exit_code == 0


async def test_the_log_finds_what_was_changed_in_the_records(stage: Stage, database_url: str) -> None:
    await listed(stage)
    con = await asyncpg.connect(database_url)
    await con.execute("alter table deconfliction_record disable trigger append_only")
    kept = await con.fetchrow("select * from deconfliction_record")
    assert kept is not None
    await con.execute("update deconfliction_record set content = '{}'")
    report = await stage.audit()
    assert [str(kept["id"]) in fault for fault in report.faults] == [True]
    await con.execute("update deconfliction_record set content = $1", kept["content"])
    await con.close()
