"""The audit log: its entries, its newest signed checkpoint, and the proofs that nothing was changed or removed."""

from notifier.errors import NotFound
from notifier.services import access, audit
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.store.audit import newest_checkpoint
from notifier.web.routes import Reply, Route
from notifier.web.schemas import ConsistencyQuery, EntryQuery, InclusionQuery
from notifier.web.views.log import AuditEntryOut, AuditPage, CheckpointOut, ConsistencyOut, InclusionOut

_READERS = [Role.AUDITOR, Role.ADMIN]


async def list_entries(ctx: Context, who: Principal, query: EntryQuery) -> Reply:
    """Entries in your scope, oldest first. What belongs to no case is the house's."""
    access.require(who, *_READERS)
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=4)
    loose = "" if who.organisation or who.programs is not None else "e.case_id is null or "
    rows = await ctx.db.fetch(
        "select e.id, e.at, e.actor, e.via, e.tag, e.subject, e.case_id, e.rev, e.body from audit_entry e "  # noqa: S608
        "left join cases c on c.id = e.case_id "
        f"where e.id > $1 and ($2::uuid is null or e.case_id = $2) and ({loose}({scope.condition})) "
        "order by e.id limit $3",
        query.since_id,
        query.case_id,
        query.limit,
        *scope.args,
    )
    last = rows[-1]["id"] if len(rows) == query.limit else None
    return Reply(200, AuditPage(items=[AuditEntryOut.of(dict(row)) for row in rows], next_since_id=last))


async def get_checkpoint(ctx: Context, who: Principal) -> Reply:
    """The newest signed tree head. Keep it elsewhere: a log that was rewritten cannot match it."""
    access.require(who, *_READERS)
    async with ctx.db.pool.acquire() as con:
        checkpoint = await newest_checkpoint(con)
    if checkpoint is None:
        raise NotFound("nothing is sealed yet")
    return Reply(200, CheckpointOut.shown(checkpoint))


async def prove_inclusion(ctx: Context, who: Principal, query: InclusionQuery) -> Reply:
    """Proof that an entry is under a checkpoint."""
    access.require(who, *_READERS)
    async with ctx.db.pool.acquire() as con:
        return Reply(200, InclusionOut.shown(await audit.inclusion_proof(con, query.entry_id, query.size)))


async def prove_consistency(ctx: Context, who: Principal, query: ConsistencyQuery) -> Reply:
    """Proof that a newer tree only adds to an older one."""
    access.require(who, *_READERS)
    async with ctx.db.pool.acquire() as con:
        return Reply(200, ConsistencyOut.shown(await audit.consistency_proof(con, query.old, query.new)))


ROUTES = [
    Route("GET", "/audit/entries", list_entries, "List audit entries", {200: AuditPage}, roles=_READERS),
    Route(
        "GET",
        "/audit/checkpoint",
        get_checkpoint,
        "Newest checkpoint",
        {200: CheckpointOut},
        roles=_READERS,
        problems=[404],
    ),
    Route(
        "GET",
        "/audit/proofs/inclusion",
        prove_inclusion,
        "Prove inclusion",
        {200: InclusionOut},
        roles=_READERS,
        problems=[404],
    ),
    Route(
        "GET",
        "/audit/proofs/consistency",
        prove_consistency,
        "Prove consistency",
        {200: ConsistencyOut},
        roles=_READERS,
        problems=[404],
    ),
]
