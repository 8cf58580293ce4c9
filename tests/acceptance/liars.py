"""Half a year with ten registries that lie, each in its own way: one rehearsal, our people in it, and two tables at the end.

Our people work over the API alone: they report and approve, answer alarms, bring fresh evidence for what they keep, and let
the rest lapse. What is to be said of each case stands in `liars_cast`, and `truth` compares.
"""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from notifier.rehearsal import Rehearsal, rehearsal
from notifier.sample_people import Api
from notifier.sandbox.dns_server import DnsFault
from notifier.sandbox.rdap_server import RdapFault
from notifier.sandbox.script import mistyped
from notifier.sandbox.world import Act
from notifier.services import access, links
from notifier.services.access import Role
from tests.services.stages import MAIL, Stage, row

from .liars_cast import BY_TLD, LIARS, NEIGHBOUR, START, SUBJECTS, Fate, Liar, fate, names_of, plan, words
from .liars_records import closing_table
from .truth import Did, Sight, Told, Words, differences

_DENSE = 40  # afterwards our people come on every fifth day
# From the claims on, which come some hours after the reports; a day or two later where the first look was in bad weather, so
# that what was approved said less of the name than the notice would.
_WATCH, _DAYS = 180, 184
_AT_ONCE = 8
_BATCH = 25
_YOUNG = timedelta(hours=6)  # after a working day that left something: its minutes count
_GRAIN = timedelta(hours=1)
_APPEALED_ON, _DECIDED_ON = 5, 6
_WEATHER = {
    "rdap": {RdapFault.RATE_LIMITED: 0.02, RdapFault.BROKEN: 0.02, RdapFault.TIMEOUT: 0.00002},
    "dns": {DnsFault.SERVFAIL: 0.02, DnsFault.REFUSED: 0.01, DnsFault.TIMEOUT: 0.00002},
}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(slots=True)
class Ending:
    """What came of it: every difference, and the closing table as people see it."""

    faults: list[str] = field(default_factory=list)
    table: Counter[tuple[str, ...]] = field(default_factory=Counter)
    told: Sequence[Told] = ()
    looks: int = 0
    blind: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    def __str__(self) -> str:
        rows = ("  ".join((*(f"{cell:<18}" for cell in key), str(n))) for key, n in sorted(self.table.items()))
        head = "  ".join(f"{name:<18}" for name in ("registry", "verdicts", "outcome", "actor", "aftermath", "undo"))
        spent = f"{self.looks} looks, {self.blind} of them in bad weather, {self.seconds:.0f} s ({self.cpu:.0f} s of CPU here)"
        return "\n".join((head, *rows, spent))


@dataclass(slots=True)
class Liars:
    """One run with `count` names a registry."""

    folder: Path
    dsn: str
    count: int

    async def run(self) -> Ending:
        begun, spent = time.monotonic(), time.process_time()
        async with rehearsal(self.folder / "state", self.dsn, plan(self.folder)) as stage:
            self._brief(stage)
            async with aiohttp.ClientSession(stage.url) as session:
                people = await People.of(stage, session, self.count)
                await people.begin()
                busy = True
                for day in range(1, _DAYS + 1):
                    if busy:
                        await stage.advance_to(START + timedelta(days=day - 1) + _YOUNG)
                    await stage.advance_to(START + timedelta(days=day), grain=_GRAIN)
                    busy = (day <= _DENSE or day % 5 == 0) and day < _WATCH and await people.work(day)
            ending = await self._compare(stage)
            ending.seconds, ending.cpu = time.monotonic() - begun, time.process_time() - spent
            return ending

    def _brief(self, stage: Rehearsal) -> None:
        box = stage.sandbox
        box.weather.likelihood = {protocol: dict(faults) for protocol, faults in _WEATHER.items()}
        for liar in LIARS:
            box.desk.party_behaviours[liar.id] = liar.behaviour
            for number, name in enumerate(names_of(liar, self.count)):
                if fate(liar, number) is Fate.MISTYPED:
                    box.desk.behaviours[name] = "wrong_name"
            for protocol, lag in liar.lags.items():
                getattr(box, protocol).lags[liar.tld] = lag

    async def _compare(self, stage: Rehearsal) -> Ending:
        box, db = stage.sandbox, stage.house.ctx.db
        told = await closing_table(db)
        did = [Did(change.at, change.after.a_label, str(change.act), change.by) for change in box.world.acts()]
        expected: dict[str, Words] = {}
        for liar in LIARS:
            for number, name in enumerate(names_of(liar, self.count)):
                expected[name] = words(liar, number)
                if fate(liar, number) is Fate.MISTYPED:
                    expected[mistyped(name)] = NEIGHBOUR
        refused = sorted(box.weather.met.get(RdapFault.RATE_LIMITED, ()))
        sight = {name: self._sight(stage, name, refused) for name in expected}
        ending = Ending(differences(told, did, expected, sight, _held(stage, expected)), told=told)
        ending.faults += [f"a job was held: {job}" for job in await Stage(stage).held_jobs()]
        ending.faults += [f"audit: {fault}" for fault in (await Stage(stage).audit()).faults]
        for row_ in told:
            verdicts = " ".join(">".join(v for _, v in claim.verdicts) for claim in row_.claims)
            cells = (row_.name.rpartition(".")[2], verdicts, row_.outcome, row_.actor, row_.aftermath, row_.undo)
            ending.table[tuple(str(cell or "-") for cell in cells)] += 1
        ending.looks = await db.fetchval("select count(*) from observation")
        ending.blind = sum(map(len, box.weather.blind.values()))
        return ending

    def _sight(self, stage: Rehearsal, name: str, refused: Sequence[datetime]) -> Sight:
        """All names stand behind one RDAP server here: within a step of the clock its first "too many requests" puts everybody
        else off to the next. Beside that a look comes late by a step, and by one more for a turn at the agreed rate."""
        liar = BY_TLD[name.rpartition(".")[2]]
        windows = stage.house.ctx.catalog.programs[SUBJECTS[liar.asked]].windows
        none = timedelta(0)
        return Sight(
            windows.watch,
            windows.claim_deadline,
            liar.lags.get("dns", none),
            liar.lags.get("rdap", none),
            2 * _GRAIN,
            _GRAIN,
            refused,
            frozenset(stage.sandbox.weather.blind.get(name, ())),
        )


