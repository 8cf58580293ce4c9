"""A recipient's own desk: what waits for its answer and until when, what it answered, and what we saw afterwards.

It sees what was sent to it and nothing else: no case beside its own notices, no reporter, nobody of ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from notifier.domain.look import Look
from notifier.domain.names import parse
from notifier.domain.notice import ASKING, UNDO, Purpose
from notifier.errors import Invalid, NotFound, Refused
from notifier.services import access, briefing, reading
from notifier.services.access import Principal, Role, Scope
from notifier.services.briefing import Brief, Clocks
from notifier.services.context import Context
from notifier.services.paging import Page, Query, read_page
from notifier.services.reading import NOTICE_COLUMNS
from notifier.store import notices as notice_store

SHOWN = ("waiting", "ours", "answered", "all")
STATES = ("sending", "sent", "delivered", "bounced", "uncertain", "superseded")
COUNTED = 1_000  # of what waits so many are counted; of what was answered so many are measured
_LOOKS, _THREAD = 20, 50
_PURPOSES = [str(p) for p in (*ASKING, *UNDO)]
_ASKING, _UNDO = [str(p) for p in ASKING], [str(p) for p in UNDO]
_STANDING = ("sending", "sent", "delivered", "uncertain")

_LISTED = (
    f"select {NOTICE_COLUMNS}, "
    "(select a.remaining from amendment a where a.case_id = n.case_id and a.notice_id = n.supersedes "
    "and n.purpose = 'amendment' order by a.at desc limit 1) as remaining "
    "from notice n join cases c on c.id = n.case_id"
)
# What waits: a request whose case waits for this very party, or an undoing that is not done. Found by the few cases that
# are under way, never by the many notices that were.
_OPEN = (
    "n.id in (select w.id from cases o, lateral (select id from notice where case_id = o.id and agreement = o.agreement "
    "and purpose = any({1}) and state = any({2}) and response = any({3}) offset 0) w "  # case by case, never all notices
    "where o.state = 'notified' and o.agreement = any({0}) union all select w.id from notice w join cases o on o.id = w.case_id "
    "where w.registry = {4} and w.purpose = any({5}) and w.response = any({3}) and w.state = any({2}) "
    "and o.undo = 'requested')"
)
_WAIT_FOR_THEM, _WAIT_FOR_US = ["none", "received", "acknowledged"], ["needs_info"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the list is shown: one of SHOWN, a state of the notice, a name in any spelling. None means any."""

    show: str = "waiting"
    state: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What waits now, each of at most COUNTED; `more`: there are more than that."""

    waiting: int
    overdue: int
    acknowledged: int
    ours: int
    more: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """What the recipient says was done, beside what we saw. `next_look`: when we look again, None when that is over."""

    id: str
    measure: str
    actor: str | None
    effective_at: datetime | None
    claimed_at: datetime
    deadline: datetime
    verdict: str
    why: str
    judged_at: datetime | None
    looks: Sequence[Look]
    next_look: datetime | None


@dataclass(frozen=True, slots=True)
class Whole:
    """One notice with everything that its recipient may know of it. `thread`: its other notices about the same, oldest
    first. `open`: whether an answer still moves something."""

    brief: Brief
    responses: Sequence[Mapping[str, Any]]
    thread: Sequence[Mapping[str, Any]]
    claims: Sequence[Claim]
    open: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What a recipient answered, of its newest `n` answered notices, at most COUNTED. Spans are to its first answer."""

    n: int
    since: datetime | None
    median: timedelta | None
    in_time: int
    with_clock: int
    answers: Mapping[str, int]
    verdicts: Mapping[str, int]


