"""The ladder from outside: host, registrar and registry asked in turn, each found, approved afresh and heard."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from notifier.domain.answer import Answer
from notifier.domain.case import Case
from notifier.domain.evidence import parse_evidence
from notifier.domain.rule import Recipient
from notifier.errors import Conflict, Forbidden, Invalid
from notifier.rehearsal import Plan, hosts, registrars
from notifier.sandbox.inbox import Received
from notifier.sandbox.survey import Profile
from notifier.sandbox.world import HOSTS
from notifier.services import evaluation, responses, review, stepping
from notifier.services.access import Principal, Role
from notifier.store import cases as case_store
from tests.services.conftest import Opens
from tests.services.stages import MAIL, PLAN, RITA, ROLF, SAM, SHARED, START, VERISIGN, Stage, row

LADDER = Plan(
    [*PLAN.cast, *hosts("opioids.host"), *registrars("opioids.registrar")],
    START,
)


@pytest.fixture
async def stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage(LADDER) as opened:
        yield opened


def unasked(of: str = MAIL, **changes: Any) -> dict[str, Any]:
    """A report whose sender asked neither host nor registrar."""
    found = row(of, **changes)
    found["evidence"] = [
        item for item in found.get("evidence", []) if item["kind"] != "prior_contact" or item["party"] == "operator"
    ]
    return found


async def opened(stage: Stage, report: dict[str, Any] | None = None) -> str:
    said = await stage.submit(report or unasked())
    assert said.case_id, (said.code, said.detail)
    await stage.r.quiet()
    return said.case_id


async def capture_again(stage: Stage, case_id: str) -> Case:
    """The same pages, captured just now: what is to be asked next rests on evidence as fresh as at the first."""
    now = await stage.r.clock.now()
    items = [i for i in row()["evidence"] if i["kind"] == "capture"]
    fresh = [parse_evidence({**item, "captured_at": now.isoformat()}) for item in items]
    return (await review.add_evidence(stage.ctx, SAM, case_id, fresh))[0]


async def whom(stage: Stage, case_id: str) -> tuple[Recipient, str]:
    """Whose turn it is, and the one address that approval would write to."""
    shown = await stage.preview(case_id)
    (draft,) = shown.drafts
    return shown.case.step, draft.content.recipient_address


async def test_what_was_read_before_a_turn_was_chosen_is_judged_as_what_is_read_after(stage: Stage) -> None:
    """Other rules guard another step: whose turn it is counts when a case is judged, not when it was read."""
    case_id, now = await opened(stage), await stage.r.clock.now()
    async with stage.ctx.db.pool.acquire() as con:
        case = await case_store.get(con, case_id)
        assert case is not None
        program = stage.ctx.program(case.program)
        read = {
            step: await evaluation.facts_of(stage.ctx.catalog, con, replace(case, step=step), program)
            for step in Recipient
        }
        for step in Recipient:
            turned = replace(case, step=step)
            after = await evaluation.evaluate_case(stage.ctx, con, turned, now)
            for facts in read.values():
                assert evaluation.verdict_of(stage.ctx, turned, facts, now) == after


def mails(stage: Stage, case_id: str, role: str) -> list[Received]:
    return [r for r in stage.r.sandbox.inbox.received if r.party.startswith(role)]


async def parties(stage: Stage, name: str = MAIL) -> tuple[str, str]:
    """The abuse addresses of the host and the registrar of a name, as the simulated world has them."""
    found = stage.r.sandbox.world.find(name)
    assert found is not None
    (host,) = [h for h in HOSTS if found.address.startswith(h.network.removesuffix("0/24"))]
    return host.abuse_email, found.registrar.abuse_email


def everybody(stage: Stage, how: str, *roles: str) -> None:
    """All hosts or registrars behave alike, whatever the name's own script."""
    for cast in LADDER.cast:
        if cast.role in roles:
            stage.r.sandbox.desk.party_behaviours[cast.registry] = how


# --- the climb ----------------------------------------------------------------------------------------------------


