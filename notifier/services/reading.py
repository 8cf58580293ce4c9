"""What the faces show: cases, notices, tasks and alarms in the principal's scope, newest first, page by page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from notifier.domain.case_state import OPEN
from notifier.domain.names import parse
from notifier.errors import Invalid, NotFound, Refused
from notifier.services import access
from notifier.services.access import Principal, Role, Scope
from notifier.services.context import Context
from notifier.services.paging import Page, Query, read_page
from notifier.store.ids import as_uuid

REVIEW_WITHIN = timedelta(days=1)

CASE_COLUMNS = (
    "c.id, c.reference, c.program, c.target, c.scope, c.registrable, c.host, c.private_suffix, c.tld, c.display, c.safety, "
    "c.warnings, c.registry, c.agreement, c.step, c.passed, c.measure, c.state, c.rev, c.priority, c.review_reason, c.epoch, "
    "c.already_down, c.assignee, c.opened_at, c.state_since, c.notified_at, c.resolved_at, c.closed_at, c.response, c.observed, "
    "c.outcome, c.outcome_actor, c.aftermath, c.undo, c.reopened_count, c.previous_case, c.approvers, c.suffix_version, "
    "c.merged_into, c.appeal_open, c.review_by, c.phase, c.phase_since, "
    "exists (select from deconfliction_hold h where h.case_id = c.id and h.ended_at is null) as embargo, "
    "c.second_reasons, c.names_version, a.signals, a.why, a.measured, a.at as assessed_at"
)
_CASES = (
    "cases c left join lateral "
    "(select signals, why, measured, at from assessment where case_id = c.id order by rev desc limit 1) a on true"
)
NOTICE_COLUMNS = (
    "n.id, n.case_id, c.reference, c.program, n.agreement, n.registry, n.party, n.purpose, n.version, n.state, n.measure, "
    "n.domain, n.digest, n.drafted_at, n.queued_at, n.sent_at, n.response, n.responded_at, n.supersedes, "
    "n.event, n.hold_until, n.release_by"
)


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """None means any. `domain` in any spelling; `overdue`: it waits for review for over a day; `held`: something that we
    asked for stands, and has a review-by date."""

    state: str | None = None
    program: str | None = None
    registry: str | None = None
    domain: str | None = None
    outcome: str | None = None
    assignee: str | None = None
    overdue: bool | None = None
    held: bool | None = None


async def cases(
    ctx: Context, who: Principal, wanted: CaseFilter, *, limit: int = 50, cursor: str | None = None
) -> Page:
    """Cases in scope, newest first."""
    scope = access.case_scope(who, ctx.owned_by(who.organisation))
    query = Query(scope)
    for column in ("state", "program", "registry", "outcome", "assignee"):
        if (value := getattr(wanted, column)) is not None:
            query.where(f"c.{column} = {{}}", value)
    if wanted.domain is not None:
        query.where("{} in (c.target, c.registrable, c.host)", _canonical(ctx, wanted.domain))
    if wanted.overdue is not None:
        now = await ctx.db.clock.now()
        query.where(
            ("" if wanted.overdue else "not ") + "(c.state = 'in_review' and c.review_since < {})", now - REVIEW_WITHIN
        )
    if wanted.held is not None:
        query.where(f"c.review_by is {'not ' if wanted.held else ''}null")
    page = await read_page(ctx, query, f"select {CASE_COLUMNS} from {_CASES}", "c.opened_at", "c.id", limit, cursor)
    return Page([quiet(who, row) for row in page.items], page.next_cursor)


def quiet(who: Principal, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A case's row as this principal may read it: whether it is held is for the permitted alone, on every face."""
    return row if access.DECONFLICT in who.permissions else {**row, "embargo": None}


async def case(ctx: Context, who: Principal, case_id: str) -> Mapping[str, Any]:
    """One case. Raises NotFound also for one outside the scope."""
    return quiet(who, await _one(ctx, access.case_scope(who, ctx.owned_by(who.organisation), first=2), case_id))


