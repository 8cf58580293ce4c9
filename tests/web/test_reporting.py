"""Merging, detaching, news, quotas and the accuracy ledger, as their callers see them."""

import json
from dataclasses import replace
from typing import Any

from notifier.services import access
from tests.services.stages import MAIL, row
from tests.web.callers import Callers


def about(name: str, **changes: Any) -> dict[str, Any]:
    return dict(json.loads(json.dumps(row(MAIL, **changes)).replace(MAIL, name)))


async def submitted(callers: Callers, name: str, by: str = "submitter", **changes: Any) -> dict[str, Any]:
    said = await callers.post("/reports", about(name, **changes), by=by)
    assert said.status == 201, said
    await callers.stage.r.quiet()
    return dict(said.body)


async def test_merge_and_detach_over_http(callers: Callers) -> None:
    winner = await submitted(callers, "http-winner.com")
    loser = await submitted(callers, "http-loser.com", by="stranger")
    path = f"/cases/{loser['case_id']}/merge"
    no_reason = await callers.post(path, {"into": winner["case_id"]}, by="reviewer")
    assert (no_reason.status, no_reason.code) == (409, "reason_required")
    merged = await callers.post(path, {"into": winner["case_id"], "reason": "one shop"}, by="reviewer")
    assert (merged.status, merged.body["case"]["state"], merged.body["other"]["id"]) == (
        200,
        "superseded",
        winner["case_id"],
    )
    shown = await callers.get(f"/cases/{winner['case_id']}", by="reviewer")
    assert len(shown.body["parts"]["reports"]) == 2
    theirs = await callers.get(f"/reports/{loser['report_id']}", by="stranger")
    assert (theirs.body["case_id"], theirs.body["state"]) == (winner["case_id"], "in_review")

    body = {"report_ids": [loser["report_id"]], "reason": "two shops"}
    parted = await callers.post(f"/cases/{winner['case_id']}/detach", body, by="reviewer")
    assert (parted.status, parted.body["case"]["id"]) == (200, winner["case_id"])
    theirs = await callers.get(f"/reports/{loser['report_id']}", by="stranger")
    assert theirs.body["case_id"] == parted.body["other"]["id"]
    both = {**body, "into": winner["case_id"], "domain": "a.com"}
    wrong = await callers.post(f"/cases/{winner['case_id']}/detach", both, by="reviewer")
    assert (wrong.status, wrong.code) == (422, "invalid")


async def test_a_reviewer_elsewhere_may_not_merge_what_it_does_not_see(callers: Callers) -> None:
    made = await access.add_token(callers.stage.ctx.db, "Fay Foreign", "reviewer", by="test", organisation="far")
    callers.tokens = {**callers.tokens, "far": made.token}
    one, other = await submitted(callers, "far-one.com"), await submitted(callers, "far-two.com")
    for path, body in (
        ("merge", {"into": other["case_id"], "reason": "r"}),
        ("detach", {"report_ids": [one["report_id"]], "reason": "r"}),
    ):
        answer = await callers.post(f"/cases/{one['case_id']}/{path}", body, by="far")
        assert (answer.status, answer.code) == (404, "not_found")


async def test_news_of_ones_own_organisation(callers: Callers) -> None:
    first = await callers.get("/news?limit=200", by="stranger")
    case = await submitted(callers, "news-shop.com", by="stranger", external_id="ours-7")
    await submitted(callers, "news-shop.com", by="submitter")
    rejected = await callers.post(
        f"/cases/{case['case_id']}/reject", {"reason": "not this", "ground": "clerical"}, by="reviewer"
    )
    assert rejected.status == 200
    page = await callers.get(f"/news?since={first.body['position']}", by="stranger")
    [item] = page.body["items"]
    assert (item["decision"], item["domain"], item["detail"]) == (
        "rejected",
        "news-shop.com",
        {"reason": "not this", "ground": "clerical"},
    )
    assert item["reports"] == [{"report_id": case["report_id"], "external_id": "ours-7"}]
    assert "Rita" not in str(page.body)
    assert (await callers.get(f"/news?since={page.body['position']}", by="stranger")).body["items"] == []
    assert (await callers.get("/news?since=abc", by="stranger")).code == "invalid"


async def test_the_ledger_names_reviewers_to_staff_alone(callers: Callers) -> None:
    case = await submitted(callers, "ledger-shop.com", by="stranger")
    assert (
        await callers.post(f"/cases/{case['case_id']}/reject", {"reason": "no"}, by="second_reviewer")
    ).status == 200
    staff = await callers.get("/accuracy?program=opioids", by="reviewer")
    mine = next(x for x in staff.body["organisations"] if x["name"] == "elsewhere")
    assert (mine["counts"]["rejected"] >= 1, mine["probation"], mine["n"] >= 1) == (True, None, True)
    assert "Rolf Reviewer" in str(staff.body["reviewers"])
    evaluator = await callers.get("/accuracy", by="evaluator")
    assert (evaluator.status, evaluator.body["reviewers"]) == (200, None)
    assert "Reviewer" not in str(evaluator.body)
    assert (await callers.get("/accuracy?program=nothing", by="admin")).status == 404


async def test_over_a_quota_says_when_to_come_again(callers: Callers) -> None:
    ctx = callers.stage.ctx
    made = await access.add_token(ctx.db, "Quentin Quota", "submitter", by="test", organisation="quick")
    callers.tokens = {**callers.tokens, "quick": made.token}
    tight = replace(ctx.settings, quota_principal_minute=1)
    object.__setattr__(ctx, "settings", tight)
    try:
        await submitted(callers, "quota-first.com", by="quick")
        answer = await callers.post("/reports", about("quota-second.com"), by="quick")
        assert (answer.status, answer.code) == (429, "quota_exceeded")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert answer.body["report_id"]
        kept = await callers.get(f"/reports/{answer.body['report_id']}", by="quick")
        assert (kept.status, kept.body["code"]) == (200, "quota_exceeded")
        lines = b"\n".join(json.dumps(about(f"quota-{n}.com")).encode() for n in range(2))
        batch = await callers.post(
            "/reports/batch", by="quick", data=lines, headers={"Content-Type": "application/x-ndjson"}
        )
        assert (batch.status, [r["code"] for r in batch.body["results"]]) == (200, ["quota_exceeded"] * 2)
    finally:
        object.__setattr__(ctx, "settings", replace(tight, quota_principal_minute=2_000))