async def notices(ctx: Context, who: Principal, wanted: Wanted, *, limit: int = 50, cursor: str | None = None) -> Page:
    """A page of the recipient's notices with their clocks; what waits comes oldest first, the rest newest first.

    Raises Invalid for what cannot be filtered by.
    """
    query, at = Query(_scope(who)), "n.drafted_at"
    if wanted.show in ("waiting", "ours"):
        _open(ctx, who, query, _WAIT_FOR_THEM if wanted.show == "waiting" else _WAIT_FOR_US)
        at = "n.queued_at"
    elif wanted.show == "answered":
        query.where("n.responded_at is not null")
        at = "n.responded_at"
    elif wanted.show != "all":
        raise Invalid(f"show is one of {', '.join(SHOWN)}")
    if wanted.state is not None:
        if wanted.state not in STATES:
            raise Invalid(f"state is one of {', '.join(STATES)}")
        query.where("n.state = {}", wanted.state)
    if wanted.domain is not None:
        query.where("n.domain = any({})", _names(ctx, wanted.domain))
    query.where("n.purpose = any({})", _PURPOSES)  # a reminder is seen with what it repeats
    oldest_first = at == "n.queued_at"
    page = await read_page(ctx, query, _LISTED, at, "n.id", limit, cursor, ascending=oldest_first)
    words = await _words(ctx, [row["id"] for row in page.items])
    shown = [{**row, "clocks": _clocks(ctx, row), "word": words[row["id"]]} for row in page.items]
    return Page(shown, page.next_cursor)


async def counts(ctx: Context, who: Principal) -> Counts:
    """What waits for the recipient and what for us."""
    query = Query(_scope(who))
    _open(ctx, who, query, [*_WAIT_FOR_THEM, *_WAIT_FOR_US])
    rows = await ctx.db.fetch(
        f"{_LISTED} where {' and '.join(query.conditions)} order by n.queued_at, n.id limit {COUNTED + 1}", *query.args
    )
    now = await ctx.db.clock.now()
    theirs = [row for row in rows if row["response"] != "needs_info"]
    return Counts(
        waiting=len(theirs),
        overdue=sum(is_overdue(row, _clocks(ctx, row), now) for row in theirs),
        acknowledged=sum(row["response"] == "acknowledged" for row in theirs),
        ours=len(rows) - len(theirs),
        more=len(rows) > COUNTED,
    )


def is_overdue(row: Mapping[str, Any], clocks: Clocks, now: datetime) -> bool:
    """Whether the clock that runs is over: the first word's until it was given, then the decision's."""
    due = due_at(row, clocks)
    return due is not None and due < now


def due_at(row: Mapping[str, Any], clocks: Clocks) -> datetime | None:
    """When the clock that runs is over."""
    return clocks.acknowledge_by if row["response"] in ("none", "received") else clocks.decide_by


async def whole(ctx: Context, who: Principal, notice_id: str) -> Whole:
    """One notice of the recipient's. Raises NotFound for any other, and for one that has not left."""
    access.require(who, Role.REGISTRY)
    found = await reading.notice(ctx, who, notice_id)
    async with ctx.db.pool.acquire() as con:
        notice = await notice_store.get(con, notice_id)
        if notice is None:
            raise NotFound(f"no notice {notice_id!r}")
        brief = await briefing.of(ctx, con, notice)
    scope = _scope(who, first=2)
    thread = await ctx.db.fetch(
        f"{_LISTED} where n.case_id = $1 and {scope.condition} order by n.sent_at nulls last, n.version, n.id limit {_THREAD}",
        notice.case_id,
        *scope.args,
    )
    query = Query(_scope(who))
    _open(ctx, who, query, [*_WAIT_FOR_THEM, *_WAIT_FOR_US])
    query.where("n.id = {}", notice_id)
    is_open = await ctx.db.fetchval(
        f"select exists (select from notice n join cases c on c.id = n.case_id where {' and '.join(query.conditions)})",
        *query.args,
    )
    answers = notice.supersedes if notice.purpose is Purpose.REMINDER else None
    responses = (
        found["responses"] or (await reading.notice(ctx, who, answers))["responses"] if answers else found["responses"]
    )
    claims = await _claims(ctx, [notice_id, *([answers] if answers else [])])
    return Whole(brief, responses, [dict(row) for row in thread], claims, bool(is_open))