async def case_of_reference(ctx: Context, who: Principal, reference: str) -> str:
    """The id behind `TN-2026-000123`, an id, or a domain with exactly one open case."""
    if as_uuid(reference):
        return reference
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=2)
    found = await ctx.db.fetch(
        f"select c.id from cases c where c.reference = $1 and {scope.condition}", reference, *scope.args
    )
    if not found:
        try:
            name = _canonical(ctx, reference)
        except Invalid:
            raise NotFound(f"no case {reference!r}") from None
        states = [str(s) for s in OPEN]
        scope = access.case_scope(who, ctx.owned_by(who.organisation), first=3)
        found = await ctx.db.fetch(
            f"select c.id from cases c where c.target = $1 and c.state = any($2) and {scope.condition}",
            name,
            states,
            *scope.args,
        )
    if len(found) != 1:
        raise NotFound(f"{len(found) or 'no'} open cases fit {reference!r}; give the case's reference")
    return str(found[0]["id"])


async def case_parts(ctx: Context, who: Principal, case_id: str, *, newest: int | None = None) -> Mapping[str, Any]:
    """What a case holds: reports, evidence, approvals, claims, open tasks and alarms, each list oldest first.

    A submitter sees its own reports and evidence and what became of the case, not who else reported or approved.
    `newest`: of each list only so many.
    """
    await case(ctx, who, case_id)
    if who.role is Role.SUBMITTER:
        return await _parts_for_submitter(ctx, who, case_id, newest)
    parts = {
        "reports": "select id, principal, organisation, external_id, received_at, urls, duplicate, body->>'summary' as summary "
        "from report "
        "where case_id = $1 and code is null order by received_at{desc}, id{desc}",
        "evidence": "select id, kind, sha256, supplied_by, received_at, body from evidence where case_id = $1 "
        "order by received_at{desc}, id{desc}",
        "approvals": "select principal, digest, program_digest, note, at from approval where case_id = $1 "
        "order by at{desc}",
        "claims": "select id, notice_id, measure, actor, effective_at, claimed_at, deadline, verdict, outcome, credited, "
        "alarms, why, judged_at, parent_effective_at, user_effective_at, verified_at, relapsed_at, will_drop_on from claim "
        "where case_id = $1 order by claimed_at{desc}",
        "notices": f"select {NOTICE_COLUMNS} from notice n join cases c on c.id = n.case_id where c.id = $1 "
        "order by n.drafted_at{desc}, n.version{desc}",
        "linked_notices": "with recursive family (id) as (select m.id from cases m where m.merged_into = $1 union "
        "select m.id from cases m join family f on m.merged_into = f.id) "
        f"select {NOTICE_COLUMNS} from notice n join cases c on c.id = n.case_id where c.id in (select id from family) "
        "order by n.drafted_at{desc}, n.version{desc}",
        "tasks": "select id, kind, detail, opened_at, due_at, taken_by from task where case_id = $1 "
        "and resolved_at is null order by opened_at{desc}, id{desc}",
        "alarms": "select id, kind, sentence, detail, raised_at, told_at, taken_by from alarm "
        "where case_id = $1 and closed_at is null order by raised_at{desc}, id{desc}",
        "files": _FILES + " order by f.received_at{desc}, b.sha256{desc}",
    }
    found: dict[str, Any] = {name: await _part(ctx, sql, newest, case_id) for name, sql in parts.items()}
    return {**found, "legal_hold": await _on_hold(ctx, case_id)}


async def _part(ctx: Context, sql: str, newest: int | None, *args: Any) -> list[dict[str, Any]]:
    """Rows oldest first; the query says `{desc}` where it is turned round to cut it to the newest."""
    if newest is None:
        return [dict(row) for row in await ctx.db.fetch(sql.format(desc=""), *args)]
    rows = await ctx.db.fetch(f"{sql.format(desc=' desc')} limit {newest:d}", *args)
    return [dict(row) for row in reversed(rows)]


