"""Each kind of report over one scripted house: figures by hand, the same again later, and nobody's name in any form."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pypdf import PdfReader

from notifier.domain.answer import Answer
from notifier.domain.appeal import Cause, Outcome
from notifier.errors import Forbidden, Invalid, NotFound
from notifier.services import accuracy, grants, hearing, hops, joining, reports, review, statistics_file
from notifier.services.access import Principal
from notifier.services.report_data import Asked, Form, Kind
from notifier.services.responses import respond
from notifier.services.statistics import Query
from tests.services.conftest import Opens
from tests.services.stages import ADA, HOOK, MAIL, PIR, RITA, ROLF, SAM, SHARED, STALE, Stage, row
from tests.services.test_appeals import DOWN, appealed, held
from tests.services.test_hopping import HOPS, proposed
from tests.services.test_joining import AT_TIMS, about, opened
from tests.services.test_statistics import EVA, OTTO

BEGUN, OVER = datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)
ASKED = {
    Kind.YEARLY: reports.of_year("opioids", 2026),
    Kind.SCORECARD: Asked(Kind.SCORECARD, "opioids", registries=("verisign",)),
    Kind.ACCURACY: Asked(Kind.ACCURACY, "opioids"),
    Kind.REINSTATEMENTS: Asked(Kind.REINSTATEMENTS, "opioids"),
    Kind.COLLATERAL: Asked(Kind.COLLATERAL, "opioids"),
    Kind.PILOT: Asked(Kind.PILOT, "opioids", BEGUN, OVER, ("verisign",)),
}


async def lived(stage: Stage) -> None:
    """A hold that was wrong and is undone, one that was cured, a decline, a rejection, a platform, a protected name."""
    wrong = await held(stage, MAIL)
    stage.r.sandbox.desk.party_behaviours["pir"] = "silent"
    declined = await stage.notified(HOOK)
    notice = str((await stage.notice(declined))["id"])
    await respond(stage.ctx, PIR, notice, Answer("declined", reason="declined_nexus"))
    await hearing.decide(stage.ctx, ROLF, await appealed(stage, wrong, MAIL), DOWN, "You have a licence.", Cause.LAWFUL)
    await stage.pass_time(days=2)
    await review.reject(stage.ctx, RITA, await opened(stage, "rejected-shop.com", AT_TIMS), "no")
    await stage.submit(row(SHARED))
    await stage.submit(row(STALE))
    await stage.submit(about("verisign.com"))
    await stage.r.quiet()


SCRIPT = lived


async def file(stage: Stage, kind: Kind, form: Form, who: Principal = RITA) -> bytes:
    return (await reports.report(stage.ctx, who, ASKED[kind], form, via="cli")).content


async def told_by(stage: Stage, kind: Kind) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await file(stage, kind, Form.JSON))
    return found


def numbers(document: dict[str, Any], part: str, key: str = "all") -> dict[str, Any]:
    """`n` of a report's rows, by figure."""
    return {row["figure"]: row["n"] for row in document["rows"] if (row["part"], row["slice"]) == (part, key)}


@pytest.fixture
async def house(stage: Stage) -> Stage:
    await lived(stage)
    return stage


