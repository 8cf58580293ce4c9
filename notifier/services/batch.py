"""Many reports at once: every row for itself, each stored before its result is given."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from notifier.domain.sheet import Row
from notifier.errors import Invalid, NotifierError
from notifier.services import access
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.intake import keep_refused, submit
from notifier.services.submitted import Submitted, refused


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row of a batch."""

    row: int
    input: str
    result: Submitted


async def submit_batch(
    ctx: Context,
    who: Principal,
    rows: Sequence[Row],
    *,
    via: str = "api",
    on_row: Callable[[RowResult], None] | None = None,
) -> list[RowResult]:
    """Every row for itself, each stored before the next result is given; a bad row stops no other."""
    access.require(who, Role.SUBMITTER)
    results: list[RowResult | None] = [None] * len(rows)
    waiting = iter(enumerate(rows))

    async def work() -> None:
        for i, row in waiting:
            result = RowResult(row.number, row.input, await _submit_row(ctx, who, row, via))
            results[i] = result
            if on_row:
                on_row(result)

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return [result for result in results if result is not None]


async def _submit_row(ctx: Context, who: Principal, row: Row, via: str) -> Submitted:
    if row.raw is None:
        refusal = Invalid(row.fault or "the row cannot be read", code="malformed")
        return await keep_refused(ctx, who, row.input.encode("utf-8", "replace"), "text/plain", None, via, refusal)
    try:
        return await submit(ctx, who, row.raw, via=via)
    except NotifierError as error:
        return refused(None, error)


_AT_ONCE = 4