def _held(stage: Rehearsal, names: Iterable[str]) -> frozenset[str]:
    """Names that are out of their zone though they are registered, by the sandbox."""
    here = ((name, stage.sandbox.world.find(name)) for name in names)
    return frozenset(name for name, found in here if found is not None and not found.delegated)


# --- our people ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class People:
    """A submitter, two reviewers, and one who hears appeals, once a day. They know names, not what the registries do."""

    stage: Rehearsal
    sam: Api
    rita: Api
    rolf: Api
    hanna: Api
    fates: dict[str, tuple[Liar, Fate]]
    ids: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    @classmethod
    async def of(cls, stage: Rehearsal, session: aiohttp.ClientSession, count: int) -> "People":
        db = stage.house.ctx.db
        reviewers = ("Rita Reviewer", "Rolf Reviewer", "Hanna Hearer")
        roles = {"Sam Submitter": Role.SUBMITTER, **dict.fromkeys(reviewers, Role.REVIEWER)}
        made = [await access.add_token(db, name, role, by="liars") for name, role in roles.items()]
        fates = {
            name: (liar, fate(liar, n)) for n in range(count) for liar in LIARS for name in [names_of(liar, count)[n]]
        }
        return cls(stage, *(Api(session, each.token) for each in made), fates)

    async def begin(self) -> None:
        """Report every name, and the one that a clerk will type by mistake; approve all but that."""
        typed = {mistyped(name): liar for name, (liar, what) in self.fates.items() if what is Fate.MISTYPED}
        await self._report({**{name: liar for name, (liar, _) in self.fates.items()}, **typed})
        await self._each(self._approve, [self.ids[name] for name in self.fates])

    async def work(self, day: int) -> bool:
        """What there is to do today; whether anything was done that others answer."""
        done = await self._alarms()
        open_cases = await self._cases("in_review", "needs_evidence")
        waiting = [case for case in open_cases if case["domain"] in self.fates]
        reopened = {case["domain"]: self.fates[case["domain"]][0] for case in waiting if case["reopened_count"]}
        await self._report(reopened)
        await self._each(self._approve, [case["id"] for case in waiting])
        await self._keep()
        for name, (_, what) in self.fates.items():
            if what is Fate.MISTYPED and mistyped(name) not in self.seen:
                await self.rita.post(f"/cases/{self.ids[mistyped(name)]}/observe", None)
        if day == _APPEALED_ON:
            await self._withdraw([n for n, (liar, f) in self.fates.items() if (liar.tld, f) == ("cyou", "withdrawn")])
            await self._appeal([n for n, (_, f) in self.fates.items() if f is Fate.OVERTURNED])
        if day == _DECIDED_ON:
            await self._overturn()
        return bool(done or waiting) or day in (_APPEALED_ON, _DECIDED_ON)

    async def _report(self, about: dict[str, Liar]) -> None:
        moved = await self.stage.clock.now() - START
        lines = [json.dumps(self._sample(name, liar, moved)) for name, liar in about.items()]
        for first in range(0, len(lines), _BATCH):
            body = "\n".join(lines[first : first + _BATCH]).encode()
            said = await self.sam.post_lines("/reports/batch", body)
            for result in said["results"]:
                assert result["code"] is None, result
                self.ids[result["domain"]] = result["case_id"]
        await self.stage.quiet()

    def _sample(self, name: str, liar: Liar, moved: timedelta) -> dict[str, Any]:
        """The sample report about another name, as if its evidence had been taken just now."""
        text = json.dumps(row()).replace(MAIL, name).replace("SAMPLE-LETTER-00", f"LETTER {name}")

        def move(at: re.Match[str]) -> str:
            return (datetime.fromisoformat(at[0]) + moved).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

        return {**json.loads(_INSTANT.sub(move, text)), "program": SUBJECTS[liar.asked]}

    async def _approve(self, case_id: str) -> None:
        """What could not be looked at when it came in takes two."""
        for reviewer in (self.rita, self.rolf):
            shown = await reviewer.get(f"/cases/{case_id}/preview")
            assert not shown["blockers"], (case_id, shown["blockers"])
            said = await reviewer.post(
                f"/cases/{case_id}/approve", {"digest": shown["digest"], "note": "I compared it"}
            )
            if said["state"] == "approved":
                return

    async def _alarms(self) -> int:
        """Whoever did the wrong thing is called, and what was asked is taken back."""
        page = await _all(self.rita, "/alarms")
        news = [a for a in page if a["kind"] in ("wrong_verb", "neighbour_changed") and a["id"] not in self.seen]
        for alarm in news:
            self.seen |= {alarm["id"], alarm["domain"]}
            if alarm["kind"] == "wrong_verb":
                await self._withdraw([alarm["domain"]])
            else:  # by telephone: there is no case of ours about it
                now = await self.stage.clock.now()
                self.stage.sandbox.world.do(Act.RESTORE, alarm["domain"], now, "registry, called")
        return len(news)

    async def _keep(self) -> None:
        """For what is warned of and kept there is fresh evidence; what is not kept lapses by itself."""
        tasks = await _all(self.rita, "/tasks")
        names = {task["domain"]: task["case_id"] for task in tasks if task["kind"] == "hold_review"}
        kept = {name: self.fates[name][0] for name in names if self.fates[name][1] is Fate.KEPT}
        await self._report(kept)
        for name in kept:
            await self.rita.post(f"/cases/{names[name]}/keep", {"reason": "it is still the same shop"})

    async def _withdraw(self, names: Sequence[str]) -> None:
        for name in names:
            await self.rita.post(
                f"/cases/{self.ids[name]}/withdraw", {"reason": "it was our mistake", "ground": "error"}
            )

    async def _appeal(self, names: Sequence[str]) -> None:
        ctx = self.stage.house.ctx
        for n, name in enumerate(names):
            if n and n % ctx.settings.appeal_quota_address_minute == 0:  # nobody may file more from one address
                await self.stage.advance_to(await self.stage.clock.now() + timedelta(minutes=1))
            notice = await ctx.db.fetchval("select id from notice where domain = $1", name)
            link = links.appeal_url(ctx.settings.public_url, ctx.reply_key, str(notice))
            said = {"domain": name, "grounds": "we have a licence", "contact": f"owner@{name}", "reference": link}
            await self.rolf.post("/appeals", said)
        await self.stage.quiet()

    async def _overturn(self) -> None:
        decision = {"outcome": "overturned", "reasons": "They do have a licence.", "corrected_cause": "lawful"}
        for appeal in await _all(self.hanna, "/appeals"):  # she approved nothing
            await self.hanna.post(f"/appeals/{appeal['id']}/decision", decision)

    async def _cases(self, *states: str) -> list[dict[str, Any]]:
        return [case for state in states for case in await _all(self.rita, f"/cases?state={state}")]

    async def _each(self, act: Callable[[str], Awaitable[None]], ids: Sequence[str]) -> None:
        waiting = iter(ids)

        async def one_after_the_other() -> None:
            for case_id in waiting:
                await act(case_id)

        await asyncio.gather(*(one_after_the_other() for _ in range(_AT_ONCE)))


async def _all(who: Api, path: str) -> list[dict[str, Any]]:
    """Every row of a list, page by page."""
    found, cursor = [], ""
    while True:
        page = await who.get(f"{path}{'&' if '?' in path else '?'}limit=200{cursor}")
        found += page["items"]
        if not page["next_cursor"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"
