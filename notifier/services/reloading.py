"""Taking up the configuration without a restart: it is checked here, and then every process follows within seconds.

A process builds what it works with anew and hands over its faces; jobs that run go on under what they began with, and
each case keeps the digest of the rules that it was judged under.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from notifier.catalog import Fault
from notifier.domain.program import Program
from notifier.errors import NotFound
from notifier.services import access
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.health import require_house
from notifier.store import processes
from notifier.store.processes import Running, Wish


@dataclass(frozen=True, slots=True)
class Configured:
    """`digest`: of the configuration that this process runs, `folder` where it stands; `wish` the newest request."""

    digest: str
    folder: str
    wish: Wish | None
    running: Sequence[Running]


@dataclass(frozen=True, slots=True)
class Asked:
    """`faults`: why nothing changes; none, and every process follows. `same`: it is what runs already."""

    faults: Sequence[Fault]
    digest: str
    same: bool


async def configured(ctx: Context, who: Principal) -> Configured:
    """Raises Forbidden for whoever is no admin of the house."""
    require_house(who)
    async with ctx.db.pool.acquire() as con:
        return Configured(
            ctx.configuration.digest,
            ctx.configuration.folder,
            await processes.wish(con),
            await processes.running(con),
        )


async def ask(ctx: Context, who: Principal, *, via: str = "page") -> Asked:
    """Check the configuration as it stands in its files, as `check-config` does; without a fault every process is asked
    to take it up."""
    require_house(who)
    access.require_person(who)
    faults, digest = await asyncio.to_thread(ctx.configuration.check)
    if faults:
        return Asked(faults, digest, False)
    async with ctx.db.transaction(who.id, via) as tx:
        running = await processes.running(tx.con)
        if {digest} == {ctx.configuration.digest, *(one.digest for one in running)}:
            return Asked((), digest, True)
        number = await processes.ask(tx.con, digest, who.id, tx.now)
        await tx.audit("config.reload_asked", str(number), {"digest": digest, "was": ctx.configuration.digest})
    return Asked((), digest, False)


def programs(ctx: Context, who: Principal) -> list[Program]:
    """The programs of the admin's organisation, as this process runs them."""
    access.require(who, Role.ADMIN)
    owned = ctx.owned_by(who.organisation)
    return [ctx.program(program) for program in owned if who.programs is None or program in who.programs]


def program(ctx: Context, who: Principal, program_id: str) -> Program:
    """One of them. Raises NotFound."""
    found = next((one for one in programs(ctx, who) if one.id == program_id), None)
    if found is None:
        raise NotFound(f"no program {program_id!r}", code="unknown_program")
    return found