async def test_figures_by_hand(still: Stage) -> None:
    card = await told_by(still, Kind.SCORECARD)
    assert numbers(card, "funnel", "verisign") == {
        "opened": 4, "approved": 1, "sent": 1, "received": 1, "answered": 1, "claimed": 1, "verified": 1,
    }  # fmt: skip
    assert numbers(card, "funnel", "all others") == {
        "opened": 1, "approved": 1, "sent": 1, "received": 1, "answered": 1, "claimed": 0, "verified": 0,
    }  # fmt: skip
    assert numbers(card, "claim", "verisign") == {"registry/hold/verified": 1}
    # Verisign had it after 4 h 5 min, when the other was still at risk: one event, 1 of 2 at risk, so (1/2)^2 / (1/4).
    assert card["comparisons"]["verified"] == {"chi2": pytest.approx(1), "df": 1, "p": pytest.approx(0.3173, abs=1e-4)}

    ledger = await told_by(still, Kind.ACCURACY)
    assert numbers(ledger, "fate", "tims") | {"right": numbers(ledger, "accuracy", "tims")["right"]} == {
        "accepted": 0, "rejected": 1, "out_of_scope": 0, "error": 0, "overturned": 0, "clerical": 0, "duplicate": 0,
        "refused": 0, "right": 0,
    }  # fmt: skip
    ours = numbers(ledger, "fate", "the house itself")
    assert (ours["accepted"], ours["overturned"], ours["refused"]) == (1, 1, 1)
    assert ledger["about"]["cases"] == 3  # decided: the others wait

    right = await told_by(still, Kind.REINSTATEMENTS)
    assert numbers(right, "undone") == {
        "lifted_wrong": 1, "lifted_lapsed": 0, "lifted_cured": 0, "event_over": 0, "taken_back": 0,
    }  # fmt: skip
    (line,) = right["lines"]
    assert (line["kind"], line["cause"], line["hosts"]) == ("lifted_wrong", "appeal: lawful", 4)
    # First seen held a minute after the claim of 18:30; two looks agreed at 23:10 that it was back.
    assert (line["held_since"], line["seen_back_at"]) == ("2026-11-02T18:31:00+00:00", "2026-11-02T23:10:00+00:00")
    assert line["held_s"] == 279 * 60

    dark = await told_by(still, Kind.COLLATERAL)
    assert numbers(dark, "safety") == {"clear": 4, "second_review": 0, "reroute": 1, "refuse": 0}
    assert numbers(dark, "why") == {"reroute/private_suffix": 1}
    assert numbers(dark, "refused") == {"protected": 1}
    assert numbers(dark, "went_dark") == {"cases": 1, "host_names": 4, "not_measured": 0}
    assert numbers(dark, "in_error") == {
        "cases": 1,
        "host_names": 4,
        "name_minutes": 279 * 5,
    }  # the name and four hosts

    pilot = await told_by(still, Kind.PILOT)
    opened_in = {
        key: numbers(pilot, "funnel", key)["opened"] for key in ("during/pilot", "during/comparison", "after/pilot")
    }
    assert opened_in == {"during/pilot": 1, "during/comparison": 1, "after/pilot": 3}
    assert numbers(pilot, "flow", "during/pilot") == {
        "opened_before": 0, "opened_in": 1, "closed_in": 1, "open_at_end": 0,
    }  # fmt: skip
    assert numbers(pilot, "flow", "after/comparison")["opened_before"] == 1
    assert "The time after it is not over" in pilot["lead"][-1]
    assert pilot["sections"][-1]["title"] == "What cannot be known from this"

    year = await told_by(still, Kind.YEARLY)
    assert (year["requests"]["reversed_cured"], year["requests"]["reversed_error"]) == (0, 1)
    assert (year["appeals"]["opened"], year["appeals"]["our decision fell"]) == (1, 1)
    assert numbers(year, "accuracy") == {"not_found_wrong": 1}


async def test_each_file_is_computed_again_whatever_came_later(house: Stage) -> None:
    made = {(kind, form): await file(house, kind, form) for kind in Kind for form in Form}
    # At the very instant of the last report, and later.
    await review.reject(house.ctx, RITA, await opened(house, "later-shop.com", AT_TIMS), "no")
    await house.submit(about("nic.com"))
    declined = str(await house.ctx.db.fetchval("select id from cases where target = $1", HOOK))
    await review.withdraw(house.ctx, RITA, declined, "another shop", "error")
    await house.pass_time(days=3)
    for (kind, form), content in made.items():
        assert await reports.verify(house.ctx, RITA, content) == [], (kind, form)
        if form not in (Form.JSON, Form.PARQUET):
            assert await reports.verify(house.ctx, RITA, content + b"x") != [], (kind, form)
    later = await told_by(house, Kind.ACCURACY)
    assert (numbers(later, "fate", "tims")["rejected"], numbers(later, "fate", "the house itself")["error"]) == (2, 1)


