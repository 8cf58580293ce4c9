"""What people ask, see and say of captures. Who says what one shows makes it evidence, and is its supplier from then on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from notifier.domain.case import Case
from notifier.domain.evidence import parse_evidence
from notifier.domain.jobs import Job, JobKind
from notifier.domain.page_text import similarity
from notifier.domain.policy import Verdict
from notifier.errors import NotFound
from notifier.services import access, review
from notifier.services.access import Principal, Role
from notifier.services.capturing import ANEW
from notifier.services.context import Context
from notifier.store import captures as capture_store
from notifier.store.captures import Captured
from notifier.store.database import Connection
from notifier.store.ids import as_uuid

_NEAR = 0.5


@dataclass(frozen=True, slots=True)
class Near:
    """Another case with a page that says much the same; `similarity` from 0 to 1."""

    case_id: str
    reference: str
    similarity: float


async def ask(ctx: Context, who: Principal, case_id: str, *, via: str = "api") -> Case:
    """Ask for captures now, also of pages that were captured lately. They are made in a moment."""
    async with ctx.db.transaction(who.id, via) as tx:
        case = await review.lock_for_review(ctx, tx, who, case_id)
        await tx.enqueue(Job(JobKind.CAPTURE, case.id + ANEW, case.priority))
        await tx.audit("case.capture_asked", case.reference, {}, case.id)
    return case


async def of_case(
    ctx: Context, who: Principal, case_id: str, *, newest: int | None = None
) -> list[tuple[Captured, list[Near]]]:
    """Every capture of a case, or only so many, newest first; a submitter's are of the pages of its own side.

    With the newest of each page come the cases that look alike and that may be told of.
    """
    access.require(who, Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR)
    async with ctx.db.pool.acquire() as con:
        case = await review.visible(ctx, con, who, case_id)
        met, found = set[str](), []
        for row in await _visible(con, who, await capture_store.of_case(con, case.id, newest)):
            found.append((row, [] if row.url in met else await _near(ctx, con, who, row)))
            met.add(row.url)
    return found


async def _visible(con: Connection, who: Principal, rows: Sequence[Captured]) -> list[Captured]:
    if who.role is not Role.SUBMITTER or not rows:
        return list(rows)
    own = await con.fetch(
        f"select distinct url from report r, unnest(r.urls) url where r.case_id = $1 and {access.own_report(2, 3)}",
        rows[0].case_id,
        who.id,
        who.organisation,
    )
    urls = {row["url"] for row in own}
    return [row for row in rows if row.url in urls]


async def _near(ctx: Context, con: Connection, who: Principal, row: Captured) -> list[Near]:
    if not row.sketch:
        return []
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=4)
    others = await capture_store.near(con, row, scope.condition, scope.args)
    alike = [Near(case_id, ref, round(similarity(row.sketch, other), 2)) for case_id, ref, other in others]
    return sorted((n for n in alike if n.similarity >= _NEAR), key=lambda n: (-n.similarity, n.reference))[:20]


async def judged(
    ctx: Context,
    who: Principal,
    case_id: str,
    capture_id: str,
    said: Mapping[str, Any],
    visitor: str,
    *,
    via: str = "api",
) -> tuple[Case, Verdict]:
    """A person says what a capture shows: it becomes evidence of theirs, so they may not approve the case.

    `said`: fields of a `capture` item that only a person can fill in. Raises NotFound, and what adding evidence raises.
    """
    access.require(who, Role.SUBMITTER, Role.REVIEWER)
    async with ctx.db.pool.acquire() as con:
        case = await review.visible(ctx, con, who, case_id)
        row = await capture_store.one(con, case.id, capture_id) if as_uuid(capture_id) else None
        mine = await _visible(con, who, [row] if row is not None else [])
    way = row.way(visitor) if row is not None and mine else None
    if row is None or way is None:
        raise NotFound("the case has no such capture, or it has no such visitor")
    known = {
        "kind": "capture",
        "url": row.url,
        "captured_at": row.at,
        "vantage": f"{ctx.settings.organisation}, {visitor}",
        "user_agent": way["user_agent"],
        "referrer": way["referrer"],
        "http_status": way["status"],
        "sha256": row.warc_sha256,
    }
    item = parse_evidence({**known, **said})
    return await review.add_evidence(ctx, who, case_id, [item], via=via)
