"""Whatever people do with cases, in whatever order: no report and no evidence is lost, and each is in exactly one case."""

import random
from collections import Counter
from typing import Any

import pytest

from notifier.domain.case_state import OPEN
from notifier.domain.evidence import parse_evidence
from notifier.errors import NotifierError
from notifier.services import joining, review
from notifier.services.access import Principal, Role
from tests.services.stages import RITA, ROLF, SAM, TIM, Stage, row
from tests.services.test_joining import AT_TIMS, about

NAMES = ["lost-one-shop.com", "lost-two-shop.com", "lost-three-shop.org", "lost.blogspot.com"]
REPORTERS = [SAM, TIM, AT_TIMS, Principal("Ann Acme", "person", Role.SUBMITTER, organisation="acme")]
OPEN_STATES = [str(state) for state in OPEN]


class History:
    """What was put in, to be held against what is there."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage, self.dice = stage, random.Random(seed)
        self.reports: set[str] = set()
        self.items: Counter[tuple[str, str]] = Counter()  # report and digest
        self.loose: set[tuple[str, str]] = set()  # supplier and digest
        self.done: Counter[str] = Counter()

    async def step(self) -> None:
        act = self.dice.choices(
            [self.submit, self.merge, self.detach, self.withdraw, self.approve, self.add, self.wait],
            [8, 4, 5, 1, 3, 2, 1],
        )[0]
        try:
            await act()
        except NotifierError:
            return  # refused, and nothing changed: what is there is compared after every step
        self.done[act.__name__] += 1

    async def submit(self) -> None:
        report = about(self.dice.choice(NAMES))
        report["evidence"] = self.dice.sample(report["evidence"], self.dice.randint(0, len(report["evidence"])))
        said = await self.stage.submit(report, self.dice.choice(REPORTERS))
        assert said.report_id
        if said.code is None:
            self.reports.add(said.report_id)
            rows = await self.stage.ctx.db.fetch("select sha256 from evidence where report_id = $1", said.report_id)
            assert len(rows) >= len({str(item) for item in report["evidence"]})
            self.items.update((said.report_id, r["sha256"]) for r in rows)

    async def merge(self) -> None:
        one, other = await self.case(), await self.case()
        await joining.merge(self.stage.ctx, ROLF, one, other, "one matter")

    async def detach(self) -> None:
        case_id = await self.case()
        rows = await self.stage.ctx.db.fetch("select id from report where case_id = $1 order by id", case_id)
        ids = [str(r["id"]) for r in rows]
        going = self.dice.sample(ids, self.dice.randint(1, len(ids))) if ids else ["none"]
        way: dict[str, Any] = self.dice.choice([{}, {"domain": self.dice.choice(NAMES)}, {"into": await self.case()}])
        await joining.detach_reports(self.stage.ctx, ROLF, case_id, going, "not its own", **way)

    async def withdraw(self) -> None:
        await review.withdraw(self.stage.ctx, RITA, await self.case(), "no", "error")

    async def approve(self) -> None:
        await self.stage.approve(await self.case())

    async def add(self) -> None:
        item = parse_evidence(self.dice.choice(row()["evidence"]))
        who = self.dice.choice([RITA, ROLF])
        case_id = await self.case()
        await review.add_evidence(self.stage.ctx, who, case_id, [item])
        for r in await self.stage.ctx.db.fetch(
            "select sha256 from evidence where case_id = $1 and report_id is null and supplied_by = $2", case_id, who.id
        ):
            self.loose.add((who.id, r["sha256"]))

    async def wait(self) -> None:
        await self.stage.pass_time(minutes=self.dice.choice([1, 31]))

    async def case(self) -> str:
        rows = await self.stage.ctx.db.fetch("select id from cases order by id")
        return str(self.dice.choice(rows)["id"]) if rows else "none"

    async def holds(self) -> None:
        """Everything that was put in is there, once, and in order."""
        db = self.stage.ctx.db
        reports = {str(r["id"]): r for r in await db.fetch("select id, case_id from report where code is null")}
        assert reports.keys() == self.reports
        assert all(r["case_id"] is not None for r in reports.values())
        evidence = await db.fetch("select report_id, sha256, supplied_by, case_id from evidence")
        found = Counter((str(e["report_id"]), e["sha256"]) for e in evidence if e["report_id"] is not None)
        assert found == self.items
        for e in evidence:
            if e["report_id"] is not None:
                assert e["case_id"] == reports[str(e["report_id"])]["case_id"], "evidence is where its report is"
        assert {(e["supplied_by"], e["sha256"]) for e in evidence if e["report_id"] is None} >= self.loose
        twice = await db.fetch(
            "select target from cases where state = any($1) group by program, target having count(*) > 1", OPEN_STATES
        )
        assert twice == []
        empty = await db.fetch(
            "select reference from cases c where state = any($1) and not exists (select from report where case_id = c.id)",
            OPEN_STATES,
        )
        assert empty == [], "an open case has a report"
        left = await db.fetch(
            "select r.id from report r join cases c on c.id = r.case_id where c.merged_into is not null"
        )
        assert left == [], "a merged case has none"
        stray = await db.fetch(
            "select n.id from notice n join cases c on c.id = n.case_id where n.state = 'queued' "
            "and n.purpose = 'request' and not c.state in ('approved', 'notified')"
        )
        assert stray == [], "nothing waits to leave for a case that is not approved"


@pytest.mark.parametrize("seed", range(3))
async def test_random_histories(stage: Stage, seed: int) -> None:
    history = History(stage, seed)
    for _ in range(60):
        await history.step()
        await history.holds()
    assert min(history.done[act] for act in ("submit", "merge", "detach", "approve", "add")) > 0, history.done
