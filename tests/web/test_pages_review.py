"""The desk of a reviewer over pages: queue, search, case, review by name, acts on several, files, and who may not."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from notifier.services import review
from notifier.services.access import Principal, Role
from tests.services.stages import MAIL, RITA, Stage, row
from tests.web.browsing import Reader, Shown, seated
from tests.web.callers import Callers

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 24
TAKEN = "2026-11-02T12:00:00Z"


@pytest.fixture(scope="module")
def stage(callers: Callers) -> Stage:
    return callers.stage


@pytest.fixture(scope="module")
async def rita(stage: Stage) -> AsyncIterator[Reader]:
    reader = await seated(stage, "Rita Pages", Role.REVIEWER)
    yield reader
    await reader.close()


@pytest.fixture(scope="module")
async def sam(stage: Stage) -> AsyncIterator[Reader]:
    """The one who reports what the stage's submitter reports: the seat of the same person."""
    reader = await seated(stage, "Sam Submitter", Role.SUBMITTER)
    yield reader
    await reader.close()


def about(name: str, day: str, **changes: Any) -> dict[str, Any]:
    """The sample report with everything that its program asks for, about another name and of another day."""
    text = json.dumps(row(MAIL)).replace(MAIL, name).replace("2026-11-02", day)
    return {**json.loads(text), **changes}


async def opened(stage: Stage, name: str, **changes: Any) -> str:
    """A case in review about this name, looked at once; its id."""
    day = f"{await stage.r.clock.now():%Y-%m-%d}"
    said = await stage.submit(about(name, day, **changes))
    assert said.state == "in_review", (said.code, said.detail, said.findings)
    await stage.r.quiet()
    return str(said.case_id)


