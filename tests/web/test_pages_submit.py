"""Submitting over the pages: names checked as they are typed, one report by its form, and many as a file."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from notifier.errors import NotFound
from notifier.services import access, submitted, uploads
from notifier.services.access import Role
from notifier.web.pages import report_form
from notifier.web.pages.report_form import Field
from tests.services.stages import HOOK, MAIL, SAM, STALE, Stage, row, samples
from tests.web.browsing import Reader, seated
from tests.web.callers import Callers

HOSTILE = [
    "<script>alert(1)</script>.com",
    '"><img src=x onerror=alert(1)>',
    "' or 1=1; drop table cases; --",
    "\u202egpj.exe.com",
    "x" * 9_000,
    "http://[::1]/",
    "\0\0\0",
    "{{ 7*7 }}.com",
    "%s%n%x.com",
    "../../../etc/passwd",
    "раураl.com",
    "a\r\nSet-Cookie: x=1.com",
    "xn--a",
    "١٢٣.com",
]


@pytest.fixture
def stage(callers: Callers) -> Stage:
    return callers.stage


@pytest.fixture(scope="module")
async def sam(callers: Callers) -> AsyncIterator[Reader]:
    reader = await seated(callers.stage, "Sara Submits", Role.SUBMITTER)
    yield reader
    await reader.close()


@pytest.fixture(scope="module")
async def rita(callers: Callers) -> AsyncIterator[Reader]:
    reader = await seated(callers.stage, "Ruth Reviews", Role.REVIEWER)
    yield reader
    await reader.close()


def typed(report: Mapping[str, Any]) -> dict[str, str] | None:
    """A report as somebody types it into the form; None where one line of the form cannot hold it."""
    works = {"works": report["works"]} if report.get("works") else {}
    said = {name: str(report[name]) for name in ("program", "domain", "summary", "external_id") if report.get(name)}
    said |= {"urls": "\n".join(report.get("urls", [])), "priority": report.get("priority", "normal")}
    said |= _filled([report_form.works()], works, "")
    said |= _filled(report_form.statements(), report.get("statements", {}), "s.")
    items = report.get("evidence", [])
    for place, item in enumerate(items[: report_form.MOST_ITEMS]):
        said[f"e{place}.kind"] = item["kind"]
        said |= _filled(report_form.kinds()[item["kind"]].fields, item, f"e{place}.")
    lossy = len(items) > report_form.MOST_ITEMS or any("\a" in text for text in said.values())
    return None if lossy or "event_window" in report else said


def _filled(fields: Any, data: Mapping[str, Any], prefix: str) -> dict[str, str]:
    found = {}
    for field in fields:
        value: Any = data
        for part in field.name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            found[prefix + field.name] = _text(field, value)
    return found


def _text(field: Field, value: Any) -> str:
    if field.how == "rows":
        cells = [[_text(c, item[c.name]) if c.name in item else "" for c in field.columns] for item in value]
        return "\n".join(" | ".join("\a" if "|" in cell or "\n" in cell else cell for cell in line) for line in cells)
    if field.how == "lines":
        return "\n".join(value)
    return {True: "yes", False: "no"}.get(value, str(value)) if field.how == "yesno" else str(value)


def without_nothing(value: Any) -> Any:
    """A report without what says nothing, which a form cannot send."""
    if isinstance(value, Mapping):
        return {name: without_nothing(v) for name, v in value.items() if v not in (None, [], {})}
    return [without_nothing(v) for v in value] if isinstance(value, list) else value


def test_every_sample_report_can_be_typed_into_the_form() -> None:
    seen = 0
    for report in samples():
        if (form := typed(report)) is None:
            continue
        assert report_form.names() >= form.keys()
        made, wanted = report_form.report(form), without_nothing(report)
        assert made == {"priority": "normal", **wanted}, report["external_id"]
        seen += 1
    assert seen > 100


async def test_a_report_is_typed_checked_sent_and_shown(stage: Stage, sam: Reader) -> None:
    asks = await sam.get("/desk/submit?program=opioids")
    assert asks.heading == "Submit a report: Opioids" or asks.status == 200
    for name in ("domain", "urls", "summary"):
        assert f'<label for="{name}"' in asks.text
    form: Any = typed(row(MAIL))
    before = await stage.count("report")
    short = await sam.send("/desk/submit", **{**form, "summary": "x", "act": "check"})
    assert short.status == 200
    assert "What its program still asks for" in short.words
    assert await stage.count("report") == before, "a check keeps nothing"
    more = await sam.send("/desk/submit", **{**form, "add": "court_order", "act": "add"})
    assert more.text.count('value="court_order"') >= 1
    assert "Docket or file number." in more.words
    assert form["summary"] in more.words, "what was typed stays"
    sent = await sam.send("/desk/submit", **{**form, "act": "submit", "key": "one-key"})
    assert re.fullmatch(r"/desk/submit/[0-9a-f-]{36}\?said=report_sent", sent.url), sent.words
    assert f"Your report about {MAIL}" in sent.heading
    assert "Nothing is missing" in sent.words
    kept = await stage.ctx.db.fetchrow("select * from report where principal = 'Sara Submits' and case_id is not null")
    assert kept is not None
    assert (kept["via"], kept["domain"]) == ("page", MAIL)
    assert f"/desk/cases/{kept['case_id']}" in sent.text
    again = await sam.send("/desk/submit", **{**form, "act": "submit", "key": "one-key"})
    assert again.url == sent.url, "the same form again is the same report"
    # Now there is an open case that its own submitter may know of, and a stranger may not.
    known = await sam.send("/desk/submit/check", program="opioids", domain=MAIL)
    assert json.loads(known.text)["open_case"]["id"] == str(kept["case_id"])
    other = await seated(stage, "Strange Sue", Role.SUBMITTER, organisation="elsewhere")
    assert (
        json.loads((await other.send("/desk/submit/check", program="opioids", domain=MAIL)).text)["open_case"] is None
    )
    assert (await other.get(sent.url)).status == 404
    await other.close()


async def test_a_refusal_says_what_it_means_and_keeps_what_was_typed(sam: Reader) -> None:
    shown = await sam.send(
        "/desk/submit", program="opioids", domain="co.uk", summary="sells <b>pills</b>", act="submit", key="k"
    )
    assert shown.status == 422
    assert "An ending under which others register" in shown.words
    assert "sells &lt;b&gt;pills&lt;/b&gt;" in shown.text
    assert 'value="co.uk"' in shown.text


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_answered_and_escaped(sam: Reader, name: str) -> None:
    for act in ("check", "submit"):
        shown = await sam.send("/desk/submit", program="piracy", domain=name, urls=name, summary=name, act=act, key="")
        assert shown.status < 500
        assert "<script>alert" not in shown.text
        assert "<img src=x" not in shown.text
        assert "49.com" not in shown.text
    checked = await sam.send("/desk/submit/check", program="piracy", domain=name)
    assert checked.status == 200
    assert "<script" not in json.loads(checked.text)["html"]
    assert "<img" not in json.loads(checked.text)["html"]


@pytest.mark.parametrize(
    ("spelling", "domain", "code"),
    [
        ("hxxps://Cheap[.]Example-Pills[.]com/buy", "example-pills.com", None),
        ("BÜCHER.example.de", None, "protected"),
        ("bücher.de", "xn--bcher-kva.de", None),
        ("carisoprodol-bnm.blogspot.com", "carisoprodol-bnm.blogspot.com", None),
        ("co.uk", None, "public_suffix"),
        ("192.0.2.7", None, "ip_not_domain"),
        ("nih.gov", None, "protected"),
        ("paypal.com", "paypal.com", None),
        ("not a name", None, "invalid_name"),
    ],
)
async def test_the_check_is_the_dry_run(
    stage: Stage, sam: Reader, spelling: str, domain: str | None, code: str | None
) -> None:
    got = json.loads((await sam.send("/desk/submit/check", program="opioids", domain=spelling)).text)
    raw = json.dumps({"program": "opioids", "summary": "reported by list", "domain": spelling}).encode()
    dry = submitted.dry_run(stage.ctx.catalog, access.local_submitter("x"), raw, datetime.now(UTC))
    for name in ("domain", "host", "registrable", "private_suffix", "registry", "code", "safety"):
        assert got[name] == getattr(dry, name), name
    assert got["warnings"] == list(dry.warnings)
    assert got["domain"] == domain
    if code:
        assert got["code"] == code


async def test_a_reviewer_checks_and_sends_nothing(stage: Stage, rita: Reader) -> None:
    shown = await rita.get("/desk/submit?program=opioids")
    assert (shown.status, 'value="submit"' in shown.text) == (200, False)
    before = await stage.count("report")
    sent = await rita.send("/desk/submit", program="opioids", domain=HOOK, summary="x", act="submit")
    assert (sent.status, await stage.count("report")) == (422, before)
    assert "this needs submitter" in sent.words
    assert (await rita.get("/desk/batches")).status == 404


# --- a file -------------------------------------------------------------------------------------------------------


async def upload(reader: Reader, name: str, content: bytes, program: str = "") -> Any:
    form = aiohttp.FormData()
    form.add_field("program", program)
    form.add_field("file", content, filename=name, content_type="application/octet-stream")
    headers = {"Origin": reader.base, "Accept": "text/html"}
    async with reader._session.post("/desk/upload", data=form, headers=headers) as got:
        return got.status, str(got.url.relative()), await got.text()


LIST = (
    "\ufeffdomain;program;summary;colour\r\n"
    f"{STALE};opioids;Sells oxycodone;blue\r\n"
    "=cmd|' /C calc'!A0;opioids;runs;red\r\n"
    "co.uk;opioids;an ending;red\r\n"
    "one;too;many;cells;here\r\n"
).encode()


async def test_a_file_is_taken_in_and_its_results_read_and_taken_away(stage: Stage, sam: Reader) -> None:
    status, url, text = await upload(sam, "<b>list</b>.csv", LIST)
    assert status == 200, text
    assert re.fullmatch(r"/desk/batches/[0-9a-f-]{36}", url)
    await stage.r.quiet()
    shown = await sam.get(url)
    assert "4 rows: 1 opened a case, 0 joined one or were known, 3 were refused." in shown.words
    assert "<b>list" not in shown.text
    assert "Nobody here knows the columns colour" in shown.words
    assert STALE in shown.words
    assert "data-refresh" not in shown.text
    refused = await sam.get(f"{url}?only=refused")
    assert (refused.text.count("<tr>"), STALE in refused.words) == (4, False)
    assert "public_suffix" in refused.words
    async with sam._session.get(f"{url}/results.csv") as got:
        assert got.headers["Content-Disposition"].startswith("attachment")
        rows = list(csv.DictReader(io.StringIO(await got.text())))
    assert [r["row"] for r in rows] == ["1", "2", "3", "4"]
    assert rows[1]["input"].startswith("'=cmd"), "no spreadsheet runs it"
    assert [r["code"] for r in rows][2:] == ["public_suffix", "malformed"]
    assert (rows[0]["domain"], rows[0]["state"]) == (STALE, "needs_evidence")
    async with sam._session.get(f"{url}/results.ndjson?only=refused") as got:
        told = [json.loads(line) for line in (await got.text()).splitlines()]
    assert [one["row"] for one in told] == [2, 3, 4]
    left = await stage.ctx.db.fetch(
        "select actor, via, body::json -> 'detail' ->> 'form' as form from audit_entry where tag = 'upload.exported' "
        "order by id"
    )
    assert [tuple(row) for row in left] == [("Sara Submits", "page", "csv"), ("Sara Submits", "page", "ndjson")]
    listed = await sam.get("/desk/batches")
    assert url in listed.text
    kept = await stage.ctx.db.fetch(
        "select via, code from report where principal = 'Sara Submits' order by received_at"
    )
    assert {r["via"] for r in kept} == {"page"}
    # Nothing of the file is kept beside the reports.
    assert await stage.count("upload_row where raw is not null") == 0


async def test_an_upload_that_was_cut_off_goes_on_and_takes_nothing_twice(stage: Stage, sam: Reader) -> None:
    names = [f"cut-off-{n}.com" for n in range(3)]
    content = ("domain,program\n" + "".join(f"{n},opioids\n" for n in names) + "co.uk,opioids\n").encode()
    upload_id = await uploads.take(stage.ctx, SAM, "cut.csv", content)
    await stage.r.quiet()
    before = await stage.count("report")
    # As after a kill between the rows and the word of it: the reports are there, their results are not.
    await stage.ctx.db.pool.execute(
        "update upload_row set done_at = null, code = null, raw = (select raw from report where id = report_id) "
        "where upload_id = $1 and row > 1",
        upload_id,
    )
    await stage.ctx.db.pool.execute(
        "update upload set done = 1, refused = 0, finished_at = null where id = $1", upload_id
    )
    await uploads.take_rows(stage.ctx, upload_id)
    await uploads.take_rows(stage.ctx, upload_id)
    one = await uploads.upload(stage.ctx, SAM, upload_id)
    assert (one["done"], one["refused"], one["joined"]) == (4, 1, 0)
    assert one["finished_at"] is not None
    assert await stage.count("report") == before


async def test_of_what_is_marked_nothing_is_kept(stage: Stage, sam: Reader) -> None:
    marked = {"program": "piracy", "domain": "canary-name.com", "summary": "canary-words", "content_flags": ["csam"]}
    _, url, _ = await upload(sam, "list.ndjson", json.dumps(marked).encode())
    await stage.r.quiet()
    assert "csam_refused" in (await sam.get(url)).words
    for table in ("upload_row", "upload", "report"):
        rows = await stage.ctx.db.fetch(f"select t::text as all from {table} t where t::text like '%canary%'")
        assert rows == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.exe", b"domain\na.com\n"),
        ("list.csv", b""),
        ("list.csv", b"name\na.com\n"),
        ("list.json", b"{"),
        ("list.csv", b"domain\n"),
    ],
)
async def test_what_is_no_list_is_told_on_the_form(stage: Stage, sam: Reader, name: str, content: bytes) -> None:
    before = await stage.count("upload")
    status, _, text = await upload(sam, name, content)
    assert (status, 'role="alert"' in text, await stage.count("upload")) == (422, True, before)


async def test_an_upload_is_its_organisations(stage: Stage, sam: Reader, rita: Reader) -> None:
    _, url, _ = await upload(sam, "mine.csv", b"domain,program\nmine-alone.com,opioids\n")
    other = await seated(stage, "Foreign Fay", Role.SUBMITTER, organisation="elsewhere")
    for path in (url, f"{url}/results.csv", f"{url}/results.ndjson"):
        assert (await other.get(path)).status == 404
        assert (await rita.get(path)).status == 404
    assert url not in (await other.get("/desk/batches")).text
    await other.close()
    with pytest.raises(NotFound):
        await uploads.upload(stage.ctx, SAM, "not-an-id")
    await stage.r.quiet()
