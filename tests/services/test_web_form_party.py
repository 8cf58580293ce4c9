"""The whole way of a web form: a person fetches the simulated form, files what is shown, and the party answers by script."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from notifier.domain.epp import Measure
from notifier.rehearsal import Cast, overlay_of
from notifier.sample_people import Api, Clerk, file, names_of
from notifier.sandbox.form_registry import LABELS
from notifier.services import access, review
from notifier.services.access import Role
from tests.services.conftest import Opens
from tests.services.stages import HOOK, PLAN, RITA, Stage

FORM = Cast("pir", ["opioids.pir"], "webform", words={"suspension": Measure.HOLD})


@pytest.fixture
async def stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage(replace(PLAN, cast=[PLAN.cast[0], FORM])) as opened:
        yield opened


async def clerk_works(stage: Stage) -> int:
    made = await access.add_token(stage.ctx.db, "Rolf Reviewer", Role.REVIEWER, by="test")
    async with aiohttp.ClientSession(base_url=stage.r.url) as session:
        done = await Clerk(Api(session, made.token)).work()
    await stage.r.quiet()
    return done


async def test_a_form_is_filled_in_and_the_party_does_as_asked(stage: Stage) -> None:
    case_id = await stage.notified(HOOK)
    assert await clerk_works(stage) == 1
    notice = await stage.notice(case_id)
    (got,) = stage.received(HOOK)
    assert (got.ask.notice_id, got.ask.measure, got.ask.doubt) == (str(notice["id"]), Measure.HOLD, "")
    sent = json.loads(got.raw)
    assert sent["text"].replace("\r\n", "\n") == notice["content"]["text"].replace("\r\n", "\n")
    reference = await stage.ctx.db.fetchval("select reference from attempt where notice_id = $1", notice["id"])
    assert (notice["state"], reference) == ("sent", got.key)
    await stage.pass_time(days=1)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["observed"]) == ("resolved", "registry_hold", "verified")
    assert await clerk_works(stage) == 0


async def test_a_declining_party_is_heard_by_its_signed_webhook(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[HOOK] = "decline:declined_nexus"
    case_id = await stage.notified(HOOK)
    await clerk_works(stage)
    await stage.pass_time(days=1)
    assert (await stage.case(case_id))["outcome"] == "declined_nexus"


async def test_a_busy_form_is_tried_once_more(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[HOOK] = "throttle_then_obey"
    case_id = await stage.notified(HOOK)
    await clerk_works(stage)
    assert ((await stage.notice(case_id))["state"], len(stage.received(HOOK))) == ("sent", 1)


async def test_a_form_that_is_gone_is_not_filed(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[HOOK] = "bounce"
    case_id = await stage.notified(HOOK)
    await clerk_works(stage)
    assert ((await stage.notice(case_id))["state"], await stage.task_kinds()) == ("bounced", ["no_contact"])
    assert "the form answers 410" in (await stage.tasks())[0]["detail"]


async def test_a_page_that_does_not_come_back_is_unsure(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[HOOK] = "silent"
    stage.r.sandbox.form.after_acceptance.drop()
    case_id = await stage.notified(HOOK)
    await clerk_works(stage)
    assert ((await stage.notice(case_id))["state"], await stage.task_kinds()) == ("uncertain", ["uncertain"])
    await stage.pass_time(days=1)
    assert len(stage.received(HOOK)) == 1, "nobody files again what may have arrived"


async def test_a_withdrawal_is_filed_behind_its_request(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[HOOK] = "silent"
    case_id = await stage.notified(HOOK)
    await clerk_works(stage)
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error")
    await stage.r.quiet()
    assert await clerk_works(stage) == 1
    assert [(got.ask.purpose, got.ask.undo) for got in stage.received(HOOK)] == [
        ("request", False),
        ("withdrawal", True),
    ]


async def test_a_form_whose_fields_are_others_is_not_guessed_at(stage: Stage) -> None:
    where = stage.r.sandbox.where()["forms"]["pir"]
    async with aiohttp.ClientSession() as http, http.get(where) as page:
        assert list(names_of(await page.text())) == list(LABELS)
    said = await file(where, {"Domain name": HOOK, "Name of the domain": HOOK})
    assert (said["resolution"], "Name of the domain" in said["note"]) == ("not_filed", True)
    assert stage.received() == []


@pytest.mark.parametrize("missing", ["Domain name", "Description"])
async def test_the_form_takes_nothing_half(stage: Stage, missing: str) -> None:
    where = stage.r.sandbox.where()["forms"]["pir"]
    said = await file(where, {label: "" if label == missing else "x" for label in LABELS})
    assert said == {"resolution": "not_filed", "note": "the form answers 422"}
    assert stage.received() == []


def inline(value: Any) -> str:
    """A text, a number or a table as TOML on one line."""
    if isinstance(value, str | float):
        return json.dumps(value)
    return "{" + ", ".join(f"{json.dumps(key)} = {inline(each)}" for key, each in value.items()) + "}"


async def test_a_notice_is_carried_from_a_terminal(stage: Stage, database_url: str, tmp_path: Path) -> None:
    case_id = await stage.notified(HOOK)
    made = await access.add_token(stage.ctx.db, "Rita Reviewer", Role.REVIEWER, by="test")
    overlay, named = tmp_path / "overlay.toml", overlay_of([PLAN.cast[0], FORM], stage.r.sandbox.where())
    overlay.write_text("\n".join(f"{key} = {inline(value)}" for key, value in named.items()))

    async def notifier(*args: str) -> tuple[int, str]:
        env = {**os.environ, "NOTIFIER_DATABASE_URL": database_url, "NOTIFIER_STATE_DIR": str(tmp_path)}
        env |= {"NOTIFIER_EGRESS": "loopback", "NOTIFIER_CATALOG_OVERLAY": str(overlay), "NOTIFIER_TOKEN": made.token}
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "notifier.cli.main", "task", *args),
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await done.communicate()
        return done.returncode or 0, out.decode()

    code, said = await notifier("list", "--json")
    task = json.loads(said.splitlines()[-1])
    assert (code, task["kind"], task["case_id"]) == (0, "webform", case_id)
    code, said = await notifier("show", task["id"], "--into", str(tmp_path / "early"))
    assert (code, "take the task first" in said) == (2, True), said
    assert (await notifier("take", task["id"]))[0] == 0
    code, said = await notifier("show", task["id"], "--into", str(tmp_path / "files"))
    assert (code, f"    {HOOK}" in said) == (0, True), said
    text = (await stage.notice(case_id))["content"]["text"]
    assert (tmp_path / "files" / "notice.txt").read_bytes() == text.encode()
    assert (await notifier("resolve", task["id"], "filed"))[0] == 2
    receipt = tmp_path / "receipt.png"
    receipt.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    code, said = await notifier("resolve", task["id"], "filed", "--reference", "T-5", "--receipt", str(receipt))
    assert code == 0, said
    assert (await stage.notice(case_id))["state"] == "sent"
    via = "select via from audit_entry where tag = 'notice.sent' and case_id = $1"
    assert await stage.ctx.db.fetchval(via, case_id) == "cli"
