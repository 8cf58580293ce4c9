"""The evaluators' pages: numbers by hand, the cases behind each, addresses that keep, and who sees what."""

import asyncio
import csv
import html
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pyarrow.parquet as pq
import pytest

from notifier import charts
from notifier.charts import Bar, Span
from notifier.domain.survival import Duration, kaplan_meier
from notifier.domain.transparency import Transparency
from notifier.services import appealing, grants
from notifier.services.access import Role
from notifier.services.appealing import Filing
from tests import rederived
from tests.services.stages import ADA, HOOK, MAIL, TIM, Stage, row
from tests.web.browsing import Reader, Shown, seated
from tests.web.callers import Callers

_LINK = re.compile(r'<a href="(/figures/cases\?[^"]*)"[^>]*>([0-9]+)</a>')


@pytest.fixture(scope="module")
async def stage(callers: Callers) -> Stage:
    """Two names. One was reported, approved, held by its registry and seen so; one was reported twice and waits."""
    stage = callers.stage
    held = await stage.case_in_review(MAIL)
    await stage.approve(held)
    await stage.pass_time(hours=30)
    await stage.case_in_review(HOOK)
    joined = await stage.submit(row(HOOK), TIM)
    assert joined.code is None
    return stage


@pytest.fixture(scope="module")
async def eva(stage: Stage) -> AsyncIterator[Reader]:
    reader = await seated(stage, "Eva of the house", Role.EVALUATOR)
    yield reader
    await reader.close()


def links(page: Shown) -> list[tuple[str, int]]:
    return [(html.unescape(link), int(n)) for link, n in _LINK.findall(page.text)]


def number(page: Shown, cell: str) -> int:
    """The number on the page that asks for this cell."""
    found = {n for link, n in links(page) if parse_qs(urlsplit(link).query).get("cell") == [cell]}
    assert len(found) == 1, (cell, found)
    return found.pop()


async def listed(reader: Reader, link: str) -> int:
    """How many things the list behind a number has, over all of its pages."""
    rows, page = 0, await reader.get(link)
    while True:
        assert page.status == 200, page.words
        rows += page.text.count('<tr class="counted">')
        following = re.search(r'<a href="([^"]*)" rel="next"', page.text)
        if following is None:
            return rows
        page = await reader.get("/figures/cases" + html.unescape(following[1]))


async def test_the_numbers_are_those_counted_by_hand(stage: Stage, eva: Reader) -> None:
    page = await eva.get("/figures?program=opioids")
    assert (page.status, page.heading) == (200, "Figures")
    assert "2 domain-epochs in 2 cases" in page.words
    assert "3 reports came in so far about 2 domain-epochs" in page.words
    for stage_of, n in {"opened": 2, "approved": 1, "sent": 1, "claimed": 1, "verified": 1}.items():
        rows = [int(got) for link, got in links(page) if f"funnel%2F{stage_of}&" in link + "&"]
        assert n in rows, stage_of
    assert number(page, "all/share/success") == 1
    assert number(page, "all/party/registry/asked") == 1
    assert number(page, "all/party/registry/seen") == 1
    assert number(page, "all/claim/registry/hold/verified") == 1
    assert number(page, "all/outcome/registry_hold/registry") == 1
    assert number(page, "all/outcome/open/none") == 1
    assert number(page, "all/time/verified/n") == 1
    assert number(page, "all/time/notice/censored") == 1
    # One of one: Wilson says from 20.7 % up, and that it is few is said in words.
    assert "100.0 % 20.7 % to 100.0 % of fewer than ten" in page.words
    assert "Half had it after" in page.words


@pytest.mark.parametrize(
    "query",
    [
        "program=opioids",
        "by=registry",
        "basis=period&by=month&from=2026-10-01",
        "basis=period",
        "by=outcome&registry=pir",
    ],
)
async def test_every_number_has_exactly_its_cases(eva: Reader, query: str) -> None:
    page = await eva.get(f"/figures?{query}")
    found = dict(links(page))  # of two with one link the first is of reports, a column in the list of their cases
    assert len(found) >= 8
    assert any(n > 0 for n in found.values())
    for link, n in found.items():
        assert await listed(eva, link) == n, link


