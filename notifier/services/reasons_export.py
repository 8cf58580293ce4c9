"""Statements of reasons as the DSA transparency database takes them: validated, in batches of a hundred, nothing personal.

A registry is no hosting service and owes that database nothing (recital 29): the files are for whoever wants to publish
in a shape that readers know. Nothing is sent from here.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.domain import dsa_schema
from notifier.errors import Invalid, NotFound
from notifier.services import access, deconfliction, reasons
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.store import appeals as store
from notifier.store import cases as case_store


@dataclass(frozen=True, slots=True)
class Export:
    """`batches`: bodies for the database's endpoint for many. `refused`: by `puid`, what keeps a statement out."""

    batches: Sequence[bytes]
    statements: int
    refused: Mapping[str, Sequence[str]]


async def exported(
    ctx: Context, who: Principal, program: str, start: datetime | None, end: datetime | None, *, via: str
) -> Export:
    """A statement for each request of a program that left from `start` up to, not including, `end`. The log says so.

    Of a name under investigation by an authority nothing is told. Raises NotFound for a program outside the scope.
    """
    access.require(who, Role.REVIEWER, Role.AUDITOR)
    if program not in ctx.owned_by(who.organisation) or (who.programs is not None and program not in who.programs):
        raise NotFound(f"no program {program!r}", code="unknown_program")
    if start is not None and end is not None and end < start:
        raise Invalid("to: lies before from")
    now = await ctx.db.clock.now()
    fit: list[Mapping[str, Any]] = []
    refused: dict[str, Sequence[str]] = {}
    async with ctx.db.pool.acquire() as con:
        for case_id, notice_id in await store.requests_left(con, program, start, end):
            case = await case_store.get(con, case_id)
            if case is None or await deconfliction.is_listed(con, case.target, now):
                continue
            fields = await reasons.statement(ctx, con, case, notice_id, pages_named=False)
            made = {name: value for name, value in fields.items() if name in dsa_schema.FIELDS and value is not None}
            if wrong := dsa_schema.faults(made):
                refused[str(made["puid"])] = wrong
            else:
                fit.append(made)
    files = [
        (json.dumps({"statements": list(batch)}, ensure_ascii=False, indent=1) + "\n").encode()
        for batch in dsa_schema.batches(fit)
    ]
    async with ctx.db.transaction(who.id, via) as tx:
        detail = {
            "statements": len(fit),
            "refused": len(refused),
            "sha256": [hashlib.sha256(file).hexdigest() for file in files],
        }
        await tx.audit("reasons.exported", program, detail)
    return Export(files, len(fit), refused)
