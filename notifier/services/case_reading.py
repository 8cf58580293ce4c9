"""One case as a person reads it: found by whatever they have of it, and bounded, however long its history is."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.domain.case_state import BEFORE_SENDING, CaseState
from notifier.domain.explaining import explain
from notifier.domain.jobs import JobKind
from notifier.domain.names import parse
from notifier.domain.policy import Finding, FindingResult
from notifier.errors import NotFound, Refused
from notifier.services import access, evaluation, reading, review
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.store import contacts
from notifier.store.contacts import Exchange
from notifier.store.database import storable
from notifier.store.ids import as_uuid

_REFERENCE = re.compile(r"TN-[0-9]{4}-[0-9]{1,12}")
_SHOWN = 50
# Lists inside an item that may hold thousands of addresses; how many there are is told instead.
_LONG = ("items", "pages")


async def find(ctx: Context, who: Principal, text: str) -> str | None:
    """The id of the one case that an id or a reference names; None for any other text, which may be a name.

    Raises NotFound for an id or a reference of no case in scope.
    """
    if as_uuid(text) is not None:
        return str((await reading.case(ctx, who, text))["id"])
    if not _REFERENCE.fullmatch(text.upper()):
        return None
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=2)
    found = await ctx.db.fetchval(
        f"select c.id from cases c where c.reference = $1 and {scope.condition}", text.upper(), *scope.args
    )
    if found is None:
        raise NotFound(f"no case {text!r}")
    return str(found)


def is_name_of(ctx: Context, typed: str, target: str) -> bool:
    """Whether somebody wrote exactly this name, in whatever spelling; another host of it is another name."""
    try:
        return parse(typed, ctx.catalog.suffixes).host == target
    except Refused:
        return False


async def timeline(
    ctx: Context, who: Principal, case_id: str, *, before: int | None = None, limit: int = _SHOWN
) -> tuple[Sequence[Mapping[str, Any]], int | None]:
    """The newest entries of a case that are older than `before`, newest first; and where the next page begins."""
    await reading.case(ctx, who, case_id)
    rows = await ctx.db.fetch(
        "select id, at, actor, via, tag, subject, rev, body from audit_entry "
        "where case_id = $1 and ($2::bigint is null or id < $2) order by id desc limit $3",
        case_id,
        before,
        limit + 1,
    )
    shown = [reading.reduced(who, {**r, "detail": json.loads(r["body"]).get("detail", {})}) for r in rows[:limit]]
    return shown, shown[-1]["id"] if len(rows) > limit else None


async def observations(
    ctx: Context, who: Principal, case_id: str, *, limit: int = 20
) -> tuple[Sequence[Mapping[str, Any]], bool]:
    """The newest looks at the target, newest first; and whether there are more."""
    await reading.case(ctx, who, case_id)
    rows = await ctx.db.fetch(
        "select id, claim_id, purpose, at, look from observation where case_id = $1 order by at desc, id desc limit $2",
        case_id,
        limit + 1,
    )
    return [dict(r) for r in rows[:limit]], len(rows) > limit


async def parts(ctx: Context, who: Principal, case_id: str, *, limit: int = _SHOWN) -> Mapping[str, Any]:
    """What `reading.case_parts` gives, each list cut to its newest; `more` names those that were cut."""
    found = dict(await reading.case_parts(ctx, who, case_id, newest=limit + 1))
    more = [name for name, rows in found.items() if isinstance(rows, list) and len(rows) > limit]
    for name in more:
        found[name] = found[name][-limit:]
    found["evidence"] = [{**item, "body": _short(item["body"])} for item in found["evidence"]]
    return {**found, "more": more}


def _short(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: f"{len(value)} in all" if key in _LONG else value for key, value in body.items()}


_JUDGED = BEFORE_SENDING | {CaseState.NOTIFIED}


async def findings(ctx: Context, who: Principal, case_id: str) -> Sequence[Finding]:
    """The program's rules over what a case holds now, as long as somebody may still be asked for something.

    A submitter reads what each rule asks for in place of why it came out so, which may speak of others' reports.
    """
    async with ctx.db.pool.acquire() as con:
        case = await review.visible(ctx, con, who, case_id)
        program = ctx.catalog.programs.get(case.program)
        if case.state not in _JUDGED or program is None:
            return ()
        found = (await evaluation.evaluate_case(ctx, con, case, await ctx.db.clock.now())).findings
    if who.role is not Role.SUBMITTER:
        return found
    asks = {rule.id: rule.asks for rule in explain(program).rules}
    return [Finding(one.rule, one.result, asks[one.rule], one.mend) for one in found]


@dataclass(frozen=True, slots=True)
class Lack:
    """A rule that does not pass: what it asks for, and what would help. `ours`: we look at it ourselves."""

    rule: str
    result: FindingResult
    asks: str
    mend: str
    ours: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Why a case waits for evidence. `note`: what the reviewer wrote who asked for more, nobody's name."""

    note: str | None
    lacks: Sequence[Lack]


