"""Agreements over the API: what each role reads of them, and the log of what was done."""

import pytest

from tests.web.callers import Callers

VERISIGN, PIR = "/agreements/opioids.verisign", "/agreements/opioids.pir"


@pytest.fixture(scope="module")
async def lived(callers: Callers) -> Callers:
    """Stopped by its recipient and by an admin, checked, disarmed; resumed by two, armed by two."""
    acts = [
        ("suspend", {"scope": "requests", "reason": "our desk moves"}, "registry"),
        ("suspend", {"scope": "everything", "reason": "a rumour of Ms Private"}, "admin"),
        ("check", None, "second_admin"),
        ("disarm", None, "admin"),
    ]
    for act, body, by in acts:
        said = await callers.post(f"{VERISIGN}/{act}", body, by=by)
        assert said.status == 200, said
    return callers


async def test_how_it_stands(lived: Callers) -> None:
    def of(body: object) -> dict[str, object]:
        (found,) = [item for item in body["items"] if item["id"] == "opioids.verisign"]  # type: ignore[index]
        return found

    admin = of((await lived.get("/agreements", by="admin")).body)
    assert admin["armed"] is False
    stopped = admin["suspended"]
    assert isinstance(stopped, dict)
    assert (stopped["scope"], stopped["reason"], stopped["by"]) == ("everything", "a rumour of Ms Private", "Ada Admin")
    checked = admin["last_check"]
    assert isinstance(checked, dict)
    assert (checked["ready"], checked["present"], checked["by"]) == (True, True, "Boris Admin")
    for who in ("registry", "submitter"):
        seen = of((await lived.get("/agreements", by=who)).body)
        assert isinstance(seen["suspended"], dict)
        assert seen["suspended"]["scope"] == "everything"
        for private in ("Ada Admin", "Boris Admin", "Ms Private"):
            assert private not in str(seen), who


async def test_a_registry_sees_its_own_alone(lived: Callers) -> None:
    items = (await lived.get("/agreements", by="other_registry")).body["items"]
    assert {item["registry"] for item in items} == {"pir"}
    for call in (
        lived.get(f"{VERISIGN}/log", by="other_registry"),
        lived.post(f"{VERISIGN}/suspend", {"scope": "requests", "reason": "r"}, by="other_registry"),
    ):
        answer = await call
        assert (answer.status, answer.code) == (404, "not_found")


async def test_the_log_tells_who_did_what(lived: Callers) -> None:
    page = (await lived.get(f"{VERISIGN}/log", by="auditor")).body
    told = [(entry["actor"], entry["act"]) for entry in page["items"]]
    assert told == [
        ("Ada Admin", "disarmed"),
        ("Boris Admin", "checked"),
        ("Ada Admin", "suspended"),
        ("verisign analyst", "suspended"),
        ("Boris Admin", "armed"),
        ("Ada Admin", "armed"),
        ("Ada Admin", "checked"),
    ]
    assert page["next_cursor"] is None
    armed = page["items"][4]
    item = next(i for i in (await lived.get("/agreements", by="admin")).body["items"] if i["id"] == "opioids.verisign")
    assert armed["digest"] == item["digest"]
    entries = (await lived.get("/audit/entries?limit=200", by="auditor")).body["items"]
    assert {e["id"] for e in page["items"]} <= {e["id"] for e in entries}, "it is the log itself"


async def test_the_log_goes_on_over_pages(lived: Callers) -> None:
    whole = (await lived.get(f"{VERISIGN}/log", by="admin")).body["items"]
    found, cursor = [], ""
    while True:
        page = (await lived.get(f"{VERISIGN}/log?limit=3{cursor}", by="admin")).body
        assert len(page["items"]) <= 3
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == whole
    for wrong in ("x", "-1", "9" * 30):
        answer = await lived.get(f"{VERISIGN}/log?cursor={wrong}", by="admin")
        assert (answer.status, answer.code) == (422, "invalid")


async def test_the_recipient_reads_it_without_the_names_of_staff(lived: Callers) -> None:
    page = (await lived.get(f"{VERISIGN}/log", by="registry")).body["items"]
    assert [(e["actor"], e["act"]) for e in page][:4] == [
        (None, "disarmed"),
        (None, "checked"),
        (None, "suspended"),
        ("verisign analyst", "suspended"),
    ]
    assert page[3]["detail"]["reason"] == "our desk moves"
    for private in ("Ada Admin", "Boris Admin", "Ms Private"):
        assert private not in str(page)


