"""Appeals from outside: the same answer for every name, pages without a script, and no name of anybody of ours anywhere."""

import json
import re
from typing import Any

import pytest

from notifier.services import access, appealing, hearing, links
from notifier.services.access import Principal, Role
from tests.services.stages import HOOK, MAIL, Stage, row
from tests.web.callers import NOBODY, Callers
from tests.web.test_answer_page import opened

SAID = {"domain": MAIL, "grounds": "We have a licence.", "contact": "owner@their-mail.net"}
SECRET = re.compile(r"[0-9a-f]{32}$")
REPORTER, APPROVER, DECIDER, NOTE = "Zebra Canary", "Yak Canary", "Xerus Canary", "Walrus-Canary-Note"


async def filed(callers: Callers, **changes: Any) -> Any:
    return await callers.post("/appeals", {**SAID, **changes}, by=NOBODY)


def secret_of(answer: Any) -> str:
    assert answer.status == 202, answer
    found = SECRET.search(answer.body["status_url"])
    assert found is not None
    return found[0]


async def notified(stage: Stage, domain: str) -> str:
    return await stage.notified(domain)


async def link(stage: Stage, case_id: str) -> str:
    notice_id = str((await stage.notices(case_id))[0]["id"])
    return f"/appeal/{notice_id}/{links.appeal_secret(stage.ctx.reply_key, notice_id)}"


async def test_the_answer_is_the_same_for_every_name(callers: Callers) -> None:
    await notified(callers.stage, MAIL)
    shapes = set()
    for domain in (MAIL, "unknown-to-all.com", "not a name", "xn--", "1.2.3.4", "https://evil[.]com/x"):
        answer = await filed(callers, domain=domain)
        secret = secret_of(answer)
        status = await callers.get(f"/appeals/status/{secret}", by=NOBODY)
        shapes.add(
            (answer.status, tuple(answer.body), tuple(status.body), status.body["state"], str(status.body["decisions"]))
        )
    assert shapes == {
        (
            202,
            ("status_url", "page_url"),
            ("state", "domain", "filed_at", "proven", "control", "decisions"),
            "filed",
            "[]",
        )
    }
    assert (await callers.get(f"/appeals/status/{'0' * 32}", by=NOBODY)).status == 404


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"grounds": ""}, 422, "invalid"),
        ({"grounds": "x" * 20_001}, 422, "invalid"),
        ({"contact": ""}, 422, "invalid"),
        ({"surprise": 1}, 422, "invalid"),
        ({"evidence": [{"text": "x" * 5_000}] * 21}, 422, "invalid"),
        ({"evidence": [{"text": "x" * 5_000}] * 50}, 413, "too_large"),
        ({"content_flags": ["csam"]}, 422, "csam_refused"),
        ({"evidence": [{"kind": "CSAM", "url": "https://a.com/"}]}, 422, "csam_refused"),
    ],
)
async def test_what_is_not_taken(callers: Callers, changes: dict[str, Any], status: int, code: str) -> None:
    before = await callers.stage.count("appeal_statement")
    answer = await filed(callers, **changes)
    assert (answer.status, answer.code) == (status, code)
    assert await callers.stage.count("appeal_statement") == before
    if code == "csam_refused":
        kept = await callers.stage.ctx.db.fetchrow("select * from audit_entry where tag = 'appeal.refused'")
        assert kept is not None
        assert "their-mail" not in str(dict(kept))


async def test_the_page_is_whole_without_a_script_and_says_nothing_of_a_name(callers: Callers) -> None:
    status, headers, text = await opened(callers, "/appeal")
    assert status == 200
    assert "form-action 'self'" in headers["Content-Security-Policy"]
    assert text.count("<script") == 1  # ours, which shows times
    assert 'name="viewport"' in text
    for field in ("domain", "reference", "grounds", "evidence", "contact"):
        assert f'<label for="{field}"' in text
        assert f'id="{field}"' in text
    form = {"domain": MAIL, "grounds": "<script>alert(1)</script>", "contact": "me", "evidence": "https://a.com/1\nb"}
    status, headers, _ = await opened(callers, "/appeal", "POST", data=form)
    assert status == 303
    status, headers, text = await opened(callers, headers["Location"])
    assert (status, headers["X-Robots-Tag"]) == (200, "noindex, nofollow")
    assert "_trusted-notifier." + MAIL in text
    assert text.count("<script") == 1  # ours, which shows times