def hidden(page: Shown, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found is not None, page.words
    return found[1]


async def test_from_the_queue_to_a_queued_notice(stage: Stage, rita: Reader) -> None:
    case_id = await opened(stage, "journey-pills.com")
    queue = await rita.get("/desk")
    assert (queue.url, queue.heading) == ("/desk/queue", "Queue")
    assert f'href="/desk/cases/{case_id}"' in queue.text
    assert "new: nobody has reviewed it yet" in queue.words
    case = await rita.get(f"/desk/cases/{case_id}")
    assert case.heading == "journey-pills.com"
    assert f'href="/desk/cases/{case_id}/review"' in case.text
    shown = await rita.get(f"/desk/cases/{case_id}/review")
    digest = hidden(shown, "digest")
    assert digest == (await stage.preview(case_id)).digest
    assert "notices@verisign.sandbox.test" in shown.words
    for wrong in ("journey-pil1s.com", "www.journey-pills.com", "jоurney-pills.com", ""):  # the third has a Cyrillic o
        refused = await rita.send(f"/desk/cases/{case_id}/review", digest=digest, name=wrong, note="")
        assert (refused.status, refused.heading) == (422, "journey-pills.com"), wrong
        assert "nothing was approved" in refused.words
        assert await stage.state(case_id) == "in_review"
    done = await rita.send(
        f"/desk/cases/{case_id}/review", digest=digest, name="hxxps://Journey-Pills[.]com/", note="compared"
    )
    assert done.url == f"/desk/cases/{case_id}?said=case_approved"
    [notice] = await stage.notices(case_id)
    assert (notice["state"], notice["approved_by"]) == ("queued", "Rita Pages")
    approval = await stage.ctx.db.fetchrow("select digest, note from approval where case_id = $1", case_id)
    assert dict(approval or {}) == {"digest": digest, "note": "compared"}
    via = "select via from audit_entry where case_id = $1 and tag = 'case.approved'"
    assert await stage.ctx.db.fetchval(via, case_id) == "page"
    again = await rita.get(f"/desk/cases/{case_id}/review")
    assert again.url == f"/desk/cases/{case_id}"  # nothing to review any more
    assert "Cancel the approval" in again.words
    assert "Reject it" not in again.words
    text = await rita.get(f"/desk/cases/{case_id}/notices/{notice['id']}")
    assert notice["digest"] in text.words
    await rita.send(f"/desk/cases/{case_id}/cancel", reason="one more look")
    assert await stage.state(case_id) == "in_review"
    anew = await rita.get(f"/desk/cases/{case_id}/review")
    assert "Rita Pages approved" in anew.words
    assert "an approval was cancelled" not in anew.words
    assert "one more look" in (await rita.get("/desk/queue")).words


async def test_what_changed_since_it_was_shown_is_not_approved(stage: Stage, rita: Reader) -> None:
    case_id = await opened(stage, "changed-pills.com")
    digest = hidden(await rita.get(f"/desk/cases/{case_id}/review"), "digest")
    await stage.submit(about("changed-pills.com", "2026-11-02", urls=["https://changed-pills.com/other"]))
    await stage.r.quiet()
    refused = await rita.send(f"/desk/cases/{case_id}/review", digest=digest, name="changed-pills.com", note="")
    assert refused.status == 409
    assert "read the preview again" in refused.words
    assert await stage.state(case_id) == "in_review"
    assert hidden(refused, "digest") != digest  # the page that says so shows what would go now


async def test_who_had_a_part_in_it_may_not_approve(stage: Stage, rita: Reader) -> None:
    case_id = await opened(stage, "partial-pills.com")
    digest = hidden(await rita.get(f"/desk/cases/{case_id}/review"), "digest")
    form = aiohttp.FormData()
    form.add_field("kind", "screenshot")
    form.add_field("url", "https://partial-pills.com/<b>")
    form.add_field("captured_at", "2026-11-02T12:00")
    form.add_field("file", PNG, filename="../../shot <1>.png", content_type="image/png")
    added = await upload(rita, f"/desk/cases/{case_id}/evidence", form)
    assert (added.status, added.url) == (200, f"/desk/cases/{case_id}?said=evidence_added"), added.words
    assert "hxxps://partial-pills[.]com" in added.words
    assert "another person must approve" in added.words
    assert "you had a part in it" in (await rita.get("/desk/queue")).words
    refused = await rita.send(f"/desk/cases/{case_id}/review", digest=digest, name="partial-pills.com", note="")
    assert refused.status == 403
    assert await stage.state(case_id) == "in_review"

    sha256 = hashlib.sha256(PNG).hexdigest()
    file = await taken(rita, f"/desk/cases/{case_id}/files/{sha256}")
    assert file.text == PNG.hex()
    assert file.headers["Content-Disposition"] == f'attachment; filename="{sha256}.png"'
    assert file.headers["Content-Type"] == "application/octet-stream"
    picture = await taken(rita, f"/desk/cases/{case_id}/pictures/{sha256}")
    assert (picture.headers["Content-Type"], picture.headers["Content-Disposition"]) == ("image/png", "inline")
    assert picture.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert (await rita.get(f"/desk/cases/{case_id}/pictures/{'0' * 64}")).status == 404
    handed = "audit_entry where tag = 'file.handed_out' and via = 'page' and subject = $1"
    assert await stage.count(handed, sha256) == 2


async def taken(reader: Reader, path: str) -> Shown:
    """A file; its bytes as hex."""
    async with reader._session.get(path, headers={"Accept": "text/html"}) as got:
        return Shown(got.status, str(got.url.relative()), got.headers, (await got.read()).hex())


async def upload(reader: Reader, path: str, form: aiohttp.FormData) -> Shown:
    headers = {"Accept": "text/html", "Origin": reader.base}
    async with reader._session.post(path, data=form, headers=headers) as got:
        return Shown(got.status, str(got.url.relative()), got.headers, await got.text())


async def test_a_page_that_is_no_picture_is_never_shown_as_one(stage: Stage, rita: Reader) -> None:
    case_id = await opened(stage, "notpng-pills.com")
    form = aiohttp.FormData()
    page = b"<!doctype html><script>alert(1)</script>"
    form.add_field("file", page, filename="x.png", content_type="text/html")
    assert (await upload(rita, f"/desk/cases/{case_id}/evidence", form)).status == 200
    sha256 = hashlib.sha256(page).hexdigest()
    assert (await rita.get(f"/desk/cases/{case_id}/pictures/{sha256}")).status == 404
    empty = aiohttp.FormData()
    empty.add_field("kind", "")
    empty.add_field("file", b"", filename="", content_type="application/octet-stream")
    refused = await upload(rita, f"/desk/cases/{case_id}/evidence", empty)
    assert (refused.status, "choose a file" in refused.words) == (422, True)


def several(*files: tuple[str, bytes, str], **fields: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in fields.items():
        form.add_field(name, value)
    for name, content, label in files:
        form.add_field("file", content, filename=name, content_type=label)
    return form


async def held(stage: Stage, case_id: str) -> list[str]:
    rows = await stage.ctx.db.fetch(
        "select name from case_file where case_id = $1 and supplied_by <> 'daemon'", case_id
    )
    return sorted(row["name"] for row in rows)


async def test_several_files_come_at_once_and_a_bad_one_takes_no_other_with_it(stage: Stage, rita: Reader) -> None:
    case_id = await opened(stage, "several-pills.com")
    at, shown = f"/desk/cases/{case_id}/evidence", {"kind": "screenshot", "url": "https://several-pills.com/a"}
    other = PNG + b"other"
    files = (
        ("first.png", PNG, "image/png"),
        ("<i>run</i>.exe", b"MZ\x90\x00" + b"\x00" * 60, "application/x-msdownload"),
        ("label.pdf", other, "application/pdf"),
        ("words.txt", b"no picture", "text/plain"),
        ("last.png", other, "image/png"),
    )
    got = await upload(rita, at, several(*files, **shown, captured_at="2026-11-02T12:00"))
    assert (got.status, got.url) == (200, at)
    part = got.text.partition('id="sent"')[2].partition("</section>")[0]
    lines = re.findall(r"<li>(.*?)</li>", part, re.DOTALL)
    assert [re.search(r">(kept|refused)<", line)[1] for line in lines] == [  # type: ignore[index]
        "kept",
        "refused",
        "refused",
        "refused",
        "kept",
    ]
    assert "<i>run" not in got.text
    assert "labelled" in lines[2]
    assert await held(stage, case_id) == ["first.png", "last.png"]
    items = await stage.ctx.db.fetch(
        "select body->>'sha256' as sha256 from evidence where case_id = $1 and kind = 'screenshot' and supplied_by = $2",
        case_id,
        "Rita Pages",
    )
    assert {row["sha256"] for row in items} == {hashlib.sha256(content).hexdigest() for content in (PNG, other)}
    assert "multiple" in (await rita.get(f"/desk/cases/{case_id}")).text


async def test_where_no_file_can_be_taken_nothing_is_added_and_each_says_why(stage: Stage, rita: Reader) -> None:
    case_id = await opened(stage, "none-pills.com")
    at = f"/desk/cases/{case_id}/evidence"
    bad = ("a.exe", b"MZ\x90\x00" + b"\x00" * 60, "application/x-msdownload")
    good = ("b.png", PNG, "image/png")
    for files, fields, told in (
        ([bad], {}, []),
        ([bad, ("c.pdf", PNG, "application/pdf")], {}, ["a.exe", "c.pdf"]),
        ([good, bad], {"items": "[{"}, ["a.exe", "b.png"]),
        ([good, ("d.png", PNG + b"d", "image/png")], {"kind": "screenshot", "url": "no address"}, ["b.png", "d.png"]),
    ):
        got = await upload(rita, at, several(*files, **fields))
        part = got.text.partition('id="sent"')[2].partition("</section>")[0]
        assert (got.status, 'role="alert"' in got.text) == (422, True), fields
        assert sorted(re.findall(r'class="mono">([^<]*)<', part)) == told, fields
        assert ">kept<" not in part
        assert await held(stage, case_id) == [], fields


async def test_what_is_over_the_number_of_files_is_told_and_the_others_are_kept(stage: Stage, rita: Reader) -> None:
    case_id = await opened(stage, "many-pills.com")
    most = stage.ctx.settings.files_max
    files = [(f"n{n}.png", PNG + str(n).encode(), "image/png") for n in range(most + 2)]
    got = await upload(rita, f"/desk/cases/{case_id}/evidence", several(*files))
    assert got.status == 200
    assert f"2 more : at most {most} files at once" in got.words
    assert len(await held(stage, case_id)) == most


async def test_what_is_hostile_is_text(stage: Stage, rita: Reader) -> None:
    url = "https://hostile-pills.com/<script>alert(1)</script>"
    case_id = await opened(
        stage,
        "hostile-pills.com",
        summary="<script>alert(2)</script> sells pills without any prescription " * 2,
        urls=[url],
    )
    for path in ("", "/review", "/timeline"):
        shown = await rita.get(f"/desk/cases/{case_id}{path}")
        assert shown.status == 200, shown.words
        assert "<script>alert" not in shown.text
        assert not re.search(r"""(href|src)=["'][^"']*hostile-pills""", shown.text)
    case = await rita.get(f"/desk/cases/{case_id}")
    assert "<script>alert(2)</script> sells pills" in case.words.replace("&lt;", "<") or "alert(2)" in case.words
    assert "hxxps://hostile-pills[.]com/" in case.text
    assert "https://hostile-pills.com" not in case.text


async def test_a_submitter_sees_no_reviewer_and_no_other_case(stage: Stage, rita: Reader, sam: Reader) -> None:
    mine = await opened(stage, "reduced-pills.com")
    await rita.send(f"/desk/cases/{mine}/assign", assignee="Rita Pages")
    await rita.send(f"/desk/cases/{mine}/request-evidence", reason="the page has no date")
    shown = await sam.get(f"/desk/cases/{mine}")
    assert shown.heading == "reduced-pills.com"
    assert "Rita" not in shown.text
    assert "A reviewer asked for more evidence: the page has no date" in shown.words  # and not who
    assert "Every rule passes: it is the reviewer who wants to see more" in shown.words
    assert "Add evidence" in shown.words
    assert "Reject it" not in shown.words
    for path in ("/review", "/notices/00000000-0000-4000-8000-000000000000"):
        assert (await sam.get(f"/desk/cases/{mine}{path}")).status == 404
    assert (await sam.get("/desk/queue")).status == 404
    assert (await sam.send(f"/desk/cases/{mine}/reject", reason="x", ground="substance")).status == 404
    stranger = await seated(stage, "Tim Elsewhere", Role.SUBMITTER, organisation="elsewhere")
    assert (await stranger.get(f"/desk/cases/{mine}")).status == 404
    assert "reduced-pills" not in (await stranger.get("/desk/cases")).text
    assert (await stranger.get("/desk/cases?q=reduced-pills.com")).url == "/desk/cases?q=reduced-pills.com"
    await stranger.close()


async def test_whoever_reported_it_reads_what_rules_want_and_nothing_of_others(stage: Stage, sam: Reader) -> None:
    name, day = "lacking-pills.com", f"{await stage.r.clock.now():%Y-%m-%d}"
    said = await stage.submit({**about(name, day), "evidence": []})
    assert (said.state, said.case_id is not None) == ("needs_evidence", True)
    theirs = {**about(name, day), "evidence": [], "summary": "words-of-theirs", "external_id": "their-own-id"}
    tim = Principal("Tim Submitter", "person", Role.SUBMITTER, organisation="org-of-theirs")
    await stage.submit(theirs, tim)
    await stage.r.quiet()
    shown = await sam.get(f"/desk/cases/{said.case_id}")
    part = shown.text.partition('id="wanted"')[2].partition("</section>")[0]
    assert "What would help:" in part
    assert "unknown" in part
    assert "A reviewer asked" not in part
    for private in ("words-of-theirs", "their-own-id", "Tim Submitter", "org-of-theirs"):
        assert private not in shown.text, private
    done = await opened(stage, "not-lacking-pills.com")
    assert 'id="wanted"' not in (await sam.get(f"/desk/cases/{done}")).text


async def test_of_another_organisation_nothing_is_decided(stage: Stage) -> None:
    case_id = await opened(stage, "foreign-pills.com")
    other = await seated(stage, "Fay Foreign", Role.REVIEWER, organisation="studio")
    assert (await other.get(f"/desk/cases/{case_id}")).status == 404
    assert (await other.get(f"/desk/cases/{case_id}/review")).status == 404
    assert (await other.send(f"/desk/cases/{case_id}/reject", reason="x", ground="substance")).status == 404
    assert (await other.send("/desk/queue", act="assign", reason="", ground="", case=case_id)).status == 404
    assert "foreign-pills" not in (await other.get("/desk/queue")).text
    assert await stage.state(case_id) == "in_review"
    await other.close()


async def test_auditor_and_admin_only_read(stage: Stage) -> None:
    case_id = await opened(stage, "readonly-pills.com")
    for name, role in (("Otto Pages", Role.AUDITOR), ("Ada Pages", Role.ADMIN)):
        reader = await seated(stage, name, role)
        shown = await reader.get(f"/desk/cases/{case_id}")
        assert (shown.status, "What you can do" in shown.words) == (200, False)
        assert (await reader.get("/desk/queue")).status == 404
        assert (await reader.send(f"/desk/cases/{case_id}/hold", reason="x")).status == 404
        await reader.close()
    for name, role, reach in (
        ("Eva Pages", Role.EVALUATOR, {}),
        ("Reg Pages", Role.REGISTRY, {"registry": "verisign"}),
    ):
        reader = await seated(stage, name, role, **reach)
        assert (await reader.get(f"/desk/cases/{case_id}")).status == 404
        assert (await reader.get("/desk/cases")).status == 404
        await reader.close()


@pytest.mark.parametrize(
    "spelling",
    [
        "xn--mnchen-pills-dlb.com",
        "münchen-pills.com",
        "MÜNCHEN-PILLS.COM.",
        "https://münchen-pills.com/buy?x=1",
        "hxxps://münchen-pills[.]com/buy",
    ],
)
async def test_one_name_in_any_spelling_is_found(stage: Stage, rita: Reader, spelling: str) -> None:
    known = await stage.ctx.db.fetchval("select id from cases where target = 'xn--mnchen-pills-dlb.com'")
    if known is None:
        said = await stage.submit(about("münchen-pills.com", "2026-11-02", urls=["https://münchen-pills.com/"]))
    case_id = known or said.case_id
    assert (await rita.get("/desk/cases?" + urlencode({"q": spelling}))).url == f"/desk/cases/{case_id}"


async def test_a_reference_or_an_id_goes_straight_to_the_case(stage: Stage, rita: Reader) -> None:
    case_id = await opened(stage, "reference-pills.com")
    reference = (await stage.case(case_id))["reference"]
    for text in (reference, reference.lower(), f" {reference} ", case_id):
        assert (await rita.get("/desk/cases?" + urlencode({"q": text}))).url == f"/desk/cases/{case_id}"
    for text in ("TN-1999-000001", "not a name", "9.9.9.9", "x" * 3000):
        shown = await rita.get("/desk/cases?" + urlencode({"q": text}))
        assert (shown.status, 'id="fault"' in shown.text) == (200, True), text
    assert "/desk/cases/" + case_id in (await rita.get("/desk/cases?state=in_review&program=opioids")).text
    assert "/desk/cases/" + case_id not in (await rita.get("/desk/cases?state=notified")).text


async def test_several_are_acted_on_after_a_summary_of_exactly_these(stage: Stage, rita: Reader) -> None:
    one, two = [await opened(stage, name) for name in ("bulk-one-pills.com", "bulk-two-pills.com")]
    gone = await opened(stage, "bulk-gone-pills.com")
    await review.reject(stage.ctx, RITA, gone, "no")
    bulk = {"act": "reject", "reason": "the same <b>shop</b>", "ground": "duplicate"}
    summed = await send_list(rita, "/desk/queue", bulk, [one, two, gone])
    assert summed.heading == "Reject: 2 cases"
    assert "the same <b>shop</b>" in summed.words
    assert "<b>shop" not in summed.text
    assert re.search(r"bulk-gone-pills.com\s+TN-[0-9-]+ : the case is rejected", summed.words)
    assert re.findall(r'name="case" value="([^"]+)"', summed.text) == [one, two]
    assert await stage.state(one) == "in_review"  # a summary does nothing
    done = await send_list(rita, "/desk/queue/act", bulk, [one, two])
    assert done.url == "/desk/queue?said=bulk_done"
    assert [await stage.state(one), await stage.state(two)] == ["rejected", "rejected"]
    said = "select body from audit_entry where case_id = $1 and tag = 'case.rejected' and via = 'page'"
    assert '"duplicate"' in await stage.ctx.db.fetchval(said, two)
    late = await send_list(rita, "/desk/queue/act", bulk, [one])
    assert (late.status, "These were not done" in late.words) == (409, True)
    for wrong in ({**bulk, "act": "approve"}, {**bulk, "reason": ""}, {**bulk, "ground": "spite"}):
        assert (await send_list(rita, "/desk/queue", wrong, [one])).status == 422
    assert (await send_list(rita, "/desk/queue", bulk, [])).status == 422


async def send_list(reader: Reader, path: str, fields: dict[str, Any], cases: list[str]) -> Shown:
    pairs = [*fields.items(), *(("case", one) for one in cases)]
    headers = {"Accept": "text/html", "Origin": reader.base}
    async with reader._session.post(path, data=aiohttp.FormData(pairs), headers=headers) as got:
        return Shown(got.status, str(got.url.relative()), got.headers, await got.text())


async def test_reports_that_do_not_belong_go_to_the_name_that_they_are_about(stage: Stage, rita: Reader) -> None:
    case_id = await opened(stage, "kept-pills.com")
    second = await stage.submit(about("kept-pills.com", "2026-11-02", urls=["https://kept-pills.com/again"]))
    assert str(second.case_id) == case_id
    await stage.r.quiet()
    page = await rita.get(f"/desk/cases/{case_id}")
    assert f'name="report" value="{second.report_id}"' in page.text
    said = {"reason": "another shop", "domain": "moved-pills.com"}
    form = aiohttp.FormData([*said.items(), ("report", str(second.report_id))])
    moved = await upload(rita, f"/desk/cases/{case_id}/detach", form)
    assert moved.heading == "moved-pills.com"
    assert await stage.count("report where case_id = $1", case_id) == 1
    none = await upload(rita, f"/desk/cases/{case_id}/detach", aiohttp.FormData([*said.items()]))
    assert (none.status, "tick the reports" in none.words) == (422, True)


async def test_each_act_of_the_case_page_is_done_or_says_why_not(stage: Stage, rita: Reader) -> None:
    one, two = [await opened(stage, name) for name in ("acts-one-pills.com", "acts-two-pills.com")]
    at = f"/desk/cases/{one}"
    for act, code in (("cancel", 409), ("keep", 409), ("amend", 409), ("close", 422)):
        fields: dict[str, Any] = {"amend": {"answer": "x"}, "close": {}}.get(act, {"reason": "x"})
        refused = await rita.send(f"{at}/{act}", **fields)
        assert (refused.status, 'id="fault"' in refused.text) == (code, True), act
    assert (await rita.send(f"{at}/reject", reason="", ground="substance")).status == 422
    assert (await rita.send(f"{at}/reject", reason="x", ground="spite")).status == 422
    assert await stage.state(one) == "in_review"
    assert (await rita.send(f"{at}/observe", pages="1")).url == f"{at}?said=look_asked"
    held = await rita.send(f"{at}/hold", reason="a court asked for it")
    assert (held.url, "Lift the legal hold" in held.words) == (f"{at}?said=hold_placed", True)
    assert (await rita.send(f"{at}/release-hold")).url == f"{at}?said=hold_lifted"
    given = {"party": "registrar", "address": "abuse@registrar.example", "source": "its page", "name": ""}
    wrong = await rita.send(f"{at}/contact", **{**given, "address": "no mailbox"})
    assert (wrong.status, 'value="no mailbox"' in wrong.text) == (422, True)
    assert (await rita.send(f"{at}/contact", **given)).url == f"{at}?said=contact_given"
    assert "another person must approve" in (await rita.get(at)).words
    into = (await stage.case(two))["reference"]
    asked = await rita.send(f"{at}/merge", into=into, reason="one shop")
    assert (await stage.state(one), "acts-two-pills.com" in asked.words) == ("in_review", True)
    merged = await rita.send(f"{at}/merge", into=into, reason="one shop", sure="yes")
    assert merged.url == f"/desk/cases/{two}?said=case_merged"
    assert await stage.state(one) == "superseded"
    said = await stage.ctx.db.fetch("select tag from audit_entry where case_id = $1 and via = 'page' order by id", one)
    tags = ["case.look_asked", "case.capture_asked", "hold.placed", "hold.lifted", "contact.given", "case.merged_into"]
    assert [row["tag"] for row in said if row["tag"] in tags] == tags


async def test_review_goes_on_to_the_next_of_the_same_queue(stage: Stage, rita: Reader) -> None:
    names = ("next-a-pills.com", "next-b-pills.com", "next-c-pills.com")
    cases = [await opened(stage, name) for name in names]
    for case_id in cases:
        await rita.send(f"/desk/cases/{case_id}/assign", assignee="Rita Pages")
    listed = (await rita.get("/desk/queue?assignee=me")).text
    order = [one for one in re.findall(r'data-row href="/desk/cases/([0-9a-f-]+)"', listed) if one in cases]
    assert sorted(order) == sorted(cases)
    first = await rita.get(f"/desk/cases/{order[0]}/review?queue=1&assignee=me")
    after = f'href="/desk/cases/{order[1]}/review?queue=1&amp;assignee=me" data-key="j n"'
    assert after in first.text
    moved = await rita.send(
        f"/desk/cases/{order[0]}/reject?queue=1&assignee=me", reason="nothing there", ground="substance"
    )
    assert moved.url == f"/desk/cases/{order[1]}/review?queue=1&assignee=me&said=case_rejected"
    assert f'href="/desk/cases/{order[0]}' not in moved.text
    approved = await rita.send(
        f"/desk/cases/{order[1]}/review?queue=1&assignee=me",
        digest=hidden(moved, "digest"),
        name=moved.heading,
        note="",
    )
    assert approved.url == f"/desk/cases/{order[2]}/review?queue=1&assignee=me&said=case_approved"
    assert await stage.state(order[1]) == "approved"


async def test_two_people_approve_what_much_hangs_on(stage: Stage, rita: Reader) -> None:
    popular = min(n for n in stage.ctx.catalog.lists.popular if n.endswith(".com"))
    said = await stage.submit(about(popular, "2026-11-02"))
    assert (said.safety, said.state) == ("second_review", "in_review")
    case_id = str(said.case_id)
    await stage.r.quiet()
    rolf = await seated(stage, "Rolf Pages", Role.REVIEWER)
    here = f'href="/desk/cases/{case_id}"'
    assert here not in (await rolf.get("/desk/queue?assignee=me")).text
    shown = await rita.get(f"/desk/cases/{case_id}/review")
    assert "a second person must approve" in shown.words
    digest = hidden(shown, "digest")
    silent = await rita.send(f"/desk/cases/{case_id}/review", digest=digest, name=popular, note="")
    assert (silent.status, "with a stated reason" in silent.words) == (409, True)
    once = await rita.send(f"/desk/cases/{case_id}/review", digest=digest, name=popular, note="the shop is all it is")
    assert once.url == f"/desk/cases/{case_id}?said=case_approved_once"
    assert "a second approval is wanted" in (await rolf.get("/desk/queue?assignee=me")).words
    assert here not in (await rita.get("/desk/queue?assignee=me")).text
    assert 'name="digest"' not in (await rita.get(f"/desk/cases/{case_id}/review")).text
    seen = await rolf.get(f"/desk/cases/{case_id}/review")
    assert "exactly what was approved then" in seen.words
    done = await rolf.send(f"/desk/cases/{case_id}/review", digest=digest, name=popular, note="so do I think")
    assert done.url == f"/desk/cases/{case_id}?said=case_approved"
    assert await stage.state(case_id) == "approved"
    await rolf.close()


async def test_urgent_ones_come_first_and_overdue_ones_before_new(stage: Stage) -> None:
    old = await opened(stage, "order-old-pills.com")
    await stage.r.clock.advance(await stage.r.clock.now() + timedelta(hours=25))
    new = await opened(stage, "order-new-pills.com")
    urgent = await opened(stage, "order-urgent-pills.com", priority="urgent")
    rita = await seated(stage, "Rosa Pages", Role.REVIEWER)
    shown = (await rita.get("/desk/queue")).text
    at = [shown.index(f'href="/desk/cases/{one}"') for one in (urgent, old, new)]
    assert at == sorted(at)
    late = (await rita.get("/desk/queue?overdue=1")).text
    assert [f'href="/desk/cases/{one}"' in late for one in (urgent, old, new)] == [False, True, False]
    await rita.close()


async def test_a_withdrawal_says_first_how_many_are_told(stage: Stage) -> None:
    case_id = await opened(stage, "withdrawn-pills.com")
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    assert await stage.state(case_id) == "notified"
    rita = await seated(stage, "Rena Pages", Role.REVIEWER)
    said: dict[str, Any] = {"reason": "we read the wrong page", "ground": "error"}
    asked = await rita.send(f"/desk/cases/{case_id}/withdraw", **said)
    assert "1 notice is taken back" in asked.words
    assert await stage.state(case_id) == "notified"
    done = await rita.send(f"/desk/cases/{case_id}/withdraw", **said, sure="yes")
    assert done.url == f"/desk/cases/{case_id}?said=case_withdrawn"
    assert await stage.state(case_id) == "withdrawn"
    await rita.close()
