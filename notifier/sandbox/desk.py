"""Where a simulated party's work is done: notices come in, scripted steps fall due by the clock, acts and
answers follow."""

import asyncio
import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from notifier.domain.epp import Measure
from notifier.sandbox.answers import Answer, Answerer
from notifier.sandbox.ask import FOR_INFORMATION, Ask
from notifier.sandbox.config import Party, SandboxConfig
from notifier.sandbox.script import (
    Behaviour,
    Does,
    Door,
    Later,
    Says,
    act_of,
    behaviour,
    draw,
    mistyped,
    said_measure,
    wait_of,
)
from notifier.sandbox.world import Act, World

Step = Literal["acknowledge", "decide", "dsn", "auto_reply", "then"]


@dataclass(order=True, frozen=True, slots=True)
class _Due:
    at: datetime
    number: int
    step: Step = field(compare=False)
    party: Party = field(compare=False)
    ask: Ask = field(compare=False)
    how: Behaviour = field(compare=False)
    later: Later | None = field(compare=False, default=None)


class Desk:
    """All parties' work.

    `behaviours` (A-label) and `party_behaviours` (party id) may be changed while it runs.
    """

    def __init__(self, config: SandboxConfig, world: World, answerer: Answerer) -> None:
        self._config, self._world, self._answerer = config, world, answerer
        self.behaviours = dict(config.behaviours)
        self.party_behaviours = {p.id: p.behaviour for p in config.parties if p.behaviour is not None}
        self._heap: list[_Due] = []
        self._numbers = itertools.count()
        self._tried: set[tuple[str, str]] = set()
        self._taken: set[tuple[str, str]] = set()
        self._acted: set[tuple[str, str]] = set()
        self._unheard: Counter[tuple[str, str]] = Counter()
        self._one_at_a_time = asyncio.Lock()

    def how(self, party: Party, a_label: str) -> Behaviour:
        """How this party behaves about a name: the name's own script, else the party's, else the draw from
        the mix."""
        name = self.behaviours.get(a_label) or self.party_behaviours.get(party.id)
        found = behaviour(name or draw(self._config.seed, a_label, self._config.mix))
        if found.actor is not None and party.role not in ("registry", found.actor):
            return behaviour("silent")
        if found.again is not None and (party.id, a_label) in self._acted:
            return behaviour(found.again)
        return found

    def door(self, party: Party, ask: Ask) -> Door:
        """What this delivery meets; a throttled one is taken at its second try."""
        door = self.how(party, ask.domain).door
        if door is not Door.THROTTLE:
            return door
        attempt = (party.id, ask.key or ask.notice_id)
        if attempt in self._tried:
            return Door.ACCEPT
        self._tried.add(attempt)
        return Door.THROTTLE

    def take(self, party: Party, ask: Ask, now: datetime) -> None:
        """Plan what follows an accepted notice.

        A notice that was taken before, or names no id, plans nothing.
        """
        if not ask.notice_id or (party.id, ask.notice_id) in self._taken:
            return
        self._taken.add((party.id, ask.notice_id))
        how, pace = self.how(party, ask.domain), self._config.pace
        if ask.undo:
            if self._unheard[party.id, ask.domain] < how.deaf:
                self._unheard[party.id, ask.domain] += 1
                return
            self._forget(party, ask.domain, "decide")
        if how.mail is not None and party.channel == "smtp":
            self._plan(now + pace.mail, how.mail, party, ask, how)
        if how.mail == "dsn":
            return
        if how.acknowledges:
            self._plan(now + self._paced(pace.acknowledge, ask), "acknowledge", party, ask, how)
        if how.says is not Says.NOTHING and ask.purpose not in FOR_INFORMATION and not ask.keeps:
            wait = pace.late if how.late else pace.act
            self._plan(now + self._paced(wait, ask), "decide", party, ask, how)

    def next_due(self) -> datetime | None:
        """When the next step falls due, in clock time; None when nothing is planned."""
        return self._heap[0].at if self._heap else None

    async def run_due(self, now: datetime) -> int:
        """Do every step due by `now` and say how many.

        Steps of one notice keep their order, notices run side by side.
        """
        async with self._one_at_a_time:
            chains: dict[str, list[_Due]] = {}
            while self._heap and self._heap[0].at <= now:
                due = heapq.heappop(self._heap)
                chains.setdefault(due.ask.notice_id, []).append(due)
            await asyncio.gather(*(self._run(chain, now) for chain in chains.values()))
            return sum(map(len, chains.values()))

    async def _run(self, chain: Sequence[_Due], now: datetime) -> None:
        for due in chain:
            match due.step:
                case "dsn":
                    await self._answerer.bounce(due.party, due.ask, now)
                case "auto_reply":
                    await self._answerer.auto_reply(due.party, due.ask, now)
                case "acknowledge":
                    await self._answerer.answer(due.party, due.ask, Answer("acknowledged"), now)
                case "then":
                    here = self._world.find(due.ask.domain)
                    if due.later is not None and (here is None) == (due.later.act is Act.REREGISTER):
                        self._world.do(due.later.act, due.ask.domain, now, due.later.by)
                case "decide":
                    if due.ask.undo and not due.how.undoes and not due.how.acknowledges:
                        continue
                    await self._answerer.answer(due.party, due.ask, self._decide(due, now), now)

    def _decide(self, due: _Due, now: datetime) -> Answer:
        party, ask, how = due.party, due.ask, due.how
        if ask.doubt:
            return Answer("needs_info", comment=ask.doubt)
        measure = Measure.RESTORE if ask.undo or ask.measure is None else ask.measure
        if how.says is Says.DECLINED:
            return Answer("declined", reason=how.reason, comment="our decision, by the script of the sandbox")
        here = self._world.find(ask.domain)
        if here is None or here.a_label != ask.domain:
            return Answer("declined", reason="declined_other", comment=f"{ask.domain} is not registered with us")
        if party.tlds and here.zone not in party.tlds and here.zone.rpartition(".")[2] not in party.tlds:
            return Answer("declined", reason="declined_other", comment=f"{here.zone} is not a zone of ours")
        act = act_of(how, party.role, measure)
        if act is None and act_of(behaviour("obey"), party.role, measure) is None:
            return Answer("declined", reason="declined_other", comment=f"{measure} is not a measure of ours")
        actor = how.actor or party.role
        if act is not None:
            name = mistyped(ask.domain) if how.does is Does.OTHER_NAME and not ask.undo else ask.domain
            self._world.do(act, name, now, actor)
            self._acted.add((party.id, ask.domain))
            self._forget(party, ask.domain, "then")
            for later in () if ask.undo else how.then:
                wait = wait_of(later, self._config.seed, ask.domain)
                self._plan(now + wait, "then", party, ask, how, later)
        said = said_measure(how, act, measure)
        return Answer("action_taken", measure=said, actor=actor, effective_at=now)

    def _plan(
        self, at: datetime, step: Step, party: Party, ask: Ask, how: Behaviour, later: Later | None = None
    ) -> None:
        heapq.heappush(self._heap, _Due(at, next(self._numbers), step, party, ask, how, later))

    def _forget(self, party: Party, domain: str, step: Step) -> None:
        """What is planned for the name will not be done: a notice was taken back, or something else was done since."""
        kept = [d for d in self._heap if d.party.id != party.id or d.ask.domain != domain or d.step != step]
        heapq.heapify(kept)
        self._heap = kept

    def _paced(self, wait: timedelta, ask: Ask) -> timedelta:
        if not self._config.pace.jitter:
            return wait
        drawn = hashlib.sha256(f"{self._config.seed}\0pace\0{ask.domain}".encode()).digest()
        return wait * (0.5 + int.from_bytes(drawn[:4]) / 2**32)