_FILES = (
    "select b.sha256, b.size, b.media_type, b.erased_at, f.name, f.supplied_by, f.received_at "
    "from case_file f join blob b using (sha256) where f.case_id = $1"
)


async def _on_hold(ctx: Context, case_id: str) -> bool:
    return bool(
        await ctx.db.fetchval(
            "select exists (select from legal_hold where case_id = $1 and lifted_at is null)", case_id
        )
    )


async def _parts_for_submitter(ctx: Context, who: Principal, case_id: str, newest: int | None) -> Mapping[str, Any]:
    own = access.own_report(2, 3)
    queries = {
        "reports": "select r.id, r.principal, r.organisation, r.external_id, r.received_at, r.urls, r.duplicate, "
        "r.body->>'summary' as summary "
        f"from report r where r.case_id = $1 and r.code is null and {own} order by r.received_at{{desc}}, r.id{{desc}}",
        "evidence": "select e.id, e.kind, e.sha256, e.supplied_by, e.received_at, e.body from evidence e "
        f"left join report r on r.id = e.report_id where e.case_id = $1 and (e.supplied_by = $2 or {own}) "
        "order by e.received_at{desc}, e.id{desc}",
        "files": f"{_FILES} and (f.supplied_by = $2 or exists (select from report r where r.case_id = $1 and {own} "
        "and r.principal = f.supplied_by)) order by f.received_at{desc}, b.sha256{desc}",
    }
    hidden = ("approvals", "claims", "notices", "tasks", "alarms", "linked_notices")
    return {
        **{name: [] for name in hidden},
        **{name: await _part(ctx, sql, newest, case_id, who.id, who.organisation) for name, sql in queries.items()},
        "legal_hold": False,
    }


async def timeline(ctx: Context, who: Principal, case_id: str) -> Sequence[Mapping[str, Any]]:
    """Every audit entry of a case in the order it was written."""
    await case(ctx, who, case_id)
    rows = await ctx.db.fetch(
        "select id, at, actor, via, tag, subject, rev, body from audit_entry where case_id = $1 order by id", case_id
    )
    shown = [{**dict(r), "detail": json.loads(r["body"]).get("detail", {})} for r in rows]
    return [reduced(who, entry) for entry in shown]


