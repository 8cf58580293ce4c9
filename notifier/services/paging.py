"""Lists page by page, by what their rows are ordered by (keyset): however long a list is, a page costs the same."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.errors import Invalid
from notifier.services.access import Scope
from notifier.services.context import Context
from notifier.store.database import storable
from notifier.store.ids import as_uuid

MAX_PAGE = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as plain mappings, and the cursor of the next page; None at the end."""

    items: Sequence[Mapping[str, Any]]
    next_cursor: str | None


class Query:
    """Conditions and their arguments, numbered as they come."""

    def __init__(self, scope: Scope) -> None:
        self.conditions, self.args = [scope.condition], list(scope.args)

    def where(self, condition: str, *values: Any) -> None:
        marks = [f"${len(self.args) + i}" for i in range(1, len(values) + 1)]
        self.conditions.append(condition.format(*marks))
        self.args += [storable(value) if isinstance(value, str) else value for value in values]


async def read_page(
    ctx: Context,
    query: Query,
    select: str,
    at: str,
    row_id: str,
    limit: int,
    cursor: str | None,
    *,
    ascending: bool = False,
) -> Page:
    """A page by `at` and then by id: newest first, or earliest first."""
    compared, order = (">", "asc") if ascending else ("<", "desc")
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"limit is 1 to {MAX_PAGE}")
    if cursor is not None:
        query.where(f"({at}, {row_id}) {compared} ({{}}, {{}})", *_open_cursor(cursor))
    where = " and ".join(query.conditions)
    rows = await ctx.db.fetch(
        f"{select} where {where} order by {at} {order}, {row_id} {order} limit {limit + 1}", *query.args
    )
    shown = [dict(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(shown, None)
    last = shown[-1]
    return Page(shown, _cursor(last[at.partition(".")[2]], str(last["id"])))


def _cursor(at: datetime, row_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), row_id]).encode()).decode().rstrip("=")


def _open_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        at, row_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        when = datetime.fromisoformat(at)
        if as_uuid(row_id) is None or when.tzinfo is None or not 1990 <= when.year <= 2100:
            raise ValueError(cursor)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise Invalid("the cursor is not one that a page gave; start without it") from error
    return when, row_id