async def test_a_kept_view_stays_and_the_newest_moves_on(stage: Stage, eva: Reader) -> None:
    first = await eva.get("/figures?program=opioids")
    kept = html.unescape(re.search(r'<a href="(/figures\?[^"]*)">Keep this view', first.text)[1])  # type: ignore[index]
    before = [n for _, n in links(await eva.get(kept))]
    await stage.submit(row(HOOK), TIM)
    await stage.pass_time(minutes=1)
    await eva.get("/figures?program=opioids")
    again = await eva.get(kept)
    assert [n for _, n in links(again)] == before
    assert "The figures of now" in again.words
    assert "Accuracy of those who report" not in again.words  # it is of now, so no part of what is kept


async def test_names_are_for_whom_the_grant_says(stage: Stage, eva: Reader) -> None:
    link = "/figures/cases?cell=all/funnel/opened"
    for_evaluator = await eva.get(link)
    assert MAIL not in for_evaluator.text
    assert "Domain names are not shown to you" in for_evaluator.words
    reviewer = await seated(stage, "Rita Reads", Role.REVIEWER)
    assert MAIL in (await reviewer.get(link)).text
    await reviewer.close()
    far = await seated(stage, "Uma Faraway", Role.EVALUATOR, organisation="institute")
    page = await far.get("/figures")
    assert "No program's figures are open to you yet" in page.words
    assert links(page) == []
    assert (await far.get("/figures?program=opioids")).status == 404
    until = await stage.ctx.db.clock.now() + timedelta(days=30)
    given = await grants.give(stage.ctx, ADA, "opioids", "institute", until, names_shown=True, small_numbers=True)
    assert "2 domain-epochs" in (await far.get("/figures?program=opioids")).words
    assert MAIL in (await far.get(f"{link}&program=opioids")).text
    await grants.end(stage.ctx, ADA, str(given["id"]))
    assert (await far.get(f"{link}&program=opioids")).status == 404
    assert links(await far.get("/figures")) == []
    await far.close()


async def test_what_leaves_is_what_the_api_says_and_is_logged(stage: Stage, eva: Reader, callers: Callers) -> None:
    page = await eva.get("/figures?program=opioids")
    found = {
        form: html.unescape(link) for link, form in re.findall(r'href="(/figures/figures\.(\w+)\?[^"]*)"', page.text)
    }
    as_json = json.loads((await eva.get(found["json"])).text)
    query = urlsplit(found["json"]).query
    api = (await callers.get(f"/statistics?{query}&curves=true", by="evaluator")).body
    assert as_json["about"]["case_list_sha256"] == api["case_list_sha256"]
    for key, time in api["whole"]["cohort"]["times"].items():
        assert as_json["curves"]["all"][key] == [list(point.values()) for point in time["curve"]]
    rows = list(csv.DictReader(io.StringIO((await eva.get(found["csv"])).text)))
    verified = next(r for r in rows if r["cell"] == "all/funnel/verified")
    assert (verified["n"], verified["out_of"]) == ("1", "1")
    assert not any(value.startswith(("=", "+", "-", "@")) for r in rows for value in r.values())
    async with eva._session.get(found["parquet"]) as got:
        table = pq.read_table(io.BytesIO(await got.read()))
    assert table.num_rows == len([r for r in rows if r["slice"] != "about"])
    assert json.loads(table.schema.metadata[b"about"])["program"] == "opioids"
    (cases,) = re.findall(r'href="(/figures/cases\.csv\?[^"]*)"', page.text)
    assert rederived.agrees((await eva.get(found["csv"])).text, (await eva.get(html.unescape(cases))).text)
    forms = await stage.ctx.db.fetch(
        "select body::json -> 'detail' ->> 'form' as form, via from audit_entry where tag = 'statistics.exported' order by id"
    )
    assert [r["form"] for r in forms][-5:] == ["json", "csv", "parquet", "csv", "cases"]
    assert {r["via"] for r in forms} == {"page"}


