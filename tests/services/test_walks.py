"""Walks of chance over everything that can happen to a case: none is ever left that nobody and no timer would move."""

import contextlib
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from notifier.domain.answer import Answer
from notifier.domain.case_state import OPEN
from notifier.domain.rule import Recipient
from notifier.errors import NotifierError
from notifier.sandbox.world import HOSTS, Act
from notifier.services import deconfliction, joining, review, stepping, suspending, tasks
from notifier.services.access import Principal, Role
from notifier.services.attending import Filing
from notifier.services.deconfliction import EntryIn
from notifier.store import contacts
from notifier.store.agreements import Scope
from tests.services.conftest import Opens
from tests.services.stages import ADA, BORIS, HOOK, MAIL, RITA, ROLF, Stage, row
from tests.services.test_channels import use
from tests.services.test_deconfliction import DORA
from tests.services.test_ladder import LADDER, capture_again, everybody, opened, unasked
from tests.services.test_meeting import FORM, says, told_failed

SEEDS = range(int(os.environ.get("NOTIFIER_TEST_WALKS_FROM", "0")), int(os.environ.get("NOTIFIER_TEST_WALKS", "3")))
STEPS = 25
# What moves a case that waits for its recipient: its clock, a claim's next look, a try that is planned, or a person who
# has the notice or must find out where it is.
_MOVED = (
    "select (select count(*) from timer where case_id = $1 and fired_at is null and cancelled_at is null "
    "and kind in ('case.clock_ended', 'case.observe', 'notice.send')) "
    "+ (select count(*) from task where case_id = $1 and resolved_at is null and kind in ('webform', 'uncertain'))"
)
# A request that somebody may have, and that is neither taken back nor about a case that goes on; nor was it done, by a host
# that is asked to put nothing back.
_STANDS = (
    "select n.id from notice n where n.case_id = $1 and n.purpose in ('request', 'escalation', 'amendment') "
    "and n.state in ('sending', 'sent', 'delivered', 'uncertain') and not exists (select from notice u "
    "where u.supersedes = n.id and u.purpose in ('withdrawal', 'restore') and u.state <> 'cancelled') and not exists "
    "(select from claim k join notice a on a.id = k.notice_id where a.case_id = n.case_id and a.agreement = n.agreement "
    "and a.registry = n.registry and k.measure = 'content_removal' and k.verdict like 'verified%')"
)


