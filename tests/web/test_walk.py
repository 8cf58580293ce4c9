"""One case by HTTP alone, as its people see it: preview, evidence, decisions, answer, tasks, timeline."""

import json
from typing import Any

from notifier.services import links
from tests.services.stages import MAIL, STALE, row
from tests.web.callers import Callers

SCREENSHOT = {
    "kind": "screenshot",
    "url": "https://walk-shop.com/",
    "captured_at": "2026-11-02T11:00:00Z",
    "sha256": "0" * 64,
    "media_type": "image/png",
}


async def report(callers: Callers, domain: str) -> str:
    """A case in review about a name of the test's own; its id."""
    said = await callers.post("/reports", json.loads(json.dumps(row(MAIL)).replace(MAIL, domain)))
    assert (said.status, said.body["state"]) == (201, "in_review"), said
    await callers.stage.r.quiet()
    return str(said.body["case_id"])


async def state(callers: Callers, case_id: str) -> str:
    return str((await callers.get(f"/cases/{case_id}")).body["state"])


async def test_what_is_shown_is_what_leaves(callers: Callers) -> None:
    case_id = await report(callers, "walk-shown.com")
    shown = await callers.get(f"/cases/{case_id}/preview", by="reviewer")
    assert (shown.status, shown.body["blockers"], shown.body["armed"]) == (200, [], True)
    [draft] = shown.body["notices"]
    assert (draft["domain"], draft["registry"], draft["purpose"]) == ("walk-shown.com", "verisign", "request")
    assert draft["recipient_address"] == "notices@verisign.sandbox.test"
    assert draft["xarf"]["source_identifier"] == "walk-shown.com"
    assert "reply_token" not in json.dumps(shown.body)

    stale = await callers.post(f"/cases/{case_id}/approve", {"digest": "0" * 64}, by="reviewer")
    assert stale.status == 409
    done = await callers.post(f"/cases/{case_id}/approve", {"digest": shown.body["digest"]}, by="reviewer")
    assert (done.status, done.body["state"]) == (200, "approved")
    await callers.stage.pass_time(minutes=30)

    mine = (await callers.get("/notices?state=sent", by="registry")).body["items"]
    [sent] = [n for n in mine if n["domain"] == "walk-shown.com"]
    assert (sent["id"], sent["digest"]) == (draft["id"], draft["digest"])
    detail = (await callers.get(f"/notices/{sent['id']}", by="registry")).body
    for part in ("subject", "text", "html", "xarf", "recipient_address", "attachments"):
        told = detail["content"][part]
        # Nobody of ours is shown the secret of the notice's own link.
        assert (links.masked(told) if isinstance(told, str) else told) == draft[part], part
    assert (detail["case_id"], detail["attempts"]) == (None, None)
    staff = (await callers.get(f"/notices/{sent['id']}", by="reviewer")).body
    assert (staff["case_id"], [a["result"] for a in staff["attempts"]]) == (case_id, ["accepted"])


async def test_an_answer_is_recorded_once(callers: Callers) -> None:
    case_id = await report(callers, "walk-answer.com")
    await callers.approve(case_id)
    await callers.stage.pass_time(minutes=30)
    mine = (await callers.get("/notices", by="registry")).body["items"]
    [notice] = [n for n in mine if n["domain"] == "walk-answer.com"]
    body = {"kind": "needs_info", "comment": "which pages?"}
    first = await callers.post(f"/notices/{notice['id']}/responses", body, by="registry")
    again = await callers.post(f"/notices/{notice['id']}/responses", body, by="registry")
    assert (first.status, again.status) == (201, 200)
    assert first.body["response_id"] == again.body["response_id"]
    assert (first.body["repeated"], again.body["repeated"]) == (False, True)


async def test_an_answer_that_says_too_little_is_refused(callers: Callers) -> None:
    [notice, *_] = (await callers.get("/notices", by="registry")).body["items"]
    wrong: list[dict[str, Any]] = [
        {"kind": "action_taken"},
        {"kind": "declined"},
        {"kind": "declined", "reason": "because"},
        {"kind": "action_taken", "measure": "explode"},
        {"kind": "action_taken", "measure": "hold", "effective_at": "2026-11-02T14:00:00"},
        {"kind": "acknowledged", "effective_at": 0},
        {"kind": "acknowledged", "unknown": 1},
    ]
    for body in wrong:
        answer = await callers.post(f"/notices/{notice['id']}/responses", body, by="registry")
        assert (answer.status, answer.code) == (422, "invalid"), (body, answer)


