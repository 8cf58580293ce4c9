"""Somebody with the owner's database role edits a case behind our back: verify names the case."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from notifier.rehearsal import rehearsal
from tests.services.stages import PLAN, Stage

EDITS = {
    "outcome": "'registry_hold'",
    "observed": "'verified'",
    "target": "'other.com'",
    "measure": "'lock'",
    "agreement": "null",
    "approvers": "'{nobody}'",
    "epoch": "'another'",
    "registration": "'{}'::jsonb",
    "opened_at": "opened_at - interval '1 day'",
    "safety": "'second_review'",
}


@pytest.fixture
async def noticed(database_url: str, tmp_path: object) -> AsyncIterator[Stage]:
    async with rehearsal(tmp_path, database_url, PLAN) as running:  # type: ignore[arg-type]
        stage = Stage(running)
        await stage.notified()
        yield stage


@pytest.mark.parametrize("column", EDITS)
async def test_an_edited_case_is_named(noticed: Stage, database_url: str, column: str) -> None:
    reference = await noticed.ctx.db.fetchval("select reference from cases")
    assert (await noticed.audit()).exit_code == 0
    con = await asyncpg.connect(database_url)
    await con.execute("set session_replication_role = replica")  # as a superuser may: no trigger sees it
    await con.execute(f"update cases set {column} = {EDITS[column]}")
    await con.close()
    report = await noticed.audit()
    assert report.exit_code == 1
    assert [fault for fault in report.faults if reference in fault], report.faults


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        ("update report set raw = raw || ' '::bytea", "report"),
        ("update notice set content = jsonb_set(content, '{recipient_address}', '\"x@elsewhere.example\"')", "notice"),
        (
            "update notice set content = jsonb_set(content, '{domain}', '\"other.com\"'), digest = repeat('0', 64)",
            "notice",
        ),
        ("update notice set content = '{}'::jsonb", "notice"),
    ],
)
async def test_an_edited_document_is_named(noticed: Stage, database_url: str, edit: str, named: str) -> None:
    con = await asyncpg.connect(database_url)
    named_id = await con.fetchval(f"select id from {named}")
    await con.execute(edit)
    await con.close()
    report = await noticed.audit()
    assert report.exit_code == 1
    assert [fault for fault in report.faults if f"{named} {named_id}" in fault], report.faults


@pytest.mark.parametrize(
    "edit",
    [
        "update assessment set why = 'harmless' where measured",
        "update assessment set signals = '{}' where measured",
        "update assessment set safety = 'reroute' where measured",
        "update assessment set rev = rev + 40 where measured",
        "delete from assessment where measured",
    ],
)
async def test_an_edited_assessment_is_named(noticed: Stage, database_url: str, edit: str) -> None:
    con = await asyncpg.connect(database_url)
    await con.execute("set session_replication_role = replica")
    named_id = await con.fetchval("select id from assessment where measured")
    await con.execute(edit)
    await con.close()
    report = await noticed.audit()
    assert report.exit_code == 1
    assert [fault for fault in report.faults if f"assessment {named_id}" in fault], report.faults


@pytest.mark.parametrize(
    "edit",
    [
        "update transition set to_state = 'resolved' where to_state = 'notified'",
        "update transition set told_at = told_at - interval '1 day' where tag = 'case.opened'",
        "update transition set word = 'other.com' where tag = 'case.opened'",
        "delete from transition where tag = 'notice.sent'",
        "create temp table copy as select * from transition where tag = 'notice.sent'; "
        "update copy set entry_id = 999999; insert into transition select * from copy",
    ],
)
async def test_edited_statistics_are_named(noticed: Stage, database_url: str, edit: str) -> None:
    con = await asyncpg.connect(database_url)
    await con.execute("set session_replication_role = replica")
    await con.execute(edit)
    await con.close()
    report = await noticed.audit()
    assert report.exit_code == 1
    assert [fault for fault in report.faults if fault.startswith("statistics")], report.faults