class Walk:
    """One case, and everything that may happen to it next."""

    def __init__(self, stage: Stage, case_id: str, chance: random.Random) -> None:
        self.stage, self.case_id, self.chance = stage, case_id, chance
        self.entry: str | None = None
        self.did: list[str] = []
        self.people = iter(Principal(f"Reviewer {n}", "person", Role.REVIEWER) for n in range(10_000))

    def acts(self, state: str) -> list[tuple[float, Callable[[], Awaitable[object]]]]:
        """What happens, and how often: mostly what the state waits for, and now and then anything."""
        anything: list[tuple[float, Callable[[], Awaitable[object]]]] = [
            (0.5, self.time_passes),
            (0.5, self.recipient_answers),
            (1, self.mail_comes_back),
            (0.2, self.party_is_passed_over),
            (0.3, self.contact_is_given),
            (0.7, self.name_is_held_or_released),
            (0.4, self.agreement_is_stopped),
            (0.7, self.agreement_goes_on),
            (0.5, self.another_case_is_merged_into_it),
            (0.7, self.world_turns),
            (0.7, self.recipient_puts_off),
            (1, self.task_is_done),
            (0.3, self.channel_becomes_a_form),
        ]
        if state == "notified":
            return [*anything, (3, self.recipient_answers), (5, self.question_is_answered), (3, self.time_passes)]
        return [*anything, (2, self.evidence_comes), (9, self.approves)]

    async def step(self) -> None:
        before = await self.stage.state(self.case_id)
        weights, acts = zip(*self.acts(before), strict=True)
        (act,) = self.chance.choices(acts, weights)
        with contextlib.suppress(NotifierError):  # what may not be is refused, and that is no fault
            await act()
        await self.stage.r.quiet()
        case = await self.stage.case(self.case_id)
        self.did.append(f"{act.__name__}: {case['state']}/{case['step']}")
        async with self.stage.ctx.db.pool.acquire() as con:
            asked = await contacts.question(con, self.case_id, case["agreement"] or "")
        moved = await self.stage.ctx.db.fetchval(_MOVED, self.case_id)
        if case["state"] == "notified":
            assert moved or asked, f"nobody moves it: {self.did}"
        elif case["state"] == "in_review" and case["aftermath"] is None:
            shown = await self.stage.preview(self.case_id)
            assert moved or not any("asked already" in b for b in shown.blockers), f"it cannot go on: {self.did}"

    async def approves(self) -> None:
        await self.evidence_comes()
        await self.stage.approve(self.case_id, next(self.people))
        await self.stage.pass_time(minutes=31)

    async def time_passes(self) -> None:
        await self.stage.pass_time(hours=self.chance.choice([1, 5, 25, 25, 73, 200]))

    async def evidence_comes(self) -> None:
        await capture_again(self.stage, self.case_id)

    async def some_notice(self) -> dict[str, Any] | None:
        found = [n for n in await self.stage.notices(self.case_id) if n["state"] not in ("queued", "cancelled")]
        return self.chance.choice(found) if found else None

    async def recipient_answers(self) -> None:
        notice = await self.some_notice()
        if notice is None:
            return
        done = "restore" if notice["purpose"] == "withdrawal" else notice["measure"]
        answers = {
            Answer("acknowledged"): 3,
            Answer("needs_info", comment=f"Which pages? {len(self.did)}"): 6,
            Answer("declined", reason="declined_other"): 1,
            Answer("action_taken", measure=done, actor=notice["party"]): 1,
        }
        (answer,) = self.chance.choices(list(answers), list(answers.values()))
        await says(self.stage, notice, answer)

    async def mail_comes_back(self) -> None:
        if notice := await self.some_notice():
            await told_failed(self.stage, notice)

    async def question_is_answered(self) -> None:
        await stepping.amend(self.stage.ctx, RITA, self.case_id, f"The order page. {len(self.did)}")

    async def party_is_passed_over(self) -> None:
        await stepping.pass_over(self.stage.ctx, ROLF, self.case_id, "nobody is there")

    async def contact_is_given(self) -> None:
        party = self.chance.choice([Recipient.HOST, Recipient.REGISTRAR])
        address = self.chance.choice(HOSTS).abuse_email
        await stepping.give_contact(self.stage.ctx, ROLF, self.case_id, party, address, "their imprint")

    async def name_is_held_or_released(self) -> None:
        if self.entry is None:
            wanted = EntryIn(MAIL, "An Authority", f"R-{len(self.did)}")
            self.entry = str((await deconfliction.add(self.stage.ctx, DORA, wanted)).entry["id"])
        else:
            await deconfliction.release(self.stage.ctx, DORA, self.entry, "over")
            self.entry = None

    def some_agreement(self) -> str:
        return self.chance.choice(["opioids.host", "opioids.registrar", "opioids.verisign"])

    async def agreement_is_stopped(self) -> None:
        scope = self.chance.choice(list(Scope))
        await suspending.suspend(self.stage.ctx, ADA, self.some_agreement(), scope, "we look into it")

    async def agreement_goes_on(self) -> None:
        agreement = self.some_agreement()
        for admin in (ADA, BORIS):
            await suspending.resume(self.stage.ctx, admin, agreement, "agreed")

    async def another_case_is_merged_into_it(self) -> None:
        said = await self.stage.submit(row(HOOK), RITA if self.chance.random() < 0.1 else ROLF)
        if said.case_id:
            await joining.merge(self.stage.ctx, ROLF, said.case_id, self.case_id, "one shop under two names")

    async def world_turns(self) -> None:
        act = self.chance.choice(
            [Act.REMOVE_CONTENT, Act.HOLD, Act.RESTORE, Act.RESTORE, Act.TRANSFER, Act.CLIENT_HOLD]
        )
        with contextlib.suppress(ValueError):
            self.stage.r.sandbox.world.do(act, MAIL, await self.stage.r.clock.now(), "registry")

    async def recipient_puts_off(self) -> None:
        how = self.chance.choice(["throttle_then_obey", "silent", "bounce"])
        self.stage.r.sandbox.desk.behaviours[MAIL] = how

    async def channel_becomes_a_form(self) -> None:
        use(self.stage, "opioids.verisign", "webform", {**FORM, "form": f"http://127.0.0.1:9/{len(self.did)}"})

    async def task_is_done(self) -> None:
        found = [t for t in await self.stage.tasks() if t["kind"] in ("webform", "uncertain")]
        if not found:
            return
        task = self.chance.choice(found)
        words = {"webform": ["filed", "not_filed", "unsure"], "uncertain": ["arrived", "not_arrived"]}[task["kind"]]
        word = self.chance.choice(words)
        if task["kind"] == "webform" and self.chance.random() < 0.7:
            await tasks.take(self.stage.ctx, RITA, "task", str(task["id"]))
        filing = Filing(reference="T-1") if word == "filed" else Filing()
        await tasks.resolve(self.stage.ctx, RITA, str(task["id"]), word, "I was there", filing=filing)


@pytest.fixture
async def stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage(LADDER) as opened:
        everybody(opened, "silent", "host", "registrar", "registry")
        yield opened


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_case_always_waits_for_somebody_and_can_always_be_withdrawn(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    walk = Walk(stage, await opened(stage, unasked() if chance.random() < 0.7 else row()), chance)
    for _ in range(STEPS):
        await walk.step()
        if await stage.state(walk.case_id) not in OPEN - {"resolved"}:
            break
    if await stage.state(walk.case_id) in OPEN:
        await review.withdraw(stage.ctx, RITA, walk.case_id, "our error", "error")
        await stage.r.quiet()
    state = await stage.state(walk.case_id)
    if state == "withdrawn":
        assert await stage.ctx.db.fetch(_STANDS, walk.case_id) == [], walk.did
