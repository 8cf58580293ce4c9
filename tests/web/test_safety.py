"""What may not be put to a registry cannot be, whoever asks for it over the API; and a case shows what it rests on."""

import pytest

from tests.services.measuring import about
from tests.web.callers import Callers

# Issue 3, "Seen from outside". The `.pharmacy` names are real holders of the vetted zone; they are only parsed here.
REROUTED = {
    "columbia.edu": "columbia.edu",
    "www.columbia.edu": "www.columbia.edu",
    "soup.io": "soup.io",
    "0crenova4.soup.io": "0crenova4.soup.io",
    "blogspot.com": "blogspot.com",
    "carisoprodol-abc.blogspot.com": "carisoprodol-abc.blogspot.com",
    "evil.github.io": "evil.github.io",
    "shop.pills.ru.com": "pills.ru.com",
    "pills.mooo.com": "pills.mooo.com",
}


@pytest.mark.parametrize(("named", "target"), REROUTED.items())
async def test_what_others_share_cannot_be_approved_for_a_registry(callers: Callers, named: str, target: str) -> None:
    said = await callers.post("/reports", about(named))
    assert said.status == 201, said.body
    await callers.stage.r.quiet()
    case_id = said.body["case_id"]
    case = (await callers.get(f"/cases/{case_id}", by="reviewer")).body
    assert (case["domain"], case["safety"], case["scope"], case["agreement"]) == (target, "reroute", "host", None)
    shown = (await callers.get(f"/cases/{case_id}/preview", by="reviewer")).body
    assert shown["notices"] == []
    for by in ("reviewer", "second_reviewer"):
        body = {"digest": shown["digest"], "note": "let it go anyway"}
        answer = await callers.post(f"/cases/{case_id}/approve", body, by=by)
        assert answer.status == 409, answer.body
        assert answer.code in ("no_recipient", "not_sufficient", "conflict")
    assert (await callers.get(f"/cases/{case_id}", by="reviewer")).body["state"] in ("in_review", "needs_evidence")
    assert await callers.stage.count("notice where case_id = $1", case_id) == 0


@pytest.mark.parametrize(
    "named", ["aon.pharmacy", "www.nabp.pharmacy", "safe.pharmacy", "a.gtld-servers.net", "fda.gov"]
)
async def test_what_is_protected_is_no_case_at_all(callers: Callers, named: str) -> None:
    said = await callers.post("/reports", about(named))
    assert (said.status, said.code) == (422, "protected")


async def test_a_case_shows_every_signal_with_weight_source_and_time(callers: Callers) -> None:
    case_id = await callers.case_in_review("cheap-pharma.com")
    case = (await callers.get(f"/cases/{case_id}", by="reviewer")).body
    assert (case["safety"], case["measured"]) == ("clear", True)
    assert case["why"] == "no list names it, and everything that was measured is harmless"
    by_name = {s["name"]: s for s in case["signals"]}
    assert set(by_name["host_names"]) == {"name", "value", "weight", "source", "at"}
    assert (by_name["mail_active"]["value"], by_name["mail_active"]["weight"]) == ("no", "clear")
    assert by_name["cloaking"]["value"] == "no"
    assert case["assessed_at"].startswith("2026-11-02T14:00")
    steps = (await callers.get(f"/cases/{case_id}/timeline", by="reviewer")).body["items"]
    assessed = [s for s in steps if s["tag"] == "target.assessed"]
    assert [(s["detail"]["was"], s["detail"]["safety"], s["detail"]["why"]) for s in assessed] == [
        ("clear", "clear", case["why"])
    ]
    shown = (await callers.get(f"/cases/{case_id}/preview", by="reviewer")).body
    assert "safety.toml 2026-11-25" in shown["notices"][0]["text"]


async def test_two_people_must_agree_each_with_a_reason(callers: Callers) -> None:
    said = await callers.post("/reports", about("gogle.com"))
    await callers.stage.r.quiet()
    case_id = said.body["case_id"]
    case = (await callers.get(f"/cases/{case_id}", by="reviewer")).body
    assert (case["safety"], case["why"]) == (
        "second_review",
        "gogle.com is a letter or an ending away from google.com; make sure which one is meant",
    )
    digest = (await callers.get(f"/cases/{case_id}/preview", by="reviewer")).body["digest"]
    without = await callers.post(f"/cases/{case_id}/approve", {"digest": digest}, by="reviewer")
    assert (without.status, without.code) == (409, "reason_required")
    states = []
    for by in ("reviewer", "second_reviewer"):
        body = {"digest": digest, "note": f"{by}: it is gogle.com, I compared the captures"}
        states.append((await callers.post(f"/cases/{case_id}/approve", body, by=by)).body["state"])
    assert states == ["in_review", "approved"]
