"""Programs as they act on cases: a letter for many names, a window's last minute, changed rules, what must be weighed."""

import asyncio
import json
import os
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from notifier.catalog.reading import digest
from notifier.domain.program import Program, parse_program
from notifier.domain.report import ReportIn
from notifier.errors import Conflict
from notifier.resources import folder
from notifier.services import programs, review
from notifier.services.access import Principal, Role
from tests.services.stages import HOOK, MAIL, RITA, ROLF, SAM, Stage, row

OTHERS = Principal("Olga Other", "person", Role.SUBMITTER, "elsewhere")
Json = dict[str, Any]


def evidence(of: Json, kind: str) -> Json:
    return next(item for item in of["evidence"] if item["kind"] == kind)


def about(domain: str, **changes: Any) -> Json:
    """A good report about a name of the test's own."""
    report: Json = json.loads(json.dumps(row(MAIL, **changes)).replace(MAIL, domain))
    return report


def citing(domain: str, reference: str, **more: Any) -> Json:
    """The same, with the letter's number in place of the letter."""
    report = about(domain)
    cited = {"kind": "letter_cited", "reference": reference, **more}
    report["evidence"] = [cited if item["kind"] == "warning_letter" else item for item in report["evidence"]]
    return report


def letter_for(*domains: str, **changes: Any) -> Json:
    return {**evidence(row(), "warning_letter"), "domains": list(domains), **changes}


def giving(domain: str, letter: Json) -> Json:
    report = about(domain)
    report["evidence"] = [letter if item["kind"] == "warning_letter" else item for item in report["evidence"]]
    return report


async def digests(stage: Stage, kind: str = "warning_letter") -> list[str]:
    rows = await stage.ctx.db.fetch("select sha256 from evidence where kind = $1", kind)
    return [r["sha256"] for r in rows]


# --- one letter for many names ------------------------------------------------------------------------------------


async def test_twenty_five_names_are_twenty_five_cases_and_one_letter(stage: Stage) -> None:
    names = [f"pills-{i}.com" for i in range(25)]
    letter = letter_for(*names, reference="MARCS-CMS 700001")
    assert (await stage.submit(giving(names[0], letter))).state == "in_review"
    said = [await stage.submit(citing(name, "marcs-cms  700001")) for name in names[1:]]
    assert {s.state for s in said} == {"in_review"}
    assert len({s.case_id for s in said}) == 24
    found = await digests(stage)
    assert (len(found), len(set(found))) == (25, 1)
    await stage.r.quiet()
    notice = (await stage.preview(str(said[7].case_id))).drafts[0].content.text
    assert "warning letter MARCS-CMS 700001" in notice


async def test_a_number_that_was_never_given_is_a_clear_finding(stage: Stage) -> None:
    said = await stage.submit(citing("pills-now.com", "MARCS-CMS 1"))
    assert said.state == "needs_evidence"
    finding = next(f for f in said.findings if f.rule == "letter")
    assert finding.result == "unknown"
    assert "letter MARCS-CMS 1 is cited" in finding.why
    assert "add that warning_letter once" in finding.mend


async def test_a_letter_that_comes_after_its_citation_reaches_it(stage: Stage) -> None:
    early = await stage.submit(citing("pills-early.com", "L 7"))
    assert early.state == "needs_evidence"
    await stage.submit(giving("pills-late.com", letter_for("pills-early.com", "pills-late.com", reference="L 7")))
    await stage.r.quiet()
    assert await stage.state(str(early.case_id)) == "in_review"


async def test_rows_of_one_batch_may_come_in_any_order(stage: Stage) -> None:
    names = [f"pills-b{i}.com" for i in range(8)]
    letter = letter_for(*names, reference="L 8")
    reports = [citing(name, "L 8") for name in names[1:]] + [giving(names[0], letter)]
    said = await asyncio.gather(*(stage.submit(report) for report in reports))
    await stage.r.quiet()
    assert {await stage.state(str(s.case_id)) for s in said} == {"in_review"}


