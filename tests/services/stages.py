"""A rehearsal as the tests drive it: who acts, what goes in, and what stands in the database afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiosmtplib

from notifier import bootstrap, resources
from notifier.domain.case import Case
from notifier.domain.epp import Measure
from notifier.rehearsal import Cast, Plan, Rehearsal, rehearsal
from notifier.sandbox.inbox import Received
from notifier.services import agreements, intake, review
from notifier.services.access import Principal, Role
from notifier.services.audit_verify import Report, verify
from notifier.services.context import Context
from notifier.services.review import Preview
from notifier.services.submitted import Submitted
from notifier.store import keys
from registries import smtp
from tests.lending import database_of

START = datetime(2026, 11, 2, 14, tzinfo=UTC)  # the day that the sample evidence was made for
PLAN = Plan(
    [
        Cast("verisign", ["opioids.verisign"], "smtp", "notices@verisign.sandbox.test"),
        Cast("pir", ["opioids.pir"], "webhook"),
    ],
    START,
)

SAM = Principal("Sam Submitter", "person", Role.SUBMITTER)
TIM = Principal("Tim Submitter", "person", Role.SUBMITTER)
RITA = Principal("Rita Reviewer", "person", Role.REVIEWER)
ROLF = Principal("Rolf Reviewer", "person", Role.REVIEWER)
ROBOT = Principal("robot", "service", Role.REVIEWER)
ADA, BORIS = (Principal(name, "person", Role.ADMIN) for name in ("Ada Admin", "Boris Admin"))
VERISIGN = Principal("verisign analyst", "person", Role.REGISTRY, registry="verisign")
PIR = Principal("pir analyst", "person", Role.REGISTRY, registry="pir")


def samples() -> list[dict[str, Any]]:
    """The sample reports that ship."""
    path = resources.folder("config") / "samples" / "reports.ndjson"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


_SAMPLES = {row["external_id"]: row for row in samples()}
MAIL, HOOK = "cheap-pharma.com", "globalpills.org"  # told by mail (verisign), by webhook (pir)
STALE, SHARED = "pharmacytop.net", "carisoprodol-bnm.blogspot.com"  # old captures; one site of a platform
_ROWS = {MAIL: "sample-008", HOOK: "sample-065", STALE: "sample-003", SHARED: "sample-186"}


def row(of: str = MAIL, /, **changes: Any) -> dict[str, Any]:
    """A report about `of` with everything its program asks for; a field that is None is left out."""
    found = {**json.loads(json.dumps(_SAMPLES[_ROWS[of]])), "external_id": None, **changes}
    return {name: value for name, value in found.items() if value is not None}


def raw(report: Mapping[str, Any]) -> bytes:
    return json.dumps(report).encode()


async def until(condition: Callable[[], Awaitable[object]], timeout_s: float = 30.0) -> None:
    """Wait in real time for what a row of the database tells."""
    async with asyncio.timeout(timeout_s):
        while not await condition():
            await asyncio.sleep(0.02)


@dataclass(repr=False)  # asyncio writes what a fixture's task returned, and nobody reads it
class Stage:
    """A running rehearsal and the acts that most tests begin with."""

    r: Rehearsal

    @property
    def ctx(self) -> Context:
        return self.r.house.ctx

    async def submit(self, report: Mapping[str, Any] | None = None, who: Principal = SAM, **options: Any) -> Submitted:
        return await intake.submit(self.ctx, who, raw(report if report is not None else row()), **options)

    async def case_in_review(self, domain: str = MAIL, who: Principal = SAM, **changes: Any) -> str:
        """Submit a report that passes and let the first look happen; the case's id."""
        said = await self.submit(row(domain, **changes), who)
        assert said.state == "in_review", (said.code, said.detail, said.findings)
        assert said.case_id is not None
        await self.r.quiet()
        return said.case_id

    async def preview(self, case_id: str, who: Principal = RITA) -> Preview:
        return await review.preview(self.ctx, who, case_id)

    async def approve(self, case_id: str, who: Principal = RITA, note: str = "I compared it") -> Case:
        """When nothing is under way, as a capture that would change what is sent: read the preview, approve what it shows."""
        await self.r.quiet()
        return await review.approve(self.ctx, who, case_id, (await self.preview(case_id, who)).digest, note)

    async def notified(self, domain: str = MAIL, **changes: Any) -> str:
        """A case whose cancel window is over and whose notice was tried once; the case's id."""
        case_id = await self.case_in_review(domain, **changes)
        await self.approve(case_id)
        await self.pass_time(minutes=30)
        return case_id

    async def pass_time(self, **span: float) -> None:
        """Let time pass and everything happen that is planned in it."""
        await self.r.advance_to(await self.r.clock.now() + timedelta(**span))

    async def case(self, case_id: str) -> dict[str, Any]:
        found = await self.ctx.db.fetchrow("select * from cases where id = $1", case_id)
        assert found is not None
        return dict(found)

    async def state(self, case_id: str) -> str:
        return str((await self.case(case_id))["state"])

    async def notices(self, case_id: str) -> list[dict[str, Any]]:
        """A case's notices, in the order in which they were queued."""
        rows = await self.ctx.db.fetch("select * from notice where case_id = $1 order by queued_at, id", case_id)
        return [dict(r) for r in rows]

    async def notice(self, case_id: str) -> dict[str, Any]:
        """The newest notice of a case."""
        return (await self.notices(case_id))[-1]

    async def attempts(self, notice_id: Any) -> list[str]:
        rows = await self.ctx.db.fetch("select result from attempt where notice_id = $1 order by n", notice_id)
        return [r["result"] for r in rows]

    async def tasks(self) -> list[dict[str, Any]]:
        """Open tasks, oldest first."""
        rows = await self.ctx.db.fetch("select * from task where resolved_at is null order by opened_at, id")
        return [dict(r) for r in rows]

    async def task_kinds(self) -> list[str]:
        return sorted(task["kind"] for task in await self.tasks())

    async def alarms(self) -> list[str]:
        return [r["kind"] for r in await self.ctx.db.fetch("select kind from alarm order by kind")]

    async def claim(self, case_id: str) -> dict[str, Any]:
        found = await self.ctx.db.fetchrow("select * from claim where case_id = $1", case_id)
        assert found is not None
        return dict(found)

    async def tags(self, case_id: str) -> list[str]:
        """The tags of a case's audit entries, oldest first."""
        rows = await self.ctx.db.fetch("select tag from audit_entry where case_id = $1 order by id", case_id)
        return [r["tag"] for r in rows]

    async def count(self, query: str, *args: Any) -> int:
        return int(await self.ctx.db.fetchval(f"select count(*) from {query}", *args))

    def received(self, domain: str | None = None) -> list[Received]:
        """What the simulated parties accepted, in order of arrival."""
        return [d for d in self.r.sandbox.inbox.received if domain in (None, d.ask.domain)]

    async def mail(self, to: str, body: bytes, sender: str = "desk@verisign.sandbox.test") -> None:
        """A mail arrives at our own server, and is read."""
        settings = self.r.house.settings
        smtp = aiosmtplib.SMTP(
            hostname=settings.inbound_smtp_host, port=settings.inbound_smtp_port, start_tls=False, use_tls=False
        )
        async with smtp:
            await smtp.sendmail(sender, [to], body)
        await self.r.quiet()

    def reply_to(self, notice: Mapping[str, Any]) -> str:
        """The address that a notice's answers go to."""
        settings = self.r.house.settings
        return f"{settings.identity.reply_mailbox}+{notice['reply_token']}@{settings.reply_domain}"

    async def held_jobs(self) -> list[str]:
        """Jobs that failed and are held for a person: none is right."""
        rows = await self.ctx.db.fetch(
            "select entrypoint, convert_from(payload, 'utf8') as ref, status::text as status "
            "from queue.pgqueuer where status not in ('queued', 'picked')"
        )
        return [f"{r['entrypoint']} {r['ref']} {r['status']}" for r in rows]

    async def audit(self) -> Report:
        """What `notifier audit verify` says."""
        state = self.r.house.settings.state_dir
        async with self.ctx.db.pool.acquire() as con:
            return await verify(
                con, state / bootstrap.CHECKPOINTS, keys.open_verifier(state / bootstrap.KEYS), datetime.now(UTC)
            )


@asynccontextmanager
async def staged(folder: Path, dsn: str, plan: Plan = PLAN, *, armed: bool = True) -> AsyncIterator[Stage]:
    """A stage over a new database. At its end no job was dropped, and the log holds."""
    async with rehearsal(folder, dsn, plan, armed=armed, database=await database_of(dsn)) as running:
        stage = Stage(running)
        yield stage
        await running.quiet()
        assert await stage.held_jobs() == []
        report = await stage.audit()
        assert (report.exit_code, report.faults) == (0, [])


async def agree(stage: Stage, program: str) -> None:
    """Let the simulated registry of .com take a program's notices too, armed by two admins."""
    catalog, shipped = stage.ctx.catalog, stage.ctx.catalog.agreements["opioids.verisign"]
    made = replace(
        shipped,
        id=f"{program}.verisign",
        program=program,
        categories=frozenset({program}),
        measures={Measure.HOLD: "hold"},
        digest=program,
    )
    catalog.agreements[made.id] = made  # type: ignore[index]
    known: Any = stage.ctx.adapters["opioids.verisign"]
    stage.ctx.adapters[made.id] = smtp.build(made.channel, known._deps)  # type: ignore[index,arg-type]
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, made.id)
