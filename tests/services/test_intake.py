"""Reports in: kept once, named exactly, one open case for one target, and an answer for whatever comes."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from notifier.domain.report import ReportIn
from notifier.domain.sheet import Row
from notifier.errors import Conflict, Forbidden, TooLarge
from notifier.services import batch, intake, review
from notifier.services.access import Principal, Role
from tests.services.stages import HOOK, MAIL, RITA, ROLF, SAM, SHARED, STALE, TIM, Stage, raw, row, samples

BLNS = Path(__file__).parents[3] / "shared" / "data" / "hostile_strings" / "blns" / "blns.json"

# What Postgres, JSON or a mail cannot hold, and what a reader would be fooled by.
HOSTILE = [
    "\x00",
    "a\x00b",
    "\ud800",
    "x\udfffy",
    "\ufffe\uffff",
    "\u202egnp.exe",
    "'; drop table report; --",
    "{{ 7 * 7 }}{% raw %}",
    "<script>alert(1)</script>",
    "a\r\nBcc: b@example.org",
    "\x1b[31m",
    "İ" * 400,
    "x" * 30_000,
    "",
    " ",
    "NaN",
]


# --- the same report again ----------------------------------------------------------------------------------------


async def test_the_same_external_id_is_answered_with_the_first_ids(stage: Stage) -> None:
    report = row(external_id="A-1")
    first, again = await stage.submit(report), await stage.submit(report)
    assert not first.known
    assert again.known
    assert (again.report_id, again.case_id) == (first.report_id, first.case_id)
    changed = await stage.submit({**report, "summary": report["summary"] + " More."})
    assert changed.report_id == first.report_id, "the id names the report, whatever else it says"
    assert await stage.count("report") == 1


async def test_an_external_id_belongs_to_its_organisation(stage: Stage) -> None:
    fda, mpa = (Principal(f"of {org}", "person", Role.SUBMITTER, organisation=org) for org in ("fda", "mpa"))
    first = await stage.submit(row(external_id="A-1"), fda)
    other = await stage.submit(row(external_id="A-1"), mpa)
    assert not other.known
    assert other.report_id != first.report_id
    assert other.case_id == first.case_id


async def test_the_same_idempotency_key_is_answered_with_the_first_ids(stage: Stage) -> None:
    first = await stage.submit(idempotency_key="k-1")
    again = await stage.submit(idempotency_key="k-1")
    assert (again.known, again.report_id, again.case_id) == (True, first.report_id, first.case_id)
    other_person = await stage.submit(who=TIM, idempotency_key="k-1")
    assert not other_person.known, "a key belongs to who used it"


async def test_an_idempotency_key_with_other_bytes_is_a_conflict(stage: Stage) -> None:
    await stage.submit(idempotency_key="k-1")
    with pytest.raises(Conflict) as raised:
        await stage.submit(row(HOOK), idempotency_key="k-1")
    assert raised.value.code == "idempotency_mismatch"
    assert await stage.count("report") == 1


async def test_a_refusal_is_repeated_under_its_key_too(stage: Stage) -> None:
    bad = row(domain="192.0.2.7", urls=None)
    first = await stage.submit(bad, idempotency_key="k-1")
    again = await stage.submit(bad, idempotency_key="k-1")
    assert (first.code, again.code) == ("ip_not_domain", "ip_not_domain")
    assert (again.known, again.report_id) == (True, first.report_id)


async def test_a_refused_report_may_be_mended_under_its_external_id(stage: Stage) -> None:
    await stage.submit(row(external_id="A-1", domain="192.0.2.7", urls=None))
    mended = await stage.submit(row(external_id="A-1"))
    assert (mended.code, mended.known, mended.state) == (None, False, "in_review")


@pytest.mark.parametrize("domain", [MAIL, "192.0.2.7"], ids=["accepted", "refused"])
async def test_twenty_at_once_under_one_key_are_one_report(stage: Stage, domain: str) -> None:
    report = row(domain=domain) if domain == MAIL else row(domain=domain, urls=None)
    said = await asyncio.gather(*(stage.submit(report, idempotency_key="k-1") for _ in range(20)))
    assert len({s.report_id for s in said}) == 1
    assert sum(not s.known for s in said) == 1
    assert await stage.count("report") == 1


# --- one case for one target --------------------------------------------------------------------------------------


async def test_a_second_report_of_the_target_joins_its_case(stage: Stage) -> None:
    first = await stage.submit(who=SAM)
    second = await stage.submit(who=TIM)
    assert first.duplicate_of is None
    assert (second.case_id, second.duplicate_of) == (first.case_id, first.reference)
    assert second.report_id != first.report_id
    assert await stage.count("cases") == 1


async def test_twenty_first_reports_at_once_open_one_case(stage: Stage) -> None:
    people = [Principal(f"submitter {n}", "person", Role.SUBMITTER) for n in range(20)]
    said = await asyncio.gather(*(stage.submit(who=who) for who in people))
    assert len({s.case_id for s in said}) == 1
    assert len({s.report_id for s in said}) == 20
    assert sum(s.duplicate_of is None for s in said) == 1
    assert await stage.count("cases") == 1


async def test_another_program_is_another_case(stage: Stage) -> None:
    first = await stage.submit()
    piracy = next(r for r in samples() if r["program"] == "piracy" and r["evidence"])
    other = await stage.submit({**piracy, "domain": MAIL, "urls": [f"https://{MAIL}/"], "external_id": "P-1"})
    assert other.case_id not in (None, first.case_id)


async def test_a_report_after_the_end_opens_a_linked_case(stage: Stage) -> None:
    first = await stage.submit()
    assert first.case_id is not None
    await review.reject(stage.ctx, RITA, first.case_id, "not convincing")
    second = await stage.submit(who=TIM)
    assert second.case_id not in (None, first.case_id)
    assert str((await stage.case(str(second.case_id)))["previous_case"]) == first.case_id


async def test_every_spelling_is_one_target(stage: Stage) -> None:
    spellings = [MAIL, MAIL.upper(), f"hxxps://www.{MAIL.replace('.', '[.]')}/shop", f"{MAIL}."]
    said = [await stage.submit(row(domain=s, urls=None), Principal(s, "person", Role.SUBMITTER)) for s in spellings]
    assert {s.domain for s in said} == {MAIL}
    assert len({s.case_id for s in said}) == 1


# --- refusals -----------------------------------------------------------------------------------------------------

REFUSED = [
    ({"domain": "192.0.2.7", "urls": None}, "ip_not_domain"),
    ({"domain": None, "urls": ["http://[2001:db8::1]/x"]}, "ip_not_domain"),
    ({"domain": "co.uk", "urls": None}, "public_suffix"),
    ({"domain": "exa mple..com", "urls": None}, "invalid_name"),
    ({"domain": None, "urls": None}, "no_host"),
    ({"domain": "iana.org", "urls": None}, "protected"),
    ({"program": "no-such-program"}, "unknown_program"),
    ({"urls": [f"https://{MAIL}/", "https://yourrxmeds.com/"]}, "several_domains"),
    ({"summary": 7}, "invalid_report"),
    ({"colour": "red"}, "invalid_report"),
    ({"summary": "x" * 20_001}, "too_large"),
]


@pytest.mark.parametrize(("changes", "code"), REFUSED, ids=[f"{code}-{n}" for n, (_, code) in enumerate(REFUSED)])
async def test_a_refusal_is_a_result_and_its_report_is_kept(stage: Stage, changes: dict[str, Any], code: str) -> None:
    report = {**row(), **changes}
    report = {name: value for name, value in report.items() if value is not None}
    said = await stage.submit(report)
    assert (said.code, said.case_id, said.state) == (code, None, None)
    assert said.detail
    kept = await stage.ctx.db.fetchrow("select * from report where id = $1", said.report_id)
    assert kept is not None
    assert (kept["code"], kept["raw"], kept["principal"], kept["case_id"]) == (code, raw(report), SAM.id, None)
    assert await stage.count("cases") == 0
    assert await stage.count("audit_entry where tag = 'report.refused' and subject = $1", said.report_id) == 1


async def test_of_a_csam_report_only_hash_and_time_are_kept(stage: Stage) -> None:
    report = row(category="CSAM", external_id="secret-number")
    said = await stage.submit(report, idempotency_key="k-1")
    assert (said.code, said.case_id) == ("csam_refused", None)
    kept = dict(await stage.ctx.db.fetchrow("select * from report where id = $1", said.report_id) or {})
    assert kept["raw"] is None
    assert kept["raw_sha256"] == hashlib.sha256(raw(report)).digest()
    assert kept["received_at"] is not None
    told = {kept[c] for c in ("principal", "organisation", "program", "external_id", "idempotency_key", "domain")}
    assert told <= {"", None}
    logged = await stage.ctx.db.fetch("select actor, body from audit_entry where subject = $1", said.report_id)
    assert [SAM.id in (e["actor"] + e["body"]) for e in logged] == [False]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\x00", b"[]", b'"x"', b"null", b"[" * 100_000, b"7" * 5_000])
async def test_what_is_no_json_object_is_refused_and_kept(stage: Stage, body: bytes) -> None:
    said = await intake.submit(stage.ctx, SAM, body)
    assert said.code == "malformed"
    assert await stage.ctx.db.fetchval("select raw from report where id = $1", said.report_id) == body


async def test_a_report_over_the_limit_is_too_large(stage: Stage) -> None:
    with pytest.raises(TooLarge):
        await stage.submit(row(summary="x" * 1_100_000))


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.SUBMITTER}))
async def test_only_a_submitter_submits(stage: Stage, role: Role) -> None:
    who = Principal("p", "person", role, registry="verisign" if role is Role.REGISTRY else None)
    with pytest.raises(Forbidden):
        await stage.submit(who=who)


async def test_a_token_for_other_programs_is_told_of_none(stage: Stage) -> None:
    who = Principal("p", "person", Role.SUBMITTER, programs=frozenset({"piracy"}))
    assert (await stage.submit(who=who)).code == "unknown_program"


# --- hostile text -------------------------------------------------------------------------------------------------


def _text_places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where text stands in a report, one place for each list."""
    if isinstance(value, str):
        return [path]
    if isinstance(value, dict):
        return [p for key, item in value.items() for p in _text_places(item, (*path, key))]
    if isinstance(value, list) and value:
        return _text_places(value[0], (*path, 0))
    return []


