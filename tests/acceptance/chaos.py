"""The chaos run: real daemons and a real sandbox as processes, all of them killed while notices leave.

Waits of minutes are not waited for: what is planned is brought near in the database, as if the time had passed. Nothing of
the daemon knows of it, and its settings are those of any installation but for the missing cancel window and the pace.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from notifier.rehearsal import free_port
from notifier.sandbox.ledger import read
from tests.bench.sample import Sample

from .chaos_cast import CAST, FAULTS, TLDS, key_of, overlay, plan, settings
from .chaos_records import AWAY, Records
from .daemons import Daemon, fresh_report
from .story import differences

_CLIENTS = 8
# A place in the queue that a killed worker held comes free after ten seconds without a heartbeat.
_PATIENCE_S = 900.0
_STUCK_S = 120.0  # without any end of a notice; then it is killed all the same


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. `sandbox_kills` beside the daemon's `kills`."""

    notices: int
    kills: int
    sandbox_kills: int
    seed: str


@dataclass(slots=True)
class Outcome:
    """What came of it: the numbers that are reported, and every difference between the two stories."""

    states: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    log: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = {
            "notices": self.states,
            "killed": self.killed,
            "log": self.log,
            "cases": self.cases,
            "settled by a person": self.asked,
            "seconds": self.spent,
        }
        told = "; ".join(f"{name}: {', '.join(f'{k} {n}' for k, n in sorted(c.items()))}" for name, c in parts.items())
        return f"{told}; repeats under one key: {self.repeats}; {self.seconds:.0f} s"


class Process:
    """One `notifier` process that says a line once it is ready, and may be killed."""

    def __init__(self, environ: dict[str, str], log: Path, *args: str) -> None:
        self._environ, self._log, self._args = environ, log, args
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> str:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "notifier.cli.main", *self._args),
            env=self._environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._log.open("ab"),
        )
        assert self.process.stdout is not None
        line = (await asyncio.wait_for(self.process.stdout.readline(), 90)).decode()
        assert line, f"{' '.join(self._args)}: {self._log.read_text()[-2000:]}"
        return line

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGKILL)
            await self.process.wait()