async def test_what_is_typed_comes_back_escaped_and_a_fault_is_told(callers: Callers) -> None:
    nasty = '"><script>alert(1)</script>{{ 7*7 }}'
    status, _, text = await opened(callers, "/appeal", "POST", data={"domain": nasty, "grounds": nasty})
    assert status == 422
    assert 'role="alert"' in text
    assert text.count("<script") == 1  # ours, which shows times
    assert "{{ 7*7 }}" in text
    status, _, text = await opened(callers, "/appeal", "POST", data={**SAID, "reference": nasty, "domain": nasty})
    assert status == 303


async def test_the_notices_link_opens_the_form_and_its_status_tells(callers: Callers) -> None:
    case_id = await notified(callers.stage, HOOK)
    path = await link(callers.stage, case_id)
    status, _, text = await opened(callers, path)
    assert status == 200
    assert HOOK in text
    assert (await opened(callers, path[:-1] + ("a" if path[-1] != "a" else "b")))[0] == 404
    status, headers, _ = await opened(callers, path, "POST", data={"grounds": "No.", "contact": "me"})
    assert status == 303
    await callers.stage.r.quiet()
    _, _, text = await opened(callers, headers["Location"])
    assert "we have it, and nobody has taken it up yet" in text
    assert "Statement of reasons" in text
    where = headers["Location"]
    assert 'value="withdraw"' in text
    assert (await opened(callers, where, "POST", data={"act": "withdraw"}))[0] == 303
    _, _, text = await opened(callers, where)
    assert "you took it back" in text
    assert 'value="withdraw"' not in text
    assert (await opened(callers, where, "POST", data={"act": "withdraw"}))[0] == 409
    assert (await opened(callers, where, "POST", data={"act": "x", "b": "c"}))[0] == 422


async def test_nobody_of_ours_reads_the_registrants_secret(callers: Callers) -> None:
    page = await callers.get("/notices", by="reviewer")
    seen = 0
    for item in page.body["items"]:
        secret = links.appeal_secret(callers.stage.ctx.reply_key, item["id"])
        for by in ("submitter", "reviewer", "auditor", "admin"):
            answer = await callers.get(f"/notices/{item['id']}", by=by)
            assert secret not in str(answer.body)
            seen += "/appeal/" in str(answer.body)
    assert seen > 0


async def test_staff_hear_it_through_the_api(callers: Callers) -> None:
    stage = callers.stage
    rolf = await access.add_token(stage.ctx.db, "Rolf Reviewer", "reviewer", by="test")
    callers.tokens = {**callers.tokens, "rolf": rolf.token}
    name = "heard-by-api.com"
    case_id = await _case(stage, name)
    secret_of(await filed(callers, domain=name, reference=await link(stage, case_id)))
    await stage.r.quiet()
    page = await callers.get("/appeals?open=true", by="rolf")
    (mine,) = [a for a in page.body["items"] if a["domain"] == name]
    assert (mine["state"], mine["statements"]) == ("filed", 1)
    assert (await callers.get(f"/cases/{case_id}", by="reviewer")).body["appeal_open"] is True
    detail = await callers.get(f"/appeals/{mine['id']}", by="rolf")
    assert detail.body["statements"][0]["contact"] == "owner@their-mail.net"
    body = {"outcome": "overturned", "reasons": "You are right.", "corrected_cause": "wrong_facts"}
    refused = await callers.post(f"/appeals/{mine['id']}/decision", body, by="reviewer")
    assert (refused.status, refused.code) == (403, "four_eyes")
    assert (await callers.post(f"/appeals/{mine['id']}/take", by="rolf")).body["state"] == "in_review"
    assert (await callers.post(f"/appeals/{mine['id']}/decision", body, by="rolf")).body["state"] == "overturned"
    ledger = await callers.get("/corrections", by=NOBODY)
    assert [c["cause"] for c in ledger.body["items"]] == ["wrong_facts"]
    assert name not in str(ledger.body)
    reasons = (await callers.get(f"/cases/{case_id}/reasons", by="reviewer")).body["statement"]
    assert reasons["decision_provision"] == "DECISION_PROVISION_TOTAL_SUSPENSION"
    assert reasons["automated_decision"] == "AUTOMATED_DECISION_NOT_AUTOMATED"
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,500}", reasons["puid"])


