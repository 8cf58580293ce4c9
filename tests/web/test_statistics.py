"""Statistics over HTTP: what an evaluator asks, what a number counts, and what a grant opens."""

import csv
import io
from urllib.parse import quote

import pytest

from notifier.services import access
from notifier.services.access import Role
from tests import rederived
from tests.services.stages import MAIL
from tests.web.callers import Callers


@pytest.fixture(scope="module")
async def settled(callers: Callers) -> Callers:
    """One case whose hold was verified; an evaluator of another organisation."""
    case_id = await callers.case_in_review(MAIL)
    assert (await callers.approve(case_id)).status == 200
    await callers.stage.pass_time(hours=5)
    made = await access.add_token(
        callers.stage.ctx.db, "Uma University", Role.EVALUATOR, by="test", organisation="university"
    )
    callers.tokens = {**callers.tokens, "university": made.token}
    return callers


async def test_a_number_and_what_it_counts(settled: Callers) -> None:
    said = await settled.get("/statistics?program=opioids&by=registry&curves=true", by="evaluator")
    assert said.status == 200, said
    body = said.body
    assert (body["simulated"], body["basis"], body["unit"]) == (True, "cohort", "domain-epoch")
    assert [part["key"] for part in body["slices"]] == ["verisign"]
    verified = body["whole"]["cohort"]["funnel"]["verified"]
    assert (verified["n"], verified["out_of"], verified["few"]) == (1, 1, True)
    assert (verified["low"], verified["high"]) == (pytest.approx(0.2065, abs=1e-4), 1.0)  # Wilson, 1 of 1
    time = body["whole"]["cohort"]["times"]["verified"]
    assert (time["n"], time["events"], time["censored"], len(time["curve"])) == (1, 1, 0, 1)
    as_of = quote(body["as_of"])
    behind = await settled.get(
        f"/statistics/cases?program=opioids&as_of={as_of}&cell={verified['cell']}", by="evaluator"
    )
    assert (behind.status, behind.body["n"], behind.body["items"][0]["domain"]) == (200, 1, None)
    seen = await settled.get(f"/statistics/cases?program=opioids&cell={verified['cell']}", by="reviewer")
    assert seen.body["items"][0]["domain"] == MAIL
    again = await settled.get(f"/statistics?program=opioids&by=registry&curves=true&as_of={as_of}", by="evaluator")
    assert again.body == body
    plain = await settled.get("/statistics?program=opioids", by="evaluator")
    assert plain.body["whole"]["cohort"]["times"]["verified"]["curve"] is None


async def test_a_period_balances(settled: Callers) -> None:
    said = await settled.get(
        "/statistics?basis=period&by=month&from=2026-10-01T00:00:00Z&to=2027-01-01T00:00:00Z", by="auditor"
    )
    assert [part["key"] for part in said.body["slices"]] == ["2026-10", "2026-11", "2026-12"]
    for part in (said.body["whole"], *said.body["slices"]):
        flow = {name: count["n"] for name, count in part["period"]["flow"].items()}
        assert flow["opened_before"] + flow["opened_in"] == flow["closed_in"] + flow["open_at_end"]
    assert said.body["slices"][1]["period"]["acts"]["verified_in"]["n"] == 1
    cell = said.body["slices"][1]["period"]["acts"]["verified_in"]["cell"]
    behind = await settled.get(
        f"/statistics/cases?basis=period&by=month&from=2026-10-01T00:00:00Z&to=2027-01-01T00:00:00Z&cell={cell}",
        by="auditor",
    )
    assert behind.body["n"] == 1


async def test_csv_says_what_it_is_of_and_is_logged(settled: Callers) -> None:
    said = await settled.get("/statistics/csv?program=opioids", by="admin")
    assert (said.status, said.headers["Content-Disposition"]) == (200, 'attachment; filename="statistics.csv"')
    rows = list(csv.DictReader(io.StringIO(said.body)))
    about = {row["part"]: row["figure"] for row in rows if row["slice"] == "about"}
    assert (about["simulated"], about["basis"], about["program"]) == ("true", "cohort", "opioids")
    (verified,) = [row for row in rows if row["cell"] == "all/funnel/verified"]
    assert (verified["n"], verified["out_of"], verified["share"]) == ("1", "1", "1.0")
    entry = await settled.stage.ctx.db.fetchrow(
        "select actor, via, body::json -> 'detail' ->> 'case_list_sha256' as list from audit_entry "
        "where tag = 'statistics.exported' order by id desc limit 1"
    )
    assert entry is not None
    assert (entry["actor"], entry["via"], entry["list"]) == ("Ada Admin", "api", about["case_list_sha256"])