class Chaos:
    """One run in `folder`, drawn by the seed."""

    def __init__(self, folder: Path, size: Size) -> None:
        self._folder, self._size = folder, size
        self._random = random.Random(size.seed)
        self._ledger = folder / "deliveries.ndjson"
        self._outcome = Outcome()
        self._sandbox_lives = True
        ports = {name: free_port() for name in ("smtp", "http", "dns", "site", "resolver")}
        (folder / "sandbox.toml").write_text(plan(size.seed, ports))
        (folder / "overlay.toml").write_text(overlay(ports))
        self._control = f"http://127.0.0.1:{ports['http']}/control/faults"
        self._daemon = Daemon(folder, settings(folder))
        self._records = Records(self._daemon.state)
        self._sandbox = Process(
            dict(os.environ), folder / "sandbox.log", "sandbox", "--plan", str(folder / "sandbox.toml")
        )
        self._worker = Process(self._daemon.environ, folder / "worker.log", "serve", "--role", "worker")
        self._tokens: dict[str, str] = {}
        self._names = [f"chaos-{n}.{TLDS[CAST[n % len(CAST)].registry]}" for n in range(size.notices)]

    async def run(self) -> Outcome:
        """Everything, from the first report to the comparison of the two stories."""
        began = time.monotonic()
        try:
            await self._sandbox.start()
            for act in (
                self._prepare,
                self._let_loose,
                self._settle,
                self._people_ask,
                self._settle,
                self._compare,
            ):
                since = time.monotonic()
                await act()
                self._outcome.spent[act.__name__.strip("_")] += round(time.monotonic() - since)
        finally:
            for each in (self._worker, self._sandbox):
                await each.kill()
            if self._daemon.process is not None:
                await self._daemon.kill()
        self._outcome.seconds = time.monotonic() - began
        return self._outcome

    # --- before -------------------------------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        """Everything is approved while no agreement is armed, in calm."""
        await self._faults({})
        await self._daemon.start()
        self._tokens = await self._daemon.tokens(sam="submitter", rita="reviewer", ada="admin", boris="admin")
        sample = Sample()

        def report(name: str) -> Any:
            opioids = name.endswith((".com", ".org"))
            return json.loads(sample.about(name)) if opioids else fresh_report("piracy", name)

        async def submit(name: str) -> None:
            status, body = await self._daemon.call("POST", "/reports", self._tokens["sam"], report(name))
            assert (status, body.get("state")) == (201, "in_review"), body

        async def approve(case_id: str) -> None:
            _, shown = await self._daemon.call("GET", f"/cases/{case_id}/preview", self._tokens["rita"])
            said = {"digest": shown["digest"], "note": "compared"}
            status, body = await self._daemon.call("POST", f"/cases/{case_id}/approve", self._tokens["rita"], said)
            assert status == 200, body

        await _each(self._names, submit)
        await self._until(
            lambda: self._records.value("select not exists (select from cases where registration is null)")
        )
        await self._until(self._records.idle)
        rows = await self._records.fetch("select id from cases where state = 'in_review'")
        await _each([str(row["id"]) for row in rows], approve)
        await self._until(self._records.idle)
        assert await self._records.value("select count(*) from cases where state = 'approved'") == self._size.notices

    # --- the chaos ----------------------------------------------------------------------------------------------------

    async def _let_loose(self) -> None:
        """Arm everybody, and kill at drawn moments, spread over the notices that leave."""
        await self._worker.start()
        await self._arm("ada")
        await self._faults(FAULTS)
        await self._arm("boris")
        kinds = ["worker" if n % 3 == 2 else "daemon with its Postgres" for n in range(self._size.kills)]
        self._random.shuffle(kinds)
        hastening = asyncio.create_task(self._hasten())
        try:
            await asyncio.gather(
                self._kill_at(kinds, self._kill_ours),
                self._kill_at(["sandbox"] * self._size.sandbox_kills, self._kill_sandbox),
            )
        finally:
            hastening.cancel()
            await asyncio.gather(hastening, return_exceptions=True)

    async def _arm(self, admin: str) -> None:
        """Each agreement's channel is looked at first, and may just then be out of order."""
        for agreement in (a for c in CAST for a in c.agreements):
            status, body = 409, {"code": "channel_not_ready"}
            while (status, body.get("code")) == (409, "channel_not_ready"):
                status, body = await self._daemon.call("POST", f"/agreements/{agreement}/arm", self._tokens[admin])
            assert status == 200, body

    async def _kill_at(self, kinds: Sequence[str], kill: Callable[[str], Awaitable[None]]) -> None:
        for n, kind in enumerate(kinds):
            share = (n + self._random.random()) / (len(kinds) + 1)
            await self._left(share * self._size.notices)
            await asyncio.sleep(self._random.uniform(0, 0.3))
            await kill(kind)
            self._outcome.killed[kind] += 1

    async def _left(self, count: float) -> None:
        """Wait until so many notices have an end, or none got one for a while."""
        best, since = -1, time.monotonic()
        while best < count and time.monotonic() - since < _STUCK_S:
            with suppress(*AWAY):
                ends = "state in ('sent', 'bounced', 'uncertain')"
                now = await self._records.value(f"select count(*) from notice where {ends}")
                if now > best:
                    best, since = now, time.monotonic()
            await asyncio.sleep(0.1)

    async def _kill_ours(self, kind: str) -> None:
        if kind == "worker":
            await self._worker.kill()
            await self._worker.start()
            return
        await self._daemon.kill()
        await asyncio.sleep(self._random.uniform(0, 0.5))
        await self._daemon.start()

    async def _kill_sandbox(self, _: str) -> None:
        self._sandbox_lives = False
        await self._sandbox.kill()
        await asyncio.sleep(self._random.uniform(0.2, 1.0))
        await self._sandbox.start()
        self._sandbox_lives = True

    async def _hasten(self) -> None:
        """Time passes where it is waited for."""
        while True:
            await asyncio.sleep(0.7)
            if self._sandbox_lives:
                with suppress(*AWAY):
                    await self._records.bring_near()

    # --- after --------------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """No more faults, and nothing is killed: every notice gets its end."""
        await self._faults({})

        async def settled() -> bool:
            with suppress(*AWAY):
                if not await self._records.value(
                    "select exists (select from notice where state in ('queued', 'sending')) "
                    "or exists (select from cases where state = 'approved')"
                ):
                    return await self._records.idle()
                await self._records.bring_near()
            await asyncio.sleep(0.5)
            return False

        await self._until(settled)

    async def _people_ask(self) -> None:
        """A person asks the recipients about every second uncertain notice; their log is what they answer by."""
        accepted = {line.key for line in read(self._ledger) if line.result == "accepted"}
        rows = await self._records.fetch(
            "select t.id, n.send_key, n.agreement from task t join notice n on n.id = t.notice_id "
            "where t.kind = 'uncertain' and t.resolved_at is null order by n.id"
        )
        for row in rows[::2]:
            word = "arrived" if key_of(row["agreement"], row["send_key"]) in accepted else "not_arrived"
            said = {"resolution": word, "note": "asked by telephone"}
            status, body = await self._daemon.call("POST", f"/tasks/{row['id']}/resolve", self._tokens["rita"], said)
            assert status in (200, 204, 409), body
            # An attempt whose end nobody saw may still be under way: so early, nobody says that it did not arrive.
            self._outcome.asked["too early" if status == 409 else word] += 1

    async def _compare(self) -> None:
        notices, log = await self._records.notices(), list(read(self._ledger))
        out = self._outcome
        out.faults = differences(notices, log)
        if sorted(notice.domain for notice in notices) != sorted(self._names):
            out.faults.append(
                f"{len(self._names)} names were approved, there are {len(notices)} notices, or other names"
            )
        for row in await self._records.fetch("select state, review_reason, count(*) as n from cases group by 1, 2"):
            out.cases[" ".join(filter(None, (row["state"], row["review_reason"])))] = row["n"]
        held = await self._records.value("select count(*) from queue.pgqueuer where status not in ('queued', 'picked')")
        if held:
            out.faults.append(f"{held} jobs failed and are held")
        out.states = Counter(notice.state for notice in notices)
        out.log = Counter(line.result for line in log)
        out.points = Counter(line.where for line in log if line.where)
        accepted = [line.key for line in log if line.result == "accepted"]
        out.repeats = len(accepted) - len(set(accepted))
        code, said, err = await self._verified()
        if code != 0:
            out.faults.append(f"audit verify ends with {code}: {said}{err}")

    async def _verified(self) -> tuple[int, str, str]:
        """Once the sealer has had its second."""
        await self._until(
            lambda: self._records.value(
                "select not exists (select from audit_entry e where not exists "
                "(select from audit_leaf l where l.entry_id = e.id))"
            )
        )
        return await self._daemon.run("audit", "verify")

    async def _until(self, condition: Callable[[], Awaitable[Any]]) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while not await condition():
                await asyncio.sleep(0.1)

    async def _faults(self, likelihood: dict[str, float]) -> None:
        async with aiohttp.ClientSession() as session, session.post(self._control, json=likelihood) as answer:
            assert answer.status == 200, await answer.text()


async def _each(items: Iterable[str], act: Callable[[str], Awaitable[None]]) -> None:
    """All of them, by a few clients side by side."""
    waiting = iter(items)

    async def client() -> None:
        for item in waiting:
            await act(item)

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
