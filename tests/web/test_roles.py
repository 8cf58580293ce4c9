"""Every route as every role: who may, who may not, and that a foreign thing is no thing."""

import json
from typing import Any

import pytest

from notifier.services import access
from notifier.web.api import FAMILIES
from tests.services.stages import HOOK, MAIL, row
from tests.web.callers import BASE, NOBODY, Callers

# design.md 3, Roles, written out by hand: who may call what. Whoever is missing gets 403.
STAFF = {"submitter", "reviewer", "auditor", "admin"}
REVIEWERS = {"reviewer"}
MAY: dict[str, set[str]] = {
    "POST /reports": {"submitter"},
    "POST /reports/batch": {"submitter"},
    "GET /reports/{report_id}": STAFF,
    "GET /cases": STAFF,
    "GET /cases/{case_id}": STAFF,
    "GET /cases/{case_id}/timeline": STAFF,
    "GET /cases/{case_id}/observations": STAFF,
    "POST /cases/{case_id}/evidence": {"submitter", "reviewer"},
    "GET /cases/{case_id}/evidence/{sha256}": {"submitter", "reviewer", "auditor"},
    "GET /cases/{case_id}/manifest": {"reviewer", "auditor"},
    "GET /cases/{case_id}/captures": {"submitter", "reviewer", "auditor"},
    "POST /cases/{case_id}/capture": REVIEWERS,
    "POST /cases/{case_id}/captures/{capture_id}/label": {"submitter", "reviewer"},
    "POST /cases/{case_id}/hold": {"reviewer", "admin"},
    "POST /cases/{case_id}/release-hold": {"reviewer", "admin"},
    "GET /notices/{notice_id}/evidence": {"reviewer", "auditor", "registry"},
    "GET /cases/{case_id}/preview": REVIEWERS,
    "POST /cases/{case_id}/approve": REVIEWERS,
    "POST /cases/{case_id}/reject": REVIEWERS,
    "POST /cases/{case_id}/request-evidence": REVIEWERS,
    "POST /cases/{case_id}/withdraw": {"submitter", "reviewer"},
    "POST /cases/{case_id}/cancel": REVIEWERS,
    "POST /cases/{case_id}/assign": REVIEWERS,
    "POST /cases/{case_id}/keep": REVIEWERS,
    "POST /cases/{case_id}/close": REVIEWERS,
    "POST /cases/{case_id}/contact": REVIEWERS,
    "POST /cases/{case_id}/pass-over": REVIEWERS,
    "POST /cases/{case_id}/amend": REVIEWERS,
    "POST /cases/{case_id}/observe": REVIEWERS,
    "GET /notices": STAFF | {"registry"},
    "GET /notices/{notice_id}": STAFF | {"registry"},
    "POST /notices/{notice_id}/responses": {"registry"},
    "GET /tasks": {"reviewer", "admin"},
    "GET /tasks/{task_id}": REVIEWERS,
    "GET /tasks/{task_id}/files/{sha256}": REVIEWERS,
    "POST /tasks/{task_id}/take": REVIEWERS,
    "POST /tasks/{task_id}/resolve": REVIEWERS,
    "GET /alarms": {"reviewer", "admin"},
    "POST /alarms/{alarm_id}/take": REVIEWERS,
    "POST /alarms/{alarm_id}/close": REVIEWERS,
    "GET /programs": STAFF | {"registry", "evaluator"},
    "GET /programs/{program_id}/explain": STAFF | {"registry", "evaluator"},
    "GET /registries": STAFF | {"registry", "evaluator"},
    "GET /registries/{registry_id}": STAFF | {"registry", "evaluator"},
    "GET /events": STAFF,
    "GET /events/{event_id}": STAFF,
    "GET /agreements": STAFF | {"registry"},
    "GET /agreements/{agreement_id}/log": {"registry", "auditor", "admin"},
    "GET /agreements/{agreement_id}/channel": {"registry", "auditor", "admin"},
    "POST /agreements/{agreement_id}/channel": {"registry", "admin"},
    "POST /agreements/{agreement_id}/channel/{version}/approve": {"admin"},
    "POST /agreements/{agreement_id}/channel/{version}/refuse": {"registry", "admin"},
    "POST /agreements/{agreement_id}/check": {"admin"},
    "POST /agreements/{agreement_id}/test": {"registry", "admin"},
    "POST /agreements/{agreement_id}/arm": {"admin"},
    "POST /agreements/{agreement_id}/disarm": {"admin"},
    "POST /agreements/{agreement_id}/suspend": {"registry", "admin"},
    "POST /agreements/{agreement_id}/resume": {"admin"},
    "POST /cases/{case_id}/merge": REVIEWERS,
    "POST /cases/{case_id}/detach": REVIEWERS,
    "GET /news": STAFF,
    "GET /accuracy": {"reviewer", "evaluator", "admin"},
    "GET /cases/{case_id}/reasons": {"reviewer", "auditor"},
    "GET /appeals": {"reviewer", "auditor", "admin"},
    "GET /appeals/{appeal_id}": REVIEWERS,
    "POST /appeals/{appeal_id}/take": REVIEWERS,
    "POST /appeals/{appeal_id}/decision": REVIEWERS,
    "GET /statistics": {"reviewer", "evaluator", "auditor", "admin"},
    "GET /statistics/cases": {"reviewer", "evaluator", "auditor", "admin"},
    "GET /statistics/case-list": {"reviewer", "evaluator", "auditor", "admin"},
    "GET /statistics/csv": {"reviewer", "evaluator", "auditor", "admin"},
    "GET /statistics/report": {"reviewer", "evaluator", "auditor", "admin"},
    "GET /hops": {"reviewer", "auditor", "admin"},
    "GET /hops/{hop_id}": {"reviewer", "auditor", "admin"},
    "POST /hops/{hop_id}/accept": REVIEWERS,
    "POST /hops/{hop_id}/dismiss": REVIEWERS,
    "GET /clusters": {"reviewer", "auditor", "admin"},
    "GET /clusters/{cluster_id}": {"reviewer", "auditor", "admin"},
    "GET /hopping-list": {"registry", "reviewer", "auditor", "admin"},
    "GET /hopping-list/csv": {"registry", "reviewer", "auditor", "admin"},
    "GET /programs/{program_id}/grants": {"admin"},
    "POST /programs/{program_id}/grants": {"admin"},
    "DELETE /grants/{grant_id}": {"admin"},
    # A permission on the token, which no role implies.
    "GET /deconfliction": set(),
    "POST /deconfliction": set(),
    "GET /deconfliction/{entry_id}": set(),
    "POST /deconfliction/{entry_id}/release": set(),
    "GET /audit/entries": {"auditor", "admin"},
    "GET /audit/checkpoint": {"auditor", "admin"},
    "GET /audit/proofs/inclusion": {"auditor", "admin"},
    "GET /audit/proofs/consistency": {"auditor", "admin"},
}
UNSIGNED = {
    "POST /inbound/{recipient}",  # its own signature, no token
    "POST /appeals",  # anybody may be affected
    "GET /appeals/status/{secret}",
    "POST /appeals/status/{secret}/check",
    "POST /appeals/status/{secret}/withdraw",
    "GET /corrections",
}
ROLES = ["submitter", "reviewer", "registry", "evaluator", "auditor", "admin"]
NO_ID = "0190ffff-0000-7000-8000-000000000000"
BODIES: dict[str, Any] = {
    "approve": {"digest": "0" * 64},
    "reject": {"reason": "r"},
    "request-evidence": {"reason": "r"},
    "withdraw": {"reason": "r"},
    "cancel": {"reason": "r"},
    "contact": {"party": "host", "address": "abuse@host-1.net", "source": "their page"},
    "pass-over": {"reason": "r"},
    "amend": {"answer": "a"},
    "assign": {"assignee": None},
    "keep": {"reason": "r"},
    "evidence": [
        {"kind": "screenshot", "url": "https://a.com/", "captured_at": "2026-11-02T11:00:00Z", "sha256": "0" * 64}
        | {"media_type": "image/png"}
    ],
    "responses": {"kind": "acknowledged"},
    "hold": {"reason": "r"},
    "label": {"finding": "unclear"},
    "merge": {"into": NO_ID},
    "detach": {"report_ids": [NO_ID], "reason": "r"},
    "deconfliction": {"pattern": "a.com", "authority": "a", "reference": "b"},
    "release": {"note": "n"},
    "channel": {"adapter": "smtp", "address": {"to": "a@b.example"}},
    "refuse": {"reason": "r"},
    "grants": {"organisation": "university", "until": "2026-12-24T00:00:00Z"},
    "suspend": {"scope": "requests", "reason": "r"},
    "resolve": {"resolution": "done"},
    "accept": {"reason": "r"},
    "dismiss": {"reason": "r"},
    "decision": {"outcome": "upheld", "reasons": "r"},
}
QUERIES = {
    "GET /audit/proofs/inclusion": "?entry_id=999999",
    "GET /audit/proofs/consistency": "?old=0&new=0",
    "GET /statistics/cases": "?cell=all/funnel/opened",
    "GET /statistics/report": "?kind=collateral&program=piracy",
}


