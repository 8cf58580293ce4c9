"""What people decide: four eyes, exact digests, the cancel window, taking a case back."""

import asyncio
import re
from email import message_from_bytes
from email.policy import default

import pytest

from notifier.domain.report import ReportIn
from notifier.errors import Conflict, Forbidden, NotFound
from notifier.sandbox.world import Act
from notifier.services import intake, review
from notifier.services.access import Principal, Role
from tests.services.stages import HOOK, MAIL, RITA, ROBOT, ROLF, SAM, STALE, TIM, Stage, raw, row


def as_(who: Principal, role: Role) -> Principal:
    """The same person, with a token of another role."""
    return Principal(who.id, who.kind, role)


# --- approval and its window --------------------------------------------------------------------------------------


async def test_an_approved_notice_leaves_after_the_window(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await stage.pass_time(minutes=29)
    assert (await stage.state(case_id), stage.received()) == ("approved", [])
    await stage.pass_time(minutes=1)
    assert await stage.state(case_id) == "notified"
    assert [(d.ask.domain, d.party) for d in stage.received()] == [(MAIL, "verisign")]


async def test_what_leaves_is_what_was_shown(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    shown = (await stage.preview(case_id)).drafts[0].content
    await stage.approve(case_id)
    await stage.pass_time(minutes=30)
    mail = message_from_bytes(stage.received()[0].raw, policy=default)
    assert mail["X-Notifier-Digest"].strip() == shown.digest
    text = next(p for p in mail.walk() if p.get_content_type() == "text/plain").get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.decode().replace("\r\n", "\n").strip() == shown.text.strip()


@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_a_digest_that_is_not_the_shown_one_is_refused(stage: Stage, domain: str) -> None:
    case_id = await stage.case_in_review(domain)
    with pytest.raises(Conflict) as raised:
        await review.approve(stage.ctx, RITA, case_id, "0" * 64)
    assert raised.value.code == "digest_changed"
    assert (await stage.state(case_id), await stage.notices(case_id)) == ("in_review", [])


async def test_a_preview_grows_old_when_the_case_changes(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    old = (await stage.preview(case_id)).digest
    await stage.submit(row(summary=row()["summary"] + " A second report says so too."), TIM)
    with pytest.raises(Conflict) as raised:
        await review.approve(stage.ctx, RITA, case_id, old)
    assert raised.value.code == "digest_changed"


async def test_two_approvals_at_once_queue_one_notice(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    digest = (await stage.preview(case_id)).digest
    said = await asyncio.gather(
        *(review.approve(stage.ctx, who, case_id, digest) for who in (RITA, ROLF)), return_exceptions=True
    )
    assert sum(isinstance(s, Conflict) for s in said) == 1
    assert len(await stage.notices(case_id)) == 1


async def test_one_case_of_a_name_out_of_the_zone_cannot_be_approved(stage: Stage) -> None:
    stage.r.sandbox.world.register(MAIL)
    stage.r.sandbox.world.do(Act.UNDELEGATE, MAIL, await stage.r.clock.now(), "registrar")
    case_id = await stage.case_in_review()
    preview = await stage.preview(case_id)
    assert any("out of the zone" in why for why in preview.blockers)
    with pytest.raises(Conflict) as raised:
        await review.approve(stage.ctx, RITA, case_id, preview.digest)
    assert raised.value.code == "already_down"


# --- four eyes ----------------------------------------------------------------------------------------------------


async def test_no_submitter_of_the_case_approves_it(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.submit(who=TIM)
    for who in (SAM, TIM):
        with pytest.raises(Forbidden) as raised:
            await stage.approve(case_id, as_(who, Role.REVIEWER))
        assert raised.value.code == "four_eyes"
    assert (await stage.approve(case_id)).state == "approved"


async def test_no_supplier_of_evidence_approves_the_case(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    items = ReportIn.model_validate(row()).evidence[:1]
    await review.add_evidence(stage.ctx, RITA, case_id, items)
    with pytest.raises(Forbidden) as raised:
        await stage.approve(case_id, RITA)
    assert raised.value.code == "four_eyes"
    assert (await stage.approve(case_id, ROLF)).state == "approved"


@pytest.mark.parametrize(
    "who",
    [SAM, ROBOT, Principal("a", "person", Role.ADMIN), Principal("e", "person", Role.EVALUATOR)],
    ids=["submitter", "service", "admin", "evaluator"],
)
async def test_only_a_reviewer_in_person_decides(stage: Stage, who: Principal) -> None:
    case_id = await stage.case_in_review()
    digest = (await stage.preview(case_id)).digest
    with pytest.raises(Forbidden):
        await review.approve(stage.ctx, who, case_id, digest)
    with pytest.raises(Forbidden):
        await review.reject(stage.ctx, who, case_id, "no")
    assert await stage.state(case_id) == "in_review"


async def test_a_reviewer_of_another_organisation_finds_nothing(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    foreign = Principal("m", "person", Role.REVIEWER, organisation="mpa")
    other_program = Principal("p", "person", Role.REVIEWER, programs=frozenset({"piracy"}))
    for who in (foreign, other_program):
        with pytest.raises(NotFound):
            await review.preview(stage.ctx, who, case_id)
        with pytest.raises(NotFound):
            await review.reject(stage.ctx, who, case_id, "no")
    for nothing in ("", "x", "00000000-0000-7000-8000-000000000000"):
        with pytest.raises(NotFound):
            await review.preview(stage.ctx, RITA, nothing)


async def test_an_approver_who_joins_voids_the_approval_and_nothing_leaves(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id, RITA)
    await stage.submit(who=as_(RITA, Role.SUBMITTER))
    assert await stage.state(case_id) == "in_review"
    assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]
    with pytest.raises(Forbidden):
        await stage.approve(case_id, RITA)
    await stage.approve(case_id, ROLF)
    await stage.pass_time(minutes=30)
    assert sorted(n["state"] for n in await stage.notices(case_id)) == ["cancelled", "sent"]
    assert len(stage.received()) == 1


async def test_another_report_in_the_window_stops_what_says_something_else_now(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await stage.submit(row(summary=row()["summary"] + " A second report says so too."), TIM)
    assert (await stage.case(case_id))["review_reason"] == "a later report changed what was approved"
    await stage.pass_time(minutes=30)
    assert (await stage.state(case_id), stage.received()) == ("in_review", [])


async def test_a_name_that_needs_a_second_review_needs_two_people(stage: Stage) -> None:
    """A popular name is touched only after two looks."""
    popular = next(iter(sorted(n for n in stage.ctx.catalog.lists.popular if n.endswith(".com"))))
    report = {**row(), "domain": popular, "urls": [f"https://{popular}/page-1"]}
    report["evidence"] = [
        {
            name: value.replace(MAIL, popular) if isinstance(value, str) else [popular] if name == "domains" else value
            for name, value in item.items()
        }
        for item in report["evidence"]
    ]
    said = await stage.submit(report)
    assert (said.safety, said.state, said.code) == ("second_review", "in_review", None)
    case_id = str(said.case_id)
    await stage.r.quiet()
    assert (await stage.approve(case_id, RITA)).state == "in_review"
    assert await stage.notices(case_id) == []
    with pytest.raises(Forbidden):
        await stage.approve(case_id, RITA)
    assert (await stage.approve(case_id, ROLF)).state == "approved"
    await stage.pass_time(minutes=30)
    assert len(stage.received(popular)) == 1


# --- other decisions ----------------------------------------------------------------------------------------------


async def test_cancelled_in_the_window_nothing_leaves_and_it_may_be_approved_anew(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await stage.pass_time(minutes=10)
    await review.cancel(stage.ctx, ROLF, case_id, "wrong name?")
    await stage.pass_time(hours=1)
    assert (await stage.state(case_id), stage.received()) == ("in_review", [])
    await stage.approve(case_id)
    await stage.pass_time(minutes=29)
    assert stage.received() == [], "a new approval has a window of its own"
    await stage.pass_time(minutes=1)
    assert len(stage.received()) == 1
    first, second = await stage.notices(case_id)
    assert (first["state"], second["state"], second["version"]) == ("cancelled", "sent", 1)


async def test_after_it_left_there_is_nothing_to_cancel(stage: Stage) -> None:
    case_id = await stage.notified()
    with pytest.raises(Conflict):
        await review.cancel(stage.ctx, RITA, case_id, "too late")


async def test_a_rejected_case_is_over(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    digest = (await stage.preview(case_id)).digest
    await review.reject(stage.ctx, RITA, case_id, "lawful")
    for act in (
        review.approve(stage.ctx, RITA, case_id, digest),
        review.withdraw(stage.ctx, RITA, case_id, "again"),
        review.add_evidence(stage.ctx, SAM, case_id, ReportIn.model_validate(row()).evidence[:1]),
    ):
        with pytest.raises(Conflict):
            await act
    await stage.pass_time(days=2)
    assert stage.received() == []


async def test_evidence_that_was_asked_for_brings_the_case_back(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await review.request_evidence(stage.ctx, RITA, case_id, "a later capture, please")
    assert await stage.state(case_id) == "needs_evidence"
    capture = {**row()["evidence"][1], "captured_at": "2026-11-02T13:55:00Z", "sha256": "ab" * 32}
    case, _ = await review.add_evidence(
        stage.ctx, SAM, case_id, ReportIn.model_validate(row(evidence=[capture])).evidence
    )
    assert (case.state, case.review_reason) == ("in_review", "evidence_requested")


async def test_stale_captures_are_mended_by_a_fresh_one(stage: Stage) -> None:
    said = await stage.submit(row(STALE))
    assert said.state == "needs_evidence"
    old = next(item for item in row(STALE)["evidence"] if item["kind"] == "capture")
    fresh = [
        {**old, "captured_at": "2026-11-02T12:00:00Z", "sha256": digit * 64, "vantage": vantage}
        for digit, vantage in (("a", "residential-us-oh"), ("b", "mobile-us-ca"))
    ]
    case, verdict = await review.add_evidence(
        stage.ctx, SAM, str(said.case_id), ReportIn.model_validate(row(STALE, evidence=fresh)).evidence
    )
    assert (case.state, verdict.ids("fail")) == ("in_review", ())  # type: ignore[arg-type]


async def test_evidence_in_the_window_voids_the_approval(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await review.add_evidence(stage.ctx, TIM, case_id, ReportIn.model_validate(row()).evidence[:1])
    assert await stage.state(case_id) == "in_review"
    await stage.pass_time(hours=1)
    assert (stage.received(), [n["state"] for n in await stage.notices(case_id)]) == ([], ["cancelled"])


async def test_words_of_a_reviewer_may_hold_anything(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    digest = (await stage.preview(case_id)).digest
    await review.approve(stage.ctx, RITA, case_id, digest, "note \x00 \ud800")
    await review.cancel(stage.ctx, RITA, case_id, "why \x00 \ud800")
    await review.reject(stage.ctx, RITA, case_id, "reason \x00 \ud800")
    assert await stage.state(case_id) == "rejected"


# --- withdrawal ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [SAM, RITA], ids=["submitter", "reviewer"])
async def test_withdrawn_before_it_left_it_never_leaves(stage: Stage, who: Principal) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await review.withdraw(stage.ctx, who, case_id, "not sure any more")
    await stage.pass_time(days=2)
    assert (await stage.state(case_id), stage.received()) == ("withdrawn", [])
    assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]
    case = await stage.case(case_id)
    assert (case["outcome"], case["outcome_actor"], case["undo"]) == ("withdrawn", "notifier", "none")


@pytest.mark.parametrize(("domain", "party"), [(MAIL, "verisign"), (HOOK, "pir")])
async def test_withdrawn_after_it_left_everyone_told_is_told(stage: Stage, domain: str, party: str) -> None:
    case_id = await stage.notified(domain)
    await review.withdraw(stage.ctx, RITA, case_id, "the shop closed")
    await stage.r.quiet()
    first, second = stage.received(domain)
    assert (first.ask.purpose, second.ask.purpose) == ("request", "withdrawal")
    assert (second.party, second.ask.measure, second.ask.doubt) == (party, "restore", "")
    case = await stage.case(case_id)
    assert (case["state"], case["undo"]) == ("withdrawn", "requested")
    assert [n["state"] for n in await stage.notices(case_id)] == ["sent", "sent"]
    if party == "verisign":
        told, undo = (message_from_bytes(d.raw, policy=default) for d in (first, second))
        assert undo["In-Reply-To"].strip() == told["Message-ID"].strip()
        assert told["Message-ID"].strip() in undo["References"]
        assert undo["Message-ID"] != told["Message-ID"]


async def test_a_withdrawal_undoes_what_the_registry_did(stage: Stage) -> None:
    case_id = await stage.notified()
    await stage.pass_time(hours=6)
    held = stage.r.sandbox.world.find(MAIL)
    assert held is not None
    assert "serverHold" in held.statuses
    await review.withdraw(stage.ctx, RITA, case_id, "the registrant cured it")
    await stage.pass_time(hours=6)
    restored = stage.r.sandbox.world.find(MAIL)
    assert restored is not None
    assert restored.delegated
    assert (await stage.case(case_id))["outcome"] == "registry_hold", "what was seen first is not rewritten"


async def test_a_submitter_does_not_take_back_what_was_sent(stage: Stage) -> None:
    case_id = await stage.notified()
    with pytest.raises(Forbidden):
        await review.withdraw(stage.ctx, SAM, case_id, "oh")
    assert (await stage.state(case_id), len(stage.received())) == ("notified", 1)


async def test_a_withdrawn_case_asks_for_nothing_more(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "silent"
    case_id = await stage.notified()
    await review.withdraw(stage.ctx, RITA, case_id, "the shop closed")
    await stage.pass_time(days=30)
    assert await stage.state(case_id) == "withdrawn"
    # Nobody answered the withdrawal, so it was repeated once; nothing is asked for.
    assert [d.ask.purpose for d in stage.received()] == ["request", "withdrawal", "withdrawal"]
    with pytest.raises(Conflict):
        await review.withdraw(stage.ctx, RITA, case_id, "again")


# --- what the case shows ------------------------------------------------------------------------------------------


async def test_the_whole_way_is_told_in_the_log(stage: Stage) -> None:
    case_id = await stage.notified()
    await stage.pass_time(days=1)
    tags = await stage.tags(case_id)
    told = [
        "case.opened", "case.evaluated", "target.observed", "case.approved", "case.dispatched",
        "notice.send_started", "notice.sent", "answer.received", "outcome.observed",
    ]  # fmt: skip
    assert [tags.index(tag) for tag in told] == sorted(tags.index(tag) for tag in told)
    bodies = await stage.ctx.db.fetch("select body from audit_entry where case_id = $1", case_id)
    assert not [b for b in bodies if re.search(r"reply_token|notices\+", b["body"])]


async def test_hundred_previews_at_once_do_not_starve_the_pool(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    async with asyncio.timeout(30):
        shown = await asyncio.gather(*(stage.preview(case_id) for _ in range(100)))
    assert len({p.digest for p in shown}) == 1


async def test_hundred_known_reports_at_once_do_not_starve_the_pool(stage: Stage) -> None:
    await stage.submit(row(external_id="A-1"))
    async with asyncio.timeout(60):
        said = await asyncio.gather(*(intake.submit(stage.ctx, SAM, RAW) for _ in range(100)))
    assert all(s.known for s in said)


RAW = raw(row(external_id="A-1"))
