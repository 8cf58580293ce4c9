"""What waits for a reviewer: cases under review, the most urgent first, each with what makes it so.

The order has seven bands, each a stretch of one index: live events, urgent ones, those whose last step was in vain, what
waits for over a day (first what was looked at before), and the rest. Within a band whoever has waited longest comes first.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from notifier.domain.rules import InEventWindow
from notifier.errors import Invalid
from notifier.services import access, reading, review
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.paging import Page, Query
from notifier.services.reading import CASE_COLUMNS, REVIEW_WITHIN
from notifier.store.ids import as_uuid

MOST = 1_000  # nobody counts further; the page says "more than"

# The same expression as in the index `cases_queue`.
_RANK = (
    "(case when c.priority >= 10 then 0 when c.priority >= 5 then 1 "
    "when c.approvers <> '{}' or c.review_reason is distinct from 'first_look' then 2 else 3 end)"
)
# Whoever had a part in a case may not approve it.
_INVOLVED = (
    "(exists (select from report r where r.case_id = c.id and r.principal = {0}) "
    "or exists (select from evidence e where e.case_id = c.id and e.supplied_by = {0}) "
    "or exists (select from contact k where k.case_id = c.id and k.given_by = {0}) "
    "or exists (select from amendment m where m.case_id = c.id and m.given_by = {0}))"
)


class _Band(NamedTuple):
    rank: int | None  # None: of a live event, whatever else it is
    overdue: bool | None  # None: whether or not


_BANDS = (
    _Band(None, None),
    _Band(0, None),
    _Band(1, None),
    _Band(2, True),
    _Band(3, True),
    _Band(2, False),
    _Band(3, False),
)
URGENT_BANDS = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """None means any. `mine`: assigned to me, or approved once by somebody else so that I may be the second."""

    program: str | None = None
    registry: str | None = None
    safety: str | None = None
    reason: str | None = None
    mine: bool = False
    overdue: bool = False


class _Place(NamedTuple):
    """Where a case stands in the queue."""

    band: int
    since: datetime
    case_id: str


async def queue(ctx: Context, who: Principal, wanted: Wanted, *, limit: int = 50, cursor: str | None = None) -> Page:
    """Cases under review in scope, most urgent first; with each whether the principal had a part in it."""
    access.require(who, Role.REVIEWER)
    rows = await _walk(ctx, who, wanted, _open(cursor) if cursor else None, limit + 1)
    shown = rows[:limit]
    return Page(shown, _cursor(_place_of(shown[-1])) if len(rows) > limit else None)


async def beside(ctx: Context, who: Principal, wanted: Wanted, case_id: str) -> tuple[str | None, str | None]:
    """The cases before and after this one in the queue; of one that waits no more, none and the first."""
    access.require(who, Role.REVIEWER)
    async with ctx.db.pool.acquire() as con:
        case = await review.visible(ctx, con, who, case_id)
        here = await con.fetchrow(
            f"select {_RANK} as rank, c.review_since from cases c where c.id = $1 and c.state = 'in_review'", case.id
        )
    if here is None or here["review_since"] is None:
        first = await _walk(ctx, who, wanted, None, 1)
        return None, str(first[0]["id"]) if first else None
    now = await ctx.db.clock.now()
    late = here["review_since"] < now - REVIEW_WITHIN
    rank = None if case.program in _live(ctx) else here["rank"]
    band = next(i for i, b in enumerate(_BANDS) if b.rank == rank and b.overdue in (None, late))
    place = _Place(band, here["review_since"], case_id)
    before = await _walk(ctx, who, wanted, place, 1, back=True)
    after = await _walk(ctx, who, wanted, place, 1)
    return (str(before[0]["id"]) if before else None), (str(after[0]["id"]) if after else None)


async def _walk(
    ctx: Context, who: Principal, wanted: Wanted, start: _Place | None, limit: int, *, back: bool = False
) -> list[dict[str, Any]]:
    """Rows band by band from a place on, that place not among them."""
    late, live = await ctx.db.clock.now() - REVIEW_WITHIN, _live(ctx)
    found: list[dict[str, Any]] = []
    for number in reversed(range(len(_BANDS))) if back else range(len(_BANDS)):
        band = _BANDS[number]
        passed = start is not None and (number > start.band if back else number < start.band)
        if passed or _holds_none(band, wanted, live):
            continue
        query = _query(ctx, who, wanted)
        if band.rank is None and len(live) == 1:  # by which the index keeps the order
            query.where("c.program = {}", live[0])
        else:
            query.where(f"{'' if band.rank is None else 'not '}c.program = any({{}})", live)
        if band.rank is not None:
            query.conditions.append(f"{_RANK} = {band.rank}")
        if band.overdue is not None or wanted.overdue:
            query.where(f"c.review_since {'>=' if band.overdue is False else '<'} {{}}", late)
        if start is not None and number == start.band:
            query.where(f"(c.review_since, c.id) {'<' if back else '>'} ({{}}, {{}})", start.since, start.case_id)
        found += [
            {**row, "band": number, "live": band.rank is None}
            for row in await _rows(ctx, who, query, limit - len(found), back=back)
        ]
        if len(found) >= limit:
            break
    return found


def _holds_none(band: _Band, wanted: Wanted, live: list[str]) -> bool:
    """Whether no case of this band can be wanted, so that it need not be walked."""
    new = band.rank == 3 and wanted.reason not in (None, "first_look")
    return new or (wanted.overdue and band.overdue is False) or (band.rank is None and not live)


def _live(ctx: Context) -> list[str]:
    """Programs about live events: what they ask for is worth nothing once the event is over."""
    return [program.id for program in ctx.catalog.programs.values() if program.rule(InEventWindow)]


def _query(ctx: Context, who: Principal, wanted: Wanted) -> Query:
    query = Query(access.case_scope(who, ctx.owned_by(who.organisation)))
    query.conditions.append("c.state = 'in_review'")
    for column in ("program", "registry", "safety"):
        if (value := getattr(wanted, column)) is not None:
            query.where(f"c.{column} = {{}}", value)
    if wanted.reason is not None:
        query.where("c.review_reason = {}", wanted.reason)
    if wanted.mine:
        may_be_second = f"(c.approvers <> '{{{{}}}}' and not {{0}} = any(c.approvers) and not {_INVOLVED})"
        query.where(f"(c.assignee = {{0}} or {may_be_second})", who.id)
    return query


async def _rows(ctx: Context, who: Principal, query: Query, limit: int, *, back: bool) -> list[Mapping[str, Any]]:
    me = f"${len(query.args) + 1}"
    way = "desc" if back else "asc"
    rows = await ctx.db.fetch(
        f"select {CASE_COLUMNS}, c.review_since, {_INVOLVED.format(me)} as took_part from cases c left join lateral "
        "(select signals, why, measured, at from assessment where case_id = c.id order by rev desc limit 1) a on true "
        f"where {' and '.join(query.conditions)} order by c.review_since {way}, c.id {way} limit {limit}",
        *query.args,
        who.id,
    )
    return [reading.quiet(who, dict(row)) for row in rows]


# --- counts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counts:
    """How much waits for a person in scope; MOST stands for that many or more. `alarms`, nobody has taken."""

    in_review: int
    overdue: int
    alarms: int
    tasks: int
    uncertain: int
    appeals: int
    needs_evidence: int


_WAITING = "from {0} w left join cases c on c.id = w.case_id where ({{loose}}{{scope}}) and "
_COUNTED: Mapping[str, str] = {
    "in_review": "from cases c where {scope} and c.state = 'in_review'",
    "overdue": "from cases c where {scope} and c.state = 'in_review' and c.review_since < {late}",
    "needs_evidence": "from cases c where {scope} and c.state = 'needs_evidence'",
    "alarms": _WAITING.format("alarm") + "w.closed_at is null and w.taken_by is null",
    "tasks": _WAITING.format("task") + "w.resolved_at is null",
    "uncertain": _WAITING.format("task") + "w.resolved_at is null and w.kind = 'uncertain'",
    "appeals": "from appeal w join cases c on c.id = w.case_id where {scope} and w.state in ('filed', 'in_review')",
}


async def counts(ctx: Context, who: Principal) -> Counts:
    """What waits, each thing counted up to MOST."""
    access.require(who, Role.REVIEWER)
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=2)
    late = await ctx.db.clock.now() - REVIEW_WITHIN
    # What is tied to no case is the house's.
    said = {
        "scope": scope.condition,
        "late": "$1",
        "loose": "w.case_id is null or " if access.is_of_the_house(who) else "",
    }
    parts = []
    for name, source in _COUNTED.items():
        parts.append(f"(select count(*) from (select {source.format(**said)} limit {MOST}) x) as {name}")
    row = await ctx.db.fetchrow(f"select $1::timestamptz as late, {', '.join(parts)}", late, *scope.args)
    assert row is not None
    return Counts(**{name: int(row[name]) for name in _COUNTED})


# --- places -------------------------------------------------------------------------------------------------------


def _place_of(row: Mapping[str, Any]) -> _Place:
    return _Place(row["band"], row["review_since"], str(row["id"]))


def _cursor(place: _Place) -> str:
    said = json.dumps([place.band, place.since.isoformat(), place.case_id])
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _open(cursor: str) -> _Place:
    try:
        band, since, case_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        place = _Place(band, datetime.fromisoformat(since), case_id)
        if band not in range(len(_BANDS)) or as_uuid(case_id) is None or place.since.tzinfo is None:
            raise ValueError(cursor)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise Invalid("the cursor is not one that a page gave; start without it") from error
    return place