async def record(ctx: Context, who: Principal) -> Record:
    """The recipient's own figures."""
    scope = _scope(who)
    rows = await ctx.db.fetch(
        f"{_LISTED} where {scope.condition} and n.responded_at is not null and n.purpose = any(${len(scope.args) + 1}) "
        f"order by n.responded_at desc, n.id desc limit {COUNTED}",
        *scope.args,
        _ASKING,
    )
    spans, in_time, with_clock = [], 0, 0
    answers: dict[str, int] = {}
    for row in rows:
        answers[row["response"]] = answers.get(row["response"], 0) + 1
        if row["sent_at"] is None:
            continue
        spans.append(row["responded_at"] - row["sent_at"])
        if (due := _clocks(ctx, row).acknowledge_by) is not None:
            with_clock += 1
            in_time += row["responded_at"] <= due
    verdicts = await ctx.db.fetch(
        "select verdict, count(*)::int as n from claim where notice_id = any($1::uuid[]) group by 1",
        [row["id"] for row in rows],
    )
    return Record(
        n=len(rows),
        since=rows[-1]["responded_at"] if rows else None,
        median=median(spans) if spans else None,
        in_time=in_time,
        with_clock=with_clock,
        answers=answers,
        verdicts={row["verdict"]: row["n"] for row in verdicts},
    )


# --- parts --------------------------------------------------------------------------------------------------------


def _scope(who: Principal, first: int = 1) -> Scope:
    access.require(who, Role.REGISTRY)
    return access.notice_scope(who, (), first)


def _open(ctx: Context, who: Principal, query: Query, responses: list[str]) -> None:
    own = [a.id for a in ctx.catalog.agreements.values() if a.registry == who.registry]
    query.where(_OPEN, own, _ASKING, list(_STANDING), responses, who.registry, _UNDO)


def _names(ctx: Context, spelling: str) -> list[str]:
    try:
        found = parse(spelling, ctx.catalog.suffixes)
    except Refused as refusal:
        raise Invalid(f"domain: {refusal.detail}") from refusal
    return [name for name in dict.fromkeys((found.host, found.registrable)) if name]


async def _words(ctx: Context, notice_ids: Sequence[Any]) -> Mapping[Any, str]:
    """The recipient's own word for what each asks. The content is large: it is opened for what is shown alone."""
    rows = await ctx.db.fetch(
        "select id, content->>'measure_word' as word from notice where id = any($1::uuid[])", list(notice_ids)
    )
    return {row["id"]: row["word"] for row in rows}


def _clocks(ctx: Context, row: Mapping[str, Any]) -> Clocks:
    if row["sent_at"] is None or row["purpose"] not in _ASKING:
        return briefing.NO_CLOCKS
    return briefing.clocks_from(ctx, row["agreement"], row["sent_at"], row["remaining"])


async def _claims(ctx: Context, notice_ids: list[str]) -> list[Claim]:
    rows = await ctx.db.fetch(
        "select k.id, k.measure, k.actor, k.effective_at, k.claimed_at, k.deadline, k.verdict, k.why, k.judged_at, "
        "(select min(due_at) from timer t where t.case_id = k.case_id and t.ref = k.id and t.kind = 'case.observe' "
        "and t.fired_at is null and t.cancelled_at is null) as next_look "
        "from claim k where k.notice_id = any($1::uuid[]) order by k.claimed_at, k.id",
        notice_ids,
    )
    found = []
    for row in rows:
        looks = await ctx.db.fetch(
            "select look from observation where case_id = (select case_id from claim where id = $1) and claim_id = $1 "
            f"order by at desc, id desc limit {_LOOKS}",
            row["id"],
        )
        seen = [replace(Look.from_json(one["look"]), hosting=None) for one in looks]
        found.append(Claim(**{**dict(row), "id": str(row["id"]), "looks": seen}))
    return found
