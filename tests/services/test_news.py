"""Every reporting organisation learns of each decision on its case once."""

import asyncio
from typing import Any

import pytest

from notifier.domain.answer import Answer
from notifier.domain.events import Rejected
from notifier.errors import Forbidden, Invalid
from notifier.sandbox.world import Act
from notifier.services import joining, news, responses, review
from notifier.services.access import Principal, Role
from notifier.store import cases as case_store
from tests.services.stages import MAIL, RITA, ROLF, SAM, VERISIGN, Stage, row
from tests.services.test_joining import AT_TIMS, opened

AT_ACME = Principal("Ann Acme", "person", Role.SUBMITTER, organisation="acme")


async def told(stage: Stage, who: Principal = SAM) -> list[str]:
    """All of an organisation's news, read page by page."""
    found: list[Any] = []
    since: str | None = None
    while True:
        page = await news.feed(stage.ctx, who, since, limit=2)
        found += page.items
        since = page.position
        if not page.more:
            again = await news.feed(stage.ctx, who, since)
            assert (again.items, again.position) == ([], since)
            return [item["kind"] for item in found]


async def to_the_end(stage: Stage) -> str:
    case_id = await stage.notified()
    stage.r.sandbox.world.do(Act.HOLD, MAIL, await stage.r.clock.now(), "registry")
    notice = str((await stage.notice(case_id))["id"])
    await responses.respond(stage.ctx, VERISIGN, notice, Answer("action_taken", "hold", "registry"))
    await stage.pass_time(hours=3)
    assert await stage.state(case_id) == "resolved"
    return case_id


async def test_one_item_for_each_decision_whatever_the_number_of_reports(stage: Stage) -> None:
    for who in (SAM, AT_ACME, AT_TIMS, AT_TIMS):
        await stage.submit(row(), who)
    case_id = await to_the_end(stage)
    await stage.pass_time(days=25)  # many looks that show the same
    await review.close(stage.ctx, RITA, case_id)
    expected = ["accepted", "sent", "outcome", "closed"]
    for who in (SAM, AT_ACME, AT_TIMS):
        assert await told(stage, who) == expected, who
    page = await news.feed(stage.ctx, AT_TIMS)
    assert len(page.items[0]["reports"]) == 2
    outcome = page.items[2]["detail"]
    assert (outcome["outcome"], outcome["observed"], outcome["actor"]) == ("registry_hold", "verified", "registry")


async def test_who_reports_later_learns_of_it_too_and_a_stranger_never(stage: Stage) -> None:
    case_id = await to_the_end(stage)
    assert await told(stage, AT_ACME) == []
    await stage.submit(row(), AT_ACME)
    await stage.submit(row(), AT_ACME)
    assert await told(stage, AT_ACME) == ["accepted", "sent", "outcome"]
    assert await told(stage, AT_TIMS) == []
    await review.withdraw(stage.ctx, RITA, case_id, "we were wrong", "error")
    await stage.pass_time(days=1)
    assert (await told(stage, AT_ACME))[3] == "withdrawn"
    assert await told(stage, SAM) == await told(stage, AT_ACME)


async def test_rejected_and_approved_twice(stage: Stage) -> None:
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    await review.cancel(stage.ctx, RITA, case_id, "wait")
    await stage.approve(case_id, ROLF)
    await review.cancel(stage.ctx, RITA, case_id, "wait")
    await review.reject(stage.ctx, RITA, case_id, "not enough", "out_of_scope")
    page = await news.feed(stage.ctx, SAM)
    assert [i["kind"] for i in page.items] == ["accepted", "rejected"]
    assert page.items[1]["detail"] == {"reason": "not enough", "ground": "out_of_scope"}


async def test_a_merged_case_says_where_it_goes_on(stage: Stage) -> None:
    winner = await stage.case_in_review()
    loser = await opened(stage, "second-name-pharma.com", AT_TIMS)
    await stage.approve(winner)
    await joining.merge(stage.ctx, ROLF, loser, winner, "one shop")
    page = await news.feed(stage.ctx, AT_TIMS)
    assert [(i["kind"], str(i["case_id"])) for i in page.items] == [("superseded", loser), ("accepted", winner)]
    assert page.items[0]["detail"]["into"] == winner
    assert await told(stage, SAM) == ["accepted"]


async def test_what_a_running_transaction_decides_is_not_skipped(stage: Stage) -> None:
    """A reader between two commits gets both, in whatever order they end."""
    one, two = await stage.case_in_review(), await opened(stage, "second-name-pharma.com")
    start = (await news.feed(stage.ctx, SAM)).position
    reached, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with stage.ctx.db.transaction(RITA.id) as tx:
            case = await case_store.lock(tx.con, one)
            assert case is not None
            await tx.save(case.apply(Rejected(RITA.id, "slow"), tx.now))
            reached.set()
            await go.wait()

    running = asyncio.create_task(slow())
    await reached.wait()
    await review.reject(stage.ctx, ROLF, two, "fast")
    early = await news.feed(stage.ctx, SAM, start)
    go.set()
    await running
    late = await news.feed(stage.ctx, SAM, early.position)
    reasons = [i["detail"]["reason"] for i in (*early.items, *late.items)]
    assert sorted(reasons) == ["fast", "slow"]


async def test_a_position_that_is_none_and_a_role_that_reports_nothing(stage: Stage) -> None:
    for wrong in ("x", "1", "1.x", "-1.2", "1" * 50 + ".1", "99999999999999999999.1"):
        with pytest.raises(Invalid):
            await news.feed(stage.ctx, SAM, wrong)
    assert (await news.feed(stage.ctx, SAM, "0099.0")).items == []  # nines are no octal digits
    with pytest.raises(Forbidden):
        await news.feed(stage.ctx, VERISIGN)