async def wanted(ctx: Context, who: Principal, case_id: str) -> Wanted | None:
    """What a case lacks, for whoever may see it; None while it waits for no evidence.

    By the rules' own words alone: why one does not pass may speak of others' reports and evidence.
    """
    async with ctx.db.pool.acquire() as con:
        case = await review.visible(ctx, con, who, case_id)
        program = ctx.catalog.programs.get(case.program)
        if case.state is not CaseState.NEEDS_EVIDENCE or program is None:
            return None
        verdict = await evaluation.evaluate_case(ctx, con, case, await ctx.db.clock.now())
        note = None
        if case.review_reason == "evidence_requested":
            note = await con.fetchval(
                "select body::json -> 'detail' ->> 'reason' from audit_entry "
                "where case_id = $1 and tag = 'case.evidence_requested' order by id desc limit 1",
                case.id,
            )
    told = {rule.id: rule for rule in explain(program).rules}
    lacks = [
        Lack(one.rule, one.result, told[one.rule].asks, one.mend, not (told[one.rule].evidence or told[one.rule].said))
        for one in verdict.findings
        if one.result is not FindingResult.PASS
    ]
    return Wanted(note, sorted(lacks, key=lambda lack: (lack.ours, lack.result is not FindingResult.FAIL)))


async def exchanges(ctx: Context, who: Principal, case_id: str, *, limit: int = _SHOWN) -> Sequence[Exchange]:
    """What each party was asked last, and said. For staff."""
    access.require(who, Role.REVIEWER, Role.AUDITOR, Role.ADMIN)
    async with ctx.db.pool.acquire() as con:
        case = await review.visible(ctx, con, who, case_id)
        return (await contacts.exchanges(con, case.id))[-limit:]


@dataclass(frozen=True, slots=True)
class Clock:
    """Something that happens by itself at a time. `kind` is a JobKind."""

    kind: str
    due_at: datetime


# What everybody may know of that sees the case. What else is planned could tell that an authority holds it.
_TOLD = (JobKind.CLOCK_ENDED, JobKind.REMIND, JobKind.ANSWER_OWED, JobKind.OBSERVE, JobKind.HOLD_REVIEW, JobKind.ERASE)


async def clocks(ctx: Context, who: Principal, case_id: str) -> Sequence[Clock]:
    """What is planned for the case, the soonest of each kind first. For staff."""
    access.require(who, Role.REVIEWER, Role.AUDITOR, Role.ADMIN)
    row = await reading.case(ctx, who, case_id)
    told = [*_TOLD, *([JobKind.DISPATCH] if row["state"] == CaseState.APPROVED else [])]
    rows = await ctx.db.fetch(
        "select kind, min(due_at) as due_at from timer where case_id = $1 and kind = any($2) "
        "and fired_at is null and cancelled_at is null group by kind order by min(due_at)",
        case_id,
        [str(kind) for kind in told],
    )
    return [Clock(row["kind"], row["due_at"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Before:
    """What was approved last of the step that is to be approved now: by whom, and the text that they saw."""

    principal: str
    at: datetime
    digest: str
    program_digest: str | None
    notice_id: str | None
    reply_token: str | None
    text: str | None


async def approved_before(ctx: Context, who: Principal, case_id: str, agreement: str) -> Before | None:
    """The newest approval of the case, with the text of the notice that it made for this agreement, if it made one."""
    access.require(who, Role.REVIEWER)
    await reading.case(ctx, who, case_id)
    row = await ctx.db.fetchrow(
        "select a.principal, a.at, a.digest, a.program_digest, n.id::text as notice_id, n.reply_token, "
        "n.content->>'text' as text from approval a left join lateral (select * from notice n "
        "where n.case_id = a.case_id and n.agreement = $2 and n.purpose in ('request', 'escalation', 'amendment') "
        "and n.queued_at <= a.at order by n.queued_at desc limit 1) n on true "
        "where a.case_id = $1 order by a.at desc, a.id desc limit 1",
        case_id,
        storable(agreement),
    )
    return Before(**row) if row else None