async def test_two_admins_let_it_go_on(lived: Callers) -> None:
    answer = await lived.post(f"{VERISIGN}/resume", {}, by="admin")
    assert (answer.status, answer.code) == (422, "invalid"), "the recipient's word is needed"
    note = {"note": "Ms Example of the desk agreed by call-back"}
    first = await lived.post(f"{VERISIGN}/resume", note, by="admin")
    assert first.body["suspended"]["resume_asked_by"] == "Ada Admin"
    answer = await lived.post(f"{VERISIGN}/resume", note, by="admin")
    assert (answer.status, answer.code) == (403, "four_eyes")
    second = await lived.post(f"{VERISIGN}/resume", note, by="second_admin")
    assert (second.status, second.body["suspended"]) == (200, None)
    answer = await lived.post(f"{VERISIGN}/resume", note, by="second_admin")
    assert (answer.status, answer.code) == (409, "not_suspended")


async def test_what_cannot_be_understood(callers: Callers) -> None:
    for body in ({"scope": "some", "reason": "r"}, {"scope": "requests", "reason": " "}, {"scope": "requests"}):
        answer = await callers.post(f"{PIR}/suspend", body, by="admin")
        assert answer.status == 422, body


async def test_a_test_by_the_api(callers: Callers) -> None:
    made = await callers.post(f"{PIR}/test", by="admin")
    assert (made.status, made.body["result"], made.body["said"]) == (200, "accepted", "HTTP 202")
    again = await callers.post(f"{PIR}/test", by="other_registry")
    assert (again.status, again.code) == (429, "rate_limited")
    assert int(again.headers["Retry-After"]) >= 1
    foreign = await callers.post(f"{VERISIGN}/test", by="other_registry")
    assert (foreign.status, foreign.code) == (404, "not_found")
    mail = await callers.post(f"{VERISIGN}/test", by="registry")
    assert (mail.body["result"], mail.body["said"]) == ("accepted", None)
    assert (await callers.get(f"{VERISIGN}/log?limit=1", by="registry")).body["items"][0]["act"] == "tested"


async def test_a_channel_is_proposed_by_its_recipient_and_refused(callers: Callers) -> None:
    """Who of the staff did what, and what was noted, is not the recipient's to read."""
    address = {"to": "new-desk@verisign.sandbox.test"}
    made = await callers.post(f"{VERISIGN}/channel", {"adapter": "smtp", "address": address}, by="registry")
    assert (made.status, made.body["version"], made.body["state"]) == (201, 1, "proposed")
    assert made.body["proposed_by"] == "verisign analyst"
    again = await callers.post(f"{VERISIGN}/channel", {"adapter": "smtp", "address": address}, by="admin")
    assert (again.status, again.code) == (409, "change_pending")
    bare = await callers.post(f"{VERISIGN}/channel/1/approve", {}, by="admin")
    assert (bare.status, bare.code) == (422, "invalid")
    note = {"note": "confirmed by Ms Example"}
    approved = await callers.post(f"{VERISIGN}/channel/1/approve", note, by="admin")
    assert (approved.status, approved.body["state"], approved.body["approved_by"]) == (200, "approved", "Ada Admin")
    await callers.stage.r.quiet()
    items = (await callers.get("/agreements", by="admin")).body["items"]
    (stands,) = [item for item in items if item["id"] == "opioids.verisign"]
    assert (stands["channel_version"], stands["pending_version"], stands["adapter"]) == (0, 1, "smtp")
    (seen,) = (await callers.get(f"{VERISIGN}/channel", by="registry")).body["items"]
    assert (seen["address"], seen["approved_by"], seen["note"]) == (address, None, None)
    refused = await callers.post(f"{VERISIGN}/channel/1/refuse", {"reason": "not ours"}, by="registry")
    assert (refused.status, refused.body["state"]) == (200, "withdrawn")
    late = await callers.post(f"{VERISIGN}/channel/1/approve", note, by="admin")
    assert (late.status, late.code) == (409, "change_not_open")
    log = (await callers.get(f"{VERISIGN}/log", by="registry")).body["items"]
    acts = [(e["actor"], e["act"]) for e in log if e["act"].startswith("channel_")]
    assert acts[0] == ("verisign analyst", "channel_withdrawn")
    assert acts[-2:] == [(None, "channel_approved"), ("verisign analyst", "channel_proposed")]
    assert "Ada Admin" not in str(log)


async def test_what_is_no_channel(callers: Callers) -> None:
    for body in (
        {"adapter": "smtp", "address": {}},
        {"adapter": "smtp", "address": {"to": "nobody"}},
        {"adapter": "SMTP", "address": {"to": "a@b.example"}},
        {"adapter": "smtp"},
        {"adapter": "smtp", "address": {"to": "a@b.example"}, "version": 3},
        {"adapter": "smtp", "address": {"to": "a@b.example", "port": 1e400}},
        {"adapter": "smtp", "address": {"to": "a@b.example", "host": "mx", "port": 2**70}},
    ):
        answer = await callers.post(f"{PIR}/channel", body, by="admin")
        assert (answer.status, answer.code) in ((422, "invalid"), (422, "malformed")), body
    for version in ("0", "-1", "x", "1" * 12):
        answer = await callers.post(f"{PIR}/channel/{version}/refuse", {"reason": "r"}, by="admin")
        assert answer.status == 404, version