def routes() -> list[str]:
    return [f"{route.method} {route.path}" for family in FAMILIES.values() for route in family]


def test_the_table_names_every_route() -> None:
    assert set(routes()) == MAY.keys() | UNSIGNED


async def ask(callers: Callers, route: str, by: str) -> Any:
    method, path = route.split(" ")
    for name in (
        "report_id",
        "case_id",
        "notice_id",
        "task_id",
        "alarm_id",
        "entry_id",
        "capture_id",
        "appeal_id",
        "grant_id",
        "hop_id",
        "cluster_id",
    ):
        path = path.replace(f"{{{name}}}", NO_ID)
    path = (
        path.replace("{registry_id}", "verisign")
        .replace("{agreement_id}", "opioids.none")
        .replace("{program_id}", "piracy")
        .replace("{event_id}", "sample-final-2026")
        .replace("{version}", "1")
        .replace("{sha256}", "0" * 64)
    )
    path += QUERIES.get(route, "")
    if method == "GET":
        return await callers.get(path, by=by)
    if method == "DELETE":
        return await callers.call(method, BASE + path, by=by)
    if route == "POST /reports/batch":
        return await callers.post(path, by=by, data=b"[]")
    last = path.rpartition("/")[2]
    if "/channel/" in path and last == "approve":
        return await callers.post(path, {}, by=by)
    body = {"program": "piracy", "domain": "1.2.3.4", "summary": "s"} if route == "POST /reports" else BODIES.get(last)
    return await callers.post(path, body if body is not None else {}, by=by)