async def test_the_cases_behind_all_figures_are_a_file(settled: Callers) -> None:
    said = await settled.get("/statistics/case-list?program=opioids", by="evaluator")
    assert (said.status, said.headers["Content-Disposition"]) == (200, 'attachment; filename="cases.csv"')
    about, (unit,) = rederived.read(said.body)
    assert (about["program"], about["cases"], unit["registry"], unit["domain"]) == ("opioids", "1", "verisign", "")
    assert (unit["outcome"], unit["actor"], unit["claims"]) == (
        "registry_hold",
        "registry",
        "registry/hold/verified/seen",
    )
    assert (await settled.get("/statistics/case-list?program=opioids", by="university")).status == 404
    assert (await settled.get("/statistics/case-list", by="submitter")).status == 403


async def test_a_grant_opens_a_programs_numbers_and_its_end_closes_them(settled: Callers) -> None:
    assert (await settled.get("/statistics?program=opioids", by="university")).status == 404
    body = {"organisation": "university", "until": "2026-12-24T00:00:00Z", "names_shown": True, "small_numbers": True}
    given = await settled.post("/programs/opioids/grants", body, by="admin")
    assert (given.status, given.body["given_by"]) == (201, "Ada Admin")
    assert (await settled.post("/programs/opioids/grants", body, by="admin")).status == 409
    assert (await settled.get("/statistics?program=opioids", by="university")).body["cases"] == 1
    assert (await settled.get("/statistics?program=piracy", by="university")).status == 404
    page = await settled.get("/statistics/cases?cell=all/funnel/opened", by="university")
    assert page.body["items"][0]["domain"] == MAIL
    listed = await settled.get("/programs/opioids/grants", by="admin")
    assert [item["id"] for item in listed.body["items"]] == [given.body["id"]]
    ended = await settled.call("DELETE", f"/api/v1/grants/{given.body['id']}", by="admin")
    assert (ended.status, ended.body["ended_by"]) == (200, "Ada Admin")
    assert (await settled.get("/statistics?program=opioids", by="university")).status == 404


@pytest.mark.parametrize(
    "query",
    ["by=week", "basis=both", "from=yesterday", "start=2026-01-01T00:00:00Z", "as_of=2999-01-01T00:00:00Z",
     "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z"],
)  # fmt: skip
async def test_what_cannot_be_asked(settled: Callers, query: str) -> None:
    assert (await settled.get(f"/statistics?{query}", by="reviewer")).status == 422


async def test_a_report_is_a_file(settled: Callers) -> None:
    asked = "/statistics/report?program=opioids"
    said = await settled.get(f"{asked}&kind=scorecard&registry=verisign", by="evaluator")
    assert (said.status, said.body["kind"], said.body["asked"]["registries"]) == (200, "scorecard", ["verisign"])
    assert said.headers["Content-Disposition"] == 'attachment; filename="scorecard-opioids.json"'
    pilot = f"{asked}&kind=pilot&from=2026-10-01T00:00:00Z&to=2026-12-01T00:00:00Z&registry=pir,verisign"
    assert (await settled.get(pilot, by="auditor")).body["registries"] == ["pir", "verisign"]
    assert (await settled.get(f"{asked}&kind=yearly&year=2026", by="admin")).body["year"] == 2026
    for wrong in (
        "kind=yearly",
        "kind=scorecard",
        "kind=pilot",
        "kind=accuracy&year=2026",
        "kind=weekly",
        "kind=yearly&year=2999",
    ):
        assert (await settled.get(f"{asked}&{wrong}", by="evaluator")).status == 422, wrong
    assert (await settled.get(f"{asked}&kind=collateral", by="university")).status == 404
    assert (await settled.get(f"{asked}&kind=accuracy", by="auditor")).status == 403
