"""The demonstration: sample reports travel all the way to observed outcomes, over the API and simulated registries."""

import asyncio
import hashlib
import json
import re
import secrets
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from notifier import bootstrap, resources
from notifier.domain.case_state import CaseState
from notifier.domain.epp import Measure
from notifier.errors import Invalid
from notifier.rehearsal import Cast, Plan, Rehearsal
from notifier.sample_people import Api, Clerk
from notifier.services import access, links, people, sign_in
from notifier.services.access import Role
from notifier.services.audit_verify import verify
from notifier.services.people import Reach
from notifier.store import keys

SUBMITTER, REVIEWERS = "Sam Submitter", ("Rita Reviewer", "Rolf Reviewer")
_ENDS = {
    str(s)
    for s in (CaseState.RESOLVED, CaseState.CLOSED, CaseState.REJECTED, CaseState.WITHDRAWN, CaseState.SUPERSEDED)
}
_AT_ONCE = 8
_BATCH = 25
_WHEN = re.compile(r'"(\d{4}-\d\d-\d\d)(T\d\d:\d\d:\d\dZ)?"')
_NOTE = "sample: compared the name, the evidence and what was measured; they agree"

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the table at the end: `claimed` and `observed` say how many there are of this kind."""

    registry: str
    measure: str
    claimed: str
    observed: str
    outcome: str
    actor: str
    n: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What `--json` prints. Times are simulated but for `seconds`."""

    reports: int
    refused: Mapping[str, int]
    cases: int
    notices: Mapping[str, int]
    outcomes: Sequence[Outcome]
    waiting_for_person: Mapping[str, int]
    settled: int
    audit: Mapping[str, Any]
    median_time_to_notice_s: float | None
    simulated: Mapping[str, str]
    seconds: float
    unsettled: Sequence[str] = field(default_factory=tuple)

    @property
    def good(self) -> bool:
        """Every report has settled and the audit log verifies."""
        return self.settled == self.reports and bool(self.audit["verified"])

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class People:
    """Tokens of the sample people."""

    submitter: str
    reviewers: tuple[str, str]


def plan_of(folder: Path | None = None, *, months: bool = False) -> Plan:
    """The plan in `samples/demo.toml`; of `months`, with their own beginning and mix."""
    path = (folder or resources.folder("config")) / "samples" / "demo.toml"
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    cast = [
        Cast(
            registry=party["id"],
            agreements=party["agreements"],
            channel=party["channel"],
            address=party.get("address", ""),
            words={word: Measure(measure) for word, measure in party.get("words", {}).items()},
        )
        for party in data["parties"]
    ]
    when = data["months"] if months else data
    return Plan(cast, when["start"], mix=when["mix"], seed=data["seed"])


def reports_of(file: Path | None, count: int | None) -> list[bytes]:
    """Sample reports as JSON lines. Raises Invalid for a file without any."""
    path = file or resources.folder("config") / "samples" / "reports.ndjson"
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    if not lines:
        raise Invalid(f"{path.name} holds no reports; it is NDJSON, one report a line")
    return lines[:count] if count else lines


# Who may sign in at `--keep`, each with one role.
SEATS: Mapping[str, Reach] = {
    SUBMITTER: Reach(Role.SUBMITTER),
    **dict.fromkeys(REVIEWERS, Reach(Role.REVIEWER)),
    "Vera Verisign": Reach(Role.REGISTRY, registry="verisign"),
    "Eva Evaluator": Reach(Role.EVALUATOR),
    "Otto Auditor": Reach(Role.AUDITOR),
    "Ada Admin": Reach(Role.ADMIN),
}
_FOR_REVIEW, _FOR_ANSWER = 12, 4


async def give_seats(stage: Rehearsal) -> str:
    """Let the sample people sign in; their one password, which is another each time."""
    ctx, password = stage.house.ctx, "-".join(secrets.token_hex(2) for _ in range(4))
    for name, reach in SEATS.items():
        link = await people.add(ctx.db, name, reach, by="demo")
        await sign_in.accept(ctx, link, "", password, "demo", "demo")
    return password


async def leave_work(stage: Rehearsal, reports: Sequence[bytes]) -> str | None:
    """Some new cases to review, and some notices that wait for the registry's own answer. The address at which the
    registrant of a name that was acted on appeals, if there is one."""
    names = [line for line in reports if b'"program":"opioids"' in line and b".com" in line]
    tokens = await add_people(stage)
    async with aiohttp.ClientSession(base_url=stage.url) as api:
        submitter, *reviewers = [Api(api, token) for token in (tokens.submitter, *tokens.reviewers)]
        moved = await stage.clock.now() - stage.plan.start
        fresh = [_anew(line, moved) for line in names[: _FOR_REVIEW + _FOR_ANSWER]]
        answer = await submitter.post_lines("/reports/batch", b"\n".join(fresh))
        await stage.quiet()
        taken = [r for r in answer["results"] if r["state"] == "in_review"][:_FOR_ANSWER]
        stage.sandbox.desk.behaviours.update({r["domain"]: "silent" for r in taken})
        for result in taken:
            for reviewer in reviewers:
                await approve(reviewer, result["case_id"])
        await stage.advance_to(await stage.clock.now() + timedelta(minutes=31))
    ctx = stage.house.ctx
    notice = await ctx.db.fetchval(
        "select n.id from notice n join cases c on c.id = n.case_id where n.purpose = 'request' "
        "and c.observed in ('verified', 'verified_dns_only') and c.state in ('resolved', 'closed') order by n.id limit 1"
    )
    return links.appeal_url(ctx.settings.public_url, ctx.reply_key, str(notice)) if notice else None


