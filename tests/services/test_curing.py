"""Pages that go away after somebody was asked: who is told, who is credited, and what a site that hides gets by it."""

from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from notifier.domain.answer import Answer
from notifier.domain.look import Look
from notifier.sandbox.site_server import Cloak
from notifier.sandbox.world import Act, Content
from notifier.services import curing, looking, review
from tests.services.conftest import Opens
from tests.services.stages import MAIL, RITA, Stage
from tests.services.test_ladder import LADDER, capture_again, everybody
from tests.services.test_meeting import at_host, at_registrar, at_registry, says

OTHER_TEXT = (
    "This domain is parked. Ask its owner for an offer, or choose among thousands of other names at our market."
)


@pytest.fixture
async def stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage(LADDER) as opened:
        everybody(opened, "silent", "host", "registrar", "registry")
        yield opened


async def act(stage: Stage, what: Act, by: str = "registrant") -> None:
    stage.r.sandbox.world.do(what, MAIL, await stage.r.clock.now(), by)


async def told_back(stage: Stage, case_id: str) -> list[tuple[str, str]]:
    """Whom it was taken back from, and how, by party; what nobody answered is said twice."""
    undone = [n for n in await stage.notices(case_id) if n["purpose"] in ("withdrawal", "restore")]
    return sorted({(n["party"], n["purpose"]) for n in undone})


def text_of(stage: Stage, role: str) -> str:
    """The newest mail to a party of a role."""
    raw = [r for r in stage.received(MAIL) if r.party.startswith(role)][-1].raw
    part = message_from_bytes(raw, policy=default).get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def test_a_cure_is_told_to_everyone_who_was_asked_and_to_each_in_its_own_words(stage: Stage) -> None:
    """The host too, which is not asked to put anything back; nobody waits for a person (domain.md 3, F6)."""
    case_id = await at_registrar(stage)
    everybody(stage, "obey", "host", "registrar")
    await act(stage, Act.REMOVE_CONTENT)
    await stage.pass_time(hours=26)
    assert await stage.state(case_id) == "notified", "one look is no cure"
    await stage.pass_time(hours=24)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["aftermath"]) == ("withdrawn", "withdrawn_cured", None)
    assert case["outcome_actor"] == "none", "the host was asked and said nothing: nobody knows who removed them"
    assert await told_back(stage, case_id) == [("host", "withdrawal"), ("registrar", "withdrawal")]
    assert {n["approved_by"] for n in (await stage.notices(case_id))[-2:]} == {"daemon"}
    host, registrar = text_of(stage, "host"), text_of(stage, "registrar")
    assert "What was removed stays removed." in host
    assert "No answer is needed." in host
    assert "if you have acted, please undo it" in registrar
    assert "the pages that we reported are gone: we looked between 2026-11-0" in registrar
    planned = "timer where case_id = $1 and kind = 'case.look_for_cure' and fired_at is null"
    assert await stage.count(planned, case_id) == 1, "it may come back"
    await stage.pass_time(days=10)
    assert stage.r.sandbox.world.find(MAIL).content is Content.REMOVED  # type: ignore[union-attr]
    assert [kind for kind in await stage.alarms() if kind.startswith("undo")] == []
    assert await stage.count("task where kind = 'second_look'") == 0


async def test_where_no_host_was_asked_the_registrant_cured_it(stage: Stage) -> None:
    case_id = await at_registry(stage)
    await act(stage, Act.REMOVE_CONTENT)
    await stage.pass_time(days=3)
    case = await stage.case(case_id)
    assert (case["outcome"], case["outcome_actor"]) == ("withdrawn_cured", "registrant")
    assert await told_back(stage, case_id) == [("registry", "withdrawal")]


async def test_a_lock_on_a_cured_name_is_lifted_and_seen_to_be(stage: Stage) -> None:
    case_id = await at_registry(stage)
    await act(stage, Act.LOCK, "registry")
    await says(stage, await stage.notice(case_id), Answer("action_taken", measure="lock", actor="registry"))
    await stage.pass_time(hours=2)
    assert await stage.state(case_id) == "resolved"
    await act(stage, Act.REMOVE_CONTENT)
    everybody(stage, "obey", "registry")
    await stage.pass_time(days=3)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["aftermath"], case["undo"]) == (
        "withdrawn",
        "registry_lock",
        "lifted_cured",
        "verified",
    )
    assert await told_back(stage, case_id) == [("registry", "restore")]
    found = stage.r.sandbox.world.find(MAIL)
    assert found is not None
    assert "serverTransferProhibited" not in found.statuses
    assert found.content is Content.REMOVED


async def test_a_name_that_is_held_shows_nothing_and_so_is_not_cured(stage: Stage) -> None:
    case_id = await at_registry(stage)
    await act(stage, Act.HOLD, "registry")
    await act(stage, Act.REMOVE_CONTENT)
    await says(stage, await stage.notice(case_id), Answer("action_taken", measure="hold", actor="registry"))
    await stage.pass_time(days=9)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["undo"]) == ("resolved", "registry_hold", "none")
    assert await told_back(stage, case_id) == []


async def test_nobody_looks_once_nobody_waits_for_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = await at_registry(stage)
    await stage.pass_time(days=2)
    seen = "observation where claim_id is null and case_id = $1"
    assert await stage.count(seen, case_id) > 2, "they do while somebody does"
    await review.withdraw(stage.ctx, RITA, case_id, "it was the wrong name", "error")
    before, looked = await stage.count(seen, case_id), []

    async def look(*asked: Any, **how: Any) -> Look:
        looked.append(asked)
        return await looking.look(*asked, **how)

    monkeypatch.setattr(curing, "look", look)
    await stage.pass_time(days=3)
    assert looked == [], "not even to throw away what is seen"
    watched = await stage.count("timer where kind = 'notice.watch' and fired_at is not null")
    assert await stage.count(seen, case_id) - before == watched > 0, "what was taken back is watched, and that is all"
    assert (
        await stage.count("timer where kind = 'case.look_for_cure' and fired_at is null and cancelled_at is null") == 0
    )