async def test_host_registrar_and_registry_are_asked_in_turn_and_each_is_approved_afresh(stage: Stage) -> None:
    everybody(stage, "silent", "host", "registrar")
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id = await opened(stage)
    host, registrar = await parties(stage)
    assert (await stage.state(case_id), await whom(stage, case_id)) == ("in_review", ("host", host))
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    assert await stage.state(case_id) == "notified"

    await stage.pass_time(hours=73)
    case = await stage.case(case_id)
    assert (case["state"], case["step"], case["passed"]) == ("needs_evidence", "registrar", ["host"])
    assert case["approvers"] == []
    again = await capture_again(stage, case_id)
    assert (again.state, again.review_reason, again.priority) == ("in_review", "escalation", 5)
    await stage.r.quiet()
    assert await whom(stage, case_id) == ("registrar", registrar)
    shown = await stage.preview(case_id)
    assert [(s.party, s.answer) for s in shown.said] == [("host", None)]
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)

    await stage.pass_time(hours=73)
    await capture_again(stage, case_id)
    await stage.r.quiet()
    assert await whom(stage, case_id) == ("registry", "notices@verisign.sandbox.test")
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    notices = await stage.notices(case_id)
    assert [(n["party"], n["purpose"], n["measure"]) for n in notices] == [
        ("host", "request", "content_removal"),
        ("host", "reminder", "content_removal"),
        ("registrar", "escalation", "hold"),
        ("registrar", "reminder", "hold"),
        ("registry", "escalation", "hold"),
    ]
    text = notices[-1]["content"]["text"]
    assert "host Simulated Host" in text
    assert "registrar Simulated Registrar" in text

    await stage.pass_time(days=20)
    assert ((await stage.case(case_id))["outcome"], await stage.state(case_id)) == ("no_response", "resolved")
    assert [m.ask.purpose for m in mails(stage, case_id, "host-")] == ["request", "reminder"]
    assert [m.ask.purpose for m in mails(stage, case_id, "registrar-")] == ["escalation", "reminder"]


async def test_whom_the_reporter_asked_in_vain_is_not_asked_again(stage: Stage) -> None:
    case_id = await opened(stage, row())
    assert await whom(stage, case_id) == ("registry", "notices@verisign.sandbox.test")
    report = unasked()
    report["evidence"] += [i for i in row()["evidence"] if i.get("party") == "host"]
    other = await opened(
        stage, {**report, "domain": "second-name-pharma.com", "urls": ["http://second-name-pharma.com/"]}
    )
    assert (await stage.case(other))["step"] == "registrar"


async def test_a_host_that_acts_ends_the_climb(stage: Stage) -> None:
    case_id = await opened(stage)
    await stage.approve(case_id)
    await stage.pass_time(days=3)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["outcome_actor"]) == ("resolved", "host_removed", "host")
    assert [n["party"] for n in await stage.notices(case_id)] == ["host"]


@pytest.mark.parametrize(("how", "why"), [("decline:declined_insufficient", "declined"), ("lie", "not_done")])
async def test_a_host_that_declines_or_does_not_what_it_says_gives_the_turn_on(
    stage: Stage, how: str, why: str
) -> None:
    everybody(stage, how, "host")
    case_id = await opened(stage)
    await stage.approve(case_id)
    await stage.pass_time(hours=31 if why == "not_done" else 6)
    await stage.r.quiet()
    case = await stage.case(case_id)
    assert (case["step"], case["passed"], case["outcome"]) == ("registrar", ["host"], None)
    body = await stage.ctx.db.fetchval(
        "select body from audit_entry where case_id = $1 and body like '%case.escalated%'", case_id
    )
    assert f'"why":"{why}"' in body
    said = (await stage.preview(case_id)).said
    assert [s.answer for s in said] == ["declined" if why == "declined" else "action_taken"]


async def test_a_late_word_of_an_earlier_party_is_kept_and_stops_no_clock(stage: Stage) -> None:
    everybody(stage, "silent", "host", "registrar")
    case_id = await opened(stage)
    await stage.approve(case_id)
    await stage.pass_time(hours=74)
    await capture_again(stage, case_id)
    await stage.approve(case_id)
    await stage.pass_time(hours=1)
    first = (await stage.notices(case_id))[0]
    host = Principal("host", "person", Role.REGISTRY, registry=first["registry"])
    await responses.respond(stage.ctx, host, str(first["id"]), Answer("declined", reason="declined_other"))
    case = await stage.case(case_id)
    assert (case["state"], case["step"]) == ("notified", "registrar")
    running = (
        "select count(*) from timer where case_id = $1 and kind = 'case.clock_ended' and fired_at is null "
        "and cancelled_at is null"
    )
    assert await stage.ctx.db.fetchval(running, case_id) == 1


