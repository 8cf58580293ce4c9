"""Scenarios 1 to 8, 11, 20, 28, 30 to 32 (domain.md 5.11): what is reported, about which name, with which proof."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from notifier.domain.outcome import Measure
from notifier.sandbox.rdap_server import RdapFault
from notifier.sandbox.site_server import Cloak
from notifier.sandbox.world import Act
from notifier.services import agreements
from tests.acceptance.scenarios.conftest import House
from tests.domain.test_outcome import DOWN, NO_RDAP, T0, UP, judged, look, twice
from tests.domain.test_xarf import faults
from tests.services.measuring import about
from tests.services.stages import ADA, BORIS, samples
from tests.services.test_programs import citing, giving, letter_for

SHARP = "faß-pillen.com"
SHARP_A = f"xn--{'faß-pillen'.encode('punycode').decode()}.com"  # RFC 3492, and nothing mapped before it
OPIOIDS = "opioids.verisign"


def sample(program: str, **evidence: Any) -> dict[str, Any]:
    """The first sample report of a program, with these fields in its evidence of these kinds."""
    found: dict[str, Any] = json.loads(json.dumps(next(r for r in samples() if r["program"] == program)))
    for item in found["evidence"]:
        item |= evidence.get(item["kind"], {})
    return {**found, "external_id": None}


async def test_01_a_sharp_s_is_never_two(house: House) -> None:
    """`faß` and `fass` are two registrations (IDNA2008); no notice names the other one. See also 30."""
    said = (await house.post("/reports", {"program": "opioids", "domain": "faß.de", "summary": "sells opioids"})).body
    assert said["domain"] == "xn--fa-hia.de"
    await house.asked(SHARP_A, domain=SHARP)
    await house.stage.pass_time(minutes=31)
    (told,) = house.stage.received(SHARP_A)
    assert told.ask.domain == SHARP_A
    assert b"fass" not in told.raw.lower()


async def test_02_a_homograph_of_a_protected_name_is_flagged_and_its_own_case(house: House) -> None:
    said = await house.reported("gооgle.com")  # Cyrillic о, twice
    assert (said["status"], said["domain"]) == (201, "xn--ggle-55da.com")
    case = await house.case(said["case_id"])
    assert case["safety"] != "clear"
    assert "google.com" not in {case["domain"], case["registrable"]}


async def test_03_a_page_of_a_platform_is_its_hosts_matter(house: House) -> None:
    said = await house.reported("evil.github.io")
    case = await house.case(said["case_id"])
    assert (case["domain"], case["scope"], case["safety"]) == ("evil.github.io", "host", "reroute")
    shown = (await house.get(f"/cases/{said['case_id']}/preview", by="reviewer")).body
    assert [n for n in shown["notices"] if n["recipient_role"] != "host"] == []


async def test_04_a_parent_of_thousands_that_is_on_no_list_is_stopped_by_measuring_it(house: House) -> None:
    said = await house.reported("freedns-like.com")
    case = await house.case(said["case_id"])
    assert (case["safety"], case["scope"], case["agreement"]) == ("reroute", "host", None)
    assert {s["name"] for s in case["signals"]} >= {"host_names", "name_server_dependents"}


async def test_05_four_links_are_no_pervasive_piracy(house: House) -> None:
    report = sample("piracy")
    for item in report["evidence"]:
        if item["kind"] == "sample":
            item["items"] = item["items"][:4]
    said = (await house.post("/reports", report)).body
    assert said["state"] == "needs_evidence"
    assert ("sample-floor", "fail") in {(f["rule"], f["result"]) for f in said["findings"]}
    await house.stage.r.quiet()
    assert (await house.approve(said["case_id"])).status == 409


async def test_07_one_letter_for_25_names_is_25_cases_25_documents_and_one_letter(house: House) -> None:
    names = [f"network-{n}.com" for n in range(25)]
    letter = letter_for(*names, reference="MARCS-CMS 634444")
    batch = [giving(names[0], letter), *(citing(name, "MARCS-CMS 634444") for name in names[1:])]
    said = await house.post("/reports/batch", batch)
    assert (said.body["accepted"], said.body["refused"]) == (25, 0)
    cases = {row["case_id"] for row in said.body["results"]}
    await house.stage.r.quiet()
    letters = await house.stage.ctx.db.fetch(
        "select distinct sha256 from evidence where kind = 'warning_letter' and case_id = any($1)", sorted(cases)
    )
    previews = await asyncio.gather(*(house.stage.preview(case_id) for case_id in sorted(cases)))
    documents = [json.loads(draft.content.xarf) for shown in previews for draft in shown.drafts]
    assert (len(cases), len(letters)) == (25, 1)
    assert sorted(d["source_identifier"] for d in documents) == sorted(names)


async def test_11_a_hacked_page_shown_to_searchers_alone_goes_to_its_host(house: House) -> None:
    name = "hacked-college.edu"
    house.sandbox.site.cloaks[name] = Cloak(referrers=("google",))
    said = await house.reported(name)
    captures = (await house.get(f"/cases/{said['case_id']}/captures", by="reviewer")).body["items"]
    assert captures
    assert all(capture["search_only"] for capture in captures)
    case = await house.case(said["case_id"])
    assert (case["safety"], case["step"]) == ("reroute", "host")


async def test_20_a_busy_rdap_server_is_waited_for_and_its_refusal_is_no_absence(house: House) -> None:
    busy, refusing, unknown = "busy-rdap.com", "refusing-rdap.com", "unknown-rdap.com"
    house.sandbox.rdap.retry_after = 900
    house.sandbox.rdap.faults |= {busy: RdapFault.RATE_LIMITED, refusing: RdapFault.FORBIDDEN}
    house.sandbox.world.register(unknown)
    house.sandbox.world.do(Act.PURGE, unknown, await house.stage.r.clock.now(), "registry")
    now = await house.stage.r.clock.now()
    found = {name: (await house.reported(name))["case_id"] for name in (refusing, unknown, busy)}
    due = await house.stage.ctx.db.fetchval(
        "select min(due_at) from timer where case_id = $1 and kind = 'case.check' and fired_at is null", found[busy]
    )
    assert due >= now + timedelta(seconds=900), "Retry-After is honoured"
    looks = {
        str(r["case_id"]): r["answer"]
        for r in await house.stage.ctx.db.fetch(
            "select case_id, look->'registration'->>'answer' as answer from observation where case_id = any($1)",
            list(found.values()),
        )
    }
    assert looks == {found[busy]: "inconclusive", found[refusing]: "inconclusive", found[unknown]: "absent"}
    del house.sandbox.rdap.faults[busy], house.sandbox.rdap.faults[refusing]
    await house.stage.pass_time(minutes=16)  # until then nobody asks the server anything
    # A top-level domain without a server in the bootstrap (RFC 9224 §4): the zone alone is a proof of its own kind.
    dns_only = judged(Measure.HOLD, twice(NO_RDAP, DOWN), baseline=look(T0, NO_RDAP, UP))
    assert dns_only.verdict == "verified_dns_only"


async def test_28_a_pharmacy_that_nobody_verified_is_not_an_unlicensed_one(house: House) -> None:
    findings = {}
    for result in ("unlicensed", "unverified"):
        report = sample("pharmacy", licence_check={"result": result})
        said = (await house.post("/reports", report, by="submitter")).body
        findings[result] = next(f["result"] for f in said["findings"] if f["rule"] == "licence")
    assert findings == {"unlicensed": "pass", "unverified": "fail"}


async def test_30_the_document_about_an_idn_is_valid(house: House) -> None:
    """XARF's own pattern refuses an A-label in `domain`, so it stands in `source_identifier` alone."""
    case_id = (await house.reported("größe-pillen.com"))["case_id"]
    (draft,) = (await house.stage.preview(case_id)).drafts
    document = json.loads(draft.content.xarf)
    assert faults(document) == []
    assert ("domain" in document, document["source_identifier"].startswith("xn--")) == (False, True)


