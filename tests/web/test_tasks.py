"""Tasks over HTTP: a notice that a person carries is taken, copied from, and ended with a receipt."""

import hashlib
import json
from typing import Any

import aiohttp
import pytest

from tests.services.stages import HOOK
from tests.services.test_attending import FORM, PNG, by_form
from tests.web.callers import BASE, Answer, Callers


def form(*files: tuple[str, bytes, str], **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in fields.items():
        data.add_field(name, value)
    for name, content, label in files:
        data.add_field("receipt", content, filename=name, content_type=label)
    return data


async def resolve(callers: Callers, task_id: str, data: aiohttp.FormData, by: str = "reviewer") -> Answer:
    headers = {"Authorization": f"Bearer {callers.tokens[by]}"}
    async with callers.session.post(f"{BASE}/tasks/{task_id}/resolve", data=data, headers=headers) as answer:
        text = await answer.text()
        return Answer(answer.status, answer.headers, json.loads(text) if text else None)


@pytest.fixture(scope="module")
async def task_id(callers: Callers) -> str:
    by_form(callers.stage)
    callers.stage.r.sandbox.desk.behaviours[HOOK] = "silent"
    case_id = await callers.case_in_review(HOOK)
    assert (await callers.approve(case_id)).status == 200
    await callers.stage.pass_time(minutes=30)
    page = await callers.get("/tasks", by="reviewer")
    (task,) = page.body["items"]
    assert (task["kind"], task["due_at"] > task["opened_at"]) == ("webform", True)
    return str(task["id"])


async def test_a_notice_is_carried_over_http(callers: Callers, task_id: str) -> None:
    shown = await callers.get(f"/tasks/{task_id}", by="reviewer")
    carrying: dict[str, Any] = shown.body["carrying"]
    assert (carrying["place"], carrying["domain"], carrying["fields"], carrying["files"]) == (FORM, HOOK, [], [])
    assert "take the task first" in carrying["why_not"]
    assert (await callers.post(f"/tasks/{task_id}/take", by="reviewer", data=b"")).status == 204

    shown = await callers.get(f"/tasks/{task_id}", by="reviewer")
    carrying = shown.body["carrying"]
    notice = await callers.get(f"/notices/{shown.body['notice_id']}", by="reviewer")
    assert carrying["digest"] == notice.body["digest"]
    assert carrying["fields"][0] == {"label": "Name", "value": HOOK}
    headers = {"Authorization": f"Bearer {callers.tokens['reviewer']}"}
    for file in carrying["files"]:
        path = f"{BASE}/tasks/{task_id}/files/{file['sha256']}"
        async with callers.session.get(path, headers=headers) as answer:
            content = await answer.read()
            assert (answer.status, len(content)) == (200, file["size"])
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
            assert answer.headers["Content-Disposition"] == f'attachment; filename="{file["filename"]}"'
            assert answer.headers["Content-Type"] == "application/octet-stream"
        other = await callers.get(f"/tasks/{task_id}/files/{file['sha256']}", by="second_reviewer")
        assert (other.status, other.code) == (409, "not_now")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (form(resolution="filed"), "invalid"),
        (form(resolution="done"), "invalid"),
        (form(resolution="filed", reference="T", filed_at="yesterday"), "invalid"),
        (form(resolution="filed", reference="T", filed_at="2026-11-02T14:00:00"), "invalid"),
        (form(resolution="filed", reference="T", verdict="good"), "invalid"),
        (form(("r.txt", b"thank you\n", "text/plain"), resolution="filed"), "file_type"),
        (form(("r.png", PNG, "application/pdf"), resolution="filed"), "file_type"),
        (form(("a.png", PNG, ""), ("b.png", PNG, ""), resolution="filed"), "too_large"),
        (form(("r.png", PNG, "")), "invalid"),
    ],
    ids=range(9),
)
async def test_a_word_that_cannot_be_taken_ends_nothing(
    callers: Callers, task_id: str, data: aiohttp.FormData, code: str
) -> None:
    said = await resolve(callers, task_id, data)
    assert (said.status in (413, 422), said.code) == (True, code)
    assert (await callers.get(f"/tasks/{task_id}", by="reviewer")).body["resolved_at"] is None


async def test_filed_with_a_receipt(callers: Callers, task_id: str) -> None:
    said = await resolve(callers, task_id, form(("shot.png", PNG, "image/png"), resolution="filed", reference="T-77"))
    assert said.status == 204, said
    shown = await callers.get(f"/tasks/{task_id}", by="reviewer")
    assert shown.body["resolution"] == "filed"
    notice = await callers.get(f"/notices/{shown.body['notice_id']}", by="reviewer")
    (attempt,) = notice.body["attempts"]
    assert (notice.body["state"], attempt["reference"], attempt["attended"]) == ("sent", "T-77", True)
    assert attempt["receipt"] == hashlib.sha256(PNG).hexdigest()
    headers = {"Authorization": f"Bearer {callers.tokens['reviewer']}"}
    path = f"{BASE}/cases/{shown.body['case_id']}/evidence/{attempt['receipt']}"
    async with callers.session.get(path, headers=headers) as answer:
        assert (answer.status, await answer.read()) == (200, PNG)
    again = await resolve(callers, task_id, form(resolution="filed", reference="T-78"))
    assert (again.status, again.code) == (409, "conflict")