async def test_a_withdrawal_goes_to_everybody_who_was_asked_and_to_the_address_that_was_asked(stage: Stage) -> None:
    everybody(stage, "silent", "host", "registrar")
    case_id = await opened(stage)
    host, registrar = await parties(stage)
    await stage.approve(case_id)
    await stage.pass_time(hours=74)
    await capture_again(stage, case_id)
    await stage.approve(case_id)
    await stage.pass_time(hours=30)
    await review.withdraw(stage.ctx, RITA, case_id, "our error", "error")
    await stage.r.quiet()
    undone = [n for n in await stage.notices(case_id) if n["purpose"] == "withdrawal"]
    assert sorted(n["content"]["recipient_address"] for n in undone) == sorted([host, registrar])
    assert {n["state"] for n in undone} == {"sent"}


# --- where a party is reached -------------------------------------------------------------------------------------


async def without_contact(stage: Stage) -> str:
    """A case whose host's network names no abuse contact."""
    found = stage.r.sandbox.world.find(MAIL)
    assert found is not None
    low, high = (found.address.rpartition(".")[0] + end for end in (".0", ".255"))
    document = {"objectClassName": "ip network", "handle": "N-1", "startAddress": low, "endAddress": high}
    stage.r.sandbox.rdap.networks[found.address] = document
    return await opened(stage)


async def test_no_contact_is_a_persons_task_and_whoever_gives_one_does_not_approve_it(stage: Stage) -> None:
    case_id = await without_contact(stage)
    tasks = await stage.ctx.db.fetch(
        "select kind, detail from task where case_id = $1 and resolved_at is null", case_id
    )
    assert [(t["kind"], "has no abuse contact" in t["detail"]) for t in tasks] == [("no_contact", True)]
    assert (await stage.preview(case_id)).drafts == []
    with pytest.raises(Invalid, match="mailbox"):
        await stepping.give_contact(stage.ctx, RITA, case_id, Recipient.HOST, "abuse@", "their page")
    with pytest.raises(Invalid, match="agreement"):
        await stepping.give_contact(stage.ctx, RITA, case_id, Recipient.REGISTRY, "a@b.example", "their page")
    address = HOSTS[2].abuse_email
    await stepping.give_contact(stage.ctx, RITA, case_id, Recipient.HOST, address, "their imprint", "Host Gamma")
    await stage.r.quiet()
    assert await whom(stage, case_id) == ("host", address)
    assert any("given by a person" in caution for caution in (await stage.preview(case_id)).cautions)
    assert (
        await stage.ctx.db.fetchval("select count(*) from task where case_id = $1 and resolved_at is null", case_id)
        == 0
    )
    with pytest.raises(Forbidden):
        await stage.approve(case_id, RITA)
    await stage.approve(case_id, ROLF)
    await stage.pass_time(minutes=30)
    (sent,) = await stage.notices(case_id)
    assert (sent["state"], sent["recipient"]["path"], sent["content"]["recipient_name"]) == (
        "sent",
        "given",
        "Host Gamma",
    )


async def test_a_desk_whose_domain_takes_no_mail_is_not_written_to(stage: Stage) -> None:
    found = stage.r.sandbox.world.find(MAIL)
    assert found is not None
    low, high = (found.address.rpartition(".")[0] + end for end in (".0", ".255"))
    stage.r.sandbox.rdap.networks[found.address] = {
        "objectClassName": "ip network",
        "handle": "N-1",
        "startAddress": low,
        "endAddress": high,
        "entities": [
            {"roles": ["abuse"], "vcardArray": ["vcard", [["email", {}, "text", "abuse@gone.no-mail.example"]]]}
        ],
    }
    case_id = await opened(stage)
    (task,) = await stage.ctx.db.fetch("select kind, detail from task where case_id = $1", case_id)
    assert (task["kind"], "gone.no-mail.example takes no mail" in task["detail"]) == ("no_contact", True)
    assert (await stage.preview(case_id)).drafts == []


async def test_a_person_goes_on_without_a_party(stage: Stage) -> None:
    case_id = await without_contact(stage)
    with pytest.raises(Invalid, match="reason"):
        await stepping.pass_over(stage.ctx, RITA, case_id, "  ")
    case = await stepping.pass_over(stage.ctx, RITA, case_id, "nobody hosts it by name")
    assert (case.step, case.passed, case.state) == ("registrar", ("host",), "in_review")
    _, registrar = await parties(stage)
    assert await whom(stage, case_id) == ("registrar", registrar)


