"""The link in a notice: opening it does nothing, its form answers, and it can do no more than it may."""

import re
from typing import Any

import pytest

from notifier.services import links, review
from tests.services.stages import HOOK, MAIL, RITA, Stage
from tests.services.test_joining import about
from tests.web.callers import BASE, Callers

LINK = re.compile(r"http://127\.0\.0\.1:\d+(/answer/[0-9a-f-]{36}/[a-z2-7]{26})")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def asked(callers: Callers, name: str = MAIL) -> tuple[str, str]:
    """A sent notice whose registry says nothing by itself: the case's id and the link's path."""
    stage = callers.stage
    stage.r.sandbox.desk.behaviours[name] = "silent"
    case_id = await reviewable(stage, name)
    await stage.approve(case_id)
    await stage.pass_time(minutes=31)
    return case_id, link(stage, name)


async def reviewable(stage: Stage, name: str) -> str:
    if name in (MAIL, HOOK):
        return await stage.case_in_review(name)
    said = await stage.submit(about(name))
    assert said.state == "in_review", said
    await stage.r.quiet()
    return str(said.case_id)


async def standing(callers: Callers, name: str) -> str:
    """The link of a notice that several tests share."""
    return link(callers.stage, name) if callers.stage.received(name) else (await asked(callers, name))[1]


def link(stage: Stage, name: str) -> str:
    text = stage.received(name)[-1].raw.decode()
    found = LINK.search(text.replace("=\r\n", "").replace("=3D", "=")) or LINK.search(text.replace("\\/", "/"))
    assert found is not None, text
    return found[1]


async def opened(callers: Callers, path: str, method: str = "GET", **options: Any) -> tuple[int, Any, str]:
    url = BASE.removesuffix("/api/v1") + path
    async with callers.session.request(method, url, allow_redirects=False, **options) as answer:
        return answer.status, answer.headers, await answer.text()


async def test_opening_it_does_nothing(callers: Callers) -> None:
    case_id, path = await asked(callers)
    before = await callers.stage.case(case_id)
    for method in ("GET", "HEAD", "GET"):
        status, headers, text = await opened(callers, path, method)
        assert status == 200
        assert "form-action 'self'" in headers["Content-Security-Policy"]
        assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")
        assert headers["X-Robots-Tag"] == "noindex, nofollow"
    assert MAIL in text
    assert "<strong>hold</strong>" in text
    assert text.count("<script") == 1  # ours, which shows times
    assert await callers.stage.case(case_id) == before
    assert await callers.stage.count("response") == 0


async def test_each_answer_that_it_may_give(callers: Callers) -> None:
    case_id, path = await asked(callers, "link-answers.com")
    for form, response in (
        ({"kind": "acknowledged"}, "acknowledged"),
        ({"kind": "needs_info", "comment": "which page?\r\nand when"}, "needs_info"),
        (
            {"kind": "action_taken", "measure": "hold", "actor": "registry", "effective_at": "2026-11-02T14:10:00Z"},
            "action_claimed",
        ),
    ):
        status, headers, _ = await opened(callers, path, "POST", data=form)
        assert (status, headers["Location"]) == (303, path)
        assert (await callers.stage.case(case_id))["response"] == response
    rows = await callers.stage.ctx.db.fetch(
        "select kind, comment, principal, via from response order by received_at, id"
    )
    assert {r["via"] for r in rows} == {"link"}
    assert {r["principal"] for r in rows} == {f"link:{path.split('/')[2]}"}
    assert rows[1]["comment"] == "which page?\nand when"
    case = await callers.stage.case(case_id)
    assert (case["state"], case["outcome"]) == ("notified", None), "a claim closes nothing"
    assert "needs info" in (await opened(callers, path))[2]
    again = await opened(callers, path, "POST", data={"kind": "acknowledged"})
    assert again[0] == 303
    assert await callers.stage.count("response where via = 'link'") == 3, "the same again is the same"


@pytest.mark.parametrize(
    ("form", "status", "why"),
    [
        ({"kind": "declined", "reason": "declined_nexus"}, 422, "fields that are not the page"),
        ({"kind": "declined"}, 403, "cannot decline"),
        ({"kind": "action_taken"}, 422, "names its measure"),
        ({"kind": "action_taken", "measure": "burn"}, 422, "measure"),
        ({"kind": "acknowledged", "effective_at": "yesterday"}, 422, "effective_at"),
        ({"kind": "acknowledged", "effective_at": "2026-11-02T14:10:00"}, 422, "names no zone"),
        ({"kind": ""}, 422, "kind"),
        ({}, 422, "kind"),
        ({"kind": "acknowledged", "comment": "x" * 20_001}, 422, "comment"),
        ({"kind": "acknowledged", "comment": "x" * 120_000}, 413, "over 100000 bytes"),
        ({"kind": "acknowledged", "comment": "a\0b"}, 422, "comment"),
    ],
)
async def test_what_it_does_not_take_is_told_and_recorded_nowhere(
    callers: Callers, form: dict[str, str], status: int, why: str
) -> None:
    _, path = (
        await asked(callers, "link-refused.com")
        if not callers.stage.received("link-refused.com")
        else (
            "",
            link(callers.stage, "link-refused.com"),
        )
    )
    before = await callers.stage.count("response")
    code, _, text = await opened(callers, path, "POST", data=form)
    assert code == status
    assert why in text
    assert await callers.stage.count("response") == before


