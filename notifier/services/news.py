"""What reporters learn: each decision of each case they reported to, once for each organisation, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from notifier.errors import Invalid
from notifier.services import access
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.paging import MAX_PAGE
from notifier.store import news as store
from notifier.store.database import Tx

START = "0.0"


@dataclass(frozen=True, slots=True)
class Feed:
    """News in order, and the position behind the last of them: ask from there next time."""

    items: Sequence[Mapping[str, Any]]
    position: str
    more: bool


async def feed(ctx: Context, who: Principal, since: str | None = None, *, limit: int = 50) -> Feed:
    """The organisation's news behind the position `since`, oldest first. Raises Invalid for no position of ours."""
    access.require(who, Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR, Role.ADMIN)
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"limit is 1 to {MAX_PAGE}")
    xact, seq = _position(since or START)
    programs = sorted(who.programs) if who.programs is not None else None
    async with ctx.db.pool.acquire() as con:
        rows = await store.after(con, who.organisation, programs, xact, seq, limit + 1)
        shown = [dict(row) for row in rows[:limit]]
        reports = await con.fetch(
            "select case_id, id, external_id from report where case_id = any($1) and organisation = $2 and code is null "
            "order by received_at, id",
            [row["case_id"] for row in shown],
            who.organisation,
        )
    of_case: dict[Any, list[dict[str, Any]]] = {}
    for report in reports:
        of_case.setdefault(report["case_id"], []).append(dict(report))
    items = [{**row, "reports": of_case.get(row["case_id"], [])} for row in shown]
    last = f"{shown[-1]['xact']}.{shown[-1]['seq']}" if shown else f"{xact}.{seq}"
    return Feed(items, last, len(rows) > limit)


async def catch_up(tx: Tx, case_id: str) -> None:
    """Organisations that are new to a case learn of what was decided before."""
    await store.catch_up(tx.con, case_id)


def _position(since: str) -> tuple[str, int]:
    xact, _, seq = since.partition(".")
    if not (xact.isascii() and xact.isdigit() and seq.isascii() and seq.isdigit() and len(since) <= 40):
        raise Invalid("`since` is the `position` of an earlier answer; start without it")
    if int(xact) >= 2**63 or int(seq) >= 2**63:
        raise Invalid("`since` is the `position` of an earlier answer; start without it")
    return str(int(xact)), int(seq)  # PostgreSQL reads a leading zero as octal