@pytest.mark.parametrize("form", [Form.HTML, Form.JSON, Form.PDF, Form.CSV])
async def test_what_was_changed_is_named(still: Stage, form: Form) -> None:
    content = await file(still, Kind.REINSTATEMENTS, form)
    old, new = (b"undone,lifted_wrong,cohort,1", b"undone,lifted_wrong,cohort,0")
    if form is not Form.CSV:
        old, new = b"appeal: lawful", b"appeal: awfull"
    assert old in content
    faults = await reports.verify(still.ctx, RITA, content.replace(old, new))
    assert any("lawful" in fault or "lifted_wrong" in fault for fault in faults), faults


async def test_what_was_changed_in_a_parquet_file_is_named(still: Stage) -> None:
    """A number, a row that is gone, another question; and a file with other columns, or cut off, is none of ours."""
    figures = await statistics_file.exported(
        still.ctx, RITA, Query("opioids"), statistics_file.Form.PARQUET, via="test"
    )
    for content in (figures, await file(still, Kind.REINSTATEMENTS, Form.PARQUET)):
        assert await reports.verify(still.ctx, RITA, content) == []
        table = pq.read_table(io.BytesIO(content))
        counts = table.column("n").to_pylist()
        at = next(i for i, n in enumerate(counts) if n)
        forged = pa.array([n + 1 if i == at else n for i, n in enumerate(counts)], pa.int64())
        (fault,) = await reports.verify(
            still.ctx, RITA, _parquet(table.set_column(table.column_names.index("n"), "n", forged))
        )
        assert fault == f"rows[{at}].n: the file says {counts[at] + 1}, and it is {counts[at]}"
        assert await reports.verify(still.ctx, RITA, _parquet(table.slice(1))) != []
        about = json.loads(table.schema.metadata[b"about"])
        asked = about.get("about", about)
        asked["registry"] = "pir" if "kind" not in about else asked.get("registry")
        asked["cases"] = 77
        other = table.replace_schema_metadata({"about": json.dumps(about)})
        assert any("77" in fault for fault in await reports.verify(still.ctx, RITA, _parquet(other)))
        for broken in (
            content[:-9],
            content + b"x",
            b"PAR1",
            _parquet(table.drop_columns(["few"])),
            _parquet(table.append_column("more", forged)),
            _parquet(table.replace_schema_metadata({})),
            _parquet(table.replace_schema_metadata({"about": "[]"})),
            _parquet(table.replace_schema_metadata({"about": "{"})),
            _parquet(pa.concat_tables([table] * (200_000 // table.num_rows + 1))),
            _parquet(table.set_column(0, "slice", pa.array(["x" * 10**7] * table.num_rows))),
        ):
            with pytest.raises(Invalid):
                await reports.verify(still.ctx, RITA, broken)


def _parquet(table: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def said_in(content: bytes, form: Form) -> str:
    """All that a reader of a file can see of it."""
    if form is Form.PDF:
        pages = PdfReader(io.BytesIO(content))
        inside = "".join(data.decode() for files in pages.attachments.values() for data in files)
        return "".join(page.extract_text() for page in pages.pages) + inside
    if form is Form.PARQUET:
        found = pq.read_table(io.BytesIO(content))
        return str(found.to_pylist()) + str(found.schema.metadata)
    return content.decode()


async def test_nobody_is_named(still: Stage) -> None:
    people = (SAM, RITA, ROLF, AT_TIMS, PIR)
    words = [*(who.id for who in people), MAIL, HOOK, "their-mail.net", "You have a licence"]
    assert await still.count("audit_entry where actor = any($1)", [who.id for who in people]) > 5
    for kind in Kind:
        for form in Form:
            said = said_in(await file(still, kind, form), form)
            assert [word for word in words if word in said] == [], (kind, form)
            assert "opioids" in said
    tags = await still.ctx.db.fetch(
        "select body::json -> 'detail' ->> 'form' as form from audit_entry where tag = 'statistics.exported'"
    )
    assert {row["form"] for row in tags} >= {"report.pdf", "report.accuracy.csv", "report.pilot.parquet"}


async def test_the_paper_has_title_language_numbers_and_its_data(still: Stage) -> None:
    content = await file(still, Kind.SCORECARD, Form.PDF)
    paper = PdfReader(io.BytesIO(content))
    assert paper.metadata is not None
    assert paper.metadata.title == "Verisign: scorecard in Illegal sale of opioids on the internet"
    assert paper.root_object["/Lang"] == "en"
    pages = len(paper.pages)
    assert pages > 1
    assert all(f"page {n} of {pages}" in page.extract_text() for n, page in enumerate(paper.pages, 1))
    ((data,),) = paper.attachments.values()
    assert json.loads(data)["kind"] == "scorecard"


async def test_rows_are_the_same_in_csv_and_parquet(still: Stage) -> None:
    for kind in Kind:
        rows = [
            r
            for r in csv.DictReader(io.StringIO((await file(still, kind, Form.CSV)).decode()))
            if r["slice"] != "about"
        ]
        table = pq.read_table(io.BytesIO(await file(still, kind, Form.PARQUET)))
        assert len(rows) == table.num_rows > 0
        for name in ("part", "figure"):
            assert [r[name].removeprefix("'") for r in rows] == table.column(name).to_pylist()
        assert json.loads(table.schema.metadata[b"about"])["about"]["program"] == "opioids"


async def test_who_may_take_which(house: Stage) -> None:
    now = await house.r.clock.now()
    with pytest.raises(NotFound):
        await file(house, Kind.SCORECARD, Form.JSON, EVA)
    given = await grants.give(house.ctx, ADA, "opioids", "university", now + timedelta(days=1))
    for kind in Kind:  # small numbers of the program are kept back from her
        with pytest.raises(Invalid, match="reports are not told"):
            await file(house, kind, Form.JSON, EVA)
    await grants.end(house.ctx, ADA, str(given["id"]))
    await grants.give(house.ctx, ADA, "opioids", "university", now + timedelta(days=1), small_numbers=True)
    for kind in Kind:
        if kind is Kind.ACCURACY:
            with pytest.raises(NotFound):
                await file(house, kind, Form.JSON, EVA)
        else:
            assert json.loads(await file(house, kind, Form.JSON, EVA))["kind"]
    for who in (SAM, PIR):
        for kind in Kind:
            with pytest.raises(Forbidden):
                await file(house, kind, Form.JSON, who)
    with pytest.raises(Forbidden):
        await file(house, Kind.ACCURACY, Form.JSON, OTTO)
    assert await file(house, Kind.COLLATERAL, Form.JSON, OTTO)


@pytest.mark.parametrize(
    "asked",
    [
        Asked(Kind.SCORECARD, "opioids"),
        Asked(Kind.SCORECARD, "opioids", registries=("nobody",)),
        Asked(Kind.SCORECARD, "opioids", registries=("pir", "verisign")),
        Asked(Kind.PILOT, "opioids", BEGUN),
        Asked(Kind.PILOT, "opioids", OVER, BEGUN),
        Asked(Kind.PILOT, "opioids", BEGUN, BEGUN),
        Asked(Kind.PILOT, "opioids", datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)),
        Asked(Kind.PILOT, "opioids", datetime(1, 1, 1, tzinfo=UTC), OVER),
        Asked(Kind.PILOT, "opioids", BEGUN, datetime(9999, 1, 1, tzinfo=UTC)),
        Asked(Kind.ACCURACY, "opioids", registries=("pir",)),
        Asked(Kind.COLLATERAL, "opioids", OVER, BEGUN),
    ],
)
async def test_what_cannot_be_asked(still: Stage, asked: Asked) -> None:
    with pytest.raises(Invalid):
        await reports.report(still.ctx, RITA, asked, Form.JSON, via="cli")


async def test_a_program_with_nothing_in_it_has_each_report(stage: Stage) -> None:
    for kind in Kind:
        for form in Form:
            assert await file(stage, kind, form), (kind, form)


@pytest.mark.parametrize("kind", list(Kind))
async def test_an_unknown_program_is_told_of_as_a_foreign_one(still: Stage, kind: Kind) -> None:
    with pytest.raises(NotFound):
        await reports.report(still.ctx, RITA, replace(ASKED[kind], program="none"), Form.JSON, via="cli")


async def test_the_report_counts_as_the_ledger_does(stage: Stage) -> None:
    accepted = await opened(stage, "fate-accepted.com", AT_TIMS)
    await stage.approve(accepted)
    for ground in ("substance", "clerical", "out_of_scope", "duplicate"):
        case_id = await opened(stage, f"fate-{ground.replace('_', '-')}.com", AT_TIMS)
        await review.reject(stage.ctx, RITA, case_id, "no", ground)
    for ground in ("error", "cured", "other"):
        case_id = await opened(stage, f"fate-{ground}.com", AT_TIMS)
        await stage.approve(case_id, ROLF)
        await review.withdraw(stage.ctx, RITA, case_id, "no", ground)
    await joining.merge(stage.ctx, ROLF, await opened(stage, "fate-merged.com", AT_TIMS), accepted, "one shop")
    await stage.submit({"program": "opioids", "domain": "1.2.3.4", "summary": "s"}, AT_TIMS)
    (ours,) = (await accuracy.ledger(stage.ctx, RITA)).organisations
    assert (ours.counts.accepted, ours.counts.error, ours.counts.duplicate, ours.counts.refused) == (3, 1, 2, 1)
    said = numbers(await told_by(stage, Kind.ACCURACY), "fate", "tims")
    assert said == {fate: getattr(ours.counts, fate) for fate in said}


async def test_a_cure_and_a_lapse_are_not_our_mistake(stage: Stage) -> None:
    cured = await held(stage, MAIL)
    await hearing.decide(stage.ctx, ROLF, await appealed(stage, cured), Outcome.PARTIAL, "It is gone.", Cause.CURED)
    stage.r.sandbox.desk.party_behaviours["pir"] = "obey"
    lapsed = await held(stage, HOOK)
    await appealed(stage, lapsed, HOOK)
    await stage.pass_time(days=20)
    found = numbers(await told_by(stage, Kind.REINSTATEMENTS), "undone")
    assert (found["lifted_cured"], found["lifted_lapsed"], found["lifted_wrong"]) == (1, 1, 0)
    assert numbers(await told_by(stage, Kind.COLLATERAL), "in_error")["cases"] == 0
    of_pir = replace(ASKED[Kind.REINSTATEMENTS], registries=("pir",))
    only = json.loads((await reports.report(stage.ctx, RITA, of_pir, Form.JSON, via="cli")).content)
    assert [(line["registry"], line["kind"]) for line in only["lines"]] == [("pir", "lifted_lapsed")]


async def test_where_names_hopped_to_and_what_was_taken_back_of_it(open_stage: Opens) -> None:
    async with open_stage(HOPS) as stage:
        _, link = await proposed(stage)
        await hops.accept(stage.ctx, RITA, str(link["id"]), "the same shop")
        taken = await file(stage, Kind.PILOT, Form.JSON)
        to = "elsewhere" if link["registry"] is None else "comparison"
        assert numbers(json.loads(taken), "successors", "during/pilot") == {f"to {to}": 1}
        await hops.dismiss(stage.ctx, RITA, str(link["id"]), "another shop after all")
        assert numbers(await told_by(stage, Kind.PILOT), "successors", "during/pilot") == {}
        assert await reports.verify(stage.ctx, RITA, taken) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"snapshot": None},
        {"snapshot": "5:3:"},
        {"snapshot": "3:9:5,4"},
        {"snapshot": "3:9:12"},
        {"snapshot": "3:9:x"},
        {"snapshot": "9" * 19 + ":" + "9" * 19 + ":"},
        {"kind": "weekly"},
        {"kind": ["scorecard"]},
        {"asked": None},
        {"asked": {"registries": "verisign"}},
        {"asked": {"registries": [1]}},
        {"asked": {"registries": ["verisign"], "from": "0001-01-01T00:00:00+14:00"}},
        {"asked": {"registries": ["verisign"], "from": "2026-01-01"}},
        {"about": {}},
        {"about": {"program": "opioids", "as_of": "2999-01-01T00:00:00+00:00"}},
    ],
)
async def test_a_file_with_a_question_that_is_none(still: Stage, changes: dict[str, Any]) -> None:
    told = await told_by(still, Kind.SCORECARD)
    with pytest.raises(Invalid):
        await reports.verify(still.ctx, RITA, json.dumps({**told, **changes}).encode())