async def test_without_the_package_there_is_no_such_file(eva: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifier.services.parquet.find_spec", lambda name: None)
    assert "Parquet" not in (await eva.get("/figures")).words
    assert (await eva.get("/figures/figures.parquet")).status == 404


async def test_appeals_stand_beside_the_figures(stage: Stage, eva: Reader) -> None:
    assert "Nobody has appealed" in (await eva.get("/figures?program=opioids")).words
    await appealing.file(stage.ctx, Filing(MAIL, "It is a pharmacy.", "a@example.org"), "192.0.2.9")
    await stage.r.quiet()
    page = await eva.get("/figures?program=opioids")
    assert (number(page, "appeals/filed"), number(page, "appeals/open"), number(page, "appeals/overturned")) == (
        1,
        1,
        0,
    )
    for link, n in links(page):
        if "cell=appeals" in link:
            assert await listed(eva, link) == n
    assert "Nobody has appealed" in (await eva.get("/figures?registry=pir")).words


async def test_the_ledger_has_its_cases_too(eva: Reader) -> None:
    page = await eva.get("/figures?program=opioids")
    found = [(link, n) for link, n in links(page) if "fate=" in link]
    assert {parse_qs(urlsplit(link).query)["fate"][0]: n for link, n in found}["accepted"] == 1
    for link, n in found:
        assert await listed(eva, link) == n, link


@pytest.mark.parametrize(
    ("role", "reach", "status"),
    [
        (Role.SUBMITTER, {}, 404),
        (Role.REGISTRY, {"registry": "verisign"}, 404),
        (Role.REVIEWER, {}, 200),
        (Role.AUDITOR, {}, 200),
        (Role.ADMIN, {}, 200),
    ],
)
async def test_who_has_figures(stage: Stage, role: Role, reach: dict[str, str], status: int) -> None:
    reader = await seated(stage, f"Figures {role}", role, **reach)
    for path in ("/figures", "/figures/cases?cell=all/funnel/opened", "/figures/figures.csv"):
        assert (await reader.get(path)).status == status, path
    await reader.close()


@pytest.mark.parametrize(
    "query",
    ["by=week", "basis=both", "from=yesterday", "as_of=2999-01-01", "from=2026-02-01&to=2026-01-01", "program=%3Cb%3E"],
)
async def test_what_cannot_be_asked_is_said_on_the_form(eva: Reader, query: str) -> None:
    page = await eva.get(f"/figures?{query}")
    assert page.status in (404, 422)
    assert page.heading == "Figures"
    assert 'role="alert"' in page.text
    assert "<b>" not in page.text
    assert (await eva.get(f"/figures/cases?cell=all/funnel/nothing&{query}")).status in (404, 422)


# --- reports --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "begins"),
    [
        ("kind=yearly&year=2026&form=html", b"<!doctype html>"),
        ("kind=scorecard&registry=verisign&form=pdf", b"%PDF-"),
        ("kind=accuracy&form=csv", b"slice,part,figure"),
        ("kind=reinstatements&registry=&from=2026-01-01&to=2027-01-01&form=json", b"{"),
        ("kind=collateral&registry=pir&form=parquet", b"PAR1"),
        ("kind=pilot&from=2026-11-01&to=2026-11-20&registry=verisign&registry=pir&form=json", b"{"),
    ],
)
async def test_each_report_can_be_taken_away(stage: Stage, eva: Reader, query: str, begins: bytes) -> None:
    page = await eva.get("/figures/reports")
    assert (page.status, page.heading) == (200, "Reports")
    async with eva._session.get(f"/figures/reports/file?program=opioids&{query}") as got:
        content = await got.read()
        assert (got.status, content[: len(begins)]) == (200, begins), content[:500]
        kind, form = re.search("kind=([a-z]+)", query), re.search("form=([a-z]+)", query)
        assert kind is not None
        assert form is not None
        assert got.headers["Content-Disposition"] == f'attachment; filename="{kind[1]}-opioids.{form[1]}"'
        assert got.headers["Cache-Control"] == "private, no-store"
    last = await stage.ctx.db.fetchval(
        "select via || ' ' || (body::json -> 'detail' ->> 'form') from audit_entry where tag = 'statistics.exported' "
        "order by id desc limit 1"
    )
    assert last.startswith("page report.")
    assert last.endswith(f".{form[1]}")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "kind=weekly&form=html",
        "kind=yearly&form=html",
        "kind=yearly&year=2999&form=html",
        "kind=yearly&year=0000&form=html",
        "kind=yearly&year=2026&form=docx",
        "kind=scorecard&form=pdf",
        "kind=scorecard&registry=%3Cb%3E&form=pdf",
        "kind=pilot&from=2026-11-01&form=json",
        "kind=pilot&from=yesterday&to=2026-11-01&form=json",
        "kind=collateral&from=2026-11-01T10&form=json",
        "kind=accuracy&form=csv&program=%3Cb%3E",
    ],
)
async def test_a_report_that_cannot_be_is_said_on_the_form(eva: Reader, query: str) -> None:
    page = await eva.get(f"/figures/reports/file?program=opioids&{query}")
    assert page.status in (404, 422)
    assert page.heading == "Reports"
    assert 'role="alert"' in page.text
    assert "<b>" not in page.text