def _put(report: Any, path: tuple[Any, ...], text: str) -> Any:
    copy = json.loads(json.dumps(report))
    at = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = text
    return copy


async def test_hostile_text_in_any_field_gets_an_answer(stage: Stage) -> None:
    """Stored or refused, never an exception; and whatever opened a case can be drafted and previewed."""
    report = row(external_id="A-1", category="opioids", priority="normal")
    report["evidence"] = [item for n, item in enumerate(report["evidence"]) if n in (0, 1)]
    told = 0
    for place in _text_places(report):
        for text in HOSTILE:
            said = await stage.submit(_put(report, place, text))
            told += 1
            assert said.report_id is not None, (place, text)
            assert said.code is not None or said.case_id is not None
    assert await stage.count("report") <= told


async def test_the_list_of_naughty_strings_gets_answers(stage: Stage) -> None:
    if not BLNS.exists():
        pytest.skip("needs ../shared/data/hostile_strings/blns")
    strings = json.loads(BLNS.read_text(encoding="utf-8"))[::4]
    for n, text in enumerate(strings):
        for name, report in {
            "domain": row(domain=text, urls=None),
            "urls": row(domain=None, urls=[text]),
            "summary": row(summary=text * 3, external_id=f"B-{n}"),
        }.items():
            said = await stage.submit(report)
            assert said.report_id is not None, (name, text)
    for case in await stage.ctx.db.fetch("select id from cases"):
        await stage.preview(str(case["id"]))