def reduced(who: Principal, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """A step as a submitter may read it: what happened, not who among the staff or the other reporters did it."""
    if who.role is not Role.SUBMITTER:
        return entry
    return {**entry, "actor": entry["actor"] if entry["actor"] == who.id else "", "detail": {}}


async def observations(ctx: Context, who: Principal, case_id: str) -> Sequence[Mapping[str, Any]]:
    """Every look at the case's target, oldest first."""
    await case(ctx, who, case_id)
    rows = await ctx.db.fetch(
        "select id, claim_id, purpose, at, look from observation where case_id = $1 order by at, id", case_id
    )
    return [dict(r) for r in rows]


async def report(ctx: Context, who: Principal, report_id: str) -> Mapping[str, Any]:
    """One's own report, refused or not, or one's organisation's; staff see those of their cases."""
    access.require(who, Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR, Role.ADMIN)
    row = None
    if as_uuid(report_id):
        row = await ctx.db.fetchrow(
            "select r.id, r.case_id, r.principal, r.organisation, r.program, r.external_id, r.code, r.detail, r.domain, r.urls, "
            "r.duplicate, r.received_at, c.state, c.reference from report r left join cases c on c.id = r.case_id where r.id = $1",
            report_id,
        )
    if row is None:
        raise NotFound(f"no report {report_id!r}")
    if row["principal"] != who.id:
        foreign = who.role is Role.SUBMITTER and row["organisation"] != who.organisation
        if row["case_id"] is None or foreign:
            raise NotFound(f"no report {report_id!r}")
        await case(ctx, who, str(row["case_id"]))
    return dict(row)


async def notices(
    ctx: Context,
    who: Principal,
    *,
    state: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Notices in scope, newest first; a registry's token sees those that were sent to it."""
    query = Query(access.notice_scope(who, ctx.owned_by(who.organisation)))
    if state is not None:
        query.where("n.state = {}", state)
    if since is not None:
        query.where("coalesce(n.sent_at, n.drafted_at) >= {}", since)
    select = f"select {NOTICE_COLUMNS} from notice n join cases c on c.id = n.case_id"
    return await read_page(ctx, query, select, "n.drafted_at", "n.id", limit, cursor)


async def notice(ctx: Context, who: Principal, notice_id: str) -> Mapping[str, Any]:
    """One notice with its content, attempts and answers."""
    scope = access.notice_scope(who, ctx.owned_by(who.organisation), first=2)
    row = None
    if as_uuid(notice_id):
        row = await ctx.db.fetchrow(
            f"select {NOTICE_COLUMNS}, n.content from notice n join cases c on c.id = n.case_id "
            f"where n.id = $1 and {scope.condition}",
            notice_id,
            *scope.args,
        )
    if row is None:
        raise NotFound(f"no notice {notice_id!r}")
    answers = await ctx.db.fetch(
        "select id, kind, measure, actor, reason, effective_at, comment, domain, received_at from response "
        "where notice_id = $1 order by received_at, id",
        notice_id,
    )
    attempts = await ctx.db.fetch(
        "select n, started_at, finished_at, result, reference, detail, attended, receipt from attempt "
        "where notice_id = $1 order by n",
        notice_id,
    )
    found = {**dict(row), "responses": [dict(a) for a in answers]}
    found["attempts"] = [] if who.role is Role.REGISTRY else [dict(a) for a in attempts]
    return found


async def waiting(
    ctx: Context, who: Principal, table: str, *, limit: int = 50, cursor: str | None = None, open_only: bool = True
) -> Page:
    """Tasks or alarms in scope, newest first. What is tied to no case is the house's."""
    access.require(who, Role.REVIEWER, Role.ADMIN)
    scope = access.case_scope(who, ctx.owned_by(who.organisation))
    loose = "w.case_id is null or " if access.is_of_the_house(who) else ""
    query = Query(Scope(f"({loose}({scope.condition}))", scope.args))
    opened, ended = {"task": ("opened_at", "resolved_at"), "alarm": ("raised_at", "closed_at")}[table]
    if open_only:
        query.where(f"w.{ended} is null")
    select = f"select w.*, c.reference, c.target, c.program from {table} w left join cases c on c.id = w.case_id"
    return await read_page(ctx, query, select, f"w.{opened}", "w.id", limit, cursor)


async def task(ctx: Context, who: Principal, task_id: str) -> Mapping[str, Any]:
    """One task in scope. Raises NotFound also for one outside of it."""
    access.require(who, Role.REVIEWER, Role.ADMIN)
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=2)
    loose = "w.case_id is null or " if access.is_of_the_house(who) else ""
    row = None
    if as_uuid(task_id):
        row = await ctx.db.fetchrow(
            "select w.*, c.reference, c.target, c.program from task w left join cases c on c.id = w.case_id "
            f"where w.id = $1 and ({loose}({scope.condition}))",
            task_id,
            *scope.args,
        )
    if row is None:
        raise NotFound(f"no task {task_id!r}")
    return dict(row)


# --- pages --------------------------------------------------------------------------------------------------------


async def _one(ctx: Context, scope: Scope, case_id: str) -> Mapping[str, Any]:
    row = None
    if as_uuid(case_id):
        row = await ctx.db.fetchrow(
            f"select {CASE_COLUMNS} from {_CASES} where c.id = $1 and {scope.condition}", case_id, *scope.args
        )
    if row is None:
        raise NotFound(f"no case {case_id!r}")
    return dict(row)


def _canonical(ctx: Context, spelling: str) -> str:
    try:
        return parse(spelling, ctx.catalog.suffixes).host
    except Refused as refusal:
        raise Invalid(f"domain: {refusal.detail}") from refusal