async def test_another_organisation_cannot_cite_it(stage: Stage) -> None:
    await stage.submit(giving("pills-a.com", letter_for("pills-a.com", "pills-b.com", reference="L 9")))
    said = await stage.submit(citing("pills-b.com", "L 9"), OTHERS)
    await stage.r.quiet()
    assert await stage.state(str(said.case_id)) == "needs_evidence"
    assert len(await digests(stage)) == 1


async def test_who_gave_the_letter_approves_no_case_that_cites_it(stage: Stage) -> None:
    await stage.submit(giving("pills-a.com", letter_for("pills-a.com", "pills-c.com", reference="L 10")))
    said = await stage.submit(citing("pills-c.com", "L 10"), Principal("Tim Submitter", "person", Role.SUBMITTER))
    supplier = await stage.ctx.db.fetchval(
        "select supplied_by from evidence where case_id = $1 and kind = 'warning_letter'", said.case_id
    )
    assert supplier == SAM.id


async def test_an_answer_that_was_adequate_after_all_reaches_every_name(stage: Stage) -> None:
    names = ["pills-x.com", "pills-y.com"]
    await stage.submit(giving(names[0], letter_for(*names, reference="L 11")))
    said = await stage.submit(citing(names[1], "L 11"))
    case_id = str(said.case_id)
    await stage.r.quiet()
    await stage.approve(case_id)
    later = letter_for(*names, reference="L 11", response="adequate", assessed_at="2026-11-01T10:00:00Z")
    await stage.submit(giving(names[0], later), Principal("Tim Submitter", "person", Role.SUBMITTER))
    await stage.r.quiet()
    assert await stage.state(case_id) == "needs_evidence"
    await stage.pass_time(minutes=31)
    assert stage.received(names[1]) == []


# --- the last minute of a window ----------------------------------------------------------------------------------

# Fifteen working days in New York. From 21 October 2026, over the end of summer time on 1 November and Veterans Day,
# to 12 November; from 4 November, over Veterans Day and Thanksgiving, to 27 November. Over at midnight, 05:00 UTC.
WINDOWS = [
    ("2026-10-21", datetime(2026, 11, 13, 5, 0, tzinfo=UTC)),
    ("2026-11-04", datetime(2026, 11, 28, 5, 0, tzinfo=UTC)),
]


def due_at(domain: str, issued_on: str, due: datetime) -> Json:
    """A report in which everything holds but the letter's window, which ends at `due`: seen and assessed right then."""
    report = about(domain)
    report["statements"]["human_review"]["at"] = (due - timedelta(hours=1)).isoformat()
    letter = evidence(report, "warning_letter")
    letter.update(issued_on=issued_on, response="none", assessed_at=due.isoformat())
    for item in report["evidence"]:
        if item["kind"] == "capture":
            item["captured_at"] = due.isoformat()
    return report


@pytest.mark.parametrize(("issued_on", "due"), WINDOWS, ids=["veterans-day-and-clock-change", "thanksgiving"])
async def test_an_opioid_case_is_not_sendable_one_minute_early(stage: Stage, issued_on: str, due: datetime) -> None:
    minute = timedelta(minutes=1)
    await stage.r.advance_to(due - minute)
    said = await stage.submit(due_at("pills-due.com", issued_on, due))
    case_id = str(said.case_id)
    await stage.r.quiet()
    assert said.state == "needs_evidence"
    assert [f.rule for f in said.findings if f.result != "pass"] == ["not-already-down", "letter-due"]

    # One minute early, and to the last microsecond: nobody can approve it, so nothing can leave.
    for early in (due - minute, due - timedelta(microseconds=1)):
        await stage.r.advance_to(early)
        shown = await stage.preview(case_id)
        assert shown.verdict.blocking == ("letter-due",)
        with pytest.raises(Conflict):
            await review.approve(stage.ctx, RITA, case_id, shown.digest)
        assert await stage.state(case_id) == "needs_evidence"

    # At the instant it comes to review by itself, and goes its way.
    await stage.r.advance_to(due)
    assert await stage.state(case_id) == "in_review"
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    assert (await stage.state(case_id), len(stage.received("pills-due.com"))) == ("notified", 1)


