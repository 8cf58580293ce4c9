"""Files of evidence over HTTP: in as parts of a form, known by their bytes, out as attachments that nobody opens."""

import gzip
import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from notifier import bootstrap, outside
from notifier.services.audit_verify import verify
from notifier.store import keys
from tests.services.stages import HOOK, MAIL, row
from tests.web.callers import BASE, Answer, Callers

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 300
PNG_SHA = hashlib.sha256(PNG).hexdigest()
SHOT = {
    "kind": "screenshot",
    "url": f"https://{MAIL}/",
    "captured_at": "2026-11-02T13:30:00Z",
    "sha256": PNG_SHA,
    "media_type": "image/png",
}


def form(*files: tuple[str, bytes, str], items: Any = None) -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    if items is not None:
        data.add_field("evidence", json.dumps(items))
    for name, content, label in files:
        data.add_field("file", content, filename=name, content_type=label)
    return data


async def upload(callers: Callers, case_id: str, data: aiohttp.FormData, by: str = "submitter") -> Answer:
    headers = {"Authorization": f"Bearer {callers.tokens[by]}"}
    async with callers.session.post(f"{BASE}/cases/{case_id}/evidence", data=data, headers=headers) as answer:
        return Answer(answer.status, answer.headers, json.loads(await answer.text()))


async def taken(callers: Callers, path: str, by: str) -> tuple[int, Any, bytes]:
    headers = {"Authorization": f"Bearer {callers.tokens[by]}"}
    async with callers.session.get(BASE + path, headers=headers) as answer:
        return answer.status, answer.headers, await answer.read()


@pytest.fixture(scope="module")
async def case_id(callers: Callers) -> str:
    return await callers.case_in_review(HOOK)


async def test_a_file_comes_and_goes_unchanged(callers: Callers, case_id: str) -> None:
    said = await upload(callers, case_id, form(("../../shot\u202e.png", PNG, "image/png"), items=[SHOT]))
    assert (said.status, said.body["files"], said.body["missing_files"]) == (200, [PNG_SHA], [])
    status, headers, content = await taken(callers, f"/cases/{case_id}/evidence/{PNG_SHA}", "reviewer")
    assert (status, content) == (200, PNG)
    assert headers["Content-Disposition"] == f'attachment; filename="{PNG_SHA}.png"'
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox;")
    shown = await callers.get(f"/cases/{case_id}", by="reviewer")
    (file,) = [f for f in shown.body["parts"]["files"] if f["supplied_by"] != "daemon"]
    assert (file["sha256"], file["name"], file["media_type"]) == (PNG_SHA, "shot.png", "image/png")


async def test_an_item_whose_file_is_not_here_is_kept_and_told(callers: Callers, case_id: str) -> None:
    lost = "0" * 64
    said = await upload(callers, case_id, form(items=[{**SHOT, "sha256": lost}]))
    assert (said.status, said.body["files"], said.body["missing_files"]) == (200, [], [lost])


async def test_who_gets_a_file(callers: Callers, case_id: str) -> None:
    await upload(callers, case_id, form(("s.png", PNG, ""), items=[SHOT]))
    path = f"/cases/{case_id}/evidence/{PNG_SHA}"
    before = (await callers.stage.tags(case_id)).count("file.handed_out")
    got = {
        by: (await taken(callers, path, by))[0]
        for by in ("submitter", "reviewer", "auditor", "stranger", "registry", "admin")
    }
    assert got == {"submitter": 200, "reviewer": 200, "auditor": 200, "stranger": 404, "registry": 403, "admin": 403}
    assert (await taken(callers, f"/cases/{case_id}/evidence/{'1' * 64}", "reviewer"))[0] == 404
    tags = await callers.stage.tags(case_id)
    assert tags.count("file.handed_out") - before == 3
    mine = await upload(callers, case_id, form(("r.txt", b"seen by the reviewer", "text/plain")), by="second_reviewer")
    assert (await taken(callers, f"/cases/{case_id}/evidence/{mine.body['files'][0]}", "submitter"))[0] == 404


BOMB = b"a bomb"  # made by the test itself: every process of a run reads this file, and packing takes a second


