"""What waits for people, in the order in which they should come to it: tasks by kind, and alarms by how bad they are.

Tasks stand by their due time, or by when they were opened where they have none, the earliest first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.domain.alarms import ALARMS, GRADES, grade
from notifier.errors import Invalid
from notifier.services import access, hops
from notifier.services.access import Principal, Role, Scope
from notifier.services.context import Context
from notifier.services.paging import Page, Query, read_page

# Each kind of task, and what it asks of a person.
KINDS: Mapping[str, str] = {
    "uncertain": "A notice may or may not have arrived. Find out, and say which: sent twice is nearly as bad as not at all.",
    "confirm_answer": "An answer came that nobody vouches for. Call the recipient back, and say what it said itself.",
    "webform": "A recipient takes notices by its own form or by letter. Carry this one there, and say what came of it.",
    "second_look": "Something was decided by one person, or came up since. Another one looks, and says whether it is right.",
    "escalation": "A recipient declined, or said nothing in its time. Look at the case and decide what follows.",
    "no_contact": "There is nobody to write to. Find the contact and set it on the case, or end the case.",
    "already_asked": "Another program asked the same recipient about the same name. Decide whether to add a word.",
    "unmatched_mail": "A message came that no notice answers to. Read it, and tie it to its notice or say that it is none.",
    "tell_recipient": "A recipient could not be told that its channel changes. Tell it another way.",
    "appeal": "A statement came after its appeal was decided. Read it, and say whether it changes anything.",
    "hold_review": "A hold nears its date. Bring fresh evidence so that somebody else can keep it, or let it lapse.",
}
_SEE = (Role.REVIEWER, Role.ADMIN)
_HOPS_COUNTED = 1_000
_FROM = (
    "select * from (select t.*, coalesce(t.due_at, t.opened_at) as stands_at, c.reference, c.target, c.program "
    "from task t left join cases c on c.id = t.case_id where t.resolved_at is null and {}) w"
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much of one kind waits. `first`: the earliest due or opened; `mine`: taken by the principal."""

    kind: str
    about: str
    n: int
    overdue: int
    mine: int
    first: datetime


def _scope(ctx: Context, who: Principal, table: str) -> Scope:
    """Over `table` joined with `cases c`: what is tied to no case is the house's."""
    access.require(who, *_SEE)
    scope = access.case_scope(who, ctx.owned_by(who.organisation))
    loose = f"{table}.case_id is null or " if access.is_of_the_house(who) else ""
    return Scope(f"({loose}({scope.condition}))", scope.args)


async def by_kind(ctx: Context, who: Principal) -> Sequence[Waiting]:
    """Every kind of which something waits, in the order of KINDS."""
    scope, now = _scope(ctx, who, "t"), await ctx.db.clock.now()
    me, at = len(scope.args) + 1, len(scope.args) + 2
    rows = await ctx.db.fetch(
        "select t.kind, count(*) as n, min(coalesce(t.due_at, t.opened_at)) as first, "
        f"count(*) filter (where t.taken_by = ${me}) as mine, count(*) filter (where t.due_at <= ${at}) as overdue "
        "from task t left join cases c on c.id = t.case_id where t.resolved_at is null "
        f"and {scope.condition} group by t.kind",
        *scope.args,
        who.id,
        now,
    )
    found = {row["kind"]: row for row in rows}
    order = [*KINDS, *sorted(found.keys() - KINDS.keys())]
    return [Waiting(about=KINDS.get(kind, ""), **dict(found[kind])) for kind in order if kind in found]


async def tasks(
    ctx: Context,
    who: Principal,
    *,
    kind: str | None = None,
    mine: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Open tasks, due or oldest first. Raises Invalid for a kind that there is not."""
    if kind is not None and kind not in KINDS:
        raise Invalid(f"kind is one of {', '.join(KINDS)}")
    scope = _scope(ctx, who, "t")
    query = Query(Scope("true", scope.args))
    if kind is not None:
        query.where("w.kind = {}", kind)
    if mine:
        query.where("w.taken_by = {}", who.id)
    select = _FROM.format(scope.condition)
    return await read_page(ctx, query, select, "w.stands_at", "w.id", limit, cursor, ascending=True)


async def hops_proposed(ctx: Context, who: Principal) -> int:
    """How many links between names wait for a decision; counted up to a thousand."""
    access.require(who, *_SEE)
    return int(
        await ctx.db.fetchval(
            "select count(*) from (select from hop where state = 'proposed' and program = any($1) limit $2) h",
            hops.programs_of(ctx, who),
            _HOPS_COUNTED,
        )
    )


async def alarms(ctx: Context, who: Principal, of_grade: str, *, limit: int = 50, cursor: str | None = None) -> Page:
    """Open alarms of one grade, oldest first, each with the ways by which somebody was told."""
    if of_grade not in GRADES:
        raise Invalid(f"grade is one of {', '.join(GRADES)}")
    query = Query(_scope(ctx, who, "w"))
    kinds = [kind for kind in ALARMS if grade(kind) == of_grade]
    query.where("w.closed_at is null and w.kind = any({})", kinds)
    select = "select w.*, c.reference, c.target, c.program from alarm w left join cases c on c.id = w.case_id"
    return await read_page(ctx, query, select, "w.raised_at", "w.id", limit, cursor, ascending=True)


async def alarms_closed(ctx: Context, who: Principal, *, limit: int = 20) -> Sequence[Mapping[str, Any]]:
    """The newest alarms that somebody closed, with why."""
    scope = _scope(ctx, who, "w")
    rows = await ctx.db.fetch(
        "select w.id, w.kind, w.case_id, w.sentence, w.raised_at, w.closed_at, w.closed_by, w.close_reason, c.reference, "
        "c.target from alarm w left join cases c on c.id = w.case_id where w.closed_at is not null "
        f"and {scope.condition} order by w.closed_at desc, w.id desc limit {int(limit)}",
        *scope.args,
    )
    return [dict(row) for row in rows]