@pytest.mark.parametrize(
    "body", [b"kind=%ff", b"kind=acknowledged&kind=declined", b"\xff\xfe", b"a=1&" * 30, b"x=<script>"]
)
async def test_a_form_that_is_none(callers: Callers, body: bytes) -> None:
    _, path = (
        await asked(callers, "link-forms.com")
        if not callers.stage.received("link-forms.com")
        else (
            "",
            link(callers.stage, "link-forms.com"),
        )
    )
    status, _, text = await opened(callers, path, "POST", data=body, headers=FORM)
    assert status == 422
    assert "<script>" not in text
    status, _, _ = await opened(callers, path, "POST", json={"kind": "acknowledged"})
    assert status == 422


async def test_what_is_typed_comes_back_escaped(callers: Callers) -> None:
    _, path = await asked(callers, "link-escape.com")
    nasty = '"><script>alert(1)</script>{{ 7*7 }}'
    status, _, text = await opened(
        callers, path, "POST", data={"kind": "action_taken", "comment": nasty, "domain": nasty}
    )
    assert status == 422
    assert "<script>" not in text
    assert "{{ 7*7 }}" in text


async def test_another_name_written_back_alarms(callers: Callers) -> None:
    case_id, path = await asked(callers, "link-names.com")
    form = {"kind": "action_taken", "measure": "hold", "domain": "link-name.com"}
    assert (await opened(callers, path, "POST", data=form))[0] == 303
    alarms = await callers.stage.ctx.db.fetch("select kind from alarm where case_id = $1", case_id)
    assert [a["kind"] for a in alarms] == ["wrong_name"]
    assert await callers.stage.count("claim where case_id = $1", case_id) == 0


async def test_only_the_very_link_opens(callers: Callers) -> None:
    _, path = await asked(callers, "link-only.com")
    _, other = await asked(callers, "link-other.com")
    _, _, notice_id, secret = path.split("/")
    for wrong in (
        f"/answer/{notice_id}/{'a' * 26}",
        f"/answer/{notice_id}/{other.split('/')[3]}",
        f"/answer/{other.split('/')[2]}/{secret}",
        f"/answer/0190ffff-0000-7000-8000-000000000000/{secret}",
    ):
        for method in ("GET", "POST"):
            status, _, text = await opened(callers, wrong, method, data={"kind": "acknowledged"})
            assert status == 404
            assert "not valid" in text
    assert (await opened(callers, f"/answer/{notice_id}/short"))[0] == 404


async def test_a_link_is_no_well_of_answers(callers: Callers) -> None:
    _, path = await asked(callers, "link-many.com")
    codes = [
        (await opened(callers, path, "POST", data={"kind": "acknowledged", "comment": str(n)}))[0] for n in range(12)
    ]
    assert codes == [303] * 10 + [409] * 2


async def test_nobody_of_ours_gets_the_secret(callers: Callers) -> None:
    _, path = await asked(callers, HOOK)
    secret = path.split("/")[3]
    notice_id = path.split("/")[2]
    for by in ("submitter", "reviewer", "auditor", "admin"):
        answer = await callers.get(f"/notices/{notice_id}", by=by)
        assert secret not in str(answer.body)
        assert (by == "submitter" and answer.status in (200, 404)) or "*" * 26 in answer.body["content"]["text"]
    shown = await callers.get(f"/notices/{notice_id}", by="other_registry")
    assert secret in str(shown.body) or shown.status == 404
    fresh = await reviewable(callers.stage, "link-preview.com")
    preview = (await callers.get(f"/cases/{fresh}/preview", by="reviewer")).body
    assert re.search(r"/answer/[0-9a-f-]{36}/\*{26}", preview["notices"][0]["text"])
    assert not re.search(
        r"/answer/[0-9a-f-]{36}/[a-z2-7]", preview["notices"][0]["text"] + preview["notices"][0]["html"]
    )


async def test_it_opens_when_the_notice_left_and_ends_with_it(callers: Callers) -> None:
    stage = callers.stage
    case_id = await reviewable(stage, "link-times.com")
    await stage.approve(case_id)
    notice_id = str((await stage.notice(case_id))["id"])
    path = f"/answer/{notice_id}/{links.secret_of(stage.ctx.reply_key, notice_id)}"
    assert (await opened(callers, path))[0] == 404, "queued, and known to nobody"
    stage.r.sandbox.desk.behaviours["link-times.com"] = "silent"
    await stage.pass_time(minutes=31)
    assert (await opened(callers, path))[0] == 200
    await review.withdraw(stage.ctx, RITA, case_id, "a mistake")
    await stage.r.quiet()
    assert (await opened(callers, path))[0] == 200, "what was done by then may still be told"
    await stage.pass_time(days=31)
    assert (await opened(callers, path))[0] == 404
    assert (await opened(callers, path, "POST", data={"kind": "acknowledged"}))[0] == 404
