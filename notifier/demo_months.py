"""The demonstration over months: reports come in every month, holds are kept or lapse, some come undone, registrants appeal.

Then there is something to judge. The sample people work over the API alone and know names, not how the parties behave.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import aiohttp

from notifier import demo
from notifier.demo import Summary, Tell
from notifier.errors import Invalid
from notifier.rehearsal import Rehearsal
from notifier.sample_people import Api, Clerk
from notifier.services import access, links
from notifier.services.access import Role

MOST = 24
_HEARER = "Hanna Hearer"
_BUSY = timedelta(days=2)  # after reports came in, minutes count;
_GRAIN = timedelta(hours=6)  # then what falls due within one of these is done together
_WEEK = timedelta(days=7)
_LAPSES = 4  # one hold of so many is not kept
_APPEAL_EVERY = 3  # months; every other one falls
_REASONS = {"overturned": "The licence that was sent in is real.", "upheld": "What was sent in is no licence."}


def month_of(start: datetime, number: int) -> datetime:
    """The same day and time, so many months later."""
    years, month = divmod(start.month - 1 + number, 12)
    return start.replace(year=start.year + years, month=month + 1)


async def play(stage: Rehearsal, reports: Sequence[bytes], months: int, tell: Tell) -> Summary:
    """Share the reports out over the months, and live through these."""
    began, start = time.monotonic(), stage.plan.start
    made = await demo.add_people(stage)
    hearer = await access.add_token(stage.house.ctx.db, _HEARER, Role.REVIEWER, by="demo")
    async with aiohttp.ClientSession(base_url=stage.url) as api:
        sam, rita, rolf, hanna = [Api(api, token) for token in (made.submitter, *made.reviewers, hearer.token)]
        life = _Months(stage, sam, rita, rolf, hanna)
        for number in range(months):
            await life.month(number, reports[number::months])
            tell("months", number + 1, months)
    return await demo.summary_of(stage, life.results, start, time.monotonic() - began)


@dataclass(slots=True)
class _Months:
    """Who works in it. `reports`: by name, the report that its case began with."""

    stage: Rehearsal
    sam: Api
    rita: Api
    rolf: Api
    hanna: Api
    reports: dict[str, bytes] = field(default_factory=dict)
    results: list[Mapping[str, Any]] = field(default_factory=list)
    given: Counter[str] = field(default_factory=Counter)
    appeals: int = 0

    async def month(self, number: int, batch: Sequence[bytes]) -> None:
        begins, ends = (month_of(self.stage.plan.start, n) for n in (number, number + 1))
        await self._report(batch)
        await self._review()
        await demo.give_up(self.sam, self.stage)
        if number % _APPEAL_EVERY == _APPEAL_EVERY - 1:
            await self._appeal()
        await self._live(begins + _BUSY, timedelta(0))
        while (now := await self.stage.clock.now()) < ends:
            await self._live(min(now + _WEEK, ends), _GRAIN)
            await self._work()

    async def _live(self, until: datetime, grain: timedelta) -> None:
        """Let time pass; what is to be filed by hand is filed at once."""
        clerk = Clerk(self.rita)
        while await self.stage.advance(until=until, grain=grain) is not None:
            if await clerk.work():
                await self.stage.quiet()

    async def _report(self, lines: Sequence[bytes]) -> None:
        """Reports as if they and their evidence had been made today."""
        by = await self.stage.clock.now() - demo.plan_of().start
        fresh = [demo.later(line, by) for line in lines]
        results = await demo.submit(self.sam, fresh, lambda *_: None)
        for line, result in zip(lines, results, strict=True):
            if result["case_id"] is not None:
                self.reports.setdefault(result["domain"], line)
        self.results += results
        await self.stage.quiet()

    async def _again(self, names: Sequence[str]) -> None:
        """Bring fresh evidence about these."""
        if lines := [self.reports[name] for name in names if name in self.reports]:
            await self._report([demo.without_id(line) for line in lines])

    async def _review(self) -> None:
        """Whatever can be approved is; what waits for evidence that is too old by now stays."""
        for reviewer in (self.rita, self.rolf):  # some take two
            rows = await self.stage.house.ctx.db.fetch(
                "select id from cases where state = 'in_review' and agreement is not null order by opened_at, id"
            )
            for row in rows:
                await demo.approve(reviewer, str(row["id"]))
        await self._give_parts()

    async def _give_parts(self) -> None:
        """Each name that was approved takes the part that is furthest behind its share."""
        desk, mix = self.stage.sandbox.desk, self.stage.plan.mix
        rows = await self.stage.house.ctx.db.fetch("select registrable from cases where state = 'approved'")
        fresh = {row["registrable"] for row in rows} - desk.behaviours.keys()
        for name in sorted(fresh, key=lambda n: sha256(f"{self.stage.plan.seed}/{n}".encode()).digest()):
            n = (self.given.total() + 1) / sum(mix.values())
            part = max(mix, key=lambda part: mix[part] * n - self.given[part])
            self.given[part] += 1
            desk.behaviours[name] = part

    async def _work(self) -> None:
        """What our people do once a week."""
        for alarm in (await self.rita.get("/alarms?limit=200"))["items"]:
            if alarm["taken_by"] is None:
                await self.rita.post(f"/alarms/{alarm['id']}/take", None)
        await self._keep()
        reopened = [
            case["domain"]
            for state in ("in_review", "needs_evidence")
            for case in (await self.rita.get(f"/cases?state={state}&limit=200"))["items"]
            if case["reopened_count"]
        ]
        await self._again(reopened)
        await self._review()
        for appeal in (await self.hanna.get("/appeals?open=true&limit=200"))["items"]:
            outcome = "overturned" if self.appeals % 2 else "upheld"
            cause = {"corrected_cause": "lawful"} if outcome == "overturned" else {}
            decision = {"outcome": outcome, "reasons": _REASONS[outcome], **cause}
            await self.hanna.post(f"/appeals/{appeal['id']}/decision", decision)

    async def _keep(self) -> None:
        """What is still so is kept on fresh evidence; about one in four nobody can say it any more."""
        tasks = (await self.rita.get("/tasks?limit=200"))["items"]
        cases = {task["domain"]: task["case_id"] for task in tasks if task["kind"] == "hold_review"}
        kept = [name for name in cases if name in self.reports and sha256(name.encode()).digest()[0] % _LAPSES]
        await self._again(kept)
        for name in kept:
            try:
                await self.rita.post(f"/cases/{cases[name]}/keep", {"reason": "it is still the same shop"})
            except Invalid as refused:  # it went another way meanwhile, or nothing new carries it: then it lapses
                if refused.code not in ("conflict", "not_now", "evidence_required"):
                    raise

    async def _appeal(self) -> None:
        """The registrant of a name that is held writes to us."""
        ctx = self.stage.house.ctx
        row = await ctx.db.fetchrow(
            "select c.registrable, n.id from cases c join notice n on n.case_id = c.id and n.purpose = 'request' "
            "where c.state = 'resolved' and c.observed in ('verified', 'verified_dns_only') "
            "and not exists (select from appeal a where a.case_id = c.id) order by c.opened_at desc, c.id limit 1"
        )
        if row is not None:
            self.appeals += 1
            link = links.appeal_url(ctx.settings.public_url, ctx.reply_key, str(row["id"]))
            said = {"grounds": "we have a licence", "contact": f"owner@{row['registrable']}", "reference": link}
            await self.rita.post("/appeals", {"domain": row["registrable"], **said})
            await self.stage.quiet()