@pytest.mark.parametrize("route", sorted(MAY))
async def test_who_may(callers: Callers, route: str) -> None:
    for role in ROLES:
        answer = await ask(callers, route, role)
        if role in MAY[route]:
            assert answer.status not in (401, 403), (role, answer)
            assert answer.status < 500, (role, answer)
        else:
            assert (answer.status, answer.code) == (403, "forbidden"), (role, answer)
    assert (await ask(callers, route, NOBODY)).status == 401


@pytest.fixture(scope="module")
async def noticed(callers: Callers) -> tuple[str, str]:
    """A case whose notice went to verisign by mail: ids of case and notice."""
    case_id = await callers.case_in_review(MAIL)
    assert (await callers.approve(case_id)).status == 200
    await callers.stage.pass_time(minutes=30)
    page = await callers.get("/notices", by="registry")
    return case_id, page.body["items"][0]["id"]


async def in_review(callers: Callers, domain: str) -> str:
    """A case about a name of the test's own; its id."""
    report = json.loads(json.dumps(row(MAIL)).replace(MAIL, domain))
    said = await callers.post("/reports", report)
    assert (said.status, said.body["state"]) == (201, "in_review"), said
    await callers.stage.r.quiet()
    return str(said.body["case_id"])


async def test_a_stranger_finds_nothing(callers: Callers, noticed: tuple[str, str]) -> None:
    case_id, notice_id = noticed
    for path in (f"/cases/{case_id}", f"/cases/{case_id}/timeline", f"/cases/{case_id}/observations"):
        answer = await callers.get(path, by="stranger")
        assert (answer.status, answer.code) == (404, "not_found")
    answer = await callers.post(f"/cases/{case_id}/withdraw", {"reason": "mine now"}, by="stranger")
    assert answer.status == 404
    assert (await callers.get("/cases", by="stranger")).body["items"] == []
    assert (await callers.get(f"/notices/{notice_id}", by="stranger")).status == 404


async def test_a_registry_sees_its_own_notices_and_nobodys_names(callers: Callers, noticed: tuple[str, str]) -> None:
    _, notice_id = noticed
    mine = await callers.get(f"/notices/{notice_id}", by="registry")
    assert mine.status == 200
    told = str(mine.body)
    for private in ("Sam Submitter", "Rita Reviewer", "Sample Reviewer", "reply_token", "attempts': [{"):
        assert private not in told, private
    other = await callers.get(f"/notices/{notice_id}", by="other_registry")
    assert (other.status, other.code) == (404, "not_found")
    answer = await callers.post(f"/notices/{notice_id}/responses", {"kind": "acknowledged"}, by="other_registry")
    assert answer.status == 404
    assert (await callers.get("/notices", by="other_registry")).body["items"] == []


async def test_a_registry_does_not_see_what_was_not_sent(callers: Callers) -> None:
    case_id = await callers.case_in_review(HOOK)
    assert (await callers.approve(case_id)).status == 200  # queued: the window is open
    page = await callers.get("/notices", by="other_registry")
    assert [item for item in page.body["items"] if item["domain"] == HOOK] == []
    await callers.stage.pass_time(minutes=30)


async def test_two_tokens_of_one_person_are_one_pair_of_eyes(callers: Callers) -> None:
    both = await access.add_token(callers.stage.ctx.db, "Sam Submitter", "reviewer", by="test")
    callers.tokens = {**callers.tokens, "sam_as_reviewer": both.token}
    case_id = await in_review(callers, "two-eyes-shop.com")
    answer = await callers.approve(case_id, by="sam_as_reviewer")
    assert (answer.status, answer.code) == (403, "four_eyes")


async def test_a_service_may_not_decide(callers: Callers) -> None:
    made = await access.add_token(callers.stage.ctx.db, "robot", "reviewer", by="test", service=True)
    callers.tokens = {**callers.tokens, "robot": made.token}
    case_id = await in_review(callers, "robot-shop.com")
    answer = await callers.approve(case_id, by="robot")
    assert (answer.status, answer.code) == (403, "person_required")
