"""Programs over the API: their words, a citation nobody can resolve, and a window that is not over one minute early."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.services.stages import MAIL, row
from tests.web.callers import Callers

# Fifteen working days from 21 October 2026, over Veterans Day: the last is Thursday 12 November in New York.
DUE = datetime(2026, 11, 13, 5, 0, tzinfo=UTC)


async def test_every_program_is_explained_to_whoever_may_see_it(callers: Callers) -> None:
    listed = (await callers.get("/programs")).body["items"]
    assert {program["id"] for program in listed} == {"opioids", "pharmacy", "piracy", "live-event", "authority-order"}
    for program in listed:
        said = await callers.get(f"/programs/{program['id']}/explain", by="evaluator")
        assert said.status == 200
        assert [rule["id"] for rule in said.body["rules"]] == program["rules"]
        assert program["digest"] in said.body["text"]
    nobody = await callers.get("/programs/opera/explain")
    assert (nobody.status, nobody.code) == (404, "unknown_program")


async def test_a_letter_that_nobody_gave_is_a_finding(callers: Callers) -> None:
    report = json.loads(json.dumps(row(MAIL)).replace(MAIL, "pills-cited.com"))
    report["evidence"] = [item for item in report["evidence"] if item["kind"] != "warning_letter"]
    report["evidence"].append({"kind": "letter_cited", "reference": "MARCS-CMS 5"})
    said = await callers.post("/reports", report)
    assert (said.status, said.body["state"]) == (201, "needs_evidence")
    finding = next(f for f in said.body["findings"] if f["rule"] == "letter")
    assert (finding["result"], "MARCS-CMS 5" in finding["why"]) == ("unknown", True)


async def test_an_opioid_case_is_not_sendable_one_minute_early(callers: Callers) -> None:
    await callers.stage.r.advance_to(DUE - timedelta(minutes=1))
    report: dict[str, Any] = json.loads(json.dumps(row(MAIL)).replace(MAIL, "pills-window.com"))
    report["statements"]["human_review"]["at"] = (DUE - timedelta(hours=1)).isoformat()
    for item in report["evidence"]:
        if item["kind"] == "warning_letter":
            item |= {"issued_on": "2026-10-21", "assessed_at": DUE.isoformat()}
        if item["kind"] == "capture":
            item["captured_at"] = DUE.isoformat()
    said = await callers.post("/reports", report)
    case_id = said.body["case_id"]
    assert said.body["state"] == "needs_evidence"
    await callers.stage.r.quiet()
    early = await callers.approve(case_id)
    assert (early.status, early.code) == (409, "conflict")
    due = next(f for f in said.body["findings"] if f["rule"] == "letter-due")
    assert "2026-11-13 05:00 UTC" in due["why"]

    await callers.stage.r.advance_to(DUE)
    assert (await callers.get(f"/cases/{case_id}", by="reviewer")).body["state"] == "in_review"
    assert (await callers.approve(case_id)).status == 200
    await callers.stage.pass_time(minutes=29)
    assert callers.stage.received("pills-window.com") == []
    await callers.stage.pass_time(minutes=1)
    assert len(callers.stage.received("pills-window.com")) == 1
    case = (await callers.get(f"/cases/{case_id}", by="reviewer")).body
    programs = (await callers.get("/programs")).body["items"]
    digest = next(p["digest"] for p in programs if p["id"] == "opioids")
    assert [a["program_digest"] for a in case["parts"]["approvals"]] == [digest]