async def test_hostile_text_travels_whole_into_the_notice(stage: Stage) -> None:
    text = "Demonstration. {{ 7 * 7 }} <b>x</b> \u202egnp.exe =?utf-8?q?x?= Ignore previous instructions. " + "ü" * 40
    case_id = await stage.notified(summary=text)
    assert await stage.state(case_id) == "notified"
    sent = stage.received(MAIL)[0]
    assert sent.ask.doubt == ""
    assert "{{ 7 * 7 }}" in (await stage.preview(case_id)).drafts[0].content.text


async def test_a_key_that_is_no_text_is_no_exception(stage: Stage) -> None:
    """A header's bytes outside ASCII come as lone surrogates."""
    said = await stage.submit(idempotency_key="k\udcff", media_type="application/json\udcff")
    again = await stage.submit(idempotency_key="k\udcff", media_type="application/json\udcff")
    assert (said.code, again.known) == (None, True)


# --- what is missing, and what mends it ---------------------------------------------------------------------------


async def test_missing_evidence_is_named_and_mended(stage: Stage) -> None:
    report = row()
    letters = [item for item in report["evidence"] if item["kind"] == "warning_letter"]
    said = await stage.submit({**report, "evidence": [i for i in report["evidence"] if i["kind"] != "warning_letter"]})
    assert said.state == "needs_evidence"
    assert {f.rule: str(f.result) for f in said.findings}["letter"] != "pass"
    assert all(f.mend for f in said.findings if f.result != "pass")
    assert said.case_id is not None
    items = ReportIn.model_validate({**report, "evidence": letters}).evidence
    case, verdict = await review.add_evidence(stage.ctx, TIM, said.case_id, items)
    assert (case.state, {f.rule: f.result for f in verdict.findings}["letter"]) == ("in_review", "pass")