async def test_31_what_is_marked_as_abuse_of_children_is_refused_unfetched(house: House) -> None:
    report = {**about("never-asked-for.com"), "content_flags": ["csam"]}
    said = await house.post("/reports", report)
    assert (said.status, said.code) == (422, "csam_refused")
    await house.stage.r.quiet()
    assert not [name for name in house.sandbox.dns.queries if "never-asked-for" in name]
    kept = await house.stage.ctx.db.fetchrow("select raw, body from report where id = $1", said.body["report_id"])
    assert kept is not None
    assert tuple(kept) == (None, None)


async def test_32_two_notifiers_are_two_reporters_of_one_case_and_one_notice(house: House) -> None:
    name = "two-reporters.com"
    house.sandbox.desk.behaviours[name] = "silent"
    first = await house.reported(name)
    second = await house.reported(name, by="stranger")
    assert first["case_id"] == second["case_id"]
    reporters = await house.stage.ctx.db.fetch(
        "select organisation from report where case_id = $1 order by received_at, id", first["case_id"]
    )
    assert len({r["organisation"] for r in reporters}) == 2
    assert (await house.approve(first["case_id"])).status == 200
    await house.stage.pass_time(minutes=31)
    assert len(house.stage.received(name)) == 1
    for by in ("submitter", "stranger"):
        news = (await house.get("/news", by=by)).body["items"]
        assert [n for n in news if n["case_id"] == first["case_id"]], f"{by} is told of it"
    opened = await house.stage.ctx.db.fetchval(
        "select body::jsonb->'detail'->>'report' from audit_entry where case_id = $1 and tag = 'case.opened'",
        first["case_id"],
    )
    assert opened == first["report_id"], "the first one began it"


# --- these move the clock, in this order ----------------------------------------------------------------------------


async def test_08_evidence_that_grew_old_before_sending_does_not_leave(house: House) -> None:
    case_id = await house.asked("grew-old.com")
    await agreements.disarm(house.stage.ctx, ADA, OPIOIDS)
    await house.stage.pass_time(hours=73)
    for admin in (ADA, BORIS):
        await agreements.arm(house.stage.ctx, admin, OPIOIDS)
    await house.stage.pass_time(hours=1)
    assert ((await house.case(case_id))["state"], house.stage.received("grew-old.com")) == ("needs_evidence", [])


DUE = datetime(2026, 11, 13, 5, tzinfo=UTC)  # 15 working days after 21 October in New York, Veterans Day left out


async def test_06_a_letters_window_across_a_holiday_is_kept_to_the_minute(house: House) -> None:
    await house.stage.r.advance_to(DUE - timedelta(minutes=1))
    report = about("pills-window.com")
    report["statements"]["human_review"]["at"] = (DUE - timedelta(hours=1)).isoformat()
    for item in report["evidence"]:
        if item["kind"] == "warning_letter":
            item |= {"issued_on": "2026-10-21", "assessed_at": DUE.isoformat()}
        if item["kind"] == "capture":
            item["captured_at"] = DUE.isoformat()
    said = (await house.post("/reports", report)).body
    await house.stage.r.quiet()
    assert said["state"] == "needs_evidence"
    assert (await house.approve(said["case_id"])).status == 409
    await house.stage.r.advance_to(DUE)
    assert (await house.case(said["case_id"]))["state"] == "in_review"
    assert (await house.approve(said["case_id"])).status == 200
