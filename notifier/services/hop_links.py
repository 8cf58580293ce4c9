"""Held against each other: a case's name and every one that may follow it, and what is well enough linked is proposed."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import rfc8785

from notifier.domain import hopping
from notifier.domain.blast import NOT_LISTED
from notifier.domain.case import Case
from notifier.domain.hopping import Kind, Link, Sign
from notifier.domain.look import Look
from notifier.domain.names import parse
from notifier.domain.safety import Safety, Scope, assess
from notifier.errors import Refused
from notifier.services import deconfliction
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.store import cases as case_store
from notifier.store import hops as store
from notifier.store.database import Connection
from notifier.store.ids import new_id


@dataclass(frozen=True, slots=True)
class Side:
    """One of two names: what is known of it. `case` None: it is a candidate without one."""

    name: str
    signs: Sequence[Sign]
    first_seen_at: datetime
    registered_at: datetime | None
    case: Case | None
    found_by: str


async def propose_all(ctx: Context, case: Case) -> None:
    """Compare a case with every name that may belong to it, and propose what is linked well enough."""
    async with ctx.db.pool.acquire() as con:
        own = await _of_case(con, case)
        others = [*await _cases(con, case), *await _candidates(con, case)]
        known = await store.decided(con, case.program, own.name, [other.name for other in others])
        cluster = await _related(con, case)
    for other in others:
        if other.name in known or other.name == own.name:
            continue
        first, second = (own, other) if _comes_first(own, other) else (other, own)
        link = await _linked(ctx, first, second, cluster)
        if link.proposes:
            await _propose(ctx, first, second, link)


def _comes_first(one: Side, other: Side) -> bool:
    return other.case is None or one.first_seen_at <= other.first_seen_at


async def _of_case(con: Connection, case: Case, found_by: str = "case") -> Side:
    look = Look.from_json(case.registration) if case.registration else None
    signs = await store.signs_of(con, case.id, case.epoch)
    since = look.registration.registered_at if look else None
    return Side(case.target.registrable, signs, case.opened_at, since, case, found_by)


async def _cases(con: Connection, case: Case) -> list[Side]:
    label = hopping.label_of(case.target.registrable)
    found = [await case_store.get(con, one) for one in await store.sharing(con, case.id, case.program, label)]
    return [await _of_case(con, one) for one in found if one is not None]


async def _candidates(con: Connection, case: Case) -> list[Side]:
    found = []
    for one in await store.looked_at(con, case.id):
        signs = await store.signs_of(con, one.id, one.epoch)
        found.append(Side(one.name, signs, one.found_at, one.registered_at, None, one.found_by))
    return found


async def _related(con: Connection, case: Case) -> frozenset[str]:
    """Names that a person said are of the same actor: that they share a value makes it no commoner."""
    accepted = [(e.before, e.name) for e in await store.edges(con, [case.program]) if e.state == "accepted"]
    return next((c for c in hopping.clusters(accepted) if case.target.registrable in c), frozenset())


async def _linked(ctx: Context, first: Side, second: Side, cluster: frozenset[str]) -> Link:
    """The link with the number of carriers of each thing that the two share; asked for those alone."""
    shared = hopping.link(first.name, first.signs, second.name, second.signs, lambda _: 0)
    if not shared.proposes:  # no number of carriers makes it more
        return shared
    related = sorted(cluster | {first.name, second.name})
    count: dict[tuple[Kind, str], int | None] = {}
    for one in shared.shared:
        sketch = next((s.sketch for s in first.signs if (s.kind, s.value) == (one.kind, one.value)), ())
        sign = Sign(one.kind, one.value, one.here, one.seen_at, sketch)
        async with ctx.db.pool.acquire() as con:
            known = await store.carriers(con, sign, related)
        elsewhere = await _dependents(ctx, one.value, one.seen_at) if one.kind is Kind.NAME_SERVERS else 0
        count[one.kind, one.value] = None if elsewhere is None else max(known, elsewhere)
    return hopping.link(first.name, first.signs, second.name, second.signs, lambda s: count.get((s.kind, s.value)))


async def _dependents(ctx: Context, servers: str, at: datetime) -> int | None:
    """How many other names use these servers, by the fewest that any of them serves; None where nobody tells."""
    try:
        parents = {parse(server, ctx.catalog.suffixes).registrable for server in servers.split()}
    except Refused:
        return None
    told = [await ctx.survey.dependents(one, at, ctx.catalog.thresholds.source_max_age) for one in sorted(parents)]
    counts = [reading.value for reading in told if reading.value is not None and not reading.at_least]
    return max(0, min(counts) - 2) if len(counts) == len(told) else None


# --- proposing ----------------------------------------------------------------------------------------------------


async def _propose(ctx: Context, first: Side, second: Side, link: Link) -> None:
    if first.case is None:
        return
    cautions = await _cautions(ctx, first, second, link)
    name = parse(second.name, ctx.catalog.suffixes)
    target = assess(name, ctx.catalog.lists).target
    registry = ctx.catalog.registry_for(target.tld)
    async with ctx.db.transaction(DAEMON) as tx:
        await deconfliction.guard(tx)
        case = await case_store.lock(tx.con, first.case.id)
        if case is None or case.embargo or await deconfliction.is_listed(tx.con, target, tx.now):
            return
        row: dict[str, Any] = {
            "id": new_id(),
            "program": case.program,
            "case_id": case.id,
            "name": second.name,
            "tld": target.tld,
            "registry": registry.id if registry else None,
            "found_by": second.found_by,
            "links": told(link),
            "cautions": list(cautions),
            "first_seen_at": second.first_seen_at,
            "proposed_at": tx.now,
            "state": "proposed",
            "successor_case": second.case.id if second.case else None,
        }
        if await store.propose(tx.con, row):
            sha256 = hashlib.sha256(rfc8785.dumps(row["links"])).hexdigest()
            await tx.audit("hop.proposed", row["id"], {"hop": row["id"], "links": sha256}, case.id)


def told(link: Link) -> dict[str, Any]:
    """A link as it is kept: everything that a person needs to judge it."""
    shared = [
        {
            **asdict(one),
            "kind": str(one.kind),
            "signal_class": str(hopping.CLASS_OF[one.kind]),
            "strength": one.strength,
            "words": hopping.WORDS[one.kind],
            "seen_at": one.seen_at.isoformat(),
        }
        for one in link.shared
    ]
    return {"shared": shared, "classes": {str(key): worth for key, worth in link.classes.items()}}


async def _cautions(ctx: Context, first: Side, second: Side, link: Link) -> Sequence[str]:
    """Why one person is not enough."""
    found = []
    listed = assess(parse(second.name, ctx.catalog.suffixes), ctx.catalog.lists)
    if listed.safety is not Safety.CLEAR or listed.target.scope is not Scope.DOMAIN:
        found.append(listed.why)
    now = await ctx.db.clock.now()
    rank = (await ctx.survey.around(second.name, now, ctx.catalog.thresholds.source_max_age)).rank
    if rank.value is None:
        found.append(f"how widely it is used could not be measured ({rank.detail})")
    elif NOT_LISTED < rank.value <= ctx.catalog.thresholds.rank_second:
        found.append(f"it has rank {rank.value} among the most used names")
    if hopping.may_be_the_original(link, first.registered_at, second.registered_at):
        found.append("it is not surely younger, and all that links them can be copied: it may be what was copied from")
    return found