def bomb() -> bytes:
    return gzip.compress(bytes(600_000_000), 9, mtime=0)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([("a.gz", b"PK\x03\x04\x14\x00", "application/gzip")], "file_type"),
        ([("a.exe", b"MZ\x90\x00\x03", "")], "file_type"),
        ([("bomb.gz", BOMB, "application/gzip")], "archive_bomb"),
        ([("cut.gz", gzip.compress(b"x" * 1000, mtime=0)[:-12], "application/gzip")], "archive_broken"),
        ([("cut.zip", b"PK\x03\x04 and no more", "application/zip")], "archive_broken"),
        ([("empty.txt", b"", "text/plain")], "file_type"),
        ([(f"{n}.txt", b"x", "text/plain") for n in range(21)], "too_large"),
        ([], "invalid"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
async def test_what_is_refused_is_told_and_changes_nothing(
    callers: Callers, case_id: str, files: list[tuple[str, bytes, str]], code: str
) -> None:
    files = [(name, bomb() if content is BOMB else content, kind) for name, content, kind in files]
    before = (await callers.get(f"/cases/{case_id}", by="reviewer")).body
    said = await upload(callers, case_id, form(*files, items=None if files else []) if files else form(items=None))
    assert (said.status >= 400, said.code) == (True, code)
    after = (await callers.get(f"/cases/{case_id}", by="reviewer")).body
    assert (after["rev"], after["parts"]["files"]) == (before["rev"], before["parts"]["files"])


async def test_a_zip_bomb_of_many_members_is_measured(callers: Callers, case_id: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(6):
            archive.writestr(f"{n}", bytes(100_000_000))
    said = await upload(callers, case_id, form(("b.zip", packed.getvalue(), "application/zip")))
    assert said.code == "archive_bomb"


@pytest.mark.parametrize(
    ("body", "label"),
    [
        (b"no multipart at all", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\ncut',
            "multipart/form-data; boundary=x",
        ),
        (b"--x--\r\n", "multipart/form-data"),
        (
            b'--x\r\nContent-Disposition: form-data; name="evidence"\r\nContent-Transfer-Encoding: base64\r\n\r\nW10=\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
)
async def test_a_form_that_is_none(callers: Callers, case_id: str, body: bytes, label: str) -> None:
    said = await callers.post(f"/cases/{case_id}/evidence", data=body, headers={"Content-Type": label})
    assert said.status == 422, said
    assert said.code in ("malformed", "invalid")


async def test_what_is_marked_as_abuse_of_children_is_not_taken(callers: Callers, case_id: str) -> None:
    before = await callers.stage.count("blob")
    data = form()
    data.add_field("content_flags", "violence, CSAM")
    data.add_field("file", b"never read", filename="x.txt", content_type="text/plain")
    path, items = f"/cases/{case_id}/evidence", {"content_flags": ["csam"], "evidence": [SHOT]}
    for refused in (
        await upload(callers, case_id, data),
        await callers.post(path, items),
        await upload(callers, case_id, form(items=[{**SHOT, "category": "csam"}])),
        await callers.post("/reports", {**row(MAIL), "content_flags": ["csam"]}),
    ):
        assert refused.code == "csam_refused", refused
        assert "report.cybertip.org" in refused.body["detail"]
    assert await callers.stage.count("blob") == before
    kept = await callers.stage.ctx.db.fetch("select subject, actor from audit_entry where tag = 'evidence.refused'")
    assert len(kept) == 3
    assert {r["actor"] for r in kept} == {"daemon"}
    assert hashlib.sha256(json.dumps(items).encode()).hexdigest() in {r["subject"] for r in kept}


async def test_the_recipient_gets_what_the_notice_rests_on(callers: Callers) -> None:
    stage = callers.stage
    case_id = await callers.case_in_review(MAIL)
    await upload(callers, case_id, form(("s.png", PNG, ""), ("notes.txt", b"as seen", "text/plain"), items=[SHOT]))
    shown = await callers.get(f"/cases/{case_id}/manifest", by="reviewer")
    assert hashlib.sha256(shown.body["body"].encode()).hexdigest() == shown.body["sha256"]
    preview = await callers.get(f"/cases/{case_id}/preview", by="reviewer")
    assert shown.body["sha256"] in json.dumps(preview.body)
    assert (await callers.approve(case_id)).status == 200
    await stage.pass_time(minutes=31)
    notice = await stage.notice(case_id)
    assert shown.body["sha256"] in stage.received(MAIL)[0].raw.decode()
    for by, code in (("other_registry", 404), ("submitter", 403), ("evaluator", 403)):
        assert (await taken(callers, f"/notices/{notice['id']}/evidence", by))[0] == code
    status, headers, content = await taken(callers, f"/notices/{notice['id']}/evidence", "registry")
    assert (status, headers["X-Content-Type-Options"]) == (200, "nosniff")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[0] == "manifest.json"
        body = archive.read("manifest.json")
        assert hashlib.sha256(body).hexdigest() == shown.body["sha256"]
        listed = {file["sha256"] for file in json.loads(body)["files"]}
        found = {hashlib.sha256(archive.read(n)).hexdigest() for n in names if n.startswith("files/")}
        captures = await stage.ctx.db.fetch(
            "select warc_sha256 from capture k join approval a using (case_id) where k.case_id = $1 and k.seq <= a.capture_mark",
            case_id,
        )
        own = {c["warc_sha256"] for c in captures}
        assert own
        assert found == listed == {PNG_SHA, hashlib.sha256(b"as seen").hexdigest(), *own}


async def test_an_altered_file_is_never_given_whole(callers: Callers, case_id: str) -> None:
    content = b"a page as it was, " * 40_000
    said = await upload(callers, case_id, form(("page.txt", content, "text/plain")))
    (sha256,) = said.body["files"]
    folder = callers.stage.r.house.settings.state_dir / outside.BLOBS
    path: Path = folder / sha256[:2] / sha256[2:4] / sha256
    path.write_bytes(content[:-1] + b"X")
    headers = {"Authorization": f"Bearer {callers.tokens['reviewer']}"}
    with pytest.raises(aiohttp.ClientError):
        async with callers.session.get(f"{BASE}/cases/{case_id}/evidence/{sha256}", headers=headers) as answer:
            await answer.read()
    assert await faults(callers) == [f"the file {sha256} was altered where it is stored"]
    path.unlink()
    assert await faults(callers) == [f"the file {sha256} cannot be read (No such file or directory)"]
    assert (await taken(callers, f"/cases/{case_id}/evidence/{sha256}", "reviewer"))[0] == 500
    path.write_bytes(content)
    assert await faults(callers) == []


async def faults(callers: Callers) -> list[str]:
    """What `notifier audit verify` finds, files included."""
    house = callers.stage.r.house
    state = house.settings.state_dir
    async with house.ctx.db.pool.acquire() as con:
        report = await verify(
            con,
            state / bootstrap.CHECKPOINTS,
            keys.open_verifier(state / bootstrap.KEYS),
            datetime.now(UTC),
            files=house.ctx.blobs,
        )
    return report.faults


async def test_retention_and_a_legal_hold(callers: Callers) -> None:
    """1825 days in every program that ships; another open case of the same file keeps it."""
    stage = callers.stage
    ends = await callers.post(
        "/reports", {**row(MAIL), "domain": "http-retention.com", "urls": ["http://http-retention.com/"]}
    )
    stays = await callers.post(
        "/reports", {**row(MAIL), "domain": "http-other.com", "urls": ["http://http-other.com/"]}
    )
    ended, other = ends.body["case_id"], stays.body["case_id"]
    shared, alone = b"in two cases", b"in one case"
    await upload(callers, ended, form(("a.txt", shared, ""), ("b.txt", alone, "")))
    await upload(callers, other, form(("a.txt", shared, "")))
    assert (await callers.post(f"/cases/{ended}/withdraw", {"reason": "a mistake"}, by="reviewer")).status == 200
    assert (await callers.post(f"/cases/{ended}/hold", {"reason": "a court asks"}, by="reviewer")).status == 204
    assert (await callers.post(f"/cases/{ended}/hold", {"reason": "twice"}, by="admin")).status == 409
    shown = await callers.get(f"/cases/{ended}", by="reviewer")
    assert shown.body["parts"]["legal_hold"] is True
    await stage.pass_time(days=1830)
    digest = hashlib.sha256(alone).hexdigest()
    assert (await taken(callers, f"/cases/{ended}/evidence/{digest}", "reviewer"))[0] == 200, (
        "a hold stands above retention"
    )
    assert (await callers.post(f"/cases/{ended}/release-hold", by="reviewer")).status == 204
    assert (await callers.post(f"/cases/{ended}/release-hold", by="reviewer")).status == 409
    await stage.pass_time(days=2)
    assert (await taken(callers, f"/cases/{ended}/evidence/{digest}", "reviewer"))[0] == 404
    assert (await taken(callers, f"/cases/{other}/evidence/{hashlib.sha256(shared).hexdigest()}", "reviewer"))[0] == 200
    shown = await callers.get(f"/cases/{ended}", by="reviewer")
    assert {f["name"]: f["erased_at"] is not None for f in shown.body["parts"]["files"]} == {
        "a.txt": False,
        "b.txt": True,
        "capture.warc.gz": True,
    }
    again = await upload(callers, other, form(("b.txt", alone, "")))
    assert again.body["files"] == [digest]
    assert (await taken(callers, f"/cases/{other}/evidence/{digest}", "reviewer"))[0] == 200
    assert timedelta(days=1825) == stage.ctx.program("opioids").windows.retention