def _anew(line: bytes, moved: timedelta) -> bytes:
    """The sample report about a name next to its own, made now."""
    was = urlsplit(json.loads(line)["urls"][0]).hostname or ""
    return later(without_id(line), moved).replace(was.encode(), f"next-{was}".encode())


def later(line: bytes, by: timedelta) -> bytes:
    """The report as if it and its evidence had been made so much later."""

    def move(found: re.Match[str]) -> str:
        if found[2]:
            return f'"{datetime.fromisoformat(found[1] + found[2]) + by:%Y-%m-%dT%H:%M:%SZ}"'
        return f'"{date.fromisoformat(found[1]) + by}"'

    return _WHEN.sub(move, line.decode()).encode()


def without_id(line: bytes) -> bytes:
    """The report as a new one of whoever made it."""
    return json.dumps({key: value for key, value in json.loads(line).items() if key != "external_id"}).encode()


async def approve(reviewer: Api, case_id: str) -> None:
    """Approve what is shown, if it can be and this person may."""
    shown = await reviewer.get(f"/cases/{case_id}/preview")
    if shown["blockers"]:
        return
    try:
        await reviewer.post(f"/cases/{case_id}/approve", {"digest": shown["digest"], "note": _NOTE})
    except Invalid as refusal:
        if refusal.code not in ("four_eyes", "conflict", "not_sufficient"):
            raise


async def add_people(stage: Rehearsal) -> People:
    db = stage.house.ctx.db
    submitter = await access.add_token(db, SUBMITTER, Role.SUBMITTER, by="demo")
    first, second = [await access.add_token(db, name, Role.REVIEWER, by="demo") for name in REVIEWERS]
    return People(submitter.token, (first.token, second.token))


async def play(stage: Rehearsal, reports: Sequence[bytes], tell: Tell) -> Summary:
    """Submit, review, and let time pass until every report has settled."""
    began = time.monotonic()
    start = await stage.clock.now()
    made = await add_people(stage)
    async with aiohttp.ClientSession(base_url=stage.url) as api:
        submitter, *reviewers = [Api(api, token) for token in (made.submitter, *made.reviewers)]
        results = await submit(submitter, reports, tell)
        await stage.quiet()
        await _review(stage, reviewers, tell)
        await _give_parts(stage)
        await give_up(submitter, stage)
        await _let_time_pass(stage, Clerk(reviewers[0]), len(reports), tell)
    return await summary_of(stage, results, start, time.monotonic() - began)


async def submit(api: Api, reports: Sequence[bytes], tell: Tell) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for at in range(0, len(reports), _BATCH):
        answer = await api.post_lines("/reports/batch", b"\n".join(reports[at : at + _BATCH]))
        results += answer["results"]
        tell("submitted", len(results), len(reports))
    return results


async def _review(stage: Rehearsal, reviewers: Sequence[Api], tell: Tell) -> None:
    """Both sample reviewers go through the queue; each reads the preview and approves its digest."""
    for turn, reviewer in enumerate(reviewers):
        rows = await stage.house.ctx.db.fetch(
            "select id from cases where state = 'in_review' and agreement is not null order by opened_at, id"
        )
        # Two people share the queue; what needs a second pair of eyes is seen by both.
        share = rows[turn :: len(reviewers)] if turn == 0 else rows
        done = 0

        async def approve(ids: Iterable[str], reviewer: Api = reviewer, total: int = len(share)) -> None:
            nonlocal done
            for case_id in ids:
                shown = await reviewer.get(f"/cases/{case_id}/preview")
                if not shown["blockers"]:
                    await reviewer.post(f"/cases/{case_id}/approve", {"digest": shown["digest"], "note": _NOTE})
                done += 1
                tell("reviewed", done, total)

        waiting = iter([str(row["id"]) for row in share])
        await asyncio.gather(*(approve(waiting) for _ in range(_AT_ONCE)))
    second = await stage.house.ctx.db.fetch(
        "select id from cases where state = 'in_review' and agreement is not null and cardinality(approvers) = 1"
    )
    for row in second:
        for reviewer in reviewers:
            shown = await reviewer.get(f"/cases/{row['id']}/preview")
            try:
                await reviewer.post(f"/cases/{row['id']}/approve", {"digest": shown["digest"], "note": _NOTE})
                break
            except Invalid as refusal:
                if refusal.code != "four_eyes":
                    raise