async def test_registries_to_choose_from_are_those_of_the_cases(stage: Stage, eva: Reader) -> None:
    """Else each form lists every operator there is."""
    async with asyncio.timeout(30):
        while (await eva.get("/figures")).text.count("<option>verisign") != 1:  # not all of it is added up yet
            await asyncio.sleep(0.1)
    page = await eva.get("/figures/reports")
    assert {"verisign", "pir"} < set(stage.ctx.catalog.registries)
    choices = re.findall(r'name="registry">(.*?)</select>', page.text, re.DOTALL)
    assert len(choices) == 3
    for choice in choices:
        assert set(re.findall(r"<option>([^<]*)</option>", choice)) == {"verisign", "pir"}
    other = await eva.get("/figures?registry=radix")
    assert re.search(r"<option selected>radix</option>", other.text)
    assert "nowhere" not in (await eva.get("/figures?registry=nowhere")).text.split("<main")[1].split("</form>")[0]


async def test_an_auditor_is_not_offered_what_it_may_not_have(stage: Stage) -> None:
    otto = await seated(stage, "Otto of the reports", Role.AUDITOR)
    page = await otto.get("/figures/reports")
    assert "Scorecard of a registry" in page.words
    assert "Accuracy of those who report" not in page.words
    assert (await otto.get("/figures/reports/file?program=opioids&kind=accuracy&form=json")).status == 403
    await otto.close()


# --- charts ---------------------------------------------------------------------------------------------------------


def test_a_curve_by_hand() -> None:
    """Of four, one had it after 1 h, one left at 2 h, one had it after 3 h, one is open: 25 %, then 62.5 %."""
    found = kaplan_meier([Duration(3600, True), Duration(7200, False), Duration(10_800, True), Duration(12_600, False)])
    told = {risk.label: (risk.at_risk, round(100 * risk.had, 1)) for risk in charts.risks(found)}
    assert told == {
        "0 hours": (4, 0.0),
        "1 hours": (4, 25.0),
        "2 hours": (3, 25.0),
        "3 hours": (2, 62.5),
        "3.5 hours": (1, 62.5),
    }
    drawn = charts.curve("k", "A <title>", "told & all", found)
    assert 'role="img" aria-labelledby="k-title k-told"' in drawn
    assert "A &lt;title&gt;" in drawn
    assert "told &amp; all" in drawn
    # From 40 to 392 are 3.5 hours; from 168 up to 8 is 100 %.
    assert '<path class="step" d="M40 168H140.6V128.0H241.1V128.0H341.7V68.0H392.0V68.0H392.0"/>' in drawn
    assert "style=" not in drawn


