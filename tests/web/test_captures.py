"""Captures over HTTP: what staff see of them, and what a person makes of one."""

from notifier.sandbox.site_server import Cloak
from tests.services.stages import HOOK, MAIL
from tests.web.callers import Callers

SAID = {"finding": "infringing", "shows": ["us_shipping"]}


async def test_captures_are_shown_asked_for_and_judged(callers: Callers) -> None:
    sandbox = callers.stage.r.sandbox
    case_id = await callers.case_in_review(HOOK)
    before = (await callers.get(f"/cases/{case_id}/captures", by="reviewer")).body["items"]
    sandbox.site.cloaks[HOOK] = Cloak(user_agents=("Googlebot",))
    assert (await callers.post(f"/cases/{case_id}/capture", by="reviewer")).status == 202
    await callers.stage.r.quiet()
    del sandbox.site.cloaks[HOOK]
    items = (await callers.get(f"/cases/{case_id}/captures", by="reviewer")).body["items"]
    assert len(items) == 2 * len(before) > 0
    newest = items[0]
    assert (newest["cloaking"], before[0]["cloaking"]) == (True, False)
    assert newest["differences"] == ["crawler: 200 where desktop gets 410"]
    ways = {way["visitor"]: way for way in newest["visits"]}
    assert (ways["desktop"]["status"], ways["crawler"]["status"]) == (410, 200)
    assert ways["crawler"]["steps"][0]["address"] == "127.0.0.1"

    file = await callers.get(f"/cases/{case_id}/captures", by="auditor")
    assert file.status == 200
    path = f"/cases/{case_id}/captures/{newest['id']}/label"
    said = await callers.post(path, {**SAID, "visitor": "crawler"}, by="reviewer")
    assert (said.status, said.body["state"]) == (200, "in_review")
    parts = (await callers.get(f"/cases/{case_id}", by="reviewer")).body["parts"]["evidence"]
    assert [e["kind"] for e in parts].count("capture") >= 1
    refused = await callers.approve(case_id)
    assert (refused.status, refused.code) == (403, "four_eyes")
    assert (await callers.approve(case_id, by="second_reviewer")).status == 200


async def test_what_is_wrong_is_told(callers: Callers) -> None:
    case_id = await callers.case_in_review(MAIL)
    capture = (await callers.get(f"/cases/{case_id}/captures", by="reviewer")).body["items"][0]
    path = f"/cases/{case_id}/captures/{capture['id']}/label"
    for body, status in (
        ({}, 422),
        ({"finding": "guilty"}, 422),
        ({**SAID, "offers": "  "}, 422),
        ({**SAID, "offers": "a\u0007b"}, 422),
        ({**SAID, "shows": ["nonsense"]}, 422),
        ({**SAID, "visitor": "nobody"}, 404),
        ({**SAID, "sha256": "0" * 64}, 422),
    ):
        assert (await callers.post(path, body, by="reviewer")).status == status, body
    assert (await callers.post(path, SAID, by="stranger")).status == 404
    other = f"/cases/{case_id}/captures/{case_id}/label"
    assert (await callers.post(other, SAID, by="reviewer")).status == 404
    assert (await callers.get(f"/cases/{case_id}/captures", by="stranger")).status == 404
    assert (await callers.post(f"/cases/{case_id}/capture", by="stranger")).status == 403
