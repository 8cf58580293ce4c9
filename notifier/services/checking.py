"""What would become of a report, before it is sent: of the name alone as it is typed, and of the whole form."""

import json
from dataclasses import dataclass

from notifier.domain.case_state import OPEN
from notifier.services import access, submitted
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.submitted import Submitted

MAY_CHECK = (Role.SUBMITTER, Role.REVIEWER)


@dataclass(frozen=True, slots=True)
class OpenCase:
    """The case that a report about the name would join, where whoever asks may see it."""

    id: str
    reference: str
    state: str


@dataclass(frozen=True, slots=True)
class Checked:
    """`result` as a dry run gives it; `open_case`: None also where there is one that the asker may not know of."""

    result: Submitted
    open_case: OpenCase | None


async def check(ctx: Context, who: Principal, raw: bytes) -> Checked:
    """A dry run over the lists that we hold: nothing is stored, nobody is asked."""
    access.require(who, *MAY_CHECK)
    result = submitted.dry_run(ctx.catalog, who, raw, await ctx.db.clock.now())
    if result.domain is None:
        return Checked(result, None)
    return Checked(result, await _open_case(ctx, who, str(json.loads(raw)["program"]), result.domain))


async def _open_case(ctx: Context, who: Principal, program: str, target: str) -> OpenCase | None:
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=4)
    row = await ctx.db.fetchrow(
        "select c.id, c.reference, c.state from cases c where c.target = $1 and c.program = $2 and c.state = any($3) "
        f"and {scope.condition}",
        target,
        program,
        [str(state) for state in OPEN],
        *scope.args,
    )
    return OpenCase(str(row["id"]), row["reference"], row["state"]) if row else None
