"""What a number counts, in pages that are all of one instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from notifier.domain.history import History
from notifier.errors import Invalid
from notifier.services.context import Context
from notifier.services.paging import MAX_PAGE
from notifier.store import transitions
from notifier.store.database import Connection


@dataclass(frozen=True, slots=True)
class Counted:
    """One thing that a number counts. `domain` is None where the reader may not see names; `reports`: about it so far."""

    case_ids: Sequence[str]
    references: Sequence[str]
    program: str
    domain: str | None
    reports: int


@dataclass(frozen=True, slots=True)
class CountedPage:
    """`n`: the number itself; `items` a page of what it counts."""

    as_of: datetime
    simulated: bool
    cell: str
    n: int
    items: Sequence[Counted]
    next_cursor: str | None


def begin(as_of: datetime | None, limit: int, cursor: str | None) -> tuple[datetime | None, int]:
    """The instant that a page is of, as asked or as the page before it was, and the place where it begins.

    Raises Invalid for a limit out of bounds, and for a cursor of another instant.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"limit is 1 to {MAX_PAGE}")
    if cursor is None:
        return as_of, 0
    try:
        micros, offset = (int(part) for part in cursor.split("."))
        at = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)
    except (ValueError, OverflowError, OSError) as error:
        raise Invalid("the cursor is not one that a page gave; start without it") from error
    if not 0 <= offset < 2**31 or (as_of is not None and as_of != at):
        raise Invalid("the cursor is of another as_of; start without it")
    return at, offset


def next_cursor(as_of: datetime, offset: int) -> str:
    """The page of a number that begins at `offset`."""
    return f"{int(as_of.timestamp()) * 1_000_000 + as_of.microsecond}.{offset}"


async def of_units(
    ctx: Context, as_of: datetime, names: Mapping[str, bool], cell: str, n: int, units: Sequence[History], end: int
) -> CountedPage:
    """The page that ends before place `end`, of units or cases. `names`: programs, and whether names are shown."""
    async with ctx.db.pool.acquire() as con:
        ids = [case_id for unit in units for case_id in unit.case_ids]
        known = await transitions.references(con, ids)
        reports = await transitions.reports(con, ids)
    items = [
        Counted(
            unit.case_ids,
            [known[case_id][0] for case_id in unit.case_ids],
            unit.program,
            unit.target if names[unit.program] else None,
            sum(reports.get(case_id, 0) for case_id in unit.case_ids),
        )
        for unit in units
    ]
    return _page(ctx, as_of, cell, n, items, end)


async def of_rows(
    ctx: Context,
    con: Connection,
    as_of: datetime,
    names: Mapping[str, bool],
    cell: str,
    n: int,
    rows: Sequence[Mapping[str, Any]],
    end: int,
) -> CountedPage:
    """The same of rows with `case_id`, `reference`, `program` and `target`."""
    reports = await transitions.reports(con, [str(row["case_id"]) for row in rows])
    items = [
        Counted(
            [str(row["case_id"])],
            [row["reference"]],
            row["program"],
            row["target"] if names[row["program"]] else None,
            reports.get(str(row["case_id"]), 0),
        )
        for row in rows
    ]
    return _page(ctx, as_of, cell, n, items, end)


def _page(ctx: Context, as_of: datetime, cell: str, n: int, items: Sequence[Counted], end: int) -> CountedPage:
    return CountedPage(as_of, ctx.settings.simulated, cell, n, items, next_cursor(as_of, end) if end < n else None)
