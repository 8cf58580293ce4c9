"""Registered live events: what stands now, and the report after one. For the principal's own cases, as everywhere."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.domain.live_events import LiveEvent
from notifier.domain.notice import ASKING
from notifier.errors import NotFound
from notifier.services import access
from notifier.services.access import Principal, Role
from notifier.services.context import Context

_SEE = (Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR, Role.ADMIN)
_DECIDED = (Role.REVIEWER, Role.AUDITOR, Role.ADMIN)

_CASES = (
    "select c.state, count(*) as n from cases c where c.program = $1 and exists (select from report r "
    "where r.case_id = c.id and r.code is null and r.body->'event_window'->>'event' = $2) and {} group by 1"
)
_NOTICES = """
select c.id as case_id, c.reference, c.target, c.state as case_state, c.outcome, c.aftermath, n.id as notice_id, n.party,
  n.measure, n.state, n.queued_at as approved_at, n.sent_at, n.hold_until, n.release_by, n.waited_for_look,
  u.sent_at as restore_sent_at,
  (select max(e.at) from audit_entry e where e.case_id = c.id and e.tag = 'case.released') as seen_back_at,
  exists (select from alarm a where a.case_id = c.id and a.kind = 'held_past_event') as held_past_event,
  (select split_part(t.resolution, ':', 1) from task t where t.approval is not null and t.notice_id = n.id) as second_look,
  exists (select from task t where t.approval is not null and t.notice_id = n.id) as approved_alone
from notice n join cases c on c.id = n.case_id
left join notice u on u.supersedes = n.id and u.purpose in ('withdrawal', 'restore') and u.state <> 'cancelled'
where n.event = $2 and c.program = $1 and n.purpose = any($3) and {}
order by n.queued_at, n.id
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """One event as it stands. `cases`: by state; `on_duty`: None where staff is not told of."""

    event: LiveEvent
    state: str
    cases: Mapping[str, int]
    on_duty: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Report:
    """What was asked for because of an event, and what became of it: a row for each notice, and sums over them.

    Seconds run from the approval to the recipient's acceptance. `held`: names that were asked to be held and whose case
    has an aftermath, or that are held past the margin; `released_on_time` is among them.
    """

    standing: Standing
    notices: Sequence[Mapping[str, Any]]
    sums: Mapping[str, int]
    seconds_p50: float | None
    seconds_p95: float | None


async def events(ctx: Context, who: Principal) -> list[Standing]:
    """The events in reach, in the order in which they begin."""
    access.require(who, *_SEE)
    found = sorted(ctx.catalog.events.values(), key=lambda e: (e.starts, e.id))
    return [await _standing(ctx, who, e) for e in found if who.programs is None or e.program in who.programs]


async def report(ctx: Context, who: Principal, event_id: str) -> Report:
    """One event whole. Raises NotFound also for one outside the reach."""
    access.require(who, *_SEE)
    event = ctx.catalog.events.get(event_id)
    if event is None or (who.programs is not None and event.program not in who.programs):
        raise NotFound(f"no event {event_id!r}")
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=4)
    rows = await ctx.db.fetch(
        _NOTICES.format(scope.condition), event.program, event.id, [str(p) for p in ASKING], *scope.args
    )
    notices = [dict(row) for row in rows]
    took = sorted((n["sent_at"] - n["approved_at"]).total_seconds() for n in notices if n["sent_at"] is not None)
    cases = {n["case_id"]: n for n in notices}.values()
    looked = Counter("open" if n["second_look"] is None else n["second_look"] for n in notices if n["approved_alone"])
    sums = {
        "notices": len(notices),
        "sent": len(took),
        "waited_for_look": sum(n["waited_for_look"] for n in notices if n["sent_at"] is not None),
        "restores_sent": sum(n["restore_sent_at"] is not None for n in notices),
        "released_on_time": sum(c["aftermath"] == "released_on_time" for c in cases),
        "released_late": sum(c["aftermath"] == "reinstated" for c in cases),
        "held_past_event": sum(c["held_past_event"] for c in cases),
        "found_wrong": looked["wrong"],
        "found_right": looked["right"],
        "not_looked_at_again": looked["open"],
    }
    return Report(await _standing(ctx, who, event), notices, sums, _share(took, 0.5), _share(took, 0.95))


async def _standing(ctx: Context, who: Principal, event: LiveEvent) -> Standing:
    now = await ctx.db.clock.now()
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=3)
    rows = await ctx.db.fetch(_CASES.format(scope.condition), event.program, event.id, *scope.args)
    ours = who.role in _DECIDED and who.organisation in ("", ctx.program(event.program).owner)
    return Standing(
        event, _state(event, now), {r["state"]: r["n"] for r in rows}, sorted(event.on_duty) if ours else None
    )


def _state(event: LiveEvent, now: datetime) -> str:
    if now < event.starts:
        return "registered"
    return "running" if now < event.ends else "over"


def _share(ascending: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of them does not exceed; None of none."""
    return ascending[math.ceil(share * len(ascending)) - 1] if ascending else None
