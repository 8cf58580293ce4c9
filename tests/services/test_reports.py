"""The yearly report in each form, and that a file of numbers proves itself or says what is wrong."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from notifier.errors import Invalid, NotFound
from notifier.services import report_forms, reports, statistics, statistics_file
from notifier.services.report_data import Form
from notifier.services.report_forms import Written
from notifier.services.statistics import Query
from tests.services.stages import MAIL, RITA, Stage
from tests.services.test_joining import opened
from tests.services.test_statistics import EVA, told

__all__ = ["told"]


async def made(stage: Stage, form: Form) -> str:
    file = await reports.report(stage.ctx, RITA, reports.of_year("opioids", 2026), form, via="cli")
    return file.content.decode()


async def test_the_report_says_what_happened(told: Stage) -> None:
    found = json.loads(await made(told, Form.JSON))
    assert (found["kind"], found["year"], found["program"]["id"], found["units"]) == (
        "yearly-report",
        2026,
        "opioids",
        4,
    )
    lines = {line["provider"]: (line["notices"], line["actions"]) for line in found["providers"]}
    assert lines == {"verisign": (1, {"hold, seen": 1}), "pir": (1, {"declined": 1})}
    assert (found["requests"]["requested"], found["requests"]["suspended"]["n"]) == (2, 1)
    assert found["requests"]["reasons"] == {"declined_nexus": 1}
    flow = found["period"]
    assert flow["opened_before"] + flow["opened_in"] == flow["closed_in"] + flow["open_at_end"] == 4
    assert (found["about"]["simulated"], found["about"]["cases"]) == (True, 4)
    assert MAIL not in json.dumps(found)
    tags = await told.ctx.db.fetch(
        "select via, body::json -> 'detail' ->> 'form' as form from audit_entry where tag = 'statistics.exported'"
    )
    assert [(r["via"], r["form"]) for r in tags] == [("cli", "report.json")]


async def test_the_page_is_whole_and_says_the_same(told: Stage) -> None:
    page = await made(told, Form.HTML)
    HTMLParser().feed(page)
    words = re.sub(r"<[^>]+>", " ", page)
    assert "Simulated" in words
    assert "1 of 2: 50.0 % (9.5 to 90.5)*" in words  # Wilson, 1 of 2
    assert "1 declined" in words
    assert not re.search(r"(src|href)=", page)
    assert page.count("<script") == 1  # data, which nothing runs


@pytest.mark.parametrize("form", [Form.HTML, Form.CSV, Form.JSON])
async def test_a_report_is_computed_again_later(told: Stage, form: Form) -> None:
    text = await made(told, form)
    await told.pass_time(days=1)
    await opened(told, "later-shop.com")
    assert await reports.verify(told.ctx, RITA, text.encode()) == []
    for wrong in (
        text.replace("declined_nexus", "declined_other"),
        text.replace("hold, seen", "hold, seem"),
        text + "<b>more</b>",
    ):
        try:
            assert await reports.verify(told.ctx, RITA, wrong.encode())
        except Invalid:
            assert form is not Form.HTML


async def test_what_stats_wrote_is_computed_again(told: Stage) -> None:
    for query in (Query(by="registry"), Query("opioids", basis="period", by="month")):
        found = statistics_file.document(await statistics.statistics(told.ctx, RITA, query))
        as_csv, as_json = statistics_file.csv_of(found), statistics_file.json_of(found)
        for text in (as_csv, as_json):
            assert await reports.verify(told.ctx, RITA, text.encode()) == []
        await opened(told, f"later-{query.basis}.com")
        rows = list(csv.reader(io.StringIO(as_csv, newline="")))
        row = next(r for r in rows if r[2] in ("verified", "opened_in"))
        wrong = as_csv.replace(",".join(row[:5]), ",".join([*row[:4], "77"]), 1)
        assert await reports.verify(told.ctx, RITA, wrong.encode())
        assert await reports.verify(told.ctx, RITA, as_csv.encode()) == []
        edited = json.loads(as_json)
        edited["rows"][0]["n"] += 1
        (fault, *_) = await reports.verify(told.ctx, RITA, statistics_file.json_of(edited).encode())
        assert fault.startswith("rows[0].n: the file says")
        edited = json.loads(as_json)
        edited["about"]["case_list_sha256"] = "0" * 64
        assert "case_list_sha256" in (await reports.verify(told.ctx, RITA, statistics_file.json_of(edited).encode()))[0]


async def test_a_checkpoint_that_the_log_does_not_know_is_named(told: Stage) -> None:
    found = json.loads(await made(told, Form.JSON))
    found["checkpoint"] = {"size": 10**9, "root": "0" * 64}
    assert "no checkpoint of size" in (await reports.verify(told.ctx, RITA, statistics_file.json_of(found).encode()))[0]


@pytest.mark.parametrize(
    "text", ["", "x", "{}", "{", "[1]", '{"about": 1}', '{"about": {"basis": "both"}}', "slice,part\n", "\0"]
)
async def test_what_is_no_file_of_ours(stage: Stage, text: str) -> None:
    with pytest.raises(Invalid):
        await reports.verify(stage.ctx, RITA, text.encode())


async def test_what_cannot_be_reported(stage: Stage) -> None:
    with pytest.raises(Invalid):
        await reports.report(stage.ctx, RITA, reports.of_year("opioids", 2999), Form.JSON, via="cli")
    with pytest.raises(NotFound):
        await reports.report(stage.ctx, EVA, reports.of_year("opioids", 2026), Form.JSON, via="cli")


# --- files from before reports had sections -------------------------------------------------------------------------

OLD = Path(__file__).parent / "old_reports"


@pytest.mark.parametrize("form", [Form.HTML, Form.CSV, Form.JSON])
def test_an_old_file_is_written_as_it_was(form: Form) -> None:
    """Files that an earlier release made of such a house: from the document that they hold, the same bytes."""
    content = (OLD / f"yearly-2026.{form}").read_bytes()
    document, told = report_forms.read(content)
    assert told is form
    assert report_forms.is_old(document)
    assert Written(document).file(form) == content


@pytest.mark.parametrize("form", [Form.HTML, Form.CSV, Form.JSON])
async def test_an_old_file_is_still_verified(told: Stage, form: Form) -> None:
    new = json.loads(await made(told, Form.JSON))
    known = json.loads((OLD / "yearly-2026.json").read_text())
    old = {key: new[key] for key in known}
    old["rows"] = [row for row in new["rows"] if row["part"] != "accuracy"]
    old["about"] |= {"definitions": known["about"]["definitions"]}
    assert old["about"]["definitions"] == "1"
    content = Written(old).file(form)
    await opened(told, "later-shop.com")
    assert await reports.verify(told.ctx, RITA, content) == []
    assert await reports.verify(told.ctx, RITA, content.replace(b"declined_nexus", b"declined_other"))


async def test_without_the_packages_it_says_what_to_install(told: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifier.services.report_pdf.find_spec", lambda name: None)
    monkeypatch.setattr("notifier.services.parquet.find_spec", lambda name: None)
    for form, extra in ((Form.PDF, "report"), (Form.PARQUET, "parquet")):
        with pytest.raises(Invalid, match=rf"trusted-notifier\[{extra}\]"):
            await reports.report(told.ctx, RITA, reports.of_year("opioids", 2026), form, via="cli")
    assert await told.count("audit_entry where tag = 'statistics.exported'") == 0, "nothing left"
