"""Names of one actor, by links that a person accepted; links that wait for one are shown apart, and join nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from notifier.domain import hopping
from notifier.errors import NotFound
from notifier.services import access, hops
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.store import hops as store
from notifier.store.database import Connection
from notifier.store.hops import Edge


@dataclass(frozen=True, slots=True)
class Member:
    """A name of a cluster, and its newest case in it; a proposed name may have none."""

    name: str
    case_id: str | None
    reference: str | None
    state: str | None
    outcome: str | None
    observed: str | None


@dataclass(frozen=True, slots=True)
class Cluster:
    """`id`: that of its oldest accepted link. `links` made it; `proposed` wait for a person and may make it larger."""

    id: str
    program: str
    members: Sequence[Member]
    links: Sequence[Edge]
    proposed: Sequence[Edge]


async def clusters(ctx: Context, who: Principal, *, program: str | None = None) -> list[Cluster]:
    """Every cluster in the programs of the principal's organisation, largest first. Raises NotFound for another program."""
    access.require(who, *hops.SEE)
    programs = hops.programs_of(ctx, who)
    if program is not None:
        if program not in programs:
            raise NotFound(f"no program {program!r}", code="unknown_program")
        programs = [program]
    async with ctx.db.pool.acquire() as con:
        found = []
        edges = await store.edges(con, programs)
        for one in programs:
            found += await _of_program(con, one, [edge for edge in edges if edge.program == one])
    return sorted(found, key=lambda cluster: (-len(cluster.members), cluster.id))


async def cluster(ctx: Context, who: Principal, cluster_id: str) -> Cluster:
    """One cluster, by the id of any link in it. Raises NotFound."""
    for one in await clusters(ctx, who):
        if any(edge.id == cluster_id for edge in one.links):
            return one
    raise NotFound(f"no cluster {cluster_id!r}")


async def _of_program(con: Connection, program: str, edges: Sequence[Edge]) -> list[Cluster]:
    accepted = [edge for edge in edges if edge.state == "accepted"]
    rows = await _cases(con, edges)
    found = []
    for names in hopping.clusters((edge.before, edge.name) for edge in accepted):
        links = [edge for edge in accepted if edge.name in names]
        proposed = [e for e in edges if e.state == "proposed" and names & {e.before, e.name}]
        members = [_member(name, rows, links) for name in sorted(names)]
        found.append(Cluster(links[0].id, program, members, links, proposed))
    return found


async def _cases(con: Connection, edges: Sequence[Edge]) -> Mapping[str, Mapping[str, Any]]:
    ids = sorted({case for edge in edges for case in edge.cases if case is not None})
    rows = await con.fetch(
        "select id, reference, registrable, state, outcome, observed, aftermath, opened_at, notified_at, resolved_at "
        "from cases where id = any($1)",
        ids,
    )
    return {str(row["id"]): dict(row) for row in rows}


def _member(name: str, rows: Mapping[str, Mapping[str, Any]], links: Sequence[Edge]) -> Member:
    mine = [rows[c] for edge in links for c in edge.cases if c is not None and rows[c]["registrable"] == name]
    newest = max(mine, key=lambda row: row["opened_at"], default=None)
    if newest is None:
        return Member(name, None, None, None, None, None)
    told = (newest["reference"], newest["state"], newest["outcome"], newest["observed"])
    return Member(name, str(newest["id"]), *told)