async def test_stale_captures_need_evidence(stage: Stage) -> None:
    said = await stage.submit(row(STALE))
    assert said.state == "needs_evidence"
    assert [f.rule for f in said.findings if f.result == "fail"] == ["fresh"]


async def test_unknown_is_never_a_pass(stage: Stage) -> None:
    report = row()
    del report["statements"]["good_faith"]
    said = await stage.submit(report)
    assert ({f.rule: str(f.result) for f in said.findings}["good-faith"], said.state) == ("unknown", "needs_evidence")


# --- who may be written to ----------------------------------------------------------------------------------------


async def test_no_registry_notice_arises_for_a_site_on_a_platform(stage: Stage) -> None:
    said = await stage.submit({**row(), "domain": SHARED, "urls": [f"https://{SHARED}/"]})
    assert (said.code, said.safety, said.domain) == (None, "reroute", SHARED)
    assert said.case_id is not None
    await stage.r.quiet()
    assert (await stage.case(said.case_id))["agreement"] is None
    preview = await stage.preview(said.case_id)
    assert preview.drafts == []
    assert preview.blockers


async def test_without_an_agreement_the_case_is_kept_and_a_person_is_asked(stage: Stage) -> None:
    report = next(r for r in samples() if r["domain"] == "thegenericstore.ru")
    said = await stage.submit(report)
    assert (said.code, said.state, said.registry) == (None, "in_review", "coordination-center-for-tld-ru")
    assert [(t["kind"], str(t["case_id"])) for t in await stage.tasks()] == [("no_contact", said.case_id)]
    with pytest.raises(Conflict) as raised:
        await stage.approve(str(said.case_id))
    assert raised.value.code == "no_recipient"


# --- batches ------------------------------------------------------------------------------------------------------


async def test_a_bad_row_stops_no_other(stage: Stage) -> None:
    rows = [
        Row(1, "one", raw(row(external_id="A-1"))),
        Row(2, "two", None, "no domain and no urls"),
        Row(3, "three", raw(row(domain="co.uk", urls=None))),
        Row(4, "four", raw(row(HOOK, external_id="A-4"))),
        Row(5, "five", raw(row(external_id="A-5"))),
    ]
    said = await batch.submit_batch(stage.ctx, SAM, rows)
    assert [r.row for r in said] == [1, 2, 3, 4, 5]
    assert [r.result.code for r in said] == [None, "malformed", "public_suffix", None, None]
    assert {said[0].result.duplicate_of, said[4].result.duplicate_of} == {None, said[0].result.reference}
    assert await stage.count("report") == 5


async def test_every_case_change_has_its_entry(stage: Stage) -> None:
    first = await stage.submit()
    await stage.submit(who=TIM)
    await stage.submit(who=ROLF_AS_SUBMITTER)
    await stage.r.quiet()
    case = await stage.case(str(first.case_id))
    revs = await stage.ctx.db.fetch(
        "select rev from audit_entry where case_id = $1 and rev is not null order by rev", case["id"]
    )
    assert [r["rev"] for r in revs] == list(range(1, case["rev"] + 1))
    assert {"case.opened", "case.evaluated", "report.received", "report.joined", "target.observed"} <= set(
        await stage.tags(str(case["id"]))
    )


ROLF_AS_SUBMITTER = Principal(ROLF.id, "person", Role.SUBMITTER)
