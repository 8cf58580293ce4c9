"""The part of a notice that names what belongs together: for the registry that has these names too, and nothing is asked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifier.catalog import Agreement
from notifier.domain import hopping
from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.hostile import one_line
from notifier.domain.rule import Recipient
from notifier.store import hops as store
from notifier.store.database import Connection

_MOST = 50
_STANDS = {
    "verified": "out of reach, as registry and zone showed us,",
    "verified_dns_only": "out of reach, as the zone showed us,",
}


async def names(con: Connection, case: Case, agreement: Agreement, dated: datetime) -> list[str]:
    """Names of the case's cluster under the same registry, each with what stood when the notice was `dated`.

    Those that a person had accepted by then. None that an authority investigates; of other owners there is none in a
    program's clusters. A host or registrar is told of none: whether it has them is not known.
    """
    if agreement.party is not Recipient.REGISTRY or case.embargo:
        return []
    edges = await store.edges(con, [case.program])
    accepted = [(e.before, e.name) for e in edges if e.decided_at is not None and e.decided_at <= dated]
    cluster = next((c for c in hopping.clusters(accepted) if case.target.registrable in c), None)
    if cluster is None:
        return []
    rows = await con.fetch(
        "select distinct on (c.registrable) c.registrable, c.state, c.observed, c.notified_at, c.resolved_at from cases c "
        "where c.program = $1 and c.registrable = any($2) and c.registrable <> $3 and c.registry = $4 "
        "and c.scope = 'domain' and not c.state in ('rejected', 'withdrawn', 'superseded') and c.opened_at <= $5 "
        "and not exists (select from deconfliction_hold d where d.case_id = c.id and d.ended_at is null) "
        "order by c.registrable, c.opened_at desc",
        case.program,
        sorted(cluster),
        case.target.registrable,
        agreement.registry,
        dated,
    )
    return [one_line(f"{row['registrable']}: {_standing(row, dated)}") for row in rows[:_MOST]]


def _standing(row: Mapping[str, Any], dated: datetime) -> str:
    if row["notified_at"] is None or row["notified_at"] > dated:
        return "under our own review"
    noticed = f"our notice of {row['notified_at']:%Y-%m-%d}"
    done = row["observed"] in _STANDS and row["state"] in (CaseState.RESOLVED, CaseState.CLOSED)
    if done and row["resolved_at"] <= dated:
        return f"{_STANDS[row['observed']]} since {noticed}"
    return f"{noticed} is about it"