async def test_a_host_that_removed_what_it_was_asked_to_is_told_nothing_more(stage: Stage) -> None:
    case_id = await at_host(stage)
    await act(stage, Act.REMOVE_CONTENT, "host")
    await says(stage, await stage.notice(case_id), Answer("action_taken", measure="content_removal", actor="host"))
    await stage.pass_time(days=5)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["outcome_actor"]) == ("resolved", "host_removed", "host")
    assert await told_back(stage, case_id) == []


async def test_who_was_asked_after_a_host_that_acted_late_is_told_that_it_need_not(stage: Stage) -> None:
    """The registry of itch.io acted days after the page was gone, since nobody told it."""
    case_id = await at_registrar(stage)
    first = (await stage.notices(case_id))[0]
    await act(stage, Act.REMOVE_CONTENT, "host")
    await says(stage, first, Answer("action_taken", measure="content_removal", actor="host"))
    await stage.pass_time(days=5)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["outcome_actor"]) == ("resolved", "host_removed", "host")
    assert await told_back(stage, case_id) == [("registrar", "withdrawal")]
    assert "case.others_released" in await stage.tags(case_id)


async def test_a_site_that_hides_from_us_is_not_cured(stage: Stage) -> None:
    """Gone for everybody but those who come from a search (domain.md 3, F10 and F11)."""
    case_id = await at_registry(stage)
    stage.r.sandbox.site.cloaks[MAIL] = Cloak(referrers=("google",))
    await stage.pass_time(days=3)
    assert await stage.state(case_id) == "notified"
    assert await told_back(stage, case_id) == []
    assert await stage.alarms() == ["contradicted_cloaked"]


async def test_a_site_that_shows_others_what_it_hides_behind_another_text_is_not_cured(stage: Stage) -> None:
    case_id = await at_registry(stage)
    stage.r.sandbox.site.cloaks[MAIL] = Cloak(user_agents=("Mobile",), decoy=OTHER_TEXT)
    await stage.pass_time(days=3)
    assert await stage.state(case_id) == "notified"
    assert await stage.alarms() == ["contradicted_cloaked"]


async def test_another_text_in_place_of_the_pages_is_a_persons_to_judge(stage: Stage) -> None:
    case_id = await at_registry(stage)
    stage.r.sandbox.site.pages[MAIL] = {"*": OTHER_TEXT}
    await stage.pass_time(days=3)
    assert await stage.state(case_id) == "notified"
    assert await told_back(stage, case_id) == []
    (task,) = [t for t in await stage.tasks() if t["kind"] == "second_look"]
    assert "another text" in task["detail"]


async def test_a_claim_of_a_host_that_only_hid_the_pages_is_refuted(stage: Stage) -> None:
    case_id = await at_host(stage)
    stage.r.sandbox.site.cloaks[MAIL] = Cloak(user_agents=("Mobile",))
    await says(stage, await stage.notice(case_id), Answer("action_taken", measure="content_removal", actor="host"))
    await stage.pass_time(hours=30)
    assert (await stage.claim(case_id))["verdict"] == "contradicted"
    assert {"contradicted_cloaked", "claim_contradicted"} <= set(await stage.alarms())


async def test_pages_that_come_back_after_a_cure_are_told_once_and_nobody_is_asked(stage: Stage) -> None:
    case_id = await at_registry(stage)
    await act(stage, Act.REMOVE_CONTENT)
    await stage.pass_time(days=4)
    assert await stage.state(case_id) == "withdrawn"
    sent = len(await stage.notices(case_id))
    await act(stage, Act.PUT_BACK)
    await stage.pass_time(days=4)
    case = await stage.case(case_id)
    assert (case["state"], case["outcome"], case["aftermath"]) == ("withdrawn", "withdrawn_cured", "relapsed")
    assert await stage.alarms() == ["cure_relapsed"]
    assert [t["kind"] for t in await stage.tasks() if str(t["case_id"]) == case_id] == ["second_look"]
    asking = [n for n in (await stage.notices(case_id))[sent:] if n["purpose"] not in ("withdrawal", "restore")]
    assert asking == []


async def test_a_cure_in_the_middle_of_the_next_review_ends_it(stage: Stage) -> None:
    """Silence gave the turn to the registrar; before anybody approved that, the pages went."""
    case_id = await at_host(stage)
    await stage.pass_time(hours=73)
    await act(stage, Act.REMOVE_CONTENT)
    await capture_again(stage, case_id)
    await stage.pass_time(days=3)
    assert (await stage.case(case_id))["outcome"] == "withdrawn_cured"
    assert await told_back(stage, case_id) == [("host", "withdrawal")]


async def test_what_somebody_elsewhere_was_shown_meanwhile_counts_against_our_own_looks(stage: Stage) -> None:
    """F11: the site may have hidden from our addresses alone."""
    case_id = await at_registry(stage)
    await act(stage, Act.REMOVE_CONTENT)
    await stage.pass_time(hours=30)
    await capture_again(stage, case_id)  # by a reporter, who was shown the offer just now
    await stage.pass_time(hours=24)
    assert await stage.state(case_id) == "notified"
    await stage.pass_time(days=2)
    assert (await stage.case(case_id))["outcome"] == "withdrawn_cured"
