"""Requests leave at the agreed moments, each its own message; what is urgent or asks for less waits for none."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from notifier import bootstrap, catalog, resources
from notifier.rehearsal import Cast, Plan
from notifier.services import agreements, batching, review
from notifier.settings import Settings
from tests.services.conftest import Opens
from tests.services.stages import ADA, BORIS, RITA, START, Stage
from tests.services.test_joining import about

AGREEMENT = "opioids.verisign"
BATCH = {"at": ["09:00", "15:00"], "zone": "America/New_York", "days": "working", "calendar": "us-federal"}
TERMS: dict[str, Any] = {
    "batch": BATCH,
    "reminders": True,
    "clocks": {
        "acknowledge": {"within": "20h", "commitment": "none"},
        "decide": {"within": "72h", "commitment": "none"},
    },
}
PLAN = Plan([Cast("verisign", [AGREEMENT], "smtp", "notices@verisign.sandbox.test", terms=TERMS)], START)


@pytest.fixture
async def stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage(PLAN) as opened:
        opened.r.sandbox.desk.party_behaviours["verisign"] = "silent"
        yield opened


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def left(stage: Stage, case_id: str) -> list[tuple[str, datetime | None]]:
    return [(n["purpose"], n["sent_at"]) for n in await stage.notices(case_id)]


async def test_a_request_its_clock_and_its_reminder_keep_to_the_moments(stage: Stage) -> None:
    # The window is over at 09:30 in New York, half an hour after the morning's moment.
    case_id = await stage.notified()
    assert await left(stage, case_id) == [("request", None)]
    await stage.r.advance_to(at("2026-11-02T19:59"))
    assert stage.received() == []
    await stage.r.advance_to(at("2026-11-02T20:00"))
    assert await left(stage, case_id) == [("request", at("2026-11-02T20:00"))]
    # Twenty hours later is 11:00 in New York, and the next moment 15:00.
    await stage.r.advance_to(at("2026-11-03T19:59"))
    assert [p for p, _ in await left(stage, case_id)] == ["request", "reminder"]
    assert len(stage.received()) == 1
    await stage.r.advance_to(at("2026-11-03T20:00"))
    assert (await left(stage, case_id))[1] == ("reminder", at("2026-11-03T20:00"))
    # Three days from when it left, not from when it was dispatched.
    await stage.r.advance_to(at("2026-11-05T19:59"))
    assert await stage.state(case_id) == "notified"
    await stage.r.advance_to(at("2026-11-05T20:01"))
    assert (await stage.case(case_id))["outcome"] == "no_response"


async def test_a_batch_is_many_messages_at_the_agreed_pace(stage: Stage) -> None:
    known = stage.ctx.catalog.agreements[AGREEMENT]
    slow = replace(known, pace=replace(known.pace, per_hour=2, burst=1))
    stage.ctx.catalog.agreements[AGREEMENT] = slow  # type: ignore[index]
    for n in range(4):
        said = await stage.submit(about(f"batch-{n}.com"))
        await stage.r.quiet()
        await stage.approve(str(said.case_id))
    await stage.r.advance_to(at("2026-11-02T20:00"))
    assert len(stage.received()) == 1
    await stage.r.advance_to(at("2026-11-02T23:00"))
    assert len(stage.received()) == 2, "what an hour does not suffice for waits for the next moment"
    await stage.r.advance_to(at("2026-11-03T15:00"))
    assert len(stage.received()) == 4
    assert len({d.ask.notice_id for d in stage.received()}) == len({d.ask.domain for d in stage.received()}) == 4


async def test_urgent_cases_and_withdrawals_wait_for_no_batch(stage: Stage) -> None:
    case_id = await stage.notified(priority="urgent")
    assert (await stage.case(case_id))["priority"] == batching.URGENT
    assert [d.ask.purpose for d in stage.received()] == ["request"]
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.r.quiet()
    assert [d.ask.purpose for d in stage.received()] == ["request", "withdrawal"]


async def test_what_waits_for_its_batch_is_taken_back_without_a_word(stage: Stage) -> None:
    case_id = await stage.notified()
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.r.advance_to(at("2026-11-03T21:00"))
    assert (stage.received(), [n["state"] for n in await stage.notices(case_id)]) == ([], ["cancelled"])


async def test_what_was_armed_late_leaves_with_its_batch_for_an_hour_and_not_later(stage: Stage) -> None:
    await stage.notified()
    await agreements.disarm(stage.ctx, ADA, AGREEMENT)
    await stage.r.advance_to(at("2026-11-02T21:30"))
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, AGREEMENT)
    await stage.r.quiet()
    assert stage.received() == []
    await stage.r.advance_to(at("2026-11-03T14:00"))
    assert len(stage.received()) == 1


async def test_one_moment_is_planned_once_however_often_it_is_asked(stage: Stage) -> None:
    case_id = await stage.notified()
    notice = str((await stage.notice(case_id))["id"])
    for _ in range(3):
        assert await batching.held(stage.ctx, notice)
    waiting = "timer where kind = 'notice.send' and fired_at is null and cancelled_at is null and ref = $1"
    assert await stage.count(waiting, notice) == 1


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('[batch]\nat = ["9:00"]\nzone = "America/New_York"', "batch.at"),
        ('[batch]\nat = []\nzone = "America/New_York"', "batch.at"),
        ('[batch]\nat = ["09:00", "09:00"]\nzone = "America/New_York"', "batch.at"),
        ('[batch]\nat = ["09:00"]\nzone = "New York"', "batch.zone"),
        ('[batch]\nat = ["09:00"]\nzone = "America"', "batch.zone"),
        ('[batch]\nat = ["09:00"]', "batch.zone"),
        ('[batch]\nat = ["09:00"]\nzone = "America/New_York"\ndays = "working"', "batch.calendar"),
        ('[batch]\nat = ["09:00"]\nzone = "America/New_York"\ndays = "working"\ncalendar = "x"', "batch.calendar"),
        ('[batch]\nat = ["09:00"]\nzone = "America/New_York"\ncalendar = "us-federal"', "batch.calendar"),
        ('[digest]\nat = ["08:00"]\nzone = "America/New_York"', "digest.at"),
        ('[digest]\nat = "24:00"\nzone = "America/New_York"', "digest.at"),
        ('[poll]\nfirst = "5s"', "poll.first"),
        ('[poll]\nfirst = "2d"\nlongest = "1d"', "poll.longest"),
        ('[poll]\nevery = "1d"', "poll.every"),
    ],
)
def test_wrong_times_are_a_fault_of_the_file(lines: str, key: str, tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "opioids.pir.toml", lines)
    assert fault.key == key


def test_whoever_is_found_gets_no_daily_list(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "opioids.registrar.toml", '[digest]\nat = "08:00"\nzone = "America/New_York"')
    assert fault.key == "digest"


def test_a_channel_that_carries_no_words_has_no_daily_list(tmp_path: Path) -> None:
    file = '[digest]\nat = "08:00"\nzone = "America/New_York"'
    for adapter, expected in (("webhook", ["digest"]), ("smtp", [])):
        found = copied(tmp_path / adapter, "opioids.pir.toml", file)
        pir = found / "agreements" / "opioids.pir.toml"
        keys = {"webhook": 'url = "https://desk.example/hook", secret = "pir"', "smtp": 'to = "desk@desk.example"'}
        channel = f'adapter = "{adapter}"\naddress = {{ {keys[adapter]} }}\n'
        pir.write_text(channel + pir.read_text(encoding="utf-8"), encoding="utf-8")
        settings = Settings(state_dir=tmp_path, config_folder=found)
        assert [f.key for f in bootstrap.channel_faults(settings, bootstrap.catalog_of(settings))] == expected


def copied(folder: Path, file: str, lines: str) -> Path:
    found = folder / "config"
    shutil.copytree(resources.folder("config"), found)
    place = found / "agreements" / file
    place.write_text(f"{place.read_text(encoding='utf-8')}\n{lines}\n", encoding="utf-8")
    return found


def faults(folder: Path, file: str, lines: str) -> list[catalog.Fault]:
    return catalog.check(copied(folder, file, lines), None, (), None)