async def test_an_approval_can_be_cancelled_in_its_window(callers: Callers) -> None:
    case_id = await report(callers, "walk-cancel.com")
    await callers.approve(case_id)
    done = await callers.post(f"/cases/{case_id}/cancel", {"reason": "wrong name"}, by="reviewer")
    assert (done.status, done.body["state"]) == (200, "in_review")
    again = await callers.post(f"/cases/{case_id}/cancel", {"reason": "twice"}, by="reviewer")
    assert (again.status, again.code) == (409, "conflict")


async def test_a_reason_says_something(callers: Callers) -> None:
    case_id = await report(callers, "walk-reason.com")
    for body in ({}, {"reason": ""}, {"reason": " \n"}, {"reason": "a\x00b"}, {"reason": 1}):
        answer = await callers.post(f"/cases/{case_id}/reject", body, by="reviewer")
        assert (answer.status, answer.code) == (422, "invalid"), body
    done = await callers.post(f"/cases/{case_id}/reject", {"reason": "no case"}, by="reviewer")
    assert (done.status, done.body["state"]) == (200, "rejected")


async def test_evidence_comes_as_a_list_or_an_object(callers: Callers) -> None:
    case_id = await report(callers, "walk-evidence.com")
    item = {**SCREENSHOT, "url": "https://walk-evidence.com/"}
    for n, body in enumerate(([item], {"evidence": [{**item, "sha256": "1" * 64}]}), 1):
        answer = await callers.post(f"/cases/{case_id}/evidence", body)
        assert (answer.status, answer.body["state"]) == (200, "in_review")
        assert len((await callers.get(f"/cases/{case_id}", by="reviewer")).body["parts"]["evidence"]) >= n
    for sent in ("text/csv", "application/xml"):
        other = await callers.post(f"/cases/{case_id}/evidence", data=b"x", headers={"Content-Type": sent})
        assert (other.status, other.code) == (415, "unsupported_media_type")
        assert "application/json" in other.body["detail"]


async def test_a_supplier_of_evidence_may_not_approve(callers: Callers) -> None:
    case_id = await report(callers, "walk-supplier.com")
    item = {**SCREENSHOT, "url": "https://walk-supplier.com/"}
    assert (await callers.post(f"/cases/{case_id}/evidence", [item], by="reviewer")).status == 200
    answer = await callers.approve(case_id)
    assert (answer.status, answer.code) == (403, "four_eyes")
    assert (await callers.approve(case_id, by="second_reviewer")).status == 200


async def test_more_evidence_can_be_asked_for_and_the_case_taken_back(callers: Callers) -> None:
    case_id = await report(callers, "walk-more.com")
    asked = await callers.post(f"/cases/{case_id}/request-evidence", {"reason": "fresh captures"}, by="reviewer")
    assert asked.body["state"] == "needs_evidence"
    shown = await callers.get(f"/cases/{case_id}")
    assert shown.body["wanted"] == {"note": "fresh captures", "lacks": []}
    assert "Rita Reviewer" not in json.dumps(shown.body)
    assert (await callers.get(f"/cases/{case_id}", by="stranger")).status == 404
    taken = await callers.post(f"/cases/{case_id}/withdraw", {"reason": "cannot be had"})
    assert (taken.status, taken.body["state"]) == (200, "withdrawn")
    assert (await callers.get(f"/cases/{case_id}")).body["wanted"] is None


async def test_what_a_case_lacks_is_told_by_the_rules_own_words(callers: Callers) -> None:
    body = {**json.loads(json.dumps(row(MAIL)).replace(MAIL, "walk-lacks.com")), "evidence": []}
    said = await callers.post("/reports", body)
    assert said.body["state"] == "needs_evidence", said
    await callers.stage.r.quiet()
    path = f"/cases/{said.body['case_id']}"
    told = (await callers.get(path)).body["wanted"]
    program = (await callers.get("/programs/opioids/explain")).body
    asks = {rule["id"]: rule["asks"] for rule in program["rules"]}
    left = {one["rule"]: one for one in said.body["findings"] if one["result"] != "pass"}
    assert told["note"] is None
    lacks = told["lacks"]
    assert {one["rule"] for one in lacks if not one["ours"]}
    for one in lacks:
        assert set(one) == {"rule", "result", "asks", "mend", "ours"}
        assert (one["mend"], one["asks"]) == (left[one["rule"]]["mend"], asks[one["rule"]])
    assert [one["ours"] for one in told["lacks"]] == sorted(one["ours"] for one in told["lacks"])
    assert (await callers.get(path, by="reviewer")).body["wanted"] == told