async def test_one_wait_after_another_is_waited_for(stage: Stage) -> None:
    """The letter's window ends first; the host was asked so late that its three days end after it."""
    issued_on, due = WINDOWS[0]
    await stage.r.advance_to(due - timedelta(minutes=1))
    report = due_at("pills-waits.com", issued_on, due)
    for item in report["evidence"]:
        if item["kind"] == "prior_contact" and item["party"] == "host":
            item["contacted_at"] = (due - timedelta(hours=71)).isoformat()
    case_id = str((await stage.submit(report)).case_id)
    await stage.r.advance_to(due)
    assert await stage.state(case_id) == "needs_evidence"
    await stage.r.advance_to(due + timedelta(hours=1) - timedelta(seconds=1))
    assert await stage.state(case_id) == "needs_evidence"
    await stage.r.advance_to(due + timedelta(hours=1))
    assert await stage.state(case_id) == "in_review"


async def test_time_alone_does_not_answer_a_reviewer_who_asked_for_more(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await review.request_evidence(stage.ctx, RITA, case_id, "Show the checkout.")
    await review.observe_now(stage.ctx, RITA, case_id)  # a check, as timers ask for too
    await stage.r.quiet()
    assert await stage.state(case_id) == "needs_evidence"
    more = ReportIn.model_validate(row(evidence=[evidence(row(), "screenshot") | {"sha256": "0" * 64}])).evidence
    await review.add_evidence(stage.ctx, ROLF, case_id, more)
    assert await stage.state(case_id) == "in_review"


async def test_a_copy_with_a_longer_window_stops_what_was_approved(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    longer = {**evidence(row(), "warning_letter"), "received_on": "2026-10-28"}
    await review.add_evidence(stage.ctx, ROLF, case_id, ReportIn.model_validate(row(evidence=[longer])).evidence)
    assert await stage.state(case_id) == "needs_evidence"
    await stage.pass_time(minutes=31)
    assert stage.received() == []


# --- rules that change under a case -------------------------------------------------------------------------------


def changed(**by_type: Json) -> Program:
    """The opioid program with other numbers."""
    data = tomllib.loads((folder("config") / "programs" / "opioids.toml").read_text())
    for rule in data["rules"]:
        rule.update(by_type.get(rule["type"], {}))
    program, faults = parse_program(data, digest(data))
    assert program is not None, faults
    return program


@pytest.fixture
def adopt(stage: Stage) -> Iterator[Any]:
    """Puts another version of the program into force, as a restart with a changed file does."""

    def put(program: Program) -> None:
        stage.ctx.catalog.programs[program.id] = program  # type: ignore[index]

    before = stage.ctx.catalog.programs["opioids"]
    yield put
    put(before)


STRICTER = {"conduct_continues": {"min_vantages": 5}}
OTHERWISE = {"described": {"min_chars": 81}}


async def test_every_decision_names_the_rules_it_was_made_under(stage: Stage, adopt: Any) -> None:
    first = stage.ctx.catalog.programs["opioids"].digest
    approved, rejected = await stage.case_in_review(), await stage.case_in_review(HOOK)
    await stage.approve(approved)
    await review.reject(stage.ctx, RITA, rejected, "not ours")
    rows = await stage.ctx.db.fetch(
        "select tag, body::jsonb->'detail'->>'program_digest' as digest from audit_entry "
        "where tag = any($1) order by id",
        ["case.opened", "case.evaluated", "case.approved", "case.rejected"],
    )
    assert {r["tag"] for r in rows} == {"case.opened", "case.evaluated", "case.approved", "case.rejected"}
    assert {r["digest"] for r in rows} == {first}
    assert await stage.ctx.db.fetchval("select program_digest from approval") == first


async def test_changed_rules_void_an_approval_and_are_asked_before_sending(stage: Stage, adopt: Any) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    adopt(changed(**OTHERWISE))
    await stage.pass_time(minutes=30)
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"], stage.received()) == ("in_review", "program changed", [])
    assert case["program_digest"] == changed(**OTHERWISE).digest
    assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    assert await stage.state(case_id) == "notified"


async def test_stricter_rules_send_an_approved_case_back_for_evidence(stage: Stage, adopt: Any) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    adopt(changed(**STRICTER))
    await stage.pass_time(minutes=30)
    assert (await stage.state(case_id), stage.received()) == ("needs_evidence", [])
    assert "approval.voided" in await stage.tags(case_id)


async def test_a_preview_under_old_rules_approves_nothing(stage: Stage, adopt: Any) -> None:
    case_id = await stage.case_in_review()
    old = (await stage.preview(case_id)).digest
    adopt(changed(**OTHERWISE))
    with pytest.raises(Conflict) as raised:
        await review.approve(stage.ctx, RITA, case_id, old)
    assert raised.value.code == "program_changed"
    with pytest.raises(Conflict) as raised:  # nor does the old digest a second time
        await review.approve(stage.ctx, RITA, case_id, old)
    assert raised.value.code == "digest_changed"
    assert (await stage.approve(case_id)).state == "approved"


async def test_a_notice_that_waits_is_held_back_when_the_rules_change(stage: Stage, adopt: Any) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    port = stage.r.sandbox.smtp.port
    await stage.r.sandbox.smtp.stop()
    await stage.pass_time(minutes=30)
    assert await stage.state(case_id) == "notified"
    adopt(changed(**OTHERWISE))
    await stage.r.sandbox.smtp.start(port)
    await stage.pass_time(minutes=10)
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"], stage.received()) == ("in_review", "program changed", [])


# --- what speaks for the site -------------------------------------------------------------------------------------

LAWFUL = {"kind": "lawful_use", "ground": "lawful_elsewhere", "jurisdiction": "PT", "summary": "Sold freely there."}


def lawful() -> Any:
    return ReportIn.model_validate(row(evidence=[LAWFUL])).evidence


async def test_two_people_weigh_what_speaks_for_the_site(stage: Stage) -> None:
    report = row()
    said = await stage.submit({**report, "evidence": [*report["evidence"], LAWFUL]})
    case_id = str(said.case_id)
    await stage.r.quiet()
    assert said.state == "in_review"
    shown = await stage.preview(case_id)
    assert any("said to be lawful elsewhere in PT: Sold freely there." in caution for caution in shown.cautions)
    first = await review.approve(stage.ctx, RITA, case_id, shown.digest, "Not in the United States.")
    assert first.state == "in_review"
    digest_ = (await stage.preview(case_id, ROLF)).digest
    second = await review.approve(stage.ctx, ROLF, case_id, digest_, "Same: it ships to Ohio.")
    assert second.state == "approved"


async def test_what_comes_up_between_approval_and_sending_stops_it(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    report = row()
    await stage.submit({**report, "evidence": [LAWFUL]}, Principal("Tim Submitter", "person", Role.SUBMITTER))
    assert await stage.state(case_id) == "in_review"
    await stage.pass_time(minutes=31)
    assert stage.received() == []
    assert (await stage.case(case_id))["second_reasons"] == ["said to be lawful elsewhere in PT: Sold freely there."]


# --- replay -------------------------------------------------------------------------------------------------------


async def replayed(stage: Stage, program: Program) -> dict[str, programs.Replayed]:
    async with stage.ctx.db.pool.acquire() as con:
        return {case.case_id: case async for case in programs.replay(stage.ctx.catalog, con, program)}


async def test_replay_says_which_decisions_would_differ_and_why(stage: Stage) -> None:
    approved, rejected = await stage.case_in_review(), await stage.case_in_review(HOOK)
    open_id = str((await stage.submit(about("pills-open.com"))).case_id)
    short = about("pills-short.com")
    short["evidence"] = [item for item in short["evidence"] if item["kind"] != "warning_letter"]
    short_id = str((await stage.submit(short)).case_id)
    await stage.r.quiet()
    await stage.approve(approved)
    await review.reject(stage.ctx, RITA, rejected, "not ours")
    entries = await stage.count("audit_entry")

    same = await replayed(stage, stage.ctx.catalog.programs["opioids"])
    assert set(same) == {approved, rejected, open_id, short_id}
    assert [case for case in same.values() if case.differs or case.rules] == []

    found = await replayed(stage, changed(**STRICTER))
    assert {case_id: case.differs for case_id, case in found.items()} == {
        approved: True,
        rejected: False,
        open_id: True,
        short_id: False,
    }
    assert found[approved].decision == "approved"
    assert found[approved].why == "it could not have been approved: continues"
    (change,) = found[approved].rules
    assert (change.rule, change.was, change.now, change.guards) == ("continues", "pass", "fail", True)
    assert "2 of 2 vantages" in change.why
    assert await stage.count("audit_entry") == entries, "it reads only"


async def test_replay_judges_by_what_was_known_when_it_was_decided(stage: Stage) -> None:
    """A capture that has grown old since, and evidence that came later, change nothing about an old decision."""
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await stage.pass_time(hours=1)
    await stage.pass_time(days=30)
    found = await replayed(stage, stage.ctx.catalog.programs["opioids"])
    assert (found[case_id].differs, found[case_id].rules) == (False, ())


async def test_replay_of_rules_that_came_and_went(stage: Stage, tmp_path: Path) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    data = tomllib.loads((folder("config") / "programs" / "opioids.toml").read_text())
    data["rules"] = [rule for rule in data["rules"] if rule["id"] != "products"]
    data["rules"].append({"id": "two-voices", "type": "corroborated", "organisations": 2})
    program, faults = parse_program(data, digest(data))
    assert program is not None, faults
    case = (await replayed(stage, program))[case_id]
    assert {(c.rule, c.was, c.now) for c in case.rules} == {
        ("two-voices", "absent", "fail"),
        ("products", "pass", "absent"),
    }
    assert case.differs


async def test_replay_as_it_is_typed(stage: Stage, database_url: str, tmp_path: Path) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    draft = tmp_path / "draft.toml"
    text = (folder("config") / "programs" / "opioids.toml").read_text()
    draft.write_text(text.replace("min_vantages = 2", "min_vantages = 5"))

    async def notifier(*args: str) -> tuple[int, list[str]]:
        env = {**os.environ, "NOTIFIER_DATABASE_URL": database_url, "NOTIFIER_STATE_DIR": str(tmp_path)}
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "notifier.cli.main", *args, env=env, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await done.communicate()
        return done.returncode or 0, out.decode().splitlines()

    code, lines = await notifier("program", "replay", str(draft), "--json")
    case, sums = map(json.loads, lines)
    assert code == 0
    assert (case["case_id"], case["decision"], case["differs"]) == (case_id, "approved", True)
    assert [rule["rule"] for rule in case["rules"]] == ["continues"]
    assert (sums["cases"], sums["differ"], sums["by_rule"]) == (1, 1, {"continues": 1})
    code, lines = await notifier("program", "replay", str(draft))
    assert "it could not have been approved: continues" in lines[0]
    assert lines[-2].startswith("1 of 1 decisions of opioids would differ under digest ")
    shipped = folder("config") / "programs" / "opioids.toml"
    _, lines = await notifier("program", "replay", str(shipped), "--all")
    assert lines[0].endswith("; the same")