async def _give_parts(stage: Rehearsal) -> None:
    """Share the approved names out in the plan's mix, to the last one: a draw could leave the rare kinds out."""
    plan = stage.plan
    rows = await stage.house.ctx.db.fetch("select registrable from cases where state = 'approved'")
    names = sorted(
        (row["registrable"] for row in rows), key=lambda n: hashlib.sha256(f"{plan.seed}/{n}".encode()).digest()
    )
    parts = apportion(len(names), plan.mix)
    stage.sandbox.desk.behaviours.update(zip(names, parts, strict=True))


def apportion(n: int, mix: Mapping[str, float]) -> list[str]:
    """`n` places shared out by weight, with the largest remainders rounded up (Hamilton's method)."""
    total = sum(mix.values())
    quotas = {part: n * weight / total for part, weight in mix.items()}
    counts = {part: int(quota) for part, quota in quotas.items()}
    by_remainder = sorted(quotas, key=lambda part: counts[part] - quotas[part])
    for part in by_remainder[: n - sum(counts.values())]:
        counts[part] += 1
    return [part for part, count in counts.items() for _ in range(count)]


async def give_up(submitter: Api, stage: Rehearsal) -> None:
    """The sample submitter cannot mend what lacks evidence, and takes it back."""
    rows = await stage.house.ctx.db.fetch("select id from cases where state = 'needs_evidence'")
    for row in rows:
        await submitter.post(f"/cases/{row['id']}/withdraw", {"reason": "the missing evidence cannot be had"})


_HURRY = timedelta(days=2)  # afterwards only days are waited for,
_GRAIN = timedelta(hours=6)  # and what falls due within one of these is done together


async def _let_time_pass(stage: Rehearsal, clerk: Clerk, reports: int, tell: Tell) -> None:
    """Jump from one planned moment to the next; what is to be filed by hand is filed at once."""
    while True:
        if await clerk.work():
            await stage.quiet()
        settled, left = await _settled(stage)
        tell("settled", settled, reports)
        hurried = await stage.clock.now() < stage.plan.start + _HURRY
        if not left or await stage.advance(grain=timedelta(0) if hurried else _GRAIN) is None:
            return


_SETTLED = """
select r.id, r.code, c.reference, c.state, c.outcome,
  exists (select 1 from task t where t.case_id = c.id and t.resolved_at is null) as task
from report r left join cases c on c.id = r.case_id
"""


async def _settled(stage: Rehearsal) -> tuple[int, list[str]]:
    """How many reports have settled, and the cases of those that have not."""
    rows = await stage.house.ctx.db.fetch(_SETTLED)
    left = [row["reference"] for row in rows if not (row["code"] or row["state"] in _ENDS or row["task"])]
    return len(rows) - len(left), list(dict.fromkeys(left))


async def summary_of(
    stage: Rehearsal, results: Sequence[Mapping[str, Any]], start: datetime, seconds: float
) -> Summary:
    db, state = stage.house.ctx.db, stage.house.settings.state_dir
    settled, left = await _settled(stage)
    outcomes = await db.fetch(
        "select coalesce(c.registry, '-') as registry, c.measure, coalesce(l.measure, '-') as claimed, c.observed, "
        "c.outcome, c.outcome_actor as actor, count(*)::int as n "
        "from cases c left join lateral (select measure from claim where case_id = c.id order by claimed_at limit 1) l on true "
        "where c.notified_at is not null and c.outcome is not null group by 1, 2, 3, 4, 5, 6 order by 1, 2, 7 desc, 5"
    )
    notices = await db.fetch("select state, count(*)::int as n from notice group by 1 order by 1")
    tasks = await db.fetch(
        "select kind, count(distinct case_id)::int as n from task where resolved_at is null and case_id is not null "
        "group by 1 order by 1"
    )
    median = await db.fetchval(
        "select percentile_cont(0.5) within group (order by extract(epoch from notified_at - opened_at)) "
        "from cases where notified_at is not null"
    )
    await _wait_sealed(stage)
    async with db.pool.acquire() as con:
        report = await verify(
            con, state / bootstrap.CHECKPOINTS, keys.open_verifier(state / bootstrap.KEYS), datetime.now(UTC)
        )
    entries = await db.fetchval("select count(*) from audit_entry")
    return Summary(
        reports=len(results),
        refused=dict(Counter(r["code"] for r in results if r["code"])),
        cases=await db.fetchval("select count(*) from cases"),
        notices={row["state"]: row["n"] for row in notices},
        outcomes=[Outcome(**dict(row)) for row in outcomes],
        waiting_for_person={row["kind"]: row["n"] for row in tasks},
        settled=settled,
        audit={"entries": entries, "sealed": report.sealed, "verified": report.exit_code == 0},
        median_time_to_notice_s=float(median) if median is not None else None,
        simulated={"from": start.isoformat(), "to": (await stage.clock.now()).isoformat()},
        seconds=round(seconds, 1),
        unsettled=tuple(left),
    )


async def _wait_sealed(stage: Rehearsal) -> None:
    """The sealer works on its own; give it the second that it promises."""
    db = stage.house.ctx.db
    for _ in range(100):
        if not await db.fetchval(
            "select exists (select 1 from audit_entry e where not exists (select 1 from audit_leaf l where l.entry_id = e.id))"
        ):
            return
        await asyncio.sleep(0.05)