async def test_a_reporter_learns_what_happened_and_not_who_did_it(callers: Callers) -> None:
    case_id = await report(callers, "walk-names.com")
    await callers.post(f"/cases/{case_id}/assign", {"assignee": "Rolf Reviewer"}, by="reviewer")
    await callers.approve(case_id)
    await callers.post(f"/cases/{case_id}/cancel", {"reason": "told to the reporter"}, by="reviewer")
    for path in ("", "/timeline", "/observations"):
        told = json.dumps((await callers.get(f"/cases/{case_id}{path}")).body)
        for name in ("Rita Reviewer", "Rolf Reviewer"):
            assert name not in told, path
    timeline = (await callers.get(f"/cases/{case_id}/timeline")).body["items"]
    assert {item["actor"] for item in timeline} <= {"Sam Submitter", None}
    assert {"case.opened", "case.assigned", "case.approved"} <= {item["tag"] for item in timeline}
    staff = (await callers.get(f"/cases/{case_id}/timeline", by="auditor")).body["items"]
    assert {"Rita Reviewer", "Sam Submitter"} <= {item["actor"] for item in staff}
    assert (await callers.get(f"/cases/{case_id}")).body["parts"] is None


async def test_lists_are_filtered_and_paged(callers: Callers) -> None:
    ids = {await report(callers, f"walk-page-{n}.com") for n in range(3)}
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await callers.get(f"/cases?limit=2&state=in_review{cursor}", by="reviewer")).body
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen))
    assert ids <= set(seen)
    found = (await callers.get("/cases?domain=WALK-page-1[.]com", by="reviewer")).body["items"]
    assert [item["domain"] for item in found] == ["walk-page-1.com"]
    assert (await callers.get("/cases?program=piracy&domain=walk-page-1.com", by="reviewer")).body["items"] == []


async def test_a_task_is_taken_by_one_and_ended_with_words(callers: Callers) -> None:
    case_id = await report(callers, "walk-task.shop")  # no agreement speaks of .shop
    [task] = [t for t in (await callers.get("/tasks", by="reviewer")).body["items"] if t["case_id"] == case_id]
    assert (task["kind"], task["domain"]) == ("no_contact", "walk-task.shop")
    assert (await callers.post(f"/tasks/{task['id']}/take", by="reviewer")).status == 204
    assert (await callers.post(f"/tasks/{task['id']}/take", by="second_reviewer")).status == 409
    wrong = await callers.post(f"/tasks/{task['id']}/resolve", {"resolution": "arrived"}, by="reviewer")
    assert (wrong.status, wrong.code) == (422, "invalid")
    done = await callers.post(
        f"/tasks/{task['id']}/resolve", {"resolution": "done", "note": "host asked"}, by="reviewer"
    )
    assert done.status == 204
    assert task["id"] not in [t["id"] for t in (await callers.get("/tasks", by="reviewer")).body["items"]]
    every = (await callers.get("/tasks?open=false", by="reviewer")).body["items"]
    [ended] = [t for t in every if t["id"] == task["id"]]
    assert ended["resolved_by"] == "Rita Reviewer"


async def test_a_report_is_shown_to_its_submitter_refused_or_not(callers: Callers) -> None:
    taken = await callers.post("/reports", row(STALE))
    refused = await callers.post("/reports", {"program": "piracy", "domain": "1.2.3.4", "summary": "s"})
    assert (refused.status, refused.code) == (422, "ip_not_domain")
    for answer, code in ((taken, None), (refused, "ip_not_domain")):
        shown = await callers.get(f"/reports/{answer.body['report_id']}")
        assert (shown.status, shown.body["code"], shown.body["submitter"]) == (200, code, "Sam Submitter")
        assert (await callers.get(f"/reports/{answer.body['report_id']}", by="stranger")).status == 404


async def test_agreements_tell_who_armed_them_to_staff_alone(callers: Callers) -> None:
    for who, names in (("admin", ["Ada Admin", "Boris Admin"]), ("submitter", None)):
        items = (await callers.get("/agreements", by=who)).body["items"]
        armed = next(item for item in items if item["id"] == "opioids.verisign")
        assert (armed["armed"], armed["armed_by"]) == (True, names)


async def test_registries_come_page_by_page(callers: Callers) -> None:
    first = (await callers.get("/registries?limit=3")).body
    second = (await callers.get(f"/registries?limit=3&cursor={first['next_cursor']}")).body
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert len(ids) == 6
    assert ids == sorted(set(ids))
    verisign = (await callers.get("/registries/verisign")).body
    assert {"com", "net"} <= set(verisign["tlds"])
    assert (await callers.get("/registries/nobody")).status == 404
