"""Statements of reasons as files: each fits the schema, none tells of a person, and an embargo is not told."""

import json
from datetime import timedelta

import pytest

from notifier.domain import dsa_schema
from notifier.errors import Forbidden, Invalid, NotFound
from notifier.services import deconfliction, reasons, reasons_export, review
from notifier.services.access import Principal, Role
from notifier.services.deconfliction import EntryIn
from tests.services.stages import ADA, HOOK, MAIL, RITA, SAM, TIM, Stage, row
from tests.services.test_deconfliction import DORA
from tests.services.test_statistics import EVA

CANARY = "canary-of-the-reporter"


async def told(stage: Stage) -> str:
    """A request that left, of a report with words and addresses that nobody else may read."""
    case_id = await stage.notified(MAIL)
    page = f"http://{MAIL}/people/{CANARY}?mail={CANARY}@example.org"
    later = await stage.submit(row(MAIL, urls=[page], summary=f"Sold by {CANARY}"), TIM)
    assert later.case_id == case_id
    fields, _ = await reasons.of_case(stage.ctx, RITA, case_id)
    assert CANARY in fields["decision_facts"], "the registrant may read which pages were read"
    return case_id


async def test_each_request_that_left_is_one_statement_and_names_nobody(stage: Stage) -> None:
    case_id = await told(stage)
    await stage.notified(HOOK)
    made = await reasons_export.exported(stage.ctx, RITA, "opioids", None, None, via="cli")
    assert (made.statements, len(made.batches), made.refused) == (2, 1, {})
    content = made.batches[0].decode()
    statements = json.loads(content)["statements"]
    assert [dsa_schema.faults(one) for one in statements] == [[], []]
    first = statements[0]
    assert (first["content_date"], first["application_date"]) == ("2026-11-02", "2026-11-02")
    assert first["decision_provision"] == "DECISION_PROVISION_TOTAL_SUSPENSION"
    assert first["category"] == "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS"
    assert first["puid"].startswith((await stage.case(case_id))["reference"])
    assert MAIL in first["decision_facts"]
    for word in (CANARY, SAM.id, RITA.id, "Submitter", "Reviewer", "@", "http"):
        assert word not in content, word
    entry = await stage.ctx.db.fetchrow("select via, subject, body from audit_entry where tag = 'reasons.exported'")
    assert entry is not None
    assert (entry["via"], entry["subject"]) == ("cli", "opioids")
    assert json.loads(entry["body"])["detail"]["statements"] == 2


async def test_bounds_are_of_the_sending(stage: Stage) -> None:
    await stage.notified(MAIL)
    sent = (await stage.notices(str(await stage.ctx.db.fetchval("select id from cases"))))[0]["sent_at"]
    for start, end, n in ((sent, None, 1), (None, sent, 0), (sent, sent + timedelta(seconds=1), 1)):
        made = await reasons_export.exported(stage.ctx, RITA, "opioids", start, end, via="cli")
        assert (made.statements, len(made.batches)) == (n, n)
    with pytest.raises(Invalid):
        await reasons_export.exported(stage.ctx, RITA, "opioids", sent, sent - timedelta(1), via="cli")


@pytest.mark.parametrize("over", [False, True])
async def test_an_embargo_is_not_told(stage: Stage, over: bool) -> None:
    """Nor of a case that was over when the authority came."""
    case_id = await stage.notified(MAIL)
    if over:
        await stage.pass_time(hours=30)
        await review.close(stage.ctx, RITA, case_id)
    await deconfliction.add(stage.ctx, DORA, EntryIn(MAIL, "Bureau", "OP-1"))
    made = await reasons_export.exported(stage.ctx, RITA, "opioids", None, None, via="cli")
    assert (made.statements, made.batches) == (0, [])


async def test_who_may_export_them(stage: Stage) -> None:
    otto = Principal("Otto", "person", Role.AUDITOR)
    assert (await reasons_export.exported(stage.ctx, otto, "opioids", None, None, via="cli")).statements == 0
    for who in (SAM, EVA, ADA):
        with pytest.raises(Forbidden):
            await reasons_export.exported(stage.ctx, who, "opioids", None, None, via="cli")
    with pytest.raises(NotFound):
        await reasons_export.exported(
            stage.ctx, Principal("Fay", "person", Role.REVIEWER, "elsewhere"), "opioids", None, None, via="cli"
        )