async def test_a_host_that_changed_since_the_approval_is_not_written_to(stage: Stage) -> None:
    case_id = await opened(stage)
    await stage.approve(case_id)
    found = stage.r.sandbox.world.find(MAIL)
    assert found is not None
    other = next(h for h in HOSTS if not found.address.startswith(h.network.removesuffix("0/24")))
    low, high = (found.address.rpartition(".")[0] + end for end in (".0", ".255"))
    stage.r.sandbox.rdap.networks[found.address] = {
        "objectClassName": "ip network",
        "handle": other.handle,
        "startAddress": low,
        "endAddress": high,
        "entities": [
            {"roles": ["abuse"], "vcardArray": ["vcard", [["email", {}, "text", other.abuse_email]]]},
        ],
    }
    await stage.pass_time(minutes=31)
    case = await stage.case(case_id)
    assert (case["state"], case["review_reason"]) == ("in_review", "the host changed")
    assert mails(stage, case_id, "host-") == []
    assert await whom(stage, case_id) == ("host", other.abuse_email)


async def test_of_one_site_among_many_only_the_host_is_asked_about_that_site(stage: Stage) -> None:
    stage.r.sandbox.survey.profiles["blogspot.com"] = Profile(wildcard=True)  # its sites have addresses
    case_id = await opened(stage, unasked(SHARED))
    case = await stage.case(case_id)
    assert (case["safety"], case["step"], case["agreement"]) == ("reroute", "host", "opioids.host")
    (draft,) = (await stage.preview(case_id)).drafts
    assert (draft.content.domain, draft.notice.domain, draft.recipient.party) == (SHARED, SHARED, "host")
    with pytest.raises(Exception, match="cases_asked"):
        await stage.ctx.db.pool.execute(
            "update cases set step = 'registry', agreement = 'opioids.verisign', rev = rev + 1 where id = $1", case_id
        )


# --- a question and its answer ------------------------------------------------------------------------------------


async def test_an_amended_notice_takes_the_place_of_the_one_it_answers_for(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id = await opened(stage, row())
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    first = await stage.notice(case_id)
    with pytest.raises(Conflict, match="no recipient waits"):
        await stepping.amend(stage.ctx, RITA, case_id, "nobody asked")
    await stage.pass_time(days=2)
    await responses.respond(stage.ctx, VERISIGN, str(first["id"]), Answer("needs_info", comment="Which pages?"))
    case = await stepping.amend(stage.ctx, RITA, case_id, "The order page and its checkout.")
    assert (case.state, case.review_reason) == ("needs_evidence", None) or case.review_reason == "amendment"
    await capture_again(stage, case_id)
    await stage.r.quiet()
    with pytest.raises(Forbidden):
        await stage.approve(case_id, RITA)
    await stage.approve(case_id, ROLF)
    await stage.pass_time(minutes=31)
    before, after = await stage.notices(case_id)
    assert (before["state"], after["state"], after["purpose"]) == ("superseded", "sent", "amendment")
    assert (after["supersedes"], after["version"]) == (before["id"], before["version"] + 1)
    assert "The order page and its checkout." in after["content"]["text"]
    assert after["content"]["thread_key"] == before["send_key"]
    due = await stage.ctx.db.fetchval(
        "select due_at from timer where case_id = $1 and kind = 'case.clock_ended' and fired_at is null "
        "and cancelled_at is null",
        case_id,
    )
    # Ten working days from Monday 2 November, 14:30 UTC, Veterans Day left out: Tuesday 17 November, as the
    # first notice had them; two days were gone when it asked, and what was left runs from the amended one.
    asked = await stage.ctx.db.fetchval("select received_at from response where kind = 'needs_info'")
    whole = stage.ctx.agreement("opioids.verisign").decide.due(before["sent_at"], stage.ctx.catalog.calendars)
    assert abs(due - (after["sent_at"] + (whole - asked))) < timedelta(minutes=1)


async def test_a_question_that_we_leave_open_alarms(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id = await opened(stage, row())
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    notice = await stage.notice(case_id)
    await responses.respond(stage.ctx, VERISIGN, str(notice["id"]), Answer("needs_info", comment="Which pages?"))
    await stage.pass_time(days=3)
    alarms = await stage.ctx.db.fetch("select kind from alarm where case_id = $1", case_id)
    assert [a["kind"] for a in alarms] == ["answer_owed"]
    await stage.pass_time(days=60)
    assert await stage.state(case_id) == "notified", "the recipient's clock stands while we owe the answer"


async def test_whom_we_asked_is_withdrawn_from_and_never_rejected(stage: Stage) -> None:
    everybody(stage, "decline:declined_insufficient", "host")
    case_id = await opened(stage)
    await stage.approve(case_id)
    await stage.pass_time(hours=6)
    with pytest.raises(Conflict, match="withdraw"):
        await review.reject(stage.ctx, RITA, case_id, "we do not go on")