async def _case(stage: Stage, name: str, who: Principal | None = None, **changes: Any) -> str:
    """A case about a name of the test's own whose notice has left."""
    report = json.loads(json.dumps(row(MAIL, **changes)).replace(MAIL, name))
    said = await stage.submit(report, who) if who else await stage.submit(report)
    assert said.state == "in_review", said
    await stage.r.quiet()
    case_id = str(said.case_id)
    await stage.approve(case_id, *([Principal(APPROVER, "person", Role.REVIEWER)] if who else []), note=NOTE)
    await stage.pass_time(minutes=31)
    return case_id


async def test_no_canary_sings_in_anything_that_a_registrant_or_the_public_reads(callers: Callers) -> None:
    """C-115: unique words in every name, token and note; none is in any public answer or in any mail that left."""
    stage, name = callers.stage, "canary-pills.com"
    made = {
        who: await access.add_token(stage.ctx.db, who, role, by="test", organisation=organisation)
        for who, role, organisation in (
            (REPORTER, "submitter", "Vole-Canary-Org"),
            (APPROVER, "reviewer", ""),
            (DECIDER, "reviewer", ""),
        )
    }
    case_id = await _case(
        stage, name, Principal(REPORTER, "person", Role.SUBMITTER, "Vole-Canary-Org"), external_id="Umbrella-Canary-Id"
    )
    secret = secret_of(await filed(callers, domain=name, reference=await link(stage, case_id)))
    unproven = secret_of(await filed(callers, domain=name))
    await stage.r.quiet()
    appeal_id = str(await stage.ctx.db.fetchval("select id from appeal where case_id = $1", case_id))
    decider = Principal(DECIDER, "person", Role.REVIEWER)
    outputs = [await _public(callers, path, secret, unproven) for path in ("before",)]
    await hearing.take(stage.ctx, decider, appeal_id)
    outputs.append(await _public(callers, "taken", secret, unproven))
    await hearing.decide(stage.ctx, decider, appeal_id, hearing.Outcome.OVERTURNED, "You are right.")
    await stage.pass_time(days=1)
    outputs.append(await _public(callers, "decided", secret, unproven))
    outputs += [letter.raw.decode(errors="replace") for letter in stage.received(name)]
    assert len(stage.received(name)) == 2
    told = "\n".join(outputs).casefold()
    assert "you are right." in told
    for canary in (REPORTER, APPROVER, DECIDER, NOTE, "Vole-Canary-Org", "Umbrella-Canary-Id", "canary-note"):
        assert canary.casefold() not in told, canary
    for token in made.values():
        assert token.token not in told
    for word in ("owner@their-mail.net", "We have a licence."):
        assert word.casefold() not in told, "nor what whoever filed said of themselves"


async def _public(callers: Callers, when: str, *secrets: str) -> str:
    stage = callers.stage
    assert when
    paths = [f"/appeal/status/{secret}" for secret in secrets] + ["/appeal", "/"]
    found = [(await opened(callers, path))[2] for path in paths]
    for secret in secrets:
        found.append(json.dumps((await callers.get(f"/appeals/status/{secret}", by=NOBODY)).body))
        found.append(str(await appealing.status(stage.ctx, secret)))
    found.append(json.dumps((await callers.get("/corrections", by=NOBODY)).body))
    return "\n".join(found)


async def test_who_files_too_often_is_told_when_to_come_back(callers: Callers) -> None:
    codes = [(await filed(callers, domain=f"flood-{n}.com")).status for n in range(25)]
    assert codes[-1] == 429
    assert set(codes) == {202, 429}
    status, _, text = await opened(callers, "/appeal", "POST", data=SAID)
    assert status == 429
    assert "too many" in text