def test_a_curve_is_no_longer_than_the_eye_can_see() -> None:
    found = kaplan_meier([Duration(float(n), n % 3 > 0) for n in range(5_000)])
    assert len(charts.curve("k", "t", "d", found)) < 60_000


def test_nothing_measured_is_drawn_too() -> None:
    for drawn in (
        charts.curve("k", "t", "d", kaplan_meier([])),
        charts.curve("k", "t", "d", kaplan_meier([Duration(0.0, True)])),
        charts.bars("k", "t", "d", []),
        charts.bars("k", "t", "d", [Bar("<x>", 0, "0")]),
        charts.spans("k", "t", "d", [Span("a", None, 0.0, 1.0, "0 of 0")]),
    ):
        assert drawn.startswith("<svg")
        assert "<x>" not in drawn
        assert "nan" not in drawn


async def test_where_small_numbers_are_kept_back_the_form_offers_what_is_answered(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its choices has an answer; an address that asks for more is refused, with the form that does not."""
    for one, below in (("opioids", 10), ("pharmacy", 0)):
        program = replace(stage.ctx.program(one), transparency=Transparency(suppress_below=below))
        monkeypatch.setitem(stage.ctx.catalog.programs, one, program)  # type: ignore[arg-type]
    await stage.pass_time(days=2)
    far = await seated(stage, "Una Outside", Role.EVALUATOR, organisation="college")
    until = await stage.ctx.db.clock.now() + timedelta(days=30)
    for one in ("opioids", "pharmacy"):
        await grants.give(stage.ctx, ADA, one, "college", until)
    page = await far.get("/figures?program=opioids")
    assert fields(page) == {"program": ["opioids", "pharmacy"], "by": ["no parts", "month", "registry"], "as_of": []}
    for by in ("", "month", "registry"):
        shown = await far.get(f"/figures?program=opioids&by={by}&as_of=")
        assert (shown.status, fields(shown)) == (200, fields(page))
        assert "kept back" in shown.words
    first = await far.get("/figures?by=month")
    assert (first.status, fields(first)) == (200, fields(page)), "of the first program, though none is named"
    assert "selected>opioids" in first.text
    refused = await far.get("/figures?program=opioids&registry=verisign&from=2026-01-01")
    assert (refused.status, fields(refused)) == (422, fields(page))
    assert "ask for everything, without registry, from and to" in refused.words
    whole = fields(await far.get("/figures?program=pharmacy"))
    assert set(whole) == {"program", "registry", "from", "to", "basis", "by", "as_of"}, "which keeps nothing back"
    assert whole["program"] == ["opioids", "pharmacy"], "and no sum of both"
    offered = await far.get("/figures/reports")
    assert set(re.findall(r"<option>(opioids|pharmacy)", offered.text)) == {"pharmacy"}
    assert "Small numbers of opioids are kept back from you" in offered.words
    monkeypatch.setitem(stage.ctx.catalog.programs, "pharmacy", stage.ctx.program("opioids"))  # type: ignore[arg-type]
    nothing = await far.get("/figures/reports")
    assert "Small numbers of opioids, pharmacy are kept back" in nothing.words
    assert "/figures/reports/file" not in nothing.text
    await far.close()


def fields(page: Shown) -> dict[str, list[str]]:
    """What the form asks for, and what may be chosen."""
    (form,) = re.findall(r'<form method="get" action="/figures".*?</form>', page.text, re.DOTALL)
    chosen = {
        name: re.findall(r"<option(?: value=\"([^\"]*)\")?[^>]*>([^<]*)", options)
        for name, options in re.findall(r'<select id="[^"]*" name="([^"]*)">(.*?)</select>', form, re.DOTALL)
    }
    return {name: [] for name in re.findall(r'<input id="[^"]*" name="([^"]*)"', form)} | {
        name: [value or words for value, words in of] for name, of in chosen.items()
    }
